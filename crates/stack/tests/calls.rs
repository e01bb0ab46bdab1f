//! Ladders of whole calls: what a phone sends, what it gets, what the exchange is told.

mod bench;

use core::time::Duration;

use bench::{BOB, Bench, Phone, boxed, dialled, sdp, talking, udp};
use expect_test::{Expect, expect};
use leg::{LegCommand, LegEvent, LegId};
use model::EndReason;
use sip::Header;

fn check(bench: &mut Bench, wanted: &Expect) {
    wanted.assert_eq(&bench.take_ladder());
}

fn alice(bench: &mut Bench) -> Phone {
    let alice = Phone::new("alice", udp("198.51.100.7:5060"));
    bench.name(&alice.flow, "alice");
    alice
}

fn bob(bench: &mut Bench) -> (Phone, model::DeviceId) {
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    bench.name(&bob.flow, "bob");
    let device = bob.registers(bench);
    (bob, device)
}

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
fn a_caller_gives_up() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Ring { early: None });
    b.take_ladder();
    let cancel = cancel_of(&mut alice, "");
    b.receive(alice.flow, cancel);
    let refused = b.next_of("487");
    alice.learns(&refused);
    let ack = ack_of(&alice);
    b.receive(alice.flow, ack);
    check(
        &mut b,
        &expect![[r#"
        alice > CANCEL
        alice < 200 CANCEL
        alice < 487 INVITE
        exchange < in0 Ended { reason: Cancelled, status: None, elsewhere: false }
        alice > ACK in dialog
    "#]],
    );
    b.leaves_nothing();
}

#[test]
fn a_cancel_says_that_the_call_was_answered_elsewhere() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    alice.invites(&mut b, "101", &body);
    let reason = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"";
    let cancel = cancel_of(&mut alice, reason);
    b.receive(alice.flow, cancel);
    let last = b.events.back().unwrap();
    let reason = EndReason::Cancelled;
    assert_eq!(last.1, LegEvent::Ended { reason, status: None, elsewhere: true });
    b.leaves_nothing();
}

/// A request of the INVITE's own transaction: same branch, same CSeq number.
fn of_invite(phone: &Phone, method: &str, to: &str, more: &str) -> sip::Message {
    // The branch of the proven INVITE was the last one.
    let mut twin = phone.clone();
    let branch = twin.branch();
    let number: u32 = branch.rsplit('-').next().unwrap().parse().unwrap();
    let old = branch.replace(&format!("-{number}"), &format!("-{}", number - 1));
    let uri = "sip:101@acme.example";
    let cseq = phone.cseq;
    let request = phone.clone().request_of(method, uri, to, cseq, more, "");
    let text = String::from_utf8(request.bytes().to_vec()).unwrap();
    sip::Message::parse(text.replace(&branch, &old).into_bytes()).unwrap()
}

fn cancel_of(phone: &mut Phone, more: &str) -> sip::Message {
    of_invite(phone, "CANCEL", "<sip:101@acme.example>", more)
}

fn ack_of(phone: &Phone) -> sip::Message {
    of_invite(phone, "ACK", &phone.to.clone(), "")
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
fn our_bye_waits_for_the_ack_of_our_answer() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    b.take_ladder();
    b.end(leg, EndReason::ApiHangup);
    alice.acks(&mut b, &ok, "");
    let bye = b.next_of("BYE");
    alice.answers(&mut b, &bye, 200, "");
    check(
        &mut b,
        &expect![[r#"
            exchange > in0 End ApiHangup
            alice > ACK in dialog
            alice < BYE in dialog Reason: Q.850;cause=16;text="Ended by a program"
            alice > 200 BYE
        "#]],
    );
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

#[test]
fn we_dial_a_device_it_rings_answers_and_hangs_up() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    assert_eq!(invite.uri().unwrap().as_str(), "sip:bob@198.51.100.8:5060");
    assert_eq!(invite.max_forwards().unwrap(), Some(69));
    assert_eq!(invite.from().unwrap().uri.as_str(), "sip:100@acme.example");
    assert_eq!(invite.to().unwrap().uri.as_str(), "sip:bob@acme.example");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 100, "");
    bob.answers(&mut b, &invite, 180, "");
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 200, &body);
    bob.answers(&mut b, &invite, 200, &body);
    bob.sends(&mut b, "BYE", "", "");
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
            bob > 100 INVITE
            exchange < out1 Progress 100 no session
            bob > 180 INVITE
            exchange < out1 Progress 180 no session
            bob > 200 INVITE sdp(v1 port 4000 sendrecv)
            bob < ACK in dialog
            exchange < out1 Answered port 4000 SendRecv
            bob > 200 INVITE sdp(v1 port 4000 sendrecv)
            bob < ACK in dialog
            bob > BYE in dialog
            bob < 200 BYE
            exchange < out1 Ended { reason: CalleeHungUp, status: None, elsewhere: false }
        "#]],
    );
    assert_eq!(b.raw[1], b.raw[2], "the ACK is repeated to the byte");
    b.leaves_nothing();
}

#[test]
fn the_request_follows_the_path_that_was_registered() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let aor = "<sip:bob@acme.example>";
    let more = "Contact: <sip:bob@10.0.0.8:5062>\nSupported: path\n\
         Path: <sip:edge2.example;lr>, <sip:edge1.example;lr>";
    bob.prove(&mut b, "REGISTER", "sip:acme.example", aor, more, "");
    let ok = b.next_of("200");
    assert_eq!(ok.text(Header::Path).unwrap(), "<sip:edge2.example;lr>, <sip:edge1.example;lr>");
    b.dial(LegId::outgoing(1), BOB, model::DeviceId(1));
    let (flow, invite) = b.sent.pop_front().unwrap();
    assert_eq!(flow, bob.flow);
    assert_eq!(invite.uri().unwrap().as_str(), "sip:bob@10.0.0.8:5062");
    let routes: Vec<_> =
        invite.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned()).collect();
    assert_eq!(routes, ["sip:edge2.example;lr", "sip:edge1.example;lr"]);
}

#[test]
fn a_refused_dial_is_acknowledged_for_every_copy() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    b.dial(LegId::outgoing(1), BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 180, "");
    bob.answers(&mut b, &invite, 486, "");
    bob.answers(&mut b, &invite, 486, "");
    check(
        &mut b,
        &expect![[r#"
        exchange > out1 Dial
        bob < INVITE sdp(v1 port 20000 sendrecv)
        bob > 180 INVITE
        exchange < out1 Progress 180 no session
        bob > 486 INVITE
        bob < ACK in dialog
        exchange < out1 Ended { reason: Busy, status: Some(486), elsewhere: false }
        bob > 486 INVITE
        bob < ACK in dialog
    "#]],
    );
    assert_eq!(b.raw[1], b.raw[2]);
    b.leaves_nothing();
}

#[test]
fn a_dead_device_is_tried_for_32_seconds_and_then_cancelled() {
    let mut b = Bench::new();
    let (_, device) = bob(&mut b);
    b.dial(LegId::outgoing(1), BOB, device);
    b.run_for(Duration::from_secs(33));
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +500 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +1000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +2000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +4000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +8000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +16000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +500 ms
            exchange < out1 Ended { reason: Unreachable, status: None, elsewhere: false }
            bob < CANCEL
              +500 ms
            bob < CANCEL
        "#]],
    );
    let (invites, cancels) = b.raw.split_at(7);
    assert!(invites.iter().all(|r| *r == invites[0]) && cancels[0] == cancels[1]);
    b.leaves_nothing();
}

#[test]
fn a_device_that_is_not_registered_is_unreachable() {
    let mut b = Bench::new();
    b.dial(LegId::outgoing(1), BOB, model::DeviceId(9));
    check(
        &mut b,
        &expect![[r#"
        exchange > out1 Dial
        exchange < out1 Ended { reason: Unreachable, status: None, elsewhere: false }
    "#]],
    );
    b.leaves_nothing();
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    b.end(leg, EndReason::Cancelled);
    bob.answers(&mut b, &invite, 180, "");
    let cancel = b.next_of("CANCEL");
    bob.answers(&mut b, &cancel, 200, "");
    bob.answers(&mut b, &invite, 487, "");
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
            exchange > out1 End Cancelled
            bob > 180 INVITE
            bob < CANCEL
            bob > 200 CANCEL
            bob > 487 INVITE
            bob < ACK in dialog
        "#]],
    );
    assert_eq!(cancel.top_via().unwrap().branch, invite.top_via().unwrap().branch);
    b.leaves_nothing();
}

#[test]
fn an_answer_that_crosses_our_cancel_is_hung_up_by_the_stack_alone() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 180, "");
    b.end(leg, EndReason::AnsweredElsewhere);
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 200, &body);
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    bob.answers(&mut b, &invite, 200, &body);
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
            bob > 180 INVITE
            exchange < out1 Progress 180 no session
            exchange > out1 End AnsweredElsewhere
            bob < CANCEL Reason: SIP;cause=200;text="Call completed elsewhere"
            bob > 200 INVITE sdp(v1 port 4000 sendrecv)
            bob < ACK in dialog
            bob < BYE in dialog
            bob > 200 BYE
            bob > 200 INVITE sdp(v1 port 4000 sendrecv)
            bob < ACK in dialog
        "#]],
    );
    b.leaves_nothing();
}

#[test]
fn the_first_answer_of_two_forks_wins() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    let mut twin = bob.clone();
    twin.tag = "twin-tag".into();
    let first = sdp("198.51.100.8", 4_002, 1, "sendrecv");
    let second = sdp("198.51.100.8", 4_004, 1, "sendrecv");
    bob.answers(&mut b, &invite, 183, &first);
    twin.answers(&mut b, &invite, 183, &second);
    twin.answers(&mut b, &invite, 200, &second);
    bob.answers(&mut b, &invite, 200, &first);
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
            bob > 183 INVITE sdp(v1 port 4002 sendrecv)
            exchange < out1 Progress 183 port 4002 SendRecv
            bob > 183 INVITE sdp(v1 port 4004 sendrecv)
            exchange < out1 Progress 183 port 4004 SendRecv
            bob > 200 INVITE sdp(v1 port 4004 sendrecv)
            bob < ACK in dialog
            exchange < out1 Answered port 4004 SendRecv
            bob > 200 INVITE sdp(v1 port 4002 sendrecv)
            bob < ACK in dialog
            bob < BYE in dialog
            bob > 200 BYE
        "#]],
    );
    assert_eq!(bye.to().unwrap().tag, Some("bob-tag"));
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    assert_eq!(bye.to().unwrap().tag, Some("twin-tag"));
    twin.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn an_answer_without_description_counts_after_an_early_one() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 183, &body);
    bob.answers(&mut b, &invite, 200, "");
    check(
        &mut b,
        &expect![[r#"
        exchange > out1 Dial
        bob < INVITE sdp(v1 port 20000 sendrecv)
        bob > 183 INVITE sdp(v1 port 4000 sendrecv)
        exchange < out1 Progress 183 port 4000 SendRecv
        bob > 200 INVITE
        bob < ACK in dialog
        exchange < out1 Answered no session
    "#]],
    );
}

#[test]
fn an_answer_without_any_description_is_hung_up() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    b.dial(LegId::outgoing(1), BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 200, "");
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
            bob > 200 INVITE
            bob < ACK in dialog
            bob < BYE in dialog
            exchange < out1 Ended { reason: ProtocolError, status: None, elsewhere: false }
            bob > 200 BYE
        "#]],
    );
    b.leaves_nothing();
}

#[test]
fn we_hang_up_both_kinds_of_legs() {
    let mut b = Bench::new();
    let (alice, a) = talking(&mut b);
    let (bob, c) = dialled(&mut b);
    b.end(a, EndReason::CalleeHungUp);
    let bye = b.next_of("BYE");
    assert_eq!(bye.to().unwrap().tag, Some("alice-tag"));
    assert_eq!(bye.uri().unwrap().as_str(), "sip:alice@198.51.100.7:5060");
    alice.answers(&mut b, &bye, 200, "");
    b.end(c, EndReason::CallerHungUp);
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    check(
        &mut b,
        &expect![[r#"
            exchange > in0 End CalleeHungUp
            alice < BYE in dialog
            alice > 200 BYE
            exchange > out1 End CallerHungUp
            bob < BYE in dialog
            bob > 200 BYE
        "#]],
    );
    b.leaves_nothing();
}

#[test]
fn a_bye_in_the_middle_of_ringing_cancels() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Ring { early: None });
    let ringing = b.next_of("180");
    alice.learns(&ringing);
    b.take_ladder();
    alice.sends(&mut b, "BYE", "", "");
    check(
        &mut b,
        &expect![[r#"
        alice > BYE in dialog
        alice < 200 BYE
        alice < 487 INVITE
        exchange < in0 Ended { reason: Cancelled, status: None, elsewhere: false }
    "#]],
    );
    b.leaves_nothing();
}

#[test]
fn a_route_set_is_followed_in_both_directions() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let uri = "sip:101@acme.example";
    let routes = "Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>";
    let body = alice.sdp(1, "sendrecv");
    alice.prove(&mut b, "INVITE", uri, &format!("<{uri}>"), routes, &body);
    let leg = b.events.back().unwrap().0;
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    assert_eq!(ok.text(Header::RecordRoute).unwrap(), "<sip:p2.example;lr>, <sip:p1.example;lr>");
    alice.acks(&mut b, &ok, "");
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    let routes: Vec<_> =
        bye.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned()).collect();
    assert_eq!(routes, ["sip:p2.example;lr", "sip:p1.example;lr"]);
    assert_eq!(bye.uri().unwrap().as_str(), "sip:alice@198.51.100.7:5060");
}

#[test]
fn the_route_set_of_an_answer_is_followed_in_reverse() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    let body = bob.sdp(1, "sendrecv");
    let ok = bob.response(&invite, 200, &body);
    let text = String::from_utf8(ok.bytes().to_vec()).unwrap();
    let routes = "Record-Route: <sip:p1.example>, <sip:p2.example;lr>\r\nContact:";
    let ok = sip::Message::parse(text.replacen("Contact:", routes, 1).into_bytes()).unwrap();
    b.receive(bob.flow, ok);
    let ack = b.next_of("ACK");
    let routes = |m: &sip::Message| {
        let all = m.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned());
        all.collect::<Vec<_>>()
    };
    assert_eq!(ack.uri().unwrap().as_str(), "sip:bob@198.51.100.8:5060");
    assert_eq!(routes(&ack), ["sip:p2.example;lr", "sip:p1.example"]);
    b.end(leg, EndReason::ApiHangup);
    assert_eq!(routes(&b.next_of("BYE")), ["sip:p2.example;lr", "sip:p1.example"]);
}

#[test]
fn a_strict_router_gets_the_request_uri() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let uri = "sip:101@acme.example";
    let routes = "Record-Route: <sip:old.example>, <sip:p1.example;lr>";
    let body = alice.sdp(1, "sendrecv");
    alice.prove(&mut b, "INVITE", uri, &format!("<{uri}>"), routes, &body);
    let leg = b.events.back().unwrap().0;
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    let routes: Vec<_> =
        bye.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned()).collect();
    assert_eq!(bye.uri().unwrap().as_str(), "sip:old.example");
    assert_eq!(routes, ["sip:p1.example;lr", "sip:alice@198.51.100.7:5060"]);
}
