//! One run of a target: so many inputs from one seed, each caught when it breaks a promise.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::{Mutator, Target};

/// An input that broke a promise.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The input.
    pub data: Vec<u8>,
    /// What the panic said.
    pub said: String,
}

/// Runs a target over mutated inputs until one breaks a promise or `goes_on` says no. How many
/// were tried, and what was found.
pub fn run(
    target: &Target,
    seed: u64,
    mut goes_on: impl FnMut(u64) -> bool,
) -> (u64, Option<Finding>) {
    let seeds = (target.seeds)();
    let mut mutator = Mutator::new(seed, target.dictionary);
    let mut tried = 0;
    while goes_on(tried) {
        let data = mutator.input(&seeds);
        tried += 1;
        if let Some(said) = breaks(target, &data) {
            return (tried, Some(Finding { data, said }));
        }
    }
    (tried, None)
}

/// What the target says when this input breaks a promise, and where; nothing is printed.
pub fn breaks(target: &Target, data: &[u8]) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| match CAUGHT.with(Cell::take) {
            Some(mut said) => {
                // The first one counts: a caught panic of a machine comes before its consequences.
                if said.is_empty() {
                    let text = info.payload_as_str().unwrap_or("a panic without words");
                    let place = info.location().map(ToString::to_string).unwrap_or_default();
                    said = format!("{text}\n  at {place}");
                }
                CAUGHT.with(|caught| caught.set(Some(said)));
            }
            None => usual(info),
        }));
    });
    CAUGHT.with(|caught| caught.set(Some(String::new())));
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    let said = CAUGHT.with(Cell::take).unwrap_or_default();
    // A machine that catches its own panics has still panicked.
    (result.is_err() || !said.is_empty()).then_some(said)
}

thread_local! {
    /// What a panic in this thread has said, while a target runs in it.
    static CAUGHT: Cell<Option<String>> = const { Cell::new(None) };
}

/// A smaller input that breaks the same promise: pieces are left out as long as it still does.
pub fn smaller(target: &Target, data: &[u8]) -> Vec<u8> {
    let place =
        |data: &[u8]| breaks(target, data).map(|said| said.lines().last().map(str::to_owned));
    let wanted = place(data);
    let mut least = data.to_vec();
    let mut piece = least.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < least.len() {
            let mut shorter = least.clone();
            shorter.drain(at..(at + piece).min(least.len()));
            if place(&shorter) == wanted {
                least = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    least
}
