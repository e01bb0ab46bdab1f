//! Hostile shapes cost work in proportion to their length, typed access to everything included.

use super::counter::visited;
use crate::application::{check_accept, check_body, check_require, check_scheme};
use crate::framing::Framer;
use crate::{Header, Message, Reply, Uri, Writer, sdp, validate};

/// Visits of one byte that reading everything may take: validation, every typed header, printing,
/// answering and framing each look at it a few times.
const VISITS_MAX: usize = 40;

/// Reads all that can be read of a message, as often as an endpoint might.
fn read_everything(bytes: &[u8]) {
    let Ok(m) = Message::parse(bytes.to_vec()) else { return };
    let _ = validate(&m);
    let _ = (m.uri().is_ok(), m.from().is_ok(), m.to().is_ok(), m.cseq().is_ok());
    let _ = (m.call_id().is_ok(), m.max_forwards(), m.expires(), m.contact().is_ok());
    for uri in [m.from().ok(), m.to().ok()].into_iter().flatten().map(|a| a.uri) {
        let _ = (uri.number(), uri.equals(&uri));
        let _ = uri.sip().map(|s| (s.user(), s.is_loose_router(), s.params.iter().count()));
    }
    let _ = m.vias().filter_map(Result::ok).filter(|v| v.params.has("x")).count();
    let _ = m.contacts().filter_map(Result::ok).filter_map(|c| c.address().map(|a| a.q())).count();
    for &header in Header::KNOWN {
        let list = header != Header::Via;
        let _ = (list && m.has(header)).then(|| {
            let found = m.addresses(header).filter_map(Result::ok);
            (found.map(|a| a.display.text().len()).sum::<usize>(), m.tokens(header).count())
        });
        let _ = (m.text(header), m.number(header));
    }
    let _ = (m.reasons().count(), m.warnings().count(), m.identities().count());
    let _ = (m.accepts().count(), m.infos(Header::CallInfo).count(), m.privacy().count());
    let _ = (m.replaces().is_ok(), m.rack().is_ok(), m.retry_after().is_ok());
    let _ = (m.session_expires().is_ok(), m.min_se(), m.event().is_ok());
    let _ = (m.subscription_state().is_ok(), m.content_disposition().is_ok());
    let _ = m.credentials(Header::Authorization).count();
    let _ = m.challenges(Header::WwwAuthenticate).count();
    let _ = (check_scheme(&m), check_require(&m, &["100rel"]), check_body(&m), check_accept(&m));
    let _ = crate::body::session_description(&m).map(sdp::parse);
    let source = Some("192.0.2.1:5060".parse().unwrap());
    let reply = Reply { source, to_tag: Some("t"), ..Reply::new(400) };
    let _ = Writer::response(&m, reply).finish();
    let mut framer = Framer::new();
    framer.push(bytes);
    while framer.next_frame().is_some() {}
}

fn message(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "INVITE sip:a@b SIP/2.0\r\n{headers}CSeq: 1 INVITE\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// `n` bytes or a little less of one piece after another.
fn repeat(piece: &str, n: usize) -> String {
    piece.repeat(n / piece.len())
}

type Shape = (&'static str, fn(usize) -> Vec<u8>);

const SHAPES: &[Shape] = &[
    ("via lines", |n| message(&repeat("v:x\r\n", n), "")),
    ("good via lines", |n| message(&repeat("v:SIP/2.0/UDP a;branch=z9hG4bKx\r\n", n), "")),
    ("vias in one line", |n| {
        message(&format!("Via: {}SIP/2.0/UDP b\r\n", repeat("SIP/2.0/UDP a,", n)), "")
    }),
    ("semicolons", |n| message(&format!("To: <sip:a@b>{}\r\n", repeat(";", n)), "")),
    ("parameters", |n| message(&format!("From: <sip:a@b>{}\r\n", repeat(";a", n)), "")),
    ("via parameters", |n| message(&format!("Via: SIP/2.0/UDP a{}\r\n", repeat(";a", n)), "")),
    ("URI parameters", |n| message(&format!("To: <sip:a@b{}>\r\n", repeat(";a", n)), "")),
    ("quotes", |n| message(&format!("To: {}\r\n", repeat("\"", n)), "")),
    ("escaped quotes", |n| message(&format!("Contact: \"{}\r\n", repeat("\\\"", n)), "")),
    ("quoted contacts", |n| {
        message(&format!("m: {}<sip:a>\r\n", repeat("\"\\\"\" <sip:a>,", n)), "")
    }),
    ("angle brackets", |n| message(&format!("m: {}\r\n", repeat("<", n)), "")),
    ("commas", |n| message(&format!("Route: {}\r\nk: {0}\r\n", repeat(",", n / 2)), "")),
    ("folds", |n| message(&format!("To: a{}\r\n", repeat("\r\n ", n)), "")),
    ("lone carriage returns", |n| message(&format!("To: a{}b\r\n", repeat("\r", n)), "")),
    ("white space", |n| message(&format!("To:{}\r\n", repeat(" ", n)), "")),
    ("white space before a colon", |n| message(&format!("To{}:\r\n", repeat(" ", n)), "")),
    ("lines without a colon", |n| message(&repeat("x\r\n", n), "")),
    ("empty headers", |n| message(&repeat("x:\r\n", n), "")),
    ("empty lines before", |n| {
        let mut bytes = repeat("\r\n", n).into_bytes();
        bytes.extend(message("", ""));
        bytes
    }),
    ("spaces in the request line", |n| {
        format!("A{}sip:a SIP/2.0\r\n\r\n", repeat(" ", n)).into_bytes()
    }),
    ("at signs", |n| message(&format!("To: <sip:{}>\r\n", repeat("@", n)), "")),
    ("escapes", |n| message(&format!("To: <sip:{}@b>\r\n", repeat("%41", n)), "")),
    ("URI headers", |n| message(&format!("To: <sip:a@b?{}>\r\n", repeat("a=b&", n)), "")),
    ("comments", |n| message(&format!("Retry-After: 1 {}\r\n", repeat("(", n)), "")),
    ("digest parameters", |n| {
        message(&format!("Authorization: Digest {}a=b\r\n", repeat("a=b,", n)), "")
    }),
    ("credentials", |n| message(&repeat("Authorization: Digest a\r\n", n), "")),
    ("privacy", |n| message(&format!("Privacy: {}\r\n", repeat("id;", n)), "")),
    ("colons", |n| message(&format!("Call-ID: {}\r\n", repeat(":", n)), "")),
    ("boundaries", |n| {
        let head = "Content-Type: multipart/mixed;boundary=a\r\n";
        message(head, &repeat("\r\n--a\r\nContent-Type: x/y\r\n\r\n", n))
    }),
    ("near boundaries", |n| {
        message("Content-Type: multipart/mixed;boundary=\"--------a\"\r\n", &repeat("-", n))
    }),
    ("short SDP lines", |n| message(SDP, &format!("v=0\r\n{}", repeat("a=\n", n)))),
    ("SDP lines", |n| {
        let lines = format!("a={}\r\n", "x".repeat(n / 2_000));
        message(SDP, &format!("v=0\r\nm=audio 1 RTP/AVP 0\r\n{}", lines.repeat(900)))
    }),
    ("SDP media", |n| message(SDP, &format!("v=0\r\n{}", repeat("m=audio 1 RTP/AVP 0\r\n", n)))),
    ("SDP formats", |n| message(SDP, &format!("v=0\r\nm=audio 1 RTP/AVP {}\r\n", repeat("0 ", n)))),
    ("SDP payload maps", |n| {
        let maps = repeat("a=rtpmap:8 PCMA/8000\r\n", n.min(20_000));
        message(SDP, &format!("v=0\r\nm=audio 1 RTP/AVP 8\r\n{maps}"))
    }),
    ("line ends only", |n| repeat("\r\n", n).into_bytes()),
    ("NULs", |n| vec![0; n]),
];

const SDP: &str = "Content-Type: application/sdp\r\n";

#[test]
fn hostile_shapes_cost_linear_work() {
    for (name, shape) in SHAPES {
        let mut before = 0;
        for kib in [16, 32, 63] {
            let bytes = shape(kib * 1024);
            let work = visited(|| read_everything(&bytes));
            let bound = bytes.len() * VISITS_MAX + 4_000;
            assert!(work <= bound, "{name} at {kib} KiB: {work} visits, at most {bound}");
            if kib == 32 {
                assert!(work * 10 <= before * 26 + 80_000, "{name}: {before} visits, then {work}");
            }
            before = work;
        }
    }
}

#[test]
fn comparing_uris_costs_linear_work() {
    for piece in [";a", ";a=%41", "%41", "&a=b"] {
        let uri = |tail: &str| match piece {
            "%41" => format!("sip:{}{tail}@b", repeat(piece, 32 * 1024)),
            "&a=b" => format!("sip:a@b?{}{tail}", repeat(piece, 32 * 1024)),
            _ => format!("sip:a@b{}{tail}", repeat(piece, 32 * 1024)),
        };
        let (one, two) = (uri(""), uri("x"));
        let (a, b) = (Uri::parse(&one).unwrap(), Uri::parse(&two).unwrap());
        let work = visited(|| assert!(!a.equals(&b)));
        assert!(work <= 8 * one.len(), "{piece}: {work} visits");
    }
}

#[test]
fn a_stream_in_single_bytes_costs_linear_work() {
    let body = "x".repeat(20_000);
    let one = message(&repeat("v:SIP/2.0/UDP a\r\n", 20_000), &body);
    let stream = one.repeat(3);
    let mut messages = 0;
    let work = visited(|| {
        let mut framer = Framer::new();
        for byte in &stream {
            framer.push(core::slice::from_ref(byte));
            while let Some(frame) = framer.next_frame() {
                messages += usize::from(frame.is_ok());
            }
        }
    });
    assert_eq!(messages, 3);
    assert!(work <= stream.len() * 12, "{work} visits of {} bytes", stream.len());
}
