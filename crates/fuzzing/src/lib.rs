//! Hostile input: what a fuzzer calls, and what makes the input.
//!
//! Knows: the promises of the parsers and machines, as functions that take any bytes and panic
//! when a promise is broken. Never knows: sockets, the process. Production code never depends on
//! it.
//!
//! The same functions serve three drivers: libFuzzer (the workspace `fuzz/`), the seeded
//! [`Mutator`] in `cargo test`, and `cargo xtask fuzz` for long runs. An input that once broke
//! something lies in `findings/` and is replayed in every test run.
//!
//! Read in this order: [`target`] (all of them), [`mutator`], [`seeds`], [`choices`], then the
//! targets: [`message`], [`framing`], [`values`], [`credentials`], [`description`], [`stranger`],
//! [`upload`], [`mod@endpoint`]; [`protos`] makes INVITEs with one broken field each; [`campaign`]
//! is one run.

pub mod campaign;
pub mod choices;
pub mod credentials;
pub mod description;
pub mod endpoint;
pub mod framing;
pub mod message;
pub mod mutator;
pub mod protos;
pub mod seeds;
pub mod stranger;
pub mod target;
pub mod upload;
pub mod values;

pub use choices::Choices;
pub use mutator::Mutator;
pub use target::{TARGETS, Target};
