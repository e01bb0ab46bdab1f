//! What is owed for a message that was parsed and yet is not as it must be.

use thiserror::Error;

use crate::address::Contact;
use crate::cursor::{decimal, is_token};
use crate::error::ValueError;
use crate::headers::CSeq;
use crate::limits;
use crate::message::{Message, StartLine};
use crate::method::Method;
use crate::name::Header;
use crate::uri::Uri;
use crate::via::has_cookie;

/// What is owed for a message that must not be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Verdict {
    /// Answer the request with this status, without state.
    #[error("{status} {reason}")]
    Answer {
        /// The status.
        status: u16,
        /// The reason phrase, which names what is wrong.
        reason: &'static str,
    },
    /// Drop it: a response, an ACK, or a request without a Via that an answer could follow.
    #[error("dropped: {reason}")]
    Discard {
        /// What is wrong, for logs and counters.
        reason: &'static str,
    },
}

impl Verdict {
    /// A verdict with status 400.
    fn bad(reason: &'static str) -> Verdict {
        Verdict::Answer { status: 400, reason }
    }

    /// The reason.
    pub fn reason(self) -> &'static str {
        match self {
            Verdict::Answer { reason, .. } | Verdict::Discard { reason } => reason,
        }
    }

    /// What becomes of it for this message: nothing but requests is answered, and never an ACK.
    pub(crate) fn for_message(self, message: &Message) -> Verdict {
        let answerable = match message.method() {
            None | Some(Method::Ack) => false,
            Some(_) => message.has(Header::Via),
        };
        if answerable { self } else { Verdict::Discard { reason: self.reason() } }
    }
}

/// Checks what every message must have, whatever it asks for (RFC 3261 8.1.1, 8.2, 16.3, 18.3).
///
/// After `Ok(())` these can be read without an error: all Vias, From, To, Call-ID, CSeq,
/// Content-Length; of a request also the Request-URI, Max-Forwards, Expires, all Contacts, Routes
/// and Record-Routes. The rest of a response is not looked at, since one that is dropped leaves its
/// transaction waiting: who needs its Contact finds out. What a request asks for is not looked at
/// either: see [`crate::application`].
pub fn validate(message: &Message) -> Result<(), Verdict> {
    check(message).map_err(|verdict| verdict.for_message(message))
}

fn check(message: &Message) -> Result<(), Verdict> {
    version(message)?;
    shape(message)?;
    counts(message)?;
    content_length(message)?;
    vias(message)?;
    if message.from().is_err() {
        return Err(Verdict::bad(blame(message, Header::From, "Missing From", "Bad From")));
    }
    if message.to().is_err() {
        return Err(Verdict::bad(blame(message, Header::To, "Missing To", "Bad To")));
    }
    if message.call_id().is_err() {
        return Err(Verdict::bad(blame(message, Header::CallId, "Missing Call-ID", "Bad Call-ID")));
    }
    let Ok(cseq) = message.cseq() else {
        return Err(Verdict::bad(blame(message, Header::CSeq, "Missing CSeq", "Bad CSeq")));
    };
    if !message.is_request() {
        return Ok(());
    }
    start_line(message, &cseq)?;
    numbers(message)?;
    contacts(message)?;
    addresses(message, Header::Route, "Bad Route")?;
    addresses(message, Header::RecordRoute, "Bad Record-Route")
}

fn blame(
    message: &Message,
    header: Header,
    missing: &'static str,
    bad: &'static str,
) -> &'static str {
    if message.has(header) { bad } else { missing }
}

fn version(message: &Message) -> Result<(), Verdict> {
    let (StartLine::Request { version, .. } | StartLine::Response { version, .. }) =
        message.start();
    if version.eq_ignore_ascii_case(b"SIP/2.0") {
        Ok(())
    } else {
        Err(Verdict::Answer { status: 505, reason: "Version Not Supported" })
    }
}

/// The header part as a whole.
fn shape(message: &Message) -> Result<(), Verdict> {
    let flaws = message.flaws();
    if flaws.malformed {
        Err(Verdict::bad("Malformed Header Line"))
    } else if flaws.lone_cr {
        Err(Verdict::bad("Stray Carriage Return"))
    } else if flaws.unfinished {
        Err(Verdict::bad("Missing End Of Headers"))
    } else if message.line_count() > limits::HEADER_LINES_MAX {
        Err(Verdict::bad("Too Many Headers"))
    } else {
        Ok(())
    }
}

/// Headers that may be there once are not there twice (RFC 4475 3.3.8).
fn counts(message: &Message) -> Result<(), Verdict> {
    let mut seen = 0u128;
    for line in message.lines().filter(|l| l.header.is_single()) {
        let bit = 1u128 << (line.header as u8);
        if seen & bit != 0 {
            return Err(Verdict::bad("Repeated Header"));
        }
        seen |= bit;
    }
    Ok(())
}

fn content_length(message: &Message) -> Result<(), Verdict> {
    let Some(value) = message.value(Header::ContentLength) else { return Ok(()) };
    let told = decimal(value).and_then(|n| usize::try_from(n).ok());
    match told {
        None => Err(Verdict::bad("Bad Content-Length")),
        // Over a datagram the rest is not coming any more (RFC 3261 18.3).
        Some(told) if told > message.body().len() => Err(Verdict::bad("Body Cut Short")),
        Some(_) => Ok(()),
    }
}

fn vias(message: &Message) -> Result<(), Verdict> {
    let Ok(top) = message.top_via() else {
        return Err(Verdict::bad(blame(message, Header::Via, "Missing Via", "Bad Via")));
    };
    // The first was read just now; mostly there is no other.
    if !message.is_only(Header::Via, top.raw) && message.vias().any(|v| v.is_err()) {
        return Err(Verdict::bad("Bad Via"));
    }
    match top.branch {
        // RFC 4475 3.2.1: the cookie alone identifies no transaction.
        Some(branch) if has_cookie(branch) && !top.has_rfc3261_branch() => {
            Err(Verdict::bad("Bad Branch"))
        }
        _ => Ok(()),
    }
}

/// Method and Request-URI.
fn start_line(message: &Message, cseq: &CSeq<'_>) -> Result<(), Verdict> {
    let StartLine::Request { name, .. } = message.start() else { return Ok(()) };
    if !is_token(name) {
        return Err(Verdict::bad("Bad Method"));
    }
    if cseq.name.as_bytes() != name {
        return Err(Verdict::bad("CSeq Of Another Method"));
    }
    match message.uri() {
        Err(_) => Err(Verdict::bad("Bad Request-URI")),
        // RFC 3261 19.1.1: a Request-URI holds no headers.
        Ok(Uri::Sip(sip)) if !sip.headers.is_empty() => Err(Verdict::bad("Headers In Request-URI")),
        Ok(_) => Ok(()),
    }
}

fn numbers(message: &Message) -> Result<(), Verdict> {
    if message.max_forwards().is_err() {
        return Err(Verdict::bad("Bad Max-Forwards"));
    }
    if message.expires().is_err() {
        return Err(Verdict::bad("Bad Expires"));
    }
    Ok(())
}

fn contacts(message: &Message) -> Result<(), Verdict> {
    for contact in message.contacts() {
        match contact {
            Err(_) => return Err(Verdict::bad("Bad Contact")),
            Ok(Contact::Address(a)) if a.expires() == Some(None) => {
                return Err(Verdict::bad("Bad Contact Expires"));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

fn addresses(message: &Message, header: Header, reason: &'static str) -> Result<(), Verdict> {
    let readable = |a: Result<_, ValueError>| a.is_ok();
    if message.addresses(header).all(readable) { Ok(()) } else { Err(Verdict::bad(reason)) }
}
