//! `/audit/`: who tried what, and whether the record of it is whole.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use leg::{AuditAction, AuditExtension};
use model::ExtensionId;
use serde::Serialize;
use store::{AuditActor, AuditOrder, AuditQuery, AuditRow};
use utoipa::ToSchema;

use crate::document::words;
use crate::error::ApiError;
use crate::extensions::Order;
use crate::limits;
use crate::name;
use crate::query::Query;
use crate::state::Api;
use crate::target::ClientTarget;

/// Who tried or did what to whose call
///
/// Every attempt, allowed or not, and every change of the control groups. Each row carries the
/// hash of itself and of all before it. For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/audit/",
    tag = "audit",
    params(
        ("start_datetime" = Option<String>, Query, example = "2021-01-01 00:00:00",
            description = "At this moment or later."),
        ("end_datetime" = Option<String>, Query, example = "2021-01-31 23:59:59",
            description = "At this moment or earlier."),
        ("actor" = Option<String>, Query, example = "100",
            description = "Of this extension, by its name or id, or of the user with this login."),
        ("action" = inline(Option<AuditActionWord>), Query, description = "Of this kind."),
        ("allowed" = Option<bool>, Query, description = "Only what was allowed, or was not."),
        ("order" = inline(Option<Order>), Query,
            description = "As it was written; `desc`, the newest first, unless given."),
        ("page" = Option<u32>, Query, minimum = 1, description = "Which page; 1 unless given."),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 1_000,
            description = "Rows a page; 1000 unless given. `count` is read as well."),
    ),
    responses((status = 200, description = "The rows.", body = AuditBody)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    client: ClientTarget,
    query: Query,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let page = query.page(limits::AUDIT_PER_PAGE_MAX)?;
    let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    // Further than this no list is.
    let offset = wide(page.skipped).min(u64::from(u32::MAX));
    let (order, word) = match page.ascending {
        true => (AuditOrder::Oldest, "asc"),
        false => (AuditOrder::Newest, "desc"),
    };
    let wanted = AuditQuery {
        start: query.moment("start_datetime")?,
        // The second belongs to it whole.
        end: query.moment("end_datetime")?.map(|end| model::Wall(end.0.saturating_add(999_999))),
        actor: query.all("actor").next().map(|text| actor(&client, text)),
        action: action(&query)?,
        allowed: allowed(&query)?,
        order,
        offset,
        limit: wide(page.taken),
    };
    let rows = api.store().audit(client.caller.tenant(), &wanted).await?;
    let per_page = wide(page.taken);
    let body = AuditBody {
        page: wide(page.skipped) / per_page + 1,
        per_page,
        order: word,
        audit: rows.iter().map(AuditRowBody::of).collect(),
    };
    Ok(Json(body).into_response())
}

/// Whether the audit is whole
///
/// Every hash is made anew. A row that was changed, removed or added by hand is found; who keeps
/// `hash` elsewhere also finds a chain that was made anew from some row on. For users of the whole
/// client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/audit/check",
    tag = "audit",
    responses((status = 200, description = "What was found.", body = AuditCheckBody)),
)]
pub(crate) async fn check(
    State(api): State<Api>,
    client: ClientTarget,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let found = api.store().check_audit(client.caller.tenant()).await?;
    let body = AuditCheckBody {
        ok: found.broken.is_none(),
        rows: found.rows,
        hash: hex(&found.hash),
        broken: found.broken,
    };
    Ok(Json(body).into_response())
}

/// An extension by its id, by any form of its name, or else a user by the login.
fn actor(client: &ClientTarget, text: &str) -> AuditActor {
    let tenant = &client.snapshot.tenant;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match name::short(text.strip_prefix('@').unwrap_or(text), tenant) {
        // An extension that is gone is still found by its name.
        Some(short) if digits(short) && short.len() <= model::limits::EXTENSION_NAME_DIGITS_MAX => {
            AuditActor::Named(format!("{}*{short}", tenant.prefix))
        }
        _ => match text.parse() {
            Ok(id) => AuditActor::Extension(ExtensionId(id)),
            Err(_) => AuditActor::Named(text.to_owned()),
        },
    }
}

fn action(query: &Query) -> Result<Option<AuditAction>, ApiError> {
    let Some(word) = query.all("action").next() else { return Ok(None) };
    let found = AuditAction::ALL.into_iter().find(|action| action.as_str() == word);
    found.map(Some).ok_or_else(|| {
        let words = AuditAction::ALL.map(AuditAction::as_str).join(", ");
        ApiError::invalid("action", format_args!("must be one of {words}"))
    })
}

fn allowed(query: &Query) -> Result<Option<bool>, ApiError> {
    match query.all("allowed").next() {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(ApiError::invalid("allowed", "must be true or false")),
    }
}

words! {
    /// What was tried or done.
    AuditActionWord = "group_pickup" | "pickup" | "eavesdrop" | "whisper" | "conference"
        | "replace" | "end_replace" | "change_groups";
    /// By telephone or by a program.
    AuditSourceWord = "phone" | "api";
    /// Which rows come first.
    AuditOrderWord = "asc" | "desc";
}

/// Some rows of the audit.
#[derive(Serialize, ToSchema)]
#[schema(as = Audit)]
pub(crate) struct AuditBody {
    page: u64,
    per_page: u64,
    #[schema(value_type = AuditOrderWord, inline)]
    order: &'static str,
    audit: Vec<AuditRowBody>,
}

/// One attempt, or one change.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRow)]
pub(crate) struct AuditRowBody {
    /// From 1, without a gap.
    number: u64,
    #[schema(example = "2026-01-31 08:00:00")]
    time_gmt: String,
    #[schema(value_type = AuditSourceWord, inline)]
    source: &'static str,
    /// The extension that acted.
    actor: Option<AuditExtensionBody>,
    /// The program that asked.
    program: Option<AuditProgramBody>,
    #[schema(value_type = AuditActionWord, inline)]
    action: &'static str,
    /// Whose call it was about.
    target: Option<AuditExtensionBody>,
    call_uuid: Option<String>,
    allowed: bool,
    /// The field of the control groups that decided, `nothing`, or `token`: the rights of the
    /// program's user.
    #[schema(example = "pickup_share_groups")]
    clause: String,
    /// The groups that counted.
    groups: Vec<String>,
    /// Of a change: what is another now (`+` added, `-` removed, `~` with other members).
    detail: Option<String>,
    /// SHA-256 of the hash before it and of this row, in hexadecimal digits.
    hash: String,
}

/// An extension as it was called then.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditExtension)]
pub(crate) struct AuditExtensionBody {
    /// Null: what was dialled was none.
    id: Option<u64>,
    #[schema(example = "0003*100")]
    name: String,
}

/// A program with its user.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditProgram)]
pub(crate) struct AuditProgramBody {
    user_id: u64,
    user_login: String,
    application: String,
}

/// Whether the audit is whole.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditCheck)]
pub(crate) struct AuditCheckBody {
    ok: bool,
    /// Rows, from the first on, that are as they were written.
    rows: u64,
    /// The hash of the last of them; 64 zeros without any.
    hash: String,
    /// The number of the first row that is not as it was written, or is missing.
    broken: Option<u64>,
}

impl AuditRowBody {
    fn of(row: &AuditRow) -> AuditRowBody {
        let audit = &row.audit;
        let program = audit.program.as_ref().map(|program| AuditProgramBody {
            user_id: program.user.0,
            user_login: program.login.to_string(),
            application: program.application.to_string(),
        });
        AuditRowBody {
            number: row.number,
            time_gmt: audit.time.to_string(),
            source: audit.source.as_str(),
            actor: audit.actor.as_ref().map(AuditExtensionBody::of),
            program,
            action: audit.action.as_str(),
            target: audit.target.as_ref().map(AuditExtensionBody::of),
            call_uuid: audit.call.map(|call| call.hex().to_ascii_uppercase()),
            allowed: audit.allowed,
            clause: audit.clause.to_string(),
            groups: audit.groups.iter().map(|name| name.to_string()).collect(),
            detail: audit.detail.as_deref().map(str::to_owned),
            hash: hex(&row.hash),
        }
    }
}

impl AuditExtensionBody {
    fn of(extension: &AuditExtension) -> AuditExtensionBody {
        let id = extension.id.map(|id| id.0);
        AuditExtensionBody { id, name: extension.name.to_string() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
