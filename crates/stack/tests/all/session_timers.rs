//! Session timers: RFC 4028.

use core::time::Duration;

use leg::{LegCommand, LegEvent, LegId};
use model::EndReason;
use sip::{Header, Message};

use crate::bench::{self, BOB, Bench, Phone, boxed, dialled, summary, talking, udp};

fn header(message: &Message, header: Header) -> String {
    message.text(header).unwrap_or_default().into_owned()
}

const EXPIRED: LegEvent =
    LegEvent::Ended { reason: EndReason::SessionExpired, status: None, elsewhere: false };

/// Alice is answered; the 200 and the leg.
fn answered(extra: &'static str) -> (Bench, Phone, LegId, Message) {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    b.name(&alice.flow, "alice");
    alice.extra = extra;
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    b.look_away();
    (b, alice, leg, ok)
}

#[test]
fn what_a_caller_asks_for_and_what_it_is_granted() {
    // Section 9 and its table 2.
    let table = [
        ("", "", false),
        ("Supported: timer", "1800;refresher=uas", false),
        ("Supported: timer\nSession-Expires: 600", "600;refresher=uas", false),
        ("Supported: timer\nSession-Expires: 600;refresher=uas", "600;refresher=uas", false),
        ("Supported: timer\nSession-Expires: 600;refresher=uac", "600;refresher=uac", true),
        ("Require: timer\nSession-Expires: 90;refresher=uac", "90;refresher=uac", true),
        ("Supported: timer\nx: 7200", "1800;refresher=uas", false),
        ("Supported: timer\nSession-Expires: 7200\nMin-SE: 3600", "3600;refresher=uas", false),
        ("Supported: timer\nMin-SE: 2000", "2000;refresher=uas", false),
        // A proxy asks on behalf of a phone that knows nothing of it: we refresh.
        ("Session-Expires: 600;refresher=uac", "600;refresher=uas", false),
        ("Session-Expires: 40", "90;refresher=uas", false),
    ];
    for (extra, granted, requires) in table {
        let (_, _, _, ok) = answered(extra);
        assert_eq!(header(&ok, Header::SessionExpires), granted, "{extra}");
        assert_eq!(ok.has_token(Header::Require, "timer"), requires, "{extra}");
        assert!(ok.has_token(Header::Supported, "timer"));
    }
}

#[test]
fn too_small_an_interval_gets_422_with_our_minimum() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let (uri, to) = ("sip:101@acme.example", "<sip:101@acme.example>");
    let body = alice.sdp(1, "sendrecv");
    let more = "Supported: timer\nSession-Expires: 89";
    alice.prove(&mut b, "INVITE", uri, to, more, &body);
    let refused = b.next_of("422");
    assert_eq!(header(&refused, Header::MinSe), "90");
    assert!(b.events.is_empty());
    b.leaves_nothing();
    let (mut b, mut alice, leg, _) = answered("");
    for (method, body) in [("INVITE", body.as_str()), ("UPDATE", "")] {
        alice.sends(&mut b, method, more, body);
        let refused = b.next_of("422");
        assert_eq!(header(&refused, Header::MinSe), "90", "{method}");
    }
    assert!(b.events.is_empty());
    b.end(leg, EndReason::ApiHangup);
}

#[test]
fn a_session_that_the_peer_shall_refresh_and_does_not_ends_before_its_time() {
    // 10: a third of the interval before its end, 32 seconds at most.
    for (extra, lasts) in [
        ("Supported: timer\nSession-Expires: 90;refresher=uac", 60),
        ("Supported: timer\nSession-Expires: 600;refresher=uac", 568),
    ] {
        let (mut b, mut alice, leg, _) = answered(extra);
        b.run_for(Duration::from_secs(lasts) - Duration::from_millis(1));
        assert!(b.sent.is_empty() && b.events.is_empty(), "{}", b.ladder);
        // Refreshed at the last moment it lives as long again, by a re-INVITE too.
        alice.sends(&mut b, "UPDATE", extra, "");
        let ok = b.next_of("200");
        assert!(header(&ok, Header::SessionExpires).ends_with(";refresher=uac"));
        b.run_for(Duration::from_secs(lasts) - Duration::from_millis(1));
        let same = alice.sdp(1, "sendrecv");
        alice.sends(&mut b, "INVITE", extra, &same);
        let ok = b.next_of("200");
        alice.acks(&mut b, &ok, "");
        b.look_away();
        b.run_for(Duration::from_secs(lasts) - Duration::from_millis(1));
        assert!(b.sent.is_empty() && b.events.is_empty(), "{}", b.ladder);
        b.run_for(Duration::from_millis(1));
        assert_eq!(b.next_event(), (leg, EXPIRED));
        let bye = b.next_of("BYE");
        assert_eq!(header(&bye, Header::Reason), "SIP;cause=408;text=\"Session expired\"");
        alice.answers(&mut b, &bye, 200, "");
        b.leaves_nothing();
    }
}

#[test]
fn how_we_refresh_follows_from_what_the_peer_can_do() {
    let table = [
        ("Allow: INVITE, UPDATE\nSupported: timer", "UPDATE", "1800;refresher=uac"),
        ("Supported: timer", "INVITE", "1800;refresher=uac"),
        ("Supported: timer\nSession-Expires: 100", "INVITE", "100;refresher=uac"),
        ("Allow: INVITE, UPDATE", "UPDATE", ""),
        ("", "OPTIONS", ""),
    ];
    for (extra, method, asked) in table {
        let (mut b, alice, leg, _) = answered(extra);
        let half = if asked.starts_with("100;") { 50 } else { 900 };
        b.run_for(Duration::from_millis(half * 1_000 - 1));
        assert!(b.sent.is_empty(), "{extra}");
        // Four rounds, and each answer counts.
        for round in 0..4 {
            b.run_for(Duration::from_millis(1));
            let request = b.next_sent();
            assert!(summary(&request).starts_with(method), "{extra}: {}", summary(&request));
            assert_eq!(header(&request, Header::SessionExpires), asked, "{extra}");
            let same = alice.sdp(1, "sendrecv");
            let body = if method == "INVITE" { same.as_str() } else { "" };
            alice.answers(&mut b, &request, 200, body);
            if method == "INVITE" {
                b.next_of("ACK");
            }
            // A peer that grants nothing keeps no time, and we go on as agreed.
            assert!(b.events.is_empty() && b.sent.is_empty(), "{extra} {round}");
            b.run_for(Duration::from_millis(half * 1_000 - 1));
        }
        b.end(leg, EndReason::ApiHangup);
        let bye = b.next_of("BYE");
        alice.answers(&mut b, &bye, 200, "");
        b.leaves_nothing();
    }
}

#[test]
fn a_peer_that_does_not_answer_our_refresh_is_hung_up() {
    for extra in ["Allow: INVITE, UPDATE\nSupported: timer", "Supported: timer", ""] {
        let (mut b, alice, leg, _) = answered(extra);
        b.run_for(Duration::from_secs(900));
        b.look_away();
        b.run_for(Duration::from_secs(32));
        assert_eq!(b.next_event(), (leg, EXPIRED), "{extra}");
        let bye = b.next_of("BYE");
        alice.answers(&mut b, &bye, 200, "");
        b.leaves_nothing();
    }
}

#[test]
fn what_the_answer_to_a_refresh_means() {
    // Status of the answer, to a peer that keeps time or not; whether the call goes on after it,
    // and whether it goes on to the end of the session.
    let table = [
        ("Allow: UPDATE\nSupported: timer", 481, false, false),
        ("Allow: UPDATE\nSupported: timer", 408, false, false),
        ("Allow: UPDATE\nSupported: timer", 503, true, false),
        ("Allow: UPDATE\nSupported: timer", 491, true, false),
        ("", 404, true, true),
        ("", 501, true, true),
        ("", 503, true, true),
        ("", 481, false, false),
    ];
    for (extra, status, goes_on, for_ever) in table {
        let (mut b, alice, leg, _) = answered(extra);
        // Whatever is asked is answered so.
        let mut ended_at = None;
        for second in 0..4_000 {
            b.run_for(Duration::from_secs(1));
            while let Some((_, request)) = b.sent.pop_front() {
                if request.is_request() && request.method() != Some(sip::Method::Ack) {
                    alice.answers(&mut b, &request, status, "");
                }
            }
            if b.events.iter().any(|(_, e)| matches!(e, LegEvent::Ended { .. })) {
                ended_at = Some(second);
                break;
            }
        }
        let expected = match (goes_on, for_ever) {
            (_, true) => None,
            (true, false) => Some(1_767),
            (false, false) => Some(899),
        };
        assert_eq!(ended_at, expected, "{extra} {status}");
        b.end(leg, EndReason::ApiHangup);
    }
}

#[test]
fn a_peer_that_takes_no_update_after_all_is_refreshed_otherwise() {
    let (mut b, alice, _, _) = answered("Allow: INVITE, UPDATE\nSupported: timer");
    b.run_for(Duration::from_secs(900));
    let update = b.next_of("UPDATE");
    alice.answers(&mut b, &update, 405, "");
    assert!(summary(&b.next_sent()).starts_with("INVITE in dialog"));
}

#[test]
fn a_refresh_that_changes_the_peers_session_is_told() {
    let (mut b, alice, leg, _) = answered("Supported: timer");
    b.run_for(Duration::from_secs(900));
    let invite = b.next_of("INVITE");
    let moved = bench::sdp(&alice.ip(), 4_800, 2, "sendrecv");
    alice.answers(&mut b, &invite, 200, &moved);
    let (_, event) = b.next_event();
    assert!(matches!(event, LegEvent::Answer(s) if s.port == 4_800));
    b.end(leg, EndReason::ApiHangup);
}

#[test]
fn our_invite_asks_for_a_session_timer_and_takes_what_it_is_granted() {
    let table = [
        ("", 900, "OPTIONS"),
        ("Supported: timer\nSession-Expires: 200;refresher=uac", 100, "INVITE"),
        ("Allow: UPDATE\nRequire: timer\nSession-Expires: 200", 100, "UPDATE"),
        ("Supported: timer\nSession-Expires: 200;refresher=uas", 168, "BYE"),
    ];
    for (extra, after, what) in table {
        let mut b = Bench::new();
        let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
        let device = bob.registers(&mut b);
        b.dial(LegId::outgoing(1), BOB, device);
        let invite = b.next_of("INVITE");
        assert_eq!(header(&invite, Header::SessionExpires), "1800;refresher=uac");
        assert_eq!(header(&invite, Header::MinSe), "90");
        assert!(invite.has_token(Header::Supported, "timer"));
        bob.joins(&invite);
        bob.extra = extra;
        let body = bob.sdp(1, "sendrecv");
        bob.answers(&mut b, &invite, 200, &body);
        b.look_away();
        b.run_for(Duration::from_millis(after * 1_000 - 1));
        assert!(b.sent.is_empty(), "{extra}: {}", b.ladder);
        b.run_for(Duration::from_millis(1));
        assert!(summary(&b.next_sent()).starts_with(what), "{extra}");
    }
}

#[test]
fn a_422_makes_our_invite_ask_for_more() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let device = bob.registers(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let first = b.next_of("INVITE");
    bob.joins(&first);
    bob.extra = "Min-SE: 4000";
    bob.answers(&mut b, &first, 422, "");
    b.next_of("ACK");
    let second = b.next_of("INVITE");
    assert_eq!(header(&second, Header::SessionExpires), "4000;refresher=uac");
    assert_eq!(header(&second, Header::MinSe), "4000");
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    assert_ne!(second.top_via().unwrap().branch, first.top_via().unwrap().branch);
    for same in [Header::CallId, Header::From, Header::To, Header::Contact, Header::MaxForwards] {
        assert_eq!(second.value(same), first.value(same), "{same:?}");
    }
    assert_eq!(second.body(), first.body());
    assert_eq!(second.uri().unwrap().as_str(), first.uri().unwrap().as_str());
    bob.extra = "";
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &second, 200, &body);
    b.next_of("ACK");
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn a_422_without_sense_refuses_the_call() {
    for extra in ["", "Min-SE: 90", "Min-SE: 4000000"] {
        let mut b = Bench::new();
        let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
        let device = bob.registers(&mut b);
        b.dial(LegId::outgoing(1), BOB, device);
        let invite = b.next_of("INVITE");
        bob.joins(&invite);
        bob.extra = extra;
        bob.answers(&mut b, &invite, 422, "");
        let ended =
            LegEvent::Ended { reason: EndReason::Refused, status: Some(422), elsewhere: false };
        assert_eq!(b.next_event().1, ended, "{extra}");
        b.leaves_nothing();
    }
    // One that never has enough is asked a few times only.
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let device = bob.registers(&mut b);
    b.dial(LegId::outgoing(1), BOB, device);
    for extra in ["Min-SE: 4000", "Min-SE: 5000", "Min-SE: 6000"] {
        let invite = b.next_of("INVITE");
        bob.joins(&invite);
        bob.extra = extra;
        bob.answers(&mut b, &invite, 422, "");
    }
    assert!(matches!(b.events.back(), Some((_, LegEvent::Ended { .. }))));
    b.leaves_nothing();
}

#[test]
fn a_call_that_ends_takes_its_timer_along() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let (bob, leg) = dialled(&mut b);
    alice.sends(&mut b, "BYE", "", "");
    b.end(leg, EndReason::CallerHungUp);
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}
