//! The store on real files.
//! One binary, so that it is linked once.

mod audit;
mod control_groups;
mod extensions;
mod journal;
mod migrations;
mod opening;
mod outage;
mod recordings;
mod replacements;
mod routing;
mod schemas;
mod seed;
mod snapshots;
mod sounds;
mod support;
mod tokens;
mod upgrade;
mod wrong_pins;
