//! The HTTP API: what programs may ask of a client's PBX, and how they prove who they are.
//!
//! Knows: paths, bodies, status codes and headers of API v1.0, OAuth 2, who may do what.
//! Never knows: SQL, SIP, how a call works. Configuration is written through [`store`] and read
//! from snapshots; calls and registrations are asked of the [`Switchboard`]. It reads no clock:
//! the moment is handed in with [`Parts`].
//!
//! A request passes, in this order: `envelope` (path tolerance, answers to what is no resource),
//! `routes` (the one table of all resources, of which `document` makes the OpenAPI document that
//! `explorer` shows), `door` (token, rate, rights), `idempotency` (what was done already), then a
//! handler that extracts, calls one function and maps the result. What is common to handlers lies
//! in `target` (whose object), `body` and `fields` (lenient JSON), `query` and `moment` (lenient
//! parameters), `upload` and `download` (files) and `error` (every refusal).
#![forbid(unsafe_code)]

mod anis;
mod audit;
mod body;
mod calendar;
mod call_control;
mod call_views;
mod caller;
mod client_info;
mod client_limits;
mod control_groups;
mod control_groups_body;
mod current_calls;
mod dial_rules;
mod dids;
mod document;
mod door;
mod download;
mod envelope;
mod error;
mod explain;
mod explorer;
mod extension_body;
mod extensions;
mod feature_codes;
mod fields;
mod first_answers;
mod idempotency;
mod interval_body;
mod intervals;
mod limits;
mod line_body;
mod name;
mod oauth;
mod order;
pub mod password;
mod phone_body;
mod phone_replace;
mod phones;
mod query;
mod rate;
mod registrations;
mod rewriting_body;
mod routes;
mod rule_body;
mod rules;
mod settings;
mod sounds;
mod state;
mod switchboard;
mod target;
mod trunk_body;
mod trunks;
mod upload;
mod users;
mod valet_park;
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
    envelope::wrap(routes::build(api.clone()), api)
}
