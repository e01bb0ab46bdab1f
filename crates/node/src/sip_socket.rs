//! A shard's datagram socket: batches in, answers out, each from the address that was reached.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg,
    sendmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::limits;
use crate::ports::Reach;

const BATCH: usize = limits::UDP_BATCH;

/// Binds a datagram socket that shares `address` with the other shards' sockets.
pub(crate) fn bind(address: SocketAddr, reach: Reach) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(true)?;
    // The kernel gives what it may; less is no reason not to start.
    socket.set_recv_buffer_size(limits::SIP_RECEIVE_BUFFER)?;
    socket.set_send_buffer_size(limits::SIP_RECEIVE_BUFFER)?;
    reach.apply(&socket, address)?;
    if address.ip().is_unspecified() {
        if address.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
    }
    socket.bind(&SockAddr::from(address))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// One datagram, with both ends of its way.
pub(crate) struct Datagram<'a> {
    /// Our address as the peer used it.
    pub(crate) local: SocketAddr,
    /// The peer's.
    pub(crate) remote: SocketAddr,
    /// What it holds.
    pub(crate) bytes: &'a [u8],
}

/// A bound socket with its buffers. Lives in one thread.
pub(crate) struct SipSocket {
    socket: UdpSocket,
    bound: SocketAddr,
    /// Which control messages travel with a datagram: none when bound to one address.
    info: Info,
    buffers: [Box<[u8]>; BATCH],
    headers: MultiHeaders<SockaddrStorage>,
    counts: Counts,
}

/// What the socket has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Datagrams read.
    pub(crate) received: u64,
    /// Datagrams sent.
    pub(crate) sent: u64,
    /// Datagrams that the kernel did not take.
    pub(crate) unsent: u64,
}

impl core::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(all: I) -> Counts {
        all.fold(Counts::default(), |a, b| Counts {
            received: a.received + b.received,
            sent: a.sent + b.sent,
            unsent: a.unsent + b.unsent,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Info {
    None,
    V4,
    V6,
}

impl SipSocket {
    /// Takes a socket that [`bind`] has made.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<SipSocket> {
        let bound = socket.local_addr()?;
        let info = match bound {
            bound if !bound.ip().is_unspecified() => Info::None,
            SocketAddr::V4(_) => Info::V4,
            SocketAddr::V6(_) => Info::V6,
        };
        let space = match info {
            Info::None => None,
            Info::V4 => Some(nix::cmsg_space!(in_pktinfo)),
            Info::V6 => Some(nix::cmsg_space!(in6_pktinfo)),
        };
        Ok(SipSocket {
            socket,
            bound,
            info,
            buffers: core::array::from_fn(|_| {
                vec![0; limits::DATAGRAM_BYTES_MAX].into_boxed_slice()
            }),
            headers: MultiHeaders::preallocate(BATCH, space),
            counts: Counts::default(),
        })
    }

    /// Whether it is the one that datagrams from our address `local` leave from.
    pub(crate) fn serves(&self, local: SocketAddr) -> bool {
        let same_family = self.bound.is_ipv6() || local.is_ipv4();
        let wildcard = self.bound.ip().is_unspecified() && same_family;
        self.bound.port() == local.port() && (wildcard || self.bound.ip() == local.ip())
    }

    /// What it has counted.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Reads one batch without waiting; returns how many datagrams there were, at most
    /// [`limits::UDP_BATCH`].
    pub(crate) fn receive(&mut self, mut each: impl FnMut(Datagram<'_>)) -> io::Result<usize> {
        let bound = self.bound;
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = match recvmmsg(fd, &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(received) => received,
            // What the kernel reports of an earlier send, such as a port that is closed, is not
            // about this socket.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for message in received {
            count += 1;
            let Some(remote) = message.address.as_ref().and_then(address_of) else { continue };
            let local = match message.cmsgs() {
                Ok(mut infos) => infos.find_map(local_of),
                Err(_) => None,
            };
            let local = SocketAddr::new(local.unwrap_or(bound.ip()).to_canonical(), bound.port());
            // An empty datagram has no slice: a keep-alive without content.
            let bytes = message.iovs().next().unwrap_or(&[]);
            each(Datagram { local, remote, bytes });
        }
        self.counts.received += count as u64;
        Ok(count)
    }

    /// Sends a datagram from the local address `local`. What the kernel does not take is dropped
    /// and counted: datagrams are repeated by who needs them.
    pub(crate) fn send(&mut self, local: IpAddr, remote: SocketAddr, bytes: &[u8]) {
        let mut sent = self.try_send(local, remote, bytes);
        if sent.is_err() && self.info != Info::None {
            // A flow that was read back after a start may name an address that this machine has
            // no more; then any is better than none.
            let any = match remote {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            };
            sent = self.try_send(any, remote, bytes);
        }
        match sent {
            Ok(_) => self.counts.sent += 1,
            Err(_) => self.counts.unsent += 1,
        }
    }

    fn try_send(&self, local: IpAddr, remote: SocketAddr, bytes: &[u8]) -> nix::Result<usize> {
        loop {
            let sent = match self.info {
                Info::None => self
                    .socket
                    .send_to(bytes, remote)
                    .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
                Info::V4 => self.send_with(
                    &[ControlMessage::Ipv4PacketInfo(&v4_info(local))],
                    remote,
                    bytes,
                ),
                Info::V6 => self.send_with(
                    &[ControlMessage::Ipv6PacketInfo(&v6_info(local))],
                    remote,
                    bytes,
                ),
            };
            if sent != Err(Errno::EINTR) {
                return sent;
            }
        }
    }

    fn send_with(
        &self,
        control: &[ControlMessage<'_>],
        remote: SocketAddr,
        bytes: &[u8],
    ) -> nix::Result<usize> {
        let to = self.storage(remote);
        let fd = self.socket.as_raw_fd();
        sendmsg(fd, &[IoSlice::new(bytes)], control, MsgFlags::MSG_DONTWAIT, Some(&to))
    }

    /// An address as this socket's family writes it.
    fn storage(&self, remote: SocketAddr) -> SockaddrStorage {
        match (self.bound, remote) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                let mapped = v4.ip().to_ipv6_mapped();
                SockaddrStorage::from(SocketAddr::new(mapped.into(), v4.port()))
            }
            _ => SockaddrStorage::from(remote),
        }
    }
}

impl AsFd for SipSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    let v6 = storage.as_sockaddr_in6()?;
    Some(match v6.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), v6.port()),
        // The scope of a link-local address is needed to answer.
        IpAddr::V6(_) => SocketAddr::V6(std::net::SocketAddrV6::from(*v6)),
    })
}

fn local_of(control: ControlMessageOwned) -> Option<IpAddr> {
    match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into())
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into())
        }
        _ => None,
    }
}

fn v4_info(local: IpAddr) -> in_pktinfo {
    let octets = match local {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(_) => [0; 4],
    };
    let address = in_addr { s_addr: u32::from_ne_bytes(octets) };
    in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: in_addr { s_addr: 0 } }
}

fn v6_info(local: IpAddr) -> in6_pktinfo {
    let address = match local {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    in6_pktinfo { ipi6_addr: in6_addr { s6_addr: address.octets() }, ipi6_ifindex: 0 }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        super::bind(address, Reach::BothFamilies)
    }

    fn wait(socket: &impl AsFd) {
        let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(5_000u16)).unwrap(), 1, "nothing came");
    }

    fn receive_all(
        socket: &mut SipSocket,
        expected: usize,
    ) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let mut all = Vec::new();
        while all.len() < expected {
            wait(socket);
            socket.receive(|d| all.push((d.local, d.remote, d.bytes.to_vec()))).unwrap();
        }
        all
    }

    /// Binds `bound`, sends 70 datagrams to it at `reached` from `peer` and answers each.
    fn exchanges(bound: &str, reached: &str, peer: &str) {
        let mut socket = SipSocket::new(bind(bound.parse().unwrap()).unwrap()).unwrap();
        let port = socket.bound.port();
        let reached = SocketAddr::new(reached.parse().unwrap(), port);
        let peer = UdpSocket::bind(SocketAddr::new(peer.parse().unwrap(), 0)).unwrap();
        for n in 0..70u8 {
            peer.send_to(&[n; 900], reached).unwrap();
        }
        let all = receive_all(&mut socket, 70);
        for (n, (local, remote, bytes)) in all.iter().enumerate() {
            assert_eq!((*local, *remote), (reached, peer.local_addr().unwrap()));
            assert_eq!(*bytes, [u8::try_from(n).unwrap(); 900]);
            socket.send(local.ip(), *remote, bytes);
        }
        assert_eq!(socket.counts(), Counts { received: 70, sent: 70, unsent: 0 });
        let mut buffer = [0; 1_000];
        for n in 0..70u8 {
            let (length, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), (&[n; 900][..], reached), "answer {n}");
        }
    }

    #[test]
    fn a_socket_on_one_address_answers_from_it() {
        exchanges("127.0.0.1:0", "127.0.0.1", "127.0.0.1");
    }

    #[test]
    fn a_wildcard_socket_answers_from_the_address_that_was_reached() {
        exchanges("0.0.0.0:0", "127.0.0.7", "127.0.0.1");
    }

    #[test]
    fn a_dual_stack_socket_serves_both_families() {
        exchanges("[::]:0", "127.0.0.9", "127.0.0.1");
        exchanges("[::]:0", "::1", "::1");
    }

    #[test]
    fn datagrams_to_several_local_addresses_are_answered_each_from_its_own() {
        let mut socket = SipSocket::new(bind("0.0.0.0:0".parse().unwrap()).unwrap()).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let ends: Vec<SocketAddr> =
            (1..=4u8).map(|n| SocketAddr::from(([127, 0, 0, n], socket.bound.port()))).collect();
        for local in &ends {
            socket.send(local.ip(), peer.local_addr().unwrap(), &[1, 2]);
        }
        let mut buffer = [0; 16];
        let from: Vec<_> = ends.iter().map(|_| peer.recv_from(&mut buffer).unwrap().1).collect();
        assert_eq!(from, ends);
    }

    #[test]
    fn an_answer_from_an_address_that_the_machine_has_no_more_leaves_from_another() {
        for bound in ["0.0.0.0:0", "[::]:0"] {
            let mut socket = SipSocket::new(bind(bound.parse().unwrap()).unwrap()).unwrap();
            let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send("192.0.2.77".parse().unwrap(), peer.local_addr().unwrap(), &[1]);
            let (_, from) = peer.recv_from(&mut [0; 8]).unwrap();
            assert_eq!(from, SocketAddr::from(([127, 0, 0, 1], socket.bound.port())));
        }
    }

    #[test]
    fn what_cannot_be_sent_is_counted_and_the_rest_goes_out() {
        let mut socket = SipSocket::new(bind("127.0.0.1:0".parse().unwrap()).unwrap()).unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (local, to) = (socket.bound.ip(), peer.local_addr().unwrap());
        socket.send(local, to, &[1]);
        // A loopback socket has no way to the outside.
        socket.send(local, "192.0.2.1:5060".parse().unwrap(), &[2]);
        socket.send(local, to, &[3]);
        let mut buffer = [0; 16];
        assert_eq!(
            [1, 3].map(|_| {
                peer.recv(&mut buffer).unwrap();
                buffer[0]
            }),
            [1, 3]
        );
        assert_eq!(socket.counts(), Counts { received: 0, sent: 2, unsent: 1 });
    }

    #[test]
    fn the_shards_sockets_share_an_address() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        bind(first.local_addr().unwrap()).unwrap();
    }

    #[test]
    fn a_flow_finds_the_socket_of_its_local_address() {
        let socket = |bound: &str| SipSocket::new(bind(bound.parse().unwrap()).unwrap()).unwrap();
        for (bound, local, serves) in [
            ("127.0.0.1:0", "127.0.0.1", true),
            ("127.0.0.1:0", "127.0.0.2", false),
            ("0.0.0.0:0", "127.0.0.2", true),
            ("0.0.0.0:0", "::1", false),
            ("[::]:0", "127.0.0.2", true),
            ("[::]:0", "2001:db8::1", true),
        ] {
            let socket = socket(bound);
            let local = SocketAddr::new(local.parse().unwrap(), socket.bound.port());
            assert_eq!(socket.serves(local), serves, "{bound} {local}");
            let other = SocketAddr::new(local.ip(), local.port() ^ 1);
            assert!(!socket.serves(other), "another port");
        }
    }
}
