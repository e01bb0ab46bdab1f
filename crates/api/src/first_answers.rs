//! The answers to requests with an `Idempotency-Key`, bounded in time, number and bytes: of each
//! client, so that none takes the others' room, and of all together.
//!
//! They lie in memory: a restart forgets them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use model::{Mono, TenantId, UserId};

use crate::limits::{
    ANSWER_BYTES_MAX, ANSWER_LIFE, ANSWER_OVERHEAD_BYTES, ANSWERS, ANSWERS_OF_CLIENT, AnswersMax,
    KEYS_AT_ONCE,
};

/// Whose key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyOf {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) key: Box<str>,
}

/// A digest of all that makes two requests the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

/// An answer that can be given again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

/// What is known of a key when a request comes with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Nothing: the request is worked on now. It must come to `keep` or `forget`.
    First,
    /// It was done.
    Again(Arc<Kept>),
    /// It is worked on.
    InProgress,
    /// The key was used for another request.
    OtherRequest,
    /// Too many requests with keys are worked on.
    Full,
}

/// The answers of all clients.
#[derive(Default)]
pub(crate) struct FirstAnswers(Mutex<Table>);

#[derive(Default)]
struct Table {
    requests: BTreeMap<KeyOf, Known>,
    in_progress: usize,
    /// The answers, numbered as they were kept: the first is the oldest.
    answers: BTreeMap<u64, KeyOf>,
    bytes: usize,
    clients: BTreeMap<TenantId, Share>,
    next: u64,
}

/// What one client has of the answers.
#[derive(Default)]
struct Share {
    numbers: BTreeSet<u64>,
    bytes: usize,
}

struct Known {
    fingerprint: Fingerprint,
    answer: Option<Answer>,
}

struct Answer {
    kept: Arc<Kept>,
    at: Mono,
}

impl FirstAnswers {
    /// A request comes.
    pub(crate) fn begin(&self, of: KeyOf, fingerprint: Fingerprint, now: Mono) -> Begun {
        let mut table = self.lock();
        table.expire(now);
        let full = table.in_progress >= KEYS_AT_ONCE;
        match table.requests.entry(of) {
            Entry::Occupied(known) => match known.get() {
                known if known.fingerprint != fingerprint => Begun::OtherRequest,
                Known { answer: Some(answer), .. } => Begun::Again(Arc::clone(&answer.kept)),
                Known { answer: None, .. } => Begun::InProgress,
            },
            Entry::Vacant(_) if full => Begun::Full,
            Entry::Vacant(place) => {
                place.insert(Known { fingerprint, answer: None });
                table.in_progress += 1;
                Begun::First
            }
        }
    }

    /// A request that was worked on is answered.
    pub(crate) fn keep(&self, of: KeyOf, kept: Kept, now: Mono) {
        let mut table = self.lock();
        if kept.body.len() > ANSWER_BYTES_MAX {
            return table.forget(&of);
        }
        table.keep(of, kept, now);
        table.make_room();
    }

    /// A request that was worked on has no answer that is worth keeping: it may be tried again.
    pub(crate) fn forget(&self, of: &KeyOf) {
        self.lock().forget(of);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn keep(&mut self, of: KeyOf, kept: Kept, now: Mono) {
        let Some(known) = self.requests.get_mut(&of) else { return };
        let (number, bytes) = (self.next, cost(&of, &kept));
        known.answer = Some(Answer { kept: Arc::new(kept), at: now });
        self.next += 1;
        self.in_progress -= 1;
        self.bytes += bytes;
        let share = self.clients.entry(of.tenant).or_default();
        share.bytes += bytes;
        share.numbers.insert(number);
        self.answers.insert(number, of);
    }

    fn forget(&mut self, of: &KeyOf) {
        if self.requests.remove(of).is_some() {
            self.in_progress -= 1;
        }
    }

    fn expire(&mut self, now: Mono) {
        while let Some((number, of)) = self.answers.first_key_value() {
            let answer = self.requests.get(of).and_then(|known| known.answer.as_ref());
            if answer.is_some_and(|answer| now.since(answer.at) < ANSWER_LIFE) {
                return;
            }
            let number = *number;
            self.remove(number);
        }
    }

    /// The oldest make room for the newest: first those of the same client.
    fn make_room(&mut self) {
        let newest = self.answers.last_key_value().map(|(_, of)| of.tenant);
        while let Some(share) = newest.and_then(|tenant| self.clients.get(&tenant))
            && ANSWERS_OF_CLIENT.exceeded_by(share.numbers.len(), share.bytes)
            && let Some(oldest) = share.numbers.first().copied()
        {
            self.remove(oldest);
        }
        while ANSWERS.exceeded_by(self.answers.len(), self.bytes)
            && let Some(oldest) = self.answers.first_key_value().map(|(number, _)| *number)
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, number: u64) {
        let Some(of) = self.answers.remove(&number) else { return };
        let answer = self.requests.remove(&of).and_then(|known| known.answer);
        let bytes = answer.map_or(0, |answer| cost(&of, &answer.kept));
        self.bytes -= bytes;
        if let Entry::Occupied(mut share) = self.clients.entry(of.tenant) {
            share.get_mut().bytes -= bytes;
            share.get_mut().numbers.remove(&number);
            if share.get().numbers.is_empty() {
                share.remove();
            }
        }
    }
}

impl AnswersMax {
    fn exceeded_by(&self, number: usize, bytes: usize) -> bool {
        number > self.number || bytes > self.bytes
    }
}

/// What an answer takes, about.
fn cost(of: &KeyOf, kept: &Kept) -> usize {
    let headers: usize = kept.headers.iter().map(|(_, value)| value.len()).sum();
    ANSWER_OVERHEAD_BYTES + of.key.len() + headers + kept.body.len()
}

#[cfg(test)]
mod tests;
