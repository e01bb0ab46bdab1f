//! What each kind of request is owed in each situation, and where the answer goes.

use core::time::Duration;

use leg::{LegCommand, LegEvent, LegId};
use model::EndReason;
use sip::{Header, Message};
use stack::{Effect, Input};

use crate::bench::{self, BOB, Bench, Phone, boxed, dialled, message, summary, talking, tcp, udp};

const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "MESSAGE",
    "FOO",
];

/// Everything that was answered, statuses and what they must say.
fn answered(b: &mut Bench) -> String {
    let sent = core::mem::take(&mut b.sent);
    let answers = sent.into_iter().filter_map(|(_, m)| Some((m.status()?, m)));
    let said = |m: &Message, h: Header| m.has(h);
    let texts = answers.map(|(status, m)| {
        let owed = match status {
            405 | 501 => said(&m, Header::Allow),
            415 => said(&m, Header::Accept),
            420 => said(&m, Header::Unsupported),
            401 => said(&m, Header::WwwAuthenticate),
            488 => said(&m, Header::Warning),
            489 => said(&m, Header::AllowEvents),
            422 => said(&m, Header::MinSe),
            503 => said(&m, Header::RetryAfter),
            _ => true,
        };
        assert!(owed, "{m:?}");
        status.to_string()
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_method_in_every_situation() {
    type Situation = (&'static str, fn(&mut Bench) -> Phone);
    let situations: [Situation; 4] = [
        ("stranger", |_| {
            let mut phone = Phone::new("mallory", udp("203.0.113.66:5060"));
            phone.target = "sip:101@acme.example".into();
            phone.to = "<sip:101@acme.example>".into();
            phone
        }),
        ("stray", |_| {
            let mut phone = Phone::new("alice", udp("198.51.100.7:5060"));
            phone.target = "sip:key23456abcdefghijkmn@192.0.2.1".into();
            phone.to = "<sip:101@acme.example>;tag=key23456abcdefghijkmn".into();
            phone
        }),
        ("ringing", |b| {
            let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
            let body = alice.sdp(1, "sendrecv");
            let leg = alice.invites(b, "101", &body);
            b.command(leg, LegCommand::Ring { early: None });
            let ringing = b.next_of("180");
            alice.learns(&ringing);
            alice
        }),
        ("up", |b| talking(b).0),
    ];
    let mut table = String::from("           ");
    for (name, _) in &situations {
        table.push_str(&format!("{name:>10}"));
    }
    for method in METHODS {
        table.push_str(&format!("\n{method:<11}"));
        for (_, begin) in &situations {
            let mut b = Bench::new();
            let mut phone = begin(&mut b);
            b.look_away();
            phone.sends(&mut b, method, "", "");
            table.push_str(&format!("{:>10}", answered(&mut b)));
        }
    }
    // A BYE while it rings ends the INVITE too. A re-INVITE without an offer gets ours.
    expect_test::expect![[r#"
                     stranger     stray   ringing        up
        INVITE            401       481       500       200
        ACK                                                
        BYE               401       481   200 487       200
        CANCEL            481       481       481       481
        REGISTER          401       401       401       401
        OPTIONS           200       481       200       200
        INFO              401       481       200       200
        UPDATE            401       481       200       200
        PRACK             401       481       481       481
        SUBSCRIBE         401       481       489       489
        NOTIFY            401       481       405       405
        REFER             401       481       403       400
        MESSAGE           401       481       405       405
        FOO               501       481       501       501"#]]
    .assert_eq(&table);
}

#[test]
fn what_a_request_alone_is_owed_inside_and_outside_of_a_dialog() {
    let audio = bench::sdp("198.51.100.7", 4_000, 2, "sendonly");
    let secured = audio.replace("RTP/AVP", "RTP/SAVP");
    let table = [
        ("Require: foo", audio.as_str(), 420, 420),
        ("Require: 100rel, sec-agree", &audio, 420, 420),
        ("Content-Type: text/plain", "hello", 415, 415),
        ("Content-Encoding: gzip", &audio, 415, 415),
        ("", "nonsense", 400, 400),
        ("", "v=0\r\n", 488, 488),
        ("", &secured, 488, 488),
        ("Supported: timer\nSession-Expires: 10", &audio, 422, 422),
        ("Accept: text/plain", &audio, 406, 0),
        ("Expires: soon", "", 400, 400),
    ];
    for (more, body, outside, inside) in table {
        let mut b = Bench::new();
        let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
        let (uri, to) = ("sip:101@acme.example", "<sip:101@acme.example>");
        // What the request alone is owed needs no proof of who sent it.
        let first = alice.request("INVITE", uri, to, more, body);
        b.receive(alice.flow, first);
        if b.sent.front().and_then(|(_, m)| m.status()) == Some(401) {
            b.sent.clear();
            alice.prove(&mut b, "INVITE", uri, to, more, body);
        }
        assert_eq!(answered(&mut b), outside.to_string(), "outside: {more} {body}");
        assert!(b.events.is_empty(), "{more}");
        if inside == 0 {
            continue;
        }
        for method in ["INVITE", "UPDATE"] {
            let mut b = Bench::new();
            let (mut alice, _) = talking(&mut b);
            alice.sends(&mut b, method, more, body);
            assert_eq!(answered(&mut b), inside.to_string(), "{method} inside: {more} {body}");
            assert!(b.events.is_empty(), "{more}");
        }
    }
}

#[test]
fn a_status_to_a_request_of_ours_ends_the_dialog_or_only_the_request() {
    // RFC 5057 5.1.
    for status in [400, 403, 405, 415, 420, 480, 486, 487, 488, 493, 500, 501, 503, 504, 603, 606] {
        let mut b = Bench::new();
        let (bob, leg) = dialled(&mut b);
        b.command(leg, LegCommand::Offer(boxed(20_002)));
        let invite = b.next_of("INVITE");
        bob.answers(&mut b, &invite, status, "");
        assert!(matches!(b.next_event().1, LegEvent::OfferRejected { status: s } if s == status));
        assert_eq!(b.endpoint.counts().dialogs, 1, "{status}");
    }
    for status in [404, 408, 410, 416, 481, 482, 483, 484, 485, 502, 604] {
        let mut b = Bench::new();
        let (bob, leg) = dialled(&mut b);
        b.command(leg, LegCommand::Offer(boxed(20_002)));
        let invite = b.next_of("INVITE");
        bob.answers(&mut b, &invite, status, "");
        let (_, ended) = b.next_event();
        let reason = EndReason::TransportLost;
        assert_eq!(ended, LegEvent::Ended { reason, status: Some(status), elsewhere: false });
        b.next_of("BYE");
    }
}

#[test]
fn a_500_with_retry_after_is_waited_out() {
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    let invite = b.next_of("INVITE");
    let refused = String::from_utf8(bob.response(&invite, 500, "").bytes().to_vec()).unwrap();
    let refused = refused.replacen("Contact:", "Retry-After: 3\r\nContact:", 1);
    b.receive(bob.flow, Message::parse(refused.into_bytes()).unwrap());
    b.look_away();
    b.run_for(Duration::from_millis(2_999));
    assert!(b.sent.is_empty() && b.events.is_empty());
    b.run_for(Duration::from_millis(501));
    assert!(summary(&b.next_sent()).starts_with("INVITE in dialog"));
}

#[test]
fn a_reinvite_that_is_thought_about_for_ever_ends_the_call() {
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    let invite = b.next_of("INVITE");
    bob.answers(&mut b, &invite, 180, "");
    b.run_for(Duration::from_secs(189));
    assert!(b.events.is_empty());
    b.run_for(Duration::from_secs(2));
    assert!(matches!(b.next_event().1, LegEvent::Ended { .. }));
    b.leaves_nothing();
    // And one whose call was ended meanwhile is not waited for at all.
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    let invite = b.next_of("INVITE");
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    bob.answers(&mut b, &invite, 180, "");
    b.leaves_nothing();
}

#[test]
fn a_caller_of_whom_the_exchange_says_nothing_is_let_go_after_three_minutes() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.run_for(Duration::from_secs(189));
    // A word of the exchange extends it; what we repeat by ourselves does not.
    b.command(leg, LegCommand::Ring { early: None });
    b.look_away();
    b.run_for(Duration::from_secs(189));
    assert!(b.events.is_empty());
    b.run_for(Duration::from_secs(1));
    let reason = EndReason::NoAnswer;
    let ended = LegEvent::Ended { reason, status: None, elsewhere: false };
    assert_eq!(b.next_event(), (leg, ended));
    b.next_of("480");
    b.leaves_nothing();
}

#[test]
fn a_phone_whose_every_response_is_lost_does_not_ring_on() {
    for gives_up in [false, true] {
        let mut b = Bench::new();
        let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
        let device = bob.registers(&mut b);
        let leg = LegId::outgoing(1);
        b.dial(leg, BOB, device);
        let invite = b.next_of("INVITE");
        bob.joins(&invite);
        if gives_up {
            b.run_for(Duration::from_secs(6));
            b.end(leg, EndReason::AnsweredElsewhere);
        }
        b.look_away();
        b.run_for(Duration::from_secs(32));
        let cancel = b.next_of("CANCEL");
        assert_eq!(cancel.top_via().unwrap().branch, invite.top_via().unwrap().branch);
        assert_eq!(cancel.has(Header::Reason), gives_up);
        // From here on it is heard again.
        bob.answers(&mut b, &cancel, 200, "");
        bob.answers(&mut b, &invite, 487, "");
        b.next_of("ACK");
        b.leaves_nothing();
    }
}

#[test]
fn a_reason_in_a_bye_or_cancel_is_read() {
    let table = [
        ("", None, false),
        ("Reason: SIP;cause=200;text=\"Call completed elsewhere\"", None, true),
        ("Reason: SIP;cause=408", Some(408), false),
        ("Reason: Q.850;cause=16, SIP;cause=603", Some(603), false),
        ("Reason: nonsense=", None, false),
    ];
    for (more, status, elsewhere) in table {
        let mut b = Bench::new();
        let (mut alice, leg) = talking(&mut b);
        alice.sends(&mut b, "BYE", more, "");
        let ended = LegEvent::Ended { reason: EndReason::CallerHungUp, status, elsewhere };
        assert_eq!(b.next_event(), (leg, ended), "{more}");
    }
}

/// An OPTIONS from this address whose Via says this; where the answer goes and what its Via says.
fn answer_to(via: &str, from: &str) -> (String, String) {
    let mut b = Bench::new();
    let head = format!(
        "OPTIONS sip:acme.example SIP/2.0
         Via: SIP/2.0/UDP {via};branch=z9hG4bKx
         Max-Forwards: 70
         From: <sip:a@acme.example>;tag=a
         To: <sip:acme.example>
         Call-ID: c
         CSeq: 1 OPTIONS"
    );
    b.receive(udp(from), message(&head, ""));
    let (flow, answer) = b.sent.pop_front().unwrap();
    let via = answer.text(Header::Via).unwrap().replace("SIP/2.0/UDP ", "");
    (flow.remote.to_string(), via.replace(";branch=z9hG4bKx", ""))
}

#[test]
fn where_a_response_goes_and_what_its_via_says() {
    // RFC 3261 18.2.1, 18.2.2; RFC 3581 4.
    let table = [
        // Without rport: to the port of the Via.
        ("198.51.100.7:5070", "198.51.100.7:61000", "198.51.100.7:5070", "198.51.100.7:5070"),
        ("198.51.100.7", "198.51.100.7:61000", "198.51.100.7:5060", "198.51.100.7"),
        // With it: to where it came from.
        (
            "198.51.100.7:5070;rport",
            "198.51.100.7:61000",
            "198.51.100.7:61000",
            "198.51.100.7:5070;received=198.51.100.7;rport=61000",
        ),
        // Behind NAT: the port of the Via is not the NAT's.
        (
            "10.0.0.7:5070",
            "198.51.100.7:61000",
            "198.51.100.7:61000",
            "10.0.0.7:5070;received=198.51.100.7",
        ),
        (
            "phone.example",
            "198.51.100.7:61000",
            "198.51.100.7:61000",
            "phone.example;received=198.51.100.7",
        ),
        // What a stranger says of itself does not choose who gets our answer.
        (
            "198.51.100.7;maddr=203.0.113.1",
            "198.51.100.7:61000",
            "198.51.100.7:5060",
            "198.51.100.7;maddr=203.0.113.1",
        ),
        (
            "203.0.113.9;received=203.0.113.9",
            "198.51.100.7:61000",
            "198.51.100.7:61000",
            "203.0.113.9;received=198.51.100.7",
        ),
    ];
    for (via, from, to, says) in table {
        assert_eq!(answer_to(via, from), (to.to_owned(), says.to_owned()), "{via} from {from}");
    }
}

#[test]
fn a_response_goes_back_on_its_connection_or_nowhere() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", tcp(5, "198.51.100.7:61000"));
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Ring { early: None });
    assert!(b.sent.iter().all(|(flow, _)| *flow == alice.flow));
    b.look_away();
    b.input(Input::FlowClosed(alice.flow.id));
    // It has ended with its connection; nothing is sent on one that is gone.
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    assert!(b.sent.is_empty());
    assert!(b.others.iter().all(|e| !matches!(e, Effect::CloseFlow(_))));
    b.leaves_nothing();
}
