//! The end of a run that has read everything: one Delta commit a table, then one transaction that says so. A relay that is
//! killed anywhere in between does all of it again at its next start; the lake recognises a commit that it has seen.

use super::catalogue;
use super::control::{self, SchemaChange, TableEnd};
use super::drive::{self, run_id};
use super::scope::{self, After, Before};
use crate::clock;
use crate::lake::{ColumnInfo, Commit, CommitPart, LakeError, TablePlace};
use crate::node::{BusyGuard, Node, Shared};
use crate::store::{Outcome, Run, StoreError, StoredPart, TableRow};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use protocol::control::{Failure, RunWarning};
use protocol::spec::Load;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a commit is tried before the run fails: a full disk or an object store out of reach may pass.
const TRIES: u32 = 5;
/// First wait between two tries; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Tables committed at once: a commit mostly waits for the disk, and each holds a row group or two in memory.
const COMMITS_AT_ONCE: usize = 4;

/// Why a finished run could not be committed.
#[derive(Debug, thiserror::Error)]
enum CommitError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the run has no result")]
    NoResult,
}

/// Commits a finished run, or fails it with the reason.
pub(crate) async fn commit(node: Shared, number: i64) {
    let mut wait = FIRST_WAIT;
    for attempt in 1_u32.. {
        match try_commit(&node, number).await {
            Ok(()) => {
                tracing::info!(event = "run_succeeded", run = %run_id(number), "run succeeded");
                break;
            }
            Err(error) if attempt >= TRIES || !error.may_pass() => {
                tracing::error!(run = %run_id(number), %error, "the run cannot be committed");
                give_up(&node, number, &error).await;
                break;
            }
            Err(error) => tracing::warn!(run = %run_id(number), attempt, %error, "cannot commit the run yet"),
        }
        tokio::select! {
            // The next start commits it.
            () = node.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => wait *= 2,
        }
    }
    node.board.over(number);
    node.wake.notify_one();
}

impl CommitError {
    /// Whether another try may succeed.
    fn may_pass(&self) -> bool {
        match self {
            Self::Lake(error) => {
                matches!(error.code(), "lake_full" | "lake_unwritable" | "table_contended" | "internal")
            }
            Self::Store(_) => true,
            Self::NoResult => false,
        }
    }
}

async fn give_up(node: &Node, number: i64, error: &CommitError) {
    let code = match error {
        CommitError::Lake(error) => error.code(),
        CommitError::Store(_) | CommitError::NoResult => "commit_failed",
    };
    let failure = Failure {
        code: code.to_owned(),
        message: format!("the run was read but its tables could not be committed: {error}"),
        hint: "put right what the message names, then extract again; each table shows either its old or its new rows"
            .to_owned(),
    };
    match node.store.fail(number, None, &failure, None, clock::now_ms()).await {
        Ok(_) => {}
        Err(error) => tracing::error!(run = %run_id(number), %error, "cannot keep the end of the run"),
    }
}

async fn try_commit(node: &Node, number: i64) -> Result<(), CommitError> {
    let run = node.store.run(number).await?;
    let mut outcome = run.outcome.clone().ok_or(CommitError::NoResult)?;
    let mut parts = by_table(node.store.parts(number).await?);
    let replaced = commit_parts(&parts.remove(catalogue::REPLACED).unwrap_or_default());
    let known = node.store.tables_of(&run.pool, &run.connection).await?;
    let (mut due, mut staying) = (Vec::new(), Vec::new());
    for name in tables(&run, &outcome, &parts) {
        let own = parts.remove(&name).unwrap_or_default();
        let replaced = if catalogue::is_issue_table(&name) { replaced.clone() } else { Vec::new() };
        let complete = complete_for(&run, &outcome, &name, &known);
        if complete.stays {
            staying.push(name.clone());
        }
        due.push(Due { name, own, replaced, complete });
    }
    let shared = &run;
    let commits = due.into_iter().map(|due| async move {
        let before = node.lake.describe(&place(shared, &due.name)).await?;
        commit_table(node, shared, &due).await?;
        let (row, columns) = table_row(node, shared, &due).await?;
        let schema_changes =
            control::schema_changes(before.as_ref().map(|info| info.columns.as_slice()), &columns);
        Ok::<_, CommitError>((due, row, schema_changes))
    });
    let done: Vec<(Due, TableRow, Vec<SchemaChange>)> =
        stream::iter(commits).buffered(COMMITS_AT_ONCE).try_collect().await?;
    let mut rows = Vec::new();
    for (due, row, schema_changes) in done {
        outcome.rows_after.insert(due.name.clone(), row.rows);
        let end = TableEnd {
            rows_before: Some(known.iter().find(|row| row.table == due.name).map_or(0, |row| row.rows)),
            version: row.version,
            watermark_ms: row.watermark_ms,
            schema_changes,
        };
        outcome.ends.insert(due.name.clone(), end);
        let result = outcome.result.tables.entry(due.name).or_default();
        // The agent counts what it sent under its own lease only.
        result.bytes_sent = due.own.iter().map(|part| part.bytes).sum();
        result.columns = result.columns.max(row.columns);
        rows.push(row);
    }
    warn_of_ghosts(&run, &mut outcome);
    warn_of_staying(&staying, &mut outcome);
    sweep(node, &run, rows.iter().map(|row| row.table.clone())).await;
    let ended_ms = clock::now_ms();
    control::write(node, &run, Some((&outcome, ended_ms))).await;
    node.store.succeed(number, &outcome, &rows, ended_ms).await?;
    Ok(())
}

/// The tables that the run is about: those made from issues also when it read no row of them, because then a full load
/// leaves them empty and their watermark moves all the same; those of the site only if it read them.
fn tables(run: &Run, outcome: &Outcome, parts: &BTreeMap<String, Vec<StoredPart>>) -> BTreeSet<String> {
    let selected =
        catalogue::selected(&run.spec.tables).into_iter().filter(|name| catalogue::is_issue_table(name));
    let named = outcome.result.tables.keys().filter(|name| catalogue::is_table(name)).cloned();
    selected.chain(named).chain(parts.keys().cloned()).collect()
}

/// A table that the run may change.
struct Due {
    name: String,
    own: Vec<StoredPart>,
    replaced: Vec<CommitPart>,
    /// What it is complete for afterwards.
    complete: After,
}

/// Commits one table, if there is anything to change.
async fn commit_table(node: &Node, run: &Run, due: &Due) -> Result<(), LakeError> {
    let name = &due.name;
    let full = !catalogue::is_issue_table(name) || run.spec.load == Load::Full;
    if !full && due.own.is_empty() && due.replaced.is_empty() {
        return Ok(());
    }
    let (parts, replaced) = (commit_parts(&due.own), due.replaced.clone());
    let commit = Commit { place: place(run, name), run_number: run.number, full, parts, replaced };
    let committed = node.lake.commit(commit).await?;
    tracing::info!(event = "table_committed", run = %run_id(run.number), table = name, version = committed.version, rows = committed.rows,
        again = committed.already, "table committed");
    let said = format!("table {name} holds {} rows in version {}", committed.rows, committed.version);
    drive::note(node, run.number, "table_committed", said).await;
    Ok(())
}

fn by_table(parts: Vec<StoredPart>) -> BTreeMap<String, Vec<StoredPart>> {
    let mut tables: BTreeMap<String, Vec<StoredPart>> = BTreeMap::new();
    for part in parts {
        tables.entry(part.table.clone()).or_default().push(part);
    }
    tables
}

fn commit_parts(parts: &[StoredPart]) -> Vec<CommitPart> {
    parts
        .iter()
        .map(|part| CommitPart { path: part.path.clone(), generation: part.generation, rows: part.rows })
        .collect()
}

fn place(run: &Run, table: &str) -> TablePlace {
    TablePlace { pool: run.pool.clone(), connection: run.connection.clone(), table: table.to_owned() }
}

/// What the table holds now. One that no run ever had a part of does not exist yet and has no columns; its watermark counts.
async fn table_row(node: &Node, run: &Run, due: &Due) -> Result<(TableRow, Vec<ColumnInfo>), LakeError> {
    let place = place(run, &due.name);
    let info = node.lake.describe(&place).await?;
    let columns = info.as_ref().map_or(0, |info| info.columns.len());
    let row = TableRow {
        path: node.lake.path(&place),
        pool: place.pool,
        connection: place.connection,
        table: place.table,
        watermark_ms: due.complete.watermark_ms,
        scope: due.complete.scope.clone(),
        run: run.number,
        updated_ms: clock::now_ms(),
        rows: info.as_ref().map_or(0, |info| info.rows),
        columns: u64::try_from(columns).unwrap_or(u64::MAX),
        files: info.as_ref().map_or(0, |info| info.files),
        bytes: info.as_ref().map_or(0, |info| info.bytes),
        version: info.as_ref().map_or(0, |info| info.version),
    };
    Ok((row, info.map(|info| info.columns).unwrap_or_default()))
}

/// Up to when a table is complete after the run; a table of the site's metadata is read whole every time.
fn complete_for(run: &Run, outcome: &Outcome, table: &str, known: &[TableRow]) -> After {
    if !catalogue::is_issue_table(table) {
        return After { watermark_ms: None, scope: None, stays: false };
    }
    let row = known.iter().find(|row| row.table == table);
    let before = Before {
        watermark_ms: row.and_then(|row| row.watermark_ms),
        scope: row.and_then(|row| row.scope.as_ref()),
    };
    scope::after(&run.spec, table, outcome.result.watermark_ms, before)
}

/// Says where a run read fewer issues than its tables hold, so that the next delta load starts where this one did.
fn warn_of_staying(tables: &[String], outcome: &mut Outcome) {
    if tables.is_empty() {
        return;
    }
    let message = format!(
        "this delta load read fewer issues than the full load that it continues; the next one starts where this one did for {}",
        tables.join(", ")
    );
    let count = u64::try_from(tables.len()).unwrap_or(u64::MAX);
    outcome.result.warnings.push(RunWarning { code: "watermark_stays".to_owned(), message, count });
}

/// A delta load does not see what was deleted or moved out of sight before its watermark: the counts tell.
fn warn_of_ghosts(run: &Run, outcome: &mut Outcome) {
    let spec = &run.spec;
    let filtered = !spec.projects.is_empty()
        || spec.created_from_ms.is_some()
        || spec.created_to_ms.is_some()
        || spec.updated_from_ms.is_some()
        || spec.updated_to_ms.is_some()
        || spec.jql.is_some();
    let counted = outcome.result.issues_counted.filter(|_| !filtered);
    let Some((counted, rows)) = counted.zip(outcome.rows_after.get("issues").copied()) else { return };
    let already = |warning: &RunWarning| warning.code.starts_with("issues_count");
    if counted == rows || outcome.result.warnings.iter().any(already) {
        return;
    }
    let (code, message) = if rows > counted {
        let more = rows - counted;
        (
            "issues_count_above",
            format!("{more} issues were deleted in Jira or moved out of sight; a sweep takes them out"),
        )
    } else {
        let fewer = counted - rows;
        (
            "issues_count_below",
            format!("Jira counted {fewer} issues more than the table holds; a sweep brings them in"),
        )
    };
    outcome.result.warnings.push(RunWarning {
        code: code.to_owned(),
        message,
        count: rows.abs_diff(counted),
    });
}

/// Removes what the run's lost leases left. What cannot be removed now goes with the next run.
async fn sweep(node: &Node, run: &Run, tables: impl Iterator<Item = String>) {
    for table in tables.chain([catalogue::REPLACED.to_owned()]) {
        match node.lake.sweep(&place(run, &table), &BTreeSet::new()).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(run = %run_id(run.number), table, files, "parts swept"),
            Err(error) => tracing::warn!(run = %run_id(run.number), table, %error, "cannot sweep a table"),
        }
    }
}

/// After a run that ended without success: its parts go. The guard, taken before the run ended, keeps its connection from
/// starting another run meanwhile.
pub(crate) async fn sweep_after(node: Shared, number: i64, guard: BusyGuard) {
    match node.store.run(number).await {
        Ok(run) => {
            sweep(&node, &run, catalogue::selected(&run.spec.tables).into_iter()).await;
            control::write(&node, &run, None).await;
        }
        Err(error) => tracing::warn!(run = %run_id(number), %error, "cannot sweep after a run"),
    }
    drop(guard);
    node.wake.notify_one();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunState;
    use protocol::control::{Progress, RunResult};
    use protocol::spec::ExtractionSpec;

    fn run(projects: &[&str]) -> Run {
        let spec = ExtractionSpec {
            projects: projects.iter().map(|key| (*key).to_owned()).collect(),
            ..ExtractionSpec::all(Load::Delta { since_ms: 0 })
        };
        Run {
            number: 1,
            connection: "jira".to_owned(),
            pool: "p".to_owned(),
            spec,
            state: RunState::Committing,
            lease: 1,
            agent_id: None,
            mask_key: None,
            reason: None,
            cancel_asked: false,
            created_ms: 0,
            started_ms: None,
            ended_ms: None,
            progress: Progress::default(),
            outcome: None,
            error: None,
        }
    }

    fn outcome(counted: u64, rows: u64) -> Outcome {
        let result = RunResult { issues_counted: Some(counted), ..RunResult::default() };
        Outcome { result, rows_after: BTreeMap::from([("issues".to_owned(), rows)]), ..Outcome::default() }
    }

    #[test]
    fn issues_that_jira_no_longer_shows_are_counted_in_a_warning() {
        let mut seen = outcome(10, 12);
        warn_of_ghosts(&run(&[]), &mut seen);
        assert_eq!(seen.result.warnings.iter().map(|w| w.count).collect::<Vec<_>>(), [2]);
        warn_of_ghosts(&run(&[]), &mut seen);
        assert_eq!(seen.result.warnings.len(), 1);
    }

    #[test]
    fn equal_counts_and_filtered_runs_give_no_warning() {
        for (projects, counted) in [(&[][..], 12), (&["ABC"][..], 10)] {
            let mut seen = outcome(counted, 12);
            warn_of_ghosts(&run(projects), &mut seen);
            assert!(seen.result.warnings.is_empty());
        }
    }
}
