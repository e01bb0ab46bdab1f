//! `/client/{client_id}/interval/`: when rules hold (API reference 9, decision 20).

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Interval, IntervalId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorBody};
use crate::fields::Fields;
use crate::interval_body::{IntervalBody, IntervalChange, NewIntervalBody};
use crate::query::Query;
use crate::state::Api;
use crate::target::{ClientTarget, ItemId};

/// The intervals of the client
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/interval/",
    tag = "interval",
    responses((status = 200, description = "All of them.", body = [IntervalBody])),
)]
pub(crate) async fn list(client: ClientTarget) -> Response {
    let tenant = client.snapshot.tenant.id;
    let intervals = client.snapshot.routing.intervals.values();
    Json(intervals.map(|i| IntervalBody::of(tenant, i)).collect::<Vec<_>>()).into_response()
}

/// Makes an interval
///
/// For users of the whole client.
#[utoipa::path(
    post,
    path = "/api/ver1.0/client/{client_id}/interval/",
    tag = "interval",
    request_body = NewIntervalBody,
    responses(
        (status = 201, description = "It was made.", body = IntervalBody,
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
    let new = IntervalChange::of(&fields)?.begin()?;
    let made = api.store().create_interval(tenant, &new).await?;
    let made = made.ok_or_else(ApiError::client_not_found)?;
    api.changed(tenant).await;
    let path = format!("/api/ver1.0/client/{tenant}/interval/{}", made.id);
    let body = Json(IntervalBody::of(tenant, &made));
    Ok((StatusCode::CREATED, [(header::LOCATION, path)], body).into_response())
}

/// One interval
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/interval/{interval_id}",
    tag = "interval",
    responses((status = 200, description = "The interval.", body = IntervalBody)),
)]
pub(crate) async fn show(client: ClientTarget, ItemId(id): ItemId) -> Result<Response, ApiError> {
    let interval = find(&client, id)?;
    Ok(Json(IntervalBody::of(client.snapshot.tenant.id, interval)).into_response())
}

/// Changes an interval
///
/// Fields that are not sent stay as they are; `conditions` are replaced together. The next call is
/// handled by them. For users of the whole client.
#[utoipa::path(
    put,
    path = "/api/ver1.0/client/{client_id}/interval/{interval_id}",
    tag = "interval",
    request_body = IntervalChange,
    responses((status = 200, description = "As it is now.", body = IntervalBody)),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
    fields: Fields,
) -> Result<Response, ApiError> {
    client.caller.must_administer()?;
    let (tenant, id) = (client.caller.tenant(), IntervalId(id));
    let change = IntervalChange::of(&fields)?;
    let apply = |interval: &mut Interval| {
        change.apply(interval);
        Ok::<_, ApiError>(())
    };
    let changed = api.store().change_interval(tenant, id, apply).await?;
    let changed = changed.ok_or_else(ApiError::not_found)?;
    api.changed(tenant).await;
    Ok(Json(IntervalBody::of(tenant, &changed)).into_response())
}

/// Removes an interval
///
/// One that a rule uses stays. For users of the whole client.
#[utoipa::path(
    delete,
    path = "/api/ver1.0/client/{client_id}/interval/{interval_id}",
    tag = "interval",
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "A rule uses it.", body = ErrorBody),
    ),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
) -> Result<StatusCode, ApiError> {
    client.caller.must_administer()?;
    let tenant = client.caller.tenant();
    let was_there = api.store().delete_interval(tenant, IntervalId(id)).await?;
    api.removed(tenant, was_there).await
}

/// When an interval is active
///
/// Stretches from the first moment to the one after the last, in UTC; at most 366 days.
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/interval/{interval_id}/preview/",
    tag = "interval",
    params(
        ("from" = Option<String>, Query, description = "In UTC; now unless given.",
            example = "2026-01-31 08:00:00"),
        ("to" = Option<String>, Query, description = "In UTC; a week later unless given.",
            example = "2026-02-07 08:00:00"),
    ),
    responses((status = 200, description = "The stretches.", body = PreviewBody)),
)]
pub(crate) async fn preview(
    State(api): State<Api>,
    client: ClientTarget,
    ItemId(id): ItemId,
    query: Query,
) -> Result<Response, ApiError> {
    let interval = find(&client, id)?;
    let from = query.moment("from")?.unwrap_or(api.now().wall);
    let week = model::Wall(from.0.saturating_add(7 * 86_400 * 1_000_000));
    let to = query.moment("to")?.unwrap_or(week);
    if to < from {
        return Err(ApiError::invalid("to", "must not be before from"));
    }
    if to.seconds() - from.seconds() > route::interval::PREVIEW_SECONDS_MAX {
        return Err(ApiError::invalid("to", "must be at most 366 days after from"));
    }
    let open = route::interval::preview(interval, from, to);
    let body = PreviewBody {
        active: route::interval::is_active(interval, from),
        periods: open
            .iter()
            .map(|p| PeriodBody { from: p.start.to_string(), to: p.end.to_string() })
            .collect(),
    };
    Ok(Json(body).into_response())
}

fn find(client: &ClientTarget, id: u64) -> Result<&Interval, ApiError> {
    let found = client.snapshot.routing.intervals.get(&IntervalId(id));
    found.map(|interval| &**interval).ok_or_else(ApiError::not_found)
}

/// When an interval is active.
#[derive(Serialize, ToSchema)]
#[schema(as = IntervalPreview)]
pub(crate) struct PreviewBody {
    /// Whether it is at the beginning.
    active: bool,
    periods: Vec<PeriodBody>,
}

/// A stretch of time, in UTC.
#[derive(Serialize, ToSchema)]
#[schema(as = Period)]
pub(crate) struct PeriodBody {
    /// The first second.
    #[schema(example = "2026-01-31 08:00:00")]
    from: String,
    /// The second after the last.
    #[schema(example = "2026-01-31 17:00:00")]
    to: String,
}
