//! Walking a query by position: what comes after the last issue that was seen, in the order as it is now.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::super::index::Entry;
use super::super::rng::mix;
use super::super::site::{Axis, Site};
use super::Plan;

/// Where a walk stands: the sort values of the last issue, as they were when it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    values: Vec<(i64, u16, u32)>,
    slot: u32,
}

impl Position {
    /// A number that follows from the position.
    pub(crate) fn digest(&self) -> u64 {
        mix(u64::from(self.slot))
    }

    /// Ties beyond the order's fields are walked by slot, so that a position says all.
    fn order(&self, plan: &Plan, other: &Self) -> Ordering {
        for ((own, other), (_, descending)) in self.values.iter().zip(&other.values).zip(&plan.sort) {
            let order = if *descending { other.cmp(own) } else { own.cmp(other) };
            if order.is_ne() {
                return order;
            }
        }
        self.slot.cmp(&other.slot)
    }
}

/// What the index does not know yet: the old `updated` of an edited issue, `None` for one just created.
pub(crate) type Unindexed = HashMap<u32, Option<i64>>;

/// A page of a walk.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) slots: Vec<u32>,
    /// Issues that the whole walk would find if it began now.
    pub(crate) total: usize,
    /// Whether there are more.
    pub(crate) more: bool,
    /// Where the walk stands after this page; `None` when the page is empty.
    pub(crate) place: Option<Position>,
}

impl Site {
    /// The next `most` issues after a position (from the start without one).
    pub(crate) fn walk(
        &self,
        plan: &Plan,
        after: Option<&Position>,
        most: usize,
        unindexed: &Unindexed,
    ) -> Walked {
        let found = self.matching(plan, unindexed);
        let total = found.len();
        let places = found.into_iter().map(|slot| self.position(plan, slot));
        let mut places: Vec<Position> =
            places.filter(|place| after.is_none_or(|after| place.order(plan, after).is_gt())).collect();
        places.sort_unstable_by(|a, b| a.order(plan, b));
        let more = places.len() > most;
        places.truncate(most);
        let slots = places.iter().map(|place| place.slot).collect();
        Walked { slots, total, more, place: places.pop() }
    }

    /// Number of issues that a query finds.
    pub(crate) fn count(&self, plan: &Plan, unindexed: &Unindexed) -> usize {
        self.matching(plan, unindexed).len()
    }

    fn matching(&self, plan: &Plan, unindexed: &Unindexed) -> Vec<u32> {
        let (candidates, rest) = self.cheapest(&plan.cond, plan.sort[0].0, false);
        let fits = |entry: &&Entry| rest.is_none_or(|cond| self.matches(cond, entry.slot));
        let mut slots: Vec<u32> = candidates.iter().filter(fits).map(|entry| entry.slot).collect();
        if !unindexed.is_empty() {
            slots.retain(|slot| !unindexed.contains_key(slot));
            slots.extend(unindexed.iter().filter_map(|(slot, updated_ms)| {
                let mut slim = self.slim(*slot).clone();
                slim.updated_ms = (*updated_ms)?;
                (slim.alive && self.matches_slim(&plan.cond, *slot, &slim)).then_some(*slot)
            }));
        }
        slots
    }

    fn values(&self, plan: &Plan, slot: u32) -> Vec<(i64, u16, u32)> {
        let value = |axis: &Axis| {
            let entry = self.entry(*axis, slot);
            match axis {
                Axis::Key => (0, entry.rank, entry.number),
                Axis::Created | Axis::Updated => (entry.at, 0, 0),
            }
        };
        plan.sort.iter().map(|(axis, _)| value(axis)).collect()
    }

    fn position(&self, plan: &Plan, slot: u32) -> Position {
        Position { values: self.values(plan, slot), slot }
    }
}
