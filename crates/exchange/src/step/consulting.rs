//! Consulting: the far party of an extension waits while that talks to somebody else.
//!
//! The extension's leg is in the consultation, a step of its own with a conversation of its own:
//! somebody is looked for ([`super::seeking`]), then two talk ([`super::talking`]), or it is in a
//! conference room, at a service or before a voicemail (`super::asking`). Here the far
//! party hears music until the extension comes back, until it gets whom the extension has talked
//! to, or until the extension has hung up and it waits for the other itself.

use std::sync::Arc;

use leg::{CallAction, LegEvent, LegId, Player, Refusal, Source};
use model::{Digit, EndReason, ExtensionId};
use serde::{Deserialize, Serialize};

use super::seeking::Seeking;
use super::seeking::transfer::Plan;
use super::sounds::{Scene, Sounds};
use super::talking::{self, Talking};
use super::upkeep::{self, Upkeep};
use super::{
    Action, Actions, Facts, Given, Next, Step, StepInput, Timer, asking, keys, led, parked,
    replacing,
};
use crate::call::{BranchId, StepId};
use crate::control::Order;
use crate::display;
use crate::keypad::{InCall, KeySource, Keypad, Listening};

/// The far party of an extension waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consulting {
    /// Who waits.
    pub far: LegId,
    /// Who consults: a leg of the consultation.
    pub leg: LegId,
    /// The part in the talk of who consults, which has no leg for so long.
    pub branch: BranchId,
    /// The extension in whose name, and with whose rights.
    pub by: ExtensionId,
    /// The consultation.
    pub step: StepId,
    /// The talk as it was.
    pub talk: Talking,
    /// The part in whose name it is done, where that is not its own: of an extension whose rules
    /// have led to who consults, which is over with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<BranchId>,
    /// Keys of who consults that may become the way back, where nobody else listens for it.
    #[serde(default, skip_serializing_if = "Keypad::is_idle")]
    pub keypad: Keypad,
    /// Keys of who waits that may become a code, which is refused.
    #[serde(skip)]
    pub far_keypad: Keypad,
    /// Who consults is at another phone now, which was not shown the far party yet.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub has_moved: bool,
    /// A program held the talk for who consults, which is so again when it comes back.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub held: bool,
}

/// What a consultation knows of the talk that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consultation {
    /// The step in which the far party waits.
    pub origin: StepId,
    /// The far party.
    pub far: LegId,
    /// Who consults.
    pub leg: LegId,
    /// Its part in the talk that waits.
    pub branch: BranchId,
    /// Its part in the consultation.
    pub own: BranchId,
    /// Whom it consults was parked in this slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
    /// Its phone was shown whom it talks with, since that is not who was called.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub shown: bool,
}

impl Consultation {
    /// Who consults goes back to the far party. `tone`: nothing came of it.
    pub(super) fn returns(
        &self,
        tone: Tone,
        (reason, status): (EndReason, Option<u16>),
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        actions.push(Action::Leave { branch: self.own, reason, status });
        self.goes_back(tone, facts, actions);
    }

    fn goes_back(&self, tone: Tone, facts: &Facts<'_>, actions: &mut Actions) {
        let Consultation { origin: step, leg, branch, .. } = *self;
        actions.push(Action::PartOf { leg, branch });
        let (call, given) = (facts.call.id, Given::ComesBack { tone });
        actions.push(Action::Give { leg, call, step, given });
        // It was shown who was parked, or who has come in the place of who was called.
        if self.slot.is_some() || self.shown {
            display::show(leg, self.far, facts, actions);
        }
    }

    /// Who consults `with` goes back to the far party, as one of the two wants.
    pub(super) fn gives_up(
        &self,
        with: LegId,
        (wants, reason): (Wants, EndReason),
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        let by = facts.call.branches.get(self.own).and_then(|own| own.extension);
        if let (Wants::Asker, Some(slot), Some(by)) = (wants, self.slot, by)
            && parked::again(with, slot, (by, self.own), facts, actions).is_some()
        {
            return self.goes_back(Tone::None, facts, actions);
        }
        actions.push(Action::End { leg: with, reason });
        if let Some(branch) = facts.leg(with).map(|l| l.branch) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        self.returns(Tone::None, (reason, None), facts, actions);
    }

    /// Another leg has the place of who consults: if it is the same extension's the consultation
    /// goes on with it, and so does who waits for that. `None`: it is somebody else's.
    pub(super) fn moves_to(
        &self,
        leg: LegId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Option<Consultation> {
        let (from, part) = (self.leg, facts.branch_of(leg)?);
        let by = facts.branch_of(from).and_then(|branch| branch.extension);
        if by.is_none() || part.extension != by {
            return None;
        }
        let (step, given) = (self.origin, Given::HasPlaceOf { from });
        actions.push(Action::Tell { step, leg, given });
        Some(Consultation { leg, own: part.id, ..*self })
    }

    /// Who consults is out, and its far party is to talk with `with`.
    pub(super) fn completes(&self, with: LegId, facts: &Facts<'_>, actions: &mut Actions) {
        let (leg, reason) = (self.leg, EndReason::Transferred);
        actions.push(Action::End { leg, reason });
        actions.push(Action::Leave { branch: self.own, reason, status: None });
        let (call, step, given) = (facts.call.id, self.origin, Given::Completes);
        actions.push(Action::Give { leg: with, call, step, given });
    }
}

/// Who of two wants a consultation to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// Who consults.
    Asker,
    /// Who is consulted: it has hung up.
    Asked,
}

/// What somebody hears who comes back from a consultation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The far party at once.
    None,
    /// That nothing came of it.
    Error,
}

impl Consulting {
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
            StepInput::Order(order) => {
                self.order(order, facts, actions);
                self.stays()
            }
            StepInput::Given { leg, given: Given::ComesBack { tone } } => {
                let tone = (*tone == Tone::Error).then_some(*leg);
                if self.held {
                    actions.push(Action::Hold { leg: *leg, held: true });
                }
                if self.has_moved {
                    display::show(*leg, self.far, facts, actions);
                }
                self.talk.resume(tone, actions).catches_up(facts, actions)
            }
            StepInput::Given { given: Given::IsTakenIn, .. } => {
                self.leave(EndReason::Transferred, actions);
                Next::Done
            }
            StepInput::Given { given: Given::Pressed { digit, source }, .. } => {
                self.pressed(*digit, *source, facts, actions)
            }
            StepInput::Given { leg, given: Given::PressedLate(key) } => {
                self.talk.takes_late(*leg, *key, facts, actions);
                self.stays()
            }
            StepInput::Timer(Timer::Keys(leg)) => {
                if *leg == self.leg {
                    self.keypad = Keypad::Idle;
                }
                let is_code = self.talk.drops_code(*leg, actions);
                let is_own = *leg == self.far && {
                    let keyed = core::mem::take(&mut self.far_keypad).waited();
                    keyed.code.is_some()
                };
                if is_own || is_code && *leg == self.far {
                    self.refuses_code(actions);
                }
                self.stays()
            }
            // What the far party hears no more.
            StepInput::Timer(_) => {
                self.talk.tone = None;
                self.stays()
            }
            StepInput::Digit { leg, .. } | StepInput::Leg(leg, LegEvent::Digit(_))
                if *leg == self.far =>
            {
                self.far_pressed(input, facts, actions)
            }
            StepInput::Given { leg, given: Given::Completes } => {
                self.completed(*leg, facts, actions)
            }
            StepInput::Given { leg, given: Given::HasPlaceOf { from } } if *from == self.leg => {
                self.moved(*leg, actions)
            }
            StepInput::Given { leg, given: Given::TakesOver { from } } if *from == self.far => {
                self.far_moved(*leg, facts, actions)
            }
            StepInput::Gone(leg) if *leg == self.leg => self.alone(facts, actions),
            // What the far party says is heard by nobody; this step plays no clip that ends.
            // Another leg has the place of one that is gone. The leg is kept up already.
            StepInput::Leg(..)
            | StepInput::Silent(_)
            | StepInput::HangUp { .. }
            | StepInput::EndAll(_)
            | StepInput::Digit { .. }
            | StepInput::Sound(_)
            | StepInput::Gone(_)
            | StepInput::Given { .. } => self.stays(),
        }
    }

    fn stays(self) -> Next {
        Next::Stay(Step::Consulting(self))
    }

    fn order(&self, order: &Order, facts: &Facts<'_>, actions: &mut Actions) {
        if upkeep::releases(self.far, order, facts, actions) {
            return;
        }
        let given = match &order.action {
            CallAction::Offhold => Given::GivesUp,
            CallAction::Transfer(None) => Given::IsOut,
            _ => return actions.refuse(Refusal::TransferInProgress),
        };
        if ![Some(self.branch), self.part].contains(&Some(order.branch)) {
            return actions.refuse(Refusal::TransferInProgress);
        }
        let (step, of) = match self.asked(facts) {
            Some((step, of)) => (step, of),
            None => return actions.refuse(Refusal::NoSuchCall),
        };
        // Nobody is there whom the far party could have: a voicemail is spoken to, or a tone heard.
        let is_somebody = of.consultation().is_some() || asking::can_exchange(of);
        if given == Given::IsOut && !is_somebody {
            return actions.refuse(match of {
                Step::Voicemail(_) => Refusal::NoFarParty,
                _ => Refusal::NotAnswered,
            });
        }
        actions.accept();
        actions.push(Action::Tell { step, leg: self.leg, given });
    }

    /// Where who consults is now.
    fn asked<'a>(&self, facts: &Facts<'a>) -> Option<(StepId, &'a Step)> {
        let step = facts.leg(self.leg)?.owner;
        facts.call.steps.get(step).map(|of| (step, of))
    }

    /// Who consults has pressed a key that nobody else has understood.
    fn pressed(
        mut self,
        digit: Digit,
        source: KeySource,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let (leg, given) = (self.leg, Given::GivesUp);
        let key = (leg, digit, source);
        let heard = keys::on_the_way_back(&mut self.keypad, key, facts, actions);
        let is_way_back = heard.code == Some(InCall::AttendedBack);
        if let Some((step, _)) = self.asked(facts).filter(|_| is_way_back) {
            actions.push(Action::Tell { step, leg, given });
        }
        self.stays()
    }

    /// Who waits has pressed a key: nobody hears it, and a code can only be refused.
    fn far_pressed(
        mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let Some((leg, key)) =
            keys::key_of(input, facts).filter(|_| keys::has_codes(self.far, facts))
        else {
            return self.stays();
        };
        let codes = &facts.snapshot.routing.settings.feature_codes;
        let heard = self.far_keypad.pressed(key, codes, Listening::Talking);
        if let Some(after) = heard.wait {
            actions.push(Action::Timer { timer: Timer::Keys(leg), after });
        }
        if heard.code.is_some() {
            self.refuses_code(actions);
        }
        self.stays()
    }

    /// Who waits hears that what it wants cannot be done now.
    fn refuses_code(&mut self, actions: &mut Actions) {
        self.talk = self.talk.clone().resume(Some(self.far), actions);
        actions.push(Action::Save);
    }

    /// Who consults goes on at another phone, and will come back there.
    fn moved(mut self, leg: LegId, actions: &mut Actions) -> Next {
        actions.push(Action::Save);
        self.talk.gives_up_late(self.leg, actions);
        self.talk = self.talk.with_in_place_of(leg, self.leg);
        (self.leg, self.keypad, self.has_moved) = (leg, Keypad::Idle, true);
        self.stays()
    }

    /// Who waits goes on waiting at another phone.
    fn far_moved(mut self, far: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let from = core::mem::replace(&mut self.far, far);
        self.far_keypad = Keypad::Idle;
        self.talk.gives_up_late(from, actions);
        self.talk = self.talk.with_in_place_of(far, from);
        if let Some((step, _)) = self.asked(facts) {
            actions.push(Action::Tell { step, leg: far, given: Given::HasPlaceOf { from } });
        }
        replacing::answers_for(far, from, facts, actions);
        display::show(far, self.leg, facts, actions);
        self.stays()
    }

    /// Who has consulted somebody is out: the far party talks with that one.
    fn completed(self, with: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        self.leave(EndReason::Transferred, actions);
        actions.push(Action::Unite { one: self.far, other: with });
        display::introduce(self.far, with, facts, actions);
        led::joined((with, self.far), self.by, facts, actions);
        let (a, b) = if self.talk.a == self.far { (self.far, with) } else { (with, self.far) };
        Next::Become(Step::Talking(Talking::begin(a, b, actions)))
    }

    /// Who consults has hung up before anybody answered: the far party waits itself. Nobody is left
    /// to wait for: it is given back.
    fn alone(self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        self.leave(EndReason::Transferred, actions);
        let Consulting { far, by, step, branch, .. } = self;
        match facts.call.steps.get(step) {
            Some(Step::Seeking(seeking)) if seeking.consultation().is_some() => {
                let (call, given) = (facts.call.id, Given::SentOn { by });
                actions.push(Action::Give { leg: far, call, step, given });
                Next::Done
            }
            _ => {
                let last =
                    display::party_in_branch(facts.call, branch, facts.snapshot).map(Arc::new);
                Seeking::give_back(Plan { far, by, from: None, last }, facts, actions)
            }
        }
    }

    /// The far party is out; the consultation goes on as what it is.
    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::End { leg: self.far, reason });
        if let Some(branch) = facts.leg(self.far).map(|l| l.branch) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        self.leave(reason, actions);
        Next::Done
    }

    fn leave(&self, reason: EndReason, actions: &mut Actions) {
        for branch in [Some(self.branch), self.part].into_iter().flatten() {
            actions.push(Action::Leave { branch, reason, status: None });
        }
    }

    /// Who waits hears the hold music of who consults.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        if scene.holds(self.far) {
            return;
        }
        if self.talk.tone == Some(self.far) {
            to.hear(self.far, Source::Player(Player::Tone(leg::Tone::Congestion)));
        } else {
            talking::music_from(scene, Some(self.by), self.far, self.talk.music, to);
        }
    }
}
