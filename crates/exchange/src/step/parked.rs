//! Parked: the far party of an extension waits in a slot until somebody takes it back.
//!
//! After a while it rings at the extension that has parked it, while everybody may still take it
//! back; when nobody has taken it after some rounds, it goes to the client's fallback or ends.

use std::sync::Arc;

use leg::{CallAction, ClipId, LegId, MonitorMode, Refusal};
use model::{EndReason, ExtensionId, ExtensionKind, Mono, Number, Status};
use serde::{Deserialize, Serialize};

use super::consulting::Consultation;
use super::departing::Departing;
use super::pickup;
use super::seeking::Seeking;
use super::seeking::purpose::{MAX_FORWARDS, Purpose, Wanted};
use super::seeking::transfer::Plan;
use super::sending::{self, Fallback, Sent};
use super::sounds::{Scene, Sounds};
use super::talking::{self, Talking};
use super::upkeep::{self, Upkeep};
use super::{Accepted, Action, Actions, Facts, Given, Next, Step, StepInput, Timer, led};
use crate::call::{BranchId, StepId};
use crate::control::Order;
use crate::conversation::Party;
use crate::{display, limits, session};

/// Somebody waits in a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// Who waits.
    pub leg: LegId,
    /// Where.
    pub slot: u8,
    /// Since when.
    pub since: Mono,
    /// The extension in whose name.
    pub by: ExtensionId,
    /// The part of that extension, which is listed and does not talk.
    pub branch: BranchId,
    /// How often it has rung back.
    pub rounds: u8,
    /// The number of the music that one hears who waits.
    pub music: ClipId,
    /// The step that rings the extension that has parked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rings_back: Option<StepId>,
    /// Whom who waits has talked with last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Arc<Party>>,
}

/// Who parks whom.
#[derive(Clone, Copy, Debug)]
pub struct Parking {
    /// The leg of the extension that parks, or by which it has been reached.
    pub parker: LegId,
    /// The part of that extension.
    pub branch: BranchId,
    /// Its far party.
    pub far: LegId,
}

/// How who parks is out of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Its leg is ended.
    AtOnce,
    /// It hears the slot before.
    HearsSlot,
    /// It hangs up itself, as after a REFER.
    Itself,
}

/// Parks the far party of an extension: all of it, or nothing but the reason why not. The step
/// that acts owned both legs; what is returned takes its place.
pub fn park(
    parking: Parking,
    wanted: Option<u8>,
    departure: Departure,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Result<(Next, Accepted), Refusal> {
    let Parking { parker, branch, far } = parking;
    are_alone(parker, far, facts)?;
    let slot = facts.tables.slots.choose(wanted, facts.snapshot)?;
    let by = facts.call.branches.get(branch).and_then(|b| b.extension);
    let by = by.ok_or(Refusal::Forbidden)?;
    let parked = Parked {
        leg: far,
        slot,
        since: facts.now.mono,
        by,
        branch,
        rounds: 0,
        music: actions.fresh_clip(),
        rings_back: None,
        last: display::party_at(parker, facts).map(Arc::new),
    };
    actions.push(Action::Occupy { slot, leg: far, by });
    actions.push(Action::Timer { timer: Timer::Phase, after: limits::PARKED });
    let reason = EndReason::Parked;
    let own = facts.leg(parker).map(|l| l.branch);
    if own == Some(branch) && departure != Departure::AtOnce {
        let said = (departure == Departure::HearsSlot).then_some(slot);
        Departing::begin((parker, far), reason, said, facts, actions);
    } else {
        actions.push(Action::End { leg: parker, reason });
        if let Some(own) = own.filter(|own| *own != branch) {
            actions.push(Action::Leave { branch: own, reason, status: None });
        }
        actions.push(Action::LeaveListed { branch, reason });
    }
    let accepted = Accepted { slot: Some(slot), parked: handle_of(far, facts) };
    Ok((Next::Become(Step::Parked(parked)), accepted))
}

/// The slot in which a rule parks a caller who talks with nobody yet.
pub(super) fn may_wait(leg: LegId, wanted: Option<u8>, facts: &Facts<'_>) -> Result<u8, Refusal> {
    are_alone(leg, leg, facts)?;
    facts.tables.slots.choose(wanted, facts.snapshot)
}

/// A rule of an extension parks a caller, who is answered by that. The acting step owned its leg;
/// what is returned takes its place.
pub(super) fn by_rule(
    leg: LegId,
    slot: u8,
    (by, branch): (ExtensionId, BranchId),
    last: Option<Arc<Party>>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Parked {
    let (since, rounds, music) = (facts.now.mono, 0, actions.fresh_clip());
    actions.push(Action::Occupy { slot, leg, by });
    actions.push(Action::Timer { timer: Timer::Phase, after: limits::PARKED });
    actions.push(Action::LeaveListed { branch, reason: EndReason::Parked });
    Parked { leg, slot, since, by, branch, rounds, music, rings_back: None, last }
}

/// Whether nobody talks with the two: who joins a call as a monitor is one talker more.
fn are_alone(one: LegId, other: LegId, facts: &Facts<'_>) -> Result<(), Refusal> {
    let talks_too = |step: &Step| match step {
        Step::Monitoring(monitor) => {
            monitor.mode == MonitorMode::Conference && [one, other].contains(&monitor.follows)
        }
        _ => false,
    };
    let is_joined = facts.call.steps.values().any(talks_too);
    if is_joined { Err(Refusal::TooManyParties) } else { Ok(()) }
}

/// Joins the far party of an extension with who is parked, and ends the extension's leg. The step
/// that acts owned both legs, and is over.
pub fn bridge(
    parking: Parking,
    wanted: Option<u8>,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Result<(Next, Accepted), Refusal> {
    let Parking { parker, branch, far } = parking;
    if wanted.is_some_and(|slot| !crate::slots::numbers(facts.snapshot).any(|n| n == slot)) {
        return Err(Refusal::NoSuchSlot);
    }
    are_alone(parker, far, facts)?;
    let (number, slot) = facts.tables.slots.parked(wanted).ok_or(Refusal::NothingParked)?;
    let reason = EndReason::Bridged;
    actions.push(Action::End { leg: parker, reason });
    let own = facts.leg(parker).map(|l| l.branch);
    for branch in [Some(branch), own.filter(|own| *own != branch)].into_iter().flatten() {
        actions.push(Action::Leave { branch, reason, status: None });
    }
    let (call, step, given) = (slot.call, slot.step, Given::TakesParked);
    actions.push(Action::Give { leg: far, call, step, given });
    Ok((Next::Done, Accepted { slot: Some(number), parked: Some(slot.conversation) }))
}

/// Who was parked and has been asked something waits again, in the name of who has asked: in the
/// same slot if that is free, else in another one. `None`: none is, and nothing has changed.
pub(super) fn again(
    leg: LegId,
    wanted: u8,
    (by, branch): (ExtensionId, BranchId),
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Option<()> {
    let slots = &facts.tables.slots;
    let same = slots.choose(Some(wanted), facts.snapshot);
    let slot = same.or_else(|_| slots.choose(None, facts.snapshot)).ok()?;
    let (since, rounds, music) = (facts.now.mono, 0, actions.fresh_clip());
    let last = display::party_in_branch(facts.call, branch, facts.snapshot).map(Arc::new);
    let parked = Parked { leg, slot, since, by, branch, rounds, music, rings_back: None, last };
    let (acting, step) = (actions.acting, actions.fresh_step());
    actions.push(Action::Begin(step, Box::new(Step::Parked(parked))));
    actions.push(Action::Move { leg, step });
    actions.act_as(step);
    actions.push(Action::Occupy { slot, leg, by });
    actions.push(Action::Timer { timer: Timer::Phase, after: limits::PARKED });
    actions.act_as(acting);
    actions.push(Action::LeaveListed { branch, reason: EndReason::Parked });
    Some(())
}

impl Parked {
    /// One input.
    pub fn handle(
        mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        match upkeep::of(input, facts, actions) {
            Some(Upkeep::Over(reason)) => return self.over(reason, facts, actions),
            Some(Upkeep::Done) => return Next::Stay(Step::Parked(self)),
            None => {}
        }
        match input {
            StepInput::Timer(Timer::Phase) if self.rings_back.is_none() => {
                self.ring_back(facts, actions)
            }
            StepInput::Order(order) => self.order(order, facts, actions),
            StepInput::Given { leg, given: Given::TakesParked | Given::PicksUp } => {
                self.taken(*leg, None, facts, actions)
            }
            StepInput::Given { leg, given: Given::AsksParked(consultation) } => {
                self.taken(*leg, Some(*consultation), facts, actions)
            }
            StepInput::Given { given: Given::NobodyAnswers, .. } => {
                self.rings_back = None;
                self.wait_on(facts, actions)
            }
            // Keys mean nothing to somebody who waits; sessions are facts of the leg; it has no
            // other timers, plays no clip that ends and follows no leg.
            // The leg is kept up already.
            StepInput::Leg(..)
            | StepInput::Silent(_)
            | StepInput::HangUp { .. }
            | StepInput::EndAll(_)
            | StepInput::Digit { .. }
            | StepInput::Timer(_)
            | StepInput::Sound(_)
            | StepInput::Given { .. }
            | StepInput::Gone(_) => Next::Stay(Step::Parked(self)),
        }
    }

    /// It rings at the extension that has parked the call: all its devices, no rules, no limit.
    fn ring_back(mut self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        self.rounds = self.rounds.saturating_add(1);
        let extension = facts.snapshot.extension(self.by);
        let extension =
            extension.filter(|e| e.kind == ExtensionKind::Phone && e.status == Status::Active);
        let extension = extension.filter(|e| facts.tables.devices(e.id).next().is_some());
        let of = facts.branch_of(self.leg).map(|b| b.conversation);
        let (Some(extension), Some(of)) = (extension, of) else {
            return self.wait_on(facts, actions);
        };
        let purpose = Purpose::RingBack { step: actions.acting, waits: self.leg };
        let wanted = Wanted::Extension(Arc::clone(extension));
        let party = display::party_at(self.leg, facts)
            .map(|party| Arc::new(display::marked(party, &format!("P{}", self.slot))));
        self.rings_back = Seeking::fetch(purpose, &wanted, self.by, of, party, facts, actions);
        actions.push(Action::Save);
        match self.rings_back {
            Some(_) => Next::Stay(Step::Parked(self)),
            None => self.wait_on(facts, actions),
        }
    }

    /// It has rung back in vain: it waits for another while, unless it has done so often enough.
    fn wait_on(self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::Save);
        if self.rounds < limits::PARK_ROUNDS_MAX {
            actions.push(Action::Timer { timer: Timer::Phase, after: limits::PARKED });
            return Next::Stay(Step::Parked(self));
        }
        self.falls_back(facts, actions)
    }

    fn order(self, order: &Order, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        if upkeep::releases(self.leg, order, facts, actions) {
            return Next::Stay(Step::Parked(self));
        }
        let is_own = facts.branch_of(self.leg).is_some_and(|b| b.id == order.branch);
        // Who waits has nobody at the other end.
        match &order.action {
            CallAction::Pickup(number) if !is_own => self.pick_up(number, order, facts, actions),
            CallAction::Transfer(Some(number)) if !is_own => {
                return self.goes_on_to(number, facts, actions);
            }
            _ => actions.refuse(Refusal::AlreadyParked),
        }
        Next::Stay(Step::Parked(self))
    }

    /// A program sends who waits on.
    fn goes_on_to(self, number: &Number, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let (leg, by) = (self.leg, self.by);
        let leaves = |actions: &mut Actions| {
            actions.accept();
            self.stop_ringing(actions);
            self.leave_slot(facts, actions);
        };
        match sending::sent(number, by, facts) {
            Ok(Sent::At(at)) => {
                leaves(actions);
                return sending::arrives(leg, at, by, facts, actions);
            }
            Ok(Sent::Rung(wanted)) => {
                leaves(actions);
                let plan = Plan { far: leg, by, from: None, last: self.last };
                return Seeking::send_on(plan, &wanted, facts, actions);
            }
            Ok(Sent::Slot(_)) => actions.refuse(Refusal::AlreadyParked),
            Err(refusal) => actions.refuse(refusal),
        }
        Next::Stay(Step::Parked(self))
    }

    /// A number is rung; who answers takes the call, if it is still there then.
    fn pick_up(&self, number: &Number, order: &Order, facts: &Facts<'_>, actions: &mut Actions) {
        let wanted = match pickup::ordered(number, self.by, self.leg, order, facts, actions) {
            Ok(wanted) => wanted,
            Err(refusal) => return actions.refuse(refusal),
        };
        let Some(of) = facts.branch_of(self.leg).map(|b| b.conversation) else {
            return actions.refuse(Refusal::NoSuchCall);
        };
        actions.accept();
        let purpose = Purpose::PickUp { step: actions.acting, waits: self.leg };
        let party = display::party_at(self.leg, facts).map(Arc::new);
        Seeking::fetch(purpose, &wanted, self.by, of, party, facts, actions);
    }

    /// Who waits goes to where the fallback leads; the rules of who is rung there run.
    fn falls_back(self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let of = facts.branch_of(self.leg).map(|b| b.conversation);
        let (Some(to), Some(of)) = (sending::fallback(self.by, facts), of) else {
            return self.over(EndReason::ParkExpired, facts, actions);
        };
        self.stop_ringing(actions);
        self.leave_slot(facts, actions);
        let wanted = match to {
            Fallback::At(at) => return sending::arrives(self.leg, at, self.by, facts, actions),
            Fallback::Rung(wanted) => wanted,
        };
        let mut seeking = Seeking::new(Some(self.leg), of, MAX_FORWARDS);
        seeking.by = Some(self.by);
        seeking.last.clone_from(&self.last);
        seeking.party = display::party_at(self.leg, facts).map(Arc::new);
        match wanted {
            Wanted::Extension(extension) => seeking.visit(extension.id, facts, actions),
            Wanted::Outside(outside) => seeking.lead_outside(self.by, &outside, facts, actions),
        }
    }

    /// Somebody has it: whoever was rung for it is needed no more.
    fn taken(
        self,
        leg: LegId,
        consults: Option<Consultation>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        self.stop_ringing(actions);
        self.leave_slot(facts, actions);
        if let Some(branch) = facts.leg(leg).map(|l| l.branch) {
            actions.push(Action::Connect { branch, says_so: true });
        }
        display::introduce(self.leg, leg, facts, actions);
        let codec = facts.leg(self.leg).and_then(session::codec_towards);
        actions.push(Action::Answer { leg, codec });
        actions.push(Action::Unite { one: self.leg, other: leg });
        // Who takes it is of the client, unless it was bridged.
        if facts.branch_of(leg).is_some_and(|branch| branch.extension.is_none()) {
            led::joined((self.leg, leg), self.by, facts, actions);
        }
        let talking = Talking { consults, ..Talking::begin(self.leg, leg, actions) };
        Next::Become(Step::Talking(talking))
    }

    /// Who waits goes on waiting at another phone, in the same slot and as long as before.
    pub(super) fn exchange(self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let last = self.last.as_deref().cloned();
        let last = last.or_else(|| display::party_of(self.by, facts.snapshot));
        display::show_party(leg, last, facts, actions);
        actions.push(Action::Save);
        Next::Stay(Step::Parked(Parked { leg, ..self }))
    }

    fn over(self, reason: EndReason, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        actions.push(Action::End { leg: self.leg, reason });
        if let Some(branch) = facts.leg(self.leg).map(|l| l.branch) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        self.leave_slot(facts, actions);
        Next::Done
    }

    /// It rings back no more, since the call goes on elsewhere.
    fn stop_ringing(&self, actions: &mut Actions) {
        if let Some(step) = self.rings_back {
            let (leg, given) = (self.leg, Given::TakenElsewhere);
            actions.push(Action::Tell { step, leg, given });
        }
    }

    /// The slot is free, and the extension that has parked has no part any more.
    fn leave_slot(&self, facts: &Facts<'_>, actions: &mut Actions) {
        actions.push(Action::Vacate { slot: self.slot });
        // While it hears the slot, its part ends with its leg.
        if facts.call.legs_of(self.branch).next().is_none() {
            let (branch, reason) = (self.branch, EndReason::Parked);
            actions.push(Action::Leave { branch, reason, status: None });
        }
    }

    /// The hold music of the extension that has parked it.
    pub fn sounds(&self, scene: &Scene<'_>, to: &mut Sounds) {
        if !scene.holds(self.leg) {
            talking::music_from(scene, Some(self.by), self.leg, Some(self.music), to);
        }
    }

    /// The moment that it remembers, to be moved when it goes on under another clock.
    pub(crate) fn moments(&mut self) -> impl Iterator<Item = &mut Mono> {
        core::iter::once(&mut self.since)
    }
}

/// The UUID under which a leg is listed.
fn handle_of(leg: LegId, facts: &Facts<'_>) -> Option<model::CallUuid> {
    let root = facts.call.root_of_leg(leg)?;
    facts.call.conversations.get(root).map(|c| c.api_id.uuid)
}
