//! What a step declares of a call's audio: who hears whom, what is played, what is recorded.

use leg::{Clip, ClipId, Gain, Hears, LegId, Piece, Player, Recorder, Source};
use model::Snapshot;
use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use crate::call::{Call, Leg};

/// What a step reads when it says what is heard.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The call.
    pub call: &'a Call,
    /// The newest configuration.
    pub snapshot: &'a Snapshot,
}

impl Scene<'_> {
    /// A leg of the call.
    pub fn leg(&self, leg: LegId) -> Option<&Leg> {
        self.call.legs.get(leg)
    }

    /// Whether the peer of a leg wants to hear nothing.
    pub fn is_held(&self, leg: LegId) -> bool {
        self.leg(leg).is_some_and(Leg::is_held_by_peer)
    }

    /// The same, or a program holds the call for it.
    pub fn holds(&self, leg: LegId) -> bool {
        self.leg(leg).is_some_and(Leg::holds)
    }
}

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

impl Saying {
    /// As a source that is heard.
    pub fn player(&self) -> Player {
        Player::Clip(self.clip)
    }
}

impl Sounds {
    /// A leg hears one source, as loud as it came.
    pub fn hear(&mut self, listener: LegId, source: Source) {
        self.hears.push(Hears { listener, sources: smallvec![(source, Gain::UNITY)] });
    }

    /// A leg hears one source more, or one at all.
    pub fn add(&mut self, listener: LegId, source: Source) {
        match self.hears.iter_mut().find(|h| h.listener == listener) {
            Some(hears) => hears.sources.push((source, Gain::UNITY)),
            None => self.hear(listener, source),
        }
    }

    /// Something is played to a leg again and again.
    pub fn repeat(&mut self, scene: &Scene<'_>, leg: LegId, saying: &Saying) {
        self.say(scene, leg, saying);
        if let Some(clip) = self.clips.iter_mut().find(|c| c.id == saying.clip) {
            clip.repeats = true;
        }
    }

    /// Something is said to a leg. It begins when the leg can hear it at all, which a caller that
    /// has not described itself yet cannot; who holds hears nothing, but it goes on.
    pub fn say(&mut self, scene: &Scene<'_>, leg: LegId, saying: &Saying) {
        let Some(facts) = scene.leg(leg).filter(|l| l.remote.is_some()) else { return };
        self.declare(leg, saying);
        if !facts.is_held_by_peer() {
            self.hear(leg, Source::Player(saying.player()));
        }
    }

    /// Something sounds, whoever hears it. `leg`: whose step is told of its end.
    pub fn declare(&mut self, leg: LegId, saying: &Saying) {
        let Saying { clip, pieces } = saying;
        self.clips.push(Clip { id: *clip, leg, pieces: pieces.clone(), repeats: false });
    }
}
