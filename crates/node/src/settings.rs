//! What an operator may set.

use core::time::Duration;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use stack::PublicAddress;

use crate::call_log::LoggedNumbers;
use crate::certificate::CertificateFiles;
use crate::mail::MailSettings;
use crate::ports::SipAddresses;

/// The settings of a node. Their names in the configuration file are those of the fields.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where journal, database and lock lie.
    pub data_dir: PathBuf,
    /// SQLite file or URL; `None`: `dialplane.db` in the data directory.
    pub database: Option<String>,
    /// Where the HTTP API, `/metrics` and `/healthz` are served.
    pub http: SocketAddr,
    /// Where SIP is served: over UDP and TCP, over TLS, over WebSocket.
    pub sip: SipAddresses,
    /// The certificate for TLS; must be there when `sip` has an address for it.
    pub certificate: Option<CertificateSource>,
    /// PEM file with roots that are believed besides the system's, for connections that we make.
    pub tls_roots: Option<PathBuf>,
    /// Web pages that may open a WebSocket, as browsers name them in `Origin`; `None`: all.
    pub ws_origins: Option<Vec<String>>,
    /// Name servers for the names of trunks; empty: the system's.
    pub dns_servers: Vec<SocketAddr>,
    /// Ports for RTP and RTCP.
    pub rtp_ports: RangeInclusive<u16>,
    /// The addresses that peers reach the node at, if they are not the local ones.
    pub public_address: Option<PublicAddress>,
    /// Shard threads, each with a media thread; `None`: one per processor.
    pub shards: Option<usize>,
    /// How long running calls may go on after a stop was asked for.
    pub drain_limit: Duration,
    /// How numbers appear in logs.
    pub numbers: LoggedNumbers,
    /// Requests an hour of one client to the HTTP API; `None`: no limit.
    pub rate_limit_per_hour: Option<u32>,
    /// What challenges offer to phones.
    pub digest_algorithms: stack::Digests,
    /// How dear a password check is.
    pub passwords: PasswordCost,
    /// Where messages are mailed by; `None`: nothing is mailed.
    pub mail: Option<MailSettings>,
}

/// Where the certificate that we show comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// From the operator.
    Files(CertificateFiles),
    /// Made in the data directory for these names and addresses, unless it is there.
    SelfSigned(Vec<String>),
}

/// How dear a password check is, for us and for who steals the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordCost {
    /// Some 20 ms.
    #[default]
    Guarded,
    /// As cheap as it gets: where the passwords are printed anyway.
    Demo,
}

impl PasswordCost {
    pub(crate) fn argon2(self) -> api::PasswordCost {
        match self {
            PasswordCost::Guarded => api::PasswordCost::default(),
            PasswordCost::Demo => api::PasswordCost::CHEAPEST,
        }
    }
}

/// Shards that a node has at most: more processors than this serve media.
pub const SHARDS_MAX: usize = 64;

impl Settings {
    /// How many shards that makes.
    pub(crate) fn shard_count(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.shards.unwrap_or_else(processors).clamp(1, SHARDS_MAX)
    }
}
