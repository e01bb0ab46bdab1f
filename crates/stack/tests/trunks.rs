//! Calls to trunks: RFC 3263 4.2 and 4.3, RFC 3261 18.1.1.

mod bench;
mod carrier;

use core::time::Duration;

use bench::{TENANT, session, summary};
use carrier::{ASKS, Carrier, ONE, TWO, Town, answered, ended, host, named, town};
use leg::LegCommand;
use model::{EndReason, TrunkTransport};
use sip::{Header, Method};
use stack::{Answer, Effect, FlowId, Input, Site, Transport};

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

/// RFC 3263 4.2: what is asked for, by what the trunk says.
#[test]
fn a_name_is_looked_up_with_its_port_and_transport() {
    for (port, transport, expected) in [
        (None, TrunkTransport::Udp, Transport::Udp),
        (Some(5070), TrunkTransport::Tcp, Transport::Tcp),
        (None, TrunkTransport::Tls, Transport::Tls),
    ] {
        let mut town = Town::with(vec![host("SIP.Carrier.example", port)], transport);
        town.dial();
        let asked = town.asked();
        let [Effect::Resolve { host, port: p, transport, .. }] = asked.as_slice() else {
            panic!("{asked:?}")
        };
        assert_eq!((&**host, *p, *transport), ("sip.carrier.example", port, expected));
        town.end();
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

/// RFC 3263 4.3: what makes the next host be tried, and what does not.
#[test]
fn only_503_silence_and_a_dead_way_lead_to_the_next_host() {
    let table: &[(u16, bool, bool)] = &[
        // status, after a 180, the next one is tried
        (503, false, true),
        (503, true, true),
        (408, false, true),
        (408, true, false),
        (302, false, false),
        (400, false, false),
        (401, false, false),
        (403, false, false),
        (404, false, false),
        (407, false, false),
        (480, false, false),
        (486, false, false),
        (488, false, false),
        (500, false, false),
        (502, false, false),
        (504, false, false),
        (600, false, false),
        (603, false, false),
    ];
    for &(status, rings, next) in table {
        let mut town = town(&["203.0.113.1", "203.0.113.2"]);
        town.configure(|trunk| trunk.credentials = None);
        town.dial();
        let (_, invite) = town.next_sent();
        let carrier = Carrier::new(ONE);
        if rings {
            carrier.answers(&mut town, &invite, 180);
        }
        carrier.answers(&mut town, &invite, status);
        let (_, ack) = town.next_sent();
        assert_eq!(ack.method(), Some(Method::Ack), "{status}");
        let tried = town.bench.sent.pop_front();
        assert_eq!(tried.is_some(), next, "{status} {rings}");
        assert_eq!(ended(&mut town).is_none(), next, "{status} {rings}");
        let Some((flow, again)) = tried else { continue };
        assert_eq!(flow.remote.to_string(), TWO);
        assert_eq!(again.call_id().unwrap(), invite.call_id().unwrap());
        assert_eq!(again.from().unwrap().tag, invite.from().unwrap().tag);
        assert_eq!(again.cseq().unwrap().number, invite.cseq().unwrap().number + 1);
        assert_ne!(again.top_via().unwrap().branch, invite.top_via().unwrap().branch);
        assert!(again.to().unwrap().tag.is_none());
        assert_eq!(again.uri().unwrap().as_str(), "sip:4930123@203.0.113.2");
    }
}

#[test]
fn a_silent_host_is_left_after_five_seconds_and_its_late_answer_is_hung_up() {
    for late in [180, 200] {
        let mut town = town(&["203.0.113.1", "203.0.113.2"]);
        town.dial();
        let (_, first) = town.next_sent();
        town.bench.run_for(Duration::from_millis(4_999));
        assert!(town.bench.sent.iter().all(|(f, _)| f.remote.to_string() == ONE));
        town.bench.sent.clear();
        town.bench.run_for(Duration::from_millis(1));
        let (flow, second) = town.next_sent();
        assert_eq!((flow.remote.to_string(), second.method()), (TWO.into(), Some(Method::Invite)));
        let two = Carrier::new(TWO);
        two.answers(&mut town, &second, 200);
        town.bench.sent.clear();
        // Two hosts must not ring for ever: the first is not asked again.
        town.bench.run_for(Duration::from_secs(10));
        assert!(town.bench.sent.is_empty(), "{:?}", town.bench.sent);
        let one = Carrier::new(ONE);
        one.answers(&mut town, &first, late);
        let follows: Vec<String> = town.bench.sent.iter().map(|(_, m)| summary(m)).collect();
        match late {
            180 => assert_eq!(follows, ["CANCEL"]),
            _ => assert_eq!(follows, ["ACK in dialog", "BYE in dialog"]),
        }
        assert!(town.bench.sent.iter().all(|(f, _)| f.remote.to_string() == ONE));
        town.bench.sent.clear();
        town.end();
        town.leaves_nothing();
    }
}

#[test]
fn a_host_that_gave_a_sign_of_life_is_waited_for() {
    let mut town = town(&["203.0.113.1", "203.0.113.2"]);
    town.dial();
    let (_, invite) = town.next_sent();
    Carrier::new(ONE).answers(&mut town, &invite, 100);
    town.bench.run_for(Duration::from_secs(60));
    assert!(town.bench.sent.is_empty());
    town.end();
    Carrier::new(ONE).answers(&mut town, &invite, 487);
    town.leaves_nothing();
}

#[test]
fn when_all_hosts_fail_the_last_status_is_the_calls() {
    let mut town = town(&["203.0.113.1", "203.0.113.2"]);
    town.dial();
    let (_, invite) = town.next_sent();
    Carrier::new(ONE).answers(&mut town, &invite, 503);
    let (_, _ack) = town.next_sent();
    let (_, invite) = town.next_sent();
    Carrier::new(TWO).answers(&mut town, &invite, 503);
    assert_eq!(ended(&mut town), Some((EndReason::Unreachable, Some(503))));
    town.leaves_nothing();
}

#[test]
fn a_failed_host_is_tried_last_until_it_is_forgiven() {
    for (retry_after, bad_for) in [("", 30), ("Retry-After: 7", 7), ("Retry-After: 4000", 300)] {
        let mut town = town(&["203.0.113.1", "203.0.113.2"]);
        town.dial();
        let (_, invite) = town.next_sent();
        Carrier::new(ONE).answers_with(&mut town, &invite, 503, retry_after);
        let (_, _ack) = town.next_sent();
        let (_, invite) = town.next_sent();
        Carrier::new(TWO).answers(&mut town, &invite, 486);
        town.bench.look_away();
        let first = |town: &mut Town| {
            town.dial();
            let (flow, invite) = town.next_sent();
            Carrier::new(&flow.remote.to_string()).answers(town, &invite, 486);
            town.bench.look_away();
            flow.remote.to_string()
        };
        town.bench.run_for(Duration::from_millis(bad_for * 1_000 - 100));
        assert_eq!(first(&mut town), TWO, "{retry_after}");
        town.bench.run_for(Duration::from_millis(200));
        assert_eq!(first(&mut town), ONE, "{retry_after}");
        town.leaves_nothing();
    }
}

#[test]
fn if_everything_failed_lately_it_is_tried_all_the_same() {
    let mut town = town(&["203.0.113.1"]);
    for _ in 0..2 {
        town.dial();
        let (_, invite) = town.next_sent();
        Carrier::new(ONE).answers(&mut town, &invite, 503);
        assert_eq!(ended(&mut town), Some((EndReason::Unreachable, Some(503))));
        town.bench.look_away();
    }
}

#[test]
fn one_call_tries_ten_addresses_at_most() {
    let mut town = named();
    town.dial();
    let many: Vec<String> = (1..30).map(|n| format!("203.0.113.{n}:5060")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    town.resolves(&[(1, &many)]);
    let mut tries = 0;
    while let Some((flow, message)) = town.bench.sent.pop_front() {
        if message.method() == Some(Method::Invite) {
            tries += 1;
            Carrier::new(&flow.remote.to_string()).answers(&mut town, &message, 503);
        }
    }
    assert_eq!(tries, 10);
    assert_eq!(ended(&mut town), Some((EndReason::Unreachable, Some(503))));
    town.leaves_nothing();
}

#[test]
fn calls_share_a_lookup_and_its_answer() {
    let mut town = named();
    let legs = [town.dial(), town.dial()];
    assert_eq!(town.asked().len(), 1);
    town.resolves(&[(1, &[ONE])]);
    assert_eq!(town.bench.sent.len(), 2);
    town.dial();
    assert_eq!(town.bench.sent.len(), 3, "the answer is fresh");
    assert!(town.asked().is_empty());
    assert_ne!(legs[0], legs[1]);
}

#[test]
fn a_name_that_leads_nowhere_ends_the_call() {
    for answer in [Answer::Nowhere, Answer::Away] {
        let mut town = named();
        town.dial();
        town.answer(answer);
        assert_eq!(ended(&mut town), Some((EndReason::Unreachable, None)));
        town.leaves_nothing();
    }
}

#[test]
fn the_last_addresses_serve_while_the_name_system_is_away() {
    let mut town = named();
    town.dial();
    town.resolves(&[(1, &[ONE])]);
    let (_, invite) = town.next_sent();
    Carrier::new(ONE).answers(&mut town, &invite, 486);
    town.bench.run_for(Duration::from_secs(23 * 3_600));
    town.bench.look_away();
    town.dial();
    town.answer(Answer::Away);
    let (flow, invite) = town.next_sent();
    assert_eq!(flow.remote.to_string(), ONE);
    Carrier::new(ONE).answers(&mut town, &invite, 486);
    town.bench.look_away();
    town.bench.run_for(Duration::from_secs(2 * 3_600));
    town.dial();
    town.answer(Answer::Away);
    assert_eq!(ended(&mut town), Some((EndReason::Unreachable, None)));
}

#[test]
fn an_answer_that_never_comes_does_not_hold_a_call_for_ever() {
    let mut town = named();
    town.dial();
    let mut mute = Town::with(vec![host("203.0.113.1", None)], TrunkTransport::Tcp);
    mute.dial();
    for town in [&mut town, &mut mute] {
        assert_eq!(town.asked().len(), 1);
        town.bench.run_for(Duration::from_secs(10));
        assert_eq!(ended(town), Some((EndReason::Unreachable, None)));
        town.leaves_nothing();
    }
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

#[test]
fn weights_spread_calls_and_priorities_order_them() {
    let mut first = [0, 0];
    for seed in 0..200 {
        let mut town = Town::seeded(vec![host("carrier.example", None)], TrunkTransport::Udp, seed);
        town.dial();
        let site = |priority, weight, at: &str| Site {
            priority,
            weight,
            addresses: vec![at.parse().unwrap()],
        };
        let sites = vec![site(2, 9, "203.0.113.9:5060"), site(1, 1, ONE), site(1, 3, TWO)];
        town.answer(Answer::Found { sites, ttl_s: 60 });
        match town.next_sent().0.remote.to_string().as_str() {
            ONE => first[0] += 1,
            TWO => first[1] += 1,
            other => panic!("{other}"),
        }
    }
    assert!((30..70).contains(&first[0]), "{first:?}");
}

#[test]
fn a_leg_to_a_trunk_is_saved_and_taken_up_at_every_stage() {
    for stage in ["asking", "calling", "ringing", "proven", "up"] {
        let mut town = named();
        let leg = town.dial();
        let mut carrier = None;
        if stage != "asking" {
            town.resolves(&[(1, &[ONE])]);
            let (flow, mut invite) = town.next_sent();
            let c = Carrier::on(flow);
            if stage == "proven" {
                c.answers_with(&mut town, &invite, 401, ASKS);
                let (_, _ack) = town.next_sent();
                invite = town.next_sent().1;
            }
            match stage {
                "ringing" => c.answers(&mut town, &invite, 180),
                "proven" | "up" => c.answers(&mut town, &invite, 200),
                _ => {}
            }
            carrier = Some((c, invite));
        }
        let saved = town.bench.endpoint.save_legs(town.bench.now, TENANT, &[leg]);
        let text = String::from_utf8_lossy(&saved);
        assert!(!text.contains("trunk-secret") && !text.contains("uthorization"), "{stage}");
        let mut next = named();
        next.bench.now.wall = town.bench.now.wall;
        next.bench.endpoint.load_legs(next.bench.now, TENANT, &saved).unwrap();
        next.bench.endpoint.check().unwrap();
        next.bench.input(Input::Tick);
        if stage == "asking" {
            next.resolves(&[(1, &[ONE])]);
            let (flow, invite) = next.next_sent();
            Carrier::on(flow).answers(&mut next, &invite, 486);
            assert_eq!(ended(&mut next), Some((EndReason::Busy, Some(486))));
            next.leaves_nothing();
            continue;
        }
        let (carrier, invite) = carrier.unwrap();
        if stage == "calling" {
            carrier.answers(&mut next, &invite, 200);
            assert!(answered(&next));
            next.bench.look_away();
        }
        next.bench.end(leg, EndReason::Restart);
        let (_, last) = next.next_sent();
        match stage {
            "ringing" => {
                assert_eq!(last.method(), Some(Method::Cancel));
                assert_eq!(last.top_via().unwrap().branch, invite.top_via().unwrap().branch);
                carrier.answers(&mut next, &last, 200);
                carrier.answers(&mut next, &invite, 487);
            }
            "proven" => {
                assert!(last.text(Header::Authorization).unwrap().contains("nc=00000002"));
                carrier.answers(&mut next, &last, 200);
            }
            _ => {
                assert!(summary(&last).starts_with("BYE in dialog"));
                carrier.answers(&mut next, &last, 200);
            }
        }
        next.leaves_nothing();
    }
}

#[test]
fn after_a_restart_the_connection_to_a_trunk_is_made_anew() {
    for rings in [true, false] {
        let mut town = Town::with(vec![host("carrier.example", None)], TrunkTransport::Tls);
        let leg = town.dial();
        town.resolves(&[(1, &[ONE])]);
        town.connects(Some(7));
        let (flow, invite) = town.next_sent();
        Carrier::on(flow).answers(&mut town, &invite, if rings { 180 } else { 200 });
        let saved = town.bench.endpoint.save_legs(town.bench.now, TENANT, &[leg]);
        let config = stack::Config { nonce_key: [8; 32], ..bench::config() };
        let mut next = Town::of(config, vec![host("carrier.example", None)], TrunkTransport::Tls);
        next.bench.endpoint.load_legs(next.bench.now, TENANT, &saved).unwrap();
        next.bench.input(Input::Tick);
        next.bench.end(leg, EndReason::Restart);
        let asked = next.connecting();
        let [Effect::Connect { remote, name, .. }] = asked.as_slice() else {
            panic!("{rings}: {asked:?}")
        };
        assert_eq!((remote.to_string().as_str(), name.as_deref()), (ONE, Some("carrier.example")));
        next.connects(Some(3));
        let (flow, last) = next.next_sent();
        assert_eq!(flow.id, FlowId(3));
        let expected = if rings { Method::Cancel } else { Method::Bye };
        assert_eq!(last.method(), Some(expected));
        Carrier::on(flow).answers(&mut next, &last, 200);
        next.leaves_nothing();
    }
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
