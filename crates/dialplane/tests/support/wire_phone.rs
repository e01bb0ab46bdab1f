//! A small phone of our own, for what the others do not speak: WebSocket, IPv6, and an address of
//! its own that nobody can reach, as behind NAT.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use loadgen::digest;
use loadgen::message::Message;
use media::g711;
use model::Codec;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, WebSocket};

use super::{BOUND, Site};

/// What the phone believes to be its address: nobody can send there.
const PRIVATE: &str = "192.168.77.7";
/// Audio of one packet, and the samples in it.
const PACKET: Duration = Duration::from_millis(20);
const SAMPLES: usize = 160;

/// The phone.
pub(crate) struct WirePhone {
    wire: Wire,
    /// As Via and the `transport` parameter name it.
    via: &'static str,
    parameter: &'static str,
    login: String,
    password: String,
    domain: String,
    rtp: UdpSocket,
    /// What it says of its own address, in Contact, Via and session description.
    own: IpAddr,
    cseq: u32,
}

/// A call in progress.
pub(crate) struct Call {
    call_id: String,
    /// The From and To of our requests.
    from: String,
    to: String,
    target: String,
    audio: SocketAddr,
}

/// How messages travel.
enum Wire {
    Datagrams(UdpSocket),
    Stream { stream: Box<dyn Stream>, rest: Vec<u8> },
    Web(Box<WebSocket<Box<dyn Stream>>>),
}

trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

impl WirePhone {
    /// The phone of `number`, registered over a transport, behind NAT.
    pub(crate) fn registered(site: &Site, number: &str, transport: &str) -> WirePhone {
        let own = PRIVATE.parse().expect("an address");
        WirePhone::at(site, number, transport, site.server(transport), own)
    }

    /// The same over UDP and IPv6, without NAT.
    pub(crate) fn registered_by_ipv6(site: &Site, number: &str) -> WirePhone {
        let server = SocketAddr::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), site.sip().port());
        WirePhone::at(site, number, "udp", server, server.ip())
    }

    fn at(
        site: &Site,
        number: &str,
        transport: &str,
        server: SocketAddr,
        own: IpAddr,
    ) -> WirePhone {
        let (via, parameter) = match transport {
            "udp" => ("UDP", "udp"),
            "tcp" => ("TCP", "tcp"),
            "tls" => ("TLS", "tls"),
            "ws" => ("WS", "ws"),
            "wss" => ("WSS", "ws"),
            other => panic!("{other} is no transport"),
        };
        let account = site.account(number);
        let rtp = UdpSocket::bind((server.ip(), 0)).expect("a port for audio");
        let mut phone = WirePhone {
            wire: Wire::open(site, transport, server),
            via,
            parameter,
            login: account.login.clone(),
            password: account.password.clone(),
            domain: site.domain().to_owned(),
            rtp,
            own,
            cseq: 0,
        };
        phone.register();
        phone
    }

    fn register(&mut self) {
        let uri = format!("sip:{}", self.domain);
        let own = format!("<sip:{}@{}>", self.login, self.domain);
        let more = format!("Contact: {}\r\nExpires: 600\r\n", self.contact());
        let call_id = format!("register{}", self.unique());
        let ok = self.asks("REGISTER", &uri, &call_id, &format!("{own};tag=r"), &own, &more, "");
        let ok = Message::parse(ok.as_bytes()).expect("an answer");
        assert_eq!(ok.status, Some(200), "{ok:?}");
        // RFC 3581: where we really come from.
        let via = ok.via.first().expect("our Via");
        if self.own.to_string() == PRIVATE {
            assert!(via.contains("received=127.0.0.1") && via.contains("rport="), "{via}");
        }
    }

    /// Calls a number until it is answered.
    pub(crate) fn dials(&mut self, number: &str) -> Call {
        let uri = format!("sip:{number}@{}", self.domain);
        let from = format!("<sip:{}@{}>;tag=c", self.login, self.domain);
        let call_id = format!("call-{number}-{}-{}", self.unique(), self.cseq);
        let more = format!("Contact: {}\r\n", self.contact());
        let body = self.description();
        let answer = self.asks("INVITE", &uri, &call_id, &from, &format!("<{uri}>"), &more, &body);
        let ok = Message::parse(answer.as_bytes()).expect("an answer");
        assert_eq!(ok.status, Some(200), "{answer}");
        let (to, target) = (ok.to.to_owned(), ok.contact.to_owned());
        let call = Call { call_id, from, to, target, audio: audio(&answer) };
        let cseq = self.cseq;
        self.sends("ACK", &call, cseq);
        call
    }

    /// Waits for a call and answers it.
    pub(crate) fn is_called(&mut self) -> Call {
        let text = self.next("an INVITE", |m| m.method == "INVITE" && m.status.is_none());
        let invite = Message::parse(text.as_bytes()).expect("it was one");
        let to = format!("{};tag=u", invite.to);
        let mut answer = String::from("SIP/2.0 200 OK\r\n");
        for via in &invite.via {
            answer += &format!("Via: {via}\r\n");
        }
        let body = self.description();
        answer += &format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: {}\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            invite.from,
            invite.call_id,
            invite.cseq,
            self.contact(),
            body.len()
        );
        let (call_id, target) = (invite.call_id.to_owned(), invite.contact.to_owned());
        let call = Call { call_id, to: invite.from.into(), from: to, target, audio: audio(&text) };
        self.wire.send(&answer);
        self.next("an ACK", |m| m.method == "ACK");
        call
    }

    /// Ends a call.
    pub(crate) fn hangs_up(&mut self, call: &Call) {
        self.cseq += 1;
        let cseq = self.cseq;
        self.sends("BYE", call, cseq);
        self.next("the answer to BYE", |m| m.method == "BYE" && m.status == Some(200));
    }

    /// Waits until the other side ends a call.
    pub(crate) fn is_hung_up(&mut self, call: &Call) {
        let text = self.next("a BYE", |m| m.method == "BYE" && m.status.is_none());
        let bye = Message::parse(text.as_bytes()).expect("it was one");
        assert_eq!(bye.call_id, call.call_id);
        self.agrees(&bye);
    }

    /// Sends the other side of a call on to a number by REFER; how that is answered.
    pub(crate) fn refers(&mut self, call: &Call, number: &str) -> Option<u16> {
        self.cseq += 1;
        let (cseq, via) = (self.cseq, self.via_of("REFER", self.cseq));
        self.wire.send(&format!(
            "REFER {} SIP/2.0\r\n{via}From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} REFER\r\n\
             Max-Forwards: 70\r\nContact: {}\r\nRefer-To: <sip:{number}@{}>\r\n\
             Content-Length: 0\r\n\r\n",
            call.target,
            call.from,
            call.to,
            call.call_id,
            self.contact(),
            self.domain
        ));
        let answer = self.next("the answer to REFER", |m| m.method == "REFER");
        Message::parse(answer.as_bytes()).and_then(|answer| answer.status)
    }

    /// Waits until it is told what has come of its REFER in the end, and says what it was told
    /// before: `100 180 200`.
    pub(crate) fn is_told_what_came_of_it(&mut self) -> String {
        let mut all = Vec::new();
        loop {
            let text = self.next("a NOTIFY", |m| m.method == "NOTIFY" && m.status.is_none());
            let notify = Message::parse(text.as_bytes()).expect("it was one");
            let status = notify.body.split(' ').nth(1).unwrap_or_default().to_owned();
            self.agrees(&notify);
            all.push(status);
            if text.contains("Subscription-State: terminated") {
                return all.join(" ");
            }
        }
    }

    /// Answers a request with 200.
    fn agrees(&mut self, request: &Message<'_>) {
        let mut answer = String::from("SIP/2.0 200 OK\r\n");
        for via in &request.via {
            answer += &format!("Via: {via}\r\n");
        }
        answer += &format!(
            "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n",
            request.from, request.to, request.call_id, request.cseq
        );
        self.wire.send(&answer);
    }

    /// Presses a key, told by INFO.
    pub(crate) fn presses(&mut self, call: &Call, key: char) {
        self.cseq += 1;
        let (cseq, via) = (self.cseq, self.via_of("INFO", self.cseq));
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        self.wire.send(&format!(
            "INFO {} SIP/2.0\r\n{via}From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} INFO\r\n\
             Max-Forwards: 70\r\nContent-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n\
             {body}",
            call.target,
            call.from,
            call.to,
            call.call_id,
            body.len()
        ));
        self.next("the answer to INFO", |m| m.method == "INFO" && m.status == Some(200));
    }

    /// Says a tone for as long and gives what it hears meanwhile.
    pub(crate) fn talks(&self, call: &Call, tone_hz: u32, length: Duration) -> Vec<i16> {
        let mut heard = Vec::new();
        let begin = Instant::now();
        for number in 0..length.as_millis() / PACKET.as_millis() {
            let number = u16::try_from(number).expect("a short talk");
            let mut packet = vec![0x80, 8];
            packet.extend(number.to_be_bytes());
            packet.extend((u32::from(number) * 160).to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            packet.extend((0..SAMPLES).map(|at| {
                let at = f64::from(u32::from(number) * 160 + u32::try_from(at).unwrap_or(0));
                let angle = at * f64::from(tone_hz) / 8_000.0 * core::f64::consts::TAU;
                g711::encode(Codec::Pcma, (angle.sin() * 8_000.0) as i16)
            }));
            self.rtp.send_to(&packet, call.audio).expect("audio leaves");
            let next = begin + PACKET * (u32::from(number) + 1);
            while let Some(left) = next.checked_duration_since(Instant::now()) {
                let wait = left.max(Duration::from_micros(1));
                self.rtp.set_read_timeout(Some(wait)).expect("a bound");
                let mut buffer = [0; 2_048];
                let Ok((count @ 12.., from)) = self.rtp.recv_from(&mut buffer) else { continue };
                // What is left of an earlier call comes from elsewhere.
                if from != call.audio {
                    continue;
                }
                heard.extend(buffer[12..count].iter().map(|c| g711::decode(Codec::Pcma, *c)));
            }
        }
        heard
    }

    /// Sends a request, answers a challenge, gives the final answer.
    #[expect(clippy::too_many_arguments, reason = "they are the parts of a request")]
    fn asks(
        &mut self,
        method: &str,
        uri: &str,
        call_id: &str,
        from: &str,
        to: &str,
        more: &str,
        body: &str,
    ) -> String {
        let mut proof = String::new();
        loop {
            self.cseq += 1;
            let cseq = self.cseq;
            let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
            let via = self.via_of(call_id, cseq);
            let text = format!(
                "{method} {uri} SIP/2.0\r\n{via}From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
                 CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n{more}{proof}{kind}\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            self.wire.send(&text);
            let answer = self.next("a final answer", |m| {
                m.method == method && m.status.is_some_and(|status| status >= 200)
            });
            let read = Message::parse(answer.as_bytes()).expect("it was read already");
            if read.status != Some(401) && read.status != Some(407) || !proof.is_empty() {
                return answer;
            }
            if method == "INVITE" {
                let via = self.via_of(call_id, cseq);
                self.wire.send(&format!(
                    "ACK {uri} SIP/2.0\r\n{via}From: {from}\r\nTo: {}\r\nCall-ID: {call_id}\r\n\
                     CSeq: {cseq} ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                    read.to
                ));
            }
            let line = digest::answer(&read.challenges, &self.login, &self.password, method, uri);
            proof = format!("{}\r\n", line.expect("a challenge that we can answer"));
        }
    }

    /// A request inside a call.
    fn sends(&mut self, method: &str, call: &Call, cseq: u32) {
        let via = self.via_of(method, cseq);
        self.wire.send(&format!(
            "{method} {} SIP/2.0\r\n{via}From: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
             CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            call.target, call.from, call.to, call.call_id
        ));
    }

    /// The next message that is `wanted`; others are passed over.
    fn next(&mut self, what: &str, wanted: impl Fn(&Message<'_>) -> bool) -> String {
        let until = Instant::now() + BOUND;
        let mut others = Vec::new();
        while Instant::now() < until {
            let Some(text) = self.wire.receive() else { break };
            if Message::parse(text.as_bytes()).is_some_and(|m| wanted(&m)) {
                return text;
            }
            others.push(text);
        }
        panic!("no {what}, but {others:#?}");
    }

    fn via_of(&self, call_id: &str, cseq: u32) -> String {
        let host = self.host();
        let (via, unique) = (self.via, self.unique());
        format!("Via: SIP/2.0/{via} {host};rport;branch=z9hG4bK{unique}{call_id}{cseq}\r\n")
    }

    /// What no other phone of this machine has at the moment.
    fn unique(&self) -> u16 {
        self.rtp.local_addr().expect("it is bound").port()
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{};transport={}>", self.login, self.host(), self.parameter)
    }

    /// RFC 7118 5.1: a browser has no address that it could name.
    fn host(&self) -> String {
        match self.parameter {
            "ws" => "df7jal23ls0d.invalid".to_owned(),
            _ => SocketAddr::new(self.own, 5_060).to_string(),
        }
    }

    fn description(&self) -> String {
        let family = if self.own.is_ipv4() { "IP4" } else { "IP6" };
        let (own, port) = (self.own, self.rtp.local_addr().expect("it is bound").port());
        format!(
            "v=0\r\no=- 1 1 IN {family} {own}\r\ns=-\r\nc=IN {family} {own}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 8\r\na=sendrecv\r\n"
        )
    }
}

/// Where the other side wants audio; its family is that of the phone.
fn audio(text: &str) -> SocketAddr {
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let host = line("c=IN IP4 ").or_else(|| line("c=IN IP6 ")).expect("an address");
    let port = line("m=audio ").and_then(|rest| rest.split(' ').next()).expect("a port");
    SocketAddr::new(host.trim().parse().expect("an address"), port.parse().expect("a port"))
}

impl Wire {
    fn open(site: &Site, transport: &str, server: SocketAddr) -> Wire {
        if transport == "udp" {
            let socket = UdpSocket::bind((server.ip(), 0)).expect("a port");
            socket.connect(server).expect("a way to the switch");
            socket.set_read_timeout(Some(BOUND)).expect("a bound");
            return Wire::Datagrams(socket);
        }
        let stream = TcpStream::connect(server).expect("the switch listens");
        stream.set_read_timeout(Some(BOUND)).expect("a bound");
        let stream: Box<dyn Stream> = match transport {
            "tls" | "wss" => Box::new(secured(site, stream)),
            _ => Box::new(stream),
        };
        if !transport.starts_with("ws") {
            return Wire::Stream { stream, rest: Vec::new() };
        }
        let mut request = "ws://localhost/".into_client_request().expect("a request");
        let sip = "sip".parse().expect("a header's value");
        request.headers_mut().insert("Sec-WebSocket-Protocol", sip);
        let Ok((socket, _)) = tungstenite::client(request, stream) else { panic!("no WebSocket") };
        Wire::Web(Box::new(socket))
    }

    fn send(&mut self, text: &str) {
        match self {
            Wire::Datagrams(socket) => drop(socket.send(text.as_bytes()).expect("it leaves")),
            Wire::Stream { stream, .. } => {
                stream.write_all(text.as_bytes()).expect("it leaves");
                stream.flush().expect("it leaves");
            }
            Wire::Web(socket) => socket.send(text.into()).expect("it leaves"),
        }
    }

    /// One message; `None`: none in time.
    fn receive(&mut self) -> Option<String> {
        let bytes = match self {
            Wire::Datagrams(socket) => {
                let mut buffer = vec![0; 65_536];
                let length = socket.recv(&mut buffer).ok()?;
                buffer.truncate(length);
                buffer
            }
            Wire::Stream { stream, rest } => loop {
                if let Some(length) = message_length(rest) {
                    break rest.drain(..length).collect();
                }
                let mut buffer = [0; 4_096];
                let Ok(count @ 1..) = stream.read(&mut buffer) else { return None };
                rest.extend_from_slice(&buffer[..count]);
            },
            Wire::Web(socket) => match socket.read().ok()? {
                tungstenite::Message::Text(text) => text.as_bytes().to_vec(),
                tungstenite::Message::Binary(bytes) => bytes.into(),
                _ => Vec::new(),
            },
        };
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// How long the first message in a stream is, once it is whole.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let text = core::str::from_utf8(bytes).ok()?;
    let head = text.find("\r\n\r\n")? + 4;
    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length:"))?;
    let whole = head + length.trim().parse::<usize>().ok()?;
    (bytes.len() >= whole).then_some(whole)
}

/// TLS to the switch, which must be who its certificate says.
fn secured(site: &Site, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    let text = fs::read(site.certificate()).expect("the certificate");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&text).expect("PEM")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    StreamOwned::new(connection, stream)
}
