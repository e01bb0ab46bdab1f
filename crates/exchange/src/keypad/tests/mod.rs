//! Every state with every input, and what no sequence of keys may ever do.

mod chance;
mod pressed;
mod table;

use model::{Code, CodeName, Digit, FeatureCodes};

use crate::keypad::{Heard, InCall, Key, KeySource};

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
