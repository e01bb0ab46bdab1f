//! What reaches a shard through its queue.

use std::sync::Arc;

use leg::{Command, Reply};
use model::{Snapshot, TenantId};
use switch::{Ban, Counters, Gauges, Input};
use tokio::sync::oneshot;

use crate::sip_socket;

/// One thing in a shard's queue.
#[derive(Debug)]
pub(crate) enum Letter {
    /// Handed to the shard as it is.
    Input(Input),
    /// A program's command; the shard's loop makes a ticket of `reply`.
    Command {
        /// Whose calls.
        tenant: TenantId,
        /// What is asked.
        command: Command,
        /// Where the answer goes; dropped when there is none.
        reply: oneshot::Sender<Reply>,
    },
    /// A new configuration; answered when the shard uses it.
    Snapshot {
        /// The configuration.
        snapshot: Arc<Snapshot>,
        /// Where the answer goes.
        reply: oneshot::Sender<Reply>,
    },
    /// Begin to read the socket: everything that was configured is in the letters before.
    Listen,
    /// Who is banned, please.
    Bans(oneshot::Sender<Vec<Ban>>),
    /// The shard's figures, please. An answer also says that everything before was handled.
    Report(oneshot::Sender<Report>),
    /// End the thread after this letter.
    Stop,
}

/// A shard in figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// What it holds.
    pub(crate) gauges: Gauges,
    /// What it has counted.
    pub(crate) counters: Counters,
    /// Sources that are known.
    pub(crate) known_sources: usize,
    /// Sources that are banned.
    pub(crate) banned_sources: usize,
    /// What its loop has counted.
    pub(crate) lost: LoopCounts,
    /// Its socket.
    pub(crate) socket: sip_socket::Counts,
}

/// What the loop around a shard has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoopCounts {
    /// Panics that escaped the shard's own isolation.
    pub(crate) panics: u64,
    /// Hand-overs that found the other shard's queue full.
    pub(crate) hand_overs_dropped: u64,
    /// Commands refused because too many answers were awaited.
    pub(crate) commands_refused: u64,
    /// Inputs handled.
    pub(crate) inputs: u64,
}
