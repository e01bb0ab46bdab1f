//! Where the names of trunks lead: RFC 3263 4.2, RFC 2782.
//!
//! An answer is used while it is fresh; while the name system is away the last good one is used
//! for a day. This is a cache and nothing else: it is not saved, and loses only time when it is
//! empty.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use model::{Chance, Mono};

use crate::core::LegKey;
use crate::interface::{Answer, LookupId, Site, Transport};
use crate::limits::{NAME_FRESH_MAX, NAME_KEPT, NAME_RETRY, NAMES_MAX};

/// What is asked for: a host, a port if one is set, and how it shall be spoken to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    /// The host name.
    pub(crate) host: Box<str>,
    /// Its port; with one no SRV records are asked for.
    pub(crate) port: Option<u16>,
    /// How it shall be spoken to.
    pub(crate) transport: Transport,
}

/// What is known at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// These targets; none: there is no such host, or nobody knows.
    Sites(Vec<Site>),
    /// Nothing yet. `Some`: this question has to be asked now, else it was asked already.
    Asked(LookupId, Option<Question>),
}

/// The names of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: BTreeMap<Question, Name>,
    asked: BTreeMap<LookupId, Question>,
    last: u64,
}

#[derive(Debug, Default)]
struct Name {
    sites: Vec<Site>,
    /// Until then nobody asks again.
    fresh: Mono,
    /// Until then `sites` are better than nothing.
    kept: Mono,
    used: Mono,
    /// Who waits for an answer.
    waiting: Option<(LookupId, Vec<LegKey>)>,
}

impl Names {
    /// Where a host is. A leg that is told to wait is named by [`Names::answered`].
    pub(crate) fn ask(&mut self, now: Mono, question: Question, leg: LegKey) -> Known {
        if !self.known.contains_key(&question) && !self.make_room() {
            return Known::Sites(Vec::new());
        }
        let name = self.known.entry(question.clone()).or_default();
        name.used = now;
        if let Some((lookup, waiting)) = &mut name.waiting {
            waiting.push(leg);
            return Known::Asked(*lookup, None);
        }
        if now < name.fresh {
            return Known::Sites(name.sites.clone());
        }
        self.last += 1;
        let lookup = LookupId(self.last);
        name.waiting = Some((lookup, vec![leg]));
        self.asked.insert(lookup, question.clone());
        Known::Asked(lookup, Some(question))
    }

    /// An answer: who waited for it, and what they may use.
    pub(crate) fn answered(
        &mut self,
        now: Mono,
        lookup: LookupId,
        answer: Answer,
    ) -> (Vec<LegKey>, Vec<Site>) {
        let question = self.asked.remove(&lookup);
        let name = question.as_ref().and_then(|q| self.known.get_mut(q));
        let Some(name) = name else { return Default::default() };
        let waiting = name.waiting.take().map(|(_, legs)| legs).unwrap_or_default();
        match answer {
            Answer::Found { sites, ttl_s } => {
                let ttl = core::time::Duration::from_secs(ttl_s.into());
                name.fresh = now + ttl.clamp(NAME_RETRY, NAME_FRESH_MAX);
                name.kept = now + NAME_KEPT;
                name.sites = sites;
            }
            Answer::Nowhere => {
                name.fresh = now + NAME_RETRY;
                name.sites = Vec::new();
            }
            Answer::Away => {
                name.fresh = now + NAME_RETRY;
                if name.kept <= now {
                    name.sites = Vec::new();
                    // Nothing is known, so the next call asks again at once.
                    name.fresh = now;
                }
            }
        }
        (waiting, name.sites.clone())
    }

    /// A leg waits no more.
    pub(crate) fn forget(&mut self, lookup: LookupId, leg: LegKey) {
        let question = self.asked.get(&lookup);
        let name = question.and_then(|q| self.known.get_mut(q));
        if let Some((_, waiting)) = name.and_then(|n| n.waiting.as_mut()) {
            waiting.retain(|l| *l != leg);
        }
    }

    /// Forgets a leg wherever it waits; slow, for a leg whose handling a defect ended.
    pub(crate) fn drop_leg(&mut self, leg: LegKey) {
        for (_, waiting) in self.known.values_mut().filter_map(|n| n.waiting.as_mut()) {
            waiting.retain(|l| *l != leg);
        }
    }

    /// Every address that is known of a host.
    pub(crate) fn addresses<'a>(
        &'a self,
        host: &'a str,
    ) -> impl Iterator<Item = SocketAddr> + use<'a> {
        let of = self.known.iter().filter(move |(q, _)| q.host.eq_ignore_ascii_case(host));
        of.flat_map(|(_, n)| n.sites.iter().flat_map(|s| s.addresses.iter().copied()))
    }

    /// The legs that wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = LegKey> {
        self.known.values().filter_map(|n| n.waiting.as_ref()).flat_map(|(_, w)| w.iter().copied())
    }

    /// Lets the name go that is longest unused; `false`: all of them are being asked for.
    fn make_room(&mut self) -> bool {
        if self.known.len() < NAMES_MAX {
            return true;
        }
        let idle = self.known.iter().filter(|(_, n)| n.waiting.is_none());
        let oldest = idle.min_by_key(|(_, n)| n.used).map(|(q, _)| q.clone());
        oldest.is_some_and(|question| self.known.remove(&question).is_some())
    }
}

/// The addresses of the targets in the order in which they shall be tried: RFC 2782, "Usage
/// rules". The order differs from call to call, by weight.
pub(crate) fn ordered(mut sites: Vec<Site>, chance: &mut Chance) -> Vec<SocketAddr> {
    // Those of weight 0 come first in their priority, so that they are chosen seldom.
    sites.sort_by_key(|s| (s.priority, s.weight > 0));
    let mut order = Vec::new();
    while let Some(priority) = sites.first().map(|s| s.priority) {
        let equals = sites.iter().take_while(|s| s.priority == priority).count();
        let weights = || sites.iter().take(equals).map(|s| u64::from(s.weight));
        let chosen = match weights().sum::<u64>() {
            // Nobody says anything about shares: the same for all.
            0 => usize::try_from(chance.below(u64::try_from(equals).unwrap_or(1))).ok(),
            total => {
                // 0 is drawn only where somebody of weight 0 could be chosen by it.
                let none = u64::from(weights().any(|w| w == 0));
                let drawn = 1 - none + chance.below(total + none);
                let mut sum = 0;
                weights().position(|w| {
                    sum += w;
                    sum >= drawn
                })
            }
        };
        let site = sites.remove(chosen.unwrap_or(0));
        order.extend(site.addresses);
    }
    let mut seen = Vec::with_capacity(order.len());
    for address in order {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use leg::LegId;
    use model::TenantId;

    use super::*;

    fn site(priority: u16, weight: u16, ports: &[u16]) -> Site {
        let addresses = ports.iter().map(|p| SocketAddr::from(([192, 0, 2, 1], *p))).collect();
        Site { priority, weight, addresses }
    }

    fn question(host: &str) -> Question {
        Question { host: host.into(), port: None, transport: Transport::Udp }
    }

    fn leg(n: u64) -> LegKey {
        (TenantId(1), LegId::outgoing(n))
    }

    fn asked(known: Known) -> LookupId {
        match known {
            Known::Asked(lookup, _) => lookup,
            Known::Sites(sites) => panic!("{sites:?}"),
        }
    }

    fn ports(sites: Vec<Site>, seed: u64) -> Vec<u16> {
        let order = ordered(sites, &mut Chance::from_number(seed));
        order.iter().map(SocketAddr::port).collect()
    }

    #[test]
    fn the_lowest_priority_comes_first_whatever_the_weights() {
        for seed in 0..100 {
            let sites = vec![site(20, 1_000, &[3]), site(10, 0, &[1]), site(15, 5, &[2, 4])];
            assert_eq!(ports(sites, seed), [1, 2, 4, 3]);
        }
    }

    #[test]
    fn among_equals_the_weight_is_the_share() {
        type Row<'a> = (&'a [u16], &'a [(u64, u64)]);
        let table: [Row<'_>; 4] = [
            (&[1, 3], &[(2_250, 2_750), (7_250, 7_750)]),
            (&[10, 10], &[(4_750, 5_250), (4_750, 5_250)]),
            // Weight 0 has a very small chance beside others: RFC 2782.
            (&[0, 99], &[(50, 200), (9_800, 9_950)]),
            (&[0, 0], &[(4_750, 5_250), (4_750, 5_250)]),
        ];
        for (weights, shares) in table {
            let mut first = vec![0u64; weights.len()];
            for seed in 0..10_000 {
                let numbered = weights.iter().zip(0u16..);
                let sites = numbered.map(|(w, n)| site(1, *w, &[n])).collect();
                first[usize::from(ports(sites, seed)[0])] += 1;
            }
            for (count, (low, high)) in first.iter().zip(shares) {
                assert!((low..=high).contains(&count), "{weights:?}: {first:?}");
            }
        }
    }

    #[test]
    fn no_target_is_lost_or_doubled() {
        let sites = vec![site(1, 5, &[1]), site(1, 0, &[2, 1]), site(1, 7, &[3]), site(0, 1, &[])];
        let mut order = ports(sites, 4);
        order.sort_unstable();
        assert_eq!(order, [1, 2, 3]);
    }

    #[test]
    fn one_question_serves_all_who_ask_meanwhile() {
        let mut names = Names::default();
        let Known::Asked(lookup, Some(_)) = names.ask(Mono(0), question("a"), leg(1)) else {
            panic!("it was not asked")
        };
        assert_eq!(names.ask(Mono(1), question("a"), leg(2)), Known::Asked(lookup, None));
        names.ask(Mono(1), question("a"), leg(3));
        names.forget(lookup, leg(2));
        let found = Answer::Found { sites: vec![site(1, 1, &[9])], ttl_s: 60 };
        let (waiting, sites) = names.answered(Mono(2), lookup, found.clone());
        assert_eq!((waiting, sites), (vec![leg(1), leg(3)], vec![site(1, 1, &[9])]));
        // A second answer to the same question is nobody's.
        assert_eq!(names.answered(Mono(3), lookup, found), Default::default());
    }

    #[test]
    fn an_answer_is_asked_again_when_it_is_no_longer_fresh() {
        for (ttl_s, fresh_s) in [(0, 30), (60, 60), (90_000, 3_600)] {
            let mut names = Names::default();
            let lookup = asked(names.ask(Mono(0), question("a"), leg(1)));
            let found = Answer::Found { sites: vec![site(1, 1, &[9])], ttl_s };
            names.answered(Mono(0), lookup, found);
            let end = Mono(0) + Duration::from_secs(fresh_s);
            let before = Mono(end.0 - 1);
            let known = names.ask(before, question("a"), leg(1));
            assert_eq!(known, Known::Sites(vec![site(1, 1, &[9])]), "{ttl_s}");
            asked(names.ask(end, question("a"), leg(1)));
        }
    }

    #[test]
    fn while_the_name_system_is_away_the_last_answer_serves_for_a_day() {
        let mut names = Names::default();
        let lookup = asked(names.ask(Mono(0), question("a"), leg(1)));
        let found = Answer::Found { sites: vec![site(1, 1, &[9])], ttl_s: 60 };
        names.answered(Mono(0), lookup, found);
        let mut now = Mono(0) + Duration::from_secs(3_600);
        let lookup = asked(names.ask(now, question("a"), leg(1)));
        let (_, sites) = names.answered(now, lookup, Answer::Away);
        assert_eq!(sites, [site(1, 1, &[9])]);
        // Nobody waits for the next answer that does not come.
        assert_eq!(names.ask(now, question("a"), leg(1)), Known::Sites(sites));
        now = Mono(0) + NAME_KEPT;
        let lookup = asked(names.ask(now, question("a"), leg(1)));
        assert!(names.answered(now, lookup, Answer::Away).1.is_empty());
        asked(names.ask(now, question("a"), leg(1)));
    }

    #[test]
    fn a_name_that_is_gone_is_gone_at_once() {
        let mut names = Names::default();
        let lookup = asked(names.ask(Mono(0), question("a"), leg(1)));
        let found = Answer::Found { sites: vec![site(1, 1, &[9])], ttl_s: 60 };
        names.answered(Mono(0), lookup, found);
        let now = Mono(0) + Duration::from_secs(61);
        let lookup = asked(names.ask(now, question("a"), leg(1)));
        assert!(names.answered(now, lookup, Answer::Nowhere).1.is_empty());
        assert_eq!(names.ask(now, question("a"), leg(1)), Known::Sites(Vec::new()));
    }

    #[test]
    fn the_name_that_is_longest_unused_makes_room() {
        let mut names = Names::default();
        for n in 0..NAMES_MAX as u64 {
            let now = Mono(n);
            let lookup = asked(names.ask(now, question(&n.to_string()), leg(n)));
            let found = Answer::Found { sites: vec![site(1, 1, &[9])], ttl_s: 60 };
            names.answered(now, lookup, found);
        }
        names.ask(Mono(5_000), question("0"), leg(1));
        asked(names.ask(Mono(5_001), question("new"), leg(1)));
        assert_eq!(names.known.len(), NAMES_MAX);
        assert!(names.known.contains_key(&question("0")));
        assert!(!names.known.contains_key(&question("1")));
    }
}
