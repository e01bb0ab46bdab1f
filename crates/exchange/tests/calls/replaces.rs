//! One dialog takes the place of another: REFER and INVITE with Replaces.

use std::time::Duration;

use expect_test::expect;
use leg::{
    Capabilities, Dialled, Identity, Incoming, LegEvent, LegId, Origin, ReferId, ReferTo, Replaced,
};
use model::{ControlGroups, DeviceId, EndReason, Number};

use crate::support::{A, B, Pbx, both, id, out, talking};

/// The second leg that comes in.
const D: LegId = LegId(2);

fn check(pbx: &mut Pbx, expected: &expect_test::Expect) {
    expected.assert_eq(&pbx.said());
}

fn refers(pbx: &mut Pbx, leg: LegId, to: LegId) {
    let to = ReferTo::Replace(to);
    pbx.event(leg, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
}

/// 100 talks with 101, which has called 102 beside.
fn two_calls() -> Pbx {
    let mut pbx = talking();
    assert_eq!(pbx.dials("101", "102"), D);
    pbx.rings(out(2));
    pbx
}

pub(crate) fn replaces(pbx: &mut Pbx, from: &str, leg: LegId) -> LegId {
    replaces_as(pbx, LegId::incoming(9), from, leg)
}

/// The same, as a leg with a number of its own.
pub(crate) fn replaces_as(pbx: &mut Pbx, new: LegId, from: &str, leg: LegId) -> LegId {
    let incoming = Incoming {
        origin: Origin::Extension(id(from)),
        device: Some(DeviceId(id(from).0 * 10 + 2)),
        peer: "192.0.2.1".parse().unwrap(),
        dialled: Dialled { number: Number::parse("x").unwrap(), domain: "pbx.example".into() },
        identity: Identity::nobody(),
        offer: Some(Box::new(both())),
        capabilities: Capabilities::default(),
        max_forwards: 70,
        replaces: Some(Replaced { leg, early_only: false }),
    };
    pbx.event(new, LegEvent::Incoming(Box::new(incoming)));
    new
}

#[test]
fn a_phone_joins_its_two_calls() {
    let mut pbx = two_calls();
    pbx.answers(out(2));
    pbx.said();
    refers(&mut pbx, B, D);
    pbx.ends(B, EndReason::CalleeHungUp, None);
    let handles: Vec<_> = pbx.listed().into_iter().map(|(_, call, _)| call).collect();
    assert_eq!(handles.len(), 2);
    assert_eq!(handles[0], handles[1], "they are one conversation");
    check(
        &mut pbx,
        &expect![[r#"
        audio of 3 legs: in0 hears out2, out2 hears in0
        out1 refer 1 accepted
        out1 refer 1 200
        audio of 0 legs: silence
        in1 end transferred
        event 5 100101 hangup ANSWER
        cdr 100101 Out transferred 0 s
        in0 identify Phone 102
        out2 identify Phone 100
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 5 100101 hangup ANSWER
        cdr 100101 In transferred 0 s
    "#]],
    );
    pbx.ends(out(2), EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_phone_sends_its_far_party_on_to_whom_it_is_still_calling() {
    let mut pbx = two_calls();
    pbx.said();
    refers(&mut pbx, B, D);
    pbx.answers(out(2));
    pbx.run_for(Duration::from_secs(6));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 3 legs: in0 hears ringback
        audio of 0 legs: silence
        in1 end transferred
        event 3 100101 hangup CANCEL
        cdr 100101 Out transferred 0 s
        out1 refer 1 accepted
        out1 refer 1 100
        out1 refer 1 180
        audio of 3 legs: in0 hears out2, out2 hears in0
        event 4 100102 answer ANSWER
        out1 refer 1 200
        in0 identify Phone 102
        out2 identify Phone 100
        audio of 2 legs: in0 hears out2, out2 hears in0
        out1 end transferred
        event 5 100101 hangup ANSWER
        cdr 100101 In transferred 5 s
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn whom_it_is_still_calling_is_busy_and_the_phone_has_its_call_as_it_was() {
    let mut pbx = two_calls();
    refers(&mut pbx, B, D);
    pbx.said();
    pbx.ends(out(2), EndReason::Busy, Some(486));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears out1, out1 hears in0
        event 4 100102 hangup BUSY
        cdr 100102 In busy 0 s
        out1 refer 1 486
    "#]],
    );
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn a_program_holds_on_when_whom_it_is_still_calling_is_busy() {
    for (holds, heard) in [("101", "in0 hears music"), ("100", "out1 hears music")] {
        let mut pbx = two_calls();
        let call = pbx.call_api_id();
        pbx.control(holds, call, leg::CallAction::Hold).unwrap();
        pbx.said();
        refers(&mut pbx, B, D);
        pbx.ends(out(2), EndReason::Busy, Some(486));
        assert!(pbx.said().contains(&format!("audio of 2 legs: {heard}\n")), "{holds}");
        pbx.control(holds, call, leg::CallAction::Offhold).unwrap();
        assert!(pbx.said().contains("in0 hears out1, out1 hears in0"), "{holds}");
    }
}

#[test]
fn another_phone_goes_on_in_a_room_and_at_a_service() {
    for (number, heard) in [("*8101", "in9 hears music"), ("199", "in9 hears in9")] {
        let mut pbx = Pbx::new();
        let first = pbx.dials("101", number);
        pbx.run_for(Duration::from_secs(61));
        pbx.said();
        let new = replaces(&mut pbx, "101", first);
        let said = pbx.said();
        assert!(said.contains(heard), "{number}: {said}");
        assert!(said.contains("in0 end replaced"), "{number}: {said}");
        assert!(said.contains("in9 answer"), "{number}: {said}");
        pbx.ends(new, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{number}");
    }
}

#[test]
fn nobody_joins_the_calls_of_others() {
    let mut pbx = talking();
    let other = pbx.dials("102", "103");
    pbx.answers(out(2));
    pbx.said();
    for to in [other, out(2), A, B, LegId(77)] {
        refers(&mut pbx, B, to);
        assert_eq!(pbx.said(), "out1 refer 1 refused 603\n", "{to}");
    }
}

#[test]
fn a_call_moves_to_another_phone_of_the_extension() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    let new = replaces(&mut pbx, "101", B);
    check(
        &mut pbx,
        &expect![[r#"
        event 1 100101 dial-out CALLING
        audio of 2 legs: in0 hears in9, in9 hears in0
        out1 end replaced
        event 5 100101 hangup ANSWER
        cdr 100101 In replaced 0 s
        in9 identify Phone 100
        in0 identify Phone 101
        event 2 100101 answer ANSWER
        in9 answer 20004 SendRecv PCMA
    "#]],
    );
    assert!(pbx.listed().iter().all(|(_, listed, _)| *listed == call));
    pbx.ends(new, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn the_answered_call_of_another_extension_is_not_taken() {
    let mut pbx = talking();
    let new = replaces(&mut pbx, "102", B);
    let said = pbx.said();
    assert!(said.contains(&format!("{new} end forbidden")), "{said}");
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn whose_call_rings_is_taken_by_who_may_pick_it_up() {
    for may in [true, false] {
        let groups = ControlGroups { pickup_all: Some(may), ..ControlGroups::default() };
        let mut pbx = Pbx::new();
        pbx.allow(groups);
        pbx.dials("100", "101");
        pbx.rings(B);
        pbx.said();
        let new = replaces(&mut pbx, "102", B);
        let said = pbx.said();
        assert_eq!(said.contains("in0 hears in9, in9 hears in0"), may, "{said}");
        assert!(pbx.audited().contains("pickup 0003*101 by phone"));
        pbx.ends(A, EndReason::Cancelled, None);
        assert!(pbx.is_empty(), "{new}");
    }
}

#[test]
fn of_two_calls_that_ring_the_one_that_was_named_is_taken() {
    for (named, caller, other) in [(out(1), "in0", "in1"), (out(2), "in1", "in0")] {
        let mut pbx = Pbx::new();
        let callers = [pbx.dials("100", "101"), pbx.dials("102", "101")];
        pbx.rings(out(1));
        pbx.rings(out(2));
        pbx.said();
        replaces(&mut pbx, "103", named);
        let said = pbx.said();
        assert!(said.contains(&format!("{caller} hears in9, in9 hears {caller}")), "{said}");
        assert!(!said.contains(&format!("{other} ")), "the other one rings on: {said}");
        for caller in callers {
            pbx.ends(caller, EndReason::CallerHungUp, None);
        }
        assert!(pbx.is_empty());
    }
}

#[test]
fn who_is_sent_to_a_slot_is_parked_there() {
    let mut pbx = talking();
    let to = ReferTo::Number(Number::parse("park+3").unwrap());
    pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    pbx.ends(B, EndReason::CalleeHungUp, None);
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears music
        out1 refer 1 accepted
        out1 refer 1 200
        audio of 1 legs: in0 hears music
        event 5 100101 hangup ANSWER
        cdr 100101 In parked 0 s
    "#]],
    );
    pbx.dials("101", "park+3");
    assert!(pbx.said().contains("in0 hears in1, in1 hears in0"));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}
