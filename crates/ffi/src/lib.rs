//! The only crate with `unsafe` code: foreign functions behind safe types.
//!
//! Knows: PCRE2, the kernel's turns of a thread. Never knows: what its callers use it for.

pub mod pcre;
pub mod sched;

pub use pcre::{CompileError, LimitHit, Regex};
pub use sched::short_turns;
