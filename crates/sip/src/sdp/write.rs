//! Writing a session description.

use core::fmt::Write as _;
use core::net::IpAddr;

use leg::{Direction, Session};
use model::Codec;

use super::OfferShape;
use crate::value::Line;

/// Who describes, and which state of the session (the o= line, RFC 8866 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// sess-id: fixed for a dialog.
    pub id: u64,
    /// sess-version: one more with each change.
    pub version: u64,
    /// Our address as the peer reaches us; also for c= where the session names none.
    pub address: IpAddr,
}

/// Room for a usual description, so that its buffer seldom grows.
const USUAL_BYTES: usize = 512;

/// Writes our offer.
pub fn write_offer(session: &Session, origin: Origin) -> Vec<u8> {
    let mut text = head(session, origin, (0, 0));
    if is_refused(session) {
        let _ = write!(text, "m=audio 0 RTP/AVP 0\r\n");
    } else {
        audio(&mut text, session);
    }
    text.into_bytes()
}

/// Writes our answer to an offer of this shape: the audio in its place, all other media refused
/// with port 0 (RFC 3264 6).
pub fn write_answer(session: &Session, shape: &OfferShape, origin: Origin) -> Vec<u8> {
    let mut text = head(session, origin, shape.time);
    for (i, media) in shape.media.iter().enumerate() {
        if shape.audio == Some(i) && !is_refused(session) {
            audio(&mut text, session);
        } else {
            // Writing into a string cannot fail.
            let _ = write!(text, "m={} 0 {} {}\r\n", media.kind, media.protocol, media.format);
        }
    }
    text.into_bytes()
}

/// Without a port or a codec there is nothing to describe.
fn is_refused(session: &Session) -> bool {
    session.port == 0 || session.formats.is_empty()
}

fn head(session: &Session, origin: Origin, time: (u64, u64)) -> String {
    let kind = |ip: IpAddr| if ip.is_ipv4() { "IP4" } else { "IP6" };
    let address = session.address.unwrap_or(origin.address);
    let mut text = Vec::with_capacity(USUAL_BYTES);
    text.extend_from_slice(b"v=0\r\n");
    let mut line = Line(&mut text);
    line.text("o=- ").number(origin.id).text(" ").number(origin.version);
    line.value([" IN ", kind(origin.address), " "]).ip(origin.address);
    text.extend_from_slice(b"\r\ns=-\r\n");
    let mut line = Line(&mut text);
    line.value(["c=IN ", kind(address), " "]).ip(address);
    text.extend_from_slice(b"\r\n");
    Line(&mut text).text("t=").number(time.0).text(" ").number(time.1);
    text.extend_from_slice(b"\r\n");
    // All of it is ASCII.
    String::from_utf8(text).unwrap_or_default()
}

fn audio(text: &mut String, session: &Session) {
    let _ = write!(text, "m=audio {} RTP/AVP", session.port);
    for format in &session.formats {
        let _ = write!(text, " {}", format.payload_type);
    }
    if let Some(digits) = session.digits {
        let _ = write!(text, " {digits}");
    }
    text.push_str("\r\n");
    for format in &session.formats {
        let (name, rate) = (format.codec.encoding(), format.codec.clock_rate_hz());
        let _ = write!(text, "a=rtpmap:{} {name}/{rate}", format.payload_type);
        if let Some(channels) = format.codec.sdp_channels() {
            let _ = write!(text, "/{channels}");
        }
        text.push_str("\r\n");
        if format.codec == Codec::Opus {
            // One channel and repair of lost packets (RFC 7587 6.1).
            let _ = write!(text, "a=fmtp:{} useinbandfec=1\r\n", format.payload_type);
        }
    }
    if let Some(digits) = session.digits {
        let _ = write!(text, "a=rtpmap:{digits} telephone-event/8000\r\na=fmtp:{digits} 0-15\r\n");
    }
    if let Some(ms) = session.ptime_ms {
        let _ = write!(text, "a=ptime:{ms}\r\n");
    }
    if let Some(port) = session.rtcp_port {
        let _ = write!(text, "a=rtcp:{port}\r\n");
    }
    if session.rtcp_mux {
        text.push_str("a=rtcp-mux\r\n");
    }
    text.push_str(match session.direction {
        Direction::SendRecv => "a=sendrecv\r\n",
        Direction::SendOnly => "a=sendonly\r\n",
        Direction::RecvOnly => "a=recvonly\r\n",
        Direction::Inactive => "a=inactive\r\n",
    });
}
