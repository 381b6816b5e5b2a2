//! Jira's instants and dates. Every form that Server, Data Center and their agile resources print is read; everything is UTC here.

use chrono::DateTime;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// `2016-03-03T13:40:01.000+0000` as microseconds since the epoch. Seconds and fraction may be absent, the offset is `Z`,
/// `+hh`, `+hhmm` or `+hh:mm`. `None` when it is no instant.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let (day, rest) = text.as_bytes().split_at_checked(10)?;
    let days = i64::from(parse_day(day)?);
    let rest =
        rest.strip_prefix(b"T").or_else(|| rest.strip_prefix(b"t")).or_else(|| rest.strip_prefix(b" "))?;
    let (hour, rest) = two_digits(rest, 23)?;
    let (minute, rest) = two_digits(rest.strip_prefix(b":")?, 59)?;
    let (second, rest) = match rest.strip_prefix(b":") {
        Some(rest) => two_digits(rest, 59)?,
        None => (0, rest),
    };
    let (micros, rest) = match rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset_seconds(rest)?;
    Some(seconds * MICROS_PER_SECOND + micros)
}

/// `2016-03-03` as days since the epoch. `None` when it is no date.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    parse_day(text.as_bytes())
}

/// Appends days since the epoch as `2016-03-03`.
pub(crate) fn write_date(days: i32, out: &mut String) {
    let date = DateTime::from_timestamp(i64::from(days) * SECONDS_PER_DAY, 0).unwrap_or_default();
    out.push_str(&date.format("%Y-%m-%d").to_string());
}

/// Appends microseconds since the epoch as `2016-03-03T13:40:01.000000Z`.
pub(crate) fn write_timestamp(micros: i64, out: &mut String) {
    let instant = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    out.push_str(&instant.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
}

fn parse_day(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = number(&[*y1, *y2, *y3, *y4])?;
    let month = number(&[*m1, *m2])?;
    let day = number(&[*d1, *d2])?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    // Days of the proleptic Gregorian calendar, with years that start in March, so that the leap day comes last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * m + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).ok()
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

fn two_digits(text: &[u8], most: i64) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    let value = number(digits)?;
    (value <= most).then_some((value, rest))
}

/// Digits after the point as microseconds; finer ones are cut.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(length)?;
    if digits.is_empty() {
        return None;
    }
    let kept = number(digits.get(..length.min(6))?)?;
    let missing = u32::try_from(6 - length.min(6)).ok()?;
    Some((kept * 10_i64.pow(missing), rest))
}

fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest, 23)?;
    if rest.is_empty() {
        return Some(sign * hours * 3600);
    }
    let (minutes, rest) = two_digits(rest.strip_prefix(b":").unwrap_or(rest), 59)?;
    rest.is_empty().then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate};
    use proptest::prelude::*;

    #[test]
    fn every_form_of_an_instant_is_read() {
        for text in [
            "2016-03-03T13:40:01.000+0000",
            "2016-03-03T13:40:01+0000",
            "2016-03-03T13:40:01Z",
            "2016-03-03T13:40:01.0Z",
            "2016-03-03T06:40:01.000-07:00",
            "2016-03-03T06:40:01.000-07",
            "2016-03-04T00:40:01.000+1100",
            "2016-03-03T19:10:01.000000000+0530",
        ] {
            assert_eq!(parse_timestamp(text), Some(1_457_012_401_000_000), "{text}");
        }
        assert_eq!(parse_timestamp("2016-03-03T13:40Z"), Some(1_457_012_400_000_000));
        assert_eq!(parse_timestamp("2016-03-03T13:40:01.1234567Z"), Some(1_457_012_401_123_456));
        assert_eq!(parse_timestamp("1969-12-31T23:59:59.5Z"), Some(-500_000));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "2016-03-03",
            "2016-03-03T13:40:01",
            "2016-02-30T13:40:01Z",
            "2016-13-03T13:40:01Z",
            "2016-03-03T24:40:01Z",
            "2016-03-03T13:40:01.Z",
            "2016-03-03T13:40:01+00000",
            "2016-03-03T13:40:01Zx",
            "2016-03-0\u{e9}T13:40:01Z",
            "2 days ago 10:05 AM",
            "+016-03-03T13:40:01Z",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        assert_eq!(parse_date("2016-3-3"), None);
        assert_eq!(parse_date("2015-02-29"), None);
    }

    proptest! {
        #[test]
        fn instants_and_dates_agree_with_chrono(seconds in -62_135_596_800_i64..253_402_300_799, micros in 0_u32..1_000_000, offset in -840_i32..840) {
            let instant = DateTime::from_timestamp(seconds, micros * 1000).unwrap();
            let zone = chrono::FixedOffset::east_opt(offset * 60).unwrap();
            let local = instant.with_timezone(&zone);
            let text = local.format("%Y-%m-%dT%H:%M:%S%.6f%z").to_string();
            prop_assume!(text.len() == 31);
            prop_assert_eq!(parse_timestamp(&text), Some(instant.timestamp_micros()));
            let date = local.date_naive();
            let days = date.signed_duration_since(NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()).num_days();
            prop_assert_eq!(parse_date(&date.format("%Y-%m-%d").to_string()).map(i64::from), Some(days));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (parse_timestamp(&text), parse_date(&text));
        }
    }
}
