//! Legs to the outside that go on when who has dialled them is out: whose they are, who commands
//! them, what is written down of them.

use std::time::Duration;

use exchange::Input;
use leg::{CallAction, CallView, Command, Identity, LegEvent, LegId, MonitorMode};
use leg::{Record, ReferId, ReferTo, Refusal, Reply};
use model::{CallApiId, Did, DisplayName, EndReason, Number};

use crate::support::{A, B, Pbx, id, out};

const MOBILE: &str = "84957778899";

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// What an extension is shown, one line a call.
pub(crate) fn shown(pbx: &mut Pbx, name: &str) -> String {
    let command = Command::ListCalls { extension: Some(id(name)) };
    let Reply::Calls(calls) = pbx.command(command) else { panic!("no list") };
    let line = |v: &CallView| {
        let flow = format!("{:?}", v.flow.unwrap()).to_lowercase();
        let called = v.called_extension.as_ref().map_or("-", |e| e.name.as_str());
        let talks = if v.real_call { "talks" } else { "does not talk" };
        let (from, to) = (&v.caller_id_number, &v.called_number);
        format!("{flow} from {from} to {to} ({called}) {talks}")
    };
    calls.iter().map(|v| line(v)).collect::<Vec<_>>().join("; ")
}

/// How the conversations of an extension are named.
pub(crate) fn handles(pbx: &mut Pbx, name: &str) -> Vec<CallApiId> {
    let command = Command::ListCalls { extension: Some(id(name)) };
    let Reply::Calls(calls) = pbx.command(command) else { panic!("no list") };
    calls.iter().filter_map(|v| v.call_api_id).collect()
}

/// A DID of 101's is called by the outside, and 101 talks.
fn called_from_outside() -> Pbx {
    let mut pbx = Pbx::with("", |_, routing| {
        let did = Did { name: "+74950000001".into(), extension: Some(id("101")) };
        routing.dids = [("74950000001".into(), did.into())].into();
    });
    let ann = Identity::of(number("+79161112233"), DisplayName::parse("Ann").unwrap());
    pbx.called(1, "74950000001", ann);
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx.said();
    pbx
}

/// The call records of an extension: way, reason, number, seconds of talk.
fn records(pbx: &mut Pbx, name: &str) -> Vec<String> {
    let records = std::mem::take(&mut pbx.records);
    let of = |record| match record {
        Record::Cdr(cdr) if cdr.extension == id(name) => {
            let (flow, to, talk) = (cdr.flow, &cdr.to.0, cdr.talk_us / 1_000_000);
            Some(format!("{flow:?} {} {to} {talk} s", cdr.reason.label()))
        }
        _ => None,
    };
    records.into_iter().filter_map(of).collect()
}

fn attended(to: &str) -> CallAction {
    CallAction::AttendedTransfer(number(to))
}

/// How an extension connects its far party with whom it has consulted.
type Completes = (&'static str, fn(&mut Pbx, CallApiId));

const COMPLETIONS: [Completes; 3] = [
    ("hangs up", |pbx, call| {
        pbx.control("101", call, attended(MOBILE)).unwrap();
        pbx.answers(out(2));
        pbx.run_for(Duration::from_secs(5));
        pbx.ends(B, EndReason::CalleeHungUp, None);
    }),
    ("is told to complete", |pbx, call| {
        pbx.control("101", call, attended(MOBILE)).unwrap();
        pbx.answers(out(2));
        pbx.run_for(Duration::from_secs(5));
        pbx.control("101", call, CallAction::Transfer(None)).unwrap();
    }),
    ("names the other dialog by REFER", |pbx, _| {
        let second = pbx.dials("101", MOBILE);
        pbx.answers(out(2));
        pbx.run_for(Duration::from_secs(5));
        let to = ReferTo::Replace(second);
        pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
        pbx.ends(B, EndReason::CallerHungUp, None);
    }),
];

/// The two went on, listed for nobody, and nothing ended or recorded them.
#[test]
fn two_of_the_outside_whom_an_extension_has_joined_are_its_call_still() {
    for (how, complete) in COMPLETIONS {
        let mut pbx = called_from_outside();
        let call = handles(&mut pbx, "101")[0];
        complete(&mut pbx, call);
        let expected = "out from +79161112233 to 84957778899 (-) does not talk";
        assert_eq!(shown(&mut pbx, "101"), expected, "{how}");
        assert_eq!(handles(&mut pbx, "101"), [call], "{how}: under the older handle");
        let before = records(&mut pbx, "101");
        assert_eq!(before.len(), 2, "{how}: {before:?}");
        assert!(before.iter().all(|line| line.contains(" transferred ")), "{how}: {before:?}");
        pbx.control("101", call, CallAction::Hold).unwrap();
        pbx.control("101", call, CallAction::Offhold).unwrap();
        pbx.run_for(Duration::from_secs(30));
        pbx.said();
        let hang_up = || Command::Hangup { extension: id("101"), call };
        assert!(matches!(pbx.command(hang_up()), Reply::Done), "{how}");
        let said = pbx.said();
        assert!(said.contains("in0 end api_hangup") && said.contains("out2 end"), "{how}: {said}");
        assert_eq!(records(&mut pbx, "101"), ["Out api_hangup 84957778899 30 s"], "{how}");
        assert!(pbx.is_empty(), "{how}");
    }
}

#[test]
fn who_hangs_up_while_the_outside_rings_for_its_far_party_is_listed_with_it() {
    for by_refer in [false, true] {
        let mut pbx = called_from_outside();
        let call = handles(&mut pbx, "101")[0];
        if by_refer {
            let second = pbx.dials("101", MOBILE);
            pbx.rings(out(2));
            let to = ReferTo::Replace(second);
            pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
            pbx.ends(B, EndReason::CallerHungUp, None);
        } else {
            pbx.control("101", call, attended(MOBILE)).unwrap();
            pbx.rings(out(2));
            pbx.ends(B, EndReason::CalleeHungUp, None);
        }
        let expected = "out from +79161112233 to 84957778899 (-) does not talk";
        assert_eq!(shown(&mut pbx, "101"), expected);
        pbx.answers(out(2));
        assert_eq!(shown(&mut pbx, "101"), expected);
        assert_eq!(handles(&mut pbx, "101"), [call]);
        pbx.records.clear();
        pbx.run_for(Duration::from_secs(7));
        pbx.ends(out(2), EndReason::CalleeHungUp, None);
        assert_eq!(records(&mut pbx, "101"), ["Out callee_hung_up 84957778899 7 s"]);
        assert!(pbx.is_empty());
    }
}

/// What one of two numbers of the outside went on to cost was in no record.
#[test]
fn both_whom_an_extension_has_called_outside_are_recorded_when_it_has_connected_them() {
    let other = "84951112233";
    for is_asked in [true, false] {
        let mut pbx = Pbx::with("", |_, _| {});
        pbx.dials("101", other);
        pbx.answers(out(1));
        let call = handles(&mut pbx, "101")[0];
        if is_asked {
            pbx.control("101", call, attended(MOBILE)).unwrap();
            pbx.answers(out(2));
            pbx.control("101", call, CallAction::Transfer(None)).unwrap();
        } else {
            let to = CallAction::Transfer(Some(number(MOBILE)));
            pbx.control("101", call, to).unwrap();
            pbx.rings(out(2));
            pbx.answers(out(2));
        }
        let listed = shown(&mut pbx, "101");
        assert!(!listed.contains(';'), "{listed}");
        assert!(listed.ends_with("to 84957778899 (-) does not talk"), "{listed}");
        assert_eq!(handles(&mut pbx, "101"), [call]);
        pbx.records.clear();
        pbx.run_for(Duration::from_secs(20));
        pbx.ends(out(2), EndReason::CalleeHungUp, None);
        let mut records = records(&mut pbx, "101");
        records.sort();
        let ended = |to: &str| format!("Out callee_hung_up {to} 20 s");
        assert_eq!(records, [ended(other), ended(MOBILE)]);
        assert!(pbx.is_empty());
    }
}

#[test]
fn a_colleague_who_was_joined_with_the_outside_is_not_all_that_is_left_of_the_call() {
    let mut pbx = Pbx::with("", |_, _| {});
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = handles(&mut pbx, "101")[0];
    pbx.control("101", call, attended(MOBILE)).unwrap();
    pbx.answers(out(2));
    pbx.control("101", call, CallAction::Transfer(None)).unwrap();
    assert_eq!(shown(&mut pbx, "100"), "out from 0003*100 to 101 (0003*101) talks");
    let expected = "out from 0003*100 to 84957778899 (-) does not talk";
    assert_eq!(shown(&mut pbx, "101"), expected);
    pbx.records.clear();
    pbx.run_for(Duration::from_secs(9));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert_eq!(records(&mut pbx, "101"), ["Out caller_hung_up 84957778899 9 s"]);
    assert!(pbx.is_empty());
}

/// Nobody is left of the client: the first of them is called in the name of who has joined them.
#[test]
fn two_callers_of_the_outside_who_were_bridged_are_the_call_of_who_has_parked() {
    let mut pbx = called_from_outside();
    let call = handles(&mut pbx, "101")[0];
    pbx.control("101", call, CallAction::Park(Some(6))).unwrap();
    let bob = Identity::of(number("+79162223344"), DisplayName::default());
    pbx.called(1, "74950000001", bob);
    pbx.answers(out(2));
    let second = handles(&mut pbx, "101").into_iter().find(|of| *of != call).unwrap();
    pbx.control("101", second, CallAction::Bridge(Some(6))).unwrap();
    let expected = "out from +79162223344 to +79161112233 (-) does not talk";
    assert_eq!(shown(&mut pbx, "101"), expected);
    assert_eq!(handles(&mut pbx, "101"), [call]);
    assert!(matches!(pbx.command(Command::Hangup { extension: id("101"), call }), Reply::Done));
    assert!(pbx.is_empty());
}

#[test]
fn who_retrieves_a_call_of_the_outside_has_it_alone() {
    let mut pbx = Pbx::with("", |_, _| {});
    pbx.dials("101", MOBILE);
    pbx.answers(out(1));
    let call = handles(&mut pbx, "101")[0];
    pbx.control("101", call, CallAction::Park(Some(6))).unwrap();
    pbx.dials("103", "*06");
    assert_eq!(shown(&mut pbx, "101"), "");
    assert_eq!(handles(&mut pbx, "103"), [call]);
}

/// Nothing but a line of the audit told of what was dialled for a program.
#[test]
fn what_is_dialled_outside_for_a_program_is_the_extensions_in_whose_name_it_is() {
    for (action, answered) in [
        (CallAction::Pickup(number(MOBILE)), false),
        (CallAction::Monitor(MonitorMode::Eavesdrop, number(MOBILE)), true),
    ] {
        let mut pbx = Pbx::with("", |_, _| {});
        pbx.dials("100", "101");
        pbx.answers(B);
        let call = handles(&mut pbx, "101")[0];
        pbx.control("101", call, action.clone()).unwrap();
        let said = pbx.said();
        assert!(said.contains("100101 dial-out CALLING"), "{action:?}: {said}");
        pbx.answers(out(2));
        pbx.presses(out(2), '1');
        assert!(pbx.said().contains("100101 answer ANSWER"), "{action:?}");
        let dialled = "to 84957778899 (-) does not talk";
        assert!(shown(&mut pbx, "101").contains(dialled), "{action:?}");
        assert_eq!(shown(&mut pbx, "101").contains("101) talks"), answered, "{action:?}");
        pbx.records.clear();
        pbx.run_for(Duration::from_secs(9));
        pbx.ends(out(2), EndReason::CalleeHungUp, None);
        let records = records(&mut pbx, "101");
        assert!(records.contains(&"Out callee_hung_up 84957778899 9 s".into()), "{records:?}");
    }
}

/// What began then was told and recorded under the other one's handle, with its number.
#[test]
fn what_begins_after_two_conversations_have_met_is_of_the_older_one() {
    for (how, complete) in COMPLETIONS {
        let mut pbx = called_from_outside();
        let call = handles(&mut pbx, "101")[0];
        complete(&mut pbx, call);
        pbx.records.clear();
        pbx.control("101", call, CallAction::Pickup(number("103"))).unwrap();
        pbx.answers(out(3));
        assert_eq!(handles(&mut pbx, "103"), [call], "{how}");
        pbx.ends(out(3), EndReason::CalleeHungUp, None);
        let of = |record: &Record| match record {
            Record::Event(event) if event.extension == id("103") => Some(event.call.uuid),
            Record::Cdr(cdr) if cdr.extension == id("103") => {
                assert_eq!((&*cdr.from.0, &*cdr.to.0), ("+79161112233", "+74950000001"), "{how}");
                Some(cdr.call)
            }
            _ => None,
        };
        let told: Vec<_> = pbx.records.iter().filter_map(of).collect();
        assert_eq!(told, [call.uuid; 4], "{how}: dial-in, answer, hangup and the record");
    }
}

/// How an extension puts its far party somewhere.
type Puts = (&'static str, fn(&mut Pbx, CallApiId, &str));

const WAYS: [Puts; 3] = [
    ("a program", |pbx, call, to| {
        pbx.control("101", call, CallAction::Transfer(Some(number(to)))).unwrap();
    }),
    ("REFER", |pbx, _, to| {
        let to = ReferTo::Number(number(to));
        pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
        pbx.ends(B, EndReason::CalleeHungUp, None);
    }),
    ("a consultation", |pbx, call, to| {
        pbx.control("101", call, attended(to)).unwrap();
        pbx.control("101", call, CallAction::Transfer(None)).unwrap();
    }),
];

/// It went on there, listed for nobody, and nothing ended or recorded it.
#[test]
fn the_outside_that_was_put_in_a_room_or_at_the_echo_is_the_call_of_who_has_put_it_there() {
    for ((how, puts), (to, at)) in
        WAYS.into_iter().flat_map(|way| [(way, ("*8103", "*8103")), (way, ("199", "0003*199"))])
    {
        let mut pbx = called_from_outside();
        let call = handles(&mut pbx, "101")[0];
        puts(&mut pbx, call, to);
        let expected = format!("out from {at} to +79161112233 (-) does not talk");
        assert_eq!(shown(&mut pbx, "101"), expected, "{to} by {how}");
        assert_eq!(handles(&mut pbx, "101"), [call], "{to} by {how}");
        let held = pbx.control("101", call, CallAction::Hold);
        assert_eq!(held, Err(Refusal::NoFarParty), "{to} by {how}");
        pbx.run_for(Duration::from_secs(9));
        pbx.records.clear();
        pbx.said();
        let hang_up = || Command::Hangup { extension: id("101"), call };
        assert!(matches!(pbx.command(hang_up()), Reply::Done), "{to} by {how}");
        assert!(pbx.said().contains("in0 end api_hangup"), "{to} by {how}");
        let expected = ["Out api_hangup +79161112233 9 s"];
        assert_eq!(records(&mut pbx, "101"), expected, "{to} by {how}");
        assert!(pbx.is_empty(), "{to} by {how}");
    }
}

/// The same of whom the extension has called itself, which costs.
#[test]
fn a_number_of_the_outside_that_was_put_in_a_room_is_hung_up_by_who_has_called_it() {
    let mut pbx = Pbx::with("", |_, _| {});
    pbx.dials("101", MOBILE);
    pbx.answers(out(1));
    let call = handles(&mut pbx, "101")[0];
    pbx.control("101", call, CallAction::Transfer(Some(number("*8103")))).unwrap();
    assert_eq!(shown(&mut pbx, "101"), "out from *8103 to 84957778899 (-) does not talk");
    assert!(matches!(pbx.command(Command::Hangup { extension: id("101"), call }), Reply::Done));
    assert!(pbx.said().contains("out1 end api_hangup"));
    assert!(pbx.is_empty());
}

/// Whom its rules have led to talks, with whomever.
#[test]
fn an_extension_does_not_talk_with_whom_its_mobile_consults() {
    let mut pbx = Pbx::with_rules("101: transfer 74951234567 60s");
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    let call = handles(&mut pbx, "101")[0];
    pbx.control("101", call, attended("103")).unwrap();
    let waits = "in from 0003*100 to 101 (0003*101) does not talk";
    let consults = "out from 0003*101 to 103 (0003*103) does not talk";
    assert_eq!(shown(&mut pbx, "101"), format!("{waits}; {consults}"));
    pbx.answers(out(2));
    assert_eq!(shown(&mut pbx, "101"), format!("{waits}; {consults}"));
}

/// The display showed the extension that the taker had the place of.
#[test]
fn whoever_is_taken_by_the_outside_is_shown_its_number() {
    let mut pbx = Pbx::with("", |_, _| {});
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = handles(&mut pbx, "101")[0];
    pbx.control("101", call, CallAction::Pickup(number(MOBILE))).unwrap();
    assert_eq!(shown(&mut pbx, "101"), "in from 0003*100 to 101 (0003*101) talks", "its own");
    pbx.answers(out(2));
    pbx.said();
    pbx.presses(out(2), '1');
    let said = pbx.said();
    assert!(said.contains("in0 identify 84957778899"), "{said}");
    assert_eq!(shown(&mut pbx, "101"), "out from 0003*100 to 84957778899 (-) does not talk");
}

/// A listener followed the leg of the outside that had taken the call.
#[test]
fn a_monitor_of_an_extension_does_not_follow_who_was_dialled_in_its_name() {
    let mut pbx = Pbx::with("", |_, _| {});
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = handles(&mut pbx, "101")[0];
    pbx.control("101", call, CallAction::Monitor(MonitorMode::Eavesdrop, number("103"))).unwrap();
    pbx.answers(out(2));
    pbx.control("101", call, CallAction::Pickup(number(MOBILE))).unwrap();
    pbx.answers(out(3));
    pbx.said();
    pbx.presses(out(3), '1');
    assert!(pbx.said().contains("out2 end monitor_over"));
}

/// Whoever is dialled in the name of a room's owner is not the owner, nor when that one consults
/// it.
#[test]
fn the_outside_that_an_extension_is_led_to_says_the_code_of_its_room() {
    for consults in [false, true] {
        let mut pbx = Pbx::with_phones("101: transfer 74951234567 60s", |_, shown| {
            shown.conference_pin = Some("4711".into());
        });
        pbx.dials("100", "101");
        pbx.answers(B);
        pbx.event(A, LegEvent::Acknowledged);
        if consults {
            let call = handles(&mut pbx, "101")[0];
            pbx.control("101", call, attended("*8101")).unwrap();
        } else {
            let to = ReferTo::Number(number("*8101"));
            pbx.event(A, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
        }
        let call = pbx.exchange.calls().next().unwrap();
        let owner = call.legs.get(B).map(|leg| leg.owner).unwrap();
        assert_eq!(call.steps.get(owner).unwrap().kind(), "entering", "{consults}");
        pbx.input(Input::EndAll(EndReason::Drained));
        assert!(pbx.is_empty());
    }
}

/// It ended for all, as if the owner had left it.
#[test]
fn a_room_goes_on_when_the_mobile_of_its_owner_comes_back_from_it() {
    let mut pbx = Pbx::with_rules("101: transfer 74951234567 60s");
    pbx.dials("102", "*8101");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = handles(&mut pbx, "101")[0];
    pbx.control("101", call, attended("*8101")).unwrap();
    assert!(pbx.said().contains("in0 hears out1"), "it is in the room");
    pbx.control("101", call, CallAction::Offhold).unwrap();
    let said = pbx.said();
    assert!(said.contains("in1 hears out1") && !said.contains("in0 end"), "{said}");
}

#[test]
fn what_was_led_to_the_outside_survives_a_restart_as_it_is() {
    let mut pbx = called_from_outside();
    let call = handles(&mut pbx, "101")[0];
    (COMPLETIONS[0].1)(&mut pbx, call);
    let before = shown(&mut pbx, "101");
    pbx.moves_to_a_clock_that_began(Duration::from_secs(10));
    assert_eq!(shown(&mut pbx, "101"), before);
    let other = LegId::outgoing(2);
    pbx.ends(other, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
    let gone = pbx.control("101", call, CallAction::Hold);
    assert_eq!(gone, Err(Refusal::NoSuchCall));
}

/// It went on showing who had sent it on.
#[test]
fn who_was_given_back_and_is_rung_through_to_the_outside_is_shown_that() {
    let mut pbx = Pbx::with("", |_, _| {});
    pbx.dials("100", "101");
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
    pbx.rings(out(2));
    pbx.ends(out(2), EndReason::Busy, Some(486));
    pbx.rings(out(3));
    pbx.control("101", call, CallAction::Transfer(Some(number(MOBILE)))).unwrap();
    pbx.said();
    pbx.answers(out(4));
    let said = pbx.said();
    assert!(said.contains(&format!("in0 identify {MOBILE}")), "{said}");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}
