//! How a part of the routing is read, and how a snapshot that has an older state of it follows.

use std::collections::{BTreeMap, BTreeSet};

use model::TenantId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connection::Connection;
use crate::db::{corrupt, signed, unsigned};
use crate::error::StoreError;
use crate::query::{Row, query};

/// A table whose rows are values of a map in [`model::Routing`], with what reads it.
pub(crate) struct Part<K, V> {
    /// For errors.
    pub(crate) name: &'static str,
    /// All rows of a client.
    pub(crate) of_client: &'static str,
    /// The rows of a client that changed after a revision.
    pub(crate) changed: &'static str,
    /// The keys of a client's rows.
    pub(crate) keys: &'static str,
    /// All rows of all clients.
    pub(crate) all: &'static str,
    /// The key is the first column of `keys`.
    pub(crate) key: fn(&Row) -> Result<K, StoreError>,
    /// One row.
    pub(crate) read: fn(&Row) -> Result<(K, V), StoreError>,
}

impl<K: Ord, V: Clone> Part<K, V> {
    /// All of a client.
    pub(crate) async fn of_client(
        &self,
        connection: &mut Connection,
        tenant: TenantId,
    ) -> Result<BTreeMap<K, V>, StoreError> {
        let rows = query(self.of_client)
            .bind(signed(tenant.0)?)
            .rows(connection)
            .await
            .map_err(StoreError::doing(self.name))?;
        rows.iter().map(self.read).collect()
    }

    /// All of a client as they are now; what has not changed since `revision` is shared with `old`.
    pub(crate) async fn follow(
        &self,
        connection: &mut Connection,
        tenant: TenantId,
        revision: u64,
        old: &BTreeMap<K, V>,
    ) -> Result<BTreeMap<K, V>, StoreError>
    where
        K: Clone,
    {
        let mut now = old.clone();
        let rows = query(self.changed)
            .bind(signed(tenant.0)?)
            .bind(signed(revision)?)
            .rows(connection)
            .await
            .map_err(StoreError::doing(self.name))?;
        for row in &rows {
            let (key, value) = (self.read)(row)?;
            now.insert(key, value);
        }
        let keys = query(self.keys)
            .bind(signed(tenant.0)?)
            .rows(connection)
            .await
            .map_err(StoreError::doing(self.name))?;
        let left = keys.iter().map(self.key).collect::<Result<BTreeSet<K>, _>>()?;
        now.retain(|key, _| left.contains(key));
        Ok(now)
    }

    /// Those of all clients, for [`crate::operator`]; the table names its `client_id`.
    pub(crate) async fn all(
        &self,
        connection: &mut Connection,
    ) -> Result<BTreeMap<TenantId, BTreeMap<K, V>>, StoreError> {
        let rows = query(self.all).rows(connection).await.map_err(StoreError::doing(self.name))?;
        let mut all: BTreeMap<TenantId, BTreeMap<K, V>> = BTreeMap::new();
        for row in &rows {
            let (key, value) = (self.read)(row)?;
            all.entry(client_of(row)?).or_default().insert(key, value);
        }
        Ok(all)
    }
}

/// Whose a row is.
pub(crate) fn client_of(row: &Row) -> Result<TenantId, StoreError> {
    let id: i64 = row.try_get("client_id").map_err(StoreError::doing("read a client's part"))?;
    Ok(TenantId(unsigned(id, "client_id")?))
}

/// A number in the first column.
pub(crate) fn first_number(row: &Row) -> Result<u64, StoreError> {
    let id: i64 = row.try_get(0).map_err(StoreError::doing("read an id"))?;
    unsigned(id, "id")
}

/// A list as its column holds it.
pub(crate) fn list_text<T: Serialize>(
    list: &[T],
    column: &'static str,
) -> Result<String, StoreError> {
    serde_json::to_string(list).map_err(corrupt(column))
}

/// What such a column holds.
pub(crate) fn list_of<T: DeserializeOwned>(
    text: &str,
    column: &'static str,
) -> Result<Vec<T>, StoreError> {
    serde_json::from_str(text).map_err(corrupt(column))
}

/// Defines how the words of a closed set are written and read.
macro_rules! words {
    ($column:literal: $write:ident, $read:ident, $type:ty { $($word:literal = $value:path,)* }) => {
        pub(crate) fn $write(value: $type) -> &'static str {
            match value { $($value => $word,)* }
        }

        pub(crate) fn $read(word: &str) -> Result<$type, crate::error::StoreError> {
            match word {
                $($word => Ok($value),)*
                other => Err(crate::db::unknown_word($column, other)),
            }
        }
    };
}
pub(crate) use words;
