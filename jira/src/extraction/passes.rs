//! Passes over issues by the time of their last update: what changed while a full load ran, or since the last load.
//!
//! Each pass covers `[from, until)` on Jira's own clock, where `until` is the second that ran when the pass began, and that running second
//! besides, as a slice of its own. It vouches only for what is before `until`; the next pass, or the next delta load, starts five minutes
//! before it, since Jira's index may lag. An issue that an earlier pass read is not read again if its last update is the same and its
//! second was over then. Passes end when one finds nothing new that was updated since the pass before began.

use crate::checkpoint::{Accepted, Done, Entry, Pass, Work};
use crate::decode::{IssueSeen, PageHead};
use crate::error::Error;
use crate::extraction::lanes::read_all;
use crate::extraction::plan::{SLICES_AHEAD, cut, cut_listed, is_complete};
use crate::extraction::refresh;
use crate::extraction::rows::{Gate, PassGate, Rows};
use crate::extraction::run::Run;
use crate::extraction::walk::Walk;
use crate::extraction::writer::UnitWriter;
use crate::jql::Axis;
use crate::landed::{LandedQuestion, REFERRED_PER_QUESTION};
use crate::paging::cuts::{ISSUES_PER_CLOUD_PAGE, ISSUES_PER_PAGE};
use crate::paging::range::{Range, floor_second};
use crate::spec::Mode;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How far a pass reaches back behind the one before: Jira's index lags, on a cluster by minutes.
pub(crate) const OVERLAP_MS: i64 = 5 * 60 * 1000;
/// On a site that never rests the last of so many passes ends it; what comes later is the next delta load's.
const PASSES_MAX: u32 = 5;

/// Where passes begin.
pub(crate) struct Start {
    /// What was updated before is in the tables already.
    pub(crate) since_ms: i64,
    /// A pass that an earlier agent had begun.
    pub(crate) begun: Option<Begun>,
    /// Jira's clock just now.
    pub(crate) now_ms: i64,
}

/// A pass that an earlier agent had begun.
pub(crate) struct Begun {
    pub(crate) pass: Pass,
    /// What of it was read.
    pub(crate) done: Vec<Range>,
    /// Issues whose links are to be read again.
    pub(crate) linked: Vec<i64>,
}

/// What passes have read.
#[derive(Default)]
pub(crate) struct CaughtUp {
    /// Everything updated before it is in the parts, whole second.
    pub(crate) until_ms: i64,
    /// Every issue read, oldest pass first.
    pub(crate) read: Vec<Accepted>,
    /// Issues whose children were gone when asked for.
    pub(crate) vanished: Vec<i64>,
}

/// What the slices of one pass share.
struct Shared {
    number: u32,
    generation: u32,
    until: i64,
    gate: Arc<PassGate>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    read: Vec<Accepted>,
    vanished: Vec<i64>,
    linked: Vec<i64>,
}

/// Runs passes until the site rests.
pub(crate) async fn catch_up(run: &Arc<Run>, start: Start) -> Result<CaughtUp, Error> {
    let mut caught = CaughtUp { until_ms: start.since_ms, ..CaughtUp::default() };
    let mut number = 1;
    if let Some(begun) = start.begun {
        number = begun.pass.number + 1;
        finish_begun(run, begun, &mut caught).await?;
    }
    let mut now_ms = Some(start.now_ms);
    let mut unchanged: HashMap<i64, i64> = HashMap::new();
    let mut last_seen: HashMap<i64, i64> = HashMap::new();
    for round in 1..=PASSES_MAX {
        let until = match now_ms.take() {
            Some(now_ms) => floor_second(now_ms),
            None => floor_second(run.client.server_info().await?.server_time.timestamp_millis()),
        };
        // Jira's clock may have been set back; a pass never ends before the one before.
        let until = until.max(caught.until_ms);
        let pass = Pass { number, from: caught.until_ms.saturating_sub(OVERLAP_MS), until };
        let found = read_pass(run, pass, &unchanged).await?;
        let is_new = |issue: &Accepted| {
            issue.updated_ms >= caught.until_ms && last_seen.get(&issue.id) != Some(&issue.updated_ms)
        };
        let rests = !found.read.iter().any(is_new);
        last_seen.extend(found.read.iter().map(|issue| (issue.id, issue.updated_ms)));
        last_seen.retain(|_, updated_ms| *updated_ms >= until);
        unchanged.extend(
            found
                .read
                .iter()
                .filter(|issue| issue.updated_ms < until)
                .map(|issue| (issue.id, issue.updated_ms)),
        );
        unchanged.retain(|_, updated_ms| *updated_ms >= until.saturating_sub(OVERLAP_MS));
        caught.until_ms = until;
        caught.add(run, found).await?;
        if rests {
            break;
        }
        if round == PASSES_MAX {
            let message = "issues went on changing while they were read; the next delta load brings what changed after the watermark";
            run.warn("still_changing", message, 1).await?;
        }
        number += 1;
    }
    Ok(caught)
}

/// Reads what an earlier agent left of a pass, as a generation of its own: what it re-reads replaces what was read before.
async fn finish_begun(
    run: &Arc<Run>,
    Begun { pass, done, linked }: Begun,
    caught: &mut CaughtUp,
) -> Result<(), Error> {
    let closed = Range::new(Axis::Updated, pass.from, pass.until);
    let open = Range::of_second(Axis::Updated, pass.until);
    let gaps: Vec<Range> = closed.without(&done).into_iter().chain(open.without(&done)).collect();
    let mut found = read_ranges(run, pass, HashMap::new(), Cut::ByProbes(gaps)).await?;
    found.linked.extend(linked);
    caught.until_ms = pass.until;
    caught.add(run, found).await
}

async fn read_pass(run: &Arc<Run>, pass: Pass, unchanged: &HashMap<i64, i64>) -> Result<Found, Error> {
    let closed = Range::new(Axis::Updated, pass.from, pass.until);
    let open = Range::of_second(Axis::Updated, pass.until);
    let whole = Range { to: open.to, ..closed };
    let listed = run.listed(whole).await?;
    let cut = if is_complete(&listed) {
        Cut::Listed(slices_of(run, &listed, unchanged, (closed, open)))
    } else {
        Cut::ByProbes(vec![closed, open])
    };
    if matches!(&cut, Cut::Listed(slices) if slices.is_empty()) {
        return Ok(Found::default());
    }
    let entry = Entry::Pass(pass);
    run.emit_done(run.next_unit("pass"), &entry, 0).await?;
    read_ranges(run, pass, unchanged.clone(), cut).await
}

/// Slices that hold everything listed that no earlier pass read as it is.
fn slices_of(
    run: &Run,
    listed: &PageHead,
    unchanged: &HashMap<i64, i64>,
    (closed, open): (Range, Range),
) -> Vec<Range> {
    let is_fresh = |issue: &&IssueSeen| unchanged.get(&issue.id) != Some(&issue.updated_ms);
    let mut times: Vec<i64> = listed.issues.iter().filter(is_fresh).map(|issue| issue.updated_ms).collect();
    times.sort_unstable();
    run.add_issues_total(u64::try_from(times.len()).unwrap_or_default());
    let running = times.partition_point(|time| *time < closed.to);
    let (over, running) = times.split_at(running);
    let mut slices = Vec::new();
    if let Some(first) = over.first() {
        let fresh = Range { from: floor_second(*first).max(closed.from), ..closed };
        let page_max = if run.client.is_cloud() { ISSUES_PER_CLOUD_PAGE } else { listed.max_results };
        slices = cut_listed(fresh, over, run.lanes(), page_max);
    }
    // An issue that was edited after the index found it shows a later time; the next pass finds it.
    if !running.is_empty() {
        slices.push(open);
    }
    slices
}

/// How slices of a pass come about.
enum Cut {
    Listed(Vec<Range>),
    ByProbes(Vec<Range>),
}

async fn read_ranges(
    run: &Arc<Run>,
    pass: Pass,
    unchanged: HashMap<i64, i64>,
    cut: Cut,
) -> Result<Found, Error> {
    let shared = Arc::new(Shared {
        number: pass.number,
        generation: run.next_generation(),
        until: pass.until,
        gate: Arc::new(PassGate::new(unchanged)),
        found: Mutex::default(),
    });
    let (out, slices) = mpsc::channel(SLICES_AHEAD);
    let mut tasks = JoinSet::new();
    tasks.spawn(send_slices(Arc::clone(run), cut, out));
    let read = {
        let (run, shared) = (Arc::clone(run), Arc::clone(&shared));
        move |slice| read_slice(Arc::clone(&run), Arc::clone(&shared), slice)
    };
    read_all(run, tasks, slices, read).await?;
    Ok(std::mem::take(&mut *shared.found()))
}

async fn send_slices(run: Arc<Run>, by: Cut, out: mpsc::Sender<Range>) -> Result<(), Error> {
    match by {
        Cut::Listed(slices) => {
            for slice in slices {
                if out.send(slice).await.is_err() {
                    break;
                }
            }
        }
        Cut::ByProbes(ranges) => {
            for range in ranges {
                cut(&run, range, &out).await?;
            }
        }
    }
    Ok(())
}

async fn read_slice(run: Arc<Run>, shared: Arc<Shared>, slice: Range) -> Result<(), Error> {
    let asks = run.asks().await;
    let writer = UnitWriter::open(&run, "pass", shared.generation).await;
    let mut rows = Rows::new(&run, writer, Gate::Pass(Arc::clone(&shared.gate)));
    Walk::over_rows(&run, asks, ISSUES_PER_PAGE, shared.until).range(slice, &mut rows).await?;
    let ids = rows.accepted_ids();
    let Rows { mut writer, accepted, vanished, mut linked, moved, .. } = rows;
    linked.extend(referring(&run, &moved).await?);
    writer.sink.replaced(&ids).map_err(|error| Error::undecodable("the ids of a pass", &error))?;
    {
        let mut found = shared.found();
        found.read.extend(accepted.iter().copied());
        found.vanished.extend(vanished);
        found.linked.extend(linked.iter().copied());
    }
    let work = Work::CatchUp { pass: shared.number, generation: shared.generation, range: slice };
    writer.finish(|stats| Done::new(work, stats).with_issues(&accepted).with_linked(&linked)).await
}

/// The issues that landed with rows which may hold an old key of a moved one, such as those in an epic. A full load begins beside no table.
pub(crate) async fn referring(run: &Run, moved: &[i64]) -> Result<Vec<i64>, Error> {
    let mut found = Vec::new();
    if run.spec.mode != Mode::Full {
        for issues in moved.chunks(REFERRED_PER_QUESTION) {
            found.extend(run.ask(LandedQuestion::Referring { issues: issues.to_vec() }).await?.ids()?);
        }
    }
    Ok(found)
}

impl CaughtUp {
    /// Takes what a pass found, and reads the issues again whose links may show an old key of it.
    async fn add(&mut self, run: &Arc<Run>, found: Found) -> Result<(), Error> {
        let read: HashSet<i64> = found.read.iter().map(|issue| issue.id).collect();
        let linked: BTreeSet<i64> = found.linked.into_iter().filter(|id| !read.contains(id)).collect();
        self.read.extend(found.read);
        self.vanished.extend(found.vanished);
        let again = refresh::read(run, &linked).await?;
        self.read.extend(again.accepted);
        self.vanished.extend(again.vanished);
        Ok(())
    }
}

impl Shared {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of each issue the last reading, if it shows an update at or after `until_ms`: those are not counted by a condition on what is before.
pub(crate) fn updated_since(read: &[Accepted], until_ms: i64) -> Vec<Accepted> {
    let last: HashMap<i64, Accepted> = read.iter().map(|issue| (issue.id, *issue)).collect();
    last.into_values().filter(|issue| issue.updated_ms >= until_ms).collect()
}
