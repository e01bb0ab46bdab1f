//! Any body as a session description, or as several parts.

use core::net::{IpAddr, Ipv4Addr};

use leg::Direction;
use model::Codec;
use sip::Message;
use sip::limits::SDP_MEDIA_MAX;
use sip::sdp::{self, Description, Origin};

const US: Origin = Origin { id: 1, version: 2, address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5)) };

/// Any session description.
pub fn sdp(data: &[u8]) {
    can_be_answered(data);
}

/// A description that was read has an answer with as many media, which can be read; and what was
/// read of it, written and read again, is the same.
pub fn can_be_answered(body: &[u8]) {
    let Ok(offer) = sdp::parse(body) else { return };
    assert!(offer.session.formats.iter().all(|f| Codec::ALL.contains(&f.codec)));
    assert!(offer.session.formats.iter().all(|f| f.payload_type < 128));
    assert!(offer.shape.media.len() <= SDP_MEDIA_MAX);
    assert!(offer.shape.audio.is_none_or(|at| at < offer.shape.media.len()));
    let answer = sdp::write_answer(&offer.session, &offer.shape, US);
    let read = sdp::parse(&answer).expect("an answer is a description");
    assert_eq!(read.shape.media.len(), offer.shape.media.len());
    assert_eq!(read.shape.time, offer.shape.time);
    assert_eq!(read.version.map(|v| (v.id, v.version)), Some((1, 2)));
    for (ours, theirs) in read.shape.media.iter().zip(&offer.shape.media) {
        // RFC 3264 6: the same media in the same order; in our own spelling.
        assert!(ours.kind.eq_ignore_ascii_case(&theirs.kind), "{ours:?} for {theirs:?}");
        assert!(ours.protocol.eq_ignore_ascii_case(&theirs.protocol), "{ours:?} for {theirs:?}");
    }
    is_written_as_it_was_read(&offer);
}

fn is_written_as_it_was_read(offer: &Description) {
    let mut session = offer.session.clone();
    let text = sdp::write_offer(&session, US);
    let read = sdp::parse(&text).expect("an offer is a description").session;
    if session.port == 0 || session.formats.is_empty() {
        assert_eq!(read.port, 0, "nothing to offer");
        return;
    }
    // Nowhere is written as our own address with the direction that comes of it.
    session.address = session.address.or(Some(US.address));
    assert_eq!(read, session, "{}", String::from_utf8_lossy(&text));
    assert!(offer.session.address.is_some() || !offer.session.direction.receives());
    let _: Direction = read.direction;
}

/// Any body in parts.
pub fn multipart(data: &[u8]) {
    for boundary in ["uniq", "b1", "\"a b\"", "-", "boundary1"] {
        let head = format!(
            "INVITE sip:a@b SIP/2.0\r\nContent-Type: multipart/mixed;boundary={boundary}\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(data);
        let Ok(m) = Message::parse(bytes) else { continue };
        if let Some(found) = sip::body::session_description(&m) {
            let body = m.body().as_ptr_range();
            let part = found.as_ptr_range();
            assert!(body.start <= part.start && part.end <= body.end, "a part lies in the body");
            can_be_answered(found);
        }
    }
}
