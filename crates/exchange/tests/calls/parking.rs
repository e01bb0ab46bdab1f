//! Parking: slots, ring-back, taking back, joining.

use std::time::Duration;

use exchange::Input;
use expect_test::expect;
use leg::{CallAction, Command, Direction, LegEvent, LegId, Refusal, Reply};
use model::{CallApiId, CallUuid, EndReason, Number};

use crate::support::{A, B, Pbx, id, out, snapshot, talking};

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

#[test]
fn the_far_party_is_parked_and_who_parks_is_out_but_listed() {
    let (mut pbx, call) = parked(6);
    check(
        &mut pbx,
        &expect![[r#"
        audio of 1 legs: in0 hears music
        out1 end parked
        event 5 100101 hangup ANSWER
        cdr 100101 In parked 0 s
    "#]],
    );
    assert_eq!(in_slot(&mut pbx, 6), Some(call.uuid));
    assert_eq!(free(&mut pbx), [1, 2, 3, 4, 5, 7, 8, 9]);
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("101", false)]));
    pbx.dials("102", "*06");
    check(
        &mut pbx,
        &expect![[r#"
        event 1 100102 dial-out CALLING
        audio of 2 legs: in0 hears in1, in1 hears in0
        event 2 100102 answer ANSWER
        in0 identify Phone 102
        in1 identify Phone 100
        in1 answer 20004 SendRecv PCMA
    "#]],
    );
    assert_eq!(in_slot(&mut pbx, 6), None);
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("102", true)]));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
    check(
        &mut pbx,
        &expect![[r#"
        audio of 0 legs: silence
        event 6 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        in1 end caller_hung_up
        event 3 100102 hangup ANSWER
        cdr 100102 Out caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn a_call_rings_back_three_times_and_ends_then_with_its_own_reason() {
    let (mut pbx, _) = parked(1);
    pbx.said();
    pbx.run_for(secs(180));
    pbx.rings(out(2));
    pbx.run_for(secs(30));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears music
        event 6 100101 dial-in CALLING
        out2 dial as 100 "P1: Phone 100" offering 20004 SendRecv PCMA,PCMU
        audio of 1 legs: in0 hears music
        out2 end no_answer
        event 7 100101 hangup NOANSWER
        cdr 100101 In no_answer 0 s
    "#]],
    );
    pbx.run_for(secs(180));
    pbx.ends(out(3), EndReason::Busy, Some(486));
    assert!(in_slot(&mut pbx, 1).is_some(), "parked again");
    pbx.run_for(secs(179));
    assert!(!pbx.said().contains("out4"));
    pbx.run_for(secs(1));
    pbx.said();
    pbx.ends(out(4), EndReason::Declined, Some(603));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 0 legs: silence
        event 11 100101 hangup NOANSWER
        cdr 100101 In declined 0 s
        in0 end park_expired
        event 12 100100 hangup ANSWER
        cdr 100100 Out park_expired 570 s
    "#]],
    );
    assert!(pbx.is_empty());
}

#[test]
fn who_has_parked_takes_it_back_when_it_rings() {
    let (mut pbx, call) = parked(1);
    pbx.run_for(secs(180));
    pbx.rings(out(2));
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("101", true)]));
    pbx.said();
    pbx.answers(out(2));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 7 100101 answer ANSWER
        in0 identify Phone 101
        out2 identify Phone 100
    "#]],
    );
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("101", true)]));
    assert_eq!(in_slot(&mut pbx, 1), None);
    pbx.ends(out(2), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn while_it_rings_back_it_can_be_taken_and_exactly_one_has_it() {
    let (mut pbx, call) = parked(1);
    pbx.run_for(secs(180));
    pbx.said();
    let taker = pbx.dials("102", "*0");
    check(
        &mut pbx,
        &expect![[r#"
        event 1 100102 dial-out CALLING
        audio of 2 legs: in0 hears in1, in1 hears in0
        event 2 100102 answer ANSWER
        in0 identify Phone 102
        in1 identify Phone 100
        in1 answer 20006 SendRecv PCMA
        out2 end answered_elsewhere
        event 7 100101 hangup CANCEL
        cdr 100101 In answered_elsewhere 0 s
    "#]],
    );
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("102", true)]));
    // The answer that has crossed comes to nobody.
    pbx.answers(out(2));
    assert_eq!(pbx.said(), "");
    pbx.ends(taker, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());

    let (mut pbx, _) = parked(1);
    pbx.run_for(secs(180));
    pbx.answers(out(2));
    pbx.said();
    pbx.dials("102", "*0");
    assert!(pbx.said().contains("end not_found"), "the ring-back was faster");
}

#[test]
fn nothing_rings_back_where_nobody_is() {
    for gone in ["unregistered", "deleted", "blocked"] {
        let (mut pbx, _) = parked(1);
        match gone {
            "unregistered" => {
                let device = model::DeviceId(id("101").0 * 10 + 1);
                pbx.input(Input::DeviceDown { extension: id("101"), device });
            }
            "deleted" => {
                let mut snapshot = snapshot();
                snapshot.extensions.retain(|e, _| *e != id("101"));
                pbx.input(Input::Snapshot(std::sync::Arc::new(snapshot)));
            }
            _ => {
                let mut snapshot = snapshot();
                let extension = snapshot.extensions.get_mut(&id("101")).unwrap();
                std::sync::Arc::make_mut(extension).status = model::Status::Blocked;
                pbx.input(Input::Snapshot(std::sync::Arc::new(snapshot)));
            }
        }
        pbx.said();
        pbx.run_for(secs(360));
        assert_eq!(pbx.said(), "", "{gone}: it waits on in its slot");
        assert!(in_slot(&mut pbx, 1).is_some());
        pbx.run_for(secs(180));
        assert!(pbx.said().contains("cdr 100100 Out park_expired"), "{gone}");
        assert!(pbx.is_empty(), "{gone}");
    }
}

#[test]
fn it_rings_back_whatever_the_rules_and_limits_of_who_parked() {
    let mut pbx = Pbx::with_rules("103: transfer 102 60s");
    let leg = pbx.dials("103", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    // 103 may have one call: the second one is there when it rings back.
    pbx.control("103", call, CallAction::Park(None)).unwrap();
    assert!(pbx.said().contains(&format!("{leg} end parked")));
    let other = pbx.dials("100", "103");
    pbx.answers(out(2));
    pbx.said();
    pbx.run_for(secs(180));
    assert!(pbx.said().contains("out3 dial as 101 \"P1: Phone 101\""));
    pbx.answers(out(3));
    assert_eq!(names(&mut pbx, call), listed(&[("101", true), ("103", true)]));
    pbx.ends(out(3), EndReason::CalleeHungUp, None);
    pbx.ends(other, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn ten_parks_for_nine_slots() {
    let mut pbx = Pbx::with_ports(80);
    let mut settings = snapshot();
    std::sync::Arc::make_mut(&mut settings.tenant).calls_max = 20;
    pbx.input(Input::Snapshot(std::sync::Arc::new(settings)));
    let mut calls = Vec::new();
    for n in 1..=10u64 {
        let caller = pbx.dials("100", "101");
        pbx.answers(out(n));
        let call = pbx.listed().last().unwrap().1;
        let slot = pbx.control("101", call, CallAction::Park(None));
        match n {
            10 => {
                assert_eq!(slot, Err(Refusal::NoFreeSlot));
                let again = pbx.control("101", call, CallAction::Park(Some(3)));
                assert_eq!(again, Err(Refusal::SlotFull));
                assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("101", true)]));
            }
            n => assert_eq!(slot, Ok(Some(u8::try_from(n).unwrap()))),
        }
        calls.push((caller, call));
    }
    assert_eq!(free(&mut pbx), []);
    // Who waits in 4 hangs up: the slot is free at once.
    pbx.ends(calls[3].0, EndReason::CallerHungUp, None);
    assert_eq!(free(&mut pbx), [4]);
    assert_eq!(pbx.control("101", calls[9].1, CallAction::Park(None)), Ok(Some(4)));
    // The one that was parked longest comes first.
    pbx.dials("102", "*0");
    assert_eq!(names(&mut pbx, calls[0].1), listed(&[("100", true), ("102", true)]));
    pbx.input(Input::EndAll(EndReason::Drained));
    assert!(pbx.is_empty());
    assert_eq!(free(&mut pbx), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn what_cannot_be_parked_goes_on_unchanged() {
    let (mut pbx, first) = parked(2);
    pbx.said();
    let park = |slot| CallAction::Park(Some(slot));
    for extension in ["100", "101"] {
        for action in [park(3), CallAction::Bridge(None), CallAction::Hold, CallAction::Offhold] {
            let refused = pbx.control(extension, first, action);
            assert_eq!(refused, Err(Refusal::AlreadyParked));
        }
    }
    let pickup = CallAction::Pickup(number("102"));
    assert_eq!(pbx.control("100", first, pickup), Err(Refusal::AlreadyParked));
    pbx.dials("102", "103");
    let second = pbx.listed().last().unwrap().1;
    assert_eq!(pbx.control("103", second, park(3)), Err(Refusal::NotAnswered));
    pbx.answers(out(2));
    pbx.said();
    assert_eq!(pbx.control("103", second, park(2)), Err(Refusal::SlotFull));
    assert_eq!(pbx.control("103", second, park(10)), Err(Refusal::NoSuchSlot));
    assert_eq!(pbx.control("103", second, CallAction::Bridge(Some(0))), Err(Refusal::NoSuchSlot));
    let nothing = Err(Refusal::NothingParked);
    assert_eq!(pbx.control("103", second, CallAction::Bridge(Some(4))), nothing);
    pbx.dials("100", "*04");
    assert!(pbx.said().contains("in2 end not_found"));
    assert_eq!(names(&mut pbx, second), listed(&[("102", true), ("103", true)]));
}

#[test]
fn a_program_has_a_parked_call_taken_by_whom_it_names() {
    let (mut pbx, call) = parked(2);
    pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
    pbx.said();
    pbx.answers(out(2));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 7 100102 answer ANSWER
        in0 identify Phone 102
        out2 identify Phone 100
    "#]],
    );
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("102", true)]));
    assert_eq!(pbx.control("101", call, CallAction::Hold), Err(Refusal::NoSuchCall));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_is_rung_for_a_parked_call_that_ends_is_rung_no_more() {
    for ring_back in [false, true] {
        let (mut pbx, call) = parked(2);
        if ring_back {
            pbx.run_for(secs(180));
        } else {
            pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
        }
        pbx.said();
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.said().contains("out2 end cancelled"));
        assert!(pbx.is_empty());
        assert_eq!(free(&mut pbx).len(), 9);
    }
}

#[test]
fn a_parked_call_is_sent_on_with_rules() {
    let mut pbx = Pbx::with_rules("102: transfer 103 60s");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(Some(2))).unwrap();
    let to = |text| CallAction::Transfer(Some(number(text)));
    assert_eq!(pbx.control("101", call, to("999")), Err(Refusal::BadNumber));
    assert_eq!(pbx.control("101", call, to("*7")), Err(Refusal::BadNumber));
    pbx.said();
    pbx.control("101", call, to("102")).unwrap();
    assert_eq!(in_slot(&mut pbx, 2), None);
    pbx.rings(out(2));
    pbx.answers(out(2));
    check(
        &mut pbx,
        &expect![[r#"
            audio of 2 legs: in0 hears ringback
            event 6 100102 dial-in CALLING
            event 7 100103 dial-in CALLING
            out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMA,PCMU
            audio of 2 legs: in0 hears out2, out2 hears in0
            event 8 100103 answer ANSWER
            in0 identify Phone 103
        "#]],
    );
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("102", false), ("103", true)]));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn what_nobody_takes_back_goes_to_the_fallback_with_rules() {
    let mut pbx = Pbx::with("103: transfer 102 60s", |_, routing| {
        routing.settings.shown.park_fallback = Some(number("103"));
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(None)).unwrap();
    for round in 2..=4 {
        pbx.run_for(secs(180));
        pbx.ends(out(round), EndReason::Busy, Some(486));
    }
    pbx.answers(out(5));
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("103", false), ("102", true)]));
    assert_eq!(in_slot(&mut pbx, 1), None);
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_program_joins_a_far_party_with_who_is_parked() {
    let (mut pbx, first) = parked(5);
    let caller = pbx.dials("102", "103");
    pbx.answers(out(2));
    let second = pbx.listed().last().unwrap().1;
    pbx.said();
    assert_eq!(pbx.control("103", second, CallAction::Bridge(None)), Ok(Some(5)));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears in1, in1 hears in0
        out2 end bridged
        event 5 100103 hangup ANSWER
        cdr 100103 In bridged 0 s
        audio of 0 legs: silence
        in0 identify Phone 102
        in1 identify Phone 100
    "#]],
    );
    assert_eq!(names(&mut pbx, first), listed(&[("100", true), ("102", true)]));
    assert_eq!(in_slot(&mut pbx, 5), None);
    // The younger handle goes on to work.
    pbx.control("102", second, CallAction::Hold).unwrap();
    pbx.ends(caller, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn what_is_ended_from_outside_leaves_its_slot() {
    for by in ["101", "100"] {
        let (mut pbx, call) = parked(5);
        pbx.command(Command::Hangup { extension: id(by), call });
        assert!(pbx.is_empty(), "by {by}");
        assert_eq!(free(&mut pbx).len(), 9);
    }
    // While it rings back, it is the call that is meant, not what rings.
    let (mut pbx, call) = parked(5);
    pbx.run_for(secs(180));
    pbx.command(Command::Hangup { extension: id("101"), call });
    assert!(pbx.is_empty());
}

#[test]
fn a_parked_phone_that_holds_hears_nothing_and_one_without_audio_is_asked() {
    let (mut pbx, _) = parked(5);
    pbx.said();
    pbx.offers(A, Direction::SendOnly);
    pbx.media(A, leg::MediaEventKind::Silent);
    pbx.event(A, LegEvent::OfferRejected { status: 408 });
    check(
        &mut pbx,
        &expect![[r#"
        audio of 1 legs: silence
        in0 answer offer 20000 RecvOnly PCMA
        in0 offer 20000 RecvOnly PCMA
        audio of 0 legs: silence
        in0 end media_lost
        event 6 100100 hangup ANSWER
        cdr 100100 Out media_lost 0 s
    "#]],
    );
    assert!(pbx.is_empty());
}

#[test]
fn a_parked_call_goes_on_after_it_was_written_down() {
    let (mut pbx, call) = parked(5);
    pbx.run_for(secs(100));
    pbx.moves_to_a_clock_that_began(secs(500));
    assert_eq!(in_slot(&mut pbx, 5), Some(call.uuid));
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("101", false)]));
    pbx.said();
    pbx.run_for(secs(80));
    assert!(pbx.said().contains("out2 dial"), "it rings back at its time");
    pbx.moves_to_a_clock_that_began(secs(100));
    pbx.answers(out(2));
    assert_eq!(in_slot(&mut pbx, 5), None);
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_parks_twice_is_listed_once_and_a_parked_call_does_not_count_for_its_limit() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "103");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("103", call, CallAction::Park(None)).unwrap();
    // 103 may be called in one call.
    pbx.dials("102", "103");
    pbx.said();
    pbx.answers(out(2));
    let second = pbx.listed().last().unwrap().1;
    assert_ne!(call, second);
    assert_eq!(names(&mut pbx, second), listed(&[("102", true), ("103", true)]));
    let leg: LegId = pbx.dials("103", "*0");
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("103", true)]));
    assert_eq!(pbx.control("103", call, CallAction::Park(Some(9))), Ok(Some(9)));
    assert!(pbx.said().contains(&format!("{leg} end parked")));
    assert_eq!(names(&mut pbx, call), listed(&[("100", true), ("103", false)]));
}

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

#[test]
fn a_call_that_a_third_one_talks_in_is_not_parked() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    let joins = CallAction::Monitor(leg::MonitorMode::Conference, number("102"));
    pbx.control("101", call, joins).unwrap();
    pbx.answers(out(2));
    pbx.said();
    for action in [CallAction::Park(None), CallAction::Bridge(None)] {
        assert_eq!(pbx.control("101", call, action), Err(Refusal::TooManyParties));
    }
    assert_eq!(pbx.said(), "");
    // Who only listens does not talk, and is out with the leg.
    let mut pbx = talking();
    let call = pbx.call_api_id();
    let listens = CallAction::Monitor(leg::MonitorMode::Eavesdrop, number("102"));
    pbx.control("101", call, listens).unwrap();
    pbx.answers(out(2));
    pbx.said();
    assert_eq!(pbx.control("101", call, CallAction::Park(None)), Ok(Some(1)));
    assert!(pbx.said().contains("out2 end monitor_over"));
}
