//! What the machine itself costs: the least that any program pays, measured in the same run.
//!
//! A shared machine is twice as fast in one hour as in the next, and stops for milliseconds. What
//! was measured beside these moves with them.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use loadgen::relay::Relay;
use loadgen::responder::Responder;
use loadgen::{RtpReport, Streams, usage};

use super::place::Place;

/// CPU of a packet through a bare relay, us, on the machine where the goals were taken.
pub(super) const PACKET_US: f64 = 7.0;

/// A relay that looks at nothing, in a process of its own, on the core of the switch.
#[derive(Debug)]
pub(super) struct BareRelay {
    relay: Relay,
    legs: Vec<(usize, SocketAddr)>,
}

impl BareRelay {
    /// Relays between `legs` legs, two by two, whose packets come from the sockets of `streams`.
    pub(super) fn start(place: &Place, streams: &Streams, legs: usize) -> Result<BareRelay> {
        let sockets = streams.ports().len();
        let peers: Option<Vec<u16>> =
            (0..legs).map(|leg| streams.ports().get(leg % sockets).copied()).collect();
        let relay = place.relay(&peers.context("the generator's ports")?)?;
        let legs = relay.legs.iter().enumerate().map(|(leg, &to)| (leg % sockets, to)).collect();
        Ok(BareRelay { relay, legs })
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

/// How fast the machine is: the CPU of a bare relay's packet, us, taken several times.
#[derive(Debug)]
pub(super) struct Speed {
    relay: BareRelay,
    streams: Streams,
    cpu: Duration,
    packets: u64,
}

impl Speed {
    pub(super) fn new(place: &Place) -> Result<Speed> {
        let streams = Streams::new(16)?;
        let relay = BareRelay::start(place, &streams, 600)?;
        Ok(Speed { relay, streams, cpu: Duration::ZERO, packets: 0 })
    }

    /// Relays for this long.
    pub(super) fn take(&mut self, length: Duration) -> Result<()> {
        let (cpu, report) = self.relay.run(&mut self.streams, length, || Ok(()))?;
        self.cpu += cpu;
        self.packets += report.received;
        Ok(())
    }

    /// CPU of a packet, us, over all that was taken.
    pub(super) fn packet_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.packets.max(1) as f64
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

    /// CPU time that it has used so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.responder.process.pid())
    }

    /// Where it is called.
    pub(super) fn address(&self) -> SocketAddr {
        self.responder.address
    }
}
