//! A shard: one SIP endpoint and the tenants on it, wired together as one value.
//!
//! Knows: how an event of the SIP endpoint reaches the exchange of its tenant and what comes back.
//! Never knows: sockets, files, clocks.

pub mod interface;

pub use interface::{Counters, Effect, Gauges, HandOver, Input, ShardConfig, Ticket};
