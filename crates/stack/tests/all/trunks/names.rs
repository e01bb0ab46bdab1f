//! Trunks that are known by name: what is looked up, and how long the answer serves.

use core::time::Duration;

use model::{EndReason, TrunkTransport};
use stack::{Answer, Effect, Transport};

use crate::carrier::{Carrier, ONE, Town, ended, host, named};

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
