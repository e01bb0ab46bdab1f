//! Which tenant a message belongs to that carries none of our tags: CANCEL and repeated INVITEs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use core::time::Duration;
use model::{Mono, TenantId};

/// How long an INVITE that was handed to another shard is remembered before that shard says that
/// it was let in: the life of a transaction that nobody answers (64 x T1).
const UNDECIDED_FOR: Duration = Duration::from_secs(32);

/// INVITEs of that kind at a time; strangers can make them, so the oldest goes when it is full.
const UNDECIDED_MAX: usize = 4_096;

/// Initial INVITEs by Call-ID, each until its transaction is gone.
#[derive(Debug, Default)]
pub struct Pending {
    taken: BTreeMap<Arc<str>, TenantId>,
    undecided: BTreeMap<Arc<str>, TenantId>,
    ages: VecDeque<(Mono, Arc<str>)>,
}

impl Pending {
    /// Whose INVITE has this Call-ID.
    pub fn tenant(&self, call_id: &str) -> Option<TenantId> {
        self.taken.get(call_id).or_else(|| self.undecided.get(call_id)).copied()
    }

    /// An INVITE was handed to another shard; whether it is let in is decided there.
    pub fn handed_over(&mut self, now: Mono, call_id: &str, tenant: TenantId) {
        let is_full = |p: &Pending| p.ages.len() >= UNDECIDED_MAX;
        while self.ages.front().is_some_and(|(until, _)| *until <= now || is_full(self)) {
            if let Some((_, old)) = self.ages.pop_front() {
                self.undecided.remove(&old);
            }
        }
        let call_id: Arc<str> = call_id.into();
        if self.undecided.insert(Arc::clone(&call_id), tenant).is_none() {
            self.ages.push_back((now + UNDECIDED_FOR, call_id));
        }
    }

    /// An INVITE was let in.
    pub fn taken(&mut self, call_id: Arc<str>, tenant: TenantId) {
        self.taken.insert(call_id, tenant);
    }

    /// The transaction of an INVITE is gone.
    pub fn gone(&mut self, call_id: &str) {
        self.taken.remove(call_id);
        self.undecided.remove(call_id);
    }

    /// How many INVITEs are let in and not done.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undecided_invite_is_forgotten_in_time() {
        let mut pending = Pending::default();
        pending.handed_over(Mono(0), "a", TenantId(1));
        assert_eq!(pending.tenant("a"), Some(TenantId(1)));
        pending.handed_over(Mono(0) + UNDECIDED_FOR, "b", TenantId(1));
        assert_eq!(pending.tenant("a"), None);
        assert_eq!(pending.tenant("b"), Some(TenantId(1)));
    }

    #[test]
    fn undecided_invites_are_bounded_and_taken_ones_stay() {
        let mut pending = Pending::default();
        pending.taken("kept".into(), TenantId(1));
        for n in 0..UNDECIDED_MAX + 10 {
            pending.handed_over(Mono(0), &n.to_string(), TenantId(2));
        }
        assert_eq!(pending.tenant("0"), None);
        assert!(pending.undecided.len() <= UNDECIDED_MAX);
        assert_eq!(pending.tenant("kept"), Some(TenantId(1)));
        pending.gone("kept");
        assert!(pending.is_empty());
    }
}
