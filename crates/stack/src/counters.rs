//! What the endpoint has counted and what it holds.

/// What the endpoint has counted since it began. Rising only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Answers that left no state: challenges, refusals, OPTIONS.
    pub stateless: u64,
    /// Challenges among them.
    pub challenged: u64,
    /// Answers to a challenge that were wrong: unknown login, wrong password.
    pub wrong_credentials: u64,
    /// Answers to a challenge that were right but had been used before.
    pub replayed: u64,
    /// Messages that were dropped without an answer.
    pub dropped: u64,
    /// Requests refused because a bound of ours was reached.
    pub bound_hit: u64,
    /// Messages, timers and commands whose handling a defect ended.
    pub panics: u64,
}

/// What the endpoint holds at the moment; all but `bindings` and their timers is zero when no
/// call and no transaction is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions.
    pub transactions: usize,
    /// Legs, each with its dialog.
    pub dialogs: usize,
    /// Registered contacts.
    pub bindings: usize,
    /// Running timers; each binding has one.
    pub timers: usize,
    /// Handlings that a defect ended since the endpoint began; as in [`Counters`].
    pub panics: u64,
    /// Our registrations with trunks that stand.
    pub trunks_registered: usize,
    /// Those that do not.
    pub trunks_missing: usize,
}
