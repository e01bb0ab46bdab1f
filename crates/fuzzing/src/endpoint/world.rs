//! The endpoint, what is known around it, and what must hold after each input.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use leg::{BindingChange, LampCommand, LampEvent, LegCommand, LegEvent, LegId, Package, ReferId};
use model::{
    Chance, Credential, DeviceId, Directory, ExtensionId, Login, Mono, Now, Number, Secret, Status,
    TenantId, TenantKey, Trunk, TrunkCredentials, TrunkHost, TrunkId, TrunkTransport, Wall,
};
use sip::digest::Ha1s;
use sip::{Header, Message, Method};
use stack::{
    Answer, Config, Digests, Effect, Endpoint, Expires, Flow, FlowId, Input, Site, Transport,
};
use switch::owner::marked;
use switch::pending::Pending;

use super::ledger::Ledger;
use super::party::{Call, Party, REALM};
use crate::Choices;

/// The tenant of the first two phones; the third is of another.
pub(super) const TENANT: TenantId = TenantId(1);
pub(super) const OTHER: TenantId = TenantId(2);

/// Messages that are remembered for repeating and answering.
const REMEMBERED_MAX: usize = 12;
/// Effects of one input; more would be a storm.
const EFFECTS_MAX: usize = 600;
/// Effects of a leg that was loaded: that its INVITE is there, and what was due of it long ago.
const EFFECTS_OF_LOADING: usize = 2;
/// Deadlines until everything has run out; more would never end.
const TICKS_MAX: usize = 20_000;

/// Everything.
pub(super) struct World {
    pub(super) endpoint: Endpoint,
    pub(super) now: Now,
    pub(super) directory: Arc<Directory>,
    pub(super) ledger: Ledger,
    pub(super) parties: Vec<Party>,
    pub(super) calls: Vec<Call>,
    /// Requests that the endpoint has sent, the newest last.
    pub(super) heard: VecDeque<(Flow, Message)>,
    /// Responses that the endpoint has sent, the newest last.
    pub(super) replies: VecDeque<(Flow, Message)>,
    /// What phones have sent, the newest last.
    pub(super) said: VecDeque<(Flow, Vec<u8>)>,
    pub(super) devices: Vec<(TenantId, ExtensionId, DeviceId)>,
    /// What the journal knows of registrations.
    pub(super) bindings: BTreeMap<(TenantId, ExtensionId, DeviceId), BindingChange>,
    pub(super) next_leg: u64,
    /// What the exchange was told of subscriptions.
    pub(super) lamps: Vec<(TenantId, LampEvent)>,
    /// The REFER that was told of last.
    pub(super) refer: ReferId,
    pub(super) next_flow: u64,
    pub(super) next_name: u32,
    /// Which run of the process it is.
    pub(super) run: u8,
    /// Legs that were loaded since the last input.
    loaded: usize,
    /// Connections to trunks.
    pub(super) trunk_flows: Vec<FlowId>,
    /// Names and connections that the endpoint waits for.
    questions: VecDeque<Effect>,
    pending: Pending,
    taken: BTreeSet<Arc<str>>,
    /// Shows every input and effect, for who looks into a finding.
    shows: bool,
    closed: BTreeSet<FlowId>,
    /// Connections of earlier runs; their numbers are given again.
    before: BTreeSet<FlowId>,
    to_close: Vec<FlowId>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let directory = Arc::new(directory());
        let mut world = World {
            endpoint: Endpoint::new(config(0), Chance::from_number(seed)),
            now: Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000) },
            directory: Arc::clone(&directory),
            ledger: Ledger::default(),
            parties: vec![
                Party::new("alice", 1, Transport::Udp, "198.51.100.7:5060"),
                Party::new("bob", 2, Transport::Tcp, "198.51.100.8:40000"),
                Party::new("eve", 1, Transport::Udp, "203.0.113.66:5060"),
                Party::new("carrier", 1, Transport::Udp, "203.0.113.1:5060"),
            ],
            calls: Vec::new(),
            heard: VecDeque::new(),
            replies: VecDeque::new(),
            said: VecDeque::new(),
            devices: Vec::new(),
            bindings: BTreeMap::new(),
            next_leg: 1,
            refer: ReferId(0),
            lamps: Vec::new(),
            next_flow: 10,
            next_name: 0,
            run: 0,
            loaded: 0,
            trunk_flows: Vec::new(),
            questions: VecDeque::new(),
            pending: Pending::default(),
            taken: BTreeSet::new(),
            shows: std::env::var_os("DIALPLANE_FUZZ_SHOW").is_some(),
            closed: BTreeSet::new(),
            before: BTreeSet::new(),
            to_close: Vec::new(),
        };
        world.input(Input::Directory(directory));
        world
    }

    /// A name that was not used yet.
    pub(super) fn name(&mut self, kind: &str) -> String {
        self.next_name += 1;
        format!("{kind}{}", self.next_name)
    }

    /// Chance that no endpoint had before.
    pub(super) fn chance(&mut self, choices: &mut Choices<'_>) -> Chance {
        self.next_name += 1;
        Chance::from_number((u64::from(self.next_name) << 8) + u64::from(choices.byte()) + 256)
    }

    /// One input, its effects, and what must hold after them.
    pub(super) fn input(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.show(format_args!("{} > {input:?}", self.now.mono.0));
        self.endpoint.handle(self.now, input, &mut effects);
        self.effects(effects);
        // Of very many timers that are due together some wait for the next input.
        let mut ticks = 0;
        while self.endpoint.deadline().is_some_and(|at| at <= self.now.mono) {
            let mut effects = Vec::new();
            self.endpoint.handle(self.now, Input::Tick, &mut effects);
            self.effects(effects);
            ticks += 1;
            assert!(ticks <= TICKS_MAX, "timers that are due anew at once");
        }
        self.holds();
        while let Some(id) = self.to_close.pop() {
            self.close(id);
        }
        // From where a datagram leaves is known at once.
        let datagram = |e: &Effect| matches!(e, Effect::Connect { transport: Transport::Udp, .. });
        if let Some(at) = self.questions.iter().position(datagram) {
            let question = self.questions.remove(at);
            self.reply(question, 1);
        }
    }

    /// Prints what happens when `DIALPLANE_FUZZ_SHOW` is set.
    fn show(&self, what: core::fmt::Arguments<'_>) {
        if self.shows {
            eprintln!("{what}");
        }
    }

    /// The tables add up, no panic was caught, and nothing is overdue.
    pub(super) fn holds(&self) {
        if let Err(broken) = self.endpoint.check() {
            panic!("{broken}");
        }
        assert_eq!(self.endpoint.counts().panics, 0, "a panic was caught");
        let due = self.endpoint.deadline();
        assert!(due.is_none_or(|at| at > self.now.mono), "an input leaves nothing due: {due:?}");
    }

    /// Answers the oldest question about a name or a connection; `how` says which way.
    pub(super) fn reply_to_oldest(&mut self, how: usize) {
        let question = self.questions.pop_front();
        self.reply(question, how);
    }

    fn reply(&mut self, question: Option<Effect>, how: usize) {
        match question {
            Some(Effect::Resolve { lookup, .. }) => {
                let site = |n: u8| Site {
                    priority: u16::from(n),
                    weight: 1,
                    addresses: vec![([203, 0, 113, n], 5_060).into()],
                };
                let answer = match how {
                    0 => Answer::Nowhere,
                    1 | 2 => Answer::Found { sites: vec![site(1), site(2)], ttl_s: 60 },
                    3 => Answer::Found { sites: Vec::new(), ttl_s: 0 },
                    _ => Answer::Away,
                };
                self.input(Input::Resolved { lookup, answer });
            }
            Some(Effect::Connect { connect, transport, remote, .. }) => {
                let local = ([192, 0, 2, 1], 5_060).into();
                self.next_flow += 1;
                let id = if transport.is_reliable() { FlowId(self.next_flow) } else { FlowId(1) };
                let flow = (how != 0).then_some(Flow { id, transport, local, remote });
                if transport.is_reliable() && flow.is_some() {
                    self.trunk_flows.push(id);
                }
                self.input(Input::Connected { connect, flow });
            }
            _ => {}
        }
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        // What was loaded is told of with the first input after it.
        let bound = EFFECTS_MAX + EFFECTS_OF_LOADING * core::mem::take(&mut self.loaded);
        assert!(effects.len() <= bound, "{} effects of one input", effects.len());
        for effect in effects {
            self.effect(effect);
        }
    }

    fn effect(&mut self, effect: Effect) {
        if let Effect::Send { flow, bytes } | Effect::Answer { flow, bytes } = &effect {
            self.show(format_args!("  < {flow:?} {}", String::from_utf8_lossy(bytes)));
        } else {
            self.show(format_args!("  < {effect:?}"));
        }
        match effect {
            Effect::Send { flow, bytes } | Effect::Answer { flow, bytes } => {
                self.sent(flow, &bytes);
            }
            Effect::Proven(_) | Effect::Refuted(_) => {}
            Effect::Leg { tenant, leg, event } => {
                self.ledger.event((tenant, leg), &event);
                if let LegEvent::Refer { refer, .. } = &event {
                    self.refer = *refer;
                }
                if let LegEvent::Incoming(incoming) = &event {
                    assert!(!incoming.dialled.number.as_str().is_empty());
                }
            }
            Effect::InviteTaken { tenant, call_id } => {
                // Comes again with another INVITE of the same Call-ID; goes with the last.
                self.taken.insert(call_id.clone());
                self.pending.taken(call_id, tenant);
            }
            Effect::InviteGone { call_id } => {
                assert!(self.taken.remove(&call_id), "{call_id} was never taken");
                self.pending.gone(&call_id);
            }
            Effect::DeviceUp { tenant, extension, device, .. } => {
                let entry = (tenant, extension, device);
                if !self.devices.contains(&entry) {
                    self.devices.push(entry);
                }
            }
            Effect::DeviceDown { .. } => {}
            Effect::Lamp { tenant, event } => self.lamps.push((tenant, event)),
            Effect::Binding(change) => {
                let key = (change.tenant, change.extension, change.device);
                if change.binding.is_some() {
                    self.bindings.insert(key, *change);
                } else {
                    self.bindings.remove(&key);
                }
            }
            Effect::CloseFlow(id) => self.to_close.push(id),
            Effect::Resolve { .. } | Effect::Connect { .. } => self.questions.push_back(effect),
        }
    }

    /// What we send can be read, and is good unless it repeats what was bad.
    fn sent(&mut self, flow: Flow, bytes: &[u8]) {
        assert!(!self.before.contains(&flow.id), "sent on another run's connection: {flow:?}");
        if self.closed.contains(&flow.id) {
            // Its number is not given again in this run, so that it goes nowhere.
            return;
        }
        let message = Message::parse(bytes.to_vec()).expect("we send messages");
        assert_eq!(message.bytes(), bytes, "we send nothing after the body");
        let refusal = message.status().is_some_and(|s| s >= 400);
        assert!(refusal || sip::validate(&message).is_ok(), "we sent: {message:?}");
        if let Some(party) = self.parties.iter_mut().find(|p| p.flow == flow) {
            party.hears(&message);
        }
        self.learn(&message);
        let list = if message.is_request() { &mut self.heard } else { &mut self.replies };
        list.push_back((flow, message));
        if list.len() > REMEMBERED_MAX {
            list.pop_front();
        }
    }

    /// A phone learns its dialog from the first response with a tag.
    fn learn(&mut self, message: &Message) {
        let (Ok(call_id), Ok(from), Ok(to)) = (message.call_id(), message.from(), message.to())
        else {
            return;
        };
        if message.is_request() || to.tag.is_none() {
            return;
        }
        let call = self.calls.iter_mut().find(|c| c.call_id == call_id && from.tag == Some(&c.tag));
        if let (Some(call), Some(text)) = (call, message.text(sip::Header::To)) {
            call.to = text.into_owned();
            if let Ok(Some(contact)) = message.contact() {
                call.target = contact.uri.as_str().to_owned();
            }
        }
    }

    /// A phone's message arrives, if it is one.
    pub(super) fn receive(&mut self, flow: Flow, bytes: Vec<u8>) {
        if self.closed.contains(&flow.id) || self.before.contains(&flow.id) {
            return;
        }
        let Ok(message) = Message::parse(bytes.clone()) else { return };
        self.said.push_back((flow, bytes));
        if self.said.len() > REMEMBERED_MAX {
            self.said.pop_front();
        }
        let marked = marked(&message, &self.directory, &self.pending);
        let login = message.credentials(Header::Authorization).next();
        let login = login.and_then(|c| self.directory.logins.get(c.username));
        let tenant = marked.or(login.map(|credential| credential.tenant));
        self.input(Input::Message { tenant, flow, message });
    }

    pub(super) fn command(&mut self, tenant: TenantId, leg: LegId, command: LegCommand) {
        self.ledger.command((tenant, leg), &command);
        self.input(Input::Leg { tenant, leg, command });
    }

    /// A connection is gone; its phone comes back on another.
    pub(super) fn close(&mut self, id: FlowId) {
        if !self.closed.insert(id) {
            return;
        }
        self.next_flow += 1;
        for party in self.parties.iter_mut().filter(|p| p.flow.id == id) {
            party.flow.id = FlowId(self.next_flow);
            let port = 40_000 + u16::try_from(self.next_flow % 10_000).unwrap_or(0);
            party.flow.remote.set_port(port);
        }
        self.input(Input::FlowClosed(id));
    }

    /// Lets time pass, with every deadline kept.
    pub(super) fn run_for(&mut self, time: Duration) {
        // An answer always comes; at the latest now.
        while !self.questions.is_empty() {
            self.reply_to_oldest(0);
        }
        let end = self.now + time;
        let mut ticks = 0;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= end.mono) {
            self.now = self.now + at.since(self.now.mono);
            self.input(Input::Tick);
            while !self.questions.is_empty() {
                self.reply_to_oldest(0);
            }
            ticks += 1;
            assert!(ticks <= TICKS_MAX, "deadlines without end");
        }
        self.now = end;
    }

    /// A process or a shard ends; `endpoint` goes on. What of the old one is not carried over is
    /// gone, and so are its connections if it was the process.
    pub(super) fn replace(&mut self, endpoint: Endpoint) -> Endpoint {
        self.loaded = endpoint.counts().dialogs;
        self.ledger.only_alive();
        self.taken.clear();
        self.pending = Pending::default();
        // Who asked is gone.
        self.questions.clear();
        core::mem::replace(&mut self.endpoint, endpoint)
    }

    /// All connections are gone, without a word to the endpoint, which never knew them.
    pub(super) fn connections_are_gone(&mut self) {
        let closed = core::mem::take(&mut self.closed);
        self.before.extend(closed.into_iter().chain(self.trunk_flows.drain(..)));
        for n in 0..self.parties.len() {
            let flow = self.parties[n].flow;
            if flow.transport.is_reliable() {
                self.before.insert(flow.id);
                self.next_flow += 1;
                self.parties[n].flow.id = FlowId(self.next_flow);
            }
        }
    }

    /// Every leg ends, all time passes, and nothing is left.
    pub(super) fn finish(&mut self) {
        let alive: Vec<_> = self.ledger.alive().collect();
        for (tenant, leg) in alive {
            let reason = model::EndReason::ApiHangup;
            self.command(tenant, leg, LegCommand::End { reason, retry_after_s: None });
        }
        // Subscriptions last longer than what is waited for here.
        for (tenant, package) in [TENANT, OTHER]
            .into_iter()
            .flat_map(|tenant| [Package::Dialog, Package::MessageSummary].map(|p| (tenant, p)))
        {
            let Ok(resource) = Number::parse("101") else { continue };
            let command = LampCommand::Gone { package, resource };
            self.input(Input::Lamp { tenant, command });
        }
        // A re-INVITE without a final response waits for 190 s; then it is cancelled.
        self.run_for(Duration::from_secs(400));
        let counts = self.endpoint.counts();
        assert_eq!((counts.transactions, counts.dialogs), (0, 0), "left: {counts:?}");
        assert_eq!(counts.timers, counts.bindings, "each registration has one timer");
        let all_gone = self.taken.is_empty() && self.pending.is_empty();
        assert!(all_gone, "pending INVITEs: {:?}", self.taken);
        // The longest registration ends, one that was read back under an earlier clock too.
        self.run_for(Duration::from_secs(1_000_000));
        let counts = self.endpoint.counts();
        assert_eq!((counts.bindings, counts.timers), (0, 0), "left: {counts:?}");
        assert!(self.bindings.is_empty(), "the journal knows registrations that are gone");
        assert_eq!(self.endpoint.deadline(), None);
    }

    /// Legs that were answered.
    #[cfg(test)]
    pub(super) fn answered(&self) -> usize {
        self.ledger.answered()
    }

    /// Whether the message is of a transaction of this method.
    pub(super) fn is_method(message: &Message, method: Method) -> bool {
        message.cseq().is_ok_and(|c| c.method == method)
    }
}

/// Settings of a run; connections and nonces of another run are not known to it.
pub(super) fn config(run: u8) -> Config {
    Config {
        realm: REALM.into(),
        public_address: None,
        product: "Dialplane".into(),
        nonce_key: [run; 32],
        expires_s: Expires { min: 60, max: 3_600, default: 600 },
        digests: Digests::Md5,
    }
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    for (tenant, key, domain) in
        [(TENANT, b"key23456", "acme.example"), (OTHER, b"other789", "other.example")]
    {
        let key = TenantKey::parse(key).expect("eight letters and digits");
        directory.add_tenant(tenant, key, domain);
    }
    for (login, tenant, extension) in
        [("alice", TENANT, 100_000), ("bob", TENANT, 100_001), ("eve", OTHER, 200_000)]
    {
        let ha1s = Ha1s::of(login, REALM, login);
        let credential = Credential {
            tenant,
            extension: ExtensionId(extension),
            ha1_md5: ha1s.md5,
            ha1_sha256: ha1s.sha256,
            status: Status::Active,
        };
        directory.logins.insert(Login::parse(login).expect("letters"), credential);
    }
    for (id, host, transport) in [
        (TrunkId(1), "203.0.113.1", TrunkTransport::Udp),
        (TrunkId(2), "carrier.example", TrunkTransport::Udp),
        (TrunkId(3), "carrier.example", TrunkTransport::Tcp),
    ] {
        let password = Secret::new("trunk-secret");
        let hosts = vec![TrunkHost { host: host.into(), port: None }];
        let trunk = Trunk {
            transport,
            credentials: Some(TrunkCredentials { login: "acme".into(), password }),
            ..Trunk::new(id, TENANT, "Carrier", hosts)
        };
        directory.trunks.insert(id, Arc::new(trunk));
    }
    directory
}
