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

/// What a part hears: known things, or anything.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard<'a> {
    These(BTreeSet<&'a str>),
    Anything,
}

/// The parts of a row and what each of them hears.
fn row(situation: &str) -> BTreeMap<char, Heard<'static>> {
    let found = table::ROWS.iter().find(|(name, _)| *name == situation);
    let (_, text) = found.unwrap_or_else(|| panic!("no situation {situation}"));
    let part = |cell: &'static str| {
        let (part, heard) = cell.split_once(':').unwrap_or_else(|| panic!("{cell}?"));
        let part = part.trim().chars().next().unwrap_or('?');
        let heard = match heard.trim() {
            "?" => Heard::Anything,
            "-" => Heard::These(BTreeSet::new()),
            words => Heard::These(words.split_whitespace().collect()),
        };
        (part, heard)
    };
    text.split('|').map(part).collect()
}

/// What each of these parts must hear in a situation, by the name of its phone; parts of which the
/// table says nothing are left out.
///
/// # Panics
///
/// When there is no such situation, or a part that one of these hears is missing.
pub fn heard(situation: &str, cast: &[(char, &str)]) -> BTreeMap<String, BTreeSet<Sound>> {
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
    let parts = row(situation).into_iter().filter_map(|(part, heard)| match heard {
        Heard::These(words) if is_played(part) => {
            Some((name(part).to_owned(), words.into_iter().map(sound).collect()))
        }
        Heard::These(_) | Heard::Anything => None,
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
            (heard != *wanted).then(|| format!("{part} hears {heard:?}, not {wanted:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_read_and_names_only_its_own_parts() {
        let cast = [('A', "100"), ('B', "101"), ('C', "102"), ('M', "103"), ('N', "104")];
        let mut names = BTreeSet::new();
        for (situation, _) in table::ROWS {
            assert!(names.insert(*situation), "{situation} twice");
            let parts = row(situation);
            for part in parts.values() {
                let Heard::These(words) = part else { continue };
                let is_known = |w: &&str| {
                    ["music", "ringback", "error"].contains(w)
                        || w.len() == 1 && cast.iter().any(|(part, _)| w.starts_with(*part))
                };
                assert!(words.iter().all(is_known), "{situation}: {words:?}");
            }
            heard(situation, &cast);
        }
    }

    #[test]
    fn nobody_hears_himself_and_who_eavesdrops_is_heard_by_nobody() {
        for (situation, _) in table::ROWS {
            for (part, heard) in row(situation) {
                let Heard::These(words) = heard else { continue };
                assert!(!words.contains(part.to_string().as_str()), "{situation}");
                assert!(!situation.starts_with("M eavesdrops") || !words.contains("M"));
            }
        }
    }
}
