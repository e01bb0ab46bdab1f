//! A parked call rings back where it was parked, and goes to the fallback in the end.

use exchange::Input;
use expect_test::expect;
use leg::CallAction;
use model::EndReason;

use super::{check, in_slot, listed, names, number, parked, secs};
use crate::support::{A, B, Pbx, id, out, snapshot};

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
