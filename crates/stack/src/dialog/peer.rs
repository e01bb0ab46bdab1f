//! The far side of a dialog, and how its URIs are kept.

use serde::{Deserialize, Serialize};
use sip::{Header, Message, NameAddr, Uri};

use crate::limits;

/// The peer's side of a dialog.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Its tag; empty for one of before RFC 3261.
    pub(crate) tag: Box<str>,
    /// Its Contact: the remote target.
    pub(crate) target: Box<str>,
    /// The route set, in the order of our requests.
    pub(crate) routes: Box<[Box<str>]>,
    /// The CSeq number of its last request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cseq: Option<u32>,
}

impl Peer {
    /// Request-URI and Route: RFC 3261 12.2.1.1, with strict routers of before it.
    pub(super) fn route(&self) -> (&str, Vec<&str>) {
        let routes = self.routes.iter().map(|r| &**r);
        match self.routes.first() {
            None => (&self.target, Vec::new()),
            Some(first) if is_loose(first) => (&self.target, routes.collect()),
            Some(first) => (first, routes.skip(1).chain([&*self.target]).collect()),
        }
    }

    /// The peer of a request or a response that makes a dialog: RFC 3261 12.1.
    pub(crate) fn of(message: &Message) -> Result<Peer, Unusable> {
        let contact = message.contact().map_err(|_| Unusable)?.ok_or(Unusable)?;
        let is_request = message.is_request();
        let party = if is_request { message.from() } else { message.to() };
        let tag = party.map_err(|_| Unusable)?.tag.unwrap_or("");
        let mut routes = route_set(message, Header::RecordRoute)?;
        if !is_request {
            // 12.1.2: the caller takes them in reverse order.
            routes.reverse();
        }
        let cseq = is_request.then(|| message.cseq().ok().map(|c| c.number)).flatten();
        Ok(Peer {
            tag: token(tag)?,
            target: uri(&contact.uri)?,
            routes: routes.into_boxed_slice(),
            cseq,
        })
    }
}

/// A message holds something that is no use for a dialog, or longer than we keep: 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unusable;

/// The URIs of a list of routes, in order.
pub(crate) fn route_set(message: &Message, header: Header) -> Result<Vec<Box<str>>, Unusable> {
    let mut routes = Vec::new();
    for route in message.addresses(header) {
        if routes.len() == limits::ROUTES_MAX {
            return Err(Unusable);
        }
        routes.push(uri(&route.map_err(|_| Unusable)?.uri)?);
    }
    Ok(routes)
}

/// A URI to keep.
pub(crate) fn uri(uri: &Uri<'_>) -> Result<Box<str>, Unusable> {
    let text = uri.as_str();
    // Requests are only ever sent to SIP URIs, on flows that exist already.
    let fits = text.len() <= limits::URI_BYTES_MAX && uri.sip().is_some();
    if fits { Ok(text.into()) } else { Err(Unusable) }
}

/// A tag or Call-ID to keep.
pub(crate) fn token(text: &str) -> Result<Box<str>, Unusable> {
    if text.len() <= limits::TOKEN_BYTES_MAX { Ok(text.into()) } else { Err(Unusable) }
}

/// A From or To without its tag, for requests of ours. What cannot be kept is left out.
pub(crate) fn party(address: &NameAddr<'_>) -> Box<str> {
    let uri = address.uri.as_str();
    let display = core::str::from_utf8(address.display.raw()).unwrap_or("");
    let whole = display.len() + uri.len() <= limits::URI_BYTES_MAX;
    let name = if whole { display } else { "" };
    let gap = if name.is_empty() { "" } else { " " };
    joined(&[name, gap, "<", uri, ">"])
}

/// Texts as one, in one allocation.
pub(crate) fn joined(parts: &[&str]) -> Box<str> {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| text.push_str(part));
    text.into_boxed_str()
}

pub(super) fn is_loose(uri: &str) -> bool {
    Uri::parse(uri).is_ok_and(|u| u.sip().is_some_and(|s| s.is_loose_router()))
}
