//! Scenarios of sipp: what the wire must look like.

use serde_json::json;

use crate::support::sipp::Sipp;
use crate::support::site;

/// The callee plays `callee`, then the caller plays `caller`; both must go as their scenario says.
#[track_caller]
fn plays(caller: &str, callee: &str, transport: &'static str) {
    let Some(site) = site(&["sipp"]) else { return };
    let answering = Sipp::registered(&site, "101").plays(&site, callee, "");
    let asking = Sipp::phone("100", transport).plays(&site, caller, "101");
    asking.succeeds();
    answering.succeeds();
}

#[test]
fn a_phone_registers_fetches_and_leaves() {
    let Some(site) = site(&["sipp"]) else { return };
    Sipp::phone("100", "u1").plays(&site, "register_and_leave", "").succeeds();
    Sipp::phone("100", "t1").plays(&site, "register_and_leave", "").succeeds();
}

#[test]
fn the_caller_hangs_up() {
    plays("call", "answer", "u1");
}

#[test]
fn a_caller_on_tcp_talks_to_a_phone_on_udp() {
    plays("call", "answer", "t1");
}

#[test]
fn the_callee_hangs_up() {
    plays("call_until_bye", "answer_and_hang_up", "u1");
}

#[test]
fn a_busy_phone_is_busy_for_the_caller() {
    plays("call_busy", "busy", "u1");
}

#[test]
fn a_cancelled_call_stops_ringing() {
    plays("cancel", "ring_until_cancel", "u1");
}

#[test]
fn a_second_invite_before_the_answer_to_the_first_is_put_off() {
    plays("call_twice", "ring_until_cancel", "u1");
}

#[test]
fn hold_in_every_form_is_answered_as_it_was_asked() {
    plays("hold", "answer", "u1");
}

#[test]
fn both_phones_ring_reliably() {
    plays("call_reliable", "answer_reliably", "u1");
}

#[test]
fn a_caller_that_requires_reliable_ringing_talks_over_tcp() {
    plays("call_reliable", "answer_reliably", "t1");
}

#[test]
fn hold_and_refresh_by_update_are_answered() {
    plays("call_with_update", "answer", "u1");
}

#[test]
fn a_session_timer_is_granted_and_refreshed() {
    plays("call_with_timer", "answer", "u1");
}

#[test]
fn an_invite_without_offer_is_answered_with_ours() {
    plays("call_without_offer", "answer", "u1");
}

#[test]
fn a_phone_that_nobody_answers_rings_for_its_time_only() {
    let Some(mut site) = site(&["sipp"]) else { return };
    let shortest = json!({"ring_timeout": 5});
    let answer = site.api().put("/extension/@101/phone/", &shortest).expect("the API answers");
    assert_eq!(answer.status, 200, "{answer:?}");
    let ringing = Sipp::registered(&site, "101").plays(&site, "ring_until_cancel", "");
    Sipp::phone("100", "u1").plays(&site, "call_unanswered", "101").succeeds();
    ringing.succeeds();
}
