//! Why a call went where it went: one line for each rule that was looked at and each step taken.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{ExtensionId, IntervalId, RuleId, SoundId};
use crate::names::Number;
use crate::rule::{Outcome, RuleKind};
use crate::time::Wall;

/// One line of a call's trace, with where and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEntry {
    /// When.
    pub at: Wall,
    /// At which extension; `None`: what the caller dialled is none.
    pub extension: Option<ExtensionId>,
    /// What.
    #[serde(flatten)]
    pub line: Line,
}

/// One line of a trace. Stored with the call, shown by the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Line {
    /// A rule did not fire.
    Skipped {
        /// Which.
        rule: RuleId,
        /// What stopped it.
        why: Stop,
    },
    /// A rule fired.
    Fired {
        /// Which.
        rule: RuleId,
        /// What it does.
        #[serde(rename = "type")]
        kind: RuleKind,
        /// Nothing is looked at after it.
        #[serde(rename = "final")]
        is_final: bool,
    },
    /// The extension itself is rung.
    Rings {
        /// The rule that waits for the result; `None`: the end of the list was reached.
        waiting: Option<RuleId>,
    },
    /// What came of the last step; `None`: nothing was dialled.
    Result {
        /// The result.
        outcome: Option<Outcome>,
    },
    /// A number of a rule, or the dialled one, is not rung.
    NumberSkipped {
        /// The number.
        number: Number,
        /// Why.
        reason: Skipped,
    },
    /// A number of a rule begins to ring.
    NumberRings {
        /// The number.
        number: Number,
    },
    /// What came of a number of a rule.
    NumberFailed {
        /// The number.
        number: Number,
        /// The result.
        result: Outcome,
    },
    /// No device of the extension gave a sign of life: the rules for an unreachable extension that
    /// have not fired are gone through once more.
    FoundUnreachable,
    /// A rule has no sound to play, or the sound is damaged: it counts as played.
    NoSound {
        /// Which; `None`: the rule names none.
        sound: Option<SoundId>,
    },
    /// Who has answered hears who calls and is asked to take the call.
    Asked,
    /// It is over.
    Ended {
        /// How.
        end: End,
    },
}

/// What stopped a rule: the first of its conditions that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Stop {
    /// It is switched off.
    Disabled,
    /// The caller's number.
    Caller {
        /// The pattern was given up at its bounds.
        gave_up: bool,
    },
    /// The caller does not hide the number.
    NotAnonymous,
    /// The interval is not active, or not there any more.
    Interval {
        /// Which.
        interval: IntervalId,
    },
    /// The state of the extension.
    ExtensionStatus {
        /// The state that it is in.
        registered: bool,
    },
    /// The result of the last thing dialled.
    CallStatus {
        /// The result; `None`: nothing was dialled.
        is: Option<Outcome>,
    },
    /// The result of ringing the extension itself.
    ExtensionCallStatus {
        /// The result; `None`: it was not rung.
        is: Option<Outcome>,
    },
    /// The extension takes no messages.
    NoVoicemail,
    /// It has fired already, when the extension was found to be unreachable.
    HasFired,
}

/// Why a number is not rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// The rules of its extension have led here: it would go round in a circle.
    Loop,
    /// As many extensions as may lead to one another have done so.
    TooDeep,
    /// The call has as many branches as it may have.
    TooMany,
    /// It leads nowhere.
    NoSuchNumber,
    /// Its extension is blocked.
    Blocked,
    /// Nothing enters such an extension.
    NotServed,
    /// A number of the outside that the client may not call.
    NotAllowed,
    /// As many calls to the outside as may be at once, or in an hour, have been begun.
    OutsideLimit,
    /// Somebody is parked in that slot.
    SlotTaken,
    /// Somebody is parked in every slot.
    NoFreeSlot,
    /// Who calls is in the middle of something else, and is not parked.
    NotParked,
}

impl Skipped {
    /// Whether it says something of the number itself, and not of the moment of the call.
    pub fn is_lasting(self) -> bool {
        match self {
            Skipped::NoSuchNumber | Skipped::Blocked | Skipped::NotServed | Skipped::NotAllowed => {
                true
            }
            Skipped::Loop
            | Skipped::TooDeep
            | Skipped::TooMany
            | Skipped::OutsideLimit
            | Skipped::SlotTaken
            | Skipped::NoFreeSlot
            | Skipped::NotParked => false,
        }
    }
}

/// How the rules ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Somebody, or a machine, has the call.
    Answered,
    /// 486.
    Busy,
    /// 480.
    NoAnswer,
}

impl End {
    /// When nothing is left to do.
    pub fn of(outcome: Outcome) -> End {
        match outcome {
            Outcome::Busy => End::Busy,
            Outcome::NoAnswer => End::NoAnswer,
        }
    }

    /// Of a rule that ends the call.
    pub fn of_rule(kind: RuleKind) -> End {
        match kind {
            RuleKind::Busy => End::Busy,
            _ => End::NoAnswer,
        }
    }
}

fn outcome(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Busy) => "busy",
        Some(Outcome::NoAnswer) => "no answer",
        None => "nothing",
    }
}

/// As people read it: one short sentence.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Skipped { rule, why } => write!(f, "rule {rule} is skipped: {why}"),
            Line::Fired { rule, kind, is_final } => {
                let last = if *is_final { ", the last" } else { "" };
                write!(f, "rule {rule} fires: {}{last}", kind.as_str())
            }
            Line::Rings { waiting: Some(rule) } => {
                write!(f, "the extension rings, rule {rule} waits for the result")
            }
            Line::Rings { waiting: None } => f.write_str("the extension rings"),
            Line::Result { outcome: None } => f.write_str("played"),
            Line::Result { outcome: result } => write!(f, "result: {}", outcome(*result)),
            Line::NumberSkipped { number, reason } => write!(f, "{number} is skipped: {reason}"),
            Line::NumberRings { number } => write!(f, "{number} rings"),
            Line::NumberFailed { number, result } => {
                write!(f, "{number}: {}", outcome(Some(*result)))
            }
            Line::FoundUnreachable => f.write_str("the extension is unreachable"),
            Line::NoSound { sound: Some(sound) } => {
                write!(f, "sound {sound} is missing or damaged: it counts as played")
            }
            Line::NoSound { sound: None } => f.write_str("no sound is set: it counts as played"),
            Line::Asked => f.write_str("who has answered is asked to take the call"),
            Line::Ended { end: End::Answered } => f.write_str("answered"),
            Line::Ended { end: End::Busy } => f.write_str("the caller gets 486"),
            Line::Ended { end: End::NoAnswer } => f.write_str("the caller gets 480"),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Disabled => f.write_str("disabled"),
            Stop::Caller { gave_up: false } => f.write_str("the caller's number"),
            Stop::Caller { gave_up: true } => {
                f.write_str("the caller's number, whose pattern was given up at its bounds")
            }
            Stop::NotAnonymous => f.write_str("the caller shows a number"),
            Stop::Interval { interval } => write!(f, "interval {interval} is not active"),
            Stop::ExtensionStatus { registered: true } => {
                f.write_str("the extension is registered")
            }
            Stop::ExtensionStatus { registered: false } => {
                f.write_str("the extension is unreachable")
            }
            Stop::CallStatus { is: None } => f.write_str("nothing was rung before it"),
            Stop::CallStatus { is } => write!(f, "the last call's result is {}", outcome(*is)),
            Stop::ExtensionCallStatus { is: None } => f.write_str("the extension was not rung"),
            Stop::ExtensionCallStatus { is } => {
                write!(f, "the extension's own result is {}", outcome(*is))
            }
            Stop::NoVoicemail => f.write_str("the extension takes no messages"),
            Stop::HasFired => f.write_str("it has fired already"),
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Skipped::Loop => "its rules have led here",
            Skipped::TooDeep => "too many extensions lead to one another",
            Skipped::TooMany => "the call has too many branches",
            Skipped::NoSuchNumber => "it leads nowhere",
            Skipped::Blocked => "its extension is blocked",
            Skipped::NotServed => "nothing enters such an extension",
            Skipped::NotAllowed => "the client may not call it",
            Skipped::OutsideLimit => "too many calls to the outside",
            Skipped::SlotTaken => "somebody is parked there",
            Skipped::NoFreeSlot => "somebody is parked in every slot",
            Skipped::NotParked => "the caller cannot be parked now",
        })
    }
}
