//! Passwords and nonces: which proof opens the door, and what a wrong one learns.

use core::time::Duration;

use sip::digest::Freshness;
use sip::{Header, Message};

use super::{stranger, uri};
use crate::bench::{self, Bench, Phone, REALM, message, udp};

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
