//! A bare line: a whole shard and two phones that do one call after the other, for measuring what a
//! call costs inside the process. No network, no loss, no media: only what the switch does itself.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use leg::Record;
use model::{Chance, Mono, NodeAddress, Now, Wall};
use sip::digest::{Challenge, Ha1s, Login};
use sip::{Header, Message, Method};
use stack::{Expires, Flow, FlowId, Transport};
use switch::{Effect, Input, Shard, ShardConfig};

use crate::company::{Company, DOMAIN, REALM, directory, login, password};

/// Measures a piece of the switch's work and says how much it was: of what, is the meter's affair.
pub type Meter = fn(&mut dyn FnMut()) -> u64;

/// For how long 101 registers; its calls take hours, though nobody waits for them.
const BOUND: Duration = Duration::from_secs(36_000);

/// A shard with two phones on the line: 100, which calls, and 101, which is registered.
pub struct Line {
    shard: Shard,
    now: Now,
    /// When 101 has registered last.
    registered: Mono,
    meter: Meter,
    calls: u32,
    effects: Vec<Effect>,
    figures: Figures,
}

/// What has been counted since it was last taken.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Messages in and out.
    pub messages: u64,
    /// What the meter has counted, of everything.
    pub spent: u64,
    /// The same by the message that came in: `INVITE 2`, `180`. What no message brought is `""`.
    pub steps: BTreeMap<String, u64>,
    /// What each step wrote down, of those that wrote.
    pub records: Vec<Vec<Record>>,
}

impl Line {
    /// A line on which nothing was said yet.
    ///
    /// # Panics
    ///
    /// When the phone cannot register.
    pub fn new(meter: Meter) -> Line {
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
        let mut company = Company::new(0, 2);
        let mut line = Line {
            shard: Shard::new(config, Chance::from_number(1)),
            now: Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000) },
            registered: Mono(0),
            meter,
            calls: 0,
            effects: Vec::new(),
            figures: Figures::default(),
        };
        line.input("", Input::Directory(directory(core::slice::from_ref(&company))));
        line.input("", Input::Snapshot { snapshot: company.snapshot(), ticket: None });
        line.register();
        line
    }

    /// 101 registers; what it costs counts for nothing.
    fn register(&mut self) {
        let counted = self.take_figures();
        let uri = format!("sip:{DOMAIN}");
        let (id, expires) = (format!("r{}", self.calls), BOUND.as_secs());
        let register = |lines: &str| {
            let lines = format!("Expires: {expires}\r\n{lines}");
            request("REGISTER", "101", &uri, &id, "", 1, &lines, "").into_bytes()
        };
        let challenge = self.says("101", register(""));
        let proof = credentials(&challenge, "101", "REGISTER", &uri);
        let answers = self.says("101", register(&proof));
        assert!(answers.iter().any(|answer| answer.status() == Some(200)), "not registered");
        self.registered = self.now.mono;
        self.figures = counted;
    }

    /// What has been counted since the last time, or the beginning.
    pub fn take_figures(&mut self) -> Figures {
        core::mem::take(&mut self.figures)
    }

    /// One call: challenged, answered, acknowledged, hung up; and then silence until nothing of it
    /// is left.
    ///
    /// # Panics
    ///
    /// When the switch does not do what it should.
    pub fn call(&mut self) {
        self.calls += 1;
        if self.now.mono.since(self.registered) > BOUND / 2 {
            self.register();
        }
        let id = format!("call{}", self.calls);
        let uri = format!("sip:101@{DOMAIN}");
        let from_100 = |method: &str, uri: &str, tag: &str, cseq, lines: &str, body: &str| {
            request(method, "100", uri, &id, tag, cseq, lines, body).into_bytes()
        };
        let refusal = self.says("100", from_100("INVITE", &uri, "", 1, "", OFFER));
        let proof = credentials(&refusal, "100", "INVITE", &uri);
        let refusal = found(&refusal, |message| message.status() == Some(401));
        self.says("100", from_100("ACK", &uri, &tag_of(refusal), 1, "", ""));
        let sent = self.says("100", from_100("INVITE", &uri, "", 2, &proof, OFFER));

        let offered = found(&sent, |message| message.method() == Some(Method::Invite));
        self.says("101", answer(offered, "180 Ringing", ""));
        let sent = self.says("101", answer(offered, "200 OK", OFFER));
        let answered = found(&sent, |message| message.status() == Some(200));
        let (tag, contact) = (tag_of(answered), contact_of(answered));
        self.says("100", from_100("ACK", &contact, &tag, 2, "", ""));
        let sent = self.says("100", from_100("BYE", &contact, &tag, 3, "", ""));
        let bye = found(&sent, |message| message.method() == Some(Method::Bye));
        self.says("101", answer(bye, "200 OK", ""));
        // Beyond the longest timer of a transaction, and the rest of a port.
        for _ in 0..40 {
            self.now = self.now + Duration::from_secs(1);
            self.input("", Input::Tick);
        }
    }

    /// A phone sends; gives what the switch sends, to whomever.
    fn says(&mut self, phone: &str, bytes: Vec<u8>) -> Vec<Message> {
        let local = SocketAddr::from(([192, 0, 2, 1], 5060));
        let remote = SocketAddr::from(([192, 0, 2, 9], port_of(phone)));
        let flow = Flow { id: FlowId(1), transport: Transport::Udp, local, remote };
        self.figures.messages += 1;
        let step = step_of(&bytes);
        self.input(&step, Input::Received { flow, bytes })
    }

    fn input(&mut self, step: &str, input: Input) -> Vec<Message> {
        self.now = self.now + Duration::from_millis(1);
        let (shard, now, effects) = (&mut self.shard, self.now, &mut self.effects);
        let mut input = Some(input);
        let spent = (self.meter)(&mut || {
            if let Some(input) = input.take() {
                shard.handle(now, input, effects);
            }
        });
        self.figures.spent += spent;
        *self.figures.steps.entry(step.to_owned()).or_default() += spent;
        let mut sent = Vec::new();
        let mut records = Vec::new();
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Send { bytes, .. } => {
                    sent.push(Message::parse(bytes.to_vec()).expect("the switch writes SIP"));
                }
                Effect::Record(record) => records.push(record),
                _ => {}
            }
        }
        if !records.is_empty() {
            self.figures.records.push(records);
        }
        self.figures.messages += sent.len() as u64;
        sent
    }
}

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

fn port_of(phone: &str) -> u16 {
    10_000 + phone.parse::<u16>().unwrap_or(0)
}

/// The method and its number, or the status.
fn step_of(bytes: &[u8]) -> String {
    let message = Message::parse(bytes.to_vec()).expect("the phones write SIP");
    match message.status() {
        Some(status) => status.to_string(),
        None => message.cseq().map(|cseq| format!("{} {}", cseq.method, cseq.number)).expect("one"),
    }
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
) -> String {
    let own = login(0, phone);
    let port = port_of(phone);
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
}

fn answer(request: &Message, status: &str, body: &str) -> Vec<u8> {
    let tag = if tag_of(request).is_empty() { ";tag=y" } else { "" };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let line = |header| request.text(header).unwrap_or_default();
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:101@192.0.2.9:10101>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        line(Header::Via),
        line(Header::From),
        line(Header::To),
        line(Header::CallId),
        line(Header::CSeq),
        body.len()
    )
    .into_bytes()
}

fn found(sent: &[Message], wanted: impl Fn(&Message) -> bool) -> &Message {
    sent.iter().find(|message| wanted(message)).expect("the switch says it")
}

fn credentials(sent: &[Message], phone: &str, method: &str, uri: &str) -> String {
    let refusal = found(sent, |message| message.status() == Some(401));
    let value = refusal.text(Header::WwwAuthenticate).expect("a challenge");
    let challenge = Challenge::parse(value.as_bytes()).expect("digest");
    let user = login(0, phone);
    let ha1s = Ha1s::of(&user, REALM, &password(0, phone));
    let login = Login { username: &user, ha1s: &ha1s, method, uri, cnonce: "c", count: 1 };
    format!("Authorization: {}\r\n", challenge.answer(&login).expect("MD5"))
}

fn tag_of(message: &Message) -> String {
    message.to().ok().and_then(|to| to.tag).map(|tag| tag.to_string()).unwrap_or_default()
}

fn contact_of(message: &Message) -> String {
    let contact = message.text(Header::Contact).unwrap_or_default();
    let (_, uri) = contact.split_once('<').expect("a name-addr");
    uri.split('>').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_call_is_a_whole_call() {
        let mut line = Line::new(|work| {
            work();
            1
        });
        line.call();
        let figures = line.take_figures();
        assert_eq!(figures.messages, 16, "8 in and 8 out: {:?}", figures.steps);
        let of = |wanted: fn(&Record) -> bool| {
            figures.records.iter().flatten().filter(|record| wanted(record)).count()
        };
        assert_eq!(of(|record| matches!(record, Record::Cdr(_))), 2, "one for each person");
        assert_eq!(of(|record| matches!(record, Record::CallGone { .. })), 1);
    }

    #[test]
    fn calls_go_on_when_the_registration_would_have_run_out() {
        let mut line = Line::new(|work| {
            work();
            0
        });
        line.call();
        let first = line.now.mono;
        line.take_figures();
        while line.now.mono.since(first) < BOUND * 2 {
            // A call takes some 40 seconds; the time between calls is nobody's affair.
            line.now = line.now + BOUND / 4;
            line.call();
            let messages = line.take_figures().messages;
            assert_eq!(messages, 16, "the registration counts for nothing");
        }
    }
}
