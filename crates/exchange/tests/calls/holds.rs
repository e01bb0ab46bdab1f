//! What a program holds: it goes with the leg, whoever moves the call, until the program releases
//! it.

use leg::{CallAction, LegId, ReferId, ReferTo, Refusal};
use model::{CallApiId, EndReason, Number};

use crate::replaces::replaces;
use crate::support::{A, B, Pbx, out, talking};

/// Whom 100 is sent on to.
const C: LegId = LegId(5);

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// What was declared last of who hears whom.
fn audio(pbx: &mut Pbx) -> String {
    let said = pbx.said();
    let mut lines = said.lines().rev().filter_map(|l| l.strip_prefix("audio of "));
    let last = lines.find(|line| !line.starts_with("0 legs"));
    last.map_or("as before", |l| l.split_once(": ").unwrap().1).to_owned()
}

/// A way in which somebody else comes to talk with 100: that one's leg.
type Move = (&'static str, fn(&mut Pbx, CallApiId) -> LegId);
const MOVES: [Move; 6] = [
    ("a blind transfer", |pbx, call| {
        pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
        pbx.rings(C);
        assert!(!audio(pbx).contains("in0 hears"), "who holds hears nothing");
        pbx.answers(C);
        C
    }),
    ("a transfer of the phone", |pbx, _| {
        let to = ReferTo::Number(number("102"));
        pbx.event(B, leg::LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
        pbx.answers(C);
        pbx.ends(B, EndReason::CalleeHungUp, None);
        C
    }),
    ("a consultation that is completed", |pbx, call| {
        pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
        pbx.answers(C);
        assert!(!audio(pbx).contains("in0 hears"), "who holds hears nothing");
        pbx.ends(B, EndReason::CalleeHungUp, None);
        C
    }),
    ("a consultation that nobody has answered yet", |pbx, call| {
        pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
        pbx.rings(C);
        pbx.ends(B, EndReason::CalleeHungUp, None);
        pbx.answers(C);
        C
    }),
    ("a call that is parked and taken back", |pbx, call| {
        pbx.control("101", call, CallAction::Park(None)).unwrap();
        assert_eq!(audio(pbx), "silence", "who holds hears nothing");
        pbx.dials("102", "*0")
    }),
    ("a call that is given back", |pbx, call| {
        pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
        pbx.rings(C);
        pbx.ends(C, EndReason::Refused, Some(480));
        pbx.answers(out(3));
        out(3)
    }),
];

#[test]
fn what_a_program_holds_is_held_when_the_other_side_moves_the_call() {
    for (how, moves) in MOVES {
        let mut pbx = talking();
        let call = pbx.call_api_id();
        pbx.control("100", call, CallAction::Hold).unwrap();
        let with = moves(&mut pbx, call);
        assert_eq!(audio(&mut pbx), format!("{with} hears music"), "{how}");
        pbx.control("100", call, CallAction::Offhold).unwrap();
        let both = audio(&mut pbx);
        assert!(both.contains(&format!("in0 hears {with}")), "{how}: {both}");
        assert!(both.contains(&format!("{with} hears in0")), "{how}: {both}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty(), "{how}");
    }
}

#[test]
fn a_program_releases_whom_it_holds_while_that_one_waits() {
    type Wait = (&'static str, fn(&mut Pbx, CallApiId), &'static str);
    let waits: [Wait; 3] = [
        (
            "sent on",
            |pbx, call| {
                pbx.control("101", call, CallAction::Transfer(Some(number("102")))).unwrap();
                pbx.rings(C);
            },
            "in0 hears ringback",
        ),
        (
            "while somebody is asked",
            |pbx, call| {
                pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
                pbx.answers(C);
            },
            "in0 hears music",
        ),
        (
            "parked",
            |pbx, call| {
                pbx.control("101", call, CallAction::Park(None)).unwrap();
            },
            "in0 hears music",
        ),
    ];
    for (how, waits, heard) in waits {
        let mut pbx = talking();
        let call = pbx.call_api_id();
        pbx.control("100", call, CallAction::Hold).unwrap();
        waits(&mut pbx, call);
        pbx.said();
        pbx.control("100", call, CallAction::Offhold).unwrap();
        let now = audio(&mut pbx);
        assert!(now.contains(heard), "{how}: {now}");
        let again = pbx.control("100", call, CallAction::Offhold);
        assert!(
            matches!(again, Err(Refusal::TransferInProgress | Refusal::AlreadyParked)),
            "{how}"
        );
    }
}

#[test]
fn the_own_other_phone_takes_the_hold_over_and_somebody_else_does_not() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Hold).unwrap();
    let own = replaces(&mut pbx, "101", B);
    assert_eq!(audio(&mut pbx), "in0 hears music");
    pbx.control("101", call, CallAction::Pickup(number("102"))).unwrap();
    pbx.answers(C);
    assert_eq!(audio(&mut pbx), "in0 hears out2, out2 hears in0", "{own} was taken over from");
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_holds_and_consults_is_not_held_there_and_holds_again_when_it_comes_back() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Hold).unwrap();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.answers(C);
    assert_eq!(audio(&mut pbx), "in0 hears music, out1 hears out2, out2 hears out1");
    pbx.ends(C, EndReason::CalleeHungUp, None);
    assert_eq!(audio(&mut pbx), "in0 hears music");
    pbx.control("101", call, CallAction::Offhold).unwrap();
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}
