//! Lamps of messages follow what the journals bring.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::Switchboard;
use leg::Record;

use crate::board::Board;
use crate::journal::Step;
use crate::loader::{Sink, Tables, Untaken};

/// The database; who watches messages is shown those that it has taken.
pub(crate) struct Lit {
    /// The database.
    pub(crate) tables: Tables,
    /// Who tells the owners of the calls.
    pub(crate) board: Arc<Board>,
}

impl Sink for Lit {
    async fn apply(&self, shard: u32, steps: &[Step]) -> Result<(), Untaken> {
        self.tables.apply(shard, steps).await?;
        let records = steps.iter().flat_map(|(_, records)| records);
        let left: BTreeSet<_> = records
            .filter_map(|record| match record {
                Record::Message(message) => Some((message.tenant, message.extension)),
                _ => None,
            })
            .collect();
        for (tenant, extension) in left {
            // Begun here, it goes on by itself: the journals wait for no lamp.
            drop(self.board.messages_changed(tenant, extension));
        }
        Ok(())
    }
}
