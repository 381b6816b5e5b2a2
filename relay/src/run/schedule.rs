//! When a run starts: its connection has no other run under way and is not being swept, and an agent of its uplink is here
//! with room for one more, or it is direct and the relay has room itself. Oldest first; a run that cannot start holds nobody else back.

use super::RunState;
use super::catalogue;
use super::drive::{self, Assignment};
use super::scope;
use super::sweep;
use crate::direct;
use crate::node::{Node, Shared};
use crate::store::{Run, StoreError, TableRow};
use crate::uplinks::{Order, Picked, Wanted};
use protocol::control::Failure;
use protocol::spec::{ExtractionSpec, Load};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;

/// The schedule is woken when something changed; this is for what nobody said, such as a session that took no order.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Starts runs until the relay stops.
pub(crate) async fn run(node: Shared) {
    loop {
        if let Err(error) = start_all(&node).await {
            tracing::error!(%error, "cannot start runs; trying again");
        }
        tokio::select! {
            () = node.stop.cancelled() => return,
            () = node.wake.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// What an earlier process of this relay left: runs whose agent has to be found again, and finished ones to commit.
pub(crate) async fn recover(node: &Shared) -> Result<(), StoreError> {
    for run in node.store.runs_in(RunState::Running).await? {
        drive::lose(node, run.number, run.lease, "the relay was restarted", None).await;
    }
    for run in node.store.runs_in(RunState::Committing).await? {
        node.tasks.spawn(super::commit::commit(node.clone(), run.number));
    }
    Ok(())
}

async fn start_all(node: &Shared) -> Result<(), StoreError> {
    let mut busy = BTreeSet::new();
    for state in [RunState::Running, RunState::Committing] {
        busy.extend(node.store.runs_in(state).await?.into_iter().map(|run| run.connection));
    }
    // After the runs: a sweep is announced before its run ends, so one of the two looks sees it.
    busy.extend(node.sweeping.names());
    for run in node.store.runs_in(RunState::Queued).await? {
        if !busy.contains(&run.connection) && start(node, &run).await? {
            busy.insert(run.connection);
        }
    }
    Ok(())
}

/// Whether the run was handed to somebody who reads.
async fn start(node: &Shared, run: &Run) -> Result<bool, StoreError> {
    let connection = node.store.connection(&run.connection).await?;
    let Some(uplink) = &connection.uplink else { return start_direct(node, run).await };
    let wanted =
        Wanted { uplink, sealed: &connection.sealed, mask_key: run.begun_with(), needs: run.spec.needs() };
    let Some(picked) = node.uplinks.pick(wanted, node.runs_per_agent) else { return Ok(false) };
    let Picked { agent_id, orders, mask_key } = picked;
    let Some(spec) = settled(node, run).await? else { return Ok(false) };
    if run.lease == 0 {
        node.store.note_mask_key(run.number, mask_key.as_deref()).await?;
    }
    let assignment = drive::assign(node, run, spec, &agent_id).await?;
    node.board.started(run.number);
    let (lease, entries) = (assignment.lease, assignment.messages.len().saturating_sub(1));
    tracing::info!(event = "run_handed_out", run = %drive::run_id(run.number), connection = run.connection, agent = agent_id, lease, entries,
        "run handed to agent");
    let message =
        format!("handed to agent {agent_id} under lease {lease} with {entries} batches of checkpoints");
    drive::note(node, run.number, "run_handed_out", message).await;
    order(node, &orders, assignment).await
}

/// Whether this relay reads the run itself.
async fn start_direct(node: &Shared, run: &Run) -> Result<bool, StoreError> {
    let Some(turn) = node.direct.turn() else { return Ok(false) };
    let Some(spec) = settled(node, run).await? else { return Ok(false) };
    direct::start(node, run, spec, turn).await?;
    Ok(true)
}

/// What is read; a run that cannot be is failed.
async fn settled(node: &Node, run: &Run) -> Result<Option<ExtractionSpec>, StoreError> {
    match settle(node, run).await? {
        Ok(spec) => Ok(Some(spec)),
        Err(failure) => {
            let now = crate::clock::now_ms();
            node.store.fail(run.number, None, &failure, None, now).await?;
            node.board.over(run.number);
            Ok(None)
        }
    }
}

async fn order(
    node: &Node,
    orders: &mpsc::Sender<Order>,
    assignment: Assignment,
) -> Result<bool, StoreError> {
    let (number, lease) = (assignment.number, assignment.lease);
    if orders.try_send(Order::Start(Box::new(assignment))).is_err() {
        drive::lose(node, number, lease, "the agent's session ended", None).await;
        return Ok(false);
    }
    // A wish to cancel that came after the lease was taken found no session that knew the run.
    if node.store.run(number).await?.cancel_asked && orders.try_send(Order::Cancel { number }).is_err() {
        tracing::warn!(run = %drive::run_id(number), "the agent's session takes no order");
    }
    Ok(true)
}

/// Fixes what is read. A delta load starts where its tables are complete when it starts, not when it was queued.
async fn settle(node: &Node, run: &Run) -> Result<Result<ExtractionSpec, Failure>, StoreError> {
    if run.lease > 0 || run.spec.load == Load::Full {
        return Ok(Ok(run.spec.clone()));
    }
    let known = node.store.tables_of(&run.pool, &run.connection).await?;
    if let Load::Sweep { .. } = run.spec.load {
        let runs = node.store.runs(Some(&run.connection), u32::MAX).await?;
        return Ok(sweep::settle(&run.spec, &known, &runs, &run.connection));
    }
    let start = scope::check_delta(&run.spec, &known)
        .and_then(|()| delta_start(&run.spec.tables, &known, &run.connection));
    Ok(start.map(|since_ms| ExtractionSpec { load: Load::Delta { since_ms }, ..run.spec.clone() }))
}

/// Where a delta load of these tables starts: at the smallest watermark. Refused if one was never loaded in full.
pub(crate) fn delta_start(tables: &[String], known: &[TableRow], connection: &str) -> Result<i64, Failure> {
    let wanted: BTreeSet<String> =
        catalogue::selected(tables).into_iter().filter(|name| catalogue::is_issue_table(name)).collect();
    let watermark = |name: &String| known.iter().find(|row| row.table == *name)?.watermark_ms;
    let missing: Vec<&str> =
        wanted.iter().filter(|name| watermark(name).is_none()).map(String::as_str).collect();
    match wanted.iter().filter_map(watermark).min() {
        Some(since_ms) if missing.is_empty() => Ok(since_ms),
        // Without a table made from issues there is nothing to compare times of: the tables are replaced as a whole.
        None if wanted.is_empty() => Ok(crate::clock::now_ms()),
        Some(_) | None => Err(Failure {
            code: "never_loaded".to_owned(),
            message: format!(
                "{connection} was never loaded in full: {} cannot be brought up to date",
                missing.join(", ")
            ),
            hint: format!(
                "run `uplinkctl extract {connection} --full` first, or narrow the delta load with --tables"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, watermark_ms: Option<i64>) -> TableRow {
        TableRow {
            pool: "p".to_owned(),
            connection: "jira".to_owned(),
            table: name.to_owned(),
            watermark_ms,
            scope: None,
            run: 1,
            updated_ms: 0,
            rows: 0,
            columns: 0,
            files: 0,
            bytes: 0,
            version: 0,
            path: String::new(),
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_delta_load_starts_at_the_smallest_watermark_of_its_tables() {
        let known =
            [table("issues", Some(20)), table("issue_links", Some(10)), table("issue_comments", Some(5))];
        assert_eq!(delta_start(&names(&["issues", "issue_links", "users"]), &known, "jira"), Ok(10));
    }

    #[test]
    fn a_delta_load_of_a_table_never_loaded_in_full_is_refused_with_the_way_out() {
        let refusal =
            delta_start(&names(&["issues", "issue_links"]), &[table("issues", Some(1))], "jira").unwrap_err();
        assert!(
            refusal.message.contains("issue_links") && !refusal.message.contains("issues,"),
            "{refusal:?}"
        );
        assert!(refusal.hint.contains("uplinkctl extract jira --full"), "{refusal:?}");
        assert!(delta_start(&[], &[], "jira").is_err());
    }
}
