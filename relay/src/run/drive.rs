//! What an agent is told when it gets a run, and what is kept while it reads.

use crate::node::Node;
use crate::run::RunState;
use crate::store::{Run, StoreError, StoredPart};
use protocol::control::{Failure, LogLine, PartHeader, Progress, RelayMessage};
use protocol::ids::{Lease, PartId, RunId};
use protocol::spec::ExtractionSpec;
use std::collections::BTreeMap;
use std::time::Duration;

/// Entries of one `resume_entries` message, in bytes of JSON: half of what a control message may have.
const RESUME_BYTES: usize = 128 << 10;
/// First wait after the database refused to take a run back; it doubles.
const LOSE_RETRY: Duration = Duration::from_millis(200);
/// Longest such wait.
const LOSE_RETRY_MAX: Duration = Duration::from_secs(30);

/// A run under a new lease, on its way to an agent's session.
pub(crate) struct Assignment {
    pub(crate) number: i64,
    pub(crate) lease: u32,
    pub(crate) pool: String,
    pub(crate) connection: String,
    /// To send in this order.
    pub(crate) messages: Vec<RelayMessage>,
}

/// A run that a session's agent reads now.
pub(crate) struct ActiveRun {
    pub(crate) number: i64,
    pub(crate) lease: Lease,
    pub(crate) pool: String,
    pub(crate) connection: String,
    /// Parts that are durable and that no checkpoint names yet.
    pub(crate) landed: BTreeMap<PartId, StoredPart>,
    pub(crate) progress: Option<Progress>,
}

/// The id of a run on the wire.
pub(crate) fn run_id(number: i64) -> RunId {
    RunId(format!("run_{number}"))
}

/// The number in a run's id.
pub(crate) fn run_number(id: &str) -> Option<i64> {
    let digits = id.strip_prefix("run_").unwrap_or(id);
    digits.parse().ok().filter(|number| *number > 0)
}

/// Takes a new lease for the agent and collects what it has to be told.
pub(crate) async fn assign(
    node: &Node,
    run: &Run,
    spec: ExtractionSpec,
    agent_id: &str,
) -> Result<Assignment, StoreError> {
    let connection = node.store.connection(&run.connection).await?.spec()?;
    let entries = node.store.entries(run.number).await?;
    let lease = node.store.hand_out(run.number, agent_id, &spec, crate::clock::now_ms()).await?;
    let (id, lease_id) = (run_id(run.number), Lease(lease));
    let resume_entries = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    let mut messages: Vec<RelayMessage> = batches(entries)
        .into_iter()
        .map(|entries| RelayMessage::ResumeEntries { run: id.clone(), lease: lease_id, entries })
        .collect();
    messages.push(RelayMessage::StartRun {
        run: id,
        lease: lease_id,
        connection,
        extraction: spec,
        resume_entries,
    });
    Ok(Assignment {
        number: run.number,
        lease,
        pool: run.pool.clone(),
        connection: run.connection.clone(),
        messages,
    })
}

fn batches(entries: Vec<serde_json::Value>) -> Vec<Vec<serde_json::Value>> {
    let mut batches: Vec<Vec<serde_json::Value>> = Vec::new();
    let mut room = 0_usize;
    for entry in entries {
        let bytes = entry.to_string().len() + 1;
        match batches.last_mut().filter(|_| bytes <= room) {
            Some(batch) => batch.push(entry),
            None => {
                room = RESUME_BYTES;
                batches.push(vec![entry]);
            }
        }
        room = room.saturating_sub(bytes);
    }
    batches
}

impl ActiveRun {
    pub(crate) fn new(assignment: &Assignment) -> Self {
        Self {
            number: assignment.number,
            lease: Lease(assignment.lease),
            pool: assignment.pool.clone(),
            connection: assignment.connection.clone(),
            landed: BTreeMap::new(),
            progress: None,
        }
    }

    /// Whether a part may land; the lease and the table come from outside.
    pub(crate) fn accepts(&self, header: &PartHeader) -> Result<(), Failure> {
        if header.lease != self.lease {
            return Err(refused(
                "stale_lease",
                format!("lease {} of {} is over", header.lease.0, header.run),
            ));
        }
        if !crate::run::catalogue::is_landable(&header.table) {
            return Err(refused("unknown_table", format!("this relay has no table `{}`", header.table)));
        }
        Ok(())
    }

    /// Takes the parts that a checkpoint names out of the landed ones.
    pub(crate) fn take_parts(&mut self, names: &[PartId]) -> Result<Vec<StoredPart>, Failure> {
        let unknown = names.iter().find(|name| !self.landed.contains_key(*name));
        if let Some(name) = unknown {
            let message = format!("the checkpoint names part {name}, which has not landed under this lease");
            return Err(refused("part_not_landed", message));
        }
        Ok(names.iter().filter_map(|name| self.landed.remove(name)).collect())
    }
}

/// Adds a line of the relay's own to the run's log. A log line is not worth a failure.
pub(crate) async fn note(node: &Node, number: i64, event: &str, message: String) {
    let line =
        LogLine { at_ms: crate::clock::now_ms(), level: "info".to_owned(), event: event.to_owned(), message };
    if let Err(error) = node.store.log(number, &line).await {
        tracing::warn!(run = %run_id(number), %error, "cannot keep a log line");
    }
}

/// A failure that only a newer or repaired agent avoids.
pub(crate) fn refused(code: &str, message: String) -> Failure {
    Failure {
        code: code.to_owned(),
        message,
        hint: "update the agent and the relay to the same version, then extract again".to_owned(),
    }
}

/// The session of a run is over. Tries until the database takes it, or the relay stops: a new start finds the run then.
pub(crate) async fn lose(node: &Node, number: i64, lease: u32, reason: &str, progress: Option<&Progress>) {
    let mut wait = LOSE_RETRY;
    loop {
        let now = crate::clock::now_ms();
        match node.store.lose(number, lease, reason, progress, now).await {
            Ok(state) => {
                node.landed.forget(number).await;
                return lost(node, number, state, reason).await;
            }
            Err(StoreError::StaleLease { .. } | StoreError::Step(_) | StoreError::Missing { .. }) => return,
            Err(error) => {
                tracing::error!(run = %run_id(number), %error, "cannot take a run back; trying again")
            }
        }
        tokio::select! {
            () = node.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(LOSE_RETRY_MAX),
        }
    }
}

async fn lost(node: &Node, number: i64, state: RunState, reason: &str) {
    tracing::warn!(run = %run_id(number), state = %state, reason, "run lost its agent");
    note(node, number, "run_lost", format!("{reason}; the run is {state}")).await;
    if state.is_over() {
        node.board.over(number);
    } else {
        node.board.changed(number);
    }
    node.wake.notify_one();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resume_entries_travel_in_batches_that_fit_a_message() {
        let entry = serde_json::Value::String("x".repeat(60 << 10));
        let batches = batches(vec![entry; 5]);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert!(super::batches(Vec::new()).is_empty());
    }

    #[test]
    fn a_run_is_named_with_and_without_its_prefix() {
        assert_eq!(run_number("run_17"), Some(17));
        assert_eq!(run_number("17"), Some(17));
        assert_eq!(run_number("run_0"), None);
        assert_eq!(run_number("run_x"), None);
    }

    fn active() -> ActiveRun {
        let assignment = Assignment {
            number: 1,
            lease: 2,
            pool: "p".to_owned(),
            connection: "c".to_owned(),
            messages: Vec::new(),
        };
        ActiveRun::new(&assignment)
    }

    fn header(lease: u32, table: &str) -> PartHeader {
        PartHeader {
            run: run_id(1),
            lease: Lease(lease),
            part: PartId::new(Lease(lease), 0),
            table: table.to_owned(),
            generation: 0,
            rows: 1,
            bytes: 1,
            digest: String::new(),
        }
    }

    #[test]
    fn a_part_of_an_old_lease_or_of_no_table_does_not_land() {
        assert!(active().accepts(&header(2, "issues")).is_ok());
        assert_eq!(active().accepts(&header(1, "issues")).unwrap_err().code, "stale_lease");
        assert_eq!(active().accepts(&header(2, "../x")).unwrap_err().code, "unknown_table");
    }

    #[test]
    fn a_checkpoint_names_only_parts_that_landed() {
        let mut run = active();
        let name = PartId::new(Lease(2), 0);
        assert_eq!(run.take_parts(std::slice::from_ref(&name)).unwrap_err().code, "part_not_landed");
        let part = StoredPart {
            part: name.0.clone(),
            table: "issues".to_owned(),
            generation: 0,
            rows: 1,
            bytes: 1,
            columns: 1,
            path: "x".to_owned(),
        };
        run.landed.insert(name.clone(), part);
        assert_eq!(run.take_parts(&[name]).unwrap().len(), 1);
        assert!(run.landed.is_empty());
    }
}
