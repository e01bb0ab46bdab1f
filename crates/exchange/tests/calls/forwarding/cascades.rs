//! Several numbers of one rule: delays, failures, and how many there may be.

use std::time::Duration;

use expect_test::expect;
use model::EndReason;

use super::{A, check, out};
use crate::support::Pbx;

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
