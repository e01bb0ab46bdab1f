//! A search for whom an extension wants to talk to while its far party waits
//! ([`crate::step::consulting`]).

use std::sync::Arc;

use leg::{LegEvent, LegId, ReferId};
use model::{EndReason, ExtensionId, Number};

use super::node::Failure;
use super::purpose::{MAX_FORWARDS, Purpose, Wanted};
use super::transfer::Sender;
use super::{After, ROOT, Seeking, Work};
use crate::attempts::NEUTRAL;
use crate::call::Branch;
use crate::conversation::{ConversationId, Party};
use crate::display;
use crate::keypad::{InCall, KeySource, Keys};
use crate::limits;
use crate::session;
use crate::step::consulting::{Consultation, Tone};
use crate::step::talking::Talking;
use crate::step::{
    Action, Actions, Facts, Given, Next, Step, StepInput, Timer, asking, keys, led, monitoring,
    upkeep,
};

impl Seeking {
    /// Begins to look for whom somebody consults, beside what goes on. `by`: with whose rights.
    pub(in crate::step) fn consult(
        consultation: Consultation,
        (conversation, party): (ConversationId, Party),
        by: ExtensionId,
        wanted: &Wanted,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> crate::call::StepId {
        let (acting, step) = (actions.acting, actions.fresh_step());
        let leg = consultation.leg;
        let mut seeking = Seeking::new(Some(leg), conversation, MAX_FORWARDS);
        let own = party.extension;
        seeking.by = Some(by);
        seeking.party = Some(Arc::new(party));
        seeking.purpose = Purpose::Consult(consultation);
        actions.push(Action::Move { leg, step });
        actions.act_as(step);
        let next = match wanted {
            Wanted::Extension(target) if [Some(by), own].contains(&Some(target.id)) => {
                let failed = seeking.ring_phone(target, &mut Work { facts, actions });
                seeking.go_on(failed.map_or(After::Seeking, After::Failed), facts, actions)
            }
            Wanted::Extension(target) => seeking.visit(target.id, facts, actions),
            Wanted::Outside(outside) => seeking.dial_outside(outside, facts, actions),
        };
        if let Next::Stay(step_now) | Next::Become(step_now) = next {
            actions.push(Action::Begin(step, Box::new(step_now)));
        }
        actions.act_as(acting);
        step
    }

    /// The talk that waits for what comes of this.
    pub(crate) fn consultation(&self) -> Option<&Consultation> {
        if let Purpose::Consult(consultation) = &self.purpose { Some(consultation) } else { None }
    }

    /// Whether who consults has pressed the way back; all else is for its far party if nobody is
    /// found.
    pub(super) fn goes_back(
        &mut self,
        leg: LegId,
        input: &StepInput<'_>,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> bool {
        let (digit, source) = match input {
            StepInput::Digit { leg: of, digit, .. } if *of == leg => (*digit, KeySource::Event),
            StepInput::Leg(of, LegEvent::Digit(digit)) if *of == leg => (*digit, KeySource::Info),
            StepInput::Timer(Timer::Keys(_)) => {
                let heard = self.keypad.waited();
                self.keep(heard.pass);
                return false;
            }
            _ => return false,
        };
        let key = (leg, digit, source);
        let heard = keys::on_the_way_back(&mut self.keypad, key, facts, actions);
        self.keep(heard.pass);
        heard.code == Some(InCall::AttendedBack)
    }

    fn keep(&mut self, keys: Keys) {
        let room = limits::LATE_KEYS_MAX.saturating_sub(self.late.len());
        self.late.extend(keys.into_iter().take(room));
    }

    /// The far party of who consults gets what that has pressed meanwhile.
    fn tell_late(&self, consultation: &Consultation, actions: &mut Actions) {
        let Consultation { origin: step, leg, .. } = *consultation;
        let held = self.keypad.clone().given_up().pass;
        for key in self.late.iter().copied().chain(held) {
            actions.push(Action::Tell { step, leg, given: Given::PressedLate(key) });
        }
    }

    /// Nobody was found: who consults goes back to its far party.
    pub(super) fn consulted_nobody(
        &self,
        consultation: Consultation,
        failure: Failure,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let Failure { reason, status, .. } = failure;
        self.tell_late(&consultation, actions);
        consultation.returns(Tone::Error, (reason, status), facts, actions);
        Next::Done
    }

    /// Who consults goes back and looks for nobody any more.
    pub(super) fn give_up(
        mut self,
        consultation: Consultation,
        reason: EndReason,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        self.remove(ROOT, reason, None, &mut Work { facts, actions });
        self.tell_late(&consultation, actions);
        consultation.returns(Tone::None, (reason, None), facts, actions);
        Next::Done
    }

    /// Who consults is out while it still rings: its far party will wait here instead.
    pub(super) fn makes_way(
        mut self,
        consultation: Consultation,
        reason: EndReason,
        actions: &mut Actions,
    ) -> Next {
        actions.push(Action::End { leg: consultation.leg, reason });
        actions.push(Action::Leave { branch: consultation.own, reason, status: None });
        self.caller = None;
        Next::Stay(Step::Seeking(self))
    }

    /// Another phone of who waits goes on in its place: of who consults while it rings, of who was
    /// sent on, or to whom a machine plays.
    pub(super) fn moves(
        mut self,
        leg: LegId,
        from: LegId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        let moved = match self.consultation().copied() {
            Some(of) => of.moves_to(leg, facts, actions).map(Purpose::Consult),
            None => Some(self.purpose.clone()),
        };
        let Some(purpose) = moved.filter(|_| self.caller == Some(from)) else {
            asking::leaves(leg, NEUTRAL, facts, actions);
            return Next::Stay(Step::Seeking(self));
        };
        self.purpose = purpose;
        if let Some(sender) = self.transfer().and_then(|transfer| transfer.from.as_mut()) {
            sender.talk.gives_up_late(from, actions);
            sender.talk = sender.talk.clone().with_in_place_of(leg, from);
        }
        let early = self.early.and_then(|leg| facts.leg(leg));
        actions.push(Action::Answer { leg, codec: early.and_then(session::codec_in_use) });
        // A machine that plays has answered already.
        let is_connected = facts.branch_of(from).is_some_and(|branch| branch.answered.is_some());
        if let Some(branch) = facts.leg(leg).map(|l| l.branch).filter(|_| is_connected) {
            actions.push(Action::Connect { branch, says_so: true });
        }
        actions.push(Action::Unite { one: from, other: leg });
        upkeep::passes_hold(from, leg, facts, actions);
        asking::leaves(from, EndReason::Replaced, facts, actions);
        led::follow(from, leg, facts, actions);
        monitoring::follow(from, leg, facts, actions);
        actions.push(Action::DropTimer(Timer::Keys(from)));
        actions.push(Action::Save);
        let held = self.keypad.given_up().pass;
        self.keep(held);
        self.caller = Some(leg);
        match self.last.as_deref().cloned() {
            Some(last) => display::show_party(leg, Some(last), facts, actions),
            None => display::show_dialled(leg, from, facts, actions),
        }
        Next::Stay(Step::Seeking(self))
    }

    /// Whether who is rung can be asked to leave the call to somebody else: a monitor is not.
    pub(crate) fn can_be_picked_up(&self) -> bool {
        self.caller.is_some() || self.purpose.waits().is_some()
    }

    /// Whether another phone can take the place of a leg here: of who waits, not of who has sent
    /// that on and is about to be out.
    pub(crate) fn can_move(&self, leg: LegId) -> bool {
        self.caller == Some(leg)
    }

    /// Whether somebody has answered on a leg and has not taken the call.
    pub(in crate::step) fn is_asked(&self, leg: LegId) -> bool {
        self.screens.get(leg).is_some()
    }

    /// Whether it looks for somebody whom this leg calls.
    pub(in crate::step) fn looks_for(&self, caller: LegId) -> bool {
        self.caller == Some(caller) && self.purpose.is_connect()
    }

    /// A phone has another party wait here in the place of its own leg.
    pub(super) fn sent_on_instead(
        mut self,
        far: LegId,
        (leg, refer): (LegId, ReferId),
        by: ExtensionId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        self.end_caller(EndReason::Transferred, None, facts, actions);
        self.caller = Some(far);
        self.is_tried_for(far, facts, actions);
        let is_called = facts.branch_of(far).is_some_and(Branch::is_called);
        let (a, b) = if is_called { (leg, far) } else { (far, leg) };
        let talk = Talking::begin(a, b, actions);
        let from = Sender { leg, part: None, refer: Some(refer), told: false, talk };
        let last = display::party_at(leg, facts).map(Arc::new);
        self.begin_transfer(by, (Some(from), last), facts, actions);
        self.leads_outside(by, facts, actions);
        self.lasts_no_longer(&mut Work { facts, actions });
        actions.push(Action::Save);
        self.go_on(After::Seeking, facts, actions)
    }

    /// Whoever is tried is tried for this leg from now on, in its conversation.
    fn is_tried_for(&mut self, far: LegId, facts: &Facts<'_>, actions: &mut Actions) {
        if let Some(its) = facts.call.root_of_leg(far) {
            let one = core::mem::replace(&mut self.conversation, its);
            actions.push(Action::UniteConversations { one, other: its });
        }
    }

    /// The far party of who has consulted waits here from now on.
    pub(super) fn takes_over(
        mut self,
        far: LegId,
        by: ExtensionId,
        facts: &Facts<'_>,
        actions: &mut Actions,
    ) -> Next {
        self.caller = Some(far);
        self.is_tried_for(far, facts, actions);
        // It is who has consulted that was shown as calling here.
        let last = self.party.take();
        self.begin_transfer(by, (None, last), facts, actions);
        self.leads_outside(by, facts, actions);
        self.lasts_no_longer(&mut Work { facts, actions });
        actions.push(Action::Save);
        self.go_on(After::Seeking, facts, actions)
    }
}

/// What a number is called in a conversation that an extension begins for it.
pub(in crate::step) fn converse(
    number: &Number,
    own: ExtensionId,
    facts: &Facts<'_>,
    actions: &mut Actions,
) -> Option<(ConversationId, Party)> {
    let party = display::party_of(own, facts.snapshot)?;
    let id = actions.fresh_conversation();
    let dialled = number.clone();
    actions.push(Action::Converse { id, party: party.clone(), dialled });
    Some((id, party))
}
