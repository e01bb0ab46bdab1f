//! Parameters of a header value: `;name`, `;name=value`, `;name="value"`.

use std::borrow::Cow;

use crate::cursor::{Bad, Cursor, TOKEN, VALUE};
use crate::work::visit;

/// Parameters that were checked when the value was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// Takes parameters that were checked before.
    pub(crate) fn checked(text: &'a str) -> Params<'a> {
        Params(text)
    }

    /// The parameters in order. Values are as written, quoted ones with their quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let mut cursor = Cursor::over(self.0);
        core::iter::from_fn(move || {
            let (name, value) = take_param(&mut cursor).ok()??;
            let text = |b| cursor.known_text(b).unwrap_or("");
            Some((text(name), value.map(text)))
        })
    }

    /// Whether there is such a parameter, with or without a value.
    pub fn has(self, name: &str) -> bool {
        self.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    /// The value of a parameter as written.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?.1
    }

    /// The value of a parameter without quotes.
    pub fn unquoted(self, name: &str) -> Option<Cow<'a, str>> {
        self.value(name).map(unquote)
    }

    /// The text, each parameter with its semicolon.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// Reads parameters up to the end of the element; `on` sees each.
pub(crate) fn take_params<'a>(
    c: &mut Cursor<'a>,
    mut on: impl FnMut(&'a [u8], Option<&'a [u8]>),
) -> Result<Params<'a>, Bad> {
    c.skip_lws();
    let start = c.at;
    let mut end = start;
    while let Some((name, value)) = take_param(c)? {
        end = c.at;
        on(name, value);
    }
    let all = c.between(start, end);
    visit(all.len());
    Ok(Params(c.text(all, "UTF-8 in parameters")?))
}

type Param<'a> = (&'a [u8], Option<&'a [u8]>);

/// One parameter, or `None` where there is no further semicolon.
fn take_param<'a>(c: &mut Cursor<'a>) -> Result<Option<Param<'a>>, Bad> {
    c.skip_lws();
    if !c.eat(b';') {
        return Ok(None);
    }
    c.skip_lws();
    let name = c.take_some(TOKEN, "a parameter name")?;
    let end = c.at;
    c.skip_lws();
    if !c.eat(b'=') {
        c.at = end;
        return Ok(Some((name, None)));
    }
    c.skip_lws();
    Ok(Some((name, Some(take_value(c)?))))
}

/// A token, host, quoted string, or URI in angle brackets; empty is taken.
fn take_value<'a>(c: &mut Cursor<'a>) -> Result<&'a [u8], Bad> {
    match c.peek() {
        Some(b'"') => c.take_quoted(),
        Some(b'<') => {
            let start = c.at;
            c.take_until(b'>', "'>'")?;
            Ok(c.between(start, c.at))
        }
        _ => Ok(c.take_while(VALUE)),
    }
}

/// A quoted string without its quotes and backslashes; other text as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    visit(text.len());
    let Some(inner) = text.strip_prefix('"') else { return Cow::Borrowed(text) };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Appends `text` to `out` as a quoted string (RFC 3261 25.1): quotes and backslashes escaped,
/// control characters left out.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
