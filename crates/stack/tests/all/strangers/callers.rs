//! What an INVITE says of who calls and of what was dialled.

use leg::LegEvent;
use sip::Message;

use super::{stranger, uri};
use crate::bench::Bench;

#[test]
fn who_calls_is_read_with_what_hides_it() {
    let table = [
        ("<sip:100@acme.example>", "", Some("100"), "", false),
        ("\"Ann\" <sip:100@acme.example>", "", Some("100"), "Ann", false),
        ("\"Ann\" <sip:100@acme.example>", "Privacy: ID", Some("100"), "Ann", true),
        ("\"Ann\" <sip:100@acme.example>", "Privacy: none", Some("100"), "Ann", false),
        ("\"Anonymous\" <sip:anonymous@anonymous.invalid>", "", None, "", true),
        ("<sip:Restricted@acme.example>", "", None, "", true),
        ("\"unknown\" <sip:100@acme.example>", "", None, "", true),
        ("<sip:acme.example>", "", None, "", true),
    ];
    for (from, more, number, name, private) in table {
        let mut b = Bench::new();
        let mut alice = stranger();
        let (u, to) = uri();
        let first = alice.request("INVITE", u, to, "", "");
        b.receive(alice.flow, first);
        let challenge = b.next_of("401");
        alice.challenged(&challenge);
        let authorization = alice.authorization("INVITE", u);
        let body = alice.sdp(1, "sendrecv");
        let more = format!("{more}\n{authorization}");
        let request = alice.request("INVITE", u, to, more.trim(), &body);
        let text = String::from_utf8(request.bytes().to_vec()).unwrap();
        let text = text.replace("<sip:alice@acme.example>;tag", &format!("{from};tag"));
        b.receive(alice.flow, Message::parse(text.into_bytes()).unwrap());
        let Some((_, LegEvent::Incoming(incoming))) = b.events.pop_front() else {
            panic!("{from}: {}", b.ladder)
        };
        let identity = incoming.identity;
        assert_eq!(identity.number.as_ref().map(|n| n.as_str()), number, "{from}");
        assert_eq!(identity.name.as_str(), name, "{from}");
        assert_eq!(identity.private, private, "{from} {more}");
    }
}

#[test]
fn what_was_dialled_is_unescaped() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let body = alice.sdp(1, "sendrecv");
    alice.invites(&mut b, "%2A8100;x=y", &body);
    let Some((_, LegEvent::Incoming(incoming))) = b.events.pop_front() else { panic!() };
    assert_eq!(incoming.dialled.number.as_str(), "*8100");
    assert_eq!(incoming.dialled.domain, "acme.example");
    assert_eq!(incoming.peer, alice.flow.remote.ip());
    assert!(incoming.capabilities.info && !incoming.capabilities.update);
}
