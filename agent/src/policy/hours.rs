//! When runs may work: windows of a week in local time.

use chrono::{Datelike, NaiveDateTime, Timelike};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES_A_DAY: u32 = 24 * 60;
const MINUTES_A_WEEK: u32 = 7 * MINUTES_A_DAY;

/// Windows of a week; none means always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hours {
    /// Half-open, in minutes from Monday 00:00; none reaches past the week's end.
    windows: Vec<(u32, u32)>,
}

impl Hours {
    /// Reads `mon-fri 20:00-06:00`, `sat,sun 00:00-24:00`. A window that ends before it starts ends on the next day.
    pub(crate) fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, String> {
        let mut windows = Vec::new();
        for text in texts {
            let text = text.as_ref();
            let refused = || format!("`{text}` is no window of a week; write it like `mon-fri 20:00-06:00`");
            let (days, times) = text.trim().split_once(' ').ok_or_else(refused)?;
            let (from, to) = times.trim().split_once('-').ok_or_else(refused)?;
            let (from, to) = (minute(from).ok_or_else(refused)?, minute(to).ok_or_else(refused)?);
            if from == to {
                return Err(refused());
            }
            let length = if to > from { to - from } else { to + MINUTES_A_DAY - from };
            for day in days_of(days).ok_or_else(refused)? {
                add(&mut windows, day * MINUTES_A_DAY + from, length);
            }
        }
        Ok(Self { windows })
    }

    /// Whether a moment of local time lies in a window.
    pub(crate) fn are_open(&self, at: NaiveDateTime) -> bool {
        let minute = minute_of_week(at);
        self.windows.is_empty() || self.windows.iter().any(|(from, to)| (*from..*to).contains(&minute))
    }

    /// When the next window begins, in words.
    pub(crate) fn next_start(&self, at: NaiveDateTime) -> Option<String> {
        let now = minute_of_week(at);
        let wait = |from: &u32| (from + MINUTES_A_WEEK - now) % MINUTES_A_WEEK;
        let next = self.windows.iter().map(|(from, _)| *from).min_by_key(wait)?;
        let day = DAYS.get(usize::try_from(next / MINUTES_A_DAY).ok()?)?;
        let minute = next % MINUTES_A_DAY;
        Some(format!("{day} {:02}:{:02}", minute / 60, minute % 60))
    }
}

fn add(windows: &mut Vec<(u32, u32)>, from: u32, length: u32) {
    let to = from + length;
    windows.push((from, to.min(MINUTES_A_WEEK)));
    if to > MINUTES_A_WEEK {
        windows.push((0, to - MINUTES_A_WEEK));
    }
}

fn minute_of_week(at: NaiveDateTime) -> u32 {
    at.weekday().num_days_from_monday() * MINUTES_A_DAY + at.hour() * 60 + at.minute()
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= MINUTES_A_DAY).then_some(minutes)
}

fn days_of(text: &str) -> Option<Vec<u32>> {
    let day = |text: &str| {
        let place = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text.trim()))?;
        u32::try_from(place).ok()
    };
    let mut days = Vec::new();
    for item in text.split(',') {
        match item.split_once('-') {
            None => days.push(day(item)?),
            Some((first, last)) => {
                let (first, last) = (day(first)?, day(last)?);
                let count = (last + 7 - first) % 7;
                days.extend((0..=count).map(|step| (first + step) % 7));
            }
        }
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    /// 2024-01-01 was a Monday.
    fn at(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2024, 1, day).unwrap().and_hms_opt(hour, minute, 0).unwrap()
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let hours = Hours::parse(&["mon-fri 20:00-06:00"]).unwrap();
        assert!(hours.are_open(at(1, 20, 0)) && hours.are_open(at(2, 5, 59)) && hours.are_open(at(6, 5, 59)));
        assert!(
            !hours.are_open(at(1, 5, 59)) && !hours.are_open(at(2, 6, 0)) && !hours.are_open(at(6, 20, 0))
        );
        assert_eq!(hours.next_start(at(6, 12, 0)).as_deref(), Some("mon 20:00"));
    }

    #[test]
    fn a_window_over_the_weeks_end_goes_on_on_monday() {
        let hours = Hours::parse(&["sun 22:00-02:00"]).unwrap();
        assert!(hours.are_open(at(7, 23, 0)) && hours.are_open(at(8, 1, 59)) && !hours.are_open(at(8, 2, 0)));
    }

    #[test]
    fn days_may_be_listed_and_may_go_round_the_week() {
        let hours = Hours::parse(&["sat-mon,wed 00:00-24:00"]).unwrap();
        let open: Vec<u32> = (1..=7).filter(|day| hours.are_open(at(*day, 12, 0))).collect();
        assert_eq!(open, [1, 3, 6, 7]);
    }

    #[test]
    fn no_window_means_always_and_nonsense_is_refused() {
        assert!(Hours::default().are_open(at(1, 0, 0)));
        for text in
            ["mon", "mon 8-9", "mon 08:00-08:00", "mond 08:00-09:00", "mon 08:00-25:00", "mon 08:60-09:00"]
        {
            assert!(Hours::parse(&[text]).is_err(), "{text}");
        }
    }
}
