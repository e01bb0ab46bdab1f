//! SQLite: a file, its mode, its connections.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::connection::Pools;
use crate::error::StoreError;
use crate::limits;
use crate::open::migrate;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Opens a file, which is created if it is not there.
pub(crate) async fn open(location: &str) -> Result<Pools, StoreError> {
    let path = path(location)?;
    create_private(path, location)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .page_size(limits::PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged outlasts a power cut.
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", limits::CACHE_SIZE)
        // A statement of many rows keeps the pages that it changes aside, should it fail midway:
        // in memory, not in a file. What a statement changes is bounded, and so is this.
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", limits::CHECKPOINT_PAGES)
        .busy_timeout(limits::BUSY_TIMEOUT);
    // SQLite answers "busy" at once, without waiting, while another process turns the journal mode
    // of a new file, mends its log or is the last to close it.
    let begun = Instant::now();
    loop {
        match connect(&options, location).await {
            Err(error) if is_busy(&error) && begun.elapsed() < limits::BUSY_TIMEOUT => {
                tokio::time::sleep(limits::BUSY_PAUSE).await;
            }
            other => return other,
        }
    }
}

/// Brings the file up to date and connects to it.
async fn connect(options: &SqliteConnectOptions, location: &str) -> Result<Pools, StoreError> {
    let cannot_open = |source| StoreError::Open { location: location.to_owned(), source };
    let writer = pool(1).connect_with(options.clone()).await.map_err(cannot_open)?;
    // All migrations are one transaction, for which another process waits.
    let mut connection = writer.acquire().await.map_err(cannot_open)?;
    let mut update = connection.begin_with("BEGIN IMMEDIATE").await.map_err(cannot_open)?;
    migrate(&mut *update, &MIGRATIONS, location).await?;
    update.commit().await.map_err(cannot_open)?;
    drop(connection);
    let reader = pool(limits::READERS).connect_with(options.clone().read_only(true)).await;
    let reader = reader.map_err(cannot_open)?;
    Ok(Pools::Sqlite { reader, writer })
}

/// Whether another process was at the file: `SQLITE_BUSY` in any of its extended forms.
fn is_busy(error: &StoreError) -> bool {
    const SQLITE_BUSY: u32 = 5;
    let StoreError::Open { source, .. } = error else { return false };
    let code = source.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(limits::ACQUIRE_TIMEOUT)
        // A file does not go away as a server does; asking before each query would double it.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

fn path(location: &str) -> Result<&Path, StoreError> {
    let wrong = |why| StoreError::Location { location: location.to_owned(), why };
    let path = location
        .strip_prefix("sqlite://")
        .or_else(|| location.strip_prefix("sqlite:"))
        .unwrap_or(location);
    match path {
        "" => Err(wrong("must not be empty")),
        ":memory:" => Err(wrong("must be a file, since configuration must outlast a restart")),
        path => Ok(Path::new(path)),
    }
}

/// Creates the file with mode 0600 before SQLite can with a wider one; the files beside it (-wal,
/// -shm) get the mode of the database from SQLite.
fn create_private(path: &Path, location: &str) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::Create { location: location.to_owned(), source }),
    }
}
