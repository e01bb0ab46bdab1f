//! Who hears whom, by names alone: what each phone is sent is followed back to the phones that are
//! believed where it comes from. No packet is needed for it, so a run may ask after every step.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use leg::Piece;
use media::{Audible, Outlet};

use super::World;
use crate::node::{self, Node};
use crate::phone::agent::Agent;
use crate::phone::call::Call;
use crate::phone::sound::Sound;

/// What the switch sends, by where it goes.
type Outlets = BTreeMap<SocketAddr, Vec<Outlet>>;

impl World {
    /// What a phone hears in all of its calls together.
    pub(crate) fn audible_at(&self, phone: usize) -> BTreeSet<Sound> {
        let outlets = self.outlets();
        self.phones.get(phone).map_or_else(BTreeSet::new, |agent| self.audible_to(agent, &outlets))
    }

    /// What each phone that goes on with a call hears, by its name.
    pub(crate) fn audible_everywhere(&self) -> BTreeMap<String, BTreeSet<Sound>> {
        let outlets = self.outlets();
        let in_call = |agent: &&Agent| agent.calls.iter().any(Call::is_live);
        let heard = |agent: &Agent| (agent.place.name.clone(), self.audible_to(agent, &outlets));
        self.phones.iter().filter(in_call).map(heard).collect()
    }

    fn outlets(&self) -> Outlets {
        let mut outlets = Outlets::new();
        let Some(node) = &self.node else { return outlets };
        for outlet in node.planes.iter().flat_map(media::Plane::outlets) {
            if node.carries(outlet.port, outlet.to) {
                outlets.entry(outlet.to).or_default().push(outlet);
            }
        }
        outlets
    }

    fn audible_to(&self, agent: &Agent, outlets: &Outlets) -> BTreeSet<Sound> {
        let mut heard = BTreeSet::new();
        if agent.is_unplugged {
            return heard;
        }
        for call in agent.calls.iter().filter(|call| call.is_live()) {
            let ear = SocketAddr::new(agent.place.address.ip(), call.rtp_port());
            for outlet in outlets.get(&ear).into_iter().flatten() {
                for (audible, _) in &outlet.sounds {
                    match audible {
                        Audible::Port(port) => heard.extend(self.speakers(*port)),
                        Audible::Player(player) => heard.extend([Sound::of(*player)]),
                        Audible::Piece(piece) => heard.extend(named(*piece)),
                    }
                }
            }
        }
        heard
    }

    /// The phones whose sound is taken at a port of the switch, if they say something.
    fn speakers(&self, port: u16) -> impl Iterator<Item = Sound> {
        let to = SocketAddr::new(node::ADDRESS, port);
        let node = self.node.as_ref();
        let plane = node.and_then(|node| node.planes.get(node.plane_of(port)?));
        let speaks = move |agent: &&Agent| {
            let (Some(node), Some(plane)) = (node, plane) else { return false };
            !agent.is_unplugged
                && agent.calls.iter().any(|call| {
                    let Some(channel) = call.channel(agent.manner.events) else { return false };
                    let from = SocketAddr::new(agent.place.address.ip(), call.rtp_port());
                    channel.to == to
                        && node.carries(port, from)
                        && plane.takes(port, from, channel.codec.payload_type())
                })
        };
        let name = |agent: &Agent| Sound::Phone(agent.place.name.clone());
        self.phones.iter().filter(speaks).map(name)
    }
}

impl Node {
    /// Whether datagrams go between a port and an address: it is read, and connected to nobody
    /// else.
    fn carries(&self, port: u16, peer: SocketAddr) -> bool {
        self.sockets.get(&port).is_some_and(|to| to.is_none_or(|to| to == peer))
    }
}

fn named(piece: Piece) -> Option<Sound> {
    match piece {
        Piece::File(file) => Some(Sound::File(file)),
        Piece::Spoken(language, spoken) => Some(Sound::Speech(language, spoken)),
        Piece::Tone(tone, _) => Some(Sound::of(leg::Player::Tone(tone))),
        Piece::Silence(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{Chance, Mono};

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_socket_that_is_connected_carries_nothing_of_anybody_else() {
        let mut chance = Chance::from_number(1);
        let mut node = Node::start(&Settings::default(), 0, Mono(0), &mut chance);
        let [ann, eve] = [1, 2].map(|n| SocketAddr::from(([10, 1, 0, n], 4_000)));
        node.sockets.insert(20_000, None);
        node.sockets.insert(20_002, Some(ann));
        assert!(node.carries(20_000, ann) && node.carries(20_000, eve));
        assert!(node.carries(20_002, ann) && !node.carries(20_002, eve));
        assert!(!node.carries(20_004, ann), "it is not open");
    }
}
