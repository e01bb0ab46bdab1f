//! Connections of either database: how a transaction begins and ends, and how long it may take.

use std::future::Future;
use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool, Postgres, Sqlite, Transaction};
use tokio::time::{Instant, timeout_at};

use crate::error::StoreError;
use crate::limits;
use crate::query::{Kind, Row, Statement};

/// How a write begins in SQLite: with the lock at once, since a reader that becomes a writer half
/// way can be refused.
const SQLITE_WRITES: &str = "BEGIN IMMEDIATE";
/// A reader sees one state throughout, as it does in SQLite without being asked to.
const POSTGRES_READS: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// The connections of one database.
#[derive(Clone, Debug)]
pub(crate) enum Pools {
    Sqlite {
        reader: Pool<Sqlite>,
        /// One connection: SQLite has one writer at a time, and waiting here is fair and cheap.
        writer: Pool<Sqlite>,
    },
    Postgres(Pool<Postgres>),
}

/// What a connection is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Read,
    Write,
}

/// A connection that is in use, with the moment at which its user stops waiting.
///
/// A transaction that is not committed is rolled back when it is dropped.
pub(crate) struct Connection {
    link: Link,
    deadline: Deadline,
}

pub(crate) enum Link {
    Sqlite(Claimed<Sqlite>),
    Postgres(Claimed<Postgres>),
}

/// Until when an operation may go on.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Pools {
    /// A connection without a transaction, for one statement.
    pub(crate) async fn take(
        &self,
        purpose: Purpose,
        patience: Duration,
    ) -> Result<Connection, sqlx::Error> {
        let deadline = self.deadline(patience);
        let link = match self {
            Pools::Sqlite { reader, writer } => {
                let pool = if purpose == Purpose::Read { reader } else { writer };
                Link::Sqlite(Claimed::Single(deadline.keep(pool.acquire()).await?))
            }
            Pools::Postgres(pool) => {
                Link::Postgres(Claimed::Single(deadline.keep(pool.acquire()).await?))
            }
        };
        Ok(Connection { link, deadline })
    }

    /// A connection in a transaction.
    pub(crate) async fn begin(
        &self,
        purpose: Purpose,
        patience: Duration,
    ) -> Result<Connection, sqlx::Error> {
        let deadline = self.deadline(patience);
        let link = match (self, purpose) {
            (Pools::Sqlite { reader, .. }, Purpose::Read) => {
                Link::Sqlite(Claimed::Transaction(deadline.keep(reader.begin()).await?))
            }
            (Pools::Sqlite { writer, .. }, Purpose::Write) => {
                let begun = deadline.keep(writer.begin_with(SQLITE_WRITES)).await;
                Link::Sqlite(Claimed::Transaction(begun?))
            }
            (Pools::Postgres(pool), Purpose::Read) => {
                let begun = deadline.keep(pool.begin_with(POSTGRES_READS)).await;
                Link::Postgres(Claimed::Transaction(begun?))
            }
            (Pools::Postgres(pool), Purpose::Write) => {
                Link::Postgres(Claimed::Transaction(deadline.keep(pool.begin()).await?))
            }
        };
        Ok(Connection { link, deadline })
    }

    pub(crate) async fn close(&self) {
        match self {
            Pools::Sqlite { reader, writer } => {
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    /// A file answers or fails by itself, and has a bound of its own for who waits for its lock.
    fn deadline(&self, patience: Duration) -> Deadline {
        Deadline(
            Instant::now()
                + match self {
                    Pools::Sqlite { .. } => patience.max(limits::SQLITE_PATIENCE_MIN),
                    Pools::Postgres(_) => patience,
                },
        )
    }
}

impl Connection {
    pub(crate) fn kind(&self) -> Kind {
        match self.link {
            Link::Sqlite(_) => Kind::Sqlite,
            Link::Postgres(_) => Kind::Postgres,
        }
    }

    pub(crate) async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        self.deadline.keep(statement.execute(&mut self.link)).await
    }

    pub(crate) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error> {
        self.deadline.keep(statement.rows(&mut self.link)).await
    }

    async fn commit(self) -> Result<(), sqlx::Error> {
        match self.link {
            Link::Sqlite(Claimed::Transaction(open)) => self.deadline.keep(open.commit()).await,
            Link::Postgres(Claimed::Transaction(open)) => self.deadline.keep(open.commit()).await,
            Link::Sqlite(Claimed::Single(_)) | Link::Postgres(Claimed::Single(_)) => Ok(()),
        }
    }
}

/// Makes a write last. After an error it may have lasted all the same.
pub(crate) async fn commit(write: Connection) -> Result<(), StoreError> {
    write.commit().await.map_err(StoreError::doing("commit"))
}

impl Deadline {
    async fn keep<T>(
        self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        timeout_at(self.0, work).await.unwrap_or_else(|_| {
            let why = "no answer in time";
            Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, why)))
        })
    }
}

/// A connection of a pool, in a transaction or not.
pub(crate) enum Claimed<DB: Database> {
    Single(PoolConnection<DB>),
    Transaction(Transaction<'static, DB>),
}

impl<DB: Database> Deref for Claimed<DB> {
    type Target = DB::Connection;
    fn deref(&self) -> &DB::Connection {
        match self {
            Claimed::Single(connection) => connection,
            Claimed::Transaction(transaction) => transaction,
        }
    }
}

impl<DB: Database> DerefMut for Claimed<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Claimed::Single(connection) => connection,
            Claimed::Transaction(transaction) => transaction,
        }
    }
}
