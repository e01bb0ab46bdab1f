//! Bounds of the node, each with its reason.

use core::time::Duration;

// Journal.

/// Bytes of one journal record: the largest is the saved state of one call, some kilobytes.
pub const RECORD_BYTES_MAX: u32 = 1 << 20;
/// Bytes of one preallocated segment: some ten thousand records, so that a roll is rare, and small
/// enough to be read whole at a recovery.
pub const SEGMENT_BYTES: u64 = 16 << 20;
/// Bytes of all segments of one shard that the database has not taken yet. A database that is away
/// for hours at 50 calls a second fits; then new calls are refused.
pub const JOURNAL_BYTES_MAX: u64 = 1 << 30;
/// Bytes of records that wait in memory while the disk takes none. New calls are refused from the
/// first failure on, so this only holds what running calls write; must fit into one segment.
pub const BACKLOG_BYTES_MAX: usize = 8 << 20;
/// Shortest time between two `fdatasync` of one journal: what a power cut may lose (the end of a
/// process loses nothing). A tenth of a second of calls is lost with the machine anyway; twenty
/// times as many syncs would cost more than all signalling of a call.
pub const SYNC_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two attempts to write after a failure.
pub const WRITE_RETRY: Duration = Duration::from_millis(250);

// Loader.

/// Records given to the database in one transaction.
pub const LOAD_RECORDS_MAX: usize = 2_000;
/// Bytes of records given to the database in one transaction.
pub const LOAD_BYTES_MAX: usize = 4 << 20;
/// Shortest time between two transactions of the loader, and from the first record after a silence
/// to its transaction: many records in one are what makes them cheap, calls that came and went
/// between two of them never have their state stored, and nobody misses a record of the last
/// second.
pub const LOAD_INTERVAL: Duration = Duration::from_secs(1);
/// Lines about its records are written to the log together, when they are so many bytes or all:
/// half of what a pipe holds, so that a slow reader is waited for once and not at each line.
pub const LOG_LINES_BYTES: usize = 32 << 10;
/// Longest wait before the database is tried again.
pub const LOAD_RETRY_MAX: Duration = Duration::from_secs(5);

// Shards.

/// Inputs that wait for one shard from elsewhere: hand-overs, commands, media events, messages of
/// connections. A second's worth at full load.
pub const SHARD_QUEUE: usize = 8_192;
/// Datagrams read by one system call.
pub const UDP_BATCH: usize = 32;
/// Datagrams handled before the queue is looked at again.
pub const UDP_ROUND: usize = 4 * UDP_BATCH;
/// Queued inputs handled before the socket is looked at again.
pub const QUEUE_ROUND: usize = 256;
/// The longest UDP datagram.
pub const DATAGRAM_BYTES_MAX: usize = 65_535;
/// So many datagrams gather for a busy shard before it looks: what the first of them brings into
/// the processor's caches serves all others.
pub const GATHER_DATAGRAMS: u32 = 48;
/// The longest time in which they do: a packet and a half of audio, and a seventeenth of the time
/// after which a request is repeated (RFC 3261's T1 of 500 ms).
pub const GATHER_MAX: Duration = Duration::from_millis(30);
/// A shard is not busy where they come further apart than this: thirty in the longest time.
pub const GATHER_GAP_MAX: Duration = Duration::from_millis(1);
/// Where they come more closely than this they are many by themselves whenever it looks.
pub const GATHER_GAP_MIN: Duration = Duration::from_micros(100);
/// For how long they are counted before that is decided: four hundred and more, of some forty
/// calls, so that chance seldom makes half of the number.
pub const GATHER_MEASURED: Duration = Duration::from_millis(400);
/// How long they gather at least once they begin: calls whose messages follow each other are late
/// for three or four times.
pub const GATHER_BEGINS: Duration = Duration::from_millis(120);
/// For how long they gather before it is seen whether more come without: a measurement, which
/// costs what gathering spares, is a fiftieth of that time.
pub const GATHER_TRUSTED: Duration = Duration::from_secs(20);
/// For how long they do not gather after fewer came while they did: who waits for us before he
/// sends the next is slowed down for a measurement of each such time.
pub const GATHER_AGAIN: Duration = Duration::from_secs(5);
/// Receive buffer asked of the kernel for each SIP socket: a burst of registrations after an
/// outage must survive until the shard has read it.
pub const SIP_RECEIVE_BUFFER: usize = 4 << 20;
/// Longest sleep of a shard or media thread without any deadline.
pub const SLEEP_MS_MAX: u16 = 1_000;
/// Shortest sleep of a shard before a timer. Timers of SIP and of calls are half a second and more,
/// and each call leaves a handful behind that only clear up: a shard that woke for each of them
/// would do little else.
pub const TIMERS_TOGETHER_MS: u16 = 10;
/// Answers that programs wait for on one shard; more are refused as unavailable.
pub const TICKETS_MAX: usize = 4_096;

// Connections.

/// Connections in all, unless the descriptors do not suffice.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Connections from one address, or one IPv6 network of 64 bits: an office behind one NAT.
pub const CONNECTIONS_PER_ADDRESS: usize = 1_000;
/// Connections from one address that have not yet sent one whole message.
pub const UNPROVEN_PER_ADDRESS: usize = 100;
/// Time for a whole message from its first byte, and for the first message of a connection
/// (64*T1, the life of a transaction).
pub const MESSAGE_TIME: Duration = Duration::from_secs(32);
/// A connection without any byte for this long is closed: longer than the longest registration,
/// so that a phone that sends nothing but its refreshes stays.
pub const IDLE_TIME: Duration = Duration::from_secs(2 * 3_600);
/// Time for the handshake of TLS or WebSocket, or of both.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Handshakes at a time; each holds some tens of kilobytes.
pub const HANDSHAKES_MAX: usize = 1_000;
/// Silence after which the kernel asks the peer whether it is still there, the time between two
/// questions, and how many stay without an answer: a peer that is gone without a word is noticed
/// after two minutes.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// See [`KEEPALIVE_AFTER`].
pub const KEEPALIVE_GAP: Duration = Duration::from_secs(15);
/// See [`KEEPALIVE_AFTER`].
pub const KEEPALIVE_PROBES: u32 = 4;
/// Time between two pings on a WebSocket: reverse proxies close one that is silent for a minute.
pub const WEBSOCKET_PING: Duration = Duration::from_secs(45);
/// Bytes read from a WebSocket at a time.
pub const WEBSOCKET_READ_BYTES: usize = 4 << 10;
/// Connections that we make: trunks, a few for each.
pub const OUTGOING_MAX: usize = 1_000;
/// Connections that are being made at a time.
pub const CONNECTING_MAX: usize = 64;
/// Time to make a connection, its TLS handshake included: a call waits for it.
pub const CONNECT_TIME: Duration = Duration::from_secs(4);
/// Bytes of all certificates that a peer shows: five of the largest that are in use.
pub const CERTIFICATE_CHAIN_BYTES_MAX: usize = 16 << 10;
/// Bytes of a certificate, key or roots file.
pub const PEM_BYTES_MAX: u64 = 4 << 20;
/// Time between two looks at the certificate's files.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(60);
/// Time for the answers to what was whole on a connection before rubbish came: a shard under load
/// takes some milliseconds.
pub const ANSWERS_TIME: Duration = Duration::from_millis(250);
/// Addresses of one listening setting.
pub const LISTENERS_MAX: usize = 16;
/// Messages that wait to be written on one connection; one more closes it.
pub const FLOW_QUEUE: usize = 128;
/// Connections that the kernel holds until they are accepted: a burst after an outage.
pub const ACCEPT_BACKLOG: i32 = 1_024;
/// Pause after a connection could not be accepted: without descriptors the next one fails too.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes read from a connection at a time.
pub const STREAM_READ_BYTES: usize = 16 << 10;

// Media.

/// Commands that wait for a media thread, those that coalesce not counted: digits.
pub const MEDIA_DIGITS_MAX: usize = 1_024;
/// Calls whose audio waits for a media thread: at most one entry a call, and no more calls than
/// RTP ports.
pub const MEDIA_CALLS_MAX: usize = 32_768;
/// How long a media thread is left asleep though the legs of a call hear each other now: a packet
/// wakes it before, if anybody says anything.
pub const MEDIA_SOON: Duration = Duration::from_millis(20);
/// The longest RTP packet that is taken: an Ethernet frame, with room.
pub const RTP_BYTES_MAX: usize = 2_048;
/// Packets thrown away from a socket before use; what is there can only have come in the moment
/// between two system calls.
pub const RTP_DRAIN_MAX: usize = 256;
/// The turn of a thread that carries calls, audio or answers on a processor that others want too: a
/// few messages or packets. The kernel's own turns are of 3 ms.
pub const TURN: Duration = Duration::from_micros(200);
/// Sockets reported by one wait.
pub const RTP_EVENTS: usize = 256;
/// Receive buffer of an RTP socket: a second of G.711 in packets of 20 ms, kernel overhead
/// included.
pub const RTP_RECEIVE_BUFFER: usize = 64 << 10;

// Sound files.

/// Sounds that wait to be read; more are missing to their clips.
pub const FILE_READS_MAX: usize = 1_024;
/// Parts of recordings that wait to be written: some seconds of a hundred calls, while the disk is
/// slow. A recording whose part finds no room has failed.
pub const FILE_WRITES_MAX: usize = 4_096;
/// Bytes of a sound file that is played: a quarter of an hour at 16 kHz.
pub const SOUND_BYTES_MAX: u64 = 32 << 20;
/// Sample rates of sound files that are played.
pub const SOUND_RATES: core::ops::RangeInclusive<u32> = 4_000..=192_000;
/// Bytes of sounds kept in memory after their use: greetings and music of a busy node.
pub const SOUND_CACHE_BYTES: usize = 32 << 20;
/// Time until an event of a recording that found the shard's queue full is tried again.
pub const EVENT_RETRY: Duration = Duration::from_millis(50);
/// The same in a media thread, which most often has packets before.
pub const NOTICE_RETRY_MS: u16 = 50;
/// A recording that a dead process has left is kept if it holds so many seconds.
pub const LEFTOVER_SECONDS_MIN: u64 = 1;

// Programs.

/// Time that a command or a new configuration may take in a shard until the program is told that
/// the switch is unavailable.
pub const COMMAND_TIME: Duration = Duration::from_secs(1);
/// Time until a stored change that could not be read back is looked for again.
pub const READ_BACK_RETRY: Duration = Duration::from_millis(500);
/// Time for the answers of all shards to a question about themselves.
pub const REPORT_TIME: Duration = Duration::from_secs(1);

// Stop.

/// Time for the last BYEs and final responses to be answered after the calls have ended.
pub const FAREWELL_TIME: Duration = Duration::from_secs(2);
/// Time for the database to take the rest of the journal; what it does not take is applied at the
/// next start.
pub const LAST_LOAD_TIME: Duration = Duration::from_secs(10);
/// Time between two looks at whether the calls have ended.
pub const DRAIN_POLL: Duration = Duration::from_millis(50);

// Start.

/// Attempts to find a port that is free for both transports.
pub const FREE_PORT_ATTEMPTS: usize = 20;
/// Open files of the node itself: journals, database, threads.
pub const OWN_FILES: usize = 256;
/// Connections below which it makes no sense to start.
pub const CONNECTIONS_MIN: usize = 64;

const _: () = assert!(BACKLOG_BYTES_MAX as u64 + 4_096 < SEGMENT_BYTES, "one write, one segment");
const _: () = assert!((RECORD_BYTES_MAX as usize) < BACKLOG_BYTES_MAX);

// Names.

/// Questions to the name system at a time; more are answered as if it were away.
pub const LOOKUPS_MAX: usize = 256;
/// How long a question may take, with all that it leads to.
pub const LOOKUP_TIME: Duration = Duration::from_secs(4);
/// Time between two looks at whether the system's name servers have changed.
pub const RESOLV_CONF_LOOK: Duration = Duration::from_secs(30);
/// Targets of one name, and addresses of one target, that are looked at.
pub const LOOKUP_TARGETS_MAX: usize = 16;

/// How often the table is asked for messages to be mailed when nothing rings: what failed is due
/// again by then.
pub(crate) const MAIL_POLL: Duration = Duration::from_secs(30);
/// How long a mail may take in all: ten megabytes over a slow line.
pub(crate) const MAIL_TIME: Duration = Duration::from_secs(300);
/// How long the relay may take for one step of a session (RFC 5321 4.5.3.2 allows minutes, in which
/// nobody else would get mail).
pub(crate) const MAIL_STEP_TIME: Duration = Duration::from_secs(60);
/// The pause after the first attempt that failed; each further one is twice as long.
pub(crate) const MAIL_RETRY_MIN: Duration = Duration::from_secs(60);
/// The longest of these pauses.
pub(crate) const MAIL_RETRY_MAX: Duration = Duration::from_secs(3_600);
/// How old a message is that is not mailed any more: a weekend without a relay.
pub(crate) const MAIL_LIFE: Duration = Duration::from_secs(3 * 86_400);
/// How long a stop waits for a mail that is under way.
pub(crate) const LAST_MAIL_TIME: Duration = Duration::from_secs(10);
/// How often the table is asked for recordings to be converted when nothing rings: what failed is
/// due again by then.
pub(crate) const CONVERT_POLL: Duration = Duration::from_secs(30);
/// The pause after the first attempt that failed; each further one is twice as long.
pub(crate) const CONVERT_RETRY_MIN: Duration = Duration::from_secs(60);
/// The longest of these pauses.
pub(crate) const CONVERT_RETRY_MAX: Duration = Duration::from_secs(3_600);
/// Attempts to convert a recording: a disk that is full over a weekend has room again by then.
pub(crate) const CONVERT_ATTEMPTS_MAX: u32 = 80;
/// Bytes of a recording that are converted before the next look at whether the node stops: a second
/// of one channel at 8 kHz.
pub(crate) const CONVERT_BYTES: usize = 16_000;
/// The priority of conversions, -20 to 19: beside any other thread that wants the processor they
/// get a sixtieth of it.
pub(crate) const CONVERT_NICE: i32 = 19;
/// How long a stop waits for a conversion to be given up.
pub(crate) const CONVERT_STOP_TIME: Duration = Duration::from_secs(2);
/// How old a file is that may be removed because nothing names it.
pub(crate) const UNNAMED_FILE_AGE: Duration = Duration::from_secs(86_400);
