//! Packets in any order and time; frames measured.

use super::*;
use crate::codec::Encoder;
use crate::g711;
use crate::measure::{gaps, level_dbfs, longest_gap, pitch_at_rate_hz, sine_at_rate};

/// A buffer on a clock: pulls at 0, 20, 40 ms...
struct Bench {
    jitter: Jitter,
    codec: Codec,
    /// Payloads of a tone, one for each 20 ms.
    payloads: Vec<Vec<u8>>,
    heard: Vec<i16>,
    late: usize,
    /// What waited before each pull, ms.
    depths: Vec<f64>,
}

impl Bench {
    fn new(codec: Codec) -> Bench {
        let rate = Rate::of(codec);
        let mut encoder = Encoder::new(codec);
        let sound = sine_at_rate(500.0, -12.0, rate.frame() * 600, rate.hz());
        let payload = |frame: &[i16]| {
            let mut payload = Vec::new();
            encoder.encode(frame, &mut payload);
            payload
        };
        let payloads = sound.chunks(rate.frame()).map(payload).collect();
        Bench {
            jitter: Jitter::default(),
            codec,
            payloads,
            heard: Vec::new(),
            late: 0,
            depths: Vec::new(),
        }
    }

    /// Runs for some frames; `arrival` says when packet n comes, in ms, or never.
    fn run(&mut self, frames: u64, arrival: impl Fn(u64) -> Option<f64>) {
        let mut coming: Vec<(u64, u64)> =
            (0..frames).filter_map(|n| Some(((arrival(n)? * 1_000.0) as u64, n))).collect();
        coming.sort_unstable();
        let mut coming = coming.into_iter().peekable();
        for tick in 0..frames {
            let due = tick * 20_000;
            while let Some((at, n)) = coming.next_if(|(at, _)| *at <= due) {
                let payload = &self.payloads[n as usize];
                let unit = if self.codec == Codec::Opus { 960 } else { 160 };
                // The circle of timestamps closes on the way.
                let timestamp = (u32::try_from(n).unwrap() * unit).wrapping_sub(1_000);
                let times = (Mono(at), Mono(due));
                let laid = self.jitter.insert(times, timestamp, self.codec, payload);
                self.late += usize::from(laid.is_err());
            }
            self.depths.push(self.jitter.depth().as_secs_f64() * 1_000.0);
            let (rate, frame) = self.jitter.pull();
            // Before the first packet nobody knows the codec.
            let (rate, own) = (rate.frame(), Rate::of(self.codec).frame());
            if rate == own {
                self.heard.extend(frame);
            } else {
                self.heard.resize(self.heard.len() + own, 0);
            }
        }
    }

    /// From the first sound on.
    fn sound(&self) -> &[i16] {
        let begin = self.heard.iter().position(|s| s.unsigned_abs() > 500).unwrap();
        &self.heard[begin..]
    }

    fn rate(&self) -> f64 {
        f64::from(Rate::of(self.codec).hz())
    }
}

const PHONES: [Codec; 4] = Codec::ALL;

/// The largest step between two samples, against that of the tone.
fn roughness(samples: &[i16], rate: f64) -> f64 {
    let step = samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
    let tone = 8_231.0 * core::f64::consts::TAU * 500.0 / rate;
    f64::from(step.unwrap_or(0)) / tone
}

#[test]
fn a_steady_stream_is_heard_whole_with_the_delay_that_it_began_with() {
    for codec in PHONES {
        for phase in [0.5, 7.0, 13.0, 19.5] {
            let mut bench = Bench::new(codec);
            bench.run(300, |n| Some(n as f64 * 20.0 + phase));
            let rate = bench.rate();
            let begin = bench.heard.iter().position(|s| s.unsigned_abs() > 500).unwrap();
            // A codec has a delay of its own; Opus 6.5 ms, G.722 1.4 ms.
            let delay = begin as f64 / rate * 1_000.0 - phase;
            assert!((24.0..35.0).contains(&delay), "{codec:?} {phase}: {delay}");
            let sound = &bench.sound()[rate as usize / 10..];
            assert!((pitch_at_rate_hz(sound, rate).unwrap() - 500.0).abs() < 2.0);
            assert!((level_dbfs(sound) + 12.0).abs() < 0.7, "{codec:?}");
            assert_eq!((bench.late, gaps(sound, 64).len()), (0, 0), "{codec:?}");
        }
    }
}

#[test]
fn lost_packets_are_made_up() {
    for codec in PHONES {
        let mut bench = Bench::new(codec);
        bench.run(300, |n| (n % 10 != 7).then_some(n as f64 * 20.0 + 5.0));
        let rate = bench.rate();
        let sound = &bench.sound()[rate as usize / 10..];
        assert!((pitch_at_rate_hz(sound, rate).unwrap() - 500.0).abs() < 2.0, "{codec:?}");
        assert!(level_dbfs(sound) > -13.5, "{codec:?}: {}", level_dbfs(sound));
        let longest = longest_gap(sound, 64) as f64 / rate;
        assert!(longest < 0.003, "{codec:?}: {longest}");
        assert!(roughness(sound, rate) < 2.5, "{codec:?}: {}", roughness(sound, rate));
    }
}

#[test]
fn disorder_copies_and_jitter_within_the_delay_are_not_heard() {
    type Extra = fn(u64) -> f64;
    let arrivals: [(&str, Extra); 3] = [
        ("jitter", |n| (n * 7 % 15) as f64),
        ("pairs in the wrong order", |n| if n % 2 == 0 { 21.0 } else { 0.0 }),
        ("pairs together", |n| if n % 2 == 0 { 20.0 } else { 0.0 }),
    ];
    for (what, extra) in arrivals {
        let mut bench = Bench::new(Codec::Pcma);
        bench.run(400, |n| Some(n as f64 * 20.0 + extra(n)));
        // The delay has found its size by then.
        let late = &bench.heard[bench.heard.len() / 4..];
        assert!(roughness(late, 8_000.0) < 1.3, "{what}: {}", roughness(late, 8_000.0));
        assert!(gaps(late, 64).is_empty(), "{what}");
    }
    let mut bench = Bench::new(Codec::Pcma);
    bench.run(100, |n| Some(n as f64 * 20.0 + 5.0));
    let payload = bench.payloads[0].clone();
    let old = 90u32 * 160;
    for n in 0..3 {
        let times = (Mono(2_000_000), Mono(2_010_000));
        let at = old.wrapping_sub(1_000 + n * 160);
        assert_eq!(bench.jitter.insert(times, at, Codec::Pcma, &payload), Err(TooLate));
    }
}

#[test]
fn the_delay_grows_with_the_jitter_and_shrinks_again() {
    let mut bench = Bench::new(Codec::Pcma);
    // Calm, then up to 80 ms late, then calm.
    let late = |n: u64| if (100..200).contains(&n) { (n * 37 % 80) as f64 } else { 1.0 };
    bench.run(590, |n| Some(n as f64 * 20.0 + late(n)));
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let [calm, grown, shrunk] =
        [&bench.depths[50..100], &bench.depths[150..200], &bench.depths[540..590]].map(mean);
    assert!(calm < 45.0 && grown > calm + 15.0 && shrunk < calm + 25.0, "{calm} {grown} {shrunk}");
    let grown_delay = bench.depths[150..260].iter().copied().fold(0.0, f64::max);
    assert!((80.0..250.0).contains(&grown_delay), "{grown_delay}");
    let calm = &bench.heard[bench.heard.len() - 40_000..];
    assert!(roughness(calm, 8_000.0) < 1.6, "shrinking is not heard: {}", roughness(calm, 8_000.0));
    assert!(gaps(calm, 64).is_empty());
}

#[test]
fn a_burst_is_cut_and_heard_from_its_end() {
    let mut bench = Bench::new(Codec::Pcma);
    // Half a second stuck in the network.
    bench.run(300, |n| Some(if (50..75).contains(&n) { 1_500.0 } else { n as f64 * 20.0 + 5.0 }));
    assert!(bench.jitter.depth() <= JITTER_DEPTH + Duration::from_millis(20));
    let after = &bench.heard[76 * 160..];
    assert!(gaps(after, 64).is_empty(), "{:?}", gaps(after, 64));
}

#[test]
fn clocks_that_differ_cost_no_gap() {
    // One part in a thousand: a packet more or less in 20 s.
    for skew in [0.999, 1.001] {
        let mut bench = Bench::new(Codec::Pcma);
        bench.run(590, |n| Some(n as f64 * 20.0 * skew + 5.0));
        let sound = &bench.sound()[800..80_000];
        assert!(longest_gap(sound, 64) < 24, "{skew}: {:?}", gaps(sound, 64));
        assert!(bench.jitter.depth() < Duration::from_millis(80));
    }
}

#[test]
fn after_a_pause_the_stream_is_heard_again_at_once() {
    // Timestamps that went on in the pause, as RFC 3551 says.
    for pause in [3, 12, 60] {
        let mut bench = Bench::new(Codec::Pcma);
        bench.run(200, |n| (!(100..100 + pause).contains(&n)).then_some(n as f64 * 20.0 + 5.0));
        let after = &bench.heard[(100 + pause as usize + 3) * 160..];
        assert!(gaps(after, 64).is_empty(), "{pause}: {:?}", gaps(after, 64));
        assert!(bench.jitter.depth() <= Duration::from_millis(60), "{pause}");
    }
}

#[test]
fn a_stream_that_jumps_begins_anew_and_a_stray_does_not_stop_it() {
    let tone = [g711::encode(Codec::Pcma, 9_000); 160];
    for jump in [5_000_000u32, u32::MAX - 100_000] {
        for waits in [true, false] {
            let mut jitter = Jitter::default();
            let times = |n: u64| (Mono(n * 20_000), Mono(n * 20_000 + 10_000));
            jitter.insert(times(0), 0, Codec::Pcma, &[0xD5; 160]).unwrap();
            if !waits {
                (0..5).for_each(|_| _ = jitter.pull());
            }
            let laid = jitter.insert(times(5), jump, Codec::Pcma, &tone);
            assert_eq!(laid.is_err(), waits && jump > u32::MAX / 2, "{jump} {waits}");
            let heard: Vec<i16> = (0..4).flat_map(|_| jitter.pull().1.to_vec()).collect();
            let loud = heard.iter().any(|s| *s > 8_000);
            assert_eq!(loud, laid.is_ok(), "{jump} {waits}");
        }
    }
}

#[test]
fn comfort_noise_is_heard_in_a_pause_and_is_no_voice() {
    let mut bench = Bench::new(Codec::Pcma);
    bench.jitter.insert((Mono(0), Mono(10)), 0, Codec::Pcma, &[0xD5; 160]).unwrap();
    bench.jitter.comfort(30);
    let heard: Vec<i16> = (0..50).flat_map(|_| bench.jitter.pull().1.to_vec()).collect();
    let level = level_dbfs(&heard[1_600..]);
    assert!((-50.0..-45.1).contains(&level), "{level}");
}

#[test]
fn another_codec_begins_a_new_stream() {
    let mut jitter = Jitter::default();
    jitter.insert((Mono(0), Mono(10)), 0, Codec::Pcma, &[0x2A; 160]).unwrap();
    assert_eq!(jitter.pull().0, Rate::Narrow);
    jitter.insert((Mono(0), Mono(10)), 160, Codec::G722, &[0xFA; 160]).unwrap();
    let (rate, frame) = jitter.pull();
    assert_eq!((rate, frame.len()), (Rate::Wide, 320));
}
