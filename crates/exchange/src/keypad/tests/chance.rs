//! What no sequence of keys may ever do, whatever the codes are.

use model::limits::NUMBER_BYTES_MAX;
use model::{Chance, Code, CodeName, FeatureCodes};

use super::{codes, key, text};
use crate::keypad::{InCall, Keypad, Listening, NEXT_KEY};

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
