//! One issue in a form that is cheap to splice: the JSON of every member of `fields` in one text.
//!
//! Objects that occur thousands of times (users, statuses, projects) are not in the text: a five digit
//! reference to the catalogue's fragment stands for them, so a renamed user is renamed everywhere at once.
//! Times are written in UTC and turned into the account's zone when an answer leaves.

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use memchr::{memchr, memmem};

/// Number of a fragment in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Frag(pub(crate) u32);

/// A part of [`Doc::text`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// A comment, worklog or history entry: its id and its JSON object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pub(crate) id: u64,
    pub(crate) at: Span,
}

/// An issue's members (by field number) and children.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doc {
    text: String,
    members: Vec<(u16, Span)>,
    pub(crate) comments: Vec<Child>,
    pub(crate) worklogs: Vec<Child>,
    pub(crate) histories: Vec<Child>,
    /// Whether `fields.comment` is there at all (recorded issues may lack it).
    pub(crate) has_comment: bool,
    /// Whether `fields.worklog` is there at all.
    pub(crate) has_worklog: bool,
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Doc {
    /// An issue without members that shows comments and worklogs.
    pub(crate) fn empty() -> Self {
        Self { has_comment: true, has_worklog: true, ..Self::default() }
    }

    /// Appends JSON to the text and says where it is.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut String)) -> Span {
        let start = offset(self.text.len());
        write(&mut self.text);
        Span { start, end: offset(self.text.len()) }
    }

    /// Adds a member that is not there yet.
    pub(crate) fn member(&mut self, field: u16, write: impl FnOnce(&mut String)) {
        let at = self.write(write);
        self.members.push((field, at));
    }

    /// Replaces or adds a member.
    pub(crate) fn set(&mut self, field: u16, json: &str) {
        let at = self.write(|out| out.push_str(json));
        match self.members.iter_mut().find(|(known, _)| *known == field) {
            Some(member) => member.1 = at,
            None => self.members.push((field, at)),
        }
    }

    pub(crate) fn get(&self, field: u16) -> Option<&str> {
        self.members.iter().find(|(known, _)| *known == field).map(|(_, at)| self.slice(*at))
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (u16, &str)> {
        self.members.iter().map(|(field, at)| (*field, self.slice(*at)))
    }

    pub(crate) fn slice(&self, at: Span) -> &str {
        self.text.get(at.start as usize..at.end as usize).unwrap_or("")
    }
}

/// Writes `text` as a JSON string.
pub(crate) fn push_str(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

/// Writes the inside of a JSON string.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(text.get(from..at).unwrap_or(""));
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str("\\u00");
                out.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
                out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
            }
        }
    }
    out.push_str(text.get(from..).unwrap_or(""));
}

/// Writes a decimal number.
pub(crate) fn push_num(out: &mut String, value: i64) {
    let mut digits = [0_u8; 20];
    let mut left = value.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or(""));
}

/// Writes an id the way Jira does: a number in quotes.
pub(crate) fn push_id(out: &mut String, id: u64) {
    out.push('"');
    push_num(out, i64::try_from(id).unwrap_or(i64::MAX));
    out.push('"');
}

fn push_padded(out: &mut String, value: i64, width: u32) {
    let mut scale = 10_i64.pow(width.saturating_sub(1));
    while scale > 0 {
        let digit = u8::try_from((value / scale).rem_euclid(10)).unwrap_or(0);
        out.push(char::from(b'0' + digit));
        scale /= 10;
    }
}

/// Year, month and day of a day number (days since 1970-01-01).
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// Writes `"yyyy-MM-dd"` with its quotes.
pub(crate) fn push_date(out: &mut String, days: i64) {
    let (year, month, day) = civil(days);
    out.push('"');
    push_padded(out, year, 4);
    out.push('-');
    push_padded(out, month, 2);
    out.push('-');
    push_padded(out, day, 2);
    out.push('"');
}

/// Writes `2016-03-03T13:40:01.000+0000` in quotes; `ms` are Unix milliseconds.
pub(crate) fn push_time(out: &mut String, ms: i64) {
    out.push('"');
    push_bare_time(out, ms);
    out.push_str("+0000\"");
}

/// Writes `2016-03-03T13:40:01.000`, without offset and quotes.
pub(crate) fn push_bare_time(out: &mut String, ms: i64) {
    let (year, month, day) = civil(ms.div_euclid(86_400_000));
    let in_day = ms.rem_euclid(86_400_000);
    push_padded(out, year, 4);
    out.push('-');
    push_padded(out, month, 2);
    out.push('-');
    push_padded(out, day, 2);
    out.push('T');
    push_padded(out, in_day / 3_600_000, 2);
    out.push(':');
    push_padded(out, in_day / 60_000 % 60, 2);
    out.push(':');
    push_padded(out, in_day / 1000 % 60, 2);
    out.push('.');
    push_padded(out, in_day % 1000, 3);
}

/// Writes a reference to a fragment, see [`expand`].
pub(crate) fn push_frag(out: &mut String, frag: Frag) {
    out.push('\u{1}');
    push_padded(out, i64::from(frag.0), 5);
}

/// Copies `text` to `out` with every fragment in its place.
pub(crate) fn expand(out: &mut String, text: &str, fragments: &[String]) {
    let mut rest = text;
    while let Some(at) = memchr(1, rest.as_bytes()) {
        out.push_str(rest.get(..at).unwrap_or(""));
        let number = rest.get(at + 1..at + 6).and_then(|digits| digits.parse::<usize>().ok());
        if let Some(fragment) = number.and_then(|number| fragments.get(number)) {
            out.push_str(fragment);
        }
        rest = rest.get(at + 6..).unwrap_or("");
    }
    out.push_str(rest);
}

/// Turns every platform time (`"....+0000"`, a whole JSON string) into the wall time of `zone`.
pub(crate) fn rezone(json: &mut [u8], zone: Tz) {
    if zone == Tz::UTC {
        return;
    }
    let needle = b"+0000\"";
    let mut from = 0;
    while let Some(found) = memmem::find(json.get(from..).unwrap_or(&[]), needle) {
        let at = from + found;
        from = at + needle.len();
        if at < 24 || json[at - 24] != b'"' {
            continue;
        }
        let Some(utc) = parse_bare(&json[at - 23..at]) else { continue };
        let seconds = zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc();
        let mut local = String::with_capacity(28);
        push_bare_time(&mut local, utc.timestamp_millis() + i64::from(seconds) * 1000);
        local.push(if seconds < 0 { '-' } else { '+' });
        push_padded(&mut local, i64::from(seconds.abs() / 3600), 2);
        push_padded(&mut local, i64::from(seconds.abs() / 60 % 60), 2);
        json[at - 23..at + 5].copy_from_slice(local.as_bytes());
    }
}

fn parse_bare(text: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(text).ok()?;
    let at = text.as_bytes();
    if at.get(4) != Some(&b'-') || at.get(10) != Some(&b'T') || at.get(19) != Some(&b'.') {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let year = i32::try_from(number(0..4)?).ok()?;
    let day = chrono::NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?)?;
    let time = day.and_hms_milli_opt(number(11..13)?, number(14..16)?, number(17..19)?, number(20..23)?)?;
    Some(time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_move_to_the_zone_only_as_whole_strings() {
        let mut json = br#"{"created":"2024-07-01T22:30:00.123+0000","text":"at 2024-07-01T22:30:00.123+0000\"","x":"\"2024-07-01T22:30:00.123+0000\""}"#.to_vec();
        rezone(&mut json, Tz::Europe__Berlin);
        let text = String::from_utf8(json).unwrap();
        assert!(text.starts_with(r#"{"created":"2024-07-02T00:30:00.123+0200","text":"at 2024-07-01T22:30"#));
        assert!(text.ends_with(r#""x":"\"2024-07-01T22:30:00.123+0000\""}"#));
    }

    #[test]
    fn escaping_agrees_with_serde_json() {
        for text in ["", "a\"b\\c", "line\r\nnext\ttab", "\u{1}\u{1f}\u{2028}😀", "日本"] {
            let mut out = String::new();
            push_str(&mut out, text);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn fragments_are_expanded_in_their_place() {
        let mut text = String::from("[");
        push_frag(&mut text, Frag(1));
        text.push(',');
        push_frag(&mut text, Frag(0));
        text.push(']');
        let mut out = String::new();
        expand(&mut out, &text, &["{}".to_owned(), "\"ü\"".to_owned()]);
        assert_eq!(out, "[\"ü\",{}]");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let mut out = String::new();
        push_time(&mut out, 1_709_210_096_007);
        assert_eq!(out, "\"2024-02-29T12:34:56.007+0000\"");
        out.clear();
        push_date(&mut out, -1);
        assert_eq!(out, "\"1969-12-31\"");
    }
}
