//! We dial a phone: it rings, answers, refuses, forks or says nothing.

use core::time::Duration;

use expect_test::expect;
use leg::LegId;
use model::EndReason;

use super::bob;
use crate::bench::{BOB, Bench, check, sdp};

#[test]
fn we_dial_a_device_it_rings_answers_and_hangs_up() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    assert_eq!(invite.uri().unwrap().as_str(), "sip:bob@198.51.100.8:5060");
    assert_eq!(invite.max_forwards().unwrap(), Some(69));
    assert_eq!(invite.from().unwrap().uri.as_str(), "sip:100@acme.example");
    assert_eq!(invite.to().unwrap().uri.as_str(), "sip:bob@acme.example");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 100, "");
    bob.answers(&mut b, &invite, 180, "");
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 200, &body);
    bob.answers(&mut b, &invite, 200, &body);
    bob.sends(&mut b, "BYE", "", "");
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
            bob > 100 INVITE
            exchange < out1 Progress 100 no session
            bob > 180 INVITE
            exchange < out1 Progress 180 no session
            bob > 200 INVITE sdp(v1 port 4000 sendrecv)
            bob < ACK in dialog
            exchange < out1 Answered port 4000 SendRecv
            bob > 200 INVITE sdp(v1 port 4000 sendrecv)
            bob < ACK in dialog
            bob > BYE in dialog
            bob < 200 BYE
            exchange < out1 Ended { reason: CalleeHungUp, status: None, elsewhere: false }
        "#]],
    );
    assert_eq!(b.raw[1], b.raw[2], "the ACK is repeated to the byte");
    b.leaves_nothing();
}

#[test]
fn a_refused_dial_is_acknowledged_for_every_copy() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    b.dial(LegId::outgoing(1), BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 180, "");
    bob.answers(&mut b, &invite, 486, "");
    bob.answers(&mut b, &invite, 486, "");
    check(
        &mut b,
        &expect![[r#"
        exchange > out1 Dial
        bob < INVITE sdp(v1 port 20000 sendrecv)
        bob > 180 INVITE
        exchange < out1 Progress 180 no session
        bob > 486 INVITE
        bob < ACK in dialog
        exchange < out1 Ended { reason: Busy, status: Some(486), elsewhere: false }
        bob > 486 INVITE
        bob < ACK in dialog
    "#]],
    );
    assert_eq!(b.raw[1], b.raw[2]);
    b.leaves_nothing();
}

#[test]
fn a_dead_device_is_tried_for_32_seconds_and_then_cancelled() {
    let mut b = Bench::new();
    let (_, device) = bob(&mut b);
    b.dial(LegId::outgoing(1), BOB, device);
    b.run_for(Duration::from_secs(33));
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +500 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +1000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +2000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +4000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +8000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +16000 ms
            bob < INVITE sdp(v1 port 20000 sendrecv)
              +500 ms
            exchange < out1 Ended { reason: Unreachable, status: None, elsewhere: false }
            bob < CANCEL
              +500 ms
            bob < CANCEL
        "#]],
    );
    let (invites, cancels) = b.raw.split_at(7);
    assert!(invites.iter().all(|r| *r == invites[0]) && cancels[0] == cancels[1]);
    b.leaves_nothing();
}

#[test]
fn a_device_that_is_not_registered_is_unreachable() {
    let mut b = Bench::new();
    b.dial(LegId::outgoing(1), BOB, model::DeviceId(9));
    check(
        &mut b,
        &expect![[r#"
        exchange > out1 Dial
        exchange < out1 Ended { reason: Unreachable, status: None, elsewhere: false }
    "#]],
    );
    b.leaves_nothing();
}

#[test]
fn the_first_answer_of_two_forks_wins() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    let mut twin = bob.clone();
    twin.tag = "twin-tag".into();
    let first = sdp("198.51.100.8", 4_002, 1, "sendrecv");
    let second = sdp("198.51.100.8", 4_004, 1, "sendrecv");
    bob.answers(&mut b, &invite, 183, &first);
    twin.answers(&mut b, &invite, 183, &second);
    twin.answers(&mut b, &invite, 200, &second);
    bob.answers(&mut b, &invite, 200, &first);
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
            bob > 183 INVITE sdp(v1 port 4002 sendrecv)
            exchange < out1 Progress 183 port 4002 SendRecv
            bob > 183 INVITE sdp(v1 port 4004 sendrecv)
            exchange < out1 Progress 183 port 4004 SendRecv
            bob > 200 INVITE sdp(v1 port 4004 sendrecv)
            bob < ACK in dialog
            exchange < out1 Answered port 4004 SendRecv
            bob > 200 INVITE sdp(v1 port 4002 sendrecv)
            bob < ACK in dialog
            bob < BYE in dialog
            bob > 200 BYE
        "#]],
    );
    assert_eq!(bye.to().unwrap().tag, Some("bob-tag"));
    b.end(leg, EndReason::ApiHangup);
    let bye = b.next_of("BYE");
    assert_eq!(bye.to().unwrap().tag, Some("twin-tag"));
    twin.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}

#[test]
fn an_answer_without_description_counts_after_an_early_one() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    let leg = LegId::outgoing(1);
    b.dial(leg, BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 183, &body);
    bob.answers(&mut b, &invite, 200, "");
    check(
        &mut b,
        &expect![[r#"
        exchange > out1 Dial
        bob < INVITE sdp(v1 port 20000 sendrecv)
        bob > 183 INVITE sdp(v1 port 4000 sendrecv)
        exchange < out1 Progress 183 port 4000 SendRecv
        bob > 200 INVITE
        bob < ACK in dialog
        exchange < out1 Answered no session
    "#]],
    );
}

#[test]
fn an_answer_without_any_description_is_hung_up() {
    let mut b = Bench::new();
    let (mut bob, device) = bob(&mut b);
    b.dial(LegId::outgoing(1), BOB, device);
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    bob.answers(&mut b, &invite, 200, "");
    let bye = b.next_of("BYE");
    bob.answers(&mut b, &bye, 200, "");
    check(
        &mut b,
        &expect![[r#"
            exchange > out1 Dial
            bob < INVITE sdp(v1 port 20000 sendrecv)
            bob > 200 INVITE
            bob < ACK in dialog
            bob < BYE in dialog
            exchange < out1 Ended { reason: ProtocolError, status: None, elsewhere: false }
            bob > 200 BYE
        "#]],
    );
    b.leaves_nothing();
}
