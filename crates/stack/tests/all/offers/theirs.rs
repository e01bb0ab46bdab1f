//! A phone offers: hold, refresh, other media, and an exchange that refuses or is silent.

use core::time::Duration;

use expect_test::expect;
use leg::{Direction, LegCommand, Session};
use model::EndReason;
use sip::Message;

use crate::bench::{self, Bench, Phone, boxed, check, held, message, sdp, session, talking};

#[test]
fn a_phone_holds_and_resumes() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    let resume = alice.sdp(3, "sendrecv");
    alice.sends(&mut b, "INVITE", "", &resume);
    b.command(leg, LegCommand::AnswerOffer(boxed(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE in dialog sdp(v2 port 4000 sendonly)
        exchange < in0 Offer port 4000 SendOnly
        exchange > in0 AnswerOffer port 10000 RecvOnly
        alice < 200 INVITE sdp(v2 port 10000 recvonly)
        alice > ACK in dialog
        alice > INVITE in dialog sdp(v3 port 4000 sendrecv)
        exchange < in0 Offer port 4000 SendRecv
        exchange > in0 AnswerOffer port 10000 SendRecv
        alice < 200 INVITE sdp(v3 port 10000 sendrecv)
        alice > ACK in dialog
    "#]],
    );
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    alice.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn a_refresh_is_answered_by_the_stack_alone_with_the_same_version() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let same = alice.sdp(1, "sendrecv");
    alice.sends(&mut b, "INVITE", "", &same);
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    alice.sends(&mut b, "UPDATE", "", &same);
    alice.sends(&mut b, "UPDATE", "", "");
    alice.sends(&mut b, "OPTIONS", "", "");
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE in dialog sdp(v1 port 4000 sendrecv)
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
        alice > ACK in dialog
        alice > UPDATE in dialog sdp(v1 port 4000 sendrecv)
        alice < 200 UPDATE sdp(v1 port 10000 sendrecv)
        alice > UPDATE in dialog
        alice < 200 UPDATE
        alice > OPTIONS in dialog
        alice < 200 OPTIONS
    "#]],
    );
    assert!(b.events.is_empty());
    b.end(leg, EndReason::ApiHangup);
}

#[test]
fn a_changed_update_is_the_exchanges() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "inactive");
    alice.sends(&mut b, "UPDATE", "", &hold);
    let inactive = Session { direction: Direction::Inactive, ..session(10_000) };
    b.command(leg, LegCommand::AnswerOffer(Box::new(inactive)));
    let worse = alice.sdp(3, "sendrecv");
    alice.sends(&mut b, "UPDATE", "", &worse);
    b.command(leg, LegCommand::RejectOffer { status: 488 });
    check(
        &mut b,
        &expect![[r#"
        alice > UPDATE in dialog sdp(v2 port 4000 inactive)
        exchange < in0 Offer port 4000 Inactive
        exchange > in0 AnswerOffer port 10000 Inactive
        alice < 200 UPDATE sdp(v2 port 10000 inactive)
        alice > UPDATE in dialog sdp(v3 port 4000 sendrecv)
        exchange < in0 Offer port 4000 SendRecv
        exchange > in0 RejectOffer { status: 488 }
        alice < 488 UPDATE
    "#]],
    );
}

#[test]
fn an_invite_without_offer_in_a_dialog_gets_our_session_without_the_peers_hold() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    b.take_ladder();
    alice.sends(&mut b, "INVITE", "", "");
    let ok = b.next_of("200");
    let answer = alice.sdp(3, "sendrecv");
    alice.acks(&mut b, &ok, &answer);
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE in dialog
        alice < 200 INVITE sdp(v3 port 10000 sendrecv)
        alice > ACK in dialog sdp(v3 port 4000 sendrecv)
        exchange < in0 Answer port 4000 SendRecv
    "#]],
    );
}

#[test]
fn an_offer_that_the_exchange_refuses_leaves_the_session() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    b.command(leg, LegCommand::RejectOffer { status: 488 });
    let same = alice.sdp(1, "sendrecv");
    let refused = b.next_of("488");
    acks_refusal(&mut b, &mut alice, &refused);
    alice.sends(&mut b, "INVITE", "", &same);
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE in dialog sdp(v2 port 4000 sendonly)
        exchange < in0 Offer port 4000 SendOnly
        exchange > in0 RejectOffer { status: 488 }
        alice < 488 INVITE
        alice > ACK in dialog
        alice > INVITE in dialog sdp(v1 port 4000 sendrecv)
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
    "#]],
    );
}

/// The ACK of a final response above 299, in the transaction of the last request.
fn acks_refusal(b: &mut Bench, phone: &mut Phone, refused: &Message) {
    let branch = refused.top_via().unwrap().branch.unwrap().to_owned();
    let cseq = refused.cseq().unwrap().number;
    let head = format!(
        "ACK {} SIP/2.0
         Via: SIP/2.0/UDP {};rport;branch={branch}
         Max-Forwards: 70
         From: <sip:alice@acme.example>;tag={}
         To: {}
         Call-ID: {}
         CSeq: {cseq} ACK",
        phone.target, phone.flow.remote, phone.tag, phone.to, phone.call_id
    );
    b.receive(phone.flow, message(&head, ""));
}

#[test]
fn an_exchange_that_is_silent_costs_the_peer_ten_seconds() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "UPDATE", "", &hold);
    b.run_for(Duration::from_secs(11));
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    check(
        &mut b,
        &expect![[r#"
        alice > UPDATE in dialog sdp(v2 port 4000 sendonly)
        exchange < in0 Offer port 4000 SendOnly
          +10000 ms
        alice < 500 UPDATE
        exchange > in0 AnswerOffer port 10000 RecvOnly
    "#]],
    );
}

#[test]
fn a_second_offer_before_the_first_answer_gets_500() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    alice.sends(&mut b, "INVITE", "", &hold);
    let refused = b.next_of("500");
    assert!(refused.retry_after().unwrap().unwrap().seconds <= 10);
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    b.next_of("200");
}

#[test]
fn other_media_are_refused_in_their_places() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", bench::udp("198.51.100.7:5060"));
    let body = format!("{}m=video 5000 RTP/AVP 96\r\n", alice.sdp(1, "sendrecv"));
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    let lines = |m: &Message| {
        let text = String::from_utf8(m.body().to_vec()).unwrap();
        text.lines().filter(|l| l.starts_with("m=")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&ok), ["m=audio 10000 RTP/AVP 8", "m=video 0 RTP/AVP 96"]);
    alice.acks(&mut b, &ok, "");
    b.command(leg, LegCommand::Offer(boxed(10_002)));
    let invite = b.next_of("INVITE");
    assert_eq!(lines(&invite), ["m=audio 10002 RTP/AVP 8", "m=video 0 RTP/AVP 96"]);
}

#[test]
fn an_offer_without_usable_audio_gets_488() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let secured = sdp("198.51.100.7", 4_000, 2, "sendrecv").replace("RTP/AVP", "RTP/SAVP");
    alice.sends(&mut b, "INVITE", "", &secured);
    b.next_of("488");
    assert!(b.events.is_empty());
}
