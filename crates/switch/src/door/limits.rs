//! Bounds of the door, each with its reason. All rates are a node's; each shard has its part.

use core::time::Duration;

/// Answers a second to all strangers together: challenges, refusals, OPTIONS. Enough for an office
/// that plugs its phones in, too little to make a weapon of us.
pub const STRANGER_ANSWERS_PER_SECOND: usize = 200;
/// What one source may have of them, so that one flood leaves the rest to newcomers.
pub const STRANGER_SHARE_PER_SECOND: usize = 50;
/// Answers without state a second to a known source: a phone's address may be forged too.
pub const KNOWN_ANSWERS_PER_SECOND: usize = 200;
/// The least that a shard has of a source's rates, however many shards there are.
pub const SHARD_PART_MIN: usize = 4;
/// Further ones that each right digest earns its source: the phones behind one NAT come one after
/// the other, each with a challenge of its own.
pub const EARNED_BY_DIGEST: u32 = 20;
/// The most that a source can have earned and not used.
pub const EARNED_MAX: u32 = 20_000;
/// How long a right digest makes its source a known one: as long as the longest registration.
pub const KNOWN_FOR: Duration = Duration::from_secs(3_600);
/// A source that stays known is told to the other shards this often.
pub const TOLD_EVERY: Duration = Duration::from_secs(300);
/// Known sources that are remembered; above it the one goes whose time is over first.
pub const KNOWN_MAX: usize = 100_000;

/// Wrong credentials within [`FAILURE_WINDOW`] after which a source is banned.
pub const FAILURES_MAX: u32 = 10;
/// How long wrong credentials count: a person mistypes, a phone with a wrong password goes on.
pub const FAILURE_WINDOW: Duration = Duration::from_secs(600);
/// The first ban of a source; each further one is twice as long.
pub const BAN_FIRST: Duration = Duration::from_secs(120);
/// The longest ban. A ban ends by itself: addresses change hands.
pub const BAN_LONGEST: Duration = Duration::from_secs(3_600);
/// REGISTERs a second of a banned source that are looked at all the same, so that a phone with the
/// right password gets in behind the same NAT; wrong ones stay without answer. A guesser has as
/// many guesses.
pub const BANNED_LOOKED_AT_PER_SECOND: u32 = 4;
/// How long after a ban the next one is twice as long.
pub const BAN_REMEMBERED: Duration = Duration::from_secs(3_600);
/// Sources with failures or bans that are remembered; above it the one goes whose time is over
/// first. Forged sources can fill it, so it is apart from the known ones.
pub const SUSPECTS_MAX: usize = 16_384;

/// Bytes of a datagram of a stranger: more than any INVITE with an identity token has.
pub const STRANGER_DATAGRAM_MAX: usize = 16 << 10;
/// Bytes out for bytes in towards a source that may be forged, in tenths.
pub const ANSWER_TENTHS_MAX: usize = 12;
/// Sources among which the shares of strangers are kept apart; two that meet share one.
pub const SHARE_SLOTS: usize = 1_024;
