//! Incoming call rules: what happens to a call that reaches an extension
//! (specification page `/incom_rule/`; API reference 8 and decisions 12-18).

use core::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::ids::{IntervalId, RuleId, SoundId};
use crate::limits;
use crate::names::Number;
use crate::pattern::Pattern;

/// One incoming call rule. Fields that its type does not use are kept as they were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingRule {
    /// Unique within the extension.
    pub id: RuleId,
    /// For people.
    pub name: Option<Box<str>>,
    /// What it does.
    pub kind: RuleKind,
    /// Switched off, it is as if it were not there.
    pub enabled: bool,
    /// Nothing is looked at after it has fired, whatever came of it (decision 12).
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Pattern over the caller's number; what it means is `caller_id_action`'s.
    pub caller_id: Option<Pattern>,
    /// Which callers it is for.
    pub caller_id_action: CallerAction,
    /// Only after a call with this result.
    pub call_status: Wanted,
    /// Only when the extension itself was rung with this result.
    pub extension_call_status: Wanted,
    /// Only while the extension is in this state.
    pub extension_status: WantedStatus,
    /// Only at these times.
    pub interval: Option<IntervalId>,
    /// What `playfile` plays.
    pub playfile_sound: Option<SoundId>,
    /// Whom `transfer` and `simple_transfer` ring, all at once.
    pub transfer_dst: SmallVec<[Number; 1]>,
    /// How long a forwarding rule tries, seconds; `None`: [`limits::TRANSFER_TIMEOUT_S_DEFAULT`].
    pub transfer_timeout_s: Option<u16>,
    /// Whom `cascade` and `simple_cascade` ring, one after the other.
    pub cascade_numbers: Vec<CascadeNumber>,
    /// Whether an outside party that it was forwarded to may transfer the call.
    pub allow_public_transfer: bool,
    /// The caller hears ringback from us, not what the called network says.
    pub ignore_early_media: bool,
    /// Who answers hears who calls and presses 1; `transfer` and `cascade` only.
    pub enable_call_screening: bool,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// 486.
    Busy,
    /// 480.
    Hangup,
    /// Rings `transfer_dst`; the targets' own rules run.
    Transfer,
    /// Rings the devices of `transfer_dst`.
    SimpleTransfer,
    /// Rings `cascade_numbers` at their delays; the targets' own rules run.
    Cascade,
    /// The same with the targets' devices.
    SimpleCascade,
    /// Answers and plays a sound.
    Playfile,
    /// Answers and records a message.
    Voicemail,
}

impl RuleKind {
    /// All of them, in the order of the specification.
    pub const ALL: [RuleKind; 8] = [
        RuleKind::Busy,
        RuleKind::Transfer,
        RuleKind::SimpleTransfer,
        RuleKind::Hangup,
        RuleKind::Playfile,
        RuleKind::Voicemail,
        RuleKind::Cascade,
        RuleKind::SimpleCascade,
    ];

    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            RuleKind::Busy => "busy",
            RuleKind::Hangup => "hangup",
            RuleKind::Transfer => "transfer",
            RuleKind::SimpleTransfer => "simple_transfer",
            RuleKind::Cascade => "cascade",
            RuleKind::SimpleCascade => "simple_cascade",
            RuleKind::Playfile => "playfile",
            RuleKind::Voicemail => "voicemail",
        }
    }

    /// Whether it rings numbers.
    pub fn forwards(self) -> bool {
        self.largest().is_some()
    }

    /// Whether the rules of the extensions that it rings run.
    pub fn runs_rules_of_targets(self) -> bool {
        matches!(self, RuleKind::Transfer | RuleKind::Cascade)
    }

    /// Whether `enable_call_screening` has an effect.
    pub fn can_screen(self) -> bool {
        matches!(self, RuleKind::Transfer | RuleKind::Cascade)
    }

    /// How many numbers it may ring, if it rings any (decision 15).
    pub fn largest(self) -> Option<usize> {
        match self {
            RuleKind::Transfer => Some(limits::TRANSFER_NUMBERS_MAX),
            RuleKind::SimpleTransfer => Some(limits::SIMPLE_TRANSFER_NUMBERS_MAX),
            RuleKind::Cascade | RuleKind::SimpleCascade => Some(limits::CASCADE_NUMBERS_MAX),
            RuleKind::Busy | RuleKind::Hangup | RuleKind::Playfile | RuleKind::Voicemail => None,
        }
    }

    /// Whether the call is over when it has fired.
    pub fn ends_the_call(self) -> bool {
        matches!(self, RuleKind::Busy | RuleKind::Hangup)
    }
}

/// One number of a cascade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CascadeNumber {
    /// When it joins, seconds from the start of the rule; the smallest of a rule counts as 0.
    pub delay_s: u16,
    /// Who.
    pub number: Number,
}

/// Which callers a rule is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerAction {
    /// All.
    #[default]
    Any,
    /// Those whose number the pattern matches in one of its forms.
    Matches,
    /// Those whose number it matches in none, hidden ones among them.
    NotMatches,
    /// Those that hide their number.
    Anonymous,
}

/// How a call ended that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 486.
    Busy,
    /// Anything else: time ran out, any other error (decision 18).
    NoAnswer,
}

/// Which result of a call a rule wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Any, none among them.
    #[default]
    Any,
    /// [`Outcome::Busy`].
    Busy,
    /// [`Outcome::NoAnswer`].
    NoAnswer,
}

impl Wanted {
    /// Whether a result is what is wanted.
    pub fn takes(self, outcome: Option<Outcome>) -> bool {
        match self {
            Wanted::Any => true,
            Wanted::Busy => outcome == Some(Outcome::Busy),
            Wanted::NoAnswer => outcome == Some(Outcome::NoAnswer),
        }
    }
}

/// Which state of the extension a rule wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WantedStatus {
    /// Whatever it is.
    #[default]
    Any,
    /// It has at least one live contact.
    Registered,
    /// It has none, or none that answers.
    Unreachable,
}

/// Why a rule cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct BadRule {
    /// The field, as the API names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl IncomingRule {
    /// A rule of a type with the documented defaults.
    pub fn new(id: RuleId, kind: RuleKind) -> IncomingRule {
        IncomingRule {
            id,
            name: None,
            kind,
            enabled: true,
            is_final: true,
            caller_id: None,
            caller_id_action: CallerAction::Any,
            call_status: Wanted::Any,
            extension_call_status: Wanted::Any,
            extension_status: WantedStatus::Any,
            interval: None,
            playfile_sound: None,
            transfer_dst: SmallVec::new(),
            transfer_timeout_s: None,
            cascade_numbers: Vec::new(),
            allow_public_transfer: false,
            ignore_early_media: true,
            enable_call_screening: false,
        }
    }

    /// How long a forwarding rule tries.
    pub fn transfer_timeout(&self) -> Duration {
        let seconds = self.transfer_timeout_s.unwrap_or(limits::TRANSFER_TIMEOUT_S_DEFAULT);
        Duration::from_secs(seconds.into())
    }

    /// Whom it rings and after which time, in order; empty for types that ring nobody.
    pub fn targets(&self) -> SmallVec<[(Duration, &Number); 4]> {
        match self.kind {
            RuleKind::Transfer | RuleKind::SimpleTransfer => {
                self.transfer_dst.iter().map(|number| (Duration::ZERO, number)).collect()
            }
            RuleKind::Cascade | RuleKind::SimpleCascade => {
                let mut targets: SmallVec<[_; 4]> = self
                    .cascade_numbers
                    .iter()
                    .map(|c| (Duration::from_secs(c.delay_s.into()), &c.number))
                    .collect();
                targets.sort_by_key(|(delay, _)| *delay);
                // Only the smallest becomes 0; the others stay as they are.
                if let Some((delay, _)) = targets.first().copied() {
                    for target in targets.iter_mut().take_while(|t| t.0 == delay) {
                        target.0 = Duration::ZERO;
                    }
                }
                targets
            }
            RuleKind::Busy | RuleKind::Hangup | RuleKind::Playfile | RuleKind::Voicemail => {
                SmallVec::new()
            }
        }
    }

    /// Whether it asks for nothing at all, so that it fires for every call.
    pub fn is_unconditional(&self) -> bool {
        self.caller_id_action == CallerAction::Any
            && self.call_status == Wanted::Any
            && self.extension_call_status == Wanted::Any
            && self.extension_status == WantedStatus::Any
            && self.interval.is_none()
    }

    /// Whether it looks at what came of ringing the extension or of an earlier rule.
    pub fn waits_for_a_result(&self) -> bool {
        self.call_status != Wanted::Any || self.extension_call_status != Wanted::Any
    }

    /// Checks what a single rule must keep to by itself (specification page, decision 15).
    pub fn check(&self) -> Result<(), BadRule> {
        let bad = |field, why: String| Err(BadRule { field, why });
        if self.name.as_ref().is_some_and(|n| n.chars().count() > limits::RULE_NAME_CHARS_MAX) {
            let max = limits::RULE_NAME_CHARS_MAX;
            return bad("name", format!("must have at most {max} characters"));
        }
        let pattern =
            matches!(self.caller_id_action, CallerAction::Matches | CallerAction::NotMatches);
        if pattern && self.caller_id.is_none() {
            return bad("caller_id", "is required by this caller_id_action".into());
        }
        let timeout = limits::TRANSFER_TIMEOUT_S_MIN..=limits::TRANSFER_TIMEOUT_S_MAX;
        if self.transfer_timeout_s.is_some_and(|t| !timeout.contains(&t)) {
            let (min, max) = (timeout.start(), timeout.end());
            return bad("transfer_timeout", format!("must be {min} to {max} seconds"));
        }
        let late = |c: &CascadeNumber| c.delay_s > limits::CASCADE_DELAY_S_MAX;
        if self.cascade_numbers.iter().any(late) {
            let max = limits::CASCADE_DELAY_S_MAX;
            return bad("cascade_numbers", format!("must have delays of 0 to {max} seconds"));
        }
        let (field, count) = match self.kind {
            RuleKind::Transfer | RuleKind::SimpleTransfer => {
                ("transfer_dst", self.transfer_dst.len())
            }
            RuleKind::Cascade | RuleKind::SimpleCascade => {
                ("cascade_numbers", self.cascade_numbers.len())
            }
            RuleKind::Playfile => ("playfile_sound", usize::from(self.playfile_sound.is_some())),
            RuleKind::Busy | RuleKind::Hangup | RuleKind::Voicemail => return Ok(()),
        };
        if count == 0 {
            return bad(field, format!("is required by the type {}", self.kind.as_str()));
        }
        match self.kind.largest() {
            Some(max) if count > max => {
                let hint = match self.kind {
                    RuleKind::Transfer => "; for more use simple_transfer or a queue",
                    _ => "",
                };
                bad(field, format!("must have at most {max} numbers{hint}"))
            }
            _ => Ok(()),
        }
    }
}

/// The rules of one extension in the order of evaluation: what a call runs through. Immutable; a
/// call that is in the middle of them keeps them by value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules(pub Box<[IncomingRule]>);

impl Rules {
    /// Whether an enabled rule may wait for the result of ringing the extension.
    pub fn wait_for_a_result(&self) -> bool {
        self.0.iter().any(|rule| rule.enabled && rule.waits_for_a_result())
    }

    /// How long the extension itself rings, seconds: what is set, else a shorter time when a rule
    /// waits for the result.
    pub fn ring_timeout_s(&self, set: Option<u16>) -> u16 {
        let default = match self.wait_for_a_result() {
            true => limits::RING_TIMEOUT_S_WITH_RULES,
            false => limits::RING_TIMEOUT_S_DEFAULT,
        };
        set.unwrap_or(default)
    }
}
