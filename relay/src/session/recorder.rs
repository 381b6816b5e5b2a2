//! Keeps what an agent says, in the order in which it was said, beside the driver: a slow disk delays the answers, never a
//! heartbeat.

use super::sharing;
use crate::node::{BusyGuard, Shared};
use crate::run::drive::{self, run_id};
use crate::run::{ending, landed};
use crate::store::{Outcome, StoreError, StoredPart};
use aws_lc_rs::rand;
use protocol::control::{AgentMessage, Failure, LogLine, Progress, RelayMessage, RunResult};
use protocol::ids::Lease;
use protocol::landed::LandedQuestion;
use protocol::manifest::SignedManifest;
use protocol::ticket::{TICKET_BYTES, Ticket};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// What waits to be kept: an agent waits for the answers to its checkpoints, so more than this is a flood.
pub(super) const RECORDS_MAX: usize = 256;
/// Questions of an agent about what landed that are answered at once.
const ASKS_MAX: usize = 4;
/// Longest text of a log line that is kept.
const LOG_TEXT_MAX: usize = 2000;

/// Something to keep.
pub(super) enum Record {
    /// A unit of the run and its parts.
    Checkpoint { number: i64, lease: Lease, sequence: u64, entry: serde_json::Value, parts: Vec<StoredPart> },
    /// The run has read everything.
    Finished { number: i64, lease: Lease, result: Box<RunResult>, manifest: Option<Box<SignedManifest>> },
    /// The run ended without success.
    Failed {
        number: i64,
        lease: Lease,
        connection: String,
        failure: Failure,
        progress: Option<Box<Progress>>,
    },
    /// The agent gives the run back, to go on later.
    HandedBack { number: i64, lease: Lease, reason: String, progress: Option<Box<Progress>> },
    /// What landed before is asked for; run, pool and connection.
    AskLanded { of: (i64, String, String), lease: Lease, ask: u64, question: LandedQuestion },
    /// A line of the run's log.
    Log { number: i64, line: LogLine },
    /// The agent has a ticket on its disk.
    TicketStored { agent_id: String, ticket: Ticket },
    /// The agent said something of its keys or sealed secrets again.
    Sharing { agent_id: String, message: Box<AgentMessage> },
    /// The agent is to hear which other agents its uplink has.
    Peers { agent_id: String },
    /// A day is over: the agent is to have a new ticket.
    TurnTicket { agent_id: String },
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Recorded {
    /// Tell the agent.
    Answer(RelayMessage),
    /// The run needs this session no more; tell the agent if there is something to tell.
    Over { number: i64, lease: Lease, answer: Option<RelayMessage> },
    /// The agent is the only holder of its identity, as far as can be known: it may get work.
    TicketKept,
    /// The database failed: the agent must not go on as if all were well.
    Broken(String),
}

/// Keeps records until their sender is gone.
pub(super) async fn run(node: Shared, mut records: mpsc::Receiver<Record>, answers: mpsc::Sender<Recorded>) {
    let asks = Arc::new(Semaphore::new(ASKS_MAX));
    while let Some(record) = records.recv().await {
        let answer = match record {
            Record::Checkpoint { number, lease, sequence, entry, parts } => {
                let kept = node.store.checkpoint((number, lease.0), sequence, &entry, &parts).await;
                checkpointed((number, lease), sequence, parts.len(), kept)
            }
            Record::Finished { number, lease, result, manifest } => {
                let outcome =
                    Outcome { result: *result, manifest: manifest.map(|it| *it), ..Outcome::default() };
                finished(&node, number, lease, outcome).await
            }
            Record::Failed { number, lease, connection, failure, progress } => {
                let guard = node.sweeping.enter(&connection);
                failed(&node, (number, lease), &failure, progress.as_deref(), guard).await
            }
            Record::HandedBack { number, lease, mut reason, progress } => {
                reason = reason.chars().take(LOG_TEXT_MAX).collect();
                drive::lose(&node, number, lease.0, &reason, progress.as_deref()).await;
                Some(Recorded::Over { number, lease, answer: None })
            }
            Record::AskLanded { of, lease, ask, question } => {
                // Reading the lake takes its time; what has to be kept does not wait for it.
                let Ok(turn) = Arc::clone(&asks).acquire_owned().await else { return };
                let (node, answers) = (node.clone(), answers.clone());
                node.clone().tasks.spawn(async move {
                    answer_landed(&node, of, (lease, ask), &question, &answers).await;
                    drop(turn);
                });
                None
            }
            Record::Log { number, line } => logged(&node, number, line).await,
            Record::TicketStored { agent_id, ticket } => ticket_stored(&node, &agent_id, &ticket).await,
            Record::Sharing { agent_id, message } => sharing::keep(&node, &agent_id, *message).await,
            Record::Peers { agent_id } => sharing::peers(&node, &agent_id).await,
            Record::TurnTicket { agent_id } => turn_ticket(&node, &agent_id).await,
        };
        if let Some(answer) = answer
            && answers.send(answer).await.is_err()
        {
            return;
        }
    }
}

async fn answer_landed(
    node: &Shared,
    (number, pool, connection): (i64, String, String),
    (lease, ask): (Lease, u64),
    question: &LandedQuestion,
    answers: &mpsc::Sender<Recorded>,
) {
    let answer = landed::answer(node, number, (&pool, &connection), question).await;
    let mut pieces = landed::pieces(answer).into_iter().peekable();
    while let Some(piece) = pieces.next() {
        let (run, last) = (run_id(number), pieces.peek().is_none());
        let message = RelayMessage::LandedAnswer { run, lease, ask, piece, last };
        if answers.send(Recorded::Answer(message)).await.is_err() {
            return;
        }
    }
}

fn checkpointed(
    (number, lease): (i64, Lease),
    sequence: u64,
    parts: usize,
    kept: Result<(), StoreError>,
) -> Option<Recorded> {
    match kept {
        Ok(()) => {
            let run = run_id(number);
            tracing::debug!(event = "checkpoint_stored", %run, lease = lease.0, sequence, parts, "checkpoint stored");
            Some(Recorded::Answer(RelayMessage::CheckpointStored { run, lease, sequence }))
        }
        Err(error) => void(number, lease, error),
    }
}

async fn finished(node: &Shared, number: i64, lease: Lease, outcome: Outcome) -> Option<Recorded> {
    if let Err(error) = ending::read_completely(node, (number, lease), outcome).await {
        return void(number, lease, error);
    }
    let answer = RelayMessage::RunClosed { run: run_id(number), lease };
    Some(Recorded::Over { number, lease, answer: Some(answer) })
}

async fn failed(
    node: &Shared,
    (number, lease): (i64, Lease),
    failure: &Failure,
    progress: Option<&Progress>,
    guard: Option<BusyGuard>,
) -> Option<Recorded> {
    match ending::failed(node, (number, lease), failure, progress, guard).await {
        Ok(_) => Some(Recorded::Over { number, lease, answer: None }),
        Err(error) => void(number, lease, error),
    }
}

/// A message about a lease or a state that is over has no effect.
fn void(number: i64, lease: Lease, error: StoreError) -> Option<Recorded> {
    match error {
        StoreError::StaleLease { .. } | StoreError::Step(_) | StoreError::Missing { .. } => {
            tracing::info!(run = %run_id(number), lease = lease.0, %error, "message without effect");
            Some(Recorded::Over { number, lease, answer: None })
        }
        StoreError::Database { .. }
        | StoreError::Migrate(_)
        | StoreError::Exists { .. }
        | StoreError::InUse { .. }
        | StoreError::Corrupt { .. } => Some(Recorded::Broken(error.to_string())),
    }
}

/// A ticket that was overtaken by another session of the agent has no effect.
async fn ticket_stored(node: &Shared, agent_id: &str, ticket: &Ticket) -> Option<Recorded> {
    match node.store.ticket_stored(agent_id, ticket).await {
        Ok(true) => Some(Recorded::TicketKept),
        Ok(false) => {
            tracing::debug!(agent = agent_id, epoch = ticket.epoch(), "a ticket that was overtaken");
            None
        }
        Err(error) => Some(Recorded::Broken(error.to_string())),
    }
}

async fn turn_ticket(node: &Shared, agent_id: &str) -> Option<Recorded> {
    let mut random = [0; TICKET_BYTES];
    if rand::fill(&mut random).is_err() {
        return Some(Recorded::Broken("the system gave no random bytes".to_owned()));
    }
    match node.store.turn_ticket(agent_id, random).await {
        Ok(ticket) => ticket.map(|ticket| Recorded::Answer(RelayMessage::NextTicket { ticket })),
        Err(error) => Some(Recorded::Broken(error.to_string())),
    }
}

async fn logged(node: &Shared, number: i64, mut line: LogLine) -> Option<Recorded> {
    line.message = line.message.chars().take(LOG_TEXT_MAX).collect();
    if let Err(error) = node.store.log(number, &line).await {
        tracing::warn!(run = %run_id(number), %error, "cannot keep a log line");
    }
    None
}
