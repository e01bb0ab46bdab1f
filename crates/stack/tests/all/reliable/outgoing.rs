//! We dial, and the phone answers reliably before its answer: our PRACK.

use core::time::Duration;

use expect_test::expect;
use leg::LegEvent;
use model::EndReason;
use sip::Header;

use super::dialled;
use crate::bench::{Bench, sdp};

#[test]
fn reliable_responses_are_acknowledged_in_their_order() {
    let mut b = Bench::new();
    let (mut bob, leg, invite) = dialled(&mut b);
    for (extra, body) in [
        ("Require: 100rel\nRSeq: 10", ""),
        ("Require: 100rel\nRSeq: 10", ""),
        // A gap: it is not heard, and not acknowledged.
        ("Require: 100rel\nRSeq: 12", "x"),
        ("Require: 100rel\nRSeq: 11", "x"),
        ("Require: 100rel\nRSeq: 12", ""),
        ("", ""),
    ] {
        bob.extra = extra;
        let body = if body.is_empty() { String::new() } else { bob.sdp(1, "sendrecv") };
        bob.answers(&mut b, &invite, 183, &body);
    }
    let cseq = invite.cseq().unwrap().number;
    let text = b.take_ladder().replace(&format!(" {cseq} INVITE"), " N INVITE");
    expect![[r#"
        bob > 183 INVITE RSeq: 10
        bob < PRACK in dialog RAck: 10 N INVITE
        exchange < out1 Progress 183 no session
        bob > 183 INVITE RSeq: 10
        bob > 183 INVITE sdp(v1 port 4000 sendrecv) RSeq: 12
        bob > 183 INVITE sdp(v1 port 4000 sendrecv) RSeq: 11
        bob < PRACK in dialog RAck: 11 N INVITE
        exchange < out1 Progress 183 port 4000 SendRecv
        bob > 183 INVITE RSeq: 12
        bob < PRACK in dialog RAck: 12 N INVITE
        exchange < out1 Progress 183 no session
        bob > 183 INVITE
        exchange < out1 Progress 183 no session
    "#]]
    .assert_eq(&text);
    b.end(leg, EndReason::NoAnswer);
}

#[test]
fn a_prack_goes_where_the_early_dialog_says_and_is_repeated() {
    let mut b = Bench::new();
    let (mut bob, _, invite) = dialled(&mut b);
    bob.extra = "Require: 100rel\nRSeq: 1\nRecord-Route: <sip:p1.example;lr>, <sip:p2.example;lr>";
    bob.answers(&mut b, &invite, 180, "");
    let prack = b.next_of("PRACK");
    let routes = prack.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned());
    assert_eq!(routes.collect::<Vec<_>>(), ["sip:p2.example;lr", "sip:p1.example;lr"]);
    assert_eq!(prack.uri().unwrap().as_str(), "sip:bob@198.51.100.8:5060");
    assert_eq!(prack.to().unwrap().tag, Some("bob-tag"));
    b.run_for(Duration::from_millis(500));
    assert_eq!(b.next_of("PRACK").bytes(), prack.bytes());
    bob.answers(&mut b, &prack, 481, "");
    assert_eq!(b.endpoint.counts().dialogs, 1, "the INVITE goes on");
}

#[test]
fn after_a_reliable_answer_no_other_description_counts() {
    let mut b = Bench::new();
    let (mut bob, _, invite) = dialled(&mut b);
    bob.extra = "Require: 100rel\nRSeq: 1\nAllow: INVITE, UPDATE";
    let first = sdp("198.51.100.8", 4_002, 1, "sendrecv");
    bob.answers(&mut b, &invite, 183, &first);
    bob.extra = "";
    let other = sdp("198.51.100.8", 4_004, 2, "sendrecv");
    bob.answers(&mut b, &invite, 183, &other);
    bob.answers(&mut b, &invite, 200, &other);
    let told: Vec<_> = b.events.iter().map(|(_, e)| e.clone()).collect();
    assert!(matches!(&told[0], LegEvent::Progress { early: Some(s), .. } if s.port == 4_002));
    assert!(matches!(&told[1], LegEvent::Progress { early: None, .. }));
    assert!(matches!(&told[2], LegEvent::Answered { answer: None, .. }));
}

#[test]
fn each_fork_has_a_dialog_and_an_answer_of_its_own() {
    let mut b = Bench::new();
    let (mut bob, leg, invite) = dialled(&mut b);
    let mut twin = bob.clone();
    twin.tag = "twin-tag".into();
    bob.extra = "Require: 100rel\nRSeq: 5";
    twin.extra = "Require: 100rel\nRSeq: 900";
    let first = sdp("198.51.100.8", 4_002, 1, "sendrecv");
    let second = sdp("198.51.100.8", 4_004, 1, "sendrecv");
    bob.answers(&mut b, &invite, 183, &first);
    twin.answers(&mut b, &invite, 183, &second);
    let tags: Vec<_> = b
        .sent
        .iter()
        .map(|(_, m)| (m.to().unwrap().tag.unwrap().to_owned(), m.rack().unwrap().unwrap().rseq))
        .collect();
    assert_eq!(tags, [("bob-tag".to_owned(), 5), ("twin-tag".to_owned(), 900)]);
    b.look_away();
    // The first answers without a description: its own counts, not the newest.
    bob.extra = "";
    bob.answers(&mut b, &invite, 200, "");
    let (_, answered) = b.next_event();
    assert!(matches!(answered, LegEvent::Answered { answer: Some(s), .. } if s.port == 4_002));
    b.end(leg, EndReason::CallerHungUp);
    b.look_away();
    // After the end of the leg the other one answers too: acknowledged and hung up.
    b.run_for(Duration::from_secs(10));
    b.look_away();
    twin.extra = "";
    twin.answers(&mut b, &invite, 200, &second);
    b.next_of("ACK");
    let bye = b.next_of("BYE");
    assert_eq!(bye.to().unwrap().tag, Some("twin-tag"));
    twin.answers(&mut b, &bye, 200, "");
    b.run_for(Duration::from_secs(70));
    assert_eq!(b.endpoint.counts().transactions, 0);
}
