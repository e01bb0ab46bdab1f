//! REFER: what it is owed, and how its NOTIFYs tell what became of it (RFC 3515).

use core::time::Duration;

use leg::{LegCommand, LegEvent, LegId, ReferId, ReferTo};
use model::{EndReason, Number};
use sip::Header;
use stack::{Endpoint, Input};

use super::{notified, referred, status};
use crate::bench::{self, Bench, Phone, TENANT, summary, talking, udp};

const TO_102: &str = "Refer-To: <sip:102@acme.example>\nReferred-By: <sip:alice@acme.example>";

fn progress(b: &mut Bench, leg: LegId, refer: ReferId, status: u16) {
    b.command(leg, LegCommand::ReferProgress { refer, status });
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
