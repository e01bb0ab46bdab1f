//! Trunks: SIP peers towards the outside.

use core::fmt;
use core::net::IpAddr;

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
    /// We register with it, with its credentials. `None`: it knows our address.
    pub registration: Option<TrunkRegistration>,
    /// Where its calls come from, besides the flow of our registration.
    pub addresses: Vec<Network>,
    /// Which header of its INVITEs names the number that was called.
    pub did_from: DidFrom,
    /// User part of our From; `None`: the number that is shown.
    pub from_user: Option<String>,
    /// How we tell it who calls.
    pub identity: IdentityHeader,
    /// How we tell it that a call was forwarded.
    pub forwarding_headers: ForwardingHeaders,
    /// A disabled trunk takes no calls.
    pub enabled: bool,
}

impl Trunk {
    /// An enabled trunk to these hosts over UDP, which knows our address.
    pub fn new(id: TrunkId, tenant: TenantId, name: &str, hosts: Vec<TrunkHost>) -> Trunk {
        Trunk {
            id,
            tenant,
            name: name.to_owned(),
            hosts,
            transport: TrunkTransport::Udp,
            credentials: None,
            registration: None,
            addresses: Vec::new(),
            did_from: DidFrom::default(),
            from_user: None,
            identity: IdentityHeader::default(),
            forwarding_headers: ForwardingHeaders::default(),
            enabled: true,
        }
    }
}

/// A host of a trunk: a name or an address, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrunkHost {
    /// A host name, or an IP address without brackets.
    pub host: String,
    /// With a port no SRV records are asked for (RFC 3263 4.2).
    pub port: Option<u16>,
}

/// The text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host like carrier.example, carrier.example:5060 or [2001:db8::1]:5060 is expected")]
pub struct BadHost;

impl TrunkHost {
    /// Reads a name or an address, with or without a port; an IPv6 address with a port stands in
    /// brackets.
    pub fn parse(text: &str) -> Result<TrunkHost, BadHost> {
        if text.parse::<core::net::Ipv6Addr>().is_ok() {
            return Ok(TrunkHost { host: text.to_ascii_lowercase(), port: None });
        }
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => {
                host.parse::<core::net::Ipv6Addr>().map_err(|_| BadHost)?;
                let port = rest.strip_prefix(':');
                (port.is_some() || rest.is_empty()).then_some((host, port)).ok_or(BadHost)?
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            None => None,
            Some(digits) if digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|port| *port != 0).ok_or(BadHost)?)
            }
            Some(_) => return Err(BadHost),
        };
        let is_name = host.len() <= HOST_NAME_BYTES_MAX && host.split('.').all(is_label);
        let is_address = host.contains(':') || host.parse::<core::net::Ipv4Addr>().is_ok();
        // What looks like an address and is none is a slip, not a name.
        let is_slip = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let good = is_address || is_name && !is_slip;
        good.then(|| TrunkHost { host: host.to_ascii_lowercase(), port }).ok_or(BadHost)
    }
}

/// Longest name of a host (RFC 1035 2.3.4).
const HOST_NAME_BYTES_MAX: usize = 253;

/// Whether it may be a part of a host's name (RFC 1123 2.1; underscores are met in practice).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
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

/// We register with a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrunkRegistration {
    /// Seconds that we ask for.
    pub expires_s: u32,
}

/// A range of IP addresses, as `192.0.2.0/24` writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// The address, its host bits zero.
    address: IpAddr,
    /// How many leading bits count.
    bits: u8,
}

/// The text is no address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address like 192.0.2.7 or a range like 192.0.2.0/24 is expected")]
pub struct BadNetwork;

impl Network {
    /// The range of one address.
    pub fn one(address: IpAddr) -> Network {
        Network { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Reads an address, or an address with the number of its leading bits. Host bits that are set
    /// are refused: `192.0.2.7/24` is a slip more often than a wish.
    pub fn parse(text: &str) -> Result<Network, BadNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork)?;
        let bits = match bits {
            None => return Ok(Network::one(address)),
            Some(bits) if bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit()) => {
                bits.parse().map_err(|_| BadNetwork)?
            }
            Some(_) => return Err(BadNetwork),
        };
        let network = Network { address, bits };
        let most = Network::one(address).bits;
        (bits <= most && masked(address, bits) == address).then_some(network).ok_or(BadNetwork)
    }

    /// The address, when it is a single one.
    pub fn address(self) -> Option<IpAddr> {
        (self == Network::one(self.address)).then_some(self.address)
    }

    /// Whether an address lies in it. An IPv4 address written as IPv6 counts as itself.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }

    /// Whether some address lies in both.
    pub fn overlaps(self, other: Network) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(bits)).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self == Network::one(self.address) {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.bits),
        }
    }
}

/// Which part of a trunk's INVITE names the number that was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DidFrom {
    /// The Request-URI.
    #[default]
    RequestUri,
    /// The To header.
    To,
    /// P-Called-Party-ID (RFC 7315 4.2).
    PCalledPartyId,
}

/// How a trunk is told who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdentityHeader {
    /// In From alone.
    From,
    /// In P-Asserted-Identity (RFC 3325), and in From unless it is private.
    #[default]
    Pai,
    /// In Remote-Party-ID, and in From unless it is private.
    Rpid,
}

/// How a trunk is told that a call was forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardingHeaders {
    /// Diversion (RFC 5806).
    #[default]
    Diversion,
    /// History-Info (RFC 7044).
    HistoryInfo,
    /// Both.
    Both,
    /// Neither.
    None,
}

/// Whose number a trunk is shown when a call of the outside is forwarded to the outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShownOnForward {
    /// The caller's.
    #[default]
    Original,
    /// The DID that was called.
    Diverting,
    /// A number that the trunk's profile names.
    Fixed,
}

/// A digest user at a trunk.
#[derive(Clone, Debug)]
pub struct TrunkCredentials {
    /// The user.
    pub login: String,
    /// Its password.
    pub password: Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        let good = [
            ("carrier.example", "carrier.example"),
            ("Carrier.Example:5060", "carrier.example:5060"),
            ("192.0.2.7:65535", "192.0.2.7:65535"),
            ("2001:db8::1", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:5060", "[2001:db8::1]:5060"),
            ("_sip-a.b", "_sip-a.b"),
        ];
        for (text, shown) in good {
            let parsed = TrunkHost::parse(text).unwrap();
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(TrunkHost::parse(shown), Ok(parsed), "what is shown is read again");
        }
        let bad = [
            "",
            "a b",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:1:2",
            "[a]:1",
            "[::1",
            "[::1]x",
            "::1:x",
            "a..b",
            "-a",
            "a-",
            "a;b",
            "a@b",
            "sip:a",
            "1.2.3",
            "1.2.3.4.5",
            "a\r\nVia: x",
        ];
        for text in bad {
            assert_eq!(TrunkHost::parse(text), Err(BadHost), "{text}");
        }
        assert_eq!(TrunkHost::parse(&["a"; 200].join(".")), Err(BadHost), "too long");
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_other() {
        let table = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (network, address, inside) in table {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{network} {address}");
            assert_eq!(parsed.to_string(), network);
        }
        for text in ["", "192.0.2.7/24", "192.0.2.0/33", "192.0.2.0/+8", "example", "1.2.3.4/"] {
            assert_eq!(Network::parse(text), Err(BadNetwork), "{text}");
        }
    }
}
