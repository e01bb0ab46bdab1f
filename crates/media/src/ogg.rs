//! Pages of Ogg (RFC 3533 6): one logical stream, whose packets each lie in one page.

/// Lacing values of a page (RFC 3533 6: `number_page_segments` is a byte).
const SEGMENTS_MAX: usize = 255;
/// Bytes of a segment; a packet ends with the first that has fewer.
const SEGMENT_BYTES: usize = 255;
/// The longest packet that fits a page together with the end of its last segment.
const PACKET_BYTES_MAX: usize = SEGMENTS_MAX * SEGMENT_BYTES - 1;

const FIRST_PAGE: u8 = 0x02;
const LAST_PAGE: u8 = 0x04;

/// What comes behind a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next packet of the same page.
    More,
    /// The next page.
    NextPage,
    /// Nothing: it was the last of the stream.
    End,
}

/// Writes pages of one stream.
#[derive(Debug)]
pub(crate) struct Pages {
    serial: u32,
    sequence: u32,
    segments: Vec<u8>,
    body: Vec<u8>,
    /// Of the last packet of the page.
    granule: u64,
    out: Vec<u8>,
}

impl Pages {
    /// A stream with this number.
    pub(crate) fn new(serial: u32) -> Pages {
        let (segments, body, out) = Default::default();
        Pages { serial, sequence: 0, segments, body, granule: 0, out }
    }

    /// Adds a packet, after whose end the stream stands at `granule`. A longer one than fits a page
    /// loses its end: those of Opus are far below.
    pub(crate) fn add(&mut self, packet: &[u8], granule: u64, then: Then) {
        let packet = packet.get(..PACKET_BYTES_MAX).unwrap_or(packet);
        let (full, rest) = (packet.len() / SEGMENT_BYTES, packet.len() % SEGMENT_BYTES);
        if self.segments.len() + full + 1 > SEGMENTS_MAX {
            self.flush(0);
        }
        self.segments.extend(core::iter::repeat_n(u8::MAX, full));
        self.segments.push(u8::try_from(rest).unwrap_or(0));
        self.body.extend(packet);
        self.granule = granule;
        match then {
            Then::More => {}
            Then::NextPage => self.flush(0),
            Then::End => self.flush(LAST_PAGE),
        }
    }

    /// The pages that were completed since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.out)
    }

    /// Ends the page (RFC 3533 6: the header, field by field).
    fn flush(&mut self, mut flags: u8) {
        if self.sequence == 0 {
            flags |= FIRST_PAGE;
        }
        let begin = self.out.len();
        self.out.extend(b"OggS\0");
        self.out.push(flags);
        self.out.extend(self.granule.to_le_bytes());
        self.out.extend(self.serial.to_le_bytes());
        self.out.extend(self.sequence.to_le_bytes());
        let checksum_at = self.out.len();
        self.out.extend([0; 4]);
        self.out.push(u8::try_from(self.segments.len()).unwrap_or(u8::MAX));
        self.out.append(&mut self.segments);
        self.out.append(&mut self.body);
        let sum = checksum(self.out.get(begin..).unwrap_or_default());
        if let Some(field) = self.out.get_mut(checksum_at..checksum_at + 4) {
            field.copy_from_slice(&sum.to_le_bytes());
        }
        self.sequence = self.sequence.wrapping_add(1);
    }
}

/// CRC-32 with the polynomial 0x04C11DB7, the highest bit first, beginning at 0 (RFC 3533 6).
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum: u32, byte| {
        let [first, ..] = sum.to_be_bytes();
        let remainder = REMAINDERS.get(usize::from(first ^ byte)).unwrap_or(&0);
        (sum << 8) ^ remainder
    })
}

const REMAINDERS: [u32; 256] = remainders();

// Computed when it is compiled, where a mistake is an error.
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]
const fn remainders() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < table.len() {
        let mut remainder = (n as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            let carry = remainder & 0x8000_0000 != 0;
            remainder = (remainder << 1) ^ if carry { 0x04C1_1DB7 } else { 0 };
            bit += 1;
        }
        table[n] = remainder;
        n += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use ogg::PacketReader;

    use super::*;

    /// What another program reads: packets with the granule of their page, and whether they are the
    /// last of their page and of the stream.
    fn read(bytes: &[u8]) -> Vec<(usize, u64, bool, bool)> {
        let mut reader = PacketReader::new(std::io::Cursor::new(bytes));
        core::iter::from_fn(|| reader.read_packet().expect("good pages"))
            .map(|p| {
                assert_eq!(p.stream_serial(), 77);
                assert!(p.data.iter().enumerate().all(|(n, byte)| *byte == n as u8));
                (p.data.len(), p.absgp_page(), p.last_in_page(), p.last_in_stream())
            })
            .collect()
    }

    fn packet(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|n| n as u8).collect()
    }

    #[test]
    fn packets_of_every_length_come_back_whole_each_in_its_page() {
        let mut pages = Pages::new(77);
        let lengths = [0, 1, 254, 255, 256, 509, 510, 511, 1_275, PACKET_BYTES_MAX];
        for (n, bytes) in lengths.into_iter().enumerate() {
            let then = if n == lengths.len() - 1 { Then::End } else { Then::NextPage };
            pages.add(&packet(bytes), n as u64, then);
        }
        let found = read(&pages.take());
        let expected: Vec<_> = lengths
            .into_iter()
            .enumerate()
            .map(|(n, bytes)| (bytes, n as u64, true, n == lengths.len() - 1))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_page_that_is_full_ends_before_the_packet_that_does_not_fit() {
        let mut pages = Pages::new(77);
        for n in 0..300 {
            pages.add(&packet(10), n, if n == 299 { Then::End } else { Then::More });
        }
        let found = read(&pages.take());
        assert_eq!(found.len(), 300);
        let ends: Vec<_> = found.iter().enumerate().filter(|(_, p)| p.2).map(|(n, _)| n).collect();
        assert_eq!(ends, [254, 299]);
        assert_eq!((found[0].1, found[254].1, found[255].1), (254, 254, 299));
    }

    #[test]
    fn a_damaged_page_is_noticed_by_its_sum() {
        let mut pages = Pages::new(77);
        pages.add(&packet(100), 5, Then::End);
        let mut bytes = pages.take();
        *bytes.last_mut().unwrap() ^= 1;
        let mut reader = PacketReader::new(std::io::Cursor::new(&bytes));
        assert!(reader.read_packet().is_err());
    }
}
