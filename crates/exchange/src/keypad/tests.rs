//! Every state with every input, and what no sequence of keys may ever do.

use expect_test::expect;
use model::{Chance, Code};

use super::*;

fn key(digit: char) -> Key {
    Key { digit: Digit::from_char(digit).unwrap(), duration_ms: 100, source: KeySource::Event }
}

/// The default codes, and `*33` to park.
fn codes() -> FeatureCodes {
    let park = (CodeName::ParkInCall, Code::parse("*33").ok());
    FeatureCodes::default().changed([park]).unwrap()
}

fn text(keys: &[Key]) -> String {
    keys.iter().map(|key| key.digit.as_char()).collect()
}

/// `pass 12, transfer 100, wait 3 s`.
fn shown(heard: &Heard) -> String {
    let mut words = Vec::new();
    if !heard.pass.is_empty() {
        words.push(format!("pass {}", text(&heard.pass)));
    }
    match &heard.code {
        Some(InCall::Transfer(number)) => words.push(format!("TRANSFER {number}")),
        Some(InCall::Attended(number)) => words.push(format!("ATTENDED {number}")),
        Some(InCall::AttendedBack) => words.push("BACK".to_owned()),
        Some(InCall::Park(None)) => words.push("PARK".to_owned()),
        Some(InCall::Park(Some(slot))) => words.push(format!("PARK {slot}")),
        None => {}
    }
    words.extend(heard.wait.map(|wait| format!("wait {}", wait.as_secs())));
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

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
fn every_state_has_an_answer_to_every_input() {
    let states = ["", "#", "*", "*3", "#1", "#112", "*2", "*212", "*33"];
    let mut table = String::new();
    for listening in [Listening::Talking, Listening::Consulting] {
        for state in states {
            let mut keypad = Keypad::default();
            for digit in state.chars() {
                keypad.pressed(key(digit), &codes(), Listening::Talking);
            }
            let mut line = |input: &str, keypad: &Keypad, heard: &Heard| {
                let name = format!("{keypad:?}");
                let name = name.split([' ', '(']).next().unwrap_or("").to_owned();
                table += &format!(
                    "{listening:?} {:5} {input:>5}: {} -> {name}\n",
                    format!("'{state}'"),
                    shown(heard),
                );
            };
            for digit in "0123459*#A".chars() {
                let mut after = keypad.clone();
                let heard = after.pressed(key(digit), &codes(), listening);
                assert_eq!(heard.wait.is_some(), after != Keypad::Idle, "{state} {digit}");
                line(&digit.to_string(), &after, &heard);
            }
            let mut after = keypad.clone();
            let heard = after.waited();
            assert_eq!((heard.wait, &after), (None, &Keypad::Idle), "{state} waited");
            line("time", &after, &heard);
            let mut after = keypad.clone();
            let heard = after.given_up();
            assert_eq!((heard.wait, &heard.code, &after), (None, &None, &Keypad::Idle));
            line("leave", &after, &heard);
        }
    }
    expect![[r#"
        Talking ''        0: pass 0 -> Idle
        Talking ''        1: pass 1 -> Idle
        Talking ''        2: pass 2 -> Idle
        Talking ''        3: pass 3 -> Idle
        Talking ''        4: pass 4 -> Idle
        Talking ''        5: pass 5 -> Idle
        Talking ''        9: pass 9 -> Idle
        Talking ''        *: wait 1 -> Code
        Talking ''        #: wait 1 -> Code
        Talking ''        A: pass A -> Idle
        Talking ''     time: - -> Idle
        Talking ''    leave: - -> Idle
        Talking '#'       0: pass #0 -> Idle
        Talking '#'       1: wait 3 -> Number
        Talking '#'       2: pass #2 -> Idle
        Talking '#'       3: pass #3 -> Idle
        Talking '#'       4: pass #4 -> Idle
        Talking '#'       5: pass #5 -> Idle
        Talking '#'       9: pass #9 -> Idle
        Talking '#'       *: pass #, wait 1 -> Code
        Talking '#'       #: pass #, wait 1 -> Code
        Talking '#'       A: pass #A -> Idle
        Talking '#'    time: pass # -> Idle
        Talking '#'   leave: pass # -> Idle
        Talking '*'       0: pass *0 -> Idle
        Talking '*'       1: pass *1 -> Idle
        Talking '*'       2: wait 3 -> Number
        Talking '*'       3: wait 3 -> Code
        Talking '*'       4: pass *4 -> Idle
        Talking '*'       5: pass *5 -> Idle
        Talking '*'       9: pass *9 -> Idle
        Talking '*'       *: pass *, wait 1 -> Code
        Talking '*'       #: pass *, wait 1 -> Code
        Talking '*'       A: pass *A -> Idle
        Talking '*'    time: pass * -> Idle
        Talking '*'   leave: pass * -> Idle
        Talking '*3'      0: pass *30 -> Idle
        Talking '*3'      1: pass *31 -> Idle
        Talking '*3'      2: pass *32 -> Idle
        Talking '*3'      3: wait 3 -> Slot
        Talking '*3'      4: pass *34 -> Idle
        Talking '*3'      5: pass *35 -> Idle
        Talking '*3'      9: pass *39 -> Idle
        Talking '*3'      *: pass *3, wait 1 -> Code
        Talking '*3'      #: pass *3, wait 1 -> Code
        Talking '*3'      A: pass *3A -> Idle
        Talking '*3'   time: pass *3 -> Idle
        Talking '*3'  leave: pass *3 -> Idle
        Talking '#1'      0: wait 3 -> Number
        Talking '#1'      1: wait 3 -> Number
        Talking '#1'      2: wait 3 -> Number
        Talking '#1'      3: wait 3 -> Number
        Talking '#1'      4: wait 3 -> Number
        Talking '#1'      5: wait 3 -> Number
        Talking '#1'      9: wait 3 -> Number
        Talking '#1'      *: wait 3 -> Number
        Talking '#1'      #: pass #1, wait 1 -> Code
        Talking '#1'      A: pass #1A -> Idle
        Talking '#1'   time: pass #1 -> Idle
        Talking '#1'  leave: pass #1 -> Idle
        Talking '#112'     0: wait 3 -> Number
        Talking '#112'     1: wait 3 -> Number
        Talking '#112'     2: wait 3 -> Number
        Talking '#112'     3: wait 3 -> Number
        Talking '#112'     4: wait 3 -> Number
        Talking '#112'     5: wait 3 -> Number
        Talking '#112'     9: wait 3 -> Number
        Talking '#112'     *: wait 3 -> Number
        Talking '#112'     #: TRANSFER 12 -> Idle
        Talking '#112'     A: pass #112A -> Idle
        Talking '#112'  time: TRANSFER 12 -> Idle
        Talking '#112' leave: pass #112 -> Idle
        Talking '*2'      0: wait 3 -> Number
        Talking '*2'      1: wait 3 -> Number
        Talking '*2'      2: wait 3 -> Number
        Talking '*2'      3: wait 3 -> Number
        Talking '*2'      4: wait 3 -> Number
        Talking '*2'      5: wait 3 -> Number
        Talking '*2'      9: wait 3 -> Number
        Talking '*2'      *: wait 3 -> Number
        Talking '*2'      #: pass *2, wait 1 -> Code
        Talking '*2'      A: pass *2A -> Idle
        Talking '*2'   time: pass *2 -> Idle
        Talking '*2'  leave: pass *2 -> Idle
        Talking '*212'     0: wait 3 -> Number
        Talking '*212'     1: wait 3 -> Number
        Talking '*212'     2: wait 3 -> Number
        Talking '*212'     3: wait 3 -> Number
        Talking '*212'     4: wait 3 -> Number
        Talking '*212'     5: wait 3 -> Number
        Talking '*212'     9: wait 3 -> Number
        Talking '*212'     *: wait 3 -> Number
        Talking '*212'     #: ATTENDED 12 -> Idle
        Talking '*212'     A: pass *212A -> Idle
        Talking '*212'  time: ATTENDED 12 -> Idle
        Talking '*212' leave: pass *212 -> Idle
        Talking '*33'     0: pass *330 -> Idle
        Talking '*33'     1: PARK 1 -> Idle
        Talking '*33'     2: PARK 2 -> Idle
        Talking '*33'     3: PARK 3 -> Idle
        Talking '*33'     4: PARK 4 -> Idle
        Talking '*33'     5: PARK 5 -> Idle
        Talking '*33'     9: PARK 9 -> Idle
        Talking '*33'     *: pass *33, wait 1 -> Code
        Talking '*33'     #: PARK -> Idle
        Talking '*33'     A: pass *33A -> Idle
        Talking '*33'  time: PARK -> Idle
        Talking '*33' leave: pass *33 -> Idle
        Consulting ''        0: pass 0 -> Idle
        Consulting ''        1: pass 1 -> Idle
        Consulting ''        2: pass 2 -> Idle
        Consulting ''        3: pass 3 -> Idle
        Consulting ''        4: pass 4 -> Idle
        Consulting ''        5: pass 5 -> Idle
        Consulting ''        9: pass 9 -> Idle
        Consulting ''        *: wait 1 -> Code
        Consulting ''        #: pass # -> Idle
        Consulting ''        A: pass A -> Idle
        Consulting ''     time: - -> Idle
        Consulting ''    leave: - -> Idle
        Consulting '#'       0: pass #0 -> Idle
        Consulting '#'       1: pass #1 -> Idle
        Consulting '#'       2: pass #2 -> Idle
        Consulting '#'       3: pass #3 -> Idle
        Consulting '#'       4: pass #4 -> Idle
        Consulting '#'       5: pass #5 -> Idle
        Consulting '#'       9: pass #9 -> Idle
        Consulting '#'       *: pass #, wait 1 -> Code
        Consulting '#'       #: pass ## -> Idle
        Consulting '#'       A: pass #A -> Idle
        Consulting '#'    time: pass # -> Idle
        Consulting '#'   leave: pass # -> Idle
        Consulting '*'       0: pass *0 -> Idle
        Consulting '*'       1: pass *1 -> Idle
        Consulting '*'       2: BACK -> Idle
        Consulting '*'       3: pass *3 -> Idle
        Consulting '*'       4: pass *4 -> Idle
        Consulting '*'       5: pass *5 -> Idle
        Consulting '*'       9: pass *9 -> Idle
        Consulting '*'       *: pass *, wait 1 -> Code
        Consulting '*'       #: pass *# -> Idle
        Consulting '*'       A: pass *A -> Idle
        Consulting '*'    time: pass * -> Idle
        Consulting '*'   leave: pass * -> Idle
        Consulting '*3'      0: pass *30 -> Idle
        Consulting '*3'      1: pass *31 -> Idle
        Consulting '*3'      2: pass *32 -> Idle
        Consulting '*3'      3: pass *33 -> Idle
        Consulting '*3'      4: pass *34 -> Idle
        Consulting '*3'      5: pass *35 -> Idle
        Consulting '*3'      9: pass *39 -> Idle
        Consulting '*3'      *: pass *3, wait 1 -> Code
        Consulting '*3'      #: pass *3# -> Idle
        Consulting '*3'      A: pass *3A -> Idle
        Consulting '*3'   time: pass *3 -> Idle
        Consulting '*3'  leave: pass *3 -> Idle
        Consulting '#1'      0: wait 3 -> Number
        Consulting '#1'      1: wait 3 -> Number
        Consulting '#1'      2: wait 3 -> Number
        Consulting '#1'      3: wait 3 -> Number
        Consulting '#1'      4: wait 3 -> Number
        Consulting '#1'      5: wait 3 -> Number
        Consulting '#1'      9: wait 3 -> Number
        Consulting '#1'      *: wait 3 -> Number
        Consulting '#1'      #: pass #1# -> Idle
        Consulting '#1'      A: pass #1A -> Idle
        Consulting '#1'   time: pass #1 -> Idle
        Consulting '#1'  leave: pass #1 -> Idle
        Consulting '#112'     0: wait 3 -> Number
        Consulting '#112'     1: wait 3 -> Number
        Consulting '#112'     2: wait 3 -> Number
        Consulting '#112'     3: wait 3 -> Number
        Consulting '#112'     4: wait 3 -> Number
        Consulting '#112'     5: wait 3 -> Number
        Consulting '#112'     9: wait 3 -> Number
        Consulting '#112'     *: wait 3 -> Number
        Consulting '#112'     #: TRANSFER 12 -> Idle
        Consulting '#112'     A: pass #112A -> Idle
        Consulting '#112'  time: TRANSFER 12 -> Idle
        Consulting '#112' leave: pass #112 -> Idle
        Consulting '*2'      0: wait 3 -> Number
        Consulting '*2'      1: wait 3 -> Number
        Consulting '*2'      2: wait 3 -> Number
        Consulting '*2'      3: wait 3 -> Number
        Consulting '*2'      4: wait 3 -> Number
        Consulting '*2'      5: wait 3 -> Number
        Consulting '*2'      9: wait 3 -> Number
        Consulting '*2'      *: wait 3 -> Number
        Consulting '*2'      #: pass *2# -> Idle
        Consulting '*2'      A: pass *2A -> Idle
        Consulting '*2'   time: pass *2 -> Idle
        Consulting '*2'  leave: pass *2 -> Idle
        Consulting '*212'     0: wait 3 -> Number
        Consulting '*212'     1: wait 3 -> Number
        Consulting '*212'     2: wait 3 -> Number
        Consulting '*212'     3: wait 3 -> Number
        Consulting '*212'     4: wait 3 -> Number
        Consulting '*212'     5: wait 3 -> Number
        Consulting '*212'     9: wait 3 -> Number
        Consulting '*212'     *: wait 3 -> Number
        Consulting '*212'     #: ATTENDED 12 -> Idle
        Consulting '*212'     A: pass *212A -> Idle
        Consulting '*212'  time: ATTENDED 12 -> Idle
        Consulting '*212' leave: pass *212 -> Idle
        Consulting '*33'     0: pass *330 -> Idle
        Consulting '*33'     1: PARK 1 -> Idle
        Consulting '*33'     2: PARK 2 -> Idle
        Consulting '*33'     3: PARK 3 -> Idle
        Consulting '*33'     4: PARK 4 -> Idle
        Consulting '*33'     5: PARK 5 -> Idle
        Consulting '*33'     9: PARK 9 -> Idle
        Consulting '*33'     *: pass *33, wait 1 -> Code
        Consulting '*33'     #: PARK -> Idle
        Consulting '*33'     A: pass *33A -> Idle
        Consulting '*33'  time: PARK -> Idle
        Consulting '*33' leave: pass *33 -> Idle
    "#]]
    .assert_eq(&table);
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

/// Codes of all shapes: one key longer than usual, some off.
fn some_codes(chance: &mut Chance) -> FeatureCodes {
    let sets = [
        ("#1", "*2", "*33"),
        ("*1", "*2", "*3"),
        ("#123", "#12", ""),
        ("*999", "#000", "*98"),
        ("", "#1", "#2"),
        ("", "", ""),
    ];
    let (transfer, attended, park) = sets[usize::try_from(chance.below(6)).unwrap()];
    let changes = [
        (CodeName::Transfer, Code::parse(transfer).ok()),
        (CodeName::AttendedTransfer, Code::parse(attended).ok()),
        (CodeName::ParkInCall, Code::parse(park).ok()),
    ];
    FeatureCodes::default().changed(changes).unwrap_or_default()
}

/// The keys of which a code consists, without the `#` that may end it.
fn keys_of(code: &InCall, codes: &FeatureCodes) -> String {
    let of = |name| codes.code(name).map_or("", Code::as_str).to_owned();
    match code {
        InCall::Transfer(number) => of(CodeName::Transfer) + number.as_str(),
        InCall::Attended(number) => of(CodeName::AttendedTransfer) + number.as_str(),
        InCall::AttendedBack => of(CodeName::AttendedTransfer),
        InCall::Park(slot) => {
            of(CodeName::ParkInCall) + &slot.map_or(String::new(), |slot| slot.to_string())
        }
    }
}

#[test]
fn what_is_pressed_is_a_code_or_is_passed_on_in_order_whatever_is_pressed() {
    let mut chance = Chance::from_number(5);
    let mut completed = 0;
    for _ in 0..20_000 {
        let codes = some_codes(&mut chance);
        let mut keypad = Keypad::default();
        let (mut pressed, mut came) = (String::new(), String::new());
        for _ in 0..chance.below(30) {
            let listening = match chance.below(5) {
                0 => Listening::Consulting,
                _ => Listening::Talking,
            };
            let alphabet = b"##**1122300495A";
            let n = usize::try_from(chance.below(16)).unwrap();
            let ended_by_hash;
            let heard = match alphabet.get(n) {
                Some(digit) => {
                    let digit = char::from(*digit);
                    pressed.push(digit);
                    ended_by_hash = digit == '#';
                    keypad.pressed(key(digit), &codes, listening)
                }
                None => {
                    ended_by_hash = false;
                    keypad.waited()
                }
            };
            came += &text(&heard.pass);
            if let Some(code) = &heard.code {
                came += &keys_of(code, &codes);
                came += if ended_by_hash { "#" } else { "" };
                completed += 1;
            }
            assert_eq!(
                heard.wait.is_some(),
                keypad != Keypad::Idle,
                "a timer runs or nothing is held"
            );
            assert!(heard.wait.is_none_or(|wait| wait <= NEXT_KEY));
            assert!(heard.wait.is_none() || heard.code.is_none());
            if heard.wait.is_none() {
                assert_eq!(came, pressed);
            }
        }
        came += &text(&keypad.given_up().pass);
        assert_eq!(came, pressed, "{codes:?}");
    }
    assert!(completed > 1_000, "{completed} codes");
}

#[test]
fn no_more_keys_are_held_than_a_number_has() {
    let mut keypad = Keypad::default();
    let mut passed = 0;
    for n in 0..1_000 {
        let digit = if n == 0 { '#' } else { '1' };
        passed += keypad.pressed(key(digit), &codes(), Listening::Talking).pass.len();
        if let Keypad::Number { keys, .. } = &keypad {
            assert!(keys.len() <= NUMBER_BYTES_MAX);
        }
    }
    assert_eq!(passed, 1_000, "and none was lost");
}
