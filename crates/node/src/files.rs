//! The threads that wait for the disk on behalf of the media threads: one reads sounds, one writes
//! recordings.

mod leftovers;
mod reader;
mod writer;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, TrySendError, bounded};
use leg::{LegId, MediaEvent, MediaEventKind};
use media::{Recording, Sought, Taken};
use model::{CallId, FileId};
use store::FileStore;
use switch::Input;
use tracing::error;

pub(crate) use leftovers::complete_leftovers;

use crate::inbox::Post;
use crate::letter::Letter;
use crate::limits;
use crate::mailbox::Mailbox;

/// The way to the threads; cheap to clone.
#[derive(Clone)]
pub(crate) struct Files {
    reads: Sender<Read>,
    writes: Sender<Write>,
    given_up: Arc<Mutex<BTreeSet<Tape>>>,
}

/// The threads; they end when the last [`Files`] is dropped.
pub(crate) struct FileThreads {
    threads: [JoinHandle<()>; 2],
}

/// A recording among those of all media threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tape {
    /// Which media thread.
    pub(crate) media: usize,
    /// Its number there.
    pub(crate) recording: Recording,
}

/// Who hears of a recording.
#[derive(Clone)]
pub(crate) struct Owner {
    /// The shard, how it ended.
    pub(crate) shard: Post<Letter>,
    /// The media thread, that its file has failed.
    pub(crate) media: Arc<Mailbox>,
}

struct Read {
    file: FileId,
    to: Arc<Mailbox>,
}

enum Write {
    Start { tape: Tape, taken: Taken, owner: Owner },
    More { tape: Tape, bytes: Vec<u8> },
    Move { tape: Tape, call: CallId, leg: LegId },
    End { tape: Tape },
    Find { sought: Sought, shard: Post<Letter> },
}

/// The writer does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Files {
    /// Starts the threads on a store of files.
    pub(crate) fn start(store: FileStore) -> io::Result<(Files, FileThreads)> {
        let (reads, to_read) = bounded(limits::FILE_READS_MAX);
        let (writes, to_write) = bounded(limits::FILE_WRITES_MAX);
        let given_up = Arc::<Mutex<BTreeSet<Tape>>>::default();
        let reader = reader::Reader::new(store.clone());
        let writer = writer::Writer::new(store, Arc::clone(&given_up));
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let threads = [
            named("files-read").spawn(move || reader.run(&to_read))?,
            named("files-write").spawn(move || writer.run(&to_write))?,
        ];
        Ok((Files { reads, writes, given_up }, FileThreads { threads }))
    }

    /// Asks for a sound, which is put into the mailbox; `Err`: it cannot be had now.
    pub(crate) fn read(&self, file: FileId, to: &Arc<Mailbox>) -> Result<(), Full> {
        let read = Read { file, to: Arc::clone(to) };
        self.reads.try_send(read).map_err(|_| Full)
    }

    /// Begins a recording.
    pub(crate) fn begin(&self, tape: Tape, taken: Taken, owner: Owner) -> Result<(), Full> {
        self.write(tape, Write::Start { tape, taken, owner })
    }

    /// Writes more of it.
    pub(crate) fn more(&self, tape: Tape, bytes: &[u8]) -> Result<(), Full> {
        self.write(tape, Write::More { tape, bytes: bytes.to_vec() })
    }

    /// It goes on in another call, or has another owner: who is told how it ended.
    pub(crate) fn moved(&self, tape: Tape, call: CallId, leg: LegId) -> Result<(), Full> {
        self.write(tape, Write::Move { tape, call, leg })
    }

    /// Completes it: its owner hears [`MediaEventKind::Recorded`], or that it failed.
    pub(crate) fn end(&self, tape: Tape) -> Result<(), Full> {
        self.write(tape, Write::End { tape })
    }

    /// Looks for a recording of an earlier process; who asked hears what became of it, unless the
    /// writer does not keep up.
    pub(crate) fn find(&self, sought: Sought, shard: Post<Letter>) {
        if self.writes.try_send(Write::Find { sought, shard }).is_err() {
            error!(file = %sought.file, "nobody has looked for a recording");
        }
    }

    /// After `Err` the recording is given up: the writer throws its file away, and the caller tells
    /// its owner.
    fn write(&self, tape: Tape, order: Write) -> Result<(), Full> {
        self.writes.try_send(order).map_err(|error| {
            let (TrySendError::Full(order) | TrySendError::Disconnected(order)) = error;
            // Of one that could not even begin there is nothing to throw away.
            if !matches!(order, Write::Start { .. }) {
                self.given_up.lock().unwrap_or_else(PoisonError::into_inner).insert(tape);
            }
            Full
        })
    }
}

#[cfg(test)]
impl Files {
    /// A way to threads that take nothing.
    pub(crate) fn deaf() -> Files {
        let ((reads, _), (writes, _)) = (bounded(0), bounded(0));
        Files { reads, writes, given_up: Arc::default() }
    }
}

impl FileThreads {
    /// Waits until all that was ordered is done. Every [`Files`] must be gone.
    pub(crate) fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                error!("a thread for files has panicked");
            }
        }
    }
}

/// What a recording's owner is told.
pub(crate) fn told(taken: &Taken, kind: MediaEventKind) -> Letter {
    let event = MediaEvent { call: taken.call, leg: taken.leg, kind };
    Letter::Input(Input::Media(taken.tenant, event))
}

#[cfg(test)]
mod tests;
