//! How long a connection may take, and be silent.

use tokio::time::Instant;

use crate::flows::Shut;
use crate::limits;

/// The times of one connection.
#[derive(Debug)]
pub(crate) struct Patience {
    opened: Instant,
    last: Instant,
    /// When the first byte of a message came that is not whole yet.
    begun: Option<Instant>,
    proven: bool,
}

impl Patience {
    /// Of a connection that opens now and has shown nothing.
    pub(crate) fn new() -> Patience {
        let now = Instant::now();
        Patience { opened: now, last: now, begun: None, proven: false }
    }

    /// A whole message has come; `true`: it was the first.
    pub(crate) fn prove(&mut self) -> bool {
        !core::mem::replace(&mut self.proven, true)
    }

    /// Whether a whole message has ever come.
    pub(crate) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Something whole has come. What follows is another message, with a time of its own.
    pub(crate) fn whole(&mut self) {
        self.begun = None;
    }

    /// Bytes have come, and all that is whole was taken out of them.
    pub(crate) fn heard(&mut self, rest: Rest) {
        self.last = Instant::now();
        match rest {
            Rest::Nothing => self.begun = None,
            Rest::Part => {
                self.begun.get_or_insert(self.last);
            }
        }
    }

    /// When it is over.
    pub(crate) fn deadline(&self) -> Instant {
        match (self.begun, self.proven) {
            (Some(begun), true) => begun + limits::MESSAGE_TIME,
            (_, false) => self.opened + limits::MESSAGE_TIME,
            (None, true) => self.last + limits::IDLE_TIME,
        }
    }

    /// What to call it when it is over.
    pub(crate) fn why_late(&self) -> Shut {
        if self.begun.is_some() || !self.proven { Shut::Slow } else { Shut::Idle }
    }
}

/// What is left of the bytes that have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    Nothing,
    /// Part of a message.
    Part,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds in time, on values: no test waits half a minute.
    #[tokio::test(start_paused = true)]
    async fn half_a_message_has_a_deadline_and_a_quiet_phone_a_long_one() {
        let mut patience = Patience::new();
        let opened = Instant::now();
        assert_eq!(patience.deadline(), opened + limits::MESSAGE_TIME);
        assert_eq!(patience.why_late(), Shut::Slow, "nothing at all");

        assert!(patience.prove() && !patience.prove(), "the first message only");
        tokio::time::advance(limits::MESSAGE_TIME).await;
        patience.heard(Rest::Part);
        let begun = Instant::now();
        tokio::time::advance(limits::MESSAGE_TIME / 2).await;
        patience.heard(Rest::Part);
        assert_eq!(patience.deadline(), begun + limits::MESSAGE_TIME, "trickling does not help");
        assert_eq!(patience.why_late(), Shut::Slow);

        patience.whole();
        patience.heard(Rest::Part);
        let deadline = Instant::now() + limits::MESSAGE_TIME;
        assert_eq!(patience.deadline(), deadline, "the next message has its own time");

        patience.whole();
        patience.heard(Rest::Nothing);
        assert_eq!(patience.deadline(), Instant::now() + limits::IDLE_TIME);
        assert_eq!(patience.why_late(), Shut::Idle);
    }
}
