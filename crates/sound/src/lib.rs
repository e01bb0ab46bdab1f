//! Sound files as they are uploaded, made into what the switch plays: bytes in, bytes out.
//!
//! Knows: WAV (linear, A-law, mu-law) and MP3, mixing to one channel, changing the rate, writing
//! 16-bit mono WAV at 16 kHz. Never knows: files, HTTP, who uploads, where the result goes.
//!
//! What comes in is from outside: every input is turned into a sound or refused with a reason that
//! its owner can act on, in memory and time that [`limits`] bound. Samples go from the decoder to
//! the result in small pieces, so a long sound costs only its result.
//!
//! Read in this order: [`limits`], [`convert`](mod@convert), `wav`, `mp3`, `rate`.
#![forbid(unsafe_code)]

pub mod convert;
pub mod limits;
mod mp3;
mod rate;
mod wav;

pub use convert::{BadSound, Converted, convert};
