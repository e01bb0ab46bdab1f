//! The outside world: sockets, threads, timers, files. The only reader of clock and network.
//!
//! Knows: how bytes come in and go out, and in what order a shard's effects leave.
//! Never knows: what a call is. It has no rules of its own.

mod clock;
mod flows;
mod inbox;
mod journal;
mod letter;
pub mod limits;
mod mailbox;
mod media_thread;
mod rtp_sockets;
mod shard_thread;
mod sip_socket;
mod tcp;
