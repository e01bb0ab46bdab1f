//! A call between two phones, from dialling to hanging up (RFC 3665 3.1 with authentication, 3.8).

use expect_test::expect;
use testkit::{Outcome, Sim, millis, secs};

#[test]
fn two_phones_talk_until_the_caller_hangs_up() {
    let sim = Sim::seed(7);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(2));
    assert!(bob.is_ringing() && ann.hears_it_ring());
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.run_for(millis(100));
    assert_eq!(ann.outcome(), Some(Outcome::HungUp));
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
            ... 1 s
        101 > 200 (sendrecv)
        101 < ACK
        100 < 200 (sendrecv)
        100 > ACK
        100 > BYE
        100 < 200 BYE
        101 < BYE
        101 > 200 BYE
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
