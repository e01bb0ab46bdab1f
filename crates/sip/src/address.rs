//! `name-addr` and `addr-spec`: From, To, Contact, Route and all that look like them.

use std::borrow::Cow;

use crate::cursor::{ADDRESS, Bad, Cursor, trim};
use crate::message::unfolded;
use crate::params::{Params, take_params, unquote};
use crate::uri::Uri;

/// A URI with a display name and header parameters (RFC 3261 20.10).
///
/// Without angle brackets all parameters belong to the header, and the URI may hold neither `?`
/// nor a comma.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The display name.
    pub display: Display<'a>,
    /// The URI.
    pub uri: Uri<'a>,
    /// The parameters of the header.
    pub params: Params<'a>,
    /// The first tag parameter that is not empty.
    pub tag: Option<&'a str>,
    /// The whole element as it came, for copying.
    pub raw: &'a [u8],
}

/// A display name as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Display<'a>(&'a [u8]);

/// One value of Contact.
#[derive(Clone, Copy, Debug)]
pub enum Contact<'a> {
    /// `*`: all bindings (RFC 3261 10.2.2).
    Star,
    /// An address.
    Address(NameAddr<'a>),
}

impl<'a> Display<'a> {
    /// Takes a name that was read before.
    pub(crate) fn checked(raw: &'a [u8]) -> Display<'a> {
        Display(raw)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it came, quoted names with their quotes.
    pub fn raw(&self) -> &'a [u8] {
        self.0
    }

    /// For people: without quotes and escapes; what is no UTF-8 is read as Latin-1, which is what
    /// phones that do not write UTF-8 write.
    pub fn text(&self) -> Cow<'a, str> {
        let text = match core::str::from_utf8(self.0) {
            Ok(_) => unfolded(self.0),
            Err(_) => Cow::Owned(self.0.iter().map(|&b| char::from(b)).collect()),
        };
        match text {
            Cow::Borrowed(text) => unquote(text),
            Cow::Owned(text) => Cow::Owned(unquote(&text).into_owned()),
        }
    }
}

impl<'a> NameAddr<'a> {
    /// Reads one address from text.
    pub fn parse(text: &'a str) -> Option<NameAddr<'a>> {
        let mut c = Cursor::over(text.trim_matches([' ', '\t', '\r', '\n']));
        let address = NameAddr::take(&mut c).ok()?;
        c.at_end().then_some(address)
    }

    /// Reads one address and stops behind it: at a comma, at the end, or at what does not belong.
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<NameAddr<'a>, Bad> {
        c.skip_lws();
        let start = c.at;
        let (display, uri) = take_address(c)?;
        let mut tag = None;
        let params = take_params(c, |name, value| {
            if name.eq_ignore_ascii_case(b"tag") && tag.is_none() {
                tag = value.filter(|t| !t.is_empty());
            }
        })?;
        let tag = tag.map(|t| c.text(t, "UTF-8 in the tag"));
        Ok(NameAddr {
            display: Display(display),
            uri,
            params,
            tag: tag.transpose()?,
            raw: trim(c.between(start, c.at)),
        })
    }

    /// The `expires` parameter: `None` without, `Some(None)` when it is no number that fits.
    pub fn expires(&self) -> Option<Option<u32>> {
        let value = self.params.value("expires")?;
        Some(crate::cursor::decimal(value.as_bytes()).and_then(|n| u32::try_from(n).ok()))
    }

    /// The `q` parameter in thousandths; 1000 without, or when it is no qvalue.
    pub fn q(&self) -> u16 {
        self.params.value("q").and_then(qvalue).unwrap_or(1000)
    }
}

impl<'a> Contact<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Contact<'a>, Bad> {
        c.skip_lws();
        let start = c.at;
        if c.eat(b'*') {
            c.skip_lws();
            if c.at_end() {
                return Ok(Contact::Star);
            }
            // 25.1: with something after it, `*` is a display name like any token.
            c.at = start;
        }
        NameAddr::take(c).map(Contact::Address)
    }

    /// The address, unless it is `*`.
    pub fn address(&self) -> Option<&NameAddr<'a>> {
        match self {
            Contact::Star => None,
            Contact::Address(address) => Some(address),
        }
    }
}

/// Display name and URI.
fn take_address<'a>(c: &mut Cursor<'a>) -> Result<(&'a [u8], Uri<'a>), Bad> {
    let start = c.at;
    let display = match c.peek() {
        Some(b'"') => {
            let quoted = c.take_quoted()?;
            c.skip_lws();
            if c.peek() != Some(b'<') {
                return c.fail("'<' after the display name");
            }
            quoted
        }
        _ => trim(c.take_while(ADDRESS)),
    };
    if c.eat(b'<') {
        let at = c.at;
        let text = c.take_until(b'>', "'>' after the URI")?;
        return Ok((display, read_uri(c, text, at)?));
    }
    if display.contains(&b'?') {
        // RFC 3261 20: such a URI must be in angle brackets.
        return Err(Bad { at: start, expected: "'<' before a URI with '?'" });
    }
    Ok((b"", read_uri(c, display, start)?))
}

fn read_uri<'a>(c: &Cursor<'a>, bytes: &'a [u8], at: usize) -> Result<Uri<'a>, Bad> {
    let uri = match c.known_text(bytes) {
        Some(text) => Uri::parse(text),
        None => Uri::from_bytes(bytes),
    };
    uri.map_err(|e| Bad { at: at + e.offset, expected: e.expected })
}

/// `0.5` as 500.
pub(crate) fn qvalue(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = part.bytes().chain([b'0'; 3]).take(3);
    let part = thousandths.fold(0, |n, b| n * 10 + u16::from(b - b'0'));
    match whole {
        "0" | "" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}
