//! Opening the database: where it lies, who may read it, which schema it has.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::db::{BEGIN_WRITE, Connection, Pool, Read, Write};
use crate::error::StoreError;
use crate::limits;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The database. Cheap to clone; all clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    reader: Pool,
    /// One connection: SQLite has one writer at a time, and waiting here is fair and cheap.
    writer: Pool,
}

impl Store {
    /// Opens the database at `location`, a path or `sqlite:PATH`, and brings its schema up to
    /// date. What is not there is created, for the eyes of this user only.
    ///
    /// A database of a later version is refused unchanged.
    pub async fn open(location: &str) -> Result<Store, StoreError> {
        let path = sqlite_path(location)?;
        create_private(path, location)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged outlasts a power cut.
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", limits::CACHE_SIZE)
            .pragma("wal_autocheckpoint", limits::CHECKPOINT_PAGES)
            .busy_timeout(limits::BUSY_TIMEOUT);
        let cannot_open = |source| StoreError::Open { location: location.to_owned(), source };
        let writer = pool(1).connect_with(options.clone()).await.map_err(cannot_open)?;
        let mut connection = writer.acquire().await.map_err(cannot_open)?;
        migrate(&mut connection, location).await?;
        drop(connection);
        let reader = pool(limits::READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(cannot_open)?;
        Ok(Store { reader, writer })
    }

    /// Waits until running queries are done and closes the files.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// The connections for single statements that only read.
    pub(crate) fn reader(&self) -> &Pool {
        &self.reader
    }

    /// The connection for single statements that write.
    pub(crate) fn writer(&self) -> &Pool {
        &self.writer
    }

    pub(crate) async fn begin_read(&self) -> Result<Read, StoreError> {
        self.reader.begin().await.map_err(StoreError::doing("begin to read"))
    }

    pub(crate) async fn begin_write(&self) -> Result<Write, StoreError> {
        self.writer.begin_with(BEGIN_WRITE).await.map_err(StoreError::doing("begin to write"))
    }
}

/// Makes a write last.
pub(crate) async fn commit(write: Write) -> Result<(), StoreError> {
    write.commit().await.map_err(StoreError::doing("commit"))
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

fn sqlite_path(location: &str) -> Result<&Path, StoreError> {
    let wrong = |why| StoreError::Location { location: location.to_owned(), why };
    if location.starts_with("postgres:") || location.starts_with("postgresql:") {
        return Err(wrong("PostgreSQL is not supported yet; give the path of an SQLite file"));
    }
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

async fn migrate(connection: &mut Connection, location: &str) -> Result<(), StoreError> {
    let failed = |source| StoreError::Migrate { location: location.to_owned(), source };
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    match MIGRATIONS.run_direct(None, connection, false).await {
        Ok(()) => Ok(()),
        // Found before anything is changed.
        Err(MigrateError::VersionMissing(found)) => {
            Err(StoreError::NewerSchema { location: location.to_owned(), found, known })
        }
        Err(source) => Err(failed(source)),
    }
}
