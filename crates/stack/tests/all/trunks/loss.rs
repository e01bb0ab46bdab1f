//! Calls to trunks over networks that lose a fifth: every seed ends cleanly on both sides.

use core::time::Duration;
use std::collections::BTreeMap;

use leg::LegId;
use model::{Chance, EndReason, Mono, TrunkTransport};
use sip::{Header, Message, Method};
use stack::{Answer, Effect, Flow, FlowId, Input, Site, Transport};

use crate::carrier::{ASKS, Carrier, ONE, TWO, Town, answered, ended, host};

/// How a host of the carrier behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Asks for a proof, rings after one second, answers after two.
    Answers,
    /// 503.
    Refuses,
    /// Says nothing.
    Silent,
}

/// An INVITE at a host.
struct Invited {
    request: Message,
    /// The newest response; a final one is repeated until its ACK.
    response: Message,
    acknowledged: bool,
}

/// One host of the carrier, by RFC 3261 17.2 as far as it matters.
struct Host {
    at: &'static str,
    manner: Manner,
    invites: BTreeMap<String, Invited>,
    /// Calls that are up, by Call-ID and CSeq of their INVITE.
    up: BTreeMap<(String, u32), ()>,
}

/// What happens later.
enum Later {
    ToSwitch(Flow, Message),
    ToHost(Flow, Message),
    /// A host goes on with an INVITE: the step, by branch.
    Host(usize, String, Step),
    Resolved(stack::LookupId, Answer),
    Connected(stack::ConnectId, Option<Flow>),
    Does(Deed),
}

#[derive(Clone, Copy)]
enum Step {
    Ring,
    Answer,
    Repeat(Duration),
}

/// What the exchange, or the world, does at its moment.
#[derive(Clone, Copy)]
enum Deed {
    End(LegId),
    Cut(FlowId),
    Dial,
}

struct World {
    town: Town,
    chance: Chance,
    later: BTreeMap<(Mono, u64), Later>,
    count: u64,
    hosts: Vec<Host>,
    /// How often each datagram was lost: patience always pays.
    lost: BTreeMap<Vec<u8>, u8>,
    /// What the name system says next, oldest first; then that it is there.
    names: Vec<Answer>,
    connections: u64,
    /// When an answered call is hung up.
    talk: Duration,
    seen: bool,
}

impl World {
    fn new(seed: u64, transport: TrunkTransport, manners: [Manner; 2]) -> World {
        let hosts = vec![host("203.0.113.1", None), host("203.0.113.2", None)];
        World::of(Town::seeded(hosts, transport, seed), seed, manners)
    }

    fn named(seed: u64, names: Vec<Answer>) -> World {
        let hosts = vec![host("carrier.example", None)];
        let town = Town::seeded(hosts, TrunkTransport::Udp, seed);
        let mut world = World::of(town, seed, [Manner::Answers, Manner::Answers]);
        world.names = names;
        world
    }

    fn of(town: Town, seed: u64, manners: [Manner; 2]) -> World {
        let made =
            |(at, manner)| Host { at, manner, invites: BTreeMap::new(), up: BTreeMap::new() };
        World {
            town,
            chance: Chance::from_number(seed ^ 0x5EED),
            later: BTreeMap::new(),
            count: 0,
            hosts: [ONE, TWO].into_iter().zip(manners).map(made).collect(),
            lost: BTreeMap::new(),
            names: Vec::new(),
            connections: 10,
            talk: Duration::from_secs(3),
            seen: false,
        }
    }

    fn after(&mut self, time: Duration, what: Later) {
        self.count += 1;
        self.later.insert((self.town.bench.now.mono + time, self.count), what);
    }

    fn dial(&mut self) -> LegId {
        let leg = self.town.dial();
        self.gather();
        leg
    }

    /// When a message arrives; `None`: it is lost.
    fn way(&mut self, flow: &Flow, message: &Message) -> Option<Duration> {
        let takes = Duration::from_millis(5 + self.chance.below(20));
        if flow.transport.is_reliable() {
            return Some(Duration::from_millis(10));
        }
        let lost = self.lost.entry(message.bytes().to_vec()).or_default();
        if self.chance.below(5) == 0 && *lost < 2 {
            *lost += 1;
            return None;
        }
        Some(takes)
    }

    /// Takes what the endpoint wants done.
    fn gather(&mut self) {
        self.town.datagrams();
        for (flow, message) in core::mem::take(&mut self.town.bench.sent) {
            if let Some(takes) = self.way(&flow, &message) {
                self.after(takes, Later::ToHost(flow, message));
            }
        }
        for effect in core::mem::take(&mut self.town.bench.others) {
            match effect {
                Effect::Resolve { lookup, .. } => {
                    let there = Site {
                        priority: 1,
                        weight: 1,
                        addresses: vec![ONE.parse().unwrap(), TWO.parse().unwrap()],
                    };
                    let found = Answer::Found { sites: vec![there], ttl_s: 60 };
                    let answer = if self.names.is_empty() { found } else { self.names.remove(0) };
                    let takes = Duration::from_millis(self.chance.below(4_000));
                    self.after(takes, Later::Resolved(lookup, answer));
                }
                Effect::Connect { connect, transport, remote, .. } => {
                    self.connections += 1;
                    let local = "192.0.2.1:5060".parse().unwrap();
                    let id = FlowId(self.connections);
                    let flow = Flow { id, transport, local, remote };
                    let takes = Duration::from_millis(self.chance.below(500));
                    self.after(takes, Later::Connected(connect, Some(flow)));
                }
                other => panic!("{other:?}"),
            }
        }
        if !self.seen && answered(&self.town) {
            self.seen = true;
            let leg = self.town.bench.events.back().unwrap().0;
            self.after(self.talk, Later::Does(Deed::End(leg)));
        }
    }

    /// Lets everything happen that is still to happen.
    fn run(&mut self) {
        let begun = self.town.bench.now.mono;
        self.gather();
        loop {
            let next = self.later.first_key_value().map(|((at, _), _)| *at);
            let due = self.town.bench.endpoint.deadline();
            let Some(at) = [next, due].into_iter().flatten().min() else { break };
            assert!(at.since(begun) < Duration::from_secs(600), "{}", self.town.bench.ladder);
            let step = at.since(self.town.bench.now.mono);
            self.town.bench.run_for(step);
            if next == Some(at) {
                let (_, what) = self.later.pop_first().unwrap();
                self.happens(what);
            }
            self.gather();
        }
    }

    fn happens(&mut self, what: Later) {
        let bench = &mut self.town.bench;
        match what {
            Later::ToSwitch(flow, message) => bench.receive(flow, message),
            Later::Resolved(lookup, answer) => bench.input(Input::Resolved { lookup, answer }),
            Later::Connected(connect, flow) => bench.input(Input::Connected { connect, flow }),
            Later::Does(Deed::End(leg)) => bench.end(leg, EndReason::Cancelled),
            Later::Does(Deed::Cut(flow)) => bench.input(Input::FlowClosed(flow)),
            Later::Does(Deed::Dial) => {
                self.dial();
            }
            Later::ToHost(flow, message) => self.host_receives(flow, &message),
            Later::Host(host, branch, step) => self.host_goes_on(host, &branch, step),
        }
    }

    fn host_receives(&mut self, flow: Flow, message: &Message) {
        let at = self.hosts.iter().position(|h| h.at == flow.remote.to_string()).unwrap();
        let manner = self.hosts[at].manner;
        if manner == Manner::Silent {
            return;
        }
        let call = message.call_id().unwrap().to_owned();
        let number = message.cseq().unwrap().number;
        let branch = message.top_via().unwrap().branch.unwrap().to_owned();
        let host = &mut self.hosts[at];
        match message.method().unwrap() {
            Method::Invite => match host.invites.get(&branch) {
                Some(known) => {
                    let again = known.response.clone();
                    self.host_sends(flow, again);
                }
                None => self.host_is_invited(at, flow, message, branch),
            },
            Method::Ack => {
                for known in host.invites.values_mut() {
                    let of = known.request.cseq().unwrap().number;
                    known.acknowledged |=
                        (known.request.call_id().unwrap(), of) == (&*call, number);
                }
            }
            Method::Cancel => {
                self.host_sends(flow, Carrier::on(flow).response(message, 200, ""));
                let open = self.hosts[at].invites.get(&branch);
                if open.is_some_and(|i| i.response.status().unwrap() < 200) {
                    self.host_answers(at, flow, &branch, 487, "");
                }
            }
            Method::Bye => {
                host.up.retain(|(id, _), ()| *id != call);
                self.host_sends(flow, Carrier::on(flow).response(message, 200, ""));
            }
            other => panic!("{other:?}"),
        }
    }

    fn host_is_invited(&mut self, at: usize, flow: Flow, message: &Message, branch: String) {
        let response = Carrier::on(flow).response(message, 100, "");
        let request = message.clone();
        let invited = Invited { request, response, acknowledged: false };
        let host = &mut self.hosts[at];
        host.invites.insert(branch.clone(), invited);
        match host.manner {
            Manner::Refuses => self.host_answers(at, flow, &branch, 503, "Retry-After: 60"),
            Manner::Answers if !message.has(Header::Authorization) => {
                self.host_answers(at, flow, &branch, 401, ASKS);
            }
            Manner::Answers | Manner::Silent => {
                let trying = self.hosts[at].invites[&branch].response.clone();
                self.host_sends(flow, trying);
                let ring = Later::Host(at, branch.clone(), Step::Ring);
                self.after(Duration::from_secs(1), ring);
                self.after(Duration::from_secs(2), Later::Host(at, branch, Step::Answer));
            }
        }
    }

    fn host_goes_on(&mut self, at: usize, branch: &str, step: Step) {
        let Some(known) = self.hosts[at].invites.get(branch) else { return };
        let flow = self.flow_to(at);
        let is_final = known.response.status().unwrap() >= 200;
        match step {
            Step::Ring if !is_final => self.host_answers(at, flow, branch, 180, ""),
            Step::Answer if !is_final => {
                let request = &known.request;
                let key = (request.call_id().unwrap().to_owned(), request.cseq().unwrap().number);
                self.hosts[at].up.insert(key, ());
                self.host_answers(at, flow, branch, 200, "");
            }
            Step::Repeat(interval) if !known.acknowledged && interval.as_secs() < 33 => {
                let again = known.response.clone();
                self.host_sends(flow, again);
                let next = Later::Host(at, branch.to_owned(), Step::Repeat(interval * 2));
                self.after(interval.min(Duration::from_secs(4)), next);
            }
            // 13.3.1.4: without an ACK it hangs up; its BYE finds nobody either.
            Step::Repeat(_) if !known.acknowledged => {
                let call = known.request.call_id().unwrap().to_owned();
                let number = known.request.cseq().unwrap().number;
                self.hosts[at].up.remove(&(call, number));
            }
            Step::Ring | Step::Answer | Step::Repeat(_) => {}
        }
    }

    /// The newest way to the switch, as the host sees it.
    fn flow_to(&self, at: usize) -> Flow {
        let carrier = self.hosts[at].at;
        let (id, transport) = match self.town.trunk().transport {
            TrunkTransport::Udp => (FlowId(1), Transport::Udp),
            _ => (FlowId(self.connections), Transport::Tcp),
        };
        let local = "192.0.2.1:5060".parse().unwrap();
        Flow { id, transport, local, remote: carrier.parse().unwrap() }
    }

    fn host_answers(&mut self, at: usize, flow: Flow, branch: &str, status: u16, line: &str) {
        let Some(known) = self.hosts[at].invites.get_mut(branch) else { return };
        let response = Carrier::on(flow).response(&known.request, status, line);
        known.response = response.clone();
        self.host_sends(flow, response);
        if status >= 200 {
            let first = Duration::from_millis(500);
            self.after(first, Later::Host(at, branch.to_owned(), Step::Repeat(first)));
        }
    }

    fn host_sends(&mut self, flow: Flow, message: Message) {
        if let Some(takes) = self.way(&flow, &message) {
            self.after(takes, Later::ToSwitch(flow, message));
        }
    }

    /// Nothing is left on either side.
    fn is_over(&mut self, seed: u64) {
        self.run();
        for host in &self.hosts {
            assert!(host.up.is_empty(), "seed {seed}: {} talks on\n{}", host.at, self.ladder());
        }
        self.town.leaves_nothing();
    }

    fn ladder(&self) -> &str {
        &self.town.bench.ladder
    }
}

const SEEDS: u64 = 200;

#[test]
fn a_call_with_a_proof_is_answered_on_every_seed() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed, TrunkTransport::Udp, [Manner::Answers, Manner::Answers]);
        world.dial();
        world.is_over(seed);
        assert!(answered(&world.town), "seed {seed}:\n{}", world.ladder());
    }
}

#[test]
fn a_host_that_refuses_or_says_nothing_is_followed_by_the_next_on_every_seed() {
    for first in [Manner::Refuses, Manner::Silent] {
        for seed in 0..SEEDS {
            let mut world = World::new(seed, TrunkTransport::Udp, [first, Manner::Answers]);
            world.dial();
            world.run();
            // A second host that is unlucky is given up as the first was; nothing hangs.
            let got = answered(&world.town) || ended(&mut world.town).is_some();
            assert!(got, "seed {seed}:\n{}", world.ladder());
            world.is_over(seed);
        }
    }
}

#[test]
fn when_all_hosts_fail_the_call_ends_on_every_seed() {
    for manners in [[Manner::Refuses; 2], [Manner::Silent; 2], [Manner::Silent, Manner::Refuses]] {
        for seed in 0..SEEDS {
            let mut world = World::new(seed, TrunkTransport::Udp, manners);
            world.dial();
            world.is_over(seed);
            let (reason, _) = ended(&mut world.town).unwrap();
            assert_eq!(reason, EndReason::Unreachable, "seed {seed}");
        }
    }
}

#[test]
fn names_that_are_away_end_one_call_and_not_the_next() {
    for seed in 0..SEEDS {
        let mut world = World::named(seed, vec![Answer::Away]);
        world.dial();
        world.after(Duration::from_secs(10), Later::Does(Deed::Dial));
        world.is_over(seed);
        assert_eq!(ended(&mut world.town), Some((EndReason::Unreachable, None)), "seed {seed}");
        assert!(answered(&world.town), "seed {seed}:\n{}", world.ladder());
    }
}

#[test]
fn a_caller_may_give_up_at_any_moment() {
    for seed in 0..SEEDS {
        let manners = match seed % 3 {
            0 => [Manner::Answers, Manner::Answers],
            1 => [Manner::Silent, Manner::Answers],
            _ => [Manner::Refuses, Manner::Silent],
        };
        let mut world = match seed % 4 {
            0 => World::named(seed, Vec::new()),
            1 => World::new(seed, TrunkTransport::Tcp, manners),
            _ => World::new(seed, TrunkTransport::Udp, manners),
        };
        // The call ends by this moment only.
        world.seen = true;
        let leg = world.dial();
        let moment = Duration::from_millis(world.chance.below(9_000));
        world.after(moment, Later::Does(Deed::End(leg)));
        world.is_over(seed);
    }
}

#[test]
fn a_connection_that_is_lost_during_a_call_is_made_again_for_its_end() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed, TrunkTransport::Tcp, [Manner::Answers; 2]);
        world.talk = Duration::from_secs(5);
        world.dial();
        // At any moment, also while it rings.
        let moment = Duration::from_millis(500 + world.chance.below(4_500));
        world.after(moment, Later::Does(Deed::Cut(FlowId(11))));
        world.run();
        if answered(&world.town) {
            assert_eq!(ended(&mut world.town), None, "seed {seed}:\n{}", world.ladder());
        }
        world.is_over(seed);
    }
}
