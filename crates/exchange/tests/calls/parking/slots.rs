//! Who is parked in which slot, who may not be, and who is listed meanwhile.

use exchange::Input;
use expect_test::expect;
use leg::{CallAction, Direction, LegEvent, LegId, Refusal};
use model::EndReason;

use super::{check, free, in_slot, listed, names, number, parked, secs};
use crate::support::{A, B, Pbx, out, snapshot, talking};

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
