//! What the last run left in the journal directory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use super::Start;
use super::disk::read_segment_name;
use super::frame::{self, Found, MAGIC};
use super::reader::Step;

/// The journals found in a directory, by shard. There may be more or fewer than shards now.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// By shard.
    pub(crate) journals: BTreeMap<u32, Leftover>,
}

/// The segments of one shard.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    /// By number.
    segments: BTreeMap<u64, PathBuf>,
}

impl Recovery {
    /// Lists `directory`; one that is not there holds nothing.
    pub(crate) fn find(directory: &Path) -> io::Result<Recovery> {
        let mut found = Recovery::default();
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if let Some((shard, number)) = name.to_str().and_then(read_segment_name) {
                let journal = found.journals.entry(shard).or_default();
                journal.segments.insert(number, entry.path());
            }
        }
        Ok(found)
    }
}

impl Leftover {
    /// The segments in order, each with its records.
    pub(crate) fn segments(&self) -> impl Iterator<Item = io::Result<Contents>> {
        let last = self.segments.keys().next_back().copied();
        self.segments.iter().map(move |(number, path)| {
            let place = if Some(*number) == last { Place::Last } else { Place::Earlier };
            read_segment(path, place)
        })
    }

    /// Where the journal goes on when its last record is `sequence`.
    pub(crate) fn start(&self, sequence: u64) -> Start {
        Start { sequence, segment: self.segments.keys().next_back().copied().unwrap_or(0) }
    }

    /// Everything is in the database: removes the segments, but keeps what is damaged for an
    /// operator to look at.
    pub(crate) fn remove(&self, damaged: &[PathBuf]) -> io::Result<()> {
        for path in self.segments.values() {
            if damaged.contains(path) {
                let mut name = path.clone().into_os_string();
                name.push(".damaged");
                fs::rename(path, name)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Whether a segment is the one that was written to when the process ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Earlier,
    Last,
}

/// What a segment holds.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Its whole records.
    pub(crate) steps: Vec<Step>,
    /// It holds something that could not be read and that no crash explains.
    pub(crate) damaged: bool,
}

/// Reads a segment up to its last good record. A torn tail is what a crash leaves in the last
/// segment; anywhere else it is damage.
fn read_segment(path: &Path, place: Place) -> io::Result<Contents> {
    let bytes = fs::read(path)?;
    let mut contents = Contents { path: path.to_owned(), steps: Vec::new(), damaged: false };
    let Some(mut rest) = bytes.strip_prefix(&MAGIC) else {
        // A segment whose first bytes never got to the disk is all zeros, or empty.
        contents.damaged = bytes.iter().any(|b| *b != 0);
        if contents.damaged {
            error!(path = %path.display(), "this is no journal of this version");
        }
        return Ok(contents);
    };
    loop {
        match frame::decode(rest) {
            Found::End => return Ok(contents),
            Found::Torn => {
                contents.damaged = place == Place::Earlier;
                let offset = bytes.len() - rest.len();
                if contents.damaged {
                    error!(path = %path.display(), offset, "the journal is damaged from here on");
                } else {
                    warn!(path = %path.display(), offset, "the journal's torn tail is dropped");
                }
                return Ok(contents);
            }
            Found::Frame(frame) => {
                match frame.records() {
                    Some(records) => contents.steps.push((frame.sequence, records)),
                    None => {
                        let sequence = frame.sequence;
                        error!(path = %path.display(), sequence, "a record cannot be understood");
                        contents.damaged = true;
                    }
                }
                rest = rest.get(frame.bytes()..).unwrap_or_default();
            }
        }
    }
}
