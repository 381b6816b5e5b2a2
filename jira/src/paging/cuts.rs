//! Where to cut a range into slices.

use crate::paging::range::{Range, floor_second};

/// Issues asked for in one page: so many that a load with all its questions stays within one request for each hundred issues. With histories
/// expanded, larger pages cost Jira much memory.
pub(crate) const ISSUES_PER_PAGE: u64 = 150;
/// Issues with all their fields that Jira Cloud gives in one page, whatever is asked for.
pub(crate) const ISSUES_PER_CLOUD_PAGE: u64 = 100;
/// One part in so many of a page is the last second again.
const REPEATED_PART: u64 = 25;
/// Most pages that a slice is made for: how much a lost slice costs to read again.
const PAGES_PER_SLICE_MAX: u64 = 10;
/// Slices aimed at for each request that may be in flight, so that none waits long for the last one.
const SLICES_PER_LANE: u64 = 2;

/// Issues that a page of a walk by time brings, of which Jira gives at most `page_max` in one.
pub(crate) fn fresh_in_page(page_max: u64) -> u64 {
    let page = page_max.clamp(1, ISSUES_PER_PAGE);
    page - page / REPEATED_PART
}

/// Issues aimed at for each slice: whole pages that bring `fresh` each, so that no slice ends with a nearly empty one.
pub(crate) fn slice_target(total: u64, lanes: usize, fresh: u64) -> u64 {
    let lanes = u64::try_from(lanes.max(1)).unwrap_or(u64::MAX);
    let share = total / lanes.saturating_mul(SLICES_PER_LANE);
    let fresh = fresh.max(1);
    (share / fresh).clamp(1, PAGES_PER_SLICE_MAX) * fresh
}

/// Turns times at which a new slice may begin into slices, merging those of one second.
#[derive(Debug)]
pub(crate) struct Cuts {
    left: Range,
}

impl Cuts {
    pub(crate) fn new(range: Range) -> Self {
        Self { left: range }
    }

    /// What is not cut off yet.
    pub(crate) fn left(&self) -> Range {
        self.left
    }

    /// Cuts before the second of `time_ms`; `None` where that would make an empty slice or leave the range.
    pub(crate) fn cut_at(&mut self, time_ms: i64) -> Option<Range> {
        let second = floor_second(time_ms);
        if second <= self.left.from || second >= self.left.to {
            return None;
        }
        let slice = Range { to: second, ..self.left };
        self.left.from = second;
        Some(slice)
    }

    /// The last slice.
    pub(crate) fn finish(self) -> Option<Range> {
        (!self.left.is_empty()).then_some(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jql::Axis;
    use proptest::prelude::*;

    #[test]
    fn a_small_site_makes_slices_of_one_page_and_a_large_one_of_ten() {
        assert_eq!(slice_target(1_000, 4, fresh_in_page(1000)), 144);
        assert_eq!(slice_target(20_000, 4, fresh_in_page(1000)), 1440);
        assert_eq!(slice_target(5_000, 4, fresh_in_page(1000)), 576);
        assert_eq!(slice_target(0, 0, 0), 1);
    }

    #[test]
    fn slices_are_whole_pages_also_where_jira_lowers_them() {
        assert_eq!(slice_target(20_000, 4, fresh_in_page(ISSUES_PER_CLOUD_PAGE)), 960);
        assert_eq!(slice_target(20_000, 4, ISSUES_PER_CLOUD_PAGE), 1000);
        assert_eq!(slice_target(1_000, 4, fresh_in_page(100)), 96);
        assert_eq!(slice_target(1_000, 4, fresh_in_page(7)), 70);
    }

    proptest! {
        #[test]
        fn slices_cover_the_range_without_overlap(times in proptest::collection::vec(-5_000_i64..50_000, 0..40)) {
            let whole = Range::new(Axis::Created, i64::MIN, 40_000);
            let mut cuts = Cuts::new(whole);
            let mut slices: Vec<Range> = times.iter().filter_map(|time| cuts.cut_at(*time)).collect();
            slices.extend(cuts.finish());
            prop_assert_eq!(slices.first().map(|slice| slice.from), Some(i64::MIN));
            prop_assert_eq!(slices.last().map(|slice| slice.to), Some(40_000));
            prop_assert!(slices.windows(2).all(|pair| pair[0].to == pair[1].from));
            prop_assert!(slices.iter().all(|slice| !slice.is_empty()));
        }
    }
}
