//! Offer and answer inside a dialog, and digits beside them.

mod digits;
mod ours;
mod theirs;
