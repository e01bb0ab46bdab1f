//! What its person does at the phone: dials, takes calls and ends them, holds, presses keys; and
//! the requests that come of it.

use core::net::SocketAddr;

use model::{Digit, Mono};
use sip::{Header, Method};

use super::agent::{Agent, SDP};
use super::call::{CallState, Outcome, Wake, allow};
use super::manner::{Events, Hold, OffersBy};
use super::request::Draft;
use super::transaction::{ClientState, PATIENCE, Purpose, T1};

impl Agent {
    /// Dials a number.
    pub(crate) fn dial(&mut self, now: Mono, number: &str) {
        self.dial_with(now, number, self.manner.max_forwards);
    }

    /// The same with this Max-Forwards; which of its calls it is.
    pub(super) fn dial_with(&mut self, now: Mono, number: &str, max_forwards: u8) -> u32 {
        self.invite(now, number, max_forwards, Vec::new())
    }

    /// Answers the call that rings.
    pub(crate) fn answer(&mut self, now: Mono) -> bool {
        let ringing = self.find(|c| c.state == CallState::Ringing);
        ringing.inspect(|id| self.accept(now, *id)).is_some()
    }

    /// Refuses the call that rings.
    pub(crate) fn refuse(&mut self, now: Mono, status: u16) -> bool {
        let ringing = self.find(|c| c.state == CallState::Ringing);
        ringing.inspect(|id| self.decline(now, *id, status)).is_some()
    }

    /// Ends the newest call: BYE, CANCEL, or 480 while it rings here.
    pub(crate) fn hang_up(&mut self, now: Mono) -> bool {
        let Some(id) = self.find(|_| true) else { return false };
        match self.call_mut(id).map(|c| c.state.clone()) {
            Some(CallState::Ringing) => self.decline(now, id, 480),
            Some(CallState::Talking) => self.part(now, id),
            _ => self.cancel(now, id),
        }
        true
    }

    /// What it says in its newest call goes elsewhere from now on.
    pub(crate) fn misdirect(&mut self, to: SocketAddr) {
        let id = self.find(|c| c.state == CallState::Talking);
        let call = id.and_then(|id| self.call_mut(id));
        if let Some(remote) = call.and_then(|call| call.session.remote.as_mut()) {
            remote.to = Some(to);
        }
    }

    /// Puts the other side of the newest answered call on hold, or back.
    pub(crate) fn offer_hold(&mut self, now: Mono, hold: Option<Hold>) -> bool {
        let Some(id) = self.find(|c| c.state == CallState::Talking) else { return false };
        if let Some(call) = self.call_mut(id) {
            call.session.wish = hold;
        }
        self.reinvite(now, id);
        true
    }

    /// Presses a key in the newest answered call: by RFC 4733 if both sides can, else by INFO; as a
    /// tone, if it knows neither.
    pub(crate) fn press(&mut self, now: Mono, digit: Digit) -> bool {
        let Some(id) = self.find(|c| c.state == CallState::Talking) else { return false };
        let events = self.manner.events;
        let Some(call) = self.call_mut(id) else { return false };
        let by_rtp = call.channel(events).is_some_and(|c| c.events.is_some());
        if by_rtp || events == Events::InBand {
            call.mouth.press(digit, events);
            call.mouth.next = Some(now);
        } else {
            self.info(now, id, digit);
        }
        true
    }

    fn info(&mut self, now: Mono, id: u32, digit: Digit) {
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        let mut draft = call.dialog.request(Method::Info, &self.place);
        let text = format!("Signal={}\r\nDuration=160\r\n", digit.as_char());
        draft.body = Some(("application/dtmf-relay", text));
        self.send(now, draft, Purpose::Info(id));
    }

    /// Cancels, as soon as the switch has said something (RFC 3261 9.1).
    pub(super) fn cancel(&mut self, now: Mono, id: u32) {
        let Some(call) = self.call_mut(id) else { return };
        if call.wants_cancel {
            return;
        }
        call.wants_cancel = true;
        if call.is_heard {
            self.send_cancel(now, id);
        }
    }

    pub(super) fn send_cancel(&mut self, now: Mono, id: u32) {
        let invite = self
            .clients
            .iter_mut()
            .find(|c| c.purpose == Purpose::Invite(id) && c.state != ClientState::Completed);
        let Some(invite) = invite else { return };
        // RFC 3261 9.1: without a final response in 64*T1 the INVITE counts as cancelled.
        invite.until = Some(now + PATIENCE);
        let branch = invite.branch.clone();
        let draft = Draft {
            method: Method::Cancel,
            contact: None,
            extra: Vec::new(),
            body: None,
            ..invite.draft.clone()
        };
        self.send_with(now, draft, Purpose::Cancel(id), branch);
    }

    /// Says goodbye, to a caller not before its ACK has come: RFC 3261 15.
    fn part(&mut self, now: Mono, id: u32) {
        match self.call_mut(id).map(|call| (call.unacked.as_ref().map(|u| u.until), call)) {
            Some((Some(until), call)) => call.wakes.push((until, Wake::HangUp)),
            _ => self.bye(now, id, Outcome::HungUp),
        }
    }

    /// Says goodbye; the call is over for the person at once.
    pub(super) fn bye(&mut self, now: Mono, id: u32, outcome: Outcome) {
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        call.unacked = None;
        let draft = call.dialog.request(Method::Bye, &self.place);
        call.end(outcome);
        self.send(now, draft, Purpose::Bye(id));
    }

    /// Offers the session as the phone wishes it.
    pub(super) fn reinvite(&mut self, now: Mono, id: u32) {
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id && c.is_live()) else { return };
        if call.is_offering {
            return;
        }
        if call.unacked.is_some() {
            // RFC 3261 14.1: not before the INVITE transaction is over.
            call.wakes.push((now + T1, Wake::OfferAgain));
            return;
        }
        call.is_offering = true;
        call.session.offered = call.session.wish;
        let method = match self.manner.offers_by {
            OffersBy::Invite => Method::Invite,
            OffersBy::Update => Method::Update,
        };
        let mut draft = call.dialog.request(method, &self.place);
        if method == Method::Invite {
            draft.set(Header::Allow, allow(self.manner.events).to_owned());
        }
        draft.extra.extend(call.timer_wish());
        draft.body = Some((SDP, call.offer(&self.place, &self.manner)));
        self.send(now, draft, Purpose::ReInvite(id));
        self.attend(now, id);
    }
}
