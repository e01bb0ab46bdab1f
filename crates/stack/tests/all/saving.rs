//! Dialogs that were written down and taken up by another endpoint.

use core::time::Duration;

use leg::{LegCommand, LegEvent, LegId};
use model::{DeviceId, EndReason, Wall};
use sip::{Header, Message};
use stack::{Effect, FlowId, LoadError};

use crate::bench::{
    self, ALICE, BOB, Bench, Phone, TENANT, boxed, dialled, summary, talking, tcp, udp,
};

/// The state of these legs in another run of the switch, `later`.
fn carried(b: &Bench, legs: &[LegId], later: Duration) -> Bench {
    let saved = b.endpoint.save_legs(b.now, TENANT, legs);
    let mut next = fresh(b, later);
    next.endpoint.load_legs(next.now, TENANT, &saved).unwrap();
    next.endpoint.check().unwrap();
    next
}

fn fresh(b: &Bench, later: Duration) -> Bench {
    let config = stack::Config { nonce_key: [8; 32], ..bench::config() };
    let mut next = Bench::with(config, 99);
    // The monotonic clock of a new process begins anew.
    next.now.wall = (b.now + later).wall;
    next
}

#[test]
fn a_call_that_came_in_is_hung_up_after_a_restart() {
    let mut b = Bench::new();
    let (alice, leg) = talking(&mut b);
    let mut next = carried(&b, &[leg], Duration::from_secs(5));
    next.end(leg, EndReason::Restart);
    let (flow, bye) = next.sent.pop_front().unwrap();
    assert!(summary(&bye).starts_with("BYE in dialog"));
    assert_eq!(flow.id, FlowId::BY_ADDRESS);
    assert_eq!((flow.local, flow.remote), (alice.flow.local, alice.flow.remote));
    assert_eq!(bye.call_id().unwrap(), alice.call_id);
    assert_eq!(bye.to().unwrap().tag, Some(alice.tag.as_str()));
    assert_eq!(bye.text(Header::From).unwrap(), alice.to);
    assert_eq!(bye.uri().unwrap().as_str(), "sip:alice@198.51.100.7:5060");
    alice.answers(&mut next, &bye, 200, "");
    next.leaves_nothing();
}

#[test]
fn a_call_that_we_dialled_is_hung_up_after_a_restart() {
    let mut b = Bench::new();
    let (bob, leg) = dialled(&mut b);
    let before = b.endpoint.save_legs(b.now, TENANT, &[leg]);
    let mut next = carried(&b, &[leg], Duration::from_secs(5));
    next.end(leg, EndReason::Restart);
    let bye = next.next_of("BYE");
    assert_eq!(bye.to().unwrap().tag, Some("bob-tag"));
    assert_eq!(bye.call_id().unwrap(), bob.call_id);
    bob.answers(&mut next, &bye, 200, "");
    next.leaves_nothing();
    // Saving changes nothing.
    assert_eq!(b.endpoint.save_legs(b.now, TENANT, &[leg]), before);
    b.end(leg, EndReason::ApiHangup);
    let here = b.next_of("BYE");
    assert_eq!(here.cseq().unwrap().number, bye.cseq().unwrap().number);
}

#[test]
fn a_ringing_caller_gets_its_final_response_after_a_restart() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Ring { early: None });
    let ringing = b.next_of("180");
    let mut next = carried(&b, &[leg], Duration::from_secs(1));
    next.end(leg, EndReason::Restart);
    let refused = next.next_of("500");
    assert_eq!(refused.to().unwrap().tag, ringing.to().unwrap().tag);
    assert_eq!(refused.value(Header::Via), ringing.value(Header::Via));
    assert_eq!(refused.cseq().unwrap(), ringing.cseq().unwrap());
    next.run_for(Duration::from_millis(500));
    assert_eq!(next.next_of("500").bytes(), refused.bytes());
    next.leaves_nothing();
}

#[test]
fn a_ringing_caller_may_go_on_after_a_restart() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    let mut next = carried(&b, &[leg], Duration::from_secs(1));
    next.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = next.next_of("200");
    alice.acks(&mut next, &ok, "");
    assert_eq!(next.next_event(), (leg, LegEvent::Acknowledged));
    alice.sends(&mut next, "BYE", "", "");
    next.leaves_nothing();
}

#[test]
fn a_ringing_phone_is_cancelled_after_a_restart() {
    for rings in [true, false] {
        let mut b = Bench::new();
        let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
        let device = bob.registers(&mut b);
        let leg = LegId::outgoing(1);
        b.dial(leg, BOB, device);
        let invite = b.next_of("INVITE");
        bob.joins(&invite);
        if rings {
            bob.answers(&mut b, &invite, 180, "");
        }
        let mut next = carried(&b, &[leg], Duration::from_secs(1));
        next.end(leg, EndReason::Restart);
        if !rings {
            assert!(next.sent.is_empty(), "9.1: no CANCEL before a provisional response");
            bob.answers(&mut next, &invite, 180, "");
        }
        let cancel = next.next_of("CANCEL");
        assert_eq!(cancel.top_via().unwrap().branch, invite.top_via().unwrap().branch);
        assert_eq!(cancel.cseq().unwrap().number, invite.cseq().unwrap().number);
        bob.answers(&mut next, &cancel, 200, "");
        bob.answers(&mut next, &invite, 487, "");
        next.next_of("ACK");
        next.leaves_nothing();
    }
}

#[test]
fn an_answer_without_ack_is_repeated_for_what_is_left_of_its_time() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    b.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = b.next_of("200");
    let mut next = carried(&b, &[leg], Duration::from_secs(10));
    next.run_for(Duration::from_secs(1));
    assert_eq!(next.next_of("200").bytes(), ok.bytes());
    next.run_for(Duration::from_millis(20_999));
    assert!(next.events.is_empty());
    next.run_for(Duration::from_millis(1));
    let reason = EndReason::TransportLost;
    let ended = LegEvent::Ended { reason, status: None, elsewhere: false };
    assert_eq!(next.next_event(), (leg, ended));
    // A wall clock that went backwards shortens nothing.
    let mut back = carried(&b, &[leg], Duration::ZERO);
    back.now.wall = Wall(0);
    back.run_for(Duration::from_millis(31_999));
    assert!(back.events.is_empty());
}

#[test]
fn a_refresh_after_a_restart_keeps_its_version() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let hold = alice.sdp(2, "inactive");
    alice.sends(&mut b, "UPDATE", "", &hold);
    b.command(leg, LegCommand::AnswerOffer(boxed(10_000)));
    let before = b.next_of("200");
    let mut next = carried(&b, &[leg], Duration::from_secs(1));
    alice.sends(&mut next, "UPDATE", "", &hold);
    assert_eq!(next.next_of("200").body(), before.body());
}

#[test]
fn an_offer_without_answer_is_made_again_and_one_of_the_peer_is_taken_again() {
    let mut b = Bench::new();
    let (bob, ours) = dialled(&mut b);
    b.command(ours, LegCommand::Offer(boxed(20_002)));
    let (mut alice, theirs) = talking(&mut b);
    let hold = alice.sdp(2, "sendonly");
    let update = alice.sends(&mut b, "UPDATE", "", &hold);
    let mut next = carried(&b, &[ours, theirs], Duration::from_secs(1));
    next.receive(alice.flow, update);
    assert!(matches!(next.next_event().1, LegEvent::Offer(_)));
    next.command(theirs, LegCommand::AnswerOffer(boxed(10_000)));
    next.next_of("200");
    next.command(ours, LegCommand::Offer(boxed(20_004)));
    let invite = next.next_of("INVITE");
    bob.answers(&mut next, &invite, 200, &bob.sdp(1, "sendrecv"));
    assert!(matches!(next.next_event().1, LegEvent::Answer(_)));
}

#[test]
fn a_saved_state_holds_no_secret() {
    let mut b = Bench::new();
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(&mut b, "101", &body);
    let saved = b.endpoint.save_legs(b.now, TENANT, &[leg]);
    let text = String::from_utf8_lossy(&saved);
    assert!(text.contains("alice-tag"));
    for secret in ["Digest", "Authorization", "cnonce", "response="] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn nonsense_newer_versions_and_strange_tenants_are_refused() {
    let mut b = Bench::new();
    let (_, leg) = talking(&mut b);
    let saved = b.endpoint.save_legs(b.now, TENANT, &[leg]);
    let mut next = fresh(&b, Duration::ZERO);
    let now = next.now;
    let load = |b: &mut Bench, tenant, bytes: &[u8]| b.endpoint.load_legs(now, tenant, bytes);
    for cut in 0..saved.len() {
        let broken = load(&mut next, TENANT, &saved[..cut]);
        assert!(matches!(broken, Err(LoadError::Unreadable(_))), "{cut}");
    }
    let at = saved.windows(7).position(|w| w == b"version").unwrap() + 7;
    let mut newer = saved.clone();
    newer[at] += 1;
    let newer = load(&mut next, TENANT, &newer);
    assert!(matches!(newer, Err(LoadError::TooNew { found: 4 })));
    let stranger = load(&mut next, model::TenantId(77), &saved);
    assert!(matches!(stranger, Err(LoadError::NoTenant)));
    assert_eq!(next.endpoint.counts().dialogs, 0);
    load(&mut next, TENANT, &saved).unwrap();
    // Twice is once.
    load(&mut next, TENANT, &saved).unwrap();
    assert_eq!(next.endpoint.counts().dialogs, 1);
    next.endpoint.check().unwrap();
}

#[test]
fn numbers_of_legs_that_were_loaded_are_not_given_again() {
    let mut b = Bench::new();
    let (_, leg) = talking(&mut b);
    let mut next = carried(&b, &[leg], Duration::from_secs(1));
    let mut other = Phone::new("alice", udp("198.51.100.7:5062"));
    other.call_id = "other".into();
    let body = other.sdp(1, "sendrecv");
    let new = other.invites(&mut next, "101", &body);
    assert_ne!(new, leg);
}

/// Every version that was ever written must load for ever; a new version gets a file beside them.
#[test]
fn every_version_still_loads() {
    let files = [
        include_bytes!("../golden/legs-1.cbor").as_slice(),
        include_bytes!("../golden/legs-2.cbor").as_slice(),
        include_bytes!("../golden/legs-3.cbor").as_slice(),
    ];
    for golden in files {
        let mut b = Bench::new();
        let (_, up) = talking(&mut b);
        let (_, dialled_up) = dialled(&mut b);
        let mut next = fresh(&b, Duration::from_secs(2));
        next.endpoint.load_legs(next.now, TENANT, golden).unwrap();
        next.endpoint.check().unwrap();
        let ringing = LegId::incoming(1);
        for (leg, what) in [(up, "BYE"), (dialled_up, "BYE"), (ringing, "500")] {
            next.end(leg, EndReason::Restart);
            next.next_of(what);
        }
        let dialling = LegId::outgoing(2);
        next.end(dialling, EndReason::Restart);
        next.next_of("CANCEL");
        next.leaves_nothing();
    }
}

/// What the golden file holds: two calls that are up, one that rings here and one that rings there,
/// both reliably.
fn golden_legs() -> (Bench, Vec<LegId>) {
    let mut b = Bench::new();
    let (_, up) = talking(&mut b);
    let (mut bob, dialled_up) = dialled(&mut b);
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    alice.call_id = "second".into();
    alice.extra = "Require: 100rel\nSupported: timer\nSession-Expires: 600;refresher=uac";
    let body = alice.sdp(1, "sendrecv");
    let ringing = alice.invites(&mut b, "101", &body);
    b.command(ringing, LegCommand::Ring { early: None });
    b.command(ringing, LegCommand::Ring { early: Some(boxed(10_000)) });
    b.look_away();
    let dialling = LegId::outgoing(2);
    b.dial(dialling, BOB, DeviceId(1));
    let invite = b.next_of("INVITE");
    bob.joins(&invite);
    bob.extra = "Require: 100rel\nRSeq: 7";
    let body = bob.sdp(1, "sendrecv");
    bob.answers(&mut b, &invite, 183, &body);
    (b, vec![up, dialled_up, ringing, dialling])
}

#[test]
fn today_we_write_what_the_golden_file_holds() {
    let (b, legs) = golden_legs();
    let saved = b.endpoint.save_legs(b.now, TENANT, &legs);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/legs-3.cbor");
        std::fs::write(path, &saved).unwrap();
    }
    assert_eq!(saved, include_bytes!("../golden/legs-3.cbor"), "a change needs a new version");
}

#[test]
fn a_tenant_moves_to_another_shard_with_its_connections() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let mut bob = Phone::new("bob", tcp(7, "198.51.100.8:50000"));
    bob.registers(&mut b);
    let exported = b.endpoint.export(b.now, TENANT);
    assert_eq!(b.endpoint.counts().dialogs + b.endpoint.counts().bindings, 0);
    b.leaves_nothing();

    // The same run: the shards share the nonce key.
    let mut next = Bench::with(bench::config(), 5);
    next.now = b.now;
    next.endpoint.import(next.now, TENANT, &exported).unwrap();
    next.input(stack::Input::Tick);
    assert!(next.others.iter().any(|e| matches!(e, Effect::DeviceUp { extension: BOB, .. })));
    next.dial(LegId::outgoing(1), BOB, DeviceId(1));
    assert_eq!(next.sent.pop_front().unwrap().0, bob.flow);
    alice.sends(&mut next, "BYE", "", "");
    next.next_of("200");
    assert!(next.events.iter().any(|(l, e)| *l == leg && matches!(e, LegEvent::Ended { .. })));
}

#[test]
fn a_tenant_moves_to_another_process_without_its_connections() {
    let mut b = Bench::new();
    let (alice, leg) = talking(&mut b);
    let mut bob = Phone::new("bob", tcp(7, "198.51.100.8:50000"));
    bob.registers(&mut b);
    let mut home = Phone::new("alice", alice.flow);
    home.registers(&mut b);
    let exported = b.endpoint.export(b.now, TENANT);
    let mut next = fresh(&b, Duration::from_secs(10));
    next.endpoint.import(next.now, TENANT, &exported).unwrap();
    next.input(stack::Input::Tick);
    let down = |e: &Effect| matches!(e, Effect::DeviceDown { extension: BOB, .. });
    let up = |e: &Effect| matches!(e, Effect::DeviceUp { extension: ALICE, .. });
    assert!(next.others.iter().any(down) && next.others.iter().any(up));
    assert_eq!(next.endpoint.counts().bindings, 1);
    next.end(leg, EndReason::ApiHangup);
    next.next_of("BYE");
}

#[test]
fn a_leg_is_forgotten_without_a_word() {
    let mut b = Bench::new();
    let (mut alice, leg) = talking(&mut b);
    let mut second = Phone::new("alice", udp("198.51.100.7:5060"));
    second.call_id = "second".into();
    let body = second.sdp(1, "sendrecv");
    let ringing = second.invites(&mut b, "101", &body);
    b.look_away();
    b.endpoint.forget(TENANT, leg);
    b.endpoint.forget(TENANT, ringing);
    b.endpoint.check().unwrap();
    assert!(b.sent.is_empty() && b.events.is_empty());
    alice.sends(&mut b, "BYE", "", "");
    assert_eq!(b.next_of("481").status(), Some(481));
    b.leaves_nothing();
}

#[test]
fn a_removed_tenant_still_repeats_its_last_bye() {
    let mut b = Bench::new();
    let (alice, leg) = talking(&mut b);
    b.end(leg, EndReason::TenantBlocked);
    b.endpoint.remove_tenant(TENANT);
    b.run_for(Duration::from_millis(500));
    let bye: Message = b.next_of("BYE");
    assert_eq!(b.next_of("BYE").bytes(), bye.bytes());
    alice.answers(&mut b, &bye, 200, "");
    b.leaves_nothing();
}
