//! Nobody answers: the ring timeout, phones that say nothing at all.

use expect_test::expect;
use model::EndReason;
use testkit::{Outcome, Sim, WhenCalled, secs};

#[test]
fn a_phone_that_nobody_answers_rings_until_the_timeout() {
    let sim = Sim::seed(2);
    sim.configure(0, |c| c.phone("101").ring_timeout_s = Some(20));
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(19));
    assert!(bob.is_ringing());
    sim.run_for(secs(2));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
    assert_eq!(bob.outcome(), Some(Outcome::Cancelled(None)));
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 180
        100 < 180
            ... 20 s
        101 < CANCEL
        101 > 200 CANCEL
        101 > 487
        100 < 480
        100 > ACK
        101 < ACK
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        101 hangup NOANSWER no_answer
        100 hangup NOANSWER no_answer
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn a_phone_that_says_nothing_is_unreachable_within_six_seconds() {
    let sim = Sim::seed(2);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.unplug();
    ann.dials("101");
    sim.run_for(secs(5));
    assert_eq!(ann.outcome(), None);
    sim.run_for(secs(2));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
    assert!(sim.cdrs().iter().all(|c| c.reason == EndReason::Unreachable));
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
            ... 6 s
        100 < 480
        100 > ACK
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        101 hangup CHANUNAVAIL unreachable
        100 hangup CHANUNAVAIL unreachable
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn a_phone_that_only_tries_rings_for_as_long_as_the_others() {
    let sim = Sim::seed(2);
    sim.configure(0, |c| c.phone("101").ring_timeout_s = Some(10));
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.set(|m| m.when_called = WhenCalled::Tries);
    ann.dials("101");
    sim.run_for(secs(9));
    assert_eq!(ann.outcome(), None);
    sim.run_for(secs(2));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
    sim.assert_nothing_left();
}

#[test]
fn one_silent_device_does_not_keep_the_other_from_ringing() {
    let sim = Sim::seed(2);
    let (ann, desk, mobile) = (sim.phone("100"), sim.phone("101"), sim.phone("101"));
    desk.unplug();
    ann.dials("101");
    sim.run_for(secs(15));
    assert!(mobile.is_ringing());
    mobile.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &mobile);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn when_all_devices_are_silent_the_call_is_over_after_six_seconds() {
    let sim = Sim::seed(2);
    let (ann, desk, mobile) = (sim.phone("100"), sim.phone("101"), sim.phone("101"));
    desk.unplug();
    mobile.unplug();
    ann.dials("101");
    sim.run_for(secs(7));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
    sim.assert_nothing_left();
}

#[test]
fn a_phone_that_dies_while_it_rings_is_given_up_at_the_timeout() {
    let sim = Sim::seed(2);
    sim.configure(0, |c| c.phone("101").ring_timeout_s = Some(10));
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(1));
    bob.unplug();
    sim.run_for(secs(11));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(480)));
    bob.forgets();
    sim.assert_nothing_left();
}
