//! MP3 (MPEG 1, 2 and 2.5, layer III), by a library.

use nanomp3::{Options, SliceReader};

use crate::convert::{BadSound, Mixer};

/// Whether a file says that it is one: a tag before it, or frames that follow each other.
pub(crate) fn is_meant(file: &[u8]) -> bool {
    nanomp3::detect(file)
}

/// Its sound. What the encoder has put before and behind it is left out where the file tells of
/// it; bytes that are no frames are passed over, as every player does.
pub(crate) fn read(file: &[u8]) -> Result<Vec<i16>, BadSound> {
    let mut reader = SliceReader::<f32>::with_options(file, Options::default().skip_scan(true));
    // A tag with nothing behind it.
    let channels = reader.channels().ok_or(BadSound::Silent)?;
    let channels = if channels == nanomp3::Channels::Mono { 1 } else { 2 };
    let mut mixer = Mixer::new(channels, reader.sample_rate())?;
    loop {
        match reader.read_frame() {
            Ok(Some(samples)) => mixer.take(samples)?,
            Ok(None) => break,
            Err(_) => return Err(BadSound::Changes { seconds: mixer.seconds() }),
        }
    }
    Ok(mixer.finish())
}
