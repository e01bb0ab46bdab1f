//! `/extension/{extension_id}/phone/`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::Extension;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extensions;
use crate::fields::Fields;
use crate::phone_body::{PhoneBody, PhoneChange, Secrets};
use crate::state::Api;
use crate::target::ExtensionTarget;

/// The phone of an extension
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/phone/",
    tag = "phone",
    responses((status = 200, description = "The phone.", body = PhoneBody)),
)]
pub(crate) async fn show(target: ExtensionTarget) -> Result<Response, ApiError> {
    shown(&target.caller, &target.extension)
}

/// Changes the phone of an extension
///
/// Fields that are not sent stay as they are. The next call is handled by the new ones.
#[utoipa::path(
    put,
    path = "/api/ver1.0/extension/{extension_id}/phone/",
    tag = "phone",
    request_body = PhoneChange,
    responses((status = 200, description = "As it is now.", body = PhoneBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    target: ExtensionTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    if target.extension.phone.is_none() {
        return Err(ApiError::not_found());
    }
    let change = PhoneChange::of(&fields, api.mail())?;
    let changed = extensions::commit(&api, &target, |extension| change.apply(extension)).await?;
    shown(&target.caller, &changed)
}

fn shown(caller: &Caller, extension: &Extension) -> Result<Response, ApiError> {
    let phone = extension.phone.as_ref().ok_or_else(ApiError::not_found)?;
    let secrets = if caller.sees_passwords() { Secrets::Shown } else { Secrets::Hidden };
    Ok(Json(PhoneBody::of(extension, phone, secrets)).into_response())
}
