//! A call to a trunk: what its requests look like, who takes part, and who gives it up.

use model::{EndReason, TrunkTransport};
use sip::{Header, Method};
use stack::Transport;

use crate::bench::{self, TENANT, summary};
use crate::carrier::{Carrier, ONE, TWO, Town, answered, ended, host, named, town};

#[test]
fn a_literal_address_needs_no_lookup_and_the_request_is_the_trunks() {
    let mut town = town(&["203.0.113.1"]);
    town.dial();
    let (flow, invite) = town.next_sent();
    assert_eq!((flow.transport, flow.remote.to_string()), (Transport::Udp, ONE.to_owned()));
    assert_eq!(invite.uri().unwrap().as_str(), "sip:4930123@203.0.113.1");
    assert_eq!(invite.text(Header::To).unwrap(), "<sip:4930123@203.0.113.1>");
    let from = invite.text(Header::From).unwrap().into_owned();
    assert!(from.starts_with("\"Alice\" <sip:100@acme.example>;tag=key23456"), "{from}");
    assert_eq!(invite.text(Header::MaxForwards).unwrap(), "69");
    assert!(!invite.has(Header::Authorization) && !invite.has(Header::Privacy));
    let carrier = Carrier::new(ONE);
    carrier.answers(&mut town, &invite, 180);
    carrier.answers(&mut town, &invite, 200);
    let (_, ack) = town.next_sent();
    assert_eq!(ack.method(), Some(Method::Ack));
    assert!(answered(&town));
    town.end();
    let (_, bye) = town.next_sent();
    assert_eq!(summary(&bye), "BYE in dialog");
    carrier.answers(&mut town, &bye, 200);
    town.leaves_nothing();
}

#[test]
fn a_port_is_part_of_the_request_uri() {
    let mut town = Town::with(vec![host("203.0.113.1", Some(5070))], TrunkTransport::Udp);
    town.dial();
    let (flow, invite) = town.next_sent();
    assert_eq!(flow.remote.port(), 5070);
    assert_eq!(invite.uri().unwrap().as_str(), "sip:4930123@203.0.113.1:5070");
}

#[test]
fn an_address_of_ipv6_stands_in_brackets() {
    let mut town = Town::with(vec![host("2001:db8::1", None)], TrunkTransport::Udp);
    town.dial();
    let (flow, invite) = town.next_sent();
    assert_eq!(flow.remote.to_string(), "[2001:db8::1]:5060");
    assert_eq!(invite.uri().unwrap().as_str(), "sip:4930123@[2001:db8::1]");
}

#[test]
fn a_private_caller_is_hidden_from_a_trunk() {
    let mut town = town(&["203.0.113.1"]);
    town.dial_as(leg::Identity::anonymous());
    let (_, invite) = town.next_sent();
    assert!(invite.text(Header::From).unwrap().contains("anonymous.invalid"));
    assert_eq!(invite.text(Header::Privacy).unwrap(), "id");
}

#[test]
fn a_trunk_of_another_tenant_and_a_disabled_one_do_not_exist() {
    for (tenant, enabled) in [(model::TenantId(2), true), (TENANT, false)] {
        let mut town = town(&["203.0.113.1"]);
        town.configure(|trunk| {
            trunk.tenant = tenant;
            trunk.enabled = enabled;
        });
        town.dial();
        assert!(town.bench.sent.is_empty());
        assert_eq!(ended(&mut town), Some((EndReason::Unreachable, None)));
        town.leaves_nothing();
    }
}

#[test]
fn the_name_of_the_trunk_stays_in_the_request_uri() {
    let mut town = named();
    town.dial();
    town.resolves(&[(1, &[ONE])]);
    let (flow, invite) = town.next_sent();
    assert_eq!(flow.remote.to_string(), ONE);
    assert_eq!(invite.uri().unwrap().as_str(), "sip:4930123@carrier.example");
}

#[test]
fn the_exchange_may_give_up_at_every_stage() {
    // While the name is looked up, while the connection is made.
    let mut town = Town::with(vec![host("carrier.example", None)], TrunkTransport::Tcp);
    town.dial();
    town.end();
    town.resolves(&[(1, &[ONE])]);
    assert!(town.bench.sent.is_empty() && town.connecting().is_empty());
    town.dial();
    assert_eq!(town.connecting().len(), 1);
    town.end();
    town.connects(Some(7));
    assert!(town.bench.sent.is_empty());
    // After the INVITE, before and after a provisional response.
    for rings in [false, true] {
        town.dial();
        let (flow, invite) = town.next_sent();
        let carrier = Carrier::on(flow);
        if rings {
            carrier.answers(&mut town, &invite, 180);
        }
        town.end();
        if !rings {
            assert!(town.bench.sent.is_empty(), "9.1");
            carrier.answers(&mut town, &invite, 100);
        }
        let (_, cancel) = town.next_sent();
        assert_eq!(cancel.method(), Some(Method::Cancel));
        assert_eq!(cancel.top_via().unwrap().branch, invite.top_via().unwrap().branch);
        carrier.answers(&mut town, &cancel, 200);
        carrier.answers(&mut town, &invite, 487);
        town.bench.look_away();
    }
    // Between two tries there is no moment: the next INVITE leaves with the ACK of the first.
    town.leaves_nothing();
}

#[test]
fn a_request_of_the_trunk_may_come_from_another_of_its_hosts() {
    for (from, status) in [(TWO, 200), ("198.51.100.66:5060", 403)] {
        let mut town = town(&["203.0.113.1", "203.0.113.2"]);
        town.dial();
        let (flow, invite) = town.next_sent();
        Carrier::on(flow).answers(&mut town, &invite, 200);
        town.bench.look_away();
        let bye = Carrier::new(from).request(&invite, "BYE");
        town.bench.receive(bench::udp(from), bye);
        let answer = town.bench.next_sent();
        assert_eq!(answer.status(), Some(status), "{from}");
    }
}
