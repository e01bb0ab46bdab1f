//! Parking: slots, ring-back, taking back, joining.

mod programs;
mod refers;
mod ring_back;
mod rules;
mod slots;

use std::time::Duration;

use leg::{CallAction, Command, Reply};
use model::{CallApiId, CallUuid, Number};

use crate::support::{Pbx, talking};

fn check(pbx: &mut Pbx, expected: &expect_test::Expect) {
    expected.assert_eq(&pbx.said());
}

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 100, who has called 101, is parked by it.
fn parked(slot: u8) -> (Pbx, CallApiId) {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    assert_eq!(pbx.control("101", call, CallAction::Park(Some(slot))), Ok(Some(slot)));
    (pbx, call)
}

fn in_slot(pbx: &mut Pbx, slot: u8) -> Option<CallUuid> {
    match pbx.command(Command::ListSlots { slot: Some(slot) }) {
        Reply::Slot(parked) => parked,
        other => panic!("{other:?}"),
    }
}

fn free(pbx: &mut Pbx) -> Vec<u8> {
    match pbx.command(Command::ListSlots { slot: None }) {
        Reply::Slots(free) => free,
        other => panic!("{other:?}"),
    }
}

/// Names of who is listed under a handle, with whether they talk.
fn names(pbx: &mut Pbx, call: CallApiId) -> Vec<(String, bool)> {
    let listed = pbx.listed().into_iter().filter(|(_, of, _)| *of == call);
    listed.map(|(name, _, talks)| (name[5..].to_owned(), talks)).collect()
}

fn listed(entries: &[(&str, bool)]) -> Vec<(String, bool)> {
    entries.iter().map(|(name, talks)| ((*name).to_owned(), *talks)).collect()
}
