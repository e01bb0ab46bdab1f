//! The thread that converts: one recording at a time, when nothing else wants the processor.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use media::wav::{self, PCM_HEADER_BYTES};
use model::{FileFormat, FileId};
use store::FileStore;
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tracing::{error, warn};

use super::Job;
use super::target::{CannotEncode, Ended, Target};
use crate::limits;

/// The thread, and the way to it.
pub(crate) struct Worker {
    orders: Sender<Order>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

struct Order {
    job: Job,
    done: oneshot::Sender<Result<u64, Failure>>,
}

/// Why a recording was not converted.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// There is no such file.
    #[error("its file is missing")]
    Missing,
    /// It is no recording of ours, or not all of it is there.
    #[error("its file is broken: {why}")]
    Broken {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The encoder does not take it, or has no memory.
    #[error("its file cannot be encoded")]
    Encode(#[from] CannotEncode),
    /// An encoder has panicked, as it would the next time.
    #[error("the encoder has panicked")]
    Panicked,
    /// The disk does not give it.
    #[error("its file cannot be read")]
    Read(#[source] io::Error),
    /// The disk does not take what it becomes.
    #[error("its new file cannot be written")]
    Write(#[source] io::Error),
    /// The node stops.
    #[error("the node stops")]
    Stopped,
}

impl Failure {
    /// No further attempt can help.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Failure::Missing | Failure::Broken { .. } | Failure::Panicked => true,
            Failure::Encode(error) => error.is_lasting(),
            Failure::Read(_) | Failure::Write(_) | Failure::Stopped => false,
        }
    }
}

impl Worker {
    /// Starts the thread on a store of files.
    pub(crate) fn start(store: FileStore) -> io::Result<Worker> {
        let (orders, to_do) = bounded(1);
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let run = move || run(&store, &to_do, &stopped);
        let thread = thread::Builder::new().name("files-convert".to_owned()).spawn(run)?;
        Ok(Worker { orders, stop, thread })
    }

    /// Makes a file of another format beside a recording; how many bytes it has. The one that is
    /// there stays.
    pub(super) async fn convert(
        &self,
        file: FileId,
        wanted: FileFormat,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<u64, Failure> {
        let (done, mut made) = oneshot::channel();
        // One is given at a time, and each is waited for: there is room.
        if self.orders.try_send(Order { job: Job { file, wanted }, done }).is_err() {
            return Err(Failure::Stopped);
        }
        let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
        let made = tokio::select! {
            made = &mut made => made,
            _ = stopped => {
                self.stop.store(true, Ordering::Relaxed);
                made.await
            }
        };
        made.unwrap_or(Err(Failure::Stopped))
    }

    /// Waits for the thread's end.
    pub(super) async fn end(self) {
        let Worker { orders, thread, .. } = self;
        drop(orders);
        let joined = tokio::task::spawn_blocking(move || thread.join());
        if !matches!(joined.await, Ok(Ok(()))) {
            error!("the thread that converts has panicked");
        }
    }
}

fn run(store: &FileStore, orders: &Receiver<Order>, stop: &AtomicBool) {
    // On Linux it is the thread's own, and a thread may always make itself less important.
    if let Err(error) = rustix::process::setpriority_process(None, limits::CONVERT_NICE) {
        warn!(%error, "recordings are converted with the usual priority");
    }
    for Order { job, done } in orders {
        // Who has asked waits for it.
        let _ = done.send(convert(store, job, stop));
    }
}

/// The whole of one conversion but for its row.
fn convert(store: &FileStore, job: Job, stop: &AtomicBool) -> Result<u64, Failure> {
    let name = (job.file, job.wanted);
    let mut wav = match store.open(job.file) {
        Ok(wav) => wav,
        // The row is older than its file: it comes from a backup.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return store.size(name).map_err(|_| Failure::Missing);
        }
        Err(error) => return Err(Failure::Read(error)),
    };
    if job.wanted == FileFormat::Wav {
        return store.size(job.file).map_err(Failure::Read);
    }
    let file = store.create(job.file).map_err(Failure::Write)?;
    let made = fill(&mut wav, &file, job, stop);
    let made = made.and_then(|bytes| {
        store.finish(name, &file).map_err(Failure::Write)?;
        Ok(bytes)
    });
    if made.is_err()
        && let Err(error) = store.discard(job.file)
    {
        warn!(file = %job.file, %error, "what was begun of a conversion cannot be removed");
    }
    made
}

fn fill(wav: &mut File, to: &File, job: Job, stop: &AtomicBool) -> Result<u64, Failure> {
    let mut to = BufWriter::new(to);
    let bytes = transcode(wav, &mut to, job, stop)?;
    to.flush().map_err(Failure::Write)?;
    Ok(bytes)
}

/// Reads a recording of ours and writes it as what is wanted; how many bytes that are. A sound that
/// an encoder does not survive costs its own conversion and no other.
fn transcode(
    from: &mut impl Read,
    to: &mut (impl Write + Seek),
    job: Job,
    stop: &AtomicBool,
) -> Result<u64, Failure> {
    let encoded = AssertUnwindSafe(|| encode(from, to, job, stop));
    panic::catch_unwind(encoded).unwrap_or(Err(Failure::Panicked))
}

fn encode(
    from: &mut impl Read,
    to: &mut (impl Write + Seek),
    job: Job,
    stop: &AtomicBool,
) -> Result<u64, Failure> {
    let mut header = [0; PCM_HEADER_BYTES];
    read(from, &mut header, "it ends within its head")?;
    let broken = Failure::Broken { why: "its head is none that was completed" };
    let shape = wav::finished(&header).ok_or(broken)?;
    let mut file = Target::begin(job.wanted, shape, job.file)?;
    let mut written = 0;
    let mut write = |bytes: Vec<u8>| {
        written += bytes.len() as u64;
        to.write_all(&bytes).map_err(Failure::Write)
    };
    let mut room = vec![0; limits::CONVERT_BYTES];
    let mut left = usize::try_from(shape.data_bytes).unwrap_or(usize::MAX);
    while left > 0 {
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::Stopped);
        }
        let part = room.len().min(left);
        let Some(piece) = room.get_mut(..part) else { break };
        read(from, piece, "it is shorter than its head says")?;
        let (samples, _) = piece.as_chunks::<2>();
        let samples: Vec<i16> = samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
        file.add(&samples)?;
        write(file.take())?;
        left -= part;
    }
    let Ended { rest, first } = file.end()?;
    write(rest)?;
    if !first.is_empty() {
        to.seek(SeekFrom::Start(0)).map_err(Failure::Write)?;
        to.write_all(&first).map_err(Failure::Write)?;
    }
    Ok(written)
}

fn read(from: &mut impl Read, to: &mut [u8], short: &'static str) -> Result<(), Failure> {
    from.read_exact(to).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::Broken { why: short },
        _ => Failure::Read(error),
    })
}

#[cfg(test)]
mod tests;
