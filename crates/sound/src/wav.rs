//! WAV: reading what programs write, writing what we play.

use crate::convert::{BadSound, Mixer};
use crate::limits;

const FORMAT_PCM: u16 = 1;
const FORMAT_FLOAT: u16 = 3;
const FORMAT_ALAW: u16 = 6;
const FORMAT_ULAW: u16 = 7;
/// The true format stands in the first two bytes of a GUID further on.
const FORMAT_EXTENSIBLE: u16 = 0xFFFE;
/// A length that says no more than that the writer did not know it: it wrote into a pipe.
const UNKNOWN_LENGTH: u32 = 0x7F00_0000;
/// Frames that are decoded at a time.
const FRAMES: usize = 4_096;

/// How a sample lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    U8,
    S16,
    S24,
    S32,
    Alaw,
    Ulaw,
}

/// What the `fmt ` chunk says.
struct Format {
    coding: Coding,
    channels: u16,
    rate_hz: u32,
}

/// Whether a file says that it is one.
pub(crate) fn is_meant(file: &[u8]) -> bool {
    file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WAVE")
}

/// Its sound.
pub(crate) fn read(file: &[u8]) -> Result<Vec<i16>, BadSound> {
    let mut rest = file.get(12..).unwrap_or_default();
    let mut format = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [n0, n1, n2, n3, length @ ..] = *head;
        let (name, announced) = ([n0, n1, n2, n3], u32::from_le_bytes(length));
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        match &name {
            b"fmt " => {
                format = Some(read_format(body.get(..length).ok_or(BadSound::NoFormat)?)?);
            }
            b"data" => {
                let format = format.ok_or(BadSound::NoFormat)?;
                let there = body.len();
                if length > there && announced < UNKNOWN_LENGTH {
                    return Err(BadSound::Cut { announced, there });
                }
                return decode(&format, body.get(..length).unwrap_or(body));
            }
            // Names, cue points, pictures.
            _ => {}
        }
        // Chunks begin at even places.
        let next = length.saturating_add(length & 1);
        rest = body.get(next..).unwrap_or_default();
    }
    Err(if format.is_some() { BadSound::Silent } else { BadSound::NoFormat })
}

fn read_format(chunk: &[u8]) -> Result<Format, BadSound> {
    let half = |at: usize| {
        let bytes = chunk.get(at..).and_then(|rest| rest.first_chunk::<2>());
        bytes.map(|bytes| u16::from_le_bytes(*bytes)).ok_or(BadSound::NoFormat)
    };
    let (mut format, channels, bits) = (half(0)?, half(2)?, half(14)?);
    let rate_hz = u32::from(half(4)?) | u32::from(half(6)?) << 16;
    if format == FORMAT_EXTENSIBLE {
        format = half(24)?;
    }
    let coding = match (format, bits) {
        (FORMAT_PCM, 8) => Coding::U8,
        (FORMAT_PCM, 16) => Coding::S16,
        (FORMAT_PCM, 24) => Coding::S24,
        (FORMAT_PCM, 32) => Coding::S32,
        (FORMAT_ALAW, 8) => Coding::Alaw,
        (FORMAT_ULAW, 8) => Coding::Ulaw,
        (FORMAT_FLOAT, _) => return Err(BadSound::Float),
        _ => return Err(BadSound::Coding { format, bits }),
    };
    Ok(Format { coding, channels, rate_hz })
}

fn decode(format: &Format, data: &[u8]) -> Result<Vec<i16>, BadSound> {
    let mut mixer = Mixer::new(format.channels, format.rate_hz)?;
    let frame = usize::from(format.channels) * format.coding.bytes();
    let mut samples = Vec::with_capacity(FRAMES * usize::from(format.channels));
    for part in data.chunks(FRAMES * frame) {
        samples.clear();
        samples.extend(part.chunks_exact(format.coding.bytes()).map(|s| format.coding.sample(s)));
        mixer.take(&samples)?;
    }
    Ok(mixer.finish())
}

impl Coding {
    fn bytes(self) -> usize {
        match self {
            Coding::U8 | Coding::Alaw | Coding::Ulaw => 1,
            Coding::S16 => 2,
            Coding::S24 => 3,
            Coding::S32 => 4,
        }
    }

    /// A sample of as many bytes as it has; full scale at 1.
    fn sample(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Coding::U8, [b]) => (f32::from(*b) - 128.0) / 128.0,
            (Coding::S16, [a, b]) => f32::from(i16::from_le_bytes([*a, *b])) / 32_768.0,
            (Coding::S24, [a, b, c]) => {
                i32::from_le_bytes([0, *a, *b, *c]) as f32 / 2_147_483_648.0
            }
            (Coding::S32, [a, b, c, d]) => {
                i32::from_le_bytes([*a, *b, *c, *d]) as f32 / 2_147_483_648.0
            }
            (Coding::Alaw, [b]) => alaw(*b) / 32_768.0,
            (Coding::Ulaw, [b]) => ulaw(*b) / 32_768.0,
            // Parts of a sample at the end are no sample.
            _ => 0.0,
        }
    }
}

/// G.711 A-law to 16 bits.
fn alaw(byte: u8) -> f32 {
    let bits = byte ^ 0x55;
    let (exponent, mantissa) = (u32::from(bits >> 4 & 7), i32::from(bits & 0x0F) << 4);
    let size = if exponent == 0 { mantissa + 8 } else { (mantissa + 0x108) << (exponent - 1) };
    (if bits & 0x80 != 0 { size } else { -size }) as f32
}

/// G.711 mu-law to 16 bits.
fn ulaw(byte: u8) -> f32 {
    let bits = !byte;
    let (exponent, mantissa) = (u32::from(bits >> 4 & 7), i32::from(bits & 0x0F) << 3);
    let size = ((mantissa + 0x84) << exponent) - 0x84;
    (if bits & 0x80 != 0 { -size } else { size }) as f32
}

/// A file of 16-bit samples of one channel at [`limits::RATE_HZ`].
pub(crate) fn write(samples: &[i16]) -> Vec<u8> {
    // No more than ten minutes, so far below what the header can hold.
    let data = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX);
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend(b"RIFF");
    file.extend(data.saturating_add(36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend(FORMAT_PCM.to_le_bytes());
    file.extend(1u16.to_le_bytes());
    file.extend(limits::RATE_HZ.to_le_bytes());
    file.extend((limits::RATE_HZ * 2).to_le_bytes());
    file.extend(2u16.to_le_bytes());
    file.extend(16u16.to_le_bytes());
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}
