//! Who gives up or hangs up, when, and what crosses it: CANCEL and BYE.

use expect_test::expect;
use leg::{LegCommand, LegEvent, LegId};
use model::EndReason;

use super::{ack_of, alice, bob, of_invite};
use crate::bench::{BOB, Bench, Phone, boxed, check, dialled, talking};

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

fn cancel_of(phone: &mut Phone, more: &str) -> sip::Message {
    of_invite(phone, "CANCEL", "<sip:101@acme.example>", more)
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
