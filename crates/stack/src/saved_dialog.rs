//! The saved forms of what a dialog has besides its ends: early forks, reliable provisional
//! responses, the session timer.

use leg::Session;
use model::Mono;
use serde::{Deserialize, Serialize};

use crate::core::Turn;
use crate::dialog::{Able, Leg, Peer};
use crate::early::{Answered, Early};
use crate::limits::T1;
use crate::offer::Carries;
use crate::reliable::{Agreed, Open, Reliable, Ring};
use crate::saved::{Blob, Moved};
use crate::session_timer::{self, Terms};
use crate::timers::LegTimer;

#[derive(Serialize, Deserialize)]
pub(crate) struct SavedEarly {
    peer: Peer,
    able: Able,
    session: Option<Box<Session>>,
    rseq: Option<u32>,
    answered: Answered,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SavedReliable {
    cseq: u32,
    rseq: u32,
    agreed: Agreed,
    open: Option<SavedOpen>,
    queued: Option<Ring>,
    answer: Option<Box<Session>>,
}

#[derive(Serialize, Deserialize)]
struct SavedOpen {
    bytes: Blob<'static>,
    status: u16,
    carries: Carries,
    lost: Mono,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SavedTimed {
    min_s: u32,
    terms: Terms,
    ends: Mono,
}

impl SavedEarly {
    pub(crate) fn of(early: &Early) -> SavedEarly {
        let Early { peer, able, session, rseq, answered } = early.clone();
        SavedEarly { peer, able, session, rseq, answered }
    }

    pub(crate) fn restore(self) -> Early {
        let SavedEarly { peer, able, session, rseq, answered } = self;
        Early { peer, able, session, rseq, answered }
    }
}

/// A fork as version 1 wrote it: its tag, and whether it had described itself. Where its requests
/// go comes with its next response.
pub(crate) fn early_of_version_1(tag: Box<str>, session: Option<Box<Session>>) -> Early {
    Early {
        peer: Peer { tag, ..Peer::default() },
        able: Able::default(),
        session,
        rseq: None,
        answered: Answered::Perhaps,
    }
}

impl SavedReliable {
    pub(crate) fn of(reliable: &Reliable) -> SavedReliable {
        SavedReliable {
            cseq: reliable.cseq,
            rseq: reliable.rseq,
            agreed: reliable.agreed,
            open: reliable.open.as_ref().map(|o| SavedOpen {
                bytes: Blob(o.bytes.to_vec().into()),
                status: o.status,
                carries: o.carries,
                lost: o.lost.at(),
            }),
            queued: reliable.queued.clone(),
            answer: reliable.answer.clone(),
        }
    }

    pub(crate) fn restore(self, turn: &mut Turn<'_>, leg: &Leg, moved: &Moved) -> Box<Reliable> {
        let open = self.open.map(|o| Open {
            bytes: o.bytes.0.as_ref().into(),
            status: o.status,
            carries: o.carries,
            interval: T1,
            repeat: leg.start(turn, T1, LegTimer::Reliable),
            lost: leg.start(turn, moved.left(o.lost), LegTimer::ReliableLost),
        });
        let SavedReliable { cseq, rseq, agreed, queued, answer, .. } = self;
        Box::new(Reliable { cseq, rseq, agreed, open, queued, answer })
    }
}

impl SavedTimed {
    pub(crate) fn of(leg: &Leg) -> Option<SavedTimed> {
        let running = leg.timed.running.as_ref()?;
        Some(SavedTimed { min_s: leg.timed.min_s, terms: running.terms, ends: running.ends })
    }

    pub(crate) fn restore(self, turn: &mut Turn<'_>, leg: &mut Leg, moved: &Moved) {
        leg.timed.min_s = self.min_s;
        session_timer::resume(turn, leg, self.terms, moved.left(self.ends));
    }
}
