//! A far party that nobody takes: given back, sent to the fallback, or hung up.

use std::time::Duration;

use expect_test::expect;
use leg::CallAction;
use model::{EndReason, Number};

use super::{check, sent_on_to, to};
use crate::support::{A, B, Pbx, out};

#[test]
fn a_transfer_that_fails_at_once_leaves_both_talking_behind_a_tone() {
    let mut pbx = sent_on_to("102");
    pbx.said();
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.run_for(Duration::from_secs(3));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears out1, out1 hears congestion
        event 6 100102 hangup BUSY
        cdr 100102 In busy 0 s
        audio of 2 legs: in0 hears out1, out1 hears in0
    "#]],
    );
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Hold).unwrap();
    assert!(pbx.said().contains("in0 hears music"));
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_far_party_that_nobody_takes_is_given_back() {
    let mut pbx = sent_on_to("102");
    pbx.rings(out(2));
    pbx.said();
    pbx.run_for(Duration::from_secs(21));
    pbx.rings(out(3));
    pbx.answers(out(3));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        out2 end no_answer
        event 7 100102 hangup NOANSWER
        cdr 100102 In no_answer 0 s
        event 8 100101 dial-in CALLING
        out3 dial as 100 "Back: Phone 100" offering 20006 SendRecv PCMA,PCMU
        audio of 2 legs: in0 hears out3, out3 hears in0
        event 9 100101 answer ANSWER
    "#]],
    );
    pbx.ends(out(3), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_transfer_takes_a_minute_at_most() {
    let mut pbx = Pbx::with_rules("102: transfer+ 74951234567 600s; transfer 103");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.run_for(Duration::from_secs(59));
    pbx.said();
    pbx.run_for(Duration::from_secs(2));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        out2 end no_answer
        event 8 100102 hangup NOANSWER
        cdr 100102 Out no_answer 0 s
        event 9 100102 hangup NOANSWER
        cdr 100102 In no_answer 0 s
        event 10 100101 dial-in CALLING
        out3 dial as 100 "Back: Phone 100" offering 20006 SendRecv PCMA,PCMU
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_far_party_that_is_not_taken_back_goes_to_the_fallback_number() {
    let mut pbx = Pbx::with("", |_, routing| {
        routing.settings.shown.park_fallback = Some(Number::parse("103").unwrap());
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Declined, Some(603));
    pbx.said();
    pbx.rings(out(3));
    pbx.run_for(Duration::from_secs(31));
    pbx.rings(out(4));
    pbx.answers(out(4));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        out3 end no_answer
        event 9 100101 hangup NOANSWER
        cdr 100101 In no_answer 0 s
        event 10 100103 dial-in CALLING
        out4 dial as 100 "Phone 100" offering 20008 SendRecv PCMA,PCMU
        audio of 2 legs: in0 hears out4, out4 hears in0
        event 11 100103 answer ANSWER
        in0 identify Phone 103
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_far_party_that_nobody_wants_is_hung_up() {
    let mut pbx = sent_on_to("102");
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.ends(out(3), EndReason::Busy, Some(486));
    assert!(pbx.is_empty());
    assert!(pbx.said().contains("in0 end not_taken_back"));
}
