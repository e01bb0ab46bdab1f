//! `/client/{client_id}/trunk/`: SIP peers towards the outside. All of it is ours.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{TrunkId, TrunkUse};

use crate::error::{ApiError, ErrorBody};
use crate::fields::Fields;
use crate::state::Api;
use crate::target::{ClientTarget, ItemId};
use crate::trunk_body::{NewTrunkBody, TrunkBody, TrunkChange};

/// The trunks of the client
///
/// In the order in which they are tried. For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/trunk/",
    tag = "trunk",
    responses((status = 200, description = "All of them.", body = [TrunkBody])),
)]
pub(crate) async fn list(client: ClientTarget) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let trunks = client.snapshot.routing.trunks.values();
    Ok(Json(trunks.map(|plan| TrunkBody::of(plan)).collect::<Vec<_>>()).into_response())
}

/// Makes a trunk
///
/// It is tried behind the others. The next call can be made by it. For users of the whole client.
#[utoipa::path(
    post,
    path = "/api/ver1.0/client/{client_id}/trunk/",
    tag = "trunk",
    request_body = NewTrunkBody,
    responses(
        (status = 201, description = "It was made.", body = TrunkBody,
            headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "A DID of the client comes to another client from the same \
            addresses, or there are as many trunks as there may be.", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    client: ClientTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let country = &client.snapshot.routing.settings.country;
    let new = TrunkChange::of(&fields)?.begin(country)?;
    let made = api.store().create_trunk(tenant, &new).await?;
    let made = made.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    let path = format!("/api/ver1.0/client/{tenant}/trunk/{}", made.trunk.id);
    let body = Json(TrunkBody::of(&made).with(TrunkChange::warnings(&fields)));
    Ok((StatusCode::CREATED, [(header::LOCATION, path)], body).into_response())
}

/// One trunk
///
/// For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/trunk/{trunk_id}",
    tag = "trunk",
    responses((status = 200, description = "The trunk.", body = TrunkBody)),
)]
pub(crate) async fn show(client: ClientTarget, ItemId(id): ItemId) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let plan = client.snapshot.routing.trunks.get(&TrunkId(id)).ok_or_else(ApiError::not_found)?;
    Ok(Json(TrunkBody::of(plan)).into_response())
}

/// Changes a trunk
///
/// Fields that are not sent stay as they are, a password too. The next call is handled by the new
/// ones. For users of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/trunk/{trunk_id}",
    tag = "trunk",
    request_body = TrunkChange,
    responses(
        (status = 200, description = "As it is now.", body = TrunkBody),
        (status = 409, description = "A DID of the client comes to another client from the same \
            addresses.", body = ErrorBody),
    ),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let change = TrunkChange::of(&fields)?;
    let apply = |plan: &mut TrunkUse| change.apply(plan);
    let changed = api.store().change_trunk(tenant, TrunkId(id), apply).await?;
    let changed = changed.ok_or_else(ApiError::not_found)?;
    api.changed(tenant).await;
    let body = TrunkBody::of(&changed).with(TrunkChange::warnings(&fields));
    Ok(Json(body).into_response())
}

/// Removes a trunk
///
/// For users of the whole client.
#[utoipa::path(
    delete,
    path = "/api/ver1.0/client/{client_id}/trunk/{trunk_id}",
    tag = "trunk",
    responses((status = 204, description = "It is gone.")),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
) -> Result<StatusCode, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let was_there = api.store().delete_trunk(tenant, TrunkId(id)).await?;
    api.removed(tenant, was_there).await
}
