//! A bare relay: what any RTP relay with one connected socket per leg costs at the least.
//!
//! Measured beside the switch in the same run, with the same packets, it turns figures of one
//! machine into a ratio that holds on others.

use std::io::{BufRead as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::process::Process;

/// Marks standard input among the sockets.
const INPUT: u64 = u64::MAX;

/// A relay in a process of its own.
#[derive(Debug)]
pub struct Relay {
    /// The process; it ends when this is dropped.
    pub process: Process,
    /// Where leg `i` wants its packets; legs 2n and 2n+1 hear each other.
    pub legs: Vec<SocketAddr>,
}

impl Relay {
    /// Starts `program words.. PEERS`, which must call [`serve`] with the peers: leg `i` sends to
    /// the loopback port `peers[i]`.
    pub fn start(program: &Path, words: &[&str], peers: &[u16], core: usize) -> Result<Relay> {
        let mut command = Command::new(program);
        command.args(words);
        command.arg(peers.iter().map(u16::to_string).collect::<Vec<_>>().join(","));
        let mut process = Process::start(command, Some(core))?;
        let legs = process.line(Duration::from_secs(30), "its ports", |line| {
            let ports = line.strip_prefix("ports ")?.split(',');
            ports.map(|port| Some(loopback(port.parse().ok()?))).collect::<Option<Vec<_>>>()
        })?;
        Ok(Relay { process, legs })
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The relay itself: says its ports on standard output, then relays until its standard input is
/// closed. `peers` are loopback ports with commas between.
pub fn serve(peers: &str) -> Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut legs = Vec::new();
    for peer in peers.split(',') {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(loopback(peer.parse().context("a peer's port")?))?;
        let index = u64::try_from(legs.len())?;
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index))?;
        legs.push(socket);
    }
    let input = std::io::stdin().lock();
    epoll.add(input.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, INPUT))?;
    let ports: std::io::Result<Vec<String>> =
        legs.iter().map(|leg| leg.local_addr().map(|own| own.port().to_string())).collect();
    println!("ports {}", ports?.join(","));
    std::io::stdout().flush()?;
    relay(&epoll, &legs, input)
}

fn relay(epoll: &Epoll, legs: &[UdpSocket], mut input: std::io::StdinLock<'_>) -> Result<()> {
    let mut events = [EpollEvent::empty(); 256];
    let mut buffer = [0; 2048];
    loop {
        let count = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in events.iter().take(count) {
            if event.data() == INPUT {
                if input.fill_buf()?.is_empty() {
                    return Ok(());
                }
                continue;
            }
            let index = usize::try_from(event.data())?;
            let (Some(from), Some(to)) = (legs.get(index), legs.get(index ^ 1)) else { continue };
            // One packet each time: asking again until the socket is empty would cost a call.
            if let Ok(length) = from.recv(&mut buffer) {
                let packet = buffer.get(..length).unwrap_or(&[]);
                // A full buffer or a peer that is gone is a lost packet, as on any network.
                let _ = to.send(packet);
            }
        }
    }
}
