//! What people press: codes, and what reaches the other side.

use model::{CodeName, Digit, FeatureCodes};

use super::{codes, key, shown};
use crate::keypad::{Heard, Key, KeySource, Keypad, Listening};

/// Everything that comes of these keys; `.` is the time that was to be waited for.
fn heard_of(keys: &str, listening: Listening) -> String {
    let (mut keypad, mut words) = (Keypad::default(), Vec::new());
    for digit in keys.chars() {
        let heard = match digit {
            '.' => keypad.waited(),
            digit => keypad.pressed(key(digit), &codes(), listening),
        };
        if !heard.pass.is_empty() || heard.code.is_some() {
            words.push(shown(&Heard { wait: None, ..heard }));
        }
    }
    if keypad != Keypad::Idle {
        words.push("(holds)".to_owned());
    }
    words.join(", ")
}

#[test]
fn what_people_press_is_understood_or_reaches_the_other_side() {
    let talking = [
        ("1234#.", "pass 1, pass 2, pass 3, pass 4, pass #", "a menu that wants 1234#"),
        ("#1.5", "pass #1, pass 5", "half dialled, then spoken on"),
        ("#1100#", "TRANSFER 100", ""),
        ("#1100.", "TRANSFER 100", ""),
        ("#1*8100#7", "TRANSFER *8100, pass 7", ""),
        ("#1*03#", "TRANSFER *03", "parks by transfer"),
        ("*2100#", "ATTENDED 100", ""),
        ("*2.", "pass *2", "nobody to ask, and nothing to come back from"),
        ("*33.", "PARK", ""),
        ("*33#", "PARK", ""),
        ("*335", "PARK 5", ""),
        ("*330", "pass *33, pass 0", "there is no slot 0"),
        ("*3.", "pass *3", ""),
        ("##1100#", "pass #, TRANSFER 100", "the second hash may begin a code"),
        ("**2100#", "pass *, ATTENDED 100", ""),
        ("#5", "pass #5", "in one piece, in order"),
        ("#1#", "pass #1, (holds)", ""),
        ("#112A", "pass #112A", "no number has an A"),
        ("#.1", "pass #, pass 1", "too late to be a code"),
    ];
    for (keys, expected, why) in talking {
        let found = heard_of(keys, Listening::Talking);
        assert_eq!(joined(&found), joined(expected), "{keys} {why}");
    }
    let consulting = [
        ("*2", "BACK", "at once: nothing may follow"),
        ("*5", "pass *5", ""),
        ("*.", "pass *", ""),
        ("#1100#", "pass #, pass 1, pass 1, pass 0, pass 0, pass #", "for whom one asks"),
        ("*33", "pass *3, pass 3", ""),
    ];
    for (keys, expected, why) in consulting {
        let found = heard_of(keys, Listening::Consulting);
        assert_eq!(joined(&found), joined(expected), "{keys} {why}");
    }
}

/// Whether keys are passed on in one piece or in several is not what is asked.
fn joined(words: &str) -> String {
    words.replace(", pass ", "").replace("pass ", "")
}

#[test]
fn keys_that_were_heard_in_the_sound_form_codes_and_are_not_passed_on() {
    let mut keypad = Keypad::default();
    let mut press = |digit, source| {
        let heard = keypad.pressed(
            Key { source, ..key(digit) },
            &FeatureCodes::default(),
            Listening::Talking,
        );
        shown(&heard)
    };
    assert_eq!(press('5', KeySource::Sound), "-");
    assert_eq!(press('#', KeySource::Sound), "wait 1");
    assert_eq!(press('5', KeySource::Sound), "-");
    for digit in ['#', '1', '1', '0', '0'] {
        press(digit, KeySource::Sound);
    }
    assert_eq!(press('#', KeySource::Sound), "TRANSFER 100");
    // Of both kinds, only what the other side does not have.
    assert_eq!(press('#', KeySource::Sound), "wait 1");
    assert_eq!(press('5', KeySource::Info), "pass 5");
}

#[test]
fn keys_are_passed_on_with_their_durations() {
    let mut keypad = Keypad::default();
    let mut press = |digit, duration_ms| {
        let key = Key { duration_ms, ..key(digit) };
        keypad.pressed(key, &FeatureCodes::default(), Listening::Talking).pass
    };
    assert!(press('#', 70).is_empty());
    let passed: Vec<_> = press('9', 1_500).iter().map(|k| (k.digit, k.duration_ms)).collect();
    let digit = |c| Digit::from_char(c).unwrap();
    assert_eq!(passed, [(digit('#'), 70), (digit('9'), 1_500)]);
}

#[test]
fn a_code_that_is_switched_off_is_heard_by_nobody() {
    let off = [(CodeName::Transfer, None), (CodeName::AttendedTransfer, None)];
    let codes = FeatureCodes::default().changed(off).unwrap();
    let mut keypad = Keypad::default();
    for digit in ['#', '1', '*', '2'] {
        let heard = keypad.pressed(key(digit), &codes, Listening::Talking);
        assert_eq!(shown(&heard), format!("pass {digit}"), "and nothing waits");
    }
}

#[test]
fn a_keypad_is_saved_and_goes_on() {
    let mut keypad = Keypad::default();
    for digit in "#112".chars() {
        keypad.pressed(key(digit), &codes(), Listening::Talking);
    }
    let mut saved = Vec::new();
    model::cbor::write(&mut saved, &keypad);
    let mut restored: Keypad = cbor4ii::serde::from_slice(&saved).unwrap();
    assert_eq!(restored, keypad);
    let heard = restored.pressed(key('#'), &codes(), Listening::Talking);
    assert_eq!(shown(&heard), "TRANSFER 12");
}
