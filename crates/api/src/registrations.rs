//! `/extension/registration/`, `/extension/alive/`: who is registered, from where.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use leg::RegistrationView;
use model::{Extension, ExtensionId, ExtensionKind, Wall};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorBody};
use crate::query::Query;
use crate::state::Api;
use crate::target::{ClientTarget, ExtensionTarget};

/// Who is registered, from where
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/registration/",
    tag = "extension",
    params(("extension_id" = Option<Vec<String>>, Query,
        description = "Only these extensions, by number or `@` and name; may be repeated. All \
            phones that the user may see unless given.")),
    responses(
        (status = 200, description = "In the order asked for.", body = [ExtensionRegistrations]),
        (status = 404, description = "There is no such extension.", body = ErrorBody),
    ),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    client: ClientTarget,
    query: Query,
) -> Result<Json<Vec<ExtensionRegistrations>>, ApiError> {
    let asked = asked(&client, &query)?;
    let views = views(&api, &client, &asked).await?;
    let now = api.now().wall;
    Ok(Json(asked.iter().map(|e| ExtensionRegistrations::of(e.id, &views, now)).collect()))
}

/// Those extensions that are registered
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/alive/",
    tag = "extension",
    params(("extension_id" = Option<Vec<String>>, Query,
        description = "Only these extensions, by number or `@` and name; may be repeated. All \
            phones that the user may see unless given.")),
    responses(
        (status = 200, description = "Those of them that are registered.", body = [Alive]),
        (status = 404, description = "There is no such extension.", body = ErrorBody),
    ),
)]
pub(crate) async fn alive(
    State(api): State<Api>,
    client: ClientTarget,
    query: Query,
) -> Result<Json<Vec<Alive>>, ApiError> {
    let asked = asked(&client, &query)?;
    let views = views(&api, &client, &asked).await?;
    let alive = asked.iter().filter(|e| views.iter().any(|v| v.extension == e.id));
    Ok(Json(alive.map(|e| Alive { extension_id: e.id.0 }).collect()))
}

/// Where one extension is registered
#[utoipa::path(
    get,
    path = "/api/ver1.0/extension/{extension_id}/registration/",
    tag = "extension",
    responses((status = 200, description = "Its contacts.", body = ExtensionRegistrations)),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    target: ExtensionTarget,
) -> Result<Json<ExtensionRegistrations>, ApiError> {
    let id = target.extension.id;
    let views = api.registrations(target.caller.tenant(), Some(id)).await?;
    Ok(Json(ExtensionRegistrations::of(id, &views, api.now().wall)))
}

/// An extension that is registered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alive {
    extension_id: u64,
}

/// The registrations of one extension.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExtensionRegistrations {
    extension_id: u64,
    registered: bool,
    registrations: Vec<RegistrationBody>,
}

/// One contact of a phone.
#[derive(Serialize, ToSchema)]
#[schema(as = Registration)]
struct RegistrationBody {
    /// What the phone calls itself.
    device: String,
    /// Where its packets come from.
    #[schema(example = "192.0.2.1:5062")]
    real_address: String,
    /// What it says itself.
    #[schema(example = "sip:100@10.0.0.1:5060")]
    contact_address: String,
    /// Seconds that it is still good for.
    #[schema(minimum = 0)]
    expires: i64,
    registration_id: String,
}

impl ExtensionRegistrations {
    fn of(id: ExtensionId, views: &[RegistrationView], now: Wall) -> ExtensionRegistrations {
        let own = views.iter().filter(|view| view.extension == id);
        let registrations: Vec<_> = own.map(|view| RegistrationBody::of(view, now)).collect();
        ExtensionRegistrations {
            extension_id: id.0,
            registered: !registrations.is_empty(),
            registrations,
        }
    }
}

impl RegistrationBody {
    fn of(view: &RegistrationView, now: Wall) -> RegistrationBody {
        RegistrationBody {
            device: view.device.clone(),
            real_address: view.real_address.to_string(),
            contact_address: view.contact_address.clone(),
            expires: view.expires.seconds().saturating_sub(now.seconds()).max(0),
            registration_id: view.registration_id.to_string(),
        }
    }
}

/// The extensions that the query names, or all phones that the user may see.
fn asked(client: &ClientTarget, query: &Query) -> Result<Vec<Arc<Extension>>, ApiError> {
    let named: Vec<_> = query.all("extension_id").collect();
    if named.is_empty() {
        let phones = client.extensions().filter(|e| e.kind == ExtensionKind::Phone);
        return Ok(phones.cloned().collect());
    }
    named.into_iter().map(|text| client.extension(text)).collect()
}

/// The contacts of the asked extensions, and of others when many are asked.
async fn views(
    api: &Api,
    client: &ClientTarget,
    asked: &[Arc<Extension>],
) -> Result<Vec<RegistrationView>, ApiError> {
    let only = match asked {
        [] => return Ok(Vec::new()),
        [one] => Some(one.id),
        _ => None,
    };
    api.registrations(client.caller.tenant(), only).await
}
