//! What the machine itself costs: the least that any program pays, measured in the same run.
//!
//! A shared machine is twice as fast in one hour as in the next, and stops for milliseconds. What
//! was measured beside these moves with them.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use loadgen::relay::Relay;
use loadgen::responder::Responder;
use loadgen::{CallPlan, CallReport, Demo, Phones, RtpReport, Streams, usage};

use super::place::Place;

/// A relay that looks at nothing, in a process of its own, on the core of the switch.
#[derive(Debug)]
pub(super) struct BareLegs {
    relay: Relay,
    legs: Vec<(usize, SocketAddr)>,
}

impl BareLegs {
    /// Relays between `legs` legs, two by two, whose packets come from the sockets of `streams`.
    pub(super) fn start(place: &Place, streams: &Streams, legs: usize) -> Result<BareLegs> {
        let sockets = streams.ports().len();
        let peers: Option<Vec<u16>> =
            (0..legs).map(|leg| streams.ports().get(leg % sockets).copied()).collect();
        let relay = place.relay(&peers.context("the generator's ports")?)?;
        let legs = relay.legs.iter().enumerate().map(|(leg, &to)| (leg % sockets, to)).collect();
        Ok(BareLegs { relay, legs })
    }

    /// CPU time that it took for the packets of this time, and how they fared.
    pub(super) fn run(
        &self,
        streams: &mut Streams,
        length: Duration,
        meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<(Duration, RtpReport)> {
        let pid = self.relay.process.pid();
        let before = usage::cpu(pid)?;
        let report = streams.run(&self.legs, length, meanwhile)?;
        Ok((usage::cpu(pid)? - before, report))
    }
}

/// The cost of a packet of 300 calls through a bare relay.
#[derive(Debug)]
pub(super) struct BareRelay {
    legs: BareLegs,
    streams: Streams,
    cpu: Duration,
    packets: u64,
}

impl BareRelay {
    pub(super) fn start(place: &Place) -> Result<BareRelay> {
        let streams = Streams::new(16)?;
        let legs = BareLegs::start(place, &streams, 600)?;
        Ok(BareRelay { legs, streams, cpu: Duration::ZERO, packets: 0 })
    }

    /// Relays for this long.
    pub(super) fn take(&mut self, length: Duration) -> Result<()> {
        let (cpu, report) = self.legs.run(&mut self.streams, length, || Ok(()))?;
        self.cpu += cpu;
        self.packets += report.received;
        Ok(())
    }

    /// CPU of a packet, us, over all that was taken.
    pub(super) fn packet_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.packets.max(1) as f64
    }
}

/// The cost of a call with a program that answers and keeps nothing.
#[derive(Debug)]
pub(super) struct BareLoop {
    answers: Answers,
    phones: Phones,
    cpu: Duration,
    calls: usize,
}

impl BareLoop {
    /// The phones of `demo` will call it.
    pub(super) fn start(place: &Place, demo: &Demo) -> Result<BareLoop> {
        let answers = Answers::start(place)?;
        let demo = Demo { sip: answers.responder.address, ..demo.clone() };
        let phones = Phones::new(&demo, Vec::new())?;
        Ok(BareLoop { answers, phones, cpu: Duration::ZERO, calls: 0 })
    }

    /// Calls for this long.
    pub(super) fn take(&mut self, per_second: f64, hold: Duration, length: Duration) -> Result<()> {
        let pid = self.answers.responder.process.pid();
        let before = usage::cpu(pid)?;
        let report = self.call(per_second, hold, length)?;
        self.cpu += usage::cpu(pid)? - before;
        self.calls += report.answered;
        Ok(())
    }

    /// Calls for this long, which do not count as taken.
    pub(super) fn call(
        &mut self,
        per_second: f64,
        hold: Duration,
        length: Duration,
    ) -> Result<CallReport> {
        let count = (per_second * length.as_secs_f64()).ceil() as usize;
        let report = self.phones.call(&CallPlan { count, per_second, hold: Some(hold) })?;
        ensure!(report.failed.is_empty(), "calls failed: {:?}", report.failed);
        Ok(report)
    }

    /// CPU of a call, ms, over all that was taken.
    pub(super) fn call_ms(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.calls.max(1) as f64
    }
}

/// A process on the switch's core that answers a datagram at once.
#[derive(Debug)]
pub(super) struct Answers {
    responder: Responder,
    socket: UdpSocket,
}

impl Answers {
    pub(super) fn start(place: &Place) -> Result<Answers> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Answers { responder: place.responder()?, socket })
    }

    /// From the first question to the second answer.
    pub(super) fn pair(&self) -> Result<Duration> {
        let question = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\r\n\
                        From: <sip:b>;tag=1\r\nTo: <sip:a>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\
                        Content-Length: 0\r\n\r\n";
        let begun = Instant::now();
        for _ in 0..2 {
            self.socket.send_to(question.as_bytes(), self.responder.address)?;
            self.socket.recv(&mut [0; 2_048]).context("the responder is silent")?;
        }
        Ok(begun.elapsed())
    }
}
