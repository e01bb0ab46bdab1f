//! A tenant with a handful of phones, driven by hand; what comes out is text.

mod configured;
mod text;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use exchange::{Effect, Exchange, Facilities, Input, PortSlice};
use leg::{
    AuditProgram, CallAction, Capabilities, Command, Dialled, Direction, Format, Identity,
    Incoming, LegEvent, LegId, MediaCommand, MediaEvent, MediaEventKind, Origin, Record, Refusal,
    Reply, Session,
};
use model::{
    AuthType, CallApiId, Chance, Codec, DeviceId, DisplayName, EndReason, Extension, ExtensionId,
    ExtensionKind, ExtensionName, ExtensionShown, Login, Mono, NodeAddress, Now, Number, Phone,
    PhoneShown, Prefix, Secret, Service, Snapshot, Status, Tenant, TenantId, TenantKey, TrunkId,
    Wall,
};

pub(crate) use configured::trunk;
pub(crate) use text::lamp_state_text;
use text::line;

pub(crate) const CALLS_MAX: u32 = 3;

/// The first leg that comes in.
pub(crate) const A: LegId = LegId(0);

/// The first leg that is dialled.
pub(crate) const B: LegId = LegId(3);

/// The `n`th leg that is dialled.
pub(crate) fn out(n: u64) -> LegId {
    LegId::outgoing(n)
}

/// 100 talks with 101.
pub(crate) fn talking() -> Pbx {
    let mut pbx = Pbx::new();
    pbx.dials("100", "101");
    pbx.rings(B);
    pbx.answers(B);
    pbx.event(A, LegEvent::Acknowledged);
    pbx.said();
    pbx
}

pub(crate) struct Pbx {
    pub(crate) exchange: Exchange,
    pub(crate) ports: PortSlice,
    pub(crate) chance: Chance,
    pub(crate) now: Now,
    pub(crate) log: String,
    /// What was written down.
    pub(crate) records: Vec<Record>,
    /// What was asked of media last.
    pub(crate) audio: Option<leg::Audio>,
    incoming: u64,
}

pub(crate) fn extension(name: &str, kind: ExtensionKind) -> Extension {
    let phone = (kind == ExtensionKind::Phone).then(|| Phone {
        login: Login::parse(&format!("0003{name}")).unwrap(),
        password: Secret::new("x"),
        auth_type: AuthType::Digest,
        incoming_limit: (name == "103").then_some(1),
        ring_timeout_s: Some(20),
        shown: PhoneShown::default(),
    });
    Extension {
        id: id(name),
        name: ExtensionName::parse(name).unwrap(),
        kind,
        status: if name == "109" { Status::Blocked } else { Status::Active },
        label: DisplayName::parse(&format!("Phone {name}")).unwrap(),
        caller_id_name: None,
        group: None,
        shown: ExtensionShown::default(),
        phone,
    }
}

/// The id of the extension with this name.
pub(crate) fn id(name: &str) -> ExtensionId {
    ExtensionId(100_000 + name.parse::<u64>().unwrap())
}

pub(crate) fn snapshot() -> Snapshot {
    let tenant = Tenant {
        id: TenantId(1),
        key: TenantKey(*b"abcdefgh"),
        name: "Acme".into(),
        domain: "pbx.example".into(),
        domain_prefix: Prefix::parse("00500").unwrap(),
        prefix: Prefix::parse("0003").unwrap(),
        extension_len: 3,
        status: Status::Active,
        calls_max: CALLS_MAX,
        timezone: "UTC".into(),
        create_date: String::new(),
    };
    let phones = ["100", "101", "102", "103", "109"].map(|n| extension(n, ExtensionKind::Phone));
    let echo = extension("199", ExtensionKind::Service(Service::Echo));
    Snapshot::new(1, Arc::new(tenant), phones.into_iter().chain([echo]).map(Arc::new))
}

pub(crate) fn session(port: u16, codecs: &[Codec]) -> Session {
    Session {
        address: Some("192.0.2.1".parse().unwrap()),
        port,
        rtcp_port: None,
        rtcp_mux: false,
        formats: codecs
            .iter()
            .map(|c| Format { payload_type: c.payload_type(), codec: *c })
            .collect(),
        digits: Some(101),
        direction: Direction::SendRecv,
        ptime_ms: None,
    }
}

pub(crate) fn both() -> Session {
    session(4_000, &[Codec::Pcmu, Codec::Pcma])
}

impl Pbx {
    /// Phones 100 to 103 with one device each, and room for `pairs` RTP ports.
    pub(crate) fn with_ports(pairs: u16) -> Pbx {
        let exchange = Exchange::new(NodeAddress(1), Arc::new(snapshot()));
        let mut pbx = Pbx {
            exchange,
            ports: PortSlice::new(20_000..=20_000 + pairs * 2 - 1),
            chance: Chance::from_number(1),
            now: Now { mono: Mono(0) + Duration::from_secs(1_000), wall: Wall(0) },
            log: String::new(),
            records: Vec::new(),
            audio: None,
            incoming: 0,
        };
        for name in ["100", "101", "102", "103", "109"] {
            pbx.device(name, 1);
        }
        pbx
    }

    pub(crate) fn new() -> Pbx {
        Pbx::with_ports(20)
    }

    pub(crate) fn device(&mut self, name: &str, device: u64) {
        let address = "192.0.2.1".parse().unwrap();
        let device = DeviceId(id(name).0 * 10 + device);
        self.input(Input::DeviceUp { extension: id(name), device, address });
    }

    pub(crate) fn input(&mut self, input: Input) {
        let mut effects = Vec::new();
        let mut facilities = Facilities { ports: &mut self.ports, chance: &mut self.chance };
        self.exchange.handle(self.now, input, &mut facilities, &mut effects);
        for effect in effects {
            if let Effect::Record(record) = &effect {
                if let leg::Record::Cdr(cdr) = record
                    && self.exchange.panics() == 0
                {
                    // No step forgets somebody who takes part.
                    assert_ne!(cdr.reason, model::EndReason::Internal, "{cdr:?}\n{}", self.log);
                }
                self.records.push(record.clone());
            }
            if let Effect::Media(MediaCommand::Audio(audio)) = &effect {
                self.audio = Some(audio.clone());
            }
            let line = line(&effect);
            if !line.is_empty() {
                writeln!(self.log, "{line}").unwrap();
            }
        }
        self.exchange.check(&self.ports).unwrap();
    }

    pub(crate) fn dials_with(&mut self, from: &str, to: &str, offer: Option<Session>) -> LegId {
        self.dials_as(from, to, offer, Identity { private: false, ..Identity::anonymous() })
    }

    pub(crate) fn dials_privately(&mut self, from: &str, to: &str) -> LegId {
        self.dials_as(from, to, Some(both()), Identity::anonymous())
    }

    fn dials_as(
        &mut self,
        from: &str,
        to: &str,
        offer: Option<Session>,
        identity: Identity,
    ) -> LegId {
        let leg = LegId::incoming(self.incoming);
        self.incoming += 1;
        let incoming = Incoming {
            origin: Origin::Extension(id(from)),
            device: Some(DeviceId(id(from).0 * 10 + 1)),
            peer: "192.0.2.1".parse().unwrap(),
            dialled: Dialled { number: Number::parse(to).unwrap(), domain: "pbx.example".into() },
            identity,
            offer: offer.map(Box::new),
            capabilities: Capabilities::default(),
            max_forwards: 70,
            replaces: None,
        };
        self.event(leg, LegEvent::Incoming(Box::new(incoming)));
        leg
    }

    /// A trunk calls a number of the tenant's.
    pub(crate) fn called(&mut self, trunk: u64, did: &str, identity: Identity) -> LegId {
        let leg = LegId::incoming(self.incoming);
        self.incoming += 1;
        let incoming = Incoming {
            origin: Origin::Trunk { trunk: TrunkId(trunk), did: did.into() },
            device: None,
            peer: "203.0.113.1".parse().unwrap(),
            dialled: Dialled { number: Number::parse(did).unwrap(), domain: "us".into() },
            identity,
            offer: Some(Box::new(both())),
            capabilities: Capabilities::default(),
            max_forwards: 70,
            replaces: None,
        };
        self.event(leg, LegEvent::Incoming(Box::new(incoming)));
        leg
    }

    pub(crate) fn dials(&mut self, from: &str, to: &str) -> LegId {
        self.dials_with(from, to, Some(both()))
    }

    pub(crate) fn event(&mut self, leg: LegId, event: LegEvent) {
        self.input(Input::Leg { leg, event });
    }

    pub(crate) fn rings(&mut self, leg: LegId) {
        self.event(leg, LegEvent::Progress { status: 180, early: None });
    }

    pub(crate) fn answers(&mut self, leg: LegId) {
        let answer = Some(Box::new(session(5_000, &[Codec::Pcma])));
        self.event(leg, LegEvent::Answered { answer, capabilities: Capabilities::default() });
    }

    pub(crate) fn ends(&mut self, leg: LegId, reason: EndReason, status: Option<u16>) {
        self.event(leg, LegEvent::Ended { reason, status, elsewhere: false });
    }

    /// The phone sends the call on to another number.
    pub(crate) fn redirects(&mut self, leg: LegId, number: &str) {
        let number = Number::parse(number).unwrap();
        self.event(leg, LegEvent::Redirected(number));
        self.ends(leg, EndReason::Refused, Some(302));
    }

    pub(crate) fn offers(&mut self, leg: LegId, direction: Direction) {
        let offer = Session { direction, ..both() };
        self.event(leg, LegEvent::Offer(Box::new(offer)));
    }

    pub(crate) fn media(&mut self, leg: LegId, kind: MediaEventKind) {
        let call = self.exchange.calls().find(|c| c.legs.get(leg).is_some()).unwrap().id;
        self.input(Input::Media(MediaEvent { call, leg, kind }));
    }

    /// Lets time pass, tick by tick.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.exchange.deadline().filter(|at| *at <= until.mono) {
            self.now = self.now + at.since(self.now.mono);
            self.input(Input::Tick);
        }
        self.now = until;
    }

    pub(crate) fn command(&mut self, command: Command) -> Reply {
        let mut effects = Vec::new();
        let mut facilities = Facilities { ports: &mut self.ports, chance: &mut self.chance };
        let input = Input::Command { ticket: 7, command };
        self.exchange.handle(self.now, input, &mut facilities, &mut effects);
        let mut reply = None;
        for effect in effects {
            match effect {
                Effect::Reply { ticket: 7, reply: r } => reply = Some(r),
                other => {
                    if let Effect::Record(record) = &other {
                        self.records.push(record.clone());
                    }
                    let line = line(&other);
                    if !line.is_empty() {
                        writeln!(self.log, "{line}").unwrap();
                    }
                }
            }
        }
        self.exchange.check(&self.ports).unwrap();
        reply.expect("every command is answered")
    }

    /// An action on an extension's part of a call: the slot that it concerned.
    pub(crate) fn control(
        &mut self,
        extension: &str,
        call: CallApiId,
        action: CallAction,
    ) -> Result<Option<u8>, Refusal> {
        let program = Arc::new(AuditProgram {
            user: model::UserId(1),
            login: "robot".into(),
            application: "crm".into(),
        });
        let extension = id(extension);
        match self.command(Command::Control { extension, call, action, program }) {
            Reply::Controlled { slot, .. } => Ok(slot),
            Reply::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    /// Who is listed, with handle, number and whether it talks.
    pub(crate) fn listed(&mut self) -> Vec<(String, CallApiId, bool)> {
        let Reply::Calls(calls) = self.command(Command::ListCalls { extension: None }) else {
            panic!("no list")
        };
        let of = |v: &Arc<leg::CallView>| {
            let name = v.extension.as_ref().unwrap().name.clone();
            (name, v.call_api_id.unwrap(), v.real_call)
        };
        calls.iter().map(of).collect()
    }

    pub(crate) fn call_api_id(&self) -> CallApiId {
        self.exchange.calls().next().unwrap().conversations.values().next().unwrap().api_id
    }

    /// The rows of the audit since the last look, as people read them.
    pub(crate) fn audited(&mut self) -> String {
        let mut rows = String::new();
        for record in std::mem::take(&mut self.records) {
            let Record::Audit(row) = record else { continue };
            let name = |e: &Option<leg::AuditExtension>| {
                e.as_ref().map_or_else(|| "nobody".to_owned(), |e| e.name.to_string())
            };
            let (actor, target) = (name(&row.actor), name(&row.target));
            let (source, action) = (row.source.as_str(), row.action.as_str());
            let verdict = if row.allowed { "may" } else { "may not" };
            let login = row.program.as_ref().map_or(String::new(), |p| format!(" ({})", p.login));
            let detail = row.detail.as_ref().map_or(String::new(), |d| format!(", {d}"));
            writeln!(
                rows,
                "{actor} {verdict} {action} {target} by {source}{login}: {}{detail}",
                row.clause
            )
            .unwrap();
        }
        rows
    }

    /// The rights that people have from now on.
    pub(crate) fn allow(&mut self, document: model::ControlGroups) {
        let mut snapshot = (**self.exchange.snapshot()).clone();
        let names = snapshot.names.clone();
        let merge = model::PickupMerge::Chain;
        let rights = model::Rights::compile(document, merge, |name| names.get(name).copied());
        snapshot.control = Arc::new(rights);
        self.input(Input::Snapshot(Arc::new(snapshot)));
    }

    /// What came out since the last look.
    pub(crate) fn said(&mut self) -> String {
        std::mem::take(&mut self.log)
    }

    /// Nothing is left of any call.
    pub(crate) fn is_empty(&self) -> bool {
        self.exchange.calls().next().is_none()
            && self.exchange.deadline().is_none()
            && self.ports.taken().is_empty()
    }
}
