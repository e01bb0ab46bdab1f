//! What a step is told, and what it may read.

use std::collections::BTreeMap;

use leg::{LegEvent, LegId, MediaEventKind, ReferId};
use model::{CallId, Digit, EndReason, ExtensionId, Now, Snapshot};
use serde::{Deserialize, Serialize};

use super::consulting::Consultation;
use super::seeking::node::{NodeId, Wait};
use super::{consulting, legacy};
use crate::call::{Branch, BranchId, Call, Leg};
use crate::control::Order;
use crate::keypad::{Key, KeySource};
use crate::tables::Tables;

/// A wait of a step; each ends in its timer. A timer is gone with its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "legacy::SavedTimer")]
pub enum Timer {
    /// Seeking: one of the things that are tried waits for something.
    Node(NodeId, Wait),
    /// Serving, voicemail, mailbox, clearing, parked, departing, entering, telling, recording: the
    /// present phase is over. Talking: the tone is. Room: what sounds is. Seeking: who has sent the
    /// caller on waits no longer.
    Phase,
    /// Seeking: who has answered this leg has not said that the call is taken.
    Screen(LegId),
    /// Talking, seeking, consulting: the keys of this leg that may become a code have waited long
    /// enough.
    Keys(LegId),
    /// Seeking: the caller has heard nothing new for a while.
    Tell,
}

/// Something for a step to handle.
#[derive(Clone, Debug)]
pub enum StepInput<'a> {
    /// An event of a leg that the step owns.
    Leg(LegId, &'a LegEvent),
    /// A key was pressed on a leg that the step owns, and let go.
    Digit {
        /// The leg.
        leg: LegId,
        /// The key.
        digit: Digit,
        /// For how long, milliseconds.
        duration_ms: u16,
    },
    /// No audio has come from a leg that the step owns for a minute.
    Silent(LegId),
    /// What became of a clip or a recording that the step has declared.
    Sound(MediaEventKind),
    /// A timer of the step.
    Timer(Timer),
    /// End this branch, as if its extension had hung up.
    HangUp {
        /// The branch, which has a leg or a service of this step.
        branch: BranchId,
        /// Why.
        reason: EndReason,
    },
    /// End everything, for a reason from outside the call.
    EndAll(EndReason),
    /// Somebody wants something done with a part of the call that the step takes care of. It says
    /// in [`super::Actions::answer`] whether it is; what it refuses it leaves as it is.
    Order(&'a Order),
    /// A leg is the step's from now on.
    Given {
        /// The leg.
        leg: LegId,
        /// What for.
        given: Given,
    },
    /// A leg that the step follows is over, or with it what the step was about.
    Gone(LegId),
}

/// What a leg is given to a step for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It takes the call that is looking for somebody, or of which it was rung for.
    PicksUp,
    /// It takes back who is parked.
    TakesParked,
    /// Nobody has answered who was rung for the step that owns the leg.
    NobodyAnswers,
    /// Who has consulted somebody comes back to its far party.
    ComesBack {
        /// What it hears first.
        tone: consulting::Tone,
    },
    /// Who has consulted the leg is out: its far party talks with it.
    Completes,
    /// Whoever consulted somebody is out: its far party waits for that one itself.
    SentOn {
        /// Who has consulted.
        by: ExtensionId,
    },
    /// It takes the place of another leg, whose phone has sent it on.
    Joins {
        /// Which.
        from: LegId,
    },
    /// A phone has sent it on to whom the step looks for, in the place of another leg of that
    /// phone.
    SentOnBy {
        /// The phone's leg in the talk that it has left.
        leg: LegId,
        /// By what it has asked.
        refer: ReferId,
        /// The phone's extension.
        by: ExtensionId,
    },
    /// Who consults is to come back.
    GivesUp,
    /// Who consults is to be out.
    IsOut,
    /// Who waits for a consultation is where who has consulted was.
    IsTakenIn,
    /// Who consults has pressed a key where nobody else listens for the way back.
    Pressed {
        /// Which.
        digit: Digit,
        /// How it was heard of.
        source: KeySource,
    },
    /// Who consults has pressed a key while somebody was rung for that, of which nothing comes.
    PressedLate(Key),
    /// It takes back who is parked, to ask it something.
    AsksParked(Consultation),
    /// Who is on the leg has been taken by somebody else: nobody is needed any more.
    TakenElsewhere,
    /// It enters a conference room.
    EntersRoom,
    /// It has the place of another leg of its extension: whatever was about that one is about it.
    HasPlaceOf {
        /// Which.
        from: LegId,
    },
    /// It takes the far party of another leg, and that one's place.
    TakesOver {
        /// Which.
        from: LegId,
    },
}

/// What a step may read.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The time.
    pub now: Now,
    /// The call, without the step itself.
    pub call: &'a Call,
    /// The other calls of the tenant.
    pub calls: &'a BTreeMap<CallId, Box<Call>>,
    /// The newest configuration.
    pub snapshot: &'a Snapshot,
    /// What the calls of the tenant share.
    pub tables: &'a Tables,
    /// RTP ports that can be taken now.
    pub ports_left: usize,
}

impl<'a> Facts<'a> {
    /// A leg of the call.
    pub fn leg(&self, leg: LegId) -> Option<&'a Leg> {
        self.call.legs.get(leg)
    }

    /// The branch of a leg.
    pub fn branch_of(&self, leg: LegId) -> Option<&'a Branch> {
        self.call.branches.get(self.leg(leg)?.branch)
    }
}
