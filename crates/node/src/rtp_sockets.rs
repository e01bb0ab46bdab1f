//! The RTP and RTCP sockets: bound at the start, deaf until they are used, and again as soon as
//! somebody speaks to one of which a call is over.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::limits;

/// The sockets of one slice of ports, by port.
pub(crate) struct RtpSockets {
    first: u16,
    sockets: Vec<RtpSocket>,
}

/// One bound socket.
pub(crate) struct RtpSocket {
    socket: UdpSocket,
    bound: SocketAddr,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Connected to itself, so that the kernel drops what strangers send: ten thousand unread
    /// sockets would hold gigabytes of it.
    Deaf,
    /// Of no call, and not deaf yet: most phones fall silent with the call, so that the kernel need
    /// not be asked twice for each.
    Idle,
    /// Takes from and sends to any address.
    Open,
    /// Takes from and sends to one address.
    Connected,
}

/// A port of the range cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("port {port} of the range cannot be bound")]
pub(crate) struct PortTaken {
    /// Which.
    pub(crate) port: u16,
    /// Why.
    #[source]
    pub(crate) source: io::Error,
}

/// Cuts a range into pairs of an even and the next port, the same number for each of `shards`.
/// `None`: not two pairs for each.
pub(crate) fn slices(
    range: &RangeInclusive<u16>,
    shards: usize,
) -> Option<Vec<RangeInclusive<u16>>> {
    let first = u32::from(*range.start()).next_multiple_of(2);
    let pairs = (u32::from(*range.end()) + 1).saturating_sub(first) / 2;
    let per_shard = pairs / u32::try_from(shards).ok()?.max(1);
    if per_shard < 2 {
        return None;
    }
    (0..u32::try_from(shards).ok()?)
        .map(|shard| {
            let begin = first + shard * per_shard * 2;
            Some(u16::try_from(begin).ok()?..=u16::try_from(begin + per_shard * 2 - 1).ok()?)
        })
        .collect()
}

impl RtpSockets {
    /// Binds all ports of a slice at `address`.
    pub(crate) fn bind(address: IpAddr, ports: RangeInclusive<u16>) -> Result<Self, PortTaken> {
        let first = *ports.start();
        let sockets = ports
            .map(|port| {
                RtpSocket::bind(SocketAddr::new(address, port))
                    .map_err(|source| PortTaken { port, source })
            })
            .collect::<Result<_, _>>()?;
        Ok(RtpSockets { first, sockets })
    }

    /// The socket of a port.
    pub(crate) fn at(&mut self, port: u16) -> Option<&mut RtpSocket> {
        self.sockets.get_mut(usize::from(port.checked_sub(self.first)?))
    }
}

impl RtpSocket {
    fn bind(address: SocketAddr) -> io::Result<RtpSocket> {
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_recv_buffer_size(limits::RTP_RECEIVE_BUFFER)?;
        socket.bind(&SockAddr::from(address))?;
        let socket: UdpSocket = socket.into();
        let bound = socket.local_addr()?;
        let socket = RtpSocket { socket, bound, state: State::Deaf };
        socket.connect_to_itself()?;
        Ok(socket)
    }

    /// The socket, to wait on.
    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Whether it is of a call.
    pub(crate) fn is_used(&self) -> bool {
        matches!(self.state, State::Open | State::Connected)
    }

    /// Begins to listen to anybody. What waits already belongs to nobody.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        if self.state == State::Deaf {
            rustix::net::connect_unspec(&self.socket)?;
        }
        self.drain();
        self.state = State::Open;
        Ok(())
    }

    /// Listens to one address only. What waits from others is still read: look at its source.
    pub(crate) fn connect(&mut self, to: SocketAddr) -> io::Result<()> {
        self.socket.connect(self.in_family(to))?;
        self.state = State::Connected;
        Ok(())
    }

    /// Listens to anybody again. What waits is of the source that counts no more.
    pub(crate) fn disconnect(&mut self) -> io::Result<()> {
        self.drain();
        rustix::net::connect_unspec(&self.socket)?;
        self.state = State::Open;
        Ok(())
    }

    /// Belongs to no call any more. What waits, and what comes, is left to who waits on the socket
    /// and [`RtpSocket::falls_deaf`] then, or to the next [`RtpSocket::open`].
    pub(crate) fn close(&mut self) -> io::Result<()> {
        // A connection has narrowed a socket that was bound to every address to one of them.
        let was = core::mem::replace(&mut self.state, State::Idle);
        if was == State::Connected {
            rustix::net::connect_unspec(&self.socket)?;
        }
        Ok(())
    }

    /// Somebody speaks to a socket that is of no call: from here on nobody is listened to, and what
    /// was said is thrown away.
    pub(crate) fn falls_deaf(&mut self) -> io::Result<()> {
        if self.state == State::Idle {
            self.connect_to_itself()?;
            self.state = State::Deaf;
        }
        self.drain();
        Ok(())
    }

    /// Reads one datagram; `None`: nothing waits.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        match self.socket.recv_from(buffer) {
            Ok((length, from)) => Ok(Some((length, crate::streams::canonical(from)))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends one datagram.
    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        match self.state {
            // Without an address the kernel need not look for the way each time.
            State::Connected => self.socket.send(bytes)?,
            State::Open | State::Idle | State::Deaf => {
                self.socket.send_to(bytes, self.in_family(to))?
            }
        };
        Ok(())
    }

    /// Throws away what waits.
    fn drain(&self) {
        for _ in 0..limits::RTP_DRAIN_MAX {
            match self.socket.recv(&mut []) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The report of an earlier send; what waits comes after it.
                Err(_) => {}
            }
        }
    }

    fn connect_to_itself(&self) -> io::Result<()> {
        let ip = match self.bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        self.socket.connect(SocketAddr::new(ip, self.bound.port()))
    }

    /// An address as this socket's family writes it.
    fn in_family(&self, to: SocketAddr) -> SocketAddr {
        match (self.bound, to) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => to,
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    use super::*;

    /// A socket on a free port. It is named, as those of a range are: one that the kernel has
    /// chosen would be given back with the connection.
    fn socket(address: &str) -> RtpSocket {
        let any = SocketAddr::new(address.parse().unwrap(), 0);
        let free = || UdpSocket::bind(any).unwrap().local_addr().unwrap();
        let sockets = core::iter::repeat_with(|| RtpSocket::bind(free()));
        sockets.take(100).find_map(Result::ok).unwrap()
    }

    fn port(socket: &RtpSocket) -> u16 {
        socket.bound.port()
    }

    fn peer() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").unwrap()
    }

    fn next(socket: &RtpSocket, wait: PollTimeout) -> Option<(Vec<u8>, SocketAddr)> {
        let mut fds = [PollFd::new(socket.socket().as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, wait).unwrap();
        let mut buffer = [0; 64];
        let (length, from) = socket.receive(&mut buffer).ok()??;
        Some((buffer[..length].to_vec(), from))
    }

    fn is_reported(socket: &RtpSocket) -> bool {
        let mut fds = [PollFd::new(socket.socket().as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
    }

    /// Lets both speak, then takes what is expected and looks whether there is more.
    fn hears(socket: &RtpSocket, peers: [&UdpSocket; 2], expected: &[&str]) {
        let to = SocketAddr::from(([127, 0, 0, 1], port(socket)));
        for (peer, word) in peers.iter().zip(["stranger", "friend"]) {
            // A deaf port answers "refused", which the sender's next call reports.
            let _ =
                peer.send_to(word.as_bytes(), to).or_else(|_| peer.send_to(word.as_bytes(), to));
        }
        for word in expected {
            let (bytes, from) = next(socket, PollTimeout::from(5_000u16)).expect("heard in time");
            assert_eq!(bytes, word.as_bytes());
            assert!(peers.iter().any(|peer| peer.local_addr().unwrap() == from));
        }
        assert_eq!(next(socket, PollTimeout::ZERO), None);
    }

    #[test]
    fn a_socket_hears_nobody_then_anybody_then_one_then_anybody_and_falls_deaf() {
        for address in ["127.0.0.1", "0.0.0.0", "::"] {
            let mut socket = socket(address);
            let number = port(&socket);
            let (friend, stranger) = (peer(), peer());
            let both = [&stranger, &friend];
            hears(&socket, both, &[]);
            socket.open().unwrap();
            hears(&socket, both, &["stranger", "friend"]);
            socket.connect(friend.local_addr().unwrap()).unwrap();
            hears(&socket, both, &["friend"]);
            socket.disconnect().unwrap();
            assert_eq!(socket.socket().local_addr().unwrap().port(), number);
            hears(&socket, both, &["stranger", "friend"]);
            socket.close().unwrap();
            hears(&socket, both, &["stranger", "friend"]);
            socket.falls_deaf().unwrap();
            hears(&socket, both, &[]);
            socket.open().unwrap();
            hears(&socket, both, &["stranger", "friend"]);
            socket.connect(friend.local_addr().unwrap()).unwrap();
            socket.close().unwrap();
            socket.open().unwrap();
            hears(&socket, both, &["stranger", "friend"]);
        }
    }

    #[test]
    fn what_came_to_a_call_that_is_over_is_thrown_away() {
        let mut socket = socket("127.0.0.1");
        let to = SocketAddr::from(([127, 0, 0, 1], port(&socket)));
        let late = peer();
        socket.open().unwrap();
        late.send_to(b"late", to).unwrap();
        socket.close().unwrap();
        assert!(!socket.is_used());
        // The kernel reports the socket, since something waits in it.
        assert!(is_reported(&socket));
        socket.falls_deaf().unwrap();
        assert!(!is_reported(&socket), "it would be reported for ever");
        // Who goes on is not heard: an unread socket would fill up.
        let _ = late.send_to(b"later", to);
        assert!(!is_reported(&socket));
        socket.open().unwrap();
        late.send_to(b"again", to).or_else(|_| late.send_to(b"again", to)).unwrap();
        assert_eq!(next(&socket, PollTimeout::from(5_000u16)).unwrap().0, b"again");
    }

    /// What comes to a socket after its call belongs to nobody, also when the next call begins
    /// before anybody has looked.
    #[test]
    fn what_comes_between_two_calls_is_heard_in_neither() {
        let mut socket = socket("127.0.0.1");
        let to = SocketAddr::from(([127, 0, 0, 1], port(&socket)));
        let late = peer();
        socket.open().unwrap();
        socket.close().unwrap();
        late.send_to(b"late", to).unwrap();
        assert!(is_reported(&socket));
        socket.open().unwrap();
        assert!(!is_reported(&socket));
        late.send_to(b"new", to).unwrap();
        assert_eq!(next(&socket, PollTimeout::from(5_000u16)).unwrap().0, b"new");
    }

    #[test]
    fn what_waited_before_a_new_negotiation_is_thrown_away() {
        let mut socket = socket("127.0.0.1");
        socket.open().unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], port(&socket)));
        let old = peer();
        old.send_to(b"old", to).unwrap();
        socket.disconnect().unwrap();
        old.send_to(b"new", to).unwrap();
        assert_eq!(next(&socket, PollTimeout::from(5_000u16)).unwrap().0, b"new");
    }

    #[test]
    fn a_socket_sends_connected_or_not_in_both_families() {
        for address in ["127.0.0.1", "0.0.0.0", "::"] {
            let mut socket = socket(address);
            let peer = peer();
            let to = peer.local_addr().unwrap();
            socket.open().unwrap();
            socket.send(to, b"one").unwrap();
            socket.connect(to).unwrap();
            socket.send(to, b"two").unwrap();
            let mut buffer = [0; 8];
            for word in [b"one", b"two"] {
                let (length, from) = peer.recv_from(&mut buffer).unwrap();
                assert_eq!((&buffer[..length], from.port()), (&word[..], port(&socket)));
            }
        }
    }

    #[test]
    fn a_range_is_cut_into_pairs_the_same_number_for_each_shard() {
        let cut = |range, shards| slices(&range, shards);
        assert_eq!(cut(20_000..=29_999, 2), Some(vec![20_000..=24_999, 25_000..=29_999]));
        assert_eq!(cut(20_001..=20_012, 2), Some(vec![20_002..=20_005, 20_006..=20_009]));
        assert_eq!(cut(20_000..=20_007, 2), Some(vec![20_000..=20_003, 20_004..=20_007]));
        assert_eq!(cut(20_000..=20_006, 2), None);
        assert_eq!(cut(65_532..=65_535, 1), Some(vec![65_532..=65_535]));
        assert_eq!(cut(7..=8, 1), None);
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = peer();
        let port = taken.local_addr().unwrap().port();
        let error = RtpSockets::bind("127.0.0.1".parse().unwrap(), port..=port).err().unwrap();
        assert_eq!(error.port, port);
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }
}
