//! What a phone knows: its login, its way to us, its calls.

use core::fmt::Write as _;
use core::net::SocketAddr;

use sip::digest::{Challenge, Ha1s, Login as DigestLogin};
use sip::{Header, Message};
use stack::{Flow, FlowId, Transport};

/// The digest realm of the endpoint.
pub(super) const REALM: &str = "pbx.example";

/// One phone.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) login: &'static str,
    pub(super) flow: Flow,
    pub(super) cseq: u32,
    /// The challenge of the last 401 and how often it was answered.
    challenge: Option<(String, u32)>,
}

/// One dialog, or what may become one, as a phone sees it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) party: usize,
    pub(super) call_id: String,
    pub(super) tag: String,
    /// The other side's From or To, with its tag once it is known.
    pub(super) to: String,
    /// Where requests go.
    pub(super) target: String,
    pub(super) branch: String,
    pub(super) cseq: u32,
}

impl Party {
    pub(super) fn new(login: &'static str, id: u64, transport: Transport, remote: &str) -> Party {
        let local: SocketAddr = ([192, 0, 2, 1], 5_060).into();
        let remote = remote.parse().expect("an address");
        let flow = Flow { id: FlowId(id), transport, local, remote };
        Party { login, flow, cseq: 0, challenge: None }
    }

    pub(super) fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.login, self.flow.remote)
    }

    /// Learns the challenge of a 401.
    pub(super) fn hears(&mut self, message: &Message) {
        if matches!(message.status(), Some(401 | 407))
            && let Some(value) = message.text(Header::WwwAuthenticate)
        {
            self.challenge = Some((value.into_owned(), 0));
        }
    }

    /// The Authorization line that answers the challenge at hand, with this password.
    pub(super) fn proof(&mut self, method: &str, uri: &str, password: &str) -> Option<String> {
        let (challenge, count) = self.challenge.as_mut()?;
        *count += 1;
        let challenge = Challenge::parse(challenge.as_bytes()).ok()?;
        let login = DigestLogin {
            username: self.login,
            ha1s: &Ha1s::of(self.login, REALM, password),
            method,
            uri,
            cnonce: "c",
            count: *count,
        };
        Some(format!("Authorization: {}", challenge.answer(&login)?))
    }

    pub(super) fn description(&self, choice: usize, version: u32) -> String {
        let ip = self.flow.remote.ip();
        let head = format!("v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=-\r\n");
        let audio = "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";
        let usual = format!("{head}c=IN IP4 {ip}\r\nt=0 0\r\n{audio}");
        match choice {
            0..=2 => usual,
            3 => format!("{usual}a=sendonly\r\n"),
            4 => format!("{usual}a=inactive\r\nm=video 4002 RTP/AVP 31\r\n"),
            5 => format!("{head}c=IN IP4 0.0.0.0\r\nt=0 0\r\n{audio}"),
            6 => format!("{head}c=IN IP4 {ip}\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n"),
            7 => format!("{head}c=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 3\r\n"),
            8 => "v=0\r\nnonsense".to_owned(),
            _ => format!("{head}t=0 0\r\nm=video 4000 RTP/AVP 31\r\n"),
        }
    }
}

/// A message from its head, one line each, and a body with its type.
pub(super) fn wired(head: &str, body: Option<(&str, &str)>) -> Vec<u8> {
    let mut text = String::with_capacity(1_024);
    for line in head.lines().map(str::trim).filter(|line| !line.is_empty()) {
        text.push_str(line);
        text.push_str("\r\n");
    }
    let (kind, body) = body.unwrap_or_default();
    if !body.is_empty() {
        // Writing into a string cannot fail.
        let _ = write!(text, "Content-Type: {kind}\r\n");
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
    text.into_bytes()
}
