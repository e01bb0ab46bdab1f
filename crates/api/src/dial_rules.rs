//! `/client/{client_id}/dial_rule/`: rewritings of dialled numbers (API reference 19.4).

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{DialRulesId, Rewriting, TenantId};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::document::writable;
use crate::error::{ApiError, ErrorBody};
use crate::fields::Fields;
use crate::rewriting_body::{RewritingBody, rewritings};
use crate::state::Api;
use crate::target::{ClientTarget, ItemId};

/// The client's lists of dial rules
///
/// For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/dial_rule/",
    tag = "dial_rule",
    responses((status = 200, description = "All of them.", body = [DialRuleBody])),
)]
pub(crate) async fn list(client: ClientTarget) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.snapshot.tenant.id;
    let lists = client.snapshot.routing.dial_rules.iter();
    let bodies: Vec<_> = lists.map(|(id, list)| DialRuleBody::of(tenant, *id, list)).collect();
    Ok(Json(bodies).into_response())
}

/// Makes a list of dial rules
///
/// An extension uses it by its `dial_rule_id`, the client by that of its settings. For users of
/// the whole client.
#[utoipa::path(
    post,
    path = "/api/ver1.0/client/{client_id}/dial_rule/",
    tag = "dial_rule",
    request_body = DialRuleChange,
    responses(
        (status = 201, description = "It was made.", body = DialRuleBody,
            headers(("Location" = String, description = "Its path."))),
        (status = 409, description = "There are as many as there may be.", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(api): State<Api>,
    client: ClientTarget,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let list = required(&fields)?;
    let id = api.store().create_dial_rules(tenant, &list).await?;
    let id = id.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    let path = format!("/api/ver1.0/client/{tenant}/dial_rule/{id}");
    let body = Json(DialRuleBody::of(tenant, id, &list));
    Ok((StatusCode::CREATED, [(header::LOCATION, path)], body).into_response())
}

/// One list of dial rules
///
/// For users of the whole client.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/dial_rule/{dial_rule_id}",
    tag = "dial_rule",
    responses((status = 200, description = "The list.", body = DialRuleBody)),
)]
pub(crate) async fn show(client: ClientTarget, ItemId(id): ItemId) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let id = DialRulesId(id);
    let list = client.snapshot.routing.dial_rules.get(&id).ok_or_else(ApiError::not_found)?;
    Ok(Json(DialRuleBody::of(client.snapshot.tenant.id, id, list)).into_response())
}

/// Writes a list of dial rules anew
///
/// The next call is handled by it. For users of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/dial_rule/{dial_rule_id}",
    tag = "dial_rule",
    request_body = DialRuleChange,
    responses((status = 200, description = "As it is now.", body = DialRuleBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let (tenant, id) = (client.caller.tenant(), DialRulesId(id));
    if !client.snapshot.routing.dial_rules.contains_key(&id) {
        return Err(ApiError::not_found());
    }
    let list = required(&fields)?;
    if !api.store().change_dial_rules(tenant, id, &list).await? {
        return Err(ApiError::not_found());
    }
    api.changed(tenant).await;
    Ok(Json(DialRuleBody::of(tenant, id, &list)).into_response())
}

/// Removes a list of dial rules
///
/// One that is used stays. For users of the whole client.
#[utoipa::path(
    delete,
    path = "/api/ver1.0/client/{client_id}/dial_rule/{dial_rule_id}",
    tag = "dial_rule",
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "It is used.", body = ErrorBody),
    ),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
) -> Result<StatusCode, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let was_there = api.store().delete_dial_rules(tenant, DialRulesId(id)).await?;
    api.removed(tenant, was_there).await
}

fn required(fields: &Fields) -> Result<Vec<Rewriting>, ApiError> {
    let list = rewritings(fields, "dial_rules")?;
    list.ok_or_else(|| fields.invalid("dial_rules", "is required"))
}

/// Rewritings of dialled numbers; the first that matches counts.
#[derive(Serialize, ToSchema)]
#[schema(as = DialRule)]
pub(crate) struct DialRuleBody {
    #[schema(read_only)]
    id: u64,
    #[schema(read_only)]
    client_id: u64,
    /// At most 100.
    dial_rules: Vec<RewritingBody>,
}

impl DialRuleBody {
    fn of(tenant: TenantId, id: DialRulesId, list: &[Rewriting]) -> DialRuleBody {
        DialRuleBody { id: id.0, client_id: tenant.0, dial_rules: RewritingBody::list(list) }
    }
}

/// What is written of a list, in the document.
pub(crate) enum DialRuleChange {}

impl PartialSchema for DialRuleChange {
    fn schema() -> RefOr<Schema> {
        let mut object = writable::<DialRuleBody>();
        object.required = vec!["dial_rules".to_owned()];
        object.description = Some("The whole list.".to_owned());
        object.into()
    }
}

impl ToSchema for DialRuleChange {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        DialRuleBody::schemas(schemas);
    }
}
