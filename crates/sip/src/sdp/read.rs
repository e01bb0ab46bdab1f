//! Reading a session description.

use core::net::IpAddr;

use leg::{Direction, Format, Session};
use model::Codec;
use smallvec::SmallVec;
use thiserror::Error;

use crate::cursor::{decimal, is_token, trim};
use crate::limits;
use crate::work::visit;

/// A session description as far as it concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The audio from the peer's point of view. Port 0: there is none that we could take, or it is
    /// refused; no formats: none that we know.
    pub session: Session,
    /// What an answer must have the shape of.
    pub shape: OfferShape,
    /// Session id and version of o=, if they are numbers: the same as before means that nothing
    /// changed (RFC 3264 8).
    pub version: Option<Version>,
}

/// Which session, and which state of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// sess-id.
    pub id: u64,
    /// sess-version.
    pub version: u64,
}

/// The m= lines of an offer: an answer has as many in the same order (RFC 3264 6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferShape {
    /// All of them.
    pub media: SmallVec<[Media; 1]>,
    /// Which of them `session` describes; `None`: none can be used.
    pub audio: Option<usize>,
    /// t=, which an answer repeats.
    pub time: (u64, u64),
}

/// An m= line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, ...
    pub kind: Box<str>,
    /// `RTP/AVP`, ...
    pub protocol: Box<str>,
    /// Its first format.
    pub format: Box<str>,
}

/// Why a text is no session description that could be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SdpError {
    /// It does not begin with v=.
    #[error("expected v= first")]
    NotSdp,
    /// More lines than [`limits::SDP_LINES_MAX`].
    #[error("more than {} lines", limits::SDP_LINES_MAX)]
    Lines,
    /// More media than [`limits::SDP_MEDIA_MAX`].
    #[error("more than {} media", limits::SDP_MEDIA_MAX)]
    Media,
    /// An m= line cannot be read, so it cannot be answered.
    #[error("expected media, port, protocol and format in line {line}")]
    MediaLine {
        /// Counted from 1.
        line: usize,
    },
    /// The audio has a port and no address, or a host name for one.
    #[error("expected an address for the audio")]
    Address,
}

/// Reads a session description.
///
/// Lines may end in CRLF or LF; lines that are not known or not understood are passed over, as
/// long as the m= lines can be answered. The audio is the first m= line of RTP/AVP with a port
/// (with port 0 if there is no other); secured media are not usable here.
pub fn parse(text: &[u8]) -> Result<Description, SdpError> {
    let mut reader = Reader::default();
    let mut lines = 0;
    for line in text.split(|&b| b == b'\n') {
        lines += 1;
        visit(line.len() + 1);
        if lines > limits::SDP_LINES_MAX {
            return Err(SdpError::Lines);
        }
        if let [kind, b'=', value @ ..] = trim(line) {
            reader.line(*kind, value, lines)?;
        } else if lines == 1 {
            return Err(SdpError::NotSdp);
        }
    }
    reader.finish()
}

/// What c= says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Address {
    #[default]
    Missing,
    /// The unspecified address: an old hold (RFC 2543 B.5).
    Nowhere,
    At(IpAddr),
    /// A host name: a media stream cannot wait for DNS.
    Name,
}

#[derive(Default)]
struct Reader {
    begun: bool,
    version: Option<Version>,
    shape: OfferShape,
    address: Address,
    direction: Option<Direction>,
    ptime_ms: Option<u16>,
    /// The m= line that the lines belong to; `None` before the first one.
    section: Section,
    /// The audio found so far.
    audio: Option<Box<Audio>>,
}

/// Which m= line the lines belong to.
#[derive(Default)]
enum Section {
    #[default]
    Session,
    /// Audio that could be used.
    Audio(Box<Audio>),
    /// Anything else.
    Passed,
}

/// An m= line of audio that could be used.
struct Audio {
    index: usize,
    port: u16,
    /// Payload types in order of preference.
    payload_types: SmallVec<[u8; 16]>,
    mapped: [Mapped; 128],
    address: Address,
    direction: Option<Direction>,
    ptime_ms: Option<u16>,
    rtcp_port: Option<u16>,
    rtcp_mux: bool,
}

/// What a payload type stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mapped {
    Not,
    Codec(Codec),
    Digits,
    Unknown,
}

impl Reader {
    fn line(&mut self, kind: u8, value: &[u8], number: usize) -> Result<(), SdpError> {
        if !self.begun {
            self.begun = kind == b'v';
            return if self.begun { Ok(()) } else { Err(SdpError::NotSdp) };
        }
        match (kind, &mut self.section) {
            (b'm', _) => self.media(value).map_err(|e| e.at(number))?,
            (b'o', Section::Session) => self.version = version(value),
            (b't', Section::Session) => self.shape.time = time(value).unwrap_or((0, 0)),
            (b'c', Section::Session) => self.address = connection(value),
            (b'c', Section::Audio(audio)) => audio.address = connection(value),
            (b'a', Section::Session) => match value {
                [b'p', b't', b'i', b'm', b'e', b':', ms @ ..] => self.ptime_ms = ptime(ms),
                _ => self.direction = direction(value).or(self.direction),
            },
            (b'a', Section::Audio(audio)) => audio.attribute(value),
            _ => {}
        }
        Ok(())
    }

    /// `m=audio 49170/2 RTP/AVP 0 8 101`.
    fn media(&mut self, value: &[u8]) -> Result<(), BadMedia> {
        self.close_section();
        let index = self.shape.media.len();
        if index >= limits::SDP_MEDIA_MAX {
            return Err(BadMedia::TooMany);
        }
        let mut words = words(value);
        let mut word = || words.next().ok_or(BadMedia::Syntax);
        let (kind, port, protocol) = (word()?, word()?, word()?);
        let port = port.split(|&b| b == b'/').next().and_then(decimal);
        let port = port.and_then(|n| u16::try_from(n).ok()).ok_or(BadMedia::Syntax)?;
        let format = word()?;
        let text = |bytes: &[u8]| -> Result<Box<str>, BadMedia> {
            let is_path = |&b: &u8| b == b'/' || is_token(&[b]);
            let fits = bytes.len() <= limits::SDP_TOKEN_BYTES_MAX && bytes.iter().all(is_path);
            let text = core::str::from_utf8(bytes).ok().filter(|_| fits);
            text.map(Box::from).ok_or(BadMedia::Syntax)
        };
        self.shape.media.push(Media {
            kind: text(kind)?,
            protocol: text(protocol)?,
            format: text(format)?,
        });
        let usable =
            kind.eq_ignore_ascii_case(b"audio") && protocol.eq_ignore_ascii_case(b"RTP/AVP");
        self.section = if usable {
            let formats = core::iter::once(format).chain(words).take(limits::SDP_FORMATS_MAX);
            Section::Audio(Box::new(Audio::new(index, port, formats)))
        } else {
            Section::Passed
        };
        Ok(())
    }

    fn close_section(&mut self) {
        if let Section::Audio(audio) = core::mem::take(&mut self.section)
            && (self.audio.is_none() || self.audio.as_ref().is_some_and(|a| a.port == 0))
            && (self.audio.is_none() || audio.port != 0)
        {
            self.audio = Some(audio);
        }
    }

    fn finish(mut self) -> Result<Description, SdpError> {
        if !self.begun {
            return Err(SdpError::NotSdp);
        }
        self.close_section();
        let mut shape = self.shape;
        let session = match self.audio {
            None => refused(),
            Some(mut audio) => {
                shape.audio = Some(audio.index);
                if audio.address == Address::Missing {
                    audio.address = self.address;
                }
                audio.direction = audio.direction.or(self.direction);
                audio.ptime_ms = audio.ptime_ms.or(self.ptime_ms);
                audio.session()?
            }
        };
        Ok(Description { session, shape, version: self.version })
    }
}

/// Why an m= line cannot be kept.
enum BadMedia {
    Syntax,
    TooMany,
}

impl BadMedia {
    fn at(self, line: usize) -> SdpError {
        match self {
            BadMedia::Syntax => SdpError::MediaLine { line },
            BadMedia::TooMany => SdpError::Media,
        }
    }
}

/// No audio.
fn refused() -> Session {
    Session {
        address: None,
        port: 0,
        rtcp_port: None,
        rtcp_mux: false,
        formats: SmallVec::new(),
        digits: None,
        direction: Direction::Inactive,
        ptime_ms: None,
    }
}

impl Audio {
    fn new<'a>(index: usize, port: u16, formats: impl Iterator<Item = &'a [u8]>) -> Audio {
        let payload_type = |f| decimal(f).and_then(|n| u8::try_from(n).ok()).filter(|&n| n < 128);
        let mut mapped = [Mapped::Not; 128];
        for codec in Codec::ALL {
            // RFC 3551 6: static payload types need no rtpmap.
            let payload_type = codec.static_payload_type().map(usize::from);
            if let Some(entry) = payload_type.and_then(|n| mapped.get_mut(n)) {
                *entry = Mapped::Codec(codec);
            }
        }
        Audio {
            index,
            port,
            payload_types: formats.filter_map(payload_type).collect(),
            mapped,
            address: Address::Missing,
            direction: None,
            ptime_ms: None,
            rtcp_port: None,
            rtcp_mux: false,
        }
    }

    fn attribute(&mut self, value: &[u8]) {
        let colon = value.iter().position(|&b| b == b':').unwrap_or(value.len());
        let (name, rest) = value.split_at_checked(colon).unwrap_or((value, b""));
        let argument = rest.strip_prefix(b":").unwrap_or(b"");
        match name {
            b"rtpmap" => self.rtpmap(argument),
            b"ptime" => self.ptime_ms = ptime(argument),
            b"rtcp" => self.rtcp_port = words(argument).next().and_then(crate::uri::port),
            b"rtcp-mux" => self.rtcp_mux = true,
            _ => self.direction = direction(value).or(self.direction),
        }
    }

    /// `101 telephone-event/8000`.
    fn rtpmap(&mut self, argument: &[u8]) {
        let mut words = words(argument);
        let (Some(number), Some(encoding)) = (words.next(), words.next()) else { return };
        let number = decimal(number).and_then(|n| usize::try_from(n).ok());
        if let Some(entry) = number.and_then(|n| self.mapped.get_mut(n)) {
            *entry = mapped(encoding);
        }
    }

    fn session(&self) -> Result<Session, SdpError> {
        let said = self.direction.unwrap_or(Direction::SendRecv);
        let (address, direction) = match self.address {
            Address::At(ip) => (Some(ip), said),
            Address::Nowhere => (None, Direction::of(said.sends(), false)),
            Address::Missing | Address::Name if self.port == 0 => (None, said),
            Address::Missing | Address::Name => return Err(SdpError::Address),
        };
        let mut formats: SmallVec<[Format; 2]> = SmallVec::new();
        let mut digits = None;
        for &payload_type in &self.payload_types {
            match self.mapped.get(usize::from(payload_type)) {
                Some(&Mapped::Codec(codec)) if formats.iter().all(|f| f.codec != codec) => {
                    formats.push(Format { payload_type, codec });
                }
                Some(Mapped::Digits) => digits = digits.or(Some(payload_type)),
                _ => {}
            }
        }
        Ok(Session {
            address,
            port: self.port,
            rtcp_port: self.rtcp_port.filter(|&p| Some(p) != self.port.checked_add(1)),
            rtcp_mux: self.rtcp_mux,
            formats,
            digits,
            direction,
            ptime_ms: self.ptime_ms,
        })
    }
}

/// `PCMU/8000`, `PCMU/8000/1`, `opus/48000/2`.
fn mapped(encoding: &[u8]) -> Mapped {
    let mut parts = encoding.split(|&b| b == b'/');
    let name = parts.next().unwrap_or(b"");
    let rate = parts.next().and_then(decimal);
    let channels = parts.next().map_or(Some(1), decimal);
    if name.eq_ignore_ascii_case(b"telephone-event") && rate == Some(8_000) && channels == Some(1) {
        return Mapped::Digits;
    }
    let is = |c: &Codec| {
        name.eq_ignore_ascii_case(c.encoding().as_bytes())
            && rate == Some(u64::from(c.clock_rate_hz()))
            && channels == Some(u64::from(c.sdp_channels().unwrap_or(1)))
    };
    Codec::ALL.into_iter().find(is).map_or(Mapped::Unknown, Mapped::Codec)
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    visit(value.len());
    value.split(|b| matches!(b, b' ' | b'\t')).filter(|w| !w.is_empty())
}

/// `- 123 456 IN IP4 192.0.2.1`.
fn version(value: &[u8]) -> Option<Version> {
    let mut numbers = words(value).skip(1);
    Some(Version { id: decimal(numbers.next()?)?, version: decimal(numbers.next()?)? })
}

/// `0 0`.
fn time(value: &[u8]) -> Option<(u64, u64)> {
    let mut numbers = words(value);
    Some((decimal(numbers.next()?)?, decimal(numbers.next()?)?))
}

/// `IN IP4 192.0.2.1`, `IN IP6 2001:db8::1`, with `/ttl` for groups.
fn connection(value: &[u8]) -> Address {
    let Some(text) = words(value).nth(2).and_then(|w| w.split(|&b| b == b'/').next()) else {
        return Address::Missing;
    };
    let ip = core::str::from_utf8(text).ok().and_then(|t| t.parse::<IpAddr>().ok());
    match ip {
        Some(ip) if ip.is_unspecified() => Address::Nowhere,
        Some(ip) => Address::At(ip),
        None => Address::Name,
    }
}

fn direction(attribute: &[u8]) -> Option<Direction> {
    match attribute {
        b"sendrecv" => Some(Direction::SendRecv),
        b"sendonly" => Some(Direction::SendOnly),
        b"recvonly" => Some(Direction::RecvOnly),
        b"inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

/// Whole milliseconds; some write `20.0`. What no packet can hold is as good as nothing.
fn ptime(argument: &[u8]) -> Option<u16> {
    let whole = argument.split(|&b| b == b'.').next().map(trim).and_then(decimal)?;
    u16::try_from(whole).ok().filter(|ms| (1..=200).contains(ms))
}
