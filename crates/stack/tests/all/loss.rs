//! Calls over networks that lose, repeat and delay: every seed ends cleanly.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use leg::{Dial, Direction, Identity, LegCommand, LegEvent, LegId, Session, Target};
use model::{Chance, DeviceId, EndReason, Mono, Now, Wall};
use sip::digest::{Challenge, Ha1s, Login};
use sip::{Header, Message, Method};
use stack::{Effect, Endpoint, Flow, FlowId, Input, Transport};

use crate::bench::{
    self, ALICE, Bench, Phone, REALM, TENANT, boxed, directory, message, session, udp,
};

const MS: u64 = 1_000;

/// What the scripted caller waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caller {
    Inviting { proceeding: bool },
    Talking { until: Mono },
    Leaving,
    Gone,
}

/// A call from a phone that repeats as RFC 3261 17 says, over a network that loses a fifth.
#[test]
fn a_basic_call_survives_a_fifth_of_loss_on_200_seeds() {
    for seed in 0..200 {
        basic_call(seed);
    }
}

fn basic_call(seed: u64) {
    let mut b = Bench::with(bench::config(), seed);
    let mut chance = Chance::from_number(seed ^ 0xABCD);
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    let uri = "sip:101@acme.example";
    // The challenge was answered before; the proven INVITE is what gets lost.
    let probe = alice.request("INVITE", uri, "<sip:101@acme.example>", "", "");
    b.receive(alice.flow, probe);
    let challenge = b.next_of("401");
    alice.challenged(&challenge);
    b.look_away();
    let authorization = alice.authorization("INVITE", uri);
    let body = alice.sdp(1, "sendrecv");
    let invite = alice.request("INVITE", uri, "<sip:101@acme.example>", &authorization, &body);
    let mut request = invite.clone();
    let mut state = Caller::Inviting { proceeding: false };
    let mut interval = 500 * MS;
    let mut repeat = Some(b.now.mono);
    let mut answer_at: Option<(Mono, LegId)> = None;
    let mut ended = Vec::new();
    let mut incoming = 0;
    let begun = b.now.mono;
    while state != Caller::Gone {
        assert!(b.now.mono.since(begun) < Duration::from_secs(90), "seed {seed}: {}", b.ladder);
        b.run_for(Duration::from_millis(10));
        let now = b.now.mono;
        if repeat.is_some_and(|at| at <= now) {
            if chance.below(5) != 0 {
                b.receive(alice.flow, request.clone());
            }
            repeat = Some(now + Duration::from_micros(interval));
            interval = (interval * 2).min(4_000 * MS);
        }
        for (_, event) in std::mem::take(&mut b.events) {
            match event {
                LegEvent::Incoming(_) => {
                    incoming += 1;
                    let leg = LegId::incoming(0);
                    b.command(leg, LegCommand::Ring { early: None });
                    answer_at = Some((now + Duration::from_secs(1), leg));
                }
                LegEvent::Ended { reason, .. } => ended.push(reason),
                LegEvent::Acknowledged => {}
                other => panic!("seed {seed}: {other:?}"),
            }
        }
        if let Some((_, leg)) = answer_at.filter(|(at, _)| *at <= now) {
            answer_at = None;
            b.command(leg, LegCommand::Answer(boxed(10_000)));
        }
        for (_, sent) in std::mem::take(&mut b.sent) {
            if chance.below(5) == 0 {
                continue;
            }
            let Some(status) = sent.status() else { continue };
            let method = sent.cseq().unwrap().method;
            match (method, status, state) {
                (Method::Invite, 100..=199, Caller::Inviting { .. }) => {
                    state = Caller::Inviting { proceeding: true };
                    repeat = None;
                }
                (Method::Invite, 200, _) => {
                    if chance.below(5) != 0 {
                        alice.acks(&mut b, &sent, "");
                    }
                    alice.learns(&sent);
                    if matches!(state, Caller::Inviting { .. }) {
                        repeat = None;
                        state = Caller::Talking { until: now + Duration::from_secs(3) };
                    }
                }
                (Method::Bye, _, Caller::Leaving) => state = Caller::Gone,
                _ => {}
            }
        }
        if let Caller::Talking { until } = state
            && until <= now
        {
            state = Caller::Leaving;
            let (target, to) = (alice.target.clone(), alice.to.clone());
            request = alice.request("BYE", &target, &to, "", "");
            interval = 500 * MS;
            repeat = Some(now);
        }
    }
    assert_eq!(incoming, 1, "seed {seed}");
    assert_eq!(ended, [EndReason::CallerHungUp], "seed {seed}: {}", b.ladder);
    b.leaves_nothing();
}

/// One endpoint of two that are wired back to back.
struct Side {
    endpoint: Endpoint,
    address: SocketAddr,
    events: Vec<(LegId, LegEvent)>,
}

impl Side {
    fn new(address: &str, seed: u64) -> Side {
        let endpoint = Endpoint::new(bench::config(), Chance::from_number(seed));
        Side { endpoint, address: address.parse().unwrap(), events: Vec::new() }
    }
}

/// Two endpoints and what lies between them.
struct Wire {
    sides: [Side; 2],
    now: Now,
    chance: Chance,
    loss_percent: u64,
    under_way: BTreeMap<(Mono, u64), (usize, Vec<u8>)>,
    sent: u64,
    /// The answer to the called side's challenge, which a proxy would add for the calling one.
    challenge: String,
    counted: u32,
    ends: Vec<(usize, LegId)>,
}

impl Wire {
    fn new(seed: u64, loss_percent: u64) -> Wire {
        let mut wire = Wire {
            sides: [Side::new("192.0.2.1:5060", seed), Side::new("192.0.2.2:5060", seed + 1)],
            now: Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000) },
            chance: Chance::from_number(seed ^ 0x5EED),
            loss_percent: 0,
            under_way: BTreeMap::new(),
            sent: 0,
            challenge: String::new(),
            counted: 0,
            ends: Vec::new(),
        };
        for side in 0..2 {
            wire.input(side, Input::Directory(Arc::new(directory())));
        }
        wire.introduce();
        wire.loss_percent = loss_percent;
        wire
    }

    fn flow(&self, side: usize) -> Flow {
        Flow {
            id: FlowId(1),
            transport: Transport::Udp,
            local: self.sides[side].address,
            remote: self.sides[1 - side].address,
        }
    }

    /// Side 1 is a registered device of side 0, and side 0 has a challenge of side 1.
    fn introduce(&mut self) {
        let mut effects = Vec::new();
        let change = leg::BindingChange {
            tenant: TENANT,
            extension: ALICE,
            device: DeviceId(1),
            binding: Some(leg::Binding {
                contact: format!("sip:101@{}", self.sides[1].address),
                call_id: "r".into(),
                cseq: 1,
                q: 1_000,
                expires: Wall(self.now.wall.0 + 3_600_000_000),
                transport: "UDP".into(),
                local: self.sides[0].address,
                remote: self.sides[1].address,
                path: Vec::new(),
                user_agent: String::new(),
                instance: None,
            }),
        };
        self.input(0, Input::Bindings { tenant: TENANT, bindings: vec![change] });
        let probe = message(
            "REGISTER sip:acme.example SIP/2.0
             Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-probe
             From: <sip:alice@acme.example>;tag=p
             To: <sip:alice@acme.example>
             Call-ID: probe
             CSeq: 1 REGISTER
             Max-Forwards: 70",
            "",
        );
        let flow = self.flow(1);
        let input = Input::Message { tenant: None, flow, message: probe };
        self.sides[1].endpoint.handle(self.now, input, &mut effects);
        for effect in effects {
            if let Effect::Send { bytes, .. } | Effect::Answer { bytes, .. } = effect {
                let answer = Message::parse(bytes.to_vec()).unwrap();
                self.challenge = answer.text(Header::WwwAuthenticate).unwrap().into_owned();
            }
        }
    }

    fn input(&mut self, side: usize, input: Input) {
        let mut effects = Vec::new();
        self.sides[side].endpoint.handle(self.now, input, &mut effects);
        self.sides[side].endpoint.check().unwrap();
        for effect in effects {
            match effect {
                Effect::Send { bytes, .. } | Effect::Answer { bytes, .. } => {
                    self.post(1 - side, &bytes);
                }
                Effect::Leg { leg, event, .. } => self.sides[side].events.push((leg, event)),
                _ => {}
            }
        }
    }

    fn post(&mut self, to: usize, bytes: &[u8]) {
        let copies = if self.chance.below(100) < 5 { 2 } else { 1 };
        for _ in 0..copies {
            if self.chance.below(100) < self.loss_percent {
                continue;
            }
            self.sent += 1;
            let after = Duration::from_micros(5 * MS + self.chance.below(200 * MS));
            self.under_way.insert((self.now.mono + after, self.sent), (to, bytes.to_vec()));
        }
    }

    fn deliver(&mut self, to: usize, bytes: Vec<u8>) {
        let mut text = bytes;
        let parsed = Message::parse(text.clone()).unwrap();
        let initial =
            parsed.method() == Some(Method::Invite) && parsed.to().is_ok_and(|t| t.tag.is_none());
        if initial {
            text = self.with_credentials(&parsed);
        }
        let message = Message::parse(text).unwrap();
        let flow = self.flow(to);
        self.input(to, Input::Message { tenant: Some(TENANT), flow, message });
    }

    fn with_credentials(&mut self, invite: &Message) -> Vec<u8> {
        self.counted += 1;
        let ha1s = Ha1s::of("alice", REALM, "alice-secret");
        let challenge = Challenge::parse(self.challenge.as_bytes()).unwrap();
        let uri = invite.uri().unwrap();
        let login = Login {
            username: "alice",
            ha1s: &ha1s,
            method: "INVITE",
            uri: uri.as_str(),
            cnonce: "c",
            count: self.counted,
        };
        let line = format!("\r\nAuthorization: {}\r\nMax-", challenge.answer(&login).unwrap());
        let text = String::from_utf8(invite.bytes().to_vec()).unwrap();
        text.replacen("\r\nMax-", &line, 1).into_bytes()
    }

    /// Lets a random time of at most `ms` milliseconds pass.
    fn run_up_to(&mut self, ms: u64) {
        let time = Duration::from_millis(self.chance.below(ms));
        self.run_for(time);
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let post = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let timers = self.sides.iter().filter_map(|s| s.endpoint.deadline());
            let next = timers.chain(post).min().filter(|at| *at <= end.mono);
            let Some(at) = next else { break };
            self.now = self.now + at.since(self.now.mono);
            while let Some(first) = self.under_way.first_entry() {
                if first.key().0 > self.now.mono {
                    break;
                }
                let (to, bytes) = first.remove();
                self.deliver(to, bytes);
            }
            for side in 0..2 {
                self.input(side, Input::Tick);
            }
            self.exchanges();
        }
        self.now = end;
    }

    /// Both exchanges answer what they are told, as ours would.
    fn exchanges(&mut self) {
        for side in 0..2 {
            for (leg, event) in std::mem::take(&mut self.sides[side].events) {
                match event {
                    LegEvent::Incoming(_) => {
                        self.command(side, leg, LegCommand::Ring { early: None });
                        self.command(side, leg, LegCommand::Answer(boxed(10_000)));
                    }
                    LegEvent::Offer(offer) => {
                        let direction = offer.direction.answer();
                        let answer = Session { direction, ..session(10_000) };
                        self.command(side, leg, LegCommand::AnswerOffer(Box::new(answer)));
                    }
                    LegEvent::Ended { .. } => self.ends.push((side, leg)),
                    _ => {}
                }
            }
        }
    }

    fn command(&mut self, side: usize, leg: LegId, command: LegCommand) {
        self.input(side, Input::Leg { tenant: TENANT, leg, command });
    }
}

/// Both sides offer, hold, send digits and hang up as chance has it.
#[test]
fn two_endpoints_agree_and_leave_nothing_on_200_seeds() {
    let mut talked = 0;
    for seed in 0..200 {
        let mut wire = Wire::new(seed, seed % 4 * 10);
        let out = LegId::outgoing(1);
        let dial = Dial {
            target: Target::Device { extension: ALICE, device: DeviceId(1) },
            identity: Identity::anonymous(),
            offer: boxed(20_000),
            max_forwards: 70,
            diversion: None,
            auto_answer: false,
        };
        wire.command(0, out, LegCommand::Dial(Box::new(dial)));
        wire.run_up_to(4_000);
        let legs = [out, LegId::incoming(0)];
        for step in 0..6 {
            let side = usize::try_from(wire.chance.below(2)).unwrap();
            let port = 20_002 + 2 * step;
            let offer = match wire.chance.below(3) {
                0 => Session { direction: Direction::SendOnly, ..session(port) },
                _ => session(port),
            };
            wire.command(side, legs[side], LegCommand::Offer(Box::new(offer)));
            if wire.chance.below(3) == 0 {
                let digit = model::Digit::from_event(5).unwrap();
                wire.command(1 - side, legs[1 - side], LegCommand::Info(digit));
            }
            wire.run_up_to(3_000);
        }
        wire.run_for(Duration::from_secs(40));
        let up = wire.sides.iter().all(|s| s.endpoint.counts().dialogs == 1);
        talked += usize::from(up);
        let side = usize::try_from(wire.chance.below(2)).unwrap();
        let reason = EndReason::ApiHangup;
        wire.command(side, legs[side], LegCommand::End { reason, retry_after_s: None });
        wire.run_for(Duration::from_secs(200));
        for (i, side) in wire.sides.iter().enumerate() {
            let counts = side.endpoint.counts();
            let left = (counts.transactions, counts.dialogs, counts.panics);
            assert_eq!(left, (0, 0, 0), "seed {seed} side {i}");
        }
        if up {
            let other = (1 - side, legs[1 - side]);
            assert_eq!(wire.ends, [other], "seed {seed}");
        }
    }
    assert!(talked > 190, "{talked} of 200 calls were up at the end");
}
