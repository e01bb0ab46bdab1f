//! Incoming call rules in words, for tests.
//!
//! Rules are parted by `;`, and each is its type and some words: `transfer 102 103 8s`. `+` after a
//! type: it is not final. `102`: whom it rings; `103@5`: who joins a cascade after 5 s. `8s`: its
//! `transfer_timeout`. `last=busy`, `last=no`, `own=busy`, `own=no`: the results that it wants.
//! `unreachable`: the state that it wants. `sound=1`: what it plays. `screened`: who answers takes
//! the call with a key. `early`: early media is passed on. `public`: whom it reaches outside may
//! transfer the call.

use model::{
    CascadeNumber, IncomingRule, Number, RuleId, RuleKind, Rules, SoundId, Wanted, WantedStatus,
};

/// Reads rules.
///
/// # Panics
///
/// When they cannot be read, or could not be stored.
pub fn read(text: &str) -> Rules {
    let rules = text.split(';').map(str::trim).enumerate();
    Rules(rules.filter(|(_, text)| !text.is_empty()).map(|(at, text)| rule(at, text)).collect())
}

fn rule(at: usize, text: &str) -> IncomingRule {
    let mut words = text.split_whitespace();
    let kind = words.next().unwrap_or_default();
    let is_named = |k: &RuleKind| k.as_str() == kind.trim_end_matches('+');
    let found = RuleKind::ALL.into_iter().find(is_named);
    let id = RuleId(at as u64 + 1);
    let mut rule = IncomingRule::new(id, found.unwrap_or_else(|| panic!("no rule type {kind}")));
    rule.is_final = !kind.ends_with('+');
    words.for_each(|word| set(&mut rule, word));
    assert_eq!(rule.check(), Ok(()), "{text}");
    rule
}

fn set(rule: &mut IncomingRule, word: &str) {
    let number = |text: &str| -> u16 { text.parse().unwrap_or_else(|_| panic!("{word}?")) };
    match word.split_once('=') {
        Some(("last", result)) => rule.call_status = wanted(result),
        Some(("own", result)) => rule.extension_call_status = wanted(result),
        Some(("sound", id)) => rule.playfile_sound = Some(SoundId(number(id).into())),
        Some(_) => panic!("{word}?"),
        None if word == "unreachable" => rule.extension_status = WantedStatus::Unreachable,
        None if word == "screened" => rule.enable_call_screening = true,
        None if word == "public" => rule.allow_public_transfer = true,
        None if word == "early" => rule.ignore_early_media = false,
        None => match word.strip_suffix('s') {
            Some(seconds) => rule.transfer_timeout_s = Some(number(seconds)),
            None => {
                let (to, delay) = word.split_once('@').unwrap_or((word, "0"));
                let to = Number::parse(to).unwrap_or_else(|_| panic!("{word}?"));
                rule.transfer_dst.push(to.clone());
                rule.cascade_numbers.push(CascadeNumber { delay_s: number(delay), number: to });
            }
        },
    }
}

fn wanted(result: &str) -> Wanted {
    match result {
        "busy" => Wanted::Busy,
        "no" => Wanted::NoAnswer,
        other => panic!("{other}?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_are_written() {
        let Rules(rules) = read("cascade+ 102@3 103@5 30s screened; playfile sound=7 own=busy");
        let [cascade, playfile] = &*rules else { panic!() };
        assert_eq!((cascade.kind, cascade.is_final), (RuleKind::Cascade, false));
        let delays: Vec<_> = cascade.cascade_numbers.iter().map(|c| c.delay_s).collect();
        assert_eq!((delays, cascade.transfer_timeout_s), (vec![3, 5], Some(30)));
        assert!(cascade.enable_call_screening && playfile.is_final);
        assert_eq!(playfile.playfile_sound, Some(SoundId(7)));
        assert_eq!(playfile.extension_call_status, Wanted::Busy);
    }
}
