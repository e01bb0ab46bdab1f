//! Where a registrar is.

use core::net::IpAddr;

use model::{Trunk, TrunkHost, TrunkTransport};

use crate::interface::Transport;

pub(super) fn address(host: &TrunkHost) -> Option<IpAddr> {
    host.host.trim_matches(['[', ']']).parse().ok()
}

pub(super) fn transport(trunk: &Trunk) -> Transport {
    match trunk.transport {
        TrunkTransport::Udp => Transport::Udp,
        TrunkTransport::Tcp => Transport::Tcp,
        TrunkTransport::Tls => Transport::Tls,
    }
}
