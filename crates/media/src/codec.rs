//! Decoders and encoders: what comes and goes in packets, and linear samples.

use model::Codec;

use crate::g711;
use crate::limits::FRAME_SAMPLES_MAX;
use crate::pcm::Rate;

/// The longest payload of Opus that we write: a frame at far more than what speech needs.
const OPUS_BYTES_MAX: usize = 400;
/// Bits a second of Opus that we send: full-band speech without audible loss.
const OPUS_BITRATE: i32 = 32_000;
/// How hard Opus tries, 0 to 10: above 5 nobody hears a difference in speech.
const OPUS_COMPLEXITY: i32 = 5;
/// The loss that Opus is told to prepare for, percent.
const OPUS_LOSS: i32 = 5;

/// Decodes one stream of packets.
#[derive(Debug)]
pub struct Decoder(Decoding);

#[derive(Debug)]
enum Decoding {
    G711(Codec),
    G722(Box<sipx_audio::g722::Decoder>),
    Opus(Box<OpusDecoder>),
    /// The library would not start one: the stream is silent.
    Silent(Codec),
}

struct OpusDecoder(opus::Decoder);

impl core::fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("opus::Decoder")
    }
}

impl Decoder {
    /// A decoder for a new stream.
    pub fn new(codec: Codec) -> Decoder {
        Decoder(match codec {
            Codec::Pcma | Codec::Pcmu => Decoding::G711(codec),
            Codec::G722 => Decoding::G722(Box::default()),
            Codec::Opus => match opus::Decoder::new(Rate::Full.hz(), opus::Channels::Mono) {
                Ok(decoder) => Decoding::Opus(Box::new(OpusDecoder(decoder))),
                Err(_) => Decoding::Silent(codec),
            },
        })
    }

    /// What it decodes.
    pub fn codec(&self) -> Codec {
        match &self.0 {
            Decoding::G711(codec) | Decoding::Silent(codec) => *codec,
            Decoding::G722(_) => Codec::G722,
            Decoding::Opus(_) => Codec::Opus,
        }
    }

    /// Appends the sound of a payload; one that is broken has none.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        match &mut self.0 {
            Decoding::G711(codec) => {
                out.extend(payload.iter().map(|code| g711::decode(*codec, *code)));
            }
            Decoding::G722(decoder) => out.extend(decoder.decode(payload)),
            Decoding::Opus(decoder) => decoder.run(payload, OPUS_SAMPLES_MAX, false, out),
            Decoding::Silent(_) => {}
        }
    }

    /// Appends `samples` for a packet that is lost, if the codec has a way of its own: from the
    /// packet behind it, where that has come. `false`: nothing was appended.
    pub fn repair(&mut self, samples: usize, next: Option<&[u8]>, out: &mut Vec<i16>) -> bool {
        let Decoding::Opus(decoder) = &mut self.0 else { return false };
        let before = out.len();
        // Opus fills whole frames of 2.5 ms.
        let whole = samples.div_ceil(OPUS_STEP) * OPUS_STEP;
        decoder.run(next.unwrap_or(&[]), whole.min(OPUS_SAMPLES_MAX), next.is_some(), out);
        out.truncate(before + samples);
        out.len() > before
    }
}

/// Samples of the longest packet, 120 ms.
const OPUS_SAMPLES_MAX: usize = 6 * FRAME_SAMPLES_MAX;
/// 2.5 ms.
const OPUS_STEP: usize = 120;

impl OpusDecoder {
    fn run(&mut self, payload: &[u8], room: usize, repairs: bool, out: &mut Vec<i16>) {
        let before = out.len();
        out.resize(before + room, 0);
        let decoded = match out.get_mut(before..) {
            Some(room) => self.0.decode(payload, room, repairs).unwrap_or(0),
            None => 0,
        };
        out.truncate(before + decoded);
    }
}

/// Samples of a payload of this codec, at the rate of its sound; 0: it is broken.
pub fn payload_samples(codec: Codec, payload: &[u8]) -> usize {
    match codec {
        Codec::Pcma | Codec::Pcmu => payload.len(),
        Codec::G722 => 2 * payload.len(),
        Codec::Opus => opus::packet::get_nb_samples(payload, Rate::Full.hz()).unwrap_or(0),
    }
}

/// Encodes one stream of frames.
#[derive(Debug)]
pub struct Encoder(Encoding);

#[derive(Debug)]
enum Encoding {
    G711(Codec),
    G722(Box<sipx_audio::g722::Encoder>),
    Opus(Box<OpusEncoder>),
    Silent(Codec),
}

struct OpusEncoder(opus::Encoder);

impl core::fmt::Debug for OpusEncoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("opus::Encoder")
    }
}

impl Encoder {
    /// An encoder for a new stream.
    pub fn new(codec: Codec) -> Encoder {
        Encoder(match codec {
            Codec::Pcma | Codec::Pcmu => Encoding::G711(codec),
            Codec::G722 => Encoding::G722(Box::default()),
            Codec::Opus => match opus_encoder() {
                Ok(encoder) => Encoding::Opus(Box::new(OpusEncoder(encoder))),
                Err(_) => Encoding::Silent(codec),
            },
        })
    }

    /// What it encodes.
    pub fn codec(&self) -> Codec {
        match &self.0 {
            Encoding::G711(codec) | Encoding::Silent(codec) => *codec,
            Encoding::G722(_) => Codec::G722,
            Encoding::Opus(_) => Codec::Opus,
        }
    }

    /// Appends the payload of a frame of 20 ms.
    pub fn encode(&mut self, frame: &[i16], out: &mut Vec<u8>) {
        match &mut self.0 {
            Encoding::G711(codec) => {
                out.extend(frame.iter().map(|sample| g711::encode(*codec, *sample)));
            }
            Encoding::G722(encoder) => out.extend(encoder.encode(frame)),
            Encoding::Opus(encoder) => {
                let before = out.len();
                out.resize(before + OPUS_BYTES_MAX, 0);
                let written = match out.get_mut(before..) {
                    Some(room) => encoder.0.encode(frame, room).unwrap_or(0),
                    None => 0,
                };
                out.truncate(before + written);
            }
            Encoding::Silent(_) => {}
        }
    }
}

fn opus_encoder() -> Result<opus::Encoder, opus::Error> {
    let (channels, speech) = (opus::Channels::Mono, opus::Application::Voip);
    let mut encoder = opus::Encoder::new(Rate::Full.hz(), channels, speech)?;
    encoder.set_bitrate(opus::Bitrate::Bits(OPUS_BITRATE))?;
    encoder.set_complexity(OPUS_COMPLEXITY)?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(OPUS_LOSS)?;
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{level_dbfs, pitch_at_rate_hz};

    fn sine(hz: f64, rate: Rate, frames: usize) -> Vec<i16> {
        let angle = |n: usize| core::f64::consts::TAU * hz * n as f64 / f64::from(rate.hz());
        (0..frames * rate.frame()).map(|n| (angle(n).sin() * 8_231.0).round() as i16).collect()
    }

    #[test]
    fn a_tone_survives_every_codec() {
        for codec in Codec::ALL {
            let rate = Rate::of(codec);
            let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
            let mut heard = Vec::new();
            for frame in sine(1_000.0, rate, 50).chunks(rate.frame()) {
                let mut payload = Vec::new();
                encoder.encode(frame, &mut payload);
                assert_eq!(payload_samples(codec, &payload), rate.frame(), "{codec:?}");
                decoder.decode(&payload, &mut heard);
            }
            assert_eq!(heard.len(), 50 * rate.frame());
            let late = &heard[5 * rate.frame()..];
            let found = pitch_at_rate_hz(late, f64::from(rate.hz())).unwrap();
            assert!((found - 1_000.0).abs() < 2.0, "{codec:?}: {found}");
            let level = level_dbfs(late);
            assert!((level + 12.0).abs() < 0.7, "{codec:?}: {level}");
            assert_eq!((encoder.codec(), decoder.codec()), (codec, codec));
        }
    }

    #[test]
    fn wide_codecs_carry_what_telephones_cannot() {
        for (codec, hz) in [(Codec::G722, 6_000.0), (Codec::Opus, 9_000.0)] {
            let rate = Rate::of(codec);
            let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
            let mut heard = Vec::new();
            for frame in sine(hz, rate, 50).chunks(rate.frame()) {
                let mut payload = Vec::new();
                encoder.encode(frame, &mut payload);
                decoder.decode(&payload, &mut heard);
            }
            let late = &heard[10 * rate.frame()..];
            let found = pitch_at_rate_hz(late, f64::from(rate.hz())).unwrap();
            assert!((found - hz).abs() < 3.0, "{codec:?}: {found}");
        }
    }

    #[test]
    fn broken_payloads_decode_to_something_short() {
        for codec in Codec::ALL {
            let mut decoder = Decoder::new(codec);
            for n in 0..200u8 {
                let payload: Vec<u8> = (0..n).map(|m| m.wrapping_mul(n) ^ 0xA5).collect();
                let mut out = Vec::new();
                decoder.decode(&payload, &mut out);
                assert!(out.len() <= OPUS_SAMPLES_MAX, "{codec:?} {n}");
            }
        }
    }
}
