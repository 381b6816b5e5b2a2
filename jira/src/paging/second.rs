//! One second that holds more than a page: read by offset in key order, and proven.
//!
//! By offset a deletion between two pages hides an issue, so equal counts prove nothing alone: the distinct ids of one reading, the
//! count of its first page and the count of its last page must all be equal. Else the second is read again; what was accepted before
//! stays accepted, and only what was missed is new.

use std::collections::HashSet;

/// Readings of one second before it is given up.
const READINGS_MAX: u32 = 12;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecondStep {
    /// Ask for the page at this offset.
    Page(u64),
    /// Everything was read and proven.
    Done,
    /// More than Jira pages through: split it by project.
    Split,
    /// It kept changing, or Jira counts issues that it does not show.
    Unproven {
        /// Distinct issues of the last reading.
        seen: u64,
        /// What Jira counted at its end.
        total: u64,
    },
}

/// The reading of a second.
#[derive(Debug)]
pub(crate) struct Second {
    /// Largest offset plus page that Jira answers.
    window: u64,
    reading: u32,
    offset: u64,
    total_before: Option<u64>,
    ids: HashSet<i64>,
}

impl Second {
    pub(crate) fn new(window: u64) -> Self {
        Self { window, reading: 1, offset: 0, total_before: None, ids: HashSet::new() }
    }

    /// Takes the page at the offset asked for.
    pub(crate) fn handle_page(&mut self, total: u64, ids: impl IntoIterator<Item = i64>) -> SecondStep {
        if total > self.window {
            return SecondStep::Split;
        }
        let before = *self.total_before.get_or_insert(total);
        let mut shown = 0;
        for id in ids {
            shown += 1;
            self.ids.insert(id);
        }
        self.offset += shown;
        if shown > 0 && self.offset < total {
            return SecondStep::Page(self.offset);
        }
        let seen = u64::try_from(self.ids.len()).unwrap_or(u64::MAX);
        if seen == before && seen == total {
            return SecondStep::Done;
        }
        self.read_again(seen, total)
    }

    fn read_again(&mut self, seen: u64, total: u64) -> SecondStep {
        if self.reading >= READINGS_MAX {
            return SecondStep::Unproven { seen, total };
        }
        *self = Self { reading: self.reading + 1, ..Self::new(self.window) };
        SecondStep::Page(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_between_pages_makes_it_read_again() {
        let mut second = Second::new(10_000);
        assert_eq!(second.handle_page(4, [1, 2]), SecondStep::Page(2));
        // 1 was deleted: offset 2 now shows 4, and 3 was never seen, though two and one issues make the three that are counted.
        assert_eq!(second.handle_page(3, [4]), SecondStep::Page(0));
        assert_eq!(second.handle_page(3, [2, 3]), SecondStep::Page(2));
        assert_eq!(second.handle_page(3, [4]), SecondStep::Done);
    }

    #[test]
    fn more_than_the_window_is_split_by_project() {
        assert_eq!(Second::new(100).handle_page(101, [1]), SecondStep::Split);
    }

    #[test]
    fn a_second_that_is_never_shown_whole_is_given_up() {
        let mut second = Second::new(100);
        let mut steps = Vec::new();
        while !matches!(steps.last(), Some(SecondStep::Unproven { .. })) {
            steps.push(second.handle_page(2, [1]));
            if steps.last() == Some(&SecondStep::Page(1)) {
                steps.push(second.handle_page(2, []));
            }
        }
        assert_eq!(steps.last(), Some(&SecondStep::Unproven { seen: 1, total: 2 }));
    }
}
