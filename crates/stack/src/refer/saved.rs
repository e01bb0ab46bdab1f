//! REFERs that are written down with their leg.

use core::time::Duration;

use model::Mono;
use serde::{Deserialize, Serialize};

use super::{Followed, Refer, Refers, State};
use crate::core::Turn;
use crate::dialog::Leg;
use crate::saved::Moved;
use crate::timers::{LegTimer, TimerId};

/// The REFERs of a leg, written down.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedRefers {
    first: u32,
    open: Vec<SavedRefer>,
}

#[derive(Serialize, Deserialize)]
struct SavedRefer {
    number: u32,
    followed: Followed,
    ends: Option<Mono>,
}

impl Refers {
    /// What has to be written down. One that waits for its answer comes again.
    pub(crate) fn saved(&self) -> Option<SavedRefers> {
        let open = self.open.iter().filter_map(|refer| match &refer.state {
            State::Followed(followed) => Some(SavedRefer {
                number: refer.number,
                followed: *followed,
                ends: refer.timer.map(TimerId::at),
            }),
            State::Asked(_) => None,
        });
        Some(SavedRefers { first: self.first?, open: open.collect() })
    }
}

impl SavedRefers {
    /// As they were.
    pub(crate) fn restore(self, turn: &mut Turn<'_>, leg: &mut Leg, moved: &Moved) {
        leg.refers.first = Some(self.first);
        // Which of the last ones were heard is not known.
        for saved in self.open.into_iter().filter(|saved| !saved.followed.closed) {
            let left = saved.ends.map_or(Duration::ZERO, |ends| moved.left(ends));
            let timer = Some(leg.start(turn, left, LegTimer::Refer(saved.number)));
            let state = State::Followed(saved.followed);
            leg.refers.open.push(Refer { number: saved.number, state, timer });
        }
    }
}
