//! The only crate with `unsafe` code: foreign functions behind safe types.
//!
//! Knows: PCRE2. Never knows: what its callers use it for.

pub mod pcre;

pub use pcre::{CompileError, LimitHit, Regex};
