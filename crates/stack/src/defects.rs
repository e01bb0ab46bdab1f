//! Tests of what only a defect could do, and of sizes that are promised.

use std::sync::Arc;

use leg::{LegCommand, LegEvent, LegId};
use model::{
    Chance, Credential, Directory, EndReason, ExtensionId, Login, Now, Status, TenantId, TenantKey,
};
use sip::digest::{Challenge, Ha1s};
use sip::{Header, Message};

use crate::interface::{Config, Digests, Effect, Expires, Flow, FlowId, Input, Transport};
use crate::transaction::{Transaction, TransactionId};
use crate::{Endpoint, contact};

const TENANT: TenantId = TenantId(1);

fn endpoint() -> Endpoint {
    let config = Config {
        realm: "r".into(),
        public_address: None,
        product: String::new(),
        nonce_key: [1; 32],
        expires_s: Expires { min: 60, max: 3_600, default: 600 },
        digests: Digests::Md5,
    };
    let mut directory = Directory::default();
    directory.add_tenant(TENANT, TenantKey::parse(b"abcd2345").unwrap(), "acme.example");
    let ha1s = Ha1s::of("alice", "r", "secret");
    let (ha1_md5, ha1_sha256) = (ha1s.md5, ha1s.sha256);
    let extension = ExtensionId(100_000);
    let credential =
        Credential { tenant: TENANT, extension, ha1_md5, ha1_sha256, status: Status::Active };
    directory.logins.insert(Login::parse("alice").unwrap(), credential);
    let mut endpoint = Endpoint::new(config, Chance::from_number(1));
    handle(&mut endpoint, Input::Directory(Arc::new(directory)));
    endpoint
}

fn handle(endpoint: &mut Endpoint, input: Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    endpoint.handle(Now::default(), input, &mut effects);
    endpoint.check().unwrap();
    effects
}

fn receive(endpoint: &mut Endpoint, text: &str) -> Vec<Effect> {
    let message = Message::parse(text.replace('\n', "\r\n").into_bytes()).unwrap();
    let flow = Flow {
        id: FlowId(1),
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "198.51.100.1:5060".parse().unwrap(),
    };
    handle(endpoint, Input::Message { tenant: Some(TENANT), flow, message })
}

fn statuses(effects: &[Effect]) -> Vec<u16> {
    let sent = effects.iter().filter_map(|e| match e {
        Effect::Send { bytes, .. } | Effect::Answer { bytes, .. } => {
            Message::parse(bytes.to_vec()).unwrap().status()
        }
        _ => None,
    });
    sent.collect()
}

fn invite(branch: &str, call_id: &str, more: &str) -> String {
    format!(
        "INVITE sip:101@acme.example SIP/2.0\n\
         Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK{branch}\n\
         From: <sip:alice@acme.example>;tag=a\nTo: <sip:101@acme.example>\nCall-ID: {call_id}\n\
         CSeq: 1 INVITE\nMax-Forwards: 70\nContact: <sip:alice@198.51.100.1>\n{more}\
         Content-Length: 0\n\n"
    )
}

/// Lets a call in; the leg and our tag.
fn call(endpoint: &mut Endpoint, call_id: &str) -> (LegId, String) {
    let effects = receive(endpoint, &invite("one", call_id, ""));
    let Some(Effect::Answer { bytes, .. }) = effects.first() else { panic!() };
    let refusal = Message::parse(bytes.to_vec()).unwrap();
    let value = refusal.text(Header::WwwAuthenticate).unwrap();
    let challenge = Challenge::parse(value.as_bytes()).unwrap();
    let login = sip::digest::Login {
        username: "alice",
        ha1s: &Ha1s::of("alice", "r", "secret"),
        method: "INVITE",
        uri: "sip:101@acme.example",
        cnonce: "c",
        count: 1,
    };
    let more = format!("Authorization: {}\n", challenge.answer(&login).unwrap());
    let effects = receive(endpoint, &invite(&format!("two{call_id}"), call_id, &more));
    let leg = effects.iter().find_map(|e| match e {
        Effect::Leg { leg, event: LegEvent::Incoming(_), .. } => Some(*leg),
        _ => None,
    });
    let leg = leg.unwrap();
    (leg, endpoint.legs[&(TENANT, leg)].tag.to_string())
}

fn bye(tag: &str, call_id: &str) -> String {
    format!(
        "BYE sip:x@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKbye{call_id}\n\
         From: <sip:alice@acme.example>;tag=a\nTo: <sip:101@acme.example>;tag={tag}\n\
         Call-ID: {call_id}\nCSeq: 2 BYE\nMax-Forwards: 70\nContent-Length: 0\n\n"
    )
}

#[test]
fn a_defect_costs_its_own_leg_and_nothing_else() {
    let mut endpoint = endpoint();
    let (first, tag) = call(&mut endpoint, "first");
    let (second, other_tag) = call(&mut endpoint, "second");
    endpoint.core.trip = true;
    let effects = receive(&mut endpoint, &bye(&tag, "first"));
    assert_eq!(statuses(&effects), [500]);
    let ended = effects.iter().find_map(|e| match e {
        Effect::Leg { leg, event: LegEvent::Ended { reason, .. }, .. } => Some((*leg, *reason)),
        _ => None,
    });
    assert_eq!(ended, Some((first, EndReason::Internal)));
    assert_eq!(endpoint.counts().dialogs, 1);
    assert_eq!(endpoint.counts().panics, 1);
    let effects = receive(&mut endpoint, &bye(&other_tag, "second"));
    assert_eq!(statuses(&effects), [200, 487]);
    assert!(!endpoint.legs.contains_key(&(TENANT, second)));
}

#[test]
fn a_defect_in_a_command_and_in_a_timer_ends_the_leg_too() {
    let mut endpoint = endpoint();
    let (leg, _) = call(&mut endpoint, "first");
    let command = LegCommand::Ring { early: None };
    handle(&mut endpoint, Input::Leg { tenant: TENANT, leg, command });
    endpoint.core.trip = true;
    let mut effects = Vec::new();
    let later = Now::default() + core::time::Duration::from_secs(61);
    endpoint.handle(later, Input::Tick, &mut effects);
    endpoint.check().unwrap();
    let (second, _) = call(&mut endpoint, "second");
    endpoint.core.trip = true;
    let command = LegCommand::Ring { early: None };
    effects.append(&mut handle(&mut endpoint, Input::Leg { tenant: TENANT, leg: second, command }));
    let ended = effects.iter().filter_map(|e| match e {
        Effect::Leg { leg, event: LegEvent::Ended { reason, .. }, .. } => Some((*leg, *reason)),
        _ => None,
    });
    let internal = EndReason::Internal;
    assert_eq!(ended.collect::<Vec<_>>(), [(leg, internal), (second, internal)]);
    assert_eq!(endpoint.counts().dialogs, 0);
    assert_eq!(endpoint.counts().timers, 0);
}

#[test]
fn a_transaction_and_a_contact_stay_small() {
    // With its two table entries, two timers, and an answer of 600 bytes: under 1 kB.
    let tables = 2 * size_of::<(u128, TransactionId)>() + 2 * 48;
    assert!(size_of::<Transaction>() + tables + 600 < 1_024, "{}", size_of::<Transaction>());
    // With 400 bytes of texts, its timer and its entries: half of 2 kB, which leaves the rest for
    // a remembered nonce count and the allocator.
    assert!(size_of::<contact::Contact>() + 400 + 150 < 1_024);
}
