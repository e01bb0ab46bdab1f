//! Hears MP3 files as a player does, with another program's decoder.

use nanomp3::Channels;

use crate::wav::Wav;

/// What a player plays of a file, without what the coder has put before and behind the sound;
/// `None`: it is none, or it does not follow on from its beginning to its end.
pub fn hear_mp3_file(bytes: &[u8]) -> Option<Wav> {
    let mut end = 0;
    for frame in nanomp3::frames(bytes) {
        if frame.offset != end || frame.layer != 3 {
            return None;
        }
        end = frame.offset + frame.data.len();
    }
    let first = nanomp3::frames(bytes).next().filter(|_| end == bytes.len())?;
    let heard = nanomp3::decode_all::<i16>(bytes);
    let count = if first.channels == Channels::Mono { 1 } else { 2 };
    let one = |n: usize| heard.samples.iter().copied().skip(n).step_by(count).collect();
    let is_one_sound = !heard.format_changed && heard.samples.len().is_multiple_of(count);
    let channels = (0..count).map(one).collect();
    is_one_sound.then_some(Wav { rate_hz: first.sample_rate, channels })
}
