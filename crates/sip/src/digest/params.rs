//! The parameters behind the word `Digest`.

use super::{Algorithm, NotDigest};
use crate::cursor::{Bad, Cursor, VALUE};

/// The parameters of credentials or a challenge that we know.
#[derive(Default)]
pub(super) struct AuthParams<'a> {
    found: [Option<&'a str>; NAMES.len()],
}

/// A parameter that we know, by its place in [`NAMES`].
#[derive(Clone, Copy)]
pub(super) enum Name {
    Username,
    Realm,
    Nonce,
    Uri,
    Response,
    Algorithm,
    Qop,
    Cnonce,
    Nc,
    Opaque,
    Stale,
}

const NAMES: [&str; 12] = [
    "username",
    "realm",
    "nonce",
    "uri",
    "response",
    "algorithm",
    "qop",
    "cnonce",
    "nc",
    "opaque",
    "stale",
    "userhash",
];

impl<'a> AuthParams<'a> {
    pub(super) fn read(c: Cursor<'a>) -> Result<AuthParams<'a>, NotDigest> {
        Self::take(c).map_err(|bad| NotDigest { offset: bad.at, expected: bad.expected })
    }

    fn take(mut c: Cursor<'a>) -> Result<AuthParams<'a>, Bad> {
        c.skip_lws();
        if !c.take_token("a scheme")?.eq_ignore_ascii_case("Digest") {
            return c.fail("the scheme Digest");
        }
        let mut params = AuthParams::default();
        loop {
            c.skip_lws();
            let name = c.take_token("a parameter name")?;
            c.skip_lws();
            if !c.eat(b'=') {
                return c.fail("'='");
            }
            c.skip_lws();
            let is_quoted = c.peek() == Some(b'"');
            let value = if is_quoted {
                let quoted = c.take_quoted()?;
                quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
            } else {
                c.take_while(VALUE)
            };
            let value = c.text(value, "UTF-8")?;
            if has_control(value) || (!is_quoted && value.as_bytes().contains(&b'\\')) {
                // Neither could be sent back as it came: the proof would be of another text.
                return c.fail("neither control characters nor backslashes in a token");
            }
            let mut known = NAMES.iter().zip(&mut params.found);
            if let Some((_, found)) = known.find(|(n, _)| n.eq_ignore_ascii_case(name)) {
                if found.is_some() {
                    return c.fail("each parameter once");
                }
                *found = Some(value);
            }
            c.skip_lws();
            if c.at_end() {
                return Ok(params);
            }
            if !c.eat(b',') {
                return c.fail("',' or the end of the value");
            }
        }
    }

    pub(super) fn value(&self, name: Name) -> Option<&'a str> {
        self.found.get(name as usize).copied().flatten()
    }

    pub(super) fn needed(&self, name: Name) -> Result<&'a str, NotDigest> {
        let expected = NAMES.get(name as usize).copied().unwrap_or_default();
        self.value(name).ok_or(NotDigest { offset: 0, expected })
    }

    pub(super) fn algorithm(&self) -> Result<Algorithm, NotDigest> {
        match self.value(Name::Algorithm) {
            None => Ok(Algorithm::Md5),
            Some(text) => Algorithm::parse(text)
                .ok_or(NotDigest { offset: 0, expected: "the algorithm MD5 or SHA-256" }),
        }
    }
}

/// Whether a control character is in a text.
fn has_control(text: &str) -> bool {
    // Nearly all of them are looked at as bytes.
    if text.is_ascii() {
        text.bytes().any(|b| b.is_ascii_control())
    } else {
        text.contains(char::is_control)
    }
}
