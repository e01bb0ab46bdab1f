//! The phone as a client: requests, and what their responses mean.

use core::time::Duration;

use model::Mono;
use sip::digest::{Challenge, Freshness, Ha1s, Login};
use sip::{Header, Method};

use super::agent::{Agent, Nonce, Output, Registered, SDP, token};
use super::call::{CallState, Outcome, Wake};
use super::description;
use super::message::Seen;
use super::request::Draft;
use super::transaction::{Client, ClientState, Purpose};

impl Agent {
    /// Sends a request in a transaction of its own.
    pub(super) fn send(&mut self, now: Mono, draft: Draft, purpose: Purpose) {
        let branch = format!("z9hG4bK{}", token(&mut self.chance, 12));
        self.send_with(now, draft, purpose, branch);
    }

    /// The same, with credentials for the nonce that is known, if one is.
    pub(super) fn send_known(&mut self, now: Mono, mut draft: Draft, purpose: Purpose) {
        if let Some(nonce) = &mut self.nonce {
            nonce.count += 1;
            let nonce = nonce.clone();
            self.authorise(&mut draft, &nonce);
        }
        self.send(now, draft, purpose);
    }

    pub(super) fn send_with(&mut self, now: Mono, draft: Draft, purpose: Purpose, branch: String) {
        let bytes = draft.bytes(&self.place, &branch);
        self.out.push(Output::Sip(bytes.clone()));
        let is_reliable = self.is_reliable();
        self.clients.push(Client::new(now, branch, draft, purpose, bytes, is_reliable));
    }

    pub(super) fn tick_clients(&mut self, now: Mono) {
        let mut failed = Vec::new();
        for client in &mut self.clients {
            if client.until.is_some_and(|at| at <= now) {
                if client.state != ClientState::Completed {
                    failed.push(client.purpose);
                }
            } else if let Some(repeat) = client.repeat.as_mut().filter(|r| r.at <= now) {
                repeat.again(now);
                self.out.push(Output::Sip(client.bytes.clone()));
            }
        }
        self.clients.retain(|c| c.until.is_none_or(|at| at > now));
        for purpose in failed {
            self.failed(now, purpose, 0);
        }
    }

    /// A response.
    pub(super) fn response(&mut self, now: Mono, seen: &Seen) {
        let is_reliable = self.is_reliable();
        let client = self
            .clients
            .iter_mut()
            .find(|c| c.branch == seen.branch && c.draft.method == seen.method);
        let Some(client) = client else {
            return self.stray_response(seen);
        };
        let status = seen.status();
        let purpose = client.purpose;
        if client.state == ClientState::Completed {
            if let Some(ack) = client.ack.clone().filter(|_| status >= 300) {
                self.out.push(Output::Sip(ack));
            }
            return;
        }
        if status < 200 {
            client.proceed();
            return self.provisional(now, purpose, seen);
        }
        client.complete(now, is_reliable);
        let draft = client.draft.clone();
        if seen.method == Method::Invite {
            if status >= 300 {
                self.acknowledge_refusal(seen);
            } else {
                // The 2xx ends the transaction; its repetitions are the call's.
                self.clients.retain(|c| c.branch != seen.branch || c.draft.method != seen.method);
            }
        }
        if is_reliable {
            self.clients.retain(|c| c.until.is_none_or(|at| at > now));
        }
        self.result(now, purpose, draft, seen);
    }

    /// RFC 3261 17.1.1.3: in the transaction of the INVITE.
    fn acknowledge_refusal(&mut self, seen: &Seen) {
        let found = self
            .clients
            .iter_mut()
            .find(|c| c.branch == seen.branch && c.draft.method == Method::Invite);
        let Some(client) = found else { return };
        let to = seen.message.text(Header::To).unwrap_or_default().into_owned();
        let draft = Draft {
            method: Method::Ack,
            to,
            contact: None,
            extra: Vec::new(),
            body: None,
            ..client.draft.clone()
        };
        let bytes = draft.bytes(&self.place, &client.branch);
        client.ack = Some(bytes.clone());
        self.out.push(Output::Sip(bytes));
    }

    /// A response of no transaction: a 2xx that comes again because its ACK was lost.
    fn stray_response(&mut self, seen: &Seen) {
        if seen.method != Method::Invite || !(200..300).contains(&seen.status()) {
            return;
        }
        let calls = self.calls.iter().chain(&self.past);
        let ack = calls
            .filter(|c| c.dialog.call_id == seen.call_id && c.dialog.remote_tag == seen.to_tag)
            .filter_map(|c| c.ack.as_ref())
            .find(|(cseq, _)| *cseq == seen.cseq);
        if let Some((_, bytes)) = ack {
            self.out.push(Output::Sip(bytes.clone()));
        }
    }

    fn provisional(&mut self, now: Mono, purpose: Purpose, seen: &Seen) {
        let Purpose::Invite(id) = purpose else { return };
        let manner = self.manner.clone();
        let Some(call) = self.call_mut(id) else { return };
        let is_first = !call.is_heard;
        call.is_heard = true;
        if call.wants_cancel {
            if is_first {
                self.send_cancel(now, id);
            }
            return;
        }
        let status = seen.status();
        if status > 100 && call.is_live() && !self.hears_reliably(now, id, seen) {
            return;
        }
        let Some(call) = self.call_mut(id) else { return };
        if status > 100 && call.is_live() {
            call.state = CallState::Progressing(status);
            call.early_tag.clone_from(&seen.to_tag);
            if call.session.owes_us_answer
                && let Some(answer) = description::read(seen.message.body())
            {
                call.answered(answer, &manner);
            }
            self.attend(now, id);
        }
    }

    /// The final response to a request.
    fn result(&mut self, now: Mono, purpose: Purpose, draft: Draft, seen: &Seen) {
        let status = seen.status();
        if matches!(status, 401 | 407) && self.try_again(now, purpose, draft, seen) {
            return;
        }
        match (purpose, status) {
            (Purpose::Register, 200..300) => self.registered_at(now, seen),
            (Purpose::Invite(id), 200..300) => self.call_answered(now, id, seen),
            (Purpose::ReInvite(id), 200..300) => self.offer_answered(now, id, seen),
            (Purpose::Refresh(id), 200..300) => {
                self.granted(now, id, seen);
            }
            (
                Purpose::Cancel(_) | Purpose::Bye(_) | Purpose::Info(_) | Purpose::Prack(_),
                200..300,
            ) => {}
            (Purpose::Refer(id), status) => self.refer_answered(now, id, status),
            (Purpose::Watch(id), status) => self.subscribed(now, id, status, Some(seen)),
            (purpose, status) => self.failed(now, purpose, status),
        }
        self.bury();
    }

    fn registered_at(&mut self, now: Mono, seen: &Seen) {
        let contacts = seen.message.contacts().flatten();
        let listed = contacts.filter_map(|c| c.address().copied());
        let registration = &mut self.registration;
        registration.contacts.clear();
        let own = self.place.contact();
        let mut granted = None;
        for address in listed {
            registration.contacts.push(address.uri.as_str().to_owned());
            if address.uri.as_str() == own {
                granted = address.expires().flatten();
            }
        }
        if registration.expires_s == 0 {
            registration.state = Registered::No;
            return;
        }
        registration.state = Registered::Yes;
        let granted = u64::from(granted.unwrap_or(registration.expires_s));
        registration.refresh = Some(now + Duration::from_secs(granted) / 2);
    }

    fn call_answered(&mut self, now: Mono, id: u32, seen: &Seen) {
        let manner = self.manner.clone();
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        call.dialog.remote_tag.clone_from(&seen.to_tag);
        call.shown = seen.asserted().or(call.shown.take());
        call.dialog.target = seen.contact().unwrap_or_default();
        call.dialog.routes = seen.record_route();
        call.dialog.routes.reverse();
        let mut ack = call.dialog.draft(Method::Ack, seen.cseq, &self.place);
        if let Some(described) = description::read(seen.message.body()) {
            if call.session.owes_us_answer {
                call.answered(described, &manner);
            } else if call.session.last.is_none() {
                // We sent no offer, so this is one.
                ack.body = call.answer(&described, &self.place, &manner).map(|text| (SDP, text));
            }
        }
        let branch = format!("z9hG4bK{}", token(&mut self.chance, 12));
        let bytes = ack.bytes(&self.place, &branch);
        call.ack = Some((seen.cseq, bytes.clone()));
        self.out.push(Output::Sip(bytes));
        if call.wants_cancel || !call.is_live() {
            // The answer has crossed the CANCEL.
            return self.bye(now, id, Outcome::GaveUp);
        }
        call.state = CallState::Talking;
        self.granted(now, id, seen);
        self.attend(now, id);
    }

    fn offer_answered(&mut self, now: Mono, id: u32, seen: &Seen) {
        let manner = self.manner.clone();
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        if seen.method == Method::Invite {
            let ack = call.dialog.draft(Method::Ack, seen.cseq, &self.place);
            let branch = format!("z9hG4bK{}", token(&mut self.chance, 12));
            let bytes = ack.bytes(&self.place, &branch);
            call.ack = Some((seen.cseq, bytes.clone()));
            self.out.push(Output::Sip(bytes));
        }
        call.is_offering = false;
        call.shown = seen.asserted().or(call.shown.take());
        if let Some(contact) = seen.contact() {
            call.dialog.target = contact;
        }
        if let Some(answer) = description::read(seen.message.body()) {
            call.answered(answer, &manner);
        }
        call.session.hold = call.session.offered;
        let has_changed_mind = call.session.wish != call.session.hold;
        self.granted(now, id, seen);
        self.attend(now, id);
        if has_changed_mind {
            self.reinvite(now, id);
        }
    }

    /// A request was refused, or with status 0 not answered at all.
    pub(super) fn failed(&mut self, now: Mono, purpose: Purpose, status: u16) {
        match purpose {
            Purpose::Register => {
                self.registration.state = Registered::Refused(status);
                self.registration.contacts.clear();
            }
            Purpose::Invite(id) => {
                let Some(call) = self.call_mut(id) else { return };
                let outcome = match status {
                    _ if call.wants_cancel => Outcome::GaveUp,
                    0 => Outcome::Lost,
                    status => Outcome::Refused(status),
                };
                call.end(outcome);
            }
            Purpose::ReInvite(id) => self.offer_rejected(now, id, status),
            // RFC 3261 12.2.1.2: the dialog is gone.
            Purpose::Info(id) if matches!(status, 0 | 408 | 481) => {
                self.bye(now, id, Outcome::Lost);
            }
            Purpose::Refresh(id) => self.refresh_refused(now, id, status),
            Purpose::Refer(id) => self.refer_answered(now, id, status),
            Purpose::Watch(id) => self.subscribed(now, id, status, None),
            Purpose::Info(_) | Purpose::Bye(_) | Purpose::Cancel(_) | Purpose::Prack(_) => {}
        }
        self.bury();
    }

    fn offer_rejected(&mut self, now: Mono, id: u32, status: u16) {
        let wait = self.chance.below(1_900);
        let Some(call) = self.call_mut(id).filter(|c| c.is_live()) else { return };
        call.is_offering = false;
        call.session.owes_us_answer = false;
        call.rejected_offers += 1;
        match status {
            // RFC 3261 14.1: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s.
            491 => {
                let least = if call.way == super::call::Way::Out { 2_100 } else { 0 };
                let at = now + Duration::from_millis(least + wait / 10 * 10);
                call.wakes.push((at, Wake::OfferAgain));
            }
            0 | 408 | 481 => self.bye(now, id, Outcome::Lost),
            _ => {
                call.session.wish = call.session.hold;
                self.attend(now, id);
            }
        }
    }

    /// Sends a challenged request again with credentials; `false`: it has no more to offer.
    fn try_again(&mut self, now: Mono, purpose: Purpose, draft: Draft, seen: &Seen) -> bool {
        let wanted = self.manner.algorithm;
        let header = Header::WwwAuthenticate;
        let values: Vec<String> =
            seen.message.values(header).map(|v| String::from_utf8_lossy(v).into_owned()).collect();
        let parsed =
            |v: &&String| Challenge::parse(v.as_bytes()).is_ok_and(|c| c.algorithm == wanted);
        // The preferred one, else what is offered.
        let Some(value) = values.iter().find(parsed).or(values.first()) else { return false };
        let is_stale =
            Challenge::parse(value.as_bytes()).is_ok_and(|c| c.freshness == Freshness::Stale);
        if draft.attempts >= 2 || (draft.attempts == 1 && !is_stale) {
            return false;
        }
        let nonce = Nonce { challenge: value.clone(), count: 1 };
        if purpose == Purpose::Register {
            self.nonce = Some(nonce.clone());
        }
        let mut again = draft;
        again.attempts += 1;
        again.cseq += 1;
        if !self.note_cseq(purpose, again.cseq) {
            return false;
        }
        self.authorise(&mut again, &nonce);
        self.send(now, again, purpose);
        true
    }

    /// The CSeq of a repeated request counts in its dialog; `false`: there is no use for it.
    fn note_cseq(&mut self, purpose: Purpose, cseq: u32) -> bool {
        match purpose {
            Purpose::Register => self.registration.cseq = cseq,
            Purpose::Invite(id) => {
                let Some(call) = self.call_mut(id).filter(|c| !c.wants_cancel) else {
                    return false;
                };
                call.dialog.local_cseq = cseq;
                call.invite_cseq = cseq;
                // It is a new INVITE: a CANCEL of it must wait for its own response.
                call.is_heard = false;
            }
            Purpose::ReInvite(id)
            | Purpose::Info(id)
            | Purpose::Bye(id)
            | Purpose::Cancel(id)
            | Purpose::Prack(id)
            | Purpose::Refer(id)
            | Purpose::Refresh(id) => {
                let calls = self.calls.iter_mut().chain(&mut self.past);
                for call in calls.filter(|c| c.id == id) {
                    call.dialog.local_cseq = cseq;
                }
            }
            Purpose::Watch(id) => {
                let watch = self.watches.iter_mut().find(|w| w.id == id);
                watch.into_iter().for_each(|w| w.cseq = cseq);
            }
        }
        true
    }

    fn authorise(&mut self, draft: &mut Draft, nonce: &Nonce) {
        let Ok(challenge) = Challenge::parse(nonce.challenge.as_bytes()) else { return };
        let ha1s = Ha1s::of(&self.place.login, challenge.realm, &self.place.password);
        let cnonce = token(&mut self.chance, 8);
        let login = Login {
            username: &self.place.login,
            ha1s: &ha1s,
            method: draft.method.as_str(),
            uri: &draft.uri,
            cnonce: &cnonce,
            count: nonce.count,
        };
        if let Some(value) = challenge.answer(&login) {
            draft.set(Header::Authorization, value);
        }
    }
}
