//! Incoming call rules: the one function that says what happens next to a call at an extension
//! (specification page `/incom_rule/`; API reference, decisions 12 and 13).
//!
//! The live switch, the dry run and the trace that is stored with every call all use [`next`].

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    CallerAction, End, IncomingRule, Interval, IntervalId, Line, Outcome, RuleKind, Rules, Stop,
    Wall, WantedStatus,
};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::interval::Clock;

/// What a step depends on besides rules and registers.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// The intervals of the tenant.
    pub intervals: &'a BTreeMap<IntervalId, Arc<Interval>>,
    /// The moment.
    pub wall: Wall,
    /// The extension has a live contact; `true` for extensions that are no phones.
    pub registered: bool,
    /// The extension takes messages.
    pub voicemail: bool,
}

/// What is remembered of a call at an extension between two steps. Saved with the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registers {
    /// The rule that is looked at next.
    at: u16,
    /// The rule at `at` has passed its first conditions and waits for the result of ringing.
    judging: bool,
    /// Where the second pass is, if there is one: over the rules for an unreachable extension.
    second: Option<u16>,
    /// Rules that have fired, a bit each.
    fired: u64,
    /// A final rule has fired.
    over: bool,
    /// The extension itself was rung.
    rung: bool,
    /// It was found out during this call that the extension does not answer.
    unreachable: bool,
    /// Result of the last thing dialled.
    call_status: Option<Outcome>,
    /// Result of ringing the extension itself.
    extension_call_status: Option<Outcome>,
}

/// What came of a step that was carried out and did not lead to an answered call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The result of what was dialled; `None`: nothing was (a sound was played).
    pub outcome: Option<Outcome>,
    /// The extension itself was among what was dialled: its own result.
    pub own: Option<Own>,
}

/// What came of ringing the extension itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// The result.
    pub outcome: Outcome,
    /// No device gave a sign of life: the extension is unreachable from now on.
    pub unreachable: bool,
}

impl Report {
    /// The extension was rung.
    pub fn rang(outcome: Outcome, unreachable: bool) -> Report {
        Report { outcome: Some(outcome), own: Some(Own { outcome, unreachable }) }
    }

    /// Numbers were rung, the extension not among them.
    pub fn forwarded(outcome: Outcome) -> Report {
        Report { outcome: Some(outcome), own: None }
    }

    /// A sound was played to its end, or could not be played.
    pub fn played() -> Report {
        Report { outcome: None, own: None }
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Ring the extension's own devices, without rules; answered by [`Registers::report`].
    Ring,
    /// Do what the rule says; if that does not lead to an answered call, [`Registers::report`].
    Fire(&'a IncomingRule),
    /// Nothing is left to do: the caller gets 486 for busy, else 480.
    Finish(Outcome),
}

impl Registers {
    /// Notes what came of the last step.
    pub fn report(&mut self, report: Report, facts: &Facts<'_>, trace: Option<&mut Vec<Line>>) {
        if let Some(outcome) = report.outcome {
            self.call_status = Some(outcome);
        }
        let mut lines = Trace(trace);
        lines.add(Line::Result { outcome: report.outcome });
        let Some(own) = report.own else { return };
        self.rung = true;
        self.extension_call_status = Some(own.outcome);
        // An extension that was known to be unreachable has had those rules looked at already.
        if own.unreachable && facts.registered && !self.unreachable {
            self.unreachable = true;
            self.second = Some(0);
            lines.add(Line::FoundUnreachable);
        }
    }

    /// Those of a call at an extension without rules, which rings.
    pub fn ringing() -> Registers {
        Registers { rung: true, ..Registers::default() }
    }

    /// The result of the last thing dialled so far.
    pub fn call_status(&self) -> Option<Outcome> {
        self.call_status
    }

    fn has_fired(&self, at: u16) -> bool {
        self.fired & bit(at) != 0
    }
}

/// Rules are at most 50, so that a word holds a bit for each.
fn bit(at: u16) -> u64 {
    1u64.checked_shl(at.into()).unwrap_or(0)
}

const _: () = assert!(model::limits::RULES_MAX <= 64);

/// Says what happens next to a call at an extension, and why when a trace is given.
///
/// Always ends: every call of it moves one of the two passes on, rings the extension (once) or
/// finishes. Without a trace nothing is allocated.
pub fn next<'r>(
    rules: &'r Rules,
    facts: &Facts<'_>,
    registers: &mut Registers,
    trace: Option<&mut Vec<Line>>,
) -> Next<'r> {
    let mut trace = Trace(trace);
    let mut clock = Clock::new(facts.wall);
    if !registers.over {
        while let Some(at) = registers.second {
            let Some(rule) = rules.0.get(usize::from(at)) else {
                registers.second = None;
                break;
            };
            registers.second = Some(at + 1);
            // Only what was not looked at as it is now.
            if rule.extension_status != WantedStatus::Unreachable || registers.has_fired(at) {
                continue;
            }
            match judge(rule, facts, registers, &mut clock, false) {
                Judgement::Skip(why) => trace.add(Line::Skipped { rule: rule.id, why }),
                Judgement::Wait | Judgement::Fire => return fire(rule, at, registers, trace),
            }
        }
        while let Some(rule) = rules.0.get(usize::from(registers.at)) {
            let at = registers.at;
            if registers.has_fired(at) {
                trace.add(Line::Skipped { rule: rule.id, why: Stop::HasFired });
                registers.at += 1;
                continue;
            }
            let judging = core::mem::take(&mut registers.judging);
            match judge(rule, facts, registers, &mut clock, judging) {
                Judgement::Skip(why) => {
                    trace.add(Line::Skipped { rule: rule.id, why });
                    registers.at += 1;
                }
                Judgement::Wait => {
                    registers.judging = true;
                    registers.rung = true;
                    trace.add(Line::Rings { waiting: Some(rule.id) });
                    return Next::Ring;
                }
                Judgement::Fire => {
                    registers.at += 1;
                    return fire(rule, at, registers, trace);
                }
            }
        }
        if !registers.rung {
            registers.rung = true;
            trace.add(Line::Rings { waiting: None });
            return Next::Ring;
        }
    }
    let outcome = registers.call_status.unwrap_or(Outcome::NoAnswer);
    trace.add(Line::Ended { end: End::of(outcome) });
    Next::Finish(outcome)
}

fn fire<'r>(
    rule: &'r IncomingRule,
    at: u16,
    registers: &mut Registers,
    mut trace: Trace<'_>,
) -> Next<'r> {
    registers.fired |= bit(at);
    registers.over |= rule.is_final || rule.kind.ends_the_call();
    trace.add(Line::Fired { rule: rule.id, kind: rule.kind, is_final: rule.is_final });
    Next::Fire(rule)
}

enum Judgement {
    Skip(Stop),
    /// The extension must be rung first.
    Wait,
    Fire,
}

/// Looks at one rule. `judging`: what does not depend on results was looked at before.
fn judge(
    rule: &IncomingRule,
    facts: &Facts<'_>,
    registers: &Registers,
    clock: &mut Clock,
    judging: bool,
) -> Judgement {
    if !judging && let Some(why) = stops(rule, facts, registers, clock) {
        return Judgement::Skip(why);
    }
    if rule.waits_for_a_result() && !registers.rung && registers.call_status.is_none() {
        return Judgement::Wait;
    }
    if !rule.call_status.takes(registers.call_status) {
        return Judgement::Skip(Stop::CallStatus { is: registers.call_status });
    }
    // Never while the extension was not rung.
    if !rule.extension_call_status.takes(registers.extension_call_status) {
        let is = registers.extension_call_status;
        return Judgement::Skip(Stop::ExtensionCallStatus { is });
    }
    Judgement::Fire
}

/// The conditions that do not depend on results, in their documented order.
fn stops(
    rule: &IncomingRule,
    facts: &Facts<'_>,
    registers: &Registers,
    clock: &mut Clock,
) -> Option<Stop> {
    if !rule.enabled {
        return Some(Stop::Disabled);
    }
    if let Some(why) = caller_stops(rule, facts.caller) {
        return Some(why);
    }
    if let Some(id) = rule.interval {
        let interval = facts.intervals.get(&id);
        if !interval.is_some_and(|interval| clock.is_active(interval)) {
            return Some(Stop::Interval { interval: id });
        }
    }
    let registered = facts.registered && !registers.unreachable;
    match rule.extension_status {
        WantedStatus::Any => {}
        WantedStatus::Registered if registered => {}
        WantedStatus::Unreachable if !registered => {}
        WantedStatus::Registered | WantedStatus::Unreachable => {
            return Some(Stop::ExtensionStatus { registered });
        }
    }
    (rule.kind == RuleKind::Voicemail && !facts.voicemail).then_some(Stop::NoVoicemail)
}

/// Decision 17.
fn caller_stops(rule: &IncomingRule, caller: &Caller) -> Option<Stop> {
    let (pattern, wants_match) = match (rule.caller_id_action, &rule.caller_id) {
        (CallerAction::Any, _) => return None,
        (CallerAction::Anonymous, _) => return (!caller.is_hidden()).then_some(Stop::NotAnonymous),
        (CallerAction::Matches, Some(pattern)) => (pattern, true),
        (CallerAction::NotMatches, Some(pattern)) => (pattern, false),
        // A rule is checked before it is stored: without a pattern nothing matches.
        (CallerAction::Matches, None) => return Some(Stop::Caller { gave_up: false }),
        (CallerAction::NotMatches, None) => return None,
    };
    let mut gave_up = false;
    let matches = caller.forms().any(|form| {
        pattern.is_match(form).unwrap_or_else(|_limit| {
            gave_up = true;
            false
        })
    });
    (matches != wants_match).then_some(Stop::Caller { gave_up })
}

/// Plays rules through without a call: `outcome` says what would come of each step, and may write
/// into the trace why; `None`: it is answered. Returns the trace.
pub fn explain(
    rules: &Rules,
    facts: &Facts<'_>,
    mut outcome: impl FnMut(Next<'_>, &mut Vec<Line>) -> Option<Report>,
) -> Vec<Line> {
    let mut registers = Registers::default();
    let mut lines = Vec::new();
    loop {
        let step = next(rules, facts, &mut registers, Some(&mut lines));
        match step {
            Next::Finish(_) => return lines,
            Next::Fire(rule) if rule.kind.ends_the_call() => {
                lines.push(Line::Ended { end: End::of_rule(rule.kind) });
                return lines;
            }
            Next::Ring | Next::Fire(_) => match outcome(step, &mut lines) {
                Some(report) => registers.report(report, facts, Some(&mut lines)),
                None => {
                    lines.push(Line::Ended { end: End::Answered });
                    return lines;
                }
            },
        }
    }
}

/// The lines of a trace, if one is kept.
struct Trace<'a>(Option<&'a mut Vec<Line>>);

impl Trace<'_> {
    fn add(&mut self, line: Line) {
        if let Some(lines) = &mut self.0 {
            lines.push(line);
        }
    }
}
