//! Calls from and to the outside, with carriers that behave and that do not.

use core::net::SocketAddr;

use expect_test::expect;
use model::OutsideLimits;
use sip::{Header, Message, Method};
use testkit::{CallState, Link, Outcome, Phone, Settings, Sim, Ways, millis, secs};

const DID: &str = "74950000001";

fn on_bad_days(seed: u64) -> Sim {
    let bad = Ways { sip_up: Link::BAD, sip_down: Link::BAD, ..Ways::GOOD };
    Sim::with(Settings { seed, ways: bad, shards: 2, ..Settings::default() })
}

/// The requests of one kind that reached a phone, in full.
fn reached(phone: &Phone, method: Method) -> Vec<Message> {
    let messages = phone.received().into_iter().filter_map(|bytes| Message::parse(bytes).ok());
    messages.filter(|m| m.is_request() && m.method() == Some(method)).collect()
}

#[test]
fn a_call_of_the_outside_rings_and_both_hear_each_other() {
    let sim = Sim::seed(1);
    let (carrier, bob) = (sim.carrier(1), sim.phone("101"));
    sim.did(DID, "101");
    sim.begin_ladder();
    carrier.dials(DID);
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    bob.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&carrier, &bob);
    carrier.hangs_up();
    sim.run_for(secs(1));
    expect![[r#"
        carrier1 > INVITE 74950000001 (sendrecv)
        carrier1 < 100
        101 < INVITE from 79160000001 (sendrecv)
        101 > 180
        carrier1 < 180
        101 > 200 (sendrecv)
        101 < ACK
        carrier1 < 200 (sendrecv)
        carrier1 > ACK
        carrier1 > BYE
        101 < BYE
        101 > 200 BYE
        carrier1 < 200 BYE
    "#]]
    .assert_eq(&sim.ladder());
    assert!(sim.events().iter().all(|e| e.called_did.as_deref() == Some(DID)));
    assert_eq!(sim.cdrs().len(), 1, "the outside has no record of its own");
    sim.assert_nothing_left();
}

#[test]
fn a_phone_calls_the_outside_and_shows_the_clients_number() {
    let sim = Sim::seed(2);
    let (carrier, ann) = (sim.carrier(1), sim.phone("100"));
    sim.configure(0, |company| company.shows(DID));
    ann.dials("74951234567");
    sim.run_for(secs(1));
    carrier.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &carrier);
    let invite = reached(&carrier, Method::Invite).remove(0);
    let asserted = invite.text(Header::PAssertedIdentity).unwrap();
    assert!(asserted.contains(&format!("<sip:{DID}@")), "{asserted}");
    ann.hangs_up();
    sim.run_for(secs(1));
    sim.assert_nothing_left();
}

#[test]
fn a_forwarded_call_passes_a_carrier_that_is_out_of_order() {
    for silent in [false, true] {
        let sim = Sim::seed(3);
        let (one, two, three) = (sim.carrier(1), sim.carrier(2), sim.carrier(3));
        sim.did(DID, "101");
        sim.rules("101", "transfer 74951234567");
        match silent {
            true => one.unplug(),
            false => one.refuses_after(millis(0), 503),
        }
        three.dials(DID);
        let waits = || !two.is_ringing();
        assert!(sim.run_while(secs(8), waits), "the next trunk is tried");
        two.answers();
        sim.run_for(secs(1));
        sim.assert_talking(&two, &three);
        let invite = reached(&two, Method::Invite).remove(0);
        let diversion = invite.text(Header::Diversion).unwrap().into_owned();
        assert!(diversion.contains(DID) && diversion.contains("unconditional"), "{diversion}");
        assert!(invite.text(Header::From).unwrap().contains("79160000003"), "the caller's number");
        two.hangs_up();
        one.plug();
        sim.run_for(secs(1));
        sim.assert_nothing_left();
    }
}

#[test]
fn a_caller_may_give_up_at_any_moment_of_a_call_outside() {
    for ms in 0..120 {
        let sim = Sim::seed(4);
        let (carrier, ann) = (sim.carrier(1), sim.phone("100"));
        carrier.answers_after(millis(30));
        ann.dials("74951234567");
        sim.run_for(millis(ms));
        ann.hangs_up();
        sim.run_for(secs(2));
        assert!(carrier.is_idle(), "{ms}: {:?}", carrier.state());
        assert!(matches!(ann.outcome(), Some(Outcome::GaveUp | Outcome::HungUp)), "{ms}");
        sim.assert_nothing_left();
    }
}

#[test]
fn forwards_in_a_ring_end_and_leave_nothing() {
    for rules in
        [["transfer 101", "transfer 100", ""], ["transfer 101", "transfer 102", "transfer 100"]]
    {
        let sim = Sim::seed(5);
        let carrier = sim.carrier(1);
        let phones = ["100", "101", "102"].map(|name| sim.phone(name));
        sim.did(DID, "100");
        for (name, rules) in ["100", "101", "102"].into_iter().zip(rules) {
            if !rules.is_empty() {
                sim.rules(name, rules);
            }
        }
        carrier.dials(DID);
        sim.run_for(secs(100));
        assert!(carrier.is_idle(), "{rules:?}: {:?}", carrier.state());
        assert!(phones.iter().all(Phone::is_idle));
        sim.assert_nothing_left();
    }
}

/// The carrier leads every call to 74951234567 back to our number, as a call of its own.
#[test]
fn a_loop_through_the_outside_ends_at_the_bounds() {
    let sim = Sim::seed(6);
    let carrier = sim.carrier(1);
    sim.did(DID, "101");
    sim.rules("101", "transfer 74951234567");
    sim.configure(0, |company| {
        company.routing.settings.outside_limits =
            OutsideLimits { extension_calls: 5, ..OutsideLimits::default() };
    });
    let mut invites = 0;
    carrier.dials(DID);
    for _ in 0..20 {
        sim.run_for(millis(200));
        let now = reached(&carrier, Method::Invite).len();
        for _ in invites..now {
            carrier.dials(DID);
        }
        invites = now;
    }
    assert_eq!(invites, 5, "one more than may be is not dialled");
    sim.run_for(secs(100));
    assert!(carrier.is_idle());
    sim.assert_nothing_left();
}

#[test]
fn a_registration_with_a_carrier_stands_on_a_bad_network() {
    for seed in 0..30 {
        let sim = on_bad_days(seed);
        let carrier = sim.registrar(1, 600);
        assert!(
            sim.run_while(secs(300), || sim.gauges().trunks_registered == 0),
            "seed {seed}: not registered"
        );
        sim.run_for(secs(600));
        let gauges = sim.gauges();
        assert_eq!((gauges.trunks_registered, gauges.trunks_missing), (1, 0), "seed {seed}");
        let registers = reached(&carrier, Method::Register);
        let token = registers[0].contact().unwrap().unwrap().uri.as_str().to_owned();
        let same = |r: &Message| r.contact().unwrap().unwrap().uri.as_str() == token;
        assert!(registers.iter().all(same), "seed {seed}: one Contact for all");
        sim.configure(0, |company| company.change_trunk(1, |trunk| trunk.enabled = false));
        sim.run_for(secs(40));
        let last = reached(&carrier, Method::Register).pop().unwrap();
        assert_eq!(last.expires().unwrap(), Some(0), "seed {seed}: taken back");
        sim.assert_nothing_left();
    }
}

#[test]
fn calls_of_the_outside_on_200_bad_networks_leave_nothing() {
    let (mut talked, mut forwarded) = (0, 0);
    for seed in 0..200 {
        let sim = on_bad_days(seed);
        let (one, two, caller) = (sim.carrier(1), sim.carrier(2), sim.carrier(3));
        let bob = sim.phone("101");
        sim.did(DID, "101");
        match seed % 4 {
            0 => bob.answers_after(secs(1)),
            1 => bob.refuses_after(secs(1), 486),
            2 => sim.rules("101", "transfer 101 74951234567"),
            _ => sim.rules("101", "transfer 74951234567"),
        }
        match seed % 3 {
            0 => one.refuses_after(millis(0), 503),
            1 => one.unplug(),
            _ => one.answers_after(millis(500)),
        }
        two.answers_after(millis(700));
        caller.dials(DID);
        sim.run_for(secs(12 + seed % 3));
        let other = [&bob, &one, &two].into_iter().find(|p| p.is_in_call());
        if let (Some(other), true) = (other, caller.is_in_call()) {
            talked += 1;
            forwarded += u32::from(other.name() != "101");
        }
        caller.hangs_up();
        one.plug();
        sim.run_for(secs(40));
        for phone in [&bob, &one, &two, &caller] {
            let is_over = phone.is_idle() || phone.state() != Some(CallState::Talking);
            assert!(is_over, "seed {seed}: {} {:?}", phone.name(), phone.state());
        }
        sim.assert_nothing_left();
    }
    assert!(talked > 100, "{talked}");
    assert!(forwarded > 50, "{forwarded}");
}

#[test]
fn a_phone_that_shares_its_address_with_a_trunk_is_asked_for_its_password() {
    let sim = Sim::seed(9);
    let (carrier, ann, bob) = (sim.carrier(1), sim.phone("100"), sim.phone("101"));
    sim.did(DID, "101");
    let beside = model::Network::one(ann.address().ip());
    sim.configure(0, |company| company.change_trunk(1, |trunk| trunk.addresses.push(beside)));
    ann.dials("101");
    sim.run_for(secs(1));
    assert!(bob.is_ringing());
    ann.hangs_up();
    sim.run_for(secs(1));
    ann.dials("74951234567");
    sim.run_for(secs(1));
    assert!(carrier.is_ringing());
    ann.hangs_up();
    sim.run_for(secs(1));
    sim.assert_nothing_left();
}

/// Whoever is no trunk is challenged, whatever the number, and nothing rings.
#[test]
fn no_call_of_a_stranger_reaches_a_trunk_or_an_extension() {
    let sim = Sim::with(Settings { seed: 8, shards: 2, ..Settings::default() });
    let (carrier, bob) = (sim.registrar(1, 600), sim.phone("101"));
    sim.did(DID, "101");
    sim.run_for(secs(2));
    let register = reached(&carrier, Method::Register).remove(0);
    let contact = register.contact().unwrap().unwrap();
    let token = contact.uri.sip().unwrap().user().unwrap().into_owned();
    let mut guess = token.clone();
    guess.replace_range(20..21, if token.as_bytes()[20] == b'a' { "b" } else { "a" });
    let from: SocketAddr = "203.0.113.66:5060".parse().unwrap();
    for (at, user) in [DID, "101", "74951234567", "112", guess.as_str()].into_iter().enumerate() {
        for asserts in ["", "P-Asserted-Identity: <sip:100@pbx.example>\r\n"] {
            let invite = format!(
                "INVITE sip:{user}@pbx.example SIP/2.0\r\n\
                 Via: SIP/2.0/UDP {from};branch=z9hG4bK-{at}-{};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:100@pbx.example>;tag=f{at}\r\n\
                 To: <sip:{DID}@pbx.example>\r\nCall-ID: {at}{}@h\r\nCSeq: 1 INVITE\r\n\
                 Contact: <sip:x@{from}>\r\n{asserts}Content-Length: 0\r\n\r\n",
                asserts.len(),
                asserts.len(),
            );
            let before = sim.strays().len();
            sim.stranger_sends(from, invite.as_bytes());
            sim.run_for(secs(1));
            let answers = sim.strays().split_off(before);
            let statuses: Vec<_> = answers
                .iter()
                .filter_map(|(_, bytes)| Message::parse(bytes.clone()).ok()?.status())
                .collect();
            assert_eq!(statuses, [401], "{user}");
        }
    }
    assert!(
        reached(&carrier, Method::Invite).is_empty() && reached(&bob, Method::Invite).is_empty()
    );
    assert_eq!(sim.gauges().calls, 0);
    sim.configure(0, |company| company.change_trunk(1, |trunk| trunk.enabled = false));
    sim.run_for(secs(40));
    sim.assert_nothing_left();
}
