//! When to dial again: exponential with full jitter, so that a thousand agents that lost one relay do not come back in one
//! second; the relay's own wish first; and a fresh start only after a link that held.

use std::time::Duration;

/// The first delay's upper end.
pub const BASE: Duration = Duration::from_secs(1);
/// The largest delay's upper end.
pub const CAP: Duration = Duration::from_secs(300);
/// A link that held this long was a good one; a shorter one counts as a failed attempt, or a relay that accepts and drops
/// would be dialled without pause.
pub const STABLE_AFTER: Duration = Duration::from_secs(60);
/// The longest wish of a relay that is honoured.
pub const HINT_MAX: Duration = Duration::from_secs(15 * 60);
/// The largest spread that a relay may ask for.
pub const SPREAD_MAX: Duration = Duration::from_secs(120);

/// The memory of one relay's dialler. `now` counts from an arbitrary start, as in the link.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
    up_since: Option<Duration>,
    spread: Duration,
    was_good: bool,
    hint: Option<Duration>,
}

impl Backoff {
    /// No attempt made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The handshake ended with `welcome`; `spread` is its `reconnect_spread_ms`.
    pub fn link_up(&mut self, now: Duration, spread: Duration) {
        self.up_since = Some(now);
        self.spread = spread.min(SPREAD_MAX);
        self.was_good = false;
        self.hint = None;
    }

    /// The relay said when to come back: `go_away`, `reject` or the HTTP header `Retry-After`.
    pub fn server_hint(&mut self, after: Duration) {
        self.hint = Some(after.min(HINT_MAX));
    }

    /// A link ended or an attempt failed. Call it once for each attempt, before [`Backoff::next_delay`].
    pub fn link_down(&mut self, now: Duration) {
        let held = self.up_since.take().map(|since| now.saturating_sub(since));
        self.was_good = held.is_some_and(|held| held >= STABLE_AFTER);
        self.failures = if self.was_good { 0 } else { self.failures.saturating_add(1) };
    }

    /// How long to wait now. `random` is uniform over all of `u64`. After a good link the delay is uniform in the relay's spread;
    /// after failure n in `0..min(CAP, BASE * 2^(n-1))`; a wish of the relay is waited for in full, with the jitter on top.
    pub fn next_delay(&mut self, random: u64) -> Duration {
        let exponent = self.failures.saturating_sub(1).min(16);
        let grown = BASE.saturating_mul(1 << exponent).min(CAP);
        let range = if self.was_good { self.spread } else { grown };
        self.was_good = false;
        self.hint.take().unwrap_or_default() + fraction(range, random)
    }

    /// Attempts that failed in a row, for logs.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// `range * random / 2^64`.
fn fraction(range: Duration, random: u64) -> Duration {
    let nanos = (u128::from(u64::try_from(range.as_nanos()).unwrap_or(u64::MAX)) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// The upper end of the range: the largest random number falls one nanosecond short of it.
    fn longest(backoff: &mut Backoff) -> Duration {
        backoff.next_delay(u64::MAX) + Duration::from_nanos(1)
    }

    #[test]
    fn the_range_doubles_to_the_cap_and_starts_at_zero() {
        let mut backoff = Backoff::new();
        let mut ranges = Vec::new();
        for _ in 0..11 {
            backoff.link_down(secs(0));
            assert_eq!(backoff.clone().next_delay(0), Duration::ZERO);
            ranges.push(longest(&mut backoff));
        }
        assert_eq!(ranges, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map(secs));
    }

    #[test]
    fn a_link_that_held_a_minute_starts_afresh_within_the_relays_spread() {
        let mut backoff = Backoff::new();
        (0..8).for_each(|_| backoff.link_down(secs(0)));
        backoff.link_up(secs(100), secs(20));
        backoff.link_down(secs(160));
        assert_eq!(backoff.failures(), 0);
        assert_eq!(longest(&mut backoff), secs(20));
        backoff.link_down(secs(161));
        assert_eq!(longest(&mut backoff), secs(1));
    }

    #[test]
    fn a_link_that_fell_at_once_counts_as_a_failure() {
        let mut backoff = Backoff::new();
        for n in 1..=3 {
            backoff.link_up(secs(100), secs(0));
            backoff.link_down(secs(159));
            assert_eq!(backoff.failures(), n);
        }
        assert!(longest(&mut backoff) > secs(3));
    }

    #[test]
    fn the_relays_wish_is_waited_for_once_and_is_bounded() {
        let mut backoff = Backoff::new();
        backoff.server_hint(secs(60));
        backoff.link_down(secs(0));
        assert_eq!(backoff.next_delay(0), secs(60));
        assert_eq!(backoff.next_delay(0), Duration::ZERO);
        backoff.server_hint(secs(999_999));
        assert_eq!(backoff.next_delay(0), HINT_MAX);
    }
}
