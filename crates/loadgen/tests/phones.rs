//! The phones against a server of a few lines.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use loadgen::demo::{Account, Application, Client, Tenant, User};
use loadgen::message::Message;
use loadgen::{CallPlan, Demo, Phones};

/// What the server does with a request that carries credentials.
#[derive(Clone, Copy)]
enum Mood {
    /// Accepts it.
    Kind,
    /// Accepts it, but answers nothing that has not been sent twice.
    Deaf,
    /// Refuses it.
    Cross,
}

/// Starts the server; it lives as long as the test.
fn server(mood: Mood) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut seen = Vec::new();
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let bytes = &buffer[..length];
            let message = Message::parse(bytes).unwrap();
            let is_new = !seen.contains(&bytes.to_vec());
            seen.push(bytes.to_vec());
            if message.method == "ACK" || (matches!(mood, Mood::Deaf) && is_new) {
                continue;
            }
            let text = core::str::from_utf8(bytes).unwrap();
            socket.send_to(&answer(&message, text, mood, address), from).unwrap();
        }
    });
    address
}

fn answer(message: &Message<'_>, text: &str, mood: Mood, own: SocketAddr) -> Vec<u8> {
    let known = text.contains("Authorization: Digest") || message.method == "BYE";
    let (status, extra) = match (known, mood) {
        (false, _) => (
            "401 Unauthorized",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n\
             WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\"\r\n",
        ),
        (true, Mood::Cross) => ("403 Forbidden", ""),
        (true, Mood::Kind | Mood::Deaf) => ("200 OK", ""),
    };
    let body = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n";
    let body = if message.method == "INVITE" && status == "200 OK" { body } else { "" };
    let via: String = message.via.iter().map(|via| format!("Via: {via}\r\n")).collect();
    format!(
        "SIP/2.0 {status}\r\n{via}From: {}\r\nTo: {};tag=s\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:{own}>\r\n{extra}Content-Length: {}\r\n\r\n{body}",
        message.from,
        message.to,
        message.call_id,
        message.cseq,
        body.len()
    )
    .into_bytes()
}

fn phones(count: u64, sip: SocketAddr) -> Phones {
    let account = |n: u64| Account {
        extension_id: 100_000 + n,
        number: (100 + n).to_string(),
        name: format!("0003*{}", 100 + n),
        login: format!("0003{}", 100 + n),
        password: "secret".into(),
    };
    let tenant = Tenant {
        application: Application { id: "a".into(), secret: "s".into() },
        user: User { login: "u".into(), password: "p".into() },
        client: Client {
            id: 1,
            name: "Demo".into(),
            prefix: "0003".into(),
            domain: "demo.example".into(),
        },
        phones: (0..count).map(account).collect(),
    };
    let demo = Demo {
        http: String::new(),
        sip,
        sip_tls: None,
        tls_certificate: None,
        sip_ws: None,
        sip_wss: None,
        tenant,
        tenants: Vec::new(),
    };
    Phones::new(&demo, vec![4000]).unwrap()
}

const PLAN: CallPlan =
    CallPlan { count: 20, per_second: 400.0, hold: Some(Duration::from_millis(20)) };

#[test]
fn all_phones_register_with_digest() {
    let report = phones(30, server(Mood::Kind)).register(0..30, 8).unwrap();
    assert_eq!((report.registered, report.failed.len(), report.retransmitted), (30, 0, 0));
}

#[test]
fn a_part_of_the_phones_can_register_alone() {
    let mut phones = phones(30, server(Mood::Kind));
    assert_eq!(phones.register(10..25, 4).unwrap().registered, 15);
    assert_eq!(phones.register(25..25, 4).unwrap().registered, 0);
}

#[test]
fn calls_are_set_up_held_and_ended() {
    let report = phones(4, server(Mood::Kind)).call(&PLAN).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.completed, report.setup_ns.len()), (20, 20));
    assert!(report.setup_ms(990) >= report.setup_ms(500));
}

#[test]
fn calls_without_a_hold_stay_up_until_they_are_hung_up() {
    let mut phones = phones(4, server(Mood::Kind));
    let report = phones.call(&CallPlan { hold: None, ..PLAN }).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(phones.audio_legs().len(), 20);
    let report = phones.call(&CallPlan { hold: None, ..PLAN }).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(phones.hang_up().unwrap(), 40);
}

#[test]
fn what_is_lost_is_sent_again() {
    let report = phones(2, server(Mood::Deaf)).register(0..2, 2).unwrap();
    assert_eq!((report.registered, report.failed.len()), (2, 0));
    assert!(report.retransmitted >= 2, "{report:?}");
}

#[test]
fn refusals_are_counted_by_their_status() {
    let report = phones(2, server(Mood::Cross)).call(&PLAN).unwrap();
    assert!(!report.is_clean());
    assert_eq!(report.failed.get("403 to INVITE"), Some(&20));
}
