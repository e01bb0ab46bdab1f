//! What goes into an [`Endpoint`](crate::Endpoint) and what comes out of it.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use leg::{BindingChange, LampCommand, LampEvent, LegCommand, LegEvent, LegId};
use model::{DeviceId, Directory, ExtensionId, TenantId, TrunkId};
use serde::{Deserialize, Serialize};
use sip::digest::Algorithm;

/// A way to a peer: a datagram socket and an address, or one connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The listening socket (UDP) or the connection (all others).
    pub id: FlowId,
    /// How messages travel on it.
    pub transport: Transport,
    /// Our address on it, as the peer reaches us (before any public address of the configuration).
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{} {}>{}", self.transport.as_str(), self.id.0, self.local, self.remote)
    }
}

/// Number of a listening datagram socket or of a connection; given by `node`, never reused within
/// one run of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowId(pub u64);

impl FlowId {
    /// The datagram socket that is bound to [`Flow::local`], whatever its number: the flow of a
    /// registration or a dialog that was read back after a start. The endpoint replaces it as
    /// soon as it has seen a message of that socket; until then `node` finds it by its address.
    pub const BY_ADDRESS: FlowId = FlowId(u64::MAX);
}

/// Names a question of [`Effect::Resolve`] until its answer; unique on one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LookupId(pub u64);

/// Names a connection of [`Effect::Connect`] until its answer; unique on one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectId(pub u64);

/// Where a host is, as the answer to [`Effect::Resolve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// There.
    Found {
        /// The targets of its SRV records, in whatever order; without SRV records one, the host
        /// itself.
        sites: Vec<Site>,
        /// How long this is known to hold, seconds.
        ttl_s: u32,
    },
    /// The name system says that there is no such host.
    Nowhere,
    /// The name system does not answer, or not in a way that says anything.
    Away,
}

/// One target of a name: RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The lowest is tried first.
    pub priority: u16,
    /// Its share among those of the same priority.
    pub weight: u16,
    /// Its addresses, in the order in which they shall be tried.
    pub addresses: Vec<SocketAddr>,
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// RFC 3261 18, datagrams.
    Udp,
    /// RFC 3261 18, a stream framed by Content-Length.
    Tcp,
    /// The same inside of TLS (RFC 3261 26.3.1).
    Tls,
    /// RFC 7118: one message per WebSocket message.
    Ws,
    /// The same inside of TLS.
    Wss,
}

impl Transport {
    /// As Via writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// As the `transport` parameter of a URI says it: RFC 7118 5.2 has one value for both kinds of
    /// WebSocket.
    pub fn uri_parameter(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws | Transport::Wss => "ws",
        }
    }

    /// Whether the transport itself repeats lost bytes, so that transactions need not.
    pub fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => true,
        }
    }
}

/// Settings of an endpoint; the same for all shards of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// Digest realm.
    pub realm: String,
    /// Addresses for Via, Contact and SDP; `None`: the flow's local one.
    pub public_address: Option<PublicAddress>,
    /// Server and User-Agent; empty: none is sent.
    pub product: String,
    /// Key of the nonces, common to all shards; from the operating system, new at each start.
    pub nonce_key: [u8; 32],
    /// Expiry of registrations, seconds: shortest (423 below it), longest, and when none is asked.
    pub expires_s: Expires,
    /// Which digest algorithms a challenge offers; an answer with either is taken.
    pub digests: Digests,
}

/// Which digest algorithms a challenge offers (RFC 8760).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digests {
    /// MD5 alone. Phones that know only MD5 give up at the sight of another algorithm, whichever
    /// stands first (baresip 1.0, sipp 3.6).
    #[default]
    Md5,
    /// SHA-256 alone: only for phones that can.
    Sha256,
    /// SHA-256 before MD5, as RFC 8760 2.3 wants it.
    Both,
}

impl Digests {
    /// In the order in which they are offered.
    pub fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Digests::Md5 => &[Algorithm::Md5],
            Digests::Sha256 => &[Algorithm::Sha256],
            Digests::Both => &[Algorithm::Sha256, Algorithm::Md5],
        }
    }
}

/// What the credentials of a request are worth, before anything is known of it but the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// It has none for our realm.
    Nothing,
    /// Unknown login or wrong password; which of them cannot be told, neither by time.
    Wrong,
    /// The password is right. Whether the answer was used before is found where the tenant lives.
    Right {
        /// Whose login it is.
        tenant: TenantId,
        /// The nonce is one of ours, and young.
        is_fresh: bool,
    },
}

/// The addresses that peers reach the switch at where a router translates addresses, by family. A
/// family without one is reached at the flow's local address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicAddress {
    /// IPv4.
    pub v4: Option<Ipv4Addr>,
    /// IPv6.
    pub v6: Option<Ipv6Addr>,
}

impl PublicAddress {
    /// The one in the family of a local address.
    pub fn beside(&self, local: IpAddr) -> Option<IpAddr> {
        match local {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        }
    }
}

impl From<IpAddr> for PublicAddress {
    fn from(address: IpAddr) -> PublicAddress {
        match address {
            IpAddr::V4(v4) => PublicAddress { v4: Some(v4), v6: None },
            IpAddr::V6(v6) => PublicAddress { v4: None, v6: Some(v6) },
        }
    }
}

/// Bounds of a registration's expiry, seconds.
#[derive(Clone, Copy, Debug)]
pub struct Expires {
    /// Shorter ones are refused with 423 and Min-Expires.
    pub min: u32,
    /// Longer ones are shortened to this.
    pub max: u32,
    /// When the phone names none.
    pub default: u32,
}

/// Something for the endpoint to handle.
#[derive(Debug)]
pub enum Input {
    /// A SIP message. `tenant` is what the routing of messages found; `None`: nobody's, so a
    /// request is challenged, answered without state or dropped.
    Message {
        /// Whose it is.
        tenant: Option<TenantId>,
        /// Where it came from.
        flow: Flow,
        /// The parsed message.
        message: sip::Message,
    },
    /// An INVITE outside a dialog by which a trunk calls a number of a tenant.
    Called {
        /// Whose number and whose trunk.
        tenant: TenantId,
        /// The trunk.
        trunk: TrunkId,
        /// The number, as [`model::Routing::dids`] knows it.
        did: Box<str>,
        /// Where it came from.
        flow: Flow,
        /// The parsed message.
        message: sip::Message,
    },
    /// An INVITE outside a dialog by which a trunk calls a number that nobody has: refused
    /// without state.
    Misdialled {
        /// Where it came from.
        flow: Flow,
        /// The parsed message.
        message: sip::Message,
    },
    /// A connection is gone: nothing can be sent on it any more.
    FlowClosed(FlowId),
    /// The answer to [`Effect::Resolve`]; always comes, at the latest after its bound.
    Resolved {
        /// Which question.
        lookup: LookupId,
        /// Where the host is.
        answer: Answer,
    },
    /// The answer to [`Effect::Connect`]; always comes, at the latest after its bound.
    Connected {
        /// Which connection was asked for.
        connect: ConnectId,
        /// The connection; `None`: it could not be made, or the peer's certificate is not good
        /// for the name.
        flow: Option<Flow>,
    },
    /// Logins, tenants and keys have changed.
    Directory(Arc<Directory>),
    /// A tenant lives here from now on: we register with its trunks.
    Home(TenantId),
    /// The exchange wants something done with a leg.
    Leg {
        /// Whose leg.
        tenant: TenantId,
        /// The leg.
        leg: LegId,
        /// What to do.
        command: LegCommand,
    },
    /// The exchange grants a subscription, refuses one, or shows how something is.
    Lamp {
        /// Whose.
        tenant: TenantId,
        /// What.
        command: LampCommand,
    },
    /// Registrations read back after a start; each live one on a datagram flow comes out as
    /// [`Effect::DeviceUp`]. Those on connections are gone with their connection.
    Bindings {
        /// Whose.
        tenant: TenantId,
        /// The stored changes, `binding` always `Some`.
        bindings: Vec<BindingChange>,
    },
    /// From now on INVITEs outside a dialog get 503 with Retry-After, without a leg.
    Drain,
    /// INVITEs are taken again, after [`Input::Drain`].
    Open,
    /// The deadline has come.
    Tick,
}

/// Something that the endpoint wants done. In order.
#[derive(Debug)]
pub enum Effect {
    /// Send one message.
    Send {
        /// On which flow.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Send an answer that left no state: a challenge, a refusal, what OPTIONS asks for. Who lets
    /// messages in may hold it back; the peer then asks again as if it had been lost.
    Answer {
        /// On which flow.
        flow: Flow,
        /// The answer.
        bytes: Bytes,
    },
    /// A request from this address carried a right and unused digest.
    Proven(IpAddr),
    /// A request from this address carried a login unknown or a password wrong. Its challenge is
    /// the next [`Effect::Answer`].
    Refuted(IpAddr),
    /// Close a connection: its peer broke the rules.
    CloseFlow(FlowId),
    /// Find out where a host is: NAPTR is not asked, since the transport is set; SRV when `port`
    /// is `None`, then A and AAAA (RFC 3263 4.2). Answered by [`Input::Resolved`].
    Resolve {
        /// Given back with the answer.
        lookup: LookupId,
        /// A host name; never an address.
        host: Box<str>,
        /// The port, if it is known.
        port: Option<u16>,
        /// How it shall be spoken to.
        transport: Transport,
    },
    /// Make a connection. Answered by [`Input::Connected`]; what arrives on it comes as from any
    /// other. [`Flow::local`] of the answer is where a peer reaches us from there: the address of
    /// our side with the port on which we listen for this transport.
    ///
    /// For [`Transport::Udp`] nothing is sent: the question is from which of our addresses
    /// datagrams leave, and the answer comes at once.
    Connect {
        /// Given back with the answer.
        connect: ConnectId,
        /// [`Transport::Udp`], [`Transport::Tcp`] or [`Transport::Tls`].
        transport: Transport,
        /// To where.
        remote: SocketAddr,
        /// For TLS: the name that the certificate must be good for.
        name: Option<Box<str>>,
    },
    /// Tell the exchange.
    Leg {
        /// Whose leg.
        tenant: TenantId,
        /// The leg.
        leg: LegId,
        /// What happened.
        event: LegEvent,
    },
    /// Tell the exchange of a subscription.
    Lamp {
        /// Whose.
        tenant: TenantId,
        /// What happened.
        event: LampEvent,
    },
    /// A device can be reached. Comes again when its address or its preference has changed.
    DeviceUp {
        /// Whose.
        tenant: TenantId,
        /// The extension.
        extension: ExtensionId,
        /// The device.
        device: DeviceId,
        /// Where its requests come from: behind NAT its audio comes from there too.
        address: IpAddr,
        /// Its preference in thousandths; devices are rung all at once whatever it is.
        q: u16,
    },
    /// A device cannot be reached any more.
    DeviceDown {
        /// Whose.
        tenant: TenantId,
        /// The extension.
        extension: ExtensionId,
        /// The device.
        device: DeviceId,
    },
    /// Write down a change of a registration.
    Binding(Box<BindingChange>),
    /// An INVITE outside a dialog was let in: until [`Effect::InviteGone`], what carries its
    /// Call-ID without our tag (CANCEL) belongs to this tenant.
    InviteTaken {
        /// Whose.
        tenant: TenantId,
        /// Its Call-ID.
        call_id: Arc<str>,
    },
    /// The transaction of that INVITE is gone.
    InviteGone {
        /// Its Call-ID.
        call_id: Arc<str>,
    },
}

/// A message to send; kept by its transaction for retransmission without a copy.
pub type Bytes = Arc<[u8]>;
