//! Offer and answer inside a dialog.

mod bench;

use core::time::Duration;

use bench::{Bench, Phone, boxed, dialled, message, sdp, session, summary, talking};
use expect_test::{Expect, expect};
use leg::{Direction, LegCommand, LegEvent, Session};
use model::EndReason;
use sip::Message;

fn check(bench: &mut Bench, wanted: &Expect) {
    wanted.assert_eq(&bench.take_ladder());
}

fn held(port: u16) -> Box<Session> {
    Box::new(Session { direction: Direction::RecvOnly, ..session(port) })
}

#[test]
fn a_phone_holds_and_resumes() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    let resume = alice.sdp(3, "sendrecv");
    alice.sends(&mut b, "INVITE", "", &resume);
    b.command(leg, LegCommand::AnswerOffer(boxed(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE in dialog sdp(v2 port 4000 sendonly)
        exchange < in0 Offer port 4000 SendOnly
        exchange > in0 AnswerOffer port 10000 RecvOnly
        alice < 200 INVITE sdp(v2 port 10000 recvonly)
        alice > ACK in dialog
        alice > INVITE in dialog sdp(v3 port 4000 sendrecv)
        exchange < in0 Offer port 4000 SendRecv
        exchange > in0 AnswerOffer port 10000 SendRecv
        alice < 200 INVITE sdp(v3 port 10000 sendrecv)
        alice > ACK in dialog
    "#]],
    );
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    alice.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn a_refresh_is_answered_by_the_stack_alone_with_the_same_version() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let same = alice.sdp(1, "sendrecv");
    alice.sends(&mut b, "INVITE", "", &same);
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    alice.sends(&mut b, "UPDATE", "", &same);
    alice.sends(&mut b, "UPDATE", "", "");
    alice.sends(&mut b, "OPTIONS", "", "");
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE in dialog sdp(v1 port 4000 sendrecv)
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
        alice > ACK in dialog
        alice > UPDATE in dialog sdp(v1 port 4000 sendrecv)
        alice < 200 UPDATE sdp(v1 port 10000 sendrecv)
        alice > UPDATE in dialog
        alice < 200 UPDATE
        alice > OPTIONS in dialog
        alice < 200 OPTIONS
    "#]],
    );
    assert!(b.events.is_empty());
    b.end(leg, EndReason::ApiHangup);
}

#[test]
fn a_changed_update_is_the_exchanges() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "inactive");
    alice.sends(&mut b, "UPDATE", "", &hold);
    let inactive = Session { direction: Direction::Inactive, ..session(10_000) };
    b.command(leg, LegCommand::AnswerOffer(Box::new(inactive)));
    let worse = alice.sdp(3, "sendrecv");
    alice.sends(&mut b, "UPDATE", "", &worse);
    b.command(leg, LegCommand::RejectOffer { status: 488 });
    check(
        &mut b,
        &expect![[r#"
        alice > UPDATE in dialog sdp(v2 port 4000 inactive)
        exchange < in0 Offer port 4000 Inactive
        exchange > in0 AnswerOffer port 10000 Inactive
        alice < 200 UPDATE sdp(v2 port 10000 inactive)
        alice > UPDATE in dialog sdp(v3 port 4000 sendrecv)
        exchange < in0 Offer port 4000 SendRecv
        exchange > in0 RejectOffer { status: 488 }
        alice < 488 UPDATE
    "#]],
    );
}

#[test]
fn an_invite_without_offer_in_a_dialog_gets_our_session_without_the_peers_hold() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    b.take_ladder();
    alice.sends(&mut b, "INVITE", "", "");
    let ok = b.next_of("200");
    let answer = alice.sdp(3, "sendrecv");
    alice.acks(&mut b, &ok, &answer);
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE in dialog
        alice < 200 INVITE sdp(v3 port 10000 sendrecv)
        alice > ACK in dialog sdp(v3 port 4000 sendrecv)
        exchange < in0 Answer port 4000 SendRecv
    "#]],
    );
}

#[test]
fn an_offer_that_the_exchange_refuses_leaves_the_session() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    b.command(leg, LegCommand::RejectOffer { status: 488 });
    let same = alice.sdp(1, "sendrecv");
    let refused = b.next_of("488");
    acks_refusal(&mut b, &mut alice, &refused);
    alice.sends(&mut b, "INVITE", "", &same);
    check(
        &mut b,
        &expect![[r#"
        alice > INVITE in dialog sdp(v2 port 4000 sendonly)
        exchange < in0 Offer port 4000 SendOnly
        exchange > in0 RejectOffer { status: 488 }
        alice < 488 INVITE
        alice > ACK in dialog
        alice > INVITE in dialog sdp(v1 port 4000 sendrecv)
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
    "#]],
    );
}

/// The ACK of a final response above 299, in the transaction of the last request.
fn acks_refusal(b: &mut Bench, phone: &mut Phone, refused: &Message) {
    let branch = refused.top_via().unwrap().branch.unwrap().to_owned();
    let cseq = refused.cseq().unwrap().number;
    let head = format!(
        "ACK {} SIP/2.0
         Via: SIP/2.0/UDP {};rport;branch={branch}
         Max-Forwards: 70
         From: <sip:alice@acme.example>;tag={}
         To: {}
         Call-ID: {}
         CSeq: {cseq} ACK",
        phone.target, phone.flow.remote, phone.tag, phone.to, phone.call_id
    );
    b.receive(phone.flow, message(&head, ""));
}

#[test]
fn an_exchange_that_is_silent_costs_the_peer_ten_seconds() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "UPDATE", "", &hold);
    b.run_for(Duration::from_secs(11));
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    check(
        &mut b,
        &expect![[r#"
        alice > UPDATE in dialog sdp(v2 port 4000 sendonly)
        exchange < in0 Offer port 4000 SendOnly
          +10000 ms
        alice < 500 UPDATE
        exchange > in0 AnswerOffer port 10000 RecvOnly
    "#]],
    );
}

#[test]
fn we_offer_and_the_version_rises_only_with_a_change() {
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    b.command(leg, LegCommand::Offer(boxed(20_000)));
    let invite = b.next_of("INVITE");
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 200, &body);
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    let invite = b.next_of("INVITE");
    let body = bob.sdp(2, "sendrecv");
    bob.answers(&mut b, &invite, 200, &body);
    bob.answers(&mut b, &invite, 200, &body);
    check(
        &mut b,
        &expect![[r#"
        exchange > out1 Offer port 20000 SendRecv
        bob < INVITE in dialog sdp(v1 port 20000 sendrecv)
        bob > 200 INVITE sdp(v1 port 4000 sendrecv)
        bob < ACK in dialog
        exchange < out1 Answer port 4000 SendRecv
        exchange > out1 Offer port 20002 SendRecv
        bob < INVITE in dialog sdp(v2 port 20002 sendrecv)
        bob > 200 INVITE sdp(v2 port 4000 sendrecv)
        bob < ACK in dialog
        exchange < out1 Answer port 4000 SendRecv
        bob > 200 INVITE sdp(v2 port 4000 sendrecv)
        bob < ACK in dialog
    "#]],
    );
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn a_refused_offer_is_told_and_the_call_goes_on() {
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    let invite = b.next_of("INVITE");
    bob.answers(&mut b, &invite, 488, "");
    check(
        &mut b,
        &expect![[r#"
        exchange > out1 Offer port 20002 SendRecv
        bob < INVITE in dialog sdp(v2 port 20002 sendrecv)
        bob > 488 INVITE
        bob < ACK in dialog
        exchange < out1 OfferRejected { status: 488 }
    "#]],
    );
    assert_eq!(b.endpoint.counts().dialogs, 1);
}

#[test]
fn both_offer_at_once_and_the_owner_of_the_call_id_waits_longer() {
    for seed in 0..30 {
        let mut b = Bench::with(bench::config(), seed);
        // We made the Call-ID of the leg that we dialled.
        let (bob, leg) = dialled(&mut b);
        b.command(leg, LegCommand::Offer(boxed(20_002)));
        let invite = b.next_of("INVITE");
        bob.answers(&mut b, &invite, 491, "");
        b.look_away();
        b.run_for(Duration::from_millis(2_099));
        assert!(b.sent.is_empty(), "{}", b.ladder);
        b.run_for(Duration::from_millis(1_902));
        assert!(summary(&b.next_of("INVITE")).starts_with("INVITE in dialog"));

        let mut b = Bench::with(bench::config(), seed);
        let (alice, leg) = talking(&mut b);
        b.command(leg, LegCommand::Offer(boxed(20_002)));
        let invite = b.next_of("INVITE");
        alice.answers(&mut b, &invite, 491, "");
        b.look_away();
        b.run_for(Duration::from_millis(2_001));
        assert!(summary(&b.next_of("INVITE")).starts_with("INVITE in dialog"));
    }
}

#[test]
fn an_offer_that_crosses_ours_gets_491() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    let invite = b.next_of("INVITE");
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    alice.sends(&mut b, "UPDATE", "", &hold);
    alice.answers(&mut b, &invite, 491, "");
    // Alice's wait was shorter: her offer is done first, then ours follows.
    alice.sends(&mut b, "INVITE", "", &hold);
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    let ok = loop {
        let ok = b.next_of("200");
        if ok.cseq().unwrap().method == sip::Method::Invite {
            break ok;
        }
    };
    alice.acks(&mut b, &ok, "");
    check(
        &mut b,
        &expect![[r#"
        exchange > in0 Offer port 20002 SendRecv
        alice < INVITE in dialog sdp(v2 port 20002 sendrecv)
        alice > INVITE in dialog sdp(v2 port 4000 sendonly)
        alice < 491 INVITE
        alice > UPDATE in dialog sdp(v2 port 4000 sendonly)
        alice < 491 UPDATE
        alice > 491 INVITE
        alice < ACK in dialog
        alice > INVITE in dialog sdp(v2 port 4000 sendonly)
        exchange < in0 Offer port 4000 SendOnly
        exchange > in0 AnswerOffer port 10000 RecvOnly
        alice < 200 INVITE sdp(v3 port 10000 recvonly)
        alice > ACK in dialog
        alice < INVITE in dialog sdp(v4 port 20002 sendrecv)
    "#]],
    );
}

#[test]
fn a_second_offer_before_the_first_answer_gets_500() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    alice.sends(&mut b, "INVITE", "", &hold);
    alice.sends(&mut b, "INVITE", "", &hold);
    let refused = b.next_of("500");
    assert!(refused.retry_after().unwrap().unwrap().seconds <= 10);
    b.command(leg, LegCommand::AnswerOffer(held(10_000)));
    b.next_of("200");
}

#[test]
fn an_offer_waits_until_the_call_is_up() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", bench::udp("198.51.100.7:5060"));
    b.name(&alice.flow, "alice");
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.take_ladder();
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    b.command(leg, LegCommand::Offer(boxed(10_002)));
    b.command(leg, LegCommand::Offer(boxed(10_004)));
    let ok = b.next_of("200");
    alice.acks(&mut b, &ok, "");
    check(
        &mut b,
        &expect![[r#"
        exchange > in0 Answer port 10000
        alice < 200 INVITE sdp(v1 port 10000 sendrecv)
        exchange > in0 Offer port 10002 SendRecv
        exchange > in0 Offer port 10004 SendRecv
        alice > ACK in dialog
        exchange < in0 Acknowledged
        alice < INVITE in dialog sdp(v2 port 10004 sendrecv)
    "#]],
    );
}

#[test]
fn a_peer_that_does_not_know_the_dialog_any_more_ends_it() {
    for status in [408, 481] {
        let mut b = Bench::new();
        let (bob, leg) = dialled(&mut b);
        b.command(leg, LegCommand::Offer(boxed(20_002)));
        let invite = b.next_of("INVITE");
        bob.answers(&mut b, &invite, status, "");
        let reason = EndReason::TransportLost;
        let ended = LegEvent::Ended { reason, status: Some(status), elsewhere: false };
        assert_eq!(b.next_event(), (leg, ended));
        let bye = b.next_of("BYE");
        bob.answers(&mut b, &bye, 481, "");
        b.leaves_nothing();
    }
}

#[test]
fn a_peer_that_is_silent_to_our_offer_ends_the_call() {
    let mut b = Bench::new();
    let (_, leg) = dialled(&mut b);
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    b.run_for(Duration::from_secs(33));
    let reason = EndReason::TransportLost;
    let ended = LegEvent::Ended { reason, status: None, elsewhere: false };
    assert_eq!(b.next_event(), (leg, ended));
    b.leaves_nothing();
}

#[test]
fn an_answer_to_our_offer_without_description_ends_the_call() {
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    b.command(leg, LegCommand::Offer(boxed(20_002)));
    let invite = b.next_of("INVITE");
    bob.answers(&mut b, &invite, 200, "");
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Offer port 20002 SendRecv
            bob < INVITE in dialog sdp(v2 port 20002 sendrecv)
            bob > 200 INVITE
            bob < ACK in dialog
            bob < BYE in dialog Reason: SIP;cause=400;text="Protocol error"
            exchange < out1 Ended { reason: ProtocolError, status: None, elsewhere: false }
        "#]],
    );
}

#[test]
fn other_media_are_refused_in_their_places() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", bench::udp("198.51.100.7:5060"));
    let body = format!("{}m=video 5000 RTP/AVP 96\r\n", alice.sdp(1, "sendrecv"));
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    let lines = |m: &Message| {
        let text = String::from_utf8(m.body().to_vec()).unwrap();
        text.lines().filter(|l| l.starts_with("m=")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&ok), ["m=audio 10000 RTP/AVP 8", "m=video 0 RTP/AVP 96"]);
    alice.acks(&mut b, &ok, "");
    b.command(leg, LegCommand::Offer(boxed(10_002)));
    let invite = b.next_of("INVITE");
    assert_eq!(lines(&invite), ["m=audio 10002 RTP/AVP 8", "m=video 0 RTP/AVP 96"]);
}

#[test]
fn an_offer_without_usable_audio_gets_488() {
    let mut b = Bench::new();
    let (mut alice, _) = talking(&mut b);
    let secured = sdp("198.51.100.7", 4_000, 2, "sendrecv").replace("RTP/AVP", "RTP/SAVP");
    alice.sends(&mut b, "INVITE", "", &secured);
    b.next_of("488");
    assert!(b.events.is_empty());
}

#[test]
fn our_address_is_filled_in_from_the_flow_or_the_configuration() {
    let public = |v4: Option<&str>, v6: &str| {
        let v4 = v4.map(|text| text.parse().unwrap());
        Some(stack::PublicAddress { v4, v6: v6.parse().ok() })
    };
    for (public, shown) in [
        (None, "192.0.2.1"),
        (public(Some("203.0.113.9"), ""), "203.0.113.9"),
        (public(Some("203.0.113.9"), "2001:db8::9"), "203.0.113.9"),
        (public(None, "2001:db8::9"), "192.0.2.1"),
    ] {
        let config = stack::Config { public_address: public, ..bench::config() };
        let mut b = Bench::with(config, 1);
        let mut alice = Phone::new("alice", bench::udp("198.51.100.7:5060"));
        let body = alice.sdp(1, "sendrecv");
        let leg = alice.invites(&mut b, "101", &body);
        b.command(leg, LegCommand::Answer(boxed(10_000)));
        let ok = b.next_of("200");
        let text = String::from_utf8(ok.body().to_vec()).unwrap();
        assert!(text.contains(&format!("c=IN IP4 {shown}\r\n")), "{text}");
        let contact = ok.contact().unwrap().unwrap();
        assert_eq!(contact.uri.sip().unwrap().host.to_string(), shown);
    }
}

#[test]
fn a_digit_by_info_waits_for_the_response_to_the_one_before() {
    let mut b = Bench::new();
    let (alice, leg) = talking(&mut b);
    for key in "12#".chars() {
        b.command(leg, LegCommand::Info(model::Digit::from_char(key).unwrap()));
    }
    for (key, status) in [('1', 200), ('2', 415), ('#', 200)] {
        let info = b.next_of("INFO");
        let text = format!("Signal={key}\r\nDuration=160\r\n");
        assert_eq!(info.body(), text.as_bytes());
        assert!(b.sent.is_empty(), "one at a time");
        alice.answers(&mut b, &info, 100, "");
        assert!(b.sent.is_empty(), "it waits for the final response");
        alice.answers(&mut b, &info, status, "");
    }
    assert!(b.sent.is_empty());
}

#[test]
fn digits_come_by_info() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let table = [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5')),
        ("application/dtmf-relay", "Signal= *\r\nDuration= 160\r\n", Some('*')),
        ("application/dtmf-relay", "Duration=160\r\nSignal=11", Some('#')),
        ("application/dtmf-relay", "Signal=d\r\n", Some('D')),
        ("application/dtmf", "0", Some('0')),
        ("application/dtmf", "16", None),
        ("application/dtmf", "x", None),
    ];
    for (kind, body, digit) in table {
        alice.sends(&mut b, "INFO", &format!("Content-Type: {kind}"), body);
        assert_eq!(b.next_sent().status(), Some(200), "{body}");
        let told = b.events.pop_front().map(|(_, e)| e);
        let wanted = digit.map(|d| LegEvent::Digit(model::Digit::from_char(d).unwrap()));
        assert_eq!(told, wanted, "{body}");
    }
    alice.sends(&mut b, "INFO", "Content-Type: text/plain", "5");
    b.next_of("415");
    alice.sends(&mut b, "INFO", "", "");
    b.next_of("200");
    b.command(leg, LegCommand::Info(model::Digit::from_char('#').unwrap()));
    let info = b.next_of("INFO");
    assert_eq!(info.body(), b"Signal=#\r\nDuration=160\r\n");
    alice.answers(&mut b, &info, 415, "");
    assert_eq!(b.endpoint.counts().dialogs, 1);
}
