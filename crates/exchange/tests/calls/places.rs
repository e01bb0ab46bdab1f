//! Who is in a room, at a service or before a voicemail sees the number that leads there, whoever
//! has brought it there: on its display, on its lamp, in the list of calls.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use exchange::Input;
use expect_test::expect;
use leg::{
    CallAction, CallView, Command, LampEvent, LampState, LegEvent, LegId, Package, ReferId,
    ReferTo, Reply, SubscriptionId, Watched,
};
use model::{CallApiId, EndReason, Number, PhoneShown};

use crate::replaces::replaces;
use crate::support::{A, B, Pbx, id, trunk};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// 103 has a voicemail, its room a code; 102 lets whoever calls it into the room of 101.
fn pbx() -> Pbx {
    let rules = "103: voicemail\n102: transfer *8101 30s";
    Pbx::with_phones(rules, |name, shown: &mut PhoneShown| {
        shown.conference_announce_caller_name = false;
        shown.conference_pin = (name == "103").then(|| "4711".into());
    })
}

fn watches(pbx: &mut Pbx, name: &str) {
    let watched = Watched { by: id("109"), package: Package::Dialog, resource: number(name) };
    pbx.input(Input::Lamp(LampEvent::Asked { id: SubscriptionId(1), watched }));
}

/// Whom the lamp of an extension says that it talks with.
fn lamp(pbx: &Pbx) -> String {
    let state = pbx.exchange.tables().lamps.iter().next().unwrap().2.clone();
    let LampState::Dialogs(dialogs) = state else { panic!("{state:?}") };
    let [dialog] = &dialogs[..] else { panic!("{dialogs:?}") };
    let number = dialog.remote.number.as_ref().map_or("-", |n| n.as_str());
    format!("{number} {:?}", dialog.remote.name.as_str())
}

fn views(pbx: &mut Pbx, of: &str) -> Vec<Arc<CallView>> {
    let all = pbx.command(Command::ListCalls { extension: Some(id(of)) });
    let Reply::Calls(calls) = all else { panic!("no list") };
    calls.to_vec()
}

/// How an extension is listed: whom it has called, or who calls it.
fn listed(pbx: &mut Pbx, of: &str) -> String {
    let views = views(pbx, of);
    let [view] = &views[..] else { panic!("{views:?}") };
    let name = |e: &Option<leg::ExtensionRef>| e.as_ref().map_or("-".into(), |e| e.name.clone());
    format!(
        "{:?} {} ({}) from {} {:?} ({})",
        view.flow.unwrap(),
        view.called_number,
        name(&view.called_extension),
        view.caller_id_number,
        view.caller_id_name,
        name(&view.caller_extension)
    )
}

/// What the phone at a leg was shown, since the last look.
fn shown(said: &str, leg: LegId) -> String {
    let told = said.lines().filter_map(|l| l.strip_prefix(&format!("{leg} identify ")));
    told.collect::<Vec<_>>().join(", ")
}

/// A way in which 101 sends 100 somewhere.
type Way = (&'static str, fn(&mut Pbx, CallApiId, &str));
const WAYS: [Way; 4] = [
    ("by a program", |pbx, call, to| {
        pbx.control("101", call, CallAction::Transfer(Some(number(to)))).unwrap();
    }),
    ("by REFER", |pbx, _, to| {
        let to = ReferTo::Number(number(to));
        pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    }),
    ("by keys", |pbx, _, to| format!("#1{to}#").chars().for_each(|key| pbx.presses(B, key))),
    ("from a slot", |pbx, call, to| {
        pbx.control("101", call, CallAction::Park(Some(5))).unwrap();
        pbx.control("101", call, CallAction::Transfer(Some(number(to)))).unwrap();
    }),
];

/// The sound of the rule that leads to a voicemail, or to a room, has nobody to ring.
const PLACES: [&str; 5] = ["199", "*8101", "*8103", "103", "102"];

#[test]
fn who_was_sent_somewhere_sees_what_one_sees_who_has_dialled_it() {
    let mut table = String::new();
    for to in PLACES {
        let mut pbx = pbx();
        watches(&mut pbx, "100");
        pbx.dials("100", to);
        let (said, lamp_of_dialled) = (pbx.said(), lamp(&pbx));
        assert_eq!(shown(&said, A), "", "it has dialled it itself: {to}");
        let own = listed(&mut pbx, "100");
        writeln!(table, "{to}: {lamp_of_dialled}; {own}").unwrap();
        for (how, send) in WAYS {
            let mut pbx = self::pbx();
            pbx.dials("100", "101");
            pbx.answers(B);
            watches(&mut pbx, "100");
            let call = pbx.call_api_id();
            pbx.said();
            send(&mut pbx, call, to);
            assert_eq!(lamp(&pbx), lamp_of_dialled, "{to} {how}");
            let display = shown(&pbx.said(), A);
            let (number, name) = lamp_of_dialled.split_once(' ').unwrap();
            let name = name.trim_matches('"');
            assert_eq!(display, if name.is_empty() { number } else { name }, "{to} {how}");
            let now = listed(&mut pbx, "100");
            assert_eq!(now, own, "{to} {how}");
            pbx.run_for(Duration::from_secs(1));
            pbx.ends(A, EndReason::CallerHungUp, None);
            pbx.run_for(Duration::from_secs(20));
            assert!(pbx.is_empty(), "{to} {how}");
        }
    }
    expect![[r#"
        199: 199 "Phone 199"; Out 199 (0003*199) from 0003*100 "Phone 100" (0003*100)
        *8101: *8101 ""; Out *8101 (-) from 0003*100 "Phone 100" (0003*100)
        *8103: *8103 ""; Out *8103 (-) from 0003*100 "Phone 100" (0003*100)
        103: 103 "Phone 103"; Out 103 (0003*103) from 0003*100 "Phone 100" (0003*100)
        102: *8101 ""; Out *8101 (-) from 0003*100 "Phone 100" (0003*100)
    "#]]
    .assert_eq(&table);
}

/// How somebody else may come to where 101 is.
const COMES: [Way; 4] = [
    ("who was called is sent there", |pbx, call, to| {
        pbx.control("100", call, CallAction::Transfer(Some(number(to)))).unwrap();
    }),
    ("who has asked there makes way", |pbx, call, to| {
        pbx.control("100", call, CallAction::AttendedTransfer(number(to))).unwrap();
        pbx.control("100", call, CallAction::Transfer(None)).unwrap();
    }),
    ("who is there has it in its place", |pbx, _, to| {
        let second = pbx.dials("100", to);
        let to = ReferTo::Replace(second);
        pbx.event(A, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    }),
    ("its other phone goes on there", |pbx, call, to| {
        pbx.control("100", call, CallAction::Transfer(Some(number(to)))).unwrap();
        pbx.ends(A, EndReason::CallerHungUp, None);
        pbx.said();
        replaces(pbx, "101", B);
    }),
];

#[test]
fn whoever_comes_into_the_place_of_another_sees_where_it_is() {
    let mut table = String::new();
    for (how, comes) in COMES {
        for to in ["*8103", "199"] {
            let mut pbx = pbx();
            pbx.dials("100", "101");
            pbx.answers(B);
            watches(&mut pbx, "101");
            let call = pbx.call_api_id();
            comes(&mut pbx, call, to);
            let said = pbx.said();
            let leg = pbx.exchange.calls().flat_map(|call| call.legs.values()).find(|leg| {
                let call = pbx.exchange.calls().find(|call| call.legs.get(leg.id).is_some());
                call.unwrap().branches.get(leg.branch).unwrap().extension == Some(id("101"))
            });
            let display = shown(&said, leg.unwrap().id);
            let (lamp, own) = (lamp(&pbx), listed(&mut pbx, "101"));
            writeln!(table, "{how}: {display}; {lamp}; {own}").unwrap();
        }
    }
    expect![[r#"
        who was called is sent there: *8103; *8103 ""; In 101 (0003*101) from *8103 "" (-)
        who was called is sent there: Phone 199; 199 "Phone 199"; In 101 (0003*101) from 0003*199 "Phone 199" (0003*199)
        who has asked there makes way: *8103; *8103 ""; In 101 (0003*101) from *8103 "" (-)
        who has asked there makes way: Phone 199; 199 "Phone 199"; In 101 (0003*101) from 0003*199 "Phone 199" (0003*199)
        who is there has it in its place: *8103; *8103 ""; In 101 (0003*101) from *8103 "" (-)
        who is there has it in its place: Phone 199; 199 "Phone 199"; In 101 (0003*101) from 0003*199 "Phone 199" (0003*199)
        its other phone goes on there: *8103; *8103 ""; Out *8103 (-) from 0003*101 "Phone 101" (0003*101)
        its other phone goes on there: Phone 199; 199 "Phone 199"; Out 199 (0003*199) from 0003*101 "Phone 101" (0003*101)
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_number_that_was_dialled_in_another_form_is_listed_as_it_was_dialled() {
    let mut pbx = pbx();
    pbx.dials("100", "0003*199");
    assert_eq!(views(&mut pbx, "100")[0].called_number, "0003*199");
    let mut pbx = self::pbx();
    pbx.dials("100", "0003*103");
    assert_eq!(views(&mut pbx, "100")[0].called_number, "0003*103");
}

#[test]
fn who_was_called_is_listed_with_where_it_is_also_if_its_caller_has_dialled_that() {
    let mut pbx = Pbx::with_rules("103: transfer+ 101 20s; voicemail");
    pbx.dials("100", "103");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("100", call, CallAction::Transfer(Some(number("103")))).unwrap();
    pbx.ends(LegId::outgoing(2), EndReason::Busy, Some(486));
    assert!(listed(&mut pbx, "101").contains("from 0003*103"), "{}", listed(&mut pbx, "101"));
}

#[test]
fn a_trunk_is_shown_where_its_party_is_only_if_that_is_set() {
    for is_set in [true, false] {
        let mut pbx = Pbx::with("", |_, routing| {
            let (id, plan) = trunk(1, "^");
            let plan = model::TrunkUse { update_display: is_set, ..(*plan).clone() };
            routing.trunks = [(id, Arc::new(plan))].into();
        });
        pbx.dials("101", "74951234567");
        pbx.answers(B);
        pbx.said();
        let call = pbx.call_api_id();
        pbx.control("101", call, CallAction::Transfer(Some(number("*8101")))).unwrap();
        assert_eq!(shown(&pbx.said(), B), if is_set { "*8101" } else { "" });
    }
}

#[test]
fn who_has_sent_a_caller_to_a_voicemail_by_refer_may_hang_up_after_the_caller() {
    let mut pbx = pbx();
    pbx.dials("100", "101");
    pbx.answers(B);
    let to = ReferTo::Number(number("103"));
    pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(!pbx.said().contains("cdr 100101"), "it is still there");
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.said().contains("cdr 100101 In transferred"));
    assert!(pbx.is_empty());
}
