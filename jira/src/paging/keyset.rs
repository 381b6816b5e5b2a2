//! The walk over a range by key-set: always from offset 0, from the last second seen.
//!
//! ```text
//!            page moves on              page is one second, more behind it
//!   Page ------------------> Page   Page -----------------------------> Second --(read apart)--> Page | Done
//!            page holds all           page shows no time of the range, or nothing at all
//!   Page ------------------> Done   Page -----------------------------> Page (a few times), then Stuck
//! ```

use crate::paging::range::{Range, SECOND_MS, floor_second};

/// Pages in a row that may bring no progress before the walk gives up.
const IDLE_PAGES_MAX: u32 = 8;

/// An issue as the walk sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: i64,
    /// Its time on the axis, epoch milliseconds, as the answer shows it.
    pub(crate) time_ms: i64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask for this range in time order, offset 0.
    Page(Range),
    /// This second fills a page: read it apart, then call [`KeySet::handle_second_read`].
    Second(i64),
    /// All was seen.
    Done,
    /// Jira counts issues that it does not show.
    Stuck,
}

/// The walk.
#[derive(Debug)]
pub(crate) struct KeySet {
    left: Range,
    idle_pages: u32,
}

impl KeySet {
    pub(crate) fn new(range: Range) -> Self {
        Self { left: range, idle_pages: 0 }
    }

    /// The first step.
    pub(crate) fn first(&self) -> Step {
        if self.left.is_empty() { Step::Done } else { Step::Page(self.left) }
    }

    /// Takes a page: how many issues Jira counts in the range asked for, and those it showed.
    pub(crate) fn handle_page(&mut self, total: u64, issues: &[Seen]) -> Step {
        if u64::try_from(issues.len()).is_ok_and(|shown| shown >= total) {
            return Step::Done;
        }
        // A time at or past the end belongs to an issue that was edited after the index found it: no measure of progress.
        let inside = issues.iter().filter(|seen| seen.time_ms < self.left.to);
        let Some(last) = inside.map(|seen| floor_second(seen.time_ms)).max() else { return self.idle() };
        if last > self.left.from {
            self.idle_pages = 0;
            self.left.from = last;
            return Step::Page(self.left);
        }
        Step::Second(self.left.from)
    }

    /// The second asked for was read whole.
    pub(crate) fn handle_second_read(&mut self) -> Step {
        self.idle_pages = 0;
        self.left.from = self.left.from.saturating_add(SECOND_MS);
        self.first()
    }

    fn idle(&mut self) -> Step {
        self.idle_pages += 1;
        if self.idle_pages > IDLE_PAGES_MAX { Step::Stuck } else { Step::Page(self.left) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jql::Axis;

    fn seen(times: &[i64]) -> Vec<Seen> {
        times.iter().zip(1..).map(|(time_ms, id)| Seen { id, time_ms: *time_ms }).collect()
    }

    fn walk() -> KeySet {
        KeySet::new(Range::new(Axis::Updated, 1000, 10_000))
    }

    #[test]
    fn milliseconds_are_floored_to_the_second_of_the_index() {
        assert_eq!(
            walk().handle_page(9, &seen(&[1500, 4999])),
            Step::Page(Range::new(Axis::Updated, 4000, 10_000))
        );
    }

    #[test]
    fn a_page_that_holds_all_ends_the_walk() {
        assert_eq!(walk().handle_page(2, &seen(&[1500, 4999])), Step::Done);
        assert_eq!(walk().handle_page(0, &[]), Step::Done);
    }

    #[test]
    fn a_page_of_one_second_is_read_apart_and_the_walk_goes_on_behind_it() {
        let mut walk = walk();
        assert_eq!(walk.handle_page(9, &seen(&[1100, 1900])), Step::Second(1000));
        assert_eq!(walk.handle_second_read(), Step::Page(Range::new(Axis::Updated, 2000, 10_000)));
    }

    #[test]
    fn an_issue_edited_after_the_index_found_it_moves_nothing() {
        assert_eq!(
            walk().handle_page(9, &seen(&[1500, 3000, 99_000])),
            Step::Page(Range::new(Axis::Updated, 3000, 10_000))
        );
    }

    #[test]
    fn issues_that_are_counted_but_never_shown_end_the_walk() {
        let mut walk = walk();
        let steps: Vec<Step> = (0..=IDLE_PAGES_MAX).map(|_| walk.handle_page(3, &[])).collect();
        assert_eq!(steps.last(), Some(&Step::Stuck));
        assert!(steps[..steps.len() - 1].iter().all(|step| matches!(step, Step::Page(_))));
    }
}
