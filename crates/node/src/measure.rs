//! What the journal costs, for `cargo xtask bench`; nothing of the switch uses it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use leg::Record;
use tokio::sync::Notify;

use crate::clock;
use crate::journal::{self, Start};

/// Writes each of `steps` into a new journal in `directory`, in turn for `rounds` rounds, and gives
/// the time that this takes from a shard's thread; another thread makes it durable meanwhile.
pub fn journal_time(directory: &Path, steps: &[Vec<Record>], rounds: u32) -> io::Result<Duration> {
    let start = Start { sequence: 0, segment: 0 };
    let (mut journal, syncer, _reader) =
        journal::open(directory, 0, start, Arc::new(Notify::new()))?;
    let begin = clock::mono();
    for _ in 0..rounds {
        for records in steps {
            journal.add(records);
            journal.commit(clock::mono());
        }
    }
    let took = clock::mono().since(begin);
    syncer.stop();
    Ok(took)
}
