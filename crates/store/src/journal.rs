//! Loading the journal: what shards have written down becomes rows, each record once.
//!
//! A batch and the new position of its journal are one transaction, so that after a crash the
//! loader starts again at the position and nothing is lost or counted twice.

use std::collections::BTreeMap;

use leg::{
    Audit, Binding, CallTrace, CdrLeg, Event, Message, MessageChange, Record, Recording, SavedCall,
    WrongPinCount,
};
use model::FileId;

use crate::bindings::{self, BindingKey};
use crate::connection::commit;
use crate::error::StoreError;
use crate::open::Store;
use crate::positions::{self, JournalId};
use crate::replacements::{self, PairKey, PairState};
use crate::saved_calls::{self, CallKey};
use crate::wrong_pins::{self, CountKey};
use crate::{audit, call_traces, cdr_legs, events, messages, recordings};

/// Records of one journal, each step's with its sequence, rising.
pub type Batch = [(u64, Vec<Record>)];

/// The sizes of the files that records name; of one that is not here nobody knows it.
pub type Sizes = BTreeMap<FileId, u64>;

/// What [`Store::apply`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The journal's position now: everything up to it is in the tables.
    pub position: u64,
    /// Steps that were written.
    pub written: usize,
    /// Steps that had been written before.
    pub skipped: usize,
    /// Steps between the old position and `first_sequence` that nobody has any more. Not zero when
    /// the database is older than the journal's oldest segment, such as one from a backup.
    pub missing: u64,
}

impl Store {
    /// Writes a batch of a journal whose first step has `first_sequence`, together with the
    /// journal's new position. Steps at or below the stored position are skipped, so that the same
    /// batch may come again.
    ///
    /// A journal begins with 1, and goes on above its stored position for ever, also when its
    /// files were lost.
    pub async fn apply(
        &self,
        journal: JournalId,
        first_sequence: u64,
        batch: &Batch,
        sizes: &Sizes,
    ) -> Result<Applied, StoreError> {
        let mut write = self.begin_write().await?;
        let before = positions::claim(&mut write, journal).await?;
        let fresh: Vec<_> = batch.iter().filter(|(sequence, _)| *sequence > before).collect();
        let mut applied = Applied {
            position: before,
            written: fresh.len(),
            skipped: batch.len() - fresh.len(),
            missing: first_sequence.saturating_sub(before.saturating_add(1)),
        };
        let Some((last, _)) = fresh.last() else { return Ok(applied) };
        applied.position = *last;
        if applied.missing > 0 {
            tracing::error!(
                node = journal.node.0,
                shard = journal.shard,
                position = before,
                first_sequence,
                "the journal does not reach back to the database's position"
            );
        }
        let sorted = Sorted::of(fresh.iter().flat_map(|(_, records)| records));
        events::add(&mut write, &sorted.events).await?;
        cdr_legs::add(&mut write, &sorted.legs).await?;
        call_traces::add(&mut write, &sorted.traces).await?;
        let size = |file: FileId| sizes.get(&file).copied().unwrap_or(0);
        let left: Vec<_> = sorted.messages.iter().map(|m| (*m, size(m.file))).collect();
        messages::add(&mut write, journal.node, &left).await?;
        // After them: a message may have been removed as soon as it was there.
        messages::change(&mut write, &sorted.changes).await?;
        let recorded: Vec<_> = sorted.recordings.iter().map(|r| (*r, size(r.file))).collect();
        recordings::add(&mut write, journal.node, &recorded).await?;
        let (saved, gone) = newest(sorted.calls);
        saved_calls::save(&mut write, &saved.into_values().collect::<Vec<_>>()).await?;
        saved_calls::forget(&mut write, &gone).await?;
        let (bound, unbound) = newest(sorted.bindings);
        bindings::save(&mut write, &bound.into_iter().collect::<Vec<_>>()).await?;
        bindings::forget(&mut write, &unbound).await?;
        let (begun, over) = newest(sorted.replacements);
        replacements::save(&mut write, &begun.into_iter().collect::<Vec<_>>()).await?;
        replacements::forget(&mut write, &over).await?;
        wrong_pins::save(&mut write, &sorted.wrong_pins).await?;
        // Last, since others may wait for the ends of the chains.
        audit::add(&mut write, &sorted.audit).await?;
        positions::set(&mut write, journal, *last).await?;
        commit(write).await?;
        Ok(applied)
    }
}

/// A batch by table. Of calls, bindings, replacements and wrong PINs only the newest state counts;
/// `None`: gone.
#[derive(Default)]
struct Sorted<'a> {
    events: Vec<&'a Event>,
    legs: Vec<&'a CdrLeg>,
    traces: Vec<&'a CallTrace>,
    messages: Vec<&'a Message>,
    recordings: Vec<&'a Recording>,
    changes: Vec<&'a MessageChange>,
    audit: Vec<&'a Audit>,
    calls: BTreeMap<CallKey, Option<&'a SavedCall>>,
    bindings: BTreeMap<BindingKey, Option<&'a Binding>>,
    replacements: BTreeMap<PairKey, Option<PairState>>,
    wrong_pins: BTreeMap<CountKey, &'a WrongPinCount>,
}

impl<'a> Sorted<'a> {
    fn of(records: impl Iterator<Item = &'a Record>) -> Sorted<'a> {
        let mut sorted = Sorted::default();
        for record in records {
            match record {
                Record::Event(event) => sorted.events.push(event),
                Record::Cdr(leg) => sorted.legs.push(leg),
                Record::Trace(trace) => sorted.traces.push(trace),
                Record::Message(message) => sorted.messages.push(message),
                Record::Recording(recording) => sorted.recordings.push(recording),
                Record::MessageChanged(change) => sorted.changes.push(change),
                Record::Audit(row) => sorted.audit.push(row),
                Record::CallSaved(call) => {
                    sorted.calls.insert((call.tenant, call.call), Some(call));
                }
                Record::CallGone { tenant, call } => {
                    sorted.calls.insert((*tenant, *call), None);
                }
                Record::Replacement(change) => {
                    let state = change.since.map(|since| (change.with, since));
                    sorted.replacements.insert((change.tenant, change.by), state);
                }
                Record::WrongPins(count) => {
                    let key = (count.tenant, count.target, count.actor, count.pin);
                    sorted.wrong_pins.insert(key, count);
                }
                Record::Binding(change) => {
                    let key = (change.tenant, change.extension, change.device);
                    sorted.bindings.insert(key, change.binding.as_ref());
                }
            }
        }
        sorted
    }
}

/// Parts what is there from what is gone.
fn newest<K: Ord, V>(states: BTreeMap<K, Option<V>>) -> (BTreeMap<K, V>, Vec<K>) {
    let mut there = BTreeMap::new();
    let mut gone = Vec::new();
    for (key, state) in states {
        match state {
            Some(state) => {
                there.insert(key, state);
            }
            None => gone.push(key),
        }
    }
    (there, gone)
}
