//! Tokens that were found good a moment ago, so that a request need not ask the database.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Mono, Now};
use store::{Bearer, Digest};

use crate::limits;

/// Access tokens by digest.
#[derive(Default)]
pub(crate) struct KnownTokens(Mutex<BTreeMap<Digest, Known>>);

struct Known {
    bearer: Bearer,
    asked: Mono,
}

impl KnownTokens {
    /// Who stands behind a token, if the database said so a moment ago.
    pub(crate) fn fresh(&self, digest: Digest, now: Now) -> Option<Bearer> {
        let known = self.lock();
        let known = known.get(&digest)?;
        let fresh = now.mono.since(known.asked) < limits::KNOWN_TOKEN_FRESH;
        (fresh && known.bearer.expires > now.wall).then(|| known.bearer.clone())
    }

    /// Who stood behind a token when the database could last be asked.
    pub(crate) fn unexpired(&self, digest: Digest, now: Now) -> Option<Bearer> {
        let known = self.lock();
        known.get(&digest).filter(|k| k.bearer.expires > now.wall).map(|k| k.bearer.clone())
    }

    /// Remembers what the database said.
    pub(crate) fn remember(&self, digest: Digest, bearer: Bearer, now: Now) {
        let mut known = self.lock();
        if known.len() >= limits::KNOWN_TOKENS_MAX {
            known.retain(|_, k| k.bearer.expires > now.wall);
        }
        if known.len() >= limits::KNOWN_TOKENS_MAX {
            // So many at once do not happen in earnest; asking again costs little.
            known.clear();
        }
        known.insert(digest, Known { bearer, asked: now.mono });
    }

    /// The token is not good any more.
    pub(crate) fn forget(&self, digest: Digest) {
        self.lock().remove(&digest);
    }

    /// Users may be gone: ask again for all.
    pub(crate) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
