//! Calls that rules forward: who rings when, what the caller gets, what is written down.

use std::time::Duration;

use crate::support::{Pbx, both, id};
use expect_test::{Expect, expect};
use leg::{LegEvent, LegId};
use model::EndReason;

const A: LegId = LegId(0);

/// The n-th leg that was dialled.
fn out(n: u64) -> LegId {
    LegId(n * 2 + 1)
}

fn check(mut pbx: Pbx, expected: Expect) {
    expected.assert_eq(&pbx.said());
    assert!(pbx.is_empty(), "something is left");
}

#[test]
fn a_forward_rings_the_target_and_the_extension_stays_in_the_call() {
    let mut pbx = Pbx::with_rules("101: transfer 102");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.answers(out(1));
    pbx.run_for(Duration::from_secs(5));
    expect![[r#"
        101: rule 1 fires: transfer, the last
        101: 102 rings
        102: answered
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(out(1), EndReason::CalleeHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 2 legs: in0 hears out1, out1 hears in0
        event 4 100102 answer ANSWER
        event 5 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        in0 end callee_hung_up
        event 6 100100 hangup ANSWER
        cdr 100100 Out callee_hung_up 5 s
        event 7 100102 hangup ANSWER
        cdr 100102 In callee_hung_up 5 s
        event 8 100101 hangup ANSWER
        cdr 100101 In callee_hung_up 5 s
    "#]],
    );
}

#[test]
fn an_unanswered_forward_gives_the_next_rule_its_turn() {
    let mut pbx = Pbx::with_rules("101: transfer+ 102 5s; simple_transfer 103 last=no");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(5));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 1 legs: silence
        out1 end no_answer
        event 4 100102 hangup NOANSWER
        cdr 100102 In no_answer 0 s
        event 5 100103 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        event 6 100103 hangup BUSY
        cdr 100103 In busy 0 s
        event 7 100101 hangup BUSY
        cdr 100101 In busy 0 s
        in0 end busy
        event 8 100100 hangup BUSY
        cdr 100100 Out busy 0 s
    "#]],
    );
}

#[test]
fn a_rule_that_waits_for_the_extension_rings_it_first() {
    let mut pbx = Pbx::with_rules("101: transfer 102 own=busy");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.ends(out(1), EndReason::Busy, Some(486));
    pbx.rings(out(2));
    expect![[r#"
        101: the extension rings, rule 1 waits for the result
        101: result: busy
        101: rule 1 fires: transfer, the last
        101: 102 rings
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 1 legs: silence
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        out2 end cancelled
        event 4 100102 hangup CANCEL
        cdr 100102 In cancelled 0 s
        event 5 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 6 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn a_cascade_adds_numbers_while_the_first_ring_on() {
    let mut pbx = Pbx::with_rules("101: cascade 101@3 102@5 79161112233@20 30s");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_millis(4_999));
    assert!(!pbx.log.contains("out2"), "the second number joins 5 s after the start");
    pbx.run_for(Duration::from_millis(1));
    assert!(pbx.log.contains("out2 dial"));
    pbx.rings(out(2));
    pbx.run_for(Duration::from_secs(15));
    pbx.answers(out(3));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 2 legs: silence
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 3 legs: silence
        event 4 100101 dial-out CALLING
        out3 dial 79161112233 by trunk 1 as 100 "Phone 100" offering 20006 SendRecv PCMU,PCMA
        audio of 2 legs: in0 hears out3, out3 hears in0
        out1 end answered_elsewhere
        out2 end answered_elsewhere
        event 5 100102 hangup CANCEL
        cdr 100102 In answered_elsewhere 0 s
        event 6 100101 answer ANSWER
        event 7 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 8 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        out3 end caller_hung_up
        event 9 100101 hangup ANSWER
        cdr 100101 Out caller_hung_up 0 s
        event 10 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn when_all_that_was_started_has_failed_the_next_number_starts_at_once() {
    let mut pbx = Pbx::with_rules("101: cascade 102 103@20");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(1));
    pbx.ends(out(1), EndReason::Refused, Some(480));
    assert!(pbx.log.contains("out2 dial"), "no dead air");
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 1 legs: silence
        event 4 100102 hangup CONGESTION
        cdr 100102 In refused 0 s
        event 5 100103 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        out2 end cancelled
        event 6 100103 hangup CANCEL
        cdr 100103 In cancelled 0 s
        event 7 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 8 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn of_several_numbers_one_busy_makes_busy_when_none_is_left() {
    let mut pbx = Pbx::with_rules("101: transfer 102 103");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.rings(out(2));
    pbx.ends(out(1), EndReason::Busy, Some(486));
    pbx.ends(out(2), EndReason::Refused, Some(480));
    assert!(pbx.said().contains("in0 end busy\n"), "486");
    let mut pbx = Pbx::with_rules("101: transfer 102 103 10s");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.rings(out(2));
    pbx.ends(out(1), EndReason::Busy, Some(486));
    pbx.run_for(Duration::from_secs(10));
    assert!(pbx.said().contains("in0 end no_answer\n"), "one was still ringing");
    assert!(pbx.is_empty());
}

#[test]
fn a_decline_stops_the_devices_of_that_extension_and_nobody_else() {
    let mut pbx = Pbx::with_rules("101: transfer 102 103");
    pbx.device("102", 2);
    pbx.dials("100", "101");
    for leg in 1..=3 {
        pbx.rings(out(leg));
    }
    pbx.said();
    pbx.ends(out(1), EndReason::Declined, Some(603));
    expect![[r#"
        audio of 1 legs: silence
        out2 end declined
        event 5 100102 hangup NOANSWER
        cdr 100102 In declined 0 s
    "#]]
    .assert_eq(&pbx.said());
    pbx.answers(out(3));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        pbx,
        expect![[r#"
        audio of 2 legs: in0 hears out3, out3 hears in0
        event 6 100103 answer ANSWER
        event 7 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        event 8 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        out3 end caller_hung_up
        event 9 100103 hangup ANSWER
        cdr 100103 In caller_hung_up 0 s
        event 10 100101 hangup ANSWER
        cdr 100101 In caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn mutual_forwards_skip_the_way_back() {
    let mut pbx = Pbx::with_rules("101: transfer+ 102\n102: transfer+ 101");
    pbx.dials("100", "101");
    expect![[r#"
        101: rule 1 fires: transfer
        101: 102 rings
        102: rule 1 fires: transfer
        102: 101 is skipped: its rules have led here
        102: result: no answer
        102: the extension rings
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        out1 end cancelled
        event 4 100102 hangup CANCEL
        cdr 100102 In cancelled 0 s
        event 5 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 6 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn simple_transfer_breaks_the_circle() {
    let mut pbx = Pbx::with_rules("101: simple_transfer 102\n102: transfer 101");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.answers(out(1));
    pbx.ends(A, EndReason::CallerHungUp, None);
    let said = pbx.said();
    assert!(said.contains("event 3 100102 dial-in"), "{said}");
    assert!(pbx.is_empty());
}

#[test]
fn rules_of_a_target_run_inside_of_the_rule_that_led_there() {
    let mut pbx = Pbx::with_rules("101: transfer+ 102 40s; busy\n102: transfer+ 103 5s; hangup");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(5));
    expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        event 3 100102 dial-in CALLING
        event 4 100103 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        in0 ring
        audio of 0 legs: silence
        out1 end no_answer
        event 5 100103 hangup NOANSWER
        cdr 100103 In no_answer 0 s
        event 6 100102 hangup NOANSWER
        cdr 100102 In hangup_by_rule 0 s
        event 7 100101 hangup BUSY
        cdr 100101 In busy_by_rule 0 s
        in0 end busy_by_rule
        event 8 100100 hangup BUSY
        cdr 100100 Out busy_by_rule 0 s
    "#]]
    .assert_eq(&pbx.said());
    assert!(pbx.is_empty());
}

#[test]
fn a_silent_extension_is_unreachable_and_its_rules_for_that_run() {
    let mut pbx = Pbx::with_rules("101: transfer 102 unreachable; hangup last=no");
    pbx.dials("100", "101");
    pbx.run_for(Duration::from_secs(6));
    expect![[r#"
        101: rule 1 is skipped: the extension is registered
        101: the extension rings, rule 2 waits for the result
        101: result: no answer
        101: the extension is unreachable
        101: rule 1 fires: transfer, the last
        101: 102 rings
    "#]]
    .assert_eq(&pbx.trace());
    pbx.ends(A, EndReason::Cancelled, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100101 dial-in CALLING
        out1 dial as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 1 legs: silence
        out1 end unreachable
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        audio of 0 legs: silence
        out2 end cancelled
        event 4 100102 hangup CANCEL
        cdr 100102 In cancelled 0 s
        event 5 100101 hangup CANCEL
        cdr 100101 In cancelled 0 s
        event 6 100100 hangup CANCEL
        cdr 100100 Out cancelled 0 s
    "#]],
    );
}

#[test]
fn early_media_is_kept_from_the_caller_unless_the_rule_says_otherwise() {
    for (rule, heard) in [("transfer 79161112233", false), ("transfer 79161112233 early", true)] {
        let mut pbx = Pbx::with_rules(&format!("101: {rule}"));
        pbx.dials("100", "101");
        let early = Some(Box::new(both()));
        pbx.event(out(1), LegEvent::Progress { status: 183, early });
        assert_eq!(pbx.said().contains("in0 ring early"), heard, "{rule}");
        pbx.ends(A, EndReason::Cancelled, None);
        assert!(pbx.is_empty());
    }
}

#[test]
fn an_outside_number_goes_by_the_next_trunk_when_one_does_not_take_it() {
    let mut pbx = Pbx::with_rules("");
    pbx.dials("100", "74951234567");
    pbx.ends(out(1), EndReason::Unreachable, Some(503));
    pbx.rings(out(2));
    pbx.answers(out(2));
    pbx.ends(out(2), EndReason::CalleeHungUp, None);
    check(
        pbx,
        expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        out1 dial 74951234567 by trunk 1 as 100 "Phone 100" offering 20002 SendRecv PCMU,PCMA
        audio of 1 legs: silence
        out2 dial 74951234567 by trunk 2 as 100 "Phone 100" offering 20004 SendRecv PCMU,PCMA
        in0 ring
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 2 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        in0 end callee_hung_up
        event 3 100100 hangup ANSWER
        cdr 100100 Out callee_hung_up 0 s
    "#]],
    );
}

#[test]
fn a_number_that_is_busy_outside_is_not_tried_again() {
    let mut pbx = Pbx::with_rules("");
    pbx.dials("100", "74951234567");
    pbx.ends(out(1), EndReason::Busy, Some(486));
    assert!(pbx.said().contains("in0 end busy\n"));
    assert!(pbx.is_empty());
}

#[test]
fn what_a_program_hangs_up_is_one_branch_if_a_rule_rang_it() {
    let mut pbx = Pbx::with_rules("101: transfer 102 103");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.rings(out(2));
    pbx.said();
    let call = pbx.call_api_id();
    let command = leg::Command::Hangup { extension: id("102"), call };
    pbx.command(command);
    expect![[r#"
        audio of 1 legs: silence
        out1 end api_hangup
        event 5 100102 hangup CANCEL
        cdr 100102 In api_hangup 0 s
    "#]]
    .assert_eq(&pbx.said());
    let command = leg::Command::Hangup { extension: id("101"), call };
    pbx.command(command);
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        out2 end api_hangup
        event 6 100103 hangup CANCEL
        cdr 100103 In api_hangup 0 s
        event 7 100101 hangup CANCEL
        cdr 100101 In api_hangup 0 s
        in0 end api_hangup
        event 8 100100 hangup CANCEL
        cdr 100100 Out api_hangup 0 s
    "#]],
    );
}

#[test]
fn an_extension_with_too_many_calls_is_busy_to_its_rules() {
    // 103 takes one call at a time.
    let mut pbx = Pbx::with_rules("103: transfer 102 own=busy");
    pbx.dials("101", "103");
    pbx.said();
    pbx.dials("100", "103");
    expect![[r#"
        event 1 100100 dial-out CALLING
        audio of 1 legs: silence
        event 2 100103 dial-in CALLING
        event 3 100102 dial-in CALLING
        out2 dial as 100 "Phone 100" offering 20006 SendRecv PCMU,PCMA
    "#]]
    .assert_eq(&pbx.said());
}

#[test]
fn no_call_opens_more_branches_than_its_bound() {
    // A tree of forwards that would ring thousands.
    let all = "100 101 102 103";
    let rules: String =
        ["101", "102", "103"].map(|n| format!("{n}: transfer+ {all}; transfer+ {all}\n")).concat();
    let mut pbx = Pbx::with_rules(&rules);
    pbx.dials("100", "101");
    let mut legs = 0;
    for leg in 1..200 {
        pbx.ends(out(leg), EndReason::Refused, Some(480));
        let branches = pbx.exchange.calls().map(|c| c.branches.len()).max().unwrap_or(0);
        assert!(branches <= model::limits::CALL_BRANCHES_MAX);
        legs = leg;
        if pbx.is_empty() {
            break;
        }
    }
    assert!(pbx.is_empty(), "after {legs} legs the call is still up");
}

#[test]
fn a_caller_is_told_every_minute_that_it_still_rings() {
    for (rules, early, told) in [
        ("101: transfer 79161112233 200s", false, "in0 ring\n"),
        ("101: transfer 79161112233 200s early", true, "in0 ring early 20000 SendRecv PCMU\n"),
    ] {
        let mut pbx = Pbx::with_rules(rules);
        pbx.dials("100", "101");
        pbx.run_for(Duration::from_secs(1));
        let session = early.then(|| Box::new(both()));
        pbx.event(out(1), LegEvent::Progress { status: 183, early: session });
        assert_eq!(pbx.said().matches(told).count(), 1, "{rules}");
        pbx.run_for(Duration::from_secs(190));
        assert_eq!(pbx.said(), told.repeat(3), "{rules}");
        pbx.run_for(Duration::from_secs(9));
        assert!(pbx.is_empty(), "{rules}");
    }
}

#[test]
fn a_cascade_that_was_saved_goes_on_in_time_under_another_clock() {
    let mut pbx = Pbx::with_rules("101: cascade 102 103@10 60s");
    pbx.dials("100", "101");
    pbx.rings(out(1));
    pbx.run_for(Duration::from_secs(5));
    pbx.moves_to_a_clock_that_began(Duration::from_secs(900));
    pbx.said();
    pbx.run_for(Duration::from_millis(4_999));
    assert!(!pbx.said().contains("dial"), "10 s have not passed");
    pbx.run_for(Duration::from_millis(1));
    assert!(pbx.said().contains("out2 dial"));
    pbx.ends(A, EndReason::Cancelled, None);
    assert!(pbx.is_empty());
}
