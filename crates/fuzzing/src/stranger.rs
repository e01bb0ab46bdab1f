//! Any datagram from a stranger on the SIP port: dropped, or answered once, and nothing is left.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::cell::RefCell;
use std::sync::Arc;

use model::{
    Chance, Credential, Directory, ExtensionId, Login, Mono, NodeAddress, Now, Status, TenantId,
    TenantKey, Wall,
};
use sip::digest::Ha1s;
use sip::{Message, Method};
use stack::{Config, Digests, Expires, Flow, FlowId, Transport};
use switch::{Effect, Input, Shard, ShardConfig};

/// What an answer over a connection may be longer than the request: a challenge, and our name.
const EXCESS_MAX: usize = 900;

/// Between two datagrams; what the door allows to strangers in a second is new each time.
const STEP: Duration = Duration::from_secs(10);

thread_local! {
    /// One shard for all inputs, since none may leave anything.
    static STREET: RefCell<Street> = RefCell::new(Street::new());
}

/// Any datagram: STUN, TLS, RTP, half a SIP message, a whole one.
pub fn stranger(data: &[u8]) {
    STREET.with_borrow_mut(|street| {
        for transport in [Transport::Udp, Transport::Tcp, Transport::Ws] {
            street.receive(transport, data);
        }
    });
}

/// The status that an OPTIONS gets, if it gets one.
pub fn options_status() -> Option<u16> {
    // Long enough for an answer that is little longer.
    let text = format!(
        "OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKo\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nUser-Agent: {}\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(400)
    );
    STREET.with_borrow_mut(|street| street.receive(Transport::Udp, text.as_bytes()))
}

/// The switch, and strangers who pass by, each once.
struct Street {
    shard: Shard,
    now: Now,
    strangers: u32,
}

impl Street {
    fn new() -> Street {
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000) };
        Street { shard: shard(), now, strangers: 0 }
    }

    /// A new stranger sends this; the status of the answer.
    fn receive(&mut self, transport: Transport, data: &[u8]) -> Option<u16> {
        self.strangers = (self.strangers + 1) % 0x0010_0000;
        self.now = self.now + STEP;
        let address = Ipv4Addr::from(0x0A00_0000 + self.strangers);
        let remote = SocketAddr::from((address, 5_060));
        let local = ([192, 0, 2, 1], 5_060).into();
        let id = FlowId(u64::from(transport.is_reliable()) * u64::from(self.strangers));
        let flow = Flow { id, transport, local, remote };
        let (gauges, panics) = (self.shard.gauges(), self.shard.counters().panics);
        let mut effects = Vec::new();
        let input = Input::Received { flow, bytes: data.to_vec() };
        self.shard.handle(self.now, input, &mut effects);
        assert_eq!(self.shard.gauges(), gauges, "a stranger leaves nothing");
        assert_eq!(self.shard.counters().panics, panics, "a panic was caught");
        if let Err(broken) = self.shard.check() {
            panic!("{broken}");
        }
        answer(flow, data, &effects)
    }
}

/// At most one answer, where one is due, where it belongs and not too long; its status.
fn answer(flow: Flow, data: &[u8], effects: &[Effect]) -> Option<u16> {
    let Ok(message) = Message::parse(data.to_vec()) else {
        assert!(effects.is_empty(), "nothing is said to what is no SIP: {effects:?}");
        return None;
    };
    let effect = effects.first()?;
    let Effect::Send { flow: to, bytes } = effect else {
        panic!("a stranger brings about {effect:?}")
    };
    assert_eq!(effects.len(), 1, "one answer: {effects:?}");
    assert_eq!(*to, flow, "an answer goes where the request came from");
    let quiet = message.method().is_none_or(|m| m == Method::Ack);
    assert!(!quiet, "an answer to {message:?}");
    let most = match flow.transport.is_reliable() {
        // Compact names become long ones.
        true => data.len() * 3 + EXCESS_MAX,
        // Its source may be forged, and who is there would get what it did not ask for.
        false => data.len() * 12 / 10,
    };
    assert!(bytes.len() <= most, "{} bytes for {}", bytes.len(), data.len());
    let answer = Message::parse(bytes.to_vec()).expect("an answer is a message");
    assert!(answer.status().is_some_and(|s| s >= 200), "{answer:?}");
    answer.status()
}

fn shard() -> Shard {
    let realm = "pbx.example";
    let config = ShardConfig {
        index: 0,
        shards: 1,
        node: NodeAddress(1),
        rtp_ports: 20_000..=20_099,
        stack: Config {
            realm: realm.to_owned(),
            public_address: None,
            product: "Dialplane".to_owned(),
            nonce_key: [7; 32],
            expires_s: Expires { min: 60, max: 3_600, default: 600 },
            digests: Digests::Both,
        },
    };
    let mut shard = Shard::new(config, Chance::from_number(1));
    let mut directory = Directory::default();
    let tenant = TenantId(1);
    let key = TenantKey::parse(b"key23456").expect("eight letters and digits");
    directory.add_tenant(tenant, key, "acme.example");
    let ha1s = Ha1s::of("alice", realm, "secret");
    let credential = Credential {
        tenant,
        extension: ExtensionId(100_000),
        ha1_md5: ha1s.md5,
        ha1_sha256: ha1s.sha256,
        status: Status::Active,
    };
    directory.logins.insert(Login::parse("alice").expect("letters"), credential);
    shard.handle(Now::default(), Input::Directory(Arc::new(directory)), &mut Vec::new());
    shard
}
