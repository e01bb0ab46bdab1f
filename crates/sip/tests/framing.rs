//! Streams: messages come out the same however the bytes were cut, and what cannot be followed
//! ends the stream.

use sip::framing::{Frame, Framer};
use sip::{Method, limits};

const STREAM: &[u8] = b"\r\n\r\n\
    OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP x\r\nl : 5\r\nX:\r\n y\r\n\r\n\r\n\r\n\n\
    \r\n\
    SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n\
    BYE sip:b SIP/2.0\nContent-Length: 2\n\nok\
    \r\n\r\n\r\n";

/// What came out, as short texts.
fn shown(framer: &mut Framer, into: &mut Vec<String>) {
    while let Some(frame) = framer.next_frame() {
        into.push(match frame {
            Ok(Frame::Ping) => "ping".into(),
            Ok(Frame::Pong) => "pong".into(),
            Ok(Frame::Message(m)) => match m.status() {
                Some(status) => format!("{status}"),
                None => format!("{} {:?}", m.method_name(), String::from_utf8_lossy(m.body())),
            },
            Err(e) => {
                let owed = e.answer.as_deref().map(|(m, v)| {
                    assert!(m.is_request() && m.body().is_empty());
                    v.to_string()
                });
                owed.unwrap_or(format!("closed: {}", e.reason))
            }
        });
    }
}

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let (mut framer, mut found) = (Framer::new(), Vec::new());
    for piece in pieces {
        framer.push(piece);
        shown(&mut framer, &mut found);
    }
    found
}

#[test]
fn a_stream_is_cut_into_messages_pings_and_pongs() {
    let expected = [
        "pong",
        "ping",
        r#"OPTIONS "\r\n\r\n\n""#,
        "pong",
        "200",
        r#"BYE "ok""#,
        "pong",
        "ping",
        "pong",
    ];
    assert_eq!(frames([STREAM]), expected);
}

#[test]
fn where_the_bytes_are_cut_makes_no_difference() {
    let whole = frames([STREAM]);
    for cut in 0..=STREAM.len() {
        assert_eq!(frames([&STREAM[..cut], &STREAM[cut..]]), whole, "cut at {cut}");
    }
    assert_eq!(frames(STREAM.chunks(1)), whole);
}

#[test]
fn a_frame_comes_with_its_last_byte() {
    let (mut framer, mut found) = (Framer::new(), Vec::new());
    for (i, byte) in STREAM.iter().enumerate() {
        framer.push(&[*byte]);
        let before = found.len();
        shown(&mut framer, &mut found);
        // Every piece of the stream ends in one of these.
        assert!(found.len() == before || matches!(byte, b'\n' | b'k'), "byte {i}");
    }
    assert_eq!(framer.pending(), 0);
}

#[test]
fn a_line_feed_alone_is_a_line_end_too() {
    assert_eq!(frames([&b"\n\r\n\n"[..]]), ["pong", "ping", "pong"]);
}

fn invite(headers: &str) -> Vec<u8> {
    format!("INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n{headers}\r\nabc").into_bytes()
}

#[test]
fn a_message_without_a_clear_length_is_answered_and_ends_the_stream() {
    for (headers, answer) in [
        ("", "400 Missing Content-Length"),
        ("Content-Length: -1\r\n", "400 Bad Content-Length"),
        ("Content-Length: 3x\r\n", "400 Bad Content-Length"),
        ("Content-Length: 3\r\nl: 4\r\n", "400 Repeated Content-Length"),
        ("Content-Length: 3\r\nl: 3\r\n", "400 Repeated Content-Length"),
        ("Content-Length: 65536\r\n", "413 Message Too Large"),
        ("Content-Length: 99999999999999999999999\r\n", "400 Bad Content-Length"),
    ] {
        let mut framer = Framer::new();
        let mut found = Vec::new();
        framer.push(&invite(headers));
        shown(&mut framer, &mut found);
        framer.push(STREAM);
        shown(&mut framer, &mut found);
        assert_eq!(found, [answer]);
    }
}

#[test]
fn what_may_not_be_answered_only_ends_the_stream() {
    for stream in [
        "SIP/2.0 200 OK\r\n\r\n",
        "ACK sip:a SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n\r\n",
        "BYE sip:a SIP/2.0\r\n\r\n",
    ] {
        assert_eq!(frames([stream.as_bytes()]), ["closed: Missing Content-Length"]);
    }
    let foreign = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(frames([&foreign[..]]), ["closed: the start line is none of SIP"]);
}

#[test]
fn an_endless_header_part_ends_the_stream() {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    framer.push(b"INVITE sip:a SIP/2.0\r\nX: ");
    for _ in 0..limits::HEAD_BYTES_MAX / 1_000 + 2 {
        framer.push(&[b'a'; 1_000]);
        shown(&mut framer, &mut found);
    }
    assert_eq!(found, ["closed: the header part is too long"]);
}

#[test]
fn the_largest_message_passes() {
    let head = "INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/TCP x\r\nContent-Length: 65000\r\n\r\n";
    let body = "b".repeat(65_000);
    let mut framer = Framer::new();
    framer.push(head.as_bytes());
    framer.push(body.as_bytes());
    let Some(Ok(Frame::Message(m))) = framer.next_frame() else { panic!() };
    assert_eq!((m.method(), m.body().len()), (Some(Method::Invite), 65_000));
}
