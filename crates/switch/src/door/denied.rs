//! [`Denied`]: every reason of the door's to drop a message or to hold back an answer.

/// Why a message was dropped, or an answer held back, before anything was kept of it. At once the
/// metric's label and the reason in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Denied {
    /// It is no SIP message.
    NotSip,
    /// A datagram of a stranger longer than a stranger's may be.
    Oversize,
    /// Its source is banned.
    Banned,
    /// A response or an ACK that belongs to nothing here; neither is ever answered.
    Unanswerable,
    /// Strangers have had all answers of this second.
    StrangersCap,
    /// This one stranger has had its share of them.
    SourceShare,
    /// A known source has had all answers without state of this second.
    OwnCap,
    /// The answer is too long for what was asked: an unverified source gets little more than it
    /// has sent.
    AnswerTooLong,
    /// Wrong credentials from a known source that has sent too many of them.
    Silenced,
}

impl Denied {
    /// All of them.
    pub const ALL: [Denied; 9] = [
        Denied::NotSip,
        Denied::Oversize,
        Denied::Banned,
        Denied::Unanswerable,
        Denied::StrangersCap,
        Denied::SourceShare,
        Denied::OwnCap,
        Denied::AnswerTooLong,
        Denied::Silenced,
    ];

    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Denied::NotSip => "not_sip",
            Denied::Oversize => "oversize",
            Denied::Banned => "banned",
            Denied::Unanswerable => "unanswerable",
            Denied::StrangersCap => "strangers_cap",
            Denied::SourceShare => "source_share",
            Denied::OwnCap => "own_cap",
            Denied::AnswerTooLong => "answer_too_long",
            Denied::Silenced => "silenced",
        }
    }
}

/// How often each reason has applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Denials([u64; Denied::ALL.len()]);

impl Denials {
    /// One more.
    pub(crate) fn count(&mut self, why: Denied) {
        let at = Denied::ALL.iter().position(|d| *d == why);
        if let Some(count) = at.and_then(|at| self.0.get_mut(at)) {
            *count += 1;
        }
    }

    /// How often.
    pub fn of(&self, why: Denied) -> u64 {
        let at = Denied::ALL.iter().position(|d| *d == why);
        at.and_then(|at| self.0.get(at)).copied().unwrap_or(0)
    }

    /// Adds those of another shard.
    pub fn add(&mut self, other: &Denials) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    /// All together.
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}
