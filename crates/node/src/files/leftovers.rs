//! Recordings that a process that died was writing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::time::{Duration, SystemTime};

use media::wav::{PCM_HEADER_BYTES, pcm_header, unfinished};
use store::FileStore;
use store::files::Whole;
use tracing::{info, warn};

use crate::limits;

/// Completes the recordings that hold something, and removes whatever else was begun. Nobody
/// writes yet.
pub(crate) fn complete_leftovers(store: &FileStore) {
    let stored = match store.list(SystemTime::now(), Duration::ZERO) {
        Ok(stored) => stored,
        Err(error) => return warn!(%error, "the folder of sounds cannot be read"),
    };
    for left in stored.into_iter().filter(|stored| stored.whole == Whole::No) {
        let path = store.temporary_path(left.id);
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let done = opened.and_then(|mut file| {
            let is_recording = repair(&mut file)?;
            if is_recording { store.finish(left.id, &file) } else { store.discard(left.id) }
                .map(|()| is_recording)
        });
        match done {
            Ok(true) => info!(file = %left.id, "a recording was completed after a restart"),
            Ok(false) => info!(file = %left.id, "an unfinished file was removed"),
            Err(error) => warn!(file = %left.id, %error, "an unfinished file stays"),
        }
    }
}

/// Writes the length into the header of a recording; whether it is one, of a second at least.
fn repair(file: &mut File) -> io::Result<bool> {
    let mut header = [0; PCM_HEADER_BYTES];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    let Some((rate_hz, channels)) = unfinished(&header) else { return Ok(false) };
    let frame = 2 * u64::from(channels);
    let bytes = (file.metadata()?.len() - PCM_HEADER_BYTES as u64) / frame * frame;
    if bytes < u64::from(rate_hz) * frame * limits::LEFTOVER_SECONDS_MIN {
        return Ok(false);
    }
    file.set_len(PCM_HEADER_BYTES as u64 + bytes)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&pcm_header(rate_hz, channels, u32::try_from(bytes).unwrap_or(u32::MAX)))?;
    Ok(true)
}
