//! Who must hear whom, written down as people read it: a table of situations, independent of how
//! the switch comes to it.
//!
//! Nothing here looks at the switch. [`Sim::assert_heard`] compares what phones hear with a row of
//! the table.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use crate::device::Phone;
use crate::phone::sound::Sound;
use crate::sim::{Sim, millis, secs};

/// What a part hears: known things and no others, some of them perhaps; or anything.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell<'a> {
    These { must: BTreeSet<&'a str>, may: BTreeSet<&'a str> },
    Anything,
}

/// What a phone hears in a situation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// It hears all of these,
    pub must: BTreeSet<Sound>,
    /// perhaps some of these, and nothing else.
    pub may: BTreeSet<Sound>,
}

impl Heard {
    /// Whether this is heard then.
    pub fn is_met_by(&self, heard: &BTreeSet<Sound>) -> bool {
        self.must.is_subset(heard)
            && heard.iter().all(|s| self.must.contains(s) || self.may.contains(s))
    }
}

/// The parts of a row and what each of them hears.
fn row(situation: &str) -> BTreeMap<char, Cell<'static>> {
    let found = table::ROWS.iter().find(|(name, _)| *name == situation);
    let (_, text) = found.unwrap_or_else(|| panic!("no situation {situation}"));
    let part = |cell: &'static str| {
        let (part, heard) = cell.split_once(':').unwrap_or_else(|| panic!("{cell}?"));
        let part = part.trim().chars().next().unwrap_or('?');
        let cell = match heard.trim() {
            "?" => Cell::Anything,
            "-" => Cell::These { must: BTreeSet::new(), may: BTreeSet::new() },
            words => {
                let (may, must) = words.split_whitespace().partition(|w| w.ends_with('?'));
                let may: BTreeSet<&str> = may;
                Cell::These { must, may: may.iter().map(|w| w.trim_end_matches('?')).collect() }
            }
        };
        (part, cell)
    };
    text.split('|').map(part).collect()
}

/// What each of these parts must hear in a situation, by the name of its phone; parts of which the
/// table says nothing are left out.
///
/// # Panics
///
/// When there is no such situation, or a part that one of these hears is missing.
pub fn heard(situation: &str, cast: &[(char, &str)]) -> BTreeMap<String, Heard> {
    let name = |part: char| {
        let found = cast.iter().find(|(p, _)| *p == part);
        found.unwrap_or_else(|| panic!("nobody plays {part} in {situation}")).1
    };
    let sound = |word: &str| match word {
        "music" => Sound::Music,
        "ringback" => Sound::Ringback,
        "error" => Sound::Congestion,
        part => Sound::Phone(name(part.chars().next().unwrap_or('?')).to_owned()),
    };
    let is_played = |part: char| cast.iter().any(|(p, _)| *p == part);
    let sounds = |words: BTreeSet<&str>| words.into_iter().map(sound).collect();
    // Who may be heard and has no part here is not heard.
    let is_there = |word: &&str| word.len() > 1 || word.chars().all(is_played);
    let parts = row(situation).into_iter().filter_map(|(part, cell)| match cell {
        Cell::These { must, may } if is_played(part) => {
            let may = may.into_iter().filter(is_there).collect();
            Some((name(part).to_owned(), Heard { must: sounds(must), may: sounds(may) }))
        }
        Cell::These { .. } | Cell::Anything => None,
    });
    parts.collect()
}

impl Sim {
    /// Whether each of these phones hears what the table says for its part.
    pub fn is_heard(&self, situation: &str, cast: &[(char, &Phone)]) -> bool {
        self.differs(situation, cast).is_none()
    }

    /// Each of these phones hears what the table says for its part, and nothing else.
    ///
    /// # Panics
    ///
    /// When one does not.
    #[track_caller]
    pub fn assert_heard(&self, situation: &str, cast: &[(char, &Phone)]) {
        if let Some(what) = self.differs(situation, cast) {
            panic!("{situation}: {what}");
        }
    }

    /// It comes to be so within a minute, however bad the network is.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[track_caller]
    pub fn until_heard(&self, situation: &str, cast: &[(char, &Phone)]) {
        if !self.run_while(secs(60), || !self.is_heard(situation, cast)) {
            self.assert_heard(situation, cast);
        }
    }

    /// Lets time pass in small pieces, in each of which `holds` must hold.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[track_caller]
    pub fn run_and_see(&self, time: core::time::Duration, what: &str, holds: impl Fn() -> bool) {
        let end = self.elapsed() + time;
        while self.elapsed() < end {
            assert!(holds(), "{what}, at {:?}", self.elapsed());
            self.run_for(millis(20));
        }
    }

    fn differs(&self, situation: &str, cast: &[(char, &Phone)]) -> Option<String> {
        let names: Vec<(char, String)> = cast.iter().map(|(c, p)| (*c, p.name())).collect();
        let names: Vec<(char, &str)> = names.iter().map(|(c, name)| (*c, name.as_str())).collect();
        let wanted = heard(situation, &names);
        cast.iter().find_map(|(part, phone)| {
            let wanted = wanted.get(&phone.name())?;
            let heard = self.hears(phone);
            (!wanted.is_met_by(&heard)).then(|| format!("{part} hears {heard:?}, not {wanted:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_read_and_names_only_its_own_parts() {
        let cast = ['A', 'B', 'C', 'D', 'E', 'M', 'N'].map(|part| (part, "100"));
        let mut names = BTreeSet::new();
        for (situation, _) in table::ROWS {
            assert!(names.insert(*situation), "{situation} twice");
            let parts = row(situation);
            for part in parts.values() {
                let Cell::These { must, may } = part else { continue };
                let is_known = |w: &&str| {
                    ["music", "ringback", "error"].contains(w)
                        || w.len() == 1 && cast.iter().any(|(part, _)| w.starts_with(*part))
                };
                assert!(must.iter().chain(may).all(is_known), "{situation}: {must:?} {may:?}");
            }
            heard(situation, &cast);
        }
    }

    #[test]
    fn nobody_hears_himself_but_in_the_echo_and_who_eavesdrops_is_heard_by_nobody() {
        for (situation, _) in table::ROWS.iter().filter(|(name, _)| *name != "A is in the echo") {
            for (part, heard) in row(situation) {
                let Cell::These { must, may } = heard else { continue };
                let words: BTreeSet<&str> = must.union(&may).copied().collect();
                assert!(!words.contains(part.to_string().as_str()), "{situation}");
                assert!(!situation.starts_with("M eavesdrops") || !words.contains("M"));
            }
        }
    }

    #[test]
    fn what_must_be_heard_is_missed_and_what_may_be_is_not() {
        let cast = [('A', "100"), ('B', "101"), ('M', "103")];
        let all = heard("M eavesdrops, A holds", &cast);
        let phone = |name: &str| Sound::Phone(name.to_owned());
        let monitor = &all["103"];
        assert!(monitor.is_met_by(&[].into()) && monitor.is_met_by(&[phone("100")].into()));
        assert!(!monitor.is_met_by(&[phone("101")].into()), "the far party does not hear music");
        let far = &all["101"];
        assert!(far.is_met_by(&[Sound::Music].into()) && !far.is_met_by(&[].into()));
        assert!(!far.is_met_by(&[Sound::Music, phone("103")].into()));
    }
}
