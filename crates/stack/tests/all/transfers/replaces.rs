//! Replaces, in a REFER and in an INVITE: which leg is meant (RFC 3891).

use leg::{LegCommand, LegEvent, LegId, ReferTo, Replaced};

use super::{notified, referred, status};
use crate::bench::{BOB, Bench, Phone, dialled, talking, udp};

/// The tags and the Call-ID of a phone's dialog as a Replaces; `turned`: with From and To as they
/// stand in the dialog.
fn replaces(phone: &Phone, turned: bool) -> String {
    let ours = phone.to.rsplit("tag=").next().unwrap();
    let (to, from) = if turned { (&*phone.tag, ours) } else { (ours, &*phone.tag) };
    format!("{};to-tag={to};from-tag={from}", phone.call_id)
}

fn escaped(replaces: &str) -> String {
    replaces.replace(';', "%3B").replace('=', "%3D").replace('@', "%40")
}

#[test]
fn a_refer_with_replaces_names_a_leg_by_either_order_of_its_tags() {
    for turned in [false, true] {
        let mut b = Bench::new();
        let (mut alice, _) = talking(&mut b);
        let (bob, other) = dialled(&mut b);
        let target = escaped(&replaces(&bob, turned));
        let more = format!("Refer-To: <sip:101@acme.example?Replaces={target}&Require=replaces>");
        alice.sends(&mut b, "REFER", &more, "");
        assert_eq!(referred(&mut b).2, ReferTo::Replace(other), "{turned}");
    }
}

#[test]
fn a_refer_to_a_leg_that_rings_is_taken_too() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let mut second = Phone::new("alice", udp("198.51.100.7:5060"));
    second.call_id = "second".into();
    let body = second.sdp(1, "sendrecv");
    let leg = second.invites(&mut b, "102", &body);
    b.command(leg, LegCommand::Ring { early: None });
    let ringing = b.next_of("180");
    second.learns(&ringing);
    let target = escaped(&replaces(&second, false));
    alice.sends(&mut b, "REFER", &format!("Refer-To: <sip:102@x?Replaces={target}>"), "");
    assert_eq!(referred(&mut b).2, ReferTo::Replace(leg));
}

#[test]
fn a_refer_to_a_dialog_that_is_not_there_fails_by_notify_and_the_call_lives() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let more = "Refer-To: <sip:101@x?Replaces=gone%3Bto-tag%3D1%3Bfrom-tag%3D2>";
    alice.sends(&mut b, "REFER", more, "");
    b.next_of("202");
    let trying = b.next_sent();
    assert!(notified(&trying).ends_with("SIP/2.0 100 Trying"));
    alice.answers(&mut b, &trying, 200, "");
    let failed = b.next_sent();
    assert!(notified(&failed).ends_with("SIP/2.0 481 Call/Transaction Does Not Exist"));
    assert!(b.events.is_empty());
    assert_eq!(b.endpoint.counts().dialogs, 1);
}

/// An INVITE with these Replaces; its final answer or the leg that it would replace.
fn invited(b: &mut Bench, login: &'static str, more: &str) -> Result<Option<Replaced>, u16> {
    let mut phone = Phone::new(login, udp("198.51.100.9:5060"));
    phone.call_id = format!("{login}-picker");
    b.look_away();
    let body = phone.sdp(1, "sendrecv");
    let (uri, to) = ("sip:101@acme.example", "<sip:101@acme.example>");
    // What the request alone is owed needs no proof of who sent it.
    let first = phone.request("INVITE", uri, to, more, &body);
    b.receive(phone.flow, first);
    if status(b, "INVITE") != 401 {
        return Err(status(b, "INVITE"));
    }
    b.look_away();
    phone.prove(b, "INVITE", uri, to, more, &body);
    match b.events.pop_back() {
        Some((_, LegEvent::Incoming(incoming))) => Ok(incoming.replaces),
        _ => Err(status(b, "INVITE")),
    }
}

#[test]
fn what_an_invite_with_replaces_is_owed() {
    // Bob was called and has answered.
    let up = |b: &mut Bench| dialled(b);
    // Bob was called and rings.
    let ringing = |b: &mut Bench| {
        let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
        let device = bob.registers(b);
        let leg = LegId::outgoing(1);
        b.dial(leg, BOB, device);
        let invite = b.next_of("INVITE");
        bob.joins(&invite);
        bob.answers(b, &invite, 180, "");
        (bob, leg)
    };
    // Alice calls, and nobody has answered.
    let calling = |b: &mut Bench| {
        let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
        let body = alice.sdp(1, "sendrecv");
        let leg = alice.invites(b, "101", &body);
        b.command(leg, LegCommand::Ring { early: None });
        let ringing = b.next_of("180");
        alice.learns(&ringing);
        (alice, leg)
    };
    type Begin = fn(&mut Bench) -> (Phone, LegId);
    let table: [(&str, Begin, &str, Result<bool, u16>); 9] = [
        ("up", up, "Replaces: {}", Ok(false)),
        ("up", up, "Replaces: {};early-only", Err(486)),
        ("ringing", ringing, "Replaces: {}\nRequire: replaces", Ok(false)),
        ("ringing", ringing, "Replaces: {};early-only", Ok(true)),
        ("calling", calling, "Replaces: {}", Err(481)),
        ("up", up, "Replaces: x;to-tag=1;from-tag=2", Err(481)),
        ("up", up, "Replaces: {}x", Err(481)),
        ("up", up, "Replaces: nonsense", Err(400)),
        ("up", up, "Replaces: {}\nReplaces: {}", Err(400)),
    ];
    for (name, begin, more, expected) in table {
        for turned in [false, true] {
            let mut b = Bench::new();
            let (phone, leg) = begin(&mut b);
            let more = more.replace("{}", &replaces(&phone, turned));
            let found = invited(&mut b, "bob", &more);
            let expected = expected.map(|early_only| Some(Replaced { leg, early_only }));
            assert_eq!(found, expected, "{name} {more}");
        }
    }
}

#[test]
fn a_dialog_of_another_tenant_does_not_exist() {
    let mut b = Bench::new();
    let (bob, _) = dialled(&mut b);
    let more = format!("Replaces: {}", replaces(&bob, false));
    assert_eq!(invited(&mut b, "eve", &more), Err(481));
    assert!(invited(&mut b, "alice", &more).is_ok(), "it is there for its own");
}
