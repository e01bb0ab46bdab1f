//! Binding what the settings name, with an error that names the setting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use stack::{PublicAddress, Transport};

use crate::error::StartError;
use crate::limits;
use crate::sip_socket;

/// The sockets of one address for SIP: a listener, and a datagram socket for each shard.
pub(crate) struct SipPorts {
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
    pub(crate) datagrams: Vec<UdpSocket>,
}

/// All that is listened on for SIP.
pub(crate) struct SipListeners {
    /// UDP and TCP.
    pub(crate) plain: Vec<SipPorts>,
    /// Connections of other kinds.
    pub(crate) others: Vec<(Transport, TcpListener)>,
    /// Where each kind is served.
    pub(crate) addresses: SipAddresses,
}

/// Where SIP is served; empty lists: not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SipAddresses {
    /// Over UDP and TCP.
    pub plain: Vec<SocketAddr>,
    /// Over TLS.
    pub tls: Vec<SocketAddr>,
    /// Over WebSocket.
    pub ws: Vec<SocketAddr>,
    /// Over WebSocket in TLS.
    pub wss: Vec<SocketAddr>,
}

impl SipAddresses {
    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = SocketAddr> {
        let SipAddresses { plain, tls, ws, wss } = self;
        [plain, tls, ws, wss].into_iter().flatten().copied()
    }
}

/// Binds everything for SIP.
pub(crate) fn bind_sip(wanted: &SipAddresses, shards: usize) -> Result<SipListeners, StartError> {
    let mut bound =
        SipListeners { plain: Vec::new(), others: Vec::new(), addresses: SipAddresses::default() };
    for address in &wanted.plain {
        let ports = bind_plain(*address, Reach::of(*address, &wanted.plain), shards)?;
        bound.addresses.plain.push(ports.address);
        bound.plain.push(ports);
    }
    for (setting, transport, wanted, served) in [
        ("sip_tls", Transport::Tls, &wanted.tls, &mut bound.addresses.tls),
        ("sip_ws", Transport::Ws, &wanted.ws, &mut bound.addresses.ws),
        ("sip_wss", Transport::Wss, &wanted.wss, &mut bound.addresses.wss),
    ] {
        for address in wanted {
            let listener = bind_listener(*address, Reach::of(*address, wanted))
                .and_then(|listener| Ok((listener.local_addr()?, listener)));
            let (at, listener) = listener.map_err(|error| cannot_use(setting, *address, &error))?;
            served.push(at);
            bound.others.push((transport, listener));
        }
    }
    Ok(bound)
}

fn cannot_use(setting: &'static str, address: SocketAddr, error: &io::Error) -> StartError {
    StartError::setting(setting, format!("cannot use {address}: {error}"))
}

/// Binds one address for UDP and TCP. Port 0 takes one that is free for both.
fn bind_plain(address: SocketAddr, reach: Reach, shards: usize) -> Result<SipPorts, StartError> {
    let mut attempts = if address.port() == 0 { limits::FREE_PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match try_bind_plain(address, reach, shards) {
            Ok(ports) => return Ok(ports),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            Err(error) => return Err(cannot_use("sip", address, &error)),
        }
    }
}

fn try_bind_plain(address: SocketAddr, reach: Reach, shards: usize) -> io::Result<SipPorts> {
    let listener = bind_listener(address, reach)?;
    let address = SocketAddr::new(address.ip(), listener.local_addr()?.port());
    // Sockets that share a port would not notice that another process has it: one that does not
    // share does.
    let alone = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    reach.apply(&alone, address)?;
    alone.bind(&SockAddr::from(address))?;
    drop(alone);
    let datagrams =
        (0..shards).map(|_| sip_socket::bind(address, reach)).collect::<io::Result<_>>()?;
    Ok(SipPorts { address, listener, datagrams })
}

/// Whom an IPv6 socket on every address serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// IPv4 too.
    BothFamilies,
    /// IPv6 only: there is a socket for IPv4 on the same port.
    OwnFamily,
}

impl Reach {
    /// Of `address` among the others of its list.
    fn of(address: SocketAddr, list: &[SocketAddr]) -> Reach {
        let has_sibling =
            list.iter().any(|a| a.is_ipv4() && a.port() == address.port() && a.port() != 0);
        if has_sibling { Reach::OwnFamily } else { Reach::BothFamilies }
    }

    /// Sets it on a socket for `address` that is not bound yet.
    pub(crate) fn apply(self, socket: &Socket, address: SocketAddr) -> io::Result<()> {
        match address {
            SocketAddr::V4(_) => Ok(()),
            SocketAddr::V6(_) => socket.set_only_v6(self == Reach::OwnFamily),
        }
    }
}

/// Binds HTTP.
pub(crate) fn bind_http(address: SocketAddr) -> Result<TcpListener, StartError> {
    bind_listener(address, Reach::BothFamilies).map_err(|error| cannot_use("http", address, &error))
}

fn bind_listener(address: SocketAddr, reach: Reach) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    reach.apply(&socket, address)?;
    // A restart need not wait for the connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(limits::ACCEPT_BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The address to bind all audio at: the one that everything is served on, or every address.
pub(crate) fn audio_address(served: &SipAddresses) -> IpAddr {
    let mut all = served.all().map(|address| address.ip());
    let first = all.next().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let others: Vec<IpAddr> = all.filter(|ip| *ip != first).collect();
    if others.is_empty() {
        first
    } else if first.is_ipv4() && others.iter().all(IpAddr::is_ipv4) {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    }
}

/// Raises the bound on open files to what `sockets` RTP sockets and some connections need.
/// Returns how many connections fit.
pub(crate) fn raise_file_limit(sockets: usize) -> Result<usize, StartError> {
    let failed = |error: nix::Error| StartError::System {
        doing: "read or raise the bound on open files",
        source: error.into(),
    };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    let own = limits::OWN_FILES + sockets;
    let wanted = u64::try_from(own + limits::CONNECTIONS_MAX).unwrap_or(u64::MAX);
    let granted = wanted.min(hard).max(soft);
    if granted > soft {
        setrlimit(Resource::RLIMIT_NOFILE, granted, hard).map_err(failed)?;
    }
    let left = usize::try_from(granted).unwrap_or(usize::MAX).saturating_sub(own);
    if left < limits::CONNECTIONS_MIN {
        return Err(StartError::setting(
            "rtp_ports",
            format!(
                "{sockets} ports need {} open files, but this process may have {hard}; take fewer \
                 ports or raise the bound (ulimit -n)",
                own + limits::CONNECTIONS_MIN
            ),
        ));
    }
    Ok(left.min(limits::CONNECTIONS_MAX))
}

/// The IPv4 address by which calls of this node are named.
pub(crate) fn node_address(public: Option<PublicAddress>) -> Ipv4Addr {
    public.and_then(|public| public.v4).or_else(main_interface).unwrap_or(Ipv4Addr::LOCALHOST)
}

/// The address that packets to the outside leave from. Nothing is sent: connecting a datagram
/// socket only asks the routing table.
fn main_interface() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(v4) if !v4.is_unspecified() => Some(v4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(addresses: &[&str]) -> SipAddresses {
        let plain = addresses.iter().map(|a| a.parse().unwrap()).collect();
        SipAddresses { plain, ..SipAddresses::default() }
    }

    #[test]
    fn port_0_takes_one_that_is_free_for_both_transports() {
        let bound = bind_sip(&plain(&["127.0.0.1:0", "127.0.0.2:0"]), 2).unwrap();
        for (ports, address) in bound.plain.iter().zip(&bound.addresses.plain) {
            assert_ne!(address.port(), 0);
            assert_eq!(ports.listener.local_addr().unwrap(), *address);
            assert_eq!(ports.datagrams.len(), 2);
            assert!(ports.datagrams.iter().all(|s| s.local_addr().unwrap() == *address));
        }
        assert_eq!(bound.plain.len(), 2);
    }

    #[test]
    fn every_kind_of_connection_has_listeners_of_its_own() {
        let one = || vec!["127.0.0.1:0".parse().unwrap()];
        let wanted = SipAddresses { plain: one(), tls: one(), ws: one(), wss: one() };
        let bound = bind_sip(&wanted, 1).unwrap();
        let kinds: Vec<_> = bound.others.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Transport::Tls, Transport::Ws, Transport::Wss]);
        assert_eq!(bound.others[0].1.local_addr().unwrap(), bound.addresses.tls[0]);
        let again = SipAddresses { wss: bound.addresses.tls.clone(), ..plain(&[]) };
        let error = bind_sip(&again, 1).err().unwrap().to_string();
        assert!(error.starts_with("setting `sip_wss`: cannot use 127.0.0.1:"), "{error}");
    }

    #[test]
    fn both_families_can_have_the_same_port() {
        let Ok(bound) = bind_sip(&plain(&["[::]:0"]), 1) else {
            return eprintln!("left out: this machine has no IPv6");
        };
        let port = bound.addresses.plain[0].port();
        drop(bound);
        let both = plain(&[&format!("0.0.0.0:{port}"), &format!("[::]:{port}")]);
        // Somebody else may take the port in between.
        match bind_sip(&both, 2) {
            Ok(bound) => assert_eq!(bound.addresses, both),
            Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
        }
    }

    #[test]
    fn audio_has_the_address_that_everything_is_served_on_or_all() {
        for (served, audio) in [
            (&["192.0.2.1:5060"][..], "192.0.2.1"),
            (&["192.0.2.1:5060", "192.0.2.1:5061"], "192.0.2.1"),
            (&["0.0.0.0:5060"], "0.0.0.0"),
            (&["192.0.2.1:5060", "192.0.2.2:5060"], "0.0.0.0"),
            (&["0.0.0.0:5060", "[::]:5060"], "::"),
            (&["[2001:db8::1]:5060"], "2001:db8::1"),
            (&["192.0.2.1:5060", "[2001:db8::1]:5060"], "::"),
        ] {
            assert_eq!(audio_address(&plain(served)), audio.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn a_taken_port_names_its_setting_whichever_transport_has_it() {
        let bind = |at: SocketAddr| bind_sip(&plain(&[&at.to_string()]), 1).err();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = tcp.local_addr().unwrap();
        for error in [bind(taken).unwrap(), bind_http(taken).err().unwrap()] {
            assert!(error.to_string().contains(&format!("cannot use {taken}: ")), "{error}");
        }
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = bind(udp.local_addr().unwrap()).unwrap().to_string();
        assert!(error.starts_with("setting `sip`: "), "{error}");
        let shared = sip_socket::bind("127.0.0.1:0".parse().unwrap(), Reach::BothFamilies).unwrap();
        assert!(bind(shared.local_addr().unwrap()).is_some(), "of another such process");
    }

    #[test]
    fn more_ports_than_files_names_the_setting() {
        let error = raise_file_limit(usize::MAX / 2).err().unwrap().to_string();
        assert!(error.starts_with("setting `rtp_ports`: "), "{error}");
        assert!(raise_file_limit(10).unwrap() >= limits::CONNECTIONS_MIN);
    }

    #[test]
    fn a_public_address_names_the_node() {
        let public = |v4: Option<&str>| {
            let v4 = v4.map(|text| text.parse().unwrap());
            node_address(Some(PublicAddress { v4, v6: "2001:db8::1".parse().ok() }))
        };
        assert_eq!(public(Some("203.0.113.7")), Ipv4Addr::new(203, 0, 113, 7));
        assert_eq!(public(None), node_address(None));
        assert!(!node_address(None).is_unspecified());
    }
}
