//! What is remembered of sources, bounded.

use std::collections::{BTreeSet, HashMap};

use model::{Chance, Mono};

use super::limits::{BAN_REMEMBERED, EARNED_BY_DIGEST, EARNED_MAX, FAILURE_WINDOW};
use super::source::{Keyed, Source};

/// What is remembered of one source. A moment that is past means no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A right digest came from it, or a registration is stored, or it is a trunk's.
    pub(crate) known_until: Mono,
    /// A host of a trunk.
    pub(crate) trunk_until: Mono,
    /// When the other shards were told that it is known.
    pub(crate) told: Mono,
    /// Answers without state that it may still have.
    pub(crate) earned: u32,
    /// When `earned` was filled up last.
    pub(crate) filled: Mono,
    /// Wrong credentials since `failing_since`.
    pub(crate) failures: u32,
    pub(crate) failing_since: Mono,
    /// Known, but its wrong credentials get no answer any more.
    pub(crate) silenced_until: Mono,
    /// Nothing of it is looked at.
    pub(crate) banned_until: Mono,
    /// How often it was banned lately.
    pub(crate) bans: u32,
    /// When all of this is of no use any more, as it stands in the book's sets.
    kept_until: Mono,
    is_in_known: bool,
}

impl Entry {
    pub(crate) fn is_known(&self, now: Mono) -> bool {
        self.known_until > now || self.is_trunk(now)
    }

    pub(crate) fn is_trunk(&self, now: Mono) -> bool {
        self.trunk_until > now
    }

    pub(crate) fn is_banned(&self, now: Mono) -> bool {
        self.banned_until > now && !self.is_known(now)
    }

    /// One right digest more.
    pub(crate) fn earn(&mut self) {
        self.earned = self.earned.saturating_add(EARNED_BY_DIGEST).min(EARNED_MAX);
    }

    /// Takes one answer, of those that come with time or were earned.
    pub(crate) fn spend(&mut self, now: Mono, per_second: u32) -> bool {
        if self.earned < per_second {
            let passed = now.since(self.filled).as_micros();
            let more = passed.saturating_mul(u128::from(per_second)) / 1_000_000;
            if let Some(more) = u32::try_from(more).ok().filter(|more| *more < per_second) {
                if more > 0 {
                    self.earned = self.earned.saturating_add(more).min(per_second);
                    self.filled = now;
                }
            } else {
                (self.earned, self.filled) = (per_second, now);
            }
        } else {
            self.filled = now;
        }
        let has_one = self.earned > 0;
        self.earned = self.earned.saturating_sub(1);
        has_one
    }

    fn useful_until(&self) -> Mono {
        let failing = if self.failures > 0 { self.failing_since + FAILURE_WINDOW } else { Mono(0) };
        let banned = if self.bans > 0 { self.banned_until + BAN_REMEMBERED } else { Mono(0) };
        let times = [self.known_until, self.trunk_until, self.silenced_until, failing, banned];
        times.into_iter().max().unwrap_or_default()
    }
}

/// The sources that are remembered. Those that proved something and those that failed are apart:
/// whoever forges addresses can fill the latter only.
#[derive(Debug)]
pub(crate) struct Book {
    entries: HashMap<Source, Entry, Keyed>,
    known: BTreeSet<(Mono, Source)>,
    suspects: BTreeSet<(Mono, Source)>,
    banned: BTreeSet<Source>,
    known_max: usize,
    suspects_max: usize,
}

impl Book {
    pub(crate) fn new(chance: &mut Chance, known_max: usize, suspects_max: usize) -> Book {
        Book {
            entries: HashMap::with_hasher(Keyed::new(chance)),
            known: BTreeSet::new(),
            suspects: BTreeSet::new(),
            banned: BTreeSet::new(),
            known_max,
            suspects_max,
        }
    }

    /// What is remembered of a source. The one look-up that a message costs.
    pub(crate) fn entry(&self, source: Source) -> Option<&Entry> {
        self.entries.get(&source)
    }

    /// Takes one answer of a known source's.
    pub(crate) fn spend(&mut self, now: Mono, source: Source, per_second: u32) -> bool {
        self.entries.get_mut(&source).is_some_and(|entry| entry.spend(now, per_second))
    }

    /// One right digest more of a known source.
    pub(crate) fn earn(&mut self, now: Mono, source: Source) {
        if let Some(entry) = self.entries.get_mut(&source).filter(|e| e.is_known(now)) {
            entry.earn();
        }
    }

    /// Changes what is remembered of a source, from nothing if need be.
    pub(crate) fn change<T>(
        &mut self,
        now: Mono,
        source: Source,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> T {
        let mut entry = self.forget(source).unwrap_or_default();
        let result = change(&mut entry);
        self.sweep(now);
        entry.kept_until = entry.useful_until();
        entry.is_in_known = entry.is_known(now);
        if entry.kept_until <= now {
            return result;
        }
        if entry.is_banned(now) {
            self.banned.insert(source);
        }
        let (set, max) = match entry.is_in_known {
            true => (&mut self.known, self.known_max),
            false => (&mut self.suspects, self.suspects_max),
        };
        set.insert((entry.kept_until, source));
        let first = if set.len() > max { set.first().map(|(_, source)| *source) } else { None };
        self.entries.insert(source, entry);
        if let Some(first) = first {
            self.forget(first);
        }
        result
    }

    /// Known sources.
    pub(crate) fn known(&self) -> usize {
        self.known.len()
    }

    /// Banned sources, in order.
    pub(crate) fn banned(&self, now: Mono) -> impl Iterator<Item = (Source, &Entry)> {
        let entries = self.banned.iter().filter_map(|s| Some((*s, self.entries.get(s)?)));
        entries.filter(move |(_, entry)| entry.is_banned(now))
    }

    fn forget(&mut self, source: Source) -> Option<Entry> {
        let entry = self.entries.remove(&source)?;
        let set = if entry.is_in_known { &mut self.known } else { &mut self.suspects };
        set.remove(&(entry.kept_until, source));
        self.banned.remove(&source);
        Some(entry)
    }

    /// Forgets what is of no use any more.
    fn sweep(&mut self, now: Mono) {
        let over = |set: &BTreeSet<(Mono, Source)>| {
            set.first().filter(|(until, _)| *until <= now).map(|(_, source)| *source)
        };
        while let Some(source) = over(&self.known).or_else(|| over(&self.suspects)) {
            self.forget(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const BEGIN: Mono = Mono(77_000_000);

    fn book() -> Book {
        Book::new(&mut Chance::from_number(1), 100, 50)
    }

    fn sizes(book: &Book) -> [usize; 3] {
        assert_eq!(book.entries.len(), book.known.len() + book.suspects.len());
        [book.known.len(), book.suspects.len(), book.banned(BEGIN).count()]
    }

    fn known(entry: &mut Entry) {
        entry.known_until = BEGIN + Duration::from_secs(100);
    }

    fn banned(entry: &mut Entry) {
        (entry.banned_until, entry.bans) = (BEGIN + Duration::from_secs(10), 1);
    }

    #[test]
    fn forged_sources_crowd_out_each_other_and_no_known_one() {
        let mut book = book();
        (0..80).for_each(|n| book.change(BEGIN, Source::V4(n), known));
        (1_000..9_000).for_each(|n| book.change(BEGIN, Source::V4(n), banned));
        assert_eq!(sizes(&book), [80, 50, 50]);
        assert!((0..80).all(|n| book.entry(Source::V4(n)).is_some()));
        (80..500).for_each(|n| book.change(BEGIN, Source::V4(n), known));
        assert_eq!(sizes(&book), [100, 50, 50]);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut book = book();
        (0..10).for_each(|n| book.change(BEGIN, Source::V4(n), known));
        (20..30).for_each(|n| book.change(BEGIN, Source::V4(n), banned));
        let later = BEGIN + Duration::from_secs(100);
        assert_eq!(book.banned(later).count(), 0, "a ban ends by itself");
        book.change(later, Source::V4(99), |e| e.known_until = later + Duration::from_secs(1));
        assert_eq!((book.known(), book.suspects.len()), (1, 10));
        book.change(later + BAN_REMEMBERED, Source::V4(98), |_| {});
        assert_eq!(book.entries.len(), 0);
    }

    #[test]
    fn a_source_is_in_one_set_whatever_becomes_of_it() {
        let mut book = book();
        let source = Source::V4(1);
        book.change(BEGIN, source, banned);
        assert_eq!(sizes(&book), [0, 1, 1]);
        book.change(BEGIN, source, known);
        assert_eq!(sizes(&book), [1, 0, 0], "no ban touches a known source");
        book.change(BEGIN, source, |entry| *entry = Entry::default());
        assert_eq!(sizes(&book), [0, 0, 0]);
    }

    #[test]
    fn answers_come_with_time_and_with_digests() {
        let mut entry = Entry::default();
        let spent = |entry: &mut Entry, now| (0..1_000).filter(|_| entry.spend(now, 100)).count();
        assert_eq!(spent(&mut entry, BEGIN), 100);
        assert_eq!(spent(&mut entry, BEGIN), 0);
        assert_eq!(spent(&mut entry, BEGIN + Duration::from_millis(250)), 25);
        entry.earn();
        entry.earn();
        assert_eq!(spent(&mut entry, BEGIN + Duration::from_millis(250)), 40);
        (0..5_000).for_each(|_| entry.earn());
        assert_eq!(entry.earned, EARNED_MAX);
    }
}
