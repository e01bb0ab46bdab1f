//! Blind transfers by programs: who is rung through, who is out, what is refused.

use std::time::Duration;

use expect_test::expect;
use leg::{CallAction, LegEvent, Refusal};
use model::EndReason;

use super::{check, listed, sent_on_to, to};
use crate::support::{A, B, Pbx, out, talking};

#[test]
fn the_far_party_is_rung_through_and_who_sends_it_on_is_out_when_it_rings() {
    let mut pbx = sent_on_to("102");
    let call = pbx.call_api_id();
    pbx.rings(out(2));
    pbx.answers(out(2));
    assert_eq!(pbx.call_api_id(), call, "it is the same conversation");
    assert_eq!(listed(&mut pbx), "100 102");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
    check(
        &mut pbx,
        &expect![[r#"
            audio of 3 legs: in0 hears ringback
            event 5 100102 dial-in CALLING
            out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMA,PCMU
            audio of 2 legs: in0 hears ringback
            out1 end transferred
            event 6 100101 hangup ANSWER
            cdr 100101 In transferred 0 s
            audio of 2 legs: in0 hears out2, out2 hears in0
            event 7 100102 answer ANSWER
            in0 identify Phone 102
            audio of 0 legs: silence
            event 8 100100 hangup ANSWER
            cdr 100100 Out caller_hung_up 0 s
            out2 end caller_hung_up
            event 9 100102 hangup ANSWER
            cdr 100102 In caller_hung_up 0 s
        "#]],
    );
}

#[test]
fn the_caller_may_send_the_called_side_on() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("100", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.answers(out(2));
    pbx.ends(out(2), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
    check(
        &mut pbx,
        &expect![[r#"
            audio of 3 legs: out1 hears ringback
            event 5 100102 dial-in CALLING
            out2 dial as 101 "Phone 101" offering 20004 SendRecv PCMA,PCMU
            audio of 2 legs: out1 hears ringback
            in0 end transferred
            event 6 100100 hangup ANSWER
            cdr 100100 Out transferred 0 s
            audio of 2 legs: out1 hears out2, out2 hears out1
            event 7 100102 answer ANSWER
            out1 identify Phone 102
            audio of 0 legs: silence
            out1 end callee_hung_up
            event 8 100101 hangup ANSWER
            cdr 100101 In callee_hung_up 0 s
            event 9 100102 hangup ANSWER
            cdr 100102 In callee_hung_up 0 s
        "#]],
    );
}

#[test]
fn what_may_not_be_called_changes_nothing() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    let table =
        [("999", Refusal::BadNumber), ("*4100", Refusal::BadNumber), ("109", Refusal::Forbidden)];
    for (number, refusal) in table {
        assert_eq!(pbx.control("101", call, to(number)), Err(refusal), "{number}");
    }
    assert_eq!(pbx.said(), "");
    assert_eq!(pbx.control("102", call, to("103")), Err(Refusal::NoSuchCall));
}

#[test]
fn who_sends_its_far_party_on_leaves_after_ten_seconds_at_the_latest() {
    let mut pbx = Pbx::with_rules("");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("74951234567")).unwrap();
    pbx.event(out(2), LegEvent::Progress { status: 100, early: None });
    pbx.run_for(Duration::from_secs(9));
    pbx.said();
    pbx.run_for(Duration::from_secs(2));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears ringback
        out1 end transferred
        event 6 100101 hangup ANSWER
        cdr 100101 In transferred 10 s
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_is_sent_on_may_end_in_the_voicemail_of_the_target() {
    let mut pbx = Pbx::with_rules("102: voicemail");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.said();
    pbx.control("101", call, to("102")).unwrap();
    check(
        &mut pbx,
        &expect![[r#"
        audio of 1 legs: in0 hears clip 2; clip 2: silence300 En:LeaveMessage
        event 5 100102 dial-in CALLING
        out1 end transferred
        event 6 100101 hangup ANSWER
        cdr 100101 In transferred 0 s
        in0 identify Phone 102
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn rules_do_not_lead_back_to_who_sends_the_caller_on() {
    let mut pbx = Pbx::with_rules("102: transfer 101 103 30s");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("102")).unwrap();
    assert!(pbx.trace().contains("101"), "{}", pbx.trace());
    let rung = pbx.said();
    assert!(!rung.contains("100101 dial-in") || rung.matches("100101 dial-in").count() == 1);
    assert!(rung.contains("100103 dial-in"));
}

#[test]
fn the_mark_of_who_sends_it_on_is_behind_the_name() {
    let mut pbx = Pbx::with_phones("", |name, phone| {
        if name == "101" {
            phone.append_to_cid_name_on_transfer = Some(" via 101".into());
        }
    });
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, to("102")).unwrap();
    assert!(pbx.said().contains("out2 dial as 100 \"Phone 100 via 101\""));
}

#[test]
fn a_ringing_call_is_rung_through() {
    let mut pbx = Pbx::with_rules("101: transfer 103 last=busy 20s");
    pbx.dials("100", "101");
    pbx.rings(B);
    let call = pbx.call_api_id();
    pbx.said();
    assert_eq!(pbx.control("100", call, to("102")), Err(Refusal::NotAnswered));
    assert_eq!(pbx.control("101", call, to("999")), Err(Refusal::BadNumber));
    assert_eq!(pbx.control("101", call, to("101")), Err(Refusal::BadNumber));
    assert_eq!(pbx.said(), "");
    pbx.control("101", call, to("102")).unwrap();
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 1 legs: silence
        out1 end cancelled
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 1 legs: silence
        event 4 100102 hangup BUSY
        cdr 100102 In busy 0 s
        event 5 100103 dial-in CALLING
        out3 dial as 100 "Phone 100" offering 20006 SendRecv PCMU,PCMA
    "#]],
    );
    pbx.answers(out(3));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn nothing_else_is_done_with_who_is_sent_on() {
    let mut pbx = sent_on_to("102");
    let call = pbx.call_api_id();
    for action in [CallAction::Hold, to("103"), CallAction::Park(None)] {
        let in_progress = Err(Refusal::TransferInProgress);
        assert_eq!(pbx.control("101", call, action.clone()), in_progress);
        assert_eq!(pbx.control("100", call, action), in_progress);
    }
}
