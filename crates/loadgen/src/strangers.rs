//! Strangers: they flood, guess passwords and send rubbish, from as many addresses as are wanted.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::{Domain, Type};

/// What strangers send.
#[derive(Debug, Clone)]
pub enum Salvo {
    /// Requests with these methods in turn, each new.
    Requests(Vec<&'static str>),
    /// REGISTERs for this login with wrong passwords.
    Guesses {
        /// The login.
        login: String,
        /// The realm that was challenged.
        realm: String,
    },
    /// These messages, mutated.
    Mutations(Vec<Vec<u8>>),
}

/// Who sends how much of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub salvo: Salvo,
    /// Where from, on the loopback network; one datagram from each in turn.
    pub sources: Vec<Ipv4Addr>,
    /// Datagrams.
    pub count: u64,
    /// Datagrams a second.
    pub per_second: u64,
    /// Decides all mutations.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Datagrams that left.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Datagrams that came back.
    pub answers: u64,
    /// Their bytes.
    pub answer_bytes: u64,
    /// The most of them within one second of the run.
    pub answers_busiest_second: u64,
    /// When the last one came, since the begin.
    pub last_answer: Duration,
    /// How long it took.
    pub elapsed: Duration,
}

/// `count` addresses of 127.9.0.0/16 and on, which no phone has.
pub fn sources(count: u32) -> Vec<Ipv4Addr> {
    let first = u32::from(Ipv4Addr::new(127, 9, 0, 1));
    (0..count).map(|n| Ipv4Addr::from(first + n)).collect()
}

/// Carries out a plan; waits a moment for the last answers.
pub fn run(plan: &Plan) -> Result<Report> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut sockets = Vec::new();
    for (index, source) in plan.sources.iter().enumerate() {
        let socket = UdpSocket::bind((*source, 0)).context("cannot bind a stranger")?;
        socket.set_nonblocking(true)?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::try_from(index)?);
        epoll.add(socket.as_fd(), event)?;
        sockets.push(socket);
    }
    let mut report = Report::default();
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    let mut dice = Dice::new(plan.seed);
    let mut buffer = vec![0; 65_536];
    let mut events = vec![EpollEvent::empty(); 64];
    let begin = Instant::now();
    let linger = Duration::from_millis(700);
    let mut end = None;
    loop {
        let passed = begin.elapsed();
        let due = u64::try_from(passed.as_micros() * u128::from(plan.per_second) / 1_000_000)?;
        for _ in 0..64 {
            if report.sent >= due.min(plan.count) {
                break;
            }
            let at = usize::try_from(report.sent)? % sockets.len().max(1);
            let socket = sockets.get(at).context("a stranger without a socket")?;
            let bytes = plan.salvo.message(report.sent, &mut dice);
            // What the kernel does not take is lost, as on any network.
            let _ = socket.send_to(&bytes, plan.to);
            report.sent += 1;
            report.sent_bytes += u64::try_from(bytes.len())?;
        }
        if report.sent >= plan.count {
            let end = *end.get_or_insert_with(|| Instant::now() + linger);
            if Instant::now() > end {
                break;
            }
        }
        let behind = report.sent < due.min(plan.count);
        let wait = if behind { EpollTimeout::ZERO } else { EpollTimeout::from(1u8) };
        let ready = epoll.wait(&mut events, wait).unwrap_or(0);
        for event in events.iter().take(ready) {
            let Some(socket) = sockets.get(usize::try_from(event.data())?) else { continue };
            while let Ok((length, _)) = socket.recv_from(&mut buffer) {
                report.answers += 1;
                report.answer_bytes += u64::try_from(length)?;
                report.last_answer = begin.elapsed();
                *seconds.entry(report.last_answer.as_secs()).or_default() += 1;
            }
        }
    }
    report.elapsed = begin.elapsed();
    report.answers_busiest_second = seconds.into_values().max().unwrap_or(0);
    Ok(report)
}

impl Salvo {
    fn message(&self, number: u64, dice: &mut Dice) -> Vec<u8> {
        match self {
            Salvo::Requests(methods) => {
                let at = usize::try_from(number).unwrap_or(0) % methods.len().max(1);
                request(methods.get(at).copied().unwrap_or("INVITE"), "100", number, "")
            }
            Salvo::Guesses { login, realm } => {
                let more = format!(
                    "Authorization: Digest username=\"{login}\", realm=\"{realm}\", \
                     nonce=\"AAAAAAAAAAAAAAAAAAAAAAAA\", uri=\"sip:demo.example\", \
                     response=\"{number:032x}\", algorithm=MD5, qop=auth, nc=00000001, \
                     cnonce=\"c0ffee\"\r\n"
                );
                request("REGISTER", login, number, &more)
            }
            Salvo::Mutations(corpus) => {
                let at = dice.below(corpus.len());
                let mut bytes = corpus.get(at).cloned().unwrap_or_default();
                mutate(&mut bytes, corpus, dice);
                bytes
            }
        }
    }
}

/// A TCP connection from an address of our choice.
pub fn connect(source: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect_timeout(&to.into(), Duration::from_secs(5))?;
    Ok(socket.into())
}

/// A request as a phone would send it; `more` are whole lines.
pub fn request(method: &str, user: &str, number: u64, more: &str) -> Vec<u8> {
    format!(
        "{method} sip:demo.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.9.0.1:5060;branch=z9hG4bKst{number};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@demo.example>;tag=st{number}\r\nTo: <sip:{user}@demo.example>\r\n\
         Call-ID: stranger-{number}@127.9.0.1\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:{user}@127.9.0.1:5060>\r\nUser-Agent: friendly-scanner\r\n{more}\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// Pieces that parsers trip over.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r\n ",
    "\r\n\r\n",
    "\0",
    ";",
    ",",
    ":",
    "<",
    ">",
    "\"",
    "\\",
    "=",
    "@",
    "%00",
    "%zz",
    "[",
    "]",
    "[::1]",
    "(",
    "?",
    "*",
    "-1",
    "4294967296",
    "99999999999999999999",
    "\u{e9}",
    "SIP/2.0",
    "SIP/3.0",
    "Via: ",
    "v:",
    ";tag=",
    ";branch=z9hG4bK",
    ";rport",
    "sip:",
    "tel:",
    "Content-Length: ",
    "\r\nl: 5\r\n",
    "Authorization: Digest ",
    "m=audio 1 RTP/AVP 0\r\n",
];

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let from = dice.below(bytes.len() + 1);
        let to = (from + dice.below(12)).min(bytes.len());
        let piece = PIECES.get(dice.below(PIECES.len())).copied().unwrap_or("");
        match dice.below(6) {
            0 => {
                let any = (dice.bits() & 0xff) as u8;
                bytes.splice(from..to.min(from + 1), [any]);
            }
            1 => drop(bytes.drain(from..to)),
            2 => drop(bytes.splice(from..from, piece.bytes())),
            3 => drop(bytes.splice(from..to, piece.bytes())),
            4 => {
                let copy = bytes.get(from..to).unwrap_or(&[]).to_vec();
                let there = dice.below(bytes.len() + 1);
                bytes.splice(there..there, copy);
            }
            _ => {
                let other = others.get(dice.below(others.len()));
                let other = other.map_or(&[][..], |other| other.as_slice());
                bytes.truncate(from);
                bytes.extend_from_slice(other.get(dice.below(other.len() + 1)..).unwrap_or(&[]));
            }
        }
    }
    bytes.truncate(60_000);
}

/// Numbers that a seed decides (SplitMix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.bits() % bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_row_of_mutations_and_another_another() {
        let salvo = Salvo::Mutations(vec![request("INVITE", "a", 1, ""), b"SIP/2.0 200".to_vec()]);
        let row = |seed| {
            let mut dice = Dice::new(seed);
            (0..200).map(|n| salvo.message(n, &mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
        assert!(row(1).iter().any(|m| *m != request("INVITE", "a", 1, "")));
    }

    #[test]
    fn answers_are_counted_with_their_bytes() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = server.local_addr().unwrap();
        let echo = std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            for _ in 0..30 {
                let (_, from) = server.recv_from(&mut buffer).unwrap();
                server.send_to(b"1234", from).unwrap();
            }
        });
        let salvo = Salvo::Requests(vec!["INVITE", "OPTIONS"]);
        let plan = Plan { to, salvo, sources: sources(3), count: 30, per_second: 3_000, seed: 1 };
        let report = run(&plan).unwrap();
        echo.join().unwrap();
        assert_eq!((report.sent, report.answers, report.answer_bytes), (30, 30, 120));
        assert!(report.answers_busiest_second >= 15);
    }
}
