//! PostgreSQL: a server, its connections, how long it may take.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::timeout;

use crate::connection::Pools;
use crate::error::StoreError;
use crate::limits;
use crate::open::{migrate, shown};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// What the server's own tools show us as.
const APPLICATION: &str = "dialplane";

/// Whether a location names a server of PostgreSQL.
pub(crate) fn is_meant(location: &str) -> bool {
    location.starts_with("postgres:") || location.starts_with("postgresql:")
}

/// Opens a database of a server.
pub(crate) async fn open(location: &str) -> Result<Pools, StoreError> {
    let cannot_open = |source| StoreError::Open { location: shown(location), source };
    let options: PgConnectOptions = location.parse().map_err(cannot_open)?;
    if options.get_database().is_none_or(str::is_empty) {
        let why = "must name a database: postgres://USER:PASSWORD@HOST/DATABASE";
        return Err(StoreError::Location { location: shown(location), why });
    }
    let options = options.application_name(APPLICATION);
    // One connection of its own, without bounds on its statements: a migration may take long. And
    // what is wrong with the server is told as it is, while a pool would only say that it waited.
    let mut connection = connect(&options).await.map_err(cannot_open)?;
    migrate(&mut connection, &MIGRATIONS, location).await?;
    let _ = connection.close().await;
    let bounded = options.options([
        ("statement_timeout", millis(limits::STATEMENT_TIMEOUT)),
        ("lock_timeout", millis(limits::LOCK_TIMEOUT)),
        // Ours are done in milliseconds: one that idles belongs to a machine that is gone.
        ("idle_in_transaction_session_timeout", millis(limits::IDLE_TRANSACTION_TIMEOUT)),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(limits::CONNECTIONS)
        .acquire_timeout(limits::ACQUIRE_TIMEOUT)
        // After a restart of the server no query meets a connection from before it.
        .test_before_acquire(true)
        // What was given up in the middle must answer once more, or it is closed: a server that
        // does not answer must not keep all places of the pool.
        .after_release(|connection, _| {
            Box::pin(async move {
                let answered = timeout(limits::RELEASE_TIMEOUT, connection.ping()).await;
                answered.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
            })
        })
        .connect_lazy_with(bounded);
    Ok(Pools::Postgres(pool))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connected = timeout(limits::ACQUIRE_TIMEOUT, options.connect()).await;
    connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}
