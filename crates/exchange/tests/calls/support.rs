//! A tenant with a handful of phones, driven by hand; what comes out is text.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use exchange::{Effect, Exchange, Facilities, Input, PortSlice};
use leg::{
    AuditProgram, CallAction, Capabilities, Command, Dialled, DialogState, Direction, Format,
    Identity, Incoming, LampCommand, LampState, LegCommand, LegEvent, LegId, MediaCommand,
    MediaEvent, MediaEventKind, Origin, Piece, Player, Record, RecorderId, Refusal, Reply, Session,
    Source,
};
use model::{
    AuthType, CallApiId, CascadeNumber, Chance, Codec, DeviceId, DisplayName, EndReason, Extension,
    ExtensionId, ExtensionKind, ExtensionName, ExtensionShown, FileId, IncomingRule, Login, Mono,
    NodeAddress, Now, Number, Pattern, Phone, PhoneShown, Prefix, Routing, RuleId, RuleKind, Rules,
    Secret, Service, Snapshot, Sound, SoundId, Spoken, Status, Tenant, TenantId, TenantKey, Trunk,
    TrunkId, TrunkUse, Wall, Wanted, WantedStatus,
};

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

fn line(effect: &Effect) -> String {
    match effect {
        Effect::Leg { leg, command } => format!("{leg} {}", command_text(command)),
        Effect::Lamp(command) => format!("lamp {}", lamp_text(command)),
        Effect::Media(MediaCommand::Audio(audio)) => {
            let hears: Vec<String> = audio
                .hears
                .iter()
                .map(|h| {
                    let sources: Vec<_> = h.sources.iter().map(|(s, _)| source_text(s)).collect();
                    format!("{} hears {}", h.listener, sources.join("+"))
                })
                .collect();
            let hears = if hears.is_empty() { "silence".to_owned() } else { hears.join(", ") };
            let clips = audio.clips.iter().map(|clip| {
                let pieces: Vec<String> = clip.pieces.iter().map(piece_text).collect();
                format!("; clip {}: {}", clip.id.0, pieces.join(" "))
            });
            let recorders = audio.recorders.iter().map(|r| {
                let of = |sources: &leg::Sources| {
                    sources.iter().map(|(s, _)| source_text(s)).collect::<Vec<_>>().join("+")
                };
                let heard: Vec<String> = r.channels.iter().map(of).collect();
                format!("; recorder {} hears {}", r.id.0, heard.join(" | "))
            });
            let more: String = clips.chain(recorders).collect();
            format!("audio of {} legs: {hears}{more}", audio.legs.len())
        }
        Effect::Media(MediaCommand::SendDigit { leg, digit, duration_ms, .. }) => {
            format!("digit {digit:?} to {leg} for {duration_ms} ms")
        }
        Effect::Media(MediaCommand::FindRecording { recorder, .. }) => {
            format!("find recording {}", recorder.0)
        }
        Effect::Record(Record::Event(e)) => {
            format!(
                "event {} {} {} {}",
                e.sequence,
                e.extension,
                e.kind.as_str(),
                e.status.as_str()
            )
        }
        Effect::Record(Record::Cdr(c)) => {
            let talk = c.talk_us / 1_000_000;
            format!("cdr {} {:?} {} {talk} s", c.extension, c.flow, c.reason.label())
        }
        Effect::Record(Record::CallGone { .. }) => String::new(),
        Effect::Record(Record::Trace(_) | Record::Audit(_)) => String::new(),
        Effect::Record(Record::Message(message)) => {
            format!("message for {} of {} ms", message.extension, message.length_ms)
        }
        Effect::Record(Record::MessageChanged(change)) => {
            format!("message file{} {:?}", change.file.0, change.fate).to_lowercase()
        }
        Effect::Record(Record::Recording(recording)) => {
            format!("recording for {} of {} ms", recording.extension, recording.length_ms)
        }
        Effect::Record(other) => format!("{other:?}"),
        Effect::Alert(alert) => format!("alert {}", alert.cause.label()),
        Effect::Reply { .. } => String::new(),
    }
}

fn lamp_text(command: &LampCommand) -> String {
    match command {
        LampCommand::Grant { id, resource, state } => {
            format!("{} granted {resource}: {}", id.0, lamp_state_text(state))
        }
        LampCommand::Refuse { id, status } => format!("{} refused {status}", id.0),
        LampCommand::Show { resource, state } => format!("{resource}: {}", lamp_state_text(state)),
        LampCommand::Gone { package, resource } => format!("{resource} gone {package:?}"),
    }
}

pub(crate) fn lamp_state_text(state: &LampState) -> String {
    let dialogs = match state {
        LampState::Dialogs(dialogs) => dialogs,
        LampState::Messages { new, old } => return format!("{new} new, {old} old"),
    };
    let text = |d: &DialogState| {
        let number = d.remote.number.as_ref().map_or("-", |n| n.as_str());
        let leg = d.leg.map_or(String::new(), |leg| format!(" by {leg}"));
        let hidden = if d.remote.private { " hidden" } else { "" };
        let name = &d.remote.name;
        format!("{:?} {:?} {number} \"{name}\"{hidden}{leg}", d.direction, d.stage).to_lowercase()
    };
    let texts: Vec<String> = dialogs.iter().map(text).collect();
    if texts.is_empty() { "idle".into() } else { texts.join(", ") }
}

fn source_text(source: &Source) -> String {
    match source {
        Source::Leg(leg) => leg.to_string(),
        Source::Player(Player::Clip(id)) => format!("clip {}", id.0),
        Source::Player(Player::HoldMusic) => "music".into(),
        Source::Player(Player::Tone(tone)) => format!("{tone:?}").to_lowercase(),
    }
}

fn piece_text(piece: &Piece) -> String {
    match piece {
        Piece::File(file) => format!("file{}", file.0),
        Piece::Spoken(_, Spoken::Digit(digit)) => digit.to_string(),
        Piece::Spoken(language, spoken) => format!("{language:?}:{spoken:?}"),
        Piece::Tone(tone, ms) => format!("{tone:?}{ms}"),
        Piece::Silence(ms) => format!("silence{ms}"),
    }
}

fn session_text(s: &Session) -> String {
    // Every offer of ours ends with the wideband codecs, which would only make the texts longer.
    let is_narrow = |f: &&Format| f.codec.sample_rate_hz() == 8_000;
    let codecs: Vec<_> = s.formats.iter().filter(is_narrow).map(|f| f.codec.encoding()).collect();
    format!("{} {:?} {}", s.port, s.direction, codecs.join(","))
}

fn command_text(command: &LegCommand) -> String {
    match command {
        LegCommand::Dial(d) => {
            let number = d.identity.number.as_ref().map_or("-", |n| n.as_str());
            let to = match &d.target {
                leg::Target::Device { .. } => String::new(),
                leg::Target::Trunk { trunk, number } => format!("{number} by trunk {trunk} "),
            };
            let offer = session_text(&d.offer);
            let hidden = if d.identity.private { " hidden" } else { "" };
            let by = d
                .diversion
                .as_ref()
                .map_or(String::new(), |d| format!(" diverted by {} {:?}", d.by, d.reason));
            format!("dial {to}as {number} \"{}\"{hidden}{by} offering {offer}", d.identity.name)
        }
        LegCommand::Ring { early: None } => "ring".into(),
        LegCommand::Ring { early: Some(s) } => format!("ring early {}", session_text(s)),
        LegCommand::Answer(s) => format!("answer {}", session_text(s)),
        LegCommand::Offer(s) => format!("offer {}", session_text(s)),
        LegCommand::AnswerOffer(s) => format!("answer offer {}", session_text(s)),
        LegCommand::RejectOffer { status } => format!("reject offer {status}"),
        LegCommand::Info(d) => format!("info {d:?}"),
        LegCommand::ReferAccepted { refer } => format!("refer {} accepted", refer.0),
        LegCommand::ReferRefused { refer, status } => format!("refer {} refused {status}", refer.0),
        LegCommand::ReferProgress { refer, status } => format!("refer {} {status}", refer.0),
        LegCommand::Identify(identity) => {
            let number = identity.number.as_ref().filter(|_| identity.name.as_str().is_empty());
            format!("identify {}", number.map_or(identity.name.as_str(), |n| n.as_str()))
        }
        LegCommand::End { reason, retry_after_s } => {
            let retry = retry_after_s.map_or(String::new(), |s| format!(" retry after {s}"));
            format!("end {}{retry}", reason.label())
        }
    }
}

/// What is set about where calls go, in words: `100: transfer 101 102; busy` and so on, a line an
/// extension. `+` after a type: not final; `@5` after a number of a cascade: its delay; `20s`: the
/// timeout; `last=` and `own=`: the results that are wanted; `unreachable`; `early`: early media
/// is passed on; `sound=1`: what is played; `screened`.
pub(crate) fn rules(text: &str) -> std::collections::BTreeMap<ExtensionId, Arc<Rules>> {
    let of_line = |line: &str| {
        let (name, rules) = line.trim().split_once(": ").unwrap();
        let rules = rules.split("; ").enumerate().map(|(at, rule)| self::rule(at, rule));
        (id(name), Arc::new(Rules(rules.collect())))
    };
    text.lines().filter(|l| !l.trim().is_empty()).map(of_line).collect()
}

fn rule(at: usize, text: &str) -> IncomingRule {
    let mut words = text.split_whitespace();
    let kind = words.next().unwrap();
    let named = |k: &RuleKind| k.as_str() == kind.trim_end_matches('+');
    let kind_found = RuleKind::ALL.into_iter().find(named).expect(kind);
    let mut rule = IncomingRule::new(RuleId(at as u64 + 1), kind_found);
    rule.is_final = !kind.ends_with('+');
    let wanted = |text: &str| if text == "busy" { Wanted::Busy } else { Wanted::NoAnswer };
    for word in words {
        if let Some(text) = word.strip_prefix("last=") {
            rule.call_status = wanted(text);
        } else if let Some(text) = word.strip_prefix("own=") {
            rule.extension_call_status = wanted(text);
        } else if word == "unreachable" {
            rule.extension_status = WantedStatus::Unreachable;
        } else if let Some(sound) = word.strip_prefix("sound=") {
            rule.playfile_sound = Some(SoundId(sound.parse().unwrap()));
        } else if word == "screened" {
            rule.enable_call_screening = true;
        } else if word == "early" {
            rule.ignore_early_media = false;
        } else if let Some(seconds) = word.strip_suffix('s') {
            rule.transfer_timeout_s = Some(seconds.parse().unwrap());
        } else {
            let (number, delay) = word.split_once('@').unwrap_or((word, "0"));
            let number = Number::parse(number).unwrap();
            rule.transfer_dst.push(number.clone());
            rule.cascade_numbers.push(CascadeNumber { delay_s: delay.parse().unwrap(), number });
        }
    }
    assert_eq!(rule.check(), Ok(()));
    rule
}

/// A trunk that takes numbers of a pattern.
pub(crate) fn trunk(id: u64, pattern: &str) -> (TrunkId, Arc<TrunkUse>) {
    let trunk = Trunk::new(TrunkId(id), TenantId(1), "", Vec::new());
    let plan = TrunkUse {
        patterns: vec![Pattern::parse(pattern).unwrap()],
        ..TrunkUse::new(Arc::new(trunk), "RU")
    };
    (TrunkId(id), Arc::new(plan))
}

impl Pbx {
    /// Sets rules; two trunks take outside numbers that begin with 7; sound 1 is there.
    pub(crate) fn with_rules(text: &str) -> Pbx {
        Pbx::with_phones(text, |_, _| {})
    }

    /// The same with phones that are set to something.
    pub(crate) fn with_phones(text: &str, set: impl Fn(&str, &mut PhoneShown)) -> Pbx {
        let mut pbx = Pbx::new();
        let mut snapshot = snapshot();
        for extension in snapshot.extensions.values_mut() {
            let extension = Arc::make_mut(extension);
            if let Some(phone) = &mut extension.phone {
                set(extension.name.as_str(), &mut phone.shown);
            }
        }
        let trunks = [trunk(1, "^7"), trunk(2, "^7")];
        let sound = Sound { file: FileId(51), length_ms: 4_000 };
        snapshot.routing = Arc::new(Routing {
            rules: rules(text),
            trunks: trunks.into(),
            sounds: [(SoundId(1), Arc::new(sound))].into(),
            ..Routing::default()
        });
        pbx.input(Input::Snapshot(Arc::new(snapshot)));
        pbx
    }

    /// The same with a changed configuration.
    pub(crate) fn with(text: &str, change: impl FnOnce(&mut Snapshot, &mut Routing)) -> Pbx {
        let mut pbx = Pbx::new();
        let mut snapshot = snapshot();
        let trunks = [trunk(1, "^"), trunk(2, "^")];
        let mut routing =
            Routing { rules: rules(text), trunks: trunks.into(), ..Routing::default() };
        change(&mut snapshot, &mut routing);
        snapshot.routing = Arc::new(routing);
        pbx.input(Input::Snapshot(Arc::new(snapshot)));
        pbx
    }

    /// A clip is over that a leg hears.
    pub(crate) fn clip_is_over(&mut self, leg: LegId, clip: u32) {
        self.media(leg, MediaEventKind::ClipDone(leg::ClipId(clip)));
    }

    /// A key is pressed on a leg.
    pub(crate) fn presses(&mut self, leg: LegId, key: char) {
        let digit = model::Digit::from_char(key).unwrap();
        self.media(leg, MediaEventKind::DigitEnd { digit, duration_ms: 160 });
    }

    /// Media tells of a recording of the only call, whose legs may be gone.
    pub(crate) fn recorded(&mut self, leg: LegId, recorder: u32, length_ms: u32) {
        let call = self.exchange.calls().next().unwrap().id;
        let kind = MediaEventKind::Recorded { recorder: RecorderId(recorder), length_ms };
        self.input(Input::Media(MediaEvent { call, leg, kind }));
    }

    /// Writes every call down and reads it back in a process whose clock began this much later.
    pub(crate) fn moves_to_a_clock_that_began(&mut self, later: Duration) {
        let calls = self.exchange.export(self.now, &mut self.ports);
        self.now.mono = Mono(0) + self.now.mono.since(Mono(0) + later);
        for call in calls {
            self.exchange.load(self.now, &call, &mut self.ports).unwrap();
        }
        self.input(Input::Resume);
    }

    /// The trace of the only call, as people read it.
    pub(crate) fn trace(&self) -> String {
        let call = self.exchange.calls().next().unwrap();
        let line = |entry: &model::TraceEntry| {
            let at = entry.extension.map_or(0, |e| e.0 - 100_000);
            format!("{at}: {}\n", entry.line)
        };
        call.conversations.values().flat_map(|c| &c.trace).map(line).collect()
    }
}
