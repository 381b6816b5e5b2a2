//! The proof of a full load: what was read against what Jira counts and shows.
//!
//! Groups of slices are counted, and the whole once more with `updated < watermark`, which stands still: an issue that left and one that
//! came cannot cancel each other in both. Where a count differs, the ids of that group are read again and compared: ids that are gone are
//! taken out, ids that are missing are read, both in a generation of its own. Then the group is counted again.

use crate::checkpoint::{Accepted, Done, Work};
use crate::error::Error;
use crate::extraction::rows::{Gate, Rows};
use crate::extraction::run::Run;
use crate::extraction::walk::{Heads, Walk};
use crate::extraction::writer::UnitWriter;
use crate::jql::Axis;
use crate::paging::cuts::ISSUES_PER_PAGE;
use crate::paging::known::Known;
use crate::paging::range::{Range, SECOND_MS, floor_second};
use futures_util::StreamExt;
use std::collections::{BTreeSet, HashSet};

/// Slices counted together: their ids are read again in a few pages if the count differs.
const SLICES_PER_COUNT: usize = 8;
/// Questions of a proof besides those for its groups of slices: what was created since the last slice, and all that stands still.
const QUESTIONS_BESIDE: usize = 2;
/// Times that a group is repaired and counted again.
const ROUNDS_MAX: u32 = 3;
/// Missing issues are asked for second by second up to so many seconds, beyond that in one range.
const SECONDS_MAX: usize = 32;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Up to when a load vouches for its issues, and which of them it read as updated since.
pub(crate) struct Caught<'a> {
    pub(crate) until_ms: i64,
    pub(crate) late: &'a [Accepted],
}

/// Proves and repairs; gives the issues of the extraction as Jira counts them.
pub(crate) async fn prove(run: &Run, known: &mut Known, caught: Caught<'_>) -> Result<u64, Error> {
    let bounds = run.created_bounds();
    // With the second that ran when the last pass began: the pass read it, and what it missed there is found here.
    let whole =
        Range::new(Axis::Created, bounds.from, bounds.to.min(caught.until_ms.saturating_add(SECOND_MS)));
    if whole.is_empty() {
        return Ok(0);
    }
    let groups = known.groups(whole, run.lanes().saturating_sub(QUESTIONS_BESIDE).max(1), SLICES_PER_COUNT);
    for group in suspects(run, known, &groups, &caught).await? {
        settle(run, known, group, caught.until_ms).await?;
    }
    Ok(known.count(whole))
}

/// Issues that were created later than tomorrow, as an import or a clock that was set back leaves them, are out of the sight of every
/// load until their time comes: they are counted. Up to then Jira's nodes may disagree about the time.
pub(crate) async fn tell_of_the_future(run: &Run, now_ms: i64) -> Result<(), Error> {
    let bounds = run.created_bounds();
    let future = Range { from: bounds.from.max(now_ms.saturating_add(DAY_MS)), ..bounds };
    if future.is_empty() {
        return Ok(());
    }
    match run.count(run.jql(future)).await? {
        0 => Ok(()),
        count => {
            let message = "issues bear a creation time that lies in the future; they are not read before Jira's clock gets there";
            run.warn("created_in_future", message, count).await
        }
    }
}

/// Groups whose counts differ from what is known.
async fn suspects(
    run: &Run,
    known: &Known,
    groups: &[Range],
    caught: &Caught<'_>,
) -> Result<Vec<Range>, Error> {
    let (counts, quiet) =
        tokio::join!(count_each(run, groups, None), count_quiet(run, groups, caught.until_ms));
    let (counts, quiet) = (counts?, quiet?);
    let late_in = |group: Range| {
        let late = caught.late.iter().filter(|issue| (group.from..group.to).contains(&issue.created_ms));
        u64::try_from(late.count()).unwrap_or(u64::MAX)
    };
    let quiet_known = |group: Range| known.count(group).saturating_sub(late_in(group));
    let mut suspects: BTreeSet<Range> = groups
        .iter()
        .zip(counts)
        .filter(|(group, count)| known.count(**group) != *count)
        .map(|(group, _)| *group)
        .collect();
    if quiet != groups.iter().map(|group| quiet_known(*group)).sum::<u64>() {
        let quiet = count_each(run, groups, Some(caught.until_ms)).await?;
        suspects.extend(
            groups
                .iter()
                .zip(quiet)
                .filter(|(group, count)| quiet_known(**group) != *count)
                .map(|(group, _)| *group),
        );
    }
    Ok(suspects.into_iter().collect())
}

/// Counts each range, in their order; with `until` only what was not updated since.
async fn count_each(run: &Run, ranges: &[Range], until: Option<i64>) -> Result<Vec<u64>, Error> {
    let count = |range: Range| run.count(run.jql(range).before(Axis::Updated, until.unwrap_or(i64::MAX)));
    let mut counts = futures_util::stream::iter(ranges.iter().copied()).map(count).buffered(run.lanes());
    let mut all = Vec::with_capacity(ranges.len());
    while let Some(count) = counts.next().await {
        all.push(count?);
    }
    Ok(all)
}

async fn count_quiet(run: &Run, groups: &[Range], until: i64) -> Result<u64, Error> {
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return Ok(0) };
    run.count(run.jql(Range { to: last.to, ..*first }).before(Axis::Updated, until)).await
}

/// Compares ids, repairs, and counts again until both agree. What came into the second of `until_ms` meanwhile need not: the next
/// delta load starts before it.
async fn settle(run: &Run, known: &mut Known, group: Range, until_ms: i64) -> Result<(), Error> {
    let mut counts = (0, 0);
    for _ in 0..ROUNDS_MAX {
        let mut shown = Heads { is_cloud: run.client.is_cloud(), ..Heads::default() };
        Walk::over_heads(run).range(group, &mut shown).await?;
        let ids = known.ids(group);
        let gone: BTreeSet<i64> = ids.iter().copied().filter(|id| !shown.seen.contains_key(id)).collect();
        let missing: Vec<(i64, i64)> = shown
            .seen
            .into_iter()
            .map(|(id, times)| (id, times.created_ms))
            .filter(|(id, _)| !ids.contains(id))
            .collect();
        if !gone.is_empty() || !missing.is_empty() {
            tracing::debug!(
                event = "slices_repaired",
                gone = gone.len(),
                missing = missing.len(),
                "a group of slices is repaired"
            );
            repair(run, known, group, (&gone, &missing)).await?;
        }
        counts = (known.count(group), run.count(run.jql(group)).await?);
        if counts.0 == counts.1 {
            return Ok(());
        }
    }
    if counts.0 > counts.1 {
        // What was deleted after its id was shown again is as if deleted after the end; the next full load takes it out.
        let message = "issues went on being deleted while they were counted; the next full load takes the last of them out";
        return run.warn("still_deleting", message, counts.0 - counts.1).await;
    }
    let vouched = Range { to: group.to.min(until_ms), ..group };
    if vouched.to < group.to
        && (vouched.is_empty() || known.count(vouched) >= run.count(run.jql(vouched)).await?)
    {
        return Ok(());
    }
    let detail = format!(
        "{} issues were read, but Jira counts {}, still after {ROUNDS_MAX} comparisons of their ids",
        counts.0, counts.1
    );
    Err(Error::Incomplete { slice: group.to_string(), detail })
}

/// Takes out what is gone and reads what is missing (id and creation time).
async fn repair(
    run: &Run,
    known: &mut Known,
    group: Range,
    (gone, missing): (&BTreeSet<i64>, &[(i64, i64)]),
) -> Result<(), Error> {
    let generation = run.next_generation();
    let asks = run.asks().await;
    let writer = UnitWriter::open(run, "repair", generation).await;
    let wanted: HashSet<i64> = missing.iter().map(|(id, _)| *id).collect();
    let mut rows = Rows::new(run, writer, Gate::Wanted(wanted));
    for range in ranges_of(missing.iter().map(|(_, created)| *created)) {
        Walk::over_rows(run, asks.clone(), ISSUES_PER_PAGE, i64::MAX).range(range, &mut rows).await?;
    }
    let ids = rows.accepted_ids();
    let Rows { mut writer, accepted, .. } = rows;
    let replaced: Vec<i64> = gone.iter().copied().chain(ids).collect();
    writer.sink.replaced(&replaced).map_err(|error| Error::undecodable("the ids of a repair", &error))?;
    known.remove(group, gone);
    for issue in &accepted {
        known.add(issue.id, issue.created_ms);
    }
    let work = Work::Repair { generation, range: group };
    writer.finish(|stats| Done::new(work, stats).with_issues(&accepted).with_gone(gone.iter().copied())).await
}

/// Takes issues out whose children were gone when asked for, where no proof follows.
pub(crate) async fn take_out(run: &Run, vanished: &[i64]) -> Result<(), Error> {
    let gone: BTreeSet<i64> = vanished.iter().copied().collect();
    if gone.is_empty() {
        return Ok(());
    }
    let everything = Range::new(Axis::Created, i64::MIN, i64::MAX);
    repair(run, &mut Known::default(), everything, (&gone, &[])).await
}

/// Few seconds: each alone. Many: one range over all.
pub(crate) fn ranges_of(created: impl Iterator<Item = i64>) -> Vec<Range> {
    let seconds: BTreeSet<i64> = created.map(floor_second).collect();
    let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else { return Vec::new() };
    if seconds.len() > SECONDS_MAX {
        return vec![Range::new(Axis::Created, *first, last.saturating_add(SECOND_MS))];
    }
    seconds.iter().map(|second| Range::of_second(Axis::Created, *second)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_missing_issues_are_asked_for_by_their_seconds() {
        assert_eq!(ranges_of([5_100, 5_900, 9_000].into_iter()).len(), 2);
        let many = ranges_of((0..100).map(|at| at * 1000));
        assert_eq!(many, [Range::new(Axis::Created, 0, 100_000)]);
        assert_eq!(ranges_of(std::iter::empty()), []);
    }
}
