//! MP3 files (MPEG 1, 2 and 2.5, layer III), written a piece at a time.
//!
//! Samples go in at the rate at which they were recorded, frames come out. The first frame has no
//! sound: it tells players how long the file is, where in it each part lies, and how much of the
//! sound is the coder's own, so that a file is as long as what went in, to the sample. What it
//! tells is known at the end: whoever writes the file puts it over the first bytes then.

use rusty_mp3::{Mp3Encoder, Mp3EncoderConfig};

use crate::limits::WAV_CHANNELS_MAX;

/// Bits a second of one channel of a telephone's 8 kHz: the coder's noise lies 30 dB below speech.
const NARROW_KBPS: u32 = 32;
/// Bits a second of one channel of anything better.
const WIDE_KBPS: u32 = 48;
/// The rates of MPEG 2.5, which are those of telephones.
const NARROW_HZ_MAX: u32 = 12_000;

/// Why nothing is written.
#[derive(Debug, thiserror::Error)]
pub enum Mp3FileError {
    /// The format has no such rate.
    #[error("a sample rate of {rate_hz} Hz")]
    Rate {
        /// The rate.
        rate_hz: u32,
    },
    /// No channel, or too many.
    #[error("{channels} channels")]
    Channels {
        /// How many.
        channels: u16,
    },
    /// The encoder does not take what it took before.
    #[error("the encoder failed")]
    Encoder(#[source] rusty_mp3::Error),
}

/// The end of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What comes behind all that was taken.
    pub rest: Vec<u8>,
    /// What takes the place of the first bytes of the file.
    pub first: Vec<u8>,
}

/// A file under way.
pub struct Mp3File {
    encoder: Mp3Encoder,
    rate_hz: u32,
    channels: u16,
    /// The channels in turn, less than a sample of each.
    pending: Vec<i16>,
}

impl core::fmt::Debug for Mp3File {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Mp3File { rate_hz, channels, .. } = self;
        let mut shown = f.debug_struct("Mp3File");
        shown.field("rate_hz", rate_hz).field("channels", channels).finish_non_exhaustive()
    }
}

impl Mp3File {
    /// Begins a file.
    pub fn begin(rate_hz: u32, channels: u16) -> Result<Mp3File, Mp3FileError> {
        if !(1..=WAV_CHANNELS_MAX).contains(&channels) {
            return Err(Mp3FileError::Channels { channels });
        }
        let each = if rate_hz <= NARROW_HZ_MAX { NARROW_KBPS } else { WIDE_KBPS };
        let bitrate_kbps = each * u32::from(channels);
        // A variable rate: who is silent takes nothing, and frames leave as soon as they are full.
        // With a fixed one the encoder keeps all of a file at 48 kHz until its end.
        let vbr_quality = u16::try_from(bitrate_kbps).ok().map(f32::from);
        let encoder = Mp3Encoder::new(Mp3EncoderConfig { bitrate_kbps, vbr_quality });
        let mut file = Mp3File { encoder, rate_hz, channels, pending: Vec::new() };
        // The first samples, though there are none, decide what kind of file it is.
        match file.push(&[]) {
            Err(Mp3FileError::Encoder(rusty_mp3::Error::Unsupported(_))) => {
                Err(Mp3FileError::Rate { rate_hz })
            }
            begun => begun.map(|()| file),
        }
    }

    /// Adds samples, the channels in turn.
    pub fn add(&mut self, samples: &[i16]) -> Result<(), Mp3FileError> {
        if self.pending.is_empty() && samples.len().is_multiple_of(usize::from(self.channels)) {
            return self.push(samples);
        }
        let mut pending = core::mem::take(&mut self.pending);
        pending.extend(samples);
        let odd = pending.len() % usize::from(self.channels);
        let rest = pending.split_off(pending.len() - odd);
        self.pending = rest;
        self.push(&pending)
    }

    /// The frames that were completed since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Ok(frame) = self.encoder.next_packet() {
            bytes.extend(frame);
        }
        bytes
    }

    /// What is left of the sound, and what is known at last.
    pub fn end(mut self) -> Ended {
        self.encoder.finish();
        let rest = self.take();
        Ended { rest, first: self.encoder.lame_tag_frame().unwrap_or_default().to_vec() }
    }

    fn push(&mut self, samples: &[i16]) -> Result<(), Mp3FileError> {
        let pushed = self.encoder.push_pcm_s16(samples, self.channels, self.rate_hz);
        pushed.map_err(Mp3FileError::Encoder)
    }
}

#[cfg(test)]
mod tests;
