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

/// How long an extension rings when nothing is set and a rule waits for the result, seconds: the
/// caller shall not wait a minute for what comes next.
pub const RING_TIMEOUT_S_WITH_RULES: u16 = 30;
/// Rules of one extension; `/limit/` names it.
pub const RULES_MAX: usize = 50;
/// Longest name of a rule.
pub const RULE_NAME_CHARS_MAX: usize = 255;
/// Numbers that a `transfer` rings at once (specification page `/incom_rule/`).
pub const TRANSFER_NUMBERS_MAX: usize = 10;
/// Numbers that a `simple_transfer` rings at once: no rules of theirs can multiply them.
pub const SIMPLE_TRANSFER_NUMBERS_MAX: usize = 50;
/// Numbers of a cascade.
pub const CASCADE_NUMBERS_MAX: usize = 20;
/// Longest delay in a cascade, seconds: no longer than a forwarding rule may try.
pub const CASCADE_DELAY_S_MAX: u16 = 600;
/// How long a forwarding rule tries, seconds.
pub const TRANSFER_TIMEOUT_S_MIN: u16 = 1;
/// How long a forwarding rule tries, seconds.
pub const TRANSFER_TIMEOUT_S_MAX: u16 = 600;
/// How long a forwarding rule tries when nothing is set, seconds.
pub const TRANSFER_TIMEOUT_S_DEFAULT: u16 = 60;
/// Extensions whose rules may lead to one another in one path of a call.
pub const HOPS_MAX: usize = 8;
/// Branches of one call that rules may open: enough for every honest plan, few enough that a
/// triangle of forwards cannot ring a whole company.
pub const CALL_BRANCHES_MAX: usize = 64;
/// Lines of a call's trace that are kept; what comes after is not written.
pub const TRACE_LINES_MAX: usize = 256;

/// Intervals of one client: one for each rule that anybody would keep in mind.
pub const INTERVALS_MAX: usize = 500;
/// Conditions of an interval; each is looked at whenever a rule asks.
pub const CONDITIONS_MAX: usize = 100;
/// DIDs of one client.
pub const DIDS_MAX: usize = 1_000;
/// Trunks of one client.
pub const TRUNKS_MAX: usize = 50;
/// Hosts of a trunk: each may be tried in turn while the caller waits.
pub const TRUNK_HOSTS_MAX: usize = 10;
/// Addresses and ranges from which a trunk's calls come.
pub const TRUNK_ADDRESSES_MAX: usize = 50;
/// Patterns of a trunk, and of `outside_allowed`; each is matched whenever a number is dialled.
pub const PATTERNS_MAX: usize = 100;
/// Lists of rewritings of one client.
pub const DIAL_RULE_LISTS_MAX: usize = 100;
/// Rewritings of one list; each is matched whenever a number is dialled.
pub const REWRITINGS_MAX: usize = 100;
/// Longest replacement of a rewriting: a number and some groups.
pub const REPLACEMENT_BYTES_MAX: usize = 128;
/// Emergency numbers of a client.
pub const EMERGENCY_NUMBERS_MAX: usize = 20;
/// Digits of a feature code after its `*` or `#`: more are no shorter than a number.
pub const CODE_DIGITS_MAX: usize = 3;
/// Shortest PIN with which a phone is replaced (API reference, decision 23).
pub const REPLACE_PIN_DIGITS_MIN: usize = 4;
/// Longest PIN with which a phone is replaced.
pub const REPLACE_PIN_DIGITS_MAX: usize = 8;
/// Slots in which calls are parked: one digit each (API reference, decision 10).
pub const PARK_SLOTS_MAX: u8 = 9;

/// Call control groups of a client (specification page `/call_control_group/`); no more than the
/// bits of the sets that they are compiled into.
pub const CONTROL_GROUPS_MAX: usize = 100;
/// Extensions in one of them (same page).
pub const CONTROL_GROUP_MEMBERS_MAX: usize = 200;
/// Longest name of a group or a member.
pub const CONTROL_GROUP_NAME_CHARS_MAX: usize = 255;
/// `eavesdrop_*` and `whisper_*` fields of each kind: one for every extension that a client may
/// have.
pub const CONTROL_LISTS_MAX: usize = 10_000;
/// Longest account of what a new document of control groups changes, in the audit.
pub const CONTROL_CHANGES_CHARS_MAX: usize = 500;

const _: () = assert!(CONTROL_GROUPS_MAX <= 128);

/// Messages of one voicemail that can be listened to from a phone in one call; nobody listens to
/// more, and the calls keep them in memory.
pub const KNOWN_MESSAGES_MAX: usize = 50;
