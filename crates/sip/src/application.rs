//! What a UAS owes by the request alone (RFC 3261 8.2.1 to 8.2.3), without state.
//!
//! Each check is one function, so that the caller keeps the order that it needs: authentication
//! comes before all of these but the method.

use core::fmt;

use smallvec::SmallVec;

use crate::body;
use crate::message::Message;
use crate::method::Method;
use crate::name::Header;
use crate::uri::Uri;

/// A request that a UAS cannot serve, and what its response must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// 501: nobody here knows the method.
    NotImplemented,
    /// 405: the method is known and not served here; the response lists Allow.
    NotAllowed,
    /// 416: the Request-URI is of a scheme that leads nowhere here.
    Scheme,
    /// 420: the response lists these in Unsupported.
    Extension(SmallVec<[&'a str; 2]>),
    /// 415: the response lists Accept and Accept-Encoding.
    Body,
    /// 406: the peer takes no session description.
    NotAcceptable,
}

impl Refusal<'_> {
    /// The status owed.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::NotImplemented => 501,
            Refusal::NotAllowed => 405,
            Refusal::Scheme => 416,
            Refusal::Extension(_) => 420,
            Refusal::Body => 415,
            Refusal::NotAcceptable => 406,
        }
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::status::reason_phrase(self.status()))
    }
}

/// Whether the method is among those served (8.2.1).
pub fn check_method<'a>(message: &'a Message, served: &[Method]) -> Result<(), Refusal<'a>> {
    match message.method() {
        None | Some(Method::Other) => Err(Refusal::NotImplemented),
        Some(method) if served.contains(&method) => Ok(()),
        Some(_) => Err(Refusal::NotAllowed),
    }
}

/// Whether the Request-URI is of a scheme that can lead somewhere (8.2.2.1): `sip`, `sips`, `tel`.
pub fn check_scheme(message: &Message) -> Result<(), Refusal<'_>> {
    match message.uri() {
        Ok(Uri::Sip(_) | Uri::Tel(_)) => Ok(()),
        Ok(Uri::Other { .. }) | Err(_) => Err(Refusal::Scheme),
    }
}

/// Whether all option tags of Require are supported (8.2.2.3). Not for CANCEL and ACK, where
/// Require is ignored.
pub fn check_require<'a>(message: &'a Message, supported: &[&str]) -> Result<(), Refusal<'a>> {
    if matches!(message.method(), Some(Method::Cancel | Method::Ack)) {
        return Ok(());
    }
    let known = |tag: &&str| !supported.iter().any(|s| s.eq_ignore_ascii_case(tag));
    let unknown: SmallVec<_> = message.tokens(Header::Require).filter(known).collect();
    if unknown.is_empty() { Ok(()) } else { Err(Refusal::Extension(unknown)) }
}

/// Whether the body, if there is one that must be understood, is a session description or holds
/// one (8.2.3). For INVITE, re-INVITE, UPDATE, PRACK, ACK.
pub fn check_body(message: &Message) -> Result<(), Refusal<'_>> {
    if message.body().is_empty() {
        return Ok(());
    }
    let encoded = message
        .tokens(Header::ContentEncoding)
        .any(|coding| !coding.eq_ignore_ascii_case("identity"));
    let disposition = message.content_disposition().ok().flatten();
    let optional = disposition.is_some_and(|d| {
        d.params.value("handling").is_some_and(|h| h.eq_ignore_ascii_case("optional"))
    });
    if optional || (!encoded && body::session_description(message).is_some()) {
        Ok(())
    } else {
        Err(Refusal::Body)
    }
}

/// Whether the peer takes `application/sdp` (20.1): a missing Accept means that it does.
pub fn check_accept(message: &Message) -> Result<(), Refusal<'_>> {
    let covers = |m: crate::headers::MediaType<'_>| {
        m.covers("application", "sdp")
            && m.params.value("q").and_then(crate::address::qvalue) != Some(0)
    };
    if !message.has(Header::Accept) || message.accepts().flatten().any(covers) {
        Ok(())
    } else {
        Err(Refusal::NotAcceptable)
    }
}
