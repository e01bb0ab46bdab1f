//! The run: one queue of events, everybody who takes part, and the network between them.
//!
//! Files: `wire` is what travels, `process` what the switch runs in, `disk` its files, `asking`
//! what tests ask, `hearing` who hears whom.

mod asking;
pub(crate) mod disk;
mod hearing;
mod process;
mod wire;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;

use leg::{Command, MediaEvent, Reply};
use media::Effects;
use model::{Chance, Mono, TenantId, Wall};
use stack::{ConnectId, Flow, FlowId, Transport};
use switch::{HandOver, Input, Ticket};

use crate::company::{self, Company};
use crate::journal::Journal;
use crate::ladder::Line;
use crate::ledger::Ledger;
use crate::network::{Losses, Ways};
use crate::node::{self, Node, fork};
use crate::phone::agent::{Agent, Output};
use crate::phone::request;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::tcp::Connection;
use crate::trace::Trace;

use self::disk::Disk;

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
    /// A shard learns from where datagrams to a trunk leave.
    Connected { shard: usize, connect: ConnectId, flow: Flow },
    /// A shard takes a command.
    Command { shard: usize, tenant: TenantId, ticket: Ticket, command: Command },
    /// The process starts again.
    Start,
}

impl Event {
    /// Whether it is in the memory of the process, and dies with it.
    fn is_inside(&self) -> bool {
        matches!(
            self,
            Event::HandedOver { .. }
                | Event::Media { .. }
                | Event::Command { .. }
                | Event::Connected { .. }
        )
    }
}

/// The run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) now: Mono,
    pub(super) wall_shift_us: i64,
    pub(crate) queue: Queue<Event>,
    pub(crate) chance: Chance,
    pub(super) node_chance: Chance,
    pub(crate) companies: Vec<Company>,
    /// `None` while it is down.
    pub(crate) node: Option<Node>,
    /// How often it was started.
    pub(crate) lives: u64,
    pub(crate) journals: Vec<Journal>,
    pub(crate) ledger: Ledger,
    pub(crate) phones: Vec<Agent>,
    pub(super) phone_due: Vec<Option<Mono>>,
    pub(crate) ways: Vec<Ways>,
    pub(super) losses: Losses,
    pub(super) by_ip: BTreeMap<IpAddr, usize>,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) next_connection: u64,
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
    pub(super) effects: Vec<switch::Effect>,
    pub(super) media: Effects,
    pub(crate) disk: Disk,
    pub(super) spin: u32,
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
            losses: Losses::default(),
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
            disk: Disk::default(),
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
            told: SocketAddr::new(ip, 5_060),
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
            Event::Connected { shard, connect, flow } => {
                self.shard(shard, Input::Connected { connect, flow: Some(flow) });
            }
            Event::Start => self.start(),
        }
    }

    /// Something does not hold: says so, with the seed.
    pub(crate) fn fail(&self, wrong: &str) -> ! {
        panic!("seed {}: at {} µs: {wrong}", self.settings.seed, self.now.0);
    }
}
