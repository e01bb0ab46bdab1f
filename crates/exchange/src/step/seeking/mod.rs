//! Seeking: somebody is looked for who takes the call.
//!
//! What is tried forms a tree of [`node::Node`]s. A *visit* runs the rules of an extension; a
//! *group* rings the devices of one; a *forward* rings the numbers of a rule, each a visit, a group
//! or a way out; a *way out* tries one trunk after the other; a *machine* plays a sound or takes a
//! message. A node that has failed is told to its parent, which goes on or fails too; when the root
//! has failed the caller is refused. The first leg that answers - and, where it is asked to, takes
//! the call with a key - ends all others.
//!
//! Read in this order: `node`, this file, `tree`, `caller`, `outcome`, `group`, `visit`, `forward`,
//! `outside`, `redirect`, `machine`, `slot`, `screen`, `purpose`, `transfer`, `consult`.

mod caller;
pub(super) mod consult;
mod forward;
mod group;
mod load;
mod machine;
pub mod node;
mod outcome;
mod outside;
pub mod purpose;
mod redirect;
pub mod screen;
mod slot;
pub mod transfer;
mod tree;
mod visit;

use std::sync::Arc;

use leg::{
    CallAction, DiversionReason, LegEvent, LegId, MediaEventKind, Player, Refusal, Source, Tone,
};
use model::{EndReason, ExtensionId, Line, Number, Skipped, TraceEntry};
use serde::{Deserialize, Serialize};

pub(super) use self::caller::keep_telling;
use self::node::{Failure, Kind, Node, NodeId, Wait};
use self::purpose::Purpose;
use self::screen::Screen;
use super::clearing::Clearing;
use super::sounds::{Saying, Scene, Sounds};
use super::{
    Action, Actions, Facts, Given, Next, Step, StepInput, Timer, entering, pickup, reason_for,
    upkeep,
};
use crate::control::Order;
use crate::conversation::{ConversationId, Party};
use crate::keypad::{Key, Keypad};
use crate::place::Place;
use crate::session;
use crate::small_map::SmallMap;

/// Somebody is looked for who takes the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seeking {
    /// Who waits to be connected; `None`: nobody, who answers is needed for something else.
    pub caller: Option<LegId>,
    /// What the parts of those who are tried are parts of.
    #[serde(default)]
    pub conversation: ConversationId,
    /// Who is shown as calling, if not who has begun the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Arc<Party>>,
    /// What becomes of who answers.
    #[serde(default, skip_serializing_if = "Purpose::is_connect")]
    pub purpose: Purpose,
    /// With whose rights the outside is dialled, if not with those of who is shown as calling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<ExtensionId>,
    /// Whom the caller has talked with last, if it has: it is shown with that one while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Arc<Party>>,
    /// The caller was told that it rings.
    pub told: bool,
    /// The leg whose early media the caller hears.
    pub early: Option<LegId>,
    /// Max-Forwards of what is dialled.
    pub max_forwards: u8,
    /// What is tried.
    pub nodes: SmallMap<NodeId, Node>,
    /// Number of the next node.
    pub next_node: u16,
    /// Legs that have answered and are asked to take the call.
    #[serde(default)]
    pub screens: SmallMap<LegId, Screen>,
    /// Keys of who consults that may become the way back.
    #[serde(default, skip_serializing_if = "Keypad::is_idle")]
    pub keypad: Keypad,
    /// Its other keys, for its far party if nobody is found. They are not written down.
    #[serde(skip)]
    pub late: Vec<Key>,
}

/// The node that everything began with.
pub const ROOT: NodeId = NodeId(0);

/// What a node reads and writes while it works.
pub(super) struct Work<'a, 'f> {
    pub(super) facts: &'a Facts<'f>,
    pub(super) actions: &'a mut Actions,
}

/// What became of the search after an input.
enum After {
    /// It goes on.
    Seeking,
    /// This leg has answered.
    Found(LegId),
    /// This machine has the call and takes a message.
    Message(NodeId),
    /// The caller is let into the conference room of this extension.
    Room(NodeId, ExtensionId),
    /// This service has the call and serves the caller.
    Service(NodeId, ExtensionId),
    /// The caller is parked in this slot.
    Parked(NodeId, u8),
    /// The root has failed.
    Failed(Failure),
}

impl Seeking {
    /// A search for `caller` in which nothing is tried yet.
    pub fn new(caller: Option<LegId>, conversation: ConversationId, max_forwards: u8) -> Seeking {
        Seeking {
            caller,
            conversation,
            party: None,
            purpose: Purpose::Connect,
            by: None,
            last: None,
            told: false,
            early: None,
            max_forwards,
            nodes: SmallMap::default(),
            next_node: ROOT.0,
            screens: SmallMap::default(),
            keypad: Keypad::Idle,
            late: Vec::new(),
        }
    }

    /// Begins with an extension: its rules run.
    pub fn visit(
        mut self,
        extension: ExtensionId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let mut work = Work { facts, actions };
        let failed = self.begin_visit(None, extension, &mut work);
        self.go_on(failed.map_or(After::Seeking, After::Failed), facts, actions)
    }

    /// Begins with a number of the outside.
    pub fn dial_outside(
        mut self,
        outside: &route::Outside,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let mut work = Work { facts, actions };
        keep_telling(&mut work);
        let failed = self.begin_outside(None, None, outside, &mut work);
        self.go_on(failed.map_or(After::Seeking, After::Failed), facts, actions)
    }

    /// Begins with a number of the outside that is dialled in the name of an extension.
    pub(super) fn lead_outside(
        mut self,
        by: ExtensionId,
        outside: &route::Outside,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let by = Some((by, DiversionReason::Deflection));
        let failed = self.begin_outside(None, by, outside, &mut Work { facts, actions });
        self.go_on(failed.map_or(After::Seeking, After::Failed), facts, actions)
    }

    /// One input.
    pub fn handle(
        mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        if let Some(consultation) = self.consultation().copied()
            && self.goes_back(consultation.leg, input, facts, actions)
        {
            let reason = EndReason::Cancelled;
            return self.give_up(consultation, reason, facts, actions);
        }
        self.hears_late(input, facts, actions);
        let after = match input {
            StepInput::Leg(leg, event) if Some(*leg) == self.caller => match event {
                LegEvent::Ended { reason, .. } => {
                    if let Some(consultation) = self.consultation().copied() {
                        return self.makes_way(consultation, EndReason::Transferred, actions);
                    }
                    let reason = reason_for(facts, *leg, *reason);
                    // The called phone shows a missed call only if nobody answered elsewhere.
                    return self.caller_gone(reason, EndReason::Cancelled, facts, actions);
                }
                LegEvent::Offer(_) => {
                    // An UPDATE before the answer, or a hold while a machine has the call.
                    actions.push(Action::AnswerOffer { leg: *leg });
                    After::Seeking
                }
                // It was asked whether it is still there, and no way leads to it any more.
                LegEvent::OfferRejected { status: 408 } => {
                    let reason = EndReason::MediaLost;
                    return self.caller_gone(reason, reason, facts, actions);
                }
                // A caller says nothing else that matters here.
                _ => After::Seeking,
            },
            StepInput::Leg(leg, event) if self.sender().is_some_and(|s| s.leg == *leg) => {
                self.sender_event(*leg, event, facts, actions);
                After::Seeking
            }
            StepInput::Leg(leg, event) => self.leg_event(*leg, event, &mut Work { facts, actions }),
            StepInput::Timer(Timer::Node(node, wait)) => {
                self.waited(*node, *wait, &mut Work { facts, actions })
            }
            StepInput::Timer(Timer::Screen(leg)) => {
                self.not_taken(*leg, &mut Work { facts, actions })
            }
            StepInput::Timer(Timer::Tell) => {
                self.tell_again(&mut Work { facts, actions });
                After::Seeking
            }
            StepInput::Digit { leg, digit, .. } => self.pressed(*leg, *digit),
            StepInput::Sound(kind) => self.sound(*kind, &mut Work { facts, actions }),
            // Who was answered by a machine may have gone without a word.
            StepInput::Silent(leg) => {
                let is_caller = Some(*leg) == self.caller && self.is_answered(facts);
                if is_caller || self.sender().is_some_and(|s| s.leg == *leg) {
                    actions.push(Action::Refresh { leg: *leg });
                }
                After::Seeking
            }
            StepInput::HangUp { branch, reason } => {
                let branch = &self.meant(*branch, facts);
                if self.caller_branch(facts) == Some(*branch) {
                    if let Some(consultation) = self.consultation().copied() {
                        return self.give_up(consultation, *reason, facts, actions);
                    }
                    return self.caller_gone(*reason, *reason, facts, actions);
                }
                if self.is_senders(*branch, facts) {
                    self.sender_leaves(*reason, facts, actions);
                }
                self.hang_up(*branch, *reason, &mut Work { facts, actions })
            }
            StepInput::EndAll(reason) => {
                return self.caller_gone(*reason, *reason, facts, actions);
            }
            StepInput::Given { leg, given: Given::PicksUp } => {
                return self.picked_up(*leg, facts, actions);
            }
            StepInput::Given { given: Given::TakenElsewhere, .. } => {
                return self.needless(EndReason::AnsweredElsewhere, facts, actions);
            }
            StepInput::Given { leg, given: Given::SentOn { by } } => {
                return self.takes_over(*leg, *by, facts, actions);
            }
            StepInput::Given { leg, given: Given::SentOnBy { leg: by_leg, refer, by } } => {
                let sender = (*by_leg, *refer);
                return self.sent_on_instead(*leg, sender, *by, facts, actions);
            }
            StepInput::Given { given: given @ (Given::GivesUp | Given::IsOut), .. } => {
                match self.consultation().copied() {
                    Some(of) if *given == Given::GivesUp => {
                        return self.give_up(of, EndReason::Cancelled, facts, actions);
                    }
                    Some(of) => return self.makes_way(of, EndReason::Transferred, actions),
                    None => After::Seeking,
                }
            }
            // The far party has gone: who consults it just calls somebody.
            StepInput::Gone(leg) if self.consultation().is_some_and(|of| of.far == *leg) => {
                self.purpose = Purpose::Connect;
                actions.push(Action::Save);
                After::Seeking
            }
            StepInput::Given { leg, given: Given::TakesOver { from } } => {
                return self.moves(*leg, *from, facts, actions);
            }
            StepInput::Given { leg, given: Given::HasPlaceOf { from } } => {
                self.purpose.goes_on_with(*leg, *from);
                actions.push(Action::Save);
                After::Seeking
            }
            // Another leg has the place of the one that it was about.
            StepInput::Gone(leg) if !self.purpose.follows(*leg) => After::Seeking,
            // Of the other things it asks nobody.
            StepInput::Given {
                given:
                    Given::ComesBack { .. }
                    | Given::Completes
                    | Given::TakesParked
                    | Given::NobodyAnswers
                    | Given::Joins { .. }
                    | Given::EntersRoom
                    | Given::IsTakenIn
                    | Given::Pressed { .. }
                    | Given::PressedLate(_)
                    | Given::AsksParked(_),
                ..
            } => After::Seeking,
            StepInput::Gone(_) => return self.needless(EndReason::Cancelled, facts, actions),
            StepInput::Order(Order {
                branch, action: CallAction::Transfer(Some(number)), ..
            }) if self.has_branch(*branch) => {
                self.ring_through(*branch, number, &mut Work { facts, actions })
            }
            StepInput::Order(order) => {
                self.order(order, facts, actions);
                After::Seeking
            }
            // They were looked at before.
            StepInput::Timer(Timer::Keys(_)) => After::Seeking,
            // Who has sent the caller on has waited long enough for it to ring.
            StepInput::Timer(Timer::Phase) => {
                self.sender_leaves(EndReason::Transferred, facts, actions);
                After::Seeking
            }
        };
        self.go_on(after, facts, actions)
    }

    fn go_on(mut self, after: After, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let after = match after {
            After::Seeking => self.heed_machines(&mut Work { facts, actions }),
            other => other,
        };
        match after {
            After::Seeking => {
                self.heed_sender(facts, actions);
                Next::Stay(Step::Seeking(self))
            }
            After::Found(leg) => self.found(leg, facts, actions),
            After::Message(machine) => self.take_message(machine, facts, actions),
            After::Room(node, room) => {
                let line = Line::Ended { end: model::End::Answered };
                self.trace(node, line, &mut Work { facts, actions });
                let Some(caller) = self.caller else { return Next::Done };
                self.sender_is_done(facts, actions);
                self.shows_place(Place::Room(room), facts, actions);
                entering::begin(caller, room, facts, actions)
            }
            After::Service(node, service) => self.served_by(node, service, facts, actions),
            After::Parked(node, slot) => self.parks_caller(node, slot, facts, actions),
            After::Failed(failure) if self.transfer().is_some() => {
                self.transfer_failed(failure, facts, actions)
            }
            After::Failed(failure) if self.consultation().is_some() => {
                let Some(of) = self.consultation().copied() else { return Next::Done };
                self.consulted_nobody(of, failure, facts, actions)
            }
            After::Failed(failure) => {
                let Failure { reason, status, .. } = failure;
                let Some(caller) = self.caller else { return self.in_vain(facts, actions) };
                if self.is_answered(facts) && has_tone(reason) {
                    let clearing = Clearing::begin(caller, reason, status, actions);
                    return Next::Become(Step::Clearing(clearing));
                }
                self.end_caller(reason, status, facts, actions);
                Next::Done
            }
        }
    }

    fn leg_event(&mut self, leg: LegId, event: &LegEvent, work: &mut Work<'_, '_>) -> After {
        let Some(node) = self.owner(leg) else { return After::Seeking };
        match event {
            LegEvent::Progress { status, early } => {
                self.progress(node, leg, *status, early.is_some(), work);
                After::Seeking
            }
            LegEvent::Answered { .. } => {
                if work.facts.leg(leg).and_then(session::codec_in_use).is_some() {
                    if !self.is_screened(node, work.facts) {
                        return After::Found(leg);
                    }
                    self.begin_screen(node, leg, work);
                    return After::Seeking;
                }
                let reason = EndReason::NoCommonCodec;
                work.actions.push(Action::End { leg, reason });
                self.leg_failed(node, leg, reason, Some(488), work)
            }
            LegEvent::Ended { reason, status, .. } => {
                self.leg_failed(node, leg, *reason, *status, work)
            }
            LegEvent::Offer(_) => {
                work.actions.push(Action::AnswerOffer { leg });
                After::Seeking
            }
            LegEvent::Digit(digit) => self.pressed(leg, *digit),
            LegEvent::Redirected(number) => {
                self.note_redirect(node, number);
                After::Seeking
            }
            // Nothing else can come from a leg that does not talk.
            _ => After::Seeking,
        }
    }

    fn waited(&mut self, node: NodeId, wait: Wait, work: &mut Work<'_, '_>) -> After {
        match wait {
            Wait::Ring => {
                self.note_late(node);
                self.rang_out(node, work)
            }
            Wait::Response => self.drop_silent_devices(node, work),
            Wait::Join => self.join_next(node, work),
            Wait::Forward => self.tried_enough(node, work),
            Wait::Play => self.played(node, work),
        }
    }

    /// What became of a clip.
    fn sound(&mut self, kind: MediaEventKind, work: &mut Work<'_, '_>) -> After {
        match kind {
            MediaEventKind::ClipDone(clip) => {
                self.announced(clip, work);
                self.player_of(clip).map_or(After::Seeking, |node| self.played(node, work))
            }
            MediaEventKind::ClipBroken(clip) => {
                if let Some(node) = self.player_of(clip) {
                    self.is_broken(node, work);
                }
                After::Seeking
            }
            // Nothing is recorded here.
            _ => After::Seeking,
        }
    }

    /// Somebody wants something done with a call that was not answered.
    fn order(&self, order: &Order, facts: &Facts<'_>, actions: &mut Actions) {
        if self.caller.is_some_and(|leg| upkeep::releases(leg, order, facts, actions)) {
            return;
        }
        let part = facts.call.branches.get(order.branch);
        let called = part.filter(|b| b.is_called()).and_then(|b| b.extension);
        let is_transferred = self.sent_by().is_some() || self.consultation().is_some();
        if is_transferred && !self.has_branch(order.branch) {
            return actions.refuse(Refusal::TransferInProgress);
        }
        let (Some(extension), Some(waits)) = (called, self.caller) else {
            return actions.refuse(Refusal::NotAnswered);
        };
        let CallAction::Pickup(number) = &order.action else {
            return actions.refuse(Refusal::NotAnswered);
        };
        let wanted = match pickup::ordered(number, extension, waits, order, facts, actions) {
            Ok(wanted) => wanted,
            Err(refusal) => return actions.refuse(refusal),
        };
        actions.accept();
        let purpose = Purpose::PickUp { step: actions.acting, waits };
        let (of, party) = (self.conversation, self.shown_to_takers(facts));
        Seeking::fetch(purpose, &wanted, extension, of, party, facts, actions);
    }

    /// The moments that it remembers, to be moved when it goes on under another clock.
    pub(crate) fn moments(&mut self) -> impl Iterator<Item = &mut model::Mono> {
        self.nodes.values_mut().filter_map(|node| match &mut node.kind {
            Kind::Forward(forward) => Some(&mut forward.began),
            _ => None,
        })
    }

    /// Writes a line of the call's trace.
    pub(super) fn trace(&self, node: NodeId, line: Line, work: &mut Work<'_, '_>) {
        self.trace_at(work.actions.list.len(), node, line, work);
    }

    /// Writes that a number has failed at once: it was skipped, or rang nowhere.
    fn trace_failed(
        &self,
        mark: usize,
        node: NodeId,
        number: Number,
        failure: &Failure,
        work: &mut Work<'_, '_>,
    ) {
        let skipped = match failure.reason {
            EndReason::OutsideNotAllowed => Some(Skipped::NotAllowed),
            EndReason::OutsideLimit => Some(Skipped::OutsideLimit),
            _ => None,
        };
        if let Some(reason) = skipped {
            return self.trace_at(mark, node, Line::NumberSkipped { number, reason }, work);
        }
        self.trace_at(mark, node, Line::NumberRings { number: number.clone() }, work);
        let result = failure.outcome;
        self.trace(node, Line::NumberFailed { number, result }, work);
    }

    /// Writes a line before the actions that came of what it tells: `mark` is where they begin.
    pub(super) fn trace_at(&self, mark: usize, node: NodeId, line: Line, work: &mut Work<'_, '_>) {
        let extension = self.place(node).map(|(_, extension)| extension);
        let at = work.facts.now.wall;
        let entry = TraceEntry { at, extension, line };
        work.actions.list.insert(mark, Action::Trace(self.conversation, entry));
    }

    /// The caller hears the early media of one leg, else its own phone's ringback; once it has an
    /// early session and that leg is out, or was answered by a machine, ringback from us. Who is
    /// asked to take the call hears who calls.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        let legs = self.screens.iter().filter(|(_, screen)| screen.sounds);
        legs.for_each(|(leg, screen)| to.say(scene, leg, &screen.saying));
        let caller = self.caller.and_then(|leg| scene.leg(leg));
        let Some(caller) = caller.filter(|l| l.local.is_some()) else { return };
        let playing = self.nodes.values().find_map(|n| match &n.kind {
            Kind::Machine(machine) => machine.plays.map(|clip| (clip, &machine.pieces)),
            _ => None,
        });
        if let Some((clip, pieces)) = playing {
            let saying = Saying { clip, pieces: pieces.clone() };
            return to.say(scene, caller.id, &saying);
        }
        if caller.holds() {
            return;
        }
        let source = match self.early {
            Some(leg) => Source::Leg(leg),
            None => Source::Player(Player::Tone(Tone::Ringback)),
        };
        to.hear(caller.id, source);
    }
}

/// Whether an answered caller hears that it is over; what a rule or a program ends is just over.
fn has_tone(reason: EndReason) -> bool {
    !matches!(reason, EndReason::HangupByRule | EndReason::ServiceDone | EndReason::ApiHangup)
}
