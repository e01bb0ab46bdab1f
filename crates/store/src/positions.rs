//! Table `journal_positions`: how far each journal is in the tables.

use model::NodeAddress;

use crate::connection::Connection;
use crate::db::{self, signed, unsigned};
use crate::error::StoreError;
use crate::query::query;

db::statements! {
    /// Tells the position and holds up whoever else would load the same journal, such as what a
    /// process that was killed has left behind in the server.
    CLAIM = "INSERT INTO journal_positions (node, shard, sequence) VALUES ($1, $2, 0) \
        ON CONFLICT (node, shard) DO UPDATE SET sequence = journal_positions.sequence \
        RETURNING sequence";
    /// For the node itself at its start.
    SELECT_OF_NODE = "SELECT shard, sequence FROM journal_positions WHERE node = $1";
    UPDATE = "UPDATE journal_positions SET sequence = $3 WHERE node = $1 AND shard = $2";
}

/// One append-only log: that of one shard of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalId {
    /// The node.
    pub node: NodeAddress,
    /// Its shard, from 0.
    pub shard: u32,
}

/// The last sequence of a journal that is in the tables, 0 when there is none, for who is about to
/// raise it.
pub(crate) async fn claim(
    connection: &mut Connection,
    journal: JournalId,
) -> Result<u64, StoreError> {
    let sequence: i64 = query(CLAIM)
        .bind(i64::from(journal.node.0))
        .bind(i64::from(journal.shard))
        .fetch_one(connection)
        .await
        .map_err(StoreError::doing("read a journal's position"))?;
    unsigned(sequence, "journal_positions.sequence")
}

/// The positions of all journals of a node.
pub(crate) async fn of_node(
    connection: &mut Connection,
    node: NodeAddress,
) -> Result<Vec<(JournalId, u64)>, StoreError> {
    let rows: Vec<(i64, i64)> = query(SELECT_OF_NODE)
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

/// Raises a position that was claimed.
pub(crate) async fn set(
    connection: &mut Connection,
    journal: JournalId,
    sequence: u64,
) -> Result<(), StoreError> {
    query(UPDATE)
        .bind(i64::from(journal.node.0))
        .bind(i64::from(journal.shard))
        .bind(signed(sequence)?)
        .execute(connection)
        .await
        .map_err(StoreError::doing("write a journal's position"))?;
    Ok(())
}
