//! `/phone_replace/`: extensions that serve each other, as people have asked for with a code.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use leg::{Command, ExtensionRef, ReplaceView, Reply};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call_views::ExtensionObject;
use crate::error::ApiError;
use crate::state::Api;
use crate::target::{ClientTarget, ExtensionTarget};

/// Who serves whom
///
/// Two extensions whose phones serve each other, until one of them dials the code again. Those of
/// which the user may see one.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/phone_replace/",
    tag = "phone_replace",
    responses((status = 200, description = "The pairs.", body = [ReplaceBody])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    client: ClientTarget,
) -> Result<Response, ApiError> {
    let pairs = match api.command(client.caller.tenant(), Command::ListReplaced).await? {
        Reply::Replaced(pairs) => pairs,
        other => return Err(ApiError::of_reply(&other)),
    };
    let sees = |extension: &ExtensionRef| {
        client.snapshot.extension(extension.id).is_some_and(|e| client.caller.sees(e))
    };
    let seen = pairs.iter().filter(|pair| sees(&pair.by) || sees(&pair.with));
    Ok(Json(seen.map(ReplaceBody::of).collect::<Vec<_>>()).into_response())
}

/// Ends a replacement
///
/// By either of the two extensions. Calls that are up stay where they are.
#[utoipa::path(
    delete,
    path = "/api/ver1.0/client/{client_id}/phone_replace/{extension_id}",
    tag = "phone_replace",
    responses((status = 204, description = "Each serves itself again.")),
)]
pub(crate) async fn end(
    State(api): State<Api>,
    target: ExtensionTarget,
) -> Result<StatusCode, ApiError> {
    let program = Arc::new(target.caller.program());
    let command = Command::EndReplace { extension: target.extension.id, program };
    match api.command(target.caller.tenant(), command).await? {
        Reply::Done => Ok(StatusCode::NO_CONTENT),
        other => Err(ApiError::of_reply(&other)),
    }
}

/// Two extensions of which each serves the other.
#[derive(Serialize, ToSchema)]
#[schema(as = PhoneReplace)]
pub(crate) struct ReplaceBody<'a> {
    /// Who has dialled the code.
    extension: ExtensionObject<'a>,
    /// Whom it has named.
    replaced_extension: ExtensionObject<'a>,
    #[schema(example = "2021-01-01 16:29:38")]
    since_gmt: String,
}

impl<'a> ReplaceBody<'a> {
    fn of(pair: &'a ReplaceView) -> ReplaceBody<'a> {
        ReplaceBody {
            extension: ExtensionObject::of(&pair.by),
            replaced_extension: ExtensionObject::of(&pair.with),
            since_gmt: pair.since.to_string(),
        }
    }
}
