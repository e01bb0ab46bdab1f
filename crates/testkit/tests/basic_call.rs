//! A call between two phones, from dialling to hanging up (RFC 3665 3.1 and 3.8, with digest).

use expect_test::expect;
use leg::CdrFlow;
use model::EndReason;
use testkit::{Outcome, Phone, Sim, millis, secs};

fn talking(sim: &Sim) -> (Phone, Phone) {
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.dials("101");
    sim.run_for(secs(2));
    assert!(bob.is_ringing() && ann.hears_it_ring());
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &bob);
    (ann, bob)
}

#[test]
fn two_phones_talk_until_the_caller_hangs_up() {
    let sim = Sim::seed(7);
    let (ann, bob) = talking(&sim);
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
            ... 2 s
        101 > 200 (sendrecv)
        101 < ACK
        100 < 200 (sendrecv)
        100 > ACK
        100 > BYE
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

#[test]
fn two_phones_talk_until_the_called_one_hangs_up() {
    let sim = Sim::seed(7);
    let (ann, bob) = talking(&sim);
    sim.begin_ladder();
    bob.hangs_up();
    sim.run_for(millis(100));
    assert_eq!(bob.outcome(), Some(Outcome::HungUp));
    assert_eq!(ann.outcome(), Some(Outcome::PeerHungUp(None)));
    expect![[r#"
        101 > BYE
        100 < BYE
        100 > 200 BYE
        101 < 200 BYE
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        101 answer ANSWER
        100 answer ANSWER
        100 hangup ANSWER callee_hung_up
        101 hangup ANSWER callee_hung_up
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn call_records_tell_who_called_whom_and_how_long_they_talked() {
    let sim = Sim::seed(7);
    let (ann, _bob) = talking(&sim);
    sim.run_for(secs(10));
    ann.hangs_up();
    sim.run_for(millis(100));
    let cdrs = sim.cdrs();
    let [a, b] = cdrs.as_slice() else { panic!("{cdrs:?}") };
    assert_eq!((a.extension, a.flow), (sim.extension("100"), CdrFlow::Out));
    assert_eq!((b.extension, b.flow), (sim.extension("101"), CdrFlow::In));
    for cdr in [a, b] {
        assert_eq!(cdr.reason, EndReason::CallerHungUp);
        assert_eq!(cdr.call, a.call);
        assert_eq!((&*cdr.from.0, &*cdr.to.0), ("0003*100", "101"));
        assert!((10_900_000..11_100_000).contains(&cdr.talk_us), "{}", cdr.talk_us);
    }
    sim.assert_nothing_left();
}

#[test]
fn every_packet_of_speech_arrives_in_one_stream() {
    let sim = Sim::seed(7);
    let (ann, bob) = talking(&sim);
    sim.run_for(secs(20));
    for (a, b) in [(&ann, &bob), (&bob, &ann)] {
        assert!(a.packets_sent() > 1_000);
        assert_eq!((a.missing_from(b), a.ssrc_changes()), (0, 0));
    }
}

#[test]
fn a_phone_with_two_calls_ends_each_by_itself() {
    let sim = Sim::seed(7);
    let (ann, bob) = talking(&sim);
    let eve = sim.phone("102");
    eve.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    bob.refuses(486);
    sim.run_for(secs(1));
    assert_eq!(eve.outcome(), Some(Outcome::Refused(486)));
    sim.assert_talking(&ann, &bob);
    bob.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn phones_with_different_codecs_still_hear_each_other() {
    let sim = Sim::seed(7);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.set(|m| m.codecs = vec![model::Codec::Pcmu]);
    bob.set(|m| m.codecs = vec![model::Codec::Pcma]);
    bob.answers_after(secs(1));
    ann.dials("101");
    sim.run_for(secs(3));
    sim.assert_talking(&ann, &bob);
    ann.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_caller_that_waits_for_our_offer_is_connected() {
    let sim = Sim::seed(7);
    let (ann, bob) = (sim.phone("100"), sim.phone("101"));
    ann.set(|m| m.offer = testkit::Offer::Delayed);
    bob.answers_after(secs(1));
    ann.dials("101");
    sim.run_for(secs(3));
    sim.assert_talking(&ann, &bob);
    expect![[r#"
        100 > INVITE 101
        100 < 401
        100 > ACK
        100 > INVITE 101 auth
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 180
        100 < 180
        101 > 200 (sendrecv)
        101 < ACK
        100 < 200 (sendrecv)
        100 > ACK (sendrecv)
    "#]]
    .assert_eq(&sim.ladder());
    bob.hangs_up();
    sim.assert_nothing_left();
}
