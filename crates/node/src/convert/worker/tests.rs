//! Real files, and disks that fail.

use std::fs;
use std::io::Cursor;

use media::measure::{Coding, Wav, hear_mp3_file, hear_opus_file, pitch_at_rate_hz, sine_at_rate};
use media::wav::{LENGTH_UNKNOWN, pcm_header};

use super::*;

const FILE: FileId = FileId(0xab00_0000_0000_0000_0000_0000_0000_0001);
const OPUS: (FileId, FileFormat) = (FILE, FileFormat::Opus);
const JOB: Job = Job { file: FILE, wanted: FileFormat::Opus };
/// What a recording may become.
const JOBS: [Job; 2] = [JOB, Job { file: FILE, wanted: FileFormat::Mp3 }];

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
struct Disk(usize, io::ErrorKind, Cursor<Vec<u8>>);

fn disk(takes: usize) -> Disk {
    Disk(takes, io::ErrorKind::StorageFull, Cursor::default())
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = usize::try_from(self.2.position()).unwrap() + bytes.len();
        if end > self.0 { Err(self.1.into()) } else { self.2.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.2.seek(to)
    }
}

/// What a player plays of a file.
fn hear(format: FileFormat, bytes: &[u8]) -> Wav {
    let heard = match format {
        FileFormat::Wav => Wav::read(bytes).ok(),
        FileFormat::Opus => hear_opus_file(bytes),
        FileFormat::Mp3 => hear_mp3_file(bytes),
    };
    heard.unwrap_or_else(|| panic!("no whole file of {format:?}"))
}

#[test]
fn a_recording_becomes_a_file_with_the_caller_on_the_left_as_long_as_it_was() {
    for (job, smaller) in JOBS.into_iter().zip([5, 3]) {
        let (store, _folder) = store();
        let wav = recording(65.432);
        store.write(FILE, &wav).unwrap();
        let bytes = convert(&store, job, &going_on()).unwrap();
        let name = (FILE, job.wanted);
        assert_eq!(store.size(name).unwrap(), bytes);
        assert!(bytes * smaller < wav.len() as u64, "{bytes}");
        let heard = hear(job.wanted, &fs::read(store.path(name)).unwrap());
        let second = heard.rate_hz as usize;
        let expected = 65_432 * second / 1_000;
        assert_eq!(heard.channels.iter().map(Vec::len).collect::<Vec<_>>(), [expected, expected]);
        for (channel, hz) in heard.channels.iter().zip([440.0, 700.0]) {
            for n in [1, 30, 63] {
                let part = &channel[second * n..second * (n + 1)];
                let found = pitch_at_rate_hz(part, f64::from(heard.rate_hz)).unwrap();
                assert!((found - hz).abs() < 3.0, "{job:?}, second {n}: {found}");
            }
        }
        // The one that it was made of stays until somebody says otherwise.
        assert_eq!(fs::read(store.path(FILE)).unwrap(), wav);
        assert!(!store.temporary_path(FILE).exists());
    }
}

#[test]
fn what_is_no_whole_recording_stays_what_it_is_for_ever() {
    let good = recording(2.0);
    let unfinished = [&pcm_header(8_000, 1, LENGTH_UNKNOWN)[..], &[0; 16_000]].concat();
    let odd_rate = [&pcm_header(44_000, 1, 4)[..], &[0; 4]].concat();
    let table = [
        ("ends early", good[..good.len() - 1].to_vec()),
        ("ends within its head", good[..43].to_vec()),
        ("is empty", Vec::new()),
        ("was never completed", unfinished),
        ("has a rate of none of ours", odd_rate),
        ("is something else", b"ID3 and enough of other bytes behind it to be a head".to_vec()),
    ];
    for ((what, bytes), job) in table.iter().flat_map(|row| JOBS.map(|job| (row, job))) {
        let (store, _folder) = store();
        store.write(FILE, bytes).unwrap();
        let failure = convert(&store, job, &going_on()).unwrap_err();
        assert!(failure.is_lasting(), "{what}: {failure:?}");
        assert_eq!(fs::read(store.path(FILE)).unwrap(), *bytes, "{what}");
        let is_made = store.size((FILE, job.wanted)).is_ok();
        assert!(!is_made && !store.temporary_path(FILE).exists(), "{what}");
    }
}

#[test]
fn a_disk_that_is_full_is_asked_again() {
    for job in JOBS {
        let mut wav = Cursor::new(recording(4.0));
        let mut onto = |disk: &mut Disk| {
            wav.set_position(0);
            transcode(&mut wav, disk, job, &going_on())
        };
        let mut roomy = disk(1 << 20);
        let whole = usize::try_from(onto(&mut roomy).unwrap()).unwrap();
        assert_eq!(roomy.2.get_ref().len(), whole);
        assert_eq!(hear(job.wanted, roomy.2.get_ref()).channels.len(), 2);
        for taken in [0, 46, 47, 5_000, whole - 1] {
            let failure = onto(&mut disk(taken)).unwrap_err();
            let Failure::Write(ref error) = failure else { panic!("{taken}: {failure:?}") };
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{taken}");
            assert!(!failure.is_lasting());
        }
        assert!(onto(&mut disk(whole)).is_ok());
    }
}

/// Where an encoder would panic, for all that the worker sees of it.
struct Trap;

impl Read for Trap {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("as an encoder may")
    }
}

#[test]
fn a_panic_costs_its_own_conversion_alone() {
    for job in JOBS {
        let failure = transcode(&mut Trap, &mut disk(1), job, &going_on()).unwrap_err();
        assert!(matches!(failure, Failure::Panicked) && failure.is_lasting(), "{failure:?}");
    }
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

/// Set for the process in which no file may become large, with the folder of the files.
const LITTLE_ROOM: &str = "TEST_CONVERTS_WITH_LITTLE_ROOM";

#[test]
fn a_disk_that_is_full_in_the_middle_costs_an_attempt_and_no_file() {
    if let Some(folder) = std::env::var_os(LITTLE_ROOM) {
        return converts_in_vain(&FileStore::new(std::path::PathBuf::from(folder)));
    }
    let (store, folder) = store();
    let wav = recording(30.0);
    store.write(FILE, &wav).unwrap();
    // Files of 16 kilobytes, or 32, as the shell counts.
    let little_room = "trap '' XFSZ; ulimit -f 32; exec \"$@\"";
    let name = std::thread::current().name().unwrap().to_owned();
    let child = std::process::Command::new("sh")
        .args(["-c", little_room, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(LITTLE_ROOM, folder.path().join("files"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("full twice"), "{child:?}");
    assert_eq!(fs::read(store.path(FILE)).unwrap(), wav);
    for job in JOBS {
        let bytes = convert(&store, job, &going_on()).unwrap();
        assert!(bytes > 64_000, "{bytes} bytes did not fit there");
        let heard = hear(job.wanted, &fs::read(store.path((FILE, job.wanted))).unwrap());
        assert_eq!(heard.channels[0].len(), 30 * heard.rate_hz as usize);
    }
}

fn converts_in_vain(store: &FileStore) {
    for job in JOBS {
        let failure = convert(store, job, &going_on()).unwrap_err();
        assert!(matches!(failure, Failure::Write(_)) && !failure.is_lasting(), "{failure:?}");
        assert!(!store.temporary_path(FILE).exists(), "{:?}", job.wanted);
        assert!(store.size((FILE, job.wanted)).is_err(), "{:?}", job.wanted);
    }
    println!("full twice");
}
