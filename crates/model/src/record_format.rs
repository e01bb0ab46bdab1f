//! How a talk is kept: what a phone asks for, and what a file is.

use serde::{Deserialize, Serialize};

/// What a phone asks of its recordings (`record_format`, API reference 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordFormat {
    /// MP3, which every program plays.
    #[default]
    Mp3,
    /// Samples as they are.
    Wav,
    /// Opus in Ogg.
    Opus,
}

impl RecordFormat {
    /// All of them.
    pub const ALL: [RecordFormat; 3] = [RecordFormat::Mp3, RecordFormat::Wav, RecordFormat::Opus];

    /// As the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            RecordFormat::Mp3 => "mp3",
            RecordFormat::Wav => "wav",
            RecordFormat::Opus => "opus",
        }
    }

    /// The format of that name.
    pub fn parse(text: &str) -> Option<RecordFormat> {
        RecordFormat::ALL.into_iter().find(|format| format.as_str() == text)
    }

    /// What a file that was asked for so becomes.
    pub fn file(self) -> FileFormat {
        match self {
            RecordFormat::Wav => FileFormat::Wav,
            RecordFormat::Opus => FileFormat::Opus,
            RecordFormat::Mp3 => FileFormat::Mp3,
        }
    }
}

/// What a file of ours is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Linear samples in RIFF. Every file of ours begins as one.
    #[default]
    Wav,
    /// Opus in Ogg (RFC 7845).
    Opus,
    /// MPEG audio, layer III.
    Mp3,
}

impl FileFormat {
    /// All of them.
    pub const ALL: [FileFormat; 3] = [FileFormat::Wav, FileFormat::Opus, FileFormat::Mp3];

    /// Its name, with which its files end (RFC 7845 9).
    pub fn as_str(self) -> &'static str {
        match self {
            FileFormat::Wav => "wav",
            FileFormat::Opus => "opus",
            FileFormat::Mp3 => "mp3",
        }
    }

    /// The format of that name.
    pub fn parse(text: &str) -> Option<FileFormat> {
        FileFormat::ALL.into_iter().find(|format| format.as_str() == text)
    }

    /// Its media type (RFC 7845 9, RFC 3003, RFC 2361).
    pub fn media_type(self) -> &'static str {
        match self {
            FileFormat::Wav => "audio/wav",
            FileFormat::Opus => "audio/ogg; codecs=opus",
            FileFormat::Mp3 => "audio/mpeg",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are_written_and_others_are_none() {
        for format in RecordFormat::ALL {
            assert_eq!(RecordFormat::parse(format.as_str()), Some(format));
        }
        for format in FileFormat::ALL {
            assert_eq!(FileFormat::parse(format.as_str()), Some(format));
        }
        for none in ["", "WAV", "ogg", "mp3 "] {
            assert_eq!((RecordFormat::parse(none), FileFormat::parse(none)), (None, None));
        }
    }

    #[test]
    fn a_file_becomes_what_was_asked_for() {
        let becomes = RecordFormat::ALL.map(|asked| (asked.as_str(), asked.file().as_str()));
        assert_eq!(becomes, [("mp3", "mp3"), ("wav", "wav"), ("opus", "opus")]);
        assert_eq!(RecordFormat::default(), RecordFormat::Mp3);
        let types = FileFormat::ALL.map(FileFormat::media_type);
        assert_eq!(types, ["audio/wav", "audio/ogg; codecs=opus", "audio/mpeg"]);
    }
}
