//! The smaller headers, read from one message that has them all.

use sip::digest::{Freshness, Qop};
use sip::{Header, Message, Method, Refresher, Replaces, validate};

fn rich() -> Message {
    Message::parse(include_bytes!("messages/rich.sip").to_vec()).unwrap()
}

type Read = fn(&Message) -> Option<sip::ValueError>;

fn with(line: &str) -> Message {
    Message::parse(format!("BYE sip:a SIP/2.0\r\n{line}\r\n\r\n").into_bytes()).unwrap()
}

#[test]
fn every_header_is_read() {
    let m = rich();
    assert_eq!(validate(&m), Ok(()));
    let via = m.top_via().unwrap();
    assert_eq!((via.maddr, via.port_or_default()), (Some("a.example"), 5061));
    assert_eq!(m.to().unwrap().uri.number().unwrap(), "+12015550123");
    let contacts: Vec<_> = m.contacts().flatten().map(|c| c.address().unwrap().q()).collect();
    assert_eq!(contacts, [700, 1000]);
    let count = |h| m.addresses(h).flatten().count();
    let lists = [Header::Route, Header::RecordRoute, Header::Path, Header::PAssertedIdentity];
    assert_eq!(lists.map(count), [2, 2, 1, 2]);
    let diversion = m.addresses(Header::Diversion).next().unwrap().unwrap();
    assert_eq!(diversion.params.value("reason"), Some("user-busy"));
    for header in [Header::ReferredBy, Header::ReplyTo] {
        assert_eq!(m.address(header).unwrap().unwrap().uri.as_str(), "sip:r@example.com");
    }
    let reasons: Vec<_> = m.reasons().flatten().map(|r| (r.protocol, r.cause)).collect();
    assert_eq!(reasons, [("SIP", Some(200)), ("Q.850", Some(16))]);
    assert_eq!(m.reasons().next().unwrap().unwrap().text().unwrap(), "Call completed elsewhere");
    assert_eq!(m.privacy().collect::<Vec<_>>(), ["id", "critical"]);
    let retry = m.retry_after().unwrap().unwrap();
    assert_eq!((retry.seconds, retry.params.value("duration")), (120, Some("30")));
    let rack = m.rack().unwrap().unwrap();
    assert_eq!((rack.rseq, rack.cseq.number, rack.cseq.method), (1, 7, Method::Invite));
    assert_eq!(m.number(Header::RSeq), Ok(Some(1)));
    let timer = m.session_expires().unwrap().unwrap();
    assert_eq!((timer.seconds, timer.refresher), (1800, Some(Refresher::Uas)));
    assert_eq!(m.min_se(), Ok(Some(90)));
    let event = m.event().unwrap().unwrap();
    assert!(event.is("Dialog") && event.params.value("id") == Some("1"));
    let state = m.subscription_state().unwrap().unwrap();
    assert_eq!((state.word, state.params.value("expires")), ("active", Some("60")));
    let challenge = m.challenges(Header::WwwAuthenticate).next().unwrap();
    assert_eq!((challenge.qop, challenge.freshness), (Qop::Auth, Freshness::Stale));
    assert_eq!(m.credentials(Header::ProxyAuthorization).next().unwrap().username, "u");
    let icons: Vec<_> = m.infos(Header::CallInfo).flatten().map(|i| i.uri).collect();
    assert_eq!(icons, ["http://example.com/i.png", "http://example.com"]);
    let identity = m.identities().next().unwrap().unwrap();
    assert_eq!(identity.params.value("info"), Some("<https://cert.example.org/p.cer>"));
    let warning = m.warnings().next().unwrap().unwrap();
    assert_eq!((warning.code, &*warning.text()), (399, "Something \"odd\""));
    assert!(m.accepts().flatten().any(|t| t.covers("application", "sdp")));
    assert!(m.has_token(Header::Supported, "TIMER") && !m.has_token(Header::Supported, "x"));
    assert_eq!(m.tokens(Header::AllowEvents).collect::<Vec<_>>(), ["dialog", "presence"]);
    assert!(m.content_disposition().unwrap().unwrap().is("session"));
}

#[test]
fn the_description_is_found_in_a_multipart_body() {
    let m = rich();
    let description = sip::body::session_description(&m).unwrap();
    assert!(description.starts_with(b"v=0\r\n") && description.ends_with(b"a=recvonly"));
    let audio = sip::sdp::parse(description).unwrap();
    assert_eq!(
        (audio.session.port, audio.shape.audio, audio.session.digits),
        (6004, Some(2), Some(97))
    );
}

#[test]
fn replaces_is_read_from_the_headers_of_a_refer_to() {
    let m = rich();
    let refer_to = m.address(Header::ReferTo).unwrap().unwrap();
    let escaped = refer_to.uri.sip().unwrap().headers.strip_prefix("Replaces=").unwrap();
    let text = sip::unescape(escaped);
    let expected = Replaces { call_id: "a@b", to_tag: "1", from_tag: "2", early_only: false };
    assert_eq!(Replaces::parse(&text), Some(expected));
    assert!(m.replaces().unwrap().unwrap().early_only);
    assert_eq!(Replaces::parse("a@b;to-tag=1"), None);
}

#[test]
fn a_value_that_is_not_as_it_must_be_says_where() {
    let error = |line: &str, read: Read| read(&with(line)).map_or("fine".into(), |e| e.to_string());
    let cases: [(&str, Read, &str); 8] = [
        (
            "CSeq: 2147483648 BYE",
            |m| m.cseq().err(),
            "CSeq: expected a sequence number below 2^31 at byte 0 of the value",
        ),
        (
            "CSeq: 1BYE",
            |m| m.cseq().err(),
            "CSeq: expected white space before the method at byte 1 of the value",
        ),
        ("X: y", |m| m.cseq().err(), "CSeq: expected a CSeq at byte 0 of the value"),
        (
            "Max-Forwards: 256",
            |m| m.max_forwards().err(),
            "Max-Forwards: expected a number from 0 to 255 at byte 0 of the value",
        ),
        (
            "i: a b",
            |m| m.call_id().err(),
            "Call-ID: expected a word of visible characters at byte 0 of the value",
        ),
        (
            "v: SIP/2.0/UDP a:99999",
            |m| m.top_via().err(),
            "Via: expected a port from 1 to 65535 at byte 14 of the value",
        ),
        (
            "f: <sip:a@b> x",
            |m| m.from().err(),
            "From: expected the end of the value at byte 10 of the value",
        ),
        (
            "x: 4294967296",
            |m| m.session_expires().err(),
            "Session-Expires: expected seconds at byte 0 of the value",
        ),
    ];
    for (line, read, expected) in cases {
        assert_eq!(error(line, read), expected, "{line}");
    }
}

#[test]
fn lists_run_over_commas_and_lines() {
    let m = with("m: <sip:a>, \"x, y\" <sip:b?c,d>\r\nX: y\r\nContact:<sip:e>;q=0.1 ,sip:f");
    let uris: Vec<_> =
        m.contacts().map(|c| c.unwrap().address().unwrap().uri.as_str().to_owned()).collect();
    assert_eq!(uris, ["sip:a", "sip:b?c,d", "sip:e", "sip:f"]);
    let m = with("Route: <sip:a>,,<sip:b>\r\nRoute: <sip:c>");
    let routes: Vec<_> = m.addresses(Header::Route).map(|r| r.is_ok()).collect();
    assert_eq!(routes, [true, false]);
    assert!(with("Route: <sip:a> <sip:b>").addresses(Header::Route).any(|r| r.is_err()));
    let m = with("k: a,, b ,\r\nSupported:\r\nk: c d, e");
    assert_eq!(m.tokens(Header::Supported).collect::<Vec<_>>(), ["a", "b", "e"]);
}

#[test]
fn names_from_phones_that_write_latin_1_are_read() {
    let bytes = b"BYE sip:a SIP/2.0\r\nFrom: \"M\xfcller\" <sip:a@b>;tag=1\r\n\r\n".to_vec();
    let m = Message::parse(bytes).unwrap();
    assert_eq!(m.from().unwrap().display.text(), "Müller");
    assert_eq!(m.from().unwrap().tag, Some("1"));
}

#[test]
fn a_folded_text_is_one_line() {
    let m = with("s: one\r\n two\r\n\t three\n  four");
    assert_eq!(m.text(Header::Subject).unwrap(), "one two three four");
    assert_eq!(with("s: one\r\n\ttwo").text(Header::Subject).unwrap(), "one two");
}

#[test]
fn white_space_before_the_colon_hides_no_header() {
    for line in ["X-Bypass : 1", "X-Bypass\t:1", "x-bypass  :\r\n 1", "X-BYPASS:1"] {
        assert_eq!(with(line).other("X-Bypass"), Some(&b"1"[..]), "{line}");
    }
    assert_eq!(with("To \t : <sip:a>").value(Header::To), Some(&b"<sip:a>"[..]));
    assert_eq!(with("X Bypass: 1").lines().next().unwrap().header, Header::Malformed);
}

#[test]
fn a_tag_is_the_same_however_it_is_asked_for_and_however_often() {
    let lines = [
        ("From: <sip:a>;tag=1", "To: <sip:b>;tag=2", (Some("1"), Some("2"))),
        ("f: sip:a;x=y;tag=1;tag=3", "t: \"B;tag=9\" <sip:b;tag=8>", (Some("1"), None)),
        ("From: <sip:a;tag=1", "To: <sip:b>;tag=", (None, None)),
        ("From: <sip:a>\r\n ;tag=\r\n 1", "X: y", (Some("1"), None)),
    ];
    for (from, to, expected) in lines {
        let message = with(&format!("{from}\r\n{to}"));
        for _ in 0..2 {
            assert_eq!((message.from_tag(), message.to_tag()), expected, "{from} {to}");
        }
        let asked = with(&format!("{from}\r\n{to}"));
        let read = (asked.from().ok().and_then(|a| a.tag), asked.to().ok().and_then(|a| a.tag));
        assert_eq!((asked.from_tag(), asked.to_tag()), read, "{from} {to}");
        let copy = asked.clone();
        drop(asked);
        assert_eq!((copy.from_tag(), copy.to_tag()), expected, "{from} {to}");
    }
}

#[test]
fn what_a_message_is_asked_for_twice_it_says_twice() {
    let lines = [
        "Via: SIP/2.0/UDP h:5070;branch=z9hG4bKa;rport;received=192.0.2.1;x=\"y\", SIP/2.0/TCP i",
        "v: SIP / 2.0 / TLS [2001:db8::1]:5061 ;maddr=m;received=[2001:db8::2];rport=9;branch=b",
        "Via: SIP/2.0/UDP h;received;rport=x",
        "Via: SIP/2.0 UDP h",
        "From: \"A \\\" B\" <sips:u%20u:p@H.example:5061;lr?a=b>;tag=1;x",
        "f: sip:192.0.2.9;tag=2",
        "From: <tel:+49-30;phone-context=x>;tag=3",
        "From: \"J\u{fc}rgen\" <sip:j@h>;tag=4",
        "From: <sip:a@b",
        "To: sip:a:b@[2001:db8::1]:5060;tag=t",
        "To: sip:@h",
        "CSeq: 7 INVITE",
        "CSeq: 007 gr\u{fc}n\r\nCSeq: 8 BYE",
        "CSeq: x INVITE",
        "Call-ID: a@b",
        "i: \u{fc}@b",
        "Call-ID: a b",
        "X: y",
    ];
    let says = |message: &Message| {
        let (via, from, to) = (message.top_via(), message.from(), message.to());
        format!("{via:?} {from:?} {to:?} {:?} {:?}", message.cseq(), message.call_id())
    };
    for line in lines {
        for bytes in [line.as_bytes().to_vec(), latin_1(line)] {
            let bytes = [b"INVITE sip:x SIP/2.0\r\n", &bytes[..], b"\r\n\r\n"].concat();
            let mut message = Message::parse(bytes).unwrap();
            let first = says(&message);
            assert_eq!(says(&message), first, "{line}");
            assert_eq!(says(&message.clone()), first, "{line}");
            message.retain_lines(|_| false);
            assert!(message.top_via().is_err() && message.from().is_err(), "{line}");
            assert!(message.to().is_err() && message.cseq().is_err(), "{line}");
            assert!(message.call_id().is_err(), "{line}");
        }
    }
}

/// As phones write that do not write UTF-8.
fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}
