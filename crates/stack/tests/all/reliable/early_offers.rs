//! Offers before the answer, in PRACK and UPDATE: RFC 3311.

use core::time::Duration;

use expect_test::expect;
use leg::{LegCommand, LegEvent};
use model::EndReason;
use sip::Header;

use super::{dialled, invited, offer, pracks, without_rseq};
use crate::bench::{Bench, boxed, check, held};

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
