//! Parking by REFER to a slot.

use expect_test::expect;
use leg::{CallAction, LegEvent};
use model::{EndReason, Number};

use super::{check, in_slot, listed, names, secs};
use crate::support::{A, B, Pbx, out, talking};

/// 101 asks by REFER to send its far party to a number.
fn refers(pbx: &mut Pbx, number: &str) {
    let to = leg::ReferTo::Number(Number::parse(number).unwrap());
    let refer = leg::ReferId(1);
    pbx.event(B, LegEvent::Refer { refer, to, referred_by: None });
}

#[test]
fn a_transfer_to_a_slot_parks() {
    for (number, slot) in [("*0", 1), ("*04", 4), ("park+4", 4)] {
        let mut pbx = talking();
        refers(&mut pbx, number);
        assert!(in_slot(&mut pbx, slot).is_some(), "{number}");
        let call = pbx.call_api_id();
        let to = CallAction::Transfer(Some(Number::parse(number).unwrap()));
        let mut other = talking();
        let accepted = other.control("101", other.call_api_id(), to);
        assert_eq!(accepted, Ok(Some(slot)), "{number}");
        // The phone hangs up by itself; else we do.
        assert!(!pbx.said().contains("out1 end"), "{number}");
        pbx.run_for(secs(5));
        assert!(pbx.said().contains("out1 end parked"), "{number}");
        assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("101", false)]));
    }
}

#[test]
fn who_parks_by_refer_hangs_up_and_has_its_record_then() {
    let mut pbx = talking();
    refers(&mut pbx, "*05");
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears music
        out1 refer 1 accepted
        out1 refer 1 200
    "#]],
    );
    pbx.run_for(secs(1));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    check(
        &mut pbx,
        &expect![[r#"
        audio of 1 legs: in0 hears music
        event 5 100101 hangup ANSWER
        cdr 100101 In parked 1 s
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        &mut pbx,
        &expect![[r#"
        audio of 0 legs: silence
        event 6 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 1 s
    "#]],
    );
    assert!(pbx.is_empty());
}

#[test]
fn a_transfer_to_a_slot_that_is_taken_is_refused_and_the_call_goes_on() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(Some(5))).unwrap();
    let again = pbx.dials("102", "103");
    pbx.answers(out(2));
    pbx.said();
    let to = leg::ReferTo::Number(Number::parse("*05").unwrap());
    let refer = leg::ReferId(1);
    pbx.event(out(2), LegEvent::Refer { refer, to, referred_by: None });
    check(
        &mut pbx,
        &expect![[r#"
        out2 refer 1 refused 603
    "#]],
    );
    let second = pbx.listed().last().unwrap().1;
    assert_eq!(names(&mut pbx, second), listed(&[("102", true), ("103", true)]));
    pbx.ends(again, EndReason::CallerHungUp, None);
}

#[test]
fn who_waits_may_be_taken_back_before_who_parked_has_hung_up() {
    let mut pbx = talking();
    refers(&mut pbx, "*05");
    let call = pbx.call_api_id();
    let taker = pbx.dials("102", "*05");
    pbx.said();
    pbx.ends(B, EndReason::CalleeHungUp, None);
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears in1, in1 hears in0
        event 5 100101 hangup ANSWER
        cdr 100101 In parked 0 s
    "#]],
    );
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("102", true)]));
    pbx.ends(taker, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}
