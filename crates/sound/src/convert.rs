//! [`convert`]: from an uploaded file to a sound that can be played.

use thiserror::Error;

use crate::limits;
use crate::rate::Resampler;
use crate::{mp3, wav};

/// A sound that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// A WAV file: 16 bits, one channel, [`limits::RATE_HZ`].
    pub wav: Vec<u8>,
    /// How long it is, milliseconds.
    pub length_ms: u32,
}

/// Why a file is refused, in words for who has uploaded it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadSound {
    /// Nothing was sent.
    #[error("the file is empty")]
    Empty,
    /// More than [`limits::BYTES_MAX`].
    #[error("the file is larger than {} MB", limits::BYTES_MAX / (1024 * 1024))]
    TooLarge,
    /// More than [`limits::SECONDS_MAX`].
    #[error("the sound is longer than {} minutes", limits::SECONDS_MAX / 60)]
    TooLong,
    /// Its beginning is that of no file that we read.
    #[error("the file is neither a WAV nor an MP3 file")]
    Unknown,
    /// A WAV file whose format does not stand before its sound.
    #[error("the header of the WAV file does not tell its format")]
    NoFormat,
    /// A WAV file with samples as floating point numbers.
    #[error("the WAV file has floating point samples; save it with 16-bit samples")]
    Float,
    /// A WAV file with a coding that we do not read.
    #[error(
        "the WAV file is coded in format {format} with {bits} bits; save it with 16-bit samples"
    )]
    Coding {
        /// The format tag.
        format: u16,
        /// Bits per sample.
        bits: u16,
    },
    /// None, or too many.
    #[error("the sound has {channels} channels; 1 to {} can be", limits::CHANNELS_MAX)]
    Channels {
        /// How many.
        channels: u16,
    },
    /// Too low or too high.
    #[error(
        "the sound has {rate_hz} samples a second; {} to {} can be",
        limits::RATE_HZ_MIN,
        limits::RATE_HZ_MAX
    )]
    Rate {
        /// Samples a second.
        rate_hz: u32,
    },
    /// Fewer samples than the header says.
    #[error(
        "the WAV file is cut short: its header says {announced} bytes of sound, {there} follow"
    )]
    Cut {
        /// As the header says.
        announced: u32,
        /// As many as there are.
        there: usize,
    },
    /// There is no sound in it.
    #[error("there is no sound in the file")]
    Silent,
    /// An MP3 file that changes its rate or its channels half way.
    #[error("the MP3 file changes its format at {seconds} seconds; save it anew")]
    Changes {
        /// Where.
        seconds: u32,
    },
}

/// Makes a sound that can be played of an uploaded file.
///
/// A second of the result costs some milliseconds of a core; give it a thread that may wait.
pub fn convert(file: &[u8]) -> Result<Converted, BadSound> {
    if file.is_empty() {
        return Err(BadSound::Empty);
    }
    if file.len() > limits::BYTES_MAX {
        return Err(BadSound::TooLarge);
    }
    let samples = if wav::is_meant(file) {
        wav::read(file)?
    } else if mp3::is_meant(file) {
        mp3::read(file)?
    } else {
        return Err(BadSound::Unknown);
    };
    if samples.is_empty() {
        return Err(BadSound::Silent);
    }
    let per_ms = u64::from(limits::RATE_HZ / 1_000);
    let length_ms = u32::try_from(samples.len() as u64 / per_ms).map_err(|_| BadSound::TooLong)?;
    Ok(Converted { wav: wav::write(&samples), length_ms: length_ms.max(1) })
}

/// Takes what a decoder has found and makes samples of the result of it.
#[derive(Debug)]
pub(crate) struct Mixer {
    channels: usize,
    rate_hz: u32,
    /// Samples of one channel that came in.
    taken: u64,
    mixed: Vec<f32>,
    resampler: Resampler,
}

impl Mixer {
    /// For a sound of this form, if we read such.
    pub(crate) fn new(channels: u16, rate_hz: u32) -> Result<Mixer, BadSound> {
        if !(1..=limits::CHANNELS_MAX).contains(&channels) {
            return Err(BadSound::Channels { channels });
        }
        if !(limits::RATE_HZ_MIN..=limits::RATE_HZ_MAX).contains(&rate_hz) {
            return Err(BadSound::Rate { rate_hz });
        }
        Ok(Mixer {
            channels: usize::from(channels),
            rate_hz,
            taken: 0,
            mixed: Vec::new(),
            resampler: Resampler::new(rate_hz, limits::RATE_HZ),
        })
    }

    /// Takes whole frames: a sample of each channel in turn, full scale at 1.
    pub(crate) fn take(&mut self, samples: &[f32]) -> Result<(), BadSound> {
        self.mixed.clear();
        let share = 1.0 / self.channels as f32;
        self.mixed.extend(
            samples.chunks_exact(self.channels).map(|frame| frame.iter().sum::<f32>() * share),
        );
        self.taken += self.mixed.len() as u64;
        if self.taken > u64::from(limits::SECONDS_MAX) * u64::from(self.rate_hz) {
            return Err(BadSound::TooLong);
        }
        self.resampler.take(&self.mixed);
        Ok(())
    }

    /// Whole seconds that came in.
    pub(crate) fn seconds(&self) -> u32 {
        u32::try_from(self.taken / u64::from(self.rate_hz)).unwrap_or(u32::MAX)
    }

    /// The result.
    pub(crate) fn finish(self) -> Vec<i16> {
        self.resampler.finish()
    }
}
