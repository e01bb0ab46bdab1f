//! What a run is made of.

use core::ops::RangeInclusive;
use core::time::Duration;

use crate::network::Ways;
use crate::phone::manner::Pace;

/// Settings of one run; everything else follows from the seed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides every chance of the run.
    pub seed: u64,
    /// Shards of the switch.
    pub shards: usize,
    /// Customers.
    pub companies: u64,
    /// Phone extensions of each.
    pub phones: u64,
    /// RTP ports of the switch, cut into a slice per shard.
    pub rtp_ports: RangeInclusive<u16>,
    /// The ways between each phone and the switch.
    pub ways: Ways,
    /// Whether RTP sockets are connected to their peers, so that the kernel drops strangers.
    pub sockets_connect: bool,
    /// Which shard reads a datagram.
    pub readers: Readers,
    /// How often phones send RTP.
    pub pace: Pace,
    /// How long the switch is away when it was killed.
    pub downtime: Duration,
    /// Whether the whole trace is kept as text, or only its hash.
    pub keeps_trace: bool,
}

/// Which shard's socket gets a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Spread by the address, as the kernel does.
    ByAddress,
    /// Always this one.
    Only(usize),
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            seed: 1,
            shards: 1,
            companies: 1,
            phones: 12,
            rtp_ports: 20_000..=20_399,
            ways: Ways::GOOD,
            sockets_connect: true,
            readers: Readers::ByAddress,
            pace: Pace::Steady,
            downtime: Duration::from_millis(500),
            keeps_trace: false,
        }
    }
}
