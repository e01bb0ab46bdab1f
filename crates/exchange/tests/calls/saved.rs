//! Calls in the middle of something that newer programs must be able to carry on.

use std::time::Duration;

use crate::support::Pbx;
use exchange::Input;
use leg::{CallAction, LegId};
use model::{EndReason, Number};

const A: LegId = LegId(0);
const B: LegId = LegId(3);

/// A phone of two has answered and is asked to take the call, the other one rings.
fn screened() -> Pbx {
    let mut pbx = Pbx::with_rules("101: transfer 102 103 screened 60s");
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.answers(B);
    pbx.clip_is_over(B, 1);
    pbx
}

/// A message is being recorded.
fn recorded() -> Pbx {
    let mut pbx = Pbx::with_rules("101: voicemail");
    pbx.dials("100", "101");
    pbx.clip_is_over(A, 1);
    pbx.clip_is_over(A, 2);
    pbx
}

/// A machine is ready and waits for a colleague.
fn waiting() -> Pbx {
    let mut pbx = Pbx::with_rules("101: transfer 102 103 60s\n102: voicemail");
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx
}

/// A program holds the talk of 100 with 101 for both; 101 consults 102 meanwhile.
fn held() -> Pbx {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("100", call, CallAction::Hold).unwrap();
    pbx.control("101", call, CallAction::Hold).unwrap();
    let consults = CallAction::AttendedTransfer(Number::parse("102").unwrap());
    pbx.control("101", call, consults).unwrap();
    pbx.answers(LegId(5));
    pbx
}

/// The call as a file of this program's first version has it, in a new exchange.
fn reloaded(name: &str, make: fn() -> Pbx) -> Pbx {
    let path = format!("{}/tests/saved/{name}.cbor", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SAVED").is_some() {
        let mut pbx = make();
        let saved = pbx.exchange.export(pbx.now, &mut pbx.ports).remove(0);
        std::fs::write(&path, saved).unwrap();
    }
    let mut pbx = make();
    pbx.input(Input::EndAll(EndReason::Drained));
    pbx.run_for(Duration::from_secs(10));
    assert!(pbx.is_empty());
    pbx.run_for(Duration::from_secs(10));
    pbx.said();
    let bytes = std::fs::read(path).unwrap();
    pbx.exchange.load(pbx.now, &bytes, &mut pbx.ports).unwrap();
    pbx.input(Input::Resume);
    pbx
}

#[test]
fn a_saved_screened_call_is_taken_with_the_key() {
    let mut pbx = reloaded("screened", screened);
    pbx.run_for(Duration::from_secs(1));
    pbx.presses(B, '1');
    assert!(pbx.said().contains("in0 answer"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_saved_recording_goes_on_and_becomes_a_message() {
    let mut pbx = reloaded("recorded", recorded);
    assert!(pbx.said().contains("recorder 3 hears in0"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.recorded(A, 3, 9_000);
    assert!(pbx.said().contains("message for 100101 of 9000 ms"));
    assert!(pbx.is_empty());
}

#[test]
fn a_saved_machine_that_waits_has_the_call_when_nobody_is_left() {
    let mut pbx = reloaded("waiting", waiting);
    pbx.ends(B, EndReason::Refused, Some(480));
    assert!(pbx.said().contains("in0 hears clip 1"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn what_a_program_held_in_an_earlier_release_is_held() {
    let mut pbx = reloaded("held", held);
    let call = pbx.call_api_id();
    assert!(pbx.said().contains(": out1 hears out2, out2 hears out1"), "100 hears no music");
    pbx.ends(LegId(5), EndReason::CalleeHungUp, None);
    assert!(pbx.said().contains("audio of 2 legs: silence"));
    pbx.control("101", call, CallAction::Offhold).unwrap();
    assert!(pbx.said().contains("audio of 2 legs: out1 hears music"));
    pbx.control("100", call, CallAction::Offhold).unwrap();
    assert!(pbx.said().contains("in0 hears out1, out1 hears in0"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}
