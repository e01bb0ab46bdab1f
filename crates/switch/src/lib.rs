//! A shard: one SIP endpoint and the tenants on it, wired together as one value.
//!
//! Knows: how an event of the SIP endpoint reaches the exchange of its tenant and what comes back;
//! whose message it is. Never knows: sockets, files, clocks.
//!
//! Read in this order: [`interface`], [`owner`], [`pending`], [`shard`], [`farewell`],
//! [`export`].

pub mod export;
pub mod farewell;
pub mod interface;
pub mod owner;
pub mod pending;
pub mod shard;

pub use export::ImportError;
pub use farewell::last_words_first;
pub use interface::{Counters, Effect, Gauges, HandOver, Input, ShardConfig, Ticket};
pub use owner::shard_of;
pub use shard::Shard;
