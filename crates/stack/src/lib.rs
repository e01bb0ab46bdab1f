//! The SIP endpoint as a value: transactions, dialogs, offer/answer protocol, digest on both sides,
//! registrar.
//!
//! Knows: RFC 3261 and its companions. Never knows: rules, calls, sockets, clocks.
//!
//! The contract: after every [`Endpoint::handle`] the caller carries out the effects in order, and
//! calls again with [`Input::Tick`] when [`Endpoint::deadline`] has come. That may be past already:
//! of very many timers that are due together some wait for the next input.
//!
//! Read in this order: [`interface`], [`limits`], `timers`, `transaction` (the four machines and
//! their table), `nonce`, `auth`, `contact`, `registrar`, `register`, `dialog`, `offer`, `glare`,
//! `reliable`, `identity`, `uas`, `early`, `uac`, `spare` (other flows to a phone), `trunk` (with
//! `names`, `ways`, `login`, `toward`), `session_timer`, `in_dialog`, `replaces`,
//! `refer`, `display`, `keys`, `watch`, `lamp_body`, `reason`, `owed`, `core`
//! (what they share), `stateless`, [`endpoint`] (who gets what), `upkeep`, `saved`,
//! `saved_dialog`.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod auth;
mod contact;
mod core;
mod counters;
#[cfg(test)]
mod defects;
mod dialog;
mod display;
mod early;
pub mod endpoint;
mod enrol;
mod fingerprint;
mod flows;
mod glare;
mod identity;
mod in_dialog;
pub mod interface;
mod keys;
mod lamp_body;
pub mod limits;
mod login;
mod names;
mod nonce;
mod offer;
mod owed;
mod reason;
mod refer;
mod register;
mod registrar;
mod reliable;
mod replaces;
mod saved;
mod saved_dialog;
mod session_timer;
mod spare;
mod stateless;
mod tag;
mod timers;
mod toward;
mod transaction;
mod trunk;
mod uac;
mod uas;
mod upkeep;
mod watch;
mod ways;

pub use counters::{Counters, Counts};
pub use endpoint::Endpoint;
pub use identity::called_number;
pub use interface::{
    Answer, Bytes, Config, ConnectId, Digests, Effect, Expires, Flow, FlowId, Input, LookupId,
    PublicAddress, Site, Transport, Vouched,
};
pub use saved::LoadError;
pub use tag::{tenant_key_of_branch, tenant_key_of_tag, tenant_key_of_user, trunk_token};
