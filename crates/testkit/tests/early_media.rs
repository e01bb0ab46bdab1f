//! What the caller hears before the answer (RFC 3665 3.6 and RFC 3960).

use expect_test::expect;
use testkit::{Outcome, Sim, Sound, secs};

#[test]
fn the_caller_hears_a_called_phone_that_speaks_early() {
    let sim = Sim::seed(5);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    bob.speaks_early();
    ann.dials("101");
    sim.run_for(secs(2));
    assert!(bob.is_ringing());
    assert_eq!(ann.hears(), [bob.sound()].into());
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    assert_eq!(ann.ssrc_changes(), 0);
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 183 (sendrecv)
        100 < 183 (sendrecv)
            ... 2 s
        101 > 200 (sendrecv)
        101 < ACK
        100 < 200 (sendrecv)
        100 > ACK
    "#]]
    .assert_eq(&sim.ladder());
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn when_the_early_speaker_drops_out_the_caller_hears_ringback_from_us() {
    let sim = Sim::seed(5);
    let (ann, desk, mobile) = (sim.phone("100"), sim.phone("101"), sim.phone("101"));
    desk.speaks_early();
    ann.dials("101");
    sim.run_for(secs(2));
    assert_eq!(ann.hears(), [desk.sound()].into());
    desk.refuses(486);
    let mut heard = std::collections::BTreeSet::new();
    sim.run_for(secs(1));
    for _ in 0..12 {
        sim.run_for(testkit::millis(500));
        heard.extend(ann.hears_over(testkit::millis(500)));
    }
    assert_eq!(heard, [Sound::Ringback].into());
    mobile.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &mobile);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_phone_that_just_rings_is_heard_by_nobody() {
    let sim = Sim::seed(5);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(2));
    assert!(bob.is_ringing());
    assert_eq!((ann.packets(), bob.packets()), (0, 0));
    bob.refuses(486);
    sim.run_for(secs(1));
    assert_eq!(ann.outcome(), Some(Outcome::Refused(486)));
    sim.assert_nothing_left();
}
