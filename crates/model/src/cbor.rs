//! How everything that is kept is written: CBOR with field names.

use core::convert::Infallible;

use cbor4ii::core::enc;
use cbor4ii::serde::Serializer;
use serde::Serialize;

/// Appends a value to `to`. What is kept is plain data, which can always be written.
pub fn write(to: &mut Vec<u8>, value: &impl Serialize) {
    let written = value.serialize(&mut Serializer::new(Appended(to)));
    debug_assert!(written.is_ok(), "no plain data: {written:?}");
}

/// Grows as a vector does. The library's own writer asks for room byte by byte.
struct Appended<'a>(&'a mut Vec<u8>);

impl enc::Write for Appended<'_> {
    type Error = Infallible;

    // Most of what is written are single bytes of known value; called, each would cost a copy.
    #[inline(always)]
    fn push(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        match bytes {
            [one] => self.0.push(*one),
            bytes => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_appended_and_reads_back() {
        let mut bytes = vec![7];
        write(&mut bytes, &(1u8, "two", [3u64; 2]));
        let read: (u8, String, [u64; 2]) = cbor4ii::serde::from_slice(&bytes[1..]).unwrap();
        assert_eq!(read, (1, "two".to_owned(), [3, 3]));
    }
}
