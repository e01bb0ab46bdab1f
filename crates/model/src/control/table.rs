//! A table of extensions for a check that many calls make: found by one multiplication, in the
//! same place in every process.

use crate::ids::ExtensionId;

/// What there is of some extensions. Made once, then only read.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    /// Where an entry lies in `entries`, plus one; 0: free. At least twice as many as entries, so
    /// that there is always a free one to end a search.
    slots: Box<[u32]>,
    entries: Box<[(ExtensionId, T)]>,
    /// Bits of a hash that are no part of a slot's number.
    shift: u32,
}

impl<T> Table<T> {
    /// A table of these, each extension once.
    pub(super) fn of(entries: impl IntoIterator<Item = (ExtensionId, T)>) -> Table<T> {
        let entries: Box<[_]> = entries.into_iter().collect();
        let count = entries.len().saturating_mul(2).next_power_of_two().max(2);
        let shift = u64::BITS - count.ilog2();
        let mut table = Table { slots: vec![0; count].into(), entries, shift };
        for place in 0..table.entries.len() {
            let Some((id, _)) = table.entries.get(place) else { break };
            let mut at = table.begin(*id);
            while table.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = table.after(at);
            }
            // There are far fewer extensions than fit into 32 bits.
            if let (Some(slot), Ok(place)) = (table.slots.get_mut(at), u32::try_from(place)) {
                *slot = place.saturating_add(1);
            }
        }
        table
    }

    /// What there is of an extension.
    pub(super) fn get(&self, id: ExtensionId) -> Option<&T> {
        let mut at = self.begin(id);
        loop {
            let place = self.slots.get(at)?.checked_sub(1)?;
            let (found, value) = self.entries.get(usize::try_from(place).ok()?)?;
            if *found == id {
                return Some(value);
            }
            at = self.after(at);
        }
    }

    /// Where the search for an extension begins. The constant is 2^64 divided by the golden ratio:
    /// ids that follow one another come to lie far apart. Nobody chooses ids, so nobody can make
    /// them collide.
    fn begin(&self, id: ExtensionId) -> usize {
        let hash = id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        usize::try_from(hash >> self.shift).unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_is_found_and_nothing_else() {
        for count in [0, 1, 2, 3, 100, 1_000] {
            // Every second one, then every seventh of a large number.
            for step in [2, 7_000_000_007] {
                let ids = (0..count).map(|n| ExtensionId(100_000 + n * step));
                let table = Table::of(ids.clone().map(|id| (id, id.0)));
                assert!(ids.clone().all(|id| table.get(id) == Some(&id.0)), "{count} {step}");
                assert!(ids.clone().all(|id| table.get(ExtensionId(id.0 + 1)).is_none()));
                assert_eq!(table.get(ExtensionId(99_999)), None);
            }
        }
    }
}
