//! REFER, Replaces, whom a phone is shown, and calls that are answered without a hand.

mod bench;

use core::time::Duration;

use bench::{BOB, Bench, Phone, TENANT, boxed, dialled, summary, talking, udp};
use leg::{Identity, LegCommand, LegEvent, LegId, ReferId, ReferTo, Replaced};
use model::{DisplayName, EndReason, Number};
use sip::{Header, Message};
use stack::{Endpoint, Input};

const TO_102: &str = "Refer-To: <sip:102@acme.example>\nReferred-By: <sip:alice@acme.example>";

/// The REFER that the exchange was told of last.
fn referred(b: &mut Bench) -> (LegId, ReferId, ReferTo) {
    match b.events.pop_back() {
        Some((leg, LegEvent::Refer { refer, to, .. })) => (leg, refer, to),
        other => panic!("{other:?}: {}", b.ladder),
    }
}

fn progress(b: &mut Bench, leg: LegId, refer: ReferId, status: u16) {
    b.command(leg, LegCommand::ReferProgress { refer, status });
}

/// Event, Subscription-State and body of a NOTIFY.
fn notified(message: &Message) -> String {
    assert!(summary(message).starts_with("NOTIFY in dialog"), "{message:?}");
    assert!(message.contact().unwrap().is_some(), "RFC 6665 8.1.1");
    let said = |header| message.text(header).unwrap_or_default().into_owned();
    assert_eq!(said(Header::ContentType), "message/sipfrag;version=2.0");
    let body = String::from_utf8(message.body().to_vec()).unwrap();
    format!("{} | {} | {}", said(Header::Event), said(Header::SubscriptionState), body.trim_end())
}

/// The last answer to a request of this method.
fn status(b: &Bench, method: &str) -> u16 {
    let mut sent = b.sent.iter().rev().map(|(_, m)| m);
    let answer = sent.find(|m| m.status().is_some() && m.cseq().unwrap().name == method);
    answer.and_then(Message::status).expect("no answer")
}

#[test]
fn a_transfer_is_told_step_by_step_and_one_notify_at_a_time() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    alice.sends(&mut b, "REFER", TO_102, "");
    let number = Number::parse("102").unwrap();
    let by = Number::parse("alice").unwrap();
    let Some((_, LegEvent::Refer { refer, to, referred_by })) = b.events.pop_back() else {
        panic!("{}", b.ladder)
    };
    assert_eq!((to, referred_by), (ReferTo::Number(number), Some(by)));
    b.command(leg, LegCommand::ReferAccepted { refer });
    let accepted = b.next_of("202");
    assert!(accepted.contact().unwrap().is_some());
    let trying = b.next_sent();
    assert_eq!(notified(&trying), "refer | active;expires=300 | SIP/2.0 100 Trying");
    // Of what happens before it has answered only the newest is told.
    progress(&mut b, leg, refer, 180);
    progress(&mut b, leg, refer, 183);
    assert!(b.sent.is_empty(), "two at once");
    b.run_for(Duration::from_secs(20));
    assert_eq!(b.next_sent().bytes(), trying.bytes(), "repeated while nobody answers");
    b.sent.clear();
    alice.answers(&mut b, &trying, 200, "");
    let ringing = b.next_sent();
    assert_eq!(notified(&ringing), "refer | active;expires=280 | SIP/2.0 183 Session Progress");
    assert!(ringing.cseq().unwrap().number > trying.cseq().unwrap().number);
    alice.answers(&mut b, &ringing, 200, "");
    progress(&mut b, leg, refer, 200);
    let done = b.next_sent();
    assert_eq!(notified(&done), "refer | terminated;reason=noresource | SIP/2.0 200 OK");
    alice.answers(&mut b, &done, 200, "");
    progress(&mut b, leg, refer, 486);
    assert!(b.sent.is_empty(), "after its end");
    alice.sends(&mut b, "BYE", "", "");
    b.leaves_nothing();
}

#[test]
fn the_second_refer_of_a_dialog_names_itself() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let mut events = Vec::new();
    for to in ["102", "103"] {
        alice.sends(&mut b, "REFER", &format!("Refer-To: sip:{to}@x"), "");
        let (_, refer, _) = referred(&mut b);
        b.command(leg, LegCommand::ReferAccepted { refer });
        b.next_of("202");
        events.push((refer, b.next_sent().text(Header::Event).unwrap().into_owned()));
    }
    assert_eq!(events[0].1, "refer");
    assert_eq!(events[1].1, format!("refer;id={}", events[1].0.0));
}

#[test]
fn what_a_refer_is_owed_when_it_is_not_taken() {
    let refused = |more: &str, to: fn(&mut Bench) -> Phone| {
        let mut b = Bench::new();
        let mut phone = to(&mut b);
        b.look_away();
        phone.sends(&mut b, "REFER", more, "");
        assert!(b.events.is_empty(), "{more}");
        status(&b, "REFER")
    };
    let up: fn(&mut Bench) -> Phone = |b| talking(b).0;
    let table = [
        ("", 400),
        ("Refer-To: <sip:102@x>\nRefer-To: <sip:103@x>", 400),
        ("Refer-To: <sip:102@x?Replaces=nonsense>", 400),
        ("Refer-To: <sip:102@x?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=b>", 400),
        ("Refer-To: <sip:102@x;method=BYE>", 403),
        ("Refer-To: <sip:x>", 403),
        ("Require: nonsense\nRefer-To: <sip:102@x>", 420),
        ("Refer-Sub: false\nRefer-To: <sip:102@x?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>", 603),
    ];
    for (more, expected) in table {
        assert_eq!(refused(more, up), expected, "{more}");
    }
    let ringing: fn(&mut Bench) -> Phone = |b| {
        let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
        let body = alice.sdp(1, "sendrecv");
        let leg = alice.invites(b, "101", &body);
        b.command(leg, LegCommand::Ring { early: None });
        let ringing = b.next_of("180");
        alice.learns(&ringing);
        alice
    };
    assert_eq!(refused(TO_102, ringing), 403);
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    alice.prove(&mut b, "REFER", "sip:101@acme.example", "<sip:101@acme.example>", TO_102, "");
    assert_eq!(status(&b, "REFER"), 403, "outside of a call");
    b.leaves_nothing();
}

#[test]
fn the_exchange_refuses_or_says_nothing() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    alice.sends(&mut b, "REFER", TO_102, "");
    let (_, refer, _) = referred(&mut b);
    b.command(leg, LegCommand::ReferRefused { refer, status: 603 });
    assert_eq!(status(&b, "REFER"), 603);
    b.command(leg, LegCommand::ReferAccepted { refer });
    alice.sends(&mut b, "REFER", TO_102, "");
    b.run_for(Duration::from_millis(4_999));
    b.look_away();
    b.run_for(Duration::from_millis(1));
    assert_eq!(status(&b, "REFER"), 500);
    assert_eq!(b.sent.len(), 1, "no NOTIFY: {}", b.ladder);
}

#[test]
fn a_fifth_transfer_at_once_has_to_wait() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    for _ in 0..5 {
        alice.sends(&mut b, "REFER", TO_102, "");
    }
    assert_eq!(status(&b, "REFER"), 491);
    assert_eq!(b.events.len(), 4);
}

#[test]
fn who_wants_to_hear_nothing_hears_nothing() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let more = format!("{TO_102}\nRequire: norefersub\nRefer-Sub: false");
    alice.sends(&mut b, "REFER", &more, "");
    let (_, refer, _) = referred(&mut b);
    b.command(leg, LegCommand::ReferAccepted { refer });
    progress(&mut b, leg, refer, 200);
    let accepted = b.next_sent();
    assert_eq!(accepted.text(Header::ReferSub).as_deref(), Some("false"));
    assert!(b.sent.is_empty(), "{}", b.ladder);
}

#[test]
fn a_bye_right_after_the_refer_leaves_nothing() {
    for answered in [false, true] {
        let mut b = Bench::new();
        let (mut alice, leg) = talking(&mut b);
        alice.sends(&mut b, "REFER", TO_102, "");
        let (_, refer, _) = referred(&mut b);
        if answered {
            b.command(leg, LegCommand::ReferAccepted { refer });
        }
        alice.sends(&mut b, "BYE", "", "");
        assert_eq!(status(&b, "REFER"), if answered { 202 } else { 487 });
        assert_eq!(status(&b, "BYE"), 200);
        b.command(leg, LegCommand::ReferAccepted { refer });
        progress(&mut b, leg, refer, 200);
        b.leaves_nothing();
    }
}

#[test]
fn the_result_is_told_before_we_hang_up() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    alice.sends(&mut b, "REFER", TO_102, "");
    let (_, refer, _) = referred(&mut b);
    b.command(leg, LegCommand::ReferAccepted { refer });
    progress(&mut b, leg, refer, 200);
    b.look_away();
    b.end(leg, EndReason::CallerHungUp);
    assert!(notified(&b.next_sent()).ends_with("SIP/2.0 200 OK"));
    assert_eq!(summary(&b.next_sent()), "BYE in dialog");
    b.leaves_nothing();
}

#[test]
fn a_notify_that_is_refused_or_lost_ends_the_telling_and_not_the_call() {
    for answer in [Some(481), Some(489), None] {
        let mut b = Bench::new();
        let (mut alice, leg) = talking(&mut b);
        alice.sends(&mut b, "REFER", TO_102, "");
        let (_, refer, _) = referred(&mut b);
        b.command(leg, LegCommand::ReferAccepted { refer });
        let trying = b.next_of("NOTIFY");
        match answer {
            Some(status) => alice.answers(&mut b, &trying, status, ""),
            None => b.run_for(Duration::from_secs(33)),
        }
        b.look_away();
        progress(&mut b, leg, refer, 200);
        assert!(b.sent.is_empty() && b.events.is_empty(), "{answer:?}: {}", b.ladder);
        assert_eq!(b.endpoint.counts().dialogs, 1);
    }
}

#[test]
fn a_subscription_of_a_refer_is_refreshed_ended_and_ends_by_itself() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    alice.sends(&mut b, "REFER", TO_102, "");
    let (_, refer, _) = referred(&mut b);
    b.command(leg, LegCommand::ReferAccepted { refer });
    let trying = b.next_of("NOTIFY");
    alice.answers(&mut b, &trying, 200, "");
    alice.sends(&mut b, "SUBSCRIBE", "Event: refer\nExpires: 60", "");
    assert_eq!(b.next_of("200").text(Header::Expires).as_deref(), Some("60"));
    let again = b.next_of("NOTIFY");
    assert_eq!(notified(&again), "refer | active;expires=60 | SIP/2.0 100 Trying");
    alice.answers(&mut b, &again, 200, "");
    b.look_away();
    b.run_for(Duration::from_secs(60));
    let last = b.next_sent();
    assert_eq!(notified(&last), "refer | terminated;reason=timeout | SIP/2.0 100 Trying");
    alice.answers(&mut b, &last, 200, "");
    for (event, expected) in [("refer", 481), ("dialog", 489), ("refer;id=9", 481)] {
        alice.sends(&mut b, "SUBSCRIBE", &format!("Event: {event}"), "");
        assert_eq!(status(&b, "SUBSCRIBE"), expected, "{event}");
    }
    assert!(b.events.is_empty());
}

#[test]
fn a_transfer_under_way_is_told_on_after_a_move() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    alice.sends(&mut b, "REFER", TO_102, "");
    let (_, refer, _) = referred(&mut b);
    b.command(leg, LegCommand::ReferAccepted { refer });
    let trying = b.next_of("NOTIFY");
    alice.answers(&mut b, &trying, 200, "");
    let exported = b.endpoint.export(b.now, TENANT);
    b.endpoint = Endpoint::new(bench::config(), model::Chance::from_number(9));
    b.input(Input::Directory(std::sync::Arc::new(bench::directory())));
    b.endpoint.import(b.now, TENANT, &exported).unwrap();
    b.look_away();
    progress(&mut b, leg, refer, 603);
    let done = b.next_of("NOTIFY");
    assert_eq!(notified(&done), "refer | terminated;reason=noresource | SIP/2.0 603 Decline");
}

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
