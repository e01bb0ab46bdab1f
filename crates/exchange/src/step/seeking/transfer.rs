//! A transfer: the far party of a talk waits on the line, and another number is looked for in the
//! place of who talked with it.
//!
//! Who transfers is in the call until the target rings, by REFER until it answers. When nothing
//! comes of it before, both talk on; afterwards the far party is given back: the devices of who has
//! transferred ring, then the client's fallback number, then the far party is hung up.

use core::time::Duration;
use std::sync::Arc;

use leg::{DiversionReason, LegEvent, LegId, ReferId, Refusal};
use model::limits::CALL_BRANCHES_MAX;
use model::{EndReason, ExtensionId, Number};
use serde::{Deserialize, Serialize};

use super::node::{Failure, NodeId, Wait};
use super::purpose::{self, MAX_FORWARDS, Purpose, Wanted};
use super::{After, ROOT, Seeking, Work};
use crate::call::{Branch, BranchId};
use crate::conversation::Party;
use crate::step::departing::Departing;
use crate::step::sending::{self, Fallback};
use crate::step::talking::Talking;
use crate::step::{Action, Actions, Facts, Next, StepInput, Timer, led, reason_for};
use crate::{display, limits};

/// A far party is sent on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// The extension that sends it on.
    pub by: ExtensionId,
    /// Who talked with it, while still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Sender>,
    /// Whom is being tried.
    pub stage: Stage,
    /// The time of the present stage is over: nothing more begins.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_late: bool,
}

/// Who sends its far party on and has not left yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sender {
    /// Its leg.
    pub leg: LegId,
    /// The part in whose name it is done, where that is not its own: of an extension whose rules
    /// have led to it, which is over with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<BranchId>,
    /// What its phone is told about the transfer by; `None`: nobody asked by REFER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refer: Option<ReferId>,
    /// Its phone was told that it rings.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub told: bool,
    /// The talk as it was, and will be when nothing comes of it.
    pub talk: Talking,
}

/// Whom a transfer is trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The number that was named.
    Target,
    /// The devices of who has sent the far party on.
    Back,
    /// The client's fallback number.
    Fallback,
}

/// What a transfer is about.
#[derive(Debug)]
pub(in crate::step) struct Plan {
    /// The leg that is sent on.
    pub(in crate::step) far: LegId,
    /// With whose rights.
    pub(in crate::step) by: ExtensionId,
    /// Who talked with it, if still there.
    pub(in crate::step) from: Option<Sender>,
    /// The same as the far party is shown it.
    pub(in crate::step) last: Option<Arc<Party>>,
}

/// Whether a number may be transferred to: whom it means. Nothing has been done yet.
pub(in crate::step) fn checked(
    number: &Number,
    by: ExtensionId,
    facts: &Facts<'_>,
) -> Result<Wanted, Refusal> {
    let wanted = purpose::found(number, by, facts)?;
    let forbidden = match &wanted {
        Wanted::Extension(_) => purpose::is_blocked(by, facts).then_some(()),
        Wanted::Outside(outside) => purpose::forbids(outside, by, facts).map(|_| ()),
    };
    if forbidden.is_some() {
        return Err(Refusal::Forbidden);
    }
    if facts.call.branches.len() >= CALL_BRANCHES_MAX || facts.ports_left == 0 {
        return Err(Refusal::Full);
    }
    Ok(wanted)
}

impl Seeking {
    /// The far party waits from now on, and `wanted` is looked for.
    pub(in crate::step) fn send_on(
        plan: Plan,
        wanted: &Wanted,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let mut seeking = Seeking::of_transfer(plan, facts, actions);
        let failed = seeking.try_target(wanted, &mut Work { facts, actions });
        becoming(seeking.go_on(failed.map_or(After::Seeking, After::Failed), facts, actions))
    }

    /// The far party waits from now on for who has sent it on and is out already.
    pub(in crate::step) fn give_back(plan: Plan, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let seeking = Seeking::of_transfer(plan, facts, actions);
        becoming(seeking.next_stage(facts, actions))
    }

    fn of_transfer(plan: Plan, facts: &Facts<'_>, actions: &mut Actions) -> Seeking {
        let Plan { far, by, from, last } = plan;
        let conversation = facts.call.root_of_leg(far).unwrap_or_default();
        let mut seeking = Seeking::new(Some(far), conversation, MAX_FORWARDS);
        seeking.begin_transfer(by, (from, last), facts, actions);
        seeking
    }

    /// The caller is from now on somebody who was sent on.
    pub(in crate::step) fn begin_transfer(
        &mut self,
        by: ExtensionId,
        (from, last): (Option<Sender>, Option<Arc<Party>>),
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        (self.by, self.party) = (Some(by), self.caller.and_then(|far| sent_on(far, by, facts)));
        self.last = last;
        if let Some(sender) = &from {
            sender.talk.waits_for_keys(actions);
        }
        match &from {
            Some(Sender { leg, refer: Some(refer), .. }) => {
                let (leg, refer) = (*leg, *refer);
                actions.push(Action::Referred { leg, refer, status: None });
                actions.push(Action::Referred { leg, refer, status: Some(100) });
            }
            Some(Sender { refer: None, .. }) => {
                let after = limits::TRANSFER_LEAVES;
                actions.push(Action::Timer { timer: Timer::Phase, after });
            }
            None => {}
        }
        let transfer = Transfer { by, from, stage: Stage::Target, is_late: false };
        self.purpose = Purpose::Transfer(Box::new(transfer));
    }

    fn try_target(&mut self, wanted: &Wanted, work: &mut Work<'_, '_>) -> Option<Failure> {
        let by = self.by?;
        let failed = match wanted {
            // The own number: the own devices, without the own rules.
            Wanted::Extension(own) if own.id == by => self.ring_phone(own, work),
            Wanted::Extension(target) => self.begin_visit(None, target.id, work),
            Wanted::Outside(outside) => {
                let by = Some((by, DiversionReason::Deflection));
                self.begin_outside(None, by, outside, work)
            }
        };
        if failed.is_none() {
            in_time(limits::TRANSFER_RINGS, work);
        }
        failed
    }

    /// The transfer that this is.
    pub(super) fn transfer(&mut self) -> Option<&mut Transfer> {
        if let Purpose::Transfer(transfer) = &mut self.purpose { Some(transfer) } else { None }
    }

    /// Who has sent the caller on and has not left.
    pub(super) fn sender(&self) -> Option<&Sender> {
        if let Purpose::Transfer(transfer) = &self.purpose { transfer.from.as_ref() } else { None }
    }

    /// The talk of who sends the caller on.
    pub(crate) fn senders_talk(&mut self) -> Option<&mut Talking> {
        Some(&mut self.transfer()?.from.as_mut()?.talk)
    }

    /// Whether a leg waits here that was in a talk: of who consults, who is sent on, who does that.
    pub(in crate::step) fn has_talked(&self, leg: LegId) -> bool {
        let is_after_talk = matches!(self.purpose, Purpose::Consult(_) | Purpose::Transfer(_));
        let is_caller = is_after_talk && self.caller == Some(leg);
        is_caller || self.sender().is_some_and(|sender| sender.leg == leg)
    }

    /// Keys of who sends the caller on, and of the caller, are kept while the two may talk on.
    pub(super) fn hears_late(
        &mut self,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        if let Some(sender) = self.transfer().and_then(|transfer| transfer.from.as_mut()) {
            sender.talk.hears_late(input, facts, actions);
        }
    }

    fn take_sender(&mut self, actions: &mut Actions) -> Option<Sender> {
        let sender = self.transfer()?.from.take();
        if sender.is_some() {
            actions.push(Action::DropTimer(Timer::Phase));
        }
        sender
    }

    /// Something happened on the leg of who sends the caller on.
    pub(super) fn sender_event(
        &mut self,
        leg: LegId,
        event: &LegEvent,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        match event {
            LegEvent::Offer(_) => actions.push(Action::AnswerOffer { leg }),
            LegEvent::Ended { reason, .. } => {
                let reason = match reason_for(facts, leg, *reason) {
                    EndReason::CallerHungUp | EndReason::CalleeHungUp => EndReason::Transferred,
                    lost => lost,
                };
                self.sender_leaves(reason, facts, actions);
            }
            // It was asked whether it is still there, and no way leads to it any more.
            LegEvent::OfferRejected { status: 408 } => {
                self.sender_leaves(EndReason::MediaLost, facts, actions);
            }
            // What it says is heard by nobody.
            _ => {}
        }
    }

    /// Who sends the caller on is out, whatever becomes of that.
    pub(super) fn sender_leaves(
        &mut self,
        reason: EndReason,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        let Some(sender) = self.take_sender(actions) else { return };
        actions.push(Action::End { leg: sender.leg, reason });
        let own = facts.leg(sender.leg).map(|l| l.branch);
        for branch in own.into_iter().chain(sender.part) {
            actions.push(Action::Leave { branch, reason, status: None });
        }
        actions.push(Action::Save);
    }

    /// It rings: who sends the caller on leaves, or is told.
    pub(super) fn heed_sender(&mut self, facts: &Facts<'_>, actions: &mut Actions) {
        let is_rung = self.told;
        let is_played = self.nodes.values().any(|n| n.is_playing());
        match self.transfer().and_then(|t| t.from.as_mut()) {
            Some(_) if is_played => self.sender_is_done(facts, actions),
            Some(Sender { refer: None, .. }) if is_rung => {
                self.sender_leaves(EndReason::Transferred, facts, actions);
            }
            Some(Sender { leg, refer: Some(refer), told, .. }) if is_rung && !*told => {
                *told = true;
                let (leg, refer) = (*leg, *refer);
                actions.push(Action::Referred { leg, refer, status: Some(180) });
            }
            _ => {}
        }
    }

    /// Somebody has taken the caller: who sends it on is out, or is told to hang up.
    pub(super) fn sender_is_done(&mut self, facts: &Facts<'_>, actions: &mut Actions) {
        match self.sender() {
            Some(Sender { leg, refer: Some(refer), talk, .. }) => {
                let (leg, far, refer) = (*leg, talk.other(*leg), *refer);
                self.take_sender(actions);
                actions.push(Action::Referred { leg, refer, status: Some(200) });
                Departing::begin((leg, far), EndReason::Transferred, None, facts, actions);
            }
            Some(Sender { refer: None, .. }) => {
                self.sender_leaves(EndReason::Transferred, facts, actions);
            }
            None => {}
        }
    }

    /// The caller is gone, and with it what the transfer was about.
    pub(super) fn end_sender(
        &mut self,
        reason: EndReason,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) {
        if let Some(Sender { leg, refer: Some(refer), .. }) = self.sender() {
            let status = Some(EndReason::Cancelled.sip_status());
            actions.push(Action::Referred { leg: *leg, refer: *refer, status });
        }
        self.sender_leaves(reason, facts, actions);
    }

    /// Somebody has answered whom the caller was sent on to.
    pub(super) fn transferred(&mut self, leg: LegId, facts: &Facts<'_>, actions: &mut Actions) {
        let Some(far) = self.caller else { return };
        let last = self.last.as_ref().and_then(|party| party.extension);
        let is_given_back = self.is_given_back();
        let Some(by) = self.sent_by() else {
            // Nobody has taken it back who was parked: it is with whom the fallback led to.
            if self.last.is_some() {
                display::show(far, leg, facts, actions);
            }
            return;
        };
        // Rung through from there it is with somebody else, and so it is where another has talked
        // with it in the name of whom it is given to, or somebody outside answers in that name.
        let extension = facts.branch_of(leg).and_then(Branch::itself);
        let was_given_back = is_given_back && extension.is_some() && extension == last;
        self.sender_is_done(facts, actions);
        actions.push(Action::Unite { one: far, other: leg });
        led::sent((leg, far), by, facts, actions);
        if !was_given_back {
            display::show(far, leg, facts, actions);
        }
        // It rang under the name of who consulted it.
        if facts.branch_of(leg).is_some_and(|branch| branch.party != self.party) {
            display::show(leg, far, facts, actions);
        }
    }

    /// Nobody has taken the caller.
    pub(super) fn transfer_failed(
        mut self,
        failure: Failure,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let Some(Sender { leg, refer, talk, .. }) = self.take_sender(actions) else {
            return self.next_stage(facts, actions);
        };
        let tone = match refer {
            // The phone says so; the call is as the phone left it.
            Some(refer) => {
                let status = Some(failure.status.unwrap_or_else(|| failure.reason.sip_status()));
                actions.push(Action::Referred { leg, refer, status });
                None
            }
            None => Some(leg),
        };
        talk.resume(tone, actions).catches_up(facts, actions)
    }

    /// Tries whoever is next to take a caller whom nobody has taken.
    fn next_stage(mut self, facts: &Facts<'_>, actions: &mut Actions) -> Next {
        let (Some(far), Some(by)) = (self.caller, self.by) else { return Next::Done };
        loop {
            (self.early, self.told, self.next_node) = (None, false, ROOT.0);
            let Some(transfer) = self.transfer() else { return Next::Done };
            transfer.is_late = false;
            let mut work = Work { facts, actions };
            let failed = match transfer.stage {
                Stage::Target => {
                    transfer.stage = Stage::Back;
                    let far = display::party_at(far, facts);
                    self.party = far.map(|party| Arc::new(display::marked(party, "Back")));
                    let extension = facts.snapshot.extension(by);
                    let rung = extension.map(|own| self.ring_phone(own, &mut work));
                    rung.is_none_or(|failed| failed.is_some()).then_some(()).or_else(|| {
                        in_time(limits::GIVE_BACK_RINGS, &mut work);
                        None
                    })
                }
                Stage::Back => {
                    transfer.stage = Stage::Fallback;
                    self.party = sent_on(far, by, facts);
                    let wanted = match sending::fallback(by, facts) {
                        Some(Fallback::At(at)) => {
                            return sending::arrives(far, at, by, facts, actions);
                        }
                        Some(Fallback::Rung(wanted)) => Some(wanted),
                        None => None,
                    };
                    let tried = wanted.map(|wanted| self.try_target(&wanted, &mut work));
                    tried.is_none_or(|failed| failed.is_some()).then_some(())
                }
                Stage::Fallback => {
                    self.end_caller(EndReason::NotTakenBack, None, facts, actions);
                    return Next::Done;
                }
            };
            if failed.is_none() {
                return self.go_on(After::Seeking, facts, actions);
            }
        }
    }

    /// The time of a node is over; of the first one with it that of the present stage.
    pub(super) fn note_late(&mut self, node: NodeId) {
        if let Some(transfer) = self.transfer().filter(|_| node == ROOT) {
            transfer.is_late = true;
        }
    }

    /// Whether nothing more may begin.
    pub(super) fn is_late(&self) -> bool {
        matches!(&self.purpose, Purpose::Transfer(transfer) if transfer.is_late)
    }

    /// Who has sent the caller on: its rules have led to whatever is tried.
    pub(super) fn sent_by(&self) -> Option<ExtensionId> {
        if let Purpose::Transfer(transfer) = &self.purpose { Some(transfer.by) } else { None }
    }

    /// The extension to which the caller is given back has sent it on: why it rang there says
    /// nothing to whom it comes to.
    pub(super) fn is_sent_on_by(&mut self, extension: ExtensionId, facts: &Facts<'_>) {
        if self.is_given_back()
            && let Some(far) = self.caller
        {
            self.party = sent_on(far, extension, facts);
        }
    }

    /// As whom the caller is shown to somebody who takes it from where it rings.
    pub(super) fn shown_to_takers(&self, facts: &Facts<'_>) -> Option<Arc<Party>> {
        match self.caller.filter(|_| self.is_given_back()) {
            Some(far) => display::party_at(far, facts).map(Arc::new),
            None => self.party.clone(),
        }
    }

    /// Whether it rings at who has sent the caller on.
    fn is_given_back(&self) -> bool {
        matches!(&self.purpose, Purpose::Transfer(transfer) if transfer.stage == Stage::Back)
    }

    /// Whom the peer of a leg has sent on, while that is with nobody else.
    pub(crate) fn sent_on_from(&self, leg: LegId) -> Option<LegId> {
        self.caller.filter(|_| self.sender().is_some_and(|sender| sender.leg == leg))
    }

    /// Which part of the call is meant: of an extension that has forwarded the call, the one that
    /// it led to.
    pub(super) fn meant(&self, branch: BranchId, facts: &Facts<'_>) -> BranchId {
        let waits = [self.sender().map(|sender| sender.leg), self.caller];
        let mut waits = waits.into_iter().flatten().filter_map(|leg| facts.branch_of(leg));
        if self.sent_by().is_none()
            || self.has_branch(branch)
            || waits.clone().any(|of| of.id == branch)
        {
            return branch;
        }
        let led_to = facts.call.branches.get(branch).and_then(|part| part.led_to);
        let is_it = |of: &&Branch| led_to.map_or(of.is_called(), |to| of.id == to);
        waits.find(is_it).map_or(branch, |of| of.id)
    }

    /// Whether a part of the call is that of who sends the caller on.
    pub(super) fn is_senders(&self, branch: BranchId, facts: &Facts<'_>) -> bool {
        let leg = self.sender().and_then(|sender| facts.leg(sender.leg));
        leg.is_some_and(|leg| leg.branch == branch)
    }
}

/// The party as whom the far party is shown to who is tried.
pub(in crate::step) fn sent_on(
    far: LegId,
    by: ExtensionId,
    facts: &Facts<'_>,
) -> Option<Arc<Party>> {
    let mut party = display::party_at(far, facts)?;
    let phone = facts.snapshot.extension(by).and_then(|e| e.phone.as_ref());
    if let Some(mark) = phone.and_then(|p| p.shown.append_to_cid_name_on_transfer.as_ref()) {
        let name = format!("{}{mark}", party.identity.name);
        party.identity.name = model::DisplayName::from_peer(&name);
    }
    Some(Arc::new(party))
}

/// The present stage lasts no longer.
fn in_time(after: Duration, work: &mut Work<'_, '_>) {
    work.actions.push(Action::Timer { timer: Timer::Node(ROOT, Wait::Ring), after });
}

impl Seeking {
    /// What is tried already has as long as a transfer.
    pub(super) fn lasts_no_longer(&self, work: &mut Work<'_, '_>) {
        in_time(limits::TRANSFER_RINGS, work);
    }
}

/// Another step was here before, whose timers are gone.
fn becoming(next: Next) -> Next {
    match next {
        Next::Stay(step) => Next::Become(step),
        other => other,
    }
}
