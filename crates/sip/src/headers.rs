//! The values of the smaller headers.

use std::borrow::Cow;

use crate::cursor::{Bad, Cursor, TOKEN, VALUE};
use crate::method::Method;
use crate::params::{Params, take_params, unquote};

/// CSeq (RFC 3261 20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The number, below 2^31.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// The method as it is written.
    pub name: &'a str,
}

impl<'a> CSeq<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<CSeq<'a>, Bad> {
        // RFC 3261 8.1.1.5: below 2**31.
        let number = c.take_number(0x7fff_ffff, "a sequence number below 2^31")?;
        let gap = c.at;
        c.skip_lws();
        if c.at == gap {
            return c.fail("white space before the method");
        }
        let name = c.take_token("a method")?;
        Ok(CSeq { number, method: Method::parse(name.as_bytes()), name })
    }
}

/// RAck: which reliable provisional response is acknowledged (RFC 3262 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The CSeq of the response.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<RAck<'a>, Bad> {
        let rseq = c.take_number(u32::MAX, "a response number")?;
        c.skip_lws();
        Ok(RAck { rseq, cseq: CSeq::take(c)? })
    }
}

/// A word with parameters: Event, Subscription-State, Reason, Content-Disposition, Privacy-like.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    /// The word; compare in any case.
    pub word: &'a str,
    /// Its parameters.
    pub params: Params<'a>,
}

impl<'a> Word<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Word<'a>, Bad> {
        c.skip_lws();
        let word = c.take_token("a word")?;
        Ok(Word { word, params: take_params(c, |_, _| {})? })
    }

    /// Whether it is this word.
    pub fn is(&self, word: &str) -> bool {
        self.word.eq_ignore_ascii_case(word)
    }
}

/// One value of Reason (RFC 3326).
#[derive(Clone, Copy, Debug)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850`; compare in any case.
    pub protocol: &'a str,
    /// The cause parameter.
    pub cause: Option<u16>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Reason<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Reason<'a>, Bad> {
        let Word { word, params } = Word::take(c)?;
        let cause = params.value("cause").and_then(|v| v.parse().ok());
        Ok(Reason { protocol: word, cause, params })
    }

    /// The text parameter.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.params.unquoted("text")
    }
}

/// A media type: Content-Type, Accept.
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    /// `application`; `*` in Accept.
    pub kind: &'a str,
    /// `sdp`; `*` in Accept.
    pub subtype: &'a str,
    /// Its parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<MediaType<'a>, Bad> {
        c.skip_lws();
        let kind = c.take_token("a media type")?;
        c.skip_lws();
        if !c.eat(b'/') {
            return c.fail("'/'");
        }
        c.skip_lws();
        let subtype = c.take_token("a media subtype")?;
        Ok(MediaType { kind, subtype, params: take_params(c, |_, _| {})? })
    }

    /// Whether it is this type, any case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Whether, in Accept, it covers this type.
    pub fn covers(&self, kind: &str, subtype: &str) -> bool {
        self.is("*", "*")
            || self.subtype == "*" && self.kind.eq_ignore_ascii_case(kind)
            || self.is(kind, subtype)
    }
}

/// Replaces (RFC 3891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Call-ID of the dialog.
    pub call_id: &'a str,
    /// Its local tag, seen from who receives this.
    pub to_tag: &'a str,
    /// Its remote tag.
    pub from_tag: &'a str,
    /// Only an early dialog is to be replaced.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads the value, unescaped when it comes from the headers of a Refer-To URI.
    pub fn parse(text: &'a str) -> Option<Replaces<'a>> {
        let mut c = Cursor::over(text);
        let replaces = Replaces::take(&mut c).ok()?;
        c.skip_lws();
        c.at_end().then_some(replaces)
    }

    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Replaces<'a>, Bad> {
        c.skip_lws();
        let call_id = c.take_some(VALUE, "a Call-ID")?;
        let call_id = c.text(call_id, "UTF-8 in the Call-ID")?;
        let params = take_params(c, |_, _| {})?;
        match (params.value("to-tag"), params.value("from-tag")) {
            (Some(to_tag), Some(from_tag)) => {
                Ok(Replaces { call_id, to_tag, from_tag, early_only: params.has("early-only") })
            }
            _ => c.fail("to-tag and from-tag"),
        }
    }
}

/// Session-Expires (RFC 4028 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds.
    pub seconds: u32,
    /// Who refreshes, if it is said.
    pub refresher: Option<Refresher>,
}

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered it.
    Uas,
}

impl Refresher {
    /// As the parameter writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        }
    }
}

impl SessionExpires {
    pub(crate) fn take(c: &mut Cursor<'_>) -> Result<SessionExpires, Bad> {
        let Delta { seconds, params } = Delta::take(c)?;
        let refresher = params.value("refresher").and_then(|v| {
            let is = |r: &Refresher| v.eq_ignore_ascii_case(r.as_str());
            [Refresher::Uac, Refresher::Uas].into_iter().find(is)
        });
        Ok(SessionExpires { seconds, refresher })
    }
}

/// Seconds with parameters: Min-SE, Retry-After.
#[derive(Clone, Copy, Debug)]
pub struct Delta<'a> {
    /// Seconds.
    pub seconds: u32,
    /// Its parameters.
    pub params: Params<'a>,
}

impl<'a> Delta<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Delta<'a>, Bad> {
        c.skip_lws();
        let seconds = c.take_number(u32::MAX, "seconds")?;
        Ok(Delta { seconds, params: take_params(c, |_, _| {})? })
    }

    /// Retry-After, which may hold a comment (RFC 3261 20.33).
    pub(crate) fn take_retry_after(c: &mut Cursor<'a>) -> Result<Delta<'a>, Bad> {
        c.skip_lws();
        let seconds = c.take_number(u32::MAX, "seconds")?;
        c.skip_lws();
        if c.peek() == Some(b'(') {
            c.take_comment()?;
        }
        Ok(Delta { seconds, params: take_params(c, |_, _| {})? })
    }
}

/// One value of Warning (RFC 3261 20.43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    /// Three digits.
    pub code: u16,
    /// Who warns.
    pub agent: &'a str,
    /// For people, as written, with its quotes.
    pub raw_text: &'a str,
}

impl<'a> Warning<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Warning<'a>, Bad> {
        c.skip_lws();
        let code = c.take_number(999, "a warning code of three digits")?;
        c.skip_lws();
        let agent = c.take_some(VALUE, "who warns")?;
        let agent = c.text(agent, "UTF-8")?;
        c.skip_lws();
        if c.peek() != Some(b'"') {
            return c.fail("a quoted text");
        }
        let text = c.take_quoted()?;
        let raw_text = c.text(text, "UTF-8")?;
        Ok(Warning { code: u16::try_from(code).unwrap_or(999), agent, raw_text })
    }

    /// The text without quotes.
    pub fn text(&self) -> Cow<'a, str> {
        unquote(self.raw_text)
    }
}

/// A URI in angle brackets with parameters: Call-Info, Alert-Info.
#[derive(Clone, Copy, Debug)]
pub struct Info<'a> {
    /// The URI, not looked into.
    pub uri: &'a str,
    /// Its parameters.
    pub params: Params<'a>,
}

impl<'a> Info<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Info<'a>, Bad> {
        c.skip_lws();
        if !c.eat(b'<') {
            return c.fail("'<'");
        }
        let uri = c.take_until(b'>', "'>'")?;
        let uri = c.text(uri, "UTF-8 in the URI")?;
        Ok(Info { uri, params: take_params(c, |_, _| {})? })
    }
}

/// Identity (RFC 8224 4): the signed token and what tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The PASSporT, or the signature of RFC 4474.
    pub token: &'a str,
    /// `info`, `alg`, `ppt`.
    pub params: Params<'a>,
}

impl<'a> Identity<'a> {
    pub(crate) fn take(c: &mut Cursor<'a>) -> Result<Identity<'a>, Bad> {
        c.skip_lws();
        let token = if c.peek() == Some(b'"') {
            c.take_quoted()?
        } else {
            c.take_some(VALUE, "a signed token")?
        };
        let token = c.text(token, "UTF-8 in the token")?;
        Ok(Identity { token, params: take_params(c, |_, _| {})? })
    }
}

/// The values of Privacy: tokens between semicolons (RFC 3323 4.2); some write commas.
pub(crate) fn privacy_values(value: &[u8]) -> impl Iterator<Item = &str> {
    crate::work::visit(value.len());
    value
        .split(|b| matches!(b, b';' | b','))
        .map(crate::cursor::trim)
        .filter(|v| !v.is_empty() && v.iter().all(|&b| crate::cursor::is(b, TOKEN)))
        .filter_map(|v| core::str::from_utf8(v).ok())
}
