//! The real binary with real phones: baresip, which says tones and writes down what it hears, and
//! sipp, which plays scenarios message by message.
//!
//! Where one of the two is not installed its tests say so and pass, unless
//! `DIALPLANE_REQUIRE_PHONES=1`.

#[path = "../support/mod.rs"]
mod support;

mod carriers;
mod control;
mod machines;
mod pickups;
mod recordings;
mod restarts;
mod scenarios;
mod slots;
mod softphones;
mod story;
mod supervision;
mod transfers;
mod transports;
mod trio;
