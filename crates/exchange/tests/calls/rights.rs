//! Whom a program may have rung for a call: with whose rights the outside is dialled, and who is in
//! the call already.

use std::sync::Arc;

use expect_test::expect;
use leg::{CallAction, MonitorMode, Refusal};
use model::{CallApiId, Number, Status};

use crate::support::{A, B, Pbx, id, out};

/// What stands for whom a program has rung in the name of an extension.
fn actions(number: &str) -> [CallAction; 6] {
    let number = || Number::parse(number).unwrap();
    [
        CallAction::Monitor(MonitorMode::Eavesdrop, number()),
        CallAction::Monitor(MonitorMode::Whisper, number()),
        CallAction::Monitor(MonitorMode::Conference, number()),
        CallAction::Pickup(number()),
        CallAction::Transfer(Some(number())),
        CallAction::AttendedTransfer(number()),
    ]
}

/// 100 talks with 101; all numbers of the outside have a trunk.
fn talking() -> (Pbx, CallApiId) {
    let mut pbx = Pbx::with("101: transfer 102 60s last=busy", |_, _| {});
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.said();
    let call = pbx.call_api_id();
    (pbx, call)
}

fn block(pbx: &mut Pbx, name: &str) {
    let mut snapshot = (**pbx.exchange.snapshot()).clone();
    let phone = snapshot.extensions.get_mut(&id(name)).unwrap();
    Arc::make_mut(phone).status = Status::Blocked;
    pbx.input(exchange::Input::Snapshot(Arc::new(snapshot)));
}

#[test]
fn nobody_is_rung_outside_in_the_name_of_a_blocked_extension() {
    for action in actions("84951112233") {
        let (mut pbx, call) = talking();
        block(&mut pbx, "100");
        assert_eq!(pbx.control("100", call, action.clone()), Err(Refusal::Forbidden));
        assert_eq!(pbx.said(), "", "{action:?}");
        pbx.control("101", call, action).unwrap();
    }
    // Who listens inside has rights of its own.
    let (mut pbx, call) = talking();
    block(&mut pbx, "100");
    let [listen, ..] = actions("103");
    pbx.control("100", call, listen).unwrap();
}

/// It was accepted, nothing rang, and the audit said that it was allowed.
#[test]
fn a_number_that_may_not_be_dialled_is_refused_to_programs_and_in_the_audit() {
    for action in actions("+78091234567") {
        let (mut pbx, call) = talking();
        assert_eq!(pbx.control("101", call, action.clone()), Err(Refusal::Forbidden));
        assert_eq!(pbx.said(), "", "{action:?}");
    }
    let (mut pbx, call) = talking();
    pbx.audited();
    for action in &actions("+78091234567")[2..4] {
        pbx.control("101", call, action.clone()).unwrap_err();
    }
    block(&mut pbx, "101");
    for action in &actions("84951112233")[2..4] {
        pbx.control("101", call, action.clone()).unwrap_err();
    }
    expect![[r#"
        +78091234567 may not conference 0003*101 by api (robot): token, the number is not allowed
        +78091234567 may not pickup 0003*101 by api (robot): token, the number is not allowed
        84951112233 may not conference 0003*101 by api (robot): token, the extension is blocked
        84951112233 may not pickup 0003*101 by api (robot): token, the extension is blocked
    "#]]
    .assert_eq(&pbx.audited());
}

#[test]
fn a_call_that_rings_or_is_parked_is_not_picked_up_by_a_forbidden_number_either() {
    let pickup = || CallAction::Pickup(Number::parse("+78091234567").unwrap());
    let mut pbx = Pbx::with("", |_, _| {});
    pbx.dials("100", "101");
    pbx.rings(B);
    let call = pbx.call_api_id();
    assert_eq!(pbx.control("101", call, pickup()), Err(Refusal::Forbidden));
    pbx.answers(B);
    pbx.control("101", call, CallAction::Park(Some(6))).unwrap();
    assert_eq!(pbx.control("101", call, pickup()), Err(Refusal::Forbidden));
}

/// Who called heard its own voice.
#[test]
fn nobody_is_rung_to_hear_or_to_talk_with_itself() {
    for name in ["100", "101"] {
        for action in &actions(name)[..3] {
            let (mut pbx, call) = talking();
            assert_eq!(pbx.control("101", call, action.clone()), Err(Refusal::OwnNumber));
            assert_eq!(pbx.said(), "");
        }
    }
    let [.., pickup, _, _] = actions("100");
    let (mut pbx, call) = talking();
    assert_eq!(pbx.control("101", call, pickup.clone()), Err(Refusal::OwnNumber));
    pbx.ends(A, model::EndReason::CallerHungUp, None);
    // Nor while it rings; but its own other phone may take a call.
    pbx.dials("100", "101");
    let call = pbx.call_api_id();
    assert_eq!(pbx.control("101", call, pickup), Err(Refusal::OwnNumber));
    let (mut pbx, call) = talking();
    let [.., own, _, _] = actions("101");
    pbx.control("101", call, own).unwrap();
    // And who has led it elsewhere may listen there.
    let mut pbx = Pbx::with_rules("101: transfer 102 60s");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    let [listen, ..] = actions("101");
    pbx.control("101", call, listen).unwrap();
    assert!(pbx.said().contains(&format!("{} dial", out(2))));
}
