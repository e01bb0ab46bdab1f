//! Whom extensions may consult: their phones are told nothing of it, so it is learned from what
//! programs were answered and what was pressed.

use std::collections::{BTreeMap, BTreeSet};

/// An extension of a customer; `None`: whichever stands for the one in whose name it was ordered,
/// which only the switch knows.
pub(super) type Who = (usize, Option<String>);

/// Who may consult whom.
#[derive(Debug, Default)]
pub(super) struct Consulted(BTreeMap<Who, BTreeSet<String>>);

impl Consulted {
    /// Somebody consults a number, or tries to.
    pub(super) fn begins(&mut self, who: Who, number: &str) {
        self.0.entry(who).or_default().insert(number.to_owned());
    }

    /// A person has pressed keys.
    pub(super) fn presses(&mut self, (company, name): (usize, String), keys: &str) {
        let Some((_, number)) = keys.split_once("*2") else { return };
        let number = number.trim_end_matches('#').to_owned();
        self.begins((company, Some(name)), &number);
    }

    /// Whether an extension may consult somebody.
    pub(super) fn may(&self, company: usize, name: &str) -> bool {
        self.numbers(company, name).next().is_some()
    }

    /// Whether it may be this number that an extension consults. Keys that were pressed one by one
    /// may have become any number.
    pub(super) fn may_be(&self, (company, name): (usize, &str), number: &str) -> bool {
        self.numbers(company, name).any(|asked| asked.is_empty() || asked == number)
    }

    fn numbers(&self, company: usize, name: &str) -> impl Iterator<Item = &str> {
        let own = self.0.get(&(company, Some(name.to_owned())));
        let led = self.0.get(&(company, None));
        own.into_iter().chain(led).flatten().map(String::as_str)
    }

    /// Who has no call any more consults nobody.
    pub(super) fn forget(&mut self, is_over: impl Fn(&Who) -> bool) {
        self.0.retain(|who, _| !is_over(who));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_for_another_may_consult_whom_that_one_was_to() {
        let mut consulted = Consulted::default();
        consulted.begins((0, None), "104");
        consulted.presses((1, "100".to_owned()), "*2104#");
        consulted.presses((1, "101".to_owned()), "#1102#");
        consulted.presses((1, "102".to_owned()), "*2");
        let may_be = |company, name, number| consulted.may_be((company, name), number);
        assert!(may_be(0, "100", "104") && may_be(0, "106", "104") && !may_be(0, "100", "103"));
        assert!(may_be(1, "100", "104") && !may_be(1, "100", "103") && !consulted.may(1, "101"));
        assert!(may_be(1, "102", "103"), "key by key");
        consulted.forget(|(company, _)| *company == 0);
        assert!(!consulted.may(0, "100") && consulted.may(1, "100"));
    }
}
