//! What a minute of a recording costs to make Opus in Ogg or MP3, and how large it gets.
//!
//! `cargo run --release -p media --example record_bench`; with a number, minutes of each.
//! Processor's time, not time that passed, so that other work on the machine counts little.

use media::measure::{hear_mp3_file, hear_opus_file};
use media::mp3_file::Mp3File;
use media::opus_file::OpusFile;
use media::resample;
use media::speech;
use model::{Language, Spoken};

fn main() {
    let minutes = std::env::args().nth(1).and_then(|n| n.parse::<u32>().ok()).unwrap_or(5).max(1);
    println!("{minutes} minutes each, two who speak in turn");
    for (name, rate_hz, channels) in [
        ("8 kHz, one channel", 8_000, 1),
        ("8 kHz, two channels", 8_000, 2),
        ("16 kHz, one channel", 16_000, 1),
        ("16 kHz, two channels", 16_000, 2),
    ] {
        let sound = talk(rate_hz, channels);
        let samples = 60 * rate_hz as usize * usize::from(channels) * minutes as usize;
        let sound: Vec<i16> = sound.into_iter().cycle().take(samples).collect();
        for (format, encode) in [("Opus", opus as Encode), ("MP3", mp3)] {
            let before = processor_ms();
            let bytes = encode(&sound, rate_hz, channels);
            let ms = processor_ms() - before;
            let heard = match format {
                "MP3" => hear_mp3_file(&bytes),
                _ => hear_opus_file(&bytes),
            };
            let heard = heard.expect("what was written can be read");
            let seconds = heard.channels[0].len() / heard.rate_hz as usize;
            assert_eq!(seconds, 60 * minutes as usize);
            let (each, size) = (ms / u64::from(minutes), bytes.len() / minutes as usize);
            println!("{format}, {name}: {each} ms a minute, {} kB a minute", size / 1_000);
        }
    }
}

/// Makes a file of samples, the channels in turn.
type Encode = fn(&[i16], u32, u16) -> Vec<u8>;

/// As much at a time as the switch takes.
const PART: usize = 8_000;

fn opus(sound: &[i16], rate_hz: u32, channels: u16) -> Vec<u8> {
    let mut file = OpusFile::begin(rate_hz, channels, 1).expect("a rate of ours");
    let mut bytes = Vec::new();
    for part in sound.chunks(PART) {
        file.add(part).expect("memory");
        bytes.extend(file.take());
    }
    bytes.extend(file.end().expect("memory"));
    bytes
}

fn mp3(sound: &[i16], rate_hz: u32, channels: u16) -> Vec<u8> {
    let mut file = Mp3File::begin(rate_hz, channels).expect("a rate of ours");
    let mut bytes = Vec::new();
    for part in sound.chunks(PART) {
        file.add(part).expect("memory");
        bytes.extend(file.take());
    }
    let ended = file.end();
    bytes.extend(ended.rest);
    // Its head knows the length at last.
    bytes.splice(..ended.first.len(), ended.first);
    bytes
}

/// Some seconds of two voices, one after the other, each in its channel where there are two.
fn talk(rate_hz: u32, channels: u16) -> Vec<i16> {
    let says = |spoken| resample::convert(&speech::samples(Language::En, spoken), 8_000, rate_hz);
    let (one, other) = (says(Spoken::LeaveMessage), says(Spoken::MessageMenu));
    let mut sound = Vec::new();
    for (part, side) in [(one, 0), (other, 1)] {
        for sample in part {
            match channels {
                1 => sound.push(sample),
                _ if side == 0 => sound.extend([sample, 0]),
                _ => sound.extend([0, sample]),
            }
        }
    }
    sound
}

/// The time that this process has had of the processor, by the kernel's count of ticks.
fn processor_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    // 100 ticks a second, in the mode of the user and of the kernel.
    (ticks(11) + ticks(12)) * 10
}
