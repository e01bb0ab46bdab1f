//! The simulated process: shards and media planes as `node` would run them, without threads.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::RangeInclusive;
use std::collections::BTreeMap;

use media::Plane;
use model::{Chance, Mono, NodeAddress, Now, Wall};
use switch::{Shard, ShardConfig};

use crate::company::REALM;
use crate::settings::Settings;

/// Address of the switch.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// Its SIP port, UDP and TCP.
pub(crate) const SIP_PORT: u16 = 5_060;

/// Where phones send SIP to.
pub(crate) fn sip_address() -> SocketAddr {
    SocketAddr::new(ADDRESS, SIP_PORT)
}

/// One life of the process.
pub(crate) struct Node {
    pub(crate) shards: Vec<Shard>,
    /// When each shard wants to be woken, by the run's clock.
    pub(crate) shard_due: Vec<Option<Mono>>,
    pub(crate) planes: Vec<Plane>,
    pub(crate) plane_due: Vec<Option<Mono>>,
    /// RTP ports that are being read, and whom they are connected to.
    pub(crate) sockets: BTreeMap<u16, Option<SocketAddr>>,
    slices: Vec<RangeInclusive<u16>>,
    /// The run's clock at the start of this process.
    started: Mono,
    /// What the process's own clock showed then.
    own_start: Mono,
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Node of {} shards", self.shards.len())
    }
}

impl Node {
    pub(crate) fn start(settings: &Settings, life: u64, now: Mono, chance: &mut Chance) -> Node {
        // Each life has a monotonic clock of its own, as after a reboot.
        let own_start = Mono(1_000_000 * (life + 1) + chance.below(1_000_000_000));
        let mut nonce_key = [0; 32];
        chance.fill(&mut nonce_key);
        let slices = slices(&settings.rtp_ports, settings.shards);
        let stack = stack::Config {
            realm: REALM.to_owned(),
            public_address: None,
            product: "Dialplane".to_owned(),
            nonce_key,
            expires_s: stack::Expires { min: 60, max: 7_200, default: 3_600 },
            // Every other phone knows SHA-256.
            digests: stack::Digests::Both,
        };
        let shards = slices.iter().enumerate().map(|(index, rtp_ports)| {
            let config = ShardConfig {
                index,
                shards: settings.shards,
                node: NodeAddress::from(Ipv4Addr::new(10, 0, 0, 1)),
                rtp_ports: rtp_ports.clone(),
                stack: stack.clone(),
            };
            Shard::new(config, fork(chance))
        });
        let shards: Vec<Shard> = shards.collect();
        let mut node = Node {
            shard_due: vec![None; shards.len()],
            plane_due: vec![None; shards.len()],
            planes: Vec::new(),
            shards,
            sockets: BTreeMap::new(),
            slices,
            started: now,
            own_start,
        };
        let own = node.clock(now, Wall(0));
        node.planes = (0..node.shards.len()).map(|_| Plane::new(own, fork(chance))).collect();
        node
    }

    /// What the clocks of the process show.
    pub(crate) fn clock(&self, now: Mono, wall: Wall) -> Now {
        Now { mono: self.own_start + now.since(self.started), wall }
    }

    /// A moment of the process's clock by the run's clock.
    pub(crate) fn outside(&self, own: Mono) -> Mono {
        self.started + own.since(self.own_start)
    }

    /// The media plane that has this RTP port.
    pub(crate) fn plane_of(&self, port: u16) -> Option<usize> {
        self.slices.iter().position(|s| s.contains(&port))
    }
}

/// A generator of its own, determined by another.
pub(crate) fn fork(chance: &mut Chance) -> Chance {
    let mut seed = [0; 32];
    chance.fill(&mut seed);
    Chance::from_seed(seed)
}

/// Cuts the ports into equal slices that begin with an even port.
fn slices(ports: &RangeInclusive<u16>, shards: usize) -> Vec<RangeInclusive<u16>> {
    let shards = u16::try_from(shards.max(1)).unwrap_or(1);
    let count = ports.end() - ports.start() + 1;
    let each = count / shards / 2 * 2;
    (0..shards).map(|n| ports.start() + n * each..=ports.start() + (n + 1) * each - 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_share_no_port() {
        assert_eq!(slices(&(20_000..=20_399), 1), [20_000..=20_399]);
        assert_eq!(slices(&(20_000..=20_399), 2), [20_000..=20_199, 20_200..=20_399]);
        assert_eq!(slices(&(20_000..=20_006), 2), [20_000..=20_001, 20_002..=20_003]);
    }
}
