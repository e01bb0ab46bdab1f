//! Whatever rings is taken by who may: consultations, parked calls that ring back, what rings for a
//! pickup; and consultations that a machine answers at once.

use leg::{CallAction, Command, EventKind, LegId, Record, Refusal, Reply};
use model::{CallApiId, ControlGroups, EndReason, Number};

use crate::replaces::replaces;
use crate::support::{A, B, Pbx, id, out, talking};

/// Whom 101 consults.
const C: LegId = LegId(5);

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// The handles under which an extension is listed.
fn handles(pbx: &mut Pbx, of: &str) -> Vec<CallApiId> {
    let listed = pbx.listed().into_iter().filter(|(name, ..)| name.ends_with(of));
    listed.map(|(_, call, _)| call).collect()
}

/// What was declared last of who hears whom.
fn audio(pbx: &mut Pbx) -> String {
    let said = pbx.said();
    let last = said.lines().rev().find_map(|l| l.strip_prefix("audio of "));
    last.map_or("as before", |l| l.split_once(": ").unwrap().1).to_owned()
}

/// How somebody takes the call that rings at 102: the leg that has it.
type Taking = (&'static str, fn(&mut Pbx) -> LegId);
const TAKINGS: [Taking; 2] = [
    ("by a code", |pbx| pbx.dials("103", "*7102")),
    ("by a program", |pbx| {
        let call = handles(pbx, "102")[0];
        pbx.control("102", call, CallAction::Pickup(number("103"))).unwrap();
        pbx.answers(out(3));
        out(3)
    }),
];

/// 100 waits while 101 talks to 103, which has taken the call that rang at 102: the handle of the
/// talk, that of the consultation, and the leg of 103.
fn taken(takes: fn(&mut Pbx) -> LegId) -> (Pbx, CallApiId, CallApiId, LegId) {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.rings(C);
    let taker = takes(&mut pbx);
    let heard = audio(&mut pbx);
    assert!(heard.starts_with("in0 hears music"), "{heard}");
    assert!(heard.contains(&format!("out1 hears {taker}")), "{heard}");
    let consultation = handles(&mut pbx, "101")[1];
    (pbx, call, consultation, taker)
}

#[test]
fn who_has_taken_a_consultation_gets_the_far_party_when_it_is_completed() {
    type End = fn(&mut Pbx, CallApiId);
    let completes: [End; 2] = [
        |pbx, _| pbx.ends(B, EndReason::CalleeHungUp, None),
        |pbx, call| _ = pbx.control("101", call, CallAction::Transfer(None)).unwrap(),
    ];
    for (how, takes) in TAKINGS {
        for completes in completes {
            let (mut pbx, call, _, taker) = taken(takes);
            completes(&mut pbx, call);
            assert_eq!(audio(&mut pbx), format!("in0 hears {taker}, {taker} hears in0"), "{how}");
            assert_eq!(handles(&mut pbx, "103"), [call], "{how}");
            pbx.ends(A, EndReason::CallerHungUp, None);
            assert!(pbx.is_empty(), "{how}");
        }
    }
}

#[test]
fn who_consults_comes_back_from_who_has_taken_the_consultation() {
    type Way = (&'static str, fn(&mut Pbx, CallApiId, CallApiId, LegId));
    let ways: [Way; 4] = [
        ("offhold", |pbx, call, _, _| {
            pbx.control("101", call, CallAction::Offhold).unwrap();
        }),
        ("the consultation is hung up", |pbx, _, call, _| {
            let done = pbx.command(Command::Hangup { extension: id("101"), call });
            assert!(matches!(done, Reply::Done), "{done:?}");
        }),
        ("the code", |pbx, _, _, _| "*2".chars().for_each(|key| pbx.presses(B, key))),
        ("the taker hangs up", |pbx, _, _, taker| {
            pbx.ends(taker, EndReason::CallerHungUp, None);
        }),
    ];
    for (how, takes) in TAKINGS {
        for (way, comes_back) in ways {
            let (mut pbx, call, consultation, taker) = taken(takes);
            comes_back(&mut pbx, call, consultation, taker);
            assert!(pbx.log.contains("out1 identify Phone 100"), "it was shown 103: {how}, {way}");
            assert_eq!(audio(&mut pbx), "in0 hears out1, out1 hears in0", "{how}, {way}");
            assert_eq!(handles(&mut pbx, "101"), [call], "{how}, {way}");
            pbx.ends(B, EndReason::CalleeHungUp, None);
            assert!(pbx.is_empty(), "{how}, {way}");
        }
    }
}

#[test]
fn a_consultation_that_was_taken_is_still_one() {
    for (how, takes) in TAKINGS {
        let (mut pbx, call, consultation, _) = taken(takes);
        let transfer = || CallAction::Transfer(Some(number("102")));
        for action in [CallAction::Hold, CallAction::Offhold, transfer()] {
            let refused = Err(Refusal::TransferInProgress);
            assert_eq!(pbx.control("101", consultation, action), refused, "{how}");
        }
        let hold = pbx.control("101", call, CallAction::Hold);
        assert_eq!(hold, Err(Refusal::TransferInProgress), "{how}");
    }
}

#[test]
fn who_consults_is_answered_where_a_rule_has_a_machine_answer_at_once() {
    for rules in ["102: voicemail", "102: transfer *8103", "102: transfer 199"] {
        for keys in [false, true] {
            let mut pbx = Pbx::with_rules(rules);
            pbx.dials("100", "101");
            pbx.answers(B);
            pbx.event(A, leg::LegEvent::Acknowledged);
            pbx.records.clear();
            if keys {
                "*2102#".chars().for_each(|key| pbx.presses(B, key));
            } else {
                let call = pbx.call_api_id();
                let wanted = CallAction::AttendedTransfer(number("102"));
                pbx.control("101", call, wanted).unwrap();
            }
            let Reply::Calls(views) =
                pbx.command(Command::ListCalls { extension: Some(id("101")) })
            else {
                panic!("no list")
            };
            assert!(views.iter().all(|view| view.answer_time.is_some()), "{rules}: {views:?}");
            pbx.run_for(std::time::Duration::from_secs(2));
            pbx.ends(B, EndReason::CalleeHungUp, None);
            let of_101 = |record: &Record| match record {
                Record::Event(event) if event.extension == id("101") => Some(event.kind),
                _ => None,
            };
            let events: Vec<_> = pbx.records.iter().filter_map(of_101).collect();
            let whole = [EventKind::DialOut, EventKind::Answer];
            assert_eq!(&events[..2], whole, "{rules}");
            let talked = |record: &&Record| match record {
                Record::Cdr(cdr) => cdr.extension == id("101") && cdr.talk_us == 0,
                _ => false,
            };
            assert_eq!(pbx.records.iter().find(talked), None, "{rules}");
        }
    }
}

/// 100 is parked by 101, at which it rings back.
fn rings_back() -> Pbx {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Park(Some(6))).unwrap();
    pbx.run_for(std::time::Duration::from_secs(181));
    pbx.rings(C);
    pbx.said();
    pbx
}

/// By a code, by that of the groups, or by the lamp.
const CODES: [fn(&mut Pbx, &str, LegId) -> LegId; 3] = [
    |pbx, at, _| pbx.dials("103", &format!("*7{at}")),
    |pbx, _, _| {
        let all = ["100", "101", "102", "103"].map(Into::into);
        pbx.allow(ControlGroups {
            groups: Some(vec![("all".into(), all.into())]),
            pickup_share_groups: Some(vec!["all".into()]),
            ..ControlGroups::default()
        });
        pbx.dials("103", "*7")
    },
    |pbx, _, rings| replaces(pbx, "103", rings),
];

#[test]
fn a_parked_call_that_rings_back_is_taken_and_its_slot_is_free() {
    for takes in CODES {
        let mut pbx = rings_back();
        let taker = takes(&mut pbx, "101", C);
        let said = pbx.said();
        assert!(said.contains("out2 end answered_elsewhere"), "{said}");
        assert!(said.contains(&format!("{taker} answer")), "{said}");
        assert!(said.contains("in0 identify Phone 103"), "{said}");
        assert!(pbx.exchange.tables().slots.holder(6).is_none());
        pbx.ends(taker, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty());
    }
}

#[test]
fn who_is_rung_for_a_pickup_loses_the_call_to_who_takes_it_there() {
    for takes in CODES {
        let mut pbx = Pbx::new();
        pbx.dials("100", "101");
        pbx.rings(B);
        let call = pbx.call_api_id();
        pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
        pbx.rings(C);
        pbx.said();
        let taker = takes(&mut pbx, "102", C);
        let said = pbx.said();
        assert!(said.contains(&format!("in0 hears {taker}")), "{said}");
        for rung in [B, C] {
            assert!(said.contains(&format!("{rung} end answered_elsewhere")), "{said}");
        }
        pbx.ends(taker, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty());
    }
}

#[test]
fn what_rings_after_a_talk_is_taken_by_the_lamp_as_by_the_code() {
    let transfer = || CallAction::Transfer(Some(number("102")));
    type Ringing = (fn(&mut Pbx), &'static str, LegId);
    let ringing: [Ringing; 2] =
        [(|_| (), "102", C), (|pbx| pbx.ends(C, EndReason::Busy, Some(486)), "101", out(3))];
    for (then, at, rings) in ringing {
        for takes in CODES {
            let mut pbx = talking();
            let call = pbx.call_api_id();
            pbx.control("101", call, transfer()).unwrap();
            pbx.rings(C);
            then(&mut pbx);
            let taker = takes(&mut pbx, at, rings);
            assert!(pbx.said().contains(&format!("in0 hears {taker}")), "{at}");
            pbx.ends(taker, EndReason::CallerHungUp, None);
            assert!(pbx.is_empty());
        }
    }
    // Who consults, by the lamp.
    let (pbx, ..) = taken(|pbx| replaces(pbx, "103", C));
    assert_eq!(pbx.exchange.calls().count(), 1);
}
