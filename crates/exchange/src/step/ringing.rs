//! Ringing: all devices of one extension ring, the first answer wins.

use leg::{Gain, Hears, LegEvent, LegId, Player, Source, Tone};
use model::EndReason;
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::talking::Talking;
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer, reason_for};
use crate::call::{BranchId, Call, LegState};

/// The devices of an extension ring for a caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ringing {
    /// Who calls.
    pub caller: LegId,
    /// The called extension's branch.
    pub branch: BranchId,
    /// The devices that have neither answered nor failed.
    pub devices: Vec<LegId>,
    /// The caller was told that it rings.
    pub told: bool,
    /// The device whose early media the caller hears.
    pub early: Option<LegId>,
    /// What the devices that have failed leave for the caller.
    pub outcome: Outcome,
}

/// The result of the devices that have failed so far; a later one is more telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// None has responded, or none could be reached.
    Unreachable,
    /// One has refused with a status that says nothing of the person.
    Refused {
        /// The status.
        status: u16,
    },
    /// One has no codec in common with us.
    NoCommonCodec,
    /// One was busy.
    Busy,
}

impl Outcome {
    fn reason(self) -> EndReason {
        match self {
            Outcome::Unreachable => EndReason::Unreachable,
            Outcome::Refused { .. } => EndReason::Refused,
            Outcome::NoCommonCodec => EndReason::NoCommonCodec,
            Outcome::Busy => EndReason::Busy,
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Outcome::Unreachable => None,
            Outcome::Refused { status } => Some(status),
            Outcome::NoCommonCodec => Some(488),
            Outcome::Busy => Some(486),
        }
    }
}

impl Ringing {
    /// The devices `legs` have been dialled for `caller`.
    pub fn begin(caller: LegId, branch: BranchId, legs: Vec<LegId>) -> Ringing {
        Ringing {
            caller,
            branch,
            devices: legs,
            told: false,
            early: None,
            outcome: Outcome::Unreachable,
        }
    }

    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match input {
            StepInput::Leg(leg, event) if *leg == self.caller => {
                self.caller_event(event, facts, actions)
            }
            StepInput::Leg(leg, event) => self.device_event(*leg, event, facts, actions),
            StepInput::Timer(Timer::RingTimeout) => {
                self.give_up(EndReason::NoAnswer, None, actions)
            }
            StepInput::Timer(Timer::NoResponse) => self.drop_silent_devices(facts, actions),
            StepInput::HangUp { branch, reason } if *branch == self.branch => {
                self.give_up(*reason, None, actions)
            }
            StepInput::HangUp { reason, .. } => self.caller_gone(*reason, *reason, actions),
            StepInput::EndAll(reason) => self.caller_gone(*reason, *reason, actions),
            // Keys before the answer mean nothing here; nobody is missed by their silence; the
            // timer of another step cannot come to this one.
            StepInput::Digit { .. } | StepInput::Silent(_) | StepInput::Timer(Timer::Phase) => {
                Next::Stay(Step::Ringing(self))
            }
        }
    }

    fn caller_event(self, event: &LegEvent, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match event {
            LegEvent::Ended { reason, .. } => {
                let reason = reason_for(BranchId::CALLER, *reason);
                // The called phone shows a missed call only if nobody answered elsewhere.
                self.caller_gone(reason, EndReason::Cancelled, actions)
            }
            LegEvent::Offer(_) => {
                // An UPDATE before the answer.
                actions.push(Action::AnswerOffer { leg: self.caller });
                let _ = facts;
                Next::Stay(Step::Ringing(self))
            }
            // A leg that came in and is not answered says nothing else that matters here.
            _ => Next::Stay(Step::Ringing(self)),
        }
    }

    fn device_event(
        mut self,
        leg: LegId,
        event: &LegEvent,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        match event {
            LegEvent::Progress { status, early } => {
                self.progress(leg, *status, early.is_some(), facts, actions);
                Next::Stay(Step::Ringing(self))
            }
            LegEvent::Answered { .. } => self.answered(leg, facts, actions),
            LegEvent::Ended { reason: EndReason::Declined, status, .. } => {
                self.devices.retain(|d| *d != leg);
                self.give_up(EndReason::Declined, *status, actions)
            }
            LegEvent::Ended { reason, status, .. } => {
                let outcome = match (reason, status) {
                    (EndReason::Busy, _) => Outcome::Busy,
                    (EndReason::NoCommonCodec, _) => Outcome::NoCommonCodec,
                    (_, Some(status)) => Outcome::Refused { status: *status },
                    (_, None) => Outcome::Unreachable,
                };
                self.failed(leg, outcome, actions)
            }
            LegEvent::Offer(_) => {
                actions.push(Action::AnswerOffer { leg });
                Next::Stay(Step::Ringing(self))
            }
            // Nothing else can come from a leg that has not answered.
            _ => Next::Stay(Step::Ringing(self)),
        }
    }

    fn progress(
        &mut self,
        leg: LegId,
        status: u16,
        has_session: bool,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        if status == 100 {
            return; // It is there, which is noted; nothing rings yet.
        }
        // The caller can hear early media only in answer to an offer of its own.
        let can_hear = facts.leg(self.caller).is_some_and(|c| c.remote.is_some());
        let heard = self.early.is_none() && has_session && can_hear && status != 180
            || self.early.is_none() && has_session && can_hear && self.devices.len() == 1;
        if heard {
            self.early = Some(leg);
            let codec = facts.leg(leg).and_then(crate::session::codec_in_use);
            actions.push(Action::Ring { leg: self.caller, early: codec });
            self.told = true;
        } else if !self.told {
            actions.push(Action::Ring { leg: self.caller, early: None });
            self.told = true;
        }
    }

    fn answered(self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let codec = facts.leg(leg).and_then(crate::session::codec_in_use);
        if codec.is_none() {
            actions.push(Action::End { leg, reason: EndReason::NoCommonCodec });
            return self.failed(leg, Outcome::NoCommonCodec, actions);
        }
        for device in self.devices.iter().filter(|d| **d != leg) {
            actions.push(Action::End { leg: *device, reason: EndReason::AnsweredElsewhere });
        }
        actions.push(Action::Connect { branch: self.branch });
        actions.push(Action::Connect { branch: BranchId::CALLER });
        actions.push(Action::Answer { leg: self.caller, codec });
        Next::Become(Step::Talking(Talking { a: self.caller, b: leg }))
    }

    /// One device is out; the caller is refused when it was the last.
    fn failed(mut self, leg: LegId, outcome: Outcome, actions: &mut Actions) -> Next {
        self.devices.retain(|d| *d != leg);
        self.outcome = self.outcome.max(outcome);
        if self.early == Some(leg) {
            self.early = None;
        }
        if self.devices.is_empty() {
            let outcome = self.outcome;
            return self.give_up(outcome.reason(), outcome.status(), actions);
        }
        Next::Stay(Step::Ringing(self))
    }

    /// The ringing is over without an answer: the caller is refused.
    fn give_up(self, reason: EndReason, status: Option<u16>, actions: &mut Actions) -> Next {
        for device in &self.devices {
            actions.push(Action::End { leg: *device, reason });
        }
        actions.push(Action::Leave { branch: self.branch, reason, status });
        actions.push(Action::End { leg: self.caller, reason });
        actions.push(Action::Leave { branch: BranchId::CALLER, reason, status });
        Next::Done
    }

    /// The caller is out: everything stops ringing.
    fn caller_gone(self, reason: EndReason, told: EndReason, actions: &mut Actions) -> Next {
        for device in &self.devices {
            actions.push(Action::End { leg: *device, reason: told });
        }
        actions.push(Action::Leave { branch: self.branch, reason, status: None });
        actions.push(Action::End { leg: self.caller, reason });
        actions.push(Action::Leave { branch: BranchId::CALLER, reason, status: None });
        Next::Done
    }

    fn drop_silent_devices(mut self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let silent: Vec<LegId> = self
            .devices
            .iter()
            .copied()
            .filter(|d| facts.leg(*d).is_none_or(|l| l.state == LegState::Dialling))
            .collect();
        for device in &silent {
            actions.push(Action::End { leg: *device, reason: EndReason::Unreachable });
        }
        self.devices.retain(|d| !silent.contains(d));
        if self.devices.is_empty() {
            let outcome = self.outcome;
            return self.give_up(outcome.reason(), outcome.status(), actions);
        }
        Next::Stay(Step::Ringing(self))
    }

    /// The caller hears the early media of one device, else its own phone's ringback; once it has
    /// an early session and that device is out, ringback from us.
    pub fn hears(&self, call: &Call, to: &mut Vec<Hears>) {
        let has_session = call.legs.get(self.caller).is_some_and(|l| l.local.is_some());
        if !has_session {
            return;
        }
        let source = match self.early {
            Some(leg) => Source::Leg(leg),
            None => Source::Player(Player::Tone(Tone::Ringback)),
        };
        to.push(Hears { listener: self.caller, sources: smallvec![(source, Gain::UNITY)] });
    }
}
