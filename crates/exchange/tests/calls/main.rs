//! Calls of one tenant: what goes in, what comes out, line by line.

mod attended;
mod carriers;
mod consults;
mod flows;
mod forwarding;
mod keys;
mod lamps;
mod machines;
mod mailboxes;
mod messages;
mod monitors;
mod names;
mod orders;
mod parking;
mod pickups;
mod recordings;
mod refers;
mod replaces;
mod rooms;
mod saved;
mod screening;
mod support;
mod traces;
mod transfers;
mod waiting;
