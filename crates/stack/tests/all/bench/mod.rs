//! One endpoint, scripted phones, and the ladder of what passed between them.

mod ladder;
mod phone;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use leg::{Dial, Direction, Format, Identity, LegCommand, LegEvent, LegId, Session, Target};
use model::{
    Chance, Codec, Credential, DeviceId, Directory, DisplayName, ExtensionId, Login, Mono, Now,
    Number, Status, TenantId, TenantKey, Wall,
};
use sip::digest::Ha1s;
use sip::{Header, Message};
use stack::{Config, Digests, Effect, Endpoint, Expires, Flow, FlowId, Input, Transport};

pub(crate) use ladder::{check, summary};
use ladder::{told, wanted};
pub(crate) use phone::{Phone, dialled, talking};

pub(crate) const TENANT: TenantId = TenantId(1);
pub(crate) const KEY: &str = "key23456";
pub(crate) const REALM: &str = "pbx.example";
pub(crate) const ALICE: ExtensionId = ExtensionId(100_000);
pub(crate) const BOB: ExtensionId = ExtensionId(100_001);

pub(crate) fn config() -> Config {
    Config {
        realm: REALM.into(),
        public_address: None,
        product: String::new(),
        nonce_key: [7; 32],
        expires_s: Expires { min: 60, max: 3_600, default: 600 },
        digests: Digests::Md5,
    }
}

pub(crate) fn directory() -> Directory {
    let mut directory = Directory::default();
    directory.add_tenant(TENANT, TenantKey::parse(KEY.as_bytes()).unwrap(), "acme.example");
    let other = TenantKey::parse(b"other789").unwrap();
    directory.add_tenant(TenantId(2), other, "other.example");
    for (login, tenant, extension) in
        [("alice", TENANT, ALICE), ("bob", TENANT, BOB), ("eve", TenantId(2), ExtensionId(200_000))]
    {
        let ha1s = Ha1s::of(login, REALM, &format!("{login}-secret"));
        directory.logins.insert(
            Login::parse(login).unwrap(),
            Credential {
                tenant,
                extension,
                ha1_md5: ha1s.md5,
                ha1_sha256: ha1s.sha256,
                status: Status::Active,
            },
        );
    }
    directory
}

pub(crate) fn udp(remote: &str) -> Flow {
    flow(FlowId(1), Transport::Udp, remote)
}

pub(crate) fn tcp(id: u64, remote: &str) -> Flow {
    flow(FlowId(id), Transport::Tcp, remote)
}

fn flow(id: FlowId, transport: Transport, remote: &str) -> Flow {
    let local: SocketAddr = "192.0.2.1:5060".parse().unwrap();
    Flow { id, transport, local, remote: remote.parse().unwrap() }
}

/// A session of G.711 A-law at this port.
pub(crate) fn session(port: u16) -> Session {
    Session {
        address: None,
        port,
        rtcp_port: None,
        rtcp_mux: false,
        formats: [Format { payload_type: 8, codec: Codec::Pcma }].into_iter().collect(),
        digits: None,
        direction: Direction::SendRecv,
        ptime_ms: None,
    }
}

pub(crate) fn boxed(port: u16) -> Box<Session> {
    Box::new(session(port))
}

/// The same, on hold: it only listens.
pub(crate) fn held(port: u16) -> Box<Session> {
    Box::new(Session { direction: Direction::RecvOnly, ..session(port) })
}

/// A phone's session description.
pub(crate) fn sdp(ip: &str, port: u16, version: u32, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na={direction}\r\n"
    )
}

/// Puts CRLF where a test has lines, and Content-Length.
pub(crate) fn message(head: &str, body: &str) -> Message {
    let mut text = head.trim().lines().map(str::trim).fold(String::new(), |mut t, l| {
        t.push_str(l);
        t.push_str("\r\n");
        t
    });
    if !body.is_empty() && !text.contains("Content-Type") {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    Message::parse(text.into_bytes()).unwrap()
}

/// One endpoint with the tenant's exchange played by the test.
pub(crate) struct Bench {
    pub(crate) endpoint: Endpoint,
    pub(crate) now: Now,
    /// What was sent, oldest first, per remote address.
    pub(crate) sent: VecDeque<(Flow, Message)>,
    pub(crate) raw: Vec<stack::Bytes>,
    /// What the exchange was told, oldest first.
    pub(crate) events: VecDeque<(LegId, LegEvent)>,
    /// Everything else.
    pub(crate) others: Vec<Effect>,
    /// How often a way was kept open.
    pub(crate) kept_open: u32,
    /// The ladder so far.
    pub(crate) ladder: String,
    pending: BTreeMap<String, TenantId>,
    names: Vec<(SocketAddr, &'static str)>,
    directory: Arc<Directory>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(config(), 1)
    }

    pub(crate) fn with(config: Config, seed: u64) -> Bench {
        let directory = Arc::new(directory());
        let mut bench = Bench {
            endpoint: Endpoint::new(config, Chance::from_number(seed)),
            now: Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000) },
            sent: VecDeque::new(),
            raw: Vec::new(),
            events: VecDeque::new(),
            others: Vec::new(),
            kept_open: 0,
            ladder: String::new(),
            pending: BTreeMap::new(),
            names: Vec::new(),
            directory: directory.clone(),
        };
        bench.input(Input::Directory(directory));
        bench
    }

    /// Names a remote address in the ladder.
    pub(crate) fn name(&mut self, flow: &Flow, name: &'static str) {
        self.names.push((flow.remote, name));
    }

    fn name_of(&self, flow: &Flow) -> String {
        let known = self.names.iter().find(|(remote, _)| *remote == flow.remote);
        known.map_or(flow.remote.to_string(), |(_, name)| (*name).to_owned())
    }

    pub(crate) fn input(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.endpoint.handle(self.now, input, &mut effects);
        for effect in effects {
            self.effect(effect);
        }
        self.endpoint.check().unwrap();
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            // What keeps a way open is no message.
            Effect::Send { bytes, .. } if *bytes == *b"\r\n\r\n" => self.kept_open += 1,
            Effect::Send { flow, bytes } | Effect::Answer { flow, bytes } => {
                let message = Message::parse(bytes.to_vec()).unwrap();
                // A refusal repeats what was wrong with the request.
                let refusal = message.status().is_some_and(|s| s >= 400);
                assert!(refusal || sip::validate(&message).is_ok(), "we sent: {message:?}");
                let line = format!("{} < {}\n", self.name_of(&flow), summary(&message));
                self.ladder.push_str(&line);
                self.raw.push(bytes);
                self.sent.push_back((flow, message));
            }
            Effect::Leg { tenant, leg, event } => {
                assert_eq!(tenant, TENANT);
                let line = format!("exchange < {leg} {}\n", told(&event));
                self.ladder.push_str(&line);
                self.events.push_back((leg, event));
            }
            Effect::InviteTaken { tenant, call_id } => {
                self.pending.insert(call_id.to_string(), tenant);
            }
            Effect::InviteGone { call_id } => {
                assert!(self.pending.remove(&*call_id).is_some(), "{call_id} was never taken");
            }
            Effect::Proven(_) | Effect::Refuted(_) => {}
            other => self.others.push(other),
        }
    }

    /// Whose message it is, as `switch` decides it.
    fn owner(&self, message: &Message) -> Option<TenantId> {
        let of_key = |key: Option<TenantKey>| self.directory.keys.get(&key?).copied();
        if !message.is_request() {
            let via = message.top_via().ok()?;
            return of_key(stack::tenant_key_of_branch(via.branch?));
        }
        if let Some(tag) = message.to().ok().and_then(|to| to.tag) {
            return of_key(stack::tenant_key_of_tag(tag));
        }
        if let Some(tenant) = message.call_id().ok().and_then(|id| self.pending.get(id)) {
            return Some(*tenant);
        }
        let login = message.credentials(Header::Authorization).next()?.username;
        self.directory.logins.get(login).map(|c| c.tenant)
    }

    /// A message arrives.
    pub(crate) fn receive(&mut self, flow: Flow, message: Message) {
        let line = format!("{} > {}\n", self.name_of(&flow), summary(&message));
        self.ladder.push_str(&line);
        let tenant = self.owner(&message);
        self.input(Input::Message { tenant, flow, message });
    }

    pub(crate) fn command(&mut self, leg: LegId, command: LegCommand) {
        let line = format!("exchange > {leg} {}\n", wanted(&command));
        self.ladder.push_str(&line);
        self.input(Input::Leg { tenant: TENANT, leg, command });
    }

    pub(crate) fn end(&mut self, leg: LegId, reason: model::EndReason) {
        self.command(leg, LegCommand::End { reason, retry_after_s: None });
    }

    pub(crate) fn dial(&mut self, leg: LegId, extension: ExtensionId, device: DeviceId) {
        let number = Number::parse("100").unwrap();
        let identity = Identity::of(number, DisplayName::parse("Alice").unwrap());
        self.command(
            leg,
            LegCommand::Dial(Box::new(Dial {
                target: Target::Device { extension, device },
                identity,
                offer: boxed(20_000),
                max_forwards: 69,
                diversion: None,
                auto_answer: false,
            })),
        );
    }

    /// Lets time pass, with every deadline kept.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= end.mono) {
            let step = at.since(self.now.mono);
            self.now = self.now + step;
            self.ladder_time(step);
            self.input(Input::Tick);
        }
        self.now = end;
    }

    fn ladder_time(&mut self, step: Duration) {
        if !step.is_zero() {
            let line = format!("  +{} ms\n", step.as_millis());
            self.ladder.push_str(&line);
        }
    }

    /// The oldest message that was sent and not looked at.
    pub(crate) fn next_sent(&mut self) -> Message {
        self.sent.pop_front().expect("nothing was sent").1
    }

    /// The next message of this method or status, passing over others.
    pub(crate) fn next_of(&mut self, what: &str) -> Message {
        loop {
            let message = self.next_sent();
            if summary(&message).split(' ').next() == Some(what) {
                return message;
            }
        }
    }

    pub(crate) fn next_event(&mut self) -> (LegId, LegEvent) {
        self.events.pop_front().expect("the exchange was told nothing")
    }

    /// Forgets what was sent and told so far.
    pub(crate) fn look_away(&mut self) {
        self.sent.clear();
        self.raw.clear();
        self.events.clear();
        self.others.clear();
        self.ladder.clear();
    }

    /// The ladder so far, which begins anew.
    pub(crate) fn take_ladder(&mut self) -> String {
        core::mem::take(&mut self.ladder)
    }

    /// When everything has run out, nothing but registrations is left.
    pub(crate) fn leaves_nothing(&mut self) {
        self.run_for(Duration::from_secs(70));
        let counts = self.endpoint.counts();
        assert_eq!((counts.transactions, counts.dialogs), (0, 0), "{}", self.ladder);
        assert_eq!(counts.timers, counts.bindings, "{}", self.ladder);
        assert_eq!(counts.panics, 0);
        assert!(self.pending.is_empty(), "pending INVITEs: {:?}", self.pending);
    }
}
