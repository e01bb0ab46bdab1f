//! The outside world: sockets, threads, timers, files. The only reader of clock and network.
//!
//! Knows: how bytes come in and go out, and in what order a shard's effects leave.
//! Never knows: what a call is. It has no rules of its own.

mod clock;
mod journal;
pub mod limits;
