//! A run as the API shows it.

use super::board::Live;
use crate::clock;
use crate::run::RunState;
use crate::run::catalogue;
use crate::store::Run;
use protocol::control::{Failure, Progress, RunWarning};
use protocol::spec::Load;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// The run document of the API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RunDocument {
    pub(crate) id: String,
    /// The run that loads some of the tables in full first; told when both are queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    full_run: Option<String>,
    number: i64,
    connection: String,
    pool: String,
    mode: &'static str,
    tables: Vec<String>,
    pub(crate) state: &'static str,
    phase: String,
    /// Why it waits.
    reason: Option<String>,
    created_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    lease: u32,
    agent_id: Option<String>,
    progress: ProgressDocument,
    result: Option<ResultDocument>,
    error: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ProgressDocument {
    issues_total: Option<u64>,
    issues_read: u64,
    rows: BTreeMap<String, u64>,
    requests: u64,
    retries: u64,
    bytes_read: u64,
    bytes_sent: u64,
    in_flight: u32,
    eta_seconds: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ResultDocument {
    tables: BTreeMap<String, TableDocument>,
    watermark: Option<String>,
    warnings: Vec<RunWarning>,
    /// What the policy of the premises took away.
    policy: Vec<RunWarning>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct TableDocument {
    rows: u64,
    columns: u64,
    rows_after: Option<u64>,
    bytes_sent: u64,
    bytes_read: u64,
}

impl RunDocument {
    /// Puts the stored run and the last figures together.
    pub(crate) fn of(run: &Run, live: Option<&Live>) -> Self {
        let current = live.filter(|_| run.state == RunState::Running);
        let progress = current.and_then(|live| live.progress.as_ref()).unwrap_or(&run.progress);
        let eta = current.and_then(|live| live.eta_seconds(Instant::now()));
        Self {
            id: format!("run_{}", run.number),
            full_run: None,
            number: run.number,
            connection: run.connection.clone(),
            pool: run.pool.clone(),
            mode: mode(run.spec.load),
            tables: catalogue::selected(&run.spec.tables),
            state: run.state.shown(),
            phase: phase(run, progress),
            reason: run.reason.clone(),
            created_at: clock::text(run.created_ms),
            started_at: run.started_ms.map(clock::text),
            ended_at: run.ended_ms.map(clock::text),
            lease: run.lease,
            agent_id: run.agent_id.clone(),
            progress: progress_document(progress, eta),
            result: result(run),
            error: run.error.clone(),
        }
    }

    /// The same, queued behind a run that loads other tables in full.
    pub(crate) fn behind(mut self, full_run: String) -> Self {
        self.full_run = Some(full_run);
        self
    }

    /// The same with a better reason to wait.
    pub(crate) fn waiting_for(mut self, reason: String) -> Self {
        self.reason = Some(match self.reason.take() {
            Some(earlier) => format!("{earlier}; {reason}"),
            None => reason,
        });
        self
    }
}

/// What kind of load it is.
pub(crate) fn mode(load: Load) -> &'static str {
    match load {
        Load::Full => "full",
        Load::Delta { .. } => "delta",
        Load::Sweep { delta: false, .. } => "sweep",
        Load::Sweep { delta: true, .. } => "delta and sweep",
    }
}

fn phase(run: &Run, progress: &Progress) -> String {
    match run.state {
        RunState::Running if progress.phase.is_empty() => "starting".to_owned(),
        RunState::Running => progress.phase.clone(),
        RunState::Committing => "commit".to_owned(),
        RunState::Queued => "waiting".to_owned(),
        RunState::Succeeded | RunState::Failed | RunState::Cancelled => "over".to_owned(),
    }
}

fn progress_document(progress: &Progress, eta_seconds: Option<u64>) -> ProgressDocument {
    ProgressDocument {
        issues_total: progress.issues_total,
        issues_read: progress.issues_read,
        rows: progress.rows.clone(),
        requests: progress.requests,
        retries: progress.retries,
        bytes_read: progress.bytes_read,
        bytes_sent: progress.bytes_sent,
        in_flight: progress.in_flight,
        eta_seconds,
    }
}

fn result(run: &Run) -> Option<ResultDocument> {
    let outcome = run.outcome.as_ref().filter(|_| run.state == RunState::Succeeded)?;
    let tables = outcome.result.tables.iter().filter(|(name, _)| catalogue::is_table(name));
    let tables = tables.map(|(name, table)| {
        let document = TableDocument {
            rows: table.rows,
            columns: table.columns,
            rows_after: outcome.rows_after.get(name).copied(),
            bytes_sent: table.bytes_sent,
            bytes_read: table.bytes_read,
        };
        (name.clone(), document)
    });
    Some(ResultDocument {
        tables: tables.collect(),
        watermark: outcome.result.watermark_ms.map(clock::text),
        warnings: outcome.result.warnings.clone(),
        policy: outcome.result.policy.clone(),
    })
}
