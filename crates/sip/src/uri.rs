//! URIs: SIP and SIPS taken apart, `tel` as far as a number goes, others kept as they are.

mod equality;
mod escape;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::borrow::Cow;

use crate::cursor::{HOST, PLAIN, URI, is};
use crate::error::UriError;
use crate::work::visit;
use equality::{Case, same, same_headers};
use escape::escaped;
pub use escape::{escape_user, unescape};

/// A URI; borrows the text that it was read from.
///
/// Keep one by keeping its text ([`Uri::as_str`]) and reading it again when needed: that costs
/// less than any owned form.
#[derive(Clone, Copy, Debug)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip(SipUri<'a>),
    /// `tel:` (RFC 3966).
    Tel(TelUri<'a>),
    /// Any other scheme: not looked into.
    Other {
        /// The scheme as it is written.
        scheme: &'a str,
        /// The whole URI.
        text: &'a str,
    },
}

/// A SIP or SIPS URI (RFC 3261 19.1).
#[derive(Clone, Copy, Debug)]
pub struct SipUri<'a> {
    /// The whole URI.
    pub text: &'a str,
    /// Which of the two schemes.
    pub scheme: SipScheme,
    /// The user part as written, escaped; see [`SipUri::user`].
    pub raw_user: Option<&'a str>,
    /// The password as written, escaped.
    pub raw_password: Option<&'a str>,
    /// The host.
    pub host: Host<'a>,
    /// The port, if one is written.
    pub port: Option<u16>,
    /// The parameters.
    pub params: UriParams<'a>,
    /// What follows `?`, escaped; empty without. Nothing acts on it.
    pub headers: &'a str,
}

/// `sip` or `sips`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SipScheme {
    /// Plain.
    Sip,
    /// TLS on every hop.
    Sips,
}

/// A telephone number (RFC 3966).
#[derive(Clone, Copy, Debug)]
pub struct TelUri<'a> {
    /// The whole URI.
    pub text: &'a str,
    /// The number as it is written, with its visual separators.
    pub number: &'a str,
    /// The parameters.
    pub params: UriParams<'a>,
}

/// A host of a URI or a Via.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A name.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
}

/// Parameters of a URI: `;name` or `;name=value`, escaped as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct UriParams<'a>(&'a str);

impl<'a> Uri<'a> {
    /// Reads a URI.
    pub fn parse(text: &'a str) -> Result<Uri<'a>, UriError> {
        let Some((scheme, rest)) = scheme(text) else {
            return Err(UriError { offset: 0, expected: "a scheme" });
        };
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::read(text, rest, SipScheme::Sip).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::read(text, rest, SipScheme::Sips).map(Uri::Sip)
        } else {
            check_characters(text)?;
            if scheme.eq_ignore_ascii_case("tel") {
                let body = text.get(rest..).unwrap_or("");
                let (number, params) = split_at(body, body.find(';').unwrap_or(body.len()));
                return Ok(Uri::Tel(TelUri { text, number, params: UriParams(params) }));
            }
            Ok(Uri::Other { scheme, text })
        }
    }

    /// Reads a URI from bytes, which must be UTF-8.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Uri<'a>, UriError> {
        visit(bytes.len());
        match core::str::from_utf8(bytes) {
            Ok(text) => Uri::parse(text),
            Err(e) => Err(UriError { offset: e.valid_up_to(), expected: "UTF-8" }),
        }
    }

    /// The whole URI as it is written.
    pub fn as_str(&self) -> &'a str {
        match self {
            Uri::Sip(sip) => sip.text,
            Uri::Tel(tel) => tel.text,
            Uri::Other { text, .. } => text,
        }
    }

    /// The SIP or SIPS URI, if it is one.
    pub fn sip(&self) -> Option<&SipUri<'a>> {
        match self {
            Uri::Sip(sip) => Some(sip),
            _ => None,
        }
    }

    /// What a person would call the number: the user of a SIP URI, unescaped and without its
    /// parameters (`100;phone-context=x`), or the number of a `tel` URI without separators.
    pub fn number(&self) -> Option<Cow<'a, str>> {
        match self {
            Uri::Sip(sip) => {
                let user = sip.raw_user?;
                let (number, _) = split_at(user, user.find(';').unwrap_or(user.len()));
                Some(unescape(number))
            }
            Uri::Tel(tel) => {
                let is_separator = |c: char| matches!(c, '-' | '.' | '(' | ')');
                if tel.number.contains(is_separator) {
                    Some(Cow::Owned(tel.number.replace(is_separator, "")))
                } else {
                    Some(Cow::Borrowed(tel.number))
                }
            }
            Uri::Other { .. } => None,
        }
    }

    /// Equality of RFC 3261 19.1.4, and of the text for other schemes.
    pub fn equals(&self, other: &Uri<'_>) -> bool {
        match (self, other) {
            (Uri::Sip(a), Uri::Sip(b)) => a.equals(b),
            (Uri::Tel(_), Uri::Tel(_)) => {
                self.number() == other.number()
                    && self.as_str().len() == other.as_str().len()
                    && params_of(self).equals(params_of(other), |_| true)
            }
            (Uri::Other { text: a, .. }, Uri::Other { text: b, .. }) => a == b,
            _ => false,
        }
    }
}

fn params_of<'a>(uri: &Uri<'a>) -> UriParams<'a> {
    match uri {
        Uri::Sip(sip) => sip.params,
        Uri::Tel(tel) => tel.params,
        Uri::Other { .. } => UriParams(""),
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> SipUri<'a> {
    /// Reads what follows the scheme, which ends at byte `from`.
    fn read(text: &'a str, from: usize, scheme: SipScheme) -> Result<SipUri<'a>, UriError> {
        let marks = Marks::of(text, from)?;
        let part = |a: usize, b: usize| text.get(a..b).unwrap_or("");
        let (user, password, host_at) = match marks.at_sign {
            Some(at) => {
                let user_end = marks.password.unwrap_or(at);
                if user_end == from {
                    return Err(UriError { offset: from, expected: "a user before '@'" });
                }
                let password = marks.password.map(|colon| part(colon + 1, at));
                (Some(part(from, user_end)), password, at + 1)
            }
            None => (None, None, from),
        };
        let host_end = marks.host_end.unwrap_or(text.len());
        let colon = marks.port.and_then(|colon| colon.checked_sub(host_at));
        let (host, port) = host_and_port(part(host_at, host_end), colon)
            .map_err(|expected| UriError { offset: host_at, expected })?;
        let params_end = marks.question.unwrap_or(text.len());
        Ok(SipUri {
            text,
            scheme,
            raw_user: user,
            raw_password: password,
            host,
            port,
            params: UriParams(part(host_end, params_end)),
            headers: part(params_end + 1, text.len()),
        })
    }

    /// The user part, unescaped.
    pub fn user(&self) -> Option<Cow<'a, str>> {
        self.raw_user.map(unescape)
    }

    /// The address of the host and the port, as far as they are written as numbers.
    pub fn address(&self) -> Option<(IpAddr, Option<u16>)> {
        Some((self.host.ip()?, self.port))
    }

    /// The transport parameter.
    pub fn transport(&self) -> Option<&'a str> {
        self.params.value("transport")
    }

    /// Whether the `lr` parameter is there: a loose router (RFC 3261 19.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// Equality of RFC 3261 19.1.4.
    pub fn equals(&self, other: &SipUri<'_>) -> bool {
        // What must match even when only one side has it; of the others only common ones must.
        let decisive = |name: &str| {
            ["user", "ttl", "method", "maddr", "transport"]
                .iter()
                .any(|d| d.eq_ignore_ascii_case(name))
        };
        self.scheme == other.scheme
            && same(self.raw_user, other.raw_user, Case::Sensitive)
            && same(self.raw_password, other.raw_password, Case::Sensitive)
            && self.host == other.host
            && self.port == other.port
            && self.params.equals(other.params, decisive)
            && same_headers(self.headers, other.headers)
    }
}

impl<'a> Host<'a> {
    /// Reads a host, an IPv6 address in brackets.
    pub fn parse(text: &'a str) -> Option<Host<'a>> {
        visit(text.len());
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse().ok().map(Host::V6);
        }
        let last = text.as_bytes().last()?;
        if !text.bytes().all(|b| is(b, HOST)) {
            return None;
        }
        if last.is_ascii_digit()
            && let Ok(v4) = text.parse()
        {
            return Some(Host::V4(v4));
        }
        Some(Host::Name(text))
    }

    /// The address, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(v4) => Some(IpAddr::V4(*v4)),
            Host::V6(v6) => Some(IpAddr::V6(*v6)),
        }
    }

    /// Whether the host is this address.
    pub fn is_ip(&self, ip: IpAddr) -> bool {
        self.ip() == Some(ip)
    }
}

/// Names are equal in any case (RFC 3261 19.1.4).
impl PartialEq for Host<'_> {
    fn eq(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => {
                visit(a.len());
                a.eq_ignore_ascii_case(b)
            }
            _ => self.ip().is_some() && self.ip() == other.ip(),
        }
    }
}

impl Eq for Host<'_> {}

/// As a URI writes it.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(v4) => v4.fmt(f),
            Host::V6(v6) => write!(f, "[{v6}]"),
        }
    }
}

impl<'a> UriParams<'a> {
    /// Takes parameters that were checked before.
    pub(crate) fn checked(text: &'a str) -> UriParams<'a> {
        UriParams(text)
    }

    /// The parameters in order, names and values as they are written.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        visit(self.0.len());
        self.0.split(';').filter(|p| !p.is_empty()).map(|p| match p.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (p, None),
        })
    }

    /// Whether there is such a parameter, with or without a value; its name may be escaped.
    pub fn has(self, name: &str) -> bool {
        self.iter().any(|(n, _)| same(Some(n), Some(name), Case::Ignored))
    }

    /// The value of a parameter, escaped as it came.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(n, _)| same(Some(n), Some(name), Case::Ignored))?.1
    }

    /// The text, each parameter with its semicolon.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// `sip` of `sip:...`, and where its rest begins.
fn scheme(text: &str) -> Option<(&str, usize)> {
    let bytes = text.as_bytes();
    let is_scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let len = bytes.iter().take_while(|b| is_scheme(b)).count();
    visit(len + 1);
    let starts_well = bytes.first().is_some_and(u8::is_ascii_alphabetic);
    (starts_well && bytes.get(len) == Some(&b':')).then(|| (text.get(..len).unwrap_or(""), len + 1))
}

/// Where the delimiters of a SIP URI stand.
#[derive(Default)]
struct Marks {
    /// The first `@`.
    at_sign: Option<usize>,
    /// The first colon before it.
    password: Option<usize>,
    /// The first colon behind it.
    colon: Option<usize>,
    /// The first colon behind it, before the host ends.
    port: Option<usize>,
    /// The first `;` or `?` behind it.
    host_end: Option<usize>,
    /// The first `?` behind it.
    question: Option<usize>,
}

impl Marks {
    /// Looks for them from byte `from` on, and that nothing is in the URI that none holds, and
    /// escapes are whole.
    fn of(text: &str, from: usize) -> Result<Marks, UriError> {
        let bytes = text.as_bytes();
        visit(bytes.len());
        let mut marks = Marks::default();
        let mut i = from;
        loop {
            let rest = bytes.get(i..).unwrap_or_default();
            i += rest.iter().take_while(|b| is(**b, PLAIN)).count();
            match bytes.get(i) {
                None => return Ok(marks),
                Some(b'@') if marks.at_sign.is_none() => {
                    let password = marks.colon;
                    marks = Marks { at_sign: Some(i), password, ..Marks::default() };
                }
                Some(b':') => {
                    marks.colon = marks.colon.or(Some(i));
                    if marks.host_end.is_none() {
                        marks.port = marks.port.or(Some(i));
                    }
                }
                Some(b';') => marks.host_end = marks.host_end.or(Some(i)),
                Some(b'?') => {
                    marks.host_end = marks.host_end.or(Some(i));
                    marks.question = marks.question.or(Some(i));
                }
                Some(_) => check_character(bytes, i)?,
            }
            i += 1;
        }
    }
}

/// That the byte at `i` may stand in a URI.
fn check_character(bytes: &[u8], i: usize) -> Result<(), UriError> {
    match bytes.get(i) {
        Some(b'%') if escaped(bytes, i).is_none() => {
            Err(UriError { offset: i, expected: "two hexadecimal digits after '%'" })
        }
        Some(b) if !is(*b, URI) => Err(UriError { offset: i, expected: "a character of a URI" }),
        _ => Ok(()),
    }
}

/// That nothing is in it that no URI holds, and escapes are whole.
fn check_characters(text: &str) -> Result<(), UriError> {
    visit(text.len());
    (0..text.len()).try_for_each(|i| check_character(text.as_bytes(), i))
}

/// `host`, `host:port`, where the first colon stands at byte `colon`; on error what was expected.
fn host_and_port(
    text: &str,
    colon: Option<usize>,
) -> Result<(Host<'_>, Option<u16>), &'static str> {
    let host_len = match colon {
        None => text.len(),
        // The colons of an IPv6 address stand in brackets.
        Some(colon) => match text.bytes().position(|b| b == b']') {
            Some(end) => end + 1,
            None => colon,
        },
    };
    let (host, rest) = split_at(text, host_len);
    let host = Host::parse(host).ok_or("a host")?;
    let port = match rest.strip_prefix(':') {
        Some(digits) => Some(port(digits.as_bytes()).ok_or("a port from 1 to 65535")?),
        None if rest.is_empty() => None,
        None => return Err("':' or the end of the host"),
    };
    Ok((host, port))
}

/// A port number.
pub(crate) fn port(digits: &[u8]) -> Option<u16> {
    let n = crate::cursor::decimal(digits)?;
    u16::try_from(n).ok().filter(|&n| n > 0)
}

fn split_at(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}
