//! Any datagram as a SIP message: what was parsed prints to a fixed point, can be read, and every
//! request can be answered.

use core::net::SocketAddr;

use model::Chance;
use sip::digest::Ha1s;
use sip::{Header, Message, Method, Reply, Uri, Verdict, Writer, application, validate};

use crate::description;

/// What is copied into a response.
const COPIED: [Header; 5] = [Header::Via, Header::From, Header::To, Header::CallId, Header::CSeq];

/// Any datagram.
pub fn message(data: &[u8]) {
    let Ok(m) = Message::parse(data.to_vec()) else { return };
    assert!(data.starts_with(m.bytes()), "a message is what came, but for what follows its body");
    can_be_read(&m);
    prints_to_a_fixed_point(&m);
    verdict_is_possible(&m);
    if m.is_request() {
        can_be_answered(&m);
        can_be_followed(&m);
    }
    if let Some(found) = sip::body::session_description(&m) {
        assert!(m.body().len() >= found.len());
        description::can_be_answered(found);
    }
}

/// A parsed message prints to a message that prints the same, with the same headers.
pub fn prints_to_a_fixed_point(m: &Message) {
    let mut once = Vec::new();
    m.print(&mut once);
    if once.len() > sip::limits::MESSAGE_BYTES_MAX {
        // Long names are longer than compact ones.
        return;
    }
    let again = Message::parse(once.clone()).expect("a printed message is a message");
    let mut twice = Vec::new();
    again.print(&mut twice);
    assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
    assert!(once == twice, "printing is a fixed point to the byte");
    assert_eq!(m.line_count(), again.line_count());
    for (a, b) in m.lines().zip(again.lines()) {
        assert_eq!((a.header, a.value), (b.header, b.value));
    }
    assert_eq!(m.body(), again.body());
    assert_eq!(m.method(), again.method());
    assert_eq!(m.status(), again.status());
}

/// The response holds the copied headers and nothing that a value smuggled in.
pub fn can_be_answered(m: &Message) {
    let source: SocketAddr = ([198, 51, 100, 7], 5_066).into();
    let reply = Reply { source: Some(source), to_tag: Some("totag"), ..Reply::new(400) };
    let bytes = Writer::response(m, reply).finish();
    if bytes.len() > sip::limits::MESSAGE_BYTES_MAX {
        return;
    }
    let response = Message::parse(bytes).expect("a response is a message");
    assert_eq!(response.status(), Some(400));
    for line in response.lines() {
        let known = COPIED.contains(&line.header) || line.header == Header::ContentLength;
        assert!(known, "a response holds {line:?}");
    }
    assert_eq!(m.values(Header::Via).count(), response.values(Header::Via).count());
    for header in [Header::From, Header::To, Header::CallId, Header::CSeq] {
        assert_eq!(response.values(header).count(), usize::from(m.has(header)), "{header:?}");
    }
    assert_eq!(response.value(Header::ContentLength), Some(&b"0"[..]));
    if validate(m).is_err() {
        return;
    }
    assert_eq!(validate(&response), Ok(()), "the answer to a good request is good");
    assert!(response.to().is_ok_and(|to| to.tag.is_some()), "it has a To tag");
    assert_eq!(response.vias().count(), m.vias().count());
    assert_eq!(response.call_id(), m.call_id());
    assert_eq!(
        response.cseq().map(|c| (c.number, c.method)),
        m.cseq().map(|c| (c.number, c.method))
    );
    let via = response.top_via().expect("a good response has a Via");
    assert_eq!(via.received.or(via.host.ip()), Some(source.ip()));
    assert_eq!(via.branch, m.top_via().ok().and_then(|v| v.branch));
}

/// An INVITE that we had sent could be cancelled, and its refusal acknowledged.
fn can_be_followed(m: &Message) {
    if m.method() != Some(Method::Invite) || validate(m).is_err() {
        return;
    }
    let reply = Reply { to_tag: Some("totag"), ..Reply::new(486) };
    let Ok(response) = Message::parse(Writer::response(m, reply).finish()) else { return };
    let ack = Writer::ack(m, &response);
    let cancel = Writer::cancel(m).finish();
    for (bytes, method) in [(ack, Method::Ack), (cancel, Method::Cancel)] {
        let Ok(next) = Message::parse(bytes) else { continue };
        assert_eq!(next.method(), Some(method));
        assert_eq!(validate(&next), Ok(()), "{next:?}");
        assert_eq!(next.top_via().map(|v| v.raw), m.top_via().map(|v| v.raw));
        assert_eq!(next.uri().map(|u| u.as_str()), m.uri().map(|u| u.as_str()));
        assert_eq!(next.cseq().map(|c| c.number), m.cseq().map(|c| c.number));
        assert_eq!(next.values(Header::Route).count(), m.values(Header::Route).count());
    }
}

/// Only what may be answered is answered.
fn verdict_is_possible(m: &Message) {
    let Err(verdict) = validate(m) else { return };
    if let Verdict::Answer { status, .. } = verdict {
        assert!((400..700).contains(&status), "{verdict}");
        assert!(m.is_request() && m.method() != Some(Method::Ack) && m.has(Header::Via));
    }
}

/// What `validate` promises, and reading everything else without a panic.
pub fn can_be_read(m: &Message) {
    let valid = validate(m).is_ok();
    for address in [m.from(), m.to()].iter().flatten() {
        let uri = &address.uri;
        let again = Uri::parse(uri.as_str()).expect("a URI that was read is a URI");
        assert_eq!(again.as_str(), uri.as_str());
        assert!(uri.equals(uri), "{uri}");
        let _ = (address.display.text(), uri.number(), uri.sip().map(|s| s.user()));
    }
    if valid {
        assert!(m.from().is_ok() && m.to().is_ok() && m.call_id().is_ok() && m.cseq().is_ok());
        assert!(m.vias().all(|v| v.is_ok()));
        let told = m.number(Header::ContentLength).expect("a number after validation");
        assert!(told.is_none_or(|n| u32::try_from(m.body().len()) == Ok(n)));
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
    read_the_rest(m);
}

fn read_the_rest(m: &Message) {
    let _ = (m.reasons().count(), m.warnings().count(), m.identities().count());
    let _ = (m.accepts().count(), m.infos(Header::CallInfo).count(), m.privacy().count());
    let _ = (m.replaces().is_ok(), m.rack().is_ok(), m.retry_after().is_ok(), m.event().is_ok());
    let _ = (m.session_expires().is_ok(), m.min_se(), m.subscription_state().is_ok());
    let _ = (m.content_disposition().is_ok(), m.infos(Header::AlertInfo).count());
    let _ = application::check_method(m, &[Method::Invite, Method::Bye]);
    let _ = (application::check_scheme(m), application::check_require(m, &["100rel"]));
    let _ = (application::check_body(m), application::check_accept(m));
    // No mutation guesses a password.
    let mut ha1s = Ha1s { md5: [0; 16], sha256: [0; 32] };
    let mut chance = Chance::from_number(1);
    chance.fill(&mut ha1s.md5);
    chance.fill(&mut ha1s.sha256);
    for header in [Header::Authorization, Header::ProxyAuthorization] {
        assert!(m.credentials(header).all(|c| c.check(&ha1s, "INVITE").is_err()));
    }
    m.challenges(Header::WwwAuthenticate).for_each(|c| drop(c.to_string()));
}
