//! Opening the database: a file of SQLite or a server of PostgreSQL, brought up to date.

use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use crate::connection::{Connection, Pools, Purpose};
use crate::error::StoreError;
use crate::limits;
use crate::{postgres, sqlite};

/// The database. Cheap to clone; all clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    pools: Pools,
    patience: Duration,
}

impl Store {
    /// Opens the database at `location` - a path, `sqlite:PATH` or `postgres://...` - and brings
    /// its schema up to date. A file that is not there is created, for the eyes of this user only;
    /// a database of a server must be there.
    ///
    /// A database of a later version is refused unchanged. Processes that open one at the same
    /// time wait for each other.
    pub async fn open(location: &str) -> Result<Store, StoreError> {
        let pools = if postgres::is_meant(location) {
            postgres::open(location).await?
        } else {
            sqlite::open(location).await?
        };
        Ok(Store { pools, patience: limits::PATIENCE })
    }

    /// The same database for who has somebody waiting: a server that is away or stuck is an error
    /// within [`limits::HURRIED_PATIENCE`].
    pub fn hurried(&self) -> Store {
        Store { pools: self.pools.clone(), patience: limits::HURRIED_PATIENCE }
    }

    /// Waits until running queries are done and closes all connections.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// A connection for a single statement that only reads.
    pub(crate) async fn reading(&self) -> Result<Connection, StoreError> {
        let taken = self.pools.take(Purpose::Read, self.patience).await;
        taken.map_err(StoreError::doing("begin to read"))
    }

    /// A connection for a single statement that writes.
    pub(crate) async fn writing(&self) -> Result<Connection, StoreError> {
        let taken = self.pools.take(Purpose::Write, self.patience).await;
        taken.map_err(StoreError::doing("begin to write"))
    }

    /// A transaction that sees one state of the database throughout.
    pub(crate) async fn begin_read(&self) -> Result<Connection, StoreError> {
        let begun = self.pools.begin(Purpose::Read, self.patience).await;
        begun.map_err(StoreError::doing("begin to read"))
    }

    /// A transaction that writes.
    pub(crate) async fn begin_write(&self) -> Result<Connection, StoreError> {
        let begun = self.pools.begin(Purpose::Write, self.patience).await;
        begun.map_err(StoreError::doing("begin to write"))
    }
}

/// A location as it may be shown and logged: without the password.
pub fn shown(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else { return location.to_owned() };
    if !postgres::is_meant(location) {
        return location.to_owned();
    }
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user =
                user.split_once(':').map_or(user.to_owned(), |(name, _)| format!("{name}:***"));
            format!("{user}@{host}")
        }
        None => authority.to_owned(),
    };
    let (path, query) = tail.split_once('?').map_or((tail, None), |(p, q)| (p, Some(q)));
    let mut text = format!("{scheme}://{authority}{path}");
    for (n, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        text.push(if n == 0 { '?' } else { '&' });
        let is_secret = pair.starts_with("password=") || pair.starts_with("sslpassword=");
        text.push_str(if is_secret { "password=***" } else { pair });
    }
    text
}

/// Brings a schema up to date; one of a later version is refused before anything is changed.
pub(crate) async fn migrate(
    connection: &mut impl Migrate,
    migrations: &Migrator,
    location: &str,
) -> Result<(), StoreError> {
    let known = migrations.iter().map(|m| m.version).max().unwrap_or(0);
    match migrations.run_direct(None, connection, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => {
            Err(StoreError::NewerSchema { location: shown(location), found, known })
        }
        Err(source) => Err(StoreError::Migrate { location: shown(location), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_location_is_shown_without_its_password() {
        let table = [
            ("a.db", "a.db"),
            ("sqlite:a:b@c.db", "sqlite:a:b@c.db"),
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://u@h:5432/d", "postgres://u@h:5432/d"),
            ("postgres://u:secret@h/d", "postgres://u:***@h/d"),
            ("postgresql://u:se:cr@et@h/d?host=/run", "postgresql://u:***@h/d?host=/run"),
            ("postgres:///d?user=u&password=secret", "postgres:///d?user=u&password=***"),
            ("postgres://h?password=secret&a=b", "postgres://h?password=***&a=b"),
        ];
        for (location, expected) in table {
            assert_eq!(shown(location), expected);
        }
    }
}
