//! Bounds of the exchange, each with its reason.

use core::time::Duration;

/// A device that has sent no response at all for this long counts as unreachable: a phone answers
/// an INVITE with 100 or 180 within two of its retransmissions, or not at all.
pub const NO_RESPONSE: Duration = Duration::from_secs(6);

/// How long a repeated hang-up of an ended call is answered as done.
pub const HANGUPS_REMEMBERED: Duration = Duration::from_secs(60);

/// Ended calls remembered for that; more than a tenant can end by hand in a minute.
pub const HANGUPS_REMEMBERED_MAX: usize = 4_096;

/// How long the tone of the echo service sounds before it sends back what it hears.
pub const ECHO_TONE: Duration = Duration::from_secs(2);

/// Longest stay in the echo service: a forgotten receiver must not hold a port for ever.
pub const ECHO_MAX: Duration = Duration::from_secs(600);

/// The caller is told so often that it still rings, or proxies on the way give the call up
/// (RFC 3261 13.3.1.1, timer C of 16.6).
pub const TELL_AGAIN: Duration = Duration::from_secs(60);

/// How long who has answered may take to say that the call is taken, after each announcement.
pub const SCREEN_WAIT: Duration = Duration::from_secs(10);

/// An announcement that has not ended by now counts as said: the longest one, of two numbers of 20
/// digits, takes half of it.
pub const ANNOUNCEMENT_MAX: Duration = Duration::from_secs(60);

/// How long an answered caller hears the busy tone when nobody takes the call.
pub const CLEARING_TONE: Duration = Duration::from_secs(3);

/// Silence before anything is said to who has just been answered, milliseconds: the answer is on
/// its way for so long, and the first word shall be heard.
pub const LEAD_IN_MS: u16 = 300;

/// A sound that has not ended so long after its length counts as ended.
pub const CLIP_GRACE: Duration = Duration::from_secs(10);

/// How long the tone sounds that says whether what a code is for was done.
pub const TOLD: Duration = Duration::from_secs(2);

/// Length of each of the tones that say that it was done, milliseconds.
pub const TOLD_TONE_MS: u16 = 200;

/// Length of the tone before a message is recorded, milliseconds.
pub const BEEP_MS: u16 = 400;

/// Longest message, milliseconds.
pub const MESSAGE_MAX_MS: u32 = 180_000;

/// A message ends after so much silence, milliseconds.
pub const MESSAGE_SILENCE_MS: u32 = 5_000;

/// A shorter message is nobody's: somebody has hung up at the tone. Milliseconds.
pub const MESSAGE_MIN_MS: u32 = 1_000;

/// How long a call that is over waits for its message or recording to be complete.
pub const MESSAGE_KEPT: Duration = Duration::from_secs(10);

/// A shorter recording of a talk holds nothing that anybody would look for. Milliseconds.
pub const RECORDING_MIN_MS: u32 = 1_000;

/// Longest recording of a talk, milliseconds: no talk is worth more, and a receiver that was
/// forgotten must not fill the disk. Four hours of two channels at 16 kHz are 0.9 GB, which a WAV
/// header can say.
pub const RECORDING_MAX_MS: u32 = 4 * 3_600_000;

/// How many may listen to one call: each of them costs a mixer what a talker of a conference does,
/// and nobody has more supervisors.
pub const MONITORS_MAX: usize = 20;

/// A parked call rings back after this long (API reference 11).
pub const PARKED: Duration = Duration::from_secs(180);

/// How long it rings back each time.
pub const RING_BACK: Duration = Duration::from_secs(30);

/// How often a parked call rings back before it is given up: nobody listens to music for ever.
pub const PARK_ROUNDS_MAX: u8 = 3;

/// Who has parked somebody or sent somebody on hears the slot, or hangs up by itself, in this time.
pub const DEPARTING: Duration = Duration::from_secs(5);

/// How long who has sent its far party on stays while nothing rings there.
pub const TRANSFER_LEAVES: Duration = Duration::from_secs(10);

/// How long a transfer waits for somebody to take the far party.
pub const TRANSFER_RINGS: Duration = Duration::from_secs(60);

/// How long the devices ring of who has sent a far party on that nobody took.
pub const GIVE_BACK_RINGS: Duration = Duration::from_secs(30);

/// Keys and codes of one talk that are kept while it is interrupted by a transfer or a consultation
/// of which nothing may come: longer than any menu asks for at once. Further ones are lost.
pub const LATE_KEYS_MAX: usize = 64;

/// How long who talks hears that something could not be done.
pub const ERROR_TONE: Duration = Duration::from_secs(2);

/// How many may be in one conference room: each hears all others, so that the mixer's work grows
/// with the square.
pub const ROOM_MEMBERS_MAX: usize = 50;

/// Announcements that wait in a room; more people at once are not worth hearing.
pub const ROOM_SAYINGS_MAX: usize = 4;

/// How long keys of a code are waited for, each.
pub const CODE_WAIT: Duration = Duration::from_secs(10);

/// How often a code may be wrong before one is hung up.
pub const CODE_TRIES_MAX: u8 = 3;

/// Keys that are kept of what may be a code: no code is longer.
pub const CODE_KEYS_MAX: usize = 32;

/// Who goes on from a message after this long has heard it: by then one knows what it is about.
pub const MESSAGE_HEARD: Duration = Duration::from_secs(3);

/// How long a key is waited for after a message before the next one sounds.
pub const MESSAGE_KEY: Duration = Duration::from_secs(3);

/// How long a key is waited for after the last message.
pub const MAILBOX_WAIT: Duration = Duration::from_secs(10);

/// A port rests this long before it is used again, so that late packets of the last call find
/// nobody: the longest delay that a network is believed to give a packet.
pub const PORT_REST: Duration = Duration::from_secs(2);

/// Duration of a digit that came without one (SIP INFO), milliseconds.
pub const DIGIT_MS: u16 = 160;

/// Retry-After of a refusal for want of room, seconds.
pub const RETRY_AFTER_S: u32 = 5;
