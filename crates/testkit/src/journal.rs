//! The journal of one shard: it survives a kill.

use std::collections::BTreeMap;

use leg::{BindingChange, Record, ReplacementChange, SavedCall, WrongPinCount};
use model::{CallId, DeviceId, ExtensionId, TenantId, Wall};

/// The records of one shard, in the steps in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    steps: Vec<Vec<Record>>,
    /// Steps that wait for room; gone with the process.
    backlog: Vec<Vec<Record>>,
    is_full: bool,
}

impl Journal {
    /// Writes the records of one step; they wait in memory while there is no room.
    pub fn write(&mut self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        if self.is_full {
            self.backlog.push(records);
        } else {
            self.steps.push(records);
        }
    }

    /// Takes the room away, or gives it back: what has waited is then written.
    pub fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
        if !is_full {
            self.steps.append(&mut self.backlog);
        }
    }

    /// The process has died: what was not written is lost.
    pub fn die(&mut self) {
        self.backlog.clear();
    }

    /// The steps that were written.
    pub fn steps(&self) -> &[Vec<Record>] {
        &self.steps
    }

    /// The registrations of a tenant that have not run out: of each device the newest.
    pub fn bindings(&self, tenant: TenantId, wall: Wall) -> Vec<BindingChange> {
        let mut newest = BTreeMap::<(ExtensionId, DeviceId), BindingChange>::new();
        for record in self.records() {
            if let Record::Binding(change) = record
                && change.tenant == tenant
            {
                newest.insert((change.extension, change.device), BindingChange::clone(change));
            }
        }
        let is_live = |c: &BindingChange| c.binding.as_ref().is_some_and(|b| b.expires > wall);
        newest.into_values().filter(is_live).collect()
    }

    /// The calls of a tenant that were up: of each the newest state, unless it is gone.
    pub fn calls(&self, tenant: TenantId) -> Vec<SavedCall> {
        let mut newest = BTreeMap::<CallId, SavedCall>::new();
        for record in self.records() {
            match record {
                Record::CallSaved(saved) if saved.tenant == tenant => {
                    newest.insert(saved.call, SavedCall::clone(saved));
                }
                Record::CallGone { tenant: t, call } if *t == tenant => {
                    newest.remove(call);
                }
                _ => {}
            }
        }
        newest.into_values().collect()
    }

    /// The extensions of a tenant that served each other.
    pub fn replaced(&self, tenant: TenantId) -> Vec<ReplacementChange> {
        let mut newest = BTreeMap::<ExtensionId, ReplacementChange>::new();
        for record in self.records() {
            if let Record::Replacement(change) = record
                && change.tenant == tenant
            {
                newest.insert(change.by, *change);
            }
        }
        newest.into_values().filter(|change| change.since.is_some()).collect()
    }

    /// The wrong PINs that count still in a tenant.
    pub fn wrong_pins(&self, tenant: TenantId, wall: Wall) -> Vec<WrongPinCount> {
        let mut newest = BTreeMap::new();
        for record in self.records() {
            if let Record::WrongPins(count) = record
                && count.tenant == tenant
            {
                newest.insert((count.pin, count.target, count.actor), *count);
            }
        }
        newest.into_values().filter(|count| count.wrong > 0 && count.until > wall).collect()
    }

    /// The same journal after a way through bytes and back, as it takes in a file.
    ///
    /// # Panics
    ///
    /// When a record does not survive it.
    pub fn reread(&self) -> Journal {
        let bytes = cbor4ii::serde::to_vec(Vec::new(), &self.steps);
        let bytes = bytes.expect("a vector takes every byte");
        let steps: Vec<Vec<Record>> =
            cbor4ii::serde::from_slice(&bytes).expect("what was written is read");
        assert_eq!(steps, self.steps, "a record changed on its way through the journal");
        Journal { steps, backlog: Vec::new(), is_full: false }
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.steps.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(1);

    fn saved(call: u64, state: u8) -> Record {
        let exchange = vec![state];
        Record::CallSaved(Box::new(SavedCall {
            tenant: TENANT,
            call: CallId(call),
            exchange,
            stack: Vec::new(),
        }))
    }

    #[test]
    fn of_a_call_the_newest_state_counts_until_it_is_gone() {
        let mut journal = Journal::default();
        journal.write(vec![saved(1, 1), saved(2, 1)]);
        journal.write(vec![saved(1, 2)]);
        journal.write(vec![Record::CallGone { tenant: TENANT, call: CallId(2) }]);
        let calls = journal.reread().calls(TENANT);
        assert_eq!(calls.iter().map(|c| (c.call.0, c.exchange[0])).collect::<Vec<_>>(), [(1, 2)]);
        assert_eq!(journal.calls(TenantId(2)), []);
    }

    #[test]
    fn what_waits_for_room_dies_with_the_process() {
        let mut journal = Journal::default();
        journal.set_full(true);
        journal.write(vec![saved(1, 1)]);
        journal.die();
        journal.set_full(false);
        assert!(journal.steps().is_empty());
        journal.set_full(true);
        journal.write(vec![saved(1, 1)]);
        journal.set_full(false);
        assert_eq!(journal.steps().len(), 1);
    }
}
