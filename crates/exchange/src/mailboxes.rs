//! What lies in the voicemails of a tenant, as the database has told it last.

use std::collections::BTreeMap;
use std::sync::Arc;

use leg::{KnownMessage, MessageFate};
use model::limits::KNOWN_MESSAGES_MAX;
use model::{ExtensionId, FileId, Snapshot};

/// The messages of all extensions; those that have none are left out.
#[derive(Clone, Debug, Default)]
pub struct Mailboxes(BTreeMap<ExtensionId, Messages>);

#[derive(Clone, Debug)]
struct Messages {
    /// How many there are.
    new: u32,
    old: u32,
    /// New ones, then old ones, each the earliest first; not all of very many.
    known: Arc<[KnownMessage]>,
}

impl Mailboxes {
    /// How many messages an extension has: new and old ones.
    pub fn counts(&self, extension: ExtensionId) -> (u32, u32) {
        self.0.get(&extension).map_or((0, 0), |of| (of.new, of.old))
    }

    /// New ones, then old ones, each the earliest first.
    pub fn known(&self, extension: ExtensionId) -> &[KnownMessage] {
        self.0.get(&extension).map_or(&[], |of| &of.known)
    }

    /// The database has counted.
    pub(crate) fn note(
        &mut self,
        extension: ExtensionId,
        (new, old): (u32, u32),
        mut known: Vec<KnownMessage>,
    ) {
        known.truncate(KNOWN_MESSAGES_MAX);
        if (new, old) == (0, 0) {
            self.0.remove(&extension);
        } else {
            self.0.insert(extension, Messages { new, old, known: known.into() });
        }
    }

    /// Something became of a message, before the database knows of it. Whether that changes
    /// anything.
    pub(crate) fn change(
        &mut self,
        extension: ExtensionId,
        file: FileId,
        fate: MessageFate,
    ) -> bool {
        let Some(of) = self.0.get_mut(&extension) else { return false };
        let mut known = of.known.to_vec();
        let Some(at) = known.iter().position(|message| message.file == file) else { return false };
        let mut message = known.remove(at);
        let counter = if message.heard { &mut of.old } else { &mut of.new };
        match fate {
            MessageFate::Heard if message.heard => return false,
            MessageFate::Heard => {
                *counter = counter.saturating_sub(1);
                of.old = of.old.saturating_add(1);
                message.heard = true;
                let place = known.partition_point(|m| !m.heard || m.time < message.time);
                known.insert(place, message);
            }
            MessageFate::Removed => *counter = counter.saturating_sub(1),
        }
        let counts = (of.new, of.old);
        self.note(extension, counts, known);
        true
    }

    /// The configuration is new: voicemails of extensions that are gone are forgotten.
    pub(crate) fn configure(&mut self, snapshot: &Snapshot) {
        self.0.retain(|id, _| snapshot.extension(*id).is_some());
    }
}

#[cfg(test)]
mod tests {
    use model::Wall;

    use super::*;

    const OWNER: ExtensionId = ExtensionId(1);

    fn message(file: u128, time: i64, heard: bool) -> KnownMessage {
        let caller_number = "200".into();
        KnownMessage {
            file: FileId(file),
            length_ms: 5_000,
            caller_number,
            time: Wall(time),
            heard,
        }
    }

    fn two_new_and_two_old() -> Mailboxes {
        let mut all = Mailboxes::default();
        let known = [(1, 10, false), (2, 20, false), (3, 5, true), (4, 30, true)];
        let known = known.map(|(file, time, heard)| message(file, time, heard));
        all.note(OWNER, (2, 2), known.into());
        all
    }

    fn files(all: &Mailboxes) -> Vec<u128> {
        all.known(OWNER).iter().map(|message| message.file.0).collect()
    }

    #[test]
    fn a_message_that_was_heard_is_an_old_one_in_its_place() {
        let mut all = two_new_and_two_old();
        assert!(all.change(OWNER, FileId(1), MessageFate::Heard));
        assert_eq!((all.counts(OWNER), files(&all)), ((1, 3), vec![2, 3, 1, 4]));
        assert!(!all.change(OWNER, FileId(1), MessageFate::Heard), "it was heard");
        assert_eq!(all.counts(OWNER), (1, 3));
    }

    #[test]
    fn a_message_is_removed_once() {
        let mut all = two_new_and_two_old();
        for (file, counts) in [(4, (2, 1)), (2, (1, 1)), (3, (1, 0)), (1, (0, 0))] {
            assert!(all.change(OWNER, FileId(file), MessageFate::Removed));
            assert!(!all.change(OWNER, FileId(file), MessageFate::Removed));
            assert_eq!(all.counts(OWNER), counts);
        }
        assert!(all.0.is_empty(), "nothing is kept of an empty one");
    }

    #[test]
    fn no_more_messages_are_kept_than_the_bound() {
        let mut all = Mailboxes::default();
        let known = (0..60).map(|n| message(n, 0, false)).collect();
        all.note(OWNER, (60, 0), known);
        assert_eq!((all.counts(OWNER), all.known(OWNER).len()), ((60, 0), KNOWN_MESSAGES_MAX));
    }
}
