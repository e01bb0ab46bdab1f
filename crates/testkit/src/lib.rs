//! The simulator: the real switch and its media under a clock and a network made of one seed.
//!
//! Knows: how the process around the switch behaves (sockets, journal, kill and restart), how
//! phones behave, what must hold of what is written down. Never knows: how the switch does it;
//! production code never depends on this crate.
//!
//! A test makes a [`Sim`], takes [`Phone`]s from it, lets people do things and time pass, and then
//! looks at what phones hear, at the ladder, at events and call records, at what is left.
//!
//! Read in this order: [`sim`], [`device`] and [`controls`] (what tests speak), [`listening`] (who
//! hears whom), `model` (who should), [`settings`], [`company`] and [`rules`], [`carrier`],
//! [`network`], [`ledger`] (what must hold of the journal), [`mod@line`] (for measuring),
//! [`driver`] (people who do anything), then `world` (the run itself), `node` (the process),
//! `phone` (the phones).

pub mod carrier;
pub mod company;
pub mod controls;
pub mod device;
pub mod driver;
pub mod journal;
mod ladder;
pub mod ledger;
pub mod line;
pub mod listening;
pub mod model;
pub mod network;
mod node;
mod phone;
mod queue;
pub mod rules;
pub mod settings;
pub mod sim;
mod tcp;
mod trace;
mod world;

pub use controls::{Controlled, action};
pub use device::{Device, Phone};
pub use ledger::Ledger;
pub use network::{Link, Ways};
pub use phone::agent::Registered;
pub use phone::call::{CallState, Outcome};
pub use phone::manner::{
    AfterRefer, Early, Events, Hold, Lead, Manner, Offer, OffersBy, Pace, Reliable, SessionTimer,
    WhenCalled,
};
pub use phone::request::Transport;
pub use phone::sound::Sound;
pub use phone::transfer::DialogNames;
pub use phone::watch::LampDialog;
pub use settings::{Readers, Settings};
pub use sim::{SETTLING, Sim, millis, secs};
