//! Keys that are pressed around a transfer of which nothing comes.

use std::time::Duration;

use leg::{CallAction, LegEvent, LegId, ReferId, ReferTo};
use model::{Digit, EndReason, Number};

use crate::support::{A, B, Pbx, out, session, talking};

/// Whom somebody is sent on to, or who is asked; it declines.
const C: LegId = LegId(5);

/// How a transfer may be asked for.
type Way = (&'static str, fn(&mut Pbx));
const BLIND: [Way; 3] = [
    ("by a program, of 101", |pbx| transfer(pbx, "101")),
    ("by a program, of 100", |pbx| transfer(pbx, "100")),
    ("by REFER", |pbx| {
        let to = ReferTo::Number(number("103"));
        pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    }),
];
const ATTENDED: [Way; 2] = [
    ("by a program, in the name of 101", |pbx| asks(pbx, "101")),
    ("by a program, in the name of 100", |pbx| asks(pbx, "100")),
];

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn transfer(pbx: &mut Pbx, of: &str) {
    let call = pbx.call_api_id();
    pbx.control(of, call, CallAction::Transfer(Some(number("103")))).unwrap();
}

fn asks(pbx: &mut Pbx, of: &str) {
    let call = pbx.call_api_id();
    pbx.control(of, call, CallAction::AttendedTransfer(number("103"))).unwrap();
}

fn fails(pbx: &mut Pbx) {
    pbx.ends(C, EndReason::Busy, Some(486));
}

fn presses(pbx: &mut Pbx, leg: LegId, keys: &str) {
    keys.chars().for_each(|key| pbx.presses(leg, key));
}

/// The keys that have reached somebody, in their order.
fn heard(said: &str, by: LegId) -> String {
    let told = said.lines().filter_map(|line| line.strip_prefix("digit "));
    let told = told.filter_map(|line| line.split_once(&format!(" to {by} for ")));
    told.map(|(key, _)| key).collect()
}

/// 101 talks with 100 as it does; each of the two may press.
const SIDES: [(LegId, LegId); 2] = [(A, B), (B, A)];

#[test]
fn a_menu_gets_every_key_once_and_in_order_whenever_a_transfer_fails() {
    const KEYS: &str = "1234#";
    for (how, asks) in BLIND {
        for (from, to) in SIDES {
            for begins in 0..=KEYS.len() {
                for ends in begins..=KEYS.len() {
                    let mut pbx = talking();
                    presses(&mut pbx, from, &KEYS[..begins]);
                    asks(&mut pbx);
                    presses(&mut pbx, from, &KEYS[begins..ends]);
                    fails(&mut pbx);
                    presses(&mut pbx, from, &KEYS[ends..]);
                    pbx.run_for(Duration::from_secs(4));
                    let got = heard(&pbx.said(), to);
                    assert_eq!(got, KEYS, "{how}, {from} to {to}, {begins} to {ends}");
                    pbx.ends(A, EndReason::CallerHungUp, None);
                    assert!(pbx.is_empty());
                }
            }
        }
    }
}

#[test]
fn a_menu_gets_every_key_once_and_in_order_whenever_nobody_is_found_to_ask() {
    const KEYS: &str = "1234#5*6";
    for begins in 0..=KEYS.len() {
        for ends in begins..=KEYS.len() {
            let mut pbx = talking();
            presses(&mut pbx, A, &KEYS[..begins]);
            asks(&mut pbx, "100");
            presses(&mut pbx, A, &KEYS[begins..ends]);
            fails(&mut pbx);
            presses(&mut pbx, A, &KEYS[ends..]);
            pbx.run_for(Duration::from_secs(4));
            assert_eq!(heard(&pbx.said(), B), KEYS, "{begins} to {ends}");
        }
    }
    // Nor is anything lost on the way back, but for the way back.
    let mut pbx = talking();
    asks(&mut pbx, "100");
    presses(&mut pbx, A, "12*");
    pbx.run_for(Duration::from_secs(2));
    presses(&mut pbx, A, "3*2");
    assert_eq!(heard(&pbx.said(), B), "12*3");
    // Somebody was found: whatever was pressed before is nobody's any more.
    let mut pbx = talking();
    asks(&mut pbx, "100");
    presses(&mut pbx, A, "12");
    pbx.answers(C);
    presses(&mut pbx, A, "3");
    let said = pbx.said();
    assert_eq!((heard(&said, B), heard(&said, C)), (String::new(), "3".into()));
    pbx.ends(C, EndReason::CalleeHungUp, None);
    assert_eq!(heard(&pbx.said(), B), "");
}

#[test]
fn what_was_held_goes_on_when_a_consultation_fails() {
    for (how, asks) in ATTENDED {
        for (from, to) in SIDES {
            let mut pbx = talking();
            presses(&mut pbx, from, "1234#");
            asks(&mut pbx);
            pbx.moves_to_a_clock_that_began(Duration::from_secs(500));
            fails(&mut pbx);
            pbx.run_for(Duration::from_secs(2));
            assert_eq!(heard(&pbx.said(), to), "1234#", "{how}, {from} to {to}");
        }
    }
}

#[test]
fn a_code_that_was_half_dialled_goes_on_when_a_transfer_fails() {
    const KEYS: &str = "#1102#";
    for (how, asks) in BLIND {
        for begins in 0..KEYS.len() {
            for ends in begins..=KEYS.len() {
                let mut pbx = talking();
                presses(&mut pbx, A, &KEYS[..begins]);
                asks(&mut pbx);
                presses(&mut pbx, A, &KEYS[begins..ends]);
                pbx.said();
                fails(&mut pbx);
                presses(&mut pbx, A, &KEYS[ends..]);
                let said = pbx.said();
                let at = format!("{how}, {begins} to {ends}: {said}");
                assert!(said.contains("event 7 100102 dial-in"), "{at}");
                assert_eq!(heard(&said, B), "", "{at}");
                pbx.answers(out(3));
                assert!(pbx.said().contains("out1 hears out3, out3 hears out1"), "{at}");
                pbx.ends(B, EndReason::CalleeHungUp, None);
                pbx.run_for(Duration::from_secs(6));
                assert!(pbx.is_empty());
            }
        }
    }
    for (how, asks) in ATTENDED {
        let mut pbx = talking();
        presses(&mut pbx, A, "#11");
        asks(&mut pbx);
        pbx.moves_to_a_clock_that_began(Duration::from_secs(500));
        fails(&mut pbx);
        presses(&mut pbx, A, "02#");
        assert!(pbx.said().contains("100102 dial-in"), "{how}");
    }
}

#[test]
fn keys_that_came_too_late_for_a_code_are_none_whatever_happened_between() {
    for (how, asks) in BLIND.into_iter().chain(ATTENDED) {
        let mut pbx = talking();
        presses(&mut pbx, A, "#");
        asks(&mut pbx);
        pbx.run_for(Duration::from_secs(2));
        assert_eq!(heard(&pbx.said(), B), "", "it cannot be heard now: {how}");
        fails(&mut pbx);
        assert_eq!(heard(&pbx.said(), B), "#", "{how}");
        presses(&mut pbx, A, "1102#");
        pbx.run_for(Duration::from_secs(5));
        let said = pbx.said();
        assert_eq!(heard(&said, B), "1102#", "{how}");
        assert!(!said.contains(" dial as "), "{how}: {said}");
    }
}

#[test]
fn a_code_that_is_late_and_cannot_be_followed_lets_the_talk_go_on() {
    let mut pbx = talking();
    transfer(&mut pbx, "101");
    presses(&mut pbx, A, "#1999#5");
    fails(&mut pbx);
    let said = pbx.said();
    assert!(said.contains("in0 hears congestion, out1 hears in0"), "{said}");
    assert_eq!(heard(&said, B), "5");
    pbx.run_for(Duration::from_secs(3));
    assert!(pbx.said().contains("in0 hears out1, out1 hears in0"));
}

#[test]
fn tones_and_keys_by_info_are_late_as_well() {
    let mut pbx = Pbx::new();
    // The caller knows no other keys than tones.
    let offer = leg::Session { digits: None, ..session(4_000, &[model::Codec::Pcma]) };
    pbx.dials_with("100", "101", Some(offer));
    pbx.answers(B);
    transfer(&mut pbx, "101");
    pbx.said();
    presses(&mut pbx, A, "12");
    for key in "34".chars() {
        pbx.event(B, LegEvent::Digit(Digit::from_char(key).unwrap()));
    }
    fails(&mut pbx);
    let said = pbx.said();
    assert_eq!((heard(&said, B), heard(&said, A)), ("12".into(), "34".into()));
}

#[test]
fn no_more_keys_are_kept_than_any_menu_asks_for() {
    let mut pbx = talking();
    transfer(&mut pbx, "101");
    (0..200).for_each(|_| pbx.presses(A, '7'));
    fails(&mut pbx);
    assert_eq!(heard(&pbx.said(), B).len(), exchange::limits::LATE_KEYS_MAX);
}

#[test]
fn nothing_is_kept_for_somebody_else_when_a_transfer_is_done() {
    let mut pbx = talking();
    transfer(&mut pbx, "101");
    presses(&mut pbx, A, "12#1");
    pbx.answers(C);
    pbx.run_for(Duration::from_secs(5));
    let said = pbx.said();
    assert_eq!(heard(&said, C), "", "{said}");
}

#[test]
fn keys_that_are_no_code_yet_go_on_when_another_phone_has_the_talk() {
    for (who, from, to) in [("100", A, B), ("101", B, A)] {
        let mut pbx = talking();
        presses(&mut pbx, from, "5#");
        crate::replaces::replaces(&mut pbx, who, from);
        assert_eq!(heard(&pbx.said(), to), "5#", "{who}");
        pbx.run_for(Duration::from_secs(4));
        assert!(!pbx.said().contains("digit"), "{who}");
    }
}

#[test]
fn keys_that_are_held_go_on_when_their_phone_leaves_the_talk_for_another_call() {
    let mut pbx = talking();
    let second = pbx.dials("101", "102");
    pbx.rings(C);
    presses(&mut pbx, B, "#");
    presses(&mut pbx, A, "*");
    pbx.said();
    let to = ReferTo::Replace(second);
    pbx.event(B, LegEvent::Refer { refer: ReferId(1), to, referred_by: None });
    let said = pbx.said();
    assert_eq!((heard(&said, A), heard(&said, B)), ("#".into(), "*".into()));
}

#[test]
fn what_was_held_goes_on_when_who_consults_comes_back_at_another_phone() {
    for (who, from, to) in [("101", B, A), ("100", A, B)] {
        let mut pbx = talking();
        let call = pbx.call_api_id();
        presses(&mut pbx, from, "#1");
        asks(&mut pbx, "101");
        let new = crate::replaces::replaces(&mut pbx, who, from);
        assert!(!pbx.said().contains("digit"), "{who}");
        pbx.control("101", call, CallAction::Offhold).unwrap();
        assert_eq!(heard(&pbx.said(), to), "#1", "{who}: {new}");
    }
}

#[test]
fn a_code_of_who_waits_while_somebody_is_asked_is_refused_and_never_followed() {
    // Begun before, or pressed while it waits; ended by `#` or by nothing more.
    for (before, then) in [("*210", ""), ("#1102", ""), ("", "*2102#"), ("", "#1102"), ("*2", "")] {
        let mut pbx = talking();
        let call = pbx.call_api_id();
        presses(&mut pbx, A, before);
        asks(&mut pbx, "101");
        presses(&mut pbx, A, then);
        let mut said = pbx.said();
        for _ in 0..8 {
            pbx.run_for(Duration::from_millis(500));
            said += &pbx.said();
        }
        let is_refused = said.contains("in0 hears congestion");
        assert_eq!(is_refused, before != "*2", "{before}, {then}: {said}");
        pbx.answers(C);
        pbx.run_for(Duration::from_secs(10));
        assert!(pbx.said().contains("in0 hears music"), "{before}, {then}");
        pbx.control("101", call, CallAction::Offhold).unwrap();
        pbx.run_for(Duration::from_secs(10));
        let said = pbx.said();
        assert!(said.contains("in0 hears out1, out1 hears in0"), "{before}, {then}: {said}");
        assert!(!said.contains(" dial as "), "{before}, {then}: {said}");
        pbx.ends(A, EndReason::CallerHungUp, None);
        assert!(pbx.is_empty());
    }
}
