//! Call control as tests speak it: what programs order by a phone's name, and what phones can do
//! beyond making and taking calls.

use std::sync::Arc;

use leg::{AuditProgram, CallAction, CallView, Command, MonitorMode, Refusal, Reply};
use model::{CallApiId, CallUuid, Number, UserId};
use switch::Ticket;

use crate::device::Phone;
use crate::phone::transfer::DialogNames;
use crate::phone::watch::{DIALOG, LampDialog, dialogs};
use crate::sim::Sim;

/// An action that was accepted.
#[derive(Clone, Debug)]
pub struct Controlled {
    /// The call as it is listed now.
    pub call: Arc<CallView>,
    /// The slot of a park or a bridge.
    pub slot: Option<u8>,
    /// The conversation that is, or was, in that slot.
    pub parked: Option<CallUuid>,
}

/// A number, as an action takes it.
///
/// # Panics
///
/// When it is none.
pub fn number(text: &str) -> Number {
    Number::parse(text).unwrap_or_else(|_| panic!("{text} is no number"))
}

/// Reads an action: `transfer 102`, `transfer` (completes a consultation), `attend 102`,
/// `eavesdrop 103`, `whisper 103`, `conference 103`, `hold`, `offhold`, `park`, `park 2`, `bridge`,
/// `bridge 2`, `pickup 104`.
///
/// # Panics
///
/// When there is no such action.
pub fn action(text: &str) -> CallAction {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let slot = || rest.parse().ok();
    match word {
        "transfer" => CallAction::Transfer((!rest.is_empty()).then(|| number(rest))),
        "attend" => CallAction::AttendedTransfer(number(rest)),
        "eavesdrop" => CallAction::Monitor(MonitorMode::Eavesdrop, number(rest)),
        "whisper" => CallAction::Monitor(MonitorMode::Whisper, number(rest)),
        "conference" => CallAction::Monitor(MonitorMode::Conference, number(rest)),
        "hold" => CallAction::Hold,
        "offhold" => CallAction::Offhold,
        "park" => CallAction::Park(slot()),
        "bridge" => CallAction::Bridge(slot()),
        "pickup" => CallAction::Pickup(number(rest)),
        other => panic!("no action {other}"),
    }
}

impl Sim {
    /// Orders something done with the newest call of an extension of the first customer, and waits
    /// for the answer; how actions are written says [`action`].
    ///
    /// # Panics
    ///
    /// When the switch does not answer.
    pub fn control(&self, name: &str, order: &str) -> Result<Controlled, Refusal> {
        match self.calls_of(name).last() {
            Some(call) => self.control_call(name, *call, order),
            None => Err(Refusal::NoSuchCall),
        }
    }

    /// The same with any of its calls.
    ///
    /// # Panics
    ///
    /// When the switch does not answer.
    pub fn control_call(
        &self,
        name: &str,
        call: CallApiId,
        order: &str,
    ) -> Result<Controlled, Refusal> {
        match self.answer_to(0, self.order(0, name, call, action(order))) {
            Reply::Controlled { call, slot, parked } => Ok(Controlled { call, slot, parked }),
            Reply::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    /// Orders something done with a call of an extension of a customer; the answer comes later.
    pub fn orders(&self, number: usize, name: &str, call: CallApiId, order: CallAction) -> Ticket {
        self.ask(number, self.order(number, name, call, order))
    }

    fn order(&self, number: usize, name: &str, call: CallApiId, action: CallAction) -> Command {
        let extension = self.world().companies[number].extension_id(name);
        Command::Control { extension, call, action, program: Arc::new(program()) }
    }

    /// The calls of an extension of the first customer, as they are listed.
    ///
    /// # Panics
    ///
    /// When the switch does not answer.
    pub fn listed(&self, name: &str) -> Vec<Arc<CallView>> {
        let extension = Some(self.extension(name));
        match self.answer_to(0, Command::ListCalls { extension }) {
            Reply::Calls(calls) => calls,
            other => panic!("{other:?}"),
        }
    }

    /// The rows of the audit that were written, in order: what, allowed or not, by which clause.
    pub fn audit_lines(&self) -> Vec<String> {
        let line = |audit: &leg::Audit| {
            let verdict = if audit.allowed { "allowed" } else { "refused" };
            format!("{} {verdict} {}", audit.action.as_str(), audit.clause)
        };
        self.world().ledger.audits().iter().map(line).collect()
    }

    /// The free parking slots of the first customer.
    ///
    /// # Panics
    ///
    /// When the switch does not answer.
    pub fn free_slots(&self) -> Vec<u8> {
        match self.answer_to(0, Command::ListSlots { slot: None }) {
            Reply::Slots(slots) => slots,
            other => panic!("{other:?}"),
        }
    }
}

/// Who asks in all tests.
pub(crate) fn program() -> AuditProgram {
    AuditProgram { user: UserId(1), login: "robot".into(), application: "simulator".into() }
}

impl Phone {
    /// Asks to send the other side of its newest answered call to a number (REFER); `false`: there
    /// is no such call.
    pub fn refers_to(&self, number: &str) -> bool {
        self.act(|p, now| p.refer(now, number))
    }

    /// Asks to join the other sides of its oldest answered and its newest call (REFER with
    /// Replaces); `false`: there are no two.
    pub fn joins_its_calls(&self) -> bool {
        self.act(|p, now| p.refer_replacing(now))
    }

    /// Asks to join the other side of its newest answered call with any dialog.
    pub fn refers_to_dialog(&self, names: &DialogNames) -> bool {
        self.act(|p, now| p.refer_to(now, names))
    }

    /// Calls to take the place of a dialog (INVITE with Replaces).
    pub fn dials_replacing(&self, number: &str, names: &DialogNames) {
        self.act(|p, now| p.dial_replacing(now, number, names));
    }

    /// The dialog of its newest call, as a Replaces would name it.
    pub fn dialog_names(&self) -> Option<DialogNames> {
        self.with(|p| p.dialog_names())
    }

    /// The answers to the REFERs of its newest call.
    pub fn refer_answers(&self) -> Vec<u16> {
        self.with(|p| p.call().map(|c| c.referral.answers.clone()).unwrap_or_default())
    }

    /// What NOTIFYs have told of the REFERs of all its calls, oldest call first.
    pub fn refer_progress(&self) -> Vec<u16> {
        self.with(|p| {
            let mut calls: Vec<_> = p.past.iter().chain(&p.calls).collect();
            calls.sort_by_key(|c| c.id);
            calls.iter().flat_map(|c| c.referral.told.clone()).collect()
        })
    }

    /// Whether it holds the other side of its newest call, or is about to.
    pub fn is_holding(&self) -> bool {
        self.with(|p| p.call().is_some_and(|c| c.is_holding()))
    }

    /// Whether nothing that it has sent waits for an answer.
    pub fn is_at_rest(&self) -> bool {
        self.with(|p| p.is_at_rest())
    }

    /// Whether a transfer that it has asked for is under way: it hears nothing meanwhile.
    pub fn is_transferring(&self) -> bool {
        self.with(|p| p.calls.iter().any(|c| c.referral.is_open()))
    }

    /// Whom the switch has shown last at the other end of its newest call.
    pub fn shown(&self) -> Option<String> {
        self.with(|p| p.call().and_then(|c| c.shown.as_ref()).map(|shown| shown.number.clone()))
    }

    /// Watches the calls of an extension or a parking slot.
    pub fn watches(&self, resource: &str) {
        self.act(|p, now| p.watch(now, resource, DIALOG));
    }

    /// Watches the messages of an extension.
    pub fn watches_messages(&self, resource: &str) {
        self.act(|p, now| p.watch(now, resource, "message-summary"));
    }

    /// Ends all its subscriptions.
    pub fn unwatches(&self) {
        self.act(|p, now| p.unwatch(now));
    }

    /// Asks anew for all that it watches, as phones do when their cable is in again.
    pub fn watches_anew(&self) {
        self.act(|p, now| p.watch_anew(now));
    }

    /// The answer to its newest subscription to something; 0: none has come.
    pub fn watch_status(&self, resource: &str) -> Option<u16> {
        self.with(|p| p.lamp(resource).map(|w| w.status))
    }

    /// What the lamp of something shows: its calls; `None`: nothing was ever shown.
    pub fn lamp(&self, resource: &str) -> Option<Vec<LampDialog>> {
        self.with(|p| p.lamp(resource)?.shown.as_deref().map(dialogs))
    }

    /// The text that its subscription to something was shown last.
    pub fn lamp_text(&self, resource: &str) -> Option<String> {
        self.with(|p| p.lamp(resource)?.shown.clone())
    }
}
