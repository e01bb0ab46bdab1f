//! Rows, files and the worker together, whenever the process dies.

use std::fs;

use leg::{Record, Recording};
use media::measure::{Coding, Wav, hear_mp3_file, hear_opus_file, sine_at_rate};
use model::{CallUuid, ExtensionId, NodeAddress, TenantId};
use store::{FileStore, JournalId, Sizes, Store, StoredRecording};
use tempfile::TempDir;

use super::*;
use crate::files::complete_leftovers;

const NODE: NodeAddress = NodeAddress(7);
const TENANT: TenantId = TenantId(1);
/// 2026-11-22 00:00:00 UTC.
const NIGHT: Wall = Wall(1_795_305_600_000_000);

struct Bench {
    converter: Converter,
    stop: watch::Sender<bool>,
    sequence: u64,
    dir: TempDir,
}

async fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    starts(dir, || NIGHT).await
}

/// A process on what another has left.
async fn starts(dir: TempDir, wall: fn() -> Wall) -> Bench {
    let store = Store::open(dir.path().join("a.db").to_str().unwrap()).await.unwrap();
    let files = FileStore::new(dir.path().join("files"));
    complete_leftovers(&files);
    let worker = Worker::start(files.clone()).unwrap();
    let (left, recorded) = Default::default();
    let tables = Tables { store, node: NODE, files, left, recorded };
    let (stop, stopped) = watch::channel(false);
    let figures = Arc::default();
    let converter = Converter { tables, worker, wall, stop: stopped, figures };
    let sequence = converter.tables.store.positions(NODE).await.unwrap();
    let sequence = sequence.values().max().copied().unwrap_or(0);
    Bench { converter, stop, sequence, dir }
}

fn wav(seconds: usize) -> Vec<u8> {
    let tone = sine_at_rate(440.0, -12.0, seconds * 8_000, 8_000);
    Wav { rate_hz: 8_000, channels: vec![tone] }.write(Coding::Linear)
}

impl Bench {
    /// A recording comes by the journal, with its file.
    async fn records(&mut self, n: u128, format: FileFormat, seconds: usize) -> Vec<u8> {
        let bytes = wav(seconds);
        self.converter.tables.files.write(FileId(n), &bytes).unwrap();
        self.is_told(n, format).await;
        bytes
    }

    async fn is_told(&mut self, n: u128, format: FileFormat) {
        self.sequence += 1;
        let recording = Recording {
            tenant: TENANT,
            extension: ExtensionId(100_000),
            file: FileId(n),
            length_ms: 2_000,
            call: CallUuid(1),
            sub_call_id: n.to_string().into(),
            time: Wall(NIGHT.0 - 1_000_000),
            format,
        };
        let steps = [(self.sequence, vec![Record::Recording(Box::new(recording))])];
        let journal = JournalId { node: NODE, shard: 0 };
        let sizes: Sizes = [(FileId(n), 32_044)].into();
        self.converter.tables.store.apply(journal, self.sequence, &steps, &sizes).await.unwrap();
    }

    async fn row(&self, n: u128) -> StoredRecording {
        let row = self.converter.tables.store.recording_of(TENANT, &n.to_string()).await;
        row.unwrap().expect("it was told")
    }

    fn files(&self) -> &FileStore {
        &self.converter.tables.files
    }

    /// What a reader finds of it: the row, and the file that the row names.
    async fn read(&self, n: u128) -> (FileFormat, u64, Vec<u8>) {
        let row = self.row(n).await;
        let bytes = fs::read(self.files().path((FileId(n), row.format))).expect("what it names");
        assert_eq!(bytes.len() as u64, row.bytes, "{n}");
        (row.format, row.bytes, bytes)
    }

    /// Whether it is a file in Opus of so many seconds, alone and with its row.
    async fn is_opus(&self, n: u128, seconds: usize) {
        self.is_there_once(n, FileFormat::Opus, seconds).await;
    }

    /// The same of any format.
    async fn is_there_once(&self, n: u128, expected: FileFormat, seconds: usize) {
        let (format, _, bytes) = self.read(n).await;
        assert_eq!(format, expected, "{n}");
        let heard = match format {
            FileFormat::Wav => Wav::read(&bytes).ok(),
            FileFormat::Opus => hear_opus_file(&bytes),
            FileFormat::Mp3 => hear_mp3_file(&bytes),
        };
        let heard = heard.unwrap();
        let lengths = heard.channels.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths, [seconds * heard.rate_hz as usize]);
        let is_there = |format: &FileFormat| self.files().size((FileId(n), *format)).is_ok();
        let there: Vec<_> = FileFormat::ALL.into_iter().filter(is_there).collect();
        assert_eq!(there, [expected], "{n}");
        assert!(!self.files().temporary_path(FileId(n)).exists(), "{n}");
    }

    fn figures(&self) -> [u64; 3] {
        let figures = &self.converter.figures;
        [&figures.done, &figures.failures, &figures.given_up].map(|n| n.load(Ordering::Relaxed))
    }

    async fn ends(self) -> TempDir {
        self.converter.worker.end().await;
        self.dir
    }
}

#[tokio::test]
async fn each_recording_becomes_what_its_extension_wants_and_nothing_else_stays() {
    let mut bench = bench().await;
    let wanted = [(1, FileFormat::Opus), (2, FileFormat::Wav), (3, FileFormat::Mp3)];
    for (n, format) in wanted {
        bench.records(n, format, 2).await;
    }
    assert_eq!(bench.converter.convert_due().await, 2);
    for (n, format) in wanted {
        bench.is_there_once(n, format, 2).await;
    }
    assert_eq!((bench.converter.convert_due().await, bench.figures()), (0, [2, 0, 0]));
    bench.ends().await;
}

#[tokio::test]
async fn whenever_a_process_dies_the_next_one_has_a_file_that_its_row_names() {
    // How far the one that dies has come: nothing; half a new file; the new file; its row.
    let deaths = ["before it began", "in the middle", "before its row", "before the old one went"];
    let wanted = [FileFormat::Opus, FileFormat::Mp3];
    for (died, wanted) in deaths.into_iter().flat_map(|died| wanted.map(|wanted| (died, wanted))) {
        let mut bench = bench().await;
        let wav = bench.records(1, wanted, 2).await;
        let files = bench.files().clone();
        let new = (FileId(1), wanted);
        if died != "before it began" {
            bench.converter.convert_due().await;
            let made = fs::read(files.path(new)).unwrap();
            files.write(FileId(1), &wav).unwrap();
            if died != "before the old one went" {
                let store = &bench.converter.tables.store;
                let due = Conversion::Later { attempts: 0, due: NIGHT };
                // As if it had never been noted.
                let bytes = wav.len() as u64;
                let not_done = Conversion::Done { format: FileFormat::Wav, bytes };
                for conversion in [not_done, due] {
                    assert!(store.set_conversion(TENANT, FileId(1), conversion).await.unwrap());
                }
            }
            if died == "in the middle" {
                files.remove(new).unwrap();
                let mut half = files.create(FileId(1)).unwrap();
                std::io::Write::write_all(&mut half, &made[..made.len() / 2]).unwrap();
            }
        }
        let (format, ..) = bench.read(1).await;
        assert_eq!(format == wanted, died == "before the old one went", "{died}");
        let dir = bench.ends().await;

        let mut next = starts(dir, || NIGHT).await;
        let (format, _, bytes) = next.read(1).await;
        assert!(format == wanted || bytes == wav, "{died}");
        while next.converter.convert_due().await > 0 {}
        if died == "before the old one went" {
            // Nothing names it: the sweep takes it.
            assert!(next.files().remove(FileId(1)).unwrap());
        }
        next.is_there_once(1, wanted, 2).await;
        next.ends().await;
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_less_and_less_often_and_stays_wav_at_last() {
    let mut bench = bench().await;
    let wav = bench.records(1, FileFormat::Opus, 2).await;
    bench.records(2, FileFormat::Opus, 2).await;
    let in_the_way = bench.files().temporary_path(FileId(1));
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(bench.converter.convert_due().await, 2, "one that fails does not stop the next");
    bench.is_opus(2, 2).await;
    assert_eq!(bench.figures(), [1, 1, 0]);
    let later = |seconds: i64| Wall(NIGHT.0 + seconds * 1_000_000);
    let due = async |store: &Store, now: Wall| {
        let due = store.recordings_to_convert(NODE, now).await.unwrap();
        due.first().map(|due| due.attempts)
    };
    let store = bench.converter.tables.store.clone();
    assert_eq!((due(&store, later(59)).await, due(&store, later(60)).await), (None, Some(1)));
    // A minute, two, four ... and an hour at most.
    for (attempts, pause) in [(2, 120), (3, 240), (7, 3_600), (40, 3_600)] {
        assert_eq!(bench.converter.next_time(attempts), later(pause), "{attempts}");
    }
    bench.converter.wall = || Wall(NIGHT.0 + 1_000_000_000_000);
    let last = Conversion::Later { attempts: limits::CONVERT_ATTEMPTS_MAX - 1, due: NIGHT };
    assert!(store.set_conversion(TENANT, FileId(1), last).await.unwrap());
    assert_eq!(bench.converter.convert_due().await, 1);
    assert_eq!(bench.converter.convert_due().await, 0);
    assert_eq!(bench.figures(), [1, 1, 1]);
    assert_eq!(bench.row(1).await.format, FileFormat::Wav);
    assert_eq!(fs::read(bench.files().path(FileId(1))).unwrap(), wav);
    bench.ends().await;
}

#[tokio::test]
async fn a_broken_recording_is_given_up_at_once_and_a_removed_one_leaves_nothing() {
    let mut bench = bench().await;
    bench.files().write(FileId(1), &wav(2)[..20_000]).unwrap();
    bench.is_told(1, FileFormat::Opus).await;
    bench.is_told(2, FileFormat::Opus).await;
    assert_eq!(bench.converter.convert_due().await, 2);
    assert_eq!((bench.converter.convert_due().await, bench.figures()), (0, [0, 0, 2]));
    assert_eq!(bench.row(1).await.format, FileFormat::Wav);
    assert_eq!(bench.files().size(FileId(1)).unwrap(), 20_000);
    // Somebody removes a recording while it is converted: here, as if the row were another's.
    bench.records(3, FileFormat::Opus, 2).await;
    let (file, wanted) = (FileId(3), FileFormat::Opus);
    let gone = Unconverted { tenant: TenantId(2), file, wanted, attempts: 0 };
    bench.converter.convert(&gone).await;
    assert!(bench.files().size(file).is_err() && bench.files().size((file, wanted)).is_err());
    bench.ends().await;
}

#[tokio::test]
async fn a_database_from_a_backup_finds_what_was_converted_since() {
    let mut bench = bench().await;
    bench.records(1, FileFormat::Opus, 2).await;
    bench.converter.convert_due().await;
    let store = bench.converter.tables.store.clone();
    let older = [
        Conversion::Done { format: FileFormat::Wav, bytes: 32_044 },
        Conversion::Later { attempts: 0, due: NIGHT },
    ];
    for conversion in older {
        assert!(store.set_conversion(TENANT, FileId(1), conversion).await.unwrap());
    }
    assert_eq!(bench.converter.convert_due().await, 1);
    bench.is_opus(1, 2).await;
    bench.ends().await;
}

#[tokio::test]
async fn the_converter_is_rung_and_gives_up_a_long_one_when_the_node_stops() {
    let mut bench = bench().await;
    bench.records(1, FileFormat::Opus, 2).await;
    // Long enough that nobody waits for its end: two hours.
    let long = [&media::wav::pcm_header(48_000, 2, 1_382_400_000)[..], &[0; 1_000_000]].concat();
    bench.files().write(FileId(2), &long).unwrap();
    let path = bench.files().path(FileId(2));
    fs::File::options().write(true).open(&path).unwrap().set_len(1_382_400_044).unwrap();
    let Bench { converter, stop, sequence, dir } = bench;
    let (store, files) = (converter.tables.store.clone(), converter.tables.files.clone());
    let (recorded, figures) =
        (Arc::clone(&converter.tables.recorded), Arc::clone(&converter.figures));
    let running = tokio::spawn(converter.run());
    while figures.done.load(Ordering::Relaxed) < 1 {
        tokio::task::yield_now().await;
    }
    let journal = JournalId { node: NODE, shard: 0 };
    let recording = Recording {
        tenant: TENANT,
        extension: ExtensionId(100_000),
        file: FileId(2),
        length_ms: 2_000,
        call: CallUuid(1),
        sub_call_id: "2".into(),
        time: Wall(1),
        format: FileFormat::Opus,
    };
    let steps = [(sequence + 1, vec![Record::Recording(Box::new(recording))])];
    store.apply(journal, sequence + 1, &steps, &Sizes::new()).await.unwrap();
    recorded.notify_one();
    while !files.temporary_path(FileId(2)).exists() {
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    running.await.unwrap();
    assert!(!files.temporary_path(FileId(2)).exists() && files.size(FileId(2)).is_ok());
    let due = store.recordings_to_convert(NODE, NIGHT).await.unwrap();
    assert_eq!(due.len(), 1, "the next process does it");
    drop(dir);
}

#[tokio::test]
async fn a_conversion_that_cannot_be_noted_leaves_the_file_that_the_row_names() {
    let mut bench = bench().await;
    let wav = bench.records(1, FileFormat::Mp3, 2).await;
    let store = bench.converter.tables.store.clone();
    let due = store.recordings_to_convert(NODE, NIGHT).await.unwrap();
    // The database is away when the file is made, and the node stops meanwhile.
    store.close().await;
    let (file, wanted) = (FileId(1), FileFormat::Mp3);
    let files = bench.files().clone();
    let noted = async {
        while files.size((file, wanted)).is_err() {
            tokio::task::yield_now().await;
        }
        bench.stop.send_replace(true);
    };
    tokio::join!(bench.converter.convert(&due[0]), noted);
    assert_eq!(fs::read(files.path(file)).unwrap(), wav);
    let dir = bench.ends().await;
    let mut next = starts(dir, || NIGHT).await;
    assert_eq!(next.converter.convert_due().await, 1);
    next.is_there_once(1, wanted, 2).await;
    next.ends().await;
}
