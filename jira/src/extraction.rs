//! An extraction: a run's tasks behind one bounded stream of events.
//!
//! # A full load
//!
//! 1. Login; Jira's clock then is the *start*. The columns are fixed from `/field` and told in the first checkpoint entry.
//! 2. Base pass (generation 0): issues created before the start, in slices by creation time, several at once. Creation times never
//!    change, so slices never overlap, however often the run is resumed.
//! 3. Passes (generations 1, 2, ...) by update time, from five minutes before the start: what was edited, created or moved since. Each pass
//!    also yields the ids it has read again (`_replaced`), which remove older rows of these issues at the commit.
//!    A move changes the key that *other* issues show in their links without updating them: those are read again after each pass.
//! 4. Proof: counts, and ids where counts differ. Issues that are gone are taken out, missing ones read, in generations of their own.
//!
//! A delta load is steps 1 and 3 from the watermark, and issues whose work logs the feeds name (`feeds`); it cannot see deletions. Neither load sees that a link has gone because the issue at
//! its other end was deleted *after* this end was read: Jira updates nothing but the deleted issue. A sweep sees both.
//!
//! # A sweep
//!
//! Written at the head of `sweep`. With `delta` it follows the passes of a delta load in the same run.
//!
//! # Why a resumed run is exact
//!
//! Entries tell which slices are done and which ids they hold; start and columns come from the first entry.
//! - Base pass: only what no finished slice covers is read. Slices are disjoint ranges of a time that never changes, so no issue of
//!   generation 0 comes twice; what happened to issues of finished slices since is found by the passes, which start from the same *start*.
//! - Passes: of the last pass begun, what its finished slices do not cover is read in a *new* generation G, larger than any named before.
//!   An issue that a finished slice holds and that was edited since has moved forward: either into a gap, where G reads it again and
//!   replaces the older row, or past the end, where the next pass finds it, from five minutes before the begun pass's end. Within G no id comes twice.
//! - Links of moved issues: the entries of a pass name the issues to read again, and a pass begins only after those of the one before.
//! - Sweep: what was compared is told in entries by ranges of creation time, with what was gone; what refers to that is read again at the end.
//! - Proof: ids of passes and repairs are known from their entries, applied in the order of generations; so what was deleted between the
//!   two agents is found like any other deletion.

pub(crate) mod base;
pub(crate) mod check;
pub(crate) mod cloud;
pub(crate) mod discover;
pub(crate) mod each;
pub(crate) mod events;
pub(crate) mod feeds;
pub(crate) mod glance;
pub(crate) mod lanes;
pub(crate) mod metadata;
pub(crate) mod of_issue;
pub(crate) mod passes;
pub(crate) mod plan;
pub(crate) mod proof;
pub(crate) mod refresh;
pub(crate) mod rows;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod subjects;
pub(crate) mod sweep;
pub(crate) mod walk;
pub(crate) mod writer;

use crate::checkpoint::{CheckpointEntry, Done, Entry, Plan, Resume, Work};
use crate::client::JiraClient;
use crate::client::allow::Read;
use crate::error::Error;
use crate::fields::{IssueSchema, Landed};
use crate::jql::Axis;
use crate::landed::LandedQuestion;
use crate::paging::known::Known;
use crate::paging::range::{Range, SECOND_MS, floor_second};
use crate::spec::{Mode, Spec, Watermark};
use crate::tables::Table;
use events::{Event, Phase, Summary};
use passes::{Begun, CaughtUp, Start};
use run::Run;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use sweep::Sweep;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use writer::UnitWriter;

/// Events that wait for the caller: enough that reading and sending overlap, few since each may be a whole part.
const EVENTS_AHEAD: usize = 4;

/// A running extraction. Dropping it ends all its work at once.
pub struct Extraction {
    events: mpsc::Receiver<Result<Event, Error>>,
    /// Holds the task so that it ends with this value.
    _task: JoinSet<()>,
    ended: bool,
}

/// Starts an extraction. `resume` holds the entries stored so far, in their order; none for a new run.
///
/// Must be called inside a Tokio runtime.
pub fn extract(
    client: JiraClient,
    spec: Spec,
    resume: Vec<CheckpointEntry>,
    cancel: CancellationToken,
) -> Extraction {
    let (out, events) = mpsc::channel(EVENTS_AHEAD);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let ended = cancel.run_until_cancelled(drive(&client, spec, resume, out.clone())).await;
        let last = match ended {
            Some(Ok(summary)) => Ok(Event::Finished(summary)),
            Some(Err(error)) => Err(error),
            None => Err(Error::Cancelled),
        };
        if out.send(last).await.is_err() {
            tracing::debug!(event = "extraction_unheard", "nobody waits for the end of the extraction");
        }
    });
    Extraction { events, _task: task, ended: false }
}

impl Extraction {
    /// The next event; `None` after the last, which is `Finished` or an error. Not calling this stops the reading of Jira.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        if self.ended {
            return None;
        }
        let broken = || {
            Err(Error::Client {
                detail: "the extraction broke off without a reason; this is a defect, please report it"
                    .to_owned(),
            })
        };
        let event = self.events.recv().await.unwrap_or_else(broken);
        self.ended = matches!(event, Err(_) | Ok(Event::Finished(_)));
        Some(event)
    }
}

async fn drive(
    client: &JiraClient,
    spec: Spec,
    entries: Vec<CheckpointEntry>,
    out: mpsc::Sender<Result<Event, Error>>,
) -> Result<Summary, Error> {
    let mut resume = Resume::parse(&entries)?;
    drop(entries);
    let masks = spec.masks();
    if resume.plan.as_ref().is_some_and(|plan| !plan.masks_alike(&masks)) {
        return Err(Error::MasksDiffer);
    }
    let run = Arc::new(Run::try_new(client, spec, resume.entries, out)?);
    run.start_generations_at(resume.next_generation);
    for stats in std::mem::take(&mut resume.stats) {
        run.add_unit(stats);
    }
    run.add_issues_total(resume.issues_read);
    run.add_issues_read(usize::try_from(resume.issues_read).unwrap_or_default());
    run.set_phase(Phase::LoggingIn);
    run.client.enter().await?;
    if let Some(scope) = scope::settle(&run).await? {
        run.set_scope(scope);
    }
    if resume.plan.is_none() {
        check::condition(&run).await?;
    }
    run.set_phase(Phase::Reading);
    if run.spec.mode == Mode::Full && run.spec.reads_issues() {
        run.put_slices_first();
    }
    let mut tasks = JoinSet::new();
    for table in run.spec.tables.difference(&resume.metadata_done) {
        tasks.spawn(metadata::read(Arc::clone(&run), *table));
    }
    let fields_wanted =
        run.spec.tables.contains(&Table::Fields) && !resume.metadata_done.contains(&Table::Fields);
    let (now_ms, fields_json) = tokio::try_join!(clock(&run), async {
        let reads = fields_wanted || resume.plan.is_none();
        if reads { run.client.read(&Read::Field).await.map(Some) } else { Ok(None) }
    })?;
    let started_ms = resume.plan.as_ref().map_or(floor_second(now_ms), |plan| plan.started_ms);
    tasks.spawn(prepare(
        Arc::clone(&run),
        (resume.plan.take(), fields_json),
        started_ms,
        Prepare { tables: !resume.tables_done, fields: fields_wanted },
    ));
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    if run.spec.reads_issues() {
        tasks.spawn(read_issues(Arc::clone(&run), resume, (started_ms, now_ms), Arc::clone(&outcome)));
    }
    lanes::join(tasks).await?;
    let outcome = *outcome.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(summarise(&run, outcome).await)
}

/// Jira's own clock, epoch milliseconds.
async fn clock(run: &Run) -> Result<i64, Error> {
    Ok(run.client.server_info().await?.server_time.timestamp_millis())
}

/// What the issues of a run came to.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    until_ms: Option<i64>,
    issues_total: Option<u64>,
}

#[derive(Clone, Copy)]
struct Prepare {
    tables: bool,
    fields: bool,
}

/// Fixes the columns, tells them in the first entry, and makes every selected table exist.
async fn prepare(
    run: Arc<Run>,
    (plan, fields_json): (Option<Plan>, Option<String>),
    started_ms: i64,
    todo: Prepare,
) -> Result<(), Error> {
    let schema = match (plan, &fields_json) {
        (Some(plan), _) => plan.schema,
        (None, json) => {
            let json = json.as_deref().unwrap_or_default();
            let landed = landed_columns(&run).await?;
            let schema = IssueSchema::beside(json, &landed)
                .map_err(|error| Error::undecodable(Read::Field.what(), &error))?;
            for change in landed.changes(&schema) {
                run.warn(change.code, &change.message, 1).await?;
            }
            // Before anything of the run is told: a column that the site does not have ends it here.
            run.spec.columns.unchosen(&schema)?;
            let plan = Plan::new(started_ms, schema.clone()).masked(&run.spec.masks());
            run.emit_done(run.next_unit("plan"), &Entry::Plan(plan), 0).await?;
            schema
        }
    };
    run.set_schema(schema)?;
    if todo.tables && run.spec.mode == Mode::Full {
        let mut writer = UnitWriter::open(&run, "tables", 0).await;
        for table in run.spec.tables.iter().filter(|table| table.is_issue_table()) {
            writer.sink.require(*table);
        }
        writer.finish(|stats| Done::new(Work::Tables, stats)).await?;
    }
    match fields_json.filter(|_| todo.fields) {
        Some(json) => metadata::write(&run, Table::Fields, &json).await,
        None => Ok(()),
    }
}

/// Columns of custom fields that landed before.
async fn landed_columns(run: &Run) -> Result<Landed, Error> {
    if !run.spec.tables.contains(&Table::Issues) {
        return Ok(Landed::default());
    }
    run.ask(LandedQuestion::Columns).await?.columns().map(Landed::new)
}

async fn read_issues(
    run: Arc<Run>,
    resume: Resume,
    (started_ms, now_ms): (i64, i64),
    outcome: Arc<Mutex<Outcome>>,
) -> Result<(), Error> {
    let (swept, read_again) = (resume.swept, resume.read_again);
    let begun = resume.last_pass.map(|pass| Begun {
        pass,
        done: resume.last_pass_done,
        linked: resume.last_pass_linked,
    });
    let ended = match run.spec.mode {
        Mode::Full => {
            let known = base::read(&run, started_ms, &resume.base, resume.known).await?;
            full_end(&run, known, (started_ms, begun)).await?
        }
        Mode::Delta { watermark } => {
            let (outcome, _) = delta(&run, Start { since_ms: watermark.epoch_ms(), begun, now_ms }).await?;
            outcome
        }
        Mode::Sweep { watermark, depth, delta: true } => {
            let start = Start { since_ms: watermark.epoch_ms(), begun, now_ms };
            let (outcome, caught) = delta(&run, start).await?;
            let until_ms = with_running_second(caught.until_ms);
            sweep::run(&run, Sweep::new((until_ms, depth), swept, read_again).after(&caught)).await?;
            outcome
        }
        Mode::Sweep { watermark, depth, delta: false } => {
            let until_ms = with_running_second(watermark.epoch_ms());
            sweep::run(&run, Sweep::new((until_ms, depth), swept, read_again)).await?;
            Outcome::default()
        }
    };
    *outcome.lock().unwrap_or_else(PoisonError::into_inner) = ended;
    Ok(())
}

/// A watermark and the second that ran when the last pass began: the pass read that second too, so what it landed can be gone by now.
fn with_running_second(watermark_ms: i64) -> i64 {
    watermark_ms.saturating_add(SECOND_MS)
}

async fn full_end(
    run: &Arc<Run>,
    mut known: Known,
    (since_ms, begun): (i64, Option<Begun>),
) -> Result<Outcome, Error> {
    run.set_phase(Phase::CatchingUp);
    let asked = Instant::now();
    let (now_ms, issues) = tokio::try_join!(clock(run), feeds::changed(run, since_ms))?;
    // The feed may have answered as long before the clock as both took.
    let took_ms = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
    let by_feed = ByFeed { issues, asked_ms: now_ms.saturating_sub(took_ms) };
    let (CaughtUp { until_ms, read, .. }, ()) = tokio::try_join!(
        catch_up_with(run, Start { since_ms, begun, now_ms }, by_feed),
        proof::tell_of_the_future(run, now_ms)
    )?;
    for issue in &read {
        known.add(issue.id, issue.created_ms);
    }
    run.set_phase(Phase::Proving);
    let late = passes::updated_since(&read, until_ms);
    let total = proof::prove(run, &mut known, proof::Caught { until_ms, late: &late }).await?;
    Ok(Outcome { until_ms: Some(until_ms), issues_total: Some(total) })
}

/// What the feeds named.
struct ByFeed {
    issues: BTreeSet<i64>,
    /// Jira's clock, when they were asked or before.
    asked_ms: i64,
}

/// Passes, then what feeds named before them, as far as no pass has read it. Where the passes took long, what the feed of changed work logs has
/// not told before them is out of the next load's sight, which asks from so long before the watermark: the feed is asked once more.
async fn catch_up_with(run: &Arc<Run>, start: Start, by_feed: ByFeed) -> Result<CaughtUp, Error> {
    let ByFeed { mut issues, asked_ms } = by_feed;
    let mut caught = passes::catch_up(run, start).await?;
    for issue in &caught.read {
        issues.remove(&issue.id);
    }
    if feeds::is_out_of_sight(asked_ms, caught.until_ms) {
        issues.extend(feeds::changed(run, asked_ms).await?);
    }
    let again = refresh::read(run, &issues).await?;
    caught.read.extend(again.accepted);
    caught.vanished.extend(again.vanished);
    Ok(caught)
}

async fn delta(run: &Arc<Run>, start: Start) -> Result<(Outcome, CaughtUp), Error> {
    run.set_phase(Phase::CatchingUp);
    let (mut issues, deleted) =
        tokio::try_join!(feeds::changed(run, start.since_ms), feeds::deleted(run, start.since_ms))?;
    issues.extend(deleted);
    let by_feed = ByFeed { issues, asked_ms: start.now_ms };
    let caught = catch_up_with(run, start, by_feed).await?;
    let until_ms = caught.until_ms;
    run.set_phase(Phase::Proving);
    proof::take_out(run, &caught.vanished).await?;
    let bounds = run.created_bounds();
    let whole = run.jql(Range::new(Axis::Created, bounds.from, bounds.to));
    // Nothing is proven by it, so that Jira Cloud's estimate will do.
    let total = if run.client.is_cloud() { run.estimate(whole).await? } else { run.count(whole).await? };
    Ok((Outcome { until_ms: Some(until_ms), issues_total: Some(total) }, caught))
}

async fn summarise(run: &Run, outcome: Outcome) -> Summary {
    let (schema, masking) = (run.schema().await, run.masking().await);
    let columns = run.spec.tables.iter().map(|table| {
        let leaving = masking.leaving(*table, schema.column_count(*table));
        (table.name().to_owned(), u64::try_from(leaving).unwrap_or_default())
    });
    let progress = run.progress();
    let mut warnings = run.take_warnings();
    warnings.extend(masking.notes(&run.spec.tables));
    Summary {
        rows: progress.rows,
        columns: columns.collect(),
        watermark: outcome.until_ms.and_then(Watermark::from_epoch_ms),
        warnings,
        requests: progress.requests,
        retries: progress.retries,
        bytes_read: progress.bytes_read,
        bytes_by_table: run.bytes_by_table(),
        issues_total: outcome.issues_total,
    }
}
