//! The registrar: RFC 3261 10.3, RFC 3327, RFC 5626.

use core::time::Duration;
use std::sync::Arc;

use leg::{BindingChange, LegCommand, LegEvent, LegId};
use model::{DeviceId, EndReason};
use sip::{Header, Message};
use stack::{Effect, FlowId, Input};

use crate::bench::{self, ALICE, BOB, Bench, Phone, TENANT, tcp, udp};

fn alice() -> Phone {
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    alice.call_id = "register".into();
    alice
}

/// Registers with these headers; the answer.
fn register(b: &mut Bench, phone: &mut Phone, more: &str) -> Message {
    let aor = format!("<sip:{}@acme.example>", phone.login);
    phone.prove(b, "REGISTER", "sip:acme.example", &aor, more, "");
    b.next_sent()
}

fn contacts(message: &Message) -> Vec<String> {
    message.values(Header::Contact).map(|v| String::from_utf8(v.to_vec()).unwrap()).collect()
}

/// What the registrar told besides its answers, one line each.
fn told(b: &mut Bench) -> Vec<String> {
    let line = |e: Effect| match e {
        Effect::DeviceUp { extension, device, address, q, .. } => {
            format!("up {extension} {device} {address} {q}")
        }
        Effect::DeviceDown { extension, device, .. } => format!("down {extension} {device}"),
        Effect::Binding(change) => match change.binding {
            Some(binding) => format!("binding {} {}", change.device, binding.contact),
            None => format!("binding {} gone", change.device),
        },
        other => format!("{other:?}"),
    };
    b.others.drain(..).map(line).collect()
}

#[test]
fn a_phone_registers_refreshes_and_leaves() {
    let mut b = Bench::new();
    let mut phone = alice();
    let ok = register(&mut b, &mut phone, "Contact: <sip:alice@198.51.100.7:5060>;expires=120");
    assert_eq!(contacts(&ok), ["<sip:alice@198.51.100.7:5060>;expires=120"]);
    let up = ["up 100000 1 198.51.100.7 1000", "binding 1 sip:alice@198.51.100.7:5060"];
    assert_eq!(told(&mut b), up);
    b.run_for(Duration::from_secs(100));
    let ok = register(&mut b, &mut phone, "Contact: <sip:alice@198.51.100.7:5060>\nExpires: 300");
    assert_eq!(contacts(&ok), ["<sip:alice@198.51.100.7:5060>;expires=300"]);
    assert!(told(&mut b).is_empty(), "a mere refresh within five minutes is not written");
    b.run_for(Duration::from_secs(250));
    let ok = register(&mut b, &mut phone, "");
    assert_eq!(contacts(&ok), ["<sip:alice@198.51.100.7:5060>;expires=50"]);
    register(&mut b, &mut phone, "Contact: <sip:alice@198.51.100.7:5060>");
    assert_eq!(told(&mut b), ["binding 1 sip:alice@198.51.100.7:5060"]);
    let ok = register(&mut b, &mut phone, "Contact: <sip:alice@198.51.100.7:5060>;expires=0");
    assert!(contacts(&ok).is_empty());
    assert_eq!(told(&mut b), ["down 100000 1", "binding 1 gone"]);
    b.leaves_nothing();
    assert_eq!(b.endpoint.counts().bindings, 0);
}

#[test]
fn a_registration_runs_out() {
    let mut b = Bench::new();
    register(&mut b, &mut alice(), "Contact: <sip:alice@198.51.100.7>;expires=60");
    b.others.clear();
    b.run_for(Duration::from_millis(59_999));
    assert!(b.others.is_empty());
    b.run_for(Duration::from_millis(1));
    assert_eq!(told(&mut b), ["down 100000 1", "binding 1 gone"]);
}

#[test]
fn the_asked_time_has_bounds() {
    let table = [
        ("Contact: <sip:a@1.2.3.4>", 200, 600),
        ("Contact: <sip:a@1.2.3.4>;expires=60", 200, 60),
        ("Contact: <sip:a@1.2.3.4>;expires=999999", 200, 3_600),
        ("Contact: <sip:a@1.2.3.4>\nExpires: 70", 200, 70),
        ("Contact: <sip:a@1.2.3.4>;expires=80\nExpires: 70", 200, 80),
        ("Contact: <sip:a@1.2.3.4>;expires=59", 423, 0),
        ("Contact: <sip:a@1.2.3.4>\nExpires: 1", 423, 0),
    ];
    for (more, status, seconds) in table {
        let mut b = Bench::new();
        let answer = register(&mut b, &mut alice(), more);
        assert_eq!(answer.status(), Some(status), "{more}");
        if status == 200 {
            assert_eq!(contacts(&answer), [format!("<sip:a@1.2.3.4>;expires={seconds}")]);
        } else {
            assert_eq!(answer.number(Header::MinExpires).unwrap(), Some(60));
            assert_eq!(b.endpoint.counts().bindings, 0);
        }
    }
}

#[test]
fn one_contact_is_recognised_however_it_is_written() {
    let mut b = Bench::new();
    let mut phone = alice();
    register(&mut b, &mut phone, "Contact: <sip:%61lice@EXAMPLE.com;transport=udp>");
    let ok = register(&mut b, &mut phone, "Contact: <sip:alice@example.com;Transport=UDP>;q=0.5");
    assert_eq!(contacts(&ok), ["<sip:alice@example.com;Transport=UDP>;expires=600;q=0.500"]);
    let ok = register(&mut b, &mut phone, "Contact: <sip:ALICE@example.com;transport=udp>");
    assert_eq!(contacts(&ok).len(), 2, "the user part is told apart by case");
}

#[test]
fn a_phone_is_recognised_by_its_instance_after_a_reboot() {
    let mut b = Bench::new();
    let mut phone = alice();
    let instance = "+sip.instance=\"<urn:uuid:1>\"";
    let more = format!("Contact: <sip:alice@10.0.0.1:1000>;{instance};reg-id=1");
    let ok = register(&mut b, &mut phone, &more);
    assert!(contacts(&ok)[0].ends_with(";+sip.instance=\"<urn:uuid:1>\";reg-id=1"));
    phone.call_id = "after-reboot".into();
    phone.cseq = 0;
    let more = format!("Contact: <sip:alice@10.0.0.1:2000>;{instance};reg-id=1");
    let ok = register(&mut b, &mut phone, &more);
    assert_eq!(contacts(&ok).len(), 1);
    let more = format!("Contact: <sip:alice@10.0.0.1:3000>;{instance};reg-id=2");
    let ok = register(&mut b, &mut phone, &more);
    assert_eq!(contacts(&ok).len(), 2);
}

#[test]
fn all_contacts_go_at_once_with_a_star() {
    let mut b = Bench::new();
    let mut phone = alice();
    register(&mut b, &mut phone, "Contact: <sip:a@1.2.3.4>, <sip:b@1.2.3.4>");
    for (more, status) in
        [("Contact: *", 400), ("Contact: *\nExpires: 60", 400), ("Contact: *\nExpires: 0", 200)]
    {
        let answer = register(&mut b, &mut phone, more);
        assert_eq!(answer.status(), Some(status), "{more}");
        assert_eq!(b.endpoint.counts().bindings, if status == 200 { 0 } else { 2 });
    }
    // A star beside another is no Contact at all, whoever sends it.
    let more = "Contact: *, <sip:a@1.2.3.4>\nExpires: 0";
    let aor = "<sip:alice@acme.example>";
    let request = phone.request("REGISTER", "sip:acme.example", aor, more, "");
    b.receive(phone.flow, request);
    assert_eq!(b.next_sent().status(), Some(400));
}

#[test]
fn an_older_request_changes_nothing() {
    let mut b = Bench::new();
    let mut phone = alice();
    phone.cseq = 10;
    register(&mut b, &mut phone, "Contact: <sip:a@1.2.3.4>");
    phone.cseq = 5;
    let late = register(&mut b, &mut phone, "Contact: <sip:b@1.2.3.4>, <sip:a@1.2.3.4>;expires=0");
    assert_eq!(late.status(), Some(500));
    let late = register(&mut b, &mut phone, "Contact: *\nExpires: 0");
    assert_eq!(late.status(), Some(500));
    assert_eq!(b.endpoint.counts().bindings, 1);
    phone.call_id = "another".into();
    let other = register(&mut b, &mut phone, "Contact: <sip:a@1.2.3.4>;expires=0");
    assert_eq!(other.status(), Some(200));
    assert_eq!(b.endpoint.counts().bindings, 0);
}

#[test]
fn an_extension_has_at_most_ten_contacts() {
    let mut b = Bench::new();
    let mut phone = alice();
    for n in 1..=10 {
        let ok = register(&mut b, &mut phone, &format!("Contact: <sip:a{n}@1.2.3.4>"));
        assert_eq!(contacts(&ok).len(), n);
    }
    let refused = register(&mut b, &mut phone, "Contact: <sip:a11@1.2.3.4>");
    assert_eq!(refused.status(), Some(403));
    let swap = "Contact: <sip:a1@1.2.3.4>;expires=0, <sip:a11@1.2.3.4>";
    assert_eq!(register(&mut b, &mut phone, swap).status(), Some(200));
    let refresh = register(&mut b, &mut phone, "Contact: <sip:a11@1.2.3.4>");
    assert_eq!(contacts(&refresh).len(), 10);
    let many: Vec<_> = (0..21).map(|n| format!("<sip:m{n}@1.2.3.4>")).collect();
    let refused = register(&mut b, &mut phone, &format!("Contact: {}", many.join(", ")));
    assert_eq!(refused.status(), Some(400));
}

#[test]
fn one_registers_oneself_only() {
    let mut b = Bench::new();
    let mut phone = alice();
    for (to, status) in [
        ("<sip:bob@acme.example>", 403),
        ("<sip:nobody@acme.example>", 403),
        ("<sip:acme.example>", 403),
        ("<tel:alice>", 403),
        ("<sip:alice@192.0.2.1>", 200),
    ] {
        phone.prove(&mut b, "REGISTER", "sip:acme.example", to, "Contact: <sip:a@1.2.3.4>", "");
        assert_eq!(b.next_sent().status(), Some(status), "{to}");
    }
}

#[test]
fn a_copy_of_a_register_gets_the_same_answer() {
    let mut b = Bench::new();
    let mut phone = alice();
    let aor = "<sip:alice@acme.example>";
    let more = "Contact: <sip:a@1.2.3.4>";
    let request = phone.prove(&mut b, "REGISTER", "sip:acme.example", aor, more, "");
    b.run_for(Duration::from_secs(3));
    b.receive(phone.flow, request);
    assert_eq!(b.raw[b.raw.len() - 1], b.raw[b.raw.len() - 2]);
    assert_eq!(b.endpoint.counters().replayed, 0);
}

#[test]
fn requests_follow_the_flow_that_registered_last() {
    let mut b = Bench::new();
    let mut phone = alice();
    register(&mut b, &mut phone, "Contact: <sip:alice@10.0.0.1:5060>");
    b.others.clear();
    phone.flow = udp("203.0.113.50:1024");
    register(&mut b, &mut phone, "Contact: <sip:alice@10.0.0.1:5060>");
    let told = told(&mut b);
    assert_eq!(told, ["up 100000 1 203.0.113.50 1000", "binding 1 sip:alice@10.0.0.1:5060"]);
    b.look_away();
    b.dial(LegId::outgoing(1), ALICE, DeviceId(1));
    let (flow, invite) = b.sent.pop_front().unwrap();
    assert_eq!(flow, phone.flow);
    assert_eq!(invite.uri().unwrap().as_str(), "sip:alice@10.0.0.1:5060");
}

#[test]
fn a_closed_connection_takes_its_registrations_along() {
    let mut b = Bench::new();
    let mut phone = Phone::new("bob", tcp(7, "198.51.100.8:50000"));
    let ok = register(&mut b, &mut phone, "Contact: <sip:bob@198.51.100.8:50000;transport=tcp>");
    assert_eq!(ok.status(), Some(200));
    assert_eq!(b.endpoint.counts().transactions, 0, "over TCP a finished transaction is gone");
    b.others.clear();
    b.dial(LegId::outgoing(1), BOB, DeviceId(1));
    b.input(Input::FlowClosed(FlowId(8)));
    assert!(b.others.is_empty());
    b.input(Input::FlowClosed(FlowId(7)));
    assert_eq!(told(&mut b), ["down 100001 1", "binding 1 gone"]);
    let reason = EndReason::Unreachable;
    let ended = LegEvent::Ended { reason, status: None, elsewhere: false };
    assert_eq!(b.next_event(), (LegId::outgoing(1), ended));
    b.leaves_nothing();
}

#[test]
fn a_call_survives_its_connection_and_follows_the_phone_to_the_next() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", tcp(7, "198.51.100.8:50000"));
    let instance = "Contact: <sip:bob@198.51.100.8;transport=tcp>;+sip.instance=\"<urn:x>\"";
    register(&mut b, &mut bob, instance);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, DeviceId(1));
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 200, &body);
    b.input(Input::FlowClosed(FlowId(7)));
    b.look_away();
    // An in-dialog request on the new connection moves the dialog.
    bob.flow = tcp(9, "198.51.100.8:50001");
    bob.sends(&mut b, "INFO", "", "");
    b.next_of("200");
    b.end(leg, EndReason::ApiHangup);
    let (flow, bye) = b.sent.pop_front().unwrap();
    assert_eq!((flow, bye.method()), (bob.flow, Some(sip::Method::Bye)));
    bob.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn a_phone_that_registers_from_elsewhere_takes_its_dialogs_along() {
    // The old way may be silent for hours, as a NAT leaves it, whatever the transport.
    let instance = "Contact: <sip:bob@198.51.100.8>;+sip.instance=\"<urn:x>\"";
    for (first, second) in [
        (tcp(7, "198.51.100.8:50000"), tcp(9, "203.0.113.5:50001")),
        (bench::udp("198.51.100.8:50000"), bench::udp("198.51.100.8:50001")),
        (bench::udp("198.51.100.8:50000"), tcp(9, "198.51.100.8:50001")),
    ] {
        let mut b = Bench::new();
        let mut bob = Phone::new("bob", first);
        register(&mut b, &mut bob, instance);
        let leg = LegId::outgoing(1);
        b.dial(leg, BOB, DeviceId(1));
        let invite = b.next_of("INVITE");
        bob.joins(&invite);
        let body = bob.sdp(1, "sendrecv");
        bob.answers(&mut b, &invite, 200, &body);
        b.next_of("ACK");

        let mut again = Phone::new("bob", second);
        again.call_id = "another".into();
        register(&mut b, &mut again, instance);
        b.look_away();
        bob.flow = second;
        b.end(leg, EndReason::ApiHangup);
        let (flow, bye) = b.sent.pop_front().unwrap();
        assert_eq!((flow, bye.method()), (second, Some(sip::Method::Bye)));
        bob.answers(&mut b, &bye, 200, "");
        b.leaves_nothing();
    }
}

#[test]
fn a_phone_without_instance_is_known_again_by_its_address_if_it_is_the_only_one() {
    let aor = "<sip:alice@acme.example>";
    let registers = |b: &mut Bench, flow: stack::Flow, call_id: &str| {
        let mut phone = Phone::new("alice", flow);
        phone.call_id = call_id.into();
        let more = format!("Contact: <sip:alice@{};transport=tcp>", flow.remote);
        phone.prove(b, "REGISTER", "sip:acme.example", aor, &more, "");
    };
    let (old, new) = (tcp(7, "198.51.100.7:50000"), tcp(9, "198.51.100.7:50009"));
    for (others, is_told) in [
        (vec![new], true),
        (vec![tcp(9, "203.0.113.5:50009")], false),
        (vec![new, tcp(10, "198.51.100.7:50010")], false),
    ] {
        let mut b = Bench::new();
        // Another phone of the same person, which was there before.
        registers(&mut b, tcp(6, "198.51.100.7:50006"), "before");
        registers(&mut b, old, "old");
        let mut alice = Phone::new("alice", old);
        let body = alice.sdp(1, "sendrecv");
        let leg = alice.invites(&mut b, "101", &body);
        b.command(leg, LegCommand::Answer(bench::boxed(10_000)));
        let ok = b.next_of("200");
        alice.acks(&mut b, &ok, "");
        b.input(Input::FlowClosed(old.id));
        for (n, flow) in others.into_iter().enumerate() {
            registers(&mut b, flow, &format!("new{n}"));
        }
        b.look_away();
        b.sent.clear();
        b.end(leg, EndReason::ApiHangup);
        let told = b.sent.front().map(|(flow, bye)| (*flow, bye.method()));
        assert_eq!(told, is_told.then_some((new, Some(sip::Method::Bye))));
    }
}

#[test]
fn registrations_that_were_read_back_can_be_called() {
    let mut b = Bench::new();
    let mut phone = alice();
    register(&mut b, &mut phone, "Contact: <sip:alice@198.51.100.7:5060>;expires=3600");
    let mut tcp_phone = Phone::new("bob", tcp(7, "198.51.100.8:50000"));
    register(&mut b, &mut tcp_phone, "Contact: <sip:bob@198.51.100.8:50000;transport=tcp>");
    let changes: Vec<BindingChange> = b
        .others
        .drain(..)
        .filter_map(|e| match e {
            Effect::Binding(change) => Some(*change),
            _ => None,
        })
        .collect();
    assert_eq!(changes.len(), 2);

    let mut again = Bench::with(bench::config(), 2);
    again.now = b.now + Duration::from_secs(100);
    again.input(Input::Bindings { tenant: TENANT, bindings: changes.clone() });
    assert_eq!(told(&mut again), ["up 100000 1 198.51.100.7 1000", "binding 2 gone"]);
    let views = again.endpoint.registrations(TENANT, None);
    assert_eq!(views.len(), 1);
    assert_eq!(views[0].real_address, phone.flow.remote);
    assert_eq!(views[0].expires.0, b.now.wall.0 + 3_600_000_000);
    // The number of the socket is learned from the first message that comes over it.
    again.dial(LegId::outgoing(1), ALICE, DeviceId(1));
    assert_eq!(again.sent.pop_front().unwrap().0.id, FlowId::BY_ADDRESS);
    let mut ping = Phone::new("bob", udp("203.0.113.1:5060"));
    let ping = ping.request("OPTIONS", "sip:x.example", "<sip:x.example>", "", "");
    again.receive(udp("203.0.113.1:5060"), ping);
    again.look_away();
    again.dial(LegId::outgoing(2), ALICE, DeviceId(1));
    assert_eq!(again.sent.pop_front().unwrap().0, phone.flow);

    let mut late = Bench::with(bench::config(), 3);
    late.now = b.now + Duration::from_secs(3_601);
    late.input(Input::Bindings { tenant: TENANT, bindings: changes });
    assert_eq!(late.endpoint.counts().bindings, 0);
    // New devices get new numbers even so.
    let mut phone = alice();
    register(&mut late, &mut phone, "Contact: <sip:alice@198.51.100.7:5060>");
    let up = late.others.iter().find_map(|e| match e {
        Effect::DeviceUp { device, .. } => Some(*device),
        _ => None,
    });
    assert_eq!(up, Some(DeviceId(3)));
}

#[test]
fn a_short_registration_outlasts_a_restart_between_two_records() {
    let mut b = Bench::new();
    register(&mut b, &mut alice(), "Contact: <sip:alice@198.51.100.7>;expires=60");
    let written = b.others.iter().find_map(|e| match e {
        Effect::Binding(change) => change.binding.clone(),
        _ => None,
    });
    let left_s = (written.unwrap().expires.0 - b.now.wall.0) / 1_000_000;
    assert_eq!(left_s, 360);
}

#[test]
fn views_show_one_extension_or_all() {
    let mut b = Bench::new();
    let more = "Contact: <sip:alice@198.51.100.7>\nUser-Agent: Snom D785/10.1";
    register(&mut b, &mut alice(), more);
    register(&mut b, &mut Phone::new("bob", udp("198.51.100.8:5060")), "Contact: <sip:b@1.2.3.4>");
    let all = b.endpoint.registrations(TENANT, None);
    assert_eq!(all.iter().map(|v| v.extension).collect::<Vec<_>>(), [ALICE, BOB]);
    let one = b.endpoint.registrations(TENANT, Some(ALICE));
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].device, "Snom D785/10.1");
    assert_eq!(one[0].contact_address, "sip:alice@198.51.100.7");
    assert!(b.endpoint.registrations(model::TenantId(2), None).is_empty());
}

#[test]
fn a_login_that_is_taken_away_takes_its_registrations_along() {
    let mut b = Bench::new();
    register(&mut b, &mut alice(), "Contact: <sip:alice@198.51.100.7>");
    register(&mut b, &mut Phone::new("bob", udp("198.51.100.8:5060")), "Contact: <sip:b@1.2.3.4>");
    b.others.clear();
    let mut directory = bench::directory();
    directory.logins.remove("alice");
    b.input(Input::Directory(Arc::new(directory)));
    assert_eq!(told(&mut b), ["down 100000 1", "binding 1 gone"]);
    assert_eq!(b.endpoint.counts().bindings, 1);
}

#[test]
fn our_bye_finds_the_phone_on_its_new_connection_or_is_not_sent() {
    for comes_back in [true, false] {
        let mut b = Bench::new();
        let mut alice = Phone::new("alice", tcp(7, "198.51.100.7:50000"));
        alice.registers(&mut b);
        let body = alice.sdp(1, "sendrecv");
        let leg = alice.invites(&mut b, "101", &body);
        b.command(leg, leg::LegCommand::Answer(bench::boxed(10_000)));
        let ok = b.next_of("200");
        alice.acks(&mut b, &ok, "");
        // A second registration over another connection replaces the first: the same contact.
        let mut again = alice.clone();
        again.flow = tcp(9, "198.51.100.7:50000");
        if comes_back {
            let aor = "<sip:alice@acme.example>";
            again.call_id = "alice-register".into();
            again.cseq = 100;
            let more = format!("Contact: {}", alice.contact());
            again.prove(&mut b, "REGISTER", "sip:acme.example", aor, &more, "");
        }
        b.input(Input::FlowClosed(FlowId(7)));
        b.look_away();
        b.end(leg, EndReason::ApiHangup);
        match b.sent.pop_front() {
            Some((flow, bye)) => {
                assert!(comes_back);
                assert_eq!((flow.id, bye.method()), (FlowId(9), Some(sip::Method::Bye)));
                again.answers(&mut b, &bye, 200, "");
            }
            None => assert!(!comes_back),
        }
        b.leaves_nothing();
    }
}
