//! Cuts, damage and failing disks.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use leg::{Record, SavedCall};
use model::{CallId, Mono, TenantId};
use tokio::sync::Notify;

use super::disk::{Disk, Segment, segment_name};
use super::frame::{Found, MAGIC, decode};
use super::reader::Step;
use super::shared::{Shared, Sizes};
use super::sync::sync;
use super::*;
use crate::limits;

/// A record of about `bytes` bytes that names `n`.
fn record(n: u64, bytes: usize) -> Vec<Record> {
    let (tenant, call) = (TenantId(1), CallId(n));
    let (exchange, stack) = (vec![7; bytes], Vec::new());
    vec![Record::CallSaved(Box::new(SavedCall { tenant, call, exchange, stack }))]
}

fn sequences(steps: &[Step]) -> Vec<u64> {
    steps.iter().map(|(sequence, _)| *sequence).collect()
}

/// All that a leftover journal holds, as the start would apply it.
fn recovered(directory: &Path) -> Vec<u64> {
    let found = Recovery::find(directory).unwrap();
    let Some(journal) = found.journals.get(&0) else { return Vec::new() };
    let mut last = 0;
    let mut all = Vec::new();
    for contents in journal.segments() {
        for (sequence, _) in contents.unwrap().steps {
            if sequence > last {
                last = sequence;
                all.push(sequence);
            }
        }
    }
    all
}

#[test]
fn whatever_byte_the_kill_cuts_at_all_whole_records_before_it_are_there() {
    let temp = tempfile::tempdir().unwrap();
    let start = Start { sequence: 0, segment: 0 };
    let notify = Arc::new(Notify::new());
    let (mut journal, syncer, _reader) = open(temp.path(), 0, start, notify).unwrap();
    for n in 1..=6 {
        journal.add(&record(n, 20));
        assert_eq!(journal.commit(Mono(0)), None);
    }
    syncer.stop();
    let path = temp.path().join(segment_name(0, 1));
    let bytes = fs::read(&path).unwrap();

    let mut ends = Vec::new();
    let mut at = MAGIC.len();
    while let Found::Frame(frame) = decode(&bytes[at..]) {
        at += frame.bytes();
        ends.push(at);
    }
    assert_eq!(ends.len(), 6);
    for cut in 0..=at {
        let mut torn = bytes[..cut].to_vec();
        torn.resize(at + 64, 0);
        fs::write(&path, torn).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count() as u64;
        assert_eq!(recovered(temp.path()), (1..=whole).collect::<Vec<_>>(), "cut at {cut}");
    }
}

#[test]
fn damage_in_an_earlier_segment_costs_the_rest_of_that_segment_and_is_kept_for_a_look() {
    let temp = tempfile::tempdir().unwrap();
    let frames = |range: core::ops::Range<u64>| {
        let mut bytes = MAGIC.to_vec();
        for n in range {
            frame::encode(n, &record(n, 10), &mut bytes).unwrap();
        }
        bytes
    };
    let mut first = frames(1..5);
    let third = first.len() - 2 * (first.len() - MAGIC.len()) / 4 + 20;
    first[third] ^= 1;
    fs::write(temp.path().join(segment_name(0, 1)), first).unwrap();
    fs::write(temp.path().join(segment_name(0, 2)), frames(5..7)).unwrap();
    assert_eq!(recovered(temp.path()), [1, 2, 5, 6]);

    let found = Recovery::find(temp.path()).unwrap();
    let journal = &found.journals[&0];
    let damaged: Vec<_> =
        journal.segments().map(Result::unwrap).filter(|c| c.damaged).map(|c| c.path).collect();
    assert_eq!(damaged, [temp.path().join(segment_name(0, 1))]);
    journal.remove(&damaged).unwrap();
    let mut left: Vec<_> =
        fs::read_dir(temp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["shard-000-000000000001.log.damaged"]);
    assert_eq!(journal.start(6), Start { sequence: 6, segment: 2 });
}

#[test]
fn a_directory_that_is_not_there_holds_no_journal() {
    let temp = tempfile::tempdir().unwrap();
    assert!(Recovery::find(&temp.path().join("none")).unwrap().journals.is_empty());
}

#[test]
fn segments_roll_and_go_when_the_database_has_them() {
    let (mut ends, disk) = on_memory(Sizes { segment_bytes: 4_096, journal_bytes: 1 << 20 });
    let mut read = Vec::new();
    for n in 1..=100 {
        ends.journal.add(&record(n, 1_000));
        assert_eq!(ends.journal.commit(Mono(0)), None);
        if n % 10 == 0 {
            read.extend(sequences(&ends.reader.read().unwrap()));
            ends.reader.applied();
            assert!(disk.names().len() <= 2, "{:?}", disk.names());
        }
    }
    assert_eq!(read, (1..=100).collect::<Vec<_>>());
    assert!(ends.reader.read().unwrap().is_empty());
    ends.reader.remove_all();
    assert!(disk.names().is_empty());
}

#[test]
fn what_was_written_but_not_applied_stays() {
    let (mut ends, disk) = on_memory(Sizes { segment_bytes: 4_096, journal_bytes: 1 << 20 });
    for n in 1..=10 {
        ends.journal.add(&record(n, 1_000));
        ends.journal.commit(Mono(0));
    }
    let before = disk.names();
    assert!(before.len() > 2);
    ends.reader.read().unwrap();
    assert_eq!(disk.names(), before, "read is not applied");
}

#[test]
fn a_database_that_takes_nothing_fills_the_journal_and_frees_it_when_it_does() {
    let (mut ends, _disk) = on_memory(Sizes { segment_bytes: 4_096, journal_bytes: 4 * 4_096 });
    let mut now = Mono(0);
    let mut told = Vec::new();
    for n in 1..=30 {
        now = now + limits::WRITE_RETRY;
        ends.journal.add(&record(n, 1_000));
        told.extend(ends.journal.commit(now));
    }
    assert_eq!(told, [true]);
    assert!(ends.shared.figures().full);

    let mut read = Vec::new();
    for _ in 0..20 {
        read.extend(sequences(&ends.reader.read().unwrap()));
        ends.reader.applied();
        now = now + limits::WRITE_RETRY;
        told.extend(ends.journal.commit(now));
        ends.sync();
    }
    assert_eq!(told, [true, false]);
    assert_eq!(read, (1..=30).collect::<Vec<_>>());
    assert!(!ends.shared.figures().full);
    assert_eq!(ends.journal.deadline(), None);
}

#[test]
fn whichever_write_fails_no_record_is_lost_or_doubled() {
    for nth in 1..=35 {
        let (mut ends, disk) = on_memory(Sizes { segment_bytes: 4_096, journal_bytes: 1 << 20 });
        disk.fail_write.store(nth, Ordering::Relaxed);
        let told = ends.write_and_sync(1..=30);
        assert_eq!(ends.read_all(), (1..=30).collect::<Vec<_>>(), "write {nth}");
        assert_eq!(told, [true, false], "write {nth}");
        assert_eq!(disk.power_cut(), (1..=30).collect::<Vec<_>>(), "write {nth}");
    }
}

#[test]
fn whichever_sync_fails_its_records_are_written_again_elsewhere() {
    for nth in 1..=20 {
        let (mut ends, disk) = on_memory(Sizes { segment_bytes: 4_096, journal_bytes: 1 << 20 });
        disk.fail_sync.store(nth, Ordering::Relaxed);
        let told = ends.write_and_sync(1..=30);
        assert_eq!(told, [true, false], "sync {nth}");
        assert_eq!(ends.read_all(), (1..=30).collect::<Vec<_>>(), "sync {nth}");
        assert_eq!(disk.power_cut(), (1..=30).collect::<Vec<_>>(), "sync {nth}");
    }
}

#[test]
fn a_full_disk_heals_when_space_returns_and_new_calls_wait_that_long() {
    let (mut ends, disk) = on_memory(Sizes { segment_bytes: 4_096, journal_bytes: 1 << 20 });
    disk.full.store(1, Ordering::Relaxed);
    let told = ends.write_and_sync(1..=50);
    assert_eq!(told, [true]);
    disk.full.store(0, Ordering::Relaxed);
    assert_eq!(ends.write_and_sync(51..=60), [false]);
    assert_eq!(ends.read_all(), (1..=60).collect::<Vec<_>>());
    assert_eq!(ends.shared.figures().lost, 0);
}

#[test]
fn the_last_attempt_does_not_wait_for_its_turn() {
    let (mut ends, disk) = on_memory(Sizes { segment_bytes: 4_096, journal_bytes: 1 << 20 });
    ends.journal.add(&record(1, 100));
    disk.fail_write.store(1, Ordering::Relaxed);
    assert_eq!(ends.journal.commit(Mono(0)), Some(true));
    assert_eq!(ends.journal.finish(), 0);
    assert_eq!(sequences(&ends.reader.read().unwrap()), [1]);

    let (mut ends, disk) = on_memory(Sizes { segment_bytes: 4_096, journal_bytes: 1 << 20 });
    ends.journal.add(&record(1, 100));
    disk.fail_write.store(u32::MAX, Ordering::Relaxed);
    assert!(ends.journal.finish() > 100, "what is lost is told");
}

#[test]
fn the_backlog_of_a_disk_that_never_comes_back_is_bounded_and_counted() {
    let (mut ends, disk) = on_memory(Sizes::default());
    disk.fail_write.store(u32::MAX, Ordering::Relaxed);
    for n in 0..40 {
        ends.journal.add(&record(n, 500_000));
        ends.journal.commit(Mono(n));
    }
    let figures = ends.shared.figures();
    assert!(figures.lost > 20 && figures.records == 0, "{figures:?}");
}

#[test]
fn a_record_that_is_too_large_does_not_take_the_others_of_its_step_with_it() {
    let (mut ends, _disk) = on_memory(Sizes::default());
    let mut step = record(1, 10);
    step.extend(record(2, 2 << 20));
    ends.journal.add(&step);
    ends.journal.commit(Mono(0));
    assert_eq!(ends.reader.read().unwrap(), vec![(1, record(1, 10))]);
    assert_eq!(ends.shared.figures().lost, 1);
}

/// The ends of a journal without the syncer's thread: the test says when it syncs.
struct Ends {
    journal: Journal,
    reader: Reader,
    shared: Arc<Shared>,
    now: Mono,
}

impl Ends {
    /// Writes a record of each number, syncing after each, with time enough for every retry.
    fn write_and_sync(&mut self, numbers: core::ops::RangeInclusive<u64>) -> Vec<bool> {
        let mut told = Vec::new();
        let settle = 5;
        let count = numbers.clone().count();
        for n in numbers.map(Some).chain(core::iter::repeat_n(None, settle)).take(count + settle) {
            if let Some(n) = n {
                self.journal.add(&record(n, 1_000));
            }
            told.extend(self.journal.commit(self.now));
            self.sync();
            self.now = self.now + limits::WRITE_RETRY;
        }
        told
    }

    fn sync(&mut self) {
        let logs: Vec<_> =
            self.shared.state().segments.iter().filter(|log| log.is_dirty()).cloned().collect();
        for log in logs {
            sync(&self.shared, &log);
        }
    }

    fn read_all(&mut self) -> Vec<u64> {
        let mut all = Vec::new();
        loop {
            let steps = self.reader.read().unwrap();
            if steps.is_empty() {
                return all;
            }
            all.extend(sequences(&steps));
        }
    }
}

fn on_memory(sizes: Sizes) -> (Ends, Arc<Memory>) {
    let disk = Arc::new(Memory::default());
    let as_disk = Arc::clone(&disk) as Arc<dyn Disk>;
    let shared = Arc::new(Shared::new(0, sizes, as_disk, Arc::new(Notify::new())));
    let journal = Journal::new(Arc::clone(&shared), Start { sequence: 0, segment: 0 }).unwrap();
    let reader = Reader::new(Arc::clone(&shared), 0);
    (Ends { journal, reader, shared, now: Mono(1) }, disk)
}

/// A disk in memory that fails on demand, and forgets at a power cut what was not synced.
#[derive(Default)]
struct Memory {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
    /// Counts down; the write that makes it 0 fails. `u32::MAX`: all fail from now on.
    fail_write: Arc<AtomicU32>,
    /// The same for syncs.
    fail_sync: Arc<AtomicU32>,
    /// Not 0: no segment can be made.
    full: AtomicU32,
}

#[derive(Default)]
struct MemoryFile {
    cache: Mutex<Vec<u8>>,
    medium: Mutex<Vec<u8>>,
    fail_write: Arc<AtomicU32>,
    fail_sync: Arc<AtomicU32>,
}

/// Whether this operation is the one that fails.
fn fails(countdown: &AtomicU32) -> bool {
    match countdown.load(Ordering::Relaxed) {
        0 => false,
        u32::MAX => true,
        n => {
            countdown.store(n - 1, Ordering::Relaxed);
            n == 1
        }
    }
}

impl Memory {
    fn names(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().cloned().collect()
    }

    /// What a start after a power cut would find.
    fn power_cut(&self) -> Vec<u64> {
        let temp = tempfile::tempdir().unwrap();
        for (name, file) in self.files.lock().unwrap().iter() {
            fs::write(temp.path().join(name), &*file.medium.lock().unwrap()).unwrap();
        }
        recovered(temp.path())
    }
}

impl Disk for Memory {
    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn Segment>> {
        if self.full.load(Ordering::Relaxed) > 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let zeros = || Mutex::new(vec![0; usize::try_from(bytes).unwrap()]);
        let file = Arc::new(MemoryFile {
            cache: zeros(),
            medium: zeros(),
            fail_write: Arc::clone(&self.fail_write),
            fail_sync: Arc::clone(&self.fail_sync),
        });
        self.files.lock().unwrap().insert(name.to_owned(), Arc::clone(&file));
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.lock().unwrap().remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }
}

impl Segment for Arc<MemoryFile> {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let fails = fails(&self.fail_write);
        // A failing write may still leave its first half behind.
        let length = if fails { bytes.len() / 2 } else { bytes.len() };
        self.cache.lock().unwrap()[offset..offset + length].copy_from_slice(&bytes[..length]);
        if fails { Err(io::Error::other("injected")) } else { Ok(()) }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        bytes.copy_from_slice(&self.cache.lock().unwrap()[offset..offset + bytes.len()]);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if fails(&self.fail_sync) {
            return Err(io::Error::other("injected"));
        }
        self.medium.lock().unwrap().clone_from(&self.cache.lock().unwrap());
        Ok(())
    }
}
