//! Which host of a trunk is tried, and what leads to the next: RFC 3263 4.2 and 4.3.

use core::time::Duration;

use model::{EndReason, TrunkTransport};
use sip::Method;
use stack::{Answer, Site};

use crate::bench::summary;
use crate::carrier::{Carrier, ONE, TWO, Town, ended, host, named, town};

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
