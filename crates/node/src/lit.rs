//! Lamps and files of messages follow what the journals bring.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::Switchboard;
use leg::{MessageFate, Record};
use model::FileId;
use tracing::warn;

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
            .clone()
            .filter_map(|record| match record {
                Record::Message(message) => Some((message.tenant, message.extension)),
                Record::MessageChanged(change) => Some((change.tenant, change.extension)),
                _ => None,
            })
            .collect();
        let removed = records.filter_map(|record| match record {
            Record::MessageChanged(change) if change.fate == MessageFate::Removed => {
                Some(change.file)
            }
            _ => None,
        });
        self.remove(removed.collect());
        for (tenant, extension) in left {
            // Begun here, it goes on by itself: the journals wait for no lamp.
            drop(self.board.messages_changed(tenant, extension));
        }
        Ok(())
    }
}

impl Lit {
    /// Removes the files of messages that are gone. One that stays is found at the next start.
    fn remove(&self, files: Vec<FileId>) {
        if files.is_empty() {
            return;
        }
        let store = self.tables.files.clone();
        // Begun here, it goes on by itself: the journals wait for no disk.
        drop(tokio::task::spawn_blocking(move || {
            for file in files {
                if let Err(error) = store.remove(file) {
                    warn!(%file, %error, "the file of a message cannot be removed");
                }
            }
        }));
    }
}
