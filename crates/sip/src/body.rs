//! The body: which part of it is the session description.

use crate::cursor::{Cursor, cut, trim};
use crate::headers::MediaType;
use crate::limits;
use crate::message::Message;
use crate::work::visit;

/// The session description in the body: the whole body of type `application/sdp`, or the first
/// such part of a multipart one (RFC 5621). `None`: there is none.
pub fn session_description(message: &Message) -> Option<&[u8]> {
    let body = message.body();
    if body.is_empty() {
        return None;
    }
    let media = message.content_type().ok()??;
    if media.is("application", "sdp") {
        return Some(body);
    }
    if !media.kind.eq_ignore_ascii_case("multipart") {
        return None;
    }
    let boundary = media.params.unquoted("boundary")?;
    if boundary.is_empty() || boundary.len() > limits::BOUNDARY_BYTES_MAX {
        return None;
    }
    parts(body, boundary.as_bytes()).find_map(sdp_part)
}

/// The parts of a multipart body (RFC 2046 5.1), headers included, as far as they are whole.
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut delimiter = b"--".to_vec();
    delimiter.extend_from_slice(boundary);
    let mut rest = after_delimiter(body, &delimiter).map(|(_, rest)| rest);
    let next = move || {
        let (part, after) = after_delimiter(rest?, &delimiter)?;
        rest = Some(after);
        Some(part)
    };
    core::iter::from_fn(next).take(limits::MULTIPART_PARTS_MAX)
}

/// What stands before the next delimiter line and after it. The search begins at line starts only
/// where the delimiter is found, so each byte is looked at once.
fn after_delimiter<'a>(text: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut from = 0;
    loop {
        let rest = cut(text, from, text.len());
        let at = memchr::memmem::find(rest, delimiter);
        visit(at.map_or(rest.len(), |at| at + delimiter.len()));
        let at = from + at?;
        let end = at + delimiter.len();
        let starts_line = at == 0 || text.get(at - 1) == Some(&b'\n');
        if starts_line {
            let before = cut(text, 0, at);
            let before = before.strip_suffix(b"\n").unwrap_or(before);
            let before = before.strip_suffix(b"\r").unwrap_or(before);
            return Some((before, cut(text, end, text.len())));
        }
        from = end;
    }
}

/// The content of a part whose Content-Type is `application/sdp`.
fn sdp_part(part: &[u8]) -> Option<&[u8]> {
    let mut is_sdp = false;
    // The rest of the delimiter line comes first.
    let mut rest = part;
    let mut first = true;
    loop {
        let line_len = memchr::memchr(b'\n', rest)?;
        visit(line_len + 1);
        let line = trim(cut(rest, 0, line_len));
        rest = cut(rest, line_len + 1, rest.len());
        if first {
            first = false;
            if !line.is_empty() {
                return None;
            }
        } else if line.is_empty() {
            return is_sdp.then_some(rest);
        } else if let Some(colon) = memchr::memchr(b':', line) {
            let name = trim(cut(line, 0, colon));
            if crate::Header::of_name(name) == crate::Header::ContentType {
                let mut c = Cursor::new(cut(line, colon + 1, line.len()));
                is_sdp = MediaType::take(&mut c).is_ok_and(|m| m.is("application", "sdp"));
            }
        }
    }
}
