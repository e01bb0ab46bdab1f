//! Late: keys that are pressed while a talk is interrupted, since one of the two sends the other on
//! or asks somebody. If nothing comes of that they count as if it had never been tried: each
//! reaches the other side once, in its order, and a code that was half dialled goes on.

use leg::LegId;

use super::talking::Talking;
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer, keys};
use crate::keypad::{Heard, InCall, Key, KeySource, Keypad};
use crate::limits;

/// What the keys of a talk have come to while it was interrupted. It is not written down: what is
/// keyed into somebody's menu is a card number or a PIN more often than not.
#[derive(Clone, Default, PartialEq)]
pub struct Late(Vec<(LegId, Pressed)>);

/// One of those.
#[derive(Clone, PartialEq)]
enum Pressed {
    /// A key for the other side.
    Key(Key),
    /// A code.
    Code(InCall),
}

impl core::fmt::Debug for Late {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Late({})", self.0.len())
    }
}

impl Late {
    fn push(&mut self, leg: LegId, pressed: Pressed) {
        if self.0.len() < limits::LATE_KEYS_MAX {
            self.0.push((leg, pressed));
        }
    }

    /// What was pressed on a leg counts as pressed on another one, which has its place.
    pub(super) fn pass_on(&mut self, from: LegId, leg: LegId) {
        self.0.iter_mut().filter(|(of, _)| *of == from).for_each(|(of, _)| *of = leg);
    }
}

impl Talking {
    /// Waits for further keys of codes that were begun, in the step that acts.
    pub(super) fn waits_for_keys(&self, actions: &mut Actions) {
        for (leg, keypad) in self.keypads.iter() {
            if let Some(after) = keypad.wait() {
                actions.push(Action::Timer { timer: Timer::Keys(leg), after });
            }
        }
    }

    /// An input while the talk is interrupted, in the step that has taken its place.
    pub(super) fn hears_late(
        &mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        let (leg, heard) = match input {
            StepInput::Timer(Timer::Keys(leg)) => (*leg, self.keypad(*leg, Keypad::waited)),
            _ => match keys::key_of(input, facts) {
                Some((leg, key)) => return self.takes_late(leg, key, facts, actions),
                None => return,
            },
        };
        self.keep(leg, heard, actions);
    }

    /// A key that was pressed on a leg while the talk was interrupted.
    pub(super) fn takes_late(
        &mut self,
        leg: LegId,
        key: Key,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        if self.with(leg).is_some() {
            let heard = self.pressed_late(leg, key, facts);
            self.keep(leg, heard, actions);
        }
    }

    fn pressed_late(&mut self, leg: LegId, key: Key, facts: &Facts<'_>) -> Heard {
        // The other side has not heard it now.
        if key.source == KeySource::Sound {
            self.late.push(leg, Pressed::Key(key));
        }
        let Some(listening) = self.listening(leg, facts) else {
            if key.source != KeySource::Sound {
                self.late.push(leg, Pressed::Key(key));
            }
            return Heard::default();
        };
        let codes = &facts.snapshot.routing.settings.feature_codes;
        self.keypad(leg, |keypad| keypad.pressed(key, codes, listening))
    }

    /// No further key has come in time, and nothing can be done of what was keyed. Whether it was a
    /// code, which is not followed later: nobody would expect that any more.
    pub(super) fn drops_code(&mut self, leg: LegId, actions: &mut Actions) -> bool {
        let mut heard = self.keypad(leg, Keypad::waited);
        let code = heard.code.take();
        self.keep(leg, heard, actions);
        code.is_some()
    }

    /// Codes of a leg are listened to no more: what it holds is for the other side, later.
    pub(super) fn gives_up_late(&mut self, leg: LegId, actions: &mut Actions) {
        let heard = self.keypad(leg, Keypad::given_up);
        self.keep(leg, heard, actions);
    }

    fn keep(&mut self, leg: LegId, heard: Heard, actions: &mut Actions) {
        let timer = Timer::Keys(leg);
        actions.push(match heard.wait {
            Some(after) => Action::Timer { timer, after },
            None => Action::DropTimer(timer),
        });
        for key in heard.pass {
            self.late.push(leg, Pressed::Key(key));
        }
        if let Some(code) = heard.code {
            self.late.push(leg, Pressed::Code(code));
        }
    }

    /// The same for who talks now: what it holds goes on.
    pub(super) fn gives_up(&mut self, leg: LegId, actions: &mut Actions) {
        let heard = self.keypad(leg, Keypad::given_up);
        actions.push(Action::DropTimer(Timer::Keys(leg)));
        heard.pass.into_iter().for_each(|key| self.pass(leg, key, actions));
    }

    /// The talk goes on, and with it what was pressed meanwhile. A code may end it again.
    pub(super) fn catches_up(mut self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        self.waits_for_keys(actions);
        let late = core::mem::take(&mut self.late);
        let mut talk = self;
        // Whatever comes of the codes is no answer to an order that has ended the interruption.
        let answer = actions.answer.take();
        for (leg, pressed) in late.0 {
            let code = match pressed {
                Pressed::Key(key) => {
                    talk.pass(leg, key, actions);
                    continue;
                }
                Pressed::Code(code) => code,
            };
            match talk.code(leg, code, facts, actions) {
                Next::Stay(Step::Talking(goes_on)) => talk = goes_on,
                Next::Stay(step) | Next::Become(step) => {
                    actions.answer = answer;
                    return Next::Become(step);
                }
                Next::Done => {
                    actions.answer = answer;
                    return Next::Done;
                }
            }
        }
        actions.answer = answer;
        Next::Become(Step::Talking(talk))
    }
}
