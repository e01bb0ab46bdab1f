//! Ladders of whole calls: what a phone sends, what it gets, what the exchange is told.

mod ends;
mod incoming;
mod outgoing;
mod routes;

use crate::bench::{Bench, Phone, udp};

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

fn ack_of(phone: &Phone) -> sip::Message {
    of_invite(phone, "ACK", &phone.to.clone(), "")
}
