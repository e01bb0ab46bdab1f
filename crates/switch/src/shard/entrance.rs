//! The way of a message into the shard: past the door, to its tenant.

use std::sync::Arc;

use model::{Directory, Now, TenantId, TrunkId};
use stack::{Answer, Flow, LookupId, Vouched};

use super::Shard;
use crate::door::denied::Denied;
use crate::door::{Standing, Trust, Visitor, strip};
use crate::interface::{Effect, HandOver};
use crate::outside::{Arrival, FoundHost};
use crate::owner::{marked, shard_of};

/// The trunk by which a tenant is called, and the number; `None`: any other message.
type Call = Option<(TrunkId, Box<str>)>;

fn input(tenant: TenantId, call: Call, flow: Flow, message: sip::Message) -> stack::Input {
    match call {
        Some((trunk, did)) => stack::Input::Called { tenant, trunk, did, flow, message },
        None => stack::Input::Message { tenant: Some(tenant), flow, message },
    }
}

/// Whether the sender calls itself a phone of ours.
fn names_a_phone(message: &sip::Message, directory: &Directory) -> bool {
    let from = message.from().ok().and_then(|from| from.uri.number());
    from.is_some_and(|user| directory.logins.contains_key(&*user))
}

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
        if message.method() == Some(sip::Method::Invite)
            && message.to_tag().is_none()
            && !self.endpoint.has_credentials(&message)
        {
            let (from, directory) = (flow.remote.ip(), &self.directory);
            match self.trunks.arrival(now.mono, &message, from, directory) {
                Arrival::NotATrunk => {}
                Arrival::Called { tenant, trunk, did } => {
                    let call = Some((trunk, did));
                    return self.let_in(now, (tenant, call), flow, message, effects);
                }
                // A phone may share its address with a trunk: it is asked for its password.
                Arrival::NoSuchNumber
                    if standing == Standing::Trunk && !names_a_phone(&message, directory) =>
                {
                    self.push_stack(stack::Input::Misdialled { flow, message });
                    return;
                }
                // Whoever has heard of a token of ours is a stranger still.
                Arrival::NoSuchNumber => {}
            }
        }
        if let Some(tenant) = marked(&message, &self.directory, &self.pending) {
            return self.let_in(now, (tenant, None), flow, message, effects);
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
                return self.let_in(now, (tenant, None), flow, message, effects);
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
        (tenant, call): (TenantId, Call),
        flow: Flow,
        message: sip::Message,
        effects: &mut Vec<Effect>,
    ) {
        let to = shard_of(tenant, self.config.shards);
        if to == self.config.index {
            return self.push_stack(input(tenant, call, flow, message));
        }
        self.counters.handed_over += 1;
        let is_invite = message.method() == Some(sip::Method::Invite);
        if let (true, Ok(call_id)) = (is_invite, message.call_id()) {
            self.pending.handed_over(now.mono, call_id, tenant);
        }
        let reader = self.config.index;
        let what = Box::new(HandOver::Message { tenant, call, reader, flow, message });
        effects.push(Effect::HandOver { to, what });
    }

    /// The hosts of trunks were looked up.
    pub(super) fn found_host(&mut self, now: Now, lookup: LookupId, answer: &Answer) {
        let Some(host) = self.lookups.remove(&lookup) else { return };
        let Answer::Found { sites, .. } = answer else { return };
        let addresses = sites.iter().flat_map(|site| &site.addresses).map(|a| a.ip());
        let found = FoundHost { host, addresses: addresses.collect() };
        for address in &found.addresses {
            self.door.found_trunk(now.mono, *address);
        }
        if self.trunks.found(now.mono, &found) {
            self.found.push(Arc::new(found));
        }
    }

    /// What another shard passes on.
    pub(super) fn handed_over(&mut self, now: Now, what: HandOver) {
        match what {
            HandOver::Message { tenant, call, reader, flow, message } => {
                self.reader = Some(reader);
                self.visitor = Some(Visitor::of(&flow, message.bytes().len()));
                self.push_stack(input(tenant, call, flow, message));
            }
            HandOver::FoundHost(host) => {
                self.trunks.found(now.mono, &host);
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
        for host in self.found.drain(..) {
            for to in (0..self.config.shards).filter(|to| *to != self.config.index) {
                let what = Box::new(HandOver::FoundHost(Arc::clone(&host)));
                effects.push(Effect::HandOver { to, what });
            }
        }
    }
}
