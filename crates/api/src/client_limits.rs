//! `/client/{client_id}/limit/`: how many of what a client may have. The documentation names the
//! resource and not its fields; these are named after the resources that they bound.

use axum::Json;
use axum::response::{IntoResponse, Response};
use model::limits;
use serde::Serialize;
use utoipa::ToSchema;

use crate::target::ClientTarget;

/// How many of what the client may have
#[utoipa::path(
    get,
    path = "/api/ver1.0/client/{client_id}/limit/",
    tag = "client",
    responses((status = 200, description = "The bounds.", body = LimitBody)),
)]
pub(crate) async fn show(client: ClientTarget) -> Response {
    let body = LimitBody {
        incom_rule: limits::RULES_MAX,
        interval: limits::INTERVALS_MAX,
        did: limits::DIDS_MAX,
        trunk: limits::TRUNKS_MAX,
        dial_rule: limits::DIAL_RULE_LISTS_MAX,
        calls: client.snapshot.tenant.calls_max,
    };
    Json(body).into_response()
}

/// How many of what a client may have.
#[derive(Serialize, ToSchema)]
#[schema(as = Limit)]
pub(crate) struct LimitBody {
    /// Incoming call rules of one extension.
    incom_rule: usize,
    /// Intervals.
    interval: usize,
    /// DIDs.
    did: usize,
    /// Trunks.
    trunk: usize,
    /// Lists of dial rules.
    dial_rule: usize,
    /// Calls at a time.
    calls: u32,
}
