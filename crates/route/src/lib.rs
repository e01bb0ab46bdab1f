//! Where a dialled number leads, and who is shown as calling. Pure functions of the snapshot.
//!
//! Knows: the dial plan of a tenant. Never knows: SIP syntax, calls in progress, SQL.
//!
//! The live switch and every dry run use the same functions.

pub mod dial;
pub mod identity;

pub use dial::{Destination, Unroutable, destination};
pub use identity::caller_identity;
