//! The run: one queue of events, everybody who takes part, and the network between them.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use leg::{Command, MediaEvent, Reply};
use media::Effects;
use model::{Chance, Mono, TenantId, Wall};
use stack::{Flow, FlowId, Transport};
use switch::{HandOver, Input, Ticket};

use crate::company::{self, Company};
use crate::journal::Journal;
use crate::ladder::{Direction, Line};
use crate::ledger::Ledger;
use crate::network::Ways;
use crate::node::{self, Node, fork};
use crate::phone::agent::{Agent, Output};
use crate::phone::request;
use crate::queue::Queue;
use crate::settings::{Readers, Settings};
use crate::tcp::{Connection, Cut};
use crate::trace::Trace;

/// Where the run's clock begins.
const BEGIN: Mono = Mono(1_000_000);

/// Where its wall clock begins.
const BEGIN_WALL: i64 = 1_800_000_000_000_000;

/// So many events of one moment are no accident: something spins.
const SPIN: u32 = 100_000;

/// Something that is still to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A SIP datagram reaches the switch.
    Sip { from: SocketAddr, bytes: Vec<u8> },
    /// Bytes of a connection reach the switch.
    TcpUp { connection: u64, bytes: Vec<u8> },
    /// A SIP datagram reaches an address outside.
    SipDown { to: SocketAddr, bytes: Vec<u8> },
    /// Bytes of a connection reach its phone.
    TcpDown { connection: u64, bytes: Vec<u8> },
    /// The phone learns that its connection is gone.
    TcpGone { phone: usize },
    /// A datagram reaches an RTP or RTCP port of the switch.
    Rtp { port: u16, from: SocketAddr, bytes: Vec<u8> },
    /// A datagram reaches an RTP port outside.
    RtpDown { to: SocketAddr, bytes: Vec<u8> },
    /// A shard takes something from its hand-over ring.
    HandedOver { to: usize, what: Box<HandOver> },
    /// A shard hears of media.
    Media { shard: usize, tenant: TenantId, event: MediaEvent },
    /// A shard takes a command.
    Command { shard: usize, tenant: TenantId, ticket: Ticket, command: Command },
    /// The process starts again.
    Start,
}

impl Event {
    /// Whether it is in the memory of the process, and dies with it.
    fn is_inside(&self) -> bool {
        matches!(self, Event::HandedOver { .. } | Event::Media { .. } | Event::Command { .. })
    }
}

/// The run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) now: Mono,
    wall_shift_us: i64,
    pub(crate) queue: Queue<Event>,
    pub(crate) chance: Chance,
    node_chance: Chance,
    pub(crate) companies: Vec<Company>,
    /// `None` while it is down.
    pub(crate) node: Option<Node>,
    /// How often it was started.
    pub(crate) lives: u64,
    pub(crate) journals: Vec<Journal>,
    pub(crate) ledger: Ledger,
    pub(crate) phones: Vec<Agent>,
    phone_due: Vec<Option<Mono>>,
    pub(crate) ways: Vec<Ways>,
    by_ip: BTreeMap<IpAddr, usize>,
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    pub(crate) replies: BTreeMap<Ticket, Reply>,
    pub(crate) next_ticket: u64,
    pub(crate) lines: Vec<Line>,
    pub(crate) trace: Trace,
    /// Effects that may still be carried out before the process dies.
    pub(crate) kill_after: Option<u64>,
    /// Datagrams that addresses without a phone were sent.
    pub(crate) strays: Vec<(SocketAddr, Vec<u8>)>,
    /// Connections that the switch has closed.
    pub(crate) closed_by_switch: u64,
    effects: Vec<switch::Effect>,
    media: Effects,
    spin: u32,
}

impl World {
    pub(crate) fn new(settings: Settings) -> World {
        let mut chance = Chance::from_number(settings.seed);
        let companies: Vec<Company> =
            (0..settings.companies).map(|n| Company::new(n, settings.phones)).collect();
        let mut ledger = Ledger::default();
        for company in &companies {
            for extension in &company.extensions {
                ledger.know(extension.id, company.id());
            }
        }
        let mut world = World {
            now: BEGIN,
            wall_shift_us: BEGIN_WALL,
            queue: Queue::default(),
            node_chance: fork(&mut chance),
            chance,
            companies,
            node: None,
            lives: 0,
            journals: vec![Journal::default(); settings.shards],
            ledger,
            phones: Vec::new(),
            phone_due: Vec::new(),
            ways: Vec::new(),
            by_ip: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 1_000,
            replies: BTreeMap::new(),
            next_ticket: 1,
            lines: Vec::new(),
            trace: Trace::new(settings.keeps_trace),
            kill_after: None,
            strays: Vec::new(),
            closed_by_switch: 0,
            effects: Vec::new(),
            media: Effects::new(),
            spin: 0,
            settings,
        };
        world.start();
        world
    }

    pub(crate) fn wall(&self) -> Wall {
        Wall(i64::try_from(self.now.0).unwrap_or(i64::MAX).saturating_add(self.wall_shift_us))
    }

    /// Somebody sets the wall clock.
    pub(crate) fn shift_wall(&mut self, by_us: i64) {
        self.wall_shift_us += by_us;
        self.ledger.clock_was_set();
    }

    /// A new phone; its number.
    pub(crate) fn add_phone(
        &mut self,
        company: u64,
        name: &str,
        login: String,
        password: String,
        transport: request::Transport,
    ) -> usize {
        let index = self.phones.len();
        let number = u8::try_from(index).expect("at most 256 phones in a run");
        let ip = IpAddr::V4(Ipv4Addr::new(10, 1, u8::try_from(company).unwrap_or(255), number + 1));
        // The second device of an extension is `101b`, the third `101c`; those of other customers
        // are `c1-101` and so on.
        let name = match company {
            0 => name.to_owned(),
            other => format!("c{other}-{name}"),
        };
        let same = |p: &&Agent| p.place.name.trim_end_matches(char::is_alphabetic) == name;
        let before = self.phones.iter().filter(same).count();
        let suffix = (before > 0).then(|| char::from(b'a' + u8::try_from(before).unwrap_or(25)));
        let place = request::Place {
            name: name.chars().chain(suffix).collect(),
            number,
            login,
            password,
            domain: company::DOMAIN.to_owned(),
            address: SocketAddr::new(ip, 5_060),
            transport,
        };
        let manner = crate::phone::manner::Manner {
            pace: self.settings.pace,
            // Every other phone is an old one.
            algorithm: match index % 2 {
                0 => sip::digest::Algorithm::Sha256,
                _ => sip::digest::Algorithm::Md5,
            },
            ..Default::default()
        };
        let chance = fork(&mut self.chance);
        self.phones.push(Agent::new(place, manner, chance));
        self.phone_due.push(None);
        self.ways.push(self.settings.ways);
        self.by_ip.insert(ip, index);
        index
    }

    /// Lets a person do something at a phone, and sends what comes of it.
    pub(crate) fn at_phone<T>(
        &mut self,
        phone: usize,
        act: impl FnOnce(&mut Agent, Mono) -> T,
    ) -> T {
        let now = self.now;
        let done = act(&mut self.phones[phone], now);
        self.flush_phone(phone);
        done
    }

    fn flush_phone(&mut self, phone: usize) {
        for output in self.phones[phone].outputs() {
            match output {
                Output::Sip(bytes) => self.phone_sends(phone, bytes),
                Output::Rtp { from, to, bytes } => {
                    let from = SocketAddr::new(self.phones[phone].place.address.ip(), from);
                    let link = self.ways[phone].rtp_up;
                    self.rtp_to_switch(&link, from, to, bytes);
                }
            }
        }
        self.phone_due[phone] = self.phones[phone].deadline();
    }

    /// Sends a datagram to a port of the switch; to any other place it vanishes.
    pub(crate) fn rtp_to_switch(
        &mut self,
        link: &crate::network::Link,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    ) {
        if to.ip() != node::ADDRESS {
            return;
        }
        for after in link.carry(&mut self.chance) {
            let event = Event::Rtp { port: to.port(), from, bytes: bytes.clone() };
            self.queue.push(self.now + after, event);
        }
    }

    fn phone_sends(&mut self, phone: usize, bytes: Vec<u8>) {
        let place = &self.phones[phone].place;
        let (name, address, transport) = (place.name.clone(), place.address, place.transport);
        let (direction, at) = (Direction::Sent, self.now);
        self.lines.push(Line { at, phone: name, direction, bytes: bytes.clone() });
        let link = self.ways[phone].sip_up;
        match transport {
            request::Transport::Udp => self.sip_to_switch(&link, address, bytes),
            request::Transport::Tcp => {
                let id = self.connection_of(phone);
                let Some(connection) = self.connections.get_mut(&id) else { return };
                let pieces = connection.pieces_up(at, &link, &bytes, &mut self.chance);
                for (at, bytes) in pieces {
                    self.queue.push(at, Event::TcpUp { connection: id, bytes });
                }
            }
        }
    }

    /// Sends a SIP datagram from any address.
    pub(crate) fn sip_to_switch(
        &mut self,
        link: &crate::network::Link,
        from: SocketAddr,
        bytes: Vec<u8>,
    ) {
        for after in link.carry(&mut self.chance) {
            self.queue.push(self.now + after, Event::Sip { from, bytes: bytes.clone() });
        }
    }

    /// The connection of a phone, a new one if it has none.
    fn connection_of(&mut self, phone: usize) -> u64 {
        if let Some((id, _)) = self.connections.iter().find(|(_, c)| c.phone == phone) {
            return *id;
        }
        let id = self.next_connection;
        self.next_connection += 1;
        let port = 40_000 + u16::try_from(id % 20_000).unwrap_or(0);
        let remote = SocketAddr::new(self.phones[phone].place.address.ip(), port);
        let connection = Connection::open(phone, id, node::sip_address(), remote);
        self.connections.insert(id, connection);
        id
    }

    /// Cuts the connection of a phone; both sides learn of it.
    pub(crate) fn cut(&mut self, phone: usize) {
        let ids: Vec<u64> =
            self.connections.iter().filter(|(_, c)| c.phone == phone).map(|(id, _)| *id).collect();
        for id in ids {
            self.close(id);
        }
    }

    fn close(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.queue.push(self.now, Event::TcpGone { phone: connection.phone });
        for shard in 0..self.settings.shards {
            self.shard(shard, Input::FlowClosed(connection.flow.id));
        }
    }

    /// Starts the process from what the journals hold.
    fn start(&mut self) {
        let life = self.lives;
        self.lives += 1;
        let node = Node::start(&self.settings, life, self.now, &mut self.node_chance);
        self.trace.note(self.now, format_args!("the switch starts"), &[]);
        self.node = Some(node);
        let directory = company::directory(&self.companies);
        for shard in 0..self.settings.shards {
            self.shard(shard, Input::Directory(directory.clone()));
        }
        for at in 0..self.companies.len() {
            let tenant = self.companies[at].id();
            let shard = switch::shard_of(tenant, self.settings.shards);
            let snapshot = self.companies[at].snapshot();
            self.shard(shard, Input::Snapshot { snapshot, ticket: None });
            if life > 0 {
                let journal = self.journals[shard].reread();
                let bindings = journal.bindings(tenant, self.wall());
                let calls = journal.calls(tenant);
                self.shard(shard, Input::Restore { tenant, bindings, calls });
            }
        }
    }

    /// The process dies at once, and starts again later.
    pub(crate) fn kill(&mut self) {
        if self.node.take().is_none() {
            return;
        }
        self.kill_after = None;
        self.trace.note(self.now, format_args!("the switch dies"), &[]);
        for journal in &mut self.journals {
            journal.die();
        }
        self.queue.retain(|e| !e.is_inside());
        for (_, connection) in core::mem::take(&mut self.connections) {
            self.queue.push(self.now, Event::TcpGone { phone: connection.phone });
        }
        self.queue.push(self.now + self.settings.downtime, Event::Start);
    }

    /// One thing less that the process lives to do; `true`: it has died.
    fn dies_now(&mut self) -> bool {
        match &mut self.kill_after {
            None => false,
            Some(0) => {
                self.kill();
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Hands an input to a shard and carries out what comes of it.
    pub(crate) fn shard(&mut self, shard: usize, input: Input) {
        let (now, wall) = (self.now, self.wall());
        let Some(node) = &mut self.node else { return };
        let own = node.clock(now, wall);
        let mut effects = core::mem::take(&mut self.effects);
        effects.clear();
        node.shards[shard].handle(own, input, &mut effects);
        if let Err(wrong) = node.shards[shard].check() {
            self.fail(&format!("shard {shard}: {wrong}"));
        }
        let mut records = Vec::new();
        effects.retain_mut(|e| match e {
            switch::Effect::Record(record) => {
                records.push(record.clone());
                false
            }
            _ => true,
        });
        let last_words = switch::last_words_first(&mut effects);
        let mut effects_left = effects.drain(..);
        let mut lives = effects_left.by_ref().take(last_words).all(|e| self.does(shard, e));
        if lives && !records.is_empty() {
            lives = self.writes(shard, records);
        }
        if lives {
            effects_left.by_ref().all(|e| self.does(shard, e));
        }
        drop(effects_left);
        effects.clear();
        self.effects = effects;
        self.note_due(shard);
    }

    fn note_due(&mut self, shard: usize) {
        if let Some(node) = &mut self.node {
            node.shard_due[shard] = node.shards[shard].deadline().map(|at| node.outside(at));
            node.plane_due[shard] = node.planes[shard].deadline().map(|at| node.outside(at));
        }
    }

    /// Writes the records of one step; `false`: the process has died before.
    fn writes(&mut self, shard: usize, records: Vec<leg::Record>) -> bool {
        if self.dies_now() {
            return false;
        }
        if let Err(wrong) = self.ledger.step(&records) {
            self.fail(&wrong);
        }
        for record in &records {
            match record {
                leg::Record::CallSaved(saved) => {
                    let what = format_args!("shard {shard} saves call {}", saved.call);
                    self.trace.note(self.now, what, &[&*saved.exchange, &*saved.stack].concat());
                }
                other => {
                    let text = format!("{other:?}");
                    self.trace.note(self.now, format_args!("shard {shard}"), text.as_bytes());
                }
            }
        }
        self.journals[shard].write(records);
        true
    }

    /// Carries out one effect; `false`: the process has died before.
    fn does(&mut self, shard: usize, effect: switch::Effect) -> bool {
        if self.dies_now() {
            return false;
        }
        self.carry_out(shard, effect);
        true
    }

    fn carry_out(&mut self, shard: usize, effect: switch::Effect) {
        match effect {
            switch::Effect::Send { flow, bytes } => self.switch_sends(flow, &bytes),
            switch::Effect::CloseFlow(id) => {
                self.closed_by_switch += 1;
                if let Some(connection) = self.connections.remove(&id.0) {
                    self.queue.push(self.now, Event::TcpGone { phone: connection.phone });
                }
            }
            switch::Effect::HandOver { to, what } => {
                self.queue.push(self.now, Event::HandedOver { to, what });
            }
            switch::Effect::Media { tenant, command } => {
                let wall = self.wall();
                let Some(node) = &mut self.node else { return };
                let own = node.clock(self.now, wall);
                let mut effects = core::mem::take(&mut self.media);
                node.planes[shard].command(own, tenant, command, &mut effects);
                if let Err(wrong) = node.planes[shard].check() {
                    self.fail(&format!("media of shard {shard}: {wrong}"));
                }
                self.media_effects(shard, &[], effects);
            }
            switch::Effect::Reply { ticket, reply } => {
                self.replies.insert(ticket, reply);
            }
            // Written before.
            switch::Effect::Record(_) => {}
        }
    }

    fn switch_sends(&mut self, flow: Flow, bytes: &[u8]) {
        match flow.transport {
            Transport::Udp => {
                let to = flow.remote;
                let link = self.by_ip.get(&to.ip()).map(|p| self.ways[*p].sip_down);
                let link = link.unwrap_or(self.settings.ways.sip_down);
                for after in link.carry(&mut self.chance) {
                    let event = Event::SipDown { to, bytes: bytes.to_vec() };
                    self.queue.push(self.now + after, event);
                }
            }
            Transport::Tcp => self.write_to(flow.id.0, bytes),
        }
    }

    fn write_to(&mut self, id: u64, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let link = self.ways[connection.phone].sip_down;
        let pieces = connection.pieces_down(self.now, &link, bytes, &mut self.chance);
        for (at, bytes) in pieces {
            self.queue.push(at, Event::TcpDown { connection: id, bytes });
        }
    }

    /// Carries out what a media plane wants; `packet` is the datagram that it was given.
    fn media_effects(&mut self, shard: usize, packet: &[u8], mut effects: Effects) {
        for effect in &effects {
            match *effect {
                media::Effect::Send { port, to, bytes } => {
                    let bytes = effects.bytes(packet, bytes);
                    self.trace.note(self.now, format_args!("RTP {port} to {to}"), bytes);
                    let link = self.by_ip.get(&to.ip()).map(|p| self.ways[*p].rtp_down);
                    let link = link.unwrap_or(self.settings.ways.rtp_down);
                    for after in link.carry(&mut self.chance) {
                        let event = Event::RtpDown { to, bytes: bytes.to_vec() };
                        self.queue.push(self.now + after, event);
                    }
                }
                media::Effect::Event { tenant, event } => {
                    self.queue.push(self.now, Event::Media { shard, tenant, event });
                }
                socket => self.socket(socket),
            }
        }
        effects.clear();
        self.media = effects;
        self.note_due(shard);
    }

    fn socket(&mut self, effect: media::Effect) {
        let Some(node) = &mut self.node else { return };
        match effect {
            media::Effect::Open { port } => {
                node.sockets.insert(port, None);
            }
            media::Effect::Connect { port, to } => {
                node.sockets.insert(port, Some(to));
            }
            media::Effect::Disconnect { port } => {
                node.sockets.insert(port, None);
            }
            media::Effect::Close { port } => {
                node.sockets.remove(&port);
            }
            media::Effect::Send { .. } | media::Effect::Event { .. } => {}
        }
    }

    /// Everything up to `until` happens; the clock then shows `until`.
    pub(crate) fn run_until(&mut self, until: Mono) {
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    /// The next thing happens, unless it is later than `until`.
    pub(crate) fn step(&mut self, until: Mono) -> bool {
        let earliest = |due: &[Option<Mono>]| {
            due.iter().enumerate().filter_map(|(n, at)| at.map(|at| (at, n))).min()
        };
        let shard = self.node.as_ref().and_then(|n| earliest(&n.shard_due));
        let plane = self.node.as_ref().and_then(|n| earliest(&n.plane_due));
        let phone = earliest(&self.phone_due);
        let queue = self.queue.next_at().map(|at| (at, 0));
        // Of one moment: what arrives, then shards, media, phones.
        let all = [(queue, 0u8), (shard, 1), (plane, 2), (phone, 3)];
        let next = all.into_iter().filter_map(|(d, kind)| d.map(|(at, n)| (at, kind, n))).min();
        let Some((at, kind, number)) = next.filter(|(at, ..)| *at <= until) else { return false };
        self.spin = if at > self.now { 0 } else { self.spin + 1 };
        if self.spin > SPIN {
            self.fail(&format!("nothing but {kind}/{number} happens any more"));
        }
        self.now = self.now.max(at);
        match kind {
            0 => {
                if let Some((_, event)) = self.queue.pop() {
                    self.happen(event);
                }
            }
            1 => self.shard(number, Input::Tick),
            2 => self.tick_plane(number),
            _ => {
                self.phones[number].tick(self.now);
                self.flush_phone(number);
            }
        }
        true
    }

    fn tick_plane(&mut self, plane: usize) {
        let wall = self.wall();
        let Some(node) = &mut self.node else { return };
        let own = node.clock(self.now, wall);
        let mut effects = core::mem::take(&mut self.media);
        node.planes[plane].tick(own, &mut effects);
        self.media_effects(plane, &[], effects);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Sip { from, bytes } => {
                self.trace.note(self.now, format_args!("SIP from {from}"), &bytes);
                let reader = self.reader(from);
                let flow = Flow {
                    id: FlowId(reader as u64),
                    transport: Transport::Udp,
                    local: node::sip_address(),
                    remote: from,
                };
                self.shard(reader, Input::Received { flow, bytes });
            }
            Event::TcpUp { connection, bytes } => self.stream_up(connection, &bytes),
            Event::SipDown { to, bytes } => {
                let phone = self.by_ip.get(&to.ip()).copied();
                match phone.filter(|p| self.phones[*p].place.address == to) {
                    Some(phone) => self.phone_receives(phone, bytes),
                    None => self.strays.push((to, bytes)),
                }
            }
            Event::TcpDown { connection, bytes } => self.stream_down(connection, &bytes),
            Event::TcpGone { phone } => {
                self.at_phone(phone, |agent, _| agent.disconnected());
            }
            Event::Rtp { port, from, bytes } => self.packet(port, from, bytes),
            Event::RtpDown { to, bytes } => {
                let phone = self.by_ip.get(&to.ip()).copied();
                let now = self.now;
                let is_heard = phone.is_some_and(|p| {
                    // RTCP goes to the next port.
                    to.port() % 2 == 1 || self.phones[p].rtp(now, to.port(), &bytes)
                });
                if !is_heard && phone.is_none() {
                    self.strays.push((to, bytes));
                }
            }
            Event::HandedOver { to, what } => self.shard(to, Input::HandedOver(what)),
            Event::Media { shard, tenant, event } => {
                self.trace.note(self.now, format_args!("media: {event:?}"), &[]);
                self.shard(shard, Input::Media(tenant, event));
            }
            Event::Command { shard, tenant, ticket, command } => {
                self.shard(shard, Input::Command { tenant, ticket, command });
            }
            Event::Start => self.start(),
        }
    }

    fn phone_receives(&mut self, phone: usize, bytes: Vec<u8>) {
        self.trace.note(self.now, format_args!("SIP to phone {phone}"), &bytes);
        let now = self.now;
        self.phones[phone].receive(now, &bytes);
        if let Some(complaint) = self.phones[phone].complaints.pop() {
            let text = String::from_utf8_lossy(&bytes);
            self.fail(&format!("a phone cannot read this: {complaint}\n{text}"));
        }
        let (at, direction) = (self.now, Direction::Received);
        let agent = &self.phones[phone];
        if !agent.is_unplugged {
            let name = agent.place.name.clone();
            self.lines.push(Line { at, phone: name, direction, bytes });
        }
        self.flush_phone(phone);
    }

    /// The shard whose socket gets a datagram of this address.
    fn reader(&self, from: SocketAddr) -> usize {
        match self.settings.readers {
            Readers::Only(shard) => shard,
            Readers::ByAddress => {
                let IpAddr::V4(ip) = from.ip() else { return 0 };
                let bits = u32::from(ip).wrapping_mul(0x9E37_79B1).rotate_left(8);
                usize::try_from(bits).unwrap_or(0) % self.settings.shards
            }
        }
    }

    fn stream_up(&mut self, id: u64, bytes: &[u8]) {
        if self.node.is_none() {
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let flow = connection.flow;
        let cuts = connection.arrived_up(bytes);
        // The home shard of a connection.
        let home = usize::try_from(id).unwrap_or(0) % self.settings.shards;
        for cut in cuts {
            match cut {
                Cut::Message(bytes) => {
                    self.trace.note(self.now, format_args!("SIP on {id}"), &bytes);
                    self.shard(home, Input::Received { flow, bytes });
                }
                Cut::Ping => self.write_to(id, b"\r\n"),
                Cut::Broken => return self.close(id),
            }
        }
    }

    fn stream_down(&mut self, id: u64, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let phone = connection.phone;
        for cut in connection.arrived_down(bytes) {
            match cut {
                Cut::Message(bytes) => self.phone_receives(phone, bytes),
                Cut::Ping => {}
                Cut::Broken => self.fail("the switch wrote a stream that cannot be framed"),
            }
        }
    }

    /// A datagram reaches an RTP or RTCP port of the switch.
    fn packet(&mut self, port: u16, from: SocketAddr, mut bytes: Vec<u8>) {
        self.trace.note(self.now, format_args!("RTP {from} to {port}"), &bytes);
        let wall = self.wall();
        let Some(node) = &mut self.node else { return };
        let Some(connected) = node.sockets.get(&port) else { return };
        if connected.is_some_and(|peer| peer != from) {
            return;
        }
        let Some(plane) = node.plane_of(port) else { return };
        let own = node.clock(self.now, wall);
        let mut effects = core::mem::take(&mut self.media);
        node.planes[plane].packet(own, port, from, &mut bytes, &mut effects);
        self.media_effects(plane, &bytes, effects);
    }

    /// The sounds of the newest call of a phone in the last `window`.
    pub(crate) fn heard(
        &self,
        phone: usize,
        window: Duration,
    ) -> BTreeSet<crate::phone::sound::Sound> {
        use crate::phone::sound::{self, Content, FRAME, Sound};
        let mut sounds = BTreeSet::new();
        let mut samples = Vec::new();
        let Some(call) = self.phones[phone].call() else { return sounds };
        let name = |n: u8| Sound::Phone(self.phones[usize::from(n)].place.name.clone());
        for content in call.ear.heard(self.now, window) {
            match content {
                Content::Labelled(label) => {
                    sounds.insert(name(label.phone));
                }
                Content::Played(player) => {
                    sounds.insert(Sound::of(*player));
                }
                Content::Silence => {}
                Content::Samples(more) => samples.extend_from_slice(more),
            }
        }
        // Less than three frames say nothing sure: one is cut where the source changed.
        if samples.len() >= 3 * FRAME {
            let count = u8::try_from(self.phones.len()).unwrap_or(u8::MAX);
            let phones = sound::phones_in(&samples, count);
            if phones.is_empty() {
                sounds.insert(Sound::Unknown);
            }
            sounds.extend(phones.into_iter().map(name));
        }
        sounds
    }

    /// Something does not hold: says so, with the seed.
    pub(crate) fn fail(&self, wrong: &str) -> ! {
        panic!("seed {}: at {} µs: {wrong}", self.settings.seed, self.now.0);
    }
}

/// Asking, configuring, checking: what the tests do to the run as a whole.
impl World {
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.since(BEGIN)
    }

    /// Gives the newest configuration of a customer to the switch.
    pub(crate) fn configure(&mut self, number: usize) {
        let directory = company::directory(&self.companies);
        self.all_shards(|| Input::Directory(directory.clone()));
        let snapshot = self.companies[number].snapshot();
        let shard = switch::shard_of(snapshot.tenant.id, self.settings.shards);
        self.shard(shard, Input::Snapshot { snapshot, ticket: None });
    }

    pub(crate) fn all_shards(&mut self, input: impl Fn() -> Input) {
        for shard in 0..self.settings.shards {
            self.shard(shard, input());
        }
    }

    pub(crate) fn ask(&mut self, number: usize, command: Command) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let tenant = self.companies[number].id();
        let shard = switch::shard_of(tenant, self.settings.shards);
        self.queue.push(self.now, Event::Command { shard, tenant, ticket, command });
        ticket
    }

    pub(crate) fn gauges(&self) -> switch::Gauges {
        let mut sum = switch::Gauges::default();
        for shard in self.node.iter().flat_map(|n| &n.shards) {
            let one = shard.gauges();
            sum.tenants += one.tenants;
            sum.calls += one.calls;
            sum.legs += one.legs;
            sum.bindings += one.bindings;
            sum.transactions += one.transactions;
            sum.dialogs += one.dialogs;
            sum.ports_taken += one.ports_taken;
            sum.timers += one.timers;
            sum.pending += one.pending;
        }
        sum
    }

    /// What is left although all calls are over.
    pub(crate) fn leftovers(&self) -> Result<(), String> {
        let mut gauges = self.gauges();
        // A registration waits for its expiry, and that is all that may wait.
        gauges.timers = gauges.timers.saturating_sub(gauges.bindings);
        let left = switch::Gauges { tenants: 0, bindings: 0, ..gauges };
        if left != switch::Gauges::default() {
            return Err(format!("left in the switch: {left:?}"));
        }
        for plane in self.node.iter().flat_map(|n| &n.planes) {
            if (plane.calls(), plane.legs()) != (0, 0) {
                return Err(format!("{} calls left in media", plane.calls()));
            }
        }
        if let Some(open) = self.node.iter().find_map(|n| n.sockets.keys().next()) {
            return Err(format!("port {open} is still read"));
        }
        if let Some(left) = self.phones.iter().find_map(Agent::leftovers) {
            return Err(left);
        }
        self.ledger.finish()
    }
}

/// Address of the switch.
pub(crate) fn switch_address() -> IpAddr {
    node::ADDRESS
}
