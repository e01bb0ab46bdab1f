//! From the journals into the database, behind the calls.

use core::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use leg::Record;
use store::{FileStore, JournalId, Sizes, Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Duration, sleep};
use tracing::{error, info, warn};

use crate::call_log::LoggedNumbers;
use crate::journal::{Reader, Step};
use crate::{limits, log_lines};

/// Where records go: the database, or a test's stand-in.
pub(crate) trait Sink: Sync + Send + 'static {
    /// Takes a batch of one shard's journal, whole or not at all. The same batch may come again
    /// after an error.
    fn apply(&self, shard: u32, steps: &[Step])
    -> impl Future<Output = Result<(), Untaken>> + Send;
}

/// Why the database has not taken a batch.
#[derive(Debug)]
pub(crate) enum Untaken {
    /// It is away, busy or full: it will take it later.
    Yet(String),
    /// It can never take something in it.
    Ever(String),
}

impl From<StoreError> for Untaken {
    fn from(error: StoreError) -> Untaken {
        let text = crate::error::with_causes(&error);
        if error.is_lasting() { Untaken::Ever(text) } else { Untaken::Yet(text) }
    }
}

/// The database, as this node's journals see it.
#[derive(Clone)]
pub(crate) struct Tables {
    /// The database.
    pub(crate) store: Store,
    /// Under which name the positions of its journals are kept.
    pub(crate) node: model::NodeAddress,
    /// Where the files lie that records name.
    pub(crate) files: FileStore,
    /// Rung when messages were added.
    pub(crate) left: Arc<Notify>,
    /// Rung when recordings were added.
    pub(crate) recorded: Arc<Notify>,
}

impl Tables {
    /// The sizes of the files of messages and recordings: each was whole before its record was.
    fn sizes(&self, steps: &[Step]) -> Sizes {
        let records = steps.iter().flat_map(|(_, records)| records);
        let files = records.filter_map(|record| match record {
            Record::Message(message) => Some(message.file),
            Record::Recording(recording) => Some(recording.file),
            _ => None,
        });
        files.filter_map(|file| Some((file, self.files.size(file).ok()?))).collect()
    }
}

impl Sink for Tables {
    async fn apply(&self, shard: u32, steps: &[Step]) -> Result<(), Untaken> {
        let Some((first, _)) = steps.first() else { return Ok(()) };
        let journal = JournalId { node: self.node, shard };
        let sizes = self.sizes(steps);
        self.store.apply(journal, *first, steps, &sizes).await?;
        if !sizes.is_empty() {
            self.left.notify_one();
            self.recorded.notify_one();
        }
        Ok(())
    }
}

/// The loader in figures.
#[derive(Debug, Default)]
pub(crate) struct LoaderFigures {
    /// Journal records given to the database.
    pub(crate) applied: AtomicU64,
    /// Attempts that the database refused.
    pub(crate) failures: AtomicU64,
    /// Journal records that the database can never take.
    pub(crate) refused: AtomicU64,
    /// 1 while the database takes nothing.
    pub(crate) is_behind: AtomicU64,
}

/// Reads the journals of all shards and gives them to the database.
pub(crate) struct Loader<S> {
    /// Where they go.
    pub(crate) sink: S,
    /// The journals.
    pub(crate) readers: Vec<Reader>,
    /// Rung by the writers.
    pub(crate) written: Arc<Notify>,
    /// `true`: nothing more is written; end when everything is applied.
    pub(crate) stop: watch::Receiver<bool>,
    /// For metrics.
    pub(crate) figures: Arc<LoaderFigures>,
    /// For the log.
    pub(crate) numbers: LoggedNumbers,
}

impl<S: Sink> Loader<S> {
    /// Runs it in a thread of its own, beside the runtime in which this is called; what is returned
    /// resolves when it has ended. To read a second's records and to bind them takes milliseconds,
    /// in which a thread of the runtime would answer no program.
    pub(crate) fn start(self) -> io::Result<oneshot::Receiver<()>> {
        let (runtime, (done, ended)) = (Handle::current(), oneshot::channel());
        thread::Builder::new().name("loader".to_owned()).spawn(move || {
            runtime.block_on(self.run());
            // Who waits for it may have stopped waiting.
            let _ = done.send(());
        })?;
        Ok(ended)
    }

    /// Runs until it is told to stop and has applied everything; then no journal is left.
    pub(crate) async fn run(mut self) {
        loop {
            // Read before the journals: what was written before the stop is seen after it.
            let stopping = *self.stop.borrow_and_update();
            match self.load().await {
                Loaded::Full => continue,
                Loaded::All if stopping => continue,
                Loaded::All => self.pause(limits::LOAD_INTERVAL).await,
                Loaded::Nothing if stopping => break,
                Loaded::Nothing => {
                    tokio::select! {
                        () = self.written.notified() => {}
                        _ = self.stop.changed() => continue,
                    }
                    self.pause(limits::LOAD_INTERVAL).await;
                }
            }
        }
        for reader in &mut self.readers {
            reader.remove_all();
        }
    }

    /// Applies all that was written, for benches.
    pub(crate) async fn load_all(&mut self) {
        while self.load().await != Loaded::Nothing {}
    }

    async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            _ = self.stop.changed() => {}
        }
    }

    /// One transaction of each journal.
    async fn load(&mut self) -> Loaded {
        let mut loaded = Loaded::Nothing;
        for reader in &mut self.readers {
            let steps = match reader.read() {
                Ok(steps) => steps,
                Err(error) => {
                    error!(shard = reader.shard(), %error, "the journal cannot be read");
                    continue;
                }
            };
            if steps.is_empty() {
                continue;
            }
            loaded = loaded.max(match steps.len() {
                limits::LOAD_RECORDS_MAX.. => Loaded::Full,
                _ => Loaded::All,
            });
            log_lines::together(|| self.numbers.log_ends(&steps));
            insist(&self.sink, reader.shard(), &steps, &self.figures).await;
            self.figures.applied.fetch_add(steps.len() as u64, Ordering::Relaxed);
            reader.applied();
        }
        loaded
    }
}

/// What one round over the journals found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loaded {
    /// The database has everything.
    Nothing,
    /// It has everything now.
    All,
    /// More waits already.
    Full,
}

/// Gives a batch to the database until it takes it. What it can never take is left out with an
/// error: one record must not stop all that come after it.
pub(crate) async fn insist<S: Sink>(sink: &S, shard: u32, steps: &[Step], figures: &LoaderFigures) {
    match insist_on_all(sink, shard, steps, figures).await {
        Ok(()) => {}
        Err(_) if steps.len() > 1 => {
            for step in steps.chunks(1) {
                if let Err(error) = insist_on_all(sink, shard, step, figures).await {
                    figures.refused.fetch_add(1, Ordering::Relaxed);
                    error!(shard, error, ?step, "the database can never take a record");
                }
            }
        }
        Err(error) => {
            figures.refused.fetch_add(1, Ordering::Relaxed);
            error!(shard, error, ?steps, "the database can never take a record");
        }
    }
}

/// A database that is away only delays the batch.
async fn insist_on_all<S: Sink>(
    sink: &S,
    shard: u32,
    steps: &[Step],
    figures: &LoaderFigures,
) -> Result<(), String> {
    let mut pause = Duration::from_millis(100);
    let mut failures = 0u32;
    loop {
        let error = match sink.apply(shard, steps).await {
            Ok(()) => break,
            Err(Untaken::Ever(error)) => return Err(error),
            Err(Untaken::Yet(error)) => error,
        };
        failures += 1;
        figures.failures.fetch_add(1, Ordering::Relaxed);
        figures.is_behind.store(1, Ordering::Relaxed);
        // Each further attempt is as interesting as the one before: once is enough.
        if failures == 1 {
            warn!(shard, error, "the database takes no records; they wait in the journal");
        }
        sleep(pause).await;
        pause = (pause * 2).min(limits::LOAD_RETRY_MAX);
    }
    if failures > 0 {
        figures.is_behind.store(0, Ordering::Relaxed);
        info!(shard, failures, "the database takes records again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use model::{CallId, Chance, Mono, NodeAddress, TenantId};

    use super::*;
    use crate::journal::{self, Journal, Start, Syncer};

    struct Bench {
        journal: Journal,
        stop: watch::Sender<bool>,
        figures: Arc<LoaderFigures>,
        directory: tempfile::TempDir,
        _syncer: Syncer,
    }

    fn bench<S: Sink>(sink: S, start: Start) -> (Bench, Loader<S>) {
        let directory = tempfile::tempdir().unwrap();
        let written = Arc::new(Notify::new());
        let (journal, syncer, reader) =
            journal::open(directory.path(), 0, start, Arc::clone(&written)).unwrap();
        let (stop, stopped) = watch::channel(false);
        let figures = Arc::new(LoaderFigures::default());
        let loader = Loader {
            sink,
            readers: vec![reader],
            written,
            stop: stopped,
            figures: Arc::clone(&figures),
            numbers: LoggedNumbers::Shortened,
        };
        (Bench { journal, stop, figures, directory, _syncer: syncer }, loader)
    }

    impl Bench {
        fn write(&mut self, calls: core::ops::RangeInclusive<u64>) {
            for call in calls {
                self.journal.add(&[Record::CallGone { tenant: TenantId(1), call: CallId(call) }]);
            }
            self.journal.commit(Mono(0));
        }

        fn segments(&self) -> usize {
            std::fs::read_dir(self.directory.path()).unwrap().count()
        }
    }

    /// Fails as often as it is told, then notes what it got.
    #[derive(Clone, Default)]
    struct Stubborn {
        failures: Arc<AtomicU64>,
        /// This sequence it can never take.
        never: Option<u64>,
        got: Arc<Mutex<Vec<u64>>>,
    }

    impl Sink for Stubborn {
        async fn apply(&self, _: u32, steps: &[Step]) -> Result<(), Untaken> {
            if self.failures.load(Ordering::Relaxed) > 0 {
                self.failures.fetch_sub(1, Ordering::Relaxed);
                return Err(Untaken::Yet("away".to_owned()));
            }
            if steps.iter().any(|(sequence, _)| Some(*sequence) == self.never) {
                return Err(Untaken::Ever("no".to_owned()));
            }
            self.got.lock().unwrap().extend(steps.iter().map(|(sequence, _)| *sequence));
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_only_delays_the_records() {
        let sink = Stubborn::default();
        sink.failures.store(5, Ordering::Relaxed);
        let (mut bench, loader) = bench(sink.clone(), Start { sequence: 0, segment: 0 });
        let running = tokio::spawn(loader.run());
        bench.write(1..=3);
        bench.write(4..=1_200);
        bench.stop.send(true).unwrap();
        running.await.unwrap();
        assert_eq!(*sink.got.lock().unwrap(), (1..=1_200).collect::<Vec<_>>());
        assert_eq!(bench.figures.failures.load(Ordering::Relaxed), 5);
        assert_eq!(bench.figures.is_behind.load(Ordering::Relaxed), 0);
        assert_eq!(bench.segments(), 0, "everything is applied, so nothing is left");
    }

    #[tokio::test(start_paused = true)]
    async fn records_wait_a_second_however_many_came_before_them() {
        for many in [10u64, 1_500] {
            let sink = Stubborn::default();
            let (mut bench, loader) = bench(sink.clone(), Start { sequence: 0, segment: 0 });
            bench.write(1..=many);
            let running = tokio::spawn(loader.run());
            let taken = || sink.got.lock().unwrap().len() as u64;
            while taken() < many {
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            let begun = tokio::time::Instant::now();
            bench.write(many + 1..=many + 1);
            while taken() == many {
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            let waited = u64::try_from(begun.elapsed().as_millis()).unwrap();
            assert!(waited.abs_diff(1_000) < 20, "{waited} ms with {many}");
            bench.stop.send(true).unwrap();
            running.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_that_the_database_can_never_take_does_not_stop_the_others() {
        let sink = Stubborn { never: Some(3), ..Stubborn::default() };
        let (mut bench, loader) = bench(sink.clone(), Start { sequence: 0, segment: 0 });
        bench.write(1..=6);
        bench.stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(3_600), loader.run()).await.unwrap();
        assert_eq!(*sink.got.lock().unwrap(), [1, 2, 4, 5, 6]);
        assert_eq!(bench.figures.refused.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn records_that_the_database_has_already_are_not_counted_twice() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("test.db");
        let store = Store::open(path.to_str().unwrap()).await.unwrap();
        let node = NodeAddress(u32::try_from(Chance::from_number(1).bits() >> 40).unwrap());
        let tables = Tables {
            store: store.clone(),
            node,
            files: FileStore::new(files.path()),
            left: Arc::default(),
            recorded: Arc::default(),
        };
        let steps: Vec<Step> = (1..=4)
            .map(|n| (n, vec![Record::CallGone { tenant: TenantId(1), call: CallId(n) }]))
            .collect();
        tables.apply(0, &steps[..3]).await.unwrap();
        tables.apply(0, &steps).await.unwrap();
        tables.apply(0, &steps).await.unwrap();
        let position = store.positions(node).await.unwrap();
        assert_eq!(position[&JournalId { node, shard: 0 }], 4);
    }
}
