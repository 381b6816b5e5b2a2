//! How many requests may be in flight, never more than the limit, fewer when Jira suffers; and whose turn is when where Jira limits their rate.
//!
//! [`Aimd`] decides and is pure: one more while latency is stable, half when Jira says so (429, 5xx) or when latency doubles against
//! the smallest seen lately. [`Throttle`] carries it out with a semaphore whose permits grow and shrink, so that waiting is fair,
//! and holds everybody back while a `Retry-After` runs.

use crate::client::rate::{Allowance, Told};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Up to this limit all of it is used from the start: so few requests hurt no Jira, and short runs need them at once.
const FULL_START: usize = 4;
/// Latency below this is never taken for overload: it moves with the weight of a page, not with load.
const OVERLOAD_FLOOR: Duration = Duration::from_millis(600);
/// After so many answers the smallest latency is forgotten, so that a site that became slower for good is not throttled for ever.
const BASELINE_ANSWERS: u32 = 200;

/// The decision, without clock or lock.
#[derive(Debug)]
pub(crate) struct Aimd {
    max: usize,
    allowed: usize,
    /// Smallest mean latency of a round, and of the period before it.
    baseline: Option<Duration>,
    period_min: Option<Duration>,
    period_answers: u32,
    /// The round that runs: as many answers as are allowed in flight.
    round_answers: u32,
    round_latency: Duration,
    /// Answers to let pass after a halving: they were asked before it.
    ignore: usize,
}

impl Aimd {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            max,
            allowed: max.min(FULL_START),
            baseline: None,
            period_min: None,
            period_answers: 0,
            round_answers: 0,
            round_latency: Duration::ZERO,
            ignore: 0,
        }
    }

    pub(crate) fn allowed(&self) -> usize {
        self.allowed
    }

    /// An answer came after `latency`.
    pub(crate) fn handle_answer(&mut self, latency: Duration) {
        if self.ignore > 0 {
            self.ignore -= 1;
            return;
        }
        self.round_answers += 1;
        self.round_latency += latency;
        if usize::try_from(self.round_answers).is_ok_and(|answers| answers < self.allowed) {
            return;
        }
        let mean = self.round_latency / self.round_answers;
        self.period_answers += self.round_answers;
        self.round_answers = 0;
        self.round_latency = Duration::ZERO;
        let doubled = self.baseline.is_some_and(|least| mean > least * 2 && mean > OVERLOAD_FLOOR);
        self.remember(mean);
        if doubled {
            self.halve();
        } else {
            self.allowed = (self.allowed + 1).min(self.max);
        }
    }

    /// Jira pushed back (429 or 5xx).
    pub(crate) fn handle_pushback(&mut self) {
        if self.ignore > 0 {
            self.ignore -= 1;
            return;
        }
        self.halve();
    }

    fn halve(&mut self) {
        self.ignore = self.allowed.saturating_sub(1);
        self.allowed = (self.allowed / 2).max(1);
        self.round_answers = 0;
        self.round_latency = Duration::ZERO;
    }

    fn remember(&mut self, mean: Duration) {
        let least = |kept: Option<Duration>| Some(kept.map_or(mean, |kept| kept.min(mean)));
        self.period_min = least(self.period_min);
        self.baseline = least(self.baseline);
        if self.period_answers >= BASELINE_ANSWERS {
            self.baseline = self.period_min.take();
            self.period_answers = 0;
        }
    }
}

#[derive(Debug)]
struct State {
    aimd: Aimd,
    /// Permits that exist in the semaphore or are held.
    permits: usize,
    in_flight: usize,
    max_in_flight: usize,
    closed_until: Option<Instant>,
    allowance: Allowance,
}

/// Shared by all users of a client.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    semaphore: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
    started: Instant,
}

/// The right to have one request in flight; given back on drop.
#[derive(Debug)]
pub(crate) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    throttle: Throttle,
}

impl Throttle {
    pub(crate) fn new(max: usize) -> Self {
        let aimd = Aimd::new(max);
        let permits = aimd.allowed();
        let state = State {
            aimd,
            permits,
            in_flight: 0,
            max_in_flight: 0,
            closed_until: None,
            allowance: Allowance::default(),
        };
        Self {
            semaphore: Arc::new(Semaphore::new(permits)),
            state: Arc::new(Mutex::new(state)),
            started: Instant::now(),
        }
    }

    /// Waits for a place, for the end of a `Retry-After`, and for the turn that Jira's rate limit leaves.
    pub(crate) async fn acquire(&self) -> Permit {
        // The semaphore is never closed, so the only failure cannot happen; without a permit the request simply goes on alone.
        let mut permit = Arc::clone(&self.semaphore).acquire_owned().await.ok();
        loop {
            if let Some(until) = self.closed_until() {
                drop(permit);
                tokio::time::sleep_until(until).await;
                permit = Arc::clone(&self.semaphore).acquire_owned().await.ok();
                continue;
            }
            let turn = self.lock().allowance.take(self.started.elapsed());
            if !turn.is_zero() {
                tokio::time::sleep(turn).await;
            }
            // A refusal that came meanwhile took the turn away.
            if self.closed_until().is_none() {
                return self.admit(permit);
            }
        }
    }

    fn closed_until(&self) -> Option<Instant> {
        let mut state = self.lock();
        let until = state.closed_until.filter(|until| *until > Instant::now());
        state.closed_until = until;
        until
    }

    fn admit(&self, permit: Option<OwnedSemaphorePermit>) -> Permit {
        let mut state = self.lock();
        state.in_flight += 1;
        state.max_in_flight = state.max_in_flight.max(state.in_flight);
        drop(state);
        Permit { permit, throttle: self.clone() }
    }

    /// Nobody asks anything for this long.
    pub(crate) fn close_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.lock();
        state.closed_until = Some(state.closed_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// Jira answered, and may have told its rate limit.
    pub(crate) fn handle_answer(&self, latency: Duration, told: Option<Told>) {
        self.lock().allowance.handle_passed(self.started.elapsed(), told);
        self.handle_unlimited(latency);
    }

    /// Jira answered a question that no limit concerns.
    pub(crate) fn handle_unlimited(&self, latency: Duration) {
        let mut state = self.lock();
        state.aimd.handle_answer(latency);
        let more = state.aimd.allowed().saturating_sub(state.permits);
        state.permits += more;
        drop(state);
        self.semaphore.add_permits(more);
    }

    /// Jira, or what is before it, is in trouble: 5xx, or no answer in time.
    pub(crate) fn handle_pushback(&self) {
        self.lock().aimd.handle_pushback();
    }

    /// Jira refused a request because of its rate limit, and may have asked for a pause.
    pub(crate) fn handle_refused(&self, pause: Option<Duration>, told: Option<Told>) {
        let mut state = self.lock();
        state.allowance.handle_refused(self.started.elapsed(), pause, told);
        state.aimd.handle_pushback();
    }

    /// Requests in flight now.
    pub(crate) fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// Most requests that were ever in flight.
    pub(crate) fn max_in_flight(&self) -> usize {
        self.lock().max_in_flight
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.throttle.lock();
        state.in_flight -= 1;
        let Some(permit) = self.permit.take() else { return };
        if state.permits > state.aimd.allowed() {
            state.permits -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FAST: Duration = Duration::from_millis(100);
    const SLOW: Duration = Duration::from_secs(2);

    #[test]
    fn a_small_limit_is_used_from_the_start_and_a_large_one_is_grown_into() {
        assert_eq!(Aimd::new(4).allowed(), 4);
        let mut aimd = Aimd::new(16);
        assert_eq!(aimd.allowed(), 4);
        for _ in 0..200 {
            aimd.handle_answer(FAST);
        }
        assert_eq!(aimd.allowed(), 16);
    }

    #[test]
    fn pushback_halves_once_for_the_requests_that_were_in_flight() {
        let mut aimd = Aimd::new(4);
        for _ in 0..4 {
            aimd.handle_pushback();
        }
        assert_eq!(aimd.allowed(), 2);
        aimd.handle_pushback();
        assert_eq!(aimd.allowed(), 1);
    }

    #[test]
    fn doubled_latency_halves_and_small_jitter_does_not() {
        let mut aimd = Aimd::new(4);
        for _ in 0..8 {
            aimd.handle_answer(FAST);
        }
        for _ in 0..8 {
            aimd.handle_answer(FAST * 3);
        }
        assert_eq!(aimd.allowed(), 4);
        for _ in 0..4 {
            aimd.handle_answer(SLOW);
        }
        assert_eq!(aimd.allowed(), 2);
    }

    proptest! {
        #[test]
        fn never_above_the_limit_and_never_zero(max in 1_usize..40, steps in proptest::collection::vec((any::<bool>(), 1_u64..5000), 0..400)) {
            let mut aimd = Aimd::new(max);
            for (answered, millis) in steps {
                if answered { aimd.handle_answer(Duration::from_millis(millis)) } else { aimd.handle_pushback() }
                prop_assert!((1..=max).contains(&aimd.allowed()));
            }
        }
    }

    #[tokio::test]
    async fn requests_in_flight_never_exceed_what_is_allowed() {
        let throttle = Throttle::new(2);
        let first = throttle.acquire().await;
        let second = throttle.acquire().await;
        let third = tokio::spawn({
            let throttle = throttle.clone();
            async move { drop(throttle.acquire().await) }
        });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        throttle.handle_pushback();
        drop(first);
        tokio::task::yield_now().await;
        assert!(!third.is_finished(), "the permit given back after a pushback was not taken out");
        drop(second);
        third.await.unwrap();
        assert_eq!((throttle.max_in_flight(), throttle.in_flight()), (2, 0));
    }
}
