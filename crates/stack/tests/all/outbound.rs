//! Flows of a phone (RFC 5626) and Path (RFC 3327), as the registrar sees them.

use core::time::Duration;

use leg::{LegEvent, LegId};
use model::{DeviceId, EndReason};
use sip::{Header, Message};
use stack::{Effect, Flow, FlowId, Input};

use crate::bench::{ALICE, Bench, Phone, TENANT, summary, tcp, udp};

const INSTANCE: &str = "+sip.instance=\"<urn:uuid:1>\"";

fn alice(flow: Flow) -> Phone {
    let mut alice = Phone::new("alice", flow);
    alice.call_id = format!("register-{}", flow.remote);
    alice
}

/// Registers with these headers; the answer.
fn register(b: &mut Bench, phone: &mut Phone, more: &str) -> Message {
    let aor = format!("<sip:{}@acme.example>", phone.login);
    phone.prove(b, "REGISTER", "sip:acme.example", &aor, more, "");
    let answer = b.sent.pop_back().unwrap().1;
    b.sent.clear();
    answer
}

/// A flow of Alice's phone.
fn flow_of(b: &mut Bench, flow: Flow, reg_id: u32) -> Phone {
    let mut phone = alice(flow);
    let more = format!(
        "Contact: <sip:alice@10.0.0.1:5060;ob>;{INSTANCE};reg-id={reg_id}\n\
         Supported: path, outbound"
    );
    assert_eq!(register(b, &mut phone, &more).status(), Some(200));
    phone
}

/// What the exchange was told of devices.
fn told(b: &mut Bench) -> Vec<String> {
    let line = |e: &Effect| match e {
        Effect::DeviceUp { device, address, .. } => Some(format!("up {device} {address}")),
        Effect::DeviceDown { device, .. } => Some(format!("down {device}")),
        _ => None,
    };
    let lines = b.others.iter().filter_map(line).collect();
    b.others.clear();
    lines
}

/// RFC 5626 6: what the answer says, by what was asked and how it came.
#[test]
fn outbound_is_done_where_the_first_hop_keeps_the_flow() {
    let contact = format!("Contact: <sip:alice@10.0.0.1>;{INSTANCE};reg-id=1");
    let via = "Via: SIP/2.0/UDP edge.example;branch=z9hG4bK-edge";
    let table = [
        // more headers, status, Require, Flow-Timer
        (format!("{contact}\nSupported: path, outbound"), 200, "outbound", true),
        (format!("{contact}\nRequire: outbound"), 200, "outbound", true),
        (contact.clone(), 200, "outbound", true),
        ("Contact: <sip:alice@10.0.0.1>;reg-id=1".into(), 200, "", false),
        (format!("Contact: <sip:alice@10.0.0.1>;{INSTANCE}"), 200, "", false),
        (
            format!(
                "{via}\n{contact}\nSupported: path, outbound\nPath: <sip:x@edge.example;lr;ob>"
            ),
            200,
            "outbound",
            false,
        ),
        (
            format!("{via}\n{contact}\nSupported: path, outbound\nPath: <sip:edge.example;lr>"),
            439,
            "",
            false,
        ),
        (format!("{via}\n{contact}\nSupported: outbound"), 439, "", false),
        (format!("{via}\n{contact}"), 200, "", false),
    ];
    for (more, status, require, timer) in table {
        let mut b = Bench::new();
        let answer = register(&mut b, &mut alice(udp("198.51.100.7:5060")), &more);
        assert_eq!(answer.status(), Some(status), "{more}");
        assert_eq!(answer.text(Header::Require).as_deref().unwrap_or(""), require, "{more}");
        let says = answer.other("Flow-Timer").map(|v| String::from_utf8_lossy(v).into_owned());
        assert_eq!(says.as_deref(), timer.then_some("29"), "{more}");
    }
    let mut b = Bench::new();
    let mut phone = alice(udp("198.51.100.7:5060"));
    let aor = "<sip:alice@acme.example>";
    let request = phone.request("REGISTER", "sip:acme.example", aor, "Require: gruu", "");
    b.receive(phone.flow, request);
    assert_eq!(b.next_sent().status(), Some(420));
    let mut b = Bench::new();
    let answer = register(&mut b, &mut alice(tcp(7, "198.51.100.7:5060")), &contact);
    assert_eq!(answer.other("Flow-Timer"), Some(b"120".as_slice()));
}

#[test]
fn a_registration_of_the_same_flow_replaces_it_whatever_its_uri() {
    let mut b = Bench::new();
    flow_of(&mut b, udp("198.51.100.7:5060"), 1);
    flow_of(&mut b, udp("198.51.100.7:9999"), 1);
    assert_eq!(b.endpoint.counts().bindings, 1);
    // The URI is the same on all flows and decides nothing.
    flow_of(&mut b, udp("198.51.100.7:7777"), 2);
    assert_eq!(b.endpoint.counts().bindings, 2);
}

#[test]
fn several_flows_of_a_phone_are_one_device() {
    let mut b = Bench::new();
    flow_of(&mut b, tcp(1, "198.51.100.7:1"), 1);
    flow_of(&mut b, tcp(2, "198.51.100.8:2"), 2);
    flow_of(&mut b, tcp(3, "198.51.100.9:3"), 3);
    // The same device, each time with its newest address.
    assert_eq!(told(&mut b), ["up 1 198.51.100.7", "up 1 198.51.100.8", "up 1 198.51.100.9"]);
    // A spare flow goes without a word; the known one leaves its place to the newest.
    b.input(Input::FlowClosed(FlowId(2)));
    assert!(told(&mut b).is_empty());
    b.input(Input::FlowClosed(FlowId(1)));
    assert_eq!(told(&mut b), ["up 3 198.51.100.9", "down 1"]);
    b.input(Input::FlowClosed(FlowId(3)));
    assert_eq!(told(&mut b), ["down 3"]);
    assert_eq!(b.endpoint.counts().bindings, 0);
    b.leaves_nothing();
}

fn dials(b: &mut Bench) -> LegId {
    let leg = LegId::outgoing(1);
    b.dial(leg, ALICE, DeviceId(1));
    leg
}

#[test]
fn the_newest_flow_is_dialled_and_the_next_when_it_fails() {
    for failure in ["430", "closed", "silent"] {
        let mut b = Bench::new();
        let one = flow_of(&mut b, udp("198.51.100.7:1"), 1);
        let two = flow_of(&mut b, tcp(2, "198.51.100.8:2"), 2);
        b.look_away();
        let leg = dials(&mut b);
        let (flow, first) = b.sent.pop_front().unwrap();
        assert_eq!(flow, two.flow);
        match failure {
            "430" => {
                two.answers(&mut b, &first, 430, "");
                let ack = b.next_sent();
                assert_eq!(summary(&ack), "ACK in dialog");
                assert_eq!(b.endpoint.counts().bindings, 1, "the flow is gone");
            }
            "closed" => b.input(Input::FlowClosed(FlowId(2))),
            _ => b.run_for(Duration::from_secs(32)),
        }
        let (flow, second) = b.sent.pop_front().expect(failure);
        assert_eq!(flow, one.flow, "{failure}");
        assert_eq!(second.call_id().unwrap(), first.call_id().unwrap());
        assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
        assert_ne!(second.top_via().unwrap().branch, first.top_via().unwrap().branch);
        assert_eq!(second.body(), first.body());
        assert!(!b.events.iter().any(|(_, e)| matches!(e, LegEvent::Ended { .. })), "{failure}");
        let body = one.sdp(1, "sendrecv");
        one.answers(&mut b, &second, 200, &body);
        let (_, answered) = b.events.pop_back().unwrap();
        assert!(matches!(answered, LegEvent::Answered { .. }), "{answered:?}");
        b.sent.clear();
        b.end(leg, EndReason::ApiHangup);
        let (flow, bye) = b.sent.pop_back().unwrap();
        assert_eq!(flow, one.flow, "{failure}");
        one.answers(&mut b, &bye, 200, "");
        b.leaves_nothing();
    }
}

#[test]
fn when_the_last_flow_fails_the_phone_is_unreachable() {
    let mut b = Bench::new();
    let one = flow_of(&mut b, udp("198.51.100.7:1"), 1);
    let two = flow_of(&mut b, udp("198.51.100.8:2"), 2);
    b.look_away();
    dials(&mut b);
    for phone in [&two, &one] {
        let invite = b.next_of("INVITE");
        phone.answers(&mut b, &invite, 430, "");
    }
    let reason = EndReason::Unreachable;
    let ended = LegEvent::Ended { reason, status: Some(430), elsewhere: false };
    assert_eq!(b.events.pop_back().unwrap().1, ended);
    b.leaves_nothing();
}

#[test]
fn a_phone_that_rings_is_not_dialled_on_another_flow() {
    let mut b = Bench::new();
    flow_of(&mut b, udp("198.51.100.7:1"), 1);
    let two = flow_of(&mut b, udp("198.51.100.8:2"), 2);
    b.look_away();
    dials(&mut b);
    let invite = b.next_of("INVITE");
    two.answers(&mut b, &invite, 180, "");
    two.answers(&mut b, &invite, 430, "");
    assert!(matches!(b.events.pop_back(), Some((_, LegEvent::Ended { .. }))));
}

#[test]
fn flows_survive_a_restart_as_one_device() {
    let mut b = Bench::new();
    flow_of(&mut b, udp("198.51.100.7:1"), 1);
    flow_of(&mut b, udp("198.51.100.8:2"), 2);
    let bindings: Vec<_> = b
        .others
        .drain(..)
        .filter_map(|e| match e {
            Effect::Binding(change) => Some(*change),
            _ => None,
        })
        .collect();
    assert_eq!(bindings.len(), 2);
    let mut next = Bench::new();
    next.input(Input::Bindings { tenant: TENANT, bindings });
    assert_eq!(told(&mut next), ["up 1 198.51.100.7", "up 1 198.51.100.8"]);
    flow_of(&mut next, udp("198.51.100.8:3"), 2);
    assert_eq!(next.endpoint.counts().bindings, 2, "it is recognised");
    // And so they do when the tenant moves.
    let saved = next.endpoint.export(next.now, TENANT);
    let mut other = Bench::new();
    other.endpoint.import(other.now, TENANT, &saved).unwrap();
    other.input(Input::Tick);
    flow_of(&mut other, udp("198.51.100.8:4"), 2);
    assert_eq!(other.endpoint.counts().bindings, 2);
}

/// RFC 3327 5.3.
#[test]
fn a_path_is_kept_echoed_and_taken_as_the_route() {
    let mut b = Bench::new();
    let edge = udp("192.0.2.200:5060");
    let path = "Path: <sip:inner.example;lr>\nPath: <sip:edge.example;lr>, <sip:x@nat;lr>";
    let more = format!("Contact: <sip:alice@10.0.0.1:5060>\n{path}\nSupported: path");
    let answer = register(&mut b, &mut alice(edge), &more);
    let echoed: Vec<_> = answer.values(Header::Path).map(String::from_utf8_lossy).collect();
    assert_eq!(echoed, ["<sip:inner.example;lr>", "<sip:edge.example;lr>, <sip:x@nat;lr>"]);
    b.look_away();
    dials(&mut b);
    let (flow, invite) = b.sent.pop_front().unwrap();
    assert_eq!(flow, edge, "requests go to the proxy that has registered it");
    assert_eq!(invite.uri().unwrap().as_str(), "sip:alice@10.0.0.1:5060");
    let routes: Vec<_> = invite.values(Header::Route).map(String::from_utf8_lossy).collect();
    assert_eq!(routes, ["<sip:inner.example;lr>", "<sip:edge.example;lr>", "<sip:x@nat;lr>"]);
}

#[test]
fn a_path_that_the_phone_does_not_know_of_is_refused() {
    let mut b = Bench::new();
    let more = "Contact: <sip:alice@10.0.0.1>\nPath: <sip:edge.example;lr>";
    let answer = register(&mut b, &mut alice(udp("192.0.2.200:5060")), more);
    assert_eq!(answer.status(), Some(420));
    assert_eq!(answer.text(Header::Unsupported).unwrap(), "path");
    assert_eq!(b.endpoint.counts().bindings, 0);
}
