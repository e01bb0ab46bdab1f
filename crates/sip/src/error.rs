//! Why a message, or one header of it, could not be read.

use thiserror::Error;

use crate::name::Header;

/// The bytes are no SIP message: there is nothing that could be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 4.4.1), or an empty datagram.
    #[error("nothing but line ends")]
    Empty,
    /// The message is longer than [`crate::limits::MESSAGE_BYTES_MAX`].
    #[error("longer than {} bytes", crate::limits::MESSAGE_BYTES_MAX)]
    TooLong,
    /// The start line is neither a request line nor a status line.
    #[error("expected {expected} at byte {offset}")]
    StartLine {
        /// Where in the message.
        offset: usize,
        /// What should have been there.
        expected: &'static str,
    },
}

/// A header value does not follow its grammar, or a header that must be there is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}: expected {expected} at byte {offset} of the value", header.name())]
pub struct ValueError {
    /// Which header.
    pub header: Header,
    /// Where in the value.
    pub offset: usize,
    /// What should have been there.
    pub expected: &'static str,
}

/// A text is no URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected {expected} at byte {offset} of the URI")]
pub struct UriError {
    /// Where in the text.
    pub offset: usize,
    /// What should have been there.
    pub expected: &'static str,
}
