//! UDP sockets that say when the kernel took a packet in.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// Asked of the kernel; it gives what its limit allows.
const BUFFER_BYTES: usize = 4 << 20;

/// A socket on the loopback address that never blocks.
#[derive(Debug)]
pub struct Socket {
    socket: UdpSocket,
    control: Vec<u8>,
}

/// A packet that came in.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Its length.
    pub length: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// When the kernel took it in, nanoseconds of the wall clock.
    pub time_ns: u64,
}

impl Socket {
    /// Binds a free port, or the given one.
    pub fn bind(port: u16) -> Result<Socket> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).context("cannot bind")?;
        socket.set_nonblocking(true)?;
        let reference = socket2::SockRef::from(&socket);
        reference.set_recv_buffer_size(BUFFER_BYTES)?;
        reference.set_send_buffer_size(BUFFER_BYTES)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).context("SO_TIMESTAMPNS")?;
        Ok(Socket { socket, control: nix::cmsg_space!(TimeSpec) })
    }

    /// Its port.
    pub fn port(&self) -> Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Sends one packet. A full buffer or a peer that is gone is a lost packet, as on any network.
    pub fn send(&self, bytes: &[u8], to: SocketAddr) -> bool {
        let SocketAddr::V4(to) = to else { return false };
        let to = SockaddrIn::from(to);
        let slices = [IoSlice::new(bytes)];
        let fd = self.socket.as_raw_fd();
        sendmsg(fd, &slices, &[], MsgFlags::empty(), Some(&to)).is_ok()
    }

    /// Takes one packet, if there is one.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<Arrival>> {
        loop {
            let mut slices = [IoSliceMut::new(buffer)];
            let fd = self.socket.as_raw_fd();
            let control = Some(self.control.as_mut_slice());
            let got = recvmsg::<SockaddrIn>(fd, &mut slices, control, MsgFlags::empty());
            let message = match got {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(None),
                // What an ICMP error leaves behind: some peer's port is closed.
                Err(Errno::ECONNREFUSED | Errno::EINTR) => continue,
                Err(error) => return Err(error).context("cannot receive"),
            };
            let from = message.address.map(SocketAddrV4::from).context("a packet from nowhere")?;
            let stamp = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(time) => Some(nanoseconds(time)),
                _ => None,
            });
            let time_ns = stamp.unwrap_or_else(wall_ns);
            return Ok(Some(Arrival { length: message.bytes, from: from.into(), time_ns }));
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The wall clock in nanoseconds: the clock of the kernel's stamps.
pub fn wall_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, nanoseconds)
}

fn nanoseconds(time: TimeSpec) -> u64 {
    u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX)
}

/// Packets that the kernel dropped because nobody read the sockets on these ports in time.
pub fn drops(ports: &[u16]) -> Result<u64> {
    let table = std::fs::read_to_string("/proc/net/udp").context("/proc/net/udp")?;
    Ok(table.lines().skip(1).filter_map(|line| drops_of(line, ports)).sum())
}

fn drops_of(line: &str, ports: &[u16]) -> Option<u64> {
    let mut words = line.split_whitespace();
    let port = words.nth(1)?.rsplit_once(':')?.1;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !ports.contains(&port) {
        return None;
    }
    words.last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_arrives_with_the_kernels_stamp() {
        let (a, mut b) = (Socket::bind(0).unwrap(), Socket::bind(0).unwrap());
        let before = wall_ns();
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, b.port().unwrap()));
        assert!(a.send(b"hello", to));
        let mut buffer = [0; 100];
        let arrival = b.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[..arrival.length], b"hello");
        assert_eq!(arrival.from.port(), a.port().unwrap());
        assert!((before..=wall_ns()).contains(&arrival.time_ns));
        assert!(b.receive(&mut buffer).unwrap().is_none());
    }

    #[test]
    fn drops_are_read_from_the_kernels_table() {
        let line = "  12: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000 \
                    0 0 31 2 0000000000000000 77";
        assert_eq!(drops_of(line, &[0x13c4]), Some(77));
        assert_eq!(drops_of(line, &[1]), None);
    }
}
