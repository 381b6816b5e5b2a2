//! A sweep: what landed before against what Jira shows now, without reading what is the same.
//!
//! What changes in Jira without a trace in `updated`: an issue is deleted, moved out of what the extraction asks for, hidden from the
//! account or shown to it again, its project archived or brought back. And the issues that link to it lose or regain the link, untouched.
//!
//! 1. The keeper of the tables cuts the creation times of what landed into slices ([`crate::landed`]). Creation times never change, so an
//!    issue is in the same slice here and there.
//! 2. Each slice is counted. Where the count differs from what landed, or if every id is to be compared, the ids of that slice are read from
//!    both sides. Jira Cloud counts nothing exactly, so there ids are read at once.
//! 3. What landed and is not shown is taken out (`_replaced`); what is shown and did not land is read. When every id is compared, so are the
//!    times of the last update: an issue that was edited, hidden while the next load ran, and shown again later landed as it was before.
//! 4. The issues whose rows lead to something that was gone are read again, and those that the missing ones link to: also the ones that this
//!    run had read already, because they were edited too. When every id is compared, so are those whose links or parents did not land or
//!    have another key by now, and links shown at one end only: what happened between two loads.
//!
//! Only one slice a lane, and what differs in [`SLICES_PER_UNIT`] of them, is in memory. Rows of projects that the premises do not permit (any
//! more) are none of this run's business: they count as not landed.

use crate::checkpoint::{Done, Entry, Swept, UnitStats, Work};
use crate::error::Error;
use crate::extraction::events::Phase;
use crate::extraction::passes::{self, CaughtUp};
use crate::extraction::proof;
use crate::extraction::refresh;
use crate::extraction::rows::{Gate, Rows};
use crate::extraction::run::Run;
use crate::extraction::walk::{Heads, Walk};
use crate::extraction::writer::UnitWriter;
use crate::jql::Axis;
use crate::landed::{LandedIssues, LandedQuestion, REFERRED_PER_QUESTION};
use crate::paging::cuts::ISSUES_PER_PAGE;
use crate::paging::range::Range;
use crate::spec::SweepDepth;
use crate::tables::Table;
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Slices whose comparison is one unit: each is an entry of the checkpoint.
const SLICES_PER_UNIT: usize = 64;

/// A sweep to be done.
pub(crate) struct Sweep {
    /// What was created before is compared.
    until_ms: i64,
    depth: SweepDepth,
    swept: Swept,
    /// Creation time and id of what this run has read: it counts as landed.
    read: BTreeSet<(i64, i64)>,
    /// Whether this run took something out before the sweep: what landed is then no measure of what the tables will hold.
    took_out: bool,
}

/// A range of creation time, and how many issues of it landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slice {
    range: Range,
    /// `None` where the keeper's slice reaches beyond what is compared.
    landed: Option<u64>,
}

/// How a slice differs.
#[derive(Debug, Default)]
struct Difference {
    gone: BTreeSet<i64>,
    /// Id and creation time of what did not land, or as it was before.
    missing: Vec<(i64, i64)>,
}

/// What landed of a slice, by earlier runs or this one.
struct Held {
    /// By earlier runs: the time of the last update by id, if that is known.
    landed: HashMap<i64, Option<i64>>,
    /// Read by this run: the creation time by id.
    read: HashMap<i64, i64>,
}

impl Held {
    fn count(&self) -> u64 {
        let new = self.read.keys().filter(|id| !self.landed.contains_key(id)).count();
        u64::try_from(self.landed.len() + new).unwrap_or(u64::MAX)
    }

    /// What this run has read of what no earlier run landed: the other ends of its links were not read with it.
    fn returned(&self) -> Vec<(i64, i64)> {
        let read = self.read.iter().map(|(id, created_ms)| (*id, *created_ms));
        read.filter(|(id, _)| !self.landed.contains_key(id)).collect()
    }

    fn against(&self, shown: &Heads) -> Difference {
        let is_gone = |id: &&i64| !shown.seen.contains_key(id);
        let gone = self.landed.keys().chain(self.read.keys()).filter(is_gone).copied().collect();
        let is_missing = |id: i64, updated_ms: i64| match self.landed.get(&id) {
            None => true,
            Some(landed) => !self.read.contains_key(&id) && landed.is_some_and(|landed| landed != updated_ms),
        };
        let seen = shown.seen.iter();
        let missing = seen.filter(|(id, times)| is_missing(**id, times.updated_ms));
        Difference { gone, missing: missing.map(|(id, times)| (*id, times.created_ms)).collect() }
    }
}

impl Sweep {
    /// Goes on after what was swept and read before a resumption.
    pub(crate) fn new(
        (until_ms, depth): (i64, SweepDepth),
        swept: Swept,
        read_again: BTreeMap<i64, i64>,
    ) -> Self {
        let read = read_again.into_iter().map(|(id, created_ms)| (created_ms, id)).collect();
        let took_out = !swept.gone.is_empty();
        Self { until_ms, depth, swept, read, took_out }
    }

    /// After the passes of a delta load.
    pub(crate) fn after(mut self, caught: &CaughtUp) -> Self {
        self.read.extend(caught.read.iter().map(|issue| (issue.created_ms, issue.id)));
        let vanished: HashSet<i64> = caught.vanished.iter().copied().collect();
        self.read.retain(|(_, id)| !vanished.contains(id));
        self.took_out |= !vanished.is_empty();
        self.swept.gone.extend(vanished);
        self
    }

    fn read_in(&self, range: Range) -> impl Iterator<Item = (i64, i64)> {
        self.read
            .range((range.from, i64::MIN)..(range.to, i64::MIN))
            .map(|(created_ms, id)| (*id, *created_ms))
    }
}

/// Sweeps.
pub(crate) async fn run(run: &Run, mut sweep: Sweep) -> Result<(), Error> {
    run.set_phase(Phase::Sweeping);
    tell_of_blind_spots(run, sweep.depth).await?;
    let by_project = run.spec.narrowing.has_projects();
    let slices = slices(run, &sweep, by_project).await?;
    for some in slices.chunks(SLICES_PER_UNIT) {
        let difference = compare_all(run, &sweep, some).await?;
        if let (Some(first), Some(last)) = (some.first(), some.last()) {
            mend(run, &mut sweep, Range { to: last.range.to, ..first.range }, difference).await?;
        }
    }
    let again = to_read_again(run, &sweep).await?;
    let read = refresh::read(run, &again).await?;
    proof::take_out(run, &read.vanished).await
}

/// Says what the sweep cannot find because the rows do not tell it in clear.
async fn tell_of_blind_spots(run: &Run, depth: SweepDepth) -> Result<(), Error> {
    let masking = run.masking().await;
    let is_blind =
        |table: Table, column: &str| run.spec.tables.contains(&table) && !masking.is_in_clear(table, column);
    if depth == SweepDepth::EveryId && is_blind(Table::Issues, "updated") {
        let message = "issues.updated does not land in clear: issues that were edited, hidden and shown again between two loads are not found";
        run.warn("sweep_without_updates", message, 1).await?;
    }
    for (table, column) in [(Table::Issues, "parent_id"), (Table::IssueLinks, "other_issue_id")] {
        if is_blind(table, column) {
            let message = format!(
                "{table}.{column} does not land in clear: rows that lead to issues which are gone are not read again"
            );
            run.warn("sweep_without_references", &message, 1).await?;
        }
    }
    Ok(())
}

/// What is to be compared, without what an earlier agent has compared.
async fn slices(run: &Run, sweep: &Sweep, by_project: bool) -> Result<Vec<Slice>, Error> {
    let bounds = run.created_bounds();
    let whole = Range::new(Axis::Created, bounds.from, bounds.to.min(sweep.until_ms));
    let told = run.ask(LandedQuestion::Slices { by_project }).await?.slices()?;
    let permitted =
        |project: &Option<String>| !by_project || run.spec.narrowing.permits_row_of(project.as_deref());
    let mut from = i64::MIN;
    let mut slices = Vec::with_capacity(told.len());
    for slice in told {
        let landed =
            slice.counts.iter().filter(|(project, _)| permitted(project)).map(|(_, count)| count).sum();
        slices.push((Range::new(Axis::Created, from, slice.to_ms), landed));
        from = slice.to_ms;
    }
    if from != i64::MAX {
        return Err(Error::Landed {
            detail: "the slices of what landed do not reach the end of time".to_owned(),
        });
    }
    Ok(clipped(&slices, whole, &sweep.swept.done))
}

fn clipped(slices: &[(Range, u64)], whole: Range, done: &[Range]) -> Vec<Slice> {
    let left = whole.without(done);
    let of_gap = |gap: &Range| {
        let gap = *gap;
        slices.iter().filter_map(move |(range, landed)| {
            let inner = Range { from: range.from.max(gap.from), to: range.to.min(gap.to), ..gap };
            let is_whole = inner.from == range.from && inner.to == range.to;
            // Nothing landed from beyond the bounds of the extraction, so an open end loses nothing by being cut there.
            let is_whole =
                is_whole || (whole.from == inner.from && range.from == i64::MIN && inner.to == range.to);
            (!inner.is_empty()).then_some(Slice { range: inner, landed: is_whole.then_some(*landed) })
        })
    };
    left.iter().flat_map(of_gap).collect()
}

/// Compares slices, as many at once as there are lanes.
async fn compare_all(run: &Run, sweep: &Sweep, slices: &[Slice]) -> Result<Difference, Error> {
    let mut compared = futures_util::stream::iter(slices.iter().copied())
        .map(|slice| compare(run, sweep, slice))
        .buffer_unordered(run.lanes());
    let mut all = Difference::default();
    while let Some(difference) = compared.next().await {
        let Difference { gone, missing } = difference?;
        all.gone.extend(gone);
        all.missing.extend(missing);
    }
    Ok(all)
}

async fn compare(run: &Run, sweep: &Sweep, slice: Slice) -> Result<Difference, Error> {
    let range = slice.range;
    let mut known = None;
    if sweep.depth == SweepDepth::Counts && !run.client.is_cloud() {
        let (count, returned) =
            match slice.landed.filter(|_| !sweep.took_out && sweep.read_in(range).next().is_none()) {
                Some(landed) => (landed, Vec::new()),
                None => {
                    let known = known.insert(landed(run, sweep, range).await?);
                    (known.count(), known.returned())
                }
            };
        if run.count(run.jql(range)).await? == count {
            return Ok(Difference { missing: returned, ..Difference::default() });
        }
    }
    let known = match known {
        Some(known) => known,
        None => landed(run, sweep, range).await?,
    };
    let mut shown = Heads { is_cloud: run.client.is_cloud(), ..Heads::default() };
    Walk::over_heads(run).range(range, &mut shown).await?;
    Ok(known.against(&shown))
}

/// What landed of a range, by earlier runs or this one.
async fn landed(run: &Run, sweep: &Sweep, range: Range) -> Result<Held, Error> {
    let by_project = run.spec.narrowing.has_projects();
    let with_updated = sweep.depth == SweepDepth::EveryId;
    let question = LandedQuestion::Issues { from_ms: range.from, to_ms: range.to, by_project, with_updated };
    let permitted =
        |of: &LandedIssues| !by_project || run.spec.narrowing.permits_row_of(of.project.as_deref());
    let mut known = Held { landed: HashMap::new(), read: sweep.read_in(range).collect() };
    for of in run.ask(question).await?.issues()?.into_iter().filter(permitted) {
        let mut updated = of.updated_ms.into_iter();
        let issues = of.ids.into_iter().map(|id| (id, updated.next()));
        known.landed.extend(issues.filter(|(id, _)| !sweep.swept.gone.contains(id)));
    }
    Ok(known)
}

/// Takes out what is gone and reads what is missing, as one unit.
async fn mend(run: &Run, sweep: &mut Sweep, range: Range, difference: Difference) -> Result<(), Error> {
    let Difference { gone, missing } = difference;
    if gone.is_empty() && missing.is_empty() {
        let done = Done::new(Work::Sweep { generation: 0, range }, UnitStats::default());
        return run.emit_done(run.next_unit("sweep"), &Entry::Unit(Box::new(done)), 0).await;
    }
    tracing::debug!(
        event = "slices_swept",
        gone = gone.len(),
        missing = missing.len(),
        "slices differ from Jira"
    );
    let generation = run.next_generation();
    let asks = run.asks().await;
    let writer = UnitWriter::open(run, "sweep", generation).await;
    let wanted = Gate::Wanted(missing.iter().map(|(id, _)| *id).collect());
    let mut rows = Rows::new(run, writer, wanted).with_links_of_all();
    for seconds in proof::ranges_of(missing.iter().map(|(_, created)| *created)) {
        Walk::over_rows(run, asks.clone(), ISSUES_PER_PAGE, i64::MAX).range(seconds, &mut rows).await?;
    }
    let read = rows.accepted_ids();
    let Rows { mut writer, accepted, vanished, mut linked, moved, .. } = rows;
    linked.extend(passes::referring(run, &moved).await?);
    let replaced: Vec<i64> = gone.iter().copied().chain(read).collect();
    writer.sink.replaced(&replaced).map_err(|error| Error::undecodable("the ids of a sweep", &error))?;
    let work = Work::Sweep { generation, range };
    let told = gone.iter().copied();
    writer
        .finish(|stats| Done::new(work, stats).with_issues(&accepted).with_gone(told).with_linked(&linked))
        .await?;
    sweep.swept.gone.extend(&gone);
    sweep.swept.linked.extend(linked);
    proof::take_out(run, &vanished).await?;
    sweep.swept.gone.extend(vanished);
    Ok(())
}

/// The issues whose rows lead to something that is gone, or lack a link to something that came back.
async fn to_read_again(run: &Run, sweep: &Sweep) -> Result<BTreeSet<i64>, Error> {
    let mut again = sweep.swept.linked.clone();
    let gone: Vec<i64> = sweep.swept.gone.iter().copied().collect();
    for issues in gone.chunks(REFERRED_PER_QUESTION) {
        again.extend(run.ask(LandedQuestion::Referring { issues: issues.to_vec() }).await?.ids()?);
    }
    if sweep.depth == SweepDepth::EveryId {
        again.extend(run.ask(LandedQuestion::Astray).await?.ids()?);
    }
    again.retain(|id| !sweep.swept.gone.contains(id));
    Ok(again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: i64, to: i64) -> Range {
        Range::new(Axis::Created, from, to)
    }

    #[test]
    fn a_slice_that_is_cut_is_not_compared_by_its_count() {
        let slices = [(range(i64::MIN, 5_000), 3), (range(5_000, 9_000), 4), (range(9_000, i64::MAX), 5)];
        let cut = clipped(&slices, range(i64::MIN, 12_000), &[range(5_000, 6_000)]);
        let slice = |from, to, landed| Slice { range: range(from, to), landed };
        assert_eq!(
            cut,
            [slice(i64::MIN, 5_000, Some(3)), slice(6_000, 9_000, None), slice(9_000, 12_000, None)]
        );
    }

    #[test]
    fn the_bounds_of_the_extraction_cut_nothing_that_landed() {
        let slices = [(range(i64::MIN, 5_000), 3), (range(5_000, i64::MAX), 4)];
        let cut = clipped(&slices, range(1_000, 9_000), &[]);
        assert_eq!(cut.iter().map(|slice| slice.landed).collect::<Vec<_>>(), [Some(3), None]);
    }
}
