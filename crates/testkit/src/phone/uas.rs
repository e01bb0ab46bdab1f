//! The phone as a server: requests that it receives, and its responses.

use model::{Digit, Mono};
use sip::{Header, Method, Reply, Writer};

use super::agent::{Agent, Output, SDP};
use super::call::{Call, CallState, Outcome, Unacked, Unpracked, Wake, Way, allow};
use super::description;
use super::manner::Early;
use super::message::Seen;
use super::transaction::{PATIENCE, Repeat, Server, ServerState};

/// For how long a carrier lets itself be registered with, seconds.
const GRANTED_S: u32 = 120;

/// What a response says beyond its status.
#[derive(Default)]
struct Told<'a> {
    to_tag: Option<&'a str>,
    contact: Option<String>,
    body: Option<String>,
    extra: Vec<(Header, String)>,
}

impl Agent {
    /// Takes one SIP message.
    pub(crate) fn receive(&mut self, now: Mono, bytes: &[u8]) {
        if self.is_unplugged {
            return;
        }
        if bytes.trim_ascii().is_empty() {
            return; // The switch keeps the way open.
        }
        let seen = match Seen::read(bytes) {
            Ok(seen) => seen,
            Err(complaint) => return self.complaints.push(complaint),
        };
        if seen.message.is_request() {
            self.request(now, &seen);
        } else {
            self.response(now, &seen);
        }
        self.lead_on(now);
        self.bury();
    }

    fn request(&mut self, now: Mono, seen: &Seen) {
        if seen.method == Method::Ack {
            return self.ack(now, seen);
        }
        let known = |s: &&Server| s.branch == seen.branch && s.method == seen.method;
        if let Some(server) = self.servers.iter().find(known) {
            // RFC 6026 7.1: a repeated INVITE that was accepted is absorbed.
            let is_accepted =
                seen.method == Method::Invite && matches!(server.state, ServerState::Done { .. });
            if let Some(last) = server.last.clone().filter(|_| !is_accepted) {
                self.out.push(Output::Sip(last));
            }
            return;
        }
        self.servers.push(Server::new(&seen.branch, seen.method));
        match seen.method {
            Method::Cancel => self.cancelled(now, seen),
            Method::Invite if seen.to_tag.is_empty() => self.invited(now, seen),
            Method::Options if seen.to_tag.is_empty() => {
                self.respond(now, seen, 200, Told::default())
            }
            // The switch registers with a carrier.
            Method::Register => {
                let contact = seen.message.text(Header::Contact).unwrap_or_default();
                let contact = format!("{contact};expires={}", GRANTED_S);
                let extra = vec![(Header::Contact, contact)];
                self.respond(now, seen, 200, Told { extra, ..Told::default() });
            }
            _ => self.in_dialog(now, seen),
        }
    }

    fn in_dialog(&mut self, now: Mono, seen: &Seen) {
        if seen.method == Method::Notify
            && let Some(status) = self.notified(seen)
        {
            return self.respond(now, seen, status, Told::default());
        }
        let found = self.calls.iter_mut().find(|c| c.is_live() && c.dialog.matches(seen));
        let Some(call) = found else { return self.respond(now, seen, 481, Told::default()) };
        // RFC 3261 12.2.2.
        if seen.cseq < call.dialog.remote_cseq {
            return self.respond(now, seen, 500, Told::default());
        }
        call.dialog.remote_cseq = seen.cseq;
        let id = call.id;
        match seen.method {
            Method::Bye => {
                let reason = seen.reason();
                if let Some(invite) = call.invite.take() {
                    self.respond(now, &invite, 487, Told::default());
                }
                if let Some(call) = self.call_mut(id) {
                    call.unacked = None;
                    call.end(Outcome::PeerHungUp(reason));
                }
                self.respond(now, seen, 200, Told::default());
            }
            Method::Invite | Method::Update => self.offered(now, id, seen),
            Method::Info => {
                call.info_digits.extend(digit_of(seen.message.body()));
                self.respond(now, seen, 200, Told::default());
            }
            Method::Options => self.respond(now, seen, 200, Told::default()),
            Method::Notify => {
                let status = self.told_of_refer(now, id, seen);
                self.respond(now, seen, status, Told::default());
            }
            Method::Prack => {
                let status = self.acknowledges(id, seen);
                self.respond(now, seen, status, Told::default());
                self.answer_if_waited_for(now, id);
            }
            _ => self.respond(now, seen, 405, Told::default()),
        }
    }

    /// A new call.
    fn invited(&mut self, now: Mono, seen: &Seen) {
        let mut call = self.new_call(Way::In, &seen.caller());
        call.dialog.call_id.clone_from(&seen.call_id);
        call.dialog.remote = seen
            .message
            .text(Header::From)
            .unwrap_or_default()
            .replace(&format!(";tag={}", seen.from_tag), "");
        call.dialog.remote_tag.clone_from(&seen.from_tag);
        call.dialog.remote_cseq = seen.cseq;
        call.dialog.target = seen.contact().unwrap_or_default();
        call.dialog.routes = seen.record_route();
        call.invite = Some(seen.clone());
        call.shown = seen.calling();
        let id = call.id;
        self.calls.push(call);
        self.react(now, id);
    }

    /// Rings, with its answer and its voice if that is its manner.
    pub(super) fn ring(&mut self, now: Mono, id: u32) {
        match self.manner.early {
            Early::Rings => self.respond_invite(now, id, 180, None),
            Early::Speaks => {
                let answer = self.answer_to_invite(id);
                self.respond_invite(now, id, 183, answer);
                self.attend(now, id);
            }
        }
    }

    /// Answers the call.
    pub(super) fn accept(&mut self, now: Mono, id: u32) {
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        let Some(invite) = call.invite.clone() else { return };
        if let Some(unpracked) = &mut call.unpracked {
            // RFC 3262 3: not before the description has arrived.
            unpracked.then_answer = true;
            return;
        }
        let has_offer = !invite.message.body().is_empty();
        let body = match &call.session.last {
            Some(early) => Some(early.clone()),
            None if has_offer => self.answer_to_invite(id),
            None => Some(call.offer(&self.place, &self.manner)),
        };
        if body.is_none() {
            return self.decline(now, id, 488);
        }
        self.respond_invite(now, id, 200, body);
        self.attend(now, id);
    }

    /// Refuses the call.
    pub(super) fn decline(&mut self, now: Mono, id: u32, status: u16) {
        self.respond_invite(now, id, status, None);
        if let Some(call) = self.call_mut(id) {
            call.end(Outcome::Declined(status));
        }
        self.bury();
    }

    fn answer_to_invite(&mut self, id: u32) -> Option<String> {
        let call = self.calls.iter_mut().find(|c| c.id == id)?;
        let offer = description::read(call.invite.as_ref()?.message.body())?;
        call.answer(&offer, &self.place, &self.manner)
    }

    /// Responds to the INVITE that began the call.
    pub(super) fn respond_invite(&mut self, now: Mono, id: u32, status: u16, body: Option<String>) {
        let contact = match status {
            ..300 => Some(format!("<{}>", self.place.contact())),
            // Nobody shall go to that host.
            300..400 => Some(format!("<sip:{}@203.0.113.250>", self.manner.names)),
            _ => None,
        };
        let Some(call) = self.call_mut(id) else { return };
        let Some(invite) = call.invite.clone() else { return };
        let tag = call.dialog.local_tag.clone();
        if status >= 200 {
            call.invite = None;
        }
        let extra = match status {
            101..200 => self.reliability(id, &invite),
            200..300 => self.grant(now, id, &invite),
            _ => Vec::new(),
        };
        let is_reliable = status < 200 && !extra.is_empty();
        let told = Told { to_tag: Some(&tag), contact, body, extra };
        self.respond(now, &invite, status, told);
        if is_reliable {
            self.await_prack(now, id, &invite);
        }
        if (200..300).contains(&status) {
            self.await_ack(now, id, &invite);
            if let Some(call) = self.call_mut(id) {
                call.state = CallState::Talking;
            }
        }
    }

    /// Repeats a reliable provisional response until its PRACK.
    fn await_prack(&mut self, now: Mono, id: u32, invite: &Seen) {
        let sent = self.servers.iter().find(|s| s.branch == invite.branch);
        let Some(bytes) = sent.and_then(|s| s.last.clone()) else { return };
        let Some(call) = self.call_mut(id) else { return };
        let repeat = Repeat::begin(now, PATIENCE);
        call.unpracked =
            Some(Unpracked { bytes, repeat, until: now + PATIENCE, then_answer: false });
    }

    /// Repeats a 2xx to an INVITE until its ACK.
    fn await_ack(&mut self, now: Mono, id: u32, invite: &Seen) {
        let sent = self.servers.iter().find(|s| s.branch == invite.branch);
        let Some(bytes) = sent.and_then(|s| s.last.clone()) else { return };
        let Some(call) = self.call_mut(id) else { return };
        call.unacked = Some(Unacked {
            cseq: invite.cseq,
            bytes,
            repeat: Repeat::begin(now, core::time::Duration::from_secs(4)),
            until: now + PATIENCE,
            owes_answer: invite.message.body().is_empty(),
        });
    }

    /// A changed offer, or a question for one.
    fn offered(&mut self, now: Mono, id: u32, seen: &Seen) {
        let contact = Some(format!("<{}>", self.place.contact()));
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        // RFC 3261 14.2.
        if call.is_offering && !seen.message.body().is_empty() {
            return self.respond(now, seen, 491, Told::default());
        }
        if call.unacked.is_some() && seen.method == Method::Invite {
            return self.respond(now, seen, 500, Told::default());
        }
        if let Some(target) = seen.contact() {
            call.dialog.target = target;
        }
        if let Some(shown) = seen.asserted() {
            call.shown = Some(shown);
        }
        let body = match description::read(seen.message.body()) {
            Some(offer) => match call.answer(&offer, &self.place, &self.manner) {
                Some(answer) => Some(answer),
                None => return self.respond(now, seen, 488, Told::default()),
            },
            None if seen.method == Method::Invite => Some(call.offer(&self.place, &self.manner)),
            None => None,
        };
        let extra = self.grant(now, id, seen);
        self.respond(now, seen, 200, Told { to_tag: None, contact, body, extra });
        if seen.method == Method::Invite {
            self.await_ack(now, id, seen);
        }
        self.attend(now, id);
    }

    fn cancelled(&mut self, now: Mono, seen: &Seen) {
        let is_theirs = |s: &&Server| s.branch == seen.branch && s.method == Method::Invite;
        if self.servers.iter().find(is_theirs).is_none() {
            return self.respond(now, seen, 481, Told::default());
        }
        let of_invite = |c: &&mut Call| c.invite.as_ref().is_some_and(|i| i.branch == seen.branch);
        let call = self.calls.iter_mut().find(of_invite);
        let (tag, invite) = match call {
            Some(call) => {
                let tag = call.dialog.local_tag.clone();
                let invite = call.invite.take();
                call.end(Outcome::Cancelled(seen.reason()));
                (tag, invite)
            }
            // It is answered: the CANCEL has no effect (RFC 3261 9.2).
            None => (String::new(), None),
        };
        let to_tag = (!tag.is_empty()).then_some(tag.as_str());
        self.respond(now, seen, 200, Told { to_tag, ..Told::default() });
        if let Some(invite) = invite {
            self.respond(now, &invite, 487, Told { to_tag, ..Told::default() });
        }
    }

    fn ack(&mut self, now: Mono, seen: &Seen) {
        let of_refusal = |s: &&mut Server| s.branch == seen.branch && s.method == Method::Invite;
        if let Some(server) = self.servers.iter_mut().find(of_refusal) {
            return server.acknowledged(now);
        }
        let manner = self.manner.clone();
        let Some(call) = self.calls.iter_mut().find(|c| c.dialog.matches(seen)) else { return };
        let Some(unacked) = call.unacked.take_if(|u| u.cseq == seen.cseq) else { return };
        if unacked.owes_answer
            && let Some(answer) = description::read(seen.message.body())
        {
            call.answered(answer, &manner);
        }
        let id = call.id;
        if call.wakes.iter().any(|(_, wake)| *wake == Wake::HangUp) {
            return self.bye(now, id, Outcome::HungUp);
        }
        self.attend(now, id);
    }

    fn respond(&mut self, now: Mono, seen: &Seen, status: u16, told: Told<'_>) {
        let own_tag = super::agent::token(&mut self.chance, 8);
        let to_tag = Some(told.to_tag.unwrap_or(&own_tag));
        let mut w = Writer::response(&seen.message, Reply { to_tag, ..Reply::new(status) });
        if let Some(contact) = &told.contact {
            w.header(Header::Contact, contact);
        }
        for (header, value) in &told.extra {
            w.header(*header, value);
        }
        if status == 405 || (status == 200 && seen.method != Method::Cancel) {
            w.header(Header::Allow, allow(self.manner.events));
        }
        let bytes = match told.body {
            Some(text) => w.finish_with(SDP, text.as_bytes()),
            None => w.finish(),
        };
        self.out.push(Output::Sip(bytes.clone()));
        let is_reliable = self.is_reliable();
        let known = |s: &&mut Server| s.branch == seen.branch && s.method == seen.method;
        if let Some(server) = self.servers.iter_mut().find(known) {
            server.responded(now, status, bytes, is_reliable);
        }
    }

    pub(super) fn tick_servers(&mut self, now: Mono) {
        for server in &mut self.servers {
            if let ServerState::Refused { repeat: Some(repeat), until } = &mut server.state
                && *until > now
                && repeat.at <= now
            {
                repeat.again(now);
                self.out.extend(server.last.clone().map(Output::Sip));
            }
        }
        self.servers.retain(|s| match s.state {
            ServerState::Proceeding => true,
            ServerState::Refused { until, .. } | ServerState::Done { until } => until > now,
        });
    }
}

/// The digit of `application/dtmf-relay` or `application/dtmf`.
fn digit_of(body: &[u8]) -> Option<char> {
    let text = core::str::from_utf8(body).ok()?;
    let signal = text.lines().find_map(|l| l.strip_prefix("Signal="));
    let digit = signal.unwrap_or(text).trim().chars().next()?;
    Digit::from_char(digit).map(Digit::as_char)
}
