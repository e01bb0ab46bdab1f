//! `/call_control_group/`: who may do what to whose calls from a telephone, and the question
//! whether somebody may.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::{ControlAction, Extension, ExtensionId};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::control_groups_body::{ControlGroupsBody, Document};
use crate::document::words;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::limits;
use crate::name;
use crate::state::Api;
use crate::target::ClientTarget;

/// The control groups of the client
///
/// As they were written. They limit telephones; programs too when the setting `call_control_api`
/// says so. For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/call_control_group/",
    tag = "call_control_group",
    responses((status = 200, description = "What was written.", body = ControlGroupsBody)),
)]
pub(crate) async fn show(client: ClientTarget) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    Ok(Json(client.snapshot.control.document()).into_response())
}

/// Writes the control groups of the client anew
///
/// The whole document: what is not sent has its default, so that `{}` takes all rights away. A body
/// without any known field is refused. It may come in a field
/// `call_control_groups`, also as JSON text. The next attempt is decided by it, and the audit says
/// who wrote it. For users of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/call_control_group/",
    tag = "call_control_group",
    request_body = ControlGroupsBody,
    responses((status = 200, description = "What was written.", body = ControlGroupsBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    client: ClientTarget,
    Document(groups): Document,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let (by, time) = (client.caller.program(), api.now().wall);
    if !api.store().write_control_groups(tenant, &groups, by, time).await? {
        return Err(ApiError::client_not_found());
    }
    api.changed(tenant).await;
    Ok(Json(&groups).into_response())
}

/// Whether an extension may do something to another's call
///
/// Decided by the function that decides for telephones. It is no attempt, so the audit does not
/// have it. For users of the whole client.
#[utoipa::path(
    post,
    path = "/api/ver1.0/client/{client_id}/call_control_group/may",
    tag = "call_control_group",
    request_body = MayRequestBody,
    responses((status = 200, description = "The answer, and why.", body = MayBody)),
)]
pub(crate) async fn may(client: ClientTarget, fields: Fields) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let actor = extension(&client, &fields, "actor")?;
    let action = fields.word("action", &ACTIONS)?;
    let action = action.ok_or_else(|| ApiError::invalid("action", "is required"))?;
    let target = extension(&client, &fields, "target")?;
    let rights = &client.snapshot.control;
    let verdict = rights.may(actor.id, action, target.id);
    let groups = rights.names_of(verdict.clause.groups()).map(str::to_owned).collect();
    let clause = verdict.clause.as_str();
    Ok(Json(MayBody { allowed: verdict.is_allowed, clause, groups }).into_response())
}

/// An extension in any form of its name, or by its id.
fn extension(
    client: &ClientTarget,
    fields: &Fields,
    field: &str,
) -> Result<Arc<Extension>, ApiError> {
    let text = fields.text(field, limits::TEXT_CHARS_MAX)?.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| ApiError::invalid(field, "is required"))?;
    let name = text.strip_prefix('@').unwrap_or(&text);
    let snapshot = &client.snapshot;
    let named = name::short(name, &snapshot.tenant).and_then(|short| snapshot.named(short));
    // Ids have more digits than any name.
    let with_id = || text.parse().ok().and_then(|id| snapshot.extension(ExtensionId(id)));
    let found = named.or_else(with_id).map(Arc::clone);
    found.ok_or_else(|| ApiError::invalid(field, "names nothing that the client has"))
}

const ACTIONS: [(&str, ControlAction); 6] = [
    ("group_pickup", ControlAction::GroupPickup),
    ("pickup", ControlAction::Pickup),
    ("eavesdrop", ControlAction::Eavesdrop),
    ("whisper", ControlAction::Whisper),
    ("conference", ControlAction::Conference),
    ("replace", ControlAction::Replace),
];

words! {
    /// What somebody wants to do; `group_pickup` is pickup without a number.
    ControlActionWord =
        "group_pickup" | "pickup" | "eavesdrop" | "whisper" | "conference" | "replace";
    /// The field that decided; `nothing`: none allows it.
    ClauseWord = "allow_all" | "pickup_all" | "pickup_share_groups" | "eavesdrop" | "whisper"
        | "eavesdrop_and_whisper" | "phone_replace_groups" | "nothing";
}

/// Whether somebody may.
#[derive(Serialize, ToSchema)]
#[schema(as = May)]
pub(crate) struct MayBody {
    allowed: bool,
    #[schema(value_type = ClauseWord, inline)]
    clause: &'static str,
    /// The groups that counted; of a pickup those that were joined.
    groups: Vec<String>,
}

/// The question, in the document.
pub(crate) enum MayRequestBody {}

impl PartialSchema for MayRequestBody {
    fn schema() -> RefOr<Schema> {
        let extension = |text: &str| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(text))
                .examples([serde_json::json!("100")])
        };
        ObjectBuilder::new()
            .description(Some("Who would do what to whose call."))
            .property("actor", extension("The extension that acts: its name or its id."))
            .property("action", ControlActionWord::schema())
            .property("target", extension("The extension whose call it is: its name or its id."))
            .required("actor")
            .required("action")
            .required("target")
            .into()
    }
}

impl ToSchema for MayRequestBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "MayRequest".into()
    }
}
