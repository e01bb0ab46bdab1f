//! Recordings of talks, as they lie on the disk after whatever happened to the switch.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loadgen::watch;
use media::measure::{hear_mp3_file, pitch_at_rate_hz, sine_at_rate};
use media::wav::{Coding, Wav};
use model::{FileFormat, FileId, Wall};
use serde_json::json;
use store::{Conversion, FileStore};

use crate::support::records::{RecordingRow, recordings};
use crate::support::wire_phone::WirePhone;
use crate::support::{BOUND, Site, site};

const CALLER_HZ: u32 = 440;
const CALLED_HZ: u32 = 620;
/// So long that nobody has converted it before it is seen that it began.
const LONG_SECONDS: usize = 600;

/// 100 calls 101 and hangs up after so long; each says its tone.
fn talk(site: &Site, length: Duration) {
    let mut caller = WirePhone::registered(site, "100", "udp");
    let mut called = WirePhone::registered(site, "101", "udp");
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            let call = caller.dials("101");
            caller.talks(&call, CALLER_HZ, length);
            caller.hangs_up(&call);
        });
        let call = called.is_called();
        called.talks(&call, CALLED_HZ, length);
        calling.join().expect("the caller talks");
    });
}

/// The only recording, once its row says that it is MP3.
fn converted(site: &Site) -> RecordingRow {
    let found = watch::until(site.data_dir(), BOUND * 3, "the recording as MP3", || {
        let rows = recordings(site);
        anyhow::ensure!(rows.len() <= 1, "there are more: {rows:?}");
        Ok(rows.into_iter().find(|row| row.format == "mp3"))
    });
    found.expect("it is converted")
}

fn files(site: &Site) -> FileStore {
    FileStore::new(site.data_dir().join("files"))
}

/// What a player plays of a recording, whose file is as large as its row says.
fn hear(site: &Site, row: &RecordingRow) -> Wav {
    let bytes = fs::read(files(site).path((row.file, FileFormat::Mp3))).expect("the file is there");
    assert_eq!(bytes.len() as u64, row.bytes);
    hear_mp3_file(&bytes).expect("it is whole")
}

fn folder(site: &Site, file: FileId) -> PathBuf {
    files(site).path(file).parent().expect("a folder").to_owned()
}

/// What lies in a folder.
fn lying(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[track_caller]
fn assert_tone(samples: &[i16], rate_hz: u32, hz: u32) {
    let heard = pitch_at_rate_hz(samples, f64::from(rate_hz));
    assert!(heard.is_some_and(|heard| (heard - f64::from(hz)).abs() < 5.0), "{heard:?}, not {hz}");
}

#[test]
fn a_recording_is_there_once_and_whole_whenever_the_switch_was_killed() {
    let Some(mut site) = site(&[]) else { return };
    let on = json!({"record_enabled": true, "record_stereo": true});
    let answer = site.api().put("/extension/@100/phone/", &on).expect("the API answers");
    assert_eq!(answer.status, 200, "{answer:?}");
    talk(&site, Duration::from_secs(3));

    // As the talk ends: its file may be under way, complete, or waiting to be converted.
    site.kill_and_restart();
    let row = converted(&site);
    let heard = hear(&site, &row);
    let [left, right] = heard.channels.as_slice() else { panic!("two channels") };
    let second = heard.rate_hz as usize;
    assert!((2 * second..5 * second).contains(&left.len()), "{} samples", left.len());
    for (channel, hz) in [(left, CALLER_HZ), (right, CALLED_HZ)] {
        assert_tone(&channel[second / 2..second * 3 / 2], heard.rate_hz, hz);
    }

    // A talk as long as some are, to be converted by the next process.
    let tone = sine_at_rate(f64::from(CALLED_HZ), -12.0, LONG_SECONDS * 8_000, 8_000);
    let wav = Wav { rate_hz: 8_000, channels: vec![tone] }.write(Coding::Linear);
    let (long, lasting) = (files(&site), Conversion::Done { format: FileFormat::Wav, bytes: 0 });
    site.restart_with(async |store, tenant| {
        long.write(row.file, &wav).expect("room on the disk");
        long.remove((row.file, FileFormat::Mp3)).expect("a disk");
        for conversion in [lasting, Conversion::Later { attempts: 0, due: Wall(0) }] {
            let noted = store.set_conversion(tenant, row.file, conversion).await;
            assert!(noted.expect("a database"));
        }
    });
    // In the middle of it.
    let (of, part) = (folder(&site, row.file), files(&site).temporary_path(row.file));
    let has_begun = || Ok(fs::metadata(&part).ok().filter(|part| part.len() > 0));
    watch::until(&of, BOUND * 3, "a conversion under way", has_begun).expect("it begins");
    let names = |ends: &[&str]| ends.iter().map(|end| format!("{}.{end}", row.file)).collect();
    let half: Vec<String> = names(&["part", "wav"]);
    site.restart_with(async |_, _| {
        assert_eq!(lying(&of), half, "it was killed in the middle");
    });

    let row = converted(&site);
    let whole: Vec<String> = names(&["mp3"]);
    let is_alone = || Ok((lying(&of) == whole).then_some(()));
    watch::until(&of, BOUND, "the MP3 file alone", is_alone).expect("the WAV file goes");
    let heard = hear(&site, &row);
    let lengths: Vec<_> = heard.channels.iter().map(Vec::len).collect();
    assert_eq!((heard.rate_hz, lengths), (8_000, vec![LONG_SECONDS * 8_000]));
    for at in [1, LONG_SECONDS / 2, LONG_SECONDS - 2] {
        assert_tone(&heard.channels[0][at * 8_000..(at + 1) * 8_000], 8_000, CALLED_HZ);
    }
}
