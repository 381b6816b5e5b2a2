//! This machine's clock against the relay's.

use super::catalogue::{Check, Code};
use super::report::Finding;
use crate::clock;

/// A clock that is off by more than this makes certificates and logs useless sooner or later.
const TOLERANCE_MS: i64 = 5 * 60 * 1000;

/// Who told the time. The challenge comes straight from the relay; a `Date` may be of anything on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The relay's challenge, milliseconds since 1970.
    Challenge(i64),
    /// The `Date` of an HTTP answer, milliseconds since 1970.
    Date(i64),
}

/// Whether a clock that is told by somebody else is too far from ours.
pub(super) fn is_off(told_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(told_ms).saturating_abs() > TOLERANCE_MS
}

/// The finding, from the best that was told.
pub(super) fn judge(told: Option<Told>, now_ms: i64, subject: &str) -> Finding {
    let (told_ms, by) = match told {
        Some(Told::Challenge(ms)) => (ms, "the relay's challenge"),
        Some(Told::Date(ms)) => (ms, "the `Date` of the answer"),
        None => return Finding::of(Code::ClockUnknown, subject, "no answer told the time there"),
    };
    let ahead_ms = now_ms.saturating_sub(told_ms);
    if !is_off(told_ms, now_ms) {
        let found = format!("the clocks differ by {}, says {by}", amount(ahead_ms));
        return Finding::pass(Check::Clock, subject, found);
    }
    let way = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let found = format!(
        "this machine's clock is {} {way} the relay's (here {}, there {}, says {by})",
        amount(ahead_ms),
        clock::text(now_ms),
        clock::text(told_ms)
    );
    Finding::of(Code::ClockOff, subject, found)
}

/// A span of time in its two largest units.
fn amount(ms: i64) -> String {
    let seconds = ms.saturating_abs() / 1000;
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let parts: Vec<String> = units
        .iter()
        .scan(seconds, |rest, (unit, name)| {
            let whole = *rest / unit;
            *rest %= unit;
            Some((whole, name))
        })
        .skip_while(|(whole, _)| *whole == 0)
        .take(2)
        .filter(|(whole, _)| *whole > 0)
        .map(|(whole, name)| format!("{whole} {name}"))
        .collect();
    if parts.is_empty() { "less than a second".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const NOW_MS: i64 = 1_800_000_000_000;

    #[test]
    fn a_clock_that_is_off_is_named_with_amount_and_direction() {
        let ahead = judge(Some(Told::Date(NOW_MS - DAY_MS)), NOW_MS, "r");
        assert_eq!(ahead.code, "clock_off");
        assert!(ahead.found.contains("1 d ahead of the relay's"), "{}", ahead.found);
        let behind = judge(Some(Told::Challenge(NOW_MS + 3_700_000)), NOW_MS, "r");
        assert!(behind.found.contains("1 h 1 min behind"), "{}", behind.found);
    }

    #[test]
    fn the_bound_is_five_minutes_either_way() {
        for off_ms in [TOLERANCE_MS, -TOLERANCE_MS, 0, 900] {
            assert_eq!(judge(Some(Told::Date(NOW_MS - off_ms)), NOW_MS, "r").code, "ok", "{off_ms}");
        }
        for off_ms in [TOLERANCE_MS + 1, -TOLERANCE_MS - 1, i64::MAX, i64::MIN] {
            let told = NOW_MS.saturating_sub(off_ms);
            assert_eq!(judge(Some(Told::Date(told)), NOW_MS, "r").code, "clock_off", "{off_ms}");
        }
    }

    #[test]
    fn no_time_at_all_is_no_pass() {
        assert_eq!(judge(None, NOW_MS, "r").code, "clock_unknown");
    }
}
