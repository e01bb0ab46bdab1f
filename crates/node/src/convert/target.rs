//! What a recording becomes: the file under way, whichever format it has.

use media::mp3_file::{self, Mp3File, Mp3FileError};
use media::opus_file::{OpusFile, OpusFileError};
use media::wav::Shape;
use model::{FileFormat, FileId};
use thiserror::Error;

/// A file under way.
pub(super) enum Target {
    Opus(OpusFile),
    Mp3(Mp3File),
}

/// The end of a file.
pub(super) struct Ended {
    /// What comes behind all that was taken.
    pub(super) rest: Vec<u8>,
    /// What takes the place of its first bytes; nothing if they stay.
    pub(super) first: Vec<u8>,
}

/// Why a file cannot be encoded.
#[derive(Debug, Error)]
pub(crate) enum CannotEncode {
    /// As Opus in Ogg.
    #[error("as Opus")]
    Opus(#[from] OpusFileError),
    /// As MP3.
    #[error("as MP3")]
    Mp3(#[from] Mp3FileError),
    /// Recordings begin as what is wanted: there is nothing to do.
    #[error("it is asked to become WAV, which it is")]
    IsWav,
}

impl CannotEncode {
    /// No further attempt can help.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            CannotEncode::Opus(OpusFileError::Rate { .. } | OpusFileError::Channels { .. }) => true,
            CannotEncode::Opus(OpusFileError::Encoder(_) | OpusFileError::Page(_)) => false,
            CannotEncode::Mp3(Mp3FileError::Rate { .. } | Mp3FileError::Channels { .. }) => true,
            CannotEncode::Mp3(Mp3FileError::Encoder(_)) => false,
            CannotEncode::IsWav => true,
        }
    }
}

impl Target {
    pub(super) fn begin(
        wanted: FileFormat,
        shape: Shape,
        of: FileId,
    ) -> Result<Target, CannotEncode> {
        let Shape { rate_hz, channels, .. } = shape;
        Ok(match wanted {
            FileFormat::Wav => return Err(CannotEncode::IsWav),
            FileFormat::Opus => Target::Opus(OpusFile::begin(rate_hz, channels, serial(of))?),
            FileFormat::Mp3 => Target::Mp3(Mp3File::begin(rate_hz, channels)?),
        })
    }

    /// Adds samples, the channels in turn.
    pub(super) fn add(&mut self, samples: &[i16]) -> Result<(), CannotEncode> {
        match self {
            Target::Opus(file) => file.add(samples)?,
            Target::Mp3(file) => file.add(samples)?,
        }
        Ok(())
    }

    /// What was completed since the last call.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match self {
            Target::Opus(file) => file.take(),
            Target::Mp3(file) => file.take(),
        }
    }

    pub(super) fn end(self) -> Result<Ended, CannotEncode> {
        Ok(match self {
            Target::Opus(file) => Ended { rest: file.end()?, first: Vec::new() },
            Target::Mp3(file) => {
                let mp3_file::Ended { rest, first } = file.end();
                Ended { rest, first }
            }
        })
    }
}

/// The number of a file's stream.
fn serial(file: FileId) -> u32 {
    let [.., a, b, c, d] = file.0.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
