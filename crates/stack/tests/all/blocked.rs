//! Blocked phones: their password is known and opens one door only, that of calls for help.

use std::sync::Arc;

use leg::{LegCommand, LegEvent};
use model::{Login, Status};
use sip::{Header, Message};
use stack::{Effect, Input};

use crate::bench::{self, ALICE, Bench, Phone, TENANT, boxed, talking, udp};

/// What the endpoint knows while Alice is blocked or is not.
fn set(b: &mut Bench, status: Status) {
    let mut directory = bench::directory();
    let alice = directory.logins.get_mut(&Login::parse("alice").unwrap()).unwrap();
    alice.status = status;
    b.input(Input::Directory(Arc::new(directory)));
}

fn blocked() -> Bench {
    let mut b = Bench::new();
    set(&mut b, Status::Blocked);
    b
}

fn stranger() -> Phone {
    Phone::new("alice", udp("198.51.100.7:5060"))
}

const AOR: &str = "<sip:alice@acme.example>";

#[test]
fn a_blocked_phone_is_403_for_everything_but_an_invite() {
    let table = [
        ("REGISTER", "sip:acme.example", "Contact: <sip:alice@198.51.100.7>"),
        ("REGISTER", "sip:acme.example", ""),
        ("SUBSCRIBE", "sip:101@acme.example", "Event: dialog\nContact: <sip:alice@198.51.100.7>"),
        ("MESSAGE", "sip:101@acme.example", ""),
        ("PUBLISH", "sip:alice@acme.example", "Event: presence"),
        ("REFER", "sip:101@acme.example", "Refer-To: <sip:102@acme.example>"),
        ("INVITE", "sip:112@acme.example", "Replaces: x;to-tag=a;from-tag=b"),
    ];
    for (method, uri, more) in table {
        let mut b = blocked();
        let mut alice = stranger();
        let sent = alice.prove(&mut b, method, uri, AOR, more, "");
        let answer = b.next_of("403");
        assert!(answer.to_tag().is_some(), "{method}");
        b.receive(alice.flow, sent);
        assert_eq!(b.next_of("403").bytes(), answer.bytes(), "{method}: a copy gets the same");
        assert!(b.events.is_empty() && b.others.is_empty(), "{method}: {:?}", b.others);
        assert_eq!(b.endpoint.counts().bindings, 0);
        b.leaves_nothing();
    }
}

#[test]
fn before_its_password_a_blocked_phone_looks_like_one_that_is_not_there() {
    let shape = |b: &mut Bench, login: &'static str, more: &str| {
        let mut phone = Phone::new(login, udp("198.51.100.7:5060"));
        let to = format!("<sip:{login}@acme.example>");
        let request = phone.request("REGISTER", "sip:acme.example", &to, more, "");
        b.receive(phone.flow, request);
        let answer: Message = b.next_sent();
        let text = String::from_utf8(answer.bytes().to_vec()).unwrap();
        let names = text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned()));
        (answer.status(), names.collect::<Vec<_>>())
    };
    let wrong = "Authorization: Digest username=\"alice\", realm=\"acme.example\", nonce=\"x\", \
                 uri=\"sip:acme.example\", response=\"00000000000000000000000000000000\", \
                 qop=auth, nc=00000001, cnonce=\"c\"";
    for more in ["", wrong] {
        let there = shape(&mut blocked(), "alice", more);
        let not_there = shape(&mut blocked(), "mallory", &more.replace("alice", "mallory"));
        assert_eq!(there, not_there);
        assert_eq!(there.0, Some(401));
    }
}

#[test]
fn an_invite_of_a_blocked_phone_is_for_the_exchange_to_judge() {
    let mut b = blocked();
    let mut alice = stranger();
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "112", &body);
    let Some((_, LegEvent::Incoming(incoming))) = b.events.back() else { panic!() };
    assert_eq!(incoming.origin, leg::Origin::Extension(ALICE));
    assert_eq!(incoming.device, None);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    b.look_away();
    alice.sends(&mut b, "REFER", "Refer-To: <sip:102@acme.example>", "");
    assert_eq!(b.next_sent().status(), Some(403), "the call for help leads nowhere else");
    assert!(b.events.is_empty());
    alice.sends(&mut b, "BYE", "", "");
    assert_eq!(b.next_of("200").status(), Some(200));
    assert!(matches!(b.next_event(), (_, LegEvent::Ended { .. })));
    b.leaves_nothing();
}

#[test]
fn who_is_blocked_is_not_registered_any_more_and_registers_again_when_it_is_not() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let device = alice.registers(&mut b);
    set(&mut b, Status::Blocked);
    let gone = |e: &Effect| matches!(e, Effect::DeviceDown { device: d, .. } if *d == device);
    assert!(b.others.iter().any(gone), "{:?}", b.others);
    assert_eq!(b.endpoint.counts().bindings, 0);
    b.look_away();
    set(&mut b, Status::Active);
    alice.registers(&mut b);
    assert_eq!(b.endpoint.counts().bindings, 1);
}

#[test]
fn a_call_that_is_up_when_its_phone_is_blocked_ends_as_it_would_have() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    set(&mut b, Status::Blocked);
    alice.sends(&mut b, "REFER", "Refer-To: <sip:102@acme.example>", "");
    assert_eq!(b.next_sent().status(), Some(403));
    alice.sends(&mut b, "BYE", "", "");
    assert_eq!(b.next_sent().status(), Some(200));
    assert!(b.endpoint.registrations(TENANT, Some(ALICE)).is_empty());
}

#[test]
fn the_403_of_a_blocked_phone_says_nothing_more() {
    let mut b = blocked();
    let mut alice = stranger();
    alice.prove(&mut b, "REGISTER", "sip:acme.example", AOR, "", "");
    let answer = b.next_of("403");
    for header in [Header::WwwAuthenticate, Header::Contact, Header::Warning] {
        assert!(!answer.has(header), "{header:?}");
    }
}
