//! What is heard, recognised by its content alone.
//!
//! A phone says its own tone, and hides in the first two milliseconds of each packet a label that
//! is too quiet to be heard: which phone, which of its calls, which packet. A relayed packet still
//! carries it; in a mixed one the tone is measured. Built-in players are recognised because each
//! of their frames is known to the bit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use leg::{Player, Tone};
use media::{g711, measure, player, speech};
use model::{Codec, FileId, Language, Spoken};

/// What simulated phones talk: each byte is a sample, so that contents can be recognised.
pub(crate) const CODECS: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

/// Samples of one packet in these; what is heard in others is brought to their rate.
pub(crate) const FRAME: usize = 160;

/// One thing that can be heard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sound {
    /// The phone with this name.
    Phone(String),
    /// The hold music.
    Music,
    /// The tone of a phone that rings elsewhere.
    Ringback,
    /// The tone of a call that nobody takes.
    Busy,
    /// The tone of what cannot be done.
    Congestion,
    /// The steady tone of 1,000 Hz.
    TestTone,
    /// A sound file. The meter of real sound has no name for it.
    File(FileId),
    /// Built-in speech. The meter of real sound knows it by [`crate::Phone::hears_said`].
    Speech(Language, Spoken),
    /// Something that is none of these.
    Unknown,
}

impl Sound {
    /// What a player sounds like.
    pub(crate) fn of(player: Player) -> Sound {
        match player {
            Player::HoldMusic => Sound::Music,
            Player::Tone(Tone::Ringback) => Sound::Ringback,
            Player::Tone(Tone::Test) => Sound::TestTone,
            Player::Tone(Tone::Busy) => Sound::Busy,
            Player::Tone(Tone::Congestion) => Sound::Congestion,
            Player::Clip(_) => Sound::Unknown,
        }
    }
}

/// Which packet of which phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    /// Number of the phone in the run.
    pub(crate) phone: u8,
    /// Number of its call.
    pub(crate) call: u8,
    /// Number of the packet.
    pub(crate) packet: u32,
}

/// What one packet holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// It came through the relay.
    Labelled(Label),
    /// Frames of a player, to the bit.
    Played(Player),
    /// Nothing to hear.
    Silence,
    /// To be measured.
    Samples(Vec<i16>),
}

/// Quiet codes say which nibble: the 16 smallest positive amplitudes of each law.
fn quiet(codec: Codec, nibble: u8) -> u8 {
    match codec {
        Codec::Pcma => (0x80 | (nibble & 15)) ^ 0x55,
        _ => 0xF0 | (nibble & 15),
    }
}

fn nibble(codec: Codec, code: u8) -> Option<u8> {
    let (bits, lead) = match codec {
        Codec::Pcma => (code ^ 0x55, 0x80),
        _ => (code, 0xF0),
    };
    (bits & 0xF0 == lead).then_some(bits & 15)
}

/// Begins every label; a frame of a player that begins so would be an accident of 1 in 65,536.
const MAGIC: [u8; 2] = [0xD1, 0xA1];

/// The frequency of a phone's tone, away from those of the players.
pub(crate) fn pitch_hz(phone: u8) -> f64 {
    610.0 + 70.0 * f64::from(phone % 32)
}

/// The payload that a phone sends as its packet `label.packet`.
pub(crate) fn say(codec: Codec, label: Label) -> Vec<u8> {
    let tone = tones().entry_of(codec, label.phone, label.packet);
    let mut payload = tone.to_vec();
    let [a, b, c, d] = label.packet.to_be_bytes();
    let bytes = [MAGIC[0], MAGIC[1], label.phone, label.call, a, b, c, d];
    for (byte, pair) in bytes.iter().zip(payload.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[quiet(codec, byte >> 4), quiet(codec, byte & 15)]);
    }
    payload
}

/// 20 ms of a phone's tone at the rate of a codec: what it says as its packet of this number where
/// no label can be hidden.
pub(crate) fn tone(codec: Codec, phone: u8, packet: u32) -> Vec<i16> {
    waves(codec, packet, &[pitch_hz(phone)])
}

/// 20 ms of several tones at once, as the packet of this number.
pub(crate) fn waves(codec: Codec, packet: u32, hz: &[f64]) -> Vec<i16> {
    let rate = f64::from(codec.sample_rate_hz());
    let frame = codec.sample_rate_hz() / 50;
    // After a second all begin anew: their frequencies are whole.
    let first = packet % 50 * frame;
    // -12 dBFS each.
    let sample = |n: u32| {
        let at = core::f64::consts::TAU * f64::from(first + n) / rate;
        let sum: f64 = hz.iter().map(|hz| (at * hz).sin()).sum();
        #[expect(clippy::cast_possible_truncation, reason = "two tones stay below full scale")]
        let sample = (sum * 8_231.0) as i16;
        sample
    };
    (0..frame).map(sample).collect()
}

/// What a decoded payload of another codec holds.
pub(crate) fn listen_wide(codec: Codec, samples: &[i16]) -> Content {
    let samples = media::resample::convert(samples, codec.sample_rate_hz(), 8_000);
    if samples.iter().all(|s| s.unsigned_abs() < 64) {
        return Content::Silence;
    }
    Content::Samples(samples)
}

/// What a payload holds.
pub(crate) fn listen(codec: Codec, payload: &[u8]) -> Content {
    if let Some(label) = label_of(codec, payload) {
        return Content::Labelled(label);
    }
    if payload.len() == FRAME
        && let Some(player) = players(codec).get(payload)
    {
        return Content::Played(*player);
    }
    let samples: Vec<i16> = payload.iter().map(|code| g711::decode(codec, *code)).collect();
    if samples.iter().all(|s| s.unsigned_abs() < 64) {
        return Content::Silence;
    }
    Content::Samples(samples)
}

fn label_of(codec: Codec, payload: &[u8]) -> Option<Label> {
    let mut bytes = [0; 8];
    for (byte, pair) in bytes.iter_mut().zip(payload.get(..16)?.chunks_exact(2)) {
        *byte = nibble(codec, *pair.first()?)? << 4 | nibble(codec, *pair.last()?)?;
    }
    let [m0, m1, phone, call, a, b, c, d] = bytes;
    let packet = u32::from_be_bytes([a, b, c, d]);
    ([m0, m1] == MAGIC).then_some(Label { phone, call, packet })
}

/// The phones whose tone is in these samples, of those numbered below `phones`.
pub(crate) fn phones_in(samples: &[i16], phones: u8) -> BTreeSet<u8> {
    // A tone has -12 dBFS. The label interrupts it fifty times a second, which puts weaker tones
    // beside it, 20 dB down; so does its own beginning and end.
    (0..phones).filter(|p| measure::strength_dbfs(samples, pitch_hz(*p)) > -24.0).collect()
}

/// The built-in speech of which these samples hold 20 ms without a fault.
pub(crate) fn said(samples: &[i16]) -> BTreeSet<(Language, Spoken)> {
    let languages = [Language::En, Language::Ru].into_iter();
    let all = languages.flat_map(|language| Spoken::ALL.map(|spoken| (language, spoken)));
    all.filter(|(language, spoken)| says(samples, *language, *spoken)).collect()
}

/// Whether these samples hold 20 ms of this without a fault. G.711 µ-law has other samples than the
/// A-law that speech is kept in, so near is good enough.
pub(crate) fn says(samples: &[i16], language: Language, spoken: Spoken) -> bool {
    let near = |a: &i16, b: &i16| {
        let (a, b) = (i32::from(*a), i32::from(*b));
        (a - b).abs() <= 24 + a.abs().max(b.abs()) / 16
    };
    let loud = |part: &&[i16]| part.iter().filter(|s| s.unsigned_abs() > 400).count() > FRAME / 4;
    let whole = spoken_samples(language, spoken);
    samples
        .chunks_exact(FRAME)
        .filter(loud)
        .any(|part| whole.windows(FRAME).any(|at| at.iter().zip(part).all(|(a, b)| near(a, b))))
}

fn spoken_samples(language: Language, spoken: Spoken) -> &'static [i16] {
    static ALL: OnceLock<BTreeMap<(Language, Spoken), Vec<i16>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let languages = [Language::En, Language::Ru].into_iter();
        let keys = languages.flat_map(|language| Spoken::ALL.map(|spoken| (language, spoken)));
        keys.map(|(l, s)| ((l, s), speech::samples(l, s))).collect()
    });
    all.get(&(language, spoken)).map_or(&[], Vec::as_slice)
}

/// Every frame of every player, by its bytes.
fn players(codec: Codec) -> &'static BTreeMap<Vec<u8>, Player> {
    static PCMU: OnceLock<BTreeMap<Vec<u8>, Player>> = OnceLock::new();
    static PCMA: OnceLock<BTreeMap<Vec<u8>, Player>> = OnceLock::new();
    let frames = match codec {
        Codec::Pcma => &PCMA,
        _ => &PCMU,
    };
    frames.get_or_init(|| {
        // Longer than the music's loop and the longest cadence.
        const FRAMES: u64 = 1_600;
        let tones = [Tone::Ringback, Tone::Busy, Tone::Test].map(Player::Tone);
        let known = [Player::HoldMusic].into_iter().chain(tones);
        let mut map = BTreeMap::new();
        for player in known {
            for n in 0..FRAMES {
                let mut frame = [0; FRAME];
                player::fill(player, n, &mut frame);
                if frame.iter().any(|s| s.unsigned_abs() >= 64) {
                    let bytes = frame.iter().map(|s| g711::encode(codec, *s)).collect();
                    // Ringback and busy tone share most of theirs: the first counts.
                    map.entry(bytes).or_insert(player);
                }
            }
        }
        map
    })
}

/// Encoded tones of phones; a tone repeats after 8,000 samples, that is 50 packets.
struct Tones {
    pcmu: Vec<Vec<u8>>,
    pcma: Vec<Vec<u8>>,
}

const TONE_PACKETS: usize = 50;

fn tones() -> &'static Tones {
    static TONES: OnceLock<Tones> = OnceLock::new();
    TONES.get_or_init(|| {
        let encode = |codec| {
            let tone = |phone| {
                let samples = measure::sine(pitch_hz(phone), -12.0, FRAME * TONE_PACKETS);
                samples.iter().map(|s| g711::encode(codec, *s)).collect()
            };
            (0..32).map(tone).collect()
        };
        Tones { pcmu: encode(Codec::Pcmu), pcma: encode(Codec::Pcma) }
    })
}

impl Tones {
    fn entry_of(&self, codec: Codec, phone: u8, packet: u32) -> &[u8] {
        let tones = match codec {
            Codec::Pcma => &self.pcma,
            _ => &self.pcmu,
        };
        let at = packet as usize % TONE_PACKETS * FRAME;
        tones.get(usize::from(phone % 32)).and_then(|t| t.get(at..at + FRAME)).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label = Label { phone: 3, call: 1, packet: 70_000 };

    #[test]
    fn a_label_is_read_from_the_packet_it_was_put_into() {
        for codec in CODECS {
            let payload = say(codec, LABEL);
            assert_eq!(payload.len(), FRAME);
            assert_eq!(listen(codec, &payload), Content::Labelled(LABEL));
        }
    }

    #[test]
    fn a_recoded_packet_has_lost_its_label_but_not_its_tone() {
        let mut samples = Vec::new();
        for packet in 0..10 {
            let mut payload = say(Codec::Pcma, Label { packet, ..LABEL });
            g711::convert(Codec::Pcma, Codec::Pcmu, &mut payload);
            match listen(Codec::Pcmu, &payload) {
                Content::Samples(s) => samples.extend(s),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(phones_in(&samples, 12), BTreeSet::from([3]));
    }

    #[test]
    fn speech_is_known_by_any_part_of_it() {
        let whole = speech::samples(Language::Ru, Spoken::Recorded);
        for codec in CODECS {
            let recoded = |s: &i16| g711::decode(codec, g711::encode(codec, *s));
            let part: Vec<i16> = whole[4_003..10_403].iter().map(recoded).collect();
            assert_eq!(said(&part), BTreeSet::from([(Language::Ru, Spoken::Recorded)]));
        }
        assert_eq!(said(&measure::sine(700.0, -12.0, 800)), BTreeSet::new());
    }

    #[test]
    fn players_are_known_by_their_frames() {
        let cases = [
            (Player::HoldMusic, 17),
            (Player::Tone(Tone::Ringback), 3),
            (Player::Tone(Tone::Test), 1_000),
        ];
        for (player, n) in cases {
            let mut frame = [0; FRAME];
            player::fill(player, n, &mut frame);
            for codec in CODECS {
                let payload: Vec<u8> = frame.iter().map(|s| g711::encode(codec, *s)).collect();
                assert_eq!(listen(codec, &payload), Content::Played(player));
            }
        }
        let silence = [g711::silence(Codec::Pcma); FRAME];
        assert_eq!(listen(Codec::Pcma, &silence), Content::Silence);
    }
}
