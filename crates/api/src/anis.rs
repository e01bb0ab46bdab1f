//! `/ani/`: the number that the client, or one extension, shows to the outside (API reference
//! 19.2).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::{Number, RoutingSettings, Snapshot, limits};
use route::Country;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::fields::Fields;
use crate::state::Api;
use crate::target::{ClientTarget, ExtensionTarget};

/// What stands for no number.
const NONE: &str = "None";

/// The number that the client shows to the outside
///
/// For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/ani/",
    tag = "ani",
    responses((status = 200, description = "The number.", body = AniBody)),
)]
pub(crate) async fn show_of_client(client: ClientTarget) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    Ok(AniBody::answer(client.snapshot.routing.settings.ani.as_ref()))
}

/// Sets the number that the client shows to the outside
///
/// One of its DIDs; without `ani_number`, or with `None`, none. For users of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/ani/",
    tag = "ani",
    request_body = AniChange,
    responses((status = 200, description = "As it is now.", body = AniBody)),
)]
pub(crate) async fn change_of_client(
    State(api): State<Api>,
    client: ClientTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let ani = number(&fields, &client.snapshot)?;
    let set = |settings: &mut RoutingSettings| {
        settings.ani = ani;
        Ok::<_, ApiError>(())
    };
    let settings = api.store().change_settings(tenant, set).await?;
    let settings = settings.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    Ok(AniBody::answer(settings.ani.as_ref()))
}

/// The number that an extension shows to the outside
///
/// Without one it shows the client's.
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/ani/",
    tag = "ani",
    responses((status = 200, description = "The number.", body = AniBody)),
)]
pub(crate) async fn show(target: ExtensionTarget) -> Response {
    AniBody::answer(target.snapshot.routing.anis.get(&target.extension.id))
}

/// Sets the number that an extension shows to the outside
///
/// One of the client's DIDs; without `ani_number`, or with `None`, none. For users of the whole
/// client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/extension/{extension_id}/ani/",
    tag = "ani",
    request_body = AniChange,
    responses((status = 200, description = "As it is now.", body = AniBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    target: ExtensionTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    target.caller.must_administer()?;
    let tenant = target.caller.tenant();
    let ani = number(&fields, &target.snapshot)?;
    if !api.store().set_extension_ani(tenant, target.extension.id, ani.as_ref()).await? {
        return Err(ApiError::not_found());
    }
    api.changed(tenant).await;
    Ok(AniBody::answer(ani.as_ref()))
}

/// The E.164 digits of the number that is meant.
fn number(fields: &Fields, snapshot: &Snapshot) -> Result<Option<Number>, ApiError> {
    let text = fields.text("ani_number", limits::NUMBER_BYTES_MAX)?.unwrap_or_default();
    if text.is_empty() || text == NONE {
        return Ok(None);
    }
    let country = Country::of(&snapshot.routing.settings.country);
    let digits = route::e164::did_key(&text, country);
    Number::parse(&digits).map(Some).map_err(|why| fields.invalid("ani_number", why))
}

/// The number that is shown to the outside.
#[derive(Serialize, ToSchema)]
#[schema(as = Ani)]
pub(crate) struct AniBody {
    /// E.164 digits, or `None`.
    #[schema(example = "78121234567")]
    default: String,
}

impl AniBody {
    fn answer(ani: Option<&Number>) -> Response {
        let default = ani.map_or(NONE, Number::as_str).to_owned();
        Json(AniBody { default }).into_response()
    }
}

/// What is written, in the document.
#[derive(ToSchema)]
pub(crate) struct AniChange {
    /// One of the client's DIDs, or `None`.
    #[allow(dead_code)] // For the document; the field is read leniently.
    #[schema(example = "78121234567")]
    ani_number: Option<String>,
}
