//! Attended transfers: the far party waits while its extension asks somebody else; and what remains
//! of any transfer at any moment when anybody hangs up.

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::expect;
use leg::{
    CallAction, Command, EventKind, LegEvent, LegId, Record, ReferId, ReferTo, Refusal, Reply,
};
use model::{CallApiId, EndReason, Number};

use crate::support::{A, B, Pbx, id, out, talking};

/// Whom 101 consults.
const C: LegId = LegId(5);

fn check(pbx: &mut Pbx, expected: &expect_test::Expect) {
    expected.assert_eq(&pbx.said());
}

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// 100 waits while 101 looks for 102.
fn consulting() -> Pbx {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.rings(C);
    pbx
}

/// 100 waits while 101 talks to 102.
fn consulted() -> Pbx {
    let mut pbx = consulting();
    pbx.answers(C);
    pbx.said();
    pbx
}

/// The handles under which an extension is listed.
fn handles(pbx: &mut Pbx, of: &str) -> Vec<(CallApiId, bool)> {
    let listed = pbx.listed().into_iter().filter(|(name, ..)| name.ends_with(of));
    listed.map(|(_, call, talks)| (call, talks)).collect()
}

fn hangs_up(pbx: &mut Pbx, of: &str, call: CallApiId) {
    let done = pbx.command(Command::Hangup { extension: id(of), call });
    assert!(matches!(done, Reply::Done), "{done:?}");
}

#[test]
fn who_consults_hangs_up_and_the_other_two_talk() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.rings(C);
    pbx.answers(C);
    let both = handles(&mut pbx, "101");
    assert_eq!(both.iter().map(|(_, talks)| *talks).collect::<Vec<_>>(), [false, true]);
    pbx.ends(B, EndReason::CalleeHungUp, None);
    let (consultation, _) = both[1];
    assert_eq!(handles(&mut pbx, "102"), [(call, true)], "the older handle stays");
    pbx.control("102", consultation, CallAction::Hold).unwrap();
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
    check(
        &mut pbx,
        &expect![[r#"
        audio of 3 legs: in0 hears music, out1 hears ringback
        event 1 100101 dial-out CALLING
        event 2 100102 dial-in CALLING
        out2 dial as 101 "Phone 101" offering 20004 SendRecv PCMA,PCMU
        audio of 3 legs: in0 hears music, out1 hears out2, out2 hears out1
        event 3 100102 answer ANSWER
        event 4 100101 answer ANSWER
        audio of 2 legs: in0 hears out2, out2 hears in0
        event 5 100101 hangup ANSWER
        cdr 100101 Out transferred 0 s
        event 5 100101 hangup ANSWER
        cdr 100101 In transferred 0 s
        in0 identify Phone 102
        out2 identify Phone 100
        audio of 2 legs: in0 hears music
        audio of 0 legs: silence
        event 6 100100 hangup ANSWER
        cdr 100100 Out caller_hung_up 0 s
        out2 end caller_hung_up
        event 6 100102 hangup ANSWER
        cdr 100102 In caller_hung_up 0 s
    "#]],
    );
}

#[test]
fn a_transfer_without_a_number_completes_the_consultation() {
    let mut pbx = consulted();
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::Transfer(None)).unwrap();
    let said = pbx.said();
    assert!(said.contains("in0 hears out2, out2 hears in0"), "{said}");
    assert!(said.contains("out1 end transferred"), "{said}");
    pbx.ends(C, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn there_are_four_ways_back() {
    type Way = (&'static str, fn(&mut Pbx));
    let ways: [Way; 4] = [
        ("offhold", |pbx| {
            let call = pbx.call_api_id();
            pbx.control("101", call, CallAction::Offhold).unwrap();
        }),
        ("the consultation is hung up", |pbx| {
            let (consultation, _) = handles(pbx, "101")[1];
            hangs_up(pbx, "101", consultation);
        }),
        ("the other part of it is", |pbx| {
            let (consultation, _) = handles(pbx, "102")[0];
            hangs_up(pbx, "102", consultation);
        }),
        ("the other hangs up", |pbx| pbx.ends(C, EndReason::CalleeHungUp, None)),
    ];
    for (name, back) in ways {
        let mut pbx = consulted();
        back(&mut pbx);
        assert!(pbx.said().contains("in0 hears out1, out1 hears in0"), "{name}");
        assert_eq!(handles(&mut pbx, "101").len(), 1, "{name}");
        assert!(handles(&mut pbx, "102").is_empty(), "{name}");
        pbx.ends(B, EndReason::CalleeHungUp, None);
        assert!(pbx.is_empty(), "{name}");
    }
}

#[test]
fn who_is_consulted_and_is_busy_leaves_both_talking_behind_a_tone() {
    let mut pbx = consulting();
    pbx.said();
    pbx.ends(C, EndReason::Busy, Some(486));
    pbx.run_for(Duration::from_secs(3));
    check(
        &mut pbx,
        &expect![[r#"
        audio of 2 legs: in0 hears out1, out1 hears congestion
        event 3 100102 hangup BUSY
        cdr 100102 In busy 0 s
        event 4 100101 hangup BUSY
        cdr 100101 Out busy 0 s
        audio of 2 legs: in0 hears out1, out1 hears in0
    "#]],
    );
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

#[test]
fn who_is_consulted_and_is_not_there_leaves_both_talking_behind_a_tone() {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.input(exchange::Input::DeviceDown {
        extension: id("102"),
        device: model::DeviceId(id("102").0 * 10 + 1),
    });
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    let said = pbx.said();
    assert!(said.contains("in0 hears out1, out1 hears congestion"), "{said}");
}

#[test]
fn who_hangs_up_while_it_rings_has_sent_the_far_party_on() {
    let mut pbx = consulting();
    pbx.said();
    pbx.ends(B, EndReason::CalleeHungUp, None);
    pbx.answers(C);
    check(
        &mut pbx,
        &expect![[r#"
            audio of 2 legs: in0 hears ringback
            event 3 100101 hangup CANCEL
            cdr 100101 Out transferred 0 s
            event 5 100101 hangup ANSWER
            cdr 100101 In transferred 0 s
            audio of 2 legs: in0 hears out2, out2 hears in0
            event 4 100102 answer ANSWER
            in0 identify Phone 102
            out2 identify Phone 100
        "#]],
    );
    pbx.ends(C, EndReason::CalleeHungUp, None);
    assert!(pbx.is_empty());

    let mut pbx = consulting();
    pbx.ends(B, EndReason::CalleeHungUp, None);
    pbx.ends(C, EndReason::Busy, Some(486));
    assert!(pbx.said().contains("out3 dial as 100 \"Back: Phone 100\""));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

/// The part of the extension that was consulted stayed in a conversation in which nobody was left:
/// a defect, and the call was ended.
#[test]
fn whom_the_consulted_has_led_to_talks_when_who_consulted_has_gone_while_it_rang() {
    let joins = |pbx: &mut Pbx, rules: &str| {
        *pbx = Pbx::with_rules(rules);
        pbx.dials("100", "101");
        pbx.answers(B);
        pbx.event(A, LegEvent::Acknowledged);
        let second = pbx.dials("101", "102");
        pbx.rings(C);
        let to = ReferTo::Replace(second);
        pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    };
    let hangs_up = |pbx: &mut Pbx, rules: &str| {
        *pbx = Pbx::with_rules(rules);
        pbx.dials("100", "101");
        pbx.answers(B);
        pbx.event(A, LegEvent::Acknowledged);
        let call = pbx.call_api_id();
        pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
        pbx.rings(C);
        pbx.ends(B, EndReason::CalleeHungUp, None);
    };
    let goes: [fn(&mut Pbx, &str); 2] = [joins, hangs_up];
    for (goes, by_rule) in goes.iter().flat_map(|goes| [(goes, true), (goes, false)]) {
        let mut pbx = Pbx::new();
        goes(&mut pbx, if by_rule { "102: transfer+ 102 9s; transfer 103" } else { "" });
        let next = pbx.exchange.calls().flat_map(|c| c.legs.keys()).max().map(|l| LegId(l.0 + 2));
        if by_rule {
            pbx.ends(C, EndReason::Busy, Some(486));
        } else {
            let (call, _) = handles(&mut pbx, "102")[0];
            let to = CallAction::Transfer(Some(number("103")));
            pbx.control("102", call, to).unwrap();
        }
        pbx.answers(next.unwrap());
        let call = handles(&mut pbx, "100")[0];
        assert_eq!(handles(&mut pbx, "103"), [call]);
        assert_eq!(handles(&mut pbx, "102"), [(call.0, false)], "its rules have led there");
        let extension = id("102");
        pbx.command(Command::Hangup { extension, call: call.0 });
        pbx.ends(B, EndReason::CalleeHungUp, None);
        assert!(pbx.is_empty());
    }
}

#[test]
fn a_consultation_goes_on_when_the_far_party_is_gone() {
    let ends: [fn(&mut Pbx); 2] = [
        |pbx| pbx.ends(A, EndReason::CallerHungUp, None),
        |pbx| {
            let call = pbx.call_api_id();
            hangs_up(pbx, "101", call);
        },
    ];
    for (end, make) in
        ends.iter().flat_map(|end| [(end, consulting as fn() -> Pbx), (end, consulted)])
    {
        let mut pbx = make();
        end(&mut pbx);
        assert_eq!(handles(&mut pbx, "101").len(), 1);
        let (call, _) = handles(&mut pbx, "102")[0];
        pbx.answers(C);
        pbx.control("101", call, CallAction::Hold).unwrap();
        pbx.ends(B, EndReason::CalleeHungUp, None);
        assert!(pbx.is_empty());
    }
}

#[test]
fn nothing_else_is_done_while_somebody_is_consulted() {
    for make in [consulting as fn() -> Pbx, consulted] {
        let mut pbx = make();
        let call = pbx.call_api_id();
        let (consultation, _) = handles(&mut pbx, "101")[1];
        let in_progress = Err(Refusal::TransferInProgress);
        for action in [
            CallAction::Hold,
            CallAction::Park(None),
            CallAction::Transfer(Some(number("103"))),
            CallAction::AttendedTransfer(number("103")),
        ] {
            assert_eq!(pbx.control("101", call, action.clone()), in_progress);
            assert_eq!(pbx.control("100", call, action.clone()), in_progress);
            assert_eq!(pbx.control("101", consultation, action), in_progress);
        }
        assert_eq!(pbx.control("100", call, CallAction::Offhold), in_progress);
    }
}

#[test]
fn who_hangs_up_on_a_machine_is_given_the_far_party_back() {
    let mut pbx = Pbx::with_rules("102: voicemail");
    pbx.dials("100", "101");
    pbx.answers(B);
    let call = pbx.call_api_id();
    pbx.control("101", call, CallAction::AttendedTransfer(number("102"))).unwrap();
    pbx.said();
    pbx.ends(B, EndReason::CalleeHungUp, None);
    assert!(pbx.said().contains("dial as 100 \"Back: Phone 100\""));
    pbx.ends(A, EndReason::CallerHungUp, None);
    assert!(pbx.is_empty());
}

fn order(action: fn(Number) -> CallAction) -> Pbx {
    let mut pbx = talking();
    let call = pbx.call_api_id();
    pbx.control("101", call, action(number("102"))).unwrap();
    pbx
}

fn referred() -> Pbx {
    let mut pbx = talking();
    let to = ReferTo::Number(number("102"));
    pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    pbx
}

/// A transfer at every moment that lasts.
fn moments() -> Vec<(&'static str, Pbx)> {
    let asks = |number_asked: &str, before: &dyn Fn(&mut Pbx)| {
        let mut pbx = Pbx::with_rules("102: voicemail");
        pbx.dials("100", "101");
        pbx.answers(B);
        let call = pbx.call_api_id();
        before(&mut pbx);
        pbx.control("101", call, CallAction::AttendedTransfer(number(number_asked))).unwrap();
        pbx
    };
    let sent = || order(|n| CallAction::Transfer(Some(n)));
    let asked = || order(CallAction::AttendedTransfer);
    let then = |mut pbx: Pbx, act: &dyn Fn(&mut Pbx)| {
        act(&mut pbx);
        pbx
    };
    vec![
        ("sent on", sent()),
        ("sent on, it rings", then(sent(), &|p| p.rings(C))),
        ("sent on, answered", then(sent(), &|p| p.answers(C))),
        ("sent on, busy", then(sent(), &|p| p.ends(C, EndReason::Busy, Some(486)))),
        (
            "given back",
            then(sent(), &|p| {
                p.rings(C);
                p.ends(C, EndReason::Busy, Some(486));
                p.rings(out(3));
            }),
        ),
        (
            "taken back",
            then(sent(), &|p| {
                p.rings(C);
                p.ends(C, EndReason::Busy, Some(486));
                p.answers(out(3));
            }),
        ),
        ("referred", referred()),
        ("referred, it rings", then(referred(), &|p| p.rings(C))),
        ("referred, answered", then(referred(), &|p| p.answers(C))),
        ("consulting", asked()),
        ("consulting, it rings", then(asked(), &|p| p.rings(C))),
        ("consulted", then(asked(), &|p| p.answers(C))),
        ("consulted, back", then(asked(), &|p| p.ends(C, EndReason::Busy, Some(486)))),
        ("consulting, sent on", then(asked(), &|p| p.ends(B, EndReason::CalleeHungUp, None))),
        ("asks in an empty room", asks("*8103", &|_| {})),
        (
            "asks in a room",
            asks("*8103", &|p| {
                p.dials("102", "*8103");
            }),
        ),
        ("asks a service", asks("199", &|_| {})),
        ("speaks to a voicemail", asks("102", &|_| {})),
        (
            "asks who is parked",
            asks("*06", &|p| {
                p.dials("102", "103");
                p.answers(C);
                let parks = p.listed()[2].1;
                p.control("103", parks, CallAction::Park(Some(6))).unwrap();
            }),
        ),
        (
            "consulted, complete",
            then(asked(), &|p| {
                p.answers(C);
                p.ends(B, EndReason::CalleeHungUp, None);
            }),
        ),
    ]
}

fn legs(pbx: &Pbx) -> Vec<LegId> {
    pbx.exchange.calls().flat_map(|c| c.legs.keys().collect::<Vec<_>>()).collect()
}

/// Every part has one event of its begin, one of its end and one record.
fn is_told(pbx: &Pbx, what: &str) {
    let mut told: BTreeMap<String, [u32; 3]> = BTreeMap::new();
    for record in &pbx.records {
        let (part, which) = match record {
            Record::Event(event) => match event.kind {
                EventKind::DialIn | EventKind::DialOut => (event.sub_call_id.to_string(), 0),
                EventKind::Hangup => (event.sub_call_id.to_string(), 1),
                _ => continue,
            },
            Record::Cdr(cdr) => (cdr.sub_call_id.to_string(), 2),
            _ => continue,
        };
        told.entry(part).or_default()[which] += 1;
    }
    assert!(told.values().all(|told| *told == [1, 1, 1]), "{what}: {told:?}");
    assert!(told.len() > 2, "{what}");
}

/// Hangs up what is left, and nothing is.
fn comes_to_an_end(mut pbx: Pbx, what: &str) {
    pbx.run_for(Duration::from_secs(200));
    while let Some(leg) = legs(&pbx).first() {
        pbx.ends(*leg, EndReason::CallerHungUp, None);
    }
    pbx.run_for(Duration::from_secs(10));
    assert!(pbx.is_empty(), "{what}");
    is_told(&pbx, what);
}

#[test]
fn whoever_hangs_up_at_any_moment_of_a_transfer_leaves_nothing_behind() {
    let mut hung_up = 0;
    for at in 0..moments().len() {
        let (name, first) = &moments()[at];
        for leg in legs(first) {
            let (_, mut pbx) = moments().swap_remove(at);
            pbx.ends(leg, EndReason::CalleeHungUp, None);
            comes_to_an_end(pbx, &format!("{name}: {leg}"));
            hung_up += 1;
        }
    }
    assert!(hung_up > 30, "{hung_up}");
}

#[test]
fn whatever_is_hung_up_by_a_program_leaves_nothing_behind() {
    for at in 0..moments().len() {
        let (name, mut first) = moments().swap_remove(at);
        for (part, (of, call, _)) in first.listed().into_iter().enumerate() {
            let (_, mut pbx) = moments().swap_remove(at);
            let listed = pbx.listed().swap_remove(part);
            assert_eq!((&listed.0, listed.2), (&of, first.listed()[part].2), "{call}");
            hangs_up(&mut pbx, &of[5..], listed.1);
            comes_to_an_end(pbx, &format!("{name}: {of}"));
        }
        let (_, mut pbx) = moments().swap_remove(at);
        pbx.input(exchange::Input::EndAll(EndReason::Drained));
        assert!(pbx.is_empty(), "{name}");
        is_told(&pbx, name);
    }
}

#[test]
fn every_moment_of_a_transfer_is_carried_over_a_restart() {
    for at in 0..moments().len() {
        let (name, first) = &moments()[at];
        for leg in legs(first) {
            let then = |move_on: bool| {
                let (_, mut pbx) = moments().swap_remove(at);
                if move_on {
                    pbx.moves_to_a_clock_that_began(Duration::from_secs(500));
                }
                pbx.said();
                pbx.ends(leg, EndReason::CalleeHungUp, None);
                pbx.run_for(Duration::from_secs(200));
                pbx.said()
            };
            assert_eq!(then(false), then(true), "{name}: {leg}");
        }
    }
}

#[test]
fn whom_somebody_consults_has_no_codes_and_its_keys_are_heard() {
    let mut pbx = consulted();
    "#1103#".chars().for_each(|key| pbx.presses(C, key));
    let said = pbx.said();
    let heard = said.lines().filter(|line| line.starts_with("digit ")).count();
    assert_eq!((heard, said.lines().count()), (6, 6), "{said}");
}

/// Asks in a dialog for its far party to be joined with whom another dialog is with.
fn refers_to_dialog(pbx: &mut Pbx, leg: LegId, to: LegId) -> String {
    let to = ReferTo::Replace(to);
    pbx.event(leg, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    pbx.said()
}

#[test]
fn nobody_is_joined_by_refer_with_who_consults_or_is_consulted() {
    // The phone that is consulted, and another phone of who consults, have a call besides.
    for (mut pbx, other, dialog) in [(consulted(), "102", C), (consulting(), "101", B)] {
        let second = pbx.dials(other, "103");
        let newest = pbx.exchange.calls().flat_map(|call| call.legs.keys()).max().unwrap();
        pbx.answers(newest);
        pbx.said();
        let said = refers_to_dialog(&mut pbx, second, dialog);
        assert_eq!(said, format!("{second} refer 1 refused 603\n"), "{other}");
    }
}
