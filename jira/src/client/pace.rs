//! At most so many requests a second, over everything that shares the pace: a bucket of tokens, one a request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Requests that may follow each other at once after a rest, in seconds of the rate.
const BURST_SECONDS: f64 = 1.0;

/// A rate that clients share; clones are the same rate.
#[derive(Clone, Debug)]
pub struct Pace {
    bucket: Arc<Mutex<Bucket>>,
    started: Instant,
}

/// The decision, without clock or lock.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    size: f64,
    /// Negative while requests wait that have their turn already.
    tokens: f64,
    filled: Duration,
}

impl Bucket {
    fn new(per_second: f64) -> Self {
        let size = (per_second * BURST_SECONDS).max(1.0);
        Self { per_second, size, tokens: size, filled: Duration::ZERO }
    }

    /// Takes a token at `now` and gives how long to wait before using it.
    fn take(&mut self, now: Duration) -> Duration {
        let gained = now.saturating_sub(self.filled).as_secs_f64() * self.per_second;
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + gained).min(self.size) - 1.0;
        Duration::try_from_secs_f64((-self.tokens / self.per_second).max(0.0)).unwrap_or(Duration::MAX)
    }
}

impl Pace {
    /// At most this many requests a second; `None` when that is no rate above zero.
    pub fn try_new(per_second: f64) -> Option<Self> {
        let is_rate = per_second.is_finite() && per_second > 0.0;
        is_rate
            .then(|| Self { bucket: Arc::new(Mutex::new(Bucket::new(per_second))), started: Instant::now() })
    }

    /// Waits for the next request's turn. A turn that nobody uses is lost.
    pub(crate) async fn wait(&self) {
        let wait = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(self.started.elapsed());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_second_sees_more_than_the_rate_and_one_burst(
            rate in 1_u32..50,
            gaps in proptest::collection::vec(0_u64..400, 1..200),
        ) {
            let mut bucket = Bucket::new(f64::from(rate));
            let mut now = Duration::ZERO;
            let mut sent = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                sent.push(now + bucket.take(now));
            }
            for start in &sent {
                let within = sent.iter().filter(|at| *at >= start && **at < *start + Duration::from_secs(1));
                prop_assert!(within.count() <= 2 * usize::try_from(rate).unwrap() + 1);
            }
            // And over all of it, the rate holds but for one burst.
            let span = sent.iter().max().unwrap().as_secs_f64();
            let most = (span + 1.0) * f64::from(rate) + 1.0;
            prop_assert!(f64::from(u32::try_from(sent.len()).unwrap()) <= most + 1.0);
        }
    }

    #[test]
    fn a_slow_rate_spaces_requests_and_forgets_no_waiter() {
        let mut bucket = Bucket::new(0.5);
        let waits: Vec<u64> = (0..3).map(|_| bucket.take(Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [0, 2, 4]);
    }

    #[test]
    fn no_rate_is_no_pace() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::try_new(rate).is_none(), "{rate}");
        }
    }
}
