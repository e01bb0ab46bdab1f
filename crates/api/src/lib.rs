//! The HTTP API: what programs may ask of a client's PBX, and how they prove who they are.
//!
//! Knows: paths, bodies, status codes and headers of API v1.0, OAuth 2, who may do what.
//! Never knows: SQL, SIP, how a call works. Configuration is written through [`store`] and read
//! from snapshots; calls and registrations are asked of the [`Switchboard`]. It reads no clock:
//! the moment is handed in with [`Parts`].
//!
//! A request passes, in this order: `envelope` (path tolerance, answers to what is no resource),
//! `routes` (the one table of all resources, of which `document` makes the OpenAPI document that
//! `explorer` shows), `door` (token, rate, rights), then a handler
//! that extracts, calls one function and maps the result. What is common to handlers lies in
//! `target` (whose object), `body` and `fields` (lenient JSON), `query` and `moment` (lenient
//! parameters), `upload` and `download` (files) and `error` (every refusal).
#![forbid(unsafe_code)]

mod body;
mod call_views;
mod caller;
mod client_info;
mod current_calls;
mod document;
mod door;
mod download;
mod envelope;
mod error;
mod explorer;
mod extension_body;
mod extensions;
mod fields;
mod limits;
mod moment;
mod name;
mod oauth;
pub mod password;
mod phone_body;
mod phones;
mod query;
mod rate;
mod registrations;
mod routes;
mod sounds;
mod state;
mod switchboard;
mod target;
mod upload;
mod users;
mod voicemail;

pub use document::document;
pub use password::PasswordCost;
pub use state::{Api, Clock, MailRelay, Parts, Settings};
pub use switchboard::{Answer, Switchboard, Unavailable};

/// The whole API as a service: `/api/ver1.0/` and `/oauth/`, with its explorer.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that bounds on signing
/// in are kept for each source address and not for all together.
pub fn router(api: Api) -> axum::Router {
    envelope::wrap(routes::build(api))
}
