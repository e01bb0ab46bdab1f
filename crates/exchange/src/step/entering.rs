//! Entering: somebody is asked for the code of a conference room.

use leg::{LegEvent, LegId, MediaEventKind, Piece, Refusal};
use model::{Digit, EndReason, ExtensionId, Number, Spoken};
use route::{Destination, Feature, Named};
use serde::{Deserialize, Serialize};

use super::room;
use super::routing::Routed;
use super::sounds::{Saying, Scene, Sounds};
use super::upkeep::{self, Upkeep};
use super::{Action, Actions, Facts, Next, Step, StepInput, Timer};
use crate::attempts::NEUTRAL;
use crate::limits;

/// Somebody is asked for the code of a conference room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entering {
    /// Who.
    pub leg: LegId,
    /// Whose room it is.
    pub of: ExtensionId,
    /// What was pressed.
    pub keys: String,
    /// How often it was wrong.
    pub wrong: u8,
    /// What is said; `None`: keys are waited for.
    pub saying: Option<Saying>,
}

/// An extension has dialled a room.
pub fn dialled(leg: LegId, named: &Named, facts: &Facts<'_>, actions: &mut Actions) -> Routed {
    let Some(of) = known(named, facts) else { return Routed::Refused(EndReason::NotFound) };
    if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
        actions.push(Action::Connect { branch, says_so: true });
    }
    actions.push(Action::Answer { leg, codec: None });
    match begin(leg, of, facts, actions) {
        Next::Stay(step) | Next::Become(step) => Routed::To(step),
        Next::Done => Routed::Over,
    }
}

/// A leg that is answered, or being answered, comes to the door of a room. Its owner needs no code.
pub fn begin(leg: LegId, of: ExtensionId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
    if room::is_owner(leg, of, facts) || code(of, facts).is_none() {
        return room::enter(leg, of, facts, actions);
    }
    let mut entering = Entering { leg, of, keys: String::new(), wrong: 0, saying: None };
    entering.ask(&[Spoken::EnterCode], facts, actions);
    Next::Become(Step::Entering(entering))
}

/// Another phone of who is asked goes on: it has said no code, and no wrong one is forgiven.
pub(super) fn again(
    entering: Entering,
    leg: LegId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Next {
    let mut entering = Entering { leg, ..entering };
    entering.ask(&[Spoken::EnterCode], facts, actions);
    Next::Become(Step::Entering(entering))
}

/// The room that a number means when somebody is sent there.
pub fn target(number: &Number, by: ExtensionId, facts: &Facts<'_>) -> Option<ExtensionId> {
    let by = facts.snapshot.extension(by).map(|e| &**e);
    match route::target(facts.snapshot, by, number.as_str()) {
        Ok(Destination::Feature(Feature::Room(named))) => known(&named, facts),
        _ => None,
    }
}

/// The extension whose room it is: only phones have one.
pub fn known(named: &Named, facts: &Facts<'_>) -> Option<ExtensionId> {
    route::forward::room(facts.snapshot, named)
}

/// The code of a room, as it is now.
fn code<'a>(of: ExtensionId, facts: &Facts<'a>) -> Option<&'a str> {
    let phone = facts.snapshot.extension(of)?.phone.as_ref()?;
    phone.shown.conference_pin.as_deref().filter(|pin| !pin.is_empty())
}

impl Entering {
    /// One input.
    pub fn handle(
        mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        match upkeep::of(input, facts, actions) {
            Some(Upkeep::Over(reason)) => return self.over(reason, facts, actions),
            Some(Upkeep::Done) => return self.stays(),
            None => {}
        }
        match input {
            StepInput::Leg(_, LegEvent::Digit(digit)) | StepInput::Digit { digit, .. } => {
                self.key(*digit, facts, actions)
            }
            StepInput::Sound(MediaEventKind::ClipDone(clip)) => {
                if self.saying.as_ref().is_some_and(|saying| saying.clip == *clip) {
                    self.waits(actions);
                }
                self.stays()
            }
            StepInput::Timer(Timer::Phase) if self.saying.is_some() => {
                self.waits(actions);
                self.stays()
            }
            // Nothing was pressed for a while.
            StepInput::Timer(Timer::Phase) => self.wrong_code(facts, actions),
            // Nobody is at the other end.
            StepInput::Order(order) => {
                actions.refuse(Refusal::no_far_party(&order.action));
                self.stays()
            }
            // Sessions and acknowledgements are facts of the leg; it has no other timers, follows
            // nobody and is given nothing.
            // The leg is kept up already.
            StepInput::Leg(..)
            | StepInput::Silent(_)
            | StepInput::HangUp { .. }
            | StepInput::EndAll(_)
            | StepInput::Timer(_)
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => self.stays(),
        }
    }

    fn stays(self) -> Next {
        Next::Stay(Step::Entering(self))
    }

    fn ask(&mut self, words: &[Spoken], facts: &Facts<'_>, actions: &mut Actions) {
        self.keys.clear();
        let language = facts.snapshot.routing.settings.language;
        let spoken = words.iter().map(|word| Piece::Spoken(language, *word));
        let pieces = core::iter::once(Piece::Silence(limits::LEAD_IN_MS)).chain(spoken).collect();
        self.saying = Some(Saying { clip: actions.fresh_clip(), pieces });
        let after = limits::ANNOUNCEMENT_MAX;
        actions.push(Action::Timer { timer: Timer::Phase, after });
    }

    /// Nothing is said any more: keys are waited for.
    fn waits(&mut self, actions: &mut Actions) {
        self.saying = None;
        actions.push(Action::Timer { timer: Timer::Phase, after: limits::CODE_WAIT });
    }

    fn key(mut self, digit: Digit, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let Some(code) = code(self.of, facts) else {
            return room::enter(self.leg, self.of, facts, actions);
        };
        let is_end = digit.as_char() == '#';
        if !is_end {
            self.keys.push(digit.as_char());
        }
        // No longer than the code is ever kept.
        if self.keys == code {
            return room::enter(self.leg, self.of, facts, actions);
        }
        if is_end || self.keys.len() >= code.len() {
            return self.wrong_code(facts, actions);
        }
        // Who knows the code need not hear the question.
        self.waits(actions);
        self.stays()
    }

    fn wrong_code(mut self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        self.wrong = self.wrong.saturating_add(1);
        if self.wrong >= limits::CODE_TRIES_MAX {
            return self.over(NEUTRAL, facts, actions);
        }
        self.ask(&[Spoken::WrongCode, Spoken::EnterCode], facts, actions);
        actions.push(Action::Save);
        self.stays()
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::End { leg: self.leg, reason });
        if let Some(branch) = facts.leg(self.leg).map(|l| l.branch) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        Next::Done
    }

    /// The question, once.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        if let Some(saying) = &self.saying {
            to.say(scene, self.leg, saying);
        }
    }
}
