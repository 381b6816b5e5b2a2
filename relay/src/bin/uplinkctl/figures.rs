//! Numbers, sizes and times as a person reads them.

use chrono::{DateTime, SecondsFormat, Utc};

/// `1234567` -> `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in decimal units, three figures: `999 B`, `45.6 MB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1000.0;
    let mut unit = UNITS[0];
    for next in UNITS.into_iter().skip(1) {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {unit}")
}

/// `part` of `whole` in per cent, or nothing while the whole is unknown.
pub(crate) fn percent(part: u64, whole: u64) -> Option<String> {
    if whole == 0 {
        return None;
    }
    Some(format!("{:.1} %", part as f64 * 100.0 / whole as f64))
}

/// Seconds as a clock: `0:42`, `12:05`, `1:02:03`.
pub(crate) fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// The time between two moments: with tenths below a minute (`4.2 s`), else as a clock.
pub(crate) fn elapsed(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let ms = u64::try_from((to - from).num_milliseconds()).unwrap_or(0);
    if ms < 60_000 { format!("{}.{} s", ms / 1000, ms % 1000 / 100) } else { clock(ms / 1000) }
}

/// A moment to the second, in UTC: `2026-01-31 08:00:00Z`.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true).replace('T', " ")
}

/// A moment that may be missing.
pub(crate) fn moment_or_dash(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}

/// A number that may be missing.
pub(crate) fn count_or_dash(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn sizes_keep_three_figures() {
        let sizes = [0, 999, 1000, 45_600_000, 999_950, 123_456_789_000, u64::MAX];
        assert_eq!(sizes.map(bytes), ["0 B", "999 B", "1.00 kB", "45.6 MB", "1.00 MB", "123 GB", "18447 PB"]);
    }

    #[test]
    fn times_are_read_at_a_glance() {
        assert_eq!([0, 42, 725, 3723].map(clock), ["0:00", "0:42", "12:05", "1:02:03"]);
        let start = DateTime::UNIX_EPOCH;
        assert_eq!(elapsed(start, start + chrono::TimeDelta::milliseconds(4250)), "4.2 s");
        assert_eq!(elapsed(start, start + chrono::TimeDelta::milliseconds(61_000)), "1:01");
        assert_eq!(elapsed(start + chrono::TimeDelta::seconds(1), start), "0.0 s");
        assert_eq!(moment(start), "1970-01-01 00:00:00Z");
    }

    #[test]
    fn a_share_of_nothing_is_not_shown() {
        assert_eq!(percent(1, 0), None);
        assert_eq!(percent(61, 1000).unwrap(), "6.1 %");
    }
}
