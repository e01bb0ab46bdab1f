//! Hears files of Opus in Ogg as a player does.

use crate::wav::Wav;

/// What a page of Ogg holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where the stream stands after it, at 48 kHz.
    pub granule: u64,
    /// Its packets.
    pub packets: Vec<Vec<u8>>,
}

/// The pages of a file whose packets each lie in one page; `None`: it is none, or it ends early.
pub fn ogg_pages(mut bytes: &[u8]) -> Option<Vec<Page>> {
    let mut pages = Vec::new();
    let mut last = false;
    while let Some((header, rest)) = bytes.split_first_chunk::<27>() {
        let [b'O', b'g', b'g', b'S', 0, flags, g0, g1, g2, g3, g4, g5, g6, g7, .., segments] =
            *header
        else {
            return None;
        };
        last = flags & 4 != 0;
        let (lacing, mut rest) = rest.split_at_checked(usize::from(segments))?;
        let mut packets = Vec::new();
        let mut packet = Vec::new();
        for length in lacing {
            let (segment, after) = rest.split_at_checked(usize::from(*length))?;
            packet.extend(segment);
            rest = after;
            if *length < u8::MAX {
                packets.push(core::mem::take(&mut packet));
            }
        }
        let granule = u64::from_le_bytes([g0, g1, g2, g3, g4, g5, g6, g7]);
        pages.push(Page { granule, packets });
        bytes = rest;
    }
    (bytes.is_empty() && last).then_some(pages)
}

/// What a player plays of a file, at 48 kHz: without what lies before and behind the sound
/// (RFC 7845 4.2 and 4.4).
pub fn hear_opus_file(bytes: &[u8]) -> Option<Wav> {
    let pages = ogg_pages(bytes)?;
    let [head, _tags, sound @ ..] = pages.as_slice() else { return None };
    let [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', 1, channels, s0, s1, ..] =
        *head.packets.first()?.as_slice()
    else {
        return None;
    };
    let layout = if channels == 1 { opus::Channels::Mono } else { opus::Channels::Stereo };
    let mut decoder = opus::Decoder::new(48_000, layout).ok()?;
    let mut heard = vec![Vec::new(); usize::from(channels)];
    let mut room = vec![0; 5_760 * usize::from(channels)];
    for packet in sound.iter().flat_map(|page| &page.packets) {
        let samples = decoder.decode(packet, &mut room, false).ok()?;
        for frame in room.chunks(usize::from(channels)).take(samples) {
            for (channel, sample) in heard.iter_mut().zip(frame) {
                channel.push(*sample);
            }
        }
    }
    let end = usize::try_from(pages.last()?.granule).ok()?;
    for channel in &mut heard {
        channel.truncate(end);
        channel.drain(..usize::from(u16::from_le_bytes([s0, s1])).min(channel.len()));
    }
    Some(Wav { rate_hz: 48_000, channels: heard })
}
