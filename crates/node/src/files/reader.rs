//! Reads sound files for clips, and keeps the ones used last.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use crossbeam_channel::Receiver;
use media::pcm::Rate;
use media::wav::Wav;
use media::{Sound, resample};
use model::FileId;
use store::FileStore;
use tracing::warn;

use super::Read;
use crate::limits;

/// The reading thread.
pub(super) struct Reader {
    store: FileStore,
    cache: Cache,
}

impl Reader {
    pub(super) fn new(store: FileStore) -> Reader {
        Reader { store, cache: Cache::default() }
    }

    pub(super) fn run(mut self, orders: &Receiver<Read>) {
        for Read { file, to } in orders {
            to.put_file(file, self.sound(file));
        }
    }

    /// A sound, from memory if it was used lately: a file is never changed.
    fn sound(&mut self, file: FileId) -> Option<Sound> {
        if let Some(sound) = self.cache.find(file) {
            return Some(sound);
        }
        match read(&self.store, file) {
            Ok(sound) => {
                self.cache.keep(file, &sound);
                Some(sound)
            }
            Err(error) => {
                warn!(%file, %error, "a sound cannot be read");
                None
            }
        }
    }
}

fn read(store: &FileStore, file: FileId) -> io::Result<Sound> {
    let mut bytes = Vec::new();
    let most = limits::SOUND_BYTES_MAX;
    store.open(file)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other("the file is too long"));
    }
    let wav = Wav::read(&bytes).map_err(io::Error::other)?;
    if !limits::SOUND_RATES.contains(&wav.rate_hz) {
        return Err(io::Error::other(format!("a rate of {} Hz", wav.rate_hz)));
    }
    let mono = match wav.channels.as_slice() {
        [left, right] => left.iter().zip(right).map(|(a, b)| a.midpoint(*b)).collect(),
        channels => channels.first().cloned().unwrap_or_default(),
    };
    let rate = if wav.rate_hz > Rate::Narrow.hz() { Rate::Wide } else { Rate::Narrow };
    Ok(Sound { rate, samples: resample::convert(&mono, wav.rate_hz, rate.hz()).into() })
}

/// Sounds by their last use.
#[derive(Default)]
struct Cache {
    sounds: BTreeMap<FileId, (Sound, u64)>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

impl Cache {
    fn find(&mut self, file: FileId) -> Option<Sound> {
        self.clock += 1;
        let (sound, used) = self.sounds.get_mut(&file)?;
        *used = self.clock;
        Some(sound.clone())
    }

    fn keep(&mut self, file: FileId, sound: &Sound) {
        let bytes = size(sound);
        if bytes > limits::SOUND_CACHE_BYTES {
            return;
        }
        while self.bytes + bytes > limits::SOUND_CACHE_BYTES {
            let oldest = self.sounds.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(file, _)| *file) else { break };
            if let Some((gone, _)) = self.sounds.remove(&oldest) {
                self.bytes -= size(&gone);
            }
        }
        self.bytes += bytes;
        self.sounds.insert(file, (sound.clone(), self.clock));
    }
}

fn size(sound: &Sound) -> usize {
    2 * sound.samples.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sounds_used_last_are_kept_within_the_bound() {
        let mut cache = Cache::default();
        let quarter = Sound::narrow(vec![0; limits::SOUND_CACHE_BYTES / 8]);
        for n in 0..4 {
            cache.keep(FileId(n), &quarter);
        }
        assert!(cache.find(FileId(0)).is_some());
        cache.keep(FileId(4), &quarter);
        let kept: Vec<_> = (0..5).filter(|n| cache.find(FileId(*n)).is_some()).collect();
        assert_eq!(kept, [0, 2, 3, 4]);
        let huge = Sound::narrow(vec![0; limits::SOUND_CACHE_BYTES]);
        cache.keep(FileId(9), &huge);
        assert!(cache.find(FileId(9)).is_none() && cache.find(FileId(4)).is_some());
        assert_eq!(cache.bytes, limits::SOUND_CACHE_BYTES);
    }
}
