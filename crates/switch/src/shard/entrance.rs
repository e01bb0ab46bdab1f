//! The way of a message into the shard: past the door, to its tenant.

use model::{Now, TenantId};
use stack::{Flow, Vouched};

use super::Shard;
use crate::door::denied::Denied;
use crate::door::{Standing, Trust, Visitor, strip};
use crate::interface::{Effect, HandOver};
use crate::owner::{marked, shard_of};

impl Shard {
    /// One message from outside.
    pub(super) fn knock(
        &mut self,
        now: Now,
        flow: Flow,
        bytes: Vec<u8>,
        effects: &mut Vec<Effect>,
    ) {
        let visitor = Visitor::of(&flow, bytes.len());
        if let Some(bytes) = self.door.keep_alive(now.mono, &visitor, &flow, &bytes) {
            effects.push(Effect::Send { flow, bytes });
            return;
        }
        let standing = match self.door.admit(now.mono, &visitor, &bytes) {
            Ok(standing) => standing,
            Err(why) => {
                if why == Denied::Banned && flow.transport.is_reliable() {
                    effects.push(Effect::CloseFlow(flow.id));
                }
                return;
            }
        };
        let Ok(mut message) = sip::Message::parse(bytes) else {
            self.door.deny(Denied::NotSip);
            return;
        };
        let trust = if standing == Standing::Trunk { Trust::Trunk } else { Trust::Phone };
        strip(&mut message, trust);
        self.visitor = Some(visitor);
        if let Some(tenant) = marked(&message, &self.directory, &self.pending) {
            return self.let_in(now, tenant, flow, message, effects);
        }
        let is_ack = message.method() == Some(sip::Method::Ack);
        if !message.is_request() || is_ack {
            self.counters.strangers += 1;
            self.door.deny(Denied::Unanswerable);
            return;
        }
        match self.endpoint.vouch(now, &message) {
            Vouched::Right { tenant, is_fresh } => {
                if is_fresh {
                    self.door.vouched(now.mono, visitor.source);
                }
                return self.let_in(now, tenant, flow, message, effects);
            }
            // Where it was read, whoever's login it names: what is refused must not cost more or
            // less time for a login that exists.
            Vouched::Wrong => {
                if self.door.failed(now.mono, visitor.source).is_err() {
                    return;
                }
            }
            Vouched::Nothing => {}
        }
        self.counters.strangers += 1;
        if self.door.has_answer_left(now.mono, &visitor, standing).is_ok() {
            self.push_stack(stack::Input::Message { tenant: None, flow, message });
        }
    }

    /// A message of a tenant, here or on another shard.
    fn let_in(
        &mut self,
        now: Now,
        tenant: TenantId,
        flow: Flow,
        message: sip::Message,
        effects: &mut Vec<Effect>,
    ) {
        let to = shard_of(tenant, self.config.shards);
        if to == self.config.index {
            return self.push_stack(stack::Input::Message { tenant: Some(tenant), flow, message });
        }
        self.counters.handed_over += 1;
        let is_invite = message.method() == Some(sip::Method::Invite);
        if let (true, Ok(call_id)) = (is_invite, message.call_id()) {
            self.pending.handed_over(now.mono, call_id, tenant);
        }
        let reader = self.config.index;
        let what = Box::new(HandOver::Message { tenant, reader, flow, message });
        effects.push(Effect::HandOver { to, what });
    }

    /// What another shard passes on.
    pub(super) fn handed_over(&mut self, now: Now, what: HandOver) {
        match what {
            HandOver::Message { tenant, reader, flow, message } => {
                self.reader = Some(reader);
                self.visitor = Some(Visitor::of(&flow, message.bytes().len()));
                self.push_stack(stack::Input::Message { tenant: Some(tenant), flow, message });
            }
            HandOver::InviteTaken { tenant, call_id } => self.pending.taken(call_id, tenant),
            HandOver::InviteGone { call_id } => self.pending.gone(&call_id),
            HandOver::News(news) => self.door.hear(now.mono, &news),
        }
    }

    /// An answer without state goes past the door too.
    pub(super) fn answer(
        &mut self,
        now: Now,
        flow: Flow,
        bytes: stack::Bytes,
        effects: &mut Vec<Effect>,
    ) {
        // Only a message in hand is answered so; without one the answer is measured by itself.
        let visitor = self.visitor.unwrap_or_else(|| Visitor::of(&flow, bytes.len()));
        if visitor.is_hushed {
            return;
        }
        if let Ok(bytes) = self.door.answer(now.mono, &visitor, bytes) {
            effects.push(Effect::Send { flow, bytes });
        }
    }

    /// Passes on what the other doors must know.
    pub(super) fn tell_others(&mut self, effects: &mut Vec<Effect>) {
        for (to, news) in self.door.take_news() {
            effects.push(Effect::HandOver { to, what: Box::new(HandOver::News(news)) });
        }
    }
}
