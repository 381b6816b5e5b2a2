//! Cuts a range into slices by offset probes, while the first slices are read already.
//!
//! The first question gives the count and up to a thousand times at once, which is all that a small range needs. Beyond it, probes ask for
//! the one issue at every so many issues, several at once, up to Jira's search window; the next round starts at the last cut. Jira Cloud
//! knows no offsets: there the times are looked at one page after the other, or, where it shows few times at once, the range is halved by
//! estimated counts.

use crate::decode::PageHead;
use crate::error::Error;
use crate::extraction::cloud;
use crate::extraction::run::Run;
use crate::jql::Axis;
use crate::paging::cuts::{Cuts, ISSUES_PER_CLOUD_PAGE, fresh_in_page, slice_target};
use crate::paging::halving::{Halving, HalvingStep};
use crate::paging::range::{Range, SECOND_MS, floor_second};
use futures_util::StreamExt;
use tokio::sync::mpsc;

/// Slices cut in advance: enough that no lane waits, few enough that cutting stays near reading.
pub(crate) const SLICES_AHEAD: usize = 16;

/// Sends slices that cover the range, in order; nothing for a range without issues.
pub(crate) async fn cut(run: &Run, range: Range, out: &mpsc::Sender<Range>) -> Result<(), Error> {
    if run.client.is_cloud() {
        return cut_by_token(run, range, out).await;
    }
    let listed = run.listed(range).await?;
    run.add_issues_total(listed.total);
    if listed.total == 0 {
        return Ok(());
    }
    let times = times(&listed, range.axis);
    let target = slice_target(listed.total, run.lanes(), fresh_in_page(listed.max_results));
    let mut cutter = Cutter { run, out, cuts: Cuts::new(range), target };
    let used = cutter.cut_listed(&times).await;
    if !is_complete(&listed) {
        cutter.cut_by_probes(listed.total - used).await?;
    }
    cutter.finish().await;
    Ok(())
}

/// On Jira Cloud, which knows no offsets: every time is looked at, page after page, while the first slices are read already. Where Jira Cloud
/// shows less at once than was asked for, looking would cost as much as reading.
async fn cut_by_token(run: &Run, range: Range, out: &mpsc::Sender<Range>) -> Result<(), Error> {
    let jql = run.jql(range).by_time(range.axis);
    let estimated = run.estimate(run.jql(range)).await?;
    run.add_issues_total(estimated);
    // What was created is read by id and nothing twice; what was updated is walked over.
    let fresh = if range.axis == Axis::Created {
        ISSUES_PER_CLOUD_PAGE
    } else {
        fresh_in_page(ISSUES_PER_CLOUD_PAGE)
    };
    let target = slice_target(estimated, run.lanes(), fresh);
    let mut cutter = Cutter { run, out, cuts: Cuts::new(range), target };
    let (mut token, mut seen, mut since_cut) = (None, 0, 0);
    loop {
        let asked: Option<String> = token.take();
        let page = run.cloud_heads(jql.clone(), cloud::HEADS_PER_PAGE, asked.clone()).await?;
        let shown = u64::try_from(page.issues.len()).unwrap_or(u64::MAX);
        if let Some(first) = times(&page, range.axis).first().filter(|_| asked.is_none())
            && page.next.is_some()
            && shown < cloud::HEADS_PER_PAGE
        {
            let from = floor_second(*first).max(range.from);
            return cutter.cut_by_halves(Range { from, ..range }, estimated.max(shown)).await;
        }
        for time in times(&page, range.axis) {
            seen += 1;
            if since_cut >= cutter.target && cutter.cut(time).await {
                since_cut = 0;
            }
            since_cut += 1;
        }
        token = page.next.filter(|next| asked.as_ref() != Some(next));
        if token.is_none() || out.is_closed() {
            break;
        }
    }
    if seen > 0 {
        cutter.finish().await;
    }
    Ok(())
}

/// Slices of a range whose issues are all listed, for pages of at most so many.
pub(crate) fn cut_listed(range: Range, times: &[i64], lanes: usize, page_max: u64) -> Vec<Range> {
    let total = u64::try_from(times.len()).unwrap_or(u64::MAX);
    let mut cuts = Cuts::new(range);
    let mut slices: Vec<Range> = every(times, slice_target(total, lanes, fresh_in_page(page_max)))
        .filter_map(|(_, time)| cuts.cut_at(time))
        .collect();
    slices.extend(cuts.finish());
    slices
}

/// Whether an answer lists all that it counts.
pub(crate) fn is_complete(listed: &PageHead) -> bool {
    u64::try_from(listed.issues.len()).is_ok_and(|shown| shown >= listed.total)
}

/// The times of a page, in order.
pub(crate) fn times(page: &PageHead, axis: Axis) -> Vec<i64> {
    let mut times: Vec<i64> = page
        .issues
        .iter()
        .map(|issue| if axis == Axis::Created { issue.created_ms } else { issue.updated_ms })
        .collect();
    times.sort_unstable();
    times
}

/// Every `step`-th time but the first, with its place.
fn every(times: &[i64], step: u64) -> impl Iterator<Item = (u64, i64)> {
    let step = usize::try_from(step.max(1)).unwrap_or(usize::MAX);
    (0_u64..).zip(times.iter().copied()).step_by(step).skip(1)
}

struct Cutter<'a> {
    run: &'a Run,
    out: &'a mpsc::Sender<Range>,
    cuts: Cuts,
    target: u64,
}

impl Cutter<'_> {
    /// Gives how many issues lie before the last cut.
    async fn cut_listed(&mut self, times: &[i64]) -> u64 {
        let mut used = 0;
        for (at, time) in every(times, self.target) {
            if self.cut(time).await {
                used = at;
            }
        }
        used
    }

    async fn cut_by_probes(&mut self, mut left: u64) -> Result<(), Error> {
        while left > self.target && !self.out.is_closed() {
            let used = self.round(left).await?;
            left = match used {
                Some(used) => left.saturating_sub(used),
                None => self.step_over_second().await?,
            };
        }
        Ok(())
    }

    /// One round of probes; gives how many issues lie before its last cut, or `None` if it could cut nowhere.
    async fn round(&mut self, left: u64) -> Result<Option<u64>, Error> {
        let (run, range, target) = (self.run, self.cuts.left(), self.target);
        let last = left.min(run.window());
        let offsets = (1..).map(move |step: u64| step * target).take_while(move |offset| *offset < last);
        // All answers first, then the slices: while a slice waits for a reader, nobody polls the probes, and a probe that nobody polls
        // keeps the request that it was given, until no reader gets one and none ever takes the slice.
        let probes: Vec<_> = futures_util::stream::iter(offsets)
            .map(|offset| async move { (offset, probe(run, range, offset).await) })
            .buffered(run.lanes())
            .collect()
            .await;
        let mut used = None;
        for (offset, found) in probes {
            match found {
                Ok(Some(time)) => {
                    if self.cut(time).await {
                        used = Some(offset);
                    }
                }
                // Fewer issues than counted: deleted meanwhile, or edited past the end.
                Ok(None) => return Ok(Some(left)),
                Err(Error::SearchWindow { .. }) => {
                    run.lower_window(offset);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(used)
    }

    /// A whole window lies in one second: that second becomes a slice of its own. Gives how many issues lie behind it.
    async fn step_over_second(&mut self) -> Result<u64, Error> {
        let range = self.cuts.left();
        if let Some(time) = probe(self.run, range, 0).await? {
            self.cut(time).await;
            self.cut(time.saturating_add(SECOND_MS)).await;
        }
        let behind = self.cuts.left();
        if behind == range { Ok(0) } else { self.run.count(self.run.jql(behind)).await }
    }

    /// On Jira Cloud: by estimates of halves.
    async fn cut_by_halves(mut self, range: Range, estimated: u64) -> Result<(), Error> {
        let mut halving = Halving::new(range, estimated, self.target);
        loop {
            match halving.poll() {
                HalvingStep::Count(half) => {
                    halving.handle_count(self.run.estimate(self.run.jql(half)).await?);
                }
                HalvingStep::Cut(time) => {
                    self.cut(time).await;
                }
                HalvingStep::Done => break,
            }
            if self.out.is_closed() {
                break;
            }
        }
        self.finish().await;
        Ok(())
    }

    async fn finish(self) {
        if let Some(slice) = self.cuts.finish() {
            send(self.out, slice).await;
        }
    }

    async fn cut(&mut self, time: i64) -> bool {
        let Some(slice) = self.cuts.cut_at(time) else { return false };
        send(self.out, slice).await;
        true
    }
}

/// Sends a slice; nobody takes it when reading has failed, and then cutting ends by itself.
async fn send(out: &mpsc::Sender<Range>, slice: Range) {
    if out.send(slice).await.is_err() {
        tracing::debug!(event = "cutting_unheard", "cutting goes on without readers");
    }
}

/// The time of the issue at an offset.
async fn probe(run: &Run, range: Range, offset: u64) -> Result<Option<i64>, Error> {
    let page = run.heads(run.jql(range).by_time(range.axis), offset, 1).await?;
    Ok(times(&page, range.axis).first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_range_is_cut_at_every_page() {
        let times: Vec<i64> = (0..250).map(|second| second * 1000).collect();
        let slices = cut_listed(Range::new(Axis::Updated, -5000, 900_000), &times, 4, 100);
        let ends: Vec<i64> = slices.iter().map(|slice| slice.to).collect();
        assert_eq!(ends, [96_000, 192_000, 900_000]);
        assert_eq!(cut_listed(Range::new(Axis::Updated, 0, 1000), &[1, 2, 3], 4, 100).len(), 1);
    }
}
