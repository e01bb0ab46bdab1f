//! A shard: one SIP endpoint and the tenants on it, wired together as one value.
//!
//! Knows: how an event of the SIP endpoint reaches the exchange of its tenant and what comes back;
//! whose message it is. Never knows: sockets, files, clocks.
//!
//! Read in this order: [`interface`], [`door`], [`owner`], [`pending`],
//! `outside`, [`shard`] (with
//! `entrance`: the way of a message past the door), [`farewell`], [`export`].

pub mod door;
pub mod export;
pub mod farewell;
pub mod interface;
mod outside;
pub mod owner;
pub mod pending;
pub mod shard;

pub use door::denied::{Denials, Denied};
pub use door::source::Source;
pub use door::{Ban, DoorCounters, News};
pub use export::ImportError;
pub use farewell::last_words_first;
pub use interface::{Counters, Effect, Gauges, HandOver, Input, ShardConfig, Ticket};
pub use outside::FoundHost;
pub use owner::shard_of;
pub use shard::Shard;
