//! What a step declares of a call's audio: who hears whom, what is played, what is recorded.

use leg::{Clip, ClipId, Gain, Hears, LegId, Piece, Player, Recorder, Source};
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use crate::call::Call;

/// The audio that the steps of a call want.
#[derive(Clone, Debug, Default)]
pub struct Sounds {
    /// Who hears whom.
    pub hears: Vec<Hears>,
    /// What is played.
    pub clips: Vec<Clip>,
    /// What is recorded.
    pub recorders: Vec<Recorder>,
}

/// Something that is played to a leg, as long as a step says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saying {
    /// Its number.
    pub clip: ClipId,
    /// What is said.
    pub pieces: Vec<Piece>,
}

impl Sounds {
    /// A leg hears one source, as loud as it came.
    pub fn hear(&mut self, listener: LegId, source: Source) {
        self.hears.push(Hears { listener, sources: smallvec![(source, Gain::UNITY)] });
    }

    /// Something is said to a leg. It begins when the leg can hear it at all, which a caller that
    /// has not described itself yet cannot; who holds hears nothing, but it goes on.
    pub fn say(&mut self, call: &Call, leg: LegId, saying: &Saying) {
        let Some(facts) = call.legs.get(leg).filter(|l| l.remote.is_some()) else { return };
        let Saying { clip, pieces } = saying;
        self.clips.push(Clip { id: *clip, leg, pieces: pieces.clone(), repeats: false });
        if !facts.is_held_by_peer() {
            self.hear(leg, Source::Player(Player::Clip(*clip)));
        }
    }
}
