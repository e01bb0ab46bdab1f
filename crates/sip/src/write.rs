//! Writing messages: one buffer, front to back.

use core::net::SocketAddr;

use crate::message::Message;
use crate::method::Method;
use crate::name::Header;
use crate::status::reason_phrase;
use crate::value::{Line, Value};
use crate::via::{Rport, Via};

/// Room for a usual message, so that the buffer seldom grows.
const USUAL_BYTES: usize = 1_024;

/// Writes one message.
///
/// A value can never begin a new line: CR, LF and NUL in anything that is handed in are written as
/// spaces. So a number, a name or a text of whatever origin cannot bring in a header of its own.
/// Content-Length is always written, last.
///
/// ```
/// use sip::{Header, Method, Writer};
/// let mut w = Writer::request(Method::Options, "sip:example.com");
/// w.header(Header::MaxForwards, 70u8).header(Header::CSeq, format_args!("{} OPTIONS", 1));
/// let text = String::from_utf8(w.finish()).unwrap();
/// assert!(text.starts_with("OPTIONS sip:example.com SIP/2.0\r\nMax-Forwards: 70\r\n"));
/// assert!(text.ends_with("Content-Length: 0\r\n\r\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Writer {
    out: Vec<u8>,
}

/// What a response says beyond what it copies from its request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// 100 to 699.
    pub status: u16,
    /// The reason phrase; `None`: the usual one.
    pub reason: Option<&'a str>,
    /// The tag for To, written unless To has one or the status is 100.
    pub to_tag: Option<&'a str>,
    /// Where the request came from: the topmost Via is told so (RFC 3261 18.2.1, RFC 3581 4).
    pub source: Option<SocketAddr>,
}

impl<'a> Reply<'a> {
    /// A reply with the usual phrase.
    pub fn new(status: u16) -> Reply<'a> {
        Reply { status, reason: None, to_tag: None, source: None }
    }
}

impl Writer {
    /// Begins a request.
    pub fn request(method: Method, uri: &str) -> Writer {
        Writer::request_on(Vec::new(), method, uri)
    }

    /// Begins a request in a buffer that was used before.
    pub fn request_on(paper: Vec<u8>, method: Method, uri: &str) -> Writer {
        let mut w = Writer::on(paper);
        w.line().value([method.as_str(), " ", uri, " SIP/2.0"]);
        w.end_line();
        w
    }

    /// Begins the response to a request.
    ///
    /// All Vias, From, To, Call-ID and CSeq are copied byte for byte (RFC 3261 8.2.6.2), of those
    /// that may be there once the first; Record-Route too when a dialog may come of it (12.1.1),
    /// Timestamp in a 100 (8.2.6.1). It works for every request that was parsed, however broken
    /// its values are.
    pub fn response(request: &Message, reply: Reply<'_>) -> Writer {
        Writer::response_on(Vec::new(), request, reply)
    }

    /// Begins a response in a buffer that was used before.
    pub fn response_on(paper: Vec<u8>, request: &Message, reply: Reply<'_>) -> Writer {
        let mut w = Writer::on(paper);
        let reason = reply.reason.unwrap_or_else(|| reason_phrase(reply.status));
        w.line().text("SIP/2.0 ").number(reply.status).text(" ").text(reason);
        w.end_line();
        w.vias(request, reply.source);
        w.copy_first(request, Header::From);
        w.to(request, reply.to_tag.filter(|_| reply.status > 100));
        w.copy_first(request, Header::CallId);
        w.copy_first(request, Header::CSeq);
        if (101..300).contains(&reply.status) {
            w.copy(request, Header::RecordRoute);
        }
        if reply.status == 100 {
            w.copy_first(request, Header::Timestamp);
        }
        w
    }

    fn on(mut paper: Vec<u8>) -> Writer {
        paper.clear();
        paper.reserve(USUAL_BYTES);
        Writer { out: paper }
    }

    /// The ACK to a final response that is no 2xx (RFC 3261 17.1.1.3), complete.
    pub fn ack(invite: &Message, response: &Message) -> Vec<u8> {
        let mut w = Writer::repeat(invite, Method::Ack, response);
        w.header(Header::MaxForwards, 70u8);
        w.finish()
    }

    /// The CANCEL of an INVITE that we sent (RFC 3261 9.1); more headers may follow.
    pub fn cancel(invite: &Message) -> Writer {
        let mut w = Writer::repeat(invite, Method::Cancel, invite);
        w.header(Header::MaxForwards, 70u8);
        w
    }

    /// A request that follows an INVITE hop by hop: its URI, topmost Via, From, Call-ID, CSeq
    /// number and Route; To of `to`.
    fn repeat(invite: &Message, method: Method, to: &Message) -> Writer {
        let mut w = Writer::request(method, invite.uri().map_or("", |u| u.as_str()));
        if let Ok(via) = invite.top_via() {
            w.raw_line(Header::Via, via.raw);
        }
        w.copy_first(invite, Header::From);
        w.copy_first(to, Header::To);
        w.copy_first(invite, Header::CallId);
        let number = invite.cseq().map(|c| c.number).unwrap_or(0);
        w.header(Header::CSeq, |line: &mut Line<'_>| {
            line.number(number).text(" ").value(method);
        });
        w.copy(invite, Header::Route);
        w
    }

    /// Adds a header. [`Header::Other`] and [`Header::Malformed`] have no name and add nothing:
    /// see [`Writer::named`].
    pub fn header(&mut self, header: Header, value: impl Value) -> &mut Writer {
        if matches!(header, Header::Other | Header::Malformed) {
            return self;
        }
        self.out.extend_from_slice(header.name().as_bytes());
        self.out.extend_from_slice(b": ");
        self.line().value(value);
        self.end_line();
        self
    }

    /// Adds a header by its name; characters that are in no name are left out.
    pub fn named(&mut self, name: &str, value: impl Value) -> &mut Writer {
        let is_name = |b: &u8| crate::cursor::is(*b, crate::cursor::TOKEN);
        if !name.bytes().any(|b| is_name(&b)) {
            return self;
        }
        self.out.extend(name.bytes().filter(is_name));
        self.out.extend_from_slice(b": ");
        self.line().value(value);
        self.end_line();
        self
    }

    /// Copies all lines of a header, byte for byte.
    pub fn copy(&mut self, from: &Message, header: Header) -> &mut Writer {
        for value in from.values(header) {
            self.raw_line(header, value);
        }
        self
    }

    /// Copies the first line of a header, byte for byte.
    pub fn copy_first(&mut self, from: &Message, header: Header) -> &mut Writer {
        if let Some(value) = from.value(header) {
            self.raw_line(header, value);
        }
        self
    }

    /// Ends the message without a body.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        self.out
    }

    /// Ends the message with a body.
    pub fn finish_with(mut self, content_type: &str, body: &[u8]) -> Vec<u8> {
        self.header(Header::ContentType, content_type);
        self.header(Header::ContentLength, body.len());
        self.end_line();
        self.out.extend_from_slice(body);
        self.out
    }

    fn vias(&mut self, request: &Message, source: Option<SocketAddr>) {
        let mut lines = request.values(Header::Via);
        let Some(first) = lines.next() else { return };
        match (request.top_via(), source) {
            (Ok(via), Some(source)) => {
                self.out.extend_from_slice(b"Via: ");
                self.seen_via(&via, source);
                // A value begins with its first element; the others of the same line follow.
                self.copied(first.get(via.raw.len()..).unwrap_or_default());
                self.end_line();
            }
            _ => self.raw_line(Header::Via, first),
        }
        for line in lines {
            self.raw_line(Header::Via, line);
        }
    }

    /// The topmost Via with `received` and `rport` as we saw them.
    fn seen_via(&mut self, via: &Via<'_>, source: SocketAddr) {
        let ip = source.ip().to_canonical();
        let tell_port = via.rport != Rport::Absent;
        let stale = via.has_received || tell_port;
        if !stale && via.host.is_ip(ip) {
            return self.copied(via.raw);
        }
        if stale {
            self.copied(via.before_params);
            for (name, value) in via.params.iter() {
                if !["received", "rport"].iter().any(|n| n.eq_ignore_ascii_case(name)) {
                    self.copied(b";");
                    self.copied(name.as_bytes());
                    if let Some(value) = value {
                        self.copied(b"=");
                        self.copied(value.as_bytes());
                    }
                }
            }
        } else {
            self.copied(via.raw);
        }
        // RFC 3581 4: with rport, received is told even when it equals sent-by.
        self.copied(b";received=");
        self.line().ip(ip);
        if tell_port {
            self.line().text(";rport=").number(source.port());
        }
    }

    fn to(&mut self, request: &Message, tag: Option<&str>) {
        let Some(value) = request.value(Header::To) else { return };
        self.out.extend_from_slice(b"To: ");
        self.copied(value);
        let tagged = request.to_tag().is_some() || (has_tag(value) && request.to().is_err());
        if let Some(tag) = tag.filter(|_| !tagged) {
            self.line().value([";tag=", tag]);
        }
        self.end_line();
    }

    fn raw_line(&mut self, header: Header, value: &[u8]) {
        self.out.extend_from_slice(header.name().as_bytes());
        self.out.extend_from_slice(b": ");
        self.copied(value);
        self.end_line();
    }

    /// Bytes of a received value: its folds are kept, a CR that stands alone becomes a space.
    fn copied(&mut self, value: &[u8]) {
        let start = self.out.len();
        self.out.extend_from_slice(value);
        let Some(copy) = self.out.get_mut(start..) else { return };
        let mut from = 0;
        while let Some(at) = copy.get(from..).and_then(|rest| memchr::memchr(b'\r', rest)) {
            from += at + 1;
            if copy.get(from) != Some(&b'\n')
                && let Some(cr) = copy.get_mut(from - 1)
            {
                *cr = b' ';
            }
        }
    }

    fn line(&mut self) -> Line<'_> {
        Line(&mut self.out)
    }

    fn end_line(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Whether an unreadable To seems to have a tag.
fn has_tag(value: &[u8]) -> bool {
    let after = value.iter().rposition(|&b| b == b'>').map_or(0, |at| at + 1);
    let params = value.get(after..).unwrap_or_default();
    params.split(|&b| b == b';').any(|p| {
        let p = crate::cursor::trim(p);
        p.get(..3).is_some_and(|n| n.eq_ignore_ascii_case(b"tag"))
            && matches!(p.get(3), Some(b'=' | b' ' | b'\t'))
    })
}
