//! Reliable provisional responses: RFC 3262, and offers before the answer: RFC 3311.

mod early_offers;
mod incoming;
mod outgoing;

use leg::LegId;
use sip::{Header, Message};

use crate::bench::{BOB, Bench, Phone, sdp, udp};

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
