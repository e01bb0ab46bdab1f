//! Table `journal_positions`: how far each journal is in the tables.

use model::NodeAddress;

use crate::db::{self, Connection, signed, unsigned};
use crate::error::StoreError;

db::statements! {
    SELECT = "SELECT sequence FROM journal_positions WHERE node = $1 AND shard = $2";
    /// For the node itself at its start.
    SELECT_OF_NODE = "SELECT shard, sequence FROM journal_positions WHERE node = $1";
    UPSERT = "INSERT INTO journal_positions (node, shard, sequence) VALUES ($1, $2, $3) \
        ON CONFLICT (node, shard) DO UPDATE SET sequence = excluded.sequence";
}

/// One append-only log: that of one shard of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalId {
    /// The node.
    pub node: NodeAddress,
    /// Its shard, from 0.
    pub shard: u32,
}

/// The last sequence of a journal that is in the tables; 0 when there is none.
pub(crate) async fn of(connection: &mut Connection, journal: JournalId) -> Result<u64, StoreError> {
    let sequence: Option<i64> = sqlx::query_scalar(SELECT)
        .bind(i64::from(journal.node.0))
        .bind(i64::from(journal.shard))
        .fetch_optional(connection)
        .await
        .map_err(StoreError::doing("read a journal's position"))?;
    unsigned(sequence.unwrap_or(0), "journal_positions.sequence")
}

/// The positions of all journals of a node.
pub(crate) async fn of_node(
    connection: &mut Connection,
    node: NodeAddress,
) -> Result<Vec<(JournalId, u64)>, StoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(SELECT_OF_NODE)
        .bind(i64::from(node.0))
        .fetch_all(connection)
        .await
        .map_err(StoreError::doing("read the journals' positions"))?;
    rows.into_iter()
        .map(|(shard, sequence)| {
            let shard = unsigned(shard, "journal_positions.shard")?;
            Ok((JournalId { node, shard }, unsigned(sequence, "journal_positions.sequence")?))
        })
        .collect()
}

pub(crate) async fn set(
    connection: &mut Connection,
    journal: JournalId,
    sequence: u64,
) -> Result<(), StoreError> {
    sqlx::query(UPSERT)
        .bind(i64::from(journal.node.0))
        .bind(i64::from(journal.shard))
        .bind(signed(sequence)?)
        .execute(connection)
        .await
        .map_err(StoreError::doing("write a journal's position"))?;
    Ok(())
}
