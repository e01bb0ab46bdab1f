//! What programs want done with calls: hold, and taking a call that rings.

use expect_test::expect;
use leg::{CallAction, Direction, Refusal};
use model::{EndReason, Number};

use crate::support::{A, B, Pbx, out, talking};

fn check(pbx: &mut Pbx, expected: &expect_test::Expect) {
    expected.assert_eq(&pbx.said());
}

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn a_program_holds_for_either_side_and_the_audio_is_back_when_neither_holds() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.said();
    pbx.control("101", call, CallAction::Hold).unwrap();
    pbx.control("101", call, CallAction::Hold).unwrap();
    pbx.control("100", call, CallAction::Hold).unwrap();
    pbx.control("101", call, CallAction::Offhold).unwrap();
    pbx.control("100", call, CallAction::Offhold).unwrap();
    pbx.control("100", call, CallAction::Offhold).unwrap();
    check(
        &mut pbx,
        &expect![[r#"
            audio of 2 legs: in0 hears music
            audio of 2 legs: silence
            audio of 2 legs: out1 hears music
            audio of 2 legs: in0 hears out1, out1 hears in0
        "#]],
    );
}

#[test]
fn what_a_phone_holds_a_program_cannot_take_back() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.offers(A, Direction::SendOnly);
    assert_eq!(pbx.control("100", call, CallAction::Offhold), Err(Refusal::HeldByPhone));
    pbx.control("100", call, CallAction::Hold).unwrap();
    pbx.said();
    pbx.control("100", call, CallAction::Offhold).unwrap();
    assert_eq!(pbx.said(), "", "the phone still holds");
    pbx.offers(A, Direction::SendRecv);
    assert!(pbx.said().contains("in0 hears out1, out1 hears in0"));
}

#[test]
fn what_was_not_answered_can_only_be_picked_up() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    for action in [CallAction::Hold, CallAction::Offhold, CallAction::Park(None)] {
        assert_eq!(pbx.control("101", call, action.clone()), Err(Refusal::NotAnswered));
        assert_eq!(pbx.control("100", call, action), Err(Refusal::NotAnswered));
    }
    let pickup = |to: &str| CallAction::Pickup(number(to));
    assert_eq!(pbx.control("100", call, pickup("102")), Err(Refusal::NotAnswered));
    assert_eq!(pbx.control("101", call, pickup("999")), Err(Refusal::BadNumber));
    pbx.said();
    assert_eq!(pbx.control("102", call, CallAction::Hold), Err(Refusal::NoSuchCall));
    assert_eq!(pbx.said(), "", "what is refused changes nothing");
}

#[test]
fn who_is_rung_for_it_takes_the_ringing_call() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    let call = pbx.call_api_id();
    pbx.said();
    pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
    pbx.rings(out(2));
    pbx.answers(out(2));
    let listed = pbx.listed();
    assert_eq!(
        listed.iter().map(|(n, c, r)| (&n[5..], *c == call, *r)).collect::<Vec<_>>(),
        [("100", true, true), ("102", true, true)]
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
    check(
        &mut pbx,
        &expect![[r#"
            audio of 2 legs: silence
            event 3 100102 dial-in CALLING
            out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
            audio of 2 legs: in0 hears out2, out2 hears in0
            event 4 100102 answer ANSWER
            out1 end answered_elsewhere
            event 5 100101 hangup CANCEL
            cdr 100101 In answered_elsewhere 0 s
            in0 identify Phone 102
            out2 identify Phone 100
            event 6 100100 answer ANSWER
            in0 answer 20000 SendRecv PCMA
            audio of 0 legs: silence
            event 7 100100 hangup ANSWER
            cdr 100100 Out caller_hung_up 0 s
            out2 end caller_hung_up
            event 8 100102 hangup ANSWER
            cdr 100102 In caller_hung_up 0 s
        "#]],
    );
}

#[test]
fn who_is_too_late_hears_so_and_is_hung_up_and_was_never_answered() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
    // It does something else with the far party meanwhile.
    pbx.control("101", call, CallAction::AttendedTransfer(number("103"))).unwrap();
    pbx.said();
    pbx.answers(out(2));
    pbx.run_for(std::time::Duration::from_secs(5));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 4 legs: in0 hears music, out2 hears busy, out1 hears ringback
        audio of 3 legs: in0 hears music, out1 hears ringback
        out2 end already_answered
        event 6 100102 hangup CANCEL
        cdr 100102 In already_answered 0 s
    "#]],
    );
}

#[test]
fn who_was_rung_for_it_stops_ringing_when_somebody_else_has_the_call() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
    pbx.control("101", call, CallAction::Pickup(number("103"))).unwrap();
    pbx.said();
    pbx.answers(out(3));
    let said = pbx.said();
    assert!(said.contains("in0 hears out3, out3 hears in0"), "{said}");
    assert!(said.contains("out2 end answered_elsewhere"), "{said}");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());

    // Two for a parked call, and one that rings back.
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(None)).unwrap();
    pbx.run_for(std::time::Duration::from_secs(181));
    pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
    pbx.control("101", call, CallAction::Pickup(number("103"))).unwrap();
    pbx.said();
    pbx.answers(out(3));
    let said = pbx.said();
    for rung in [out(2), out(4)] {
        assert!(said.contains(&format!("{rung} end answered_elsewhere")), "{rung}: {said}");
    }
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_consultation_that_is_given_up_takes_who_was_rung_for_it_along() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    let consultation = pbx.listed().into_iter().find(|(name, ..)| name.ends_with("102")).unwrap().1;
    pbx.control("102", consultation, CallAction::Pickup(number("103"))).unwrap();
    pbx.said();
    pbx.control("101", call, CallAction::Offhold).unwrap();
    let said = pbx.said();
    assert!(said.contains("out3 end cancelled"), "{said}");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn nobody_is_rung_any_more_for_a_call_that_is_over() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
    pbx.said();
    pbx.ends(A, EndReason::Cancelled, None);
    assert!(pbx.said().contains("out2 end cancelled"));
    assert!(pbx.is_empty());
}

#[test]
fn a_ringing_call_that_fails_takes_who_was_rung_for_it_along() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
    pbx.ends(B, EndReason::Declined, Some(603));
    assert!(pbx.is_empty());
}

/// It was said not to be allowed, or not to be answered.
#[test]
fn a_transfer_without_a_number_needs_a_consultation() {
    let missing = Err(Refusal::NumberMissing);
    let complete = CallAction::Transfer(None);
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    assert_eq!(pbx.control("101", call, complete.clone()), missing, "it rings");
    pbx.answers(B);
    assert_eq!(pbx.control("101", call, complete.clone()), missing, "it talks");
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.ends(out(2), EndReason::Busy, Some(486));
    assert_eq!(pbx.control("101", call, complete.clone()), missing, "nobody was found");
    pbx.control("101", call, CallAction::Park(Some(6))).unwrap();
    assert_eq!(pbx.control("101", call, complete.clone()), missing, "it is parked");
    assert_eq!(pbx.control("102", call, complete.clone()), Err(Refusal::NoSuchCall));
    // While somebody is consulted it is known what is meant.
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    let listed = pbx.listed();
    let (.., consultation, _) = listed.iter().find(|(_, of, _)| *of != call).unwrap();
    let refused = pbx.control("101", *consultation, complete.clone());
    assert_eq!(refused, Err(Refusal::TransferInProgress));
    pbx.control("101", call, complete).unwrap();
}

/// They were said to have too many parties.
#[test]
fn a_call_with_a_machine_has_no_far_party() {
    let actions = || {
        let transfer = CallAction::Transfer(Some(number("102")));
        [CallAction::Hold, transfer, CallAction::Pickup(number("102"))]
    };
    let rules = "101: voicemail";
    for to in ["199", "*9", "*8100", "101"] {
        let mut pbx = Pbx::with_rules(rules);
        pbx.dials("100", to);
        let call = pbx.call_api_id();
        for action in actions() {
            assert_eq!(pbx.control("100", call, action), Err(Refusal::NoFarParty), "{to}");
        }
        // Decision 10 has a word for these.
        for action in [CallAction::Park(None), CallAction::Bridge(None)] {
            assert_eq!(pbx.control("100", call, action), Err(Refusal::NotAnswered), "{to}");
        }
    }
    let mut pbx = Pbx::new();
    pbx.dials("100", "*8100");
    pbx.dials("102", "*8100");
    let call = pbx.call_api_id();
    for action in actions() {
        assert_eq!(pbx.control("100", call, action), Err(Refusal::TooManyParties));
    }
}
