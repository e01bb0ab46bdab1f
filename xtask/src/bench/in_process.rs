//! What one message or packet costs inside the process: time of parsing, and allocations.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use anyhow::{Context as _, Result, ensure};
use leg::{Audio, Format, Gain, Hears, LegId, MediaCommand, MediaLeg, Record, Source, SourceLock};
use loadgen::digest;
use loadgen::message::Message;
use media::{Effects, Plane};
use model::{CallId, Chance, Codec, Mono, NodeAddress, Now, TenantId, Wall};
use stack::{Expires, Flow, FlowId, Transport};
use switch::{Effect, Input, Shard, ShardConfig};
use testkit::company::{Company, DOMAIN, REALM, directory, login, password};

use super::place::Place;
use super::table::Row;

/// As a phone behind two proxies sends it.
const INVITE: &[u8] = include_bytes!("../../../crates/sip/tests/messages/invite.sip");
/// Messages parsed between two looks at the clock.
const ROUNDS: u32 = 2_000;
/// Calls that warm tables and buffers up, and calls whose allocations are counted.
const CALLS: u32 = 50;
/// Packets that warm up, and packets whose allocations are counted.
const PACKETS: u32 = 1_000;

/// Parsing a message, alone and with what every message is asked for.
pub(super) fn parse(place: &Place) -> Result<Vec<Row>> {
    let size = INVITE.len();
    let batches = place.count(400);
    let copy = best(batches, |bytes| drop(black_box(bytes)));
    let plain = best(batches, |bytes| drop(black_box(sip::Message::parse(bytes))));
    let typed = best(batches, |bytes| {
        let Ok(message) = sip::Message::parse(bytes) else { return };
        black_box((message.top_via().is_ok(), message.from().is_ok(), message.to().is_ok()));
        black_box((message.cseq().is_ok(), message.contact().is_ok(), message.call_id().is_ok()));
    });
    let name = |what: &str| format!("parse an INVITE of {size} bytes{what}");
    Ok(vec![
        Row::at_most(&name(""), plain - copy, 0.8, "us"),
        Row::at_most(&name(", typed"), typed - copy, 2.5, "us"),
    ])
}

/// Microseconds of one piece of work: the best of many batches is what it costs undisturbed.
fn best(batches: usize, work: impl Fn(Vec<u8>)) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..batches {
        let buffers: Vec<_> = (0..ROUNDS).map(|_| INVITE.to_vec()).collect();
        let begin = Instant::now();
        for buffer in buffers {
            work(black_box(buffer));
        }
        best = best.min(begin.elapsed());
    }
    best.as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

/// Heap allocations per SIP message of a call with digest, and per relayed packet.
pub(super) fn allocations(_: &Place) -> Result<Vec<Row>> {
    let mut line = Line::new()?;
    for _ in 0..CALLS {
        line.call()?;
    }
    (line.messages, line.allocations) = (0, 0);
    line.steps.clear();
    for _ in 0..CALLS {
        line.call()?;
    }
    let per_message = line.allocations as f64 / line.messages as f64;
    let per_call = line.messages as f64 / f64::from(CALLS);
    Ok(vec![
        Row::at_most("allocations per SIP message of a call", per_message, 2.0, ""),
        Row::note("one call", format!("{per_call} messages in and out, both legs, digest")),
        Row::note("allocations per message in", line.steps()),
        Row::at_most("allocations per relayed packet", per_packet(), 0.0, ""),
    ])
}

/// What writing down the steps of a call costs the shard's thread.
pub(super) fn journal(place: &Place) -> Result<Vec<Row>> {
    let mut line = Line::new()?;
    line.call()?;
    line.records.clear();
    line.call()?;
    let directory = tempfile::tempdir()?;
    let rounds = u32::try_from(place.count(4_000))?;
    let took = node::measure::journal_time(directory.path(), &line.records, rounds)?;
    let steps = line.records.len();
    let call = took.as_secs_f64() * 1e6 / f64::from(rounds);
    let each = call / steps as f64;
    Ok(vec![Row::note(
        "journal",
        format!("{each:.2} us per record, {steps} records a call, {call:.1} us a call"),
    )])
}

/// A shard with two phones on the line.
struct Line {
    shard: Shard,
    now: Now,
    calls: u32,
    /// Messages in and out.
    messages: u64,
    allocations: u64,
    /// By what came in.
    steps: BTreeMap<String, u64>,
    /// What each step wrote down, of those that wrote.
    records: Vec<Vec<Record>>,
    effects: Vec<Effect>,
}

impl Line {
    fn new() -> Result<Line> {
        let config = ShardConfig {
            index: 0,
            shards: 1,
            node: NodeAddress(0x7f00_0001),
            rtp_ports: 20_000..=29_999,
            stack: stack::Config {
                realm: REALM.to_owned(),
                public_address: None,
                product: "Dialplane".to_owned(),
                nonce_key: [7; 32],
                expires_s: Expires { min: 60, max: 36_000, default: 600 },
                digests: stack::Digests::Md5,
            },
        };
        let mut companies = vec![Company::new(0, 2)];
        let mut line = Line {
            shard: Shard::new(config, Chance::from_number(1)),
            now: Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000) },
            calls: 0,
            messages: 0,
            allocations: 0,
            steps: BTreeMap::new(),
            records: Vec::new(),
            effects: Vec::new(),
        };
        line.input(Input::Directory(directory(&companies)));
        let snapshot = companies.first_mut().context("a company")?.snapshot();
        line.input(Input::Snapshot { snapshot, ticket: None });
        let register = |lines: &str| {
            request("REGISTER", "101", &format!("sip:{DOMAIN}"), "r1", "", 1, lines, "")
        };
        let challenge = line.says("101", register("Expires: 36000\r\n"));
        let credentials = credentials(&challenge, "101", "REGISTER", &format!("sip:{DOMAIN}"))?;
        let answers = line.says("101", register(&format!("Expires: 36000\r\n{credentials}")));
        ensure!(status(&answers, "REGISTER") == Some(200), "the phone cannot register");
        Ok(line)
    }

    /// One call: challenged, answered, acknowledged, hung up.
    fn call(&mut self) -> Result<()> {
        self.calls += 1;
        let id = format!("call{}", self.calls);
        let uri = format!("sip:101@{DOMAIN}");
        let invite =
            |cseq, lines: &str| request("INVITE", "100", &uri, &id, "", cseq, lines, OFFER);
        let challenge = self.says("100", invite(1, ""));
        let credentials = credentials(&challenge, "100", "INVITE", &uri)?;
        let tag = tag_of(&challenge, "INVITE")?;
        self.says("100", request("ACK", "100", &uri, &id, &tag, 1, "", ""));
        let sent = self.says("100", invite(2, &credentials));

        let offered = find(&sent, |message| message.method == "INVITE" && message.status.is_none());
        let offered = offered.context("the phone is not called")?;
        self.says("101", answer(&offered, "180 Ringing", "")?);
        let sent = self.says("101", answer(&offered, "200 OK", OFFER)?);
        let answered = find(&sent, |message| message.status == Some(200));
        let answered = answered.context("the caller is not answered")?;
        let message = Message::parse(&answered).context("no SIP")?;
        let tag = message.to_tag().context("a tag")?;
        self.says("100", request("ACK", "100", message.contact, &id, tag, 2, "", ""));
        let sent = self.says("100", request("BYE", "100", message.contact, &id, tag, 3, "", ""));
        let bye = find(&sent, |message| message.method == "BYE" && message.status.is_none());
        self.says("101", answer(&bye.context("the callee is not told")?, "200 OK", "")?);
        // Beyond the longest timer of a transaction, and the rest of a port.
        for _ in 0..40 {
            self.now = self.now + Duration::from_secs(1);
            self.input(Input::Tick);
        }
        Ok(())
    }

    /// A phone sends; gives what the switch sends, to whomever.
    fn says(&mut self, phone: &str, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let local = SocketAddr::from(([192, 0, 2, 1], 5060));
        let remote = SocketAddr::from(([192, 0, 2, 9], 10_000 + port_of(phone)));
        let flow = Flow { id: FlowId(1), transport: Transport::Udp, local, remote };
        self.messages += 1;
        let step = Message::parse(&bytes).map(|message| match message.status {
            Some(status) => format!("{status}"),
            None => format!("{} {}", message.method, message.cseq.split(' ').next().unwrap_or("")),
        });
        let before = self.allocations;
        let sent = self.input(Input::Received { flow, bytes });
        *self.steps.entry(step.unwrap_or_default()).or_default() += self.allocations - before;
        sent
    }

    /// Allocations of each step of a call.
    fn steps(&self) -> String {
        let each = |(step, sum): (&String, &u64)| format!("{step}: {}", sum / u64::from(CALLS));
        self.steps.iter().map(each).collect::<Vec<_>>().join(", ")
    }

    fn input(&mut self, input: Input) -> Vec<Vec<u8>> {
        self.now = self.now + Duration::from_millis(1);
        let (shard, now, effects) = (&mut self.shard, self.now, &mut self.effects);
        let counted = measure(|| shard.handle(now, input, effects));
        self.allocations += counted.count_total;
        let mut sent = Vec::new();
        let mut records = Vec::new();
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Send { bytes, .. } => sent.push(bytes.to_vec()),
                Effect::Record(record) => records.push(record),
                _ => {}
            }
        }
        if !records.is_empty() {
            self.records.push(records);
        }
        self.messages += sent.len() as u64;
        sent
    }
}

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

fn port_of(phone: &str) -> u16 {
    phone.parse().unwrap_or(0)
}

#[expect(clippy::too_many_arguments, reason = "a request has as many parts")]
fn request(
    method: &str,
    phone: &str,
    uri: &str,
    id: &str,
    tag: &str,
    cseq: u32,
    lines: &str,
    body: &str,
) -> Vec<u8> {
    let own = login(0, phone);
    let port = 10_000 + port_of(phone);
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let to = if method == "REGISTER" { format!("sip:{own}@{DOMAIN}") } else { uri.to_owned() };
    // An ACK to a refusal has the branch of its INVITE; nothing here depends on the others'.
    let branch = format!("z9hG4bK{id}-{cseq}-{}", if method == "ACK" { "INVITE" } else { method });
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:{port};branch={branch};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{own}@{DOMAIN}>;tag=x\r\nTo: <{to}>{tag}\r\n\
         Call-ID: {id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{own}@192.0.2.9:{port}>\r\n\
         {lines}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn answer(request: &[u8], status: &str, body: &str) -> Result<Vec<u8>> {
    let message = Message::parse(request).context("no SIP")?;
    let via: String = message.via.iter().map(|via| format!("Via: {via}\r\n")).collect();
    let tag = if message.to_tag().is_some() { "" } else { ";tag=y" };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    Ok(format!(
        "SIP/2.0 {status}\r\n{via}From: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:101@192.0.2.9:10101>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        message.from,
        message.to,
        message.call_id,
        message.cseq,
        body.len()
    )
    .into_bytes())
}

fn find(sent: &[Vec<u8>], wanted: impl Fn(&Message<'_>) -> bool) -> Option<Vec<u8>> {
    sent.iter().find(|bytes| Message::parse(bytes).is_some_and(|m| wanted(&m))).cloned()
}

fn status(sent: &[Vec<u8>], method: &str) -> Option<u16> {
    sent.iter().find_map(|bytes| Message::parse(bytes).filter(|m| m.method == method)?.status)
}

fn refusal(sent: &[Vec<u8>], method: &str) -> Result<Vec<u8>> {
    let found = find(sent, |message| message.method == method && message.status == Some(401));
    found.context("the request is not challenged")
}

fn credentials(sent: &[Vec<u8>], phone: &str, method: &str, uri: &str) -> Result<String> {
    let refusal = refusal(sent, method)?;
    let message = Message::parse(&refusal).context("no SIP")?;
    let (user, secret) = (login(0, phone), password(0, phone));
    let line = digest::answer(&message.challenges, &user, &secret, method, uri);
    Ok(format!("{}\r\n", line.context("no MD5 challenge")?))
}

fn tag_of(sent: &[Vec<u8>], method: &str) -> Result<String> {
    let refusal = refusal(sent, method)?;
    let message = Message::parse(&refusal).context("no SIP")?;
    Ok(message.to_tag().context("no tag")?.to_owned())
}

/// Allocations per packet on the relay's path, once everything has grown.
fn per_packet() -> f64 {
    let now = Now { mono: Mono(0), wall: Wall(0) };
    let mut plane = Plane::new(now, Chance::from_number(3));
    let mut effects = Effects::new();
    let at = |n: u16| SocketAddr::from(([192, 0, 2, 9], 4_000 + 2 * n));
    let leg = |n: u16| MediaLeg {
        leg: LegId(u64::from(n)),
        port: 10_000 + 2 * n,
        remote: Some(at(n)),
        remote_rtcp: None,
        rtcp_mux: false,
        send: Some(Format { payload_type: 8, codec: Codec::Pcma }),
        receive: [Format { payload_type: 8, codec: Codec::Pcma }].into_iter().collect(),
        send_digits: None,
        receive_digits: None,
        lock: SourceLock::Described,
        negotiation: 1,
    };
    let hears = |listener: u64, heard: u64| Hears {
        listener: LegId(listener),
        sources: [(Source::Leg(LegId(heard)), Gain::UNITY)].into_iter().collect(),
    };
    let audio = Audio {
        call: CallId(1),
        revision: 1,
        legs: [leg(0), leg(1)].into_iter().collect(),
        hears: [hears(0, 1), hears(1, 0)].into_iter().collect(),
    };
    plane.command(now, TenantId(1), MediaCommand::Audio(audio), &mut effects);
    let mut datagram = [0x55; 172];
    let mut relay = |from: u32, to: u32| {
        for number in from..to {
            datagram[..12].copy_from_slice(&[0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
            datagram[2..4].copy_from_slice(&((number & 0xffff) as u16).to_be_bytes());
            datagram[4..8].copy_from_slice(&(number * 160).to_be_bytes());
            let now = now + Duration::from_millis(20 * u64::from(number));
            plane.packet(now, 10_000, at(0), &mut datagram, &mut effects);
            black_box(effects.len());
            effects.clear();
        }
    };
    relay(0, PACKETS);
    let counted = measure(|| relay(PACKETS, 2 * PACKETS));
    counted.count_total as f64 / f64::from(PACKETS)
}
