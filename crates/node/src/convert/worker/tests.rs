//! Real files, and disks that fail.

use std::fs;
use std::io::Cursor;

use media::measure::{Coding, Wav, hear_opus_file, pitch_at_rate_hz, sine_at_rate};
use media::wav::{LENGTH_UNKNOWN, pcm_header};

use super::*;

const FILE: FileId = FileId(0xab00_0000_0000_0000_0000_0000_0000_0001);
const OPUS: (FileId, FileFormat) = (FILE, FileFormat::Opus);
const JOB: Job = Job { file: FILE, wanted: FileFormat::Opus };

/// A recording of the caller on the left and the called one on the right.
fn recording(seconds: f64) -> Vec<u8> {
    let samples = (seconds * 8_000.0) as usize;
    let tone = |hz| sine_at_rate(hz, -12.0, samples, 8_000);
    Wav { rate_hz: 8_000, channels: vec![tone(440.0), tone(700.0)] }.write(Coding::Linear)
}

fn store() -> (FileStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (FileStore::new(folder.path().join("files")), folder)
}

fn going_on() -> AtomicBool {
    AtomicBool::new(false)
}

/// Takes so many bytes, then says this.
struct Disk(usize, io::ErrorKind);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(self.1)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_recording_becomes_a_file_with_the_caller_on_the_left_as_long_as_it_was() {
    let (store, _folder) = store();
    let wav = recording(65.432);
    store.write(FILE, &wav).unwrap();
    let bytes = convert(&store, JOB, &going_on()).unwrap();
    assert_eq!(store.size(OPUS).unwrap(), bytes);
    assert!(bytes * 5 < wav.len() as u64, "{bytes}");
    let heard = hear_opus_file(&fs::read(store.path(OPUS)).unwrap()).unwrap();
    let expected = 65_432 * 48;
    assert_eq!(heard.channels.iter().map(Vec::len).collect::<Vec<_>>(), [expected, expected]);
    for (channel, hz) in heard.channels.iter().zip([440.0, 700.0]) {
        for second in [1, 30, 63] {
            let part = &channel[48_000 * second..48_000 * (second + 1)];
            let found = pitch_at_rate_hz(part, 48_000.0).unwrap();
            assert!((found - hz).abs() < 3.0, "second {second}: {found}");
        }
    }
    // The one that it was made of stays until somebody says otherwise.
    assert_eq!(fs::read(store.path(FILE)).unwrap(), wav);
    assert!(!store.temporary_path(FILE).exists());
}

#[test]
fn what_is_no_whole_recording_stays_what_it_is_for_ever() {
    let good = recording(2.0);
    let unfinished = [&pcm_header(8_000, 1, LENGTH_UNKNOWN)[..], &[0; 16_000]].concat();
    let odd_rate = [&pcm_header(44_100, 1, 4)[..], &[0; 4]].concat();
    let table = [
        ("ends early", good[..good.len() - 1].to_vec()),
        ("ends within its head", good[..43].to_vec()),
        ("is empty", Vec::new()),
        ("was never completed", unfinished),
        ("has a rate of none of ours", odd_rate),
        ("is something else", b"ID3 and enough of other bytes behind it to be a head".to_vec()),
    ];
    for (what, bytes) in table {
        let (store, _folder) = store();
        store.write(FILE, &bytes).unwrap();
        let failure = convert(&store, JOB, &going_on()).unwrap_err();
        assert!(failure.is_lasting(), "{what}: {failure:?}");
        assert_eq!(fs::read(store.path(FILE)).unwrap(), bytes, "{what}");
        assert!(store.size(OPUS).is_err() && !store.temporary_path(FILE).exists(), "{what}");
    }
}

#[test]
fn a_disk_that_is_full_is_asked_again() {
    let onto =
        |disk: &mut Disk| transcode(&mut Cursor::new(recording(4.0)), disk, FILE, &going_on());
    let whole = onto(&mut Disk(1 << 20, io::ErrorKind::StorageFull)).unwrap();
    let whole = usize::try_from(whole).unwrap();
    for taken in [0, 46, 47, 5_000, whole - 1] {
        let mut disk = Disk(taken, io::ErrorKind::StorageFull);
        let failure = onto(&mut disk).unwrap_err();
        let Failure::Write(ref error) = failure else { panic!("{taken}: {failure:?}") };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{taken}");
        assert!(!failure.is_lasting());
    }
    assert!(onto(&mut Disk(whole, io::ErrorKind::StorageFull)).is_ok());
}

#[test]
fn a_new_file_that_cannot_be_made_leaves_the_old_one() {
    let (store, _folder) = store();
    let wav = recording(2.0);
    store.write(FILE, &wav).unwrap();
    // A folder lies where the new file should be written.
    fs::create_dir(store.temporary_path(FILE)).unwrap();
    let failure = convert(&store, JOB, &going_on()).unwrap_err();
    assert!(matches!(failure, Failure::Write(_)), "{failure:?}");
    assert!(!failure.is_lasting());
    assert_eq!(fs::read(store.path(FILE)).unwrap(), wav);
    assert!(store.size(OPUS).is_err());
    fs::remove_dir(store.temporary_path(FILE)).unwrap();
    assert!(convert(&store, JOB, &going_on()).is_ok());
}

#[test]
fn a_file_that_is_there_already_is_what_its_row_wants() {
    let (store, _folder) = store();
    let failure = convert(&store, JOB, &going_on()).unwrap_err();
    assert!(matches!(failure, Failure::Missing) && failure.is_lasting(), "{failure:?}");
    store.write(FILE, &recording(2.0)).unwrap();
    let bytes = convert(&store, JOB, &going_on()).unwrap();
    store.remove(FILE).unwrap();
    assert_eq!(convert(&store, JOB, &going_on()).unwrap(), bytes);
    // A file of a process that was killed before its row was written is made anew.
    store.write(FILE, &recording(3.0)).unwrap();
    assert!(convert(&store, JOB, &going_on()).unwrap() > bytes);
}

#[test]
fn a_stop_leaves_nothing_half() {
    let (store, _folder) = store();
    store.write(FILE, &recording(2.0)).unwrap();
    let failure = convert(&store, JOB, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(failure, Failure::Stopped), "{failure:?}");
    assert!(store.size(FILE).is_ok() && store.size(OPUS).is_err());
    assert!(!store.temporary_path(FILE).exists());
}

#[tokio::test]
async fn the_worker_s_thread_alone_is_the_least_important() {
    let priority = || rustix::process::getpriority_process(None).unwrap();
    let before = priority();
    let (store, folder) = store();
    store.write(FILE, &recording(1.0)).unwrap();
    let worker = Worker::start(store).unwrap();
    let (_stop, mut stopped) = watch::channel(false);
    worker.convert(FILE, FileFormat::Opus, &mut stopped).await.unwrap();
    assert_eq!(priority(), before);
    // The kernel's list of this process's threads: name and nice value are the 2nd and 19th field.
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let stats =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    let nice = stats.filter_map(|stat| {
        let (head, rest) = stat.rsplit_once(") ")?;
        head.ends_with("(files-convert").then(|| rest.split(' ').nth(16).map(str::to_owned))?
    });
    assert!(nice.into_iter().any(|nice| nice == "19"));
    worker.end().await;
    drop(folder);
}
