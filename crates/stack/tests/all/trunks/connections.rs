//! Connections to trunks: shared, lost, refused, and wanted for large requests (RFC 3261 18.1.1).

use leg::LegCommand;
use model::{EndReason, TrunkTransport};
use sip::{Header, Method};
use stack::{Effect, FlowId, Input, Transport};

use crate::bench::{session, summary};
use crate::carrier::{Carrier, ONE, TWO, Town, host, town};

#[test]
fn calls_share_a_connection_and_its_end_ends_tries_but_no_dialog() {
    let mut town =
        Town::with(vec![host("203.0.113.1", None), host("203.0.113.2", None)], TrunkTransport::Tcp);
    let talking = town.dial();
    town.connects(Some(7));
    let (flow, invite) = town.next_sent();
    assert_eq!((flow.id, flow.transport), (FlowId(7), Transport::Tcp));
    Carrier::on(flow).answers(&mut town, &invite, 200);
    let ringing = town.dial();
    let (ack, second) = (town.next_sent().1, town.next_sent().1);
    assert_eq!((ack.method(), second.method()), (Some(Method::Ack), Some(Method::Invite)));
    assert!(town.connecting().is_empty(), "the second call uses the same connection");
    town.bench.look_away();
    town.bench.input(Input::FlowClosed(FlowId(7)));
    assert!(town.bench.events.is_empty(), "neither leg is over");
    // The call that rang tries the other host.
    town.connects(Some(8));
    let (flow, third) = town.next_sent();
    assert_eq!((flow.id, flow.remote.to_string()), (FlowId(8), TWO.to_owned()));
    assert_eq!(third.call_id().unwrap(), second.call_id().unwrap());
    Carrier::on(flow).answers(&mut town, &third, 486);
    town.bench.look_away();
    // The call that was up says its next word over a new connection to the same host.
    town.bench.command(
        talking,
        LegCommand::Offer(Box::new(leg::Session {
            direction: leg::Direction::SendOnly,
            ..session(20_000)
        })),
    );
    assert!(town.bench.sent.is_empty());
    town.connects(Some(9));
    let (flow, reinvite) = town.next_sent();
    assert_eq!((flow.id, flow.remote.to_string()), (FlowId(9), ONE.to_owned()));
    assert!(summary(&reinvite).starts_with("INVITE in dialog"));
    Carrier::on(flow).answers(&mut town, &reinvite, 200);
    town.bench.look_away();
    town.bench.end(talking, EndReason::ApiHangup);
    let (flow, bye) = town.next_sent();
    assert_eq!(flow.id, FlowId(9), "the connection is found again");
    Carrier::on(flow).answers(&mut town, &bye, 200);
    assert_ne!(talking, ringing);
    town.leaves_nothing();
}

#[test]
fn a_bye_whose_connection_is_gone_makes_a_new_one_even_if_it_fails() {
    for there in [true, false] {
        let mut town = Town::with(vec![host("203.0.113.1", None)], TrunkTransport::Tcp);
        let leg = town.dial();
        town.connects(Some(7));
        let (flow, invite) = town.next_sent();
        Carrier::on(flow).answers(&mut town, &invite, 200);
        town.bench.input(Input::FlowClosed(FlowId(7)));
        town.bench.look_away();
        town.bench.end(leg, EndReason::CallerHungUp);
        town.connects(there.then_some(8));
        let sent: Vec<String> = town.bench.sent.iter().map(|(_, m)| summary(m)).collect();
        let expected: &[&str] = if there { &["BYE in dialog"] } else { &[] };
        assert_eq!(sent, expected);
        town.leaves_nothing();
    }
}

#[test]
fn the_name_of_a_trunk_is_what_its_certificate_must_be_good_for() {
    for (name, at) in [("carrier.example", Some(ONE)), ("203.0.113.1", None)] {
        let mut town = Town::with(vec![host(name, None)], TrunkTransport::Tls);
        town.dial();
        if let Some(at) = at {
            town.resolves(&[(1, &[at])]);
        }
        let asked = town.connecting();
        let [Effect::Connect { transport, name: verified, .. }] = asked.as_slice() else {
            panic!("{asked:?}")
        };
        assert_eq!((*transport, verified.as_deref()), (Transport::Tls, Some(name)));
        town.connects(Some(7));
        let (_, invite) = town.next_sent();
        assert!(invite.text(Header::Via).unwrap().starts_with("SIP/2.0/TLS "));
        assert!(invite.text(Header::Contact).unwrap().contains(";transport=tls"));
        town.end();
    }
}

#[test]
fn a_host_that_refuses_the_connection_is_passed_over() {
    let mut town =
        Town::with(vec![host("203.0.113.1", None), host("203.0.113.2", None)], TrunkTransport::Tcp);
    town.dial();
    town.connects(None);
    town.connects(Some(8));
    let (flow, _) = town.next_sent();
    assert_eq!(flow.remote.to_string(), TWO);
}

/// RFC 3261 18.1.1.
#[test]
fn a_large_request_goes_by_tcp_and_back_to_udp_when_refused() {
    for taken in [true, false] {
        let mut town = town(&["203.0.113.1"]);
        town.number = "4".repeat(60);
        town.offer.formats = (0..60u8)
            .map(|n| leg::Format { payload_type: 96 + n % 32, codec: model::Codec::Pcma })
            .collect();
        town.dial();
        assert!(town.bench.sent.is_empty());
        let asked = town.connecting();
        assert!(matches!(asked.as_slice(), [Effect::Connect { transport: Transport::Tcp, .. }]));
        town.connects(taken.then_some(7));
        let (flow, invite) = town.next_sent();
        let by = if taken { Transport::Tcp } else { Transport::Udp };
        assert_eq!(flow.transport, by);
        let via = format!("SIP/2.0/{} ", by.as_str());
        assert!(invite.text(Header::Via).unwrap().starts_with(&via));
        assert!(invite.bytes().len() > 1_300);
        Carrier::on(flow).answers(&mut town, &invite, 200);
        town.bench.look_away();
        town.end();
        let (flow, bye) = town.next_sent();
        assert_eq!(flow.transport, Transport::Udp, "the dialog is one of datagrams");
        Carrier::on(flow).answers(&mut town, &bye, 200);
        town.leaves_nothing();
        // Who refused TCP is not asked for it again soon.
        town.bench.look_away();
        town.dial();
        assert_eq!(town.connecting().len(), 0);
        assert_eq!(town.next_sent().0.transport, by);
    }
}
