//! Phones by the thousand: they register with digest, call each other, answer, hang up.
//!
//! One thread, one epoll. Each phone is a proper SIP peer: it retransmits, repeats its ACK and
//! its 200, answers what it is asked; so what fails under load is the switch, or is reported as
//! lost by the kernel.

mod report;
mod text;
mod timers;
mod uac;
mod uas;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::demo::Demo;
use crate::message::Message;
use crate::socket::{Arrival, Socket, drops};

pub use report::{CallPlan, CallReport, RegisterReport};

use text::Phone;
use timers::{Timer, Timers};
use uac::{Call, Purpose, Transaction};
use uas::Served;

/// Sockets that the phones share: enough that the switch sees many flows, few enough to poll.
const SOCKETS: usize = 64;
/// What one datagram may hold.
const DATAGRAM: usize = 65_536;
/// Messages taken from one socket before the others have their turn.
const BATCH: usize = 32;
/// How long after the last thing happened a load is given up.
const PATIENCE: Duration = Duration::from_secs(40);

/// An audio leg of an answered call, as the phone sees it.
#[derive(Debug, Clone, Copy)]
pub struct AudioLeg {
    /// Which of the ports given to [`Phones::new`] it has.
    pub port: usize,
    /// Where the switch wants its audio.
    pub remote: SocketAddr,
}

/// All phones of a demo.
#[derive(Debug)]
pub struct Phones {
    server: SocketAddr,
    sockets: Vec<Socket>,
    epoll: Epoll,
    phones: Vec<Phone>,
    by_login: HashMap<String, usize>,
    /// Who calls whom: always inside one client, spread over all clients.
    pairs: Vec<(usize, usize)>,
    audio_ports: Vec<u16>,
    legs: Vec<AudioLeg>,
    legs_begun: usize,
    branch: u64,
    transactions: HashMap<u64, Transaction>,
    calls: Vec<Call>,
    served: HashMap<u64, Served>,
    served_by_call_id: HashMap<String, u64>,
    timers: Timers,
    buffer: Vec<u8>,
    calls_report: CallReport,
    register_report: RegisterReport,
}

impl Phones {
    /// The phones of all clients of `demo`; their audio is at `audio_ports`, taken in turn.
    pub fn new(demo: &Demo, audio_ports: Vec<u16>) -> Result<Phones> {
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let mut sockets = Vec::new();
        let mut ports = Vec::new();
        for index in 0..SOCKETS {
            let socket = Socket::bind(0)?;
            ports.push(socket.port()?);
            epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, u64::try_from(index)?))?;
            sockets.push(socket);
        }
        let mut phones = Vec::new();
        let mut pairs = Vec::new();
        for tenant in demo.all_tenants() {
            let first = phones.len();
            for account in &tenant.phones {
                let socket = phones.len() % SOCKETS;
                let port = *ports.get(socket).context("a phone without a socket")?;
                let domain = tenant.client.domain.clone();
                phones.push(Phone { account: account.clone(), domain, socket, port });
            }
            pairs.extend((0..tenant.phones.len() / 2).map(|n| (n, first + 2 * n)));
        }
        pairs.sort_unstable();
        let pairs = pairs.into_iter().map(|(_, caller)| (caller, caller + 1)).collect();
        let by_login =
            phones.iter().enumerate().map(|(n, p)| (p.account.login.clone(), n)).collect();
        let audio_ports = if audio_ports.is_empty() { vec![9] } else { audio_ports };
        Ok(Phones {
            server: demo.sip,
            sockets,
            epoll,
            phones,
            by_login,
            pairs,
            audio_ports,
            legs: Vec::new(),
            legs_begun: 0,
            branch: 0,
            transactions: HashMap::new(),
            calls: Vec::new(),
            served: HashMap::new(),
            served_by_call_id: HashMap::new(),
            timers: Timers::default(),
            buffer: vec![0; DATAGRAM],
            calls_report: CallReport::default(),
            register_report: RegisterReport::default(),
        })
    }

    /// Registers these phones once, at most `at_a_time` on their way.
    pub fn register(&mut self, which: Range<usize>, at_a_time: usize) -> Result<RegisterReport> {
        self.register_report = RegisterReport::default();
        let begin = Instant::now();
        let mut left = which.clone();
        let mut watch = Watch::new();
        loop {
            let done = self.register_report.registered + sum(&self.register_report.failed);
            while left.start - which.start < done + at_a_time
                && let Some(phone) = left.next()
            {
                self.begin_registration(phone)?;
            }
            if done == which.len() {
                break;
            }
            self.turn(Duration::from_millis(100))?;
            watch.see(done).context("registering")?;
        }
        self.register_report.elapsed = begin.elapsed();
        Ok(self.register_report.clone())
    }

    /// Carries out a plan: to the end of the last call, or to its answer where calls stay up.
    /// Calls of an earlier plan that are up stay up.
    pub fn call(&mut self, plan: &CallPlan) -> Result<CallReport> {
        if self.pairs.is_empty() {
            bail!("two phones of one client are needed for a call");
        }
        self.calls_report = CallReport::default();
        let begin = Instant::now();
        let due = |n: usize| begin + Duration::from_secs_f64(n as f64 / plan.per_second);
        self.timers.set(begin, Timer::Call);
        let mut watch = Watch::new();
        loop {
            let now = Instant::now();
            while let Some(timer) = self.timers.due(now) {
                if timer != Timer::Call {
                    self.fire(timer, now)?;
                    continue;
                }
                let number = self.calls_report.started;
                let late = now.saturating_duration_since(due(number));
                self.calls_report.late = self.calls_report.late.max(late);
                self.begin_call(plan.hold)?;
                if self.calls_report.started < plan.count {
                    self.timers.set(due(number + 1), Timer::Call);
                }
            }
            let report = &self.calls_report;
            let ended = if plan.hold.is_some() { report.completed } else { report.answered };
            let done = ended + sum(&report.failed);
            if report.started == plan.count && done >= plan.count {
                break;
            }
            watch.see(report.started + report.answered + done).context("calling")?;
            self.receive(Duration::from_millis(100))?;
        }
        self.calls_report.elapsed = begin.elapsed();
        let mut report = std::mem::take(&mut self.calls_report);
        report.setup_ns.sort_unstable();
        Ok(report)
    }

    /// Ends all calls that are up; gives how many said goodbye properly.
    pub fn hang_up(&mut self) -> Result<usize> {
        self.calls_report = CallReport::default();
        let up: Vec<usize> = (0..self.calls.len()).filter(|&n| self.is_up(n)).collect();
        for &call in &up {
            self.begin_hang_up(call)?;
            self.turn(Duration::ZERO)?;
        }
        let mut watch = Watch::new();
        while self.calls_report.completed + sum(&self.calls_report.failed) < up.len() {
            self.turn(Duration::from_millis(100))?;
            watch.see(self.calls_report.completed).context("hanging up")?;
        }
        Ok(self.calls_report.completed)
    }

    /// Audio legs of the calls that are up.
    pub fn audio_legs(&self) -> &[AudioLeg] {
        &self.legs
    }

    /// Does what is due and takes what has come, waiting at most `wait` for it.
    pub fn turn(&mut self, wait: Duration) -> Result<()> {
        let now = Instant::now();
        while let Some(timer) = self.timers.due(now) {
            if timer != Timer::Call {
                self.fire(timer, now)?;
            }
        }
        self.receive(wait)
    }

    /// Messages that the kernel dropped because the generator did not read in time.
    pub fn kernel_drops(&self) -> Result<u64> {
        let ports: Result<Vec<u16>> = self.sockets.iter().map(Socket::port).collect();
        drops(&ports?)
    }

    /// How many phones there are.
    pub fn len(&self) -> usize {
        self.phones.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.phones.is_empty()
    }

    fn receive(&mut self, wait: Duration) -> Result<()> {
        let now = Instant::now();
        let due = self.timers.next().map(|at| at.saturating_duration_since(now));
        // Rounded down: what is due within the millisecond is spun for, the core is the
        // generator's own.
        let wait = due.map_or(wait, |due| due.min(wait));
        let timeout = EpollTimeout::from(wait.as_millis().min(1000) as u16);
        let mut events = [EpollEvent::empty(); SOCKETS];
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = events
            .iter()
            .take(count)
            .try_for_each(|event| self.drain(usize::try_from(event.data())?, &mut buffer));
        self.buffer = buffer;
        result
    }

    /// Takes up to [`BATCH`] messages from one socket.
    fn drain(&mut self, index: usize, buffer: &mut [u8]) -> Result<()> {
        for _ in 0..BATCH {
            let socket = self.sockets.get_mut(index).context("an unknown socket")?;
            let Some(arrival) = socket.receive(buffer)? else { break };
            let bytes = buffer.get(..arrival.length).unwrap_or(&[]);
            self.message(bytes, &arrival, index)?;
        }
        Ok(())
    }

    fn message(&mut self, bytes: &[u8], arrival: &Arrival, socket: usize) -> Result<()> {
        // What is no SIP, keep-alives among it, is let be.
        let Some(message) = Message::parse(bytes) else { return Ok(()) };
        match message.status {
            Some(status) => self.response(&message, status, arrival),
            None => {
                self.request(&message, arrival.from, socket);
                Ok(())
            }
        }
    }

    fn fire(&mut self, timer: Timer, now: Instant) -> Result<()> {
        match timer {
            Timer::Call => Ok(()),
            Timer::HangUp(call) => self.begin_hang_up(call),
            Timer::Request(branch) => {
                self.request_again(branch, now);
                Ok(())
            }
            Timer::Answer(served) => {
                self.answer_again(served, now);
                Ok(())
            }
        }
    }

    fn send(&self, socket: usize, bytes: &[u8], to: SocketAddr) {
        if let Some(socket) = self.sockets.get(socket) {
            // A lost packet is retransmitted like any other.
            socket.send(bytes, to);
        }
    }

    /// The next audio port in turn.
    fn next_audio(&mut self) -> (usize, u16) {
        let index = self.legs_begun % self.audio_ports.len();
        self.legs_begun += 1;
        (index, self.audio_ports.get(index).copied().unwrap_or(9))
    }

    fn failed(&mut self, purpose: Purpose, why: String) {
        let failed = match purpose {
            Purpose::Register(_) => &mut self.register_report.failed,
            Purpose::Invite(_) | Purpose::Bye(_) => &mut self.calls_report.failed,
        };
        *failed.entry(why).or_default() += 1;
    }

    fn retransmitted(&mut self, purpose: Option<Purpose>) {
        match purpose {
            Some(Purpose::Register(_)) => self.register_report.retransmitted += 1,
            _ => self.calls_report.retransmitted += 1,
        }
    }
}

fn sum(failed: &std::collections::BTreeMap<String, usize>) -> usize {
    failed.values().sum()
}

/// Gives up when nothing has moved for long.
struct Watch {
    seen: usize,
    since: Instant,
}

impl Watch {
    fn new() -> Watch {
        Watch { seen: 0, since: Instant::now() }
    }

    fn see(&mut self, progress: usize) -> Result<()> {
        if progress != self.seen {
            *self = Watch { seen: progress, since: Instant::now() };
        }
        if self.since.elapsed() > PATIENCE {
            bail!("nothing has happened for {PATIENCE:?}");
        }
        Ok(())
    }
}
