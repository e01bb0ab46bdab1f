//! Incoming call rules: the cases of `rules.txt`, and what must hold for any rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::time;
use model::{
    CallerAction, CascadeNumber, Condition, End, IncomingRule, Interval, IntervalId, Line, Number,
    Outcome, Pattern, RuleId, RuleKind, Rules, SoundId, Stop, Wall, Wanted, WantedStatus, Zone,
};
use route::rules::{explain, next};
use route::{Caller, Country, Facts, Next, Own, Registers, Report};

/// The cases, for people to read.
const CASES: &str = include_str!("rules.txt");

#[derive(Default)]
struct Case<'a> {
    shows: &'a str,
    rules: &'a str,
    call: &'a str,
    results: &'a str,
    happens: &'a str,
}

fn cases() -> Vec<Case<'static>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    let (_, text) = CASES.split_once("\n# ").unwrap();
    for line in text.lines().skip(1).filter(|l| !l.is_empty() && !l.starts_with("# ")) {
        let Some(field) = line.strip_prefix("    ") else {
            cases.push(Case { shows: line, ..Case::default() });
            continue;
        };
        let (name, value) = field.split_once(' ').unwrap();
        let case = cases.last_mut().unwrap();
        *match name {
            "rules" => &mut case.rules,
            "call" => &mut case.call,
            "results" => &mut case.results,
            "happens" => &mut case.happens,
            other => panic!("{other}"),
        } = value.trim();
    }
    cases
}

fn rule(at: usize, text: &str) -> IncomingRule {
    let mut words = text.split_whitespace();
    let kind = words.next().unwrap();
    let kind = RuleKind::ALL.into_iter().find(|k| k.as_str() == kind).expect(kind);
    let mut rule = IncomingRule::new(RuleId(at as u64 + 1), kind);
    let wanted = |text: &str| match text {
        "busy" => Wanted::Busy,
        "no" => Wanted::NoAnswer,
        other => panic!("{other}"),
    };
    let pattern = |text: &str| Some(Pattern::parse(text.trim_matches('/')).unwrap());
    for word in words {
        match word.split_once('=') {
            Some(("last", text)) => rule.call_status = wanted(text),
            Some(("own", text)) => rule.extension_call_status = wanted(text),
            Some(("status", "registered")) => rule.extension_status = WantedStatus::Registered,
            Some(("status", "unreachable")) => rule.extension_status = WantedStatus::Unreachable,
            Some(("in", id)) => rule.interval = Some(IntervalId(id.parse().unwrap())),
            Some(("from", text)) => {
                (rule.caller_id, rule.caller_id_action) = (pattern(text), CallerAction::Matches);
            }
            Some(("not", text)) => {
                (rule.caller_id, rule.caller_id_action) = (pattern(text), CallerAction::NotMatches);
            }
            Some(("any", text)) => rule.caller_id = pattern(text),
            Some(_) => panic!("{word}"),
            None => match word {
                "anonymous" => rule.caller_id_action = CallerAction::Anonymous,
                "goes-on" => rule.is_final = false,
                "off" => rule.enabled = false,
                numbers => {
                    let numbers = numbers.split(',').map(|n| Number::parse(n).unwrap());
                    rule.transfer_dst = numbers.clone().collect();
                    let cascade = numbers.map(|number| CascadeNumber { delay_s: 0, number });
                    rule.cascade_numbers = cascade.collect();
                }
            },
        }
    }
    rule.playfile_sound = (kind == RuleKind::Playfile).then_some(SoundId(1));
    assert_eq!(rule.check(), Ok(()), "{text}");
    rule
}

fn rules(text: &str) -> Rules {
    let texts = text.split(';').map(str::trim).filter(|t| !t.is_empty());
    Rules(texts.enumerate().map(|(at, text)| rule(at, text)).collect())
}

/// 9 to 18 in Moscow.
fn intervals() -> BTreeMap<IntervalId, Arc<Interval>> {
    let times = Some((time(9, 0, 0, 0), time(17, 59, 59, 0)));
    let conditions = vec![Condition { times, ..Condition::default() }];
    let zone = Zone::parse("Europe/Moscow").unwrap();
    let interval = Interval { id: IntervalId(1), name: "open".into(), zone, conditions };
    BTreeMap::from([(IntervalId(1), Arc::new(interval))])
}

fn report(text: &str) -> Option<Report> {
    let own = |outcome, unreachable| Some(Own { outcome, unreachable });
    Some(match text {
        "busy" => Report::forwarded(Outcome::Busy),
        "no" => Report::forwarded(Outcome::NoAnswer),
        "gone" => Report::rang(Outcome::NoAnswer, true),
        "played" => Report::played(),
        "own-busy" => Report { own: own(Outcome::Busy, false), ..Report::forwarded(Outcome::Busy) },
        "own-no" => {
            Report { own: own(Outcome::NoAnswer, false), ..Report::forwarded(Outcome::NoAnswer) }
        }
        "own-gone" => {
            Report { own: own(Outcome::NoAnswer, true), ..Report::forwarded(Outcome::NoAnswer) }
        }
        "answered" => return None,
        other => panic!("{other}"),
    })
}

struct Call {
    caller: Caller,
    wall: Wall,
    registered: bool,
    voicemail: bool,
}

fn call(text: &str) -> Call {
    let moscow = |hours: i64| Wall((1_772_442_000 + (hours - 12) * 3_600) * 1_000_000);
    let mut call = Call {
        caller: Caller::external("74951234567", Country::of("RU")),
        wall: moscow(12),
        registered: true,
        voicemail: true,
    };
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "from" => call.caller = Caller::external(words.next().unwrap(), Country::of("RU")),
            "from-colleague" => call.caller = Caller::internal("0003", "101", true),
            "hidden" => call.caller = Caller::hidden(),
            "unreachable" => call.registered = false,
            "no-voicemail" => call.voicemail = false,
            "at" => call.wall = moscow(words.next().unwrap()[..2].parse().unwrap()),
            other => panic!("{other}"),
        }
    }
    call
}

fn facts<'a>(call: &'a Call, intervals: &'a BTreeMap<IntervalId, Arc<Interval>>) -> Facts<'a> {
    Facts {
        caller: &call.caller,
        intervals,
        wall: call.wall,
        registered: call.registered,
        voicemail: call.voicemail,
    }
}

/// Plays a row through; an own ringing turns `busy` and `no` into its own result.
fn play(rules: &Rules, call: &Call, results: &str) -> (String, Vec<Line>) {
    let intervals = intervals();
    let facts = facts(call, &intervals);
    let mut results = results.split_whitespace();
    let mut steps = Vec::new();
    let lines = explain(rules, &facts, |step, _| {
        let text = results.next().expect("one more result");
        let own = step == Next::Ring;
        steps.push(match step {
            Next::Ring => "ring".to_owned(),
            Next::Fire(rule) => format!("{} {}", rule.id, rule.kind.as_str()),
            Next::Finish(_) => unreachable!(),
        });
        match (text, own) {
            ("busy", true) => Some(Report::rang(Outcome::Busy, false)),
            ("no", true) => Some(Report::rang(Outcome::NoAnswer, false)),
            _ => report(text),
        }
    });
    assert_eq!(results.next(), None, "a result that nothing asked for: {steps:?}");
    // Rules that end the call at once are told by the trace alone.
    if let Some([Line::Fired { rule, kind, .. }, Line::Ended { .. }]) = lines.last_chunk()
        && kind.ends_the_call()
    {
        steps.push(format!("{rule} {}", kind.as_str()));
    }
    steps.push(match lines.last() {
        Some(Line::Ended { end: End::Answered }) => "answered".to_owned(),
        Some(Line::Ended { end: End::Busy }) => "486".to_owned(),
        Some(Line::Ended { end: End::NoAnswer }) => "480".to_owned(),
        other => panic!("{other:?}"),
    });
    (steps.join(", "), lines)
}

#[test]
fn each_sentence_of_the_specification_holds() {
    let cases = cases();
    assert!(cases.len() > 60, "{} cases were read", cases.len());
    for Case { shows, rules: text, call: of, results, happens } in cases {
        let (steps, lines) = play(&rules(text), &call(of), results);
        let trace: Vec<_> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(steps, happens, "{shows}: [{text}] {of}\n{}", trace.join("\n"));
    }
}

#[test]
fn the_trace_says_of_every_rule_why_it_fired_or_did_not() {
    let text = "busy off; busy from=/^7812/; busy in=1; transfer 101 status=unreachable; \
                transfer 102 last=busy; voicemail own=no";
    let (_, lines) = play(&rules(text), &call("at 20:00"), "no answered");
    let trace: Vec<_> = lines.iter().map(ToString::to_string).collect();
    let expected = [
        "rule 1 is skipped: disabled",
        "rule 2 is skipped: the caller's number",
        "rule 3 is skipped: interval 1 is not active",
        "rule 4 is skipped: the extension is registered",
        "the extension rings, rule 5 waits for the result",
        "result: no answer",
        "rule 5 is skipped: the last call's result is no answer",
        "rule 6 fires: voicemail, the last",
        "answered",
    ];
    assert_eq!(trace, expected);
}

/// Small numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn random_rules(dice: &mut Dice) -> Vec<IncomingRule> {
    let wanted = [Wanted::Any, Wanted::Any, Wanted::Busy, Wanted::NoAnswer];
    let status = [WantedStatus::Any, WantedStatus::Registered, WantedStatus::Unreachable];
    let from = ["", "", "from=/^7495/", "not=/^7495/", "anonymous"];
    (0..dice.below(8))
        .map(|at| {
            let kind = RuleKind::ALL[dice.below(8) as usize];
            let numbers = if kind.forwards() { " 101" } else { "" };
            let from = from[dice.below(5) as usize];
            let mut rule = rule(at as usize, &format!("{}{numbers} {from}", kind.as_str()));
            rule.call_status = wanted[dice.below(4) as usize];
            rule.extension_call_status = wanted[dice.below(4) as usize];
            rule.extension_status = status[dice.below(3) as usize];
            rule.interval = [None, None, Some(IntervalId(1))][dice.below(3) as usize];
            rule.is_final = dice.below(3) > 0;
            rule.enabled = dice.below(5) > 0;
            rule
        })
        .collect()
}

fn random_results(dice: &mut Dice) -> Vec<Report> {
    let all = ["busy", "no", "gone", "played", "own-busy", "own-no", "own-gone"];
    (0..64).map(|_| report(all[dice.below(7) as usize]).unwrap()).collect()
}

fn run(rules: &[IncomingRule], call: &Call, results: &[Report]) -> Vec<Line> {
    let rules = Rules(rules.into());
    let intervals = intervals();
    let mut results = results.iter();
    explain(&rules, &facts(call, &intervals), |_, _| {
        Some(*results.next().expect("evaluation ends long before that"))
    })
}

fn random_call(dice: &mut Dice) -> Call {
    let from = ["from 74951234567", "from 78121234567", "hidden"][dice.below(3) as usize];
    let at = ["at 12:00", "at 20:00"][dice.below(2) as usize];
    let state = ["", "unreachable", "no-voicemail"][dice.below(3) as usize];
    call(&format!("{from} {at} {state}"))
}

#[test]
fn evaluation_always_ends_and_each_rule_fires_at_most_once() {
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let rules = random_rules(&mut dice);
        let (call, results) = (random_call(&mut dice), random_results(&mut dice));
        let lines = run(&rules, &call, &results);
        let fired = |id: RuleId| {
            lines.iter().filter(|l| matches!(l, Line::Fired { rule, .. } if *rule == id)).count()
        };
        assert!(rules.iter().all(|rule| fired(rule.id) <= 1), "seed {seed}");
        let rung = lines.iter().filter(|l| matches!(l, Line::Rings { .. })).count();
        assert!(rung <= 1, "seed {seed}");
    }
}

#[test]
fn a_disabled_rule_never_matters() {
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let rules = random_rules(&mut dice);
        let (call, results) = (random_call(&mut dice), random_results(&mut dice));
        let without: Vec<_> = rules.iter().filter(|rule| rule.enabled).cloned().collect();
        let is_of_disabled =
            |line: &Line| matches!(line, Line::Skipped { why: Stop::Disabled, .. });
        let mut lines = run(&rules, &call, &results);
        lines.retain(|line| !is_of_disabled(line));
        assert_eq!(lines, run(&without, &call, &results), "seed {seed}");
    }
}

#[test]
fn rules_behind_a_final_one_that_fired_do_not_matter() {
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let mut rules = random_rules(&mut dice);
        // Without the second pass, which looks at all of them by design.
        rules.iter_mut().for_each(|rule| rule.extension_status = WantedStatus::Any);
        let (call, results) = (random_call(&mut dice), random_results(&mut dice));
        let lines = run(&rules, &call, &results);
        let last = lines.iter().rev().find_map(|line| match line {
            Line::Fired { rule, is_final: true, .. } => Some(rule.0 as usize),
            _ => None,
        });
        let Some(last) = last else { continue };
        assert_eq!(lines, run(&rules[..last], &call, &results), "seed {seed}");
    }
}

#[test]
fn a_call_in_the_middle_of_its_rules_can_be_saved() {
    let rules = rules("transfer 101 last=no goes-on from=/^7/; voicemail own=no");
    let call = call("from 74951234567");
    let intervals = intervals();
    let facts = facts(&call, &intervals);
    let mut registers = Registers::default();
    assert_eq!(next(&rules, &facts, &mut registers, None), Next::Ring);
    let saved = serde_json::to_string(&(&rules, registers)).unwrap();
    let (rules, mut registers): (Rules, Registers) = serde_json::from_str(&saved).unwrap();
    registers.report(Report::rang(Outcome::NoAnswer, false), &facts, None);
    match next(&rules, &facts, &mut registers, None) {
        Next::Fire(rule) => assert_eq!(rule.id, RuleId(1)),
        other => panic!("{other:?}"),
    }
}
