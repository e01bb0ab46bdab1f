//! Table `replacements`: extensions that serve each other.

use leg::ReplacementChange;
use model::{ExtensionId, TenantId, Wall};

use crate::connection::Connection;
use crate::db::{self, signed, unsigned};
use crate::error::StoreError;
use crate::limits;
use crate::query::{ManyRows, query};

db::statements! {
    /// For the node itself at its start. Pairs of which one is gone are left out: the journal may
    /// have been loaded after the extension was deleted.
    SELECT_ALL = "SELECT r.client_id, r.extension_id, r.with_id, r.since_us FROM replacements r \
        JOIN extensions a ON a.id = r.extension_id AND a.client_id = r.client_id \
        JOIN extensions b ON b.id = r.with_id AND b.client_id = r.client_id \
        ORDER BY r.client_id, r.extension_id";
}

/// A pair, by who has begun it: no extension is in two.
pub(crate) type PairKey = (TenantId, ExtensionId);

/// With whom, and since when.
pub(crate) type PairState = (ExtensionId, Wall);

/// Writes the newest states of pairs.
pub(crate) async fn save(
    connection: &mut Connection,
    pairs: &[(PairKey, PairState)],
) -> Result<(), StoreError> {
    for part in pairs.chunks(limits::ROWS_PER_STATEMENT) {
        save_statement(part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("save who serves whom"))?;
    }
    Ok(())
}

pub(crate) fn save_statement(pairs: &[(PairKey, PairState)]) -> Result<ManyRows<'_>, StoreError> {
    let rows = pairs
        .iter()
        .map(|(key, (with, since))| Ok((signed_key(key)?, signed(with.0)?, since.0)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement =
        ManyRows::new("INSERT INTO replacements (client_id, extension_id, with_id, since_us) ");
    statement.push_values(rows, |row, ([client, extension], with, since)| {
        row.push_bind(client).push_bind(extension).push_bind(with).push_bind(since);
    });
    statement.push(
        " ON CONFLICT (client_id, extension_id) DO UPDATE SET with_id = excluded.with_id, \
         since_us = excluded.since_us",
    );
    Ok(statement)
}

/// Forgets pairs that are over.
pub(crate) async fn forget(
    connection: &mut Connection,
    keys: &[PairKey],
) -> Result<(), StoreError> {
    for part in keys.chunks(limits::ROWS_PER_STATEMENT) {
        forget_statement(part)?
            .execute(connection)
            .await
            .map_err(StoreError::doing("forget who served whom"))?;
    }
    Ok(())
}

pub(crate) fn forget_statement(keys: &[PairKey]) -> Result<ManyRows<'_>, StoreError> {
    let rows = keys.iter().map(signed_key).collect::<Result<Vec<_>, StoreError>>()?;
    let mut statement =
        ManyRows::new("DELETE FROM replacements WHERE (client_id, extension_id) IN (");
    statement.push_values(rows, |row, [client, extension]| {
        row.push_bind(client).push_bind(extension);
    });
    statement.push(")");
    Ok(statement)
}

/// The pairs of all clients, for [`crate::operator`].
pub(crate) async fn all(connection: &mut Connection) -> Result<Vec<ReplacementChange>, StoreError> {
    let rows: Vec<(i64, i64, i64, i64)> = query(SELECT_ALL)
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read who serves whom"))?;
    rows.into_iter()
        .map(|(client, by, with, since)| {
            Ok(ReplacementChange {
                tenant: TenantId(unsigned(client, "replacements.client_id")?),
                by: ExtensionId(unsigned(by, "replacements.extension_id")?),
                with: ExtensionId(unsigned(with, "replacements.with_id")?),
                since: Some(Wall(since)),
            })
        })
        .collect()
}

fn signed_key((tenant, extension): &PairKey) -> Result<[i64; 2], StoreError> {
    Ok([signed(tenant.0)?, signed(extension.0)?])
}
