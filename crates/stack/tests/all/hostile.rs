//! What peers may send and try: nothing of it panics, grows without a bound or leaves something.

use core::time::Duration;
use std::path::Path;

use leg::{LegCommand, LegEvent, LegId};
use model::{Chance, EndReason};
use sip::Message;
use stack::{Input, limits};

use crate::bench::{BOB, Bench, Phone, TENANT, boxed, config, message, talking, tcp, udp};

/// The messages of RFC 4475 and RFC 5118, which the crate `sip` keeps with their origin.
fn corpora() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/tests/corpora");
    let mut all = Vec::new();
    for folder in ["rfc4475", "rfc5118"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".tsv") && !name.ends_with(".md") {
                all.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    all.sort();
    assert!(all.len() >= 61, "{} messages", all.len());
    all
}

#[test]
fn every_message_of_rfc_4475_gets_from_a_stranger_what_it_is_owed() {
    let owed = [
        ("badaspec.dat", &[400][..]),
        ("badbranch.dat", &[400]),
        ("baddate.dat", &[400, 401]),
        ("baddn.dat", &[400]),
        ("badinv01.dat", &[400]),
        ("badvers.dat", &[505]),
        ("bcast.dat", &[]),
        ("bext01.dat", &[420]),
        ("bigcode.dat", &[]),
        ("clerr.dat", &[400]),
        ("cparam01.dat", &[401]),
        ("cparam02.dat", &[401]),
        ("dblreq.dat", &[401]),
        ("esc01.dat", &[401]),
        ("esc02.dat", &[501]),
        ("escnull.dat", &[401]),
        ("escruri.dat", &[400]),
        ("insuf.dat", &[400]),
        ("intmeth.dat", &[501, 405]),
        ("inv2543.dat", &[401]),
        ("invut.dat", &[415]),
        ("longreq.dat", &[401]),
        ("ltgtruri.dat", &[400]),
        ("lwsdisp.dat", &[200]),
        ("lwsruri.dat", &[400]),
        ("lwsstart.dat", &[400, 401]),
        ("mcl01.dat", &[400]),
        ("mismatch01.dat", &[400]),
        ("mismatch02.dat", &[400, 501]),
        ("multi01.dat", &[400]),
        ("mpart01.dat", &[401, 415]),
        ("ncl.dat", &[400]),
        ("noreason.dat", &[]),
        ("novelsc.dat", &[416]),
        ("quotbal.dat", &[400]),
        ("regaut01.dat", &[401]),
        ("regbadct.dat", &[400]),
        ("regescrt.dat", &[401]),
        ("scalar02.dat", &[400]),
        ("scalarlg.dat", &[]),
        ("sdp01.dat", &[406]),
        ("semiuri.dat", &[200]),
        ("transports.dat", &[200]),
        ("trws.dat", &[200, 400]),
        ("unkscm.dat", &[416]),
        ("unksm2.dat", &[400, 401]),
        ("unreason.dat", &[]),
        ("wsinv.dat", &[481]),
        ("zeromf.dat", &[200]),
    ];
    let mut seen = 0;
    for (name, bytes) in corpora() {
        let Some((_, wanted)) = owed.iter().find(|(n, _)| *n == name) else { continue };
        seen += 1;
        let mut b = Bench::new();
        let before = b.endpoint.counts();
        let Ok(message) = Message::parse(bytes) else {
            assert!(wanted.is_empty() || wanted.contains(&400), "{name} was not parsed");
            continue;
        };
        b.receive(udp("203.0.113.66:5060"), message);
        let got: Vec<_> = b.sent.iter().filter_map(|(_, m)| m.status()).collect();
        match wanted {
            [] => assert!(got.is_empty(), "{name}: {got:?}"),
            wanted => {
                assert!(got.len() == 1 && wanted.contains(&got[0]), "{name}: {got:?}");
            }
        }
        assert_eq!(b.endpoint.counts(), before, "{name} left something");
    }
    assert_eq!(seen, owed.len());
}

#[test]
fn answers_to_strangers_are_little_longer_than_what_they_sent() {
    let (mut into, mut out) = (0, 0);
    for (_, bytes) in corpora() {
        let mut b = Bench::new();
        let length = bytes.len();
        let Ok(message) = Message::parse(bytes) else { continue };
        b.receive(udp("203.0.113.66:5060"), message);
        into += length;
        out += b.raw.iter().map(|r| r.len()).sum::<usize>();
    }
    assert!(out * 10 <= into * 12, "{out} bytes for {into}");
}

/// Changes some bytes of a message, or cuts, doubles or joins pieces.
fn mutated(chance: &mut Chance, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = |chance: &mut Chance, len: usize| {
        usize::try_from(chance.below(u64::try_from(len.max(1)).unwrap())).unwrap()
    };
    for _ in 0..=chance.below(4) {
        if bytes.is_empty() {
            return bytes;
        }
        let (from, to) = (at(chance, bytes.len()), at(chance, bytes.len()));
        let (from, to) = (from.min(to), from.max(to));
        match chance.below(6) {
            0 => bytes[from] = u8::try_from(chance.below(256)).unwrap(),
            1 => drop(bytes.drain(from..to.min(from + 20))),
            2 => {
                let piece = bytes[from..to.min(from + 40)].to_vec();
                bytes.splice(from..from, piece);
            }
            3 => {
                let start = at(chance, other.len());
                let piece = other[start..other.len().min(start + 60)].to_vec();
                bytes.splice(from..from, piece);
            }
            4 => bytes[from] = b";,<>\"=:@\r\n %"[at(chance, 12)],
            _ => {
                let digits = chance.below(1 << 40).to_string();
                bytes.splice(from..from, digits.into_bytes());
            }
        }
    }
    bytes
}

#[test]
fn mutated_messages_from_everybody_never_panic_and_leave_nothing() {
    let corpora = corpora();
    let mut chance = Chance::from_number(0xF022);
    for round in 0..40 {
        let mut b = Bench::with(config(), round);
        let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
        let body = alice.sdp(1, "sendrecv");
        let mut seeds: Vec<Vec<u8>> = corpora.iter().map(|(_, bytes)| bytes.clone()).collect();
        // Messages of a call that goes on meanwhile, so that mutants reach what is behind the door.
        let leg = alice.invites(&mut b, "101", &body);
        b.command(leg, LegCommand::Ring { early: None });
        b.command(leg, LegCommand::Answer(boxed(10_000)));
        let ok = b.next_of("200");
        alice.acks(&mut b, &ok, "");
        let hold = alice.sdp(2, "sendonly");
        let (target, to) = (alice.target.clone(), alice.to.clone());
        for (method, body) in [("INVITE", hold.as_str()), ("UPDATE", ""), ("INFO", "x")] {
            let request = alice.request(method, &target, &to, "", body);
            seeds.push(request.bytes().to_vec());
        }
        let register = alice.request(
            "REGISTER",
            "sip:acme.example",
            "<sip:alice@acme.example>",
            &format!(
                "Contact: <sip:a@1.2.3.4>\n{}",
                alice.clone().authorization("REGISTER", "sip:acme.example")
            ),
            "",
        );
        seeds.push(register.bytes().to_vec());
        b.command(leg, LegCommand::Offer(boxed(10_002)));
        let invite = b.next_of("INVITE");
        seeds.push(alice.response(&invite, 200, &hold).bytes().to_vec());
        seeds.push(alice.response(&invite, 491, "").bytes().to_vec());
        b.look_away();
        for _ in 0..250 {
            let pick = |chance: &mut Chance| {
                usize::try_from(chance.below(u64::try_from(seeds.len()).unwrap())).unwrap()
            };
            // Half of them are of the call.
            let one = if chance.below(2) == 0 {
                seeds.len() - 1 - pick(&mut chance) % 6
            } else {
                pick(&mut chance)
            };
            let other = pick(&mut chance);
            let bytes = mutated(&mut chance, &seeds[one], &seeds[other]);
            let Ok(message) = Message::parse(bytes) else { continue };
            b.receive(alice.flow, message);
            for (leg, event) in std::mem::take(&mut b.events) {
                if let LegEvent::Offer(_) = event {
                    b.command(leg, LegCommand::AnswerOffer(boxed(10_000)));
                }
            }
            b.sent.clear();
            b.raw.clear();
            b.ladder.clear();
            b.run_for(Duration::from_millis(50));
        }
        b.end(leg, EndReason::ApiHangup);
        b.input(Input::Leg {
            tenant: TENANT,
            leg,
            command: LegCommand::End { reason: EndReason::ApiHangup, retry_after_s: None },
        });
        b.run_for(Duration::from_secs(200));
        let counts = b.endpoint.counts();
        assert_eq!((counts.transactions, counts.dialogs, counts.panics), (0, 0, 0), "{round}");
    }
}

#[test]
fn transactions_are_bounded_and_the_rest_is_sent_away() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let (target, to) = (alice.target.clone(), alice.to.clone());
    let mut refused = 0;
    let mut effects = Vec::new();
    // Straight into the endpoint: the bench checks everything after each input.
    for _ in 0..limits::TRANSACTIONS_MAX + 10 {
        let request = alice.request("OPTIONS", &target, &to, "", "");
        let input = Input::Message { tenant: Some(TENANT), flow: alice.flow, message: request };
        b.endpoint.handle(b.now, input, &mut effects);
        for effect in effects.drain(..) {
            if let stack::Effect::Send { bytes, .. } | stack::Effect::Answer { bytes, .. } = effect
            {
                let busy = bytes.starts_with(b"SIP/2.0 503 ");
                let text = std::str::from_utf8(&bytes).unwrap();
                assert!(!busy || text.contains("Retry-After: "));
                refused += usize::from(busy);
            }
        }
    }
    // One is the INVITE's, which still absorbs copies.
    assert_eq!(refused, 11);
    assert_eq!(b.endpoint.counts().transactions, limits::TRANSACTIONS_MAX);
    assert_eq!(b.endpoint.counters().bound_hit, 11);
    b.endpoint.check().unwrap();
}

#[test]
fn before_the_bound_on_transactions_new_calls_are_refused_and_running_ones_can_end() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let (target, to) = (alice.target.clone(), alice.to.clone());
    let mut effects = Vec::new();
    for _ in 0..limits::TRANSACTIONS_FOR_NEW_CALLS_MAX {
        let request = alice.request("OPTIONS", &target, &to, "", "");
        let input = Input::Message { tenant: Some(TENANT), flow: alice.flow, message: request };
        b.endpoint.handle(b.now, input, &mut effects);
        effects.clear();
    }
    let mut bob = Phone::new("bob", udp("203.0.113.9:5060"));
    let (uri, callee) = ("sip:101@acme.example", "<sip:101@acme.example>");
    let body = bob.sdp(1, "sendrecv");
    bob.prove(&mut b, "INVITE", uri, callee, "", &body);
    b.next_of("503");
    let bye = alice.request("BYE", &target, &to, "", "");
    b.receive(alice.flow, bye);
    b.next_of("200");
}

#[test]
fn what_is_too_long_to_keep_is_refused() {
    let long = "x".repeat(limits::URI_BYTES_MAX);
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let body = alice.sdp(1, "sendrecv");
    let (uri, to) = ("sip:101@acme.example", "<sip:101@acme.example>");
    alice.prove(&mut b, "INVITE", uri, to, &format!("Contact: <sip:{long}@1.2.3.4>"), &body);
    b.next_of("400");
    let routes = vec!["<sip:p.example;lr>"; limits::ROUTES_MAX + 1].join(", ");
    alice.prove(&mut b, "INVITE", uri, to, &format!("Record-Route: {routes}"), &body);
    b.next_of("400");
    alice.call_id = "c".repeat(limits::TOKEN_BYTES_MAX + 1);
    alice.prove(&mut b, "INVITE", uri, to, "", &body);
    b.next_of("400");
    assert!(b.events.is_empty());
    b.leaves_nothing();
}

#[test]
fn forks_are_bounded() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let device = bob.registers(&mut b);
    b.dial(LegId::outgoing(1), BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    for n in 0..50 {
        bob.tag = format!("fork-{n}");
        bob.answers(&mut b, &invite, 180, "");
    }
    assert_eq!(b.events.len(), limits::FORKS_MAX);
    for n in 0..50 {
        bob.tag = format!("fork-{n}");
        let body = bob.sdp(1, "sendrecv");
        bob.answers(&mut b, &invite, 200, &body);
    }
    b.endpoint.check().unwrap();
    b.end(LegId::outgoing(1), EndReason::ApiHangup);
    b.leaves_nothing();
}

#[test]
fn a_caller_whose_connection_breaks_while_it_rings_is_gone() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", tcp(5, "198.51.100.7:5060"));
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Ring { early: None });
    b.look_away();
    b.input(Input::FlowClosed(alice.flow.id));
    let reason = EndReason::TransportLost;
    let ended = LegEvent::Ended { reason, status: None, elsewhere: false };
    assert_eq!(b.next_event(), (leg, ended));
    assert!(b.sent.is_empty());
    b.leaves_nothing();
}

#[test]
fn a_response_with_a_broken_dialog_is_no_answer() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let device = bob.registers(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    let via = invite.text(sip::Header::Via).unwrap().into_owned();
    let from = invite.text(sip::Header::From).unwrap().into_owned();
    let call_id = invite.call_id().unwrap().to_owned();
    let cseq = invite.cseq().unwrap().number;
    let head = format!(
        "SIP/2.0 200 OK
         Via: {via}
         From: {from}
         To: <sip:bob@acme.example>;tag=b
         Call-ID: {call_id}
         CSeq: {cseq} INVITE"
    );
    let body = bob.sdp(1, "sendrecv");
    b.receive(bob.flow, message(&head, &body));
    let reason = EndReason::ProtocolError;
    let ended = LegEvent::Ended { reason, status: None, elsewhere: false };
    assert_eq!(b.next_event(), (leg, ended));
    b.next_of("ACK");
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}
