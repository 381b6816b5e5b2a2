//! Data Center's rate limiting: a token bucket per user.
//!
//! A real Jira spares requests that look like a browser's; here every authenticated REST request counts, so
//! that a client which keeps its cookie is limited too.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use super::config::RateLimit;

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    filled: Instant,
}

/// The buckets of all users.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: RateLimit,
    buckets: Mutex<HashMap<usize, Bucket>>,
}

/// What the limiter says about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    pub(crate) limit: RateLimit,
    pub(crate) remaining: u32,
    pub(crate) retry_after_seconds: u64,
}

impl Limiter {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self { limit, buckets: Mutex::default() }
    }

    /// Takes one token of the account's bucket.
    pub(crate) fn take(&self, account: usize) -> Verdict {
        let now = Instant::now();
        let interval = u64::from(self.limit.interval_seconds.max(1));
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bucket = buckets.entry(account).or_insert(Bucket { tokens: self.limit.tokens, filled: now });
        let passed = now.duration_since(bucket.filled).as_secs() / interval;
        if passed > 0 {
            let given = u32::try_from(passed).unwrap_or(u32::MAX).saturating_mul(self.limit.fill);
            bucket.tokens = bucket.tokens.saturating_add(given).min(self.limit.tokens);
            bucket.filled += std::time::Duration::from_secs(passed * interval);
        }
        let allowed = bucket.tokens > 0;
        bucket.tokens = bucket.tokens.saturating_sub(1);
        let wait = interval.saturating_sub(now.duration_since(bucket.filled).as_secs()).max(1);
        let retry_after_seconds = if allowed { 0 } else { wait };
        Verdict { allowed, limit: self.limit, remaining: bucket.tokens, retry_after_seconds }
    }
}
