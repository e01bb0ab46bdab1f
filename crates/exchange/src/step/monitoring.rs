//! Monitoring: somebody listens to a call of an extension, and may whisper to it or join in.
//!
//! A monitor follows one leg, the extension's: it hears that leg and whatever that leg hears, so
//! that hold, transfers and changed codecs need no word here. It has a conversation of its own and
//! is over with that leg.

use std::sync::Arc;

use leg::{Identity, LegEvent, LegId, MonitorMode, Refusal, Source};
use model::limits::CALL_BRANCHES_MAX;
use model::{
    CallUuid, ControlAction, Digit, DisplayName, EndReason, Extension, ExtensionId, Number,
};
use route::Named;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::pickup;
use super::replacing::is_same_extension;
use super::routing::Routed;
use super::seeking::Seeking;
use super::seeking::purpose::{self, Purpose, Wanted};
use super::sounds::{Scene, Sounds};
use super::upkeep::{self, Upkeep};
use super::{Action, Actions, Facts, Given, Next, Step, StepInput, reason_for};
use crate::attempts::{Attempted, NEUTRAL};
use crate::call::{Branch, Call};
use crate::control::Order;
use crate::conversation::Party;
use crate::display;
use crate::limits;

/// Somebody listens to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monitoring {
    /// Who listens.
    pub leg: LegId,
    /// The leg that is listened to.
    pub follows: LegId,
    /// Whose call it is: the rights to it count at every switch.
    pub of: ExtensionId,
    /// How much of who listens is heard.
    pub mode: MonitorMode,
}

/// What a key of who listens does.
enum Key {
    Switch(MonitorMode),
    Leave,
}

fn key(digit: Digit) -> Option<Key> {
    match digit.as_char() {
        '0' => Some(Key::Switch(MonitorMode::Eavesdrop)),
        '1' => Some(Key::Switch(MonitorMode::Whisper)),
        '3' => Some(Key::Switch(MonitorMode::Conference)),
        '*' => Some(Key::Leave),
        _ => None,
    }
}

/// The right that a mode needs.
pub fn right(mode: MonitorMode) -> ControlAction {
    match mode {
        MonitorMode::Eavesdrop => ControlAction::Eavesdrop,
        MonitorMode::Whisper => ControlAction::Whisper,
        MonitorMode::Conference => ControlAction::Conference,
    }
}

/// Somebody is to be rung who then listens to a leg that is up. `order`: its part is the
/// extension's whose call it is; `far`: who talks with that leg.
pub fn order(
    (mode, number): (MonitorMode, &Number),
    (follows, far): (LegId, LegId),
    order: &Order,
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    let part = facts.call.branches.get(order.branch);
    let Some(of) = part.and_then(|b| b.extension) else {
        return actions.refuse(Refusal::NoSuchCall);
    };
    let wanted = match purpose::found(number, of, facts) {
        Ok(wanted) => wanted,
        Err(refusal) => return actions.refuse(refusal),
    };
    // It would hear itself.
    let itself = |leg| facts.branch_of(leg).and_then(Branch::itself);
    if wanted.extension().is_some_and(|id| [follows, far].map(itself).contains(&Some(id))) {
        return actions.refuse(Refusal::OwnNumber);
    }
    let attempted = Attempted::on(of, right(mode), uuid_of(follows, facts));
    let (is_allowed, row) = attempted.by_program(order.program.as_ref(), &wanted, facts);
    actions.push(row);
    if !is_allowed {
        return actions.refuse(Refusal::Forbidden);
    }
    if is_full(facts.call) || facts.ports_left == 0 {
        return actions.refuse(Refusal::Full);
    }
    actions.accept();
    ring((mode, number), &wanted, (of, follows), facts, actions);
}

fn ring(
    (mode, number): (MonitorMode, &Number),
    wanted: &Wanted,
    (of, follows): (ExtensionId, LegId),
    facts: &Facts<'_>,
    actions: &mut Actions,
) {
    let Some(extension) = facts.snapshot.extension(of) else { return };
    let party = party_of(extension, facts);
    let conversation = actions.fresh_conversation();
    let (id, dialled) = (conversation, number.clone());
    actions.push(Action::Converse { id, party: party.clone(), dialled });
    let (purpose, party) = (Purpose::Monitor { mode, follows, of }, Some(Arc::new(party)));
    Seeking::fetch(purpose, wanted, of, conversation, party, facts, actions);
}

/// As whom a call of an extension is shown to who is rung to listen to it.
fn party_of(extension: &Extension, facts: &Facts<'_>) -> Party {
    let (shown, name) = route::caller_identity(facts.snapshot, extension);
    let name = DisplayName::from_peer(&format!("Monitor {name}"));
    Party { identity: Identity::of(shown, name), extension: Some(extension.id), came_by: None }
}

/// An extension has dialled to listen to another's call: the one that is not held, else the newest.
pub fn dialled(
    leg: LegId,
    actor: ExtensionId,
    mode: MonitorMode,
    named: &Named,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Routed {
    let action = right(mode);
    let (target, name) = match named {
        Named::Extension(target) => (Some(*target), Arc::default()),
        Named::Unknown(name) => (None, name.as_str().into()),
    };
    let talk = target.and_then(|target| pickup::talk_of(target, facts));
    let uuid = talk.and_then(|(call, follows)| {
        call.conversations.get(call.root_of_leg(follows)?).map(|c| c.api_id.uuid)
    });
    let attempted = Attempted { action, target, name, call: uuid };
    let (is_allowed, row) = attempted.by_phone(actor, facts);
    actions.push(row);
    let found = target.zip(talk).filter(|(_, (call, _))| is_allowed && !is_full(call));
    let Some((of, (call, follows))) = found else { return Routed::Refused(NEUTRAL) };
    if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
        actions.push(Action::Connect { branch, says_so: true });
    }
    actions.push(Action::Answer { leg, codec: None });
    let as_step = Step::Monitoring(Monitoring { leg, follows, of, mode });
    Routed::Joins { call: call.id, as_step }
}

/// A leg takes the place of another one: who listens to that, or is rung to, or to take its far
/// party, goes on with this one if it is the same extension's.
pub(super) fn follow(from: LegId, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) {
    if !is_same_extension(from, leg, facts) {
        return;
    }
    for (step, of) in facts.call.steps.iter() {
        let is_about = match of {
            Step::Monitoring(monitoring) => monitoring.follows == from,
            Step::Seeking(seeking) => seeking.purpose.is_about(from),
            _ => false,
        };
        if is_about {
            actions.push(Action::Tell { step, leg, given: Given::HasPlaceOf { from } });
        }
    }
}

/// Whether as many listen to a call, or are rung to, as may.
pub fn is_full(call: &Call) -> bool {
    let monitors = call.steps.values().filter(|step| match step {
        Step::Monitoring(_) => true,
        Step::Seeking(seeking) => matches!(seeking.purpose, Purpose::Monitor { .. }),
        _ => false,
    });
    monitors.count() >= limits::MONITORS_MAX || call.branches.len() >= CALL_BRANCHES_MAX
}

/// The call in which a leg of this call is, as programs know it.
pub fn uuid_of(leg: LegId, facts: &Facts<'_>) -> Option<CallUuid> {
    let root = facts.call.root_of_leg(leg)?;
    facts.call.conversations.get(root).map(|c| c.api_id.uuid)
}

impl Monitoring {
    /// One input.
    pub fn handle(self, input: &StepInput<'_>, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        match upkeep::of(input, facts, actions) {
            Some(Upkeep::Over(reason)) => return self.over(reason, facts, actions),
            Some(Upkeep::Done) => return self.stays(),
            None => {}
        }
        match input {
            StepInput::Leg(_, LegEvent::Digit(digit)) | StepInput::Digit { digit, .. } => {
                match key(*digit) {
                    Some(Key::Switch(mode)) => self.switch(mode, facts, actions),
                    Some(Key::Leave) => {
                        let reason = reason_for(facts, self.leg, EndReason::CallerHungUp);
                        self.over(reason, facts, actions)
                    }
                    None => self.stays(),
                }
            }
            StepInput::Given { leg, given: Given::HasPlaceOf { from } }
                if *from == self.follows =>
            {
                actions.push(Action::Save);
                Next::Stay(Step::Monitoring(Monitoring { follows: *leg, ..self }))
            }
            StepInput::Gone(leg) if *leg == self.follows => {
                self.over(EndReason::MonitorOver, facts, actions)
            }
            // It has no far party: nothing can be done with it but to end it.
            StepInput::Order(_) => {
                actions.refuse(Refusal::TooManyParties);
                self.stays()
            }
            // Sessions and acknowledgements are facts of the leg, already noted; it has no timers,
            // plays nothing and is given nothing else. Another leg has the place of one that is
            // gone.
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
        Next::Stay(Step::Monitoring(self))
    }

    /// Whether who listens may go on at another phone, which is looked at as at every switch.
    pub(super) fn may_move(
        &self,
        actor: ExtensionId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> bool {
        let attempted = Attempted::on(self.of, right(self.mode), uuid_of(self.follows, facts));
        let (is_allowed, row) = attempted.by_phone(actor, facts);
        actions.push(row);
        is_allowed
    }

    /// Another phone listens in the place of the one that did, in the same mode.
    pub(super) fn exchange(self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let extension = facts.snapshot.extension(self.of);
        let party = extension.map(|of| party_of(of, facts));
        display::show_party(leg, party, facts, actions);
        actions.push(Action::Save);
        Next::Stay(Step::Monitoring(Monitoring { leg, ..self }))
    }

    /// Another mode, if who listens may; the mode that it has goes on without a look at the rights.
    fn switch(mut self, mode: MonitorMode, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if mode == self.mode {
            return self.stays();
        }
        let attempted = Attempted::on(self.of, right(mode), uuid_of(self.follows, facts));
        let branch = facts.branch_of(self.leg);
        let is_allowed = match branch.and_then(Branch::itself) {
            Some(actor) => {
                let (is_allowed, row) = attempted.by_phone(actor, facts);
                actions.push(row);
                is_allowed
            }
            None => {
                let of = branch.and_then(|b| facts.call.conversation_of(b));
                let number = of.map(|of| of.dialled.shared()).unwrap_or_default();
                actions.push(attempted.by_outsider(number, facts));
                false
            }
        };
        if is_allowed {
            self.mode = mode;
            actions.push(Action::Save);
        }
        self.stays()
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::End { leg: self.leg, reason });
        if let Some(branch) = facts.leg(self.leg).map(|l| l.branch) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        Next::Done
    }

    fn is_heard_by_all(&self) -> bool {
        self.mode == MonitorMode::Conference
    }
}

/// What monitors add to what the other steps of a call have declared. Each hears the leg that it
/// follows, what that leg hears, and who has joined in there. Who whispers is heard by that leg
/// alone, even while it holds its far party; who has joined in, by all who hear that leg too.
pub fn sounds(monitors: &[&Monitoring], scene: &Scene<'_>, to: &mut Sounds) {
    if monitors.is_empty() {
        return;
    }
    // As it would be without them.
    let talk = to.hears.clone();
    let hears = |listener: LegId, leg: LegId| {
        let mut all = talk.iter().filter(|h| h.listener == listener).flat_map(|h| &h.sources);
        all.any(|(source, _)| *source == Source::Leg(leg))
    };
    for monitor in monitors {
        let voice = Source::Leg(monitor.leg);
        if monitor.mode != MonitorMode::Eavesdrop && !scene.is_held(monitor.follows) {
            to.add(monitor.follows, voice);
        }
        if !monitor.is_heard_by_all() {
            continue;
        }
        let listeners = talk.iter().map(|h| h.listener);
        for listener in listeners.filter(|l| *l != monitor.follows && hears(*l, monitor.follows)) {
            to.add(listener, voice);
        }
    }
    for monitor in monitors.iter().filter(|m| !scene.is_held(m.leg)) {
        let mut sources: SmallVec<[Source; 4]> = SmallVec::new();
        sources.push(Source::Leg(monitor.follows));
        let heard = talk.iter().filter(|h| h.listener == monitor.follows);
        sources.extend(heard.flat_map(|h| &h.sources).map(|(source, _)| *source));
        let is_near = |other: &&&Monitoring| {
            other.leg != monitor.leg
                && other.is_heard_by_all()
                && (other.follows == monitor.follows || hears(monitor.follows, other.follows))
        };
        sources.extend(monitors.iter().filter(is_near).map(|other| Source::Leg(other.leg)));
        let mut added: SmallVec<[Source; 4]> = SmallVec::new();
        for source in sources {
            if !added.contains(&source) {
                to.add(monitor.leg, source);
                added.push(source);
            }
        }
    }
}
