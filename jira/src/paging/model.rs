//! A model site that changes between and during the pages of a walk, in virtual steps: what a walk must never lose.

use crate::jql::Axis;
use crate::paging::keyset::{KeySet, Seen, Step};
use crate::paging::range::{Range, floor_second};
use crate::paging::second::{Second, SecondStep};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};

/// Second at which the walk begins; what is created or edited later lies behind its range.
const UNTIL: i64 = 50_000;

#[derive(Clone, Debug)]
struct Issue {
    id: i64,
    created: i64,
    updated: i64,
}

/// What people do between two pages.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    Edit(usize),
    /// After the index found the issue, before its text is read.
    EditDuringPage(usize),
    Delete(usize),
    Create,
}

#[derive(Debug)]
struct Site {
    issues: Vec<Issue>,
    clock: i64,
    next_id: i64,
    changes: Vec<Change>,
    page: usize,
}

impl Site {
    fn time(issue: &Issue, axis: Axis) -> i64 {
        if axis == Axis::Created { issue.created } else { issue.updated }
    }

    fn edit(&mut self, at: usize) {
        self.clock += 700;
        let clock = self.clock;
        let many = self.issues.len().max(1);
        if let Some(issue) = self.issues.get_mut(at % many) {
            issue.updated = clock;
        }
    }

    fn change(&mut self) -> Option<usize> {
        let many = self.issues.len().max(1);
        match self.changes.pop().unwrap_or(Change::Nothing) {
            Change::Nothing => {}
            Change::Edit(at) => self.edit(at),
            Change::EditDuringPage(at) => return Some(at),
            Change::Delete(at) if !self.issues.is_empty() => {
                self.issues.remove(at % many);
            }
            Change::Delete(_) => {}
            Change::Create => {
                self.clock += 700;
                self.next_id += 1;
                self.issues.push(Issue { id: self.next_id, created: self.clock, updated: self.clock });
            }
        }
        None
    }

    /// One answer: count and issues of a range by whole seconds, in time or key order, from an offset.
    fn answer(&mut self, range: Range, by_time: bool, offset: usize) -> (u64, Vec<Seen>) {
        let during = self.change();
        let inside =
            |issue: &&Issue| (range.from..range.to).contains(&floor_second(Self::time(issue, range.axis)));
        let mut found: Vec<(i64, i64)> = self
            .issues
            .iter()
            .filter(inside)
            .map(|issue| (floor_second(Self::time(issue, range.axis)), issue.id))
            .collect();
        found.sort_unstable_by_key(|(second, id)| if by_time { (*second, *id) } else { (*id, 0) });
        if let Some(at) = during {
            self.edit(at);
        }
        let shown = found.iter().skip(offset).take(self.page);
        let seen = shown.filter_map(|(_, id)| self.issues.iter().find(|issue| issue.id == *id));
        let seen = seen.map(|issue| Seen { id: issue.id, time_ms: Self::time(issue, range.axis) }).collect();
        (u64::try_from(found.len()).unwrap(), seen)
    }
}

fn walk(site: &mut Site, range: Range) -> BTreeSet<i64> {
    let mut read = BTreeSet::new();
    let mut keys = KeySet::new(range);
    let mut step = keys.first();
    loop {
        step = match step {
            Step::Page(left) => {
                let (total, seen) = site.answer(left, true, 0);
                read.extend(seen.iter().map(|seen| seen.id));
                keys.handle_page(total, &seen)
            }
            Step::Second(second) => {
                walk_second(site, Range::of_second(range.axis, second), &mut read);
                keys.handle_second_read()
            }
            Step::Done => return read,
            Step::Stuck => panic!("stuck on a site that shows all that it counts"),
        };
    }
}

fn walk_second(site: &mut Site, second: Range, read: &mut BTreeSet<i64>) {
    let mut reading = Second::new(10_000);
    let mut step = SecondStep::Page(0);
    while let SecondStep::Page(offset) = step {
        let (total, seen) = site.answer(second, false, usize::try_from(offset).unwrap());
        read.extend(seen.iter().map(|seen| seen.id));
        step = reading.handle_page(offset, total, u64::try_from(seen.len()).unwrap());
    }
    assert_eq!(step, SecondStep::Done, "a second was given up although the site came to rest");
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Nothing),
        any::<usize>().prop_map(Change::Edit),
        any::<usize>().prop_map(Change::EditDuringPage),
        any::<usize>().prop_map(Change::Delete),
        Just(Change::Create),
    ]
}

/// Few different seconds, so that many issues share one.
fn site(changes: usize) -> impl Strategy<Value = Site> {
    let times = proptest::collection::vec((0_i64..8, 0_i64..1000, 0_i64..8, 0_i64..1000), 0..60);
    (times, proptest::collection::vec(change(), 0..changes), 1_usize..9).prop_map(|(times, changes, page)| {
        let issue = |(id, (created, created_ms, later, updated_ms)): (i64, (i64, i64, i64, i64))| {
            let created = created * 1000 + created_ms;
            Issue { id, created, updated: (floor_second(created) + later * 1000 + updated_ms).max(created) }
        };
        let issues: Vec<Issue> = (1..).zip(times).map(issue).collect();
        Site { next_id: i64::try_from(issues.len()).unwrap(), issues, clock: UNTIL, changes, page }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_walk_by_creation_time_loses_no_issue_whatever_happens_meanwhile(mut site in site(10)) {
        let read = walk(&mut site, Range::new(Axis::Created, i64::MIN, UNTIL));
        for issue in site.issues.iter().filter(|issue| issue.created < UNTIL) {
            prop_assert!(read.contains(&issue.id), "lost {issue:?}");
        }
    }

    #[test]
    fn a_walk_by_update_time_loses_only_what_the_next_pass_finds(mut site in site(10)) {
        let before: HashSet<i64> = site.issues.iter().map(|issue| issue.id).collect();
        let read = walk(&mut site, Range::new(Axis::Updated, 0, UNTIL));
        for issue in site.issues.iter().filter(|issue| before.contains(&issue.id) && !read.contains(&issue.id)) {
            prop_assert!(issue.updated >= UNTIL, "lost {issue:?}");
        }
    }

    #[test]
    fn a_walk_in_slices_equals_a_walk_in_one(mut site in site(6), cut in 1_i64..9) {
        let mut read = walk(&mut site, Range::new(Axis::Created, i64::MIN, cut * 1000));
        read.extend(walk(&mut site, Range::new(Axis::Created, cut * 1000, UNTIL)));
        for issue in site.issues.iter().filter(|issue| issue.created < UNTIL) {
            prop_assert!(read.contains(&issue.id), "lost {issue:?}");
        }
    }
}
