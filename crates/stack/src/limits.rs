//! Bounds on what peers may make the endpoint keep, each with its reason and its answer.

use core::time::Duration;

/// RFC 3261 17.1.1.1: estimate of the round trip.
pub const T1: Duration = Duration::from_millis(500);
/// RFC 3261 17.1.2.2: longest interval between retransmissions.
pub const T2: Duration = Duration::from_secs(4);
/// RFC 3261 17.1.2.2: longest time that a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64 * T1: how long a transaction tries (Timers B, F, H, J, L, M).
pub const T1_64: Duration = Duration::from_secs(32);

/// Transactions at a time on one shard; above it requests get 503. A call between phones leaves
/// three that live for 32 s and one for 5 s, so 2,000 calls a second hold some 200,000.
pub const TRANSACTIONS_MAX: usize = 320_000;
/// Above it new calls get 503: the rest is for what belongs to running ones, their ends first.
pub const TRANSACTIONS_FOR_NEW_CALLS_MAX: usize = 256_000;
/// Legs at a time on one shard; one more gets 503. Ten times what a core can relay.
pub const LEGS_MAX: usize = 20_000;
/// Contacts of one extension; one more gets 403. More phones than a person has, few enough to
/// ring all at once.
pub const CONTACTS_MAX: usize = 10;
/// Contact values of one REGISTER that are looked at; more get 400.
pub const REGISTER_CONTACTS_MAX: usize = 2 * CONTACTS_MAX;
/// Early dialogs of one INVITE that are remembered; answers of further forks are not heard.
pub const FORKS_MAX: usize = 8;
/// Entries of a route set or a Path; longer ones get 400.
pub const ROUTES_MAX: usize = 16;
/// Bytes of one URI that is kept (contact, route, remote target); longer ones get 400.
pub const URI_BYTES_MAX: usize = 1_024;
/// Bytes of a Call-ID or a tag that is kept; longer ones get 400.
pub const TOKEN_BYTES_MAX: usize = 512;
/// Bytes of a User-Agent that are kept; the rest is cut off.
pub const USER_AGENT_BYTES_MAX: usize = 64;
/// Nonces with a remembered count; above it the oldest are forgotten and become stale.
pub const NONCES_MAX: usize = 100_000;
/// How long a nonce is good; after it a right answer gets a new one with `stale=true`. Short, since
/// a phone that asks for a new one each time leaves one remembered count per registration.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(600);
/// Moments at which nonces are made are rounded down to this, so that a repeated request gets the
/// same challenge to the byte.
pub const NONCE_STEP: Duration = Duration::from_secs(32);
/// RFC 3261 13.3.1.1: a ringing phone tells its proxies at least once a minute that it still is.
pub const PROVISIONAL_INTERVAL: Duration = Duration::from_secs(60);
/// How long the exchange may think about an offered session before the peer gets 500.
pub const OFFER_WAIT: Duration = Duration::from_secs(10);
/// How long a call that came in may wait for the exchange's next word: Timer C of 16.6 is longer
/// than three minutes, which is the longest that an extension may ring.
pub const STALLED: Duration = Duration::from_secs(190);
/// How long a re-INVITE of ours may stay without a final response once it was heard: the same.
pub const REINVITE_WAIT: Duration = Duration::from_secs(190);
/// RFC 4028 4: the session interval that we ask for, seconds, and the longest that we grant unless
/// the peer has a higher minimum.
pub const SESSION_EXPIRES_S: u32 = 1_800;
/// RFC 4028 4: the shortest session interval; below it a peer gets 422.
pub const MIN_SE_S: u32 = 90;
/// A minimum above it, from a peer's 422, is not gone along with: nothing would notice its end.
pub const MIN_SE_ACCEPTED_S: u32 = 24 * 3_600;
/// How long after a refresh that did not work the next is tried, while the session lasts.
pub const REFRESH_RETRY: Duration = Duration::from_secs(20);
/// How often an INVITE is sent again because its session interval was too small (RFC 4028 7.3).
pub const TOO_SMALL_RETRIES_MAX: u8 = 2;
/// The longest Retry-After of a refused offer that is waited out; a longer one refuses it.
pub const OFFER_RETRY_AFTER_MAX_S: u32 = 32;
/// How often a request inside a dialog is sent again after 491, or since a later one overtook it,
/// before it counts as refused.
pub const GLARE_RETRIES_MAX: u8 = 8;
/// How often a phone shall show that its flow of datagrams is alive, seconds: routers forget one
/// after half a minute.
pub const FLOW_TIMER_DATAGRAM_S: u32 = 29;
/// The same for a connection: RFC 5626 4.4.1.
pub const FLOW_TIMER_STREAM_S: u32 = 120;
/// A mere refresh of a registration is written down at most this often.
pub const BINDING_JOURNAL_INTERVAL: Duration = Duration::from_secs(300);
/// Seconds of Retry-After with 503 when a bound was hit.
pub const RETRY_AFTER_S: u32 = 5;
/// Timers that run out in one input. After a pause of the whole process very many are due at once:
/// the next ones follow with the next input, and what has arrived meanwhile comes between.
pub const TIMERS_AT_ONCE_MAX: usize = 100;
/// Names of trunks whose addresses are remembered; above it the one that is longest unused goes.
pub const NAMES_MAX: usize = 1_000;
/// How long the last addresses of a name are used while the name system is away.
pub const NAME_KEPT: Duration = Duration::from_secs(24 * 3_600);
/// Shortest time between two questions for a name, whatever its records say, and after an answer
/// that said nothing.
pub const NAME_RETRY: Duration = Duration::from_secs(30);
/// Longest time that an answer is taken as fresh, whatever its records say.
pub const NAME_FRESH_MAX: Duration = Duration::from_secs(3_600);
/// Connections and ways to trunks that are remembered; above it further tries fail.
pub const WAYS_MAX: usize = 4_096;
/// How long it is taken for granted from which of our addresses datagrams to a peer leave.
pub const WAY_KEPT: Duration = Duration::from_secs(60);
/// How long the answer to a question for a name or a connection is waited for. `node` answers
/// sooner; this is against its mistakes.
pub const REACH_WAIT: Duration = Duration::from_secs(10);
/// How long a host of a trunk may leave an INVITE without any response while others could be
/// tried: four datagrams.
pub const SILENCE: Duration = Duration::from_secs(5);
/// Tries of one call to a trunk, over all its hosts and their addresses.
pub const TRIES_MAX: u8 = 10;
/// Hosts that failed and are remembered as such; above it those that are forgiven soonest go.
pub const BAD_HOPS_MAX: usize = 1_000;
/// How long a host that failed is tried last, unless it said otherwise.
pub const BAD_FOR: Duration = Duration::from_secs(30);
/// The longest Retry-After of a host that is believed.
pub const BAD_FOR_MAX: Duration = Duration::from_secs(300);
/// How long a host that takes no TCP gets its large requests by UDP.
pub const NO_STREAM_FOR: Duration = Duration::from_secs(600);
/// RFC 3261 18.1.1: larger requests go by a transport that minds the network's congestion.
pub const DATAGRAM_REQUEST_BYTES_MAX: usize = 1_300;
/// Time until a registration with a trunk is tried again when no host has taken it; it doubles
/// each time (RFC 5626 4.5).
pub const ENROL_AGAIN_FIRST: Duration = Duration::from_secs(30);
/// The longest of these times.
pub const ENROL_AGAIN_LONGEST: Duration = Duration::from_secs(1_800);
/// Times that a trunk may refuse our password before we wait for another one: carriers ban who
/// goes on.
pub const ENROL_REFUSALS_MAX: u32 = 5;
/// Longest registration with a trunk that we ask for or believe, seconds.
pub const ENROL_EXPIRES_MAX_S: u32 = 86_400;
/// How often the way to a registrar over datagrams is kept open: routers forget one after 30 s.
pub const KEEP_ALIVE_DATAGRAM: Duration = Duration::from_secs(25);
/// The same over a connection.
pub const KEEP_ALIVE_STREAM: Duration = Duration::from_secs(110);
/// How often the hosts of a trunk that is known by its name are looked at.
pub const NAMES_ASKED_EVERY: Duration = Duration::from_secs(300);
/// Challenges to one request that are answered: a second one may say that the nonce was too old.
pub const CHALLENGES_MAX: u8 = 2;
/// Bytes of a realm, nonce or opaque that is kept; longer ones are not answered.
pub const CHALLENGE_BYTES_MAX: usize = 512;
/// Transfers of one leg that are not over; one more gets 491. A phone asks for one.
pub const REFERS_MAX: usize = 4;
/// Keys that wait to be told by INFO: more than anybody presses while one is repeated to its end.
pub const KEYS_MAX: usize = 64;
/// How long the exchange may think about a REFER before the peer gets 500.
pub const REFER_WAIT: Duration = Duration::from_secs(5);
/// RFC 3515 2.4.7: how long the sender of a REFER hears of it, seconds; longer than the rules of a
/// target may last.
pub const REFER_LASTS_S: u32 = 300;
/// The shortest subscription, seconds; a shorter one gets 423.
pub const SUBSCRIPTION_EXPIRES_MIN_S: u32 = 60;
/// The longest subscription, seconds, and what is granted when none is asked for.
pub const SUBSCRIPTION_EXPIRES_MAX_S: u32 = 3_600;
/// Subscriptions of the phones of one tenant; one more gets 503.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;
/// Subscriptions of the phones of one extension; one more gets 503. Two phones with a hundred keys
/// each, twice: after a restart a phone subscribes anew while the old ones last.
pub const SUBSCRIPTIONS_OF_EXTENSION_MAX: usize = 400;
