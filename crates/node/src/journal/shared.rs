//! What the three ends of a journal share: the segments that still exist.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::disk::{Disk, Segment, segment_name};
use super::frame::MAGIC;
use crate::limits;

/// One segment and how far it has come. `synced <= written` always.
pub(crate) struct Log {
    pub(super) number: u64,
    pub(super) file: Box<dyn Segment>,
    /// Bytes that are the kernel's.
    pub(super) written: AtomicU64,
    /// Bytes that are on the medium.
    pub(super) synced: AtomicU64,
    /// Nothing more is written to it.
    pub(super) sealed: AtomicBool,
    /// A sync of it failed: what lies between `synced` and `written` may never get to the medium
    /// (the kernel reports such a loss once), so it is written again elsewhere.
    pub(super) failed: AtomicBool,
}

impl Log {
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub(super) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.has_failed() && self.synced() < self.written()
    }
}

/// How large a journal may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Of one segment.
    pub(crate) segment_bytes: u64,
    /// Of all segments that the database has not taken.
    pub(crate) journal_bytes: u64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { segment_bytes: limits::SEGMENT_BYTES, journal_bytes: limits::JOURNAL_BYTES_MAX }
    }
}

/// What the ends of a journal share.
pub(crate) struct Shared {
    pub(super) shard: u32,
    pub(super) sizes: Sizes,
    pub(super) disk: Arc<dyn Disk>,
    state: Mutex<State>,
    /// Wakes the syncer.
    dirty: Condvar,
    /// Wakes the loader.
    loader: Arc<Notify>,
    /// A sync has failed since the writer looked last.
    pub(super) sync_failed: AtomicBool,
    pub(super) counts: Counts,
}

pub(super) struct State {
    /// Oldest first; the last is written to.
    pub(super) segments: VecDeque<Arc<Log>>,
    /// Made ahead by the syncer, so that a roll costs the shard nothing.
    pub(super) spare: Option<Arc<Log>>,
    pub(super) next_number: u64,
    pub(super) has_news: bool,
    pub(super) stop: bool,
}

/// Rising counters of a journal.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) records: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) write_failures: AtomicU64,
    pub(super) sync_failures: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) full: AtomicBool,
}

/// A journal in figures, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournalFigures {
    /// Records written.
    pub(crate) records: u64,
    /// Bytes written.
    pub(crate) bytes: u64,
    /// Records that were dropped because neither disk nor memory took them.
    pub(crate) lost: u64,
    /// Failed writes.
    pub(crate) write_failures: u64,
    /// Failed syncs.
    pub(crate) sync_failures: u64,
    /// Syncs.
    pub(crate) syncs: u64,
    /// Segments that the database has not taken whole.
    pub(crate) segments: u64,
    /// It takes nothing at the moment: new calls are refused.
    pub(crate) full: bool,
}

impl Shared {
    pub(super) fn new(
        shard: u32,
        sizes: Sizes,
        disk: Arc<dyn Disk>,
        loader: Arc<Notify>,
    ) -> Shared {
        let state = State {
            segments: VecDeque::new(),
            spare: None,
            next_number: 1,
            has_news: false,
            stop: false,
        };
        Shared {
            shard,
            sizes,
            disk,
            state: Mutex::new(state),
            dirty: Condvar::new(),
            loader,
            sync_failed: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    /// Nothing that holds the lock can leave the state half changed, so poison means nothing.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an empty segment; does not put it to use.
    pub(super) fn make_segment(&self) -> io::Result<Arc<Log>> {
        let number = {
            let mut state = self.state();
            let number = state.next_number;
            state.next_number += 1;
            number
        };
        let name = segment_name(self.shard, number);
        let file = self.disk.create(&name, self.sizes.segment_bytes)?;
        if let Err(error) = file.write_at(&MAGIC, 0) {
            // What cannot be written cannot be kept; the number is not used again.
            let _ = self.disk.remove(&name);
            return Err(error);
        }
        let written = AtomicU64::new(MAGIC.len() as u64);
        Ok(Arc::new(Log {
            number,
            file,
            written,
            synced: AtomicU64::new(0),
            sealed: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }))
    }

    /// Tells the other ends that something was written. The syncer is woken for the first news
    /// only: until it has taken them it is awake, or about to be.
    pub(super) fn wrote(&self) {
        let had_news = core::mem::replace(&mut self.state().has_news, true);
        if !had_news {
            self.dirty.notify_one();
        }
        self.loader.notify_one();
    }

    /// Waits until something was written, or it is time to stop. Returns what to sync, and whether
    /// it is the last time.
    pub(super) fn wait_for_news(&self) -> (Vec<Arc<Log>>, Stop) {
        let state = self.state();
        let mut state = self
            .dirty
            .wait_while(state, |state| !state.has_news && !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
        state.has_news = false;
        let stop = if state.stop { Stop::Now } else { Stop::NotYet };
        (state.segments.iter().filter(|log| log.is_dirty()).cloned().collect(), stop)
    }

    /// Ends the syncer after one more round.
    pub(super) fn stop(&self) {
        self.state().stop = true;
        self.dirty.notify_one();
    }

    /// The journal in figures.
    pub(crate) fn figures(&self) -> JournalFigures {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        JournalFigures {
            records: read(&self.counts.records),
            bytes: read(&self.counts.bytes),
            lost: read(&self.counts.lost),
            write_failures: read(&self.counts.write_failures),
            sync_failures: read(&self.counts.sync_failures),
            syncs: read(&self.counts.syncs),
            segments: u64::try_from(self.state().segments.len()).unwrap_or(u64::MAX),
            full: self.counts.full.load(Ordering::Relaxed),
        }
    }
}

/// Whether the syncer goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    NotYet,
    Now,
}
