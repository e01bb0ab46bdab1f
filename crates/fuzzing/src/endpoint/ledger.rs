//! Which events of a leg are legal: what the words of `leg` promise to the exchange.

use std::collections::BTreeMap;

use leg::{LegCommand, LegEvent, LegId};
use model::TenantId;

/// What the exchange knows of all legs.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    legs: BTreeMap<(TenantId, LegId), Leg>,
}

#[derive(Debug, Default)]
struct Leg {
    answered: bool,
    acknowledged: bool,
    /// We have ended it: nothing comes any more.
    forgotten: bool,
    /// It was told to us that it is over: nothing comes any more.
    ended: bool,
}

impl Ledger {
    /// Legs that are not over.
    pub(super) fn alive(&self) -> impl Iterator<Item = (TenantId, LegId)> {
        self.legs.iter().filter(|(_, l)| !l.ended && !l.forgotten).map(|(key, _)| *key)
    }

    /// All legs that there ever were.
    pub(super) fn all(&self) -> impl Iterator<Item = (TenantId, LegId)> {
        self.legs.keys().copied()
    }

    /// How many were answered: a test's proof that it happens.
    #[cfg(test)]
    pub(super) fn answered(&self) -> usize {
        self.legs.values().filter(|l| l.answered).count()
    }

    /// What the exchange does.
    pub(super) fn command(&mut self, key: (TenantId, LegId), command: &LegCommand) {
        match command {
            LegCommand::Dial(_) => drop(self.legs.insert(key, Leg::default())),
            LegCommand::End { .. } => {
                if let Some(leg) = self.legs.get_mut(&key) {
                    leg.forgotten = true;
                }
            }
            LegCommand::Answer(_) if key.1.is_incoming() => {
                if let Some(leg) = self.legs.get_mut(&key) {
                    leg.answered = true;
                }
            }
            _ => {}
        }
    }

    /// Another endpoint goes on: it may number its legs like those that are over.
    pub(super) fn only_alive(&mut self) {
        self.legs.retain(|_, leg| !leg.ended && !leg.forgotten);
    }

    /// Legs of a tenant that were not carried over.
    pub(super) fn lose(&mut self, tenant: TenantId, kept: &[LegId]) {
        for ((owner, leg), entry) in &mut self.legs {
            if *owner == tenant && !kept.contains(leg) {
                entry.forgotten = true;
            }
        }
    }

    /// What the exchange is told.
    pub(super) fn event(&mut self, key: (TenantId, LegId), event: &LegEvent) {
        if let LegEvent::Incoming(_) = event {
            assert!(key.1.is_incoming(), "{key:?} came in with a number of ours");
            assert!(self.legs.insert(key, Leg::default()).is_none(), "{key:?} came in twice");
            return;
        }
        let Some(leg) = self.legs.get_mut(&key) else {
            panic!("an event of a leg that never was: {key:?} {event:?}")
        };
        assert!(!leg.ended, "after its end: {key:?} {event:?}");
        assert!(!leg.forgotten, "after we ended it: {key:?} {event:?}");
        let incoming = key.1.is_incoming();
        match event {
            LegEvent::Progress { status, .. } => {
                assert!(!incoming && !leg.answered, "progress of {key:?} {leg:?}");
                assert!((100..200).contains(status));
            }
            LegEvent::Answered { .. } => {
                assert!(!incoming && !leg.answered, "answered twice: {key:?}");
                leg.answered = true;
            }
            LegEvent::Acknowledged => {
                assert!(incoming && leg.answered, "acknowledged without an answer: {key:?}");
                assert!(!leg.acknowledged, "acknowledged twice: {key:?}");
                leg.acknowledged = true;
            }
            LegEvent::Ended { .. } => leg.ended = true,
            _ => {}
        }
    }
}
