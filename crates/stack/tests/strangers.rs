//! Who gets in, and what those who do not get in cost: RFC 3261 22, 8.2.

mod bench;

use core::time::Duration;

use bench::{Bench, Phone, REALM, boxed, dialled, message, summary, talking, udp};
use leg::{LegCommand, LegEvent};
use model::EndReason;
use sip::digest::Freshness;
use sip::{Header, Message};
use stack::Effect;

fn stranger() -> Phone {
    Phone::new("alice", udp("203.0.113.66:5060"))
}

fn uri() -> (&'static str, &'static str) {
    ("sip:101@acme.example", "<sip:101@acme.example>")
}

#[test]
fn a_request_without_credentials_costs_a_401_and_no_memory() {
    let empty = Bench::new().endpoint.counts();
    for method in
        ["REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE", "PUBLISH", "NOTIFY", "REFER", "INFO", "BYE"]
    {
        let mut b = Bench::new();
        let (u, to) = uri();
        let request = stranger().request(method, u, to, "", "");
        b.receive(stranger().flow, request.clone());
        let first = b.next_of("401");
        b.now = b.now + Duration::from_millis(500);
        b.receive(stranger().flow, request);
        assert_eq!(b.next_of("401").bytes(), first.bytes(), "{method}");
        assert_eq!(b.endpoint.counts(), empty, "{method}");
        assert!(b.events.is_empty() && b.others.is_empty());
        let challenges: Vec<_> = first.values(Header::WwwAuthenticate).collect();
        let texts: Vec<_> = challenges.iter().map(|c| String::from_utf8_lossy(c)).collect();
        // Phones that know only MD5 give up at the sight of another algorithm beside it.
        assert_eq!(texts.len(), 1, "{method}");
        assert!(texts[0].contains("algorithm=MD5"));
        assert!(texts.iter().all(|t| t.contains("qop=\"auth\"") && t.contains(REALM)));
        let tag = first.to().unwrap().tag.unwrap();
        assert_eq!(stack::tenant_key_of_tag(tag), None);
    }
}

#[test]
fn unknown_users_wrong_passwords_and_foreign_realms_look_the_same() {
    let (u, to) = uri();
    let answer_to = |spoil: fn(String) -> String| {
        let mut b = Bench::new();
        let mut phone = stranger();
        let first = phone.request("INVITE", u, to, "", "");
        b.receive(phone.flow, first);
        let challenge = b.next_of("401");
        phone.challenged(&challenge);
        let authorization = spoil(phone.authorization("INVITE", u));
        let again = phone.request("INVITE", u, to, &authorization, "");
        b.receive(phone.flow, again);
        let response = b.next_sent();
        assert_eq!(b.endpoint.counts().transactions, 0);
        String::from_utf8(response.bytes().to_vec()).unwrap()
    };
    let wrong = answer_to(|a| a.replace("response=\"", "response=\"0"));
    let unknown = answer_to(|a| a.replace("username=\"alice\"", "username=\"mallory\""));
    let realm = answer_to(|a| a.replace(REALM, "elsewhere.example"));
    assert!(wrong.starts_with("SIP/2.0 401 Unauthorized\r\n"));
    assert!(!wrong.contains("stale"));
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, realm);
}

#[test]
fn a_right_answer_to_an_old_nonce_is_stale_and_a_wrong_one_is_not() {
    let (u, to) = uri();
    let freshness = |response: &Message| {
        response.challenges(Header::WwwAuthenticate).map(|c| c.freshness).next().unwrap()
    };
    let mut b = Bench::new();
    let mut phone = stranger();
    let first = phone.request("INVITE", u, to, "", "");
    b.receive(phone.flow, first);
    let challenge = b.next_of("401");
    phone.challenged(&challenge);
    b.now = b.now + Duration::from_secs(700);
    let authorization = phone.authorization("INVITE", u);
    let right = phone.request("INVITE", u, to, &authorization, "");
    b.receive(phone.flow, right);
    let response = b.next_of("401");
    assert_eq!(freshness(&response), Freshness::Stale);
    let wrong = authorization.replace("response=\"", "response=\"0");
    let wrong = phone.request("INVITE", u, to, &wrong, "");
    b.receive(phone.flow, wrong);
    assert_eq!(freshness(&b.next_of("401")), Freshness::New);
    phone.challenged(&response);
    let authorization = phone.authorization("INVITE", u);
    let body = phone.sdp(1, "sendrecv");
    let fresh = phone.request("INVITE", u, to, &authorization, &body);
    b.receive(phone.flow, fresh);
    b.next_of("100");
}

#[test]
fn an_answer_that_was_overheard_is_worth_nothing() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let (u, to) = uri();
    let body = alice.sdp(1, "sendrecv");
    let proven = alice.prove(&mut b, "INVITE", u, to, "", &body);
    let authorization = proven.text(Header::Authorization).unwrap().into_owned();
    b.look_away();
    let mut thief = Phone::new("alice", udp("203.0.113.99:5060"));
    thief.call_id = "stolen".into();
    let more = format!("Authorization: {authorization}");
    let replay = thief.request("INVITE", u, to, &more, &body);
    b.receive(thief.flow, replay);
    b.next_of("401");
    assert!(b.events.is_empty());
    assert_eq!(b.endpoint.counters().replayed, 1);
}

#[test]
fn a_nonce_count_may_rise_beyond_nine() {
    let mut b = Bench::new();
    let mut alice = stranger();
    alice.registers(&mut b);
    for _ in 0..20 {
        let u = "sip:acme.example";
        let authorization = alice.authorization("REGISTER", u);
        let request = alice.request("REGISTER", u, "<sip:alice@acme.example>", &authorization, "");
        b.receive(alice.flow, request);
        b.next_of("200");
    }
}

#[test]
fn both_algorithms_are_taken_and_qop_is_required() {
    let (u, to) = uri();
    for algorithm in ["algorithm=MD5", "algorithm=SHA-256"] {
        let mut b = Bench::new();
        let mut alice = stranger();
        let first = alice.request("INVITE", u, to, "", "");
        b.receive(alice.flow, first);
        let challenge = b.next_of("401");
        let value = challenge.text(Header::WwwAuthenticate).unwrap();
        let value = value.replace("algorithm=MD5", algorithm);
        let only =
            message(&format!("SIP/2.0 401 x\nVia: SIP/2.0/UDP x\nWWW-Authenticate: {value}"), "");
        alice.challenged(&only);
        let authorization = alice.authorization("INVITE", u);
        let body = alice.sdp(1, "sendrecv");
        let naked = authorization.replace(", qop=auth", "");
        let request = alice.request("INVITE", u, to, &naked, &body);
        b.receive(alice.flow, request);
        b.next_of("401");
        let request = alice.request("INVITE", u, to, &authorization, &body);
        b.receive(alice.flow, request);
        b.next_of("100");
    }
}

#[test]
fn a_digest_for_another_target_proves_nothing() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let (u, to) = uri();
    let first = alice.request("INVITE", u, to, "", "");
    b.receive(alice.flow, first);
    let challenge = b.next_of("401");
    alice.challenged(&challenge);
    let authorization = alice.authorization("INVITE", "sip:+7900@acme.example");
    let request = alice.request("INVITE", u, to, &authorization, "");
    b.receive(alice.flow, request);
    b.next_of("401");
    // Parameters and port may differ: phones write them here and there.
    let authorization = alice.authorization("INVITE", "sip:101@ACME.example:5060");
    let body = alice.sdp(1, "sendrecv");
    let request = alice.request("INVITE", u, to, &authorization, &body);
    b.receive(alice.flow, request);
    b.next_of("100");
}

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
fn another_tenants_credential_does_not_open_this_one() {
    let mut b = Bench::new();
    let mut eve = Phone::new("eve", udp("203.0.113.66:5060"));
    let (u, to) = uri();
    let first = eve.request("INVITE", u, to, "", "");
    b.receive(eve.flow, first);
    let challenge = b.next_of("401");
    eve.challenged(&challenge);
    let authorization = eve.authorization("INVITE", u);
    let request = eve.request("INVITE", u, to, &authorization, "");
    b.input(stack::Input::Message {
        tenant: Some(bench::TENANT),
        flow: eve.flow,
        message: request,
    });
    b.next_of("401");
    assert!(b.events.is_empty());
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

#[test]
fn an_old_cseq_in_a_dialog_gets_500() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let old = alice.request_of("INFO", &alice.target.clone(), &alice.to.clone(), 1, "", "");
    b.receive(alice.flow, old);
    b.next_of("500");
    assert_eq!(b.endpoint.counts().dialogs, 1);
}

#[test]
fn a_dialog_does_not_move_without_the_password() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let home = alice.flow;
    alice.flow = udp("203.0.113.200:40000");
    alice.sends(&mut b, "BYE", "", "");
    let challenge = b.next_of("401");
    assert_eq!(b.endpoint.counts().dialogs, 1);
    assert!(b.events.is_empty());
    // Bob knows the tags and his own password; it is not his dialog.
    let mut bob = alice.clone();
    bob.login = "bob";
    bob.challenged(&challenge);
    let authorization = bob.authorization("BYE", &bob.target.clone());
    let (target, to) = (bob.target.clone(), bob.to.clone());
    let mut text =
        String::from_utf8(bob.request("BYE", &target, &to, &authorization, "").bytes().to_vec())
            .unwrap();
    text = text.replace("From: <sip:bob", "From: <sip:alice");
    b.receive(bob.flow, Message::parse(text.into_bytes()).unwrap());
    b.next_of("403");
    // Alice herself takes it along.
    alice.challenged(&challenge);
    let authorization = alice.authorization("INFO", &alice.target.clone());
    alice.sends(&mut b, "INFO", &authorization, "");
    b.next_of("200");
    b.end(leg, EndReason::ApiHangup);
    let (flow, bye) = b.sent.pop_front().unwrap();
    assert!(summary(&bye).starts_with("BYE in dialog"));
    assert_ne!(flow, home);
    assert_eq!(flow, alice.flow);
}

#[test]
fn a_new_port_behind_the_same_address_moves_the_dialog() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    alice.flow = udp("198.51.100.7:61000");
    alice.sends(&mut b, "INFO", "", "");
    b.next_of("200");
    b.end(leg, EndReason::ApiHangup);
    assert_eq!(b.sent.pop_front().unwrap().0, alice.flow);
}

#[test]
fn an_ack_from_elsewhere_is_not_heard() {
    let mut b = Bench::new();
    let mut alice = stranger();
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    let mut thief = alice.clone();
    thief.flow = udp("203.0.113.99:5060");
    thief.acks(&mut b, &ok, "");
    assert!(!b.events.iter().any(|(_, e)| *e == LegEvent::Acknowledged));
    alice.acks(&mut b, &ok, "");
    assert!(b.events.iter().any(|(_, e)| *e == LegEvent::Acknowledged));
}

#[test]
fn an_early_update_of_a_fork_is_answered() {
    let mut b = Bench::new();
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    let device = bob.registers(&mut b);
    b.dial(leg::LegId::outgoing(1), bench::BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 180, "");
    bob.sends(&mut b, "UPDATE", "", "");
    b.next_of("200");
    let body = bob.sdp(1, "sendrecv");
    // Our offer in the INVITE has no answer that came reliably.
    bob.sends(&mut b, "UPDATE", "", &body);
    b.next_of("491");
    bob.sends(&mut b, "BYE", "", "");
    b.next_of("481");
    assert_eq!(b.endpoint.counts().dialogs, 1);
}

#[test]
fn a_stray_response_is_dropped() {
    let mut b = Bench::new();
    let (bob, _) = dialled(&mut b);
    let text = "SIP/2.0 200 OK
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKkey23456abcdefghijkmn
        From: <sip:100@acme.example>;tag=key23456abcdefghijkmn
        To: <sip:bob@acme.example>;tag=x
        Call-ID: nobody
        CSeq: 1 INVITE
        Contact: <sip:bob@198.51.100.8>";
    b.receive(bob.flow, message(text, ""));
    assert!(b.sent.is_empty() && b.events.is_empty());
    assert!(b.others.iter().all(|e| !matches!(e, Effect::CloseFlow(_))));
}

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
