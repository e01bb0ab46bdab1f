//! Session descriptions: what is understood of the peer's, and how ours are written.

use leg::{Direction, Format, Session};
use model::Codec;
use sip::sdp::{Description, Origin, SdpError, Version, parse, write_answer, write_offer};

const HEAD: &str = "v=0\r\no=- 7 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn read(rest: &str) -> Description {
    parse(format!("{HEAD}{rest}").as_bytes()).unwrap()
}

/// A session in one line: address port rtcp formats digits direction ptime.
fn shown(s: &Session) -> String {
    let address = s.address.map_or("nowhere".into(), |a| a.to_string());
    let formats: Vec<_> =
        s.formats.iter().map(|f| format!("{}={}", f.payload_type, f.codec.encoding())).collect();
    let rtcp = match (s.rtcp_mux, s.rtcp_port) {
        (true, _) => " mux".into(),
        (false, Some(port)) => format!(" rtcp={port}"),
        (false, None) => String::new(),
    };
    let digits = s.digits.map_or(String::new(), |d| format!(" digits={d}"));
    let ptime = s.ptime_ms.map_or(String::new(), |ms| format!(" {ms}ms"));
    let formats = formats.join(",");
    format!("{address}:{} [{formats}]{digits} {:?}{rtcp}{ptime}", s.port, s.direction)
}

#[test]
fn the_audio_is_read_in_all_its_forms() {
    for (text, expected) in [
        ("m=audio 4000 RTP/AVP 0 8\r\n", "192.0.2.1:4000 [0=PCMU,8=PCMA] SendRecv"),
        ("m=audio 4000 RTP/AVP 8 0\r\n", "192.0.2.1:4000 [8=PCMA,0=PCMU] SendRecv"),
        (
            "m=audio 4000 RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\n",
            "192.0.2.1:4000 [8=PCMA] digits=101 SendRecv",
        ),
        (
            "m=audio 4000 RTP/AVP 96 97 98\na=rtpmap:96 pcmu/8000/1\na=rtpmap:97 PCMA/16000\n\
             a=rtpmap:98 telephone-event/48000\n",
            "192.0.2.1:4000 [96=PCMU] SendRecv",
        ),
        ("m=audio 4000 RTP/AVP 0\na=rtpmap:0 opus/48000/2\n", "192.0.2.1:4000 [0=opus] SendRecv"),
        ("m=audio 4000 RTP/AVP 0\na=rtpmap:0 opus/48000\n", "192.0.2.1:4000 [] SendRecv"),
        ("m=audio 4000 RTP/AVP 9 18 3\n", "192.0.2.1:4000 [9=G722] SendRecv"),
        (
            "m=audio 4000 RTP/AVP 0 0 96\na=rtpmap:96 PCMU/8000\n",
            "192.0.2.1:4000 [0=PCMU] SendRecv",
        ),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 198.51.100.9\n", "198.51.100.9:4000 [0=PCMU] SendRecv"),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::5\n", "2001:db8::5:4000 [0=PCMU] SendRecv"),
        ("m=audio 4000/2 RTP/AVP 0\nc=IN IP4 224.1.1.1/127\n", "224.1.1.1:4000 [0=PCMU] SendRecv"),
        ("a=sendonly\nm=audio 4000 RTP/AVP 0\n", "192.0.2.1:4000 [0=PCMU] SendOnly"),
        ("a=sendonly\nm=audio 4000 RTP/AVP 0\na=recvonly\n", "192.0.2.1:4000 [0=PCMU] RecvOnly"),
        ("m=audio 4000 RTP/AVP 0\na=inactive\n", "192.0.2.1:4000 [0=PCMU] Inactive"),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n", "nowhere:4000 [0=PCMU] SendOnly"),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP6 ::\n", "nowhere:4000 [0=PCMU] SendOnly"),
        (
            "m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\na=recvonly\n",
            "nowhere:4000 [0=PCMU] Inactive",
        ),
        ("a=ptime:30\nm=audio 4000 RTP/AVP 0\n", "192.0.2.1:4000 [0=PCMU] SendRecv 30ms"),
        ("m=audio 4000 RTP/AVP 0\na=ptime:20.0\n", "192.0.2.1:4000 [0=PCMU] SendRecv 20ms"),
        ("m=audio 4000 RTP/AVP 0\na=ptime:0\na=ptime:9999\n", "192.0.2.1:4000 [0=PCMU] SendRecv"),
        ("m=audio 4000 RTP/AVP 0\na=rtcp:4001\n", "192.0.2.1:4000 [0=PCMU] SendRecv"),
        (
            "m=audio 4000 RTP/AVP 0\na=rtcp:5555 IN IP4 192.0.2.1\n",
            "192.0.2.1:4000 [0=PCMU] SendRecv rtcp=5555",
        ),
        ("m=audio 4000 RTP/AVP 0\na=rtcp-mux\n", "192.0.2.1:4000 [0=PCMU] SendRecv mux"),
        ("m=audio 0 RTP/AVP 0\n", "192.0.2.1:0 [0=PCMU] SendRecv"),
        ("m=audio 4000 RTP/SAVP 0\n", "nowhere:0 [] Inactive"),
        ("m=audio 4000 RTP/SAVP 0\nm=audio 4002 RTP/AVP 0\n", "192.0.2.1:4002 [0=PCMU] SendRecv"),
        ("m=audio 0 RTP/AVP 0\nm=audio 4002 RTP/AVP 8\n", "192.0.2.1:4002 [8=PCMA] SendRecv"),
        ("m=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 8\n", "192.0.2.1:4000 [0=PCMU] SendRecv"),
        (
            "m=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 31\na=sendonly\n",
            "192.0.2.1:4000 [0=PCMU] SendRecv",
        ),
        ("m=audio 0 RTP/AVP 0\nm=audio 0 RTP/AVP 8\n", "192.0.2.1:0 [0=PCMU] SendRecv"),
        ("m=video 4002 RTP/AVP 31\n", "nowhere:0 [] Inactive"),
        ("", "nowhere:0 [] Inactive"),
        (
            "x=unknown\n=\nnonsense\n\n\nm=audio 4000 RTP/AVP 0\nb=AS:64\n",
            "192.0.2.1:4000 [0=PCMU] SendRecv",
        ),
    ] {
        assert_eq!(shown(&read(text).session), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let many = "m=audio 1 RTP/AVP 0\n".repeat(17);
    let long = format!("m={} 1 RTP/AVP 0\n", "a".repeat(65));
    for (text, expected) in [
        ("m=audio\n", SdpError::MediaLine { line: 6 }),
        ("m=audio 1 RTP/AVP\n", SdpError::MediaLine { line: 6 }),
        ("m=audio 65536 RTP/AVP 0\n", SdpError::MediaLine { line: 6 }),
        ("m=audio -1 RTP/AVP 0\n", SdpError::MediaLine { line: 6 }),
        ("m=au<dio 1 RTP/AVP 0\n", SdpError::MediaLine { line: 6 }),
        (&long, SdpError::MediaLine { line: 6 }),
        (&many, SdpError::Media),
        (&"a=\n".repeat(1_000), SdpError::Lines),
        ("m=audio 1 RTP/AVP 0\nc=IN IP4 media.example.com\n", SdpError::Address),
    ] {
        assert_eq!(parse(format!("{HEAD}{text}").as_bytes()), Err(expected), "{text}");
    }
    for text in ["", "hello", "m=audio 1 RTP/AVP 0\n", "o=- 1 1 IN IP4 a\nv=0\n"] {
        assert_eq!(parse(text.as_bytes()), Err(SdpError::NotSdp), "{text}");
    }
    assert_eq!(parse(b"v=0\nm=audio 1 RTP/AVP 0\n"), Err(SdpError::Address));
    assert!(parse(b"v=0\nm=audio 0 RTP/AVP 0\n").is_ok());
}

#[test]
fn the_version_tells_whether_anything_changed() {
    assert_eq!(read("").version, Some(Version { id: 7, version: 3 }));
    assert_eq!(parse(b"v=0\no=- x 1 IN IP4 a\n").unwrap().version, None);
}

fn session(formats: &[(u8, Codec)]) -> Session {
    let format = |&(payload_type, codec): &(u8, Codec)| Format { payload_type, codec };
    Session {
        address: None,
        port: 10_000,
        rtcp_port: None,
        rtcp_mux: false,
        formats: formats.iter().map(format).collect(),
        digits: Some(101),
        direction: Direction::SendRecv,
        ptime_ms: Some(20),
    }
}

fn origin() -> Origin {
    Origin { id: 5, version: 9, address: "203.0.113.1".parse().unwrap() }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

const BOTH: [(u8, Codec); 2] = [(8, Codec::Pcma), (0, Codec::Pcmu)];

#[test]
fn an_offer_is_written() {
    assert_eq!(
        text(write_offer(&session(&BOTH), origin())),
        "v=0\no=- 5 9 IN IP4 203.0.113.1\ns=-\nc=IN IP4 203.0.113.1\nt=0 0\n\
         m=audio 10000 RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\n\
         a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\na=sendrecv\n"
    );
}

#[test]
fn wideband_codecs_are_written_with_their_odd_clocks() {
    let all = [(9, Codec::G722), (107, Codec::Opus)];
    let offer = text(write_offer(&session(&all), origin()));
    let lines = "m=audio 10000 RTP/AVP 9 107 101\na=rtpmap:9 G722/8000\n\
                 a=rtpmap:107 opus/48000/2\na=fmtp:107 useinbandfec=1\n";
    assert!(offer.contains(lines), "{offer}");
    let read = parse(&write_offer(&session(&all), origin())).unwrap().session;
    assert_eq!(read.formats, session(&all).formats);
}

#[test]
fn what_is_written_reads_the_same() {
    let address = Some("2001:db8::9".parse().unwrap());
    for direction in
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
    {
        for rtcp_port in [None, Some(10_009)] {
            let s = Session { direction, rtcp_port, address, ..session(&BOTH) };
            assert_eq!(parse(&write_offer(&s, origin())).unwrap().session, s);
        }
    }
    let s =
        Session { rtcp_mux: true, digits: None, ptime_ms: None, address, ..session(&BOTH[..1]) };
    assert_eq!(parse(&write_offer(&s, origin())).unwrap().session, s);
}

#[test]
fn an_answer_refuses_other_media_in_their_places() {
    let offer = parse(
        b"v=0\nc=IN IP4 192.0.2.1\nt=100 200\nm=video 1 RTP/AVP 31 32\nm=audio 2 RTP/SAVP 0\n\
          m=audio 3 RTP/AVP 0\nm=audio 4 RTP/AVP 0\n\
          m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n",
    );
    let shape = offer.unwrap().shape;
    let answer = text(write_answer(&session(&BOTH[1..]), &shape, origin()));
    let lines: Vec<_> =
        answer.lines().filter(|l| l.starts_with("m=") || l.starts_with("t=")).collect();
    assert_eq!(
        lines,
        [
            "t=100 200",
            "m=video 0 RTP/AVP 31",
            "m=audio 0 RTP/SAVP 0",
            "m=audio 10000 RTP/AVP 0 101",
            "m=audio 0 RTP/AVP 0",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
}

#[test]
fn audio_without_port_or_codec_is_refused() {
    let shape = read("m=audio 3 RTP/AVP 18 0\n").shape;
    for s in [Session { port: 0, ..session(&BOTH) }, session(&[])] {
        let answer = text(write_answer(&s, &shape, origin()));
        assert!(answer.ends_with("t=0 0\nm=audio 0 RTP/AVP 18\n"), "{answer}");
        assert!(text(write_offer(&s, origin())).ends_with("m=audio 0 RTP/AVP 0\n"));
    }
}
