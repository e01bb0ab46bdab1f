//! Subscriptions of phones: RFC 6665, on the notifier's side.
//!
//! A subscription is a dialog of its own, kept under a [`LegKey`] that no leg ever has. The
//! exchange grants it and says what is shown; the newest state waits while a NOTIFY has no
//! response, so that there is one at a time and none is overtaken.

mod wanted;

use core::time::Duration;
use std::sync::Arc;

use leg::{LampCommand, LampEvent, LampState, LegId, Package, SubscriptionId, Watched};
use model::{DeviceId, ExtensionId, Number, TenantId};
use sip::{Header, Message, Method};

use self::wanted::{lasts_s, package};
use crate::core::{LegKey, Turn};
use crate::dialog::{self, Ends, MAX_FORWARDS, Peer};
use crate::interface::{Effect, Flow};
use crate::lamp_body::{self, About};
use crate::limits::{REFER_WAIT, SUBSCRIPTIONS_MAX, SUBSCRIPTIONS_OF_EXTENSION_MAX};
use crate::timers::{LegTimer, Timer, TimerId};
use crate::transaction::{Purpose, TransactionId, User};
use crate::uas::{Proven, same_ip};
use crate::{auth, owed, tag};

/// Where the keys of subscriptions begin: legs are counted from 0, trunks down from the end.
const FIRST: u64 = 1 << 62;

/// One subscription.
#[derive(Debug)]
pub(crate) struct Watch {
    key: LegKey,
    by: ExtensionId,
    device: Option<DeviceId>,
    package: Package,
    /// As it was asked for, then as the exchange calls it.
    resource: Number,
    /// The URI that was subscribed to.
    entity: Box<str>,
    /// The id of its Event.
    event_id: Option<Box<str>>,
    call_id: Arc<str>,
    tag: Box<str>,
    local: Box<str>,
    remote: Box<str>,
    peer: Peer,
    pub(crate) flow: Flow,
    /// The connection of `flow` is gone.
    lost: bool,
    cseq: u32,
    /// The exchange owes an answer.
    asked: Option<Box<Asked>>,
    /// What is shown.
    state: Option<LampState>,
    version: u32,
    /// The newest state was not told.
    stale: bool,
    /// A NOTIFY has no response yet.
    waits: bool,
    /// It is over, for this reason.
    over: Option<&'static str>,
    /// Seconds that were granted.
    lasts_s: u32,
    /// Ends the wait for the exchange, then the subscription.
    timer: Option<TimerId>,
}

#[derive(Debug)]
struct Asked {
    transaction: TransactionId,
    request: Message,
    source: Flow,
}

/// Whether a subscription goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    On,
    Away,
}

/// Lets a subscription handle something; `false`: there is none under this key.
pub(crate) fn with(
    turn: &mut Turn<'_>,
    key: LegKey,
    work: impl FnOnce(&mut Turn<'_>, &mut Watch) -> Goes,
) -> bool {
    let Some(mut watch) = turn.core.watches.remove(&key) else { return false };
    match work(turn, &mut watch) {
        Goes::On => {
            turn.core.watches.insert(key, watch);
        }
        Goes::Away => {
            watch.forget(turn);
            let event = LampEvent::Ended { id: watch.id() };
            if watch.state.is_some() {
                turn.effects.push(Effect::Lamp { tenant: key.0, event });
            }
        }
    }
    true
}

/// The subscription that a request with our tag in To belongs to.
pub(crate) fn of(turn: &Turn<'_>, message: &Message) -> Option<LegKey> {
    let tag = message.to_tag()?;
    let key = *turn.core.watch_tags.get(&turn.core.tag_key(tag))?;
    let watch = turn.core.watches.get(&key)?;
    let from = message.from_tag().unwrap_or("");
    let is_its = *watch.tag == *tag
        && *watch.peer.tag == *from
        && message.call_id().is_ok_and(|call_id| *call_id == *watch.call_id);
    is_its.then_some(key)
}

/// A request in the dialog of a subscription.
pub(crate) fn inside(turn: &mut Turn<'_>, key: LegKey, flow: Flow, message: &Message) {
    let Some(watch) = turn.core.watches.get(&key) else { return };
    let (by, near) = (watch.by, same_ip(watch.flow.remote.ip(), flow.remote.ip()));
    if !near {
        // As for calls: from elsewhere the same phone must show its password.
        match auth::prove(turn, &flow, message) {
            Ok(Proven { tenant, extension, .. }) if (tenant, extension) == (key.0, by) => {}
            Ok(_) => return turn.refuse(message, &flow, 403, |_| {}),
            Err(freshness) => return auth::challenge(turn, message, &flow, freshness),
        }
    }
    with(turn, key, |turn, watch| watch.request(turn, flow, message));
}

/// SUBSCRIBE outside a dialog, whose sender is proven.
pub(crate) fn subscribe(
    turn: &mut Turn<'_>,
    proven: Proven,
    flow: Flow,
    cell: &mut Option<Message>,
) {
    let Some(message) = cell.as_ref() else { return };
    let Some(tag) = crate::uas::tag_for(turn.core, proven.tenant) else { return };
    let (watch, watched) = match begin(turn, proven, flow, message, &tag) {
        Ok(begun) => begun,
        Err(status) => {
            turn.answer(message, &flow, Some(&tag), status, |w| owed::write(w, status));
            return;
        }
    };
    let (key, id) = (watch.key, watch.id());
    let user = User::Leg(key.0, key.1);
    let Some(transaction) = turn.accept(message, flow, Purpose::Other, user, None) else { return };
    let Some(request) = cell.take() else { return };
    let mut watch = Box::new(watch);
    watch.asked = Some(Box::new(Asked { transaction, request, source: flow }));
    watch.start(turn, REFER_WAIT);
    let print = turn.core.tag_key(&watch.tag);
    turn.core.watch_tags.insert(print, key);
    turn.core.watches.insert(key, watch);
    let event = LampEvent::Asked { id, watched };
    turn.effects.push(Effect::Lamp { tenant: key.0, event });
}

fn begin(
    turn: &mut Turn<'_>,
    proven: Proven,
    flow: Flow,
    message: &Message,
    tag: &str,
) -> Result<(Watch, Watched), u16> {
    let Proven { tenant, extension, .. } = proven;
    let (package, event_id) = package(message)?;
    let lasts_s = lasts_s(message)?;
    let uri = message.uri().map_err(|_| 400u16)?;
    let entity = dialog::uri(&uri).map_err(|_| 400u16)?;
    let number = uri.number().and_then(|number| Number::parse(&number).ok());
    let resource = number.ok_or(404u16)?;
    let peer = Peer::of(message).map_err(|_| 400u16)?;
    let call_id = dialog::token(message.call_id().map_err(|_| 400u16)?).map_err(|_| 400u16)?;
    let (from, to) = (message.from().map_err(|_| 400u16)?, message.to().map_err(|_| 400u16)?);
    let of_tenant = (tenant, LegId(0))..=(tenant, LegId(u64::MAX));
    let (mut all, mut own) = (0, 0);
    for (_, watch) in turn.core.watches.range(of_tenant) {
        all += 1;
        own += usize::from(watch.by == extension);
    }
    if all >= SUBSCRIPTIONS_MAX || own >= SUBSCRIPTIONS_OF_EXTENSION_MAX {
        turn.core.counters.bound_hit += 1;
        return Err(503);
    }
    turn.core.subscribed += 1;
    let registrar = turn.core.registrars.get(&tenant);
    let watched = Watched { by: extension, package, resource: resource.clone() };
    let watch = Watch {
        key: (tenant, LegId(FIRST | turn.core.subscribed)),
        by: extension,
        device: registrar.and_then(|r| r.device_on(extension, &flow)),
        package,
        resource,
        entity,
        event_id,
        call_id: (&*call_id).into(),
        tag: tag.into(),
        local: dialog::party(&to),
        remote: dialog::party(&from),
        peer,
        flow,
        lost: false,
        cseq: 0,
        asked: None,
        state: None,
        version: 0,
        stale: false,
        waits: false,
        over: None,
        lasts_s,
        timer: None,
    };
    Ok((watch, watched))
}

/// The exchange grants, refuses or shows.
pub(crate) fn command(turn: &mut Turn<'_>, tenant: TenantId, command: LampCommand) {
    let key = |id: SubscriptionId| (tenant, LegId(FIRST | id.0));
    match command {
        LampCommand::Grant { id, resource, state } => {
            with(turn, key(id), |turn, watch| watch.granted(turn, resource, state));
        }
        LampCommand::Refuse { id, status } => {
            let status = if (400..700).contains(&status) { status } else { 403 };
            with(turn, key(id), |turn, watch| watch.refused(turn, status));
        }
        LampCommand::Show { resource, state } => {
            for key in watchers(turn, tenant, state.package(), &resource) {
                with(turn, key, |turn, watch| watch.show(turn, state.clone()));
            }
        }
        LampCommand::Gone { package, resource } => {
            for key in watchers(turn, tenant, package, &resource) {
                with(turn, key, |turn, watch| watch.end(turn, "noresource"));
            }
        }
    }
}

fn watchers(turn: &Turn<'_>, tenant: TenantId, package: Package, resource: &Number) -> Vec<LegKey> {
    let watchers = turn.core.lamps.get(&(tenant, package, resource.clone()));
    watchers.into_iter().flatten().copied().collect()
}

/// Who has no login any more watches nothing any more.
pub(crate) fn reconcile(turn: &mut Turn<'_>, known: impl Fn(TenantId, ExtensionId) -> bool) {
    let gone = turn.core.watches.iter().filter(|(key, watch)| !known(key.0, watch.by));
    let gone: Vec<LegKey> = gone.map(|(key, _)| *key).collect();
    for key in gone {
        with(turn, key, |turn, watch| watch.end(turn, "rejected"));
    }
}

/// A connection is gone.
pub(crate) fn flow_closed(turn: &mut Turn<'_>, flow: crate::interface::FlowId) {
    for watch in turn.core.watches.values_mut() {
        if watch.flow.transport.is_reliable() && watch.flow.id == flow {
            watch.lost = true;
        }
    }
}

/// Devices have moved to another flow: what they watch is told there.
pub(crate) fn follow(
    turn: &mut Turn<'_>,
    (tenant, extension): (TenantId, ExtensionId),
    moved: &[DeviceId],
    flow: Flow,
) {
    let all = (tenant, LegId(0))..=(tenant, LegId(u64::MAX));
    let of_them = turn.core.watches.range(all).filter(|(_, watch)| {
        watch.by == extension && watch.device.is_some_and(|device| moved.contains(&device))
    });
    let keys: Vec<LegKey> = of_them.map(|(key, _)| *key).collect();
    for key in keys {
        with(turn, key, |turn, watch| {
            (watch.flow, watch.lost) = (flow, false);
            watch.pump(turn)
        });
    }
}

/// Drops all of a tenant without a word.
pub(crate) fn remove_tenant(turn: &mut Turn<'_>, tenant: TenantId) {
    let all = (tenant, LegId(0))..=(tenant, LegId(u64::MAX));
    let keys: Vec<LegKey> = turn.core.watches.range(all).map(|(key, _)| *key).collect();
    for key in keys {
        if let Some(mut watch) = turn.core.watches.remove(&key) {
            watch.forget(turn);
        }
    }
}

impl Watch {
    fn id(&self) -> SubscriptionId {
        SubscriptionId(self.key.1.0 & !FIRST)
    }

    /// Its timers that run.
    pub(crate) fn timers(&self) -> usize {
        usize::from(self.timer.is_some())
    }

    fn start(&mut self, turn: &mut Turn<'_>, after: Duration) {
        turn.core.timers.clear(&mut self.timer);
        let timer = Timer::Leg(self.key.0, self.key.1, LegTimer::Watch);
        self.timer = Some(turn.core.timers.start(turn.now.mono, after, timer));
    }

    /// Nothing of it stays.
    fn forget(&mut self, turn: &mut Turn<'_>) {
        turn.core.timers.clear(&mut self.timer);
        let print = turn.core.tag_key(&self.tag);
        turn.core.watch_tags.remove(&print);
        let lamp = (self.key.0, self.package, self.resource.clone());
        if let Some(watchers) = turn.core.lamps.get_mut(&lamp) {
            watchers.remove(&self.key);
            if watchers.is_empty() {
                turn.core.lamps.remove(&lamp);
            }
        }
        if let Some(asked) = &self.asked {
            turn.drop_transaction(asked.transaction);
        }
    }

    fn refused(&mut self, turn: &mut Turn<'_>, status: u16) -> Goes {
        let Some(asked) = self.asked.take() else { return Goes::On };
        let mut writer = turn.response(&asked.request, &asked.source, status, Some(&self.tag));
        owed::write(&mut writer, status);
        turn.respond(asked.transaction, status, writer.finish().into());
        Goes::Away
    }

    fn granted(&mut self, turn: &mut Turn<'_>, resource: Number, state: LampState) -> Goes {
        let Some(asked) = self.asked.take() else { return Goes::On };
        let Asked { transaction, request, source } = *asked;
        let mut writer = turn.response(&request, &source, 200, Some(&self.tag));
        writer.header(Header::Contact, turn.core.contact(&source, &self.tag));
        writer.header(Header::Expires, self.lasts_s);
        turn.respond(transaction, 200, writer.finish().into());
        self.resource = resource;
        let lamp = (self.key.0, self.package, self.resource.clone());
        turn.core.lamps.entry(lamp).or_default().insert(self.key);
        self.state = Some(state);
        self.last(turn)
    }

    /// Begins the time that was granted, and tells the state (RFC 6665 4.2.1.2).
    fn last(&mut self, turn: &mut Turn<'_>) -> Goes {
        self.stale = true;
        if self.lasts_s == 0 {
            return self.end(turn, "timeout");
        }
        self.start(turn, Duration::from_secs(self.lasts_s.into()));
        self.pump(turn)
    }

    fn show(&mut self, turn: &mut Turn<'_>, state: LampState) -> Goes {
        if self.state.as_ref() == Some(&state) {
            return Goes::On;
        }
        self.state = Some(state);
        self.stale = true;
        self.pump(turn)
    }

    /// It is over: the last NOTIFY says so.
    fn end(&mut self, turn: &mut Turn<'_>, reason: &'static str) -> Goes {
        if self.asked.is_some() {
            return self.refused(turn, 403);
        }
        turn.core.timers.clear(&mut self.timer);
        self.over = self.over.or(Some(reason));
        self.stale = true;
        self.pump(turn)
    }

    /// A request inside its dialog, by who may.
    pub(crate) fn request(&mut self, turn: &mut Turn<'_>, flow: Flow, message: &Message) -> Goes {
        let answer = |turn: &mut Turn<'_>, status: u16, tag: &str| {
            turn.answer(message, &flow, Some(tag), status, |w| owed::write(w, status));
            Goes::On
        };
        let cseq = message.cseq().map_or(0, |c| c.number);
        if self.peer.cseq.is_some_and(|last| cseq <= last) {
            return answer(turn, 500, &self.tag);
        }
        self.peer.cseq = Some(cseq);
        if message.method() != Some(Method::Subscribe) {
            return answer(turn, 405, &self.tag);
        }
        let lasts_s = match package(message).and_then(|(package, _)| {
            if package == self.package { lasts_s(message) } else { Err(489) }
        }) {
            Ok(lasts_s) if self.over.is_none() && self.asked.is_none() => lasts_s,
            Ok(_) => return answer(turn, 481, &self.tag),
            Err(status) => return answer(turn, status, &self.tag),
        };
        (self.flow, self.lost, self.lasts_s) = (flow, false, lasts_s);
        if let Some(target) = crate::offer::target(message) {
            self.peer.target = target;
        }
        let contact = turn.core.contact(&flow, &self.tag);
        turn.answer(message, &flow, Some(&self.tag), 200, |w| {
            w.header(Header::Contact, contact).header(Header::Expires, lasts_s);
        });
        self.last(turn)
    }

    /// Its timer has run out.
    pub(crate) fn wake(&mut self, turn: &mut Turn<'_>) -> Goes {
        self.timer = None;
        if self.asked.is_some() {
            return self.refused(turn, 500);
        }
        self.end(turn, "timeout")
    }

    /// The response to a NOTIFY: what refuses it ends the subscription (RFC 6665 4.2.2).
    pub(crate) fn response(&mut self, turn: &mut Turn<'_>, message: &Message) -> Goes {
        match message.status().unwrap_or(0) {
            0..=199 => Goes::On,
            200..=299 => {
                self.waits = false;
                if self.over.is_some() && !self.stale { Goes::Away } else { self.pump(turn) }
            }
            _ => Goes::Away,
        }
    }

    /// Tells the newest state, if what was told before has its response.
    fn pump(&mut self, turn: &mut Turn<'_>) -> Goes {
        if self.waits || !self.stale {
            return Goes::On;
        }
        if self.lost {
            // The phone comes back, or its time runs out.
            return if self.over.is_some() { Goes::Away } else { Goes::On };
        }
        self.stale = false;
        match self.notify(turn) {
            Some(_) => {
                self.waits = true;
                Goes::On
            }
            None => Goes::Away,
        }
    }

    fn notify(&mut self, turn: &mut Turn<'_>) -> Option<TransactionId> {
        let directory = Arc::clone(&turn.core.directory);
        let entry = directory.tenants.get(&self.key.0)?;
        let state = self.state.as_ref()?;
        let branch = tag::new_branch(entry.key, &mut turn.core.chance);
        self.cseq = self.cseq.saturating_add(1);
        let ends = Ends {
            local: &self.local,
            local_tag: &self.tag,
            remote: &self.remote,
            call_id: &self.call_id,
            max_forwards: MAX_FORWARDS,
        };
        let method = Method::Notify;
        let mut writer = ends.write(turn, &self.flow, &self.peer, method, self.cseq, &branch);
        writer.header(Header::Contact, turn.core.contact(&self.flow, &self.tag));
        let event = match self.package {
            Package::Dialog => "dialog",
            Package::MessageSummary => "message-summary",
        };
        match &self.event_id {
            Some(id) => writer.header(Header::Event, [event, ";id=", id]),
            None => writer.header(Header::Event, event),
        };
        match self.over {
            Some(reason) => {
                writer.header(Header::SubscriptionState, ["terminated;reason=", reason]);
            }
            None => {
                let left = self.timer.map(|timer| timer.at().since(turn.now.mono));
                let left_s = left.unwrap_or_default().as_secs();
                let state = format!("active;expires={left_s}");
                writer.header(Header::SubscriptionState, state);
            }
        }
        let domain = entry.domain.as_str();
        let (tenant, version) = (self.key.0, self.version);
        let about = About { tenant, entity: &self.entity, domain, version };
        let (kind, text) = lamp_body::body(turn.core, state, about);
        self.version = self.version.saturating_add(1);
        let bytes = turn.core.sealed(writer.finish_with(kind, text.as_bytes()));
        let user = User::Leg(self.key.0, self.key.1);
        turn.request(self.flow, &branch, method, Purpose::Notify, user, bytes)
    }
}
