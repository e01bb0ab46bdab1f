//! Who gets in, and what those who do not get in cost: RFC 3261 22, 8.2.

mod callers;
mod dialogs;
mod proofs;
mod requests;

use crate::bench::{Phone, udp};

fn stranger() -> Phone {
    Phone::new("alice", udp("203.0.113.66:5060"))
}

fn uri() -> (&'static str, &'static str) {
    ("sip:101@acme.example", "<sip:101@acme.example>")
}
