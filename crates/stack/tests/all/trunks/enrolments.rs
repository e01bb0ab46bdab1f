//! Our registrations with trunks: RFC 3261 10.2, RFC 5626 4.5.

use core::time::Duration;

use model::{TrunkRegistration, TrunkTransport};
use sip::digest::Ha1s;
use sip::{Header, Message, Method};
use stack::{Effect, Input, Transport};

use crate::bench::{self, TENANT};
use crate::carrier::{ASKS, Carrier, ONE, TWO, Town, host, named, town};

/// A town whose trunk wants to be registered with for ten minutes; the first REGISTER is out.
fn registering(hosts: &[&str]) -> Town {
    begun(town(hosts))
}

fn begun(mut town: Town) -> Town {
    town.configure(|trunk| trunk.registration = Some(TrunkRegistration { expires_s: 600 }));
    town.bench.input(Input::Home(TENANT));
    town.datagrams();
    town
}

/// The next REGISTER; what keeps the way open is passed over.
fn register(town: &mut Town) -> Message {
    let (_, message) = town.next_sent();
    assert_eq!(message.method(), Some(Method::Register));
    message
}

fn expires(message: &Message) -> Option<u32> {
    message.expires().unwrap()
}

fn standing(town: &Town) -> (usize, usize) {
    let counts = town.bench.endpoint.counts();
    (counts.trunks_registered, counts.trunks_missing)
}

/// Its Contact in the 200, with what was granted.
fn granted(register: &Message, seconds: u32) -> String {
    format!("Contact: {};expires={seconds}", register.text(Header::Contact).unwrap())
}

#[test]
fn a_trunk_is_registered_with_by_digest_and_again_at_half_of_the_time() {
    let mut town = registering(&["203.0.113.1"]);
    let carrier = Carrier::new(ONE);
    let first = register(&mut town);
    assert_eq!(first.uri().unwrap().as_str(), "sip:203.0.113.1");
    assert!(first.text(Header::To).unwrap().starts_with("<sip:acme@203.0.113.1>"));
    assert_eq!(expires(&first), Some(600));
    assert!(!first.has(Header::Authorization));
    assert_eq!(standing(&town), (0, 1));
    carrier.answers_with(&mut town, &first, 401, ASKS);
    let second = register(&mut town);
    let proof = second.credentials(Header::Authorization).next().unwrap();
    proof.check(&Ha1s::of("acme", "carrier", "trunk-secret"), "REGISTER").unwrap();
    assert_eq!(first.text(Header::Contact), second.text(Header::Contact));
    assert_eq!(first.call_id().unwrap(), second.call_id().unwrap());
    carrier.answers_with(&mut town, &second, 200, &granted(&second, 200));
    assert_eq!(standing(&town), (1, 0));
    town.bench.run_for(Duration::from_secs(89));
    assert!(town.bench.sent.is_empty(), "less than 45 % of the time is over");
    assert_eq!(town.bench.kept_open, 3, "a router would forget the way");
    town.bench.run_for(Duration::from_secs(22));
    let again = register(&mut town);
    assert!(again.has(Header::Authorization), "the proof comes along");
    assert!(again.cseq().unwrap().number > second.cseq().unwrap().number);
    carrier.answers_with(&mut town, &again, 200, &granted(&again, 200));
    assert_eq!(standing(&town), (1, 0));
}

#[test]
fn the_contact_says_which_trunk_and_cannot_be_guessed() {
    let mut town = registering(&["203.0.113.1"]);
    let contact = register(&mut town).contact().unwrap().unwrap().uri.as_str().to_owned();
    let key = bench::directory().tenants.get(&TENANT).unwrap().key;
    let token = stack::trunk_token(key, town.trunk());
    assert!(contact.starts_with(&format!("sip:{token}@192.0.2.1")), "{contact}");
    assert!(token.len() > 30);
}

#[test]
fn a_longer_time_is_asked_for_when_the_trunk_wants_it() {
    let mut town = registering(&["203.0.113.1"]);
    let carrier = Carrier::new(ONE);
    let first = register(&mut town);
    carrier.answers_with(&mut town, &first, 423, "Min-Expires: 1800");
    let second = register(&mut town);
    assert_eq!(expires(&second), Some(1_800));
    carrier.answers_with(&mut town, &second, 423, "Min-Expires: 900");
    town.bench.run_for(Duration::from_secs(10));
    assert!(town.bench.sent.is_empty(), "a trunk that wants less than it was offered is odd");
    assert_eq!(standing(&town), (0, 1));
}

#[test]
fn the_next_host_is_tried_and_then_later_again_less_and_less() {
    let mut town = registering(&["203.0.113.1", "203.0.113.2"]);
    let first = register(&mut town);
    Carrier::new(ONE).answers(&mut town, &first, 503);
    let (flow, second) = town.next_sent();
    assert_eq!(flow.remote.to_string(), TWO);
    Carrier::new(TWO).answers(&mut town, &second, 500);
    let mut gaps = Vec::new();
    for _ in 0..9 {
        let mut waited = 0;
        town.datagrams();
        while town.bench.sent.is_empty() {
            // Shorter than the time after which a request is repeated.
            town.bench.run_for(Duration::from_millis(250));
            town.datagrams();
            waited += 1;
        }
        gaps.push(waited / 4);
        for host in [ONE, TWO] {
            let request = register(&mut town);
            Carrier::new(host).answers(&mut town, &request, 500);
        }
    }
    assert!((15..=31).contains(&gaps[0]), "{gaps:?}");
    assert!((30..=61).contains(&gaps[1]), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 1_801), "{gaps:?}");
    assert!(gaps[8] >= 900, "{gaps:?}");
}

#[test]
fn a_host_that_says_nothing_is_given_up_for_the_next() {
    let mut town = registering(&["203.0.113.1", "203.0.113.2"]);
    register(&mut town);
    town.bench.run_for(Duration::from_secs(33));
    town.datagrams();
    let sent = town.bench.sent.drain(..).map(|(flow, _)| flow.remote.to_string());
    let sent: Vec<String> = sent.collect();
    assert_eq!(sent.last().map(String::as_str), Some(TWO), "{sent:?}");
}

#[test]
fn a_wrong_password_is_not_tried_for_ever() {
    let mut town = registering(&["203.0.113.1"]);
    let carrier = Carrier::new(ONE);
    let mut tries = 0;
    let begin = town.bench.now;
    while town.bench.now.mono.since(begin.mono) < Duration::from_secs(24 * 3_600) {
        town.datagrams();
        while let Some((_, message)) = town.bench.sent.pop_front() {
            let proven = message.has(Header::Authorization);
            tries += u32::from(proven);
            match proven {
                true => carrier.answers(&mut town, &message, 403),
                false => carrier.answers_with(&mut town, &message, 401, ASKS),
            }
        }
        town.bench.run_for(Duration::from_secs(10));
    }
    assert_eq!(tries, 5);
    town.configure(|trunk| {
        let login = trunk.credentials.as_mut().unwrap();
        login.password = model::Secret::new("another");
    });
    town.datagrams();
    register(&mut town);
}

#[test]
fn a_trunk_that_is_switched_off_is_unregistered_and_one_that_is_changed_elsewhere_is_not() {
    let mut town = registering(&["203.0.113.1"]);
    let carrier = Carrier::new(ONE);
    let first = register(&mut town);
    carrier.answers_with(&mut town, &first, 200, &granted(&first, 600));
    town.configure(|trunk| trunk.name = "Renamed".into());
    town.configure(|trunk| trunk.from_user = Some("x".into()));
    assert!(town.bench.sent.is_empty());
    assert_eq!(standing(&town), (1, 0));
    town.configure(|trunk| trunk.enabled = false);
    let last = register(&mut town);
    assert_eq!(expires(&last), Some(0));
    assert_eq!(last.text(Header::Contact), first.text(Header::Contact));
    carrier.answers(&mut town, &last, 200);
    town.bench.run_for(Duration::from_secs(3_600));
    assert!(town.bench.sent.is_empty());
    assert_eq!(standing(&town), (0, 0));
    town.leaves_nothing();
}

#[test]
fn a_trunk_of_a_tenant_that_lives_elsewhere_is_left_alone() {
    let mut town = town(&["203.0.113.1"]);
    town.configure(|trunk| trunk.registration = Some(TrunkRegistration { expires_s: 600 }));
    town.datagrams();
    assert!(town.bench.sent.is_empty() && town.bench.others.is_empty());
}

#[test]
fn a_tenant_that_moves_takes_its_registration_along() {
    let mut here = registering(&["203.0.113.1"]);
    let carrier = Carrier::new(ONE);
    let first = register(&mut here);
    carrier.answers_with(&mut here, &first, 200, &granted(&first, 600));
    let exported = here.bench.endpoint.export(here.bench.now, TENANT);
    assert_eq!(standing(&here), (0, 0));
    let mut there = town(&["203.0.113.1"]);
    there.configure(|trunk| trunk.registration = Some(TrunkRegistration { expires_s: 600 }));
    there.bench.endpoint.import(there.bench.now, TENANT, &exported).unwrap();
    there.bench.input(Input::Home(TENANT));
    there.bench.run_for(Duration::from_secs(30));
    there.datagrams();
    assert!(there.bench.sent.is_empty(), "it stands");
    assert_eq!(standing(&there), (1, 0));
    for _ in 0..310 {
        there.bench.run_for(Duration::from_secs(1));
        there.datagrams();
    }
    let again = register(&mut there);
    assert_eq!(again.call_id().unwrap(), first.call_id().unwrap());
    assert!(again.cseq().unwrap().number > first.cseq().unwrap().number);
}

#[test]
fn a_connection_that_closes_is_made_anew_and_registered_on() {
    let mut town = begun(Town::new(&["203.0.113.1"], TrunkTransport::Tcp));
    town.connects(Some(40));
    let (flow, first) = town.next_sent();
    assert!(first.text(Header::Contact).unwrap().contains(";transport=tcp"));
    Carrier::on(flow).answers_with(&mut town, &first, 200, &granted(&first, 600));
    assert_eq!(standing(&town), (1, 0));
    town.bench.input(Input::FlowClosed(flow.id));
    assert_eq!(standing(&town), (0, 1));
    town.bench.run_for(Duration::from_secs(1));
    town.connects(Some(41));
    let (flow, again) = town.next_sent();
    assert_eq!(flow.id.0, 41);
    Carrier::on(flow).answers_with(&mut town, &again, 200, &granted(&again, 600));
    assert_eq!(standing(&town), (1, 0));
}

/// What a connection is wanted for: how, where, and whose certificate must be shown there.
fn wanted(town: &Town) -> Vec<(Transport, String, Option<Box<str>>)> {
    let wish = |e: &&Effect| match e {
        Effect::Connect { transport, remote, name, .. } => {
            (*transport, remote.to_string(), name.clone())
        }
        other => panic!("{other:?}"),
    };
    town.connecting().iter().map(wish).collect()
}

#[test]
fn a_trunk_with_a_name_is_registered_with_over_tls_at_the_first_place_that_can_be_had() {
    let mut town = begun(Town::with(vec![host("carrier.example", None)], TrunkTransport::Tls));
    assert!(matches!(
        town.asked()[..],
        [Effect::Resolve { host, transport: Transport::Tls, .. }] if &**host == "carrier.example"
    ));
    town.resolves(&[(1, &["203.0.113.1:5061"]), (2, &["203.0.113.2:5061"])]);
    let name = Some("carrier.example".into());
    assert_eq!(wanted(&town), [(Transport::Tls, "203.0.113.1:5061".to_owned(), name.clone())]);
    assert!(town.bench.sent.is_empty(), "nothing is said before the certificate was right");
    town.connects(None);
    assert_eq!(wanted(&town), [(Transport::Tls, "203.0.113.2:5061".to_owned(), name)]);
    town.connects(Some(40));
    let (flow, first) = town.next_sent();
    assert_eq!((flow.id.0, flow.transport), (40, Transport::Tls));
    assert!(first.text(Header::Via).unwrap().starts_with("SIP/2.0/TLS "));
    assert!(first.text(Header::Contact).unwrap().contains(";transport=tls"));
    assert_eq!(first.uri().unwrap().as_str(), "sip:carrier.example");
    let carrier = Carrier::on(flow);
    carrier.answers_with(&mut town, &first, 401, ASKS);
    let (again, second) = town.next_sent();
    assert_eq!(again.id, flow.id, "the proof stays on the way whose certificate was right");
    assert!(second.has(Header::Authorization));
    carrier.answers_with(&mut town, &second, 200, &granted(&second, 600));
    assert_eq!(standing(&town), (1, 0));
}

#[test]
fn a_tls_connection_that_closes_is_made_anew_for_the_same_name() {
    let mut town = begun(Town::with(vec![host("carrier.example", None)], TrunkTransport::Tls));
    town.resolves(&[(1, &["203.0.113.1:5061"])]);
    town.connects(Some(40));
    let (flow, first) = town.next_sent();
    Carrier::on(flow).answers_with(&mut town, &first, 200, &granted(&first, 600));
    town.bench.input(Input::FlowClosed(flow.id));
    assert_eq!(standing(&town), (0, 1));
    town.bench.run_for(Duration::from_secs(2));
    let name = Some("carrier.example".into());
    assert_eq!(wanted(&town), [(Transport::Tls, "203.0.113.1:5061".to_owned(), name)]);
    town.connects(Some(41));
    let (flow, again) = town.next_sent();
    assert_eq!((flow.id.0, flow.transport), (41, Transport::Tls));
    Carrier::on(flow).answers_with(&mut town, &again, 200, &granted(&again, 600));
    assert_eq!(standing(&town), (1, 0));
}

#[test]
fn a_name_that_leads_elsewhere_later_is_followed_when_the_old_place_is_gone() {
    let mut town = begun(named());
    town.resolves(&[(1, &[ONE])]);
    let first = register(&mut town);
    Carrier::new(ONE).answers_with(&mut town, &first, 200, &granted(&first, 600));
    // The old place says nothing, and the answer of the name system grows old.
    let is_there = |(flow, _): &(stack::Flow, Message)| flow.remote.to_string() == TWO;
    let mut found = None;
    for _ in 0..90 * 12 {
        town.bench.run_for(Duration::from_secs(5));
        town.datagrams();
        if town.asked().iter().any(|e| matches!(e, Effect::Resolve { .. })) {
            town.resolves(&[(1, &[TWO])]);
        }
        found = town.bench.sent.drain(..).find(is_there);
        if found.is_some() {
            break;
        }
    }
    let (_, again) = found.expect("it is asked at the new place");
    assert_eq!(again.method(), Some(Method::Register));
    Carrier::new(TWO).answers_with(&mut town, &again, 200, &granted(&again, 600));
    assert_eq!(standing(&town), (1, 0));
}

#[test]
fn the_names_of_a_trunk_that_only_calls_us_are_looked_up_now_and_then() {
    let mut town = named();
    town.bench.input(Input::Home(TENANT));
    assert_eq!(town.asked().len(), 1);
    town.resolves(&[(1, &[ONE])]);
    assert!(town.bench.sent.is_empty() && town.asked().is_empty());
    town.bench.run_for(Duration::from_secs(3_900));
    assert_eq!(town.asked().len(), 1, "the answer has grown old");
}
