//! Via: the way that responses take back.

use core::net::IpAddr;

use crate::cursor::{Bad, Cursor, DIGIT, HOST, trim};
use crate::params::{Params, take_params};
use crate::uri::{Host, port};

/// The cookie that a branch of RFC 3261 begins with (8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One value of Via (RFC 3261 20.42, RFC 3581).
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, ...; compare in any case.
    pub transport: &'a str,
    /// Host of sent-by.
    pub host: Host<'a>,
    /// Port of sent-by, if one is written.
    pub port: Option<u16>,
    /// The branch parameter.
    pub branch: Option<&'a str>,
    /// The received parameter, if it is an address; brackets around IPv6 are taken (RFC 5118 4.5).
    pub received: Option<IpAddr>,
    /// Whether there is a received parameter, whatever it says.
    pub(crate) has_received: bool,
    /// The rport parameter.
    pub rport: Rport,
    /// The maddr parameter.
    pub maddr: Option<&'a str>,
    /// All parameters.
    pub params: Params<'a>,
    /// The whole element as it came.
    pub raw: &'a [u8],
    /// What stands before the parameters, as it came.
    pub(crate) before_params: &'a [u8],
}

/// The rport parameter (RFC 3581).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rport {
    /// There is none.
    #[default]
    Absent,
    /// Without a value: the client wants to be answered where it sent from.
    Asked,
    /// With the port that the server saw.
    Port(u16),
}

impl<'a> Via<'a> {
    /// Reads one Via and stops behind it.
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Via<'a>, Bad> {
        c.skip_lws();
        let start = c.at;
        c.take_token("a protocol name")?;
        slash(c)?;
        c.take_token("a protocol version")?;
        slash(c)?;
        let transport = c.take_token("a transport")?;
        let gap = c.at;
        c.skip_lws();
        if c.at == gap {
            return c.fail("white space before the host");
        }
        let host = take_host(c)?;
        let port = take_port(c)?;
        let before_params = c.between(start, c.at);
        let mut known = Known::default();
        let params = take_params(c, |name, value| known.see(name, value))?;
        let text = |bytes| c.text(bytes, "UTF-8");
        Ok(Via {
            transport,
            host,
            port,
            branch: known.branch.map(text).transpose()?,
            received: known.received.flatten().and_then(address),
            has_received: known.received.is_some(),
            rport: known.rport,
            maddr: known.maddr.map(text).transpose()?,
            params,
            raw: trim(c.between(start, c.at)),
            before_params: trim(before_params),
        })
    }

    /// Whether the branch is one of RFC 3261: begins with the magic cookie and has more after it.
    pub fn has_rfc3261_branch(&self) -> bool {
        self.branch.is_some_and(|b| b.len() > MAGIC_COOKIE.len() && has_cookie(b))
    }

    /// The port that responses go to when nothing else is said: that of sent-by or the default of
    /// the transport (RFC 3261 18.2.2).
    pub fn port_or_default(&self) -> u16 {
        let secure = self.transport.eq_ignore_ascii_case("TLS");
        self.port.unwrap_or(if secure { 5061 } else { 5060 })
    }
}

/// The cookie is compared in any case, as it is part of a parameter that is a token.
pub(crate) fn has_cookie(branch: &str) -> bool {
    branch.get(..MAGIC_COOKIE.len()).is_some_and(|c| c.eq_ignore_ascii_case(MAGIC_COOKIE))
}

#[derive(Default)]
struct Known<'a> {
    branch: Option<&'a [u8]>,
    /// Of the first: there may be one without a value.
    received: Option<Option<&'a [u8]>>,
    rport: Rport,
    maddr: Option<&'a [u8]>,
}

impl<'a> Known<'a> {
    fn see(&mut self, name: &'a [u8], value: Option<&'a [u8]>) {
        if name.eq_ignore_ascii_case(b"branch") {
            self.branch = self.branch.or(value);
        } else if name.eq_ignore_ascii_case(b"received") {
            // One without a value says nothing, but it is there.
            self.received = match self.received {
                Some(Some(first)) => Some(Some(first)),
                _ => Some(value),
            };
        } else if name.eq_ignore_ascii_case(b"rport") {
            self.rport = match value.map(port) {
                Some(Some(n)) => Rport::Port(n),
                _ => Rport::Asked,
            };
        } else if name.eq_ignore_ascii_case(b"maddr") {
            self.maddr = self.maddr.or(value);
        }
    }
}

fn slash(c: &mut Cursor<'_>) -> Result<(), Bad> {
    c.skip_lws();
    if !c.eat(b'/') {
        return c.fail("'/'");
    }
    c.skip_lws();
    Ok(())
}

fn take_host<'a>(c: &mut Cursor<'a>) -> Result<Host<'a>, Bad> {
    let start = c.at;
    let bytes = if c.peek() == Some(b'[') {
        c.take_until(b']', "']'")?;
        c.between(start, c.at)
    } else {
        c.take_some(HOST, "a host")?
    };
    let host = c.text(bytes, "a host").ok().and_then(Host::parse);
    host.ok_or(Bad { at: start, expected: "a host" })
}

/// `:port` with white space around the colon allowed (COLON).
fn take_port(c: &mut Cursor<'_>) -> Result<Option<u16>, Bad> {
    let end = c.at;
    c.skip_lws();
    if !c.eat(b':') {
        c.at = end;
        return Ok(None);
    }
    c.skip_lws();
    let at = c.at;
    let digits = c.take_while(DIGIT);
    port(digits).map(Some).ok_or(Bad { at, expected: "a port from 1 to 65535" })
}

fn address(text: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}
