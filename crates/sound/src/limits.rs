//! Bounds of what is converted, each with its reason.

/// Largest file that is looked at (the API's documented bound of an upload).
pub const BYTES_MAX: usize = 10 * 1024 * 1024;
/// Longest sound: far longer than any announcement, and an end to what ten megabytes of highly
/// compressed silence could unfold to.
pub const SECONDS_MAX: u32 = 600;
/// Lowest sample rate that is read: below it there is no speech.
pub const RATE_HZ_MIN: u32 = 4_000;
/// Highest sample rate that is read: what studios use.
pub const RATE_HZ_MAX: u32 = 192_000;
/// Most channels that are mixed: 7.1.
pub const CHANNELS_MAX: u16 = 8;
/// The rate of the result: the highest that a call of ours carries without Opus's music modes,
/// twice that of the usual codecs.
pub const RATE_HZ: u32 = 16_000;
