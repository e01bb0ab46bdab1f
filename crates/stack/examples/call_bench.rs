//! What one leg costs the endpoint: time, allocations and what is left, without any socket.
//!
//! `cargo run --release -p stack --example call_bench`
//!
//! A call is INVITE, 401, ACK, INVITE with digest, 100, 180, 200, ACK, BYE, 200: four requests and
//! an ACK read, six messages written. A registration is REGISTER, 401, REGISTER, 200.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leg::{Direction, Format, LegCommand, LegEvent, Session};
use model::{
    Chance, Codec, Credential, Directory, ExtensionId, Login, Mono, Now, Status, TenantId,
    TenantKey, Wall,
};
use sip::digest::{Challenge, Ha1s};
use sip::{Header, Message};
use stack::{Config, Digests, Effect, Endpoint, Expires, Flow, FlowId, Input, Transport};

const TENANT: TenantId = TenantId(1);
const CALLS: u64 = 20_000;
const PHONES: u64 = 20_000;

fn main() {
    let mut bench = Bench::new();
    for n in 0..PHONES {
        bench.registers(n);
        bench.batch(n);
    }
    bench.report("registration", PHONES);
    bench.idle(Duration::from_secs(40));
    println!("registered phone: {} bytes", bench.held / i64::try_from(PHONES).unwrap_or(1));
    bench.clear();
    for n in 0..CALLS {
        bench.calls(n);
        bench.batch(n);
        if n % 500 == 0 {
            bench.idle(Duration::from_secs(1));
        }
    }
    bench.report("call", CALLS);
    bench.idle(Duration::from_secs(70));
    println!("left: {:?}", bench.endpoint.counts());
}

struct Bench {
    endpoint: Endpoint,
    now: Now,
    effects: Vec<Effect>,
    spent: Duration,
    best: Duration,
    allocations: u64,
    /// Bytes that handling has taken and not given back.
    held: i64,
}

impl Bench {
    fn new() -> Bench {
        let config = Config {
            realm: "pbx.example".into(),
            public_address: None,
            product: "Dialplane".into(),
            nonce_key: [3; 32],
            expires_s: Expires { min: 60, max: 3_600, default: 3_600 },
            digests: Digests::Md5,
        };
        let mut directory = Directory::default();
        if let Some(key) = TenantKey::parse(b"abcd2345") {
            directory.add_tenant(TENANT, key, "acme.example");
        }
        for n in 0..PHONES {
            let user = format!("phone{n}");
            let ha1s = Ha1s::of(&user, "pbx.example", "secret");
            let (ha1_md5, ha1_sha256) = (ha1s.md5, ha1s.sha256);
            let extension = ExtensionId(100_000 + n);
            let credential = Credential {
                tenant: TENANT,
                extension,
                ha1_md5,
                ha1_sha256,
                status: Status::Active,
            };
            if let Ok(login) = Login::parse(&user) {
                directory.logins.insert(login, credential);
            }
        }
        let mut bench = Bench {
            endpoint: Endpoint::new(config, Chance::from_number(1)),
            now: Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000) },
            effects: Vec::new(),
            spent: Duration::ZERO,
            best: Duration::MAX,
            allocations: 0,
            held: 0,
        };
        bench.handle(Input::Directory(Arc::new(directory)));
        bench.clear();
        bench
    }

    /// One input, timed; the effects are left in `effects`.
    fn handle(&mut self, input: Input) {
        // What was sent and told is given back by who carried it out.
        let effects = &mut self.effects;
        self.held += allocation_counter::measure(|| *effects = Vec::new()).bytes_current;
        let Bench { endpoint, now, effects, .. } = self;
        let begun = Instant::now();
        let info = allocation_counter::measure(|| endpoint.handle(*now, input, effects));
        self.spent += begun.elapsed();
        self.allocations += info.count_total;
        self.held += info.bytes_current;
    }

    /// One message, its reading timed too.
    fn receive(&mut self, text: String) {
        let mut message = None;
        let begun = Instant::now();
        // The copy stands for the buffer that was read into.
        let parse = || message = Message::parse(text.clone().into_bytes()).ok();
        let info = allocation_counter::measure(parse);
        self.spent += begun.elapsed();
        self.allocations += info.count_total;
        self.held += info.bytes_current;
        let message = message.expect("we wrote it");
        let flow = Flow {
            id: FlowId(1),
            transport: Transport::Udp,
            local: ([192, 0, 2, 1], 5060).into(),
            remote: ([198, 51, 100, 7], 5060).into(),
        };
        self.handle(Input::Message { tenant: Some(TENANT), flow, message });
    }

    fn answer(&self) -> Message {
        let sent = self.effects.iter().rev().find_map(|e| match e {
            Effect::Send { bytes, .. } | Effect::Answer { bytes, .. } => {
                Message::parse(bytes.to_vec()).ok()
            }
            _ => None,
        });
        sent.expect("something was sent")
    }

    fn registers(&mut self, n: u64) {
        let more = format!(
            "Contact: <sip:phone{n}@198.51.100.7:5060>;expires=3600\r\n\
             User-Agent: Some Phone 1.2.3\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\n"
        );
        let uri = "sip:acme.example";
        let first = request("REGISTER", uri, n, 1, &format!("phone{n}"), "", &more, "");
        self.receive(first);
        let more = format!("{more}{}", authorization(&self.answer(), n, "REGISTER", uri));
        let second = request("REGISTER", uri, n, 2, &format!("phone{n}"), "", &more, "");
        self.receive(second);
        assert_eq!(self.answer().status(), Some(200));
    }

    fn calls(&mut self, n: u64) {
        let uri = "sip:101@acme.example";
        let more = format!(
            "Contact: <sip:phone{n}@198.51.100.7:5060>\r\nUser-Agent: Some Phone 1.2.3\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO\r\nContent-Type: application/sdp\r\n"
        );
        let sdp = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\n\
                   t=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\n\
                   a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
        self.receive(request("INVITE", uri, n, 1, "101", "", &more, sdp));
        let refusal = self.answer();
        let tag = tag_of(&refusal);
        let more = format!("{more}{}", authorization(&refusal, n, "INVITE", uri));
        self.receive(request("ACK", uri, n, 1, "101", &tag, "", ""));
        self.receive(request("INVITE", uri, n, 2, "101", "", &more, sdp));
        let leg = self.effects.iter().find_map(|e| match e {
            Effect::Leg { leg, event: LegEvent::Incoming(_), .. } => Some(*leg),
            _ => None,
        });
        let leg = leg.expect("the call came in");
        let command = LegCommand::Ring { early: None };
        self.handle(Input::Leg { tenant: TENANT, leg, command });
        let session = Session {
            address: None,
            port: 10_000,
            rtcp_port: None,
            rtcp_mux: false,
            formats: [Format { payload_type: 8, codec: Codec::Pcma }].into_iter().collect(),
            digits: Some(101),
            direction: Direction::SendRecv,
            ptime_ms: Some(20),
        };
        let command = LegCommand::Answer(Box::new(session));
        self.handle(Input::Leg { tenant: TENANT, leg, command });
        let tag = tag_of(&self.answer());
        self.receive(request("ACK", uri, n, 3, "101", &tag, "", "").replace("CSeq: 3", "CSeq: 2"));
        self.receive(request("BYE", uri, n, 3, "101", &tag, "", ""));
        assert_eq!(self.answer().status(), Some(200));
    }

    fn idle(&mut self, time: Duration) {
        self.now = self.now + time;
        self.handle(Input::Tick);
    }

    /// Ends a batch of 500: the best one is what the code costs without disturbance.
    fn batch(&mut self, n: u64) {
        if n % 500 == 499 {
            self.best = self.best.min(self.spent / 500);
            self.spent = Duration::ZERO;
        }
    }

    fn clear(&mut self) {
        self.best = Duration::MAX;
        self.spent = Duration::ZERO;
        (self.allocations, self.held) = (0, 0);
    }

    fn report(&self, what: &str, times: u64) {
        println!("{what}: {:?}, {} allocations", self.best, self.allocations / times);
    }
}

fn tag_of(message: &Message) -> String {
    message.to().ok().and_then(|t| t.tag).map(|t| format!(";tag={t}")).unwrap_or_default()
}

#[allow(clippy::too_many_arguments, reason = "the parts of a message, in its order")]
fn request(
    method: &str,
    uri: &str,
    n: u64,
    cseq: u32,
    to: &str,
    tag: &str,
    more: &str,
    body: &str,
) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;rport;\
         branch=z9hG4bK-{method}-{n}-{cseq}\r\nMax-Forwards: 70\r\n\
         From: <sip:phone{n}@acme.example>;tag=t{n}\r\nTo: <sip:{to}@acme.example>{tag}\r\n\
         Call-ID: {n}-call-{n}@198.51.100.7\r\nCSeq: {cseq} {method}\r\n{more}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn authorization(refusal: &Message, n: u64, method: &str, uri: &str) -> String {
    let value = refusal.text(Header::WwwAuthenticate).unwrap_or_default();
    let Ok(challenge) = Challenge::parse(value.as_bytes()) else { return String::new() };
    let user = format!("phone{n}");
    let ha1s = Ha1s::of(&user, "pbx.example", "secret");
    let login =
        sip::digest::Login { username: &user, ha1s: &ha1s, method, uri, cnonce: "c", count: 1 };
    challenge.answer(&login).map(|a| format!("Authorization: {a}\r\n")).unwrap_or_default()
}
