//! The thread that makes a journal durable.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use tracing::error;

use super::shared::{Log, Shared, Stop};
use crate::{clock, limits};

/// Syncs what was written, at most every [`limits::SYNC_INTERVAL`].
pub(crate) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Syncer> {
        let name = format!("journal-{}", shared.shard);
        let thread = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(name).spawn(move || run(&shared))?
        };
        Ok(Syncer { shared, thread: Some(thread) })
    }

    /// Ends the thread when everything that was written is on the medium.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!(shard = self.shared.shard, "the journal's thread has panicked");
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(shared: &Shared) {
    loop {
        let (dirty, stop) = shared.wait_for_news();
        let begun = clock::mono();
        for log in &dirty {
            sync(shared, log);
        }
        if stop == Stop::Now {
            return;
        }
        make_spare(shared);
        let passed = clock::mono().since(begun);
        if let Some(rest) = limits::SYNC_INTERVAL.checked_sub(passed) {
            thread::sleep(rest);
        }
    }
}

pub(super) fn sync(shared: &Shared, log: &Log) {
    let written = log.written();
    shared.counts.syncs.fetch_add(1, Ordering::Relaxed);
    match log.file.sync() {
        Ok(()) => log.synced.store(written, Ordering::Release),
        Err(error) => {
            let (shard, segment) = (shared.shard, log.number);
            error!(shard, segment, %error, "the journal cannot be synced");
            shared.counts.sync_failures.fetch_add(1, Ordering::Relaxed);
            log.failed.store(true, Ordering::Release);
            shared.sync_failed.store(true, Ordering::Release);
        }
    }
}

/// Makes the next segment once the current one is half full. A failure is no matter yet: the writer
/// tries itself when it needs one.
fn make_spare(shared: &Shared) {
    let wanted = {
        let state = shared.state();
        let sizes = shared.sizes;
        let half_full = |log: &Arc<Log>| log.written() > sizes.segment_bytes / 2;
        let live = (state.segments.len() as u64 + 1) * sizes.segment_bytes;
        state.segments.back().is_some_and(half_full)
            && state.spare.is_none()
            && live <= sizes.journal_bytes
    };
    if wanted && let Ok(spare) = shared.make_segment() {
        shared.state().spare = Some(spare);
    }
}
