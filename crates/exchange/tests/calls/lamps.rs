//! Lamps: who may watch what, and what is shown when.

use std::sync::Arc;
use std::time::Duration;

use exchange::Input;
use expect_test::expect;
use leg::{CallAction, Command, Direction, LampEvent, LegEvent, Package, SubscriptionId, Watched};
use model::{EndReason, Number};

use crate::replaces::replaces;
use crate::support::{A, B, Pbx, id, out, snapshot, talking};

fn check(pbx: &mut Pbx, expected: &expect_test::Expect) {
    let said = pbx.said();
    let of_lamps = |line: &&str| line.starts_with("lamp");
    let lines: Vec<&str> = said.lines().filter(of_lamps).collect();
    expected.assert_eq(&lines.join("\n"));
}

fn asks(pbx: &mut Pbx, number: u64, package: Package, by: &str, resource: &str) {
    let resource = Number::parse(resource).unwrap();
    let watched = Watched { by: id(by), package, resource };
    pbx.input(Input::Lamp(LampEvent::Asked { id: SubscriptionId(number), watched }));
}

/// 103 watches.
fn watches(pbx: &mut Pbx, number: u64, resource: &str) {
    asks(pbx, number, Package::Dialog, "103", resource);
}

#[test]
fn extensions_and_slots_of_the_tenant_can_be_watched_under_any_of_their_names() {
    let mut pbx = Pbx::new();
    let names = ["101", "0003*101", "park+6", "*06", "park+0", "park+10", "150", "*7", "5551234"];
    for (number, name) in names.iter().enumerate() {
        watches(&mut pbx, number as u64, name);
    }
    check(
        &mut pbx,
        &expect![[r#"
        lamp 0 granted 101: idle
        lamp 1 granted 101: idle
        lamp 2 granted park+6: idle
        lamp 3 granted park+6: idle
        lamp 4 refused 404
        lamp 5 refused 404
        lamp 6 refused 404
        lamp 7 refused 404
        lamp 8 refused 404"#]],
    );
}

#[test]
fn a_lamp_shows_each_stage_of_a_call_once() {
    let mut pbx = Pbx::new();
    watches(&mut pbx, 1, "100");
    watches(&mut pbx, 2, "101");
    watches(&mut pbx, 3, "101");
    pbx.said();
    pbx.dials("100", "101");
    check(&mut pbx, &expect![[r#"lamp 100: initiator trying 101 """#]]);
    pbx.rings(B);
    pbx.rings(B);
    check(&mut pbx, &expect![[r#"lamp 101: recipient early 100 "phone 100" by out1"#]]);
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    check(
        &mut pbx,
        &expect![[r#"
        lamp 100: initiator confirmed 101 "phone 101" by in0
        lamp 101: recipient confirmed 100 "phone 100" by out1"#]],
    );
    pbx.offers(A, Direction::SendOnly);
    check(&mut pbx, &expect![[r#""#]]);
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(
        &mut pbx,
        &expect![[r#"
        lamp 100: idle
        lamp 101: idle"#]],
    );
    assert!(pbx.is_empty());
}

#[test]
fn who_watches_during_a_call_is_shown_it_and_who_has_ended_no_more() {
    let mut pbx = talking();
    watches(&mut pbx, 1, "101");
    check(
        &mut pbx,
        &expect![[r#"lamp 1 granted 101: recipient confirmed 100 "phone 100" by out1"#]],
    );
    pbx.input(Input::Lamp(LampEvent::Ended { id: SubscriptionId(1) }));
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(&mut pbx, &expect![[r#""#]]);
    assert!(pbx.exchange.tables().lamps.is_dark());
}

#[test]
fn a_phone_that_may_not_be_there_does_not_ring() {
    let mut pbx = Pbx::new();
    watches(&mut pbx, 1, "101");
    pbx.said();
    pbx.dials("100", "101");
    pbx.run_for(Duration::from_secs(10));
    check(&mut pbx, &expect![[r#""#]]);
    assert!(pbx.is_empty());
}

#[test]
fn a_forwarded_call_rings_where_it_rings() {
    let mut pbx = Pbx::with_rules("101: transfer 102 60s");
    watches(&mut pbx, 1, "101");
    watches(&mut pbx, 2, "102");
    pbx.said();
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.answers(B);
    check(
        &mut pbx,
        &expect![[r#"
        lamp 102: recipient early 100 "phone 100" by out1
        lamp 102: recipient confirmed 100 "phone 100" by out1"#]],
    );
}

#[test]
fn a_slot_is_lit_while_somebody_is_parked_and_who_parks_is_idle() {
    let mut pbx = talking();
    for (number, name) in ["park+6", "101", "102"].iter().enumerate() {
        watches(&mut pbx, number as u64, name);
    }
    let call = pbx.call_api_id();
    pbx.said();
    pbx.control("101", call, CallAction::Park(Some(6))).unwrap();
    check(
        &mut pbx,
        &expect![[r#"
        lamp 101: idle
        lamp park+6: recipient confirmed 100 "phone 100""#]],
    );
    pbx.run_for(Duration::from_secs(180));
    pbx.rings(out(2));
    check(&mut pbx, &expect![[r#"lamp 101: recipient early 100 "p6: phone 100" by out2"#]]);
    pbx.dials("102", "*06");
    check(
        &mut pbx,
        &expect![[r#"
        lamp 101: idle
        lamp 102: initiator confirmed 100 "phone 100" by in1
        lamp park+6: idle"#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(&mut pbx, &expect!["lamp 102: idle"]);
    assert!(pbx.is_empty());
}

#[test]
fn who_consults_somebody_that_still_rings_does_not_ring_itself() {
    let mut pbx = talking();
    watches(&mut pbx, 1, "101");
    watches(&mut pbx, 2, "102");
    pbx.said();
    let call = pbx.call_api_id();
    let number = Number::parse("102").unwrap();
    pbx.control("101", call, CallAction::AttendedTransfer(number)).unwrap();
    pbx.rings(out(2));
    check(
        &mut pbx,
        &expect![[r#"
            lamp 101: initiator confirmed 102 "" by out1
            lamp 102: recipient early 101 "phone 101" by out2"#]],
    );
    pbx.answers(out(2));
    check(
        &mut pbx,
        &expect![[r#"
        lamp 101: initiator confirmed 102 "phone 102" by out1
        lamp 102: recipient confirmed 101 "phone 101" by out2"#]],
    );
}

/// The lamp of who waits went back to whom it had dialled in the beginning.
#[test]
fn whoever_waits_is_shown_with_whom_it_has_talked_last() {
    let number = |name: &str| Number::parse(name).unwrap();
    let waits = [
        (CallAction::AttendedTransfer(number("103")), "102", "consults"),
        (CallAction::Park(Some(6)), "park+6", "parks"),
        (CallAction::Transfer(Some(number("103"))), "102", "sends on"),
    ];
    for (action, with, what) in waits {
        let mut pbx = talking();
        let call = pbx.call_api_id();
        pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
        pbx.rings(out(2));
        pbx.answers(out(2));
        watches(&mut pbx, 1, "100");
        pbx.control("102", call, action).unwrap();
        let shown = pbx.exchange.tables().lamps.iter().next().unwrap().2.clone();
        let leg::LampState::Dialogs(dialogs) = shown else { panic!("{shown:?}") };
        let remote = dialogs[0].remote.number.clone();
        assert_eq!(remote, Some(number(with)), "while 102 {what}");
    }
}

/// The lamp of who sends somebody on went back to what it had dialled in the beginning.
#[test]
fn whoever_sends_somebody_on_is_shown_with_that_one_until_it_is_out() {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    let leg = pbx.dials("102", "*7101");
    watches(&mut pbx, 1, "102");
    let to = leg::ReferTo::Number(Number::parse("103").unwrap());
    pbx.event(leg, LegEvent::Refer { refer: leg::ReferId(1), to, referred_by: None });
    check(
        &mut pbx,
        &expect![[r#"
        lamp 1 granted 102: initiator confirmed 100 "phone 100" by in1
        lamp 102: initiator confirmed 100 "phone 100""#]],
    );
}

#[test]
fn who_listens_to_whom_is_shown_to_nobody() {
    let mut pbx = talking();
    watches(&mut pbx, 1, "102");
    pbx.said();
    let call = pbx.call_api_id();
    let listen = CallAction::Monitor(leg::MonitorMode::Eavesdrop, Number::parse("102").unwrap());
    pbx.control("101", call, listen).unwrap();
    pbx.rings(out(2));
    pbx.answers(out(2));
    check(
        &mut pbx,
        &expect![[r#"
        lamp 102: recipient early - "" hidden
        lamp 102: recipient confirmed - "" hidden"#]],
    );
}

#[test]
fn what_is_deleted_or_called_otherwise_cannot_be_watched_any_more() {
    let mut pbx = talking();
    watches(&mut pbx, 1, "101");
    watches(&mut pbx, 2, "park+9");
    watches(&mut pbx, 3, "100");
    pbx.said();
    let mut changed = snapshot();
    changed.extensions.retain(|e, _| *e != id("101"));
    let extension = changed.extensions.get_mut(&id("100")).unwrap();
    Arc::make_mut(extension).label = model::DisplayName::parse("Anna").unwrap();
    let mut routing = model::Routing::default();
    routing.settings.shown.valet_park_slots = 8;
    changed.routing = Arc::new(routing);
    pbx.input(Input::Snapshot(Arc::new(changed)));
    check(
        &mut pbx,
        &expect![[r#"
        lamp 101 gone Dialog
        lamp park+9 gone Dialog
        lamp 100: initiator confirmed 101 "" by in0"#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    check(&mut pbx, &expect!["lamp 100: idle"]);
}

#[test]
fn messages_are_watched_by_their_owner_alone() {
    let mut pbx = Pbx::new();
    let names = ["103", "0003103", "0003*103", "*9", "101", "150", "park+1"];
    for (number, name) in names.iter().enumerate() {
        asks(&mut pbx, number as u64, Package::MessageSummary, "103", name);
    }
    check(
        &mut pbx,
        &expect![[r#"
        lamp 0 granted 103: 0 new, 0 old
        lamp 1 granted 103: 0 new, 0 old
        lamp 2 granted 103: 0 new, 0 old
        lamp 3 granted 103: 0 new, 0 old
        lamp 4 refused 403
        lamp 5 refused 404
        lamp 6 refused 404"#]],
    );
    let note = |extension: &str, new, old| Command::NoteMessages {
        extension: id(extension),
        new,
        old,
        messages: Vec::new(),
    };
    pbx.command(note("103", 2, 1));
    pbx.command(note("103", 2, 1));
    pbx.command(note("101", 1, 0));
    pbx.command(note("103", 0, 3));
    check(
        &mut pbx,
        &expect![[r#"
        lamp 103: 2 new, 1 old
        lamp 103: 0 new, 3 old"#]],
    );
    asks(&mut pbx, 20, Package::MessageSummary, "101", "101");
    pbx.command(note("103", 0, 0));
    let mut changed = snapshot();
    changed.extensions.retain(|e, _| *e != id("101"));
    pbx.input(Input::Snapshot(Arc::new(changed)));
    check(
        &mut pbx,
        &expect![[r#"
        lamp 20 granted 101: 1 new, 0 old
        lamp 103: 0 new, 0 old
        lamp 101 gone MessageSummary"#]],
    );
}

/// What becomes of a call between 100 and 101.
type Flow = (&'static str, fn(&mut Pbx));

#[test]
fn no_lamp_sticks_whatever_takes_the_place_of_a_dialog() {
    let flows: [Flow; 7] = [
        ("another phone goes on", |pbx| {
            pbx.answers(B);
            replaces(pbx, "101", B);
        }),
        ("the caller's other phone goes on", |pbx| {
            pbx.answers(B);
            replaces(pbx, "100", A);
        }),
        ("taken while it rings by who names its dialog", |pbx| {
            replaces(pbx, "102", B);
        }),
        ("taken by code", |pbx| {
            pbx.dials("102", "*7101");
        }),
        ("taken for a program", |pbx| {
            pbx.answers(B);
            does(pbx, CallAction::Pickup(Number::parse("102").unwrap()));
            pbx.rings(out(2));
            pbx.answers(out(2));
        }),
        ("parked, taken back, its phone replaced", |pbx| {
            pbx.answers(B);
            does(pbx, CallAction::Park(Some(6)));
            let taker = pbx.dials("102", "*06");
            replaces(pbx, "102", taker);
        }),
        ("parked, and asked", |pbx| {
            pbx.answers(B);
            does(pbx, CallAction::Park(Some(6)));
            pbx.dials("102", "199");
            let taker = pbx.dials("101", "park+6");
            replaces(pbx, "101", taker);
        }),
    ];
    for (what, flow) in flows {
        let mut pbx = Pbx::new();
        for (number, name) in ["100", "101", "102", "park+6"].iter().enumerate() {
            watches(&mut pbx, number as u64, name);
        }
        pbx.dials("100", "101");
        pbx.rings(B);
        flow(&mut pbx);
        pbx.said();
        let first = |pbx: &Pbx| pbx.exchange.calls().find_map(|call| call.legs.keys().next());
        while let Some(leg) = first(&pbx) {
            pbx.ends(leg, EndReason::CallerHungUp, None);
        }
        assert!(pbx.is_empty(), "{what}");
        for (resource, _, shown) in pbx.exchange.tables().lamps.iter() {
            let dark = leg::LampState::Dialogs(Vec::new());
            assert_eq!(*shown, dark, "{what}: {resource:?}");
        }
        // Each was told, last of all.
        for (number, name) in ["100", "101", "102", "park+6"].iter().enumerate() {
            watches(&mut pbx, 10 + number as u64, name);
            assert!(pbx.said().ends_with("idle\n"), "{what}: {name}");
        }
    }
}

#[test]
fn a_lamp_names_the_dialog_that_has_taken_the_place_of_another() {
    let mut pbx = talking();
    watches(&mut pbx, 1, "101");
    watches(&mut pbx, 2, "100");
    pbx.said();
    replaces(&mut pbx, "101", B);
    check(&mut pbx, &expect![[r#"lamp 101: initiator confirmed 100 "phone 100" by in9"#]]);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Pickup(Number::parse("102").unwrap())).unwrap();
    watches(&mut pbx, 3, "102");
    pbx.rings(out(2));
    pbx.answers(out(2));
    check(
        &mut pbx,
        &expect![[r#"
            lamp 3 granted 102: idle
            lamp 102: recipient early 100 "phone 100"
            lamp 100: initiator confirmed 102 "phone 102" by in0
            lamp 101: idle
            lamp 102: recipient confirmed 100 "phone 100" by out2"#]],
    );
}

fn does(pbx: &mut Pbx, action: CallAction) {
    let call = pbx.call_api_id();
    pbx.control("101", call, action).unwrap();
}

#[test]
fn a_client_that_shows_no_presence_lights_no_lamp_but_those_of_messages() {
    let mut pbx = talking();
    watches(&mut pbx, 1, "101");
    watches(&mut pbx, 2, "park+6");
    asks(&mut pbx, 3, Package::MessageSummary, "103", "103");
    pbx.said();
    let shows = |pbx: &mut Pbx, presence| {
        let mut changed = snapshot();
        let mut routing = model::Routing::default();
        routing.settings.shown.presence = presence;
        changed.routing = Arc::new(routing);
        pbx.input(Input::Snapshot(Arc::new(changed)));
    };
    shows(&mut pbx, false);
    watches(&mut pbx, 4, "101");
    watches(&mut pbx, 5, "999");
    asks(&mut pbx, 6, Package::MessageSummary, "102", "102");
    pbx.ends(A, EndReason::CallerHungUp, None);
    shows(&mut pbx, true);
    watches(&mut pbx, 7, "101");
    check(
        &mut pbx,
        &expect![[r#"
            lamp 101 gone Dialog
            lamp park+6 gone Dialog
            lamp 4 refused 403
            lamp 5 refused 403
            lamp 6 granted 102: 0 new, 0 old
            lamp 7 granted 101: idle"#]],
    );
}
