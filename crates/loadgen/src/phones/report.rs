//! What came of a load.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::usage::percentile;

/// How many calls, how fast, how long.
#[derive(Debug, Clone, Copy)]
pub struct CallPlan {
    /// Calls in all.
    pub count: usize,
    /// Calls begun a second.
    pub per_second: f64,
    /// From answer to hang-up; `None`: they stay up until [`Phones::hang_up`].
    ///
    /// [`Phones::hang_up`]: crate::Phones::hang_up
    pub hold: Option<Duration>,
}

/// What came of calls.
#[derive(Debug, Clone, Default)]
pub struct CallReport {
    /// Begun.
    pub started: usize,
    /// Answered.
    pub answered: usize,
    /// Ended by the BYE that the plan says, and by nothing else.
    pub completed: usize,
    /// Refused or lost, by final status or by what was not heard.
    pub failed: BTreeMap<String, usize>,
    /// From the first INVITE's send to the kernel's stamp of the 200, challenge included;
    /// nanoseconds, sorted.
    pub setup_ns: Vec<u64>,
    /// Requests and answers that had to be sent again.
    pub retransmitted: usize,
    /// From the first INVITE to the end of the last call, or to its answer where calls stay up.
    pub elapsed: Duration,
    /// How far behind its plan the generator began a call, at worst.
    pub late: Duration,
}

impl CallReport {
    /// Every call did what the plan says and nothing was sent twice.
    pub fn is_clean(&self) -> bool {
        let ended = self.completed == self.started || self.completed == 0;
        self.failed.is_empty()
            && self.answered == self.started
            && ended
            && self.retransmitted * 1000 <= self.started
    }

    /// Setup time, milliseconds, below which `per_mille` thousandths of the calls lie.
    pub fn setup_ms(&self, per_mille: usize) -> f64 {
        percentile(&self.setup_ns, per_mille) as f64 / 1e6
    }
}

/// What came of registrations.
#[derive(Debug, Clone, Default)]
pub struct RegisterReport {
    /// Accepted.
    pub registered: usize,
    /// Refused or lost, by final status or by what was not heard.
    pub failed: BTreeMap<String, usize>,
    /// Requests that had to be sent again.
    pub retransmitted: usize,
    /// First request to last answer.
    pub elapsed: Duration,
}

impl RegisterReport {
    /// Registrations a second.
    pub fn per_second(&self) -> f64 {
        self.registered as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}
