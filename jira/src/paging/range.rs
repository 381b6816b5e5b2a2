//! A half-open range of whole seconds on one time axis.

use crate::jql::Axis;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Milliseconds of a second, the grain of Jira's index.
pub(crate) const SECOND_MS: i64 = 1000;

/// The second that a time lies in, as its first millisecond.
pub(crate) fn floor_second(ms: i64) -> i64 {
    ms.div_euclid(SECOND_MS).saturating_mul(SECOND_MS)
}

/// `from <= time < to`, epoch milliseconds of whole seconds. `i64::MIN` and `i64::MAX` are open ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Range {
    pub(crate) axis: Axis,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Range {
    pub(crate) fn new(axis: Axis, from: i64, to: i64) -> Self {
        Self { axis, from, to }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.from >= self.to
    }

    /// The range of one second.
    pub(crate) fn of_second(axis: Axis, second: i64) -> Self {
        Self { axis, from: second, to: second.saturating_add(SECOND_MS) }
    }

    /// What of this range none of `done` covers, in order.
    pub(crate) fn without(self, done: &[Self]) -> Vec<Self> {
        let mut done: Vec<Self> = done.iter().copied().filter(|range| range.axis == self.axis).collect();
        done.sort_unstable();
        let mut gaps = Vec::new();
        let mut from = self.from;
        for covered in done {
            if covered.from > from {
                gaps.push(Self { axis: self.axis, from, to: covered.from.min(self.to) });
            }
            from = from.max(covered.to);
        }
        gaps.push(Self { axis: self.axis, from, to: self.to });
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |ms: i64| match chrono::DateTime::from_timestamp_millis(ms) {
            Some(time) => time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            None => "any time".to_owned(),
        };
        write!(f, "{} from {} to {}", self.axis.field(), time(self.from), time(self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: i64, to: i64) -> Range {
        Range::new(Axis::Created, from, to)
    }

    #[test]
    fn what_is_done_leaves_exactly_the_gaps() {
        let whole = range(i64::MIN, 9000);
        assert_eq!(whole.without(&[]), [whole]);
        let done = [range(5000, 7000), range(i64::MIN, 1000), range(2000, 3000), range(3000, 4000)];
        assert_eq!(whole.without(&done), [range(1000, 2000), range(4000, 5000), range(7000, 9000)]);
        assert_eq!(whole.without(&[whole]), []);
    }

    #[test]
    fn times_before_1970_are_floored_too() {
        assert_eq!((floor_second(-1), floor_second(1999), floor_second(2000)), (-1000, 1000, 2000));
    }
}
