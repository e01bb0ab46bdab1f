//! Any bytes as a sequence of inputs to a SIP endpoint: what its transactions, dialogs and
//! registrations promise, whatever the order.
//!
//! Messages come from templates whose fields the bytes choose, some of them spoilt; commands,
//! time, closed connections, restarts and moves come between. After each input the tables add up,
//! no panic was caught, and what came out was legal; after the end of time nothing is left.
//!
//! Read in this order: `world` (the endpoint and what is known around it), `ledger` (which
//! events are legal), `party` (what a phone knows), `phones` (what phones do), `switchboard`
//! (what the exchange and the process do), [`proven()`].

mod ledger;
mod party;
mod phones;
mod proven;
mod switchboard;
mod world;

pub use proven::{PROOF, proven};

use crate::Choices;
use world::World;

/// What may happen next, and how often it does: so many times in all of them.
type Table = &'static [(usize, fn(&mut World, &mut Choices<'_>))];

/// Repeats, acknowledgements, cancels and answers in any order.
const TRANSACTIONS: Table = &[
    (4, phones::invites),
    (2, phones::registers),
    (8, phones::answers),
    (6, phones::repeats),
    (4, phones::acknowledges),
    (4, phones::cancels),
    (3, phones::asks_in_dialog),
    (2, phones::spoils),
    (6, switchboard::commands),
    (4, switchboard::dials),
    (3, switchboard::finds),
    (6, switchboard::waits),
    (2, switchboard::closes_a_flow),
    (1, switchboard::is_odd),
];

/// Offers, answers, holds, hang-ups, and moves of the whole to another process.
const DIALOGS: Table = &[
    (3, phones::invites),
    (1, phones::registers),
    (6, phones::answers),
    (1, phones::repeats),
    (4, phones::acknowledges),
    (1, phones::cancels),
    (8, phones::asks_in_dialog),
    (2, phones::spoils),
    (10, switchboard::commands),
    (4, switchboard::dials),
    (3, switchboard::finds),
    (3, switchboard::waits),
    (1, switchboard::closes_a_flow),
    (1, switchboard::restarts),
    (2, switchboard::lights),
    (1, switchboard::moves),
    (1, switchboard::is_odd),
];

/// Operations of one sequence; more only cost time.
const OPERATIONS_MAX: usize = 400;

/// Any bytes as operations that trouble the transactions.
pub fn transactions(data: &[u8]) {
    run(data, TRANSACTIONS);
}

/// Any bytes as operations that trouble the dialogs.
pub fn dialogs(data: &[u8]) {
    run(data, DIALOGS);
}

fn run(data: &[u8], table: Table) -> World {
    let mut choices = Choices::new(data);
    let mut world = World::new(u64::from(choices.byte()));
    // Two phones that can be called.
    for _ in 0..2 {
        phones::registers(&mut world, &mut Choices::new(&[0, 0]));
        phones::registers(&mut world, &mut Choices::new(&[1, 0]));
    }
    let all = table.iter().map(|(often, _)| often).sum();
    for _ in 0..OPERATIONS_MAX {
        if choices.is_empty() {
            break;
        }
        let mut at = choices.below(all);
        let chosen = table.iter().find(|(often, _)| {
            let here = at < *often;
            at = at.saturating_sub(*often);
            here
        });
        if let Some((_, operation)) = chosen {
            operation(&mut world, &mut choices);
        }
    }
    world.finish();
    world
}

#[cfg(test)]
mod tests;
