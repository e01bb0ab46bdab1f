//! What a request outside a dialog is owed, with and without a proof.

use leg::LegCommand;
use model::EndReason;
use sip::{Header, Message};

use super::{stranger, uri};
use crate::bench::{Bench, Phone, talking, udp};

#[test]
fn a_request_without_need_of_credentials_is_answered_without_state() {
    let table = [
        ("OPTIONS", "", "", 200, "Allow"),
        ("FOO", "", "", 501, "Allow"),
        ("INVITE", "Require: 100rel, foo", "", 420, "Unsupported"),
        ("INVITE", "Content-Type: text/plain", "x", 415, "Accept"),
        ("INVITE", "Accept: text/plain", "", 406, ""),
        ("CANCEL", "", "", 481, ""),
    ];
    for (method, more, body, status, header) in table {
        let mut b = Bench::new();
        let (u, to) = uri();
        let request = stranger().request(method, u, to, more, body);
        b.receive(stranger().flow, request.clone());
        let response = b.next_sent();
        assert_eq!(response.status(), Some(status), "{method} {more}");
        assert!(header.is_empty() || response.lines().any(|l| l.name == header.as_bytes()));
        b.receive(stranger().flow, request);
        assert_eq!(b.next_sent().bytes(), response.bytes());
        assert_eq!(b.endpoint.counts().transactions, 0);
        assert_eq!(b.endpoint.deadline(), None);
    }
    let mut b = Bench::new();
    let request = stranger().request("INVITE", "urn:service:sos", "<sip:1@a.example>", "", "");
    b.receive(stranger().flow, request);
    b.next_of("416");
}

#[test]
fn an_ack_is_never_answered() {
    let mut b = Bench::new();
    let (u, to) = uri();
    for to in [to, "<sip:101@acme.example>;tag=key23456abcdefghijkmn", "<sip:1@x>;tag=s-1"] {
        let ack = stranger().request("ACK", u, to, "", "");
        b.receive(stranger().flow, ack);
    }
    assert!(b.sent.is_empty());
}

#[test]
fn strays_get_481_without_state() {
    let mut b = Bench::new();
    let (u, _) = uri();
    for method in ["BYE", "INFO", "UPDATE", "INVITE", "REFER", "PRACK", "NOTIFY"] {
        let to = "<sip:101@acme.example>;tag=key23456abcdefghijkmn";
        let request = stranger().request(method, u, to, "", "");
        b.receive(stranger().flow, request);
        assert_eq!(b.next_sent().status(), Some(481), "{method}");
    }
    assert_eq!(b.endpoint.counts().transactions, 0);
}

#[test]
fn methods_that_we_do_not_take_get_405_with_allow() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let (u, to) = uri();
    alice.prove(&mut b, "MESSAGE", u, to, "", "");
    assert!(b.next_of("405").has(Header::Allow));
    let (mut alice, _) = talking(&mut b);
    for method in ["PUBLISH", "NOTIFY", "MESSAGE"] {
        alice.sends(&mut b, method, "", "");
        assert!(b.next_of("405").has(Header::Allow), "{method}");
    }
    alice.sends(&mut b, "FOO", "", "");
    assert!(b.next_of("501").has(Header::Allow));
    alice.sends(&mut b, "INVITE", "Require: foo", "");
    assert_eq!(b.next_of("420").text(Header::Unsupported).unwrap(), "foo");
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "Content-Type: text/plain", &hold);
    b.next_of("415");
    assert!(b.events.is_empty());
}

#[test]
fn what_is_wrong_with_a_proven_invite_is_answered_in_its_transaction() {
    let table = [
        ("sip:101@acme.example", "v=0\r\nnonsense", 488, "no audio"),
        ("sip:101@acme.example", "nonsense", 400, "no description"),
        ("sip:acme.example", "", 404, "nobody was dialled"),
    ];
    for (uri, body, status, why) in table {
        let mut b = Bench::new();
        let mut alice = stranger();
        let request = alice.prove(&mut b, "INVITE", uri, &format!("<{uri}>"), "", body);
        let response = b.next_sent();
        assert_eq!(response.status(), Some(status), "{why}");
        b.receive(alice.flow, request);
        assert_eq!(b.next_sent().bytes(), response.bytes(), "{why}");
        assert!(b.events.is_empty());
        b.leaves_nothing();
    }
}

#[test]
fn max_forwards_zero_goes_nowhere() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let (u, to) = uri();
    let first = alice.request("INVITE", u, to, "", "");
    b.receive(alice.flow, first);
    let challenge = b.next_of("401");
    alice.challenged(&challenge);
    let authorization = alice.authorization("INVITE", u);
    let request = alice.request("INVITE", u, to, &authorization, "");
    let text = String::from_utf8(request.bytes().to_vec()).unwrap();
    let text = text.replace("Max-Forwards: 70", "Max-Forwards: 0");
    b.receive(alice.flow, Message::parse(text.into_bytes()).unwrap());
    b.next_of("483");
    b.leaves_nothing();
}

#[test]
fn an_invite_that_comes_a_second_way_is_merged() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let (u, to) = uri();
    let body = alice.sdp(1, "sendrecv");
    let proven = alice.prove(&mut b, "INVITE", u, to, "", &body);
    b.look_away();
    let twin = alice.request_of("INVITE", u, to, proven.cseq().unwrap().number, "", &body);
    b.receive(alice.flow, twin);
    b.next_of("482");
    assert!(b.events.is_empty());
}

#[test]
fn a_copy_of_an_invite_gets_the_newest_response() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let (u, to) = uri();
    let body = alice.sdp(1, "sendrecv");
    let proven = alice.prove(&mut b, "INVITE", u, to, "", &body);
    b.receive(alice.flow, proven.clone());
    b.command(b.events[0].0, LegCommand::Ring { early: None });
    b.receive(alice.flow, proven);
    let statuses: Vec<_> = b.sent.iter().filter_map(|(_, m)| m.status()).collect();
    assert_eq!(statuses, [100, 100, 180, 180]);
    assert_eq!(b.events.len(), 1);
}

#[test]
fn a_drained_endpoint_sends_callers_away_and_keeps_its_calls() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    b.input(stack::Input::Drain);
    let (u, to) = uri();
    let request = stranger().request("INVITE", u, to, "", "");
    b.receive(stranger().flow, request.clone());
    let refused = b.next_of("503");
    assert!(refused.has(Header::RetryAfter));
    let same = alice.sdp(1, "sendrecv");
    alice.sends(&mut b, "INVITE", "", &same);
    b.next_of("200");
    b.input(stack::Input::Open);
    b.receive(stranger().flow, request);
    b.next_of("401");
    b.end(leg, EndReason::Drained);
}

#[test]
fn via_tells_where_the_request_came_from() {
    let mut b = Bench::new();
    let (u, to) = uri();
    let mut nat = Phone::new("alice", udp("10.0.0.5:5060"));
    let request = nat.request("OPTIONS", u, to, "", "");
    b.receive(udp("203.0.113.66:31000"), request);
    let (flow, response) = b.sent.pop_front().unwrap();
    assert_eq!(flow, udp("203.0.113.66:31000"));
    let via = response.top_via().unwrap();
    assert_eq!(via.received, Some("203.0.113.66".parse().unwrap()));
    assert_eq!(via.rport, sip::Rport::Port(31_000));
}
