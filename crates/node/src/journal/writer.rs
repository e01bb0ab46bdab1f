//! The writing end, in the shard's thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use leg::Record;
use model::Mono;
use tracing::{error, info};

use super::Start;
use super::frame::{self, Found, HEADER_BYTES};
use super::shared::{Log, Shared};
use crate::limits;

/// Writes the records of one shard.
///
/// [`add`](Journal::add) each step's records, then [`commit`](Journal::commit) before their
/// effects leave. A failing disk never stops the shard: records wait in memory, bounded, and are
/// tried again.
pub(crate) struct Journal {
    shared: Arc<Shared>,
    current: Arc<Log>,
    sequence: u64,
    /// Whole frames that the kernel has not taken yet.
    batch: Vec<u8>,
    health: Health,
    /// Failures since the last success: every second one tries another segment, since a bad block
    /// would fail for ever and a full disk has room only in the old one.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Good,
    /// The last attempt failed.
    Failing {
        retry_at: Mono,
    },
    /// It writes again, but nothing is on the medium yet.
    Proving {
        look_at: Mono,
    },
}

impl Journal {
    pub(super) fn new(shared: Arc<Shared>, start: Start) -> io::Result<Journal> {
        shared.state().next_number = start.segment + 1;
        let current = shared.make_segment()?;
        shared.state().segments.push_back(Arc::clone(&current));
        Ok(Journal {
            shared,
            current,
            sequence: start.sequence,
            batch: Vec::new(),
            health: Health::Good,
            failures: 0,
        })
    }

    /// Puts one step's records behind the others that wait for [`commit`](Journal::commit).
    pub(crate) fn add(&mut self, records: &[Record]) {
        if records.is_empty() {
            return;
        }
        if self.batch.len() > limits::BACKLOG_BYTES_MAX {
            return self.lose(records.len(), "the disk has taken nothing for too long");
        }
        if frame::encode(self.sequence + 1, records, &mut self.batch).is_ok() {
            self.sequence += 1;
            return;
        }
        // Together they are too large; the small ones among them shall not suffer for it.
        for record in records {
            let one = core::slice::from_ref(record);
            match frame::encode(self.sequence + 1, one, &mut self.batch) {
                Ok(()) => self.sequence += 1,
                Err(_) => self.lose(1, "a record is larger than the journal takes"),
            }
        }
    }

    /// Hands what waits to the kernel, in one write. Says `Some(true)` when the journal begins to
    /// fail and `Some(false)` when it has recovered.
    pub(crate) fn commit(&mut self, now: Mono) -> Option<bool> {
        if self.shared.sync_failed.swap(false, Ordering::AcqRel) {
            self.rescue();
            return self.failed(now);
        }
        match self.health {
            Health::Good if self.batch.is_empty() => None,
            Health::Failing { retry_at } if now < retry_at => None,
            Health::Good | Health::Failing { .. } | Health::Proving { .. } => match self.write() {
                Ok(()) => self.succeeded(now),
                Err(error) => {
                    let shard = self.shared.shard;
                    error!(shard, %error, "the journal cannot be written");
                    self.shared.counts.write_failures.fetch_add(1, Ordering::Relaxed);
                    self.failed(now)
                }
            },
        }
    }

    /// The last attempt before the end, whenever the next one was due. Returns how many bytes of
    /// records the disk has not taken.
    pub(crate) fn finish(mut self) -> usize {
        let _ = self.commit(Mono(u64::MAX));
        // The first attempt after a failed sync only takes back what has to be written again.
        let _ = self.commit(Mono(u64::MAX));
        self.batch.len()
    }

    /// When [`commit`](Journal::commit) wants to be called though nothing was added.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        match self.health {
            Health::Good => None,
            Health::Failing { retry_at } => Some(retry_at),
            Health::Proving { look_at } => Some(look_at),
        }
    }

    fn failed(&mut self, now: Mono) -> Option<bool> {
        let was_good = self.health == Health::Good;
        self.health = Health::Failing { retry_at: now + limits::WRITE_RETRY };
        self.failures += 1;
        self.shared.counts.full.store(true, Ordering::Relaxed);
        was_good.then_some(true)
    }

    fn succeeded(&mut self, now: Mono) -> Option<bool> {
        self.failures = 0;
        match self.health {
            Health::Good => None,
            Health::Failing { .. } => {
                self.health = Health::Proving { look_at: now + limits::SYNC_INTERVAL };
                None
            }
            Health::Proving { .. } if self.current.synced() < self.current.written() => {
                self.health = Health::Proving { look_at: now + limits::SYNC_INTERVAL };
                None
            }
            Health::Proving { .. } => {
                self.health = Health::Good;
                self.shared.counts.full.store(false, Ordering::Relaxed);
                info!(shard = self.shared.shard, "the journal is written again");
                Some(false)
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.current.has_failed() || (self.failures > 0 && self.failures.is_multiple_of(2)) {
            self.roll()?;
        }
        let mut done = 0;
        let result = loop {
            let rest = &self.batch[done..];
            if rest.is_empty() {
                break Ok(());
            }
            let offset = self.current.written();
            let fitting = fitting(rest, self.shared.sizes.segment_bytes.saturating_sub(offset));
            if fitting.bytes == 0 {
                match self.roll() {
                    Ok(()) => continue,
                    Err(error) => break Err(error),
                }
            }
            if let Err(error) = self.current.file.write_at(&rest[..fitting.bytes], offset) {
                break Err(error);
            }
            let written = offset + fitting.bytes as u64;
            self.current.written.store(written, Ordering::Release);
            self.shared.counts.bytes.fetch_add(fitting.bytes as u64, Ordering::Relaxed);
            self.shared.counts.records.fetch_add(fitting.frames, Ordering::Relaxed);
            done += fitting.bytes;
        };
        if done > 0 {
            self.batch.drain(..done);
            self.shared.wrote();
        }
        result
    }

    /// Goes on in a new segment.
    fn roll(&mut self) -> io::Result<()> {
        let (spare, live) = {
            let mut state = self.shared.state();
            (state.spare.take(), state.segments.len() as u64)
        };
        let sizes = self.shared.sizes;
        if spare.is_none() && (live + 1) * sizes.segment_bytes > sizes.journal_bytes {
            return Err(io::Error::other("the database has not taken the journal for too long"));
        }
        let next = match spare {
            Some(spare) => spare,
            None => self.shared.make_segment()?,
        };
        self.current.sealed.store(true, Ordering::Release);
        self.current = Arc::clone(&next);
        self.shared.state().segments.push_back(next);
        self.shared.wrote();
        Ok(())
    }

    /// Takes back what a failed sync may have lost, to write it again elsewhere. Its sequences stay
    /// the same, so a record that is read twice counts once.
    fn rescue(&mut self) {
        let failed: Vec<Arc<Log>> =
            self.shared.state().segments.iter().filter(|log| log.has_failed()).cloned().collect();
        let mut rescued = Vec::new();
        for log in failed {
            let from = log.synced().max(frame::MAGIC.len() as u64);
            let length = usize::try_from(log.written().saturating_sub(from)).unwrap_or(0);
            let mut bytes = vec![0; length];
            if let Err(error) = log.file.read_at(&mut bytes, from) {
                error!(shard = self.shared.shard, %error, "unsynced records cannot be read back");
                continue;
            }
            let mut whole = 0;
            while let Found::Frame(frame) = frame::decode(&bytes[whole..]) {
                whole += frame.bytes();
            }
            rescued.extend_from_slice(&bytes[..whole]);
            // Written again: not to be rescued a second time.
            log.synced.store(log.written(), Ordering::Release);
        }
        self.batch.splice(0..0, rescued);
    }

    fn lose(&self, records: usize, why: &str) {
        let records = records as u64;
        let lost = self.shared.counts.lost.fetch_add(records, Ordering::Relaxed) + records;
        error!(shard = self.shared.shard, lost, why, "journal records are lost");
    }
}

struct Fitting {
    bytes: usize,
    frames: u64,
}

/// How many whole frames at the beginning of `bytes` fit into `room`.
fn fitting(bytes: &[u8], room: u64) -> Fitting {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let mut fitting = Fitting { bytes: 0, frames: 0 };
    while let Some(head) = bytes.get(fitting.bytes..).and_then(<[u8]>::first_chunk::<4>) {
        let body = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        let end = fitting.bytes.saturating_add(HEADER_BYTES).saturating_add(body);
        if end > room {
            break;
        }
        fitting = Fitting { bytes: end, frames: fitting.frames + 1 };
    }
    fitting
}
