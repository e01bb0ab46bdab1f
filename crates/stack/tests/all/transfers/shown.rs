//! Whom a phone is shown when its far end changes, and calls that are answered without a hand.

use core::time::Duration;

use leg::{Identity, LegCommand, LegEvent, LegId};
use model::{DisplayName, Number};
use sip::{Header, Message};

use crate::bench::{BOB, Bench, Phone, boxed, dialled, summary, udp};

fn carol() -> Box<Identity> {
    let number = Number::parse("102").unwrap();
    Box::new(Identity::of(number, DisplayName::parse("Carol").unwrap()))
}

fn identify(b: &mut Bench, leg: LegId, identity: Identity) {
    b.command(leg, LegCommand::Identify(Box::new(identity)));
}

fn shown(message: &Message) -> String {
    let asserted = message.text(Header::PAssertedIdentity).unwrap_or_default();
    format!("{} {asserted}", summary(message).split(' ').next().unwrap())
}

const CAROL: &str = "\"Carol\" <sip:102@acme.example>";

#[test]
fn a_phone_that_takes_update_is_shown_by_update() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    alice.extra = "Allow: INVITE, UPDATE\nSupported: timer";
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    // Before its ACK nothing is sent.
    identify(&mut b, leg, Identity::anonymous());
    identify(&mut b, leg, *carol());
    assert!(b.sent.is_empty());
    alice.acks(&mut b, &ok, "");
    let update = b.next_sent();
    assert_eq!(shown(&update), format!("UPDATE {CAROL}"));
    assert!(update.has(Header::SessionExpires), "RFC 4028 7.4: else the timer would end");
    assert!(update.body().is_empty());
    alice.answers(&mut b, &update, 200, "");
    identify(&mut b, leg, Identity::anonymous());
    let update = b.next_sent();
    assert!(shown(&update).contains("anonymous.invalid"), "{update:?}");
    assert_eq!(update.text(Header::Privacy).as_deref(), Some("id"));
    // A refusal is no matter.
    alice.answers(&mut b, &update, 403, "");
    assert_eq!(b.events.iter().filter(|(_, e)| *e != LegEvent::Acknowledged).count(), 1);
}

#[test]
fn a_phone_without_update_is_shown_by_a_reinvite_without_change() {
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    identify(&mut b, leg, *carol());
    let invite = b.next_sent();
    assert_eq!(shown(&invite), format!("INVITE {CAROL}"));
    assert_eq!(summary(&invite), "INVITE in dialog sdp(v1 port 20000 sendrecv)");
    // The newest waits for the end of the offer.
    identify(&mut b, leg, Identity::nobody());
    identify(&mut b, leg, *carol());
    assert!(b.sent.is_empty());
    bob.answers(&mut b, &invite, 200, &bob.sdp(1, "sendrecv"));
    assert_eq!(shown(&b.next_sent()), "ACK ");
    assert_eq!(shown(&b.next_sent()), format!("INVITE {CAROL}"));
    assert!(b.events.is_empty(), "the exchange has nothing to do with it");
}

#[test]
fn after_a_collision_it_is_shown_again() {
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    identify(&mut b, leg, *carol());
    let invite = b.next_of("INVITE");
    bob.answers(&mut b, &invite, 491, "");
    b.look_away();
    b.run_for(Duration::from_secs(5));
    assert_eq!(shown(&b.next_sent()), format!("INVITE {CAROL}"));
}

#[test]
fn a_phone_that_refuses_update_after_all_is_shown_by_a_reinvite() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    bob.extra = "Allow: INVITE, UPDATE\nSupported: timer";
    let device = bob.registers(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 200, &body);
    b.look_away();
    identify(&mut b, leg, *carol());
    let update = b.next_of("UPDATE");
    bob.answers(&mut b, &update, 405, "");
    assert_eq!(shown(&b.next_sent()), format!("INVITE {CAROL}"));
}

#[test]
fn who_has_answered_is_shown_in_the_answer() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    identify(&mut b, leg, *carol());
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    assert_eq!(shown(&b.next_of("200")), format!("200 {CAROL}"));
}

#[test]
fn a_phone_is_asked_to_answer_by_itself() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let device = bob.registers(&mut b);
    for (n, auto_answer) in [(1, false), (2, true)] {
        let dial = leg::Dial {
            target: leg::Target::Device { extension: BOB, device },
            identity: *carol(),
            offer: boxed(20_000),
            max_forwards: 69,
            diversion: None,
            auto_answer,
        };
        b.command(LegId::outgoing(n), LegCommand::Dial(Box::new(dial)));
        let invite = b.next_of("INVITE");
        let said = |header| invite.text(header).unwrap_or_default().into_owned();
        let asked = (said(Header::CallInfo), said(Header::AlertInfo));
        let call_info = "<sip:acme.example>;answer-after=0".to_owned();
        let alert_info = "<http://acme.example>;info=alert-autoanswer".to_owned();
        let expected = if auto_answer { (call_info, alert_info) } else { Default::default() };
        assert_eq!(asked, expected);
        assert!(invite.infos(Header::CallInfo).all(|info| info.is_ok()));
    }
}
