//! Headers that are lists: all values of all lines, in order.

use core::iter::FusedIterator;

use crate::cursor::{Bad, Cursor};
use crate::error::ValueError;
use crate::message::Values;
use crate::name::Header;

/// Iterates over the values of a header, over commas and lines alike (RFC 3261 7.3.1).
///
/// The first value that does not follow the grammar comes out as an error, and nothing after it:
/// where the next value would begin is then unknown.
#[derive(Clone, Debug)]
pub struct List<'a, T> {
    lines: Values<'a>,
    header: Header,
    element: Option<Cursor<'a>>,
    take: fn(&mut Cursor<'a>) -> Result<T, Bad>,
    failed: bool,
}

impl<'a, T> List<'a, T> {
    pub(crate) fn new(
        lines: Values<'a>,
        header: Header,
        take: fn(&mut Cursor<'a>) -> Result<T, Bad>,
    ) -> List<'a, T> {
        List { lines, header, element: None, take, failed: false }
    }

    /// Reads one element and what must follow it; `None` at the end of the line.
    fn step(&mut self, mut c: Cursor<'a>) -> Result<T, Bad> {
        let value = (self.take)(&mut c)?;
        c.skip_lws();
        if c.at_end() {
            self.element = None;
        } else if c.eat(b',') {
            self.element = Some(c);
        } else {
            return c.fail("',' or the end of the value");
        }
        Ok(value)
    }
}

impl<T> Iterator for List<'_, T> {
    type Item = Result<T, ValueError>;

    fn next(&mut self) -> Option<Result<T, ValueError>> {
        if self.failed {
            return None;
        }
        let cursor = match self.element.take() {
            Some(cursor) => cursor,
            None => self.lines.next_cursor()?,
        };
        let result = self.step(cursor);
        self.failed = result.is_err();
        Some(result.map_err(|bad| bad.of(self.header)))
    }
}

impl<T> FusedIterator for List<'_, T> {}

impl Bad {
    /// The error of a value of this header.
    pub(crate) fn of(self, header: Header) -> ValueError {
        ValueError { header, offset: self.at, expected: self.expected }
    }
}

/// The tokens of headers like Allow and Supported. What is no token is passed over, and so are
/// empty places: nothing depends on them, and phones write them.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    lines: Values<'a>,
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(lines: Values<'a>) -> Tokens<'a> {
        Tokens { lines, rest: b"" }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            if self.rest.is_empty() {
                self.rest = self.lines.next()?;
                continue;
            }
            let mut c = Cursor::new(self.rest);
            let piece = match c.take_until(b',', "") {
                Ok(piece) => piece,
                Err(_) => self.rest,
            };
            self.rest = c.rest();
            let piece = crate::cursor::trim(piece);
            if crate::cursor::is_token(piece)
                && let Ok(token) = core::str::from_utf8(piece)
            {
                return Some(token);
            }
        }
    }
}
