//! The threads over real files.

use std::fs;

use leg::RecorderId;
use media::measure::{Coding, Wav, sine_at_rate, strength_at_rate_dbfs};
use media::wav::{LENGTH_UNKNOWN, pcm_header};
use model::{FileFormat, TenantId};

use super::*;
use crate::inbox::{Inbox, inbox};
use crate::mailbox::Mail;

struct Bench {
    store: FileStore,
    files: Files,
    threads: FileThreads,
    owner: Owner,
    events: Inbox<Letter>,
    folder: tempfile::TempDir,
}

fn bench(queue: usize) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("files"));
    let (files, threads) = Files::start(store.clone()).unwrap();
    let (shard, events) = inbox(queue).unwrap();
    let owner = Owner { shard, media: Arc::new(Mailbox::new().unwrap()) };
    Bench { store, files, threads, owner, events, folder }
}

const FILE: FileId = FileId(0xab00_0000_0000_0000_0000_0000_0000_0001);

fn tape(n: u64) -> Tape {
    Tape { media: 0, recording: Recording(n) }
}

fn taken(file: FileId, recorder: u32) -> Taken {
    Taken {
        tenant: TenantId(1),
        call: CallId(2),
        leg: LegId(3),
        recorder: RecorderId(recorder),
        file,
        rate_hz: 8_000,
        channels: 2,
    }
}

impl Bench {
    fn begin(&self, n: u64, file: FileId) {
        let recorder = u32::try_from(n).unwrap();
        self.files.begin(tape(n), taken(file, recorder), self.owner.clone()).unwrap();
    }

    /// What the shard was told until everything was done.
    fn told(self) -> (Vec<MediaEventKind>, FileStore, tempfile::TempDir) {
        let Bench { store, files, threads, owner, events, folder } = self;
        drop((files, owner));
        threads.join();
        let kinds = core::iter::from_fn(|| events.next()).map(|letter| match letter {
            Letter::Input(Input::Media(TenantId(1), event)) => event.kind,
            other => panic!("{other:?}"),
        });
        (kinds.collect(), store, folder)
    }
}

/// Waits for what the mailbox gets.
fn mail(mailbox: &Mailbox, enough: impl Fn(&Mail) -> bool) -> Mail {
    let mut mail = Mail::default();
    while !enough(&mail) {
        std::thread::yield_now();
        mailbox.take(&mut mail);
    }
    mail
}

#[test]
fn a_recording_lies_under_its_name_when_it_is_complete() {
    let bench = bench(64);
    bench.begin(1, FILE);
    bench.files.more(tape(1), &[1, 0, 255, 255].repeat(8_000)).unwrap();
    bench.files.more(tape(1), &[2, 0, 0, 0].repeat(4_000)).unwrap();
    bench.files.end(tape(1)).unwrap();
    let (told, store, _folder) = bench.told();
    let recorder = RecorderId(1);
    assert_eq!(told, [MediaEventKind::Recorded { recorder, length_ms: 1_500 }]);
    let wav = Wav::read(&fs::read(store.path(FILE)).unwrap()).unwrap();
    assert_eq!((wav.rate_hz, wav.channels.len()), (8_000, 2));
    assert_eq!((wav.channels[0][7_999], wav.channels[1][0], wav.channels[0][11_999]), (1, -1, 2));
    assert!(!store.temporary_path(FILE).exists());
}

#[test]
fn a_recording_that_moves_is_told_where_it_is() {
    let bench = bench(64);
    bench.begin(1, FILE);
    bench.files.more(tape(1), &[0; 16_000]).unwrap();
    bench.files.moved(tape(1), CallId(20), LegId(30)).unwrap();
    bench.files.more(tape(1), &[0; 16_000]).unwrap();
    bench.files.end(tape(1)).unwrap();
    let Bench { files, threads, owner, events, store, folder: _folder } = bench;
    drop((files, owner));
    threads.join();
    let Some(Letter::Input(Input::Media(_, event))) = events.next() else { panic!("no event") };
    assert_eq!((event.call, event.leg), (CallId(20), LegId(30)));
    assert_eq!(store.size(FILE).unwrap(), 32_044, "in one file");
}

#[test]
fn a_recording_that_cannot_be_written_fails_alone() {
    let bench = bench(64);
    // A folder where the file's folder should be made.
    fs::create_dir_all(bench.folder.path().join("files")).unwrap();
    fs::write(bench.folder.path().join("files/ab"), "").unwrap();
    let other = FileId(7);
    bench.begin(1, FILE);
    bench.begin(2, other);
    for n in [1, 2] {
        bench.files.more(tape(n), &[0; 3_200]).unwrap();
        bench.files.end(tape(n)).unwrap();
    }
    let failed = mail(&bench.owner.media, |mail| !mail.failed_recordings.is_empty());
    assert_eq!(failed.failed_recordings, [Recording(1)]);
    let (told, store, _folder) = bench.told();
    let done = MediaEventKind::Recorded { recorder: RecorderId(2), length_ms: 100 };
    assert_eq!(told, [MediaEventKind::RecordingFailed(RecorderId(1)), done]);
    assert!(store.size(other).is_ok());
}

#[test]
fn a_name_is_given_once() {
    let bench = bench(64);
    bench.store.write(FILE, b"an older file").unwrap();
    let twice = FileId(7);
    // One that was converted since.
    let converted = FileId(8);
    let other = bench.store.create(converted).unwrap();
    bench.store.finish((converted, FileFormat::Mp3), &other).unwrap();
    for (n, file) in [(1, FILE), (2, twice), (3, twice), (4, converted)] {
        bench.begin(n, file);
    }
    (1..=4).for_each(|n| bench.files.end(tape(n)).unwrap());
    let (told, store, _folder) = bench.told();
    let failed = |n| MediaEventKind::RecordingFailed(RecorderId(n));
    let done = MediaEventKind::Recorded { recorder: RecorderId(2), length_ms: 0 };
    assert_eq!(told, [failed(1), failed(3), failed(4), done]);
    assert_eq!(fs::read(store.path(FILE)).unwrap(), b"an older file");
}

#[test]
fn a_recording_that_does_not_get_its_name_is_thrown_away() {
    let bench = bench(64);
    bench.begin(1, FILE);
    bench.files.more(tape(1), &[0; 3_200]).unwrap();
    let part = bench.store.temporary_path(FILE);
    while !part.exists() {
        std::thread::yield_now();
    }
    // Where the file should lie is a folder with something in it.
    fs::create_dir_all(bench.store.path(FILE).join("in the way")).unwrap();
    bench.files.end(tape(1)).unwrap();
    let failed = mail(&bench.owner.media, |mail| !mail.failed_recordings.is_empty());
    assert_eq!(failed.failed_recordings, [Recording(1)]);
    let (told, _store, _folder) = bench.told();
    assert_eq!(told, [MediaEventKind::RecordingFailed(RecorderId(1))]);
    assert!(!part.exists());
}

#[test]
fn a_recording_that_found_the_queue_full_is_thrown_away() {
    let bench = bench(64);
    bench.begin(1, FILE);
    // Someone else's orders fill the queue faster than the disk takes them.
    let part = vec![0; 1 << 16];
    let mut refused = false;
    for _ in 0..1_000_000 {
        refused = bench.files.more(tape(1), &part).is_err();
        if refused {
            break;
        }
    }
    assert!(refused, "a queue has a bound");
    let (told, store, _folder) = bench.told();
    assert_eq!(told, [], "who was refused tells the owner");
    assert!(store.size(FILE).is_err() && !store.temporary_path(FILE).exists());
}

#[test]
fn an_event_waits_for_room_in_the_shards_queue() {
    let bench = bench(1);
    bench.owner.shard.try_send(Letter::Listen).unwrap();
    bench.begin(1, FILE);
    bench.files.end(tape(1)).unwrap();
    while bench.store.size(FILE).is_err() {
        std::thread::yield_now();
    }
    assert!(matches!(bench.events.next(), Some(Letter::Listen)));
    let told = loop {
        if let Some(letter) = bench.events.next() {
            break letter;
        }
        std::thread::yield_now();
    };
    assert!(matches!(told, Letter::Input(Input::Media(..))));
}

#[test]
fn a_stop_completes_what_is_being_recorded() {
    let bench = bench(64);
    bench.begin(1, FILE);
    bench.files.more(tape(1), &[0; 32_000]).unwrap();
    let (told, store, _folder) = bench.told();
    assert_eq!(told, [MediaEventKind::Recorded { recorder: RecorderId(1), length_ms: 1_000 }]);
    assert_eq!(store.size(FILE).unwrap(), 32_044);
}

#[test]
fn sounds_of_any_rate_and_both_sides_come_as_one_channel() {
    let bench = bench(64);
    let tone = |hz: f64| sine_at_rate(hz, -12.0, 16_000, 16_000);
    let wav = Wav { rate_hz: 16_000, channels: vec![tone(700.0), tone(1_300.0)] };
    bench.store.write(FILE, &wav.write(Coding::Linear)).unwrap();
    bench.store.write(FileId(2), b"RIFF and nothing more").unwrap();
    let slow = Wav { rate_hz: 100, channels: vec![vec![0]] };
    bench.store.write(FileId(3), &slow.write(Coding::Linear)).unwrap();
    for file in [FILE, FileId(2), FileId(3), FileId(4), FILE] {
        bench.files.read(file, &bench.owner.media).unwrap();
    }
    let mail = mail(&bench.owner.media, |mail| mail.files.len() == 5);
    let sounds: Vec<_> = mail.files.into_iter().map(|(_, sound)| sound).collect();
    assert!(sounds[1..4].iter().all(Option::is_none));
    let (first, again) = (sounds[0].as_ref().unwrap(), sounds[4].as_ref().unwrap());
    assert!(Arc::ptr_eq(&first.samples, &again.samples), "read once");
    assert_eq!((first.rate.hz(), first.samples.len()), (16_000, 16_000));
    for hz in [700.0, 1_300.0] {
        assert!((strength_at_rate_dbfs(&first.samples, hz, 16_000.0) + 18.0).abs() < 0.3, "{hz}");
    }
}

#[test]
fn what_a_dead_process_has_left_is_completed_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("files"));
    let unfinished =
        |bytes: usize| [&pcm_header(8_000, 2, LENGTH_UNKNOWN)[..], &vec![1; bytes]].concat();
    let left = [
        (FileId(1), unfinished(40_003), Some(40_000 + 44)),
        (FileId(2), unfinished(31_999), None),
        (FileId(3), b"RIFF".to_vec(), None),
        (FileId(4), Wav::mono(vec![0; 20_000]).write(Coding::Linear)[..30_000].to_vec(), None),
    ];
    for (file, bytes, _) in &left {
        std::io::Write::write_all(&mut store.create(*file).unwrap(), bytes).unwrap();
    }
    store.write(FileId(5), b"whole").unwrap();
    complete_leftovers(&store);
    for (file, _, size) in left {
        assert_eq!(store.size(file).ok(), size, "{file}");
        assert!(!store.temporary_path(file).exists());
    }
    let wav = Wav::read(&fs::read(store.path(FileId(1))).unwrap()).unwrap();
    assert_eq!(wav.channels[1].len(), 10_000);
    assert_eq!(fs::read(store.path(FileId(5))).unwrap(), b"whole");
}

#[test]
fn what_an_earlier_process_has_recorded_is_found_by_who_looks_for_it() {
    let bench = bench(64);
    bench.begin(1, FILE);
    bench.files.more(tape(1), &[0; 32_000]).unwrap();
    bench.files.end(tape(1)).unwrap();
    let mp3 = FileId(8);
    bench.store.write(mp3, b"no recording of ours, though it is long enough to be one").unwrap();
    for (recorder, file) in [(2, FILE), (3, mp3), (4, FileId(9))] {
        let Taken { tenant, call, leg, .. } = taken(file, recorder);
        let recorder = RecorderId(recorder);
        let sought = Sought { tenant, call, leg, recorder, file };
        bench.files.find(sought, bench.owner.shard.clone());
    }
    let (told, _store, _folder) = bench.told();
    let recorded = |n| MediaEventKind::Recorded { recorder: RecorderId(n), length_ms: 1_000 };
    let failed = |n| MediaEventKind::RecordingFailed(RecorderId(n));
    assert_eq!(told, [recorded(1), recorded(2), failed(3), failed(4)]);
}
