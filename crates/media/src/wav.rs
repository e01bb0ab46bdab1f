//! WAV files: 16-bit PCM and G.711, mono and stereo.

use model::Codec;

use crate::g711;
use crate::limits::WAV_CHANNELS_MAX;

const FORMAT_PCM: u16 = 1;
const FORMAT_ALAW: u16 = 6;
const FORMAT_ULAW: u16 = 7;
/// The true format stands in the first two bytes of a GUID further on.
const FORMAT_EXTENSIBLE: u16 = 0xFFFE;

/// Bytes of the header that [`pcm_header`] writes: the samples begin here.
pub const PCM_HEADER_BYTES: usize = 44;

/// What the lengths of a header say while nobody knows them yet.
pub const LENGTH_UNKNOWN: u32 = u32::MAX;

/// The header of a file of 16-bit samples with so many bytes of them, or [`LENGTH_UNKNOWN`].
pub fn pcm_header(rate_hz: u32, channels: u16, data_bytes: u32) -> [u8; PCM_HEADER_BYTES] {
    let frame = 2 * channels;
    let mut header = *b"RIFF....WAVEfmt \x10\0\0\0\x01\0..............data....";
    let fields: [(usize, &[u8]); 7] = [
        (4, &data_bytes.saturating_add(36).to_le_bytes()),
        (22, &channels.to_le_bytes()),
        (24, &rate_hz.to_le_bytes()),
        (28, &rate_hz.saturating_mul(u32::from(frame)).to_le_bytes()),
        (32, &frame.to_le_bytes()),
        (34, &16u16.to_le_bytes()),
        (40, &data_bytes.to_le_bytes()),
    ];
    for (at, bytes) in fields {
        for (to, byte) in header.iter_mut().skip(at).zip(bytes) {
            *to = *byte;
        }
    }
    header
}

/// What a header says of the samples behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Samples per second.
    pub rate_hz: u32,
    /// One, or left and right.
    pub channels: u16,
    /// Bytes of all samples.
    pub data_bytes: u32,
}

/// What the header of a complete file of ours says; `None`: it is none.
pub fn finished(header: &[u8; PCM_HEADER_BYTES]) -> Option<Shape> {
    let [.., c0, c1, r0, r1, r2, r3] = *header.first_chunk::<28>()?;
    let (rate_hz, channels) = (u32::from_le_bytes([r0, r1, r2, r3]), u16::from_le_bytes([c0, c1]));
    let data_bytes = u32::from_le_bytes(*header.last_chunk::<4>()?);
    let is_ours = rate_hz > 0
        && (1..=WAV_CHANNELS_MAX).contains(&channels)
        && data_bytes != LENGTH_UNKNOWN
        && pcm_header(rate_hz, channels, data_bytes) == *header;
    is_ours.then_some(Shape { rate_hz, channels, data_bytes })
}

/// How long a complete file of ours is, by its header, milliseconds; `None`: it is none.
pub fn length_ms(header: &[u8; PCM_HEADER_BYTES]) -> Option<u64> {
    let Shape { rate_hz, channels, data_bytes } = finished(header)?;
    let a_second = u64::from(rate_hz) * u64::from(channels) * 2;
    Some(u64::from(data_bytes) * 1_000 / a_second)
}

/// Rate and channels of a header that [`pcm_header`] has written with [`LENGTH_UNKNOWN`].
pub fn unfinished(header: &[u8; PCM_HEADER_BYTES]) -> Option<(u32, u16)> {
    let [.., c0, c1, r0, r1, r2, r3] = *header.first_chunk::<28>()?;
    let (rate_hz, channels) = (u32::from_le_bytes([r0, r1, r2, r3]), u16::from_le_bytes([c0, c1]));
    let is_ours = rate_hz > 0 && (1..=WAV_CHANNELS_MAX).contains(&channels);
    (is_ours && pcm_header(rate_hz, channels, LENGTH_UNKNOWN) == *header)
        .then_some((rate_hz, channels))
}

/// A recording: one list of samples per channel, all of the same length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wav {
    /// Samples per second.
    pub rate_hz: u32,
    /// Mono, or left and right.
    pub channels: Vec<Vec<i16>>,
}

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// 16 bits, linear.
    Linear,
    /// 8 bits, G.711.
    G711(Codec),
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// No RIFF file of type WAVE.
    #[error("not a RIFF WAVE file")]
    NotWave,
    /// The format chunk is missing or too short.
    #[error("no format chunk before the data")]
    NoFormat,
    /// There is no data chunk.
    #[error("no data chunk")]
    NoData,
    /// A coding that we do not read.
    #[error("format {format} with {bits} bits is not read")]
    Coding {
        /// The format tag.
        format: u16,
        /// Bits per sample.
        bits: u16,
    },
    /// No channel, or too many.
    #[error("{channels} channels")]
    Channels {
        /// How many.
        channels: u16,
    },
    /// No sample rate.
    #[error("a sample rate of 0")]
    Rate,
}

impl Wav {
    /// A recording of one channel at 8 kHz.
    pub fn mono(samples: Vec<i16>) -> Wav {
        Wav { rate_hz: 8_000, channels: vec![samples] }
    }

    /// Reads a file. One that ends early (its writer was stopped) gives what there is.
    pub fn read(bytes: &[u8]) -> Result<Wav, WavError> {
        let (head, mut rest) = bytes.split_first_chunk::<12>().ok_or(WavError::NotWave)?;
        if !head.starts_with(b"RIFF") || !head.ends_with(b"WAVE") {
            return Err(WavError::NotWave);
        }
        let mut format = None;
        while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
            let [n0, n1, n2, n3, l0, l1, l2, l3] = *chunk;
            let length =
                usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
            let body = after.get(..length).unwrap_or(after);
            match &[n0, n1, n2, n3] {
                b"fmt " => format = Some(Format::read(body)?),
                b"data" => return format.ok_or(WavError::NoFormat).map(|f| f.samples(body)),
                _ => {}
            }
            // Chunks begin on even places.
            let next = length.saturating_add(length & 1);
            rest = after.get(next..).unwrap_or(&[]);
        }
        Err(WavError::NoData)
    }

    /// The file's bytes. Channels of unequal length are filled up with silence.
    pub fn write(&self, coding: Coding) -> Vec<u8> {
        let (format, bytes_per_sample) = match coding {
            Coding::Linear => (FORMAT_PCM, 2u16),
            Coding::G711(Codec::Pcma) => (FORMAT_ALAW, 1),
            Coding::G711(_) => (FORMAT_ULAW, 1),
        };
        let channels = u16::try_from(self.channels.len()).unwrap_or(u16::MAX);
        let length = self.channels.iter().map(Vec::len).max().unwrap_or(0);
        let frame = bytes_per_sample * channels;
        let data = u32::try_from(length).unwrap_or(u32::MAX).saturating_mul(u32::from(frame));
        let mut to = Vec::new();
        to.extend(b"RIFF");
        to.extend((data + 36 + (data & 1)).to_le_bytes());
        to.extend(b"WAVEfmt \x10\0\0\0");
        to.extend(format.to_le_bytes());
        to.extend(channels.to_le_bytes());
        to.extend(self.rate_hz.to_le_bytes());
        to.extend(self.rate_hz.saturating_mul(u32::from(frame)).to_le_bytes());
        to.extend(frame.to_le_bytes());
        to.extend((8 * bytes_per_sample).to_le_bytes());
        to.extend(b"data");
        to.extend(data.to_le_bytes());
        for n in 0..length {
            for channel in &self.channels {
                let sample = channel.get(n).copied().unwrap_or(0);
                match coding {
                    Coding::Linear => to.extend(sample.to_le_bytes()),
                    Coding::G711(codec) => to.push(g711::encode(codec, sample)),
                }
            }
        }
        if data & 1 == 1 {
            to.push(0);
        }
        to
    }
}

struct Format {
    coding: Coding,
    channels: usize,
    rate_hz: u32,
}

impl Format {
    fn read(body: &[u8]) -> Result<Format, WavError> {
        let fixed: &[u8; 16] = body.first_chunk().ok_or(WavError::NoFormat)?;
        let [f0, f1, c0, c1, r0, r1, r2, r3, .., b0, b1] = *fixed;
        let mut format = u16::from_le_bytes([f0, f1]);
        if format == FORMAT_EXTENSIBLE {
            let tag = body.get(24..26).and_then(<[u8]>::first_chunk).ok_or(WavError::NoFormat)?;
            format = u16::from_le_bytes(*tag);
        }
        let channels = u16::from_le_bytes([c0, c1]);
        let rate_hz = u32::from_le_bytes([r0, r1, r2, r3]);
        let bits = u16::from_le_bytes([b0, b1]);
        let coding = match (format, bits) {
            (FORMAT_PCM, 16) => Coding::Linear,
            (FORMAT_ALAW, 8) => Coding::G711(Codec::Pcma),
            (FORMAT_ULAW, 8) => Coding::G711(Codec::Pcmu),
            _ => return Err(WavError::Coding { format, bits }),
        };
        if !(1..=WAV_CHANNELS_MAX).contains(&channels) {
            return Err(WavError::Channels { channels });
        }
        if rate_hz == 0 {
            return Err(WavError::Rate);
        }
        Ok(Format { coding, channels: usize::from(channels), rate_hz })
    }

    fn samples(&self, data: &[u8]) -> Wav {
        let mut channels = vec![Vec::new(); self.channels];
        let width = match self.coding {
            Coding::Linear => 2,
            Coding::G711(_) => 1,
        };
        for frame in data.chunks_exact(width * self.channels) {
            for (channel, sample) in channels.iter_mut().zip(frame.chunks_exact(width)) {
                channel.push(match (self.coding, sample) {
                    (Coding::Linear, [low, high]) => i16::from_le_bytes([*low, *high]),
                    (Coding::G711(codec), [code]) => g711::decode(codec, *code),
                    _ => 0,
                });
            }
        }
        Wav { rate_hz: self.rate_hz, channels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Expected, holds, sine};

    fn stereo() -> Wav {
        Wav { rate_hz: 8_000, channels: vec![sine(440.0, -12.0, 8_001), sine(700.0, -20.0, 8_001)] }
    }

    #[test]
    fn linear_files_read_as_they_were_written() {
        for wav in [stereo(), Wav::mono(sine(300.0, -3.0, 777)), Wav::mono(vec![])] {
            assert_eq!(Wav::read(&wav.write(Coding::Linear)), Ok(wav));
        }
    }

    #[test]
    fn a_header_written_alone_is_that_of_a_whole_file() {
        let wav = stereo();
        let whole = wav.write(Coding::Linear);
        let data = u32::try_from(whole.len() - PCM_HEADER_BYTES).unwrap();
        assert_eq!(whole[..PCM_HEADER_BYTES], pcm_header(8_000, 2, data));
        let unknown = pcm_header(16_000, 1, LENGTH_UNKNOWN);
        assert_eq!(unfinished(&unknown), Some((16_000, 1)));
        assert_eq!(unfinished(&pcm_header(16_000, 1, 7)), None);
        assert_eq!(unfinished(&pcm_header(16_000, 3, LENGTH_UNKNOWN)), None);
    }

    #[test]
    fn g711_files_hold_the_same_sound() {
        for codec in [Codec::Pcma, Codec::Pcmu] {
            let read = Wav::read(&stereo().write(Coding::G711(codec))).unwrap();
            let left = Expected { hz: 440.0, dbfs: -12.0, tolerance: (1.0, 0.2) };
            let right = Expected { hz: 700.0, dbfs: -20.0, tolerance: (1.0, 0.2) };
            assert_eq!(holds(&read.channels[0], 0..8_001, left), Ok(()));
            assert_eq!(holds(&read.channels[1], 0..8_001, right), Ok(()));
        }
    }

    #[test]
    fn other_chunks_are_stepped_over_and_early_ends_give_what_there_is() {
        let plain = Wav::mono(vec![1, -2, 3]).write(Coding::Linear);
        let mut odd = plain[..36].to_vec();
        odd.extend(b"LIST\x03\0\0\0abc\0");
        odd.extend(&plain[36..]);
        assert_eq!(Wav::read(&odd).unwrap().channels, [[1, -2, 3]]);
        assert_eq!(Wav::read(&plain[..plain.len() - 3]).unwrap().channels, [[1]]);
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let good = Wav::mono(vec![1]).write(Coding::Linear);
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            Wav::read(&bytes)
        };
        assert_eq!(Wav::read(&[]), Err(WavError::NotWave));
        assert_eq!(with(0, b'X'), Err(WavError::NotWave));
        assert_eq!(with(12, b'X'), Err(WavError::NoFormat));
        assert_eq!(with(36, b'X'), Err(WavError::NoData));
        assert_eq!(with(20, 2), Err(WavError::Coding { format: 2, bits: 16 }));
        assert_eq!(with(34, 24), Err(WavError::Coding { format: 1, bits: 24 }));
        assert_eq!(with(22, 3), Err(WavError::Channels { channels: 3 }));
        assert_eq!(with(22, 0), Err(WavError::Channels { channels: 0 }));
        assert_eq!((with(24, 0), with(25, 0)).0.map(|w| w.rate_hz), Ok(0x1F00));
    }
}
