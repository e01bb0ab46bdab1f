//! The endpoint: finds out whose a message is inside of it, and hands it on.

mod afterwards;
mod inside;

use std::collections::BTreeMap;

use leg::{LegCommand, LegId};
use model::{Chance, DeviceId, ExtensionId, Mono, Now, TenantId, TrunkId};
use sip::digest::Freshness;
use sip::{Message, Method, Verdict};

use crate::core::{Core, LegKey, Told, Turn};
use crate::dialog::{Far, Fate, Leg};
use crate::interface::{Config, Effect, Flow, Input, Vouched};
use crate::limits::TIMERS_AT_ONCE_MAX;
use crate::transaction::{Purpose, TransactionId, User};
use crate::uas::Caller;
use crate::{
    auth, enrol, in_dialog, keys, offer, owed, refer, register, replaces, session_timer, uac, uas,
    watch,
};

/// One SIP endpoint, for many tenants.
pub struct Endpoint {
    pub(crate) core: Core,
    pub(crate) legs: BTreeMap<LegKey, Box<Leg>>,
    /// The leg that is being handled, out of `legs` meanwhile.
    pub(crate) busy: Option<LegKey>,
    /// The moment of the last input.
    pub(crate) last: Now,
}

/// Whose a message is, as the routing of messages found.
enum Sender {
    /// Nobody's.
    Nobody,
    /// A tenant's, by its marks or its login.
    Tenant(TenantId),
    /// A trunk's, which calls a number of a tenant.
    Trunk { tenant: TenantId, trunk: TrunkId, did: Box<str> },
    /// A trunk's, which calls a number that nobody has.
    Lost,
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Endpoint({:?})", self.counts())
    }
}

impl Endpoint {
    /// An endpoint without legs and registrations. It knows nobody before the first
    /// [`Input::Directory`].
    pub fn new(config: Config, chance: Chance) -> Endpoint {
        Endpoint {
            core: Core::new(config, chance),
            legs: BTreeMap::new(),
            busy: None,
            last: Now::default(),
        }
    }

    /// Handles one input. Effects are appended in the order in which they must be carried out.
    ///
    /// A defect of ours costs the leg that it happened in, never more: the leg ends with
    /// [`model::EndReason::Internal`], a request gets 500.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        self.last = now;
        effects.append(&mut self.core.queued);
        match input {
            Input::Message { tenant, flow, message } => {
                let sender = tenant.map_or(Sender::Nobody, Sender::Tenant);
                self.arrived(now, sender, flow, message, effects);
            }
            Input::Called { tenant, trunk, did, flow, message } => {
                let sender = Sender::Trunk { tenant, trunk, did };
                self.arrived(now, sender, flow, message, effects);
            }
            Input::Misdialled { flow, message } => {
                self.arrived(now, Sender::Lost, flow, message, effects);
            }
            Input::FlowClosed(id) => self.flow_closed(now, id, effects),
            Input::Directory(directory) => self.directory(now, directory, effects),
            Input::Home(tenant) => {
                self.core.homes.insert(tenant);
                enrol::reconcile(&mut Turn { core: &mut self.core, now, effects });
            }
            Input::Leg { tenant, leg, command } => {
                self.guarded(now, effects, |e, effects| {
                    e.command(now, (tenant, leg), command, effects);
                });
            }
            Input::Lamp { tenant, command } => {
                self.guarded(now, effects, |e, effects| {
                    let mut turn = Turn { core: &mut e.core, now, effects };
                    watch::command(&mut turn, tenant, command);
                });
            }
            Input::Bindings { tenant, bindings } => self.bindings(now, tenant, bindings, effects),
            Input::Resolved { lookup, answer } => self.resolved(now, lookup, answer, effects),
            Input::Connected { connect, flow } => self.connected(now, connect, flow, effects),
            Input::Drain => self.core.draining = true,
            Input::Open => self.core.draining = false,
            Input::Tick => {}
        }
        for _ in 0..TIMERS_AT_ONCE_MAX {
            let Some(timer) = self.core.timers.due(now.mono) else { break };
            self.guarded(now, effects, |e, effects| e.timer(now, timer, effects));
        }
    }

    /// A message has arrived.
    fn arrived(
        &mut self,
        now: Now,
        sender: Sender,
        flow: Flow,
        message: Message,
        effects: &mut Vec<Effect>,
    ) {
        self.core.see(&flow);
        let mut cell = Some(message);
        let lives = self.guarded(now, effects, |e, effects| {
            e.message(now, sender, flow, &mut cell, effects);
        });
        if let (false, Some(message)) = (lives, cell) {
            self.apologise(now, flow, &message, effects);
        }
    }

    /// Whether a request carries credentials for our realm: a phone's.
    pub fn has_credentials(&self, request: &Message) -> bool {
        request.credentials_for(&self.core.config.realm).is_some()
    }

    /// What the credentials of a request are worth, whoever's they are; changes nothing.
    pub fn vouch(&self, now: Now, request: &Message) -> Vouched {
        auth::vouch(&self.core, now.mono, request)
    }

    /// When [`Endpoint::handle`] wants to be called again at the latest.
    pub fn deadline(&self) -> Option<Mono> {
        if self.core.queued.is_empty() { self.core.timers.deadline() } else { Some(self.last.mono) }
    }

    /// Takes a leg out, hands it on, and puts it back if it lives.
    fn with_leg(
        &mut self,
        now: Now,
        key: LegKey,
        effects: &mut Vec<Effect>,
        work: impl FnOnce(&mut Turn<'_>, &mut Leg) -> Fate,
    ) {
        let Some(mut leg) = self.legs.remove(&key) else { return };
        self.busy = Some(key);
        let mut turn = Turn { core: &mut self.core, now, effects };
        #[cfg(test)]
        assert!(!core::mem::take(&mut turn.core.trip), "tripped by a test");
        match work(&mut turn, &mut leg) {
            Fate::Lives => {
                self.legs.insert(key, leg);
            }
            Fate::Over => leg.clear(&mut turn),
        }
        self.busy = None;
    }

    fn message(
        &mut self,
        now: Now,
        sender: Sender,
        flow: Flow,
        cell: &mut Option<Message>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(message) = cell.as_ref() else { return };
        match sip::validate(message) {
            Ok(()) => {}
            Err(Verdict::Answer { status, reason }) => {
                let mut turn = Turn { core: &mut self.core, now, effects };
                turn.refuse_because(message, &flow, status, reason);
                return;
            }
            Err(Verdict::Discard { .. }) => {
                self.core.counters.dropped += 1;
                return;
            }
        }
        if message.is_request() {
            self.request(now, sender, flow, cell, effects);
        } else {
            self.response(now, flow, message, effects);
        }
    }

    /// A response goes to the transaction that its topmost branch names: RFC 3261 17.1.3.
    fn response(&mut self, now: Now, source: Flow, message: &Message, effects: &mut Vec<Effect>) {
        let status = message.status().unwrap_or(0);
        let branch = message.top_via().ok().and_then(|v| v.branch);
        let method = message.cseq().map(|c| c.method).unwrap_or(Method::Other);
        let key = branch.map(|b| self.core.client_key(b, method));
        let Some(id) = key.and_then(|k| self.core.transactions.find(k)) else {
            self.core.counters.dropped += 1;
            return;
        };
        let mut turn = Turn { core: &mut self.core, now, effects };
        let told = turn.step(id, Some(message), |m, way, actions| m.response(status, way, actions));
        let asked = matches!(status, 401 | 407)
            && turn.core.transactions.get(id).is_some_and(|t| t.toward.is_some());
        if told == Told::Message && !(asked && self.prove_again(now, id, source, message, effects))
        {
            self.deliver(now, id, message, effects);
        }
        let mut turn = Turn { core: &mut self.core, now, effects };
        if status >= 300
            && let Some(transaction) = turn.core.transactions.get_mut(id)
            && transaction.toward.is_none()
        {
            // It is not sent again, and who would repeat it changed has had it.
            transaction.message = None;
        }
        turn.sweep(id);
    }

    /// Hands a response to the user of its transaction.
    fn deliver(
        &mut self,
        now: Now,
        id: TransactionId,
        message: &Message,
        effects: &mut Vec<Effect>,
    ) {
        let mut turn = Turn { core: &mut self.core, now, effects };
        if turn.acknowledge_again(id, message) {
            return;
        }
        let Some(transaction) = turn.core.transactions.get(id) else { return };
        let (user, purpose) = (transaction.user, transaction.purpose);
        if let (User::Leg(tenant, leg), Purpose::Register) = (user, purpose) {
            enrol::with(&mut turn, (tenant, leg), |turn, e| e.response(turn, id, message));
            return;
        }
        if let (User::Leg(tenant, leg), Purpose::Notify) = (user, purpose) {
            watch::with(&mut turn, (tenant, leg), |turn, watch| watch.response(turn, message));
            return;
        }
        let leg = match user {
            User::Leg(tenant, leg) => Some((tenant, leg)).filter(|k| self.legs.contains_key(k)),
            User::Nobody | User::Cancelling { .. } => None,
        };
        let Some(key) = leg else {
            uac::orphan(&mut turn, id, message);
            return;
        };
        self.with_leg(now, key, effects, |turn, leg| match purpose {
            Purpose::Invite => uac::response(turn, leg, id, message),
            Purpose::Reinvite | Purpose::Update => offer::response(turn, leg, id, message),
            Purpose::Refresh => session_timer::response(turn, leg, message),
            Purpose::Info => {
                let fate = in_dialog::response(turn, leg, message);
                if fate == Fate::Lives && message.status().is_some_and(|status| status >= 200) {
                    keys::told(turn, leg, message);
                }
                fate
            }
            Purpose::Bye | Purpose::Cancel | Purpose::Other => {
                in_dialog::response(turn, leg, message)
            }
            Purpose::Referred(number) => refer::response(turn, leg, number, message),
            // Whether the callee has taken it says whether its responses go on; registrations and
            // subscriptions are no leg's.
            Purpose::Prack | Purpose::Register | Purpose::Notify => Fate::Lives,
        });
    }

    fn request(
        &mut self,
        now: Now,
        sender: Sender,
        flow: Flow,
        cell: &mut Option<Message>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(message) = cell.as_ref() else { return };
        let method = message.method().unwrap_or(Method::Other);
        let mut turn = Turn { core: &mut self.core, now, effects };
        let name = match method {
            Method::Ack | Method::Cancel => "INVITE".into(),
            _ => message.method_name(),
        };
        let found = turn.core.server_key(message, &name);
        let found = found.and_then(|k| turn.core.transactions.find(k));
        match (method, found) {
            (Method::Ack, Some(id)) => {
                let told = turn.step(id, None, |m, way, actions| m.ack(way, actions));
                turn.sweep(id);
                // RFC 6026 8.7: the ACK of a 2xx is the dialog's, whatever its branch.
                if told == Told::Message {
                    self.ack(now, flow, message, effects);
                }
            }
            (Method::Ack, None) => self.ack(now, flow, message, effects),
            (Method::Cancel, Some(id)) => self.cancel(now, flow, id, message, effects),
            (Method::Cancel, None) => turn.refuse(message, &flow, 481, |_| {}),
            (_, Some(id)) => {
                turn.step(id, None, |m, way, actions| m.again(way, actions));
            }
            (_, None) => {
                let tagged = message.to_tag().is_some();
                if tagged && method != Method::Register {
                    self.inside(now, flow, cell, effects);
                } else {
                    self.outside(now, sender, flow, cell, effects);
                }
            }
        }
    }

    /// A request outside a dialog.
    fn outside(
        &mut self,
        now: Now,
        sender: Sender,
        flow: Flow,
        cell: &mut Option<Message>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(message) = cell.as_ref() else { return };
        let method = message.method().unwrap_or(Method::Other);
        let mut turn = Turn { core: &mut self.core, now, effects };
        if turn.refused(message, &flow) {
            return;
        }
        match method {
            Method::Options => return turn.refuse(message, &flow, 200, in_dialog::capabilities),
            Method::Invite if turn.core.draining => {
                return turn.refuse(message, &flow, 503, |w| owed::write(w, 503));
            }
            Method::Invite => {
                let origin = turn.core.origin_key(message);
                let twin = origin.and_then(|o| turn.core.transactions.find_origin(o));
                if twin.is_some() {
                    return turn.refuse(message, &flow, 482, |_| {});
                }
            }
            _ => {}
        }
        let proven = match sender {
            Sender::Tenant(tenant) => match auth::prove(&mut turn, &flow, message) {
                Ok(proven) if proven.tenant == tenant => Ok(proven),
                Ok(_) => Err(Freshness::New),
                Err(freshness) => Err(freshness),
            },
            Sender::Nobody => Err(Freshness::New),
            Sender::Trunk { tenant, trunk, did } => {
                let caller = Caller::Trunk { tenant, trunk, did };
                let named = replaces::of_invite(&turn, &self.legs, tenant, message);
                let legs = self.legs.len();
                if let Some(leg) = uas::invite(&mut turn, caller, flow, cell, (legs, named)) {
                    self.legs.insert(leg.key, leg);
                }
                return;
            }
            Sender::Lost => return turn.refuse(message, &flow, 404, |_| {}),
        };
        let proven = match proven {
            Ok(proven) => proven,
            Err(freshness) => return auth::challenge(&mut turn, message, &flow, freshness),
        };
        if !proven.may_send(message) {
            let tag = uas::tag_for(turn.core, proven.tenant);
            return turn.answer(message, &flow, tag.as_deref(), 403, |_| {});
        }
        match method {
            Method::Register => {
                let (tenant, extension) = (proven.tenant, proven.extension);
                let moved = register::register(&mut turn, proven, flow, message);
                if !moved.is_empty() {
                    self.follow(now, (tenant, extension), &moved, flow, effects);
                }
            }
            Method::Invite => {
                let named = replaces::of_invite(&turn, &self.legs, proven.tenant, message);
                let around = (self.legs.len(), named);
                let caller = Caller::Phone(proven);
                if let Some(leg) = uas::invite(&mut turn, caller, flow, cell, around) {
                    self.legs.insert(leg.key, leg);
                }
            }
            // Without a tag it is of no dialog: RFC 3261 15.1.2, RFC 3262 3, RFC 3311 5.2.
            Method::Bye | Method::Info | Method::Update | Method::Prack => {
                let tag = uas::tag_for(turn.core, proven.tenant);
                turn.answer(message, &flow, tag.as_deref(), 481, |_| {});
            }
            Method::Subscribe => watch::subscribe(&mut turn, proven, flow, cell),
            // A transfer is asked for inside of the call that it is about.
            Method::Refer => {
                let tag = uas::tag_for(turn.core, proven.tenant);
                turn.answer(message, &flow, tag.as_deref(), 403, |_| {});
            }
            _ => {
                let tag = uas::tag_for(turn.core, proven.tenant);
                turn.answer(message, &flow, tag.as_deref(), 405, |w| owed::write(w, 405));
            }
        }
    }

    /// Devices have moved to another flow: what their dialogs have to say goes there now, whether
    /// the old one is known to be gone or not (RFC 5626 5.3).
    fn follow(
        &mut self,
        now: Now,
        (tenant, extension): (TenantId, ExtensionId),
        moved: &[DeviceId],
        flow: Flow,
        effects: &mut Vec<Effect>,
    ) {
        let mut turn = Turn { core: &mut self.core, now, effects };
        let all = (tenant, LegId(0))..=(tenant, LegId(u64::MAX));
        for (_, leg) in self.legs.range_mut(all) {
            match leg.far {
                Far::Phone { extension: of, device: Some(device) }
                    if of == extension && moved.contains(&device) =>
                {
                    leg.follow(&mut turn, flow);
                }
                Far::Phone { .. } | Far::Trunk(_) => {}
            }
        }
        watch::follow(&mut turn, (tenant, extension), moved, flow);
    }

    fn command(&mut self, now: Now, key: LegKey, command: LegCommand, effects: &mut Vec<Effect>) {
        match command {
            LegCommand::Dial(dial) if !self.legs.contains_key(&key) => {
                let legs = self.legs.len();
                let mut turn = Turn { core: &mut self.core, now, effects };
                if let Some(leg) = uac::dial(&mut turn, key, *dial, legs) {
                    self.legs.insert(key, leg);
                }
            }
            command => {
                self.with_leg(now, key, effects, |turn, leg| in_dialog::command(turn, leg, command))
            }
        }
    }
}
