//! One tenant's calls as a value: every input in, every effect out, nothing else.
//!
//! Knows: what a call is, who takes part, what each of them hears, what is written down.
//! Never knows: SIP syntax, sockets, SQL, clocks.
//!
//! Read in this order: [`interface`] (what goes in and comes out), [`call`] and [`conversation`]
//! (the facts), `caller`, [`outside`], [`step`] (what may happen next to whom), [`attempts`] (who
//! may), [`replaced`] and [`pins`] (who serves whom, wrong PINs), [`mailboxes`], [`exchange`] (the
//! one who applies it), then [`session`], [`audio`], [`names`], [`records`], [`view`], [`ports`],
//! [`saved`]; `display` and `place` say what phones and lamps show. [`keypad`] stands alone: codes
//! pressed during a call.
//!
//! How one input is handled:
//!
//! 1. the call it belongs to is taken out of its map;
//! 2. the step that owns the leg gets its state, the event and read-only facts, and returns its
//!    next state and actions;
//! 3. the actions are applied: to the call, to the shared tables, as effects;
//! 4. audio is declared anew where it changed, and the call is put back.
//!
//! A panic in 2 or 3 costs that one call.

pub mod apply;
pub mod attempts;
pub mod audio;
pub mod call;
mod caller;
pub mod check;
pub mod control;
pub mod conversation;
mod display;
pub mod exchange;
pub mod interface;
pub mod keypad;
pub mod lamps;
pub mod limits;
pub mod mailboxes;
pub mod names;
mod note;
pub mod outside;
pub mod pins;
mod place;
pub mod ports;
pub mod records;
pub mod replaced;
pub mod saved;
pub mod session;
pub mod slots;
pub mod small_map;
pub mod step;
pub mod tables;
mod transfers;
pub mod view;

pub use exchange::Exchange;
pub use interface::{Effect, Facilities, Input};
pub use ports::PortSlice;
