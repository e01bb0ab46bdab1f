//! A phone calls, and we ring reliably: who gets it so, its PRACK and the lack of it.

use core::time::Duration;

use expect_test::expect;
use leg::{LegCommand, LegEvent};
use model::EndReason;
use sip::Header;

use super::{invited, offer, pracks, without_rseq};
use crate::bench::boxed;

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
