//! A bench with a trunk, and the carrier behind it.

use core::net::SocketAddr;
use std::sync::Arc;

use leg::{Dial, Identity, LegCommand, LegEvent, LegId, Session, Target};
use model::{
    DisplayName, EndReason, Number, Secret, Trunk, TrunkCredentials, TrunkHost, TrunkId,
    TrunkTransport,
};
use sip::{Header, Message, Reply, Writer};
use stack::{Answer, Config, Effect, Flow, FlowId, Input, Site, Transport};

use crate::bench::{self, Bench, TENANT};

pub(crate) const TRUNK: TrunkId = TrunkId(7);
pub(crate) const ONE: &str = "203.0.113.1:5060";
pub(crate) const TWO: &str = "203.0.113.2:5060";

pub(crate) fn town(hosts: &[&str]) -> Town {
    Town::new(hosts, TrunkTransport::Udp)
}

/// The final status and reason that the exchange was told.
pub(crate) fn ended(town: &mut Town) -> Option<(EndReason, Option<u16>)> {
    town.bench.events.iter().find_map(|(_, event)| match event {
        LegEvent::Ended { reason, status, .. } => Some((*reason, *status)),
        _ => None,
    })
}

pub(crate) fn answered(town: &Town) -> bool {
    town.bench.events.iter().any(|(_, e)| matches!(e, LegEvent::Answered { .. }))
}

/// A challenge.
pub(crate) const ASKS: &str =
    "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"";

pub(crate) fn host(host: &str, port: Option<u16>) -> TrunkHost {
    TrunkHost { host: host.into(), port }
}

/// A town whose trunk is known by name.
pub(crate) fn named() -> Town {
    Town::with(vec![host("carrier.example", None)], TrunkTransport::Udp)
}

/// A bench with one trunk. Datagrams leave from 192.0.2.1 at once; names and connections are
/// answered by the test.
pub(crate) struct Town {
    pub(crate) bench: Bench,
    pub(crate) number: String,
    pub(crate) offer: Session,
    trunk: Trunk,
    legs: u64,
}

impl Town {
    pub(crate) fn new(hosts: &[&str], transport: TrunkTransport) -> Town {
        Town::with(hosts.iter().map(|h| host(h, None)).collect(), transport)
    }

    pub(crate) fn with(hosts: Vec<TrunkHost>, transport: TrunkTransport) -> Town {
        Town::seeded(hosts, transport, 1)
    }

    pub(crate) fn of(config: Config, hosts: Vec<TrunkHost>, transport: TrunkTransport) -> Town {
        Town::build(Bench::with(config, 1), hosts, transport)
    }

    pub(crate) fn seeded(hosts: Vec<TrunkHost>, transport: TrunkTransport, seed: u64) -> Town {
        Town::build(Bench::with(bench::config(), seed), hosts, transport)
    }

    fn build(bench: Bench, hosts: Vec<TrunkHost>, transport: TrunkTransport) -> Town {
        let login = "acme".into();
        let trunk = Trunk {
            transport,
            credentials: Some(TrunkCredentials { login, password: Secret::new("trunk-secret") }),
            ..Trunk::new(TRUNK, TENANT, "Carrier", hosts)
        };
        let offer = bench::session(20_000);
        let mut town = Town { bench, number: "4930123".into(), offer, trunk, legs: 0 };
        town.configure(|_| {});
        town
    }

    pub(crate) fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    /// Changes the trunk's configuration.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Trunk)) {
        change(&mut self.trunk);
        let mut directory = bench::directory();
        directory.trunks.insert(TRUNK, Arc::new(self.trunk.clone()));
        self.bench.input(Input::Directory(Arc::new(directory)));
    }

    /// Dials the number through the trunk.
    pub(crate) fn dial(&mut self) -> LegId {
        let number = Number::parse("100").unwrap();
        self.dial_as(Identity::of(number, DisplayName::parse("Alice").unwrap()))
    }

    pub(crate) fn dial_as(&mut self, identity: Identity) -> LegId {
        self.legs += 1;
        let leg = LegId::outgoing(self.legs);
        let number = Number::parse(&self.number).unwrap();
        let dial = Dial {
            target: Target::Trunk { trunk: TRUNK, number },
            identity,
            offer: Box::new(self.offer.clone()),
            max_forwards: 69,
            diversion: None,
            auto_answer: false,
        };
        self.bench.command(leg, LegCommand::Dial(Box::new(dial)));
        self.datagrams();
        leg
    }

    /// The exchange gives up the newest call.
    pub(crate) fn end(&mut self) {
        self.bench.end(LegId::outgoing(self.legs), EndReason::Cancelled);
    }

    /// Says from where datagrams leave, as often as it is asked.
    pub(crate) fn datagrams(&mut self) {
        while let Some(at) = self
            .bench
            .others
            .iter()
            .position(|e| matches!(e, Effect::Connect { transport: Transport::Udp, .. }))
        {
            let Effect::Connect { connect, remote, .. } = self.bench.others.remove(at) else {
                return;
            };
            let flow = Some(flow(FlowId(1), Transport::Udp, remote));
            self.bench.input(Input::Connected { connect, flow });
        }
    }

    /// What is waited for; it stays to be answered.
    pub(crate) fn asked(&self) -> Vec<&Effect> {
        let is_asked = |e: &&Effect| matches!(e, Effect::Resolve { .. } | Effect::Connect { .. });
        self.bench.others.iter().filter(is_asked).collect()
    }

    /// Connections among them.
    pub(crate) fn connecting(&self) -> Vec<&Effect> {
        self.bench.others.iter().filter(|e| matches!(e, Effect::Connect { .. })).collect()
    }

    /// Answers the oldest lookup.
    pub(crate) fn answer(&mut self, answer: Answer) {
        let at = self.bench.others.iter().position(|e| matches!(e, Effect::Resolve { .. }));
        let Effect::Resolve { lookup, .. } = self.bench.others.remove(at.expect("no lookup"))
        else {
            unreachable!("it was found so")
        };
        self.bench.input(Input::Resolved { lookup, answer });
        self.datagrams();
    }

    pub(crate) fn resolves(&mut self, sites: &[(u16, &[&str])]) {
        let sites = sites.iter().map(|(priority, addresses)| Site {
            priority: *priority,
            weight: 0,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        });
        self.answer(Answer::Found { sites: sites.collect(), ttl_s: 3_600 });
    }

    /// Answers the oldest wish for a connection.
    pub(crate) fn connects(&mut self, id: Option<u64>) {
        let at = self.bench.others.iter().position(|e| matches!(e, Effect::Connect { .. }));
        let Effect::Connect { connect, transport, remote, .. } =
            self.bench.others.remove(at.expect("no connection is wanted"))
        else {
            unreachable!("it was found so")
        };
        let flow = id.map(|id| flow(FlowId(id), transport, remote));
        self.bench.input(Input::Connected { connect, flow });
        self.datagrams();
    }

    /// The oldest message that was sent and not looked at. Next hosts are reached on the way.
    pub(crate) fn next_sent(&mut self) -> (Flow, Message) {
        self.datagrams();
        self.bench.sent.pop_front().expect("nothing was sent")
    }

    pub(crate) fn leaves_nothing(&mut self) {
        self.datagrams();
        self.bench.leaves_nothing();
    }
}

fn flow(id: FlowId, transport: Transport, remote: SocketAddr) -> Flow {
    let local = match remote {
        SocketAddr::V4(_) => "192.0.2.1:5060".parse().unwrap(),
        SocketAddr::V6(_) => "[2001:db8::99]:5060".parse().unwrap(),
    };
    Flow { id, transport, local, remote }
}

/// A host of a carrier: answers requests as the test says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carrier {
    flow: Flow,
}

impl Carrier {
    /// On datagrams, at this address.
    pub(crate) fn new(at: &str) -> Carrier {
        Carrier { flow: flow(FlowId(1), Transport::Udp, at.parse().unwrap()) }
    }

    /// At the other end of a flow.
    pub(crate) fn on(flow: Flow) -> Carrier {
        Carrier { flow }
    }

    pub(crate) fn answers(&self, town: &mut Town, request: &Message, status: u16) {
        self.answers_with(town, request, status, "");
    }

    /// Answers with one more header line.
    pub(crate) fn answers_with(&self, town: &mut Town, request: &Message, status: u16, line: &str) {
        town.bench.receive(self.flow, self.response(request, status, line));
        town.datagrams();
    }

    pub(crate) fn response(&self, request: &Message, status: u16, line: &str) -> Message {
        let tag = format!("at-{}", self.flow.remote.ip());
        let reply = Reply { to_tag: Some(&tag), ..Reply::new(status) };
        let mut writer = Writer::response(request, reply);
        if let Some((name, value)) = line.split_once(": ") {
            writer.named(name, value);
        }
        let is_invite = request.method() == Some(sip::Method::Invite);
        if is_invite && status < 300 {
            writer.header(Header::Contact, format_args!("<sip:gw@{}>", self.flow.remote));
        }
        let bytes = if is_invite && status == 200 {
            let ip = self.flow.remote.ip().to_string();
            let sdp = bench::sdp(&ip, 30_000, 1, "sendrecv");
            writer.finish_with("application/sdp", sdp.as_bytes())
        } else {
            writer.finish()
        };
        Message::parse(bytes).unwrap()
    }

    /// A request inside the dialog that the INVITE has begun.
    pub(crate) fn request(&self, invite: &Message, method: &str) -> Message {
        let from = invite.text(Header::To).unwrap();
        // The dialog is with the host that the INVITE went to.
        let ip = invite.uri().unwrap().sip().unwrap().host.to_string();
        let head = format!(
            "{method} {uri} SIP/2.0
             Via: SIP/2.0/UDP {at};branch=z9hG4bK-{method}-{at}
             Max-Forwards: 70
             From: {from};tag=at-{ip}
             To: {to}
             Call-ID: {call_id}
             CSeq: 1 {method}",
            uri = invite.contact().unwrap().unwrap().uri.as_str(),
            at = self.flow.remote,
            to = invite.text(Header::From).unwrap(),
            call_id = invite.call_id().unwrap(),
        );
        bench::message(&head, "")
    }
}
