//! Bounds of the store, each with its reason.

use std::time::Duration;

/// Connections that read. Queries take well under a millisecond; more would only compete for the
/// same cores.
pub const READERS: u32 = 4;
/// How long a query waits for a free connection before it is an error that the caller can show.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another process (a backup) that holds the write lock.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Memory for pages of the database, per connection: negative means KiB. The ends of the tables and
/// indexes that records go to shall stay in it.
pub const CACHE_SIZE: &str = "-8000";
/// Pages in SQLite's log before they go into the database itself: a page that many transactions
/// have touched meanwhile goes there once.
pub const CHECKPOINT_PAGES: &str = "4000";
/// Rows in one statement: SQLite binds at most 32,766 parameters, PostgreSQL 65,535, and our
/// widest row has 30.
pub const ROWS_PER_STATEMENT: usize = 500;
/// Tokens of one kind that one user has with one application; an older one makes room. Enough for
/// any number of workers that each fetch their own, and an end to a loop that fetches for ever.
pub const TOKENS_PER_USER_MAX: i64 = 200;
/// Phones that a demo may have: the four-digit names.
pub const DEMO_PHONES_MAX: usize = 9_000;
