//! What an operator may set.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::call_log::LoggedNumbers;

/// The settings of a node. Their names in the configuration file are those of the fields.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where journal, database and lock lie.
    pub data_dir: PathBuf,
    /// SQLite file or URL; `None`: `dialplane.db` in the data directory.
    pub database: Option<String>,
    /// Where the HTTP API, `/metrics` and `/healthz` are served.
    pub http: SocketAddr,
    /// Where SIP is served, over UDP and TCP.
    pub sip: SocketAddr,
    /// Ports for RTP and RTCP.
    pub rtp_ports: RangeInclusive<u16>,
    /// The address that peers reach the node at, if it is not the local one.
    pub public_address: Option<IpAddr>,
    /// Shard threads, each with a media thread; `None`: one per processor.
    pub shards: Option<usize>,
    /// How long running calls may go on after a stop was asked for.
    pub drain_limit: Duration,
    /// How numbers appear in logs.
    pub numbers: LoggedNumbers,
    /// Requests an hour of one client to the HTTP API; `None`: no limit.
    pub rate_limit_per_hour: Option<u32>,
    /// How dear a password check is.
    pub passwords: PasswordCost,
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
