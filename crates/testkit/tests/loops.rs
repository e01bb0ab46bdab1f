//! Calls that go out and come back by the same carrier, again and again.

use expect_test::expect;
use model::{EndReason, OutsideLimits};
use sip::{Message, Method};
use testkit::{Link, Outcome, Phone, Settings, Sim, Ways, secs};

/// Our number, which leads to 101; and the number to which 101 forwards.
const DID: &str = "74950000001";
const AWAY: &str = "74951234567";

/// 101 forwards to a number that the carrier leads back to us.
fn ring(sim: &Sim) -> Phone {
    let carrier = sim.carrier(1);
    carrier.leads(AWAY, DID);
    sim.did(DID, "101");
    sim.rules("101", &format!("transfer {AWAY}"));
    carrier
}

/// Max-Forwards of the INVITEs that a phone was sent.
fn hops(phone: &Phone) -> Vec<u8> {
    let messages = phone.received().into_iter().filter_map(|bytes| Message::parse(bytes).ok());
    let invites = messages.filter(|m| m.is_request() && m.method() == Some(Method::Invite));
    invites.filter_map(|m| m.max_forwards().ok().flatten()).collect()
}

fn ends(sim: &Sim) -> Vec<EndReason> {
    sim.cdrs().iter().map(|cdr| cdr.reason).collect()
}

#[test]
fn a_loop_through_a_carrier_ends_when_max_forwards_is_used_up() {
    let sim = Sim::seed(1);
    let (carrier, caller) = (ring(&sim), sim.carrier(2));
    caller.set(|manner| manner.max_forwards = 6);
    sim.begin_ladder();
    caller.dials(DID);
    sim.run_for(secs(5));
    assert_eq!(hops(&carrier), [5, 3, 1], "one less on each leg, ours and the carrier's");
    assert_eq!(caller.outcome(), Some(Outcome::Refused(480)));
    // The last of all is refused by us without a call; each call that led there fails for it.
    expect![[r#"
        carrier2 > INVITE 74950000001 (sendrecv)
        carrier2 < 100
        carrier1 < INVITE from 79160000002 (sendrecv)
        carrier1 > INVITE 74950000001 (sendrecv)
        carrier1 < 100
        carrier1 < INVITE from 79160000001 (sendrecv)
        carrier1 > INVITE 74950000001 (sendrecv)
        carrier1 < 100
        carrier1 < INVITE from 79160000001 (sendrecv)
        carrier1 > INVITE 74950000001 (sendrecv)
        carrier1 < 483
        carrier1 > ACK
        carrier1 > 483
        carrier1 < ACK
        carrier1 < 480
        carrier1 > ACK
        carrier1 > 480
        carrier1 < ACK
        carrier1 < 480
        carrier1 > ACK
        carrier1 > 480
        carrier2 < 480
        carrier2 > ACK
        carrier1 < ACK
    "#]]
    .assert_eq(&sim.ladder());
    assert_eq!(sim.cdrs().len(), 6, "of each call the forwarding extension and its forward");
    assert!(carrier.is_idle() && caller.is_idle());
    sim.assert_nothing_left();
}

#[test]
fn whoever_comes_with_none_left_gets_483_and_with_one_it_rings() {
    for (left, expected) in [(0, Some(Outcome::Refused(483))), (1, None)] {
        let sim = Sim::seed(2);
        let (caller, bob) = (sim.carrier(1), sim.phone("101"));
        sim.did(DID, "101");
        caller.set(|manner| manner.max_forwards = left);
        caller.dials(DID);
        sim.run_for(secs(1));
        assert_eq!(caller.outcome(), expected, "{left}");
        assert_eq!(hops(&bob), if left == 0 { vec![] } else { vec![0] });
        caller.hangs_up();
        sim.run_for(secs(1));
        assert_eq!(sim.cdrs().len(), usize::from(left));
        sim.assert_nothing_left();
    }
}

#[test]
fn a_phone_that_dials_into_the_loop_counts_as_a_hop_too() {
    let sim = Sim::seed(3);
    let (carrier, ann) = (ring(&sim), sim.phone("100"));
    ann.set(|manner| manner.max_forwards = 4);
    ann.dials(AWAY);
    sim.run_for(secs(5));
    assert_eq!(hops(&carrier), [3, 1]);
    assert!(matches!(ann.outcome(), Some(Outcome::Refused(_))), "{:?}", ann.outcome());
    sim.assert_nothing_left();
}

/// With many hops left, the calls that one extension may have outside at a time end the loop.
#[test]
fn a_loop_with_many_hops_left_ends_at_the_bound_of_the_extension() {
    let sim = Sim::seed(4);
    let (carrier, caller) = (ring(&sim), sim.carrier(2));
    caller.dials(DID);
    sim.run_for(secs(20));
    let most = usize::try_from(OutsideLimits::default().extension_calls).unwrap();
    let expected: Vec<u8> = (0..70).rev().step_by(2).take(most).collect();
    assert_eq!(hops(&carrier), expected);
    assert!(ends(&sim).contains(&EndReason::OutsideLimit));
    assert_eq!(caller.outcome(), Some(Outcome::Refused(480)));
    assert!(carrier.is_idle());
    sim.assert_nothing_left();
}

#[test]
fn who_gives_up_ends_the_whole_loop() {
    for ms in [1, 5, 20, 50, 100, 300] {
        let sim = Sim::with(Settings { ways: Ways::losing(0), ..Settings::default() });
        let (carrier, caller) = (ring(&sim), sim.carrier(2));
        sim.rules("101", &format!("transfer {AWAY} 102"));
        let eve = sim.phone("102");
        caller.set(|manner| manner.max_forwards = 9);
        caller.dials(DID);
        sim.run_for(testkit::millis(ms));
        caller.hangs_up();
        sim.run_for(secs(40));
        assert!(carrier.is_idle() && eve.is_idle() && caller.is_idle(), "{ms} ms");
        sim.assert_nothing_left();
    }
}

#[test]
fn loops_on_bad_networks_end_and_leave_nothing() {
    let mut used_up = 0;
    for seed in 0..60 {
        let bad = Ways { sip_up: Link::BAD, sip_down: Link::BAD, ..Ways::GOOD };
        let sim = Sim::with(Settings { seed, ways: bad, shards: 2, ..Settings::default() });
        let (carrier, caller) = (ring(&sim), sim.carrier(2));
        caller.set(|manner| manner.max_forwards = 3 + u8::try_from(seed % 5).unwrap());
        caller.dials(DID);
        sim.run_for(secs(100));
        used_up += u32::from(hops(&carrier).iter().any(|left| *left <= 1));
        assert!(caller.is_idle() && carrier.is_idle(), "seed {seed}");
        sim.assert_nothing_left();
    }
    assert!(used_up > 40, "{used_up}");
}
