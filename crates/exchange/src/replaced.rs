//! Who serves whom: two extensions whose devices serve each other, for calls in and out.

use std::collections::BTreeMap;

use leg::ReplacementChange;
use model::{ExtensionId, TenantId, Wall};

/// Two extensions of which each serves the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Who has dialled the code.
    pub by: ExtensionId,
    /// Whom it has named.
    pub with: ExtensionId,
    /// Since when.
    pub since: Wall,
}

impl Pair {
    /// What is written down when it begins.
    pub fn begins(self, tenant: TenantId) -> ReplacementChange {
        ReplacementChange { tenant, by: self.by, with: self.with, since: Some(self.since) }
    }

    /// What is written down when it ends.
    pub fn ends(self, tenant: TenantId) -> ReplacementChange {
        ReplacementChange { since: None, ..self.begins(tenant) }
    }
}

/// The pairs of a tenant. No extension is in two.
#[derive(Clone, Debug, Default)]
pub struct Replaced {
    /// Each under both of its extensions.
    pairs: BTreeMap<ExtensionId, Pair>,
}

impl Replaced {
    /// Whose devices serve an extension, which is also whom its devices serve: itself, or the
    /// other one.
    pub fn other(&self, extension: ExtensionId) -> ExtensionId {
        match self.pairs.get(&extension) {
            Some(pair) if pair.by == extension => pair.with,
            Some(pair) => pair.by,
            None => extension,
        }
    }

    /// The pair in which an extension is.
    pub fn pair_of(&self, extension: ExtensionId) -> Option<Pair> {
        self.pairs.get(&extension).copied()
    }

    /// Whether an extension serves another one.
    pub fn contains(&self, extension: ExtensionId) -> bool {
        self.pairs.contains_key(&extension)
    }

    /// The pairs, in the order of who has begun them.
    pub fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter().filter(|(id, pair)| **id == pair.by).map(|(_, pair)| pair)
    }

    /// A pair begins; `false`, and nothing has changed: one of the two is in one already, or the
    /// two are one.
    pub fn begin(&mut self, pair: Pair) -> bool {
        let both = [pair.by, pair.with];
        if pair.by == pair.with || both.iter().any(|id| self.contains(*id)) {
            return false;
        }
        self.pairs.extend(both.map(|id| (id, pair)));
        true
    }

    /// The pair in which an extension is ends.
    pub fn end(&mut self, extension: ExtensionId) -> Option<Pair> {
        let pair = self.pairs.remove(&extension)?;
        self.pairs.retain(|_, other| *other != pair);
        Some(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ExtensionId = ExtensionId(1);
    const B: ExtensionId = ExtensionId(2);
    const C: ExtensionId = ExtensionId(3);

    fn pair(by: ExtensionId, with: ExtensionId) -> Pair {
        Pair { by, with, since: Wall(7) }
    }

    #[test]
    fn each_serves_the_other_until_either_ends_it() {
        for ends in [A, B] {
            let mut replaced = Replaced::default();
            assert!(replaced.begin(pair(A, B)));
            assert_eq!((replaced.other(A), replaced.other(B), replaced.other(C)), (B, A, C));
            assert_eq!(replaced.iter().collect::<Vec<_>>(), [&pair(A, B)]);
            assert_eq!(replaced.end(ends), Some(pair(A, B)));
            assert_eq!((replaced.other(A), replaced.other(B)), (A, B));
            assert_eq!((replaced.end(A), replaced.iter().count()), (None, 0));
        }
    }

    #[test]
    fn no_extension_is_in_two_pairs_or_serves_itself() {
        let mut replaced = Replaced::default();
        assert!(replaced.begin(pair(A, B)));
        for (by, with) in [(A, C), (C, A), (B, C), (C, B), (B, A), (C, C)] {
            assert!(!replaced.begin(pair(by, with)), "{by} {with}");
        }
        assert_eq!(replaced.other(C), C);
        assert_eq!(replaced.iter().count(), 1);
    }
}
