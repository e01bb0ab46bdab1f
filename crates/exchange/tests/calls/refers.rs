//! What happens between a REFER and the end of its transfer, to each of the three.

use std::time::Duration;

use leg::{Direction, LegEvent, LegId, ReferId, ReferTo};
use model::{EndReason, Number};

use crate::support::{A, B, Pbx, id, out, talking};

fn refer(pbx: &mut Pbx, leg: LegId, number: &str) {
    let to = ReferTo::Number(Number::parse(number).unwrap());
    pbx.event(leg, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
}

/// 101 has sent 100 on to 102, which rings.
fn referred() -> Pbx {
    let mut pbx = talking();
    refer(&mut pbx, B, "102");
    pbx.rings(out(2));
    pbx.said();
    pbx
}

fn has(pbx: &mut Pbx, line: &str) {
    let said = pbx.said();
    assert!(said.contains(line), "{line} is not in:\n{said}");
}

#[test]
fn who_has_asked_and_hangs_up_while_it_rings_has_transferred() {
    let mut pbx = referred();
    pbx.ends(B, EndReason::CalleeHungUp, None);
    has(&mut pbx, "cdr 100101 In transferred");
    pbx.answers(out(2));
    has(&mut pbx, "in0 hears out2, out2 hears in0");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_has_asked_may_change_its_session_while_it_rings() {
    let mut pbx = referred();
    pbx.offers(B, Direction::SendOnly);
    has(&mut pbx, "out1 answer");
}

#[test]
fn who_has_asked_is_told_once_that_it_rings() {
    let mut pbx = talking();
    refer(&mut pbx, B, "102");
    for _ in 0..3 {
        pbx.rings(out(2));
    }
    let said = pbx.said();
    assert_eq!(said.matches("out1 refer 1 180").count(), 1, "{said}");
}

#[test]
fn who_has_asked_is_told_when_its_far_party_is_gone() {
    let mut pbx = referred();
    pbx.ends(A, EndReason::CallerHungUp, None);
    has(&mut pbx, "out1 refer 1 487");
    assert!(pbx.is_empty());
}

#[test]
fn who_consults_or_is_consulted_sends_nobody_on_by_refer() {
    for leg in [B, out(2)] {
        let mut pbx = talking();
        let call = pbx.call_api_id();
        let number = Number::parse("102").unwrap();
        pbx.control("101", call, leg::CallAction::AttendedTransfer(number)).unwrap();
        pbx.answers(out(2));
        pbx.said();
        refer(&mut pbx, leg, "103");
        assert_eq!(pbx.said(), format!("{leg} refer 1 refused 603\n"));
    }
}

/// Time passes until this is said; all that was.
fn until(pbx: &mut Pbx, text: &str) -> String {
    let mut said = String::new();
    for _ in 0..120 {
        said.push_str(&pbx.said());
        if said.contains(text) {
            return said;
        }
        pbx.run_for(Duration::from_secs(1));
    }
    panic!("{text} is never said:\n{said}");
}

#[test]
fn after_a_transfer_that_took_too_long_the_rules_of_the_fallback_number_are_gone_through() {
    let long = "102: transfer+ 103 25s; transfer+ 103 25s; transfer+ 103 25s; transfer+ 103 25s";
    let rules = format!("{long}\n109: transfer+ 103 5s; simple_transfer 102 60s");
    let mut pbx = Pbx::with(&rules, |snapshot, routing| {
        let fallback = snapshot.extensions.get_mut(&id("109")).unwrap();
        std::sync::Arc::make_mut(fallback).status = model::Status::Active;
        routing.settings.shown.park_fallback = Some(Number::parse("109").unwrap());
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    let number = Number::parse("102").unwrap();
    pbx.control("101", call, leg::CallAction::Transfer(Some(number))).unwrap();
    for leg in 2..5 {
        until(&mut pbx, &format!("out{leg} dial as 100"));
        pbx.rings(out(leg));
    }
    // Its minute is over: who has sent it on rings, then the fallback by its two rules.
    until(&mut pbx, "out5 dial as 100 \"Back: ");
    for leg in [5, 6] {
        pbx.rings(out(leg));
        until(&mut pbx, &format!("out{} dial as 100", leg + 1));
    }
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_is_joined_with_whom_somebody_still_calls_waits_no_longer_than_a_transfer() {
    let long = "102: transfer+ 103 19s; transfer+ 103 19s; transfer+ 103 19s; transfer+ 103 19s";
    let mut pbx = Pbx::with_rules(long);
    pbx.dials("100", "101");
    pbx.answers(B);
    let second = pbx.dials("101", "102");
    pbx.rings(out(2));
    let to = ReferTo::Replace(second);
    pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    let mut rings_for = |seconds: u64| {
        for _ in 0..seconds {
            (2..9).for_each(|leg| pbx.rings(out(leg)));
            pbx.run_for(Duration::from_secs(1));
        }
        pbx.said()
    };
    let said = rings_for(58);
    assert!(said.contains("out5 dial as 100") && !said.contains("out1 refer 1 4"), "{said}");
    let said = rings_for(4);
    assert!(said.contains("out1 refer 1 4"), "{said}");
}
