//! The end of reading, whoever read: an agent's session or the relay itself.

use super::{RunState, commit};
use crate::node::{BusyGuard, Shared};
use crate::run::drive::run_id;
use crate::store::{Outcome, StoreError};
use protocol::control::{Failure, Progress};
use protocol::ids::Lease;

/// Everything is read and durable: the tables are switched from here on.
///
/// # Errors
/// When the lease is over, or the database fails.
pub(crate) async fn read_completely(
    node: &Shared,
    (number, lease): (i64, Lease),
    outcome: Outcome,
) -> Result<(), StoreError> {
    node.store.finish(number, lease.0, &outcome).await?;
    node.landed.forget(number).await;
    tracing::info!(event = "run_read", run = %run_id(number), lease = lease.0, "run read completely");
    node.board.changed(number);
    node.tasks.spawn(commit::commit(node.clone(), number));
    Ok(())
}

/// The run ends without success; with a guard of its connection what it left in the lake is swept.
///
/// # Errors
/// When the lease is over, or the database fails.
pub(crate) async fn failed(
    node: &Shared,
    (number, lease): (i64, Lease),
    failure: &Failure,
    progress: Option<&Progress>,
    guard: Option<BusyGuard>,
) -> Result<RunState, StoreError> {
    let state = node.store.fail(number, Some(lease.0), failure, progress, crate::clock::now_ms()).await?;
    tracing::warn!(event = "run_ended", run = %run_id(number), lease = lease.0, state = %state, code = failure.code,
        message = failure.message, "run ended");
    if let Some(guard) = guard {
        node.tasks.spawn(commit::sweep_after(node.clone(), number, guard));
    }
    node.landed.forget(number).await;
    node.board.over(number);
    Ok(state)
}
