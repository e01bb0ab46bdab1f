//! The bytes of a message, which nearly always are text.

use super::Span;
use crate::cursor::Cursor;

/// The bytes of a message. Whether they are UTF-8 is looked at once, for all their parts.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    /// They are.
    Text(String),
    /// They are not: a name in Latin-1, a body that is no text.
    Bytes(Vec<u8>),
}

impl Raw {
    pub(crate) fn new(bytes: Vec<u8>) -> Raw {
        match String::from_utf8(bytes) {
            Ok(text) => Raw::Text(text),
            Err(error) => Raw::Bytes(error.into_bytes()),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Raw::Text(text) => text.as_bytes(),
            Raw::Bytes(bytes) => bytes,
        }
    }

    /// A part as text, if it is some.
    pub(crate) fn text(&self, span: Span) -> Option<&str> {
        match self {
            Raw::Text(text) => text.get(span.range()),
            Raw::Bytes(bytes) => core::str::from_utf8(span.of(bytes)).ok(),
        }
    }

    /// A cursor over a part.
    pub(crate) fn cursor(&self, span: Span) -> Cursor<'_> {
        if let Raw::Text(text) = self
            && let Some(text) = text.get(span.range())
        {
            return Cursor::over(text);
        }
        Cursor::new(span.of(self.bytes()))
    }
}
