//! The SIP endpoint as a value: transactions, dialogs, offer/answer protocol, digest server,
//! registrar.
//!
//! Knows: RFC 3261 and its companions. Never knows: rules, calls, sockets, clocks.
//!
//! The contract: after every [`Endpoint::handle`] the caller carries out the effects in order, and
//! calls again with [`Input::Tick`] when [`Endpoint::deadline`] has come.

pub mod interface;

pub use interface::{Bytes, Config, Effect, Expires, Flow, FlowId, Input, Transport};
