//! What the last run wrote down and the database has not seen, before anything else happens.

use std::collections::BTreeMap;
use std::path::Path;

use store::JournalId;
use tracing::{error, info};

use crate::call_log::LoggedNumbers;
use crate::error::StartError;
use crate::journal::{Leftover, Recovery, Start, Step};
use crate::limits;
use crate::loader::{Sink, Tables, Untaken};

/// Where each shard's journal goes on.
pub(crate) struct Starts {
    after_leftovers: BTreeMap<u32, Start>,
    positions: BTreeMap<u32, u64>,
}

impl Starts {
    /// Of one shard.
    pub(crate) fn of(&self, shard: u32) -> Start {
        let sequence = self.positions.get(&shard).copied().unwrap_or(0);
        let fresh = Start { sequence, segment: 0 };
        self.after_leftovers.get(&shard).copied().unwrap_or(fresh)
    }
}

/// Applies all journals in `directory` to the database and removes them.
pub(crate) async fn recover(
    directory: &Path,
    tables: &Tables,
    numbers: LoggedNumbers,
) -> Result<Starts, StartError> {
    let node = tables.node;
    let positions = tables.store.positions(node).await?;
    let mut starts = Starts {
        after_leftovers: BTreeMap::new(),
        positions: positions.iter().map(|(journal, at)| (journal.shard, *at)).collect(),
    };
    let found = Recovery::find(directory).map_err(StartError::system("list the journals"))?;
    for (shard, leftover) in &found.journals {
        let position = positions.get(&JournalId { node, shard: *shard }).copied().unwrap_or(0);
        let last = apply(*shard, leftover, position, tables, numbers).await?;
        if last > position {
            info!(shard, records = last - position, "the journal of the last run was applied");
        }
        starts.after_leftovers.insert(*shard, leftover.start(last));
    }
    Ok(starts)
}

async fn apply(
    shard: u32,
    leftover: &Leftover,
    position: u64,
    tables: &Tables,
    numbers: LoggedNumbers,
) -> Result<u64, StartError> {
    let failed = || StartError::system("read the journals");
    let mut last = position;
    let mut damaged = Vec::new();
    for contents in leftover.segments() {
        let contents = contents.map_err(failed())?;
        let mut fresh: Vec<Step> = contents.steps;
        // A record that was written again after a failed sync has its old sequence.
        fresh.retain(|(sequence, _)| {
            let is_new = *sequence > last;
            last = last.max(*sequence);
            is_new
        });
        for batch in fresh.chunks(limits::LOAD_RECORDS_MAX) {
            numbers.log_ends(batch);
            load(shard, batch, tables).await?;
        }
        if contents.damaged {
            damaged.push(contents.path);
        }
    }
    leftover.remove(&damaged).map_err(StartError::system("remove the journals"))?;
    Ok(last)
}

/// A database that does not take the batch now is a reason not to start: what it holds is needed.
async fn load(shard: u32, batch: &[Step], tables: &Tables) -> Result<(), StartError> {
    let refused = |why: String| StartError::setting("database", why);
    match tables.apply(shard, batch).await {
        Ok(()) => return Ok(()),
        Err(Untaken::Yet(why)) => return Err(refused(why)),
        Err(Untaken::Ever(_)) => {}
    }
    for step in batch.chunks(1) {
        match tables.apply(shard, step).await {
            Ok(()) => {}
            Err(Untaken::Yet(why)) => return Err(refused(why)),
            Err(Untaken::Ever(why)) => {
                error!(shard, why, ?step, "the database can never take a record");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
