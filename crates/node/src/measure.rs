//! What the journal and its way into the database cost, for benches; nothing of the switch uses it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use leg::Record;
use store::{FileStore, Store};
use tokio::sync::{Notify, watch};

use crate::call_log::LoggedNumbers;
use crate::clock;
use crate::journal::{self, Journal, Start, Syncer};
use crate::loader::{Loader, LoaderFigures, Tables};

/// Writes each of `steps` into a new journal in `directory`, in turn for `rounds` rounds, and gives
/// the time that this takes from a shard's thread; another thread makes it durable meanwhile.
pub fn journal_time(directory: &Path, steps: &[Vec<Record>], rounds: u32) -> io::Result<Duration> {
    let start = Start { sequence: 0, segment: 0 };
    let (mut journal, syncer, _reader) =
        journal::open(directory, 0, start, Arc::new(Notify::new()))?;
    let begin = clock::mono();
    for _ in 0..rounds {
        for records in steps {
            journal.add(records);
            journal.commit(clock::mono());
        }
    }
    let took = clock::mono().since(begin);
    syncer.stop();
    Ok(took)
}

/// A journal with the loader that brings it into a database, a round at a time.
pub struct Loading {
    journal: Journal,
    loader: Loader<Tables>,
    _syncer: Syncer,
    _stop: watch::Sender<bool>,
}

impl Loading {
    /// A new journal in `directory`, and the database at `location`, which may have rows already.
    pub async fn open(directory: &Path, location: &str) -> io::Result<Loading> {
        let store = Store::open(location).await.map_err(io::Error::other)?;
        let written = Arc::new(Notify::new());
        let start = Start { sequence: 0, segment: 0 };
        let (journal, syncer, reader) = journal::open(directory, 0, start, Arc::clone(&written))?;
        let sink = Tables {
            store,
            // Another at each start, since each has a journal that begins with 1.
            node: model::NodeAddress(std::process::id()),
            files: FileStore::new(directory),
            left: Arc::default(),
            recorded: Arc::default(),
        };
        let (stop, stopped) = watch::channel(false);
        let loader = Loader {
            sink,
            readers: vec![reader],
            written,
            stop: stopped,
            figures: Arc::new(LoaderFigures::default()),
            numbers: LoggedNumbers::Shortened,
        };
        Ok(Loading { journal, loader, _syncer: syncer, _stop: stop })
    }

    /// Writes each of `steps` into the journal, as a shard does.
    pub fn write(&mut self, steps: &[Vec<Record>]) {
        for records in steps {
            self.journal.add(records);
            self.journal.commit(clock::mono());
        }
    }

    /// Lets the loader take what was written, as it does under load.
    pub async fn load(&mut self) {
        self.loader.load_all().await;
    }
}
