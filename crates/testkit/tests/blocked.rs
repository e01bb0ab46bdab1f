//! Blocked phones, and phones of a blocked customer: they call for help, and that is all.

use expect_test::expect;
use model::{EndReason, Status};
use sip::{Header, Message, Method};
use testkit::{Link, Outcome, Phone, Settings, Sim, Ways, millis, secs};

const DID: &str = "74950000001";

/// Blocks the phone 100, or its whole customer.
fn block(sim: &Sim, whole: bool) {
    sim.configure(0, |company| match whole {
        true => company.tenant.status = Status::Blocked,
        false => company.extension("100").status = Status::Blocked,
    });
}

fn invites(phone: &Phone) -> usize {
    let messages = phone.received().into_iter().filter_map(|bytes| Message::parse(bytes).ok());
    messages.filter(|m| m.is_request() && m.method() == Some(Method::Invite)).count()
}

#[test]
fn a_blocked_phone_calls_for_help_and_nobody_else() {
    for whole in [false, true] {
        let sim = Sim::seed(1);
        let (carrier, ann, bob) = (sim.carrier(1), sim.phone("100"), sim.phone("101"));
        sim.did(DID, "101");
        block(&sim, whole);
        sim.run_for(secs(1));
        for number in ["101", "74951234567", "199"] {
            ann.dials(number);
            sim.run_for(secs(2));
            assert_eq!(ann.outcome(), Some(Outcome::Refused(403)), "{number}");
        }
        sim.begin_ladder();
        ann.dials("112");
        sim.run_for(secs(1));
        carrier.answers();
        sim.run_for(secs(1));
        sim.assert_talking(&ann, &carrier);
        carrier.hangs_up();
        sim.run_for(secs(1));
        expect![[r#"
            100 > INVITE 112 (sendrecv)
            100 < 401
            100 > ACK
            100 > INVITE 112 auth (sendrecv)
            100 < 100
            carrier1 < INVITE from 100 (sendrecv)
            carrier1 > 180
            100 < 180
            carrier1 > 200 (sendrecv)
            carrier1 < ACK
            100 < 200 (sendrecv)
            100 > ACK
            carrier1 > BYE
            100 < BYE
            100 > 200 BYE
            carrier1 < 200 BYE
        "#]]
        .assert_eq(&sim.ladder());
        assert_eq!((invites(&carrier), invites(&bob)), (1, 0));
        let ends: Vec<_> = sim.cdrs().iter().map(|cdr| cdr.reason).collect();
        let refused = if whole { EndReason::TenantBlocked } else { EndReason::Forbidden };
        assert_eq!(ends, [refused, refused, refused, EndReason::CalleeHungUp]);
        sim.assert_nothing_left();
    }
}

#[test]
fn a_blocked_phone_does_not_register_until_it_is_free_again() {
    for whole in [false, true] {
        let sim = Sim::seed(2);
        let (ann, bob) = (sim.phone("100"), sim.phone("101"));
        sim.run_for(secs(1));
        let before = sim.gauges().bindings;
        block(&sim, whole);
        sim.run_for(secs(1));
        assert_eq!(sim.gauges().bindings, before - if whole { 2 } else { 1 });
        ann.registers();
        sim.run_for(secs(2));
        assert!(!ann.is_registered(), "{:?}", ann.registration());
        assert_eq!(last_status(&ann), Some(403));
        sim.configure(0, |company| {
            company.tenant.status = Status::Active;
            company.extension("100").status = Status::Active;
        });
        ann.registers();
        bob.registers();
        sim.run_for(secs(2));
        assert!(ann.is_registered());
        bob.dials("100");
        sim.run_for(secs(1));
        assert!(ann.is_ringing());
        bob.hangs_up();
        sim.assert_nothing_left();
    }
}

fn last_status(phone: &Phone) -> Option<u16> {
    let messages = phone.received().into_iter().filter_map(|bytes| Message::parse(bytes).ok());
    messages.filter_map(|m| m.status()).next_back()
}

#[test]
fn nobody_calls_in_by_the_trunks_of_a_blocked_customer_and_no_registration_is_kept() {
    let sim = Sim::seed(3);
    let (carrier, bob) = (sim.registrar(1, 600), sim.phone("101"));
    sim.did(DID, "101");
    sim.run_for(secs(2));
    assert_eq!(sim.gauges().trunks_registered, 1);
    block(&sim, true);
    sim.run_for(secs(40));
    assert_eq!(sim.gauges().trunks_registered, 0);
    let mut messages = carrier.received().into_iter().filter_map(|b| Message::parse(b).ok());
    let last = messages.rfind(|m| m.method() == Some(Method::Register)).unwrap();
    assert_eq!(last.expires().unwrap(), Some(0), "it was taken back");
    assert!(last.has(Header::Contact));
    carrier.dials(DID);
    sim.run_for(secs(2));
    assert!(matches!(carrier.outcome(), Some(Outcome::Refused(_))), "{:?}", carrier.outcome());
    assert_eq!(invites(&bob), 0);
    sim.assert_nothing_left();
}

#[test]
fn a_call_for_help_of_a_blocked_phone_gets_through_bad_networks() {
    let mut talked = 0;
    for seed in 0..60 {
        let bad = Ways { sip_up: Link::BAD, sip_down: Link::BAD, ..Ways::GOOD };
        let sim = Sim::with(Settings { seed, ways: bad, shards: 2, ..Settings::default() });
        let (one, two, ann) = (sim.carrier(1), sim.carrier(2), sim.phone("100"));
        one.refuses_after(millis(0), 403);
        two.answers_after(millis(500));
        block(&sim, seed % 2 == 0);
        sim.run_for(secs(1));
        ann.dials("112");
        sim.run_for(secs(12));
        talked += u32::from(ann.is_in_call() && two.is_in_call());
        ann.hangs_up();
        sim.run_for(secs(40));
        sim.assert_nothing_left();
    }
    assert!(talked > 45, "{talked}");
}
