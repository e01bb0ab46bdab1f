//! Simulated phones: scripted user agents with a small SIP of their own.
//!
//! They build and read messages with `sip` and never use `stack`: transactions, dialogs and timers
//! are written a second time here, so that phone and endpoint check each other.
//!
//! Read in this order: [`manner`] (what a test sets), [`request`], [`transaction`], [`call`],
//! [`agent`] (the phone), [`person`] (who uses it), [`uac`] and [`uas`] (its two halves),
//! [`reliable`] (what some can), [`lead`] (carriers between two calls), [`transfer`], [`watch`]
//! (lamps), [`voice`], [`sound`] and [`keypad`] (audio).

pub(crate) mod agent;
pub(crate) mod call;
pub(crate) mod description;
pub(crate) mod keypad;
mod lead;
pub(crate) mod manner;
pub(crate) mod message;
mod person;
pub(crate) mod reliable;
pub(crate) mod request;
pub(crate) mod sound;
mod transaction;
pub(crate) mod transfer;
mod uac;
mod uas;
pub(crate) mod voice;
pub(crate) mod watch;
