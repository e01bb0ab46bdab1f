//! What is said against rules when they are saved.

use model::{
    CascadeNumber, IncomingRule, Number, Pattern, RuleId, RuleKind, Rules, Skipped, Wanted,
};
use route::findings::{Onward, findings};

fn forward(id: u64, kind: RuleKind, numbers: &[&str]) -> IncomingRule {
    let mut rule = IncomingRule::new(RuleId(id), kind);
    let numbers = numbers.iter().map(|n| Number::parse(n).unwrap());
    rule.transfer_dst = numbers.clone().collect();
    rule.cascade_numbers = numbers.map(|number| CascadeNumber { delay_s: 0, number }).collect();
    rule
}

/// What is found for extension 100 among others with their rules; 00... is outside.
fn of(own: &[IncomingRule], others: &[(&str, Rules)]) -> Vec<String> {
    let rules = Rules(own.into());
    let lead = |here: &str, number: &str| match number {
        own if own == here => Onward::Own,
        outside if outside.starts_with("0080") => Onward::Skipped(Skipped::NotAllowed),
        outside if outside.starts_with("00") => Onward::Elsewhere,
        "300" => Onward::Skipped(Skipped::NotServed),
        "301" => Onward::Skipped(Skipped::Blocked),
        "100" => Onward::Extension("100", Some(&rules)),
        other => match others.iter().find(|(name, _)| *name == other) {
            Some((name, rules)) => Onward::Extension(name, Some(rules)),
            None => Onward::Skipped(Skipped::NoSuchNumber),
        },
    };
    findings("100", &rules, false, &lead).iter().map(ToString::to_string).collect()
}

fn one(rule: IncomingRule) -> Rules {
    Rules([rule].into())
}

#[test]
fn a_rule_behind_an_unconditional_final_one_never_fires() {
    let busy = IncomingRule::new(RuleId(1), RuleKind::Busy);
    let mut second = IncomingRule::new(RuleId(2), RuleKind::Hangup);
    assert_eq!(
        of(&[busy.clone(), second.clone()], &[]),
        ["rule 2 can never fire: rule 1 before it always does, and is final"]
    );
    second.enabled = false;
    assert!(of(&[busy.clone(), second.clone()], &[]).is_empty(), "a disabled one is no matter");
    let mut conditional = busy;
    conditional.call_status = Wanted::Busy;
    second.enabled = true;
    assert!(of(&[conditional, second], &[]).is_empty());
}

#[test]
fn a_circle_of_forwards_is_found_and_its_way_told() {
    let to_101 = forward(1, RuleKind::Transfer, &["101"]);
    let back = [("101", one(forward(1, RuleKind::Transfer, &["100"])))];
    assert_eq!(
        of(std::slice::from_ref(&to_101), &back),
        ["rule 1 forwards in a circle: 100 -> 101 -> 100"]
    );
    let triangle = [
        ("101", one(forward(1, RuleKind::Cascade, &["102"]))),
        ("102", one(forward(1, RuleKind::Transfer, &["101", "100"]))),
    ];
    assert_eq!(
        of(std::slice::from_ref(&to_101), &triangle),
        ["rule 1 forwards in a circle: 100 -> 101 -> 102 -> 100"]
    );
    let simple = [("101", one(forward(1, RuleKind::SimpleTransfer, &["100"])))];
    assert!(of(&[to_101], &simple).is_empty(), "simple_transfer runs no rules: it is the way out");
    let own = forward(1, RuleKind::Cascade, &["100", "101"]);
    assert!(of(&[own], &[("101", Rules::default())]).is_empty(), "the own number is no circle");
}

#[test]
fn circles_among_others_are_found_in_time() {
    // 40 extensions that all forward to one another, and none to 100.
    let names: Vec<String> = (200..240).map(|n| n.to_string()).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let rules = one(forward(1, RuleKind::SimpleTransfer, &all[..1]));
    let mut others: Vec<_> = all.iter().map(|name| (*name, rules.clone())).collect();
    for (_, rules) in &mut others {
        rules.0[0] = forward(1, RuleKind::Cascade, &all[..20]);
    }
    assert!(of(&[forward(1, RuleKind::Transfer, &["200"])], &others).is_empty());
}

#[test]
fn what_has_no_effect_is_told() {
    let mut screened = forward(1, RuleKind::SimpleTransfer, &["0074951234567"]);
    screened.enable_call_screening = true;
    screened.is_final = false;
    screened.caller_id = Some(Pattern::parse("^7812").unwrap());
    let voicemail = IncomingRule::new(RuleId(2), RuleKind::Voicemail);
    let mut lost = forward(3, RuleKind::Transfer, &["555"]);
    lost.is_final = false;
    assert_eq!(
        of(&[screened, voicemail, lost], &[]),
        [
            "rule 1: enable_call_screening has an effect on transfer and cascade only",
            "rule 1: caller_id is not looked at while caller_id_action is any",
            "rule 2 is skipped: vm_enabled of the phone is false",
            "rule 3: neither an extension nor a trunk takes 555",
        ]
    );
}

#[test]
fn every_number_that_no_call_ever_reaches_is_told_with_the_reason() {
    let lost = forward(1, RuleKind::SimpleTransfer, &["555", "0080912345", "300", "301"]);
    assert_eq!(
        of(&[lost], &[]),
        [
            "rule 1: neither an extension nor a trunk takes 555",
            "rule 1: outside_allowed of the settings does not let 0080912345 be called",
            "rule 1: 300 is a queue or a menu, which no call enters yet",
        ]
    );
}
