//! Bounds of the store, each with its reason.

use std::time::Duration;

/// Connections that read a file of SQLite. Queries take well under a millisecond; more would only
/// compete for the same cores.
pub const READERS: u32 = 4;
/// Connections to a server of PostgreSQL: some for requests, one for the journals. Servers allow
/// 100 in all, and several nodes may share one.
pub const CONNECTIONS: u32 = 8;
/// How long a query waits for a free connection, or a connection for its server.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take to be ready for the next one who needs it.
pub const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long SQLite waits for another process (a backup) that holds the write lock.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long who finds the file busy while opening it waits before the next try.
pub const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Memory for pages of the database, per connection: negative means KiB. The ends of the tables and
/// indexes that records go to shall stay in it.
pub const CACHE_SIZE: &str = "-8000";
/// Bytes of a page of a new file: records come in order, so that larger pages are fewer writes.
/// Those of a file that is there stay what they are.
pub const PAGE_BYTES: u32 = 8_192;
/// Pages in SQLite's log before they go into the database itself: a page that many transactions
/// have touched meanwhile goes there once. 32 MB of a new file.
pub const CHECKPOINT_PAGES: &str = "4000";
/// How long one operation with the database may take when nobody waits for it: far longer than
/// any does, and an end to one that a network has swallowed.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The same when somebody waits: the API promises an answer within a second.
pub const HURRIED_PATIENCE: Duration = Duration::from_millis(900);
/// No operation on a file gives up before this: SQLite itself gives up on a lock after
/// [`BUSY_TIMEOUT`], and there is no server that could be away.
pub const SQLITE_PATIENCE_MIN: Duration = Duration::from_secs(15);
/// How long the server works on one statement.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a statement waits for rows that another transaction has changed.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server keeps a transaction whose client says nothing.
pub const IDLE_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Rows in one statement: SQLite binds at most 32,766 parameters, PostgreSQL 65,535, and our
/// widest row has 30.
pub const ROWS_PER_STATEMENT: usize = 500;
/// Sounds of a client: announcements are few, and their list shall stay short.
pub const SOUNDS_MAX: u64 = 500;
/// Bytes of all sounds of a client: nine hours of speech.
pub const SOUND_BYTES_MAX: u64 = 1_000_000_000;
/// Messages in one list: as many as any list of the API has at most.
pub const MESSAGES_PER_LIST: i64 = 100_000;
/// Messages that are read at a time to be mailed; the rest wait in the table.
pub const MAILS_AT_ONCE: i64 = 20;
/// Recordings that are read at a time to be converted; the rest wait in the table, and each takes
/// longer than reading these.
pub const CONVERSIONS_AT_ONCE: i64 = 20;
/// Rows of the largest statement that is kept prepared; more save hardly anything, and each takes
/// some hundred bytes.
pub const ROWS_PREPARED: usize = 128;
/// Tokens of one kind that one user has with one application; an older one makes room. Enough for
/// any number of workers that each fetch their own, and an end to a loop that fetches for ever.
pub const TOKENS_PER_USER_MAX: i64 = 200;
/// Phones that a demo may have: the four-digit names.
pub const DEMO_PHONES_MAX: usize = 9_000;
/// Rows of an audit that a check reads at a time.
pub const AUDIT_CHECK_ROWS: usize = 1_000;

/// Messages of one extension that its phone can listen to.
pub(crate) const KNOWN_MESSAGES: i64 = model::limits::KNOWN_MESSAGES_MAX as i64;
