//! [`Shard`]: one SIP endpoint and the tenants on it.

mod entrance;
mod moving;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use exchange::{Exchange, Facilities, PortSlice};
use leg::{AlertCause, BindingChange, Command, LegCommand, Record, Reply, SavedCall};
use model::{Chance, Directory, EndReason, Mono, Now, Snapshot, TenantId};
use stack::Endpoint;

use crate::door::source::Source;
use crate::door::{Ban, Door, Visitor};
use crate::interface::{Counters, Effect, Gauges, HandOver, Input, ShardConfig, Ticket};
use crate::outside::{FoundHost, Trunks};
use crate::pending::Pending;

/// One SIP endpoint and the tenants on it.
///
/// Every effect of one input reaches the endpoint before the next input; what comes back joins one
/// queue. After [`Shard::handle`] that queue is empty.
pub struct Shard {
    config: ShardConfig,
    endpoint: Endpoint,
    ports: PortSlice,
    chance: Chance,
    directory: Arc<Directory>,
    tenants: BTreeMap<TenantId, Exchange>,
    /// When each exchange wants to be woken, and the same in order of time.
    deadlines: BTreeMap<TenantId, Mono>,
    wakes: BTreeSet<(Mono, TenantId)>,
    pending: Pending,
    /// Readers of INVITEs that other shards have read and that were let in here.
    readers: BTreeMap<Arc<str>, usize>,
    /// The shard that has read the message in hand, if it was another.
    reader: Option<usize>,
    door: Door,
    trunks: Trunks,
    /// Names that are being looked up.
    lookups: BTreeMap<stack::LookupId, Box<str>>,
    /// What the other shards are to be told of hosts.
    found: Vec<Arc<FoundHost>>,
    /// Who sent the message in hand.
    visitor: Option<Visitor>,
    counters: Counters,
    draining: bool,
    journal_full: bool,
    queue: VecDeque<Work>,
    /// Tenants whose exchange has handled something since the last save.
    touched: Vec<TenantId>,
    from_stack: Vec<stack::Effect>,
    from_exchange: Vec<exchange::Effect>,
}

/// One thing in the queue inside a shard.
#[derive(Debug)]
enum Work {
    Stack(stack::Input),
    Exchange(TenantId, exchange::Input),
}

impl Shard {
    /// A shard without tenants.
    pub fn new(config: ShardConfig, mut chance: Chance) -> Shard {
        let mut seed = [0; 32];
        chance.fill(&mut seed);
        Shard {
            endpoint: Endpoint::new(config.stack.clone(), Chance::from_seed(seed)),
            ports: PortSlice::new(config.rtp_ports.clone()),
            directory: Arc::default(),
            tenants: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            wakes: BTreeSet::new(),
            pending: Pending::default(),
            readers: BTreeMap::new(),
            reader: None,
            door: Door::new(config.index, config.shards, &mut chance),
            trunks: Trunks::default(),
            lookups: BTreeMap::new(),
            found: Vec::new(),
            config,
            chance,
            visitor: None,
            counters: Counters::default(),
            draining: false,
            journal_full: false,
            queue: VecDeque::new(),
            touched: Vec::new(),
            from_stack: Vec::new(),
            from_exchange: Vec::new(),
        }
    }

    /// One input; effects are appended in the order in which they shall be carried out.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Received { flow, bytes } => self.knock(now, flow, bytes, effects),
            Input::HandedOver(what) => self.handed_over(now, *what),
            Input::FlowClosed(flow) => self.push_stack(stack::Input::FlowClosed(flow)),
            Input::Resolved { lookup, answer } => {
                self.found_host(now, lookup, &answer);
                self.push_stack(stack::Input::Resolved { lookup, answer });
            }
            Input::Connected { connect, flow } => {
                if let Some(flow) = &flow {
                    self.door.found_trunk(now.mono, flow.remote.ip());
                }
                self.push_stack(stack::Input::Connected { connect, flow });
            }
            Input::Media(tenant, event) => {
                self.push_exchange(tenant, exchange::Input::Media(event));
            }
            Input::Command { tenant, ticket, command } => {
                self.command(tenant, ticket, command, effects);
            }
            Input::Snapshot { snapshot, ticket } => self.configure(snapshot, ticket, effects),
            Input::Directory(directory) => {
                self.door.set_trunks(now.mono, &directory);
                self.trunks.configure(&directory);
                self.directory = Arc::clone(&directory);
                self.push_stack(stack::Input::Directory(directory));
            }
            Input::Restore { tenant, bindings, calls, replaced, wrong_pins } => {
                self.push_exchange(tenant, exchange::Input::Replaced(replaced));
                self.push_exchange(tenant, exchange::Input::WrongPins(wrong_pins));
                self.restore(now, tenant, bindings, calls, effects);
            }
            Input::LiftBan(address) => self.door.lift(now.mono, Source::of(address)),
            Input::RemoveTenant(tenant) => self.remove_tenant(now, tenant, effects),
            Input::JournalFull(is_full) => {
                self.journal_full = is_full;
                self.admit();
            }
            Input::Drain => {
                self.draining = true;
                self.admit();
            }
            Input::EndAll => {
                let all: Vec<TenantId> = self.tenants.keys().copied().collect();
                for tenant in all {
                    self.push_exchange(tenant, exchange::Input::EndAll(EndReason::Drained));
                }
            }
            Input::Tick => self.tick(now),
        }
        self.drain_queue(now, effects);
        self.reader = None;
        self.visitor = None;
        self.tell_others(effects);
        self.save_touched(now, effects);
    }

    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Mono> {
        let exchange = self.wakes.first().map(|(at, _)| *at);
        [self.endpoint.deadline(), exchange].into_iter().flatten().min()
    }

    /// What the shard holds at the moment.
    pub fn gauges(&self) -> Gauges {
        let counts = self.endpoint.counts();
        let of = |f: fn(&Exchange) -> usize| self.tenants.values().map(f).sum::<usize>();
        Gauges {
            tenants: self.tenants.len(),
            calls: of(|e| e.tables().calls),
            legs: of(|e| e.tables().legs.len()),
            bindings: counts.bindings,
            transactions: counts.transactions,
            dialogs: counts.dialogs,
            ports_taken: self.ports.taken().len(),
            timers: counts.timers + of(|e| e.tables().timers.len()),
            pending: self.pending.len(),
            trunks_registered: counts.trunks_registered,
            trunks_missing: counts.trunks_missing,
        }
    }

    /// The sources that are banned.
    pub fn bans(&self, now: Now) -> Vec<Ban> {
        self.door.bans(now.mono)
    }

    /// Sources that are known: outside of the strangers' cap.
    pub fn known_sources(&self) -> usize {
        self.door.known()
    }

    /// What the shard has counted since it began.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.panics += self.tenants.values().map(Exchange::panics).sum::<u64>();
        counters.panics += self.endpoint.counts().panics;
        counters.door = self.door.counters();
        counters.stack = self.endpoint.counters();
        counters
    }

    /// Checks that everything adds up, here and in every tenant.
    pub fn check(&self) -> Result<(), String> {
        for (tenant, exchange) in &self.tenants {
            exchange.check(&self.ports).map_err(|e| format!("tenant {tenant}: {e}"))?;
        }
        self.endpoint.check()
    }

    /// Makes the next input of a step of this kind panic.
    #[cfg(feature = "faults")]
    pub fn inject_panic(&mut self, tenant: TenantId, step_kind: &'static str) {
        if let Some(exchange) = self.tenants.get_mut(&tenant) {
            exchange.inject_panic(step_kind);
        }
    }

    /// Whether it has not come yet.
    #[cfg(feature = "faults")]
    pub fn has_fault(&self, tenant: TenantId) -> bool {
        self.tenants.get(&tenant).is_some_and(Exchange::has_fault)
    }

    fn push_stack(&mut self, input: stack::Input) {
        self.queue.push_back(Work::Stack(input));
    }

    fn push_exchange(&mut self, tenant: TenantId, input: exchange::Input) {
        self.queue.push_back(Work::Exchange(tenant, input));
    }

    fn command(
        &mut self,
        tenant: TenantId,
        ticket: Ticket,
        command: Command,
        effects: &mut Vec<Effect>,
    ) {
        if let Command::ListRegistrations { extension } = command {
            let reply = Reply::Registrations(self.endpoint.registrations(tenant, extension));
            effects.push(Effect::Reply { ticket, reply });
        } else if self.tenants.contains_key(&tenant) {
            let input = exchange::Input::Command { ticket: ticket.0, command };
            self.push_exchange(tenant, input);
        } else {
            let reply = Reply::Refused(leg::Refusal::NoSuchCall);
            effects.push(Effect::Reply { ticket, reply });
        }
    }

    fn configure(
        &mut self,
        snapshot: Arc<Snapshot>,
        ticket: Option<Ticket>,
        effects: &mut Vec<Effect>,
    ) {
        let tenant = snapshot.tenant.id;
        match self.tenants.get_mut(&tenant) {
            Some(_) => self.push_exchange(tenant, exchange::Input::Snapshot(snapshot)),
            None => {
                let exchange = Exchange::new(self.config.node, snapshot);
                self.tenants.insert(tenant, exchange);
                self.push_stack(stack::Input::Home(tenant));
            }
        }
        if let Some(ticket) = ticket {
            // The snapshot is first in the queue, so whatever comes after the answer uses it.
            effects.push(Effect::Reply { ticket, reply: Reply::Done });
        }
    }

    fn restore(
        &mut self,
        now: Now,
        tenant: TenantId,
        bindings: Vec<BindingChange>,
        calls: Vec<SavedCall>,
        effects: &mut Vec<Effect>,
    ) {
        // Those on connections too: their phones come again, from the same addresses.
        for binding in bindings.iter().filter_map(|change| change.binding.as_ref()) {
            self.door.proven(now.mono, Source::of(binding.remote.ip()));
        }
        self.push_stack(stack::Input::Bindings { tenant, bindings });
        for saved in calls {
            let loaded = self.tenants.get_mut(&tenant).and_then(|exchange| {
                let call = exchange.load(now, &saved.exchange, &mut self.ports).ok()?;
                // Without its dialogs a call still gets its record; only its BYEs are missing.
                let _ = self.endpoint.load_legs(now, tenant, &saved.stack);
                Some(call)
            });
            match loaded {
                Some(call) => {
                    let reason = EndReason::Restart;
                    self.push_exchange(tenant, exchange::Input::EndCall { call, reason });
                }
                None => {
                    self.counters.unreadable += 1;
                    let call = saved.call;
                    effects.push(Effect::Record(Record::CallGone { tenant, call }));
                }
            }
        }
    }

    fn remove_tenant(&mut self, now: Now, tenant: TenantId, effects: &mut Vec<Effect>) {
        self.push_exchange(tenant, exchange::Input::EndAll(EndReason::TenantBlocked));
        self.drain_queue(now, effects);
        self.tenants.remove(&tenant);
        if let Some(at) = self.deadlines.remove(&tenant) {
            self.wakes.remove(&(at, tenant));
        }
        self.endpoint.remove_tenant(tenant);
    }

    /// New calls are taken only while neither draining nor the journal stands against it.
    fn admit(&mut self) {
        let input = match self.draining || self.journal_full {
            true => stack::Input::Drain,
            false => stack::Input::Open,
        };
        self.push_stack(input);
    }

    fn tick(&mut self, now: Now) {
        if self.endpoint.deadline().is_some_and(|at| at <= now.mono) {
            self.push_stack(stack::Input::Tick);
        }
        let due: Vec<TenantId> =
            self.wakes.iter().take_while(|(at, _)| *at <= now.mono).map(|(_, t)| *t).collect();
        for tenant in due {
            self.push_exchange(tenant, exchange::Input::Tick);
        }
    }

    fn drain_queue(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while let Some(work) = self.queue.pop_front() {
            match work {
                Work::Stack(input) => self.run_stack(now, input, effects),
                Work::Exchange(tenant, input) => self.run_exchange(now, tenant, input, effects),
            }
        }
    }

    fn run_stack(&mut self, now: Now, input: stack::Input, effects: &mut Vec<Effect>) {
        let mut outputs = core::mem::take(&mut self.from_stack);
        self.endpoint.handle(now, input, &mut outputs);
        for output in outputs.drain(..) {
            match output {
                stack::Effect::Send { flow, bytes } => effects.push(Effect::Send { flow, bytes }),
                stack::Effect::Answer { flow, bytes } => self.answer(now, flow, bytes, effects),
                stack::Effect::Proven(address) => {
                    self.door.proven(now.mono, Source::of(address));
                }
                stack::Effect::Refuted(address) => {
                    let failed = self.door.failed(now.mono, Source::of(address));
                    if let (Err(_), Some(visitor)) = (failed, &mut self.visitor) {
                        visitor.is_hushed = true;
                    }
                }
                stack::Effect::CloseFlow(flow) => effects.push(Effect::CloseFlow(flow)),
                stack::Effect::Resolve { lookup, host, port, transport } => {
                    self.lookups.insert(lookup, host.clone());
                    effects.push(Effect::Resolve { lookup, host, port, transport });
                }
                stack::Effect::Connect { connect, transport, remote, name } => {
                    effects.push(Effect::Connect { connect, transport, remote, name });
                }
                stack::Effect::Leg { tenant, leg, event } => {
                    if self.tenants.contains_key(&tenant) {
                        self.push_exchange(tenant, exchange::Input::Leg { leg, event });
                    } else if matches!(event, leg::LegEvent::Incoming(_)) {
                        let reason = EndReason::Forbidden;
                        let command = LegCommand::End { reason, retry_after_s: None };
                        self.push_stack(stack::Input::Leg { tenant, leg, command });
                    }
                }
                stack::Effect::Lamp { tenant, event } => {
                    self.push_exchange(tenant, exchange::Input::Lamp(event));
                }
                stack::Effect::DeviceUp { tenant, extension, device, address, q: _ } => {
                    let up = exchange::Input::DeviceUp { extension, device, address };
                    self.push_exchange(tenant, up);
                }
                stack::Effect::DeviceDown { tenant, extension, device } => {
                    let down = exchange::Input::DeviceDown { extension, device };
                    self.push_exchange(tenant, down);
                }
                stack::Effect::Binding(change) => {
                    effects.push(Effect::Record(Record::Binding(change)));
                }
                stack::Effect::InviteTaken { tenant, call_id } => match self.reader {
                    Some(to) => {
                        self.readers.insert(call_id.clone(), to);
                        let what = Box::new(HandOver::InviteTaken { tenant, call_id });
                        effects.push(Effect::HandOver { to, what });
                    }
                    None => self.pending.taken(call_id, tenant),
                },
                stack::Effect::InviteGone { call_id } => match self.readers.remove(&call_id) {
                    Some(to) => {
                        let what = Box::new(HandOver::InviteGone { call_id });
                        effects.push(Effect::HandOver { to, what });
                    }
                    None => self.pending.gone(&call_id),
                },
            }
        }
        self.from_stack = outputs;
    }

    fn run_exchange(
        &mut self,
        now: Now,
        tenant: TenantId,
        input: exchange::Input,
        effects: &mut Vec<Effect>,
    ) {
        let Some(exchange) = self.tenants.get_mut(&tenant) else { return };
        let mut outputs = core::mem::take(&mut self.from_exchange);
        let mut facilities = Facilities { ports: &mut self.ports, chance: &mut self.chance };
        exchange.handle(now, input, &mut facilities, &mut outputs);
        let deadline = exchange.deadline();
        if !self.touched.contains(&tenant) {
            self.touched.push(tenant);
        }
        self.wake_at(tenant, deadline);
        for output in outputs.drain(..) {
            match output {
                exchange::Effect::Leg { leg, command } => {
                    self.push_stack(stack::Input::Leg { tenant, leg, command });
                }
                exchange::Effect::Lamp(command) => {
                    self.push_stack(stack::Input::Lamp { tenant, command });
                }
                exchange::Effect::Media(command) => effects.push(Effect::Media { tenant, command }),
                exchange::Effect::Record(record) => {
                    if let Record::Cdr(cdr) = &record {
                        let at = EndReason::ALL.iter().position(|r| *r == cdr.reason);
                        if let Some(count) = at.and_then(|at| self.counters.ended.0.get_mut(at)) {
                            *count += 1;
                        }
                    }
                    effects.push(Effect::Record(record));
                }
                exchange::Effect::Alert(alert) => {
                    let at = AlertCause::ALL.iter().position(|cause| *cause == alert.cause);
                    if let Some(count) = at.and_then(|at| self.counters.alerts.get_mut(at)) {
                        *count += 1;
                    }
                    effects.push(Effect::Alert { tenant, alert });
                }
                exchange::Effect::Reply { ticket, reply } => {
                    effects.push(Effect::Reply { ticket: Ticket(ticket), reply });
                }
            }
        }
        self.from_exchange = outputs;
    }

    fn wake_at(&mut self, tenant: TenantId, deadline: Option<Mono>) {
        let before = match deadline {
            Some(at) => self.deadlines.insert(tenant, at),
            None => self.deadlines.remove(&tenant),
        };
        if before == deadline {
            return;
        }
        if let Some(at) = before {
            self.wakes.remove(&(at, tenant));
        }
        if let Some(at) = deadline {
            self.wakes.insert((at, tenant));
        }
    }

    /// Writes down the calls that changed, with the dialogs as they are after this input.
    fn save_touched(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let endpoint = &self.endpoint;
        for tenant in self.touched.drain(..) {
            let Some(exchange) = self.tenants.get_mut(&tenant) else { continue };
            exchange.take_unsaved(now, |call, exchange, legs| {
                let stack = endpoint.save_legs(now, tenant, legs);
                let saved = SavedCall { tenant, call, exchange, stack };
                effects.push(Effect::Record(Record::CallSaved(Box::new(saved))));
            });
        }
    }
}
