//! A phone calls: ringing, answers and refusals, and what is repeated until it is acknowledged.

use core::time::Duration;

use expect_test::expect;
use leg::{LegCommand, LegEvent};
use model::EndReason;

use super::{ack_of, alice};
use crate::bench::{Bench, boxed, check};

#[test]
fn a_phone_calls_is_answered_and_hangs_up() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Ring { early: None });
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    alice.sends(&mut b, "BYE", "", "");
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE sdp(v1 port 4000 sendrecv)
        alice < 401 INVITE
        alice > ACK in dialog
        alice > INVITE sdp(v1 port 4000 sendrecv)
        alice < 100 INVITE
        exchange < in0 Incoming 101 port 4000 SendRecv
        exchange > in0 Ring
        alice < 180 INVITE
        exchange > in0 Answer port 10000
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
        alice > ACK in dialog
        exchange < in0 Acknowledged
        alice > BYE in dialog
        alice < 200 BYE
        exchange < in0 Ended { reason: CallerHungUp, status: None, elsewhere: false }
    "#]],
    );
    b.leaves_nothing();
}

#[test]
fn ringing_has_a_to_tag_and_is_repeated_every_minute() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Ring { early: None });
    let ringing = b.next_of("180");
    assert!(ringing.to().unwrap().tag.is_some());
    b.take_ladder();
    b.run_for(Duration::from_secs(125));
    check(
        &mut b,
        &expect![[r#"
          +60000 ms
        alice < 180 INVITE
          +60000 ms
        alice < 180 INVITE
    "#]],
    );
    assert_eq!(b.raw[b.raw.len() - 1], b.raw[b.raw.len() - 2]);
    b.end(leg, EndReason::NoAnswer);
    b.leaves_nothing();
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.look_away();
    b.command(leg, LegCommand::End { reason: EndReason::Busy, retry_after_s: Some(20) });
    b.run_for(Duration::from_secs(8));
    let refused = b.next_of("486");
    alice.learns(&refused);
    let ack = ack_of(&alice);
    b.receive(alice.flow, ack);
    b.run_for(Duration::from_secs(8));
    check(
        &mut b,
        &expect![[r#"
        exchange > in0 End Busy
        alice < 486 INVITE Retry-After: 20
          +500 ms
        alice < 486 INVITE Retry-After: 20
          +1000 ms
        alice < 486 INVITE Retry-After: 20
          +2000 ms
        alice < 486 INVITE Retry-After: 20
          +4000 ms
        alice < 486 INVITE Retry-After: 20
        alice > ACK in dialog
          +5000 ms
    "#]],
    );
    assert!(b.raw.iter().all(|r| *r == b.raw[0]), "retransmissions are the same to the byte");
    b.leaves_nothing();
}

#[test]
fn an_answer_is_repeated_until_its_ack() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.look_away();
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    b.run_for(Duration::from_secs(4));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    alice.acks(&mut b, &ok, "");
    b.run_for(Duration::from_secs(8));
    check(
        &mut b,
        &expect![[r#"
        exchange > in0 Answer port 10000
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
          +500 ms
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
          +1000 ms
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
          +2000 ms
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
        alice > ACK in dialog
        exchange < in0 Acknowledged
        alice > ACK in dialog
    "#]],
    );
    assert!(b.raw.iter().all(|r| *r == b.raw[0]));
}

#[test]
fn an_answer_that_is_never_acknowledged_ends_with_bye() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    b.look_away();
    b.run_for(Duration::from_secs(33));
    let ended = b.events.pop_front().unwrap().1;
    let reason = EndReason::TransportLost;
    assert_eq!(ended, LegEvent::Ended { reason, status: None, elsewhere: false });
    let bye = b.next_of("BYE");
    alice.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn an_invite_without_offer_gets_ours_and_answers_in_its_ack() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let leg = alice.invites(&mut b, "101", "");
    b.take_ladder();
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    let answer = alice.sdp(1, "sendrecv");
    alice.acks(&mut b, &ok, &answer);
    check(
        &mut b,
        &expect![[r#"
        exchange > in0 Answer port 10000
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
        alice > ACK in dialog sdp(v1 port 4000 sendrecv)
        exchange < in0 Acknowledged
        exchange < in0 Answer port 4000 SendRecv
    "#]],
    );
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    alice.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn an_ack_that_owes_an_answer_and_has_none_ends_the_call() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let leg = alice.invites(&mut b, "101", "");
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    b.take_ladder();
    alice.acks(&mut b, &ok, "");
    check(
        &mut b,
        &expect![[r#"
            alice > ACK in dialog
            exchange < in0 Acknowledged
            alice < BYE in dialog Reason: SIP;cause=400;text="Protocol error"
            exchange < in0 Ended { reason: ProtocolError, status: None, elsewhere: false }
        "#]],
    );
    b.leaves_nothing();
}

#[test]
fn early_media_rings_with_183() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.take_ladder();
    b.command(leg, LegCommand::Ring { early: Some(boxed(10_000)) });
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    check(
        &mut b,
        &expect![[r#"
        exchange > in0 Ring with early media
        alice < 183 INVITE sdp(v1 port 10000 sendrecv)
        exchange > in0 Answer port 10000
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
    "#]],
    );
}
