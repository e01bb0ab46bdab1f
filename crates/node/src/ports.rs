//! Binding what the settings name, with an error that names the setting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::error::StartError;
use crate::limits;
use crate::sip_socket;

/// The sockets for SIP: one listener, and a datagram socket for each shard on the same address.
pub(crate) struct SipPorts {
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
    pub(crate) datagrams: Vec<UdpSocket>,
}

/// Binds SIP. Port 0 takes one that is free for both transports.
pub(crate) fn bind_sip(address: SocketAddr, shards: usize) -> Result<SipPorts, StartError> {
    let mut attempts = if address.port() == 0 { limits::FREE_PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match try_bind_sip(address, shards) {
            Ok(ports) => return Ok(ports),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            Err(error) => {
                return Err(StartError::setting("sip", format!("cannot use {address}: {error}")));
            }
        }
    }
}

fn try_bind_sip(address: SocketAddr, shards: usize) -> io::Result<SipPorts> {
    let listener = bind_listener(address)?;
    let address = SocketAddr::new(address.ip(), listener.local_addr()?.port());
    // Sockets that share a port would not notice that another process has it: one that does not
    // share does.
    drop(UdpSocket::bind(address)?);
    let datagrams = (0..shards).map(|_| sip_socket::bind(address)).collect::<io::Result<_>>()?;
    Ok(SipPorts { address, listener, datagrams })
}

/// Binds HTTP.
pub(crate) fn bind_http(address: SocketAddr) -> Result<TcpListener, StartError> {
    bind_listener(address)
        .map_err(|error| StartError::setting("http", format!("cannot use {address}: {error}")))
}

fn bind_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
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
pub(crate) fn node_address(public: Option<IpAddr>) -> Ipv4Addr {
    match public {
        Some(IpAddr::V4(v4)) => v4,
        Some(IpAddr::V6(_)) | None => main_interface().unwrap_or(Ipv4Addr::LOCALHOST),
    }
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

    #[test]
    fn port_0_takes_one_that_is_free_for_both_transports() {
        let ports = bind_sip("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        assert_ne!(ports.address.port(), 0);
        assert_eq!(ports.listener.local_addr().unwrap(), ports.address);
        assert_eq!(ports.datagrams.len(), 2);
        assert!(ports.datagrams.iter().all(|s| s.local_addr().unwrap() == ports.address));
    }

    #[test]
    fn a_taken_port_names_its_setting_whichever_transport_has_it() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = tcp.local_addr().unwrap();
        for error in [bind_sip(taken, 1).err().unwrap(), bind_http(taken).err().unwrap()] {
            assert!(error.to_string().contains(&format!("cannot use {taken}: ")), "{error}");
        }
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = bind_sip(udp.local_addr().unwrap(), 1).err().unwrap().to_string();
        assert!(error.starts_with("setting `sip`: "), "{error}");
        let shared = sip_socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(bind_sip(shared.local_addr().unwrap(), 1).is_err(), "of another such process");
    }

    #[test]
    fn more_ports_than_files_names_the_setting() {
        let error = raise_file_limit(usize::MAX / 2).err().unwrap().to_string();
        assert!(error.starts_with("setting `rtp_ports`: "), "{error}");
        assert!(raise_file_limit(10).unwrap() >= limits::CONNECTIONS_MIN);
    }

    #[test]
    fn a_public_address_names_the_node() {
        let public = |text: &str| node_address(Some(text.parse().unwrap()));
        assert_eq!(public("203.0.113.7"), Ipv4Addr::new(203, 0, 113, 7));
        assert_eq!(public("2001:db8::1"), node_address(None));
        assert!(!node_address(None).is_unspecified());
    }
}
