//! What a message is asked for again and again, read once: topmost Via, From, To, CSeq, Call-ID,
//! credentials.
//!
//! A value that was read borrows from its message and cannot be kept in it. So where its parts lie
//! is kept, and the value is put together from that. Whatever does not fit is read again: unusual
//! URIs, what cannot be read at all.

use core::cell::Cell;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Raw, Span};
use crate::address::{Display, NameAddr};
use crate::cursor::place;
use crate::digest::{Algorithm, Credentials};
use crate::headers::CSeq;
use crate::method::Method;
use crate::params::Params;
use crate::uri::{Host, SipScheme, SipUri, Uri, UriParams};
use crate::via::{Rport, Via};

/// Where the parts of those values lie that were read.
#[derive(Clone, Default)]
pub(crate) struct Memo {
    pub(crate) via: Cell<Option<ViaAt>>,
    pub(crate) from: Cell<Option<AddressAt>>,
    pub(crate) to: Cell<Option<AddressAt>>,
    pub(crate) cseq: Cell<Option<CSeqAt>>,
    pub(crate) call_id: Cell<Option<At>>,
    pub(crate) credentials: Cell<Option<CredentialsAt>>,
}

/// A place in a message, of which the header part never is longer.
#[derive(Clone, Copy)]
pub(crate) struct At {
    from: u16,
    to: u16,
}

impl At {
    pub(crate) fn of(raw: &Raw, part: &[u8]) -> Option<At> {
        if part.is_empty() {
            return Some(At { from: 0, to: 0 });
        }
        let (from, to) = place(raw.bytes(), part)?;
        Some(At { from: u16::try_from(from).ok()?, to: u16::try_from(to).ok()? })
    }

    /// Of a part that may be missing.
    fn maybe(raw: &Raw, part: Option<&str>) -> Option<Option<At>> {
        part.map_or(Some(None), |part| At::of(raw, part.as_bytes()).map(Some))
    }

    fn span(self) -> Span {
        Span { from: self.from.into(), to: self.to.into() }
    }

    fn bytes(self, raw: &Raw) -> &[u8] {
        self.span().of(raw.bytes())
    }

    pub(crate) fn text(self, raw: &Raw) -> Option<&str> {
        raw.text(self.span())
    }
}

/// The text of a part that may be missing.
fn text(at: Option<At>, raw: &Raw) -> Option<Option<&str>> {
    at.map_or(Some(None), |at| at.text(raw).map(Some))
}

/// A CSeq, and where its method stands.
#[derive(Clone, Copy)]
pub(crate) struct CSeqAt {
    number: u32,
    method: Method,
    name: At,
}

impl CSeqAt {
    pub(crate) fn of(raw: &Raw, cseq: &CSeq<'_>) -> Option<CSeqAt> {
        let name = At::of(raw, cseq.name.as_bytes())?;
        Some(CSeqAt { number: cseq.number, method: cseq.method, name })
    }

    pub(crate) fn cseq(self, raw: &Raw) -> Option<CSeq<'_>> {
        Some(CSeq { number: self.number, method: self.method, name: self.name.text(raw)? })
    }
}

/// Where the parts of credentials lie.
#[derive(Clone, Copy)]
pub(crate) struct CredentialsAt {
    username: At,
    realm: At,
    nonce: At,
    uri: At,
    response: At,
    algorithm: Algorithm,
    qop: Option<At>,
    cnonce: Option<At>,
    nc: Option<At>,
    opaque: Option<At>,
}

impl CredentialsAt {
    pub(crate) fn of(raw: &Raw, c: &Credentials<'_>) -> Option<CredentialsAt> {
        Some(CredentialsAt {
            username: At::of(raw, c.username.as_bytes())?,
            realm: At::of(raw, c.realm.as_bytes())?,
            nonce: At::of(raw, c.nonce.as_bytes())?,
            uri: At::of(raw, c.uri.as_bytes())?,
            response: At::of(raw, c.response.as_bytes())?,
            algorithm: c.algorithm,
            qop: At::maybe(raw, c.qop)?,
            cnonce: At::maybe(raw, c.cnonce)?,
            nc: At::maybe(raw, c.nc)?,
            opaque: At::maybe(raw, c.opaque)?,
        })
    }

    pub(crate) fn credentials(self, raw: &Raw) -> Option<Credentials<'_>> {
        Some(Credentials {
            username: self.username.text(raw)?,
            realm: self.realm.text(raw)?,
            nonce: self.nonce.text(raw)?,
            uri: self.uri.text(raw)?,
            response: self.response.text(raw)?,
            algorithm: self.algorithm,
            qop: text(self.qop, raw)?,
            cnonce: text(self.cnonce, raw)?,
            nc: text(self.nc, raw)?,
            opaque: text(self.opaque, raw)?,
        })
    }
}

#[derive(Clone, Copy)]
enum HostAt {
    Name(At),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl HostAt {
    fn of(raw: &Raw, host: Host<'_>) -> Option<HostAt> {
        Some(match host {
            Host::Name(name) => HostAt::Name(At::of(raw, name.as_bytes())?),
            Host::V4(v4) => HostAt::V4(v4),
            Host::V6(v6) => HostAt::V6(v6),
        })
    }

    fn host(self, raw: &Raw) -> Option<Host<'_>> {
        Some(match self {
            HostAt::Name(at) => Host::Name(at.text(raw)?),
            HostAt::V4(v4) => Host::V4(v4),
            HostAt::V6(v6) => Host::V6(v6),
        })
    }
}

/// Where the parts of a Via lie.
#[derive(Clone, Copy)]
pub(crate) struct ViaAt {
    transport: At,
    host: HostAt,
    port: Option<u16>,
    branch: Option<At>,
    received: Option<IpAddr>,
    has_received: bool,
    rport: Rport,
    maddr: Option<At>,
    params: At,
    raw: At,
    before_params: At,
}

impl ViaAt {
    pub(crate) fn of(raw: &Raw, via: &Via<'_>) -> Option<ViaAt> {
        Some(ViaAt {
            transport: At::of(raw, via.transport.as_bytes())?,
            host: HostAt::of(raw, via.host)?,
            port: via.port,
            branch: At::maybe(raw, via.branch)?,
            received: via.received,
            has_received: via.has_received,
            rport: via.rport,
            maddr: At::maybe(raw, via.maddr)?,
            params: At::of(raw, via.params.as_str().as_bytes())?,
            raw: At::of(raw, via.raw)?,
            before_params: At::of(raw, via.before_params)?,
        })
    }

    pub(crate) fn via(self, raw: &Raw) -> Option<Via<'_>> {
        Some(Via {
            transport: self.transport.text(raw)?,
            host: self.host.host(raw)?,
            port: self.port,
            branch: text(self.branch, raw)?,
            received: self.received,
            has_received: self.has_received,
            rport: self.rport,
            maddr: text(self.maddr, raw)?,
            params: Params::checked(self.params.text(raw)?),
            raw: self.raw.bytes(raw),
            before_params: self.before_params.bytes(raw),
        })
    }
}

/// Where the parts of an address with a SIP URI lie.
#[derive(Clone, Copy)]
pub(crate) struct AddressAt {
    display: At,
    uri: At,
    scheme: SipScheme,
    user: Option<At>,
    password: Option<At>,
    host: HostAt,
    port: Option<u16>,
    uri_params: At,
    headers: At,
    params: At,
    tag: Option<At>,
    raw: At,
}

impl AddressAt {
    pub(crate) fn of(raw: &Raw, address: &NameAddr<'_>) -> Option<AddressAt> {
        let uri = address.uri.sip()?;
        Some(AddressAt {
            display: At::of(raw, address.display.raw())?,
            uri: At::of(raw, uri.text.as_bytes())?,
            scheme: uri.scheme,
            user: At::maybe(raw, uri.raw_user)?,
            password: At::maybe(raw, uri.raw_password)?,
            host: HostAt::of(raw, uri.host)?,
            port: uri.port,
            uri_params: At::of(raw, uri.params.as_str().as_bytes())?,
            headers: At::of(raw, uri.headers.as_bytes())?,
            params: At::of(raw, address.params.as_str().as_bytes())?,
            tag: At::maybe(raw, address.tag)?,
            raw: At::of(raw, address.raw)?,
        })
    }

    pub(crate) fn address(self, raw: &Raw) -> Option<NameAddr<'_>> {
        let uri = SipUri {
            text: self.uri.text(raw)?,
            scheme: self.scheme,
            raw_user: text(self.user, raw)?,
            raw_password: text(self.password, raw)?,
            host: self.host.host(raw)?,
            port: self.port,
            params: UriParams::checked(self.uri_params.text(raw)?),
            headers: self.headers.text(raw)?,
        };
        Some(NameAddr {
            display: Display::checked(self.display.bytes(raw)),
            uri: Uri::Sip(uri),
            params: Params::checked(self.params.text(raw)?),
            tag: text(self.tag, raw)?,
            raw: self.raw.bytes(raw),
        })
    }
}
