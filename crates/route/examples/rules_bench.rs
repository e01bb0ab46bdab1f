//! What evaluating 50 rules costs: `cargo run --release -p route --example rules_bench`.
//!
//! Half of the rules have a pattern over the caller's number, half an interval of three
//! conditions; none of them fires, so that all are looked at.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use jiff::civil::time;
use model::{
    CallerAction, Condition, IncomingRule, Interval, IntervalId, Pattern, RuleId, RuleKind, Rules,
    Wall, Zone,
};
use route::rules::next;
use route::{Caller, Country, Facts, Registers};

fn main() {
    let zone = Zone::parse("Europe/Moscow").unwrap();
    let condition = |day| Condition {
        days_of_week: Some((day, day)),
        times: Some((time(9, 0, 0, 0), time(17, 59, 59, 0))),
        ..Condition::default()
    };
    let intervals: BTreeMap<_, _> = (1..=25)
        .map(|id| {
            let conditions = vec![condition(2), condition(3), condition(4)];
            let interval =
                Interval { id: IntervalId(id), name: "".into(), zone: zone.clone(), conditions };
            (IntervalId(id), Arc::new(interval))
        })
        .collect();
    let rules = (1..=50u64).map(|id| {
        let mut rule = IncomingRule::new(RuleId(id), RuleKind::Busy);
        if id % 2 == 0 {
            let pattern = format!(r"^(\+|)7{:03}(\d{{3}}|5\d)\d+$", 812 + id);
            rule.caller_id = Some(Pattern::parse(&pattern).unwrap());
            rule.caller_id_action = CallerAction::Matches;
        } else {
            rule.interval = Some(IntervalId(id.div_ceil(2)));
        }
        rule
    });
    let rules = Rules(rules.collect());
    let caller = Caller::external("+74951234567", Country::of("RU"));
    let facts = Facts {
        caller: &caller,
        intervals: &intervals,
        // A Sunday.
        wall: Wall(1_772_359_200_000_000),
        registered: true,
        voicemail: true,
    };
    let rounds = 200_000u32;
    let mut lines = Vec::new();
    for traced in [false, true] {
        let start = Instant::now();
        for _ in 0..rounds {
            let mut registers = Registers::default();
            lines.clear();
            let trace = traced.then_some(&mut lines);
            black_box(next(black_box(&rules), &facts, &mut registers, trace));
        }
        let each = start.elapsed() / rounds;
        println!("50 rules {} trace: {each:?}", if traced { "with" } else { "without" });
    }
}
