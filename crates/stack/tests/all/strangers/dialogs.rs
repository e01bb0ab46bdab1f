//! Who is heard inside a dialog: order, address and password of its requests.

use leg::{LegCommand, LegEvent};
use model::EndReason;
use sip::Message;
use stack::Effect;

use super::stranger;
use crate::bench::{self, Bench, Phone, boxed, dialled, message, summary, talking, udp};

#[test]
fn an_old_cseq_in_a_dialog_gets_500() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let old = alice.request_of("INFO", &alice.target.clone(), &alice.to.clone(), 1, "", "");
    b.receive(alice.flow, old);
    b.next_of("500");
    assert_eq!(b.endpoint.counts().dialogs, 1);
}

#[test]
fn a_dialog_does_not_move_without_the_password() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let home = alice.flow;
    alice.flow = udp("203.0.113.200:40000");
    alice.sends(&mut b, "BYE", "", "");
    let challenge = b.next_of("401");
    assert_eq!(b.endpoint.counts().dialogs, 1);
    assert!(b.events.is_empty());
    // Bob knows the tags and his own password; it is not his dialog.
    let mut bob = alice.clone();
    bob.login = "bob";
    bob.challenged(&challenge);
    let authorization = bob.authorization("BYE", &bob.target.clone());
    let (target, to) = (bob.target.clone(), bob.to.clone());
    let mut text =
        String::from_utf8(bob.request("BYE", &target, &to, &authorization, "").bytes().to_vec())
            .unwrap();
    text = text.replace("From: <sip:bob", "From: <sip:alice");
    b.receive(bob.flow, Message::parse(text.into_bytes()).unwrap());
    b.next_of("403");
    // Alice herself takes it along.
    alice.challenged(&challenge);
    let authorization = alice.authorization("INFO", &alice.target.clone());
    alice.sends(&mut b, "INFO", &authorization, "");
    b.next_of("200");
    b.end(leg, EndReason::ApiHangup);
    let (flow, bye) = b.sent.pop_front().unwrap();
    assert!(summary(&bye).starts_with("BYE in dialog"));
    assert_ne!(flow, home);
    assert_eq!(flow, alice.flow);
}

#[test]
fn a_new_port_behind_the_same_address_moves_the_dialog() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    alice.flow = udp("198.51.100.7:61000");
    alice.sends(&mut b, "INFO", "", "");
    b.next_of("200");
    b.end(leg, EndReason::ApiHangup);
    assert_eq!(b.sent.pop_front().unwrap().0, alice.flow);
}

#[test]
fn an_ack_from_elsewhere_is_not_heard() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    let mut thief = alice.clone();
    thief.flow = udp("203.0.113.99:5060");
    thief.acks(&mut b, &ok, "");
    assert!(!b.events.iter().any(|(_, e)| *e == LegEvent::Acknowledged));
    alice.acks(&mut b, &ok, "");
    assert!(b.events.iter().any(|(_, e)| *e == LegEvent::Acknowledged));
}

#[test]
fn an_early_update_of_a_fork_is_answered() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let device = bob.registers(&mut b);
    b.dial(leg::LegId::outgoing(1), bench::BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 180, "");
    bob.sends(&mut b, "UPDATE", "", "");
    b.next_of("200");
    let body = bob.sdp(1, "sendrecv");
    // Our offer in the INVITE has no answer that came reliably.
    bob.sends(&mut b, "UPDATE", "", &body);
    b.next_of("491");
    bob.sends(&mut b, "BYE", "", "");
    b.next_of("481");
    assert_eq!(b.endpoint.counts().dialogs, 1);
}

#[test]
fn a_stray_response_is_dropped() {
    let mut b = Bench::new();
    let (bob, _) = dialled(&mut b);
    let text = "SIP/2.0 200 OK
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKkey23456abcdefghijkmn
        From: <sip:100@acme.example>;tag=key23456abcdefghijkmn
        To: <sip:bob@acme.example>;tag=x
        Call-ID: nobody
        CSeq: 1 INVITE
        Contact: <sip:bob@198.51.100.8>";
    b.receive(bob.flow, message(text, ""));
    assert!(b.sent.is_empty() && b.events.is_empty());
    assert!(b.others.iter().all(|e| !matches!(e, Effect::CloseFlow(_))));
}
