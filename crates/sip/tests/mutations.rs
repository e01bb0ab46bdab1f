//! Seeded mutations of the corpora: whatever comes in, nothing panics, what was parsed prints to a
//! fixed point, and every request can be answered.

use std::path::PathBuf;

use model::{Chance, Codec};
use sip::digest::Ha1s;
use sip::framing::{Frame, Framer};
use sip::sdp::{self, Origin};
use sip::{Header, Message, Reply, Uri, Writer, validate};

/// About three seconds with the optimisation of the development profile.
const MUTATIONS: usize = 200_000;

/// Pieces that parsers trip over.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n ",
    "\r\n\r\n",
    "\0",
    " ",
    "\t",
    ";",
    ",",
    ":",
    "<",
    ">",
    "\"",
    "\\",
    "=",
    "@",
    "%",
    "%00",
    "%zz",
    "[",
    "]",
    "[::1]",
    "(",
    "?",
    "*",
    "+",
    "-1",
    "0",
    "4294967296",
    "99999999999999999999999",
    "é",
    "\u{feff}",
    "SIP/2.0",
    "SIP/3.0",
    "Via: ",
    "v:",
    "To: x\r\n",
    ";tag=",
    ";branch=z9hG4bK",
    ";rport",
    ";received=1.2.3.4",
    "sip:",
    "tel:",
    "Content-Length: ",
    "\r\nl: 5\r\n",
    "Digest ",
    "q=0.5",
    "m=audio 1 RTP/AVP 0\r\n",
    "c=IN IP4 0.0.0.0\r\n",
    "--",
];

fn corpora() -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpora");
    let mut files: Vec<_> = ["rfc4475", "rfc5118"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|e| e != "tsv" && e != "md"))
        .collect();
    files.sort();
    let mut messages: Vec<_> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    messages.push(include_bytes!("messages/invite.sip").to_vec());
    messages.push(include_bytes!("messages/rich.sip").to_vec());
    messages
}

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], chance: &mut Chance) {
    let at = |len: usize, chance: &mut Chance| chance.below(len as u64 + 1) as usize;
    for _ in 0..=chance.below(4) {
        let from = at(bytes.len(), chance);
        let to = (from + at(12, chance)).min(bytes.len());
        match chance.below(6) {
            0 if from < bytes.len() => bytes[from] = chance.bits() as u8,
            1 => drop(bytes.drain(from..to)),
            2 => {
                let piece = PIECES[chance.below(PIECES.len() as u64) as usize];
                bytes.splice(from..from, piece.bytes());
            }
            3 => {
                let piece = PIECES[chance.below(PIECES.len() as u64) as usize];
                bytes.splice(from..to, piece.bytes());
            }
            4 => {
                let copy = bytes[from..to].to_vec();
                let there = at(bytes.len(), chance);
                bytes.splice(there..there, copy);
            }
            _ => {
                let other = &others[chance.below(others.len() as u64) as usize];
                let cut = at(other.len(), chance);
                bytes.truncate(from);
                bytes.extend_from_slice(&other[cut..]);
            }
        }
    }
}

/// A parsed message prints to a message that prints the same, with the same headers.
fn prints_to_a_fixed_point(m: &Message) {
    let mut once = Vec::new();
    m.print(&mut once);
    let again = Message::parse(once.clone()).expect("a printed message is a message");
    let mut twice = Vec::new();
    again.print(&mut twice);
    assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
    assert!(once == twice);
    assert_eq!(m.line_count(), again.line_count());
    for (a, b) in m.lines().zip(again.lines()) {
        assert_eq!((a.header, a.value), (b.header, b.value));
    }
    assert_eq!(m.body(), again.body());
    assert_eq!(m.method(), again.method());
}

/// The response holds the copied headers and nothing that a value smuggled in.
fn can_be_answered(m: &Message) {
    let source = Some("198.51.100.7:5066".parse().unwrap());
    let reply = Reply { source, to_tag: Some("totag"), ..Reply::new(400) };
    let response = Message::parse(Writer::response(m, reply).finish()).expect("a response");
    assert_eq!(response.status(), Some(400));
    let copied = [Header::Via, Header::From, Header::To, Header::CallId, Header::CSeq];
    for line in response.lines() {
        assert!(copied.contains(&line.header) || line.header == Header::ContentLength, "{line:?}");
    }
    assert_eq!(m.values(Header::Via).count(), response.values(Header::Via).count());
    for header in [Header::From, Header::To, Header::CallId, Header::CSeq] {
        assert_eq!(response.values(header).count(), usize::from(m.has(header)), "{header:?}");
    }
    assert_eq!(response.value(Header::ContentLength), Some(&b"0"[..]));
    if validate(m).is_ok() {
        assert_eq!(validate(&response), Ok(()));
        assert!(response.to().unwrap().tag.is_some());
        assert_eq!(response.vias().count(), m.vias().count());
        let via = response.top_via().unwrap();
        let seen = via.received.or(via.host.ip());
        assert_eq!(seen, Some("198.51.100.7".parse().unwrap()));
    }
}

/// What `validate` promises, and reading everything else without a panic.
fn can_be_read(m: &Message) {
    let valid = validate(m).is_ok();
    let uris = [m.from(), m.to()];
    for address in uris.iter().flatten() {
        let uri = &address.uri;
        assert_eq!(Uri::parse(uri.as_str()).unwrap().as_str(), uri.as_str());
        assert!(uri.equals(uri), "{uri}");
        let _ = (address.display.text(), uri.number(), uri.sip().map(|s| s.user()));
    }
    if valid {
        assert!(m.from().is_ok() && m.to().is_ok() && m.call_id().is_ok() && m.cseq().is_ok());
        assert!(m.vias().all(|v| v.is_ok()));
    }
    if valid && m.is_request() {
        assert!(m.uri().is_ok() && m.max_forwards().is_ok() && m.expires().is_ok());
        assert!(m.contacts().all(|c| c.is_ok()));
        assert!(m.addresses(Header::Route).all(|a| a.is_ok()));
        assert!(m.addresses(Header::RecordRoute).all(|a| a.is_ok()));
    }
    for &header in Header::KNOWN {
        if m.has(header) {
            let _ = (m.addresses(header).count(), m.tokens(header).count(), m.text(header));
            let _ = (m.number(header).is_ok(), m.address(header).is_ok());
        }
    }
    let _ = (m.reasons().count(), m.warnings().count(), m.identities().count());
    let _ = (m.accepts().count(), m.infos(Header::CallInfo).count(), m.privacy().count());
    let _ = (m.replaces().is_ok(), m.rack().is_ok(), m.retry_after().is_ok(), m.event().is_ok());
    let _ = (m.session_expires().is_ok(), m.min_se(), m.subscription_state().is_ok());
    // No mutation guesses a password.
    let ha1s = Ha1s { md5: [7; 16], sha256: [7; 32] };
    assert!(m.credentials(Header::Authorization).all(|c| c.check(&ha1s, "INVITE").is_err()));
    m.challenges(Header::WwwAuthenticate).for_each(|c| drop(c.to_string()));
}

/// A description that was read has an answer with as many media, which can be read.
fn description_can_be_answered(body: &[u8]) {
    let Ok(offer) = sdp::parse(body) else { return };
    assert!(offer.session.formats.iter().all(|f| Codec::ALL.contains(&f.codec)));
    let address = "203.0.113.5".parse().unwrap();
    let origin = Origin { id: 1, version: 2, address };
    let answer = sdp::write_answer(&offer.session, &offer.shape, origin);
    let read = sdp::parse(&answer).expect("an answer is a description");
    assert_eq!(read.shape.media.len(), offer.shape.media.len());
    assert_eq!(read.shape.time, offer.shape.time);
}

#[test]
fn mutated_messages_are_read_printed_and_answered() {
    let corpora = corpora();
    let mut chance = Chance::from_number(0x5150);
    let (mut parsed, mut valid) = (0, 0);
    for i in 0..MUTATIONS {
        let mut bytes = corpora[i % corpora.len()].clone();
        mutate(&mut bytes, &corpora, &mut chance);
        let Ok(m) = Message::parse(bytes) else { continue };
        parsed += 1;
        valid += usize::from(validate(&m).is_ok());
        can_be_read(&m);
        prints_to_a_fixed_point(&m);
        if m.is_request() {
            can_be_answered(&m);
        }
        if let Some(description) = sip::body::session_description(&m) {
            description_can_be_answered(description);
        }
    }
    // The mutations must neither break everything nor nothing.
    assert!(parsed > MUTATIONS / 2 && valid > MUTATIONS / 20, "{parsed} parsed, {valid} valid");
}

#[test]
fn mutated_descriptions_are_answered() {
    let bodies: Vec<_> = corpora()
        .into_iter()
        .filter_map(|bytes| Message::parse(bytes).ok())
        .filter_map(|m| sip::body::session_description(&m).map(<[u8]>::to_vec))
        .collect();
    assert!(bodies.len() > 10);
    let mut chance = Chance::from_number(7);
    for i in 0..MUTATIONS / 4 {
        let mut body = bodies[i % bodies.len()].clone();
        mutate(&mut body, &bodies, &mut chance);
        description_can_be_answered(&body);
    }
}

/// Frames as texts, the error last.
fn frames(pieces: &[&[u8]]) -> Vec<String> {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(frame) = framer.next_frame() {
            found.push(match frame {
                Ok(Frame::Message(m)) => format!("{m:?}"),
                Ok(other) => format!("{other:?}"),
                Err(e) => format!("{} {}", e.reason, e.answer.is_some()),
            });
        }
    }
    found
}

#[test]
fn a_mutated_stream_gives_the_same_frames_however_it_is_cut() {
    let corpora = corpora();
    let mut chance = Chance::from_number(11);
    let mut failed = 0;
    for i in 0..MUTATIONS / 40 {
        let mut stream = corpora[i % corpora.len()].clone();
        stream.extend_from_slice(b"\r\n\r\n");
        stream.extend_from_slice(&corpora[chance.below(corpora.len() as u64) as usize]);
        mutate(&mut stream, &corpora, &mut chance);
        let whole = frames(&[&stream]);
        let (a, b) = (chance.below(stream.len() as u64 + 1), chance.below(stream.len() as u64 + 1));
        let (a, b) = (a.min(b) as usize, a.max(b) as usize);
        assert_eq!(whole, frames(&[&stream[..a], &stream[a..b], &stream[b..]]));
        failed += usize::from(whole.last().is_some_and(|f| f.ends_with("true")));
    }
    assert!(failed > 10, "{failed}");
}
