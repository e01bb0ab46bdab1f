//! Proofs that trunks ask for: RFC 3261 22.2 to 22.4.

use leg::{LegCommand, LegEvent, LegId};
use model::{EndReason, TrunkTransport};
use sip::digest::{Credentials, Ha1s};
use sip::{Header, Method};

use crate::bench::{self, session};
use crate::carrier::{ASKS, Carrier, TWO, Town, answered, ended, town};

/// The proof of a request, checked; its nonce and count.
fn proof(message: &sip::Message, header: Header, realm: &str) -> (String, u32) {
    let value = message.text(header).expect("no proof");
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    assert_eq!((credentials.username, credentials.realm), ("acme", realm));
    let method = message.method_name();
    credentials.check(&Ha1s::of("acme", realm, "trunk-secret"), &method).unwrap();
    assert_eq!(credentials.uri, message.uri().unwrap().as_str());
    (credentials.nonce.to_owned(), credentials.count().unwrap())
}

/// A call that is up, after a challenge.
fn proven(town: &mut Town) -> (Carrier, LegId) {
    let leg = town.dial();
    let (flow, invite) = town.next_sent();
    let carrier = Carrier::on(flow);
    carrier.answers_with(town, &invite, 401, ASKS);
    let (_, _ack) = town.next_sent();
    let (_, invite) = town.next_sent();
    carrier.answers(town, &invite, 200);
    town.bench.look_away();
    (carrier, leg)
}

/// RFC 3261 22.2, 22.3.
#[test]
fn a_challenge_is_answered_with_a_new_branch_and_the_next_cseq() {
    for (status, line, header) in [
        (401, ASKS.to_owned(), Header::Authorization),
        (407, ASKS.replace("WWW", "Proxy"), Header::ProxyAuthorization),
    ] {
        let mut town = town(&["203.0.113.1"]);
        town.dial();
        let (flow, first) = town.next_sent();
        let carrier = Carrier::on(flow);
        carrier.answers_with(&mut town, &first, status, &line);
        let (_, ack) = town.next_sent();
        assert_eq!(ack.method(), Some(Method::Ack));
        assert_eq!(ack.top_via().unwrap().branch, first.top_via().unwrap().branch);
        let (_, second) = town.next_sent();
        assert_eq!(proof(&second, header, "carrier"), ("n1".to_owned(), 1));
        assert_eq!(second.call_id().unwrap(), first.call_id().unwrap());
        assert_eq!(second.text(Header::From), first.text(Header::From));
        assert_eq!(second.text(Header::To), first.text(Header::To));
        assert_eq!(second.body(), first.body());
        assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
        assert_ne!(second.top_via().unwrap().branch, first.top_via().unwrap().branch);
        carrier.answers(&mut town, &second, 200);
        let (_, ack) = town.next_sent();
        assert_eq!(ack.text(header), second.text(header), "22.1: the ACK repeats the proof");
        assert!(answered(&town));
        town.end();
        let (_, bye) = town.next_sent();
        assert_eq!(proof(&bye, header, "carrier"), ("n1".to_owned(), 2));
        carrier.answers(&mut town, &bye, 200);
        town.leaves_nothing();
    }
}

#[test]
fn the_nonce_serves_for_the_whole_dialog_and_may_become_stale() {
    let mut town = town(&["203.0.113.1"]);
    let (carrier, leg) = proven(&mut town);
    let held = leg::Session { direction: leg::Direction::SendOnly, ..session(20_000) };
    town.bench.command(leg, LegCommand::Offer(Box::new(held)));
    let (_, reinvite) = town.next_sent();
    assert_eq!(proof(&reinvite, Header::Authorization, "carrier"), ("n1".to_owned(), 2));
    let stale = ASKS.replace("n1", "n2") + ", stale=true";
    carrier.answers_with(&mut town, &reinvite, 401, &stale);
    let (_, _ack) = town.next_sent();
    let (_, again) = town.next_sent();
    assert_eq!(proof(&again, Header::Authorization, "carrier"), ("n2".to_owned(), 1));
    carrier.answers(&mut town, &again, 200);
    let (_, ack) = town.next_sent();
    assert_eq!(ack.text(Header::Authorization), again.text(Header::Authorization));
    assert!(matches!(town.bench.events.pop_back(), Some((_, LegEvent::Answer(_)))));
    town.bench.command(leg, LegCommand::Info(model::Digit::from_char('5').unwrap()));
    let (_, info) = town.next_sent();
    assert_eq!(proof(&info, Header::Authorization, "carrier"), ("n2".to_owned(), 2));
    carrier.answers_with(&mut town, &info, 401, &ASKS.replace("n1", "n3"));
    let (_, info) = town.next_sent();
    assert_eq!(proof(&info, Header::Authorization, "carrier"), ("n3".to_owned(), 1));
    carrier.answers(&mut town, &info, 200);
    town.bench.end(leg, EndReason::ApiHangup);
    let (_, bye) = town.next_sent();
    carrier.answers_with(&mut town, &bye, 401, &ASKS.replace("n1", "n4"));
    let (_, bye) = town.next_sent();
    assert_eq!(proof(&bye, Header::Authorization, "carrier"), ("n4".to_owned(), 1));
    carrier.answers(&mut town, &bye, 200);
    town.leaves_nothing();
}

#[test]
fn a_peer_that_asks_for_ever_gets_two_answers() {
    let mut town = town(&["203.0.113.1", "203.0.113.2"]);
    town.dial();
    let mut proofs = 0;
    let mut nonce = 0;
    while let Some((flow, message)) = town.bench.sent.pop_front() {
        if message.method() != Some(Method::Invite) {
            continue;
        }
        proofs += usize::from(message.has(Header::Authorization));
        nonce += 1;
        let asks = ASKS.replace("n1", &format!("n{nonce}")) + ", stale=true";
        Carrier::on(flow).answers_with(&mut town, &message, 401, &asks);
    }
    assert_eq!(proofs, 2);
    assert_eq!(ended(&mut town), Some((EndReason::Refused, Some(401))));
    town.leaves_nothing();
}

#[test]
fn a_wrong_password_is_tried_once() {
    let mut town = town(&["203.0.113.1"]);
    town.dial();
    let (flow, invite) = town.next_sent();
    let carrier = Carrier::on(flow);
    carrier.answers_with(&mut town, &invite, 401, ASKS);
    let (_, _ack) = town.next_sent();
    let (_, invite) = town.next_sent();
    carrier.answers_with(&mut town, &invite, 401, ASKS);
    assert_eq!(ended(&mut town), Some((EndReason::Refused, Some(401))));
    town.leaves_nothing();
}

/// Who asks without a right to, and gets nothing.
#[test]
fn credentials_go_to_nobody_but_the_trunk() {
    type Refuses = fn(&mut Town, &Carrier, &sip::Message);
    let refusals: &[(&str, Refuses)] = &[
        ("from another address", |town, _, invite| {
            Carrier::new("198.51.100.66:5060").answers_with(town, invite, 401, ASKS);
        }),
        ("without credentials", |town, carrier, invite| {
            town.configure(|trunk| trunk.credentials = None);
            carrier.answers_with(town, invite, 401, ASKS);
        }),
        ("after the trunk was given to another tenant", |town, carrier, invite| {
            town.configure(|trunk| trunk.tenant = model::TenantId(2));
            carrier.answers_with(town, invite, 401, ASKS);
        }),
        ("with an algorithm that we do not know", |town, carrier, invite| {
            let odd = ASKS.to_owned() + ", algorithm=SHA-512-256";
            carrier.answers_with(town, invite, 401, &odd);
        }),
    ];
    for (why, refuses) in refusals {
        let mut town = town(&["203.0.113.1"]);
        town.dial();
        let (flow, invite) = town.next_sent();
        refuses(&mut town, &Carrier::on(flow), &invite);
        assert_eq!(ended(&mut town), Some((EndReason::Refused, Some(401))), "{why}");
        town.leaves_nothing();
        assert!(town.bench.raw.iter().all(|b| !has_proof(b)), "{why}");
    }
}

fn has_proof(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("uthorization:")
}

#[test]
fn another_realm_in_the_same_dialog_is_not_answered() {
    let mut town = town(&["203.0.113.1"]);
    let (carrier, leg) = proven(&mut town);
    town.bench.command(leg, LegCommand::Info(model::Digit::from_char('5').unwrap()));
    let (_, info) = town.next_sent();
    let other = ASKS.replace("carrier", "evil").replace("n1", "n9");
    carrier.answers_with(&mut town, &info, 401, &other);
    assert!(town.bench.sent.is_empty());
}

#[test]
fn a_dialog_that_began_without_a_proof_is_not_proven_later() {
    let mut town = town(&["203.0.113.1"]);
    let leg = town.dial();
    let (flow, invite) = town.next_sent();
    let carrier = Carrier::on(flow);
    carrier.answers(&mut town, &invite, 200);
    town.bench.look_away();
    town.bench.command(leg, LegCommand::Info(model::Digit::from_char('5').unwrap()));
    let (_, info) = town.next_sent();
    carrier.answers_with(&mut town, &info, 401, ASKS);
    town.bench.end(leg, EndReason::ApiHangup);
    let (_, bye) = town.next_sent();
    carrier.answers_with(&mut town, &bye, 401, ASKS);
    assert!(town.bench.sent.is_empty());
    town.leaves_nothing();
}

#[test]
fn a_phone_that_asks_for_a_password_gets_none() {
    let mut town = town(&["203.0.113.1"]);
    let mut bob = bench::Phone::new("bob", bench::udp("198.51.100.8:5060"));
    let device = bob.registers(&mut town.bench);
    let leg = LegId::outgoing(77);
    town.bench.dial(leg, bench::BOB, device);
    let invite = town.bench.next_of("INVITE");
    Carrier::on(bob.flow).answers_with(&mut town, &invite, 401, ASKS);
    assert_eq!(ended(&mut town), Some((EndReason::Refused, Some(401))));
    let mut town = Town::new(&["203.0.113.1"], TrunkTransport::Udp);
    let (bob, leg) = bench::dialled(&mut town.bench);
    town.bench.end(leg, EndReason::ApiHangup);
    let bye = town.bench.next_of("BYE");
    Carrier::on(bob.flow).answers_with(&mut town, &bye, 401, ASKS);
    assert!(town.bench.raw.iter().all(|b| !has_proof(b)));
}

#[test]
fn the_next_host_learns_nothing_of_what_the_first_has_asked() {
    let mut town = town(&["203.0.113.1", "203.0.113.2"]);
    town.dial();
    let (flow, invite) = town.next_sent();
    let carrier = Carrier::on(flow);
    carrier.answers_with(&mut town, &invite, 401, ASKS);
    let (_, _ack) = town.next_sent();
    let (_, invite) = town.next_sent();
    assert!(invite.has(Header::Authorization));
    carrier.answers(&mut town, &invite, 503);
    let (_, _ack) = town.next_sent();
    let (flow, invite) = town.next_sent();
    assert_eq!(flow.remote.to_string(), TWO);
    assert!(!invite.has(Header::Authorization));
    let asks = ASKS.replace("carrier", "second");
    Carrier::on(flow).answers_with(&mut town, &invite, 401, &asks);
    let (_, _ack) = town.next_sent();
    let (_, invite) = town.next_sent();
    proof(&invite, Header::Authorization, "second");
}

#[test]
fn a_cancelled_call_that_is_answered_all_the_same_is_hung_up_with_the_proof() {
    let mut town = town(&["203.0.113.1"]);
    town.dial();
    let (flow, invite) = town.next_sent();
    let carrier = Carrier::on(flow);
    carrier.answers_with(&mut town, &invite, 401, ASKS);
    let (_, _ack) = town.next_sent();
    let (_, invite) = town.next_sent();
    carrier.answers(&mut town, &invite, 180);
    town.end();
    let (_, cancel) = town.next_sent();
    assert_eq!(cancel.method(), Some(Method::Cancel));
    carrier.answers(&mut town, &cancel, 200);
    carrier.answers(&mut town, &invite, 200);
    let (_, ack) = town.next_sent();
    assert_eq!(ack.text(Header::Authorization), invite.text(Header::Authorization));
    let (_, bye) = town.next_sent();
    carrier.answers_with(&mut town, &bye, 401, &ASKS.replace("n1", "n2"));
    let (_, bye) = town.next_sent();
    proof(&bye, Header::Authorization, "carrier");
    carrier.answers(&mut town, &bye, 200);
    town.leaves_nothing();
}

#[test]
fn passwords_are_in_no_debug_output() {
    let mut town = town(&["203.0.113.1"]);
    let (_, leg) = proven(&mut town);
    let shown = format!("{:?} {:?} {leg:?}", town.bench.endpoint, town.trunk());
    assert!(!shown.contains("trunk-secret"));
}
