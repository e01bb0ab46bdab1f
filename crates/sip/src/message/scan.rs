//! The one pass over a start line and a header part.

use core::ops::Range;

use super::{Flaws, Head, Line, Span, Start};
use crate::cursor::{TOKEN, cut, decimal, is, trim};
use crate::error::ParseError;
use crate::limits;
use crate::method::Method;
use crate::name::Header;
use crate::work::visit;

impl Head {
    /// Reads start line and header part.
    pub(crate) fn parse(raw: &[u8]) -> Result<Head, ParseError> {
        // RFC 3261 7.5: line ends before the start line are ignored.
        let begin = raw.iter().position(|b| !matches!(b, b'\r' | b'\n'));
        let begin = begin.ok_or(ParseError::Empty)?;
        visit(begin);
        let mut scan = Scan { raw, flaws: Flaws::default() };
        let (end, mut at) = scan.line_end(begin);
        let start = start_line(raw, begin..end)?;
        let mut lines = Vec::with_capacity(limits::HEADER_LINES_USUAL);
        loop {
            match cut(raw, at, raw.len()) {
                [b'\r', b'\n', ..] => break at += 2,
                [b'\n', ..] => break at += 1,
                [] => break scan.flaws.unfinished = true,
                _ => at = scan.header_line(at, &mut lines),
            }
        }
        Ok(Head { start, lines, end: at, flaws: scan.flaws })
    }

    /// The first Content-Length, if it is a number.
    pub(crate) fn content_length(&self, raw: &[u8]) -> Option<usize> {
        let line = self.lines.iter().find(|l| l.header == Header::ContentLength)?;
        usize::try_from(decimal(line.value.of(raw))?).ok()
    }

    /// All Content-Length values, for framing.
    pub(crate) fn content_lengths<'a>(
        &'a self,
        raw: &'a [u8],
    ) -> impl Iterator<Item = &'a [u8]> + 'a {
        let lines = self.lines.iter().filter(|l| l.header == Header::ContentLength);
        lines.map(|l| l.value.of(raw))
    }
}

/// The bytes, and what was found odd in them so far.
struct Scan<'a> {
    raw: &'a [u8],
    flaws: Flaws,
}

impl Scan<'_> {
    /// Where the line ends that `from` lies in, and where the next begins.
    #[inline]
    fn line_end(&mut self, from: usize) -> (usize, usize) {
        let mut at = from;
        loop {
            let rest = cut(self.raw, at, self.raw.len());
            let Some(found) = memchr::memchr2(b'\r', b'\n', rest) else {
                visit(rest.len());
                return (self.raw.len(), self.raw.len());
            };
            visit(found + 1);
            let here = at + found;
            match cut(self.raw, here, here + 2) {
                [b'\n', ..] => return (here, here + 1),
                [b'\r', b'\n'] => return (here, here + 2),
                _ => {
                    self.flaws.lone_cr = true;
                    at = here + 1;
                }
            }
        }
    }

    /// Where a line with its continuation lines ends, and where the next begins.
    #[inline]
    fn folded_end(&mut self, from: usize) -> (usize, usize) {
        let (end, next) = self.line_end(from);
        match self.raw.get(next) {
            Some(b' ' | b'\t') => self.continued_end(next),
            _ => (end, next),
        }
    }

    /// The same, from the first continuation line on.
    #[cold]
    fn continued_end(&mut self, from: usize) -> (usize, usize) {
        let mut at = from;
        loop {
            let (end, next) = self.line_end(at);
            match self.raw.get(next) {
                Some(b' ' | b'\t') => at = next,
                _ => return (end, next),
            }
        }
    }

    /// Reads one header line into the table; returns where the next begins.
    #[inline]
    fn header_line(&mut self, from: usize, lines: &mut Vec<Line>) -> usize {
        let rest = cut(self.raw, from, self.raw.len());
        let len = rest.iter().position(|&b| !is(b, TOKEN)).unwrap_or(rest.len());
        let name = cut(rest, 0, len);
        // White space before the colon is allowed (RFC 3261 7.3.1, HCOLON).
        let mut colon = len;
        while let Some(b' ' | b'\t') = rest.get(colon) {
            colon += 1;
        }
        visit(colon + 1);
        if name.is_empty() || rest.get(colon) != Some(&b':') {
            self.flaws.malformed = true;
            let (end, next) = self.folded_end(from);
            let value = Span::new(from, end);
            lines.push(Line { header: Header::Malformed, name: Span::default(), value });
            return next;
        }
        let begin = from + colon + 1;
        let (end, next) = self.folded_end(begin);
        let line = Line {
            header: Header::of_name(name),
            name: Span::new(from, from + len),
            value: trimmed(self.raw, begin, end),
        };
        lines.push(line);
        next
    }
}

/// A span without white space (and folds) at both ends.
fn trimmed(raw: &[u8], from: usize, to: usize) -> Span {
    let whole = cut(raw, from, to);
    let lead = whole.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
    let kept = trim(whole).len();
    visit(lead);
    Span::new(from + lead, from + lead + kept)
}

fn start_line(raw: &[u8], line: Range<usize>) -> Result<Start, ParseError> {
    let text = cut(raw, line.start, line.end);
    if text.get(..4).is_some_and(|p| p.eq_ignore_ascii_case(b"SIP/")) {
        status_line(raw, line)
    } else {
        request_line(raw, line)
    }
}

fn is_gap(b: &u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// `Method SP Request-URI SP SIP-Version`; more than one space, or one at the end, is taken.
fn request_line(raw: &[u8], line: Range<usize>) -> Result<Start, ParseError> {
    let fail = |offset, expected| Err(ParseError::StartLine { offset, expected });
    let text = cut(raw, line.start, line.end);
    visit(text.len());
    let Some(name_len) = text.iter().position(is_gap) else {
        return fail(line.end, "a space after the method");
    };
    if name_len == 0 {
        return fail(line.start, "a method");
    }
    let Some(last) = text.iter().rposition(|b| !is_gap(b)) else {
        return fail(line.end, "a Request-URI");
    };
    let before_version = cut(text, 0, last + 1).iter().rposition(is_gap).unwrap_or(0);
    let version = before_version + 1;
    if before_version < name_len
        || !text.get(version..version + 4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/"))
    {
        return fail(line.start + version, "SIP-Version");
    }
    let uri = trimmed(raw, line.start + name_len, line.start + before_version);
    if uri.from == uri.to {
        return fail(line.start + name_len, "a Request-URI");
    }
    let name = Span::new(line.start, line.start + name_len);
    Ok(Start::Request {
        method: Method::parse(name.of(raw)),
        name,
        uri,
        version: Span::new(line.start + version, line.start + last + 1),
    })
}

/// `SIP-Version SP Status-Code SP Reason-Phrase`; the phrase may be missing.
fn status_line(raw: &[u8], line: Range<usize>) -> Result<Start, ParseError> {
    let text = cut(raw, line.start, line.end);
    let version_len = text.iter().position(is_gap).unwrap_or(text.len());
    let gap = cut(text, version_len, text.len()).iter().take_while(|b| is_gap(b)).count();
    let code = version_len + gap;
    let digits = cut(text, code, text.len()).iter().take_while(|b| b.is_ascii_digit()).count();
    visit(code + digits);
    let status = decimal(cut(text, code, code + digits)).and_then(|n| u16::try_from(n).ok());
    let ended = text.get(code + digits).is_none_or(is_gap);
    match status {
        Some(status @ 100..=699) if digits == 3 && ended => Ok(Start::Response {
            version: Span::new(line.start, line.start + version_len),
            status,
            reason: trimmed(raw, (line.start + code + digits).min(line.end), line.end),
        }),
        _ => Err(ParseError::StartLine {
            offset: line.start + code,
            expected: "a status code from 100 to 699",
        }),
    }
}
