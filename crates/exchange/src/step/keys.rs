//! Keys in a talk: codes for the switch, from phones and from outside parties that may transfer;
//! all others go on to the other side.

use leg::{LegEvent, LegId};
use model::Digit;

use super::parked::{self, Departure, Parking};
use super::talking::Talking;
use super::{Action, Actions, Facts, Given, Next, Step, StepInput, Timer, transfers};
use crate::keypad::{Heard, InCall, Key, KeySource, Keypad, Listening};
use crate::limits;

/// Whether who is on a leg may press codes: a phone for which that is set, and an outside party
/// that may transfer.
pub(super) fn has_codes(leg: LegId, facts: &Facts<'_>) -> bool {
    let Some((at, branch)) = facts.leg(leg).zip(facts.branch_of(leg)) else { return false };
    let extension = branch.extension.and_then(|id| facts.snapshot.extension(id));
    let phone = extension.and_then(|e| e.phone.as_ref());
    match at.line {
        Some(_) => branch.may_transfer,
        None => phone.is_some_and(|phone| phone.shown.keypad_codes),
    }
}

/// The key that was pressed, if one was.
pub(super) fn key_of(input: &StepInput<'_>, facts: &Facts<'_>) -> Option<(LegId, Key)> {
    match input {
        StepInput::Leg(leg, LegEvent::Digit(digit)) => {
            let (digit, duration_ms) = (*digit, limits::DIGIT_MS.into());
            Some((*leg, Key { digit, duration_ms, source: KeySource::Info }))
        }
        StepInput::Digit { leg, digit, duration_ms } => {
            let is_tone = facts.leg(*leg).is_some_and(|leg| leg.keys_are_tones());
            let source = if is_tone { KeySource::Sound } else { KeySource::Event };
            Some((*leg, Key { digit: *digit, duration_ms: (*duration_ms).into(), source }))
        }
        _ => None,
    }
}

/// What comes of a key of who consults, which may be the way back.
pub(super) fn on_the_way_back(
    keypad: &mut Keypad,
    (leg, digit, source): (LegId, Digit, KeySource),
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Heard {
    let key = Key { digit, duration_ms: limits::DIGIT_MS.into(), source };
    if !has_codes(leg, facts) {
        return Heard { pass: [key].into_iter().collect(), ..Heard::default() };
    }
    let codes = &facts.snapshot.routing.settings.feature_codes;
    let heard = keypad.pressed(key, codes, Listening::Consulting);
    let timer = Timer::Keys(leg);
    actions.push(match heard.wait {
        Some(after) => Action::Timer { timer, after },
        None => Action::DropTimer(timer),
    });
    heard
}

impl Talking {
    /// A key was pressed on a leg.
    pub(super) fn pressed(
        mut self,
        leg: LegId,
        key: Key,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        // What was heard as a tone cannot be held back: for who does not listen for tones it is
        // told at once, and whoever does has heard it already.
        let is_tone = key.source == KeySource::Sound;
        let hears_tones = facts.leg(self.other(leg)).is_some_and(|leg| leg.keys_are_tones());
        if is_tone && !hears_tones {
            self.pass(leg, key, actions);
        }
        let Some(listening) = self.listening(leg, facts) else {
            if !is_tone {
                self.pass(leg, key, actions);
            }
            return Next::Stay(Step::Talking(self));
        };
        let codes = &facts.snapshot.routing.settings.feature_codes;
        let heard = self.keypad(leg, |keypad| keypad.pressed(key, codes, listening));
        self.heard(leg, heard, facts, actions)
    }

    /// No further key came in time.
    pub(super) fn waited(mut self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let heard = self.keypad(leg, Keypad::waited);
        self.heard(leg, heard, facts, actions)
    }

    /// What the keys of a leg are listened to for; `None`: not at all.
    pub(super) fn listening(&self, leg: LegId, facts: &Facts<'_>) -> Option<Listening> {
        match &self.consults {
            _ if !has_codes(leg, facts) => None,
            None => Some(Listening::Talking),
            Some(consultation) if consultation.leg == leg => Some(Listening::Consulting),
            Some(_) => None,
        }
    }

    pub(super) fn keypad(&mut self, leg: LegId, with: impl FnOnce(&mut Keypad) -> Heard) -> Heard {
        let mut keypad = self.keypads.remove(leg).unwrap_or_default();
        let heard = with(&mut keypad);
        if !keypad.is_idle() {
            self.keypads.insert(leg, keypad);
        }
        heard
    }

    fn heard(self, leg: LegId, heard: Heard, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let timer = Timer::Keys(leg);
        actions.push(match heard.wait {
            Some(after) => Action::Timer { timer, after },
            None => Action::DropTimer(timer),
        });
        for key in heard.pass {
            self.pass(leg, key, actions);
        }
        match heard.code {
            Some(code) => self.code(leg, code, facts, actions),
            None => Next::Stay(Step::Talking(self)),
        }
    }

    pub(super) fn pass(&self, from: LegId, key: Key, actions: &mut Actions) {
        let duration_ms = u16::try_from(key.duration_ms).unwrap_or(u16::MAX);
        let (leg, digit) = (self.other(from), key.digit);
        actions.push(Action::Digit { leg, digit, duration_ms });
    }

    /// Somebody has pressed a code. What cannot be done is told by a tone.
    pub(super) fn code(
        self,
        leg: LegId,
        code: InCall,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let Some(branch) = facts.branch_of(leg) else { return Next::Stay(Step::Talking(self)) };
        let branch = branch.id;
        let before = core::mem::take(&mut actions.list);
        let next = match code {
            InCall::Transfer(number) => {
                let part = (branch, Departure::HearsSlot);
                transfers::order(self, leg, part, &number, facts, actions)
            }
            InCall::Attended(number) => {
                transfers::consult(self, leg, branch, &number, facts, actions)
            }
            InCall::AttendedBack => {
                let given = Given::GivesUp;
                self.handle(&StepInput::Given { leg, given }, facts, actions)
            }
            InCall::Park(slot) => {
                let parking = Parking { parker: leg, branch, far: self.other(leg) };
                let parked = parked::park(parking, slot, Departure::HearsSlot, facts, actions);
                self.or_stays(parked, actions)
            }
        };
        actions.list.splice(0..0, before);
        match (actions.answer.take(), next) {
            (Some(Err(_)), Next::Stay(Step::Talking(talk))) => {
                Next::Stay(Step::Talking(talk.resume(Some(leg), actions)))
            }
            (_, next) => next,
        }
    }
}
