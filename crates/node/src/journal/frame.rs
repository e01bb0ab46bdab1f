//! One journal record as bytes: length, checksum, sequence, then the records in CBOR.

use leg::Record;
use thiserror::Error;

use crate::limits;

/// Bytes before the body: length (4), CRC-32 of everything after itself and of the length (4),
/// sequence (8); all little-endian.
pub(crate) const HEADER_BYTES: usize = 16;

/// First bytes of every segment: what it is, and the version of the format.
pub(crate) const MAGIC: [u8; 8] = *b"DPJOURN1";

/// Appends one journal record to `to`.
pub(crate) fn encode(sequence: u64, records: &[Record], to: &mut Vec<u8>) -> Result<(), TooLarge> {
    let start = to.len();
    to.extend_from_slice(&[0; HEADER_BYTES]);
    let body = start + HEADER_BYTES;
    model::cbor::write(to, &records);
    let length = to.len() - body;
    let Some(length) = u32::try_from(length).ok().filter(|n| *n <= limits::RECORD_BYTES_MAX) else {
        to.truncate(start);
        return Err(TooLarge { bytes: length });
    };
    let header = Header { length, sequence };
    let crc = header.crc(&to[body..]);
    to[start..start + 4].copy_from_slice(&length.to_le_bytes());
    to[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    to[start + 8..body].copy_from_slice(&sequence.to_le_bytes());
    Ok(())
}

/// A step wrote more than a journal record may hold.
#[derive(Debug, Error)]
#[error("a journal record of {bytes} bytes is too large")]
pub(crate) struct TooLarge {
    /// How large it would have been.
    pub(crate) bytes: usize,
}

/// One journal record as found.
#[derive(Debug, PartialEq)]
pub(crate) struct Frame<'a> {
    /// Rises by one with every record of a shard.
    pub(crate) sequence: u64,
    /// CBOR.
    pub(crate) body: &'a [u8],
}

impl Frame<'_> {
    /// Bytes in the segment.
    pub(crate) fn bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    /// The records in it; `None`: written by a version that this one cannot read.
    pub(crate) fn records(&self) -> Option<Vec<Record>> {
        cbor4ii::serde::from_slice(self.body).ok()
    }
}

/// What stands at the beginning of `bytes`.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'a> {
    /// A whole record.
    Frame(Frame<'a>),
    /// Nothing was written from here on.
    End,
    /// Something, but no whole record: cut off or damaged.
    Torn,
}

/// Reads the record at the beginning of `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Found<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return if bytes.iter().all(|b| *b == 0) { Found::End } else { Found::Torn };
    };
    let (length, head) = number::<4>(head);
    let (crc, head) = number::<4>(head);
    let (sequence, _) = number::<8>(head);
    let length = u32::from_le_bytes(length);
    if length == 0 {
        // A preallocated segment is zero after its last record. Anything else behind a zero
        // length is a write whose first block was lost.
        let blank = bytes.iter().take(HEADER_BYTES).all(|b| *b == 0);
        return if blank { Found::End } else { Found::Torn };
    }
    let header = Header { length, sequence: u64::from_le_bytes(sequence) };
    let body = usize::try_from(length).ok().and_then(|n| rest.get(..n));
    match body {
        Some(body) if header.crc(body) == u32::from_le_bytes(crc) => {
            Found::Frame(Frame { sequence: header.sequence, body })
        }
        _ => Found::Torn,
    }
}

/// The next `N` bytes and what follows them; zeros when there are fewer, which cannot be: the
/// caller cut `HEADER_BYTES`.
fn number<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    bytes.split_first_chunk::<N>().map_or(([0; N], &[]), |(n, rest)| (*n, rest))
}

struct Header {
    length: u32,
    sequence: u64,
}

impl Header {
    fn crc(&self, body: &[u8]) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&self.length.to_le_bytes());
        crc.update(&self.sequence.to_le_bytes());
        crc.update(body);
        crc.finalize()
    }
}

#[cfg(test)]
mod tests {
    use model::{CallId, TenantId};

    use super::*;

    fn gone(call: u64) -> Vec<Record> {
        vec![Record::CallGone { tenant: TenantId(1), call: CallId(call) }]
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let mut bytes = Vec::new();
        encode(7, &gone(1), &mut bytes).unwrap();
        encode(8, &gone(2), &mut bytes).unwrap();
        let Found::Frame(first) = decode(&bytes) else { panic!("no frame") };
        assert_eq!((first.sequence, first.records()), (7, Some(gone(1))));
        let Found::Frame(second) = decode(&bytes[first.bytes()..]) else { panic!("no frame") };
        assert_eq!((second.sequence, second.records()), (8, Some(gone(2))));
        assert_eq!(decode(&bytes[first.bytes() + second.bytes()..]), Found::End);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut bytes = Vec::new();
        encode(7, &gone(1), &mut bytes).unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bytes), Found::Torn, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_record_cut_at_any_byte_is_torn() {
        let mut bytes = Vec::new();
        encode(7, &gone(1), &mut bytes).unwrap();
        for cut in 1..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), Found::Torn, "cut at {cut}");
            let mut padded = bytes[..cut].to_vec();
            padded.resize(bytes.len() + 64, 0);
            assert_eq!(decode(&padded), Found::Torn, "zeros from {cut}");
        }
    }

    #[test]
    fn too_large_a_record_leaves_nothing_behind() {
        let saved = leg::SavedCall {
            tenant: TenantId(1),
            call: CallId(1),
            exchange: vec![0; usize::try_from(limits::RECORD_BYTES_MAX).unwrap()],
            stack: Vec::new(),
        };
        let mut bytes = vec![1, 2, 3];
        assert!(encode(1, &[Record::CallSaved(Box::new(saved))], &mut bytes).is_err());
        assert_eq!(bytes, [1, 2, 3]);
    }
}
