//! Who is heard where, told by names instead of samples: nothing is sent or decoded for it.

use core::net::SocketAddr;

use ::leg::{Gain, LegId, Piece, Player};
use model::{CallId, Codec, TenantId};

use crate::source::Verdict;

use super::leg::{Hearing, Leg, Voice};
use super::{Call, Plane};

/// What one peer is sent at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlet {
    /// Whose leg it is.
    pub tenant: TenantId,
    /// The call.
    pub call: CallId,
    /// The leg.
    pub leg: LegId,
    /// From which of our ports.
    pub port: u16,
    /// To where.
    pub to: SocketAddr,
    /// In which codec.
    pub codec: Codec,
    /// How it is made.
    pub way: Way,
    /// What it is made of; nothing at no gain is among it.
    pub sounds: Vec<(Audible, Gain)>,
}

/// How what a peer is sent is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Another leg's packets are passed on.
    Relayed,
    /// Frames are summed up.
    Mixed,
}

/// Something that is heard at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audible {
    /// Whoever is believed on this port of ours.
    Port(u16),
    /// A player that is no clip.
    Player(Player),
    /// The piece at which a clip is.
    Piece(Piece),
}

impl Plane {
    /// What each peer is sent at the moment, by the same resolved relation that packets and frames
    /// go by. Legs to which nothing is sent are left out; a clip is heard where it is now.
    pub fn outlets(&self) -> impl Iterator<Item = Outlet> {
        self.legs.iter().filter_map(|(_, leg)| self.outlet_of(leg))
    }

    /// Whether sound under this payload type, sent from there to this port, is taken at once. A
    /// stranger who would have to be learned first is not.
    pub fn takes(&self, port: u16, from: SocketAddr, payload_type: u8) -> bool {
        let leg = self.leg_at(port).and_then(|key| self.legs.get(key.0));
        leg.is_some_and(|leg| {
            let mut formats = leg.wants.receive.iter().chain(&leg.before.receive);
            leg.wants.port == port
                && leg.lock.foresee(from) == Verdict::Believed
                && formats.any(|format| format.payload_type == payload_type)
        })
    }

    fn outlet_of(&self, leg: &Leg) -> Option<Outlet> {
        let (to, format) = leg.outlet()?;
        let call = self.calls.get(leg.call?.0)?;
        let (way, sounds) = match &leg.hearing {
            Hearing::Nothing => return None,
            Hearing::Relay(source) => {
                (Way::Relayed, vec![(self.audible(call, Voice::Leg(*source))?, Gain::UNITY)])
            }
            Hearing::Mix(voices) => {
                let sound =
                    |(voice, gain): &(Voice, Gain)| Some((self.audible(call, *voice)?, *gain));
                (Way::Mixed, voices.iter().filter_map(sound).collect())
            }
        };
        Some(Outlet {
            tenant: leg.tenant,
            call: leg.call_id,
            leg: leg.id,
            port: leg.wants.port,
            to,
            codec: format.codec,
            way,
            sounds,
        })
    }

    fn audible(&self, call: &Call, voice: Voice) -> Option<Audible> {
        match voice {
            Voice::Leg(key) => Some(Audible::Port(self.legs.get(key.0)?.wants.port)),
            Voice::Player(Player::Clip(id)) => {
                call.clips.iter().find(|clip| clip.id() == id)?.piece().map(Audible::Piece)
            }
            Voice::Player(player) => Some(Audible::Player(player)),
        }
    }
}
