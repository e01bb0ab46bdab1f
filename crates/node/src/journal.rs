//! The journal: what must not be lost, written down before anybody is told.
//!
//! One append-only log per shard, in preallocated segments. The shard's thread writes ([`Journal`])
//! and goes on as soon as the bytes are the kernel's; a thread of its own makes them durable
//! ([`sync`](self::sync)); the loader reads them behind both ([`Reader`]) and a segment is removed
//! when the database has all of it. After a crash [`recovery`] reads what is left.
//!
//! Knows: bytes, sequences, files. Never knows: what a record means.
//!
//! Read in this order: [`frame`], [`disk`], [`shared`], [`writer`], [`sync`], [`reader`],
//! [`recovery`].

mod disk;
mod frame;
mod reader;
mod recovery;
mod shared;
mod sync;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;

pub(crate) use reader::{Reader, Step};
pub(crate) use recovery::{Leftover, Recovery};

pub(crate) use shared::{JournalFigures, Shared, Sizes};
pub(crate) use sync::Syncer;
pub(crate) use writer::Journal;

/// Numbers of a journal's records and segments, where it goes on after a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// The last sequence that was ever used.
    pub(crate) sequence: u64,
    /// The last segment number that was ever used.
    pub(crate) segment: u64,
}

/// Opens the journal of a shard in `directory`: its three ends.
pub(crate) fn open(
    directory: &Path,
    shard: u32,
    start: Start,
    written: Arc<Notify>,
) -> io::Result<(Journal, Syncer, Reader)> {
    let disk = Arc::new(disk::Directory::open(directory)?);
    let shared = Arc::new(Shared::new(shard, Sizes::default(), disk, written));
    let journal = Journal::new(Arc::clone(&shared), start)?;
    let reader = Reader::new(Arc::clone(&shared), start.sequence);
    Ok((journal, Syncer::start(shared)?, reader))
}
