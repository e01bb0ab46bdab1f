//! Writes recordings: under a temporary name until they are complete.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use leg::MediaEventKind;
use media::Taken;
use media::wav::{LENGTH_UNKNOWN, PCM_HEADER_BYTES, length_ms, pcm_header};
use model::{FileFormat, FileId};
use store::FileStore;
use switch::Input;
use tracing::warn;

use super::{Owner, Tape, Write, told};
use crate::inbox::Post;
use crate::letter::Letter;
use crate::limits;

/// The writing thread.
pub(super) struct Writer {
    store: FileStore,
    given_up: Arc<Mutex<BTreeSet<Tape>>>,
    /// Of these something may still be in the queue, until so many orders were carried out.
    broken: BTreeMap<Tape, u64>,
    /// Orders carried out.
    done: u64,
    open: BTreeMap<Tape, Open>,
    /// Events that found the shard's queue full: they must come all the same.
    waiting: VecDeque<(Post<Letter>, Letter)>,
}

struct Open {
    taken: Taken,
    owner: Owner,
    file: File,
    bytes: u64,
}

impl Writer {
    pub(super) fn new(store: FileStore, given_up: Arc<Mutex<BTreeSet<Tape>>>) -> Writer {
        let (broken, open, waiting) = Default::default();
        Writer { store, given_up, broken, done: 0, open, waiting }
    }

    pub(super) fn run(mut self, orders: &Receiver<Write>) {
        loop {
            let order = if self.waiting.is_empty() {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                orders.recv_timeout(limits::EVENT_RETRY)
            };
            match order {
                Ok(order) => self.carry_out(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.throw_away(orders.len());
            self.tell_again();
        }
        self.throw_away(0);
        // The node stops in the middle of these: what there is is kept.
        for tape in self.open.keys().copied().collect::<Vec<_>>() {
            self.end(tape);
        }
        self.tell_again();
    }

    fn carry_out(&mut self, order: Write) {
        self.done += 1;
        match order {
            Write::Start { tape, taken, owner } => match self.begin(&taken) {
                Ok(file) => {
                    self.open.insert(tape, Open { taken, owner, file, bytes: 0 });
                }
                Err(error) => self.failed(tape, &taken, &owner, &error),
            },
            // What has failed is not open any more.
            Write::More { tape, bytes } => {
                let Some(open) = self.open.get_mut(&tape) else { return };
                open.bytes += bytes.len() as u64;
                if let Err(error) = open.file.write_all(&bytes) {
                    self.break_off(tape, &error);
                }
            }
            Write::Move { tape, call, leg } => {
                if let Some(open) = self.open.get_mut(&tape) {
                    (open.taken.call, open.taken.leg) = (call, leg);
                }
            }
            Write::End { tape } => self.end(tape),
            Write::Find { sought, shard } => {
                let event = sought.found(self.length_of(sought.file));
                self.tell(shard, Letter::Input(Input::Media(sought.tenant, event)));
            }
        }
    }

    fn begin(&self, taken: &Taken) -> io::Result<File> {
        // A file is written once: a name that is taken is a mistake of whoever gave it.
        if FileFormat::ALL.iter().any(|of| self.store.size((taken.file, *of)).is_ok()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if self.open.values().any(|open| open.taken.file == taken.file) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut file = self.store.create(taken.file)?;
        file.write_all(&pcm_header(taken.rate_hz, taken.channels, LENGTH_UNKNOWN))?;
        Ok(file)
    }

    fn end(&mut self, tape: Tape) {
        let Some(mut open) = self.open.remove(&tape) else { return };
        match complete(&self.store, &open.taken, &mut open.file, open.bytes) {
            Ok(()) => {
                let length_ms = open.taken.length_ms(open.bytes);
                let kind = MediaEventKind::Recorded { recorder: open.taken.recorder, length_ms };
                self.tell(open.owner.shard, told(&open.taken, kind));
            }
            Err(error) => {
                self.discard(&open.taken);
                self.failed(tape, &open.taken, &open.owner, &error);
            }
        }
    }

    /// How long a complete recording is.
    fn length_of(&self, file: FileId) -> Option<u32> {
        let mut header = [0; PCM_HEADER_BYTES];
        self.store.open(file).ok()?.read_exact(&mut header).ok()?;
        length_ms(&header).and_then(|ms| u32::try_from(ms).ok())
    }

    fn break_off(&mut self, tape: Tape, error: &io::Error) {
        let Some(open) = self.open.remove(&tape) else { return };
        self.discard(&open.taken);
        self.failed(tape, &open.taken, &open.owner, error);
    }

    fn failed(&mut self, tape: Tape, taken: &Taken, owner: &Owner, error: &io::Error) {
        warn!(file = %taken.file, %error, "a recording cannot be written");
        owner.media.put_failed_recording(tape.recording);
        let kind = MediaEventKind::RecordingFailed(taken.recorder);
        self.tell(owner.shard.clone(), told(taken, kind));
    }

    /// Recordings of which something found the queue full: their owners know. All that was ordered
    /// of one is in the queue by then, which has so many orders now: behind them it is forgotten.
    fn throw_away(&mut self, queued: usize) {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        let until = self.done + u64::try_from(queued).unwrap_or(u64::MAX - self.done);
        self.broken.extend(core::mem::take(&mut *given_up).into_iter().map(|tape| (tape, until)));
        drop(given_up);
        let gone: Vec<_> = self.broken.keys().filter_map(|tape| self.open.remove(tape)).collect();
        self.broken.retain(|_, until| *until > self.done);
        for open in gone {
            self.discard(&open.taken);
        }
    }

    fn discard(&self, taken: &Taken) {
        if let Err(error) = self.store.discard(taken.file) {
            warn!(file = %taken.file, %error, "a broken recording cannot be removed");
        }
    }

    fn tell(&mut self, shard: Post<Letter>, letter: Letter) {
        self.waiting.push_back((shard, letter));
        self.tell_again();
    }

    fn tell_again(&mut self) {
        while let Some((shard, letter)) = self.waiting.pop_front() {
            if let Err(letter) = shard.try_send(letter) {
                self.waiting.push_front((shard, letter));
                return;
            }
        }
    }
}

/// Writes the true length into the header and gives the file its name.
fn complete(store: &FileStore, taken: &Taken, file: &mut File, bytes: u64) -> io::Result<()> {
    let bytes = u32::try_from(bytes).unwrap_or(LENGTH_UNKNOWN);
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&pcm_header(taken.rate_hz, taken.channels, bytes))?;
    store.finish(taken.file, file)
}

#[cfg(test)]
mod tests;
