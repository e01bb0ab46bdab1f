//! Several devices of one phone, and devices that are silent.

use std::time::Duration;

use expect_test::expect;
use leg::LegEvent;
use model::EndReason;

use super::{A, B, B2, check};
use crate::support::Pbx;

#[test]
fn the_first_of_several_devices_wins() {
    let mut pbx = Pbx::new();
    pbx.device("101", 2);
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.rings(B2);
    pbx.said();
    pbx.answers(B2);
    // The other answer has crossed: the endpoint ends that leg alone.
    pbx.answers(B);
    pbx.ends(B2, EndReason::CalleeHungUp, None);
    check(
        pbx,
        expect![[r#"
        audio of 2 legs: in0 hears out2, out2 hears in0
        out1 end answered_elsewhere
        event 3 100101 answer ANSWER
        event 4 100100 answer ANSWER
        in0 answer 20000 SendRecv PCMA
        audio of 0 legs: silence
        in0 end callee_hung_up
        event 5 100100 hangup ANSWER
        cdr 100100 Out callee_hung_up 0 s
        event 6 100101 hangup ANSWER
        cdr 100101 In callee_hung_up 0 s
    "#]],
    );
}

#[test]
fn a_busy_device_does_not_stop_the_other_one() {
    let mut pbx = Pbx::new();
    pbx.device("101", 2);
    pbx.dials("100", "101");
    pbx.rings(B2);
    pbx.said();
    pbx.ends(B, EndReason::Busy, Some(486));
    expect![[r#"
        audio of 1 legs: silence
    "#]]
    .assert_eq(&pbx.said());
    pbx.ends(B2, EndReason::Refused, Some(480));
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        event 3 100101 hangup BUSY
        cdr 100101 In busy 0 s
        in0 end busy
        event 4 100100 hangup BUSY
        cdr 100100 Out busy 0 s
    "#]],
    );
}

#[test]
fn a_silent_device_is_given_up_after_six_seconds() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.said();
    pbx.run_for(Duration::from_secs(6));
    check(
        pbx,
        expect![[r#"
        audio of 0 legs: silence
        out1 end unreachable
        event 3 100101 hangup CHANUNAVAIL
        cdr 100101 In unreachable 0 s
        in0 end unreachable
        event 4 100100 hangup CHANUNAVAIL
        cdr 100100 Out unreachable 0 s
    "#]],
    );
}

#[test]
fn a_device_that_only_tries_is_there() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.said();
    pbx.event(B, LegEvent::Progress { status: 100, early: None });
    pbx.run_for(Duration::from_secs(19));
    expect![""].assert_eq(&pbx.said());
    pbx.run_for(Duration::from_secs(1));
    assert!(pbx.is_empty());
}

#[test]
fn a_silent_device_does_not_stop_the_other_one() {
    let mut pbx = Pbx::new();
    pbx.device("101", 2);
    pbx.dials("100", "101");
    pbx.rings(B2);
    pbx.said();
    pbx.run_for(Duration::from_secs(6));
    expect![[r#"
        audio of 1 legs: silence
        out1 end unreachable
    "#]]
    .assert_eq(&pbx.said());
    pbx.answers(B2);
    pbx.ends(A, EndReason::CallerHungUp, None);
    pbx.said();
    assert!(pbx.is_empty());
}
