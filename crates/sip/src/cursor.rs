//! A cursor over the bytes of one header value, and the character classes of RFC 3261 25.1.

use crate::work::visit;

/// Characters of a token.
pub(crate) const TOKEN: u8 = 1;
/// Characters of a host name; `_` is no such character but is used.
pub(crate) const HOST: u8 = 2;
/// Characters that may stand in a URI between its delimiters; `%` is looked at separately.
pub(crate) const URI: u8 = 4;
/// Linear white space; CR and LF are in a value only where a line is folded.
pub(crate) const LWS: u8 = 8;
/// Characters of a parameter value that is not quoted. Wider than a token: `[::1]`, `a@b`.
pub(crate) const VALUE: u8 = 16;
/// Digits.
pub(crate) const DIGIT: u8 = 32;
/// What ends the search for `<` in an address: see `NameAddr`.
pub(crate) const ADDRESS: u8 = 64;
/// Characters of a URI that mean nothing by themselves.
pub(crate) const PLAIN: u8 = 128;

const CLASSES: [u8; 256] = classes();

// Evaluated by the compiler, where an index out of bounds would not build.
#[allow(clippy::indexing_slicing)]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        // The loop's bound makes the conversion exact.
        #[allow(clippy::cast_possible_truncation)]
        let b = i as u8;
        let mut class = 0;
        let alnum = b.is_ascii_alphanumeric();
        if alnum || contains(b"-.!%*_+`'~", b) {
            class |= TOKEN;
        }
        if alnum || contains(b"-._", b) {
            class |= HOST;
        }
        if b > b' ' && b != 0x7f && !contains(b"<>\"", b) {
            class |= URI;
        }
        if class & URI != 0 && !contains(b"@%:;?", b) {
            class |= PLAIN;
        }
        if contains(b" \t\r\n", b) {
            class |= LWS;
        }
        if b > b' ' && b != 0x7f && !contains(b";,\"<>", b) {
            class |= VALUE;
        }
        if b.is_ascii_digit() {
            class |= DIGIT;
        }
        if !contains(b"<>,;\"", b) {
            class |= ADDRESS;
        }
        table[i] = class;
        i += 1;
    }
    table
}

#[allow(clippy::indexing_slicing)]
const fn contains(set: &[u8], b: u8) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == b {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether a byte is of a class.
#[inline(always)]
pub(crate) fn is(b: u8, class: u8) -> bool {
    // The table has an entry for every byte.
    #[allow(clippy::indexing_slicing)]
    let c = CLASSES[usize::from(b)];
    c & class != 0
}

/// Whether `text` is a token: not empty, and of token characters only.
pub(crate) fn is_token(text: &[u8]) -> bool {
    visit(text.len());
    !text.is_empty() && text.iter().all(|&b| is(b, TOKEN))
}

/// What there is of `bytes[from..to]`.
#[inline(always)]
pub(crate) fn cut(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to.min(bytes.len())).unwrap_or_default()
}

/// Without white space at both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [first, after @ ..] = rest
        && is(*first, LWS)
    {
        rest = after;
    }
    while let [before @ .., last] = rest
        && is(*last, LWS)
    {
        rest = before;
    }
    visit(bytes.len() - rest.len());
    rest
}

/// Where `part` lies in `whole`, if it does.
pub(crate) fn place(whole: &[u8], part: &[u8]) -> Option<(usize, usize)> {
    let from = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let to = from.checked_add(part.len()).filter(|to| *to <= whole.len())?;
    Some((from, to))
}

/// What was expected and not found, at which byte of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

/// Reads one value from front to back, each byte once.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    /// The same as text, where that is known; empty where it is not.
    text: &'a str,
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, text: "", at: 0 }
    }

    /// Over text: no piece of it has to be looked at for UTF-8.
    pub(crate) fn over(text: &'a str) -> Cursor<'a> {
        Cursor { bytes: text.as_bytes(), text, at: 0 }
    }

    pub(crate) fn fail<T>(&self, expected: &'static str) -> Result<T, Bad> {
        Err(Bad { at: self.at, expected })
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// What lies between two positions.
    pub(crate) fn between(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// All that is left; the cursor stays.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Moves to the end.
    pub(crate) fn finish(&mut self) {
        self.at = self.bytes.len();
    }

    #[inline(always)]
    pub(crate) fn skip_lws(&mut self) {
        while let Some(b) = self.peek()
            && is(b, LWS)
        {
            visit(1);
            self.at += 1;
        }
    }

    #[inline(always)]
    pub(crate) fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            visit(1);
            self.at += 1;
        }
        found
    }

    /// The longest run of a class; may be empty.
    #[inline(always)]
    pub(crate) fn take_while(&mut self, class: u8) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|&b| !is(b, class)).unwrap_or(rest.len());
        visit(len + 1);
        self.at += len;
        cut(rest, 0, len)
    }

    /// A run of a class that must not be empty.
    pub(crate) fn take_some(&mut self, class: u8, expected: &'static str) -> Result<&'a [u8], Bad> {
        let run = self.take_while(class);
        if run.is_empty() { self.fail(expected) } else { Ok(run) }
    }

    /// A token as text.
    pub(crate) fn take_token(&mut self, expected: &'static str) -> Result<&'a str, Bad> {
        let run = self.take_some(TOKEN, expected)?;
        self.text(run, expected)
    }

    /// A decimal number that fits.
    pub(crate) fn take_number(&mut self, max: u32, expected: &'static str) -> Result<u32, Bad> {
        let start = self.at;
        let digits = self.take_some(DIGIT, expected)?;
        match decimal(digits) {
            Some(n) if n <= u64::from(max) => Ok(u32::try_from(n).unwrap_or(max)),
            _ => Err(Bad { at: start, expected }),
        }
    }

    /// A quoted string with its quotes; the cursor stands on the first.
    pub(crate) fn take_quoted(&mut self) -> Result<&'a [u8], Bad> {
        let start = self.at;
        let rest = self.rest();
        let mut i = 1;
        loop {
            match rest.get(i) {
                Some(b'"') => break,
                Some(b'\\') => i += 2,
                Some(_) => i += 1,
                None => {
                    visit(rest.len());
                    self.finish();
                    return Err(Bad { at: start, expected: "a closing quote" });
                }
            }
        }
        visit(i + 1);
        self.at += i + 1;
        Ok(cut(rest, 0, i + 1))
    }

    /// What stands up to `end`, which is consumed and not part of it.
    pub(crate) fn take_until(&mut self, end: u8, expected: &'static str) -> Result<&'a [u8], Bad> {
        let rest = self.rest();
        match memchr::memchr(end, rest) {
            Some(len) => {
                visit(len + 1);
                self.at += len + 1;
                Ok(cut(rest, 0, len))
            }
            None => {
                visit(rest.len());
                self.finish();
                self.fail(expected)
            }
        }
    }

    /// A comment of RFC 3261 25.1 with its parentheses; the cursor stands on the first.
    pub(crate) fn take_comment(&mut self) -> Result<&'a [u8], Bad> {
        let start = self.at;
        let rest = self.rest();
        let mut depth = 0usize;
        let mut i = 0;
        loop {
            match rest.get(i) {
                Some(b'(') => depth += 1,
                Some(b')') => depth = depth.saturating_sub(1),
                Some(b'\\') => i += 1,
                Some(_) => {}
                None => {
                    visit(rest.len());
                    self.finish();
                    return Err(Bad { at: start, expected: "a closing parenthesis" });
                }
            }
            i += 1;
            if depth == 0 {
                break;
            }
        }
        visit(i);
        self.at += i;
        Ok(cut(rest, 0, i))
    }

    /// Bytes of the value as text.
    pub(crate) fn text(&self, bytes: &'a [u8], expected: &'static str) -> Result<&'a str, Bad> {
        if let Some(text) = self.known_text(bytes) {
            return Ok(text);
        }
        core::str::from_utf8(bytes).map_err(|_| Bad { at: self.at, expected })
    }

    /// The same where the whole value is known to be text.
    pub(crate) fn known_text(&self, bytes: &'a [u8]) -> Option<&'a str> {
        let (from, to) = place(self.bytes, bytes)?;
        self.text.get(from..to)
    }
}

/// A decimal number; `None` when it is empty, holds anything else, or does not fit 64 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    visit(digits.len());
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, &b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}
