//! Runs: each change of state is one transaction in which the pure life of a run is asked first.

use super::sqlite::{Store, integer, maybe_integer, maybe_text, text};
use super::{During, StoreError, TableRow, from_json, small, to_json};
use crate::run::control::TableEnd;
use crate::run::{RunState, Step};
use protocol::control::{Failure, LogLine, Progress, RunResult};
use protocol::manifest::SignedManifest;
use protocol::spec::ExtractionSpec;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};
use std::collections::BTreeMap;

/// A run that was handed out this often since its last checkpoint brings its agent down; it is not handed out again.
const LEASES_WITHOUT_CHECKPOINT_MAX: u32 = 50;
/// Lines of a run's log that are kept, the newest; at 300 bytes a line this is about 600 KiB.
const LOG_LINES_MAX: i64 = 2000;

/// A run as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) number: i64,
    pub(crate) connection: String,
    pub(crate) pool: String,
    pub(crate) spec: ExtractionSpec,
    pub(crate) state: RunState,
    pub(crate) lease: u32,
    pub(crate) agent_id: Option<String>,
    /// Fingerprint of the key by which its first agent pseudonymises columns.
    pub(crate) mask_key: Option<String>,
    /// Why it waits, if it was lost.
    pub(crate) reason: Option<String>,
    pub(crate) cancel_asked: bool,
    pub(crate) created_ms: i64,
    pub(crate) started_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) progress: Progress,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) error: Option<Failure>,
}

impl Run {
    /// The key that it was begun with; `None` before.
    pub(crate) fn begun_with(&self) -> Option<Option<&str>> {
        (self.lease > 0).then_some(self.mask_key.as_deref())
    }
}

/// What a run read, and what the tables hold after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// As the agent said it.
    pub(crate) result: RunResult,
    /// Rows of each table after its Delta commit.
    pub(crate) rows_after: BTreeMap<String, u64>,
    /// How each table came out of it.
    #[serde(default)]
    pub(crate) ends: BTreeMap<String, TableEnd>,
    /// What the agent says that left the premises, as it signed it.
    #[serde(default)]
    pub(crate) manifest: Option<SignedManifest>,
}

/// What became of the wish to cancel a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelAnswer {
    /// It was waiting and is cancelled.
    Done,
    /// Its agent has to be told.
    Asked,
}

impl Store {
    /// A new run, waiting.
    pub(crate) async fn create_run(
        &self,
        connection: &str,
        spec: &ExtractionSpec,
        now_ms: i64,
    ) -> Result<Run, StoreError> {
        let pool = self.connection(connection).await?.pool;
        let sql = "insert into runs (connection, pool, spec, state, created_ms, progress)
            values ($1, $2, $3, 'queued', $4, '{}') returning *";
        let row = sqlx::query(sql)
            .bind(connection)
            .bind(pool)
            .bind(to_json("extraction", spec)?)
            .bind(now_ms)
            .fetch_one(&self.write)
            .await
            .during("create a run")?;
        run(&row)
    }

    pub(crate) async fn run(&self, number: i64) -> Result<Run, StoreError> {
        let row = sqlx::query("select * from runs where number = $1")
            .bind(number)
            .fetch_optional(&self.read)
            .await
            .during("read a run")?;
        run(&row.ok_or_else(|| unknown(number))?)
    }

    /// The newest runs first, of one connection or of all.
    pub(crate) async fn runs(&self, connection: Option<&str>, limit: u32) -> Result<Vec<Run>, StoreError> {
        let sql = "select * from runs where $1 is null or connection = $1 order by number desc limit $2";
        let rows = sqlx::query(sql).bind(connection).bind(i64::from(limit)).fetch_all(&self.read).await;
        rows.during("list runs")?.iter().map(run).collect()
    }

    /// The runs in one state, oldest first.
    pub(crate) async fn runs_in(&self, state: RunState) -> Result<Vec<Run>, StoreError> {
        let sql = "select * from runs where state = $1 order by number";
        let rows = sqlx::query(sql).bind(state.name()).fetch_all(&self.write).await;
        rows.during("list runs")?.iter().map(run).collect()
    }

    /// Notes the key that a run is begun with; every agent that goes on with it must have the same.
    pub(crate) async fn note_mask_key(&self, number: i64, mask_key: Option<&str>) -> Result<(), StoreError> {
        let sql = "update runs set mask_key = $2 where number = $1 and lease = 0";
        let noted = sqlx::query(sql).bind(number).bind(mask_key).execute(&self.write).await;
        noted.during("note a run's key").map(drop)
    }

    /// Gives a run to an agent under the next lease, which is returned. The first hand-out fixes what is read.
    pub(crate) async fn hand_out(
        &self,
        number: i64,
        agent_id: &str,
        spec: &ExtractionSpec,
        now_ms: i64,
    ) -> Result<u32, StoreError> {
        let mut tx = self.write.begin().await.during("hand out a run")?;
        let before = locked(&mut tx, number).await?;
        let state = before.state.after(Step::HandOut)?;
        let lease = before.lease.saturating_add(1);
        sqlx::query(
            "update runs set state = $2, lease = $3, agent_id = $4, spec = $5, reason = null,
            started_ms = coalesce(started_ms, $6) where number = $1",
        )
        .bind(number)
        .bind(state.name())
        .bind(i64::from(lease))
        .bind(agent_id)
        .bind(to_json("extraction", spec)?)
        .bind(now_ms)
        .execute(&mut *tx)
        .await
        .during("hand out a run")?;
        tx.commit().await.during("hand out a run")?;
        Ok(lease)
    }

    /// The session that held the run is over: back to the queue, or to the end that was asked for meanwhile.
    pub(crate) async fn lose(
        &self,
        number: i64,
        lease: u32,
        reason: &str,
        progress: Option<&Progress>,
        now_ms: i64,
    ) -> Result<RunState, StoreError> {
        let mut tx = self.write.begin().await.during("requeue a run")?;
        let before = locked(&mut tx, number).await?;
        expect_lease(&before, lease)?;
        if before.cancel_asked {
            let state = end(&mut tx, &before, Step::Cancel, None, now_ms).await?;
            tx.commit().await.during("requeue a run")?;
            return Ok(state);
        }
        if lease.saturating_sub(last_checkpoint_lease(&mut tx, number).await?) > LEASES_WITHOUT_CHECKPOINT_MAX
        {
            let state = end(&mut tx, &before, Step::Fail, Some(&lost_too_often()), now_ms).await?;
            tx.commit().await.during("requeue a run")?;
            return Ok(state);
        }
        let state = before.state.after(Step::Lose)?;
        let progress = progress.unwrap_or(&before.progress);
        sqlx::query(
            "update runs set state = $2, agent_id = null, reason = $3, progress = $4 where number = $1",
        )
        .bind(number)
        .bind(state.name())
        .bind(reason)
        .bind(to_json("progress", progress)?)
        .execute(&mut *tx)
        .await
        .during("requeue a run")?;
        tx.commit().await.during("requeue a run")?;
        Ok(state)
    }

    /// Keeps what the agent read; from now on the relay alone ends the run. Said again, it changes nothing.
    pub(crate) async fn finish(&self, number: i64, lease: u32, outcome: &Outcome) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await.during("finish a run")?;
        let before = locked(&mut tx, number).await?;
        expect_lease(&before, lease)?;
        if matches!(before.state, RunState::Committing | RunState::Succeeded) {
            return Ok(());
        }
        let state = before.state.after(Step::Finish)?;
        sqlx::query("update runs set state = $2, result = $3, progress = $4 where number = $1")
            .bind(number)
            .bind(state.name())
            .bind(to_json("result", outcome)?)
            .bind(to_json("progress", &outcome.result.progress)?)
            .execute(&mut *tx)
            .await
            .during("finish a run")?;
        tx.commit().await.during("finish a run")
    }

    /// All tables of the run are committed: their new state, their watermarks and the run's end in one transaction.
    pub(crate) async fn succeed(
        &self,
        number: i64,
        outcome: &Outcome,
        tables: &[TableRow],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await.during("end a run")?;
        let before = locked(&mut tx, number).await?;
        for table in tables {
            table.keep(&mut tx).await?;
        }
        sqlx::query("update runs set result = $2 where number = $1")
            .bind(number)
            .bind(to_json("result", outcome)?)
            .execute(&mut *tx)
            .await
            .during("end a run")?;
        end(&mut tx, &before, Step::Commit, None, now_ms).await?;
        tx.commit().await.during("end a run")
    }

    /// Ends a run without success. A failure with code `cancelled` ends it as cancelled. `lease` is given if an agent says so.
    pub(crate) async fn fail(
        &self,
        number: i64,
        lease: Option<u32>,
        failure: &Failure,
        progress: Option<&Progress>,
        now_ms: i64,
    ) -> Result<RunState, StoreError> {
        let mut tx = self.write.begin().await.during("end a run")?;
        let mut before = locked(&mut tx, number).await?;
        if let Some(lease) = lease {
            expect_lease(&before, lease)?;
        }
        if let Some(progress) = progress {
            before.progress = progress.clone();
        }
        let cancelled = before.cancel_asked && failure.code == "cancelled";
        let state = if cancelled {
            end(&mut tx, &before, Step::Cancel, None, now_ms).await?
        } else {
            end(&mut tx, &before, Step::Fail, Some(failure), now_ms).await?
        };
        tx.commit().await.during("end a run")?;
        Ok(state)
    }

    /// A waiting run is cancelled at once; of a running one it is noted that its agent was asked.
    pub(crate) async fn cancel(&self, number: i64, now_ms: i64) -> Result<CancelAnswer, StoreError> {
        let mut tx = self.write.begin().await.during("cancel a run")?;
        let before = locked(&mut tx, number).await?;
        before.state.after(Step::Cancel)?;
        let answer = if before.state == RunState::Queued {
            end(&mut tx, &before, Step::Cancel, None, now_ms).await?;
            CancelAnswer::Done
        } else {
            let done = sqlx::query("update runs set cancel_asked = 1 where number = $1").bind(number);
            done.execute(&mut *tx).await.during("cancel a run")?;
            CancelAnswer::Asked
        };
        tx.commit().await.during("cancel a run")?;
        Ok(answer)
    }

    /// Adds a line to a run's log and drops the oldest beyond the bound.
    pub(crate) async fn log(&self, number: i64, line: &LogLine) -> Result<(), StoreError> {
        let sql = "insert into run_logs (run, at_ms, level, event, message) values ($1, $2, $3, $4, $5)";
        let mut tx = self.write.begin().await.during("keep a log line")?;
        let insert = sqlx::query(sql).bind(number).bind(line.at_ms).bind(&line.level);
        let insert = insert.bind(&line.event).bind(&line.message);
        insert.execute(&mut *tx).await.during("keep a log line")?;
        let drop_oldest = "delete from run_logs where run = $1 and position <=
            (select position from run_logs where run = $1 order by position desc limit 1 offset $2)";
        let trim = sqlx::query(drop_oldest).bind(number).bind(LOG_LINES_MAX);
        trim.execute(&mut *tx).await.during("keep a log line")?;
        tx.commit().await.during("keep a log line")
    }

    /// A run's log, oldest line first.
    pub(crate) async fn logs(&self, number: i64) -> Result<Vec<LogLine>, StoreError> {
        let sql = "select * from run_logs where run = $1 order by position";
        let rows = sqlx::query(sql).bind(number).fetch_all(&self.read).await.during("read a log")?;
        rows.iter().map(log_line).collect()
    }
}

async fn locked(tx: &mut Transaction<'_, Sqlite>, number: i64) -> Result<Run, StoreError> {
    let row = sqlx::query("select * from runs where number = $1")
        .bind(number)
        .fetch_optional(&mut **tx)
        .await
        .during("read a run")?;
    run(&row.ok_or_else(|| unknown(number))?)
}

/// Ends the run; its checkpoints and part names have done their duty.
async fn end(
    tx: &mut Transaction<'_, Sqlite>,
    before: &Run,
    step: Step,
    error: Option<&Failure>,
    now_ms: i64,
) -> Result<RunState, StoreError> {
    let state = before.state.after(step)?;
    let error = error.map(|failure| to_json("failure", failure)).transpose()?;
    sqlx::query(
        "update runs set state = $2, error = $3, ended_ms = $4, progress = $5, reason = null where number = $1",
    )
    .bind(before.number)
    .bind(state.name())
    .bind(error)
    .bind(now_ms)
    .bind(to_json("progress", &before.progress)?)
    .execute(&mut **tx)
    .await
    .during("end a run")?;
    for sql in ["delete from checkpoints where run = $1", "delete from parts where run = $1"] {
        sqlx::query(sql).bind(before.number).execute(&mut **tx).await.during("end a run")?;
    }
    Ok(state)
}

async fn last_checkpoint_lease(tx: &mut Transaction<'_, Sqlite>, number: i64) -> Result<u32, StoreError> {
    let row = sqlx::query("select coalesce(max(lease), 0) as lease from checkpoints where run = $1")
        .bind(number)
        .fetch_one(&mut **tx)
        .await
        .during("read a checkpoint")?;
    Ok(small(integer(&row, "lease")?))
}

pub(super) fn expect_lease(run: &Run, got: u32) -> Result<(), StoreError> {
    if run.lease == got {
        return Ok(());
    }
    Err(StoreError::StaleLease { number: run.number, got, current: run.lease })
}

pub(super) async fn running_under(
    tx: &mut Transaction<'_, Sqlite>,
    number: i64,
    lease: u32,
) -> Result<(), StoreError> {
    let run = locked(tx, number).await?;
    expect_lease(&run, lease)?;
    // Only a running run takes checkpoints; the step is asked to have one place that decides.
    run.state.after(Step::Finish).map(|_| ()).map_err(StoreError::from)
}

fn lost_too_often() -> Failure {
    Failure {
        code: "lost_too_often".to_owned(),
        message: format!(
            "the run was handed out {LEASES_WITHOUT_CHECKPOINT_MAX} times without reaching another checkpoint"
        ),
        hint: "read the agent's log around the times at which its link ended, then extract again".to_owned(),
    }
}

fn unknown(number: i64) -> StoreError {
    StoreError::Missing { kind: "run", name: format!("run_{number}") }
}

fn run(row: &SqliteRow) -> Result<Run, StoreError> {
    let state = text(row, "state")?;
    Ok(Run {
        number: integer(row, "number")?,
        connection: text(row, "connection")?,
        pool: text(row, "pool")?,
        spec: from_json("extraction", &text(row, "spec")?)?,
        state: RunState::parse(&state).ok_or_else(|| StoreError::corrupt("run state", state))?,
        lease: small(integer(row, "lease")?),
        agent_id: maybe_text(row, "agent_id")?,
        mask_key: maybe_text(row, "mask_key")?,
        reason: maybe_text(row, "reason")?,
        cancel_asked: integer(row, "cancel_asked")? != 0,
        created_ms: integer(row, "created_ms")?,
        started_ms: maybe_integer(row, "started_ms")?,
        ended_ms: maybe_integer(row, "ended_ms")?,
        progress: from_json("progress", &text(row, "progress")?)?,
        outcome: maybe_text(row, "result")?.map(|json| from_json("result", &json)).transpose()?,
        error: maybe_text(row, "error")?.map(|json| from_json("failure", &json)).transpose()?,
    })
}

fn log_line(row: &SqliteRow) -> Result<LogLine, StoreError> {
    Ok(LogLine {
        at_ms: integer(row, "at_ms")?,
        level: text(row, "level")?,
        event: text(row, "event")?,
        message: text(row, "message")?,
    })
}
