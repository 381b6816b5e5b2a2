//! When a failed read is tried again: exponential back-off with full jitter, bounded in tries and in time.
//!
//! Only what may pass by itself is tried again (429, 5xx, broken connections, cut bodies). A refused login never is: each try counts
//! towards Jira's lock.

use crate::error::{Error, UnreachableCause};
use std::time::Duration;

/// Tries of one read during a run.
const RUN_ATTEMPTS: u32 = 8;
/// Tries while a person or a starting run waits for the login.
const LOGIN_ATTEMPTS: u32 = 3;
/// After this long no further try of a read is started.
const RUN_PATIENCE: Duration = Duration::from_secs(300);
/// First back-off; doubles with each try.
const BASE: Duration = Duration::from_millis(250);
/// Largest back-off.
const CAP: Duration = Duration::from_secs(30);
/// A search that timed out so often is given back, for a smaller page to be asked.
const TIMEOUTS_BEFORE_SMALLER: u32 = 2;

/// How long a read is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// At login: say soon what is wrong.
    Login,
    /// In a run: sit out a restart of Jira.
    Run,
    /// In a run, where a smaller page can be asked instead.
    Shrinkable,
}

impl Patience {
    /// Whether `error`, met at try number `attempt` after `elapsed` in all, is tried again.
    pub(crate) fn allows(self, attempt: u32, elapsed: Duration, error: &Error) -> bool {
        if elapsed >= RUN_PATIENCE {
            return false;
        }
        let unreachable = if let Error::Unreachable { cause, .. } = error { Some(*cause) } else { None };
        match self {
            Self::Login => {
                attempt < LOGIN_ATTEMPTS && unreachable.is_none_or(|cause| cause == UnreachableCause::Broken)
            }
            // A rate limit passes by itself, but whoever shares the account may use it up again and again.
            Self::Run | Self::Shrinkable if matches!(error, Error::Throttled { .. }) => true,
            Self::Run => attempt < RUN_ATTEMPTS,
            Self::Shrinkable if unreachable == Some(UnreachableCause::Timeout) => {
                attempt < TIMEOUTS_BEFORE_SMALLER
            }
            Self::Shrinkable => attempt < RUN_ATTEMPTS,
        }
    }
}

/// How long to wait after try number `attempt`; `dice` is uniform over all of `u32`. Never less than what Jira asked for.
pub(crate) fn back_off(attempt: u32, asked: Option<Duration>, dice: u32) -> Duration {
    let ceiling = BASE.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(CAP);
    let jitter = ceiling.mul_f64(f64::from(dice) / f64::from(u32::MAX));
    asked.unwrap_or_default() + jitter
}

/// A throw of the dice. A generator that fails gives the middle: the wait is then merely less spread.
pub(crate) fn dice() -> u32 {
    let mut bytes = [0_u8; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes),
        Err(_) => u32::MAX / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_is_capped_and_honours_jira() {
        assert_eq!(back_off(1, None, u32::MAX), BASE);
        assert_eq!(back_off(2, None, u32::MAX), BASE * 2);
        assert_eq!(back_off(60, None, u32::MAX), CAP);
        assert_eq!(back_off(3, None, 0), Duration::ZERO);
        assert!(back_off(1, Some(Duration::from_secs(7)), 0) >= Duration::from_secs(7));
    }

    #[test]
    fn a_login_gives_up_at_once_where_nothing_answers() {
        let dns =
            Error::Unreachable { site: String::new(), cause: UnreachableCause::Dns, detail: String::new() };
        assert!(!Patience::Login.allows(1, Duration::ZERO, &dns));
        assert!(Patience::Run.allows(1, Duration::ZERO, &dns));
        assert!(!Patience::Run.allows(8, Duration::ZERO, &dns));
        assert!(!Patience::Run.allows(1, RUN_PATIENCE, &dns));
    }

    #[test]
    fn a_rate_limit_is_sat_out_as_long_as_a_run_waits_at_all() {
        let throttled = Error::Throttled { what: String::new(), attempts: 40 };
        for patience in [Patience::Run, Patience::Shrinkable] {
            assert!(patience.allows(40, RUN_PATIENCE / 2, &throttled));
            assert!(!patience.allows(1, RUN_PATIENCE, &throttled));
        }
        assert!(!Patience::Login.allows(3, Duration::ZERO, &throttled));
    }

    #[test]
    fn a_page_that_times_out_twice_is_given_back_to_be_made_smaller() {
        let timeout = Error::Unreachable {
            site: String::new(),
            cause: UnreachableCause::Timeout,
            detail: String::new(),
        };
        assert!(Patience::Shrinkable.allows(1, Duration::ZERO, &timeout));
        assert!(!Patience::Shrinkable.allows(2, Duration::ZERO, &timeout));
    }
}
