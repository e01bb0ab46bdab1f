//! The HTTP server: the API, and what an operator's tools ask.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get};
use serde_json::json;
use tokio::sync::watch;
use tracing::error;

use crate::overview::{Overview, Phase};
use crate::{bans, metrics};

/// Serves until `stop`, then lets running requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    api: Router,
    overview: Arc<Overview>,
    mut stop: watch::Receiver<bool>,
) {
    let router = Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz", get(show_health))
        .route("/bans", get(bans::list))
        .route("/bans/{address}", delete(bans::lift))
        .with_state(overview)
        .fallback_service(api);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, service)
            .with_graceful_shutdown(async move {
                let _ = stop.wait_for(|stop| *stop).await;
            })
            .await
    };
    if let Err(error) = served.await {
        error!(%error, "the HTTP server has ended");
    }
}

async fn show_metrics(State(overview): State<Arc<Overview>>) -> impl IntoResponse {
    let figures = overview.ask().await;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics::text(&overview, &figures))
}

/// 200 while new calls are taken, else 503; the body says why.
async fn show_health(State(overview): State<Arc<Overview>>) -> impl IntoResponse {
    let figures = overview.ask().await;
    let status = if overview.phase() == Phase::Draining {
        "draining"
    } else if !figures.all_answer() {
        "stuck"
    } else if figures.shards.iter().any(|shard| shard.journal.full) {
        "journal_full"
    } else {
        "ok"
    };
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let behind = overview.loader.is_behind.load(std::sync::atomic::Ordering::Relaxed) > 0;
    let body = json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "calls": figures.sum(|report| report.gauges.calls),
        "registrations": figures.sum(|report| report.gauges.bindings),
        "database": if behind { "behind" } else { "ok" },
    });
    (code, [(header::CONTENT_TYPE, "application/json")], body.to_string())
}
