//! Bounds on the domain's values, each with its reason.

/// Longest extension name: `extension_len` of a client is at most 4 (API reference 1.2).
pub const EXTENSION_NAME_DIGITS_MAX: usize = 4;
/// Shortest extension name.
pub const EXTENSION_NAME_DIGITS_MIN: usize = 2;
/// Longest number that can be dialled: E.164 has 15 digits, prefixes and feature codes add some.
pub const NUMBER_BYTES_MAX: usize = 64;
/// Longest display name that is kept; phones show far less.
pub const DISPLAY_NAME_CHARS_MAX: usize = 128;
/// Longest SIP login.
pub const LOGIN_BYTES_MAX: usize = 64;
/// Ring timeout of an extension, seconds.
pub const RING_TIMEOUT_S_MIN: u16 = 5;
/// Ring timeout of an extension, seconds.
pub const RING_TIMEOUT_S_MAX: u16 = 180;
/// How long an extension rings when nothing is set, seconds (RFC 3261 expects 1 to 3 minutes).
pub const RING_TIMEOUT_S_DEFAULT: u16 = 60;
/// Calls of one tenant at a time when its client record sets no other number.
pub const TENANT_CALLS_MAX_DEFAULT: u32 = 500;
