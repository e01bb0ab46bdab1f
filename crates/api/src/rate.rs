//! Requests an hour of one client (API reference 1.6).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue};
use model::{Mono, TenantId};

use crate::error::ApiError;

/// The header that says how many requests an hour are allowed.
pub(crate) const LIMIT: &str = "x-ratelimit-limit";

const HOUR_US: u64 = 3_600_000_000;

/// Counts the requests of every client within the running hour; all its users and applications
/// share the counter.
pub(crate) struct Hourly {
    limit: Option<u32>,
    /// One entry for each client that asked in the running hour.
    hour: Mutex<Hour>,
}

#[derive(Default)]
struct Hour {
    number: u64,
    counts: BTreeMap<TenantId, u32>,
}

/// What counting one request came to.
#[derive(Clone, Copy)]
pub(crate) struct Counted(Option<Standing>);

#[derive(Clone, Copy)]
struct Standing {
    limit: u32,
    count: u32,
    reset_s: u32,
}

impl Hourly {
    pub(crate) fn new(limit: Option<u32>) -> Hourly {
        Hourly { limit, hour: Mutex::default() }
    }

    /// Whether there is a limit at all.
    pub(crate) fn is_bounded(&self) -> bool {
        self.limit.is_some()
    }

    /// Counts a request.
    pub(crate) fn count(&self, tenant: TenantId, now: Mono) -> Counted {
        let Some(limit) = self.limit else { return Counted(None) };
        let number = now.0 / HOUR_US;
        let mut hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        if hour.number != number {
            *hour = Hour { number, counts: BTreeMap::new() };
        }
        let count = hour.counts.entry(tenant).or_default();
        *count = count.saturating_add(1);
        let reset_us = HOUR_US - now.0 % HOUR_US;
        let reset_s = u32::try_from(reset_us.div_ceil(1_000_000)).unwrap_or(u32::MAX);
        Counted(Some(Standing { limit, count: *count, reset_s }))
    }
}

impl Counted {
    /// Whether the request is within the limit.
    pub(crate) fn allowed(self) -> Result<(), ApiError> {
        match self.0 {
            Some(standing) if standing.count > standing.limit => {
                Err(ApiError::rate_limited(standing.reset_s))
            }
            _ => Ok(()),
        }
    }

    /// Tells the client where it stands.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let Some(Standing { limit, count, reset_s }) = self.0 else { return };
        let remaining = limit.saturating_sub(count);
        headers.insert(LIMIT, HeaderValue::from(limit));
        headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
        headers.insert("x-ratelimit-reset", HeaderValue::from(reset_s));
    }
}
