//! The phone's own reading and writing of session descriptions, text in its hands.

use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};

use leg::Direction;
use model::Codec;

use super::manner::{Events, Hold};

/// Payload type under which phones take RFC 4733 events.
pub(super) const EVENTS_PAYLOAD_TYPE: u8 = 96;

/// What the other side has described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// Where it receives; `None`: nowhere.
    pub(crate) to: Option<SocketAddr>,
    /// Codecs in its order.
    pub(crate) codecs: Vec<Codec>,
    /// Payload type under which it takes RFC 4733 events.
    pub(crate) events: Option<u8>,
    /// As it says it.
    pub(crate) direction: Direction,
    /// `o=` session version.
    pub(crate) version: u64,
}

/// Reads a description; `None`: it is no description of audio that the phone could use.
pub(crate) fn read(body: &[u8]) -> Option<Described> {
    let text = core::str::from_utf8(body).ok()?;
    let (mut address, mut port) = (None::<IpAddr>, None::<u16>);
    let mut described = Described {
        to: None,
        codecs: Vec::new(),
        events: None,
        direction: Direction::SendRecv,
        version: 0,
    };
    let mut in_audio = true;
    for line in text.lines() {
        let (kind, value) = line.split_once('=')?;
        match kind {
            "o" => described.version = value.split(' ').nth(2)?.parse().ok()?,
            "m" => {
                let mut words = value.split(' ');
                in_audio = words.next() == Some("audio") && port.is_none();
                if !in_audio {
                    continue;
                }
                port = words.next()?.parse().ok();
                let of =
                    |pt: &str| Codec::ALL.into_iter().find(|c| c.payload_type().to_string() == pt);
                described.codecs = words.skip(1).filter_map(of).collect();
            }
            "c" if in_audio => address = value.rsplit(' ').next()?.parse().ok(),
            "a" if in_audio => match value {
                "sendrecv" => described.direction = Direction::SendRecv,
                "sendonly" => described.direction = Direction::SendOnly,
                "recvonly" => described.direction = Direction::RecvOnly,
                "inactive" => described.direction = Direction::Inactive,
                _ => {
                    if let Some((pt, "telephone-event/8000")) =
                        value.strip_prefix("rtpmap:").and_then(|v| v.split_once(' '))
                    {
                        described.events = pt.parse().ok();
                    }
                }
            },
            _ => {}
        }
    }
    let (address, port) = (address?, port?);
    described.to = (port != 0 && !address.is_unspecified()).then(|| SocketAddr::new(address, port));
    Some(described)
}

/// What the phone describes of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    /// Where it receives.
    pub(super) at: SocketAddr,
    /// `o=` session id and version.
    pub(super) origin: (u64, u64),
    /// In its order; of an answer, one.
    pub(super) codecs: &'a [Codec],
    /// Whether it takes RFC 4733 events.
    pub(super) events: Events,
    /// `None`: it talks.
    pub(super) hold: Option<Hold>,
    /// Of an answer: the direction of the offer.
    pub(super) offered: Option<Direction>,
}

impl Own<'_> {
    /// The direction that is written.
    pub(super) fn direction(&self) -> Direction {
        let wish = match self.hold {
            None | Some(Hold::NoAddress) => Direction::SendRecv,
            Some(Hold::SendOnly) => Direction::SendOnly,
            Some(Hold::Inactive) => Direction::Inactive,
        };
        match self.offered.map(Direction::answer) {
            None => wish,
            Some(widest) => {
                Direction::of(wish.sends() && widest.sends(), wish.receives() && widest.receives())
            }
        }
    }
}

/// Writes a description.
pub(super) fn write(own: &Own<'_>) -> String {
    let ip = own.at.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let told = match own.hold {
        Some(Hold::NoAddress) => "0.0.0.0".to_owned(),
        _ => ip.to_string(),
    };
    let (id, version) = own.origin;
    let mut text = format!(
        "v=0\r\no=phone {id} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {told}\r\n\
         t=0 0\r\nm=audio {} RTP/AVP",
        own.at.port()
    );
    for codec in own.codecs {
        let _ = write!(text, " {}", codec.payload_type());
    }
    if own.events == Events::Rfc4733 {
        let _ = write!(text, " {EVENTS_PAYLOAD_TYPE}");
    }
    text.push_str("\r\n");
    for codec in own.codecs {
        let (pt, name) = (codec.payload_type(), codec.encoding());
        let _ = write!(text, "a=rtpmap:{pt} {name}/{}", codec.clock_rate_hz());
        if let Some(channels) = codec.sdp_channels() {
            let _ = write!(text, "/{channels}");
        }
        text.push_str("\r\n");
    }
    if own.events == Events::Rfc4733 {
        let _ = write!(
            text,
            "a=rtpmap:{EVENTS_PAYLOAD_TYPE} telephone-event/8000\r\n\
             a=fmtp:{EVENTS_PAYLOAD_TYPE} 0-15\r\n"
        );
    }
    let _ = write!(text, "a=ptime:20\r\na={}\r\n", name_of(own.direction()));
    text
}

/// A direction as SDP writes it.
pub(crate) fn name_of(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(hold: Option<Hold>, offered: Option<Direction>) -> String {
        write(&Own {
            at: "10.1.0.1:4000".parse().unwrap(),
            origin: (7, 1),
            codecs: &crate::phone::sound::CODECS,
            events: Events::Rfc4733,
            hold,
            offered,
        })
    }

    #[test]
    fn what_is_written_is_read() {
        let read = read(own(None, None).as_bytes()).unwrap();
        let to = Some("10.1.0.1:4000".parse().unwrap());
        let direction = Direction::SendRecv;
        let codecs = crate::phone::sound::CODECS.to_vec();
        let events = Some(EVENTS_PAYLOAD_TYPE);
        assert_eq!(read, Described { to, codecs, events, direction, version: 1 });
    }

    #[test]
    fn each_form_of_hold_says_so() {
        let read = |hold| read(own(Some(hold), None).as_bytes()).unwrap();
        assert_eq!(read(Hold::SendOnly).direction, Direction::SendOnly);
        assert_eq!(read(Hold::Inactive).direction, Direction::Inactive);
        assert_eq!(read(Hold::NoAddress).to, None);
    }

    #[test]
    fn an_answer_goes_no_further_than_its_offer() {
        let direction =
            |hold, offered| read(own(hold, Some(offered)).as_bytes()).unwrap().direction;
        assert_eq!(direction(None, Direction::SendOnly), Direction::RecvOnly);
        assert_eq!(direction(Some(Hold::SendOnly), Direction::SendOnly), Direction::Inactive);
        assert_eq!(direction(Some(Hold::SendOnly), Direction::SendRecv), Direction::SendOnly);
    }
}
