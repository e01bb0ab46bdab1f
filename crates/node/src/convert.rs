//! Recordings become what their phones ask for, behind the calls.
//!
//! The table of recordings is the queue: what is due lies there until it is converted, over any
//! number of starts. One worker takes one at a time, with the lowest priority, so that audio never
//! waits for it. The WAV file stays until the new file is whole and its row says so: whatever ends
//! the process in between, the next one does it again or finds it done.

mod target;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{FileFormat, FileId, Wall};
use store::files::FileName;
use store::{Conversion, Unconverted};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};
use tracing::{error, info, warn};

use crate::error::with_causes;
use crate::limits;
use crate::loader::Tables;

pub(crate) use worker::Worker;

use worker::Failure;

/// The conversions in figures.
#[derive(Debug, Default)]
pub(crate) struct ConvertFigures {
    /// Recordings that have become what was asked for.
    pub(crate) done: AtomicU64,
    /// Attempts that failed and are made again.
    pub(crate) failures: AtomicU64,
    /// Recordings that stay what they are.
    pub(crate) given_up: AtomicU64,
}

/// Who has recordings converted.
pub(crate) struct Converter {
    /// Where they and their files lie; rings when there are new ones.
    pub(crate) tables: Tables,
    /// Who does the work.
    pub(crate) worker: Worker,
    /// Where the moment comes from.
    pub(crate) wall: fn() -> Wall,
    /// `true`: give up what is being converted, and begin nothing more.
    pub(crate) stop: watch::Receiver<bool>,
    /// For metrics.
    pub(crate) figures: Arc<ConvertFigures>,
}

impl Converter {
    /// Runs until it is told to stop; what is under way is begun again by the next process.
    pub(crate) async fn run(mut self) {
        while !*self.stop.borrow_and_update() {
            let found = self.convert_due().await;
            if found > 0 {
                continue;
            }
            tokio::select! {
                () = self.tables.recorded.notified() => {}
                () = sleep(limits::CONVERT_POLL) => {}
                _ = self.stop.changed() => {}
            }
        }
        self.worker.end().await;
    }

    /// Converts some of what is due. How many there were.
    async fn convert_due(&mut self) -> usize {
        let due = self.tables.store.recordings_to_convert(self.tables.node, (self.wall)()).await;
        let due = match due {
            Ok(due) => due,
            Err(error) => {
                warn!(error = with_causes(&error), "recordings to convert cannot be read");
                return 0;
            }
        };
        for recording in &due {
            if *self.stop.borrow() {
                break;
            }
            self.convert(recording).await;
        }
        due.len()
    }

    async fn convert(&mut self, recording: &Unconverted) {
        let Unconverted { tenant, file, wanted, attempts } = *recording;
        let made = self.worker.convert(file, wanted, &mut self.stop).await;
        let attempts = attempts.saturating_add(1);
        let conversion = match made {
            Ok(bytes) => Conversion::Done { format: wanted, bytes },
            Err(Failure::Stopped) => return,
            Err(failure) if failure.is_lasting() || attempts >= limits::CONVERT_ATTEMPTS_MAX => {
                let why = with_causes(&failure);
                error!(%file, tenant = tenant.0, why, "a recording stays WAV");
                Conversion::Never { attempts }
            }
            Err(failure) => {
                let why = with_causes(&failure);
                warn!(%file, tenant = tenant.0, why, attempts, "a recording is not converted yet");
                Conversion::Later { attempts, due: self.next_time(attempts) }
            }
        };
        // Until this is noted it would be done again.
        let is_there = loop {
            match self.tables.store.set_conversion(tenant, file, conversion).await {
                Ok(is_there) => break is_there,
                Err(error) => {
                    let error = with_causes(&error);
                    warn!(%file, error, "what became of a conversion cannot be noted yet");
                }
            }
            if *self.stop.borrow() {
                return;
            }
            sleep(limits::READ_BACK_RETRY).await;
        };
        let counter = match conversion {
            Conversion::Done { bytes, .. } => {
                info!(%file, tenant = tenant.0, bytes, "a recording was converted");
                // Nothing names them any more.
                self.remove(file.into()).await;
                if !is_there {
                    self.remove((file, wanted).into()).await;
                }
                &self.figures.done
            }
            Conversion::Later { .. } => &self.figures.failures,
            Conversion::Never { .. } => &self.figures.given_up,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Twice as long after each attempt.
    fn next_time(&self, attempts: u32) -> Wall {
        let doublings = attempts.saturating_sub(1).min(16);
        let pause = limits::CONVERT_RETRY_MIN * 2u32.pow(doublings);
        let pause = micros(pause.min(limits::CONVERT_RETRY_MAX));
        Wall((self.wall)().0.saturating_add(pause))
    }

    async fn remove(&self, name: FileName) {
        let files = self.tables.files.clone();
        let removed = tokio::task::spawn_blocking(move || files.remove(name)).await;
        let removed = removed.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = removed {
            warn!(file = %name.id, %error, "a file that was converted cannot be removed");
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// What a recording's file shall become and is not: the work of one conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    file: FileId,
    wanted: FileFormat,
}

#[cfg(test)]
mod tests;
