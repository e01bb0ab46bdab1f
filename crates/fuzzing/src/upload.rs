//! Uploaded sounds.

use sound::{BadSound, convert, limits};

/// Whatever is uploaded becomes a sound within its bounds or is refused, for the same reason each
/// time; and what came out can be put in again.
pub fn upload(data: &[u8]) {
    let first = convert(data);
    match &first {
        Ok(sound) => {
            let samples = sound.wav.len().saturating_sub(44) / 2;
            assert!(samples > 0, "a sound of nothing");
            let longest = u64::from(limits::SECONDS_MAX) * u64::from(limits::RATE_HZ);
            // Rates are taken to the nearest multiple of 25 Hz.
            assert!(samples as u64 <= longest + longest / 250, "{samples} samples");
            assert_eq!(convert(&sound.wav).as_ref(), Ok(sound), "its own result is changed");
        }
        Err(BadSound::TooLarge) => assert!(data.len() > limits::BYTES_MAX),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
    assert_eq!(convert(data), first, "the same file twice");
}

/// Small files of both kinds: what mutation begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let stereo = include_bytes!("../../sound/tests/files/tone_44100_stereo.mp3");
    let mono = include_bytes!("../../sound/tests/files/tone_22050_mono.mp3");
    let tagged = include_bytes!("../../sound/tests/files/tone_48000_mono_vbr.mp3");
    // A tag of 20 bytes before the first frame.
    let named = [&b"ID3\x03\0\0\0\0\0\x14"[..], &[0; 20], &mono[..1_000]].concat();
    let mut files =
        vec![stereo[..2_500].to_vec(), mono[..1_300].to_vec(), tagged[..900].to_vec(), named];
    files.extend([(1u8, 16u8, 2u8), (1, 8, 1), (1, 24, 1), (1, 32, 2), (6, 8, 1), (7, 8, 2)].map(
        |(format, bits, channels)| {
            let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
            file.extend([format, 0, channels, 0, 0x40, 0x1F, 0, 0, 0, 0, 0, 0, 0, 0, bits, 0]);
            file.extend(b"LIST\x02\0\0\0abdata\x20\x01\0\0");
            file.extend((0..=255u8).cycle().take(288));
            file
        },
    ));
    files
}
