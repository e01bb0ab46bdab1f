//! What programs do with who is parked: have it taken, send it on, join it, end it.

use expect_test::expect;
use leg::{CallAction, Command, Refusal};
use model::EndReason;

use super::{check, free, in_slot, listed, names, number, parked, secs};
use crate::support::{A, B, Pbx, id, out};

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
