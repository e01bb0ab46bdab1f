//! From which of our addresses datagrams to a peer leave: the answer to
//! [`switch::Effect::Connect`] for UDP. Nothing is sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use stack::{Flow, Transport};

use crate::flows::DATAGRAMS;

/// The flow to `remote` from one of the addresses at which we are bound; `None`: no way leads
/// there.
pub(crate) fn find(bound: impl Iterator<Item = SocketAddr>, remote: SocketAddr) -> Option<Flow> {
    let route = route_to(remote)?;
    let same_family = bound.filter(|b| b.is_ipv4() == remote.is_ipv4() || is_both(b));
    let local = same_family
        .filter_map(|bound| match bound.ip() {
            ip if ip.is_unspecified() => Some((1, SocketAddr::new(route, bound.port()))),
            ip if ip == route => Some((0, bound)),
            // The kernel would take another of our addresses, but this one may serve too; a
            // loopback address does not lead out, nor another one in.
            ip if ip.is_loopback() == route.is_loopback() => Some((2, bound)),
            _ => None,
        })
        .min()?
        .1;
    Some(Flow { id: DATAGRAMS, transport: Transport::Udp, local, remote })
}

/// Whether a socket bound there takes both families.
fn is_both(bound: &SocketAddr) -> bool {
    bound.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

/// The address of ours that the kernel would send from.
fn route_to(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(bound: &[&str], remote: &str) -> Option<String> {
        let bound = bound.iter().map(|b| b.parse().unwrap());
        find(bound, remote.parse().unwrap()).map(|flow| flow.local.to_string())
    }

    #[test]
    fn datagrams_leave_from_the_address_that_leads_to_the_peer() {
        let table: [(&[&str], Option<&str>); 6] = [
            (&["127.0.0.1:5060"], Some("127.0.0.1:5060")),
            (&["0.0.0.0:5070"], Some("127.0.0.1:5070")),
            (&["127.0.0.2:5060", "0.0.0.0:5070", "127.0.0.1:5080"], Some("127.0.0.1:5080")),
            (&["127.0.0.2:5060"], Some("127.0.0.2:5060")),
            (&["192.0.2.1:5060"], None),
            (&["[::1]:5060"], None),
        ];
        for (bound, expected) in table {
            assert_eq!(local(bound, "127.0.0.1:9").as_deref(), expected, "{bound:?}");
        }
    }
}
