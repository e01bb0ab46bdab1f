//! What can be said against rules before a call comes: returned in `warnings` when rules are
//! saved, and by the check of the API.

use core::fmt;

use model::{CallerAction, IncomingRule, RuleId, RuleKind, Rules, Skipped};

/// Something about a rule that its author will not have meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It can never fire: an unconditional final rule comes before it.
    NeverFires {
        /// Which.
        rule: RuleId,
        /// The one before it.
        after: RuleId,
    },
    /// `enable_call_screening` has no effect on its type.
    NoScreening {
        /// Which.
        rule: RuleId,
    },
    /// It has a pattern that is not looked at, since `caller_id_action` is `any`.
    UnusedPattern {
        /// Which.
        rule: RuleId,
    },
    /// It forwards to numbers whose own rules lead back: that number is skipped in such a call.
    Loop {
        /// Which.
        rule: RuleId,
        /// The way around, numbers as people dial them, the extension first and last.
        path: Vec<String>,
    },
    /// No extension has this number and no trunk takes it.
    LeadsNowhere {
        /// Which.
        rule: RuleId,
        /// The number.
        number: String,
    },
    /// It is a number of the outside that the client may not call.
    NotAllowed {
        /// Which.
        rule: RuleId,
        /// The number.
        number: String,
    },
    /// Nothing enters such an extension.
    NotServed {
        /// Which.
        rule: RuleId,
        /// The number.
        number: String,
    },
    /// The extension takes no messages, so the rule is skipped.
    NoVoicemail {
        /// Which.
        rule: RuleId,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::NeverFires { rule, after } => {
                write!(
                    f,
                    "rule {rule} can never fire: rule {after} before it always does, and is final"
                )
            }
            Finding::NoScreening { rule } => {
                write!(
                    f,
                    "rule {rule}: enable_call_screening has an effect on transfer and cascade only"
                )
            }
            Finding::UnusedPattern { rule } => {
                write!(f, "rule {rule}: caller_id is not looked at while caller_id_action is any")
            }
            Finding::Loop { rule, path } => {
                write!(f, "rule {rule} forwards in a circle: {}", path.join(" -> "))
            }
            Finding::LeadsNowhere { rule, number } => {
                write!(f, "rule {rule}: neither an extension nor a trunk takes {number}")
            }
            Finding::NotAllowed { rule, number } => {
                write!(
                    f,
                    "rule {rule}: outside_allowed of the settings does not let {number} be called"
                )
            }
            Finding::NotServed { rule, number } => {
                write!(f, "rule {rule}: {number} is a queue or a menu, which no call enters yet")
            }
            Finding::NoVoicemail { rule } => {
                write!(f, "rule {rule} is skipped: vm_enabled of the phone is false")
            }
        }
    }
}

/// What a number leads to, as far as findings care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward<'a> {
    /// To the extension of the rules: its own devices.
    Own,
    /// To another extension of the tenant, by its short name, and its rules.
    Extension(&'a str, Option<&'a Rules>),
    /// Somewhere else: to the outside, or to a place that takes the call.
    Elsewhere,
    /// It is skipped in every call.
    Skipped(Skipped),
}

/// Looks at the rules of one extension, called `own`. `lead` says what a number leads to.
pub fn findings<'a>(
    own: &'a str,
    rules: &'a Rules,
    voicemail: bool,
    lead: &impl Fn(&str, &str) -> Onward<'a>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut last: Option<RuleId> = None;
    for rule in rules.0.iter().filter(|rule| rule.enabled) {
        let id = rule.id;
        if let Some(after) = last {
            found.push(Finding::NeverFires { rule: id, after });
        }
        let skipped = rule.kind == RuleKind::Voicemail && !voicemail;
        if skipped {
            found.push(Finding::NoVoicemail { rule: id });
        }
        let ends = rule.is_final || rule.kind.ends_the_call();
        if last.is_none() && ends && !skipped && rule.is_unconditional() {
            last = Some(id);
        }
        if rule.enable_call_screening && !rule.kind.can_screen() {
            found.push(Finding::NoScreening { rule: id });
        }
        if rule.caller_id.is_some() && rule.caller_id_action == CallerAction::Any {
            found.push(Finding::UnusedPattern { rule: id });
        }
        for (_, number) in rule.targets() {
            if let Onward::Skipped(why) = lead(own, number.as_str()) {
                found.extend(of_number(id, number.as_str(), why));
            }
        }
        let mut path = vec![own];
        if way_back(rule, &mut path, &mut Vec::new(), lead) {
            let path = path.iter().map(|name| (*name).to_owned()).collect();
            found.push(Finding::Loop { rule: id, path });
        }
    }
    found
}

/// What is to be said of a number that is skipped.
fn of_number(rule: RuleId, number: &str, why: Skipped) -> Option<Finding> {
    let number = number.to_owned();
    match why {
        Skipped::NoSuchNumber => Some(Finding::LeadsNowhere { rule, number }),
        Skipped::NotAllowed => Some(Finding::NotAllowed { rule, number }),
        Skipped::NotServed => Some(Finding::NotServed { rule, number }),
        // It is there, and may be let in again.
        Skipped::Blocked => None,
        // These are of a call, not of a rule.
        Skipped::Loop
        | Skipped::TooDeep
        | Skipped::TooMany
        | Skipped::OutsideLimit
        | Skipped::SlotTaken
        | Skipped::NoFreeSlot
        | Skipped::NotParked => None,
    }
}

/// Follows forwards that run the rules of their targets, depth first, until one leads back to the
/// first of `path`; then `path` is the way. `seen` are those that lead nowhere near.
fn way_back<'a>(
    rule: &IncomingRule,
    path: &mut Vec<&'a str>,
    seen: &mut Vec<&'a str>,
    lead: &impl Fn(&str, &str) -> Onward<'a>,
) -> bool {
    // A call goes no deeper either.
    if !rule.kind.runs_rules_of_targets() || path.len() > model::limits::HOPS_MAX {
        return false;
    }
    let (Some(first), Some(here)) = (path.first().copied(), path.last().copied()) else {
        return false;
    };
    for (_, number) in rule.targets() {
        let Onward::Extension(name, rules) = lead(here, number.as_str()) else { continue };
        if name == first {
            path.push(name);
            return true;
        }
        if path.contains(&name) || seen.contains(&name) {
            continue;
        }
        path.push(name);
        let of_target = rules.iter().flat_map(|rules| rules.0.iter());
        for next in of_target.filter(|rule| rule.enabled) {
            if way_back(next, path, seen, lead) {
                return true;
            }
        }
        path.pop();
        seen.push(name);
    }
    false
}
