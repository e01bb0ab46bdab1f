//! Phones that send their caller on (302): whom they may name, and what comes of it.

use expect_test::expect;
use model::EndReason;
use sip::{Message, Method};
use testkit::{Link, Outcome, Phone, Settings, Sim, Ways, millis, secs};

const DID: &str = "74950000001";
const OUTSIDE: &str = "74951234567";

fn invites(phone: &Phone) -> Vec<Message> {
    let messages = phone.received().into_iter().filter_map(|bytes| Message::parse(bytes).ok());
    messages.filter(|m| m.is_request() && m.method() == Some(Method::Invite)).collect()
}

#[test]
fn a_phone_sends_its_caller_to_another_extension() {
    let sim = Sim::seed(1);
    let [ann, bob, eve] = ["100", "101", "102"].map(|name| sim.phone(name));
    bob.sends_on_after(millis(0), "102");
    sim.begin_ladder();
    ann.dials("101");
    sim.run_for(secs(1));
    eve.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &eve);
    ann.hangs_up();
    sim.run_for(secs(1));
    expect![[r#"
        100 > INVITE 101 (sendrecv)
        100 < 401
        100 > ACK
        100 > INVITE 101 auth (sendrecv)
        100 < 100
        101 < INVITE from 100 (sendrecv)
        101 > 302
        101 < ACK
        102 < INVITE from 100 (sendrecv)
        102 > 180
        100 < 180
        102 > 200 (sendrecv)
        102 < ACK
        100 < 200 (sendrecv)
        100 > ACK
        100 > BYE
        102 < BYE
        102 > 200 BYE
        100 < 200 BYE
    "#]]
    .assert_eq(&sim.ladder());
    expect![[r#"
        100 dial-out CALLING
        101 dial-in CALLING
        102 dial-in CALLING
        102 answer ANSWER
        100 answer ANSWER
        100 hangup ANSWER caller_hung_up
        102 hangup ANSWER caller_hung_up
        101 hangup ANSWER caller_hung_up
    "#]]
    .assert_eq(&sim.event_lines());
    sim.assert_nothing_left();
}

#[test]
fn a_phone_sends_its_caller_outside_with_its_own_rights_and_number() {
    let sim = Sim::seed(2);
    let (carrier, ann, bob) = (sim.carrier(1), sim.phone("100"), sim.phone("101"));
    bob.sends_on_after(millis(300), OUTSIDE);
    ann.dials("101");
    sim.run_for(secs(1));
    assert_eq!(invites(&carrier).len(), 1);
    carrier.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &carrier);
    ann.hangs_up();
    sim.run_for(secs(1));
    let ends: Vec<_> = sim.cdrs().iter().map(|cdr| cdr.reason).collect();
    assert_eq!(ends, [EndReason::CallerHungUp; 3], "Ann, Bob, and the way that Bob has named");
    sim.assert_nothing_left();
}

#[test]
fn a_caller_of_the_outside_is_sent_back_outside_and_the_number_called_is_told() {
    let sim = Sim::seed(3);
    let (one, two, bob) = (sim.carrier(1), sim.carrier(2), sim.phone("101"));
    sim.did(DID, "101");
    bob.sends_on_after(millis(0), OUTSIDE);
    two.dials(DID);
    sim.run_for(secs(1));
    let invite = invites(&one).remove(0);
    let diversion = invite.text(sip::Header::Diversion).unwrap().into_owned();
    assert!(diversion.contains(DID) && diversion.contains("deflection"), "{diversion}");
    one.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&one, &two);
    two.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn what_a_phone_may_not_dial_it_may_not_name_either() {
    // A premium number, nobody, a feature code, a machine's name, itself.
    for number in ["78091234567", "*7", "alice", "101"] {
        let sim = Sim::seed(4);
        let (carrier, ann, bob) = (sim.carrier(1), sim.phone("100"), sim.phone("101"));
        bob.sends_on_after(millis(0), number);
        ann.dials("101");
        sim.run_for(secs(3));
        assert!(
            matches!(ann.outcome(), Some(Outcome::Refused(_))),
            "{number}: {:?}",
            ann.outcome()
        );
        assert_eq!(invites(&carrier).len(), 0, "{number}");
        assert_eq!(bob.call_count(), 1, "{number}: it is not rung again");
        sim.assert_nothing_left();
    }
}

#[test]
fn phones_that_send_on_to_each_other_end() {
    let sim = Sim::seed(5);
    let [ann, bob, eve] = ["100", "101", "102"].map(|name| sim.phone(name));
    bob.sends_on_after(millis(0), "102");
    eve.sends_on_after(millis(200), "101");
    ann.dials("101");
    sim.run_for(secs(5));
    assert!(matches!(ann.outcome(), Some(Outcome::Refused(_))), "{:?}", ann.outcome());
    assert_eq!((bob.call_count(), eve.call_count()), (1, 1));
    sim.assert_nothing_left();
}

#[test]
fn the_other_phones_of_the_extension_stop_ringing() {
    let sim = Sim::seed(6);
    let (ann, bob, desk) = (sim.phone("100"), sim.phone("101"), sim.phone("101"));
    let eve = sim.phone("102");
    bob.sends_on_after(millis(500), "102");
    ann.dials("101");
    sim.run_for(millis(400));
    assert!(desk.is_ringing());
    sim.run_for(secs(1));
    assert!(!desk.is_ringing() && eve.is_ringing());
    assert!(matches!(desk.outcome(), Some(Outcome::Cancelled(_))));
    eve.answers();
    sim.run_for(secs(1));
    sim.assert_talking(&ann, &eve);
    eve.hangs_up();
    sim.assert_nothing_left();
}

#[test]
fn a_302_is_a_forward_and_nothing_more_where_only_devices_are_rung() {
    let sim = Sim::seed(7);
    let [ann, bob, eve] = ["100", "101", "102"].map(|name| sim.phone(name));
    sim.rules("101", "simple_transfer 101");
    bob.sends_on_after(millis(0), "102");
    ann.dials("101");
    sim.run_for(secs(3));
    assert_eq!(eve.call_count(), 0, "devices that are rung without rules may not");
    assert!(matches!(ann.outcome(), Some(Outcome::Refused(_))));
    sim.assert_nothing_left();
}

#[test]
fn callers_who_are_sent_on_over_bad_networks_leave_nothing() {
    let mut talked = 0;
    for seed in 0..150 {
        let bad = Ways { sip_up: Link::BAD, sip_down: Link::BAD, ..Ways::GOOD };
        let sim = Sim::with(Settings { seed, ways: bad, shards: 2, ..Settings::default() });
        let carrier = sim.carrier(1);
        let [ann, bob, eve] = ["100", "101", "102"].map(|name| sim.phone(name));
        sim.run_for(secs(5));
        let number =
            ["102", OUTSIDE, "101", "78091234567", "alice"][usize::try_from(seed % 5).unwrap()];
        bob.sends_on_after(millis(seed % 3 * 400), number);
        eve.answers_after(millis(500));
        carrier.answers_after(millis(700));
        ann.dials("101");
        sim.run_for(secs(10));
        talked += u32::from(ann.is_in_call() && (eve.is_in_call() || carrier.is_in_call()));
        assert!(seed % 5 < 2 || !ann.is_in_call(), "seed {seed}");
        ann.hangs_up();
        sim.run_for(secs(40));
        sim.assert_nothing_left();
    }
    assert!(talked > 40, "{talked}");
}
