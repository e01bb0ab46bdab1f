//! Bounds of the exchange, each with its reason.

use core::time::Duration;

/// A device that has sent no response at all for this long counts as unreachable: a phone answers
/// an INVITE with 100 or 180 within two of its retransmissions, or not at all.
pub const NO_RESPONSE: Duration = Duration::from_secs(6);

/// How long a repeated hang-up of an ended call is answered as done.
pub const ENDED_REMEMBERED: Duration = Duration::from_secs(60);

/// Ended calls remembered for that; more than a tenant can end by hand in a minute.
pub const ENDED_REMEMBERED_MAX: usize = 4_096;

/// How long the tone of the echo service sounds before it sends back what it hears.
pub const ECHO_TONE: Duration = Duration::from_secs(2);

/// Longest stay in the echo service: a forgotten receiver must not hold a port for ever.
pub const ECHO_MAX: Duration = Duration::from_secs(600);

/// A port rests this long before it is used again, so that late packets of the last call find
/// nobody: the longest delay that a network is believed to give a packet.
pub const PORT_REST: Duration = Duration::from_secs(2);

/// Duration of a digit that came without one (SIP INFO), milliseconds.
pub const DIGIT_MS: u16 = 160;

/// Retry-After of a refusal for want of room, seconds.
pub const RETRY_AFTER_S: u32 = 5;
