//! A machine: a sound is played or a message taken, because a rule says so.
//!
//! A machine never beats a person. It is ready as soon as its rule has fired, and takes the call
//! when nobody is left, in the whole call, who may still answer: the first one in the order of the
//! numbers of a rule.

use core::time::Duration;

use leg::Piece;
use model::{EndReason, ExtensionId, IncomingRule, Line, RuleKind, Sound, SoundId, Spoken};
use route::Report;

use super::node::{Does, Failure, Forward, Kind, Machine, NodeId, TargetState, Wait};
use super::{After, ROOT, Seeking, Work};
use crate::limits;
use crate::step::{Action, Facts, Timer};

impl Seeking {
    /// A rule of a visit lets a machine take the call. `false`: it has nothing to play, which
    /// counts as played; nobody is answered for it.
    pub(super) fn begin_machine(
        &mut self,
        visit: NodeId,
        rule: &IncomingRule,
        work: &mut Work<'_, '_>,
    ) -> bool {
        let sounds = &work.facts.snapshot.routing.sounds;
        let (does, sound) = if rule.kind == RuleKind::Voicemail {
            (Does::TakeMessage, self.greeting(visit, work.facts))
        } else {
            let sound = rule.playfile_sound;
            let Some(found) = sound.and_then(|id| sounds.get(&id)) else {
                self.trace(visit, Line::NoSound { sound }, work);
                return false;
            };
            let does = if rule.is_final { Does::HangUp } else { Does::GoOn };
            (does, Some(&**found))
        };
        let language = work.facts.snapshot.routing.settings.language;
        let said = match sound {
            Some(sound) => Piece::File(sound.file),
            None => Piece::Spoken(language, Spoken::LeaveMessage),
        };
        let length = sound.map_or(limits::ANNOUNCEMENT_MAX, |sound| {
            Duration::from_millis(sound.length_ms.into()) + limits::CLIP_GRACE
        });
        let pieces = vec![Piece::Silence(limits::LEAD_IN_MS), said];
        let machine = Machine { does, pieces, at_most: length, plays: None };
        self.add(Some(visit), Kind::Machine(Box::new(machine)));
        true
    }

    /// A number is a conference room, which takes the call as a machine does.
    pub(super) fn begin_room(&mut self, parent: NodeId, of: ExtensionId) {
        self.begin_place(parent, Does::LetIn(of));
    }

    /// A number is a service, which takes the call as a machine does.
    pub(super) fn begin_service(&mut self, parent: NodeId, service: ExtensionId) {
        self.begin_place(parent, Does::Serve(service));
    }

    /// A place that takes the call without a word.
    pub(super) fn begin_place(&mut self, parent: NodeId, does: Does) {
        let machine = Machine { does, pieces: Vec::new(), at_most: Duration::ZERO, plays: None };
        self.add(Some(parent), Kind::Machine(Box::new(machine)));
    }

    /// The greeting of the extension of a visit; `None`: the built-in one.
    fn greeting<'f>(&self, visit: NodeId, facts: &Facts<'f>) -> Option<&'f Sound> {
        let (_, extension) = self.place(visit)?;
        let phone = facts.snapshot.extension(extension)?.phone.as_ref()?;
        let sound = SoundId(phone.shown.vm_greeting?);
        facts.snapshot.routing.sounds.get(&sound).map(|sound| &**sound)
    }

    /// What a machine that is ready makes of what has happened: the next number of a cascade is
    /// not kept waiting by it, and when nobody is left it takes the call.
    pub(super) fn heed_machines(&mut self, work: &mut Work<'_, '_>) -> After {
        // Every round takes the call, or a place less is left that cannot.
        loop {
            if !self.nodes.values().any(|n| matches!(n.kind, Kind::Machine(_))) {
                return After::Seeking;
            }
            while let Some(idle) = self.idle_forward() {
                if let Some(failure) = self.start_due(idle, work) {
                    match self.fail(idle, failure, work) {
                        After::Seeking => {}
                        other => return other,
                    }
                }
            }
            if self.nodes.values().any(|n| !n.legs().is_empty()) {
                return After::Seeking;
            }
            let Some(machine) = self.first_ready(ROOT) else { return After::Seeking };
            match self.slot_is_lost(machine, work) {
                None => return self.take(machine, work),
                Some(After::Seeking) => {}
                Some(other) => return other,
            }
        }
    }

    /// A forward that has numbers to start and nobody who may answer.
    fn idle_forward(&self) -> Option<NodeId> {
        let mut nodes = self.nodes.iter();
        nodes.find_map(|(id, n)| match &n.kind {
            Kind::Forward(forward) if forward.has_waiting() && !self.may_answer(forward) => {
                Some(id)
            }
            _ => None,
        })
    }

    /// Whether somebody who is tried for a forward may still answer.
    pub(super) fn may_answer(&self, forward: &Forward) -> bool {
        forward.targets.iter().any(|target| match target.state {
            TargetState::Active(child) => self.is_tried(child),
            TargetState::Waiting | TargetState::Failed => false,
        })
    }

    /// Whether a person below a node may still answer.
    fn is_tried(&self, node: NodeId) -> bool {
        match self.nodes.get(node).map(|n| &n.kind) {
            Some(Kind::Group(group)) => {
                let below = || self.below(node).is_some_and(|child| self.is_tried(child));
                !group.legs.is_empty() || below()
            }
            Some(Kind::Outside(_)) => true,
            Some(Kind::Forward(forward)) => forward.has_waiting() || self.may_answer(forward),
            Some(Kind::Visit(_)) => self.below(node).is_some_and(|child| self.is_tried(child)),
            Some(Kind::Machine(_)) | None => false,
        }
    }

    /// What is below a visit, or below a group of which a phone has named another number.
    pub(super) fn below(&self, visit: NodeId) -> Option<NodeId> {
        self.nodes.iter().find(|(_, n)| n.parent == Some(visit)).map(|(id, _)| id)
    }

    /// The first machine below a node that is ready, in the order of the numbers.
    fn first_ready(&self, node: NodeId) -> Option<NodeId> {
        match &self.nodes.get(node)?.kind {
            Kind::Machine(machine) => machine.plays.is_none().then_some(node),
            Kind::Visit(_) | Kind::Group(_) => self.first_ready(self.below(node)?),
            Kind::Forward(forward) => forward.targets.iter().find_map(|t| match t.state {
                TargetState::Active(child) => self.first_ready(child),
                TargetState::Waiting | TargetState::Failed => None,
            }),
            Kind::Outside(_) => None,
        }
    }

    /// A machine takes the call: the caller is answered.
    fn take(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> After {
        let slot = self.slot_of(node, work.facts);
        self.leave_only(node, None, work);
        if let Some((leg, branch)) = self.caller.zip(self.caller_branch(work.facts)) {
            work.actions.push(Action::Connect { branch, says_so: true });
            work.actions.push(Action::Answer { leg, codec: None });
        }
        let Some(Kind::Machine(machine)) = self.nodes.get_mut(node).map(|n| &mut n.kind) else {
            return After::Seeking;
        };
        match machine.does {
            Does::TakeMessage => return After::Message(node),
            Does::LetIn(room) => return After::Room(node, room),
            Does::Serve(service) => return After::Service(node, service),
            Does::Park(_) => return slot.map_or(After::Seeking, |slot| After::Parked(node, slot)),
            Does::GoOn | Does::HangUp => {}
        }
        machine.plays = Some(work.actions.fresh_clip());
        let (timer, after) = (Timer::Node(node, Wait::Play), machine.at_most);
        work.actions.push(Action::Timer { timer, after });
        After::Seeking
    }

    /// The machine that plays this clip.
    pub(in crate::step) fn player_of(&self, clip: leg::ClipId) -> Option<NodeId> {
        self.nodes.iter().find_map(|(id, n)| match &n.kind {
            Kind::Machine(machine) if machine.plays == Some(clip) => Some(id),
            _ => None,
        })
    }

    /// A machine has played what it had to play.
    pub(super) fn played(&mut self, node: NodeId, work: &mut Work<'_, '_>) -> After {
        let Some((visit, machine)) = self.nodes.get(node).and_then(|n| match &n.kind {
            Kind::Machine(machine) => Some((n.parent?, machine)),
            _ => None,
        }) else {
            return After::Seeking;
        };
        if machine.does == Does::HangUp {
            // The machine had the call, so nobody else is to have it.
            let failure = Failure::of(EndReason::ServiceDone, None, work.facts);
            self.remove(ROOT, failure.reason, None, work);
            return After::Failed(failure);
        }
        self.remove(node, EndReason::ServiceDone, None, work);
        let failed = if self.is_closed(visit) {
            Some(Failure::of(EndReason::NoAnswer, None, work.facts))
        } else {
            self.visit_goes_on(visit, Report::played(), None, work)
        };
        failed.map_or(After::Seeking, |failure| self.fail(visit, failure, work))
    }

    /// A file of what is played is missing or damaged: what is left of it is played.
    pub(super) fn is_broken(&mut self, node: NodeId, work: &mut Work<'_, '_>) {
        let file = self.nodes.get(node).and_then(|n| match &n.kind {
            Kind::Machine(machine) => machine.pieces.iter().find_map(|piece| match piece {
                Piece::File(file) => Some(*file),
                _ => None,
            }),
            _ => None,
        });
        let mut sounds = work.facts.snapshot.routing.sounds.iter();
        let sound = sounds.find(|(_, s)| Some(s.file) == file).map(|(id, _)| *id);
        self.trace(node, Line::NoSound { sound }, work);
    }
}

impl Forward {
    fn has_waiting(&self) -> bool {
        self.targets.iter().any(|t| t.state == TargetState::Waiting)
    }
}
