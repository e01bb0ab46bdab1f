//! One message: the received bytes, and a table of where its headers lie in them.

mod memo;
mod raw;
mod scan;

use core::cell::Cell;
use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use crate::cursor::{Cursor, cut, place};
use crate::error::ParseError;
use crate::limits;
use crate::method::Method;
use crate::name::Header;
use memo::Memo;
pub(crate) use memo::{AddressAt, At, CSeqAt, CredentialsAt, ViaAt};
use raw::Raw;

/// A SIP message as it was received.
///
/// Parsing walks over the bytes once and remembers where each header lies; values are read when
/// asked for ([`Message::from`], [`Message::vias`], ...), straight from the received bytes. The
/// parser refuses only what is no SIP message at all; what else is wrong with it, and what is owed
/// for that, says [`crate::validate()`].
#[derive(Clone)]
pub struct Message {
    raw: Raw,
    head: Head,
    body: Span,
    /// The tags of From and To, which a message is asked for again and again.
    tags: [Cell<Known>; 2],
    /// Other parts of which the same holds.
    memo: Memo,
}

/// Which of the two parties of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    From,
    To,
}

/// What is known of the tag of a party.
#[derive(Clone, Copy, Debug, Default)]
enum Known {
    /// Nobody has asked.
    #[default]
    Nothing,
    /// It has none, or it cannot be read.
    Absent,
    /// It has one.
    At(Span),
}

/// Where the parts of a start line and the headers lie; offsets into the message.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    start: Start,
    lines: Vec<Line>,
    /// Where the body begins.
    pub(crate) end: usize,
    flaws: Flaws,
}

/// What is odd about the header part as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flaws {
    /// The empty line that ends the header part is missing.
    pub(crate) unfinished: bool,
    /// A CR stands alone in the header part.
    pub(crate) lone_cr: bool,
    /// A line is no header.
    pub(crate) malformed: bool,
}

/// A message is at most 64 KiB, so 32 bits are plenty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    from: u32,
    to: u32,
}

impl Span {
    fn new(from: usize, to: usize) -> Span {
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { from: at(from), to: at(to) }
    }

    fn of(self, raw: &[u8]) -> &[u8] {
        let Range { start, end } = self.range();
        cut(raw, start, end)
    }

    fn range(self) -> Range<usize> {
        let at = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        at(self.from)..at(self.to)
    }
}

#[derive(Clone, Debug)]
enum Start {
    Request { method: Method, name: Span, uri: Span, version: Span },
    Response { version: Span, status: u16, reason: Span },
}

#[derive(Clone, Copy, Debug)]
struct Line {
    header: Header,
    name: Span,
    value: Span,
}

/// The start line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// Of a request.
    Request {
        /// The method.
        method: Method,
        /// The method as it is written.
        name: &'a [u8],
        /// The Request-URI as it is written.
        uri: &'a [u8],
        /// `SIP/2.0`.
        version: &'a [u8],
    },
    /// Of a response.
    Response {
        /// `SIP/2.0`.
        version: &'a [u8],
        /// 100 to 699.
        status: u16,
        /// For people.
        reason: &'a [u8],
    },
}

/// One header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLine<'a> {
    /// Which header.
    pub header: Header,
    /// The name as it came; empty for [`Header::Malformed`].
    pub name: &'a [u8],
    /// The value without white space at both ends; may hold folds (line end and white space).
    pub value: &'a [u8],
}

impl Message {
    /// Reads one datagram, or one message cut out of a stream.
    ///
    /// Octets after the body that Content-Length tells are dropped (RFC 3261 18.3). Line ends may
    /// be CRLF or LF.
    pub fn parse(bytes: Vec<u8>) -> Result<Message, ParseError> {
        if bytes.len() > limits::MESSAGE_BYTES_MAX {
            return Err(ParseError::TooLong);
        }
        let head = Head::parse(&bytes)?;
        Ok(Message::assemble(bytes, head))
    }

    /// Puts a message together whose header part was read before.
    pub(crate) fn assemble(mut raw: Vec<u8>, head: Head) -> Message {
        let told = head.content_length(&raw).unwrap_or(usize::MAX);
        let end = head.end.saturating_add(told).min(raw.len());
        raw.truncate(end);
        let body = Span::new(head.end, end);
        let (raw, memo) = (Raw::new(raw), Memo::default());
        Message { raw, head, body, tags: Default::default(), memo }
    }

    /// The start line.
    pub fn start(&self) -> StartLine<'_> {
        let raw = self.raw.bytes();
        match self.head.start {
            Start::Request { method, name, uri, version } => StartLine::Request {
                method,
                name: name.of(raw),
                uri: uri.of(raw),
                version: version.of(raw),
            },
            Start::Response { version, status, reason } => {
                StartLine::Response { version: version.of(raw), status, reason: reason.of(raw) }
            }
        }
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.head.start, Start::Request { .. })
    }

    /// The method of a request.
    pub fn method(&self) -> Option<Method> {
        match self.head.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The method of a request as it is written; empty for a response.
    pub fn method_name(&self) -> Cow<'_, str> {
        match self.start() {
            StartLine::Request { name, .. } => String::from_utf8_lossy(name),
            StartLine::Response { .. } => Cow::Borrowed(""),
        }
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        match self.head.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// All header lines in the order of the message.
    pub fn lines(&self) -> impl Iterator<Item = HeaderLine<'_>> {
        self.head.lines.iter().map(|l| self.line(l))
    }

    /// Forgets the header lines that `keep` does not want: from here on nobody finds them, though
    /// [`Message::bytes`] still holds them.
    pub fn retain_lines(&mut self, mut keep: impl FnMut(HeaderLine<'_>) -> bool) {
        let raw = self.raw.bytes();
        self.memo = Memo::default();
        self.head.lines.retain(|line| {
            keep(HeaderLine {
                header: line.header,
                name: line.name.of(raw),
                value: line.value.of(raw),
            })
        });
    }

    /// How many header lines there are.
    pub fn line_count(&self) -> usize {
        self.head.lines.len()
    }

    /// The values of all lines of a header, in order. Lists are not taken apart.
    pub fn values(&self, header: Header) -> Values<'_> {
        Values { raw: &self.raw, lines: self.head.lines.iter(), header }
    }

    /// The value of the first line of a header.
    pub fn value(&self, header: Header) -> Option<&[u8]> {
        self.values(header).next()
    }

    /// The value of the first line of a header as text: folds become one space, what is no UTF-8
    /// becomes U+FFFD.
    pub fn text(&self, header: Header) -> Option<Cow<'_, str>> {
        self.value(header).map(unfolded)
    }

    /// Whether there is such a header.
    pub fn has(&self, header: Header) -> bool {
        self.head.lines.iter().any(|l| l.header == header)
    }

    /// Whether there is one line of a header, and nothing but `value` on it.
    pub(crate) fn is_only(&self, header: Header, value: &[u8]) -> bool {
        let mut values = self.values(header);
        values.next().is_some_and(|first| first.len() == value.len()) && values.next().is_none()
    }

    /// The first line of a header that we have no name for, any case.
    pub fn other(&self, name: &str) -> Option<&[u8]> {
        self.lines()
            .find(|l| l.header == Header::Other && l.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|l| l.value)
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.body.of(self.raw.bytes())
    }

    /// The whole message as received, without what followed its body.
    pub fn bytes(&self) -> &[u8] {
        self.raw.bytes()
    }

    /// Writes the message in canonical form: known headers by their long names, `Name: value`,
    /// lines ended by CRLF; values as they came. Printing what was parsed from a print changes
    /// nothing more.
    pub fn print(&self, out: &mut Vec<u8>) {
        match self.start() {
            StartLine::Request { name, uri, version, .. } => {
                out.extend_from_slice(name);
                out.push(b' ');
                out.extend_from_slice(uri);
                out.push(b' ');
                out.extend_from_slice(version);
            }
            StartLine::Response { version, status, reason } => {
                out.extend_from_slice(version);
                out.extend_from_slice(format!(" {status} ").as_bytes());
                out.extend_from_slice(reason);
            }
        }
        out.extend_from_slice(b"\r\n");
        for line in self.lines() {
            match line.header {
                Header::Malformed => {}
                Header::Other => out.extend_from_slice(line.name),
                known => out.extend_from_slice(known.name().as_bytes()),
            }
            if line.header != Header::Malformed {
                out.extend_from_slice(b": ");
            }
            out.extend_from_slice(line.value);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body());
    }

    /// The tag of a party; read with `read` the first time.
    pub(crate) fn tag_of<'a>(
        &'a self,
        party: Party,
        read: impl FnOnce(&'a Message) -> Option<&'a str>,
    ) -> Option<&'a str> {
        match self.known(party).get() {
            Known::At(span) => self.raw.text(span),
            Known::Absent => None,
            Known::Nothing => {
                let tag = read(self);
                self.note_tag(party, tag);
                tag
            }
        }
    }

    /// Notes the tag of a party, which lies in this message.
    pub(crate) fn note_tag(&self, party: Party, tag: Option<&str>) {
        let span = |tag: &str| {
            let (from, to) = place(self.raw.bytes(), tag.as_bytes())?;
            Some(Known::At(Span::new(from, to)))
        };
        self.known(party).set(tag.and_then(span).unwrap_or(Known::Absent));
    }

    fn known(&self, party: Party) -> &Cell<Known> {
        let [from, to] = &self.tags;
        match party {
            Party::From => from,
            Party::To => to,
        }
    }

    pub(crate) fn flaws(&self) -> Flaws {
        self.head.flaws
    }

    fn line(&self, line: &Line) -> HeaderLine<'_> {
        HeaderLine {
            header: line.header,
            name: line.name.of(self.raw.bytes()),
            value: line.value.of(self.raw.bytes()),
        }
    }

    /// The Request-URI as text, if it is some.
    pub(crate) fn uri_text(&self) -> Option<&str> {
        match self.head.start {
            Start::Request { uri, .. } => self.raw.text(uri),
            Start::Response { .. } => None,
        }
    }

    pub(crate) fn memo(&self) -> (&Memo, &Raw) {
        (&self.memo, &self.raw)
    }
}

/// The message as text, for logs of the level at which messages are shown.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.bytes()))
    }
}

/// The values of all lines of one header.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    raw: &'a Raw,
    lines: core::slice::Iter<'a, Line>,
    header: Header,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.next_span().map(|value| value.of(self.raw.bytes()))
    }
}

impl<'a> Values<'a> {
    fn next_span(&mut self) -> Option<Span> {
        self.lines.find(|l| l.header == self.header).map(|l| l.value)
    }

    /// A cursor over the next one.
    pub(crate) fn next_cursor(&mut self) -> Option<Cursor<'a>> {
        self.next_span().map(|value| self.raw.cursor(value))
    }
}

/// A value as text, folds and other runs of white space with a line end become one space.
pub(crate) fn unfolded(value: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(value);
    if !text.contains(['\r', '\n']) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for piece in text.split(['\r', '\n']) {
        let piece = piece.trim_matches([' ', '\t']);
        if !piece.is_empty() && !out.is_empty() {
            out.push(' ');
        }
        out.push_str(piece);
    }
    Cow::Owned(out)
}
