//! SIP messages: bytes to types and back, what is owed for a message that is not as it must be,
//! digest, and session descriptions.
//!
//! Knows: the grammar of RFC 3261 and its companions. Never knows: sockets, time, transactions,
//! what a request is for.
//!
//! The way of a received message: [`Message::parse`] (or [`framing::Framer`] on a stream), then
//! [`validate()`], then whatever is asked of it by its typed headers. The way of a sent one:
//! [`Writer`]. All work is linear in the length of what came in.
//!
//! Read in this order: [`limits`], [`name`], [`message`], [`typed`], [`uri`], [`address`],
//! [`via`], [`headers`], [`mod@validate`], [`application`], [`value`],
//! [`mod@write`], [`framing`], [`digest`],
//! [`body`], [`sdp`].

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

pub mod address;
pub mod application;
pub mod body;
mod cursor;
pub mod digest;
pub mod error;
pub mod framing;
pub mod headers;
pub mod limits;
pub mod list;
pub mod message;
pub mod method;
pub mod name;
pub mod params;
pub mod sdp;
pub mod status;
pub mod typed;
pub mod uri;
pub mod validate;
pub mod value;
pub mod via;
mod work;
pub mod write;

pub use address::{Contact, Display, NameAddr};
pub use error::{ParseError, UriError, ValueError};
pub use headers::{
    CSeq, Delta, Identity, Info, MediaType, RAck, Reason, Refresher, Replaces, SessionExpires,
    Warning, Word,
};
pub use list::{List, Tokens};
pub use message::{HeaderLine, Message, StartLine, Values};
pub use method::Method;
pub use name::Header;
pub use params::{Params, quote, unquote};
pub use status::reason_phrase;
pub use typed::Maybe;
pub use uri::{Host, SipScheme, SipUri, TelUri, Uri, UriParams, escape_user, unescape};
pub use validate::{Verdict, validate};
pub use value::{Line, Value, written};
pub use via::{MAGIC_COOKIE, Rport, Via};
pub use write::{Reply, Writer};
