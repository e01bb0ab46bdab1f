//! What a tenant has set about where calls go: rules, intervals, trunks, numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::feature_codes::FeatureCodes;
use crate::ids::{DialRulesId, ExtensionId, FileId, IntervalId, SoundId, TrunkId};
use crate::interval::Interval;
use crate::names::Number;
use crate::pattern::Pattern;
use crate::rule::Rules;
use crate::settings::SettingsShown;
use crate::speech::Language;
use crate::trunk::{ShownOnForward, Trunk};

/// The part of a snapshot that routing reads. Parts are shared, a write rebuilds its part.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// Incoming call rules of extensions that have some.
    pub rules: BTreeMap<ExtensionId, Arc<Rules>>,
    /// Time intervals.
    pub intervals: BTreeMap<IntervalId, Arc<Interval>>,
    /// Trunks, in the order in which they are tried.
    pub trunks: BTreeMap<TrunkId, Arc<TrunkUse>>,
    /// Lists of rewritings for dialled numbers.
    pub dial_rules: BTreeMap<DialRulesId, Arc<[Rewriting]>>,
    /// Numbers of the outside that lead to extensions, by their E.164 digits.
    pub dids: BTreeMap<Box<str>, Arc<Did>>,
    /// Numbers that extensions show to the outside; those without show the client's.
    pub anis: BTreeMap<ExtensionId, Number>,
    /// Sounds.
    pub sounds: BTreeMap<SoundId, Arc<Sound>>,
    /// Settings of the client.
    pub settings: RoutingSettings,
}

/// A number of the outside that leads to an extension (API reference 19.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Did {
    /// As it was written.
    pub name: Box<str>,
    /// Where it leads; `None`: it is not bound.
    pub extension: Option<ExtensionId>,
}

/// How a tenant uses a trunk.
#[derive(Clone, Debug)]
pub struct TrunkUse {
    /// Its SIP side.
    pub trunk: Arc<Trunk>,
    /// Numbers that it takes: one of them must match; none: all.
    pub patterns: Vec<Pattern>,
    /// ISO 3166-1 code of the country in whose form it sends numbers.
    pub country: Box<str>,
    /// Rewritings of numbers that it sends us, the first that matches counts.
    pub rewrite_in: Vec<Rewriting>,
    /// Rewritings of numbers that we send it, the first that matches counts.
    pub rewrite_out: Vec<Rewriting>,
    /// Calls at a time; `None`: no bound of ours.
    pub channels: Option<u32>,
    /// Whose number is shown when a call of the outside is forwarded by it.
    pub caller_id: ShownOnForward,
    /// The number of [`ShownOnForward::Fixed`], and of a caller for whom no other is set.
    pub fixed_caller_id: Option<Number>,
    /// It takes a changed identity during a call.
    pub update_display: bool,
}

impl TrunkUse {
    /// A trunk that takes every number as it is, without a bound of ours.
    pub fn new(trunk: Arc<Trunk>, country: &str) -> TrunkUse {
        TrunkUse {
            trunk,
            patterns: Vec::new(),
            country: country.into(),
            rewrite_in: Vec::new(),
            rewrite_out: Vec::new(),
            channels: None,
            caller_id: ShownOnForward::default(),
            fixed_caller_id: None,
            update_display: false,
        }
    }
}

/// A sound of the client (API reference 21): what a rule plays, what a phone is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Its converted content.
    pub file: FileId,
    /// How long it is, milliseconds.
    pub length_ms: u32,
}

/// What keeps a stolen password from making a fortune of calls to the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutsideLimits {
    /// Calls to the outside at a time, of the client.
    pub calls: u32,
    /// Calls to the outside that may begin in a minute, of the client.
    pub calls_per_minute: u32,
    /// Calls to the outside at a time, of one extension.
    pub extension_calls: u32,
    /// Calls to the outside that may begin in a minute, of one extension.
    pub extension_calls_per_minute: u32,
}

impl Default for OutsideLimits {
    /// Enough for an office in its busiest minute, far too few for a fraud that pays.
    fn default() -> OutsideLimits {
        OutsideLimits {
            calls: 100,
            calls_per_minute: 120,
            extension_calls: 10,
            extension_calls_per_minute: 20,
        }
    }
}

/// A number that matches becomes another (API reference 19.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewriting {
    /// What must match.
    pub match_exp: Pattern,
    /// What the match becomes; `\1` to `\9` are its groups.
    pub repl_exp: Box<str>,
}

/// What the first rewriting that matches makes of a number; the number itself when none does, or
/// when a match was given up at its bounds or left no number.
pub fn rewritten(number: &Number, rewritings: &[Rewriting]) -> Number {
    let made = rewritings.iter().find_map(|rewriting| {
        let made = rewriting.match_exp.replace(number.as_str(), &rewriting.repl_exp);
        made.ok().flatten()
    });
    made.and_then(|text| Number::parse(&text).ok()).unwrap_or_else(|| number.clone())
}

/// Settings of a client that routing reads (API reference, decision 22).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingSettings {
    /// 600 and 603 of a phone are busy, not no_answer (decision 18).
    pub decline_is_busy: bool,
    /// Numbers that no limit stops.
    pub emergency_numbers: Vec<Number>,
    /// ISO 3166-1 code of the client's country.
    pub country: Box<str>,
    /// The client's list of rewritings, after the extension's.
    pub dial_rules: Option<DialRulesId>,
    /// The number that the client shows to the outside.
    pub ani: Option<Number>,
    /// Patterns of numbers beyond the client's country that may be called, in E.164 with the plus.
    pub outside_allowed: Vec<Pattern>,
    /// Bounds of calls to the outside.
    pub outside_limits: OutsideLimits,
    /// In which language the switch speaks.
    pub language: Language,
    /// What is dialled or pressed to make the switch do something.
    pub feature_codes: FeatureCodes,
    /// The remaining documented settings, which only the API shows so far.
    pub shown: SettingsShown,
}

impl Default for RoutingSettings {
    fn default() -> RoutingSettings {
        let emergency = Number::parse("112");
        RoutingSettings {
            decline_is_busy: false,
            emergency_numbers: emergency.into_iter().collect(),
            country: "RU".into(),
            dial_rules: None,
            ani: None,
            outside_allowed: Vec::new(),
            outside_limits: OutsideLimits::default(),
            language: Language::default(),
            feature_codes: FeatureCodes::default(),
            shown: SettingsShown::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rewriting_that_matches_counts() {
        let rewriting = |match_exp, repl_exp: &str| Rewriting {
            match_exp: Pattern::parse(match_exp).unwrap(),
            repl_exp: repl_exp.into(),
        };
        let list = [
            rewriting("^([0-9]{7})$", r"8812\1"),
            rewriting("^8812", "7812"),
            rewriting("^9$", ""),
        ];
        let of = |text: &str| rewritten(&Number::parse(text).unwrap(), &list).to_string();
        assert_eq!(of("1234567"), "88121234567", "one is enough");
        assert_eq!(of("88121234567"), "78121234567");
        assert_eq!(of("100"), "100");
        assert_eq!(of("9"), "9", "nothing is no number");
    }
}
