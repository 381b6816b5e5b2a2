//! Direct connections: a Jira that the relay itself reaches, Jira Cloud above all. The engine runs in this process and its parts enter
//! the lake by the same landing, checkpoints and commit as those of an agent; only the link is missing.
//!
//! A connection's secret is sealed to the relay's own key like any other to an agent's, by whoever sets the connection up. The key lies
//! in `direct.key` beside the database, so that a copy of the database opens nothing.

mod discovery;
mod keys;
mod landed;
mod ledger;
mod reader;
mod spec;
mod words;

pub(crate) use discovery::discover;
pub(crate) use keys::DirectKeys;

use crate::node::Shared;
use crate::run::drive::{self, run_id};
use crate::run::ending;
use crate::store::{Connection, Run, StoreError};
use protocol::control::{Failure, TestReport};
use protocol::ids::Lease;
use protocol::spec::ExtractionSpec;
use reader::Reader;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Who the store names as the agent of a direct run.
pub(crate) const ITSELF: &str = "relay";
/// The mode of a direct connection in the store.
pub(crate) const MODE: &str = "direct";

/// The direct runs of this relay.
pub(crate) struct Direct {
    keys: DirectKeys,
    turns: Arc<Semaphore>,
    running: Mutex<HashMap<i64, CancellationToken>>,
}

impl Direct {
    /// None yet; at most `runs` at once.
    pub(crate) fn new(keys: DirectKeys, runs: usize) -> Self {
        Self { keys, turns: Arc::new(Semaphore::new(runs)), running: Mutex::default() }
    }

    /// The keys that secrets are sealed to.
    pub(crate) fn keys(&self) -> &DirectKeys {
        &self.keys
    }

    /// Stops a run; false when it is not under way here.
    pub(crate) fn cancel(&self, number: i64) -> bool {
        let running = self.running();
        running.get(&number).inspect(|token| token.cancel()).is_some()
    }

    /// The right to start one more run.
    pub(crate) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<i64, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses an extraction that no Jira could carry out, before any is asked.
///
/// # Errors
/// What is wrong in it.
pub(crate) fn check(wire: &ExtractionSpec) -> Result<(), Failure> {
    spec::engine_spec(wire).map(drop)
}

/// The columns that tell the rows of a table apart.
pub(crate) fn key_of(table: &str) -> &'static [&'static str] {
    jira::Table::parse(table).map_or(&[], jira::Table::key_columns)
}

/// Starts a run in this process under a new lease.
pub(crate) async fn start(
    node: &Shared,
    run: &Run,
    spec: ExtractionSpec,
    turn: OwnedSemaphorePermit,
) -> Result<(), StoreError> {
    let connection = node.store.connection(&run.connection).await?;
    let entries = node.store.entries(run.number).await?;
    let number = run.number;
    let cancel = CancellationToken::new();
    // Before the lease: a wish to cancel finds the run from the moment on that the store shows it running.
    node.direct.running().insert(number, cancel.clone());
    let lease = match node.store.hand_out(number, ITSELF, &spec, crate::clock::now_ms()).await {
        Ok(lease) => Lease(lease),
        Err(error) => {
            node.direct.running().remove(&number);
            return Err(error);
        }
    };
    node.board.started(number);
    tracing::info!(event = "run_handed_out", run = %run_id(number), connection = run.connection, agent = ITSELF, lease = lease.0,
        entries = entries.len(), "run starts in the relay");
    let message =
        format!("read by the relay itself under lease {} from {} checkpoints on", lease.0, entries.len());
    drive::note(node, number, "run_handed_out", message).await;
    let reader = Reader::new(node.clone(), (number, lease), run.pool.clone(), connection);
    let task_node = node.clone();
    node.tasks.spawn(async move {
        reader.run(&spec, entries, cancel).await;
        task_node.direct.running().remove(&number);
        drop(turn);
        task_node.wake.notify_one();
    });
    Ok(())
}

/// Logs in once and says what the account sees.
pub(crate) async fn test(node: &Shared, connection: &Connection) -> TestReport {
    match try_test(node, connection).await {
        Ok(report) => report,
        Err(failure) => TestReport::Failed { failure },
    }
}

async fn try_test(node: &Shared, connection: &Connection) -> Result<TestReport, Failure> {
    let client = reader::client(node, connection)?;
    let login = client.login().await.map_err(|error| words::failure(&error))?;
    let seen = client.visible(&jira::Narrowing::default()).await.map_err(|error| words::failure(&error))?;
    Ok(TestReport::Ok {
        account: login.account,
        version: login.version,
        deployment: words::deployment(login.dialect).to_owned(),
        time_zone: login.time_zone.unwrap_or_default(),
        projects: seen.projects,
        issues: seen.issues,
    })
}

/// The run of a relay that stops goes on when it is started again.
async fn give_back(node: &Shared, (number, lease): (i64, Lease), progress: &protocol::control::Progress) {
    drive::lose(node, number, lease.0, "the relay stops", Some(progress)).await;
}

async fn end_failed(
    node: &Shared,
    (number, lease): (i64, Lease),
    connection: &str,
    failure: &Failure,
    progress: &protocol::control::Progress,
) {
    let guard = node.sweeping.enter(connection);
    if let Err(error) = ending::failed(node, (number, lease), failure, Some(progress), guard).await {
        tracing::error!(run = %run_id(number), %error, "cannot end a run; the next start of the relay goes on with it");
    }
}
