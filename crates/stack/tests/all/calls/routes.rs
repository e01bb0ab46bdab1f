//! The ways of requests: Path, Record-Route and strict routers.

use leg::{LegCommand, LegId};
use model::EndReason;
use sip::Header;

use super::{alice, bob};
use crate::bench::{BOB, Bench, Phone, boxed, udp};

#[test]
fn the_request_follows_the_path_that_was_registered() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let aor = "<sip:bob@acme.example>";
    let more = "Contact: <sip:bob@10.0.0.8:5062>\nSupported: path\n\
         Path: <sip:edge2.example;lr>, <sip:edge1.example;lr>";
    bob.prove(&mut b, "REGISTER", "sip:acme.example", aor, more, "");
    let ok = b.next_of("200");
    assert_eq!(ok.text(Header::Path).unwrap(), "<sip:edge2.example;lr>, <sip:edge1.example;lr>");
    b.dial(LegId::outgoing(1), BOB, model::DeviceId(1));
    let (flow, invite) = b.sent.pop_front().unwrap();
    assert_eq!(flow, bob.flow);
    assert_eq!(invite.uri().unwrap().as_str(), "sip:bob@10.0.0.8:5062");
    let routes: Vec<_> =
        invite.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned()).collect();
    assert_eq!(routes, ["sip:edge2.example;lr", "sip:edge1.example;lr"]);
}

#[test]
fn a_route_set_is_followed_in_both_directions() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let uri = "sip:101@acme.example";
    let routes = "Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>";
    let body = alice.sdp(1, "sendrecv");
    alice.prove(&mut b, "INVITE", uri, &format!("<{uri}>"), routes, &body);
    let leg = b.events.back().unwrap().0;
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    assert_eq!(ok.text(Header::RecordRoute).unwrap(), "<sip:p2.example;lr>, <sip:p1.example;lr>");
    alice.acks(&mut b, &ok, "");
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    let routes: Vec<_> =
        bye.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned()).collect();
    assert_eq!(routes, ["sip:p2.example;lr", "sip:p1.example;lr"]);
    assert_eq!(bye.uri().unwrap().as_str(), "sip:alice@198.51.100.7:5060");
}

#[test]
fn the_route_set_of_an_answer_is_followed_in_reverse() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    let body = bob.sdp(1, "sendrecv");
    let ok = bob.response(&invite, 200, &body);
    let text = String::from_utf8(ok.bytes().to_vec()).unwrap();
    let routes = "Record-Route: <sip:p1.example>, <sip:p2.example;lr>\r\nContact:";
    let ok = sip::Message::parse(text.replacen("Contact:", routes, 1).into_bytes()).unwrap();
    b.receive(bob.flow, ok);
    let ack = b.next_of("ACK");
    let routes = |m: &sip::Message| {
        let all = m.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned());
        all.collect::<Vec<_>>()
    };
    assert_eq!(ack.uri().unwrap().as_str(), "sip:bob@198.51.100.8:5060");
    assert_eq!(routes(&ack), ["sip:p2.example;lr", "sip:p1.example"]);
    b.end(leg, EndReason::ApiHangup);
    assert_eq!(routes(&b.next_of("BYE")), ["sip:p2.example;lr", "sip:p1.example"]);
}

#[test]
fn a_strict_router_gets_the_request_uri() {
    let mut b = Bench::new();
    let mut alice = alice(&mut b);
    let uri = "sip:101@acme.example";
    let routes = "Record-Route: <sip:old.example>, <sip:p1.example;lr>";
    let body = alice.sdp(1, "sendrecv");
    alice.prove(&mut b, "INVITE", uri, &format!("<{uri}>"), routes, &body);
    let leg = b.events.back().unwrap().0;
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    let routes: Vec<_> =
        bye.addresses(Header::Route).map(|r| r.unwrap().uri.as_str().to_owned()).collect();
    assert_eq!(bye.uri().unwrap().as_str(), "sip:old.example");
    assert_eq!(routes, ["sip:p1.example;lr", "sip:alice@198.51.100.7:5060"]);
}
