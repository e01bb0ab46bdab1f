//! A crash at every moment between journal and database.

use std::fs;
use std::sync::Arc;

use leg::{BindingChange, Record, SavedCall};
use model::{CallId, DeviceId, ExtensionId, Mono, NodeAddress, TenantId, Wall};
use store::{FileStore, Store};
use tokio::sync::Notify;

use super::*;
use crate::journal;

const NODE: NodeAddress = NodeAddress(7);
const TENANT: TenantId = TenantId(1);

struct Site {
    files: tempfile::TempDir,
    store: Store,
}

impl Site {
    async fn new() -> Site {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("test.db");
        let store = Store::open(path.to_str().unwrap()).await.unwrap();
        Site { files, store }
    }

    fn tables(&self) -> Tables {
        let files = FileStore::new(self.files.path().join("files"));
        let (left, recorded) = Default::default();
        Tables { store: self.store.clone(), node: NODE, files, left, recorded }
    }

    fn journals(&self) -> std::path::PathBuf {
        self.files.path().join("journal")
    }

    /// A run that writes these steps and is killed.
    fn crashes_after(&self, shard: u32, start: Start, steps: &[Vec<Record>]) {
        let written = Arc::new(Notify::new());
        let (mut journal, _syncer, _reader) =
            journal::open(&self.journals(), shard, start, written).unwrap();
        for step in steps {
            journal.add(step);
            assert_eq!(journal.commit(Mono(0)), None);
        }
    }

    async fn recovers(&self) -> Starts {
        recover(&self.journals(), &self.tables(), LoggedNumbers::Shortened).await.unwrap()
    }

    /// The calls that were up, as a start would see them.
    async fn calls(&self) -> Vec<u64> {
        let live = self.store.live(Wall(0)).await.unwrap();
        live.get(&TENANT).map_or(Vec::new(), |l| l.calls.iter().map(|c| c.call.0).collect())
    }

    fn files_left(&self) -> usize {
        fs::read_dir(self.journals()).map_or(0, Iterator::count)
    }
}

const FRESH: Start = Start { sequence: 0, segment: 0 };

fn saved(call: u64) -> Record {
    let (call, exchange, stack) = (CallId(call), vec![1], vec![2]);
    Record::CallSaved(Box::new(SavedCall { tenant: TENANT, call, exchange, stack }))
}

fn gone(call: u64) -> Record {
    Record::CallGone { tenant: TENANT, call: CallId(call) }
}

#[tokio::test]
async fn what_was_written_before_the_crash_is_in_the_database_after_the_start() {
    let site = Site::new().await;
    site.crashes_after(0, FRESH, &[vec![saved(1)], vec![saved(2)], vec![gone(1)]]);
    site.crashes_after(3, FRESH, &[vec![saved(9)]]);
    let starts = site.recovers().await;
    assert_eq!(site.calls().await, [2, 9]);
    assert_eq!(site.files_left(), 0);
    assert_eq!(starts.of(0), Start { sequence: 3, segment: 1 });
    assert_eq!(starts.of(3), Start { sequence: 1, segment: 1 }, "a shard that is no more");
    assert_eq!(starts.of(1), FRESH);
}

#[tokio::test]
async fn a_journal_that_was_partly_or_wholly_applied_changes_nothing_twice() {
    let site = Site::new().await;
    let tables = site.tables();
    site.crashes_after(0, FRESH, &[vec![saved(1)], vec![gone(1)], vec![saved(2)]]);
    // The loader had come this far before the kill.
    let applied = [(1, vec![saved(1)]), (2, vec![gone(1)])];
    tables.apply(0, &applied).await.unwrap();
    assert_eq!(site.recovers().await.of(0).sequence, 3);
    assert_eq!(site.calls().await, [2]);

    // The next run goes on with the numbers of the last, also when no file is left.
    let start = site.recovers().await.of(0);
    assert_eq!(start, Start { sequence: 3, segment: 0 });
    site.crashes_after(0, start, &[vec![gone(2)]]);
    assert_eq!(site.recovers().await.of(0).sequence, 4);
    assert!(site.calls().await.is_empty());
}

#[tokio::test]
async fn a_torn_tail_costs_only_itself() {
    let site = Site::new().await;
    site.crashes_after(0, FRESH, &[vec![saved(1)], vec![saved(2)]]);
    let path = fs::read_dir(site.journals()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end] = 0;
    fs::write(&path, bytes).unwrap();
    assert_eq!(site.recovers().await.of(0).sequence, 1);
    assert_eq!(site.calls().await, [1]);
    assert_eq!(site.files_left(), 0, "a torn tail is no damage that anybody need look at");
}

#[tokio::test]
async fn a_removed_registration_does_not_come_back() {
    let site = Site::new().await;
    let change = |device| {
        Record::Binding(Box::new(BindingChange {
            tenant: TENANT,
            extension: ExtensionId(100_000),
            device: DeviceId(device),
            binding: None,
        }))
    };
    site.crashes_after(0, FRESH, &[vec![change(1), change(2)]]);
    site.recovers().await;
    assert!(site.store.live(Wall(0)).await.unwrap().is_empty());
}
