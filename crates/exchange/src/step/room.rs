//! A conference room: everybody in it hears all others. Each extension has one.
//!
//! A room is there as long as somebody is in it, in the call of who came first; the calls of all
//! others become parts of that one. Each keeps a conversation of its own, with the room.

use std::collections::VecDeque;

use leg::{ClipId, LegEvent, LegId, MediaEventKind, Piece, Refusal, Source};
use model::{CallId, EndReason, ExtensionId, Spoken};
use serde::{Deserialize, Serialize};

use super::clearing::Clearing;
use super::replacing::is_same_extension;
use super::sounds::{Saying, Scene, Sounds};
use super::talking::music_from;
use super::{Action, Actions, Facts, Given, Next, Step, StepInput, Timer, reason_for};
use crate::call::{BranchId, StepId};
use crate::display;
use crate::limits;
use crate::step::seeking::screen::digits;

/// People meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Room {
    /// Whose room it is.
    pub of: ExtensionId,
    /// Who is in it, in the order in which they came.
    pub members: Vec<LegId>,
    /// The number of the music that one hears who is alone.
    pub music: ClipId,
    /// What is to be said to all, the first of it sounds.
    #[serde(default)]
    pub sayings: VecDeque<Saying>,
}

/// The room of an extension, if somebody is in it.
fn find<'a>(of: ExtensionId, facts: &Facts<'a>) -> Option<(CallId, StepId, &'a Room)> {
    let calls = core::iter::once(facts.call).chain(facts.calls.values().map(|call| &**call));
    calls.flat_map(|call| call.steps.iter().map(move |(id, step)| (call.id, id, step))).find_map(
        |(call, id, step)| match step {
            Step::Room(room) if room.of == of => Some((call, id, room)),
            _ => None,
        },
    )
}

/// A leg that is up enters a room; it is the acting step's, and what becomes of that is told.
pub fn enter(leg: LegId, of: ExtensionId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
    match find(of, facts) {
        Some((.., room)) if room.members.len() >= limits::ROOM_MEMBERS_MAX => {
            let reason = EndReason::NodeLimit;
            Next::Become(Step::Clearing(Clearing::begin(leg, reason, None, actions)))
        }
        Some((call, step, _)) => {
            actions.push(Action::Give { leg, call, step, given: Given::EntersRoom });
            Next::Done
        }
        None => {
            let music = actions.fresh_clip();
            let mut room = Room { of, members: vec![leg], music, sayings: VecDeque::new() };
            let language = facts.snapshot.routing.settings.language;
            let alone = Piece::Spoken(language, Spoken::AloneInRoom);
            room.say(vec![Piece::Silence(limits::LEAD_IN_MS), alone], actions);
            Next::Become(Step::Room(room))
        }
    }
}

impl Room {
    /// One input.
    pub fn handle(
        mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        match input {
            StepInput::Leg(leg, LegEvent::Ended { reason, .. }) => {
                self.leaves(*leg, reason_for(facts, *leg, *reason), facts, actions)
            }
            StepInput::Leg(leg, LegEvent::Offer(_)) => {
                actions.push(Action::AnswerOffer { leg: *leg });
                self.stays()
            }
            // It was asked whether it is still there, and no way leads to it any more.
            StepInput::Leg(leg, LegEvent::OfferRejected { status: 408 }) => {
                self.leaves(*leg, EndReason::MediaLost, facts, actions)
            }
            StepInput::Silent(leg) => {
                actions.push(Action::Refresh { leg: *leg });
                self.stays()
            }
            StepInput::HangUp { branch, reason } => match self.member_of(*branch, facts) {
                Some(leg) => self.leaves(leg, *reason, facts, actions),
                None => self.stays(),
            },
            StepInput::EndAll(reason) => self.over(*reason, facts, actions),
            StepInput::Given { leg, given: Given::EntersRoom } => {
                self.members.push(*leg);
                self.announce(*leg, facts, actions);
                actions.push(Action::Save);
                self.stays()
            }
            StepInput::Sound(MediaEventKind::ClipDone(clip)) => {
                if self.sayings.front().is_some_and(|saying| saying.clip == *clip) {
                    self.is_said(actions);
                }
                self.stays()
            }
            // Media has not said that it is over, which it is.
            StepInput::Timer(Timer::Phase) => {
                self.is_said(actions);
                self.stays()
            }
            StepInput::Order(order) => {
                actions.refuse(match self.members.len() {
                    0 | 1 => Refusal::no_far_party(&order.action),
                    _ => Refusal::TooManyParties,
                });
                self.stays()
            }
            // Sessions and acknowledgements are facts of the legs; keys mean nothing here, and
            // nobody is given for anything else.
            StepInput::Leg(..)
            | StepInput::Digit { .. }
            | StepInput::Timer(_)
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => self.stays(),
        }
    }

    fn stays(self) -> Next {
        Next::Stay(Step::Room(self))
    }

    /// Who is in it as a part of a call; of a part whose rules have led there, whom they have led.
    fn member_of(&self, branch: BranchId, facts: &Facts<'_>) -> Option<LegId> {
        let own = |leg: &&LegId| facts.leg(**leg).is_some_and(|l| l.branch == branch);
        let part = facts.call.branches.get(branch)?;
        let of = Some(facts.call.root(part.conversation));
        let led = |leg: &&LegId| facts.call.root_of_leg(**leg) == of;
        self.members.iter().find(own).or_else(|| self.members.iter().find(led)).copied()
    }

    /// Another leg has the place of a member; somebody else is announced.
    pub(super) fn exchange(
        mut self,
        from: LegId,
        leg: LegId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        self.members.iter_mut().filter(|member| **member == from).for_each(|at| *at = leg);
        if !is_same_extension(from, leg, facts) {
            self.announce(leg, facts, actions);
        }
        actions.push(Action::Save);
        self.stays()
    }

    /// All hear who has come, where the owner wants that.
    fn announce(&mut self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) {
        let phone = facts.snapshot.extension(self.of).and_then(|e| e.phone.as_ref());
        if !phone.is_some_and(|p| p.shown.conference_announce_caller_name) {
            return;
        }
        let shown = display::party_at(leg, facts).map(|party| party.identity);
        let number = shown.filter(|who| !who.private).and_then(|who| who.number);
        let said = number.map(|number| digits(number.as_str())).filter(|said| !said.is_empty());
        let said = said.unwrap_or_else(|| vec![Spoken::HiddenNumber]);
        let language = facts.snapshot.routing.settings.language;
        let spoken = said.into_iter().map(|word| Piece::Spoken(language, word));
        let lead = core::iter::once(Piece::Silence(limits::LEAD_IN_MS));
        self.say(lead.chain(spoken).collect(), actions);
    }

    /// Something is to be said to all, unless too much waits already.
    fn say(&mut self, pieces: Vec<Piece>, actions: &mut Actions) {
        if self.sayings.len() >= limits::ROOM_SAYINGS_MAX {
            return;
        }
        self.sayings.push_back(Saying { clip: actions.fresh_clip(), pieces });
        if self.sayings.len() == 1 {
            let after = limits::ANNOUNCEMENT_MAX;
            actions.push(Action::Timer { timer: Timer::Phase, after });
        }
    }

    /// What sounds is over: the next.
    fn is_said(&mut self, actions: &mut Actions) {
        self.sayings.pop_front();
        if self.sayings.is_empty() {
            actions.push(Action::DropTimer(Timer::Phase));
        } else {
            let after = limits::ANNOUNCEMENT_MAX;
            actions.push(Action::Timer { timer: Timer::Phase, after });
        }
    }

    /// Somebody is out; with the owner all are, where the owner wants that.
    fn leaves(
        mut self,
        leg: LegId,
        reason: EndReason,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        self.members.retain(|member| *member != leg);
        part(leg, reason, facts, actions);
        let is_left = self.members.iter().any(|member| is_owner(*member, self.of, facts));
        let phone = facts.snapshot.extension(self.of).and_then(|e| e.phone.as_ref());
        let ends = phone.is_none_or(|p| p.shown.conference_end_on_exit);
        if is_owner(leg, self.of, facts) && !is_left && ends {
            return self.over(EndReason::ServiceDone, facts, actions);
        }
        if self.members.is_empty() { Next::Done } else { self.stays() }
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        for leg in self.members {
            part(leg, reason, facts, actions);
        }
        Next::Done
    }

    /// Each hears all others but those who hold, and what is said to all; who is alone hears music.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        let hears = |leg: &&LegId| !scene.is_held(**leg);
        let (saying, teller) = (self.sayings.front(), self.members.first());
        if let Some((saying, teller)) = saying.zip(teller) {
            to.declare(*teller, saying);
        }
        for listener in self.members.iter().filter(hears) {
            let others = self.members.iter().filter(hears).filter(|other| *other != listener);
            others.for_each(|other| to.add(*listener, Source::Leg(*other)));
            match saying {
                Some(saying) => to.add(*listener, Source::Player(saying.player())),
                None if self.members.len() == 1 => {
                    music_from(scene, Some(self.of), *listener, Some(self.music), to);
                }
                None => {}
            }
        }
    }
}

/// Whether the extension whose room it is is on a leg itself, and not somebody of the outside in
/// its name, who may be in a part that is the extension's own.
pub(super) fn is_owner(leg: LegId, of: ExtensionId, facts: &Facts<'_>) -> bool {
    let is_phone = facts.leg(leg).is_some_and(|l| l.line.is_none());
    is_phone && facts.branch_of(leg).is_some_and(|b| b.extension == Some(of))
}

fn part(leg: LegId, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) {
    actions.push(Action::End { leg, reason });
    if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
        actions.push(Action::Leave { branch, reason, status: None });
    }
}
