//! Reliable provisional responses: RFC 3262, and offers before the answer: RFC 3311.

mod bench;

use core::time::Duration;

use bench::{BOB, Bench, Phone, boxed, sdp, session, udp};
use expect_test::{Expect, expect};
use leg::{Direction, LegCommand, LegEvent, LegId, Session};
use model::EndReason;
use sip::{Header, Message};

fn check(bench: &mut Bench, wanted: &Expect) {
    wanted.assert_eq(&bench.take_ladder());
}

fn held(port: u16) -> Box<Session> {
    Box::new(Session { direction: Direction::RecvOnly, ..session(port) })
}

/// Alice invites with these headers; the ladder begins after it.
fn invited(extra: &'static str, body: &str) -> (Bench, Phone, LegId) {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    b.name(&alice.flow, "alice");
    alice.extra = extra;
    let leg = alice.invites(&mut b, "101", body);
    b.look_away();
    (b, alice, leg)
}

fn offer() -> String {
    sdp("198.51.100.7", 4_000, 1, "sendrecv")
}

/// Acknowledges a reliable response.
fn pracks(b: &mut Bench, phone: &mut Phone, response: &Message, body: &str) {
    phone.learns(response);
    let rseq = response.number(Header::RSeq).unwrap().unwrap();
    let cseq = response.cseq().unwrap().number;
    phone.sends(b, "PRACK", &format!("RAck: {rseq} {cseq} INVITE"), body);
}

/// RSeq is chance; ladders show how far it is from the first.
fn without_rseq(ladder: &str, first: u32) -> String {
    (0..10).fold(ladder.to_owned(), |text, n| {
        let number = (first + n).to_string();
        text.replace(&format!("RSeq: {number}"), &format!("RSeq: +{n}"))
            .replace(&format!("RAck: {number} "), &format!("RAck: +{n} "))
    })
}

#[test]
fn who_gets_reliable_responses() {
    // What the INVITE says, whether it offers, whether we have early media: the status, whether it
    // is reliable, what it describes.
    let table = [
        ("", true, false, Some((180, false, false))),
        ("", true, true, Some((183, false, true))),
        ("Supported: 100rel", true, false, Some((180, false, false))),
        ("Supported: 100rel", true, true, Some((183, true, true))),
        ("Supported: 100rel", false, false, Some((180, false, false))),
        ("Require: 100rel", true, false, Some((180, true, false))),
        ("Require: 100rel", true, true, Some((183, true, true))),
        // The first reliable response must make the offer that the INVITE lacks.
        ("Require: 100rel", false, true, Some((180, true, true))),
        ("Require: 100rel", false, false, None),
    ];
    for (extra, offers, early, wanted) in table {
        let (mut b, _, leg) = invited(extra, if offers { &*offer().leak() } else { "" });
        b.command(leg, LegCommand::Ring { early: early.then(|| boxed(10_000)) });
        let got = b.sent.pop_front().map(|(_, m)| {
            let reliable = m.has_token(Header::Require, "100rel");
            assert_eq!(reliable, m.has(Header::RSeq));
            (m.status().unwrap(), reliable, !m.body().is_empty())
        });
        assert_eq!(got, wanted, "{extra} offers {offers} early {early}");
        b.end(leg, EndReason::NoAnswer);
        b.leaves_nothing();
    }
}

#[test]
fn a_reliable_response_is_repeated_until_its_prack_and_the_next_one_waits_for_it() {
    let (mut b, mut alice, leg) = invited("Require: 100rel", &offer());
    b.command(leg, LegCommand::Ring { early: None });
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    b.run_for(Duration::from_secs(4));
    let ringing = b.next_of("180");
    let first = ringing.number(Header::RSeq).unwrap().unwrap();
    pracks(&mut b, &mut alice, &ringing, "");
    let progress = b.next_of("183");
    pracks(&mut b, &mut alice, &progress, "");
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    let ok = if ok.cseq().unwrap().name == "PRACK" { b.next_of("200") } else { ok };
    let ok = if ok.cseq().unwrap().name == "PRACK" { b.next_of("200") } else { ok };
    alice.acks(&mut b, &ok, "");
    let text = without_rseq(&b.take_ladder(), first);
    expect![[r#"
        exchange > in0 Ring
        alice < 180 INVITE RSeq: +0
        exchange > in0 Ring with early media
          +500 ms
        alice < 180 INVITE RSeq: +0
          +1000 ms
        alice < 180 INVITE RSeq: +0
          +2000 ms
        alice < 180 INVITE RSeq: +0
        alice > PRACK in dialog RAck: +0 2 INVITE
        alice < 200 PRACK
        alice < 183 INVITE sdp(v1 port 10000 sendrecv) RSeq: +1
        alice > PRACK in dialog RAck: +1 2 INVITE
        alice < 200 PRACK
        exchange > in0 Answer port 10000
        alice < 200 INVITE
        alice > ACK in dialog
        exchange < in0 Acknowledged
    "#]]
    .assert_eq(&text);
    b.end(leg, EndReason::CalleeHungUp);
    let bye = b.next_of("BYE");
    alice.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn an_answer_waits_for_the_prack_of_a_description_only() {
    let (mut b, mut alice, leg) = invited("Supported: 100rel", &offer());
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    let progress = b.next_of("183");
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    assert!(b.sent.is_empty(), "{}", b.ladder);
    pracks(&mut b, &mut alice, &progress, "");
    assert_eq!(b.next_of("200").cseq().unwrap().name, "PRACK");
    let ok = b.next_of("200");
    assert_eq!((ok.cseq().unwrap().name, ok.body()), ("INVITE", &b""[..]));

    let (mut b, mut alice, leg) = invited("Require: 100rel", &offer());
    b.command(leg, LegCommand::Ring { early: None });
    let ringing = b.next_of("180");
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    assert!(!ok.body().is_empty());
    b.look_away();
    // It is not repeated any more, but its PRACK is still known (3).
    b.run_for(Duration::from_millis(400));
    assert!(b.sent.is_empty());
    pracks(&mut b, &mut alice, &ringing, "");
    assert_eq!(b.next_of("200").cseq().unwrap().name, "PRACK");
}

#[test]
fn a_prack_that_is_for_nothing_gets_481() {
    let (mut b, mut alice, leg) = invited("Require: 100rel", &offer());
    b.command(leg, LegCommand::Ring { early: None });
    let ringing = b.next_of("180");
    let rseq = ringing.number(Header::RSeq).unwrap().unwrap();
    let cseq = ringing.cseq().unwrap().number;
    alice.learns(&ringing);
    let wrong = [
        format!("RAck: {} {cseq} INVITE", rseq + 1),
        format!("RAck: {rseq} {} INVITE", cseq + 1),
        format!("RAck: {rseq} {cseq} UPDATE"),
        "RAck: nonsense".to_owned(),
        String::new(),
    ];
    for rack in wrong {
        alice.sends(&mut b, "PRACK", &rack, "");
        assert_eq!(b.next_sent().status(), Some(481), "{rack}");
    }
    pracks(&mut b, &mut alice, &ringing, "");
    assert_eq!(b.next_sent().status(), Some(200));
    pracks(&mut b, &mut alice, &ringing, "");
    assert_eq!(b.next_sent().status(), Some(481), "acknowledged before");
    b.end(leg, EndReason::Busy);
    b.leaves_nothing();
}

#[test]
fn a_prack_that_was_overtaken_is_as_good_as_ever() {
    let (mut b, mut alice, leg) = invited("Require: 100rel", &offer());
    b.command(leg, LegCommand::Ring { early: None });
    let ringing = b.next_of("180");
    alice.learns(&ringing);
    let (target, to) = (alice.target.clone(), alice.to.clone());
    let rack = format!(
        "RAck: {} {} INVITE",
        ringing.number(Header::RSeq).unwrap().unwrap(),
        ringing.cseq().unwrap().number
    );
    let prack = alice.request("PRACK", &target, &to, &rack, "");
    alice.sends(&mut b, "OPTIONS", "", "");
    b.receive(alice.flow, prack);
    b.next_of("200");
    assert_eq!(b.next_sent().status(), Some(200));
    // Anything else out of its order is refused (RFC 3261 12.2.2).
    let cseq = ringing.cseq().unwrap().number;
    let old = alice.request_of("INFO", &target, &to, cseq, "", "");
    b.receive(alice.flow, old);
    assert_eq!(b.next_sent().status(), Some(500));
    b.end(leg, EndReason::Busy);
}

#[test]
fn without_a_prack_the_call_is_refused() {
    let (mut b, _, leg) = invited("Require: 100rel", &offer());
    b.command(leg, LegCommand::Ring { early: None });
    b.look_away();
    b.run_for(Duration::from_millis(31_999));
    // Doubled without a bound: after 0.5, 1, 2, 4, 8 and 16 s.
    assert_eq!(b.sent.len(), 6);
    b.run_for(Duration::from_millis(1));
    let reason = EndReason::TransportLost;
    let ended = LegEvent::Ended { reason, status: None, elsewhere: false };
    assert_eq!(b.next_event(), (leg, ended));
    b.next_of("504");
    b.leaves_nothing();
}

#[test]
fn an_invite_without_offer_gets_ours_reliably_and_answers_in_its_prack() {
    let (mut b, mut alice, leg) = invited("Require: 100rel", "");
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    let ringing = b.next_of("180");
    let first = ringing.number(Header::RSeq).unwrap().unwrap();
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let answer = alice.sdp(1, "sendrecv");
    pracks(&mut b, &mut alice, &ringing, &answer);
    b.next_of("200");
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    expect![[r#"
        exchange > in0 Ring with early media
        alice < 180 INVITE sdp(v1 port 10000 sendrecv) RSeq: +0
        exchange > in0 Answer port 10000
        alice > PRACK in dialog sdp(v1 port 4000 sendrecv) RAck: +0 2 INVITE
        alice < 200 PRACK
        exchange < in0 Answer port 4000 SendRecv
        alice < 200 INVITE
        alice > ACK in dialog
        exchange < in0 Acknowledged
    "#]]
    .assert_eq(&without_rseq(&b.take_ladder(), first));
}

#[test]
fn a_prack_that_owes_an_answer_and_has_none_ends_the_call() {
    let (mut b, mut alice, leg) = invited("Require: 100rel", "");
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    let ringing = b.next_of("180");
    pracks(&mut b, &mut alice, &ringing, "");
    let refused = b.next_of("400");
    assert_eq!(refused.cseq().unwrap().name, "PRACK");
    assert_eq!(b.next_of("400").cseq().unwrap().name, "INVITE");
    let reason = EndReason::ProtocolError;
    let ended = LegEvent::Ended { reason, status: None, elsewhere: false };
    assert_eq!(b.next_event(), (leg, ended));
    b.leaves_nothing();
}

#[test]
fn a_prack_may_offer_and_its_response_answers_before_the_call_is_answered() {
    let (mut b, mut alice, leg) = invited("Supported: 100rel", &offer());
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    let progress = b.next_of("183");
    let first = progress.number(Header::RSeq).unwrap().unwrap();
    let hold = alice.sdp(2, "sendonly");
    pracks(&mut b, &mut alice, &progress, &hold);
    // The 2xx waits for the answer to that offer.
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    expect![[r#"
        exchange > in0 Ring with early media
        alice < 183 INVITE sdp(v1 port 10000 sendrecv) RSeq: +0
        alice > PRACK in dialog sdp(v2 port 4000 sendonly) RAck: +0 2 INVITE
        exchange < in0 Offer port 4000 SendOnly
        exchange > in0 Answer port 10000
        exchange > in0 AnswerOffer port 10000 RecvOnly
        alice < 200 PRACK sdp(v2 port 10000 recvonly)
        alice < 200 INVITE
    "#]]
    .assert_eq(&without_rseq(&b.take_ladder(), first));
}

#[test]
fn a_caller_updates_before_the_answer_once_both_have_described_themselves() {
    let (mut b, mut alice, leg) = invited("Supported: 100rel\nAllow: INVITE, UPDATE", &offer());
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    let progress = b.next_of("183");
    pracks(&mut b, &mut alice, &progress, "");
    b.take_ladder();
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "UPDATE", "", &hold);
    alice.sends(&mut b, "UPDATE", "", &hold);
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    alice.sends(&mut b, "UPDATE", "", "");
    alice.sends(&mut b, "INVITE", "", &hold);
    let text = b.take_ladder();
    let times: String =
        text.split(" Retry-After: ").enumerate().fold(String::new(), |all, (n, t)| {
            // RFC 3311 5.2: chance between 0 and 10 seconds.
            all + if n == 0 { t } else { t.trim_start_matches(|c: char| c.is_ascii_digit()) }
        });
    expect![[r#"
        alice > UPDATE in dialog sdp(v2 port 4000 sendonly)
        exchange < in0 Offer port 4000 SendOnly
        alice > UPDATE in dialog sdp(v2 port 4000 sendonly)
        alice < 500 UPDATE
        exchange > in0 AnswerOffer port 10000 RecvOnly
        alice < 200 UPDATE sdp(v2 port 10000 recvonly)
        alice > UPDATE in dialog
        alice < 200 UPDATE
        alice > INVITE in dialog sdp(v2 port 4000 sendonly)
        alice < 500 INVITE
    "#]]
    .assert_eq(&times);
    assert_eq!(text.matches("Retry-After").count(), 2);
}

#[test]
fn an_early_offer_of_the_caller_before_our_answer_gets_500() {
    for (extra, early) in [("Supported: 100rel", None), ("", Some(boxed(10_000)))] {
        let (mut b, mut alice, leg) = invited(extra, &offer());
        b.command(leg, LegCommand::Ring { early });
        let ringing = b.next_sent();
        alice.learns(&ringing);
        let hold = alice.sdp(2, "sendonly");
        alice.sends(&mut b, "UPDATE", "", &hold);
        assert!(b.next_of("500").has(Header::RetryAfter));
        b.end(leg, EndReason::Busy);
    }
}

#[test]
fn our_offer_before_the_answer_goes_by_update_if_the_caller_takes_it() {
    let extra = "Supported: 100rel\nAllow: INVITE, UPDATE";
    let (mut b, mut alice, leg) = invited(extra, &offer());
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    b.command(leg, LegCommand::Offer(boxed(10_002)));
    let progress = b.next_of("183");
    pracks(&mut b, &mut alice, &progress, "");
    b.next_of("200");
    let update = b.next_of("UPDATE");
    // An offer of hers meanwhile collides (RFC 3311 5.2).
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "UPDATE", "", &hold);
    b.next_of("491");
    let body = alice.sdp(2, "sendrecv");
    alice.answers(&mut b, &update, 200, &body);
    assert!(matches!(b.events.back(), Some((_, LegEvent::Answer(s))) if s.port == 4_000));
    b.end(leg, EndReason::Busy);
    b.leaves_nothing();

    // One that takes no UPDATE gets it in a re-INVITE when the call is up.
    let (mut b, mut alice, leg) = invited("Supported: 100rel", &offer());
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    let progress = b.next_of("183");
    pracks(&mut b, &mut alice, &progress, "");
    b.command(leg, LegCommand::Offer(boxed(10_002)));
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    b.next_of("200");
    let ok = b.next_of("200");
    assert!(b.sent.is_empty());
    alice.acks(&mut b, &ok, "");
    b.next_of("INVITE");
}

/// Bob is dialled; his first INVITE.
fn dialled(b: &mut Bench) -> (Phone, LegId, Message) {
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    b.name(&bob.flow, "bob");
    let device = bob.registers(b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    assert!(invite.has_token(Header::Supported, "100rel"));
    bob.joins(&invite);
    b.look_away();
    (bob, leg, invite)
}

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
fn a_called_phone_updates_before_its_answer_and_so_do_we() {
    let mut b = Bench::new();
    let (mut bob, leg, invite) = dialled(&mut b);
    bob.extra = "Require: 100rel\nRSeq: 1\nAllow: INVITE, UPDATE";
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 183, &body);
    let prack = b.next_of("PRACK");
    bob.answers(&mut b, &prack, 200, "");
    b.look_away();
    let hold = bob.sdp(2, "sendonly");
    bob.sends(&mut b, "UPDATE", "", &hold);
    b.command(leg, LegCommand::AnswerOffer(held(20_000)));
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    b.next_of("200");
    let update = b.next_of("UPDATE");
    let again = bob.sdp(3, "sendrecv");
    bob.answers(&mut b, &update, 200, &again);
    bob.extra = "";
    bob.answers(&mut b, &invite, 200, "");
    check(
        &mut b,
        &expect![[r#"
            bob > UPDATE in dialog sdp(v2 port 4000 sendonly)
            exchange < out1 Offer port 4000 SendOnly
            exchange > out1 AnswerOffer port 20000 RecvOnly
            bob < 200 UPDATE sdp(v2 port 20000 recvonly)
            exchange > out1 Offer port 20002 SendRecv
            bob < UPDATE in dialog sdp(v3 port 20002 sendrecv)
            bob > 200 UPDATE sdp(v3 port 4000 sendrecv)
            exchange < out1 Answer port 4000 SendRecv
            bob > 200 INVITE
            bob < ACK in dialog
            exchange < out1 Answered no session
        "#]],
    );
}

#[test]
fn an_update_of_ours_that_is_refused_waits_or_is_told() {
    for (status, told) in [(488, true), (491, false), (405, false), (481, true)] {
        let mut b = Bench::new();
        let (mut bob, leg, invite) = dialled(&mut b);
        bob.extra = "Require: 100rel\nRSeq: 1\nAllow: INVITE, UPDATE";
        let body = bob.sdp(1, "sendrecv");
        bob.answers(&mut b, &invite, 183, &body);
        b.command(leg, LegCommand::Offer(boxed(20_002)));
        let update = b.next_of("UPDATE");
        b.look_away();
        bob.answers(&mut b, &update, status, "");
        let rejected = b.events.iter().any(|(_, e)| matches!(e, LegEvent::OfferRejected { .. }));
        assert_eq!(rejected, told, "{status}");
        // One that lied about UPDATE gets the offer when it has answered.
        bob.extra = "";
        bob.answers(&mut b, &invite, 200, "");
        b.run_for(Duration::from_millis(4_001));
        let again = b
            .sent
            .iter()
            .any(|(_, m)| m.method() == Some(sip::Method::Invite) && m.to().unwrap().tag.is_some());
        assert_eq!(again, matches!(status, 405 | 491), "{status}: {}", b.ladder);
    }
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
