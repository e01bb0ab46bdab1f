//! `%XX` in URIs.

use std::borrow::Cow;

use crate::work::visit;

/// Replaces `%XX`. Where the result would be no UTF-8, the escapes stay as they are, so that
/// different texts stay different.
pub fn unescape(text: &str) -> Cow<'_, str> {
    visit(text.len());
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        match (b, escaped(bytes, i)) {
            (b'%', Some(plain)) => {
                out.push(plain);
                i += 3;
            }
            _ => {
                out.push(b);
                i += 1;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(plain) => Cow::Owned(plain),
        Err(_) => Cow::Borrowed(text),
    }
}

/// Appends `text` to `out` as the user part of a SIP URI, escaping what needs it.
pub fn escape_user(text: &str, out: &mut String) {
    for b in text.bytes() {
        // RFC 3261 25.1: unreserved, and user-unreserved without the semicolon and question mark
        // that some parsers trip over.
        if b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,/".contains(&b) {
            out.push(char::from(b));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            let digit = |n: u8| HEX.get(usize::from(n)).copied().map_or('0', char::from);
            out.push('%');
            out.push(digit(b >> 4));
            out.push(digit(b & 15));
        }
    }
}

/// The byte that `%XX` at `i` stands for.
pub(super) fn escaped(bytes: &[u8], i: usize) -> Option<u8> {
    let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let high = hex(*bytes.get(i + 1)?)?;
    let low = hex(*bytes.get(i + 2)?)?;
    Some((high << 4) | low)
}
