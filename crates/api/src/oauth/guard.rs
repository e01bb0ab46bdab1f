//! What keeps guessing slow: token requests a second and at a time from one source, and wrong
//! credentials for one account.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use model::Mono;
use store::Digest;

use crate::limits;

const SECOND_US: u64 = 1_000_000;

/// Where a request comes from: an IPv4 address or an IPv6 /64, which is one customer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(Option<IpAddr>);

impl Source {
    /// The source of a request; those whose address the server did not tell are one source.
    pub(crate) fn of(request: &Request) -> Source {
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Source(address.map(|ConnectInfo(address)| match address.ip().to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }))
    }
}

/// An account as one source knows it: so that who guesses from elsewhere does not lock its owner
/// out. Its name is kept as a digest, which bounds its length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account(Digest, Source);

impl Account {
    pub(crate) fn user(login: &str, source: Source) -> Account {
        Account(Digest::of(&format!("user {login}")), source)
    }

    pub(crate) fn application(id: &str, source: Source) -> Account {
        Account(Digest::of(&format!("application {id}")), source)
    }
}

/// Come back in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) u32);

/// The guard of `/oauth/`.
#[derive(Default)]
pub(crate) struct Guard {
    second: Mutex<Second>,
    /// Requests that are worked on, by source; none is counted that has none.
    inside: Mutex<BTreeMap<Source, u32>>,
    failing: Mutex<BTreeMap<Account, Failing>>,
}

#[derive(Default)]
struct Second {
    number: u64,
    counts: BTreeMap<Source, u32>,
}

#[derive(Clone, Copy)]
struct Failing {
    failures: u32,
    last: Mono,
    until: Mono,
}

/// A place among the requests of a source that are worked on; given back when it is dropped.
pub(crate) struct Inside<'a> {
    guard: &'a Guard,
    source: Source,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut inside = self.guard.inside.lock().unwrap_or_else(PoisonError::into_inner);
        match inside.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                inside.remove(&self.source);
            }
        }
    }
}

impl Guard {
    /// Lets a token request in, to be worked on beside few others of its source.
    pub(crate) fn enter(&self, source: Source) -> Result<Inside<'_>, Wait> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.entry(source).or_default();
        if *count >= limits::OAUTH_AT_ONCE {
            return Err(Wait(1));
        }
        *count += 1;
        Ok(Inside { guard: self, source })
    }

    /// Counts a token request.
    pub(crate) fn admit(&self, source: Source, now: Mono) -> Result<(), Wait> {
        let number = now.0 / SECOND_US;
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.number != number {
            *second = Second { number, counts: BTreeMap::new() };
        }
        let full = second.counts.len() >= limits::OAUTH_SOURCES_MAX;
        if full && !second.counts.contains_key(&source) {
            return Err(Wait(1));
        }
        let count = second.counts.entry(source).or_default();
        *count = count.saturating_add(1);
        if *count > limits::OAUTH_PER_SECOND { Err(Wait(1)) } else { Ok(()) }
    }

    /// Whether an account may be tried now.
    pub(crate) fn may_try(&self, account: Account, now: Mono) -> Result<(), Wait> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match failing.get(&account) {
            Some(failing) if failing.until > now => {
                let us = u64::try_from((failing.until - now).as_micros()).unwrap_or(u64::MAX);
                Err(Wait(u32::try_from(us.div_ceil(SECOND_US)).unwrap_or(u32::MAX)))
            }
            _ => Ok(()),
        }
    }

    /// The credentials were wrong: after a few times each costs twice the wait of the one before.
    pub(crate) fn failed(&self, account: Account, now: Mono) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.len() >= limits::FAILING_ACCOUNTS_MAX && !failing.contains_key(&account) {
            let oldest = failing.iter().min_by_key(|(_, f)| f.last).map(|(account, _)| *account);
            oldest.map(|oldest| failing.remove(&oldest));
        }
        let fresh = Failing { failures: 0, last: now, until: now };
        let entry = failing.entry(account).or_insert(fresh);
        if now.since(entry.last) > limits::FAILURE_MEMORY {
            *entry = fresh;
        }
        entry.failures = entry.failures.saturating_add(1);
        entry.last = now;
        entry.until = now + wait_after(entry.failures);
    }

    /// The credentials were right: all is forgiven.
    pub(crate) fn succeeded(&self, account: Account) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
    }
}

fn wait_after(failures: u32) -> Duration {
    match failures.checked_sub(limits::FREE_FAILURES) {
        None => Duration::ZERO,
        Some(costly) => Duration::from_secs(1 << costly.min(10)).min(limits::FAILURE_WAIT_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source(Some(text.parse().unwrap()))
    }

    #[test]
    fn waits_double_up_to_their_bound() {
        let waits: Vec<_> = (1..=12).map(|n| wait_after(n).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn a_flood_of_sources_is_refused_without_being_counted() {
        let guard = Guard::default();
        for n in 0..u32::try_from(limits::OAUTH_SOURCES_MAX).unwrap() {
            let from = Source(Some(std::net::Ipv4Addr::from(n).into()));
            assert!(guard.admit(from, Mono(0)).is_ok());
        }
        assert_eq!(guard.admit(source("203.0.113.1"), Mono(0)), Err(Wait(1)));
        assert_eq!(guard.admit(source("203.0.113.1"), Mono(SECOND_US)), Ok(()));
        assert_eq!(guard.second.lock().unwrap().counts.len(), 1);
    }

    #[test]
    fn a_source_has_six_requests_at_a_time_and_nothing_is_kept_of_it_afterwards() {
        let (guard, anna) = (Guard::default(), source("203.0.113.1"));
        let mut inside: Vec<_> = (0..6).map(|_| guard.enter(anna).ok().unwrap()).collect();
        assert_eq!(guard.enter(anna).err(), Some(Wait(1)));
        assert!(guard.enter(source("203.0.113.2")).is_ok(), "another has its own");
        inside.pop();
        inside.push(guard.enter(anna).ok().unwrap());
        assert!(guard.enter(anna).is_err());
        drop(inside);
        assert!(guard.inside.lock().unwrap().is_empty());
    }

    #[test]
    fn the_account_that_failed_first_makes_room() {
        let guard = Guard::default();
        let account = |n: usize| Account::user(&n.to_string(), source("203.0.113.1"));
        let max = limits::FAILING_ACCOUNTS_MAX;
        for n in 0..=max {
            guard.failed(account(n), Mono(u64::try_from(n).unwrap()));
        }
        let failing = guard.failing.lock().unwrap();
        assert_eq!(failing.len(), max);
        assert!(!failing.contains_key(&account(0)) && failing.contains_key(&account(max)));
    }

    #[test]
    fn failures_are_forgotten_after_a_while() {
        let (guard, account) = (Guard::default(), Account::user("a", source("203.0.113.1")));
        for _ in 0..6 {
            guard.failed(account, Mono(0));
        }
        assert_eq!(guard.may_try(account, Mono(0)), Err(Wait(2)));
        let later = Mono(0) + limits::FAILURE_MEMORY + Duration::from_secs(1);
        guard.failed(account, later);
        assert_eq!(guard.may_try(account, later), Ok(()));
    }
}
