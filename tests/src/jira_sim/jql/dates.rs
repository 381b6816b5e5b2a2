//! JQL dates: the account's wall time to the minute, epoch milliseconds, and periods from now.

use chrono::{LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

use super::Value;

/// An instant, or the day or minute that was named, as milliseconds `from..until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) from_ms: i64,
    /// End (exclusive) of what `=` means; `from_ms + 1000` for an instant.
    pub(crate) until_ms: i64,
}

/// Reads a date operand. `zone` is the account's, `now_ms` the simulator's clock.
pub(crate) fn read(value: &Value, zone: Tz, now_ms: i64) -> Option<When> {
    let instant = |ms: i64| When { from_ms: ms, until_ms: ms.div_euclid(1000) * 1000 + 1000 };
    match value {
        Value::Number(ms) => Some(instant(*ms)),
        Value::Function(name) if name.eq_ignore_ascii_case("now") => Some(instant(now_ms)),
        Value::Text(text) => match period_ms(text) {
            Some(ms) => Some(instant(now_ms + ms)),
            None => wall(text, zone),
        },
        Value::Function(_) | Value::Empty => None,
    }
}

fn wall(text: &str, zone: Tz) -> Option<When> {
    let plain = text.replace('/', "-");
    if let Ok(minute) = NaiveDateTime::parse_from_str(&plain, "%Y-%m-%d %H:%M") {
        let from_ms = instant_ms(minute, zone)?;
        return Some(When { from_ms, until_ms: from_ms + 60_000 });
    }
    let day = NaiveDate::parse_from_str(&plain, "%Y-%m-%d").ok()?;
    let from_ms = instant_ms(day.and_time(NaiveTime::MIN), zone)?;
    let until_ms = instant_ms(day.succ_opt()?.and_time(NaiveTime::MIN), zone)?;
    Some(When { from_ms, until_ms })
}

/// A time that the clocks skip is no time; of a doubled hour the later one, standard time, is meant.
fn instant_ms(wall: NaiveDateTime, zone: Tz) -> Option<i64> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) | LocalResult::Ambiguous(_, at) => Some(at.timestamp_millis()),
        LocalResult::None => None,
    }
}

/// `-7d`, `4w 2d`, `-5h 30m`; a number alone means minutes.
fn period_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut total = 0_i64;
    for part in rest.split_whitespace() {
        let digits = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: i64 = digits.parse().ok()?;
        let unit_ms = match part.strip_prefix(digits)? {
            "w" => 604_800_000,
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" | "" => 60_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit_ms)?)?;
    }
    if rest.trim().is_empty() { None } else { Some(sign * total) }
}
