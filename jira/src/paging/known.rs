//! What a full load believes to hold: the ids of each slice of the base pass, and what later passes added or found gone.
//!
//! It is the engine's only state that grows with the site: eight bytes an issue.

use crate::paging::range::{Range, floor_second};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

#[derive(Debug)]
struct Slice {
    to: i64,
    /// Sorted.
    ids: Vec<i64>,
}

/// Issue ids by creation time.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// By the start of the slice.
    base: BTreeMap<i64, Slice>,
    /// Creation time of ids that no slice of the base pass holds.
    extra: HashMap<i64, i64>,
}

impl Known {
    /// A slice of the base pass was read.
    pub(crate) fn add_slice(&mut self, range: Range, mut ids: Vec<i64>) {
        ids.sort_unstable();
        ids.shrink_to_fit();
        self.base.insert(range.from, Slice { to: range.to, ids });
    }

    /// A later pass read this issue.
    pub(crate) fn add(&mut self, id: i64, created_ms: i64) {
        if !self.is_in_base(id, created_ms) {
            self.extra.insert(id, created_ms);
        }
    }

    fn is_in_base(&self, id: i64, created_ms: i64) -> bool {
        let Some((_, slice)) = self.base.range(..=floor_second(created_ms)).next_back() else { return false };
        created_ms < slice.to && slice.ids.binary_search(&id).is_ok()
    }

    /// These issues of the range are gone.
    pub(crate) fn remove(&mut self, range: Range, gone: &BTreeSet<i64>) {
        for (_, slice) in self.base.range_mut(range.from..range.to) {
            slice.ids.retain(|id| !gone.contains(id));
        }
        self.extra.retain(|id, _| !gone.contains(id));
    }

    /// How many issues of the range are known. The range must not cut a slice.
    pub(crate) fn count(&self, range: Range) -> u64 {
        let base: usize = self.base.range(range.from..range.to).map(|(_, slice)| slice.ids.len()).sum();
        let extra = self.extra.values().filter(|created| (range.from..range.to).contains(created)).count();
        u64::try_from(base + extra).unwrap_or(u64::MAX)
    }

    /// The known ids of the range. The range must not cut a slice.
    pub(crate) fn ids(&self, range: Range) -> HashSet<i64> {
        let base = self.base.range(range.from..range.to).flat_map(|(_, slice)| slice.ids.iter().copied());
        let extra = self
            .extra
            .iter()
            .filter(|(_, created)| (range.from..range.to).contains(*created))
            .map(|(id, _)| *id);
        base.chain(extra).collect()
    }

    /// Cuts `whole` into at least `least` ranges (where there are so many slices), none of more than `slices_max` slices, none cutting a
    /// slice. `tail_from` begins a range of its own: from there on no slice was read.
    pub(crate) fn groups(&self, whole: Range, least: usize, slices_max: usize) -> Vec<Range> {
        let starts: Vec<i64> =
            self.base.keys().copied().filter(|from| (whole.from..whole.to).contains(from)).collect();
        let size = starts.len().div_ceil(least.max(1)).clamp(1, slices_max.max(1));
        let mut cuts: Vec<i64> = starts.iter().copied().step_by(size).collect();
        cuts.extend(self.base.values().next_back().map(|slice| slice.to));
        cuts.retain(|cut| *cut > whole.from && *cut < whole.to);
        let mut groups = Vec::new();
        let mut from = whole.from;
        for to in cuts.into_iter().chain([whole.to]) {
            groups.push(Range { from, to, ..whole });
            from = to;
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jql::Axis;

    fn range(from: i64, to: i64) -> Range {
        Range::new(Axis::Created, from, to)
    }

    fn known() -> Known {
        let mut known = Known::default();
        known.add_slice(range(i64::MIN, 1000), vec![3, 1]);
        known.add_slice(range(1000, 5000), vec![9, 8, 7]);
        known.add_slice(range(5000, 6000), vec![20]);
        known
    }

    #[test]
    fn an_issue_read_again_counts_once_and_a_new_one_counts() {
        let mut known = known();
        known.add(8, 4999);
        assert_eq!(known.count(range(1000, 5000)), 3);
        known.add(30, 7000);
        assert_eq!((known.count(range(6000, 9000)), known.count(range(i64::MIN, 9000))), (1, 7));
        known.remove(range(i64::MIN, 9000), &BTreeSet::from([30, 8]));
        assert_eq!(known.count(range(i64::MIN, 9000)), 5);
        assert_eq!(known.ids(range(1000, 5000)), HashSet::from([7, 9]));
    }

    #[test]
    fn groups_cover_everything_and_cut_no_slice() {
        let known = known();
        let whole = range(i64::MIN, 9000);
        assert_eq!(
            known.groups(whole, 3, 8),
            [range(i64::MIN, 1000), range(1000, 5000), range(5000, 6000), range(6000, 9000)]
        );
        assert_eq!(known.groups(whole, 1, 8), [range(i64::MIN, 6000), range(6000, 9000)]);
        assert_eq!(known.groups(whole, 1, 2), [range(i64::MIN, 5000), range(5000, 6000), range(6000, 9000)]);
        assert_eq!(Known::default().groups(whole, 3, 8), [whole]);
    }
}
