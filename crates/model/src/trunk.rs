//! Trunks: SIP peers towards the outside.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{Secret, TenantId, TrunkId};

/// The SIP side of a trunk: where its requests go and what proves us to it.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Unique on the installation.
    pub id: TrunkId,
    /// Whose it is.
    pub tenant: TenantId,
    /// For people.
    pub name: String,
    /// Where requests go, in order of preference: the next is tried when one does not take the
    /// call (RFC 3263 4.3).
    pub hosts: Vec<TrunkHost>,
    /// How they travel.
    pub transport: TrunkTransport,
    /// What answers a challenge of its hosts, and of nobody else. `None`: a challenge is a refusal.
    pub credentials: Option<TrunkCredentials>,
    /// A disabled trunk takes no calls.
    pub enabled: bool,
}

/// A host of a trunk: a name or an address, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrunkHost {
    /// A host name, or an IP address without brackets.
    pub host: String,
    /// With a port no SRV records are asked for (RFC 3263 4.2).
    pub port: Option<u16>,
}

impl fmt::Display for TrunkHost {
    /// As a URI writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// How requests travel to a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrunkTransport {
    /// Datagrams; large requests by TCP, and back when that is refused (RFC 3261 18.1.1).
    Udp,
    /// TCP.
    Tcp,
    /// TLS; the certificate must be good for the host's name.
    Tls,
}

/// A digest user at a trunk.
#[derive(Clone, Debug)]
pub struct TrunkCredentials {
    /// The user.
    pub login: String,
    /// Its password.
    pub password: Secret,
}
