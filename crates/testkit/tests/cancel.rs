//! The caller gives up (RFC 3665 3.7), in time and too late.

use expect_test::expect;
use model::EndReason;
use testkit::{Outcome, Sim, millis, secs};

#[test]
fn a_caller_that_gives_up_stops_the_ringing() {
    let sim = Sim::seed(3);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(3));
    ann.hangs_up();
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(Outcome::GaveUp));
    // A missed call: no Reason says that it was answered elsewhere.
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
            ... 3 s
        100 > CANCEL
        100 < 200 CANCEL
        100 < 487
        100 > ACK
        101 < CANCEL
        101 > 200 CANCEL
        101 > 487
        101 < ACK
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        101 hangup CANCEL cancelled
        100 hangup CANCEL cancelled
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn a_caller_may_give_up_at_any_moment() {
    for ms in 0..150 {
        let sim = Sim::seed(3);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        bob.answers_after(millis(40));
        ann.dials("101");
        sim.run_for(millis(ms));
        ann.hangs_up();
        sim.run_for(secs(2));
        let gave_up = matches!(ann.outcome(), Some(Outcome::GaveUp | Outcome::HungUp));
        assert!(gave_up, "{ms}: {:?}", ann.outcome());
        assert!(bob.is_idle(), "{ms}: {:?}", bob.state());
        let reasons = [EndReason::Cancelled, EndReason::CallerHungUp];
        assert!(sim.cdrs().iter().all(|c| reasons.contains(&c.reason)), "{ms}");
        sim.assert_nothing_left();
    }
}

#[test]
fn an_answer_that_crosses_the_cancel_is_taken_and_hung_up() {
    let sim = Sim::seed(3);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(1));
    // The CANCEL is on its way to 101 when it answers.
    ann.hangs_up();
    sim.run_for(millis(15));
    bob.answers();
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(Outcome::GaveUp));
    assert_eq!(bob.outcome(), Some(Outcome::PeerHungUp(None)));
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 180
        100 < 180
        100 > CANCEL
        101 > 200 (sendrecv)
        100 < 200 CANCEL
        100 < 487
        100 > ACK
        101 < CANCEL
        101 > 200 CANCEL
        101 < ACK
        101 < BYE
        101 > 200 BYE
    "#]]
    .assert_eq(&sim.ladder());
    sim.assert_nothing_left();
}

#[test]
fn a_cancel_that_crosses_the_answer_to_the_caller_changes_nothing() {
    let sim = Sim::seed(3);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(1));
    bob.answers();
    sim.run_for(millis(15));
    // The 200 is on its way to 100 when it gives up: it must hang up with a BYE.
    ann.hangs_up();
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(Outcome::GaveUp));
    assert_eq!(bob.outcome(), Some(Outcome::PeerHungUp(None)));
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 180
        100 < 180
        101 > 200 (sendrecv)
        100 > CANCEL
        101 < ACK
        100 < 200 (sendrecv)
        100 > ACK
        100 > BYE
        100 < 200 CANCEL
        101 < BYE
        101 > 200 BYE
        100 < 200 BYE
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        101 answer ANSWER
        100 answer ANSWER
        100 hangup ANSWER caller_hung_up
        101 hangup ANSWER caller_hung_up
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}
