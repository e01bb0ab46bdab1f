//! The only crate with `unsafe` code: foreign functions behind safe types.
//!
//! Knows: PCRE2, the kernel's turns of a thread, the allocator's settings. Never knows: what its
//! callers use it for.

#[cfg(feature = "allocator")]
pub mod memory;
pub mod pcre;
pub mod sched;

#[cfg(feature = "allocator")]
pub use memory::keep_freed;
pub use pcre::{CompileError, LimitHit, Regex};
pub use sched::short_turns;
