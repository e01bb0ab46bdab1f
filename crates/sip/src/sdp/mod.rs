//! Session descriptions: text to [`leg::Session`] and back (RFC 8866, RFC 3264).
//!
//! Only what a leg needs is read: the first audio that can be used, where it is received and in
//! which codecs of [`model::Codec`]. The other media are remembered in an [`OfferShape`], so that
//! the answer can refuse each in its place.

mod read;
mod write;

pub use read::{Description, Media, OfferShape, SdpError, Version, parse};
pub use write::{Origin, write_answer, write_offer};
