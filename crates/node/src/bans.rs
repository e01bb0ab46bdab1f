//! What an operator sees of the door's bans, and how one is lifted. For this machine only: the
//! address that serves the API may be open to the world.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use switch::Source;

use crate::overview::Overview;

/// What proxies put in: then the peer is not who asks.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

fn is_local(peer: SocketAddr, headers: &HeaderMap) -> bool {
    peer.ip().to_canonical().is_loopback() && !FORWARDED.iter().any(|h| headers.contains_key(*h))
}

/// `GET /bans`: the banned sources with the seconds that are left.
pub(crate) async fn list(
    State(overview): State<Arc<Overview>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if !is_local(peer, &headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let bans = overview.bans().await;
    let list: Vec<_> = bans
        .iter()
        .map(|ban| {
            json!({
                "source": ban.source.to_string(),
                "seconds_left": ban.left.as_secs(),
                "times": ban.bans,
            })
        })
        .collect();
    ([(header::CONTENT_TYPE, "application/json")], json!({ "bans": list }).to_string())
        .into_response()
}

/// `DELETE /bans/{address}`: 204; 404 when there is none, 400 when that is no address.
pub(crate) async fn lift(
    State(overview): State<Arc<Overview>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(address): Path<String>,
    headers: HeaderMap,
) -> StatusCode {
    if !is_local(peer, &headers) {
        return StatusCode::NOT_FOUND;
    }
    let Ok(address) = address.parse::<IpAddr>() else { return StatusCode::BAD_REQUEST };
    let source = Source::of(address);
    if !overview.bans().await.iter().any(|ban| ban.source == source) {
        return StatusCode::NOT_FOUND;
    }
    overview.lift_ban(address).await;
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_itself_is_local() {
        let plain = HeaderMap::new();
        for (peer, expected) in [
            ("127.0.0.1:9", true),
            ("[::1]:9", true),
            ("[::ffff:127.0.0.1]:9", true),
            ("192.0.2.1:9", false),
            ("10.0.0.1:9", false),
        ] {
            assert_eq!(is_local(peer.parse().unwrap(), &plain), expected, "{peer}");
        }
        for name in FORWARDED {
            let mut headers = HeaderMap::new();
            headers.insert(name, "192.0.2.1".parse().unwrap());
            assert!(!is_local("127.0.0.1:9".parse().unwrap(), &headers), "{name}");
        }
    }
}
