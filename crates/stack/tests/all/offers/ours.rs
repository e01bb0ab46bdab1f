//! We offer: versions, refusals, offers that cross, and a peer that does not answer.

use core::time::Duration;

use expect_test::expect;
use leg::{LegCommand, LegEvent};
use model::EndReason;

use crate::bench::{self, Bench, Phone, boxed, check, dialled, held, summary, talking};

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
