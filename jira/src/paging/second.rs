//! Issues read by offset, in key order, without losing any: one second that holds more than a page, or issues by id.
//!
//! By offset an issue that leaves (edited out of the second, deleted) pulls the unread ones behind it to the left, over the boundary of
//! the next page; equal counts prove nothing then. But each answer tells the count, so each tells how many have left since the one
//! before: what was unread from position `p` on is now unread from `p - left` on at the earliest. An answer that starts at or before
//! that has skipped nothing; one that starts behind it is asked again from there. That holds as long as issues only leave, and they do:
//! nothing can be created in, or edited into, a second that is over. (Moves into a chosen project can; the proof of a full load and the
//! next pass find those.)

/// Answers in a row that bring the reading no further before it is given up.
const STALLS_MAX: u32 = 40;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecondStep {
    /// Ask for the page at this offset.
    Page(u64),
    /// Everything was shown.
    Done,
    /// More than Jira pages through: split it by project.
    Split,
    /// It changes faster than it can be read, or Jira counts issues that it does not show.
    Unproven {
        /// Positions that were shown without a gap.
        seen: u64,
        /// What Jira counted at last.
        total: u64,
    },
}

/// The reading.
#[derive(Debug)]
pub(crate) struct Second {
    /// Largest offset plus page that Jira answers.
    window: u64,
    /// Everything before this position of the last answer's list was shown.
    shown_to: u64,
    /// The last answer's count.
    total: Option<u64>,
    stalls: u32,
}

impl Second {
    pub(crate) fn new(window: u64) -> Self {
        Self { window, shown_to: 0, total: None, stalls: 0 }
    }

    /// Takes an answer: the offset that was asked for, how many issues Jira counts, how many it showed.
    pub(crate) fn handle_page(&mut self, offset: u64, total: u64, shown: u64) -> SecondStep {
        if total > self.window {
            return SecondStep::Split;
        }
        let left = self.total.replace(total).map_or(0, |before| before.saturating_sub(total));
        self.shown_to = self.shown_to.saturating_sub(left);
        let end = offset.saturating_add(shown);
        if offset > self.shown_to {
            // A little further back, since as many may leave again until the answer.
            return self.stall(total, self.shown_to.saturating_sub(left));
        }
        if end >= total {
            return SecondStep::Done;
        }
        if end <= self.shown_to {
            return self.stall(total, self.shown_to);
        }
        self.stalls = 0;
        self.shown_to = end;
        // Where issues leave, the next page overlaps this one, though never so far that nothing new comes.
        SecondStep::Page(end - left.saturating_mul(2).min(shown / 2))
    }

    fn stall(&mut self, total: u64, offset: u64) -> SecondStep {
        self.stalls += 1;
        if self.stalls > STALLS_MAX {
            return SecondStep::Unproven { seen: self.shown_to, total };
        }
        SecondStep::Page(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_between_pages_makes_it_ask_again_from_where_nothing_was_skipped() {
        let mut second = Second::new(10_000);
        assert_eq!(second.handle_page(0, 4, 2), SecondStep::Page(2));
        // One of the first two was deleted: offset 2 now skips the third, though two and one issues make the three that are counted.
        assert_eq!(second.handle_page(2, 3, 1), SecondStep::Page(0));
        assert_eq!(second.handle_page(0, 3, 2), SecondStep::Page(2));
        assert_eq!(second.handle_page(2, 3, 1), SecondStep::Done);
    }

    #[test]
    fn a_second_that_loses_an_issue_with_every_answer_is_still_read_whole() {
        let mut second = Second::new(10_000);
        let mut step = SecondStep::Page(0);
        let mut answers = 0;
        let mut total = 1_000;
        while let SecondStep::Page(offset) = step {
            step = second.handle_page(offset, total, 40.min(total.saturating_sub(offset)));
            total -= 1;
            answers += 1;
        }
        assert_eq!(step, SecondStep::Done);
        assert!(answers < 40, "{answers} answers");
    }

    #[test]
    fn more_than_the_window_is_split_by_project() {
        assert_eq!(Second::new(100).handle_page(0, 101, 1), SecondStep::Split);
    }

    #[test]
    fn issues_that_are_counted_but_never_shown_are_given_up() {
        let mut second = Second::new(100);
        let mut step = second.handle_page(0, 2, 1);
        while let SecondStep::Page(offset) = step {
            step = second.handle_page(offset, 2, 1_u64.saturating_sub(offset));
        }
        assert_eq!(step, SecondStep::Unproven { seen: 1, total: 2 });
    }
}
