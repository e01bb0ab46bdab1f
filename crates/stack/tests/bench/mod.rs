//! One endpoint, scripted phones, and the ladder of what passed between them.

#![allow(dead_code, reason = "each test file uses its part")]

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
use sip::digest::{Challenge, Ha1s, Login as DigestLogin};
use sip::{Header, Message, Method};
use stack::{Config, Digests, Effect, Endpoint, Expires, Flow, FlowId, Input, Transport};

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

/// A message in one line of a ladder.
pub(crate) fn summary(message: &Message) -> String {
    let mut line = match message.method() {
        Some(Method::Other) => message.method_name().into_owned(),
        Some(method) => method.to_string(),
        None => {
            let method = message.cseq().map(|c| c.name.to_owned()).unwrap_or_default();
            format!("{} {method}", message.status().unwrap())
        }
    };
    if message.method().is_some() && message.to().is_ok_and(|t| t.tag.is_some()) {
        line.push_str(" in dialog");
    }
    if let Some(description) = sip::body::session_description(message) {
        let text = String::from_utf8_lossy(description);
        let media = text.lines().find(|l| l.starts_with("m=audio")).unwrap_or("m=audio none none");
        let port = media.split(' ').nth(1).unwrap_or("");
        let version = text.split(' ').nth(2).unwrap_or("");
        let direction = ["sendonly", "recvonly", "inactive"];
        let direction = direction.into_iter().find(|d| text.contains(d)).unwrap_or("sendrecv");
        write!(line, " sdp(v{version} port {port} {direction})").unwrap();
    } else if !message.body().is_empty() {
        line.push_str(" with body");
    }
    for (header, name) in [
        (Header::RetryAfter, "Retry-After"),
        (Header::Reason, "Reason"),
        (Header::Unsupported, "Unsupported"),
        (Header::MinExpires, "Min-Expires"),
        (Header::RAck, "RAck"),
        (Header::RSeq, "RSeq"),
    ] {
        if let Some(value) = message.text(header) {
            write!(line, " {name}: {value}").unwrap();
        }
    }
    line
}

fn told(event: &LegEvent) -> String {
    let port = |s: &Option<Box<Session>>| match s {
        Some(s) => format!("port {} {:?}", s.port, s.direction),
        None => "no session".into(),
    };
    match event {
        LegEvent::Incoming(i) => format!("Incoming {} {}", i.dialled.number, port(&i.offer)),
        LegEvent::Progress { status, early } => format!("Progress {status} {}", port(early)),
        LegEvent::Answered { answer, .. } => format!("Answered {}", port(answer)),
        LegEvent::Offer(s) => format!("Offer port {} {:?}", s.port, s.direction),
        LegEvent::Answer(s) => format!("Answer port {} {:?}", s.port, s.direction),
        other => format!("{other:?}"),
    }
}

fn wanted(command: &LegCommand) -> String {
    match command {
        LegCommand::Dial(_) => "Dial".into(),
        LegCommand::Ring { early: None } => "Ring".into(),
        LegCommand::Ring { early: Some(_) } => "Ring with early media".into(),
        LegCommand::Answer(s) => format!("Answer port {}", s.port),
        LegCommand::Offer(s) => format!("Offer port {} {:?}", s.port, s.direction),
        LegCommand::AnswerOffer(s) => format!("AnswerOffer port {} {:?}", s.port, s.direction),
        LegCommand::End { reason, .. } => format!("End {reason:?}"),
        other => format!("{other:?}"),
    }
}

/// A phone: writes requests and responses as text.
#[derive(Clone)]
pub(crate) struct Phone {
    pub(crate) login: &'static str,
    pub(crate) flow: Flow,
    pub(crate) cseq: u32,
    pub(crate) call_id: String,
    pub(crate) tag: String,
    /// To of the dialog with its tag, once there is one.
    pub(crate) to: String,
    /// Our Contact of the other side.
    pub(crate) target: String,
    /// More headers of its INVITEs outside a dialog, and of its responses to INVITE.
    pub(crate) extra: &'static str,
    branches: u32,
    /// The challenge of the last 401 and how often it was used.
    challenge: Option<(String, u32)>,
}

impl Phone {
    pub(crate) fn new(login: &'static str, flow: Flow) -> Phone {
        Phone {
            login,
            flow,
            cseq: 0,
            call_id: format!("{login}-call"),
            tag: format!("{login}-tag"),
            to: String::new(),
            target: String::new(),
            extra: "",
            branches: 0,
            challenge: None,
        }
    }

    pub(crate) fn ip(&self) -> String {
        self.flow.remote.ip().to_string()
    }

    pub(crate) fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.login, self.flow.remote)
    }

    pub(crate) fn sdp(&self, version: u32, direction: &str) -> String {
        sdp(&self.ip(), 4_000, version, direction)
    }

    pub(crate) fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK-{}-{}-{}", self.login, self.call_id, self.branches)
    }

    /// A request with a new branch and the next CSeq.
    pub(crate) fn request(
        &mut self,
        method: &str,
        uri: &str,
        to: &str,
        more: &str,
        body: &str,
    ) -> Message {
        self.cseq += 1;
        let cseq = self.cseq;
        self.request_of(method, uri, to, cseq, more, body)
    }

    pub(crate) fn request_of(
        &mut self,
        method: &str,
        uri: &str,
        to: &str,
        cseq: u32,
        more: &str,
        body: &str,
    ) -> Message {
        let branch = self.branch();
        let transport = self.flow.transport.as_str();
        let (login, tag, call_id) = (self.login, &self.tag, &self.call_id);
        let contact = self.contact();
        let contact = if more.contains("Contact:") || matches!(method, "BYE" | "ACK" | "REGISTER") {
            String::new()
        } else {
            format!("Contact: {contact}\n")
        };
        let more = more.trim();
        let head = format!(
            "{method} {uri} SIP/2.0
             Via: SIP/2.0/{transport} {ip};rport;branch={branch}
             Max-Forwards: 70
             From: <sip:{login}@acme.example>;tag={tag}
             To: {to}
             Call-ID: {call_id}
             CSeq: {cseq} {method}
             {contact}{more}",
            ip = self.flow.remote,
        );
        message(&head, body)
    }

    /// The Authorization that answers the challenge at hand.
    pub(crate) fn authorization(&mut self, method: &str, uri: &str) -> String {
        let (challenge, count) = self.challenge.as_mut().expect("no challenge yet");
        *count += 1;
        let password = format!("{}-secret", self.login);
        let ha1s = Ha1s::of(self.login, REALM, &password);
        let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
        let login = DigestLogin {
            username: self.login,
            ha1s: &ha1s,
            method,
            uri,
            cnonce: "c",
            count: *count,
        };
        format!("Authorization: {}", challenge.answer(&login).unwrap())
    }

    /// Takes the challenge of a 401.
    pub(crate) fn challenged(&mut self, response: &Message) {
        assert_eq!(response.status(), Some(401));
        let value = response.text(Header::WwwAuthenticate).unwrap();
        self.challenge = Some((value.into_owned(), 0));
    }

    /// Sends a request, answers the challenge, and returns what was sent at last.
    pub(crate) fn prove(
        &mut self,
        bench: &mut Bench,
        method: &str,
        uri: &str,
        to: &str,
        more: &str,
        body: &str,
    ) -> Message {
        let first = self.request(method, uri, to, more, body);
        bench.receive(self.flow, first);
        let challenge = bench.next_of("401");
        self.challenged(&challenge);
        if method == "INVITE" {
            // 17.1.1.3: same branch; the endpoint absorbs it without state.
            let tagged = challenge.text(Header::To).unwrap().into_owned();
            let cseq = self.cseq;
            let ack = self.request_of("ACK", uri, &tagged, cseq, "", "");
            bench.receive(self.flow, ack);
        }
        let authorization = self.authorization(method, uri);
        let request =
            self.request(method, uri, to, format!("{more}\n{authorization}").trim(), body);
        bench.receive(self.flow, request.clone());
        request
    }

    /// Registers its contact for 600 seconds; its number.
    pub(crate) fn registers(&mut self, bench: &mut Bench) -> DeviceId {
        let aor = format!("<sip:{}@acme.example>", self.login);
        let more = format!("Contact: {};expires=600\nUser-Agent: Test 1.0", self.contact());
        let kept = (self.call_id.clone(), self.cseq);
        self.call_id = format!("{}-register", self.login);
        self.prove(bench, "REGISTER", "sip:acme.example", &aor, &more, "");
        let ok = bench.next_of("200");
        assert_eq!(ok.status(), Some(200));
        (self.call_id, self.cseq) = kept;
        let up = bench.others.iter().find_map(|e| match e {
            Effect::DeviceUp { device, .. } => Some(*device),
            _ => None,
        });
        bench.look_away();
        up.expect("no device came up")
    }

    /// Invites a number with digest; the leg.
    pub(crate) fn invites(&mut self, bench: &mut Bench, number: &str, body: &str) -> LegId {
        let uri = format!("sip:{number}@acme.example");
        let more = match self.extra {
            "" => "Allow: INVITE, INFO".to_owned(),
            extra if extra.contains("Allow:") => extra.to_owned(),
            extra => format!("Allow: INVITE, INFO\n{extra}"),
        };
        self.prove(bench, "INVITE", &uri, &format!("<{uri}>"), &more, body);
        match bench.events.back() {
            Some((leg, LegEvent::Incoming(_))) => *leg,
            other => panic!("no leg came in but {other:?}: {}", bench.ladder),
        }
    }

    /// Learns the dialog from a response with a To tag.
    pub(crate) fn learns(&mut self, response: &Message) {
        self.to = response.text(Header::To).unwrap().into_owned();
        if let Ok(Some(contact)) = response.contact() {
            self.target = contact.uri.as_str().to_owned();
        }
    }

    /// Acknowledges a 2xx.
    pub(crate) fn acks(&mut self, bench: &mut Bench, ok: &Message, body: &str) {
        self.learns(ok);
        let (target, to) = (self.target.clone(), self.to.clone());
        let cseq = ok.cseq().unwrap().number;
        let ack = self.request_of("ACK", &target, &to, cseq, "", body);
        bench.receive(self.flow, ack);
    }

    /// Sends a request inside the dialog.
    pub(crate) fn sends(
        &mut self,
        bench: &mut Bench,
        method: &str,
        more: &str,
        body: &str,
    ) -> Message {
        let (target, to) = (self.target.clone(), self.to.clone());
        let request = self.request(method, &target, &to, more, body);
        bench.receive(self.flow, request.clone());
        request
    }

    /// Answers a request.
    pub(crate) fn answers(&self, bench: &mut Bench, request: &Message, status: u16, body: &str) {
        let response = self.response(request, status, body);
        bench.receive(self.flow, response);
    }

    pub(crate) fn response(&self, request: &Message, status: u16, body: &str) -> Message {
        let reply = sip::Reply { to_tag: Some(&self.tag), ..sip::Reply::new(status) };
        let mut writer = sip::Writer::response(request, reply);
        writer.header(Header::Contact, self.contact());
        let is_invite = request.method() == Some(Method::Invite);
        for line in self.extra.lines().filter(|_| is_invite && status > 100 && status != 487) {
            let (name, value) = line.split_once(": ").unwrap();
            writer.header(Header::of_name(name.as_bytes()), value);
        }
        let bytes = if body.is_empty() {
            writer.finish()
        } else {
            writer.finish_with("application/sdp", body.as_bytes())
        };
        Message::parse(bytes).unwrap()
    }

    /// Takes part in a dialog that an INVITE to it began.
    pub(crate) fn joins(&mut self, invite: &Message) {
        self.call_id = invite.call_id().unwrap().to_owned();
        self.to = invite.text(Header::From).unwrap().into_owned();
        self.target = invite.contact().unwrap().unwrap().uri.as_str().to_owned();
    }
}

/// Alice, whose INVITE was answered and acknowledged.
pub(crate) fn talking(bench: &mut Bench) -> (Phone, LegId) {
    let mut alice = Phone::new("alice", udp("198.51.100.7:5060"));
    bench.name(&alice.flow, "alice");
    let body = alice.sdp(1, "sendrecv");
    let leg = alice.invites(bench, "101", &body);
    bench.command(leg, LegCommand::Answer(boxed(10_000)));
    let ok = bench.next_of("200");
    alice.acks(bench, &ok, "");
    bench.look_away();
    (alice, leg)
}

/// Bob, whom we dialled and who has answered.
pub(crate) fn dialled(bench: &mut Bench) -> (Phone, LegId) {
    let mut bob = Phone::new("bob", udp("198.51.100.8:5060"));
    bench.name(&bob.flow, "bob");
    let device = bob.registers(bench);
    let leg = LegId::outgoing(1);
    bench.dial(leg, BOB, device);
    let invite = bench.next_of("INVITE");
    bob.joins(&invite);
    let body = bob.sdp(1, "sendrecv");
    bob.answers(bench, &invite, 200, &body);
    bench.look_away();
    (bob, leg)
}
