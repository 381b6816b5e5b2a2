//! The runs of one session: instructions of the relay are admitted by the policy or refused and logged, a bounded number works at
//! once, and all of them end with the session. Nothing of a run outlives the link that it came by.

mod admit;
mod discovery;
mod owner;
mod resume;
mod test_connection;

use crate::audit::{Audit, Entry, Instruction};
use crate::breaker::Breaker;
use crate::config::Limits;
use crate::health::Health;
use crate::identity::Rotation;
use crate::journal::Journal;
use crate::orders::{Halt, Standing};
use crate::paths::Paths;
use crate::policy::volume::Volume;
use crate::policy::{self, Policy};
use crate::run::{self, Budget, FromRun, Order, Shared, ToRun};
use crate::secrets::Opener;
use crate::signer::CurrentSigner;
use crate::status::Board;
use crate::tickets::Tickets;
use jira::CheckpointEntry;
pub(crate) use owner::run_of;
use protocol::control::{AgentMessage, Failure, RelayMessage, TestReport};
use protocol::ids::{Lease, RequestId, RunId};
use protocol::spec::{ConnectionSpec, ExtractionSpec};
use resume::ResumeStore;
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinSet};
use tracing::Instrument;

/// Messages of runs that wait for the link. Parts are bounded by the budget; this bounds the rest.
const OUTGOING: usize = 64;
/// Words of the relay that wait for a run: every part and checkpoint in flight may be acknowledged at once, and a cancel fits too.
const INBOX: usize = 256;
/// Runs that are held, working or waiting for their turn; a relay that hands out more gets them back.
const MAX_HELD: usize = 64;
/// Connection tests at once.
const MAX_TESTS: usize = 4;

/// What is the same for every session of the agent.
pub(crate) struct Premises {
    pub(crate) policy: Policy,
    pub(crate) opener: Opener,
    pub(crate) limits: Limits,
    pub(crate) board: Board,
    /// What the administrator orders.
    pub(crate) standing: watch::Receiver<Standing>,
    pub(crate) audit: Audit,
    pub(crate) signer: CurrentSigner,
    pub(crate) health: Health,
    pub(crate) volume: Volume,
    pub(crate) journal: Journal,
    pub(crate) breaker: Breaker,
    /// The tickets of the identity that the link is made for.
    pub(crate) tickets: Tickets,
    pub(crate) paths: Paths,
    pub(crate) rotation: Rotation,
}

impl Premises {
    /// Why nothing can be recorded, and therefore nothing is done, if so.
    pub(crate) fn audit_trouble(&self) -> Option<String> {
        let trouble = self.audit.state().borrow().trouble.clone();
        trouble.map(|trouble| format!("the audit log cannot be written: {trouble}"))
    }
}

/// The runs of one session.
pub(crate) struct Runs {
    premises: Arc<Premises>,
    shared: Shared,
    /// Turns to work; the others wait.
    turns: Arc<Semaphore>,
    tests: Arc<Semaphore>,
    tasks: JoinSet<()>,
    held: HashMap<RunId, Held>,
    resume: ResumeStore,
    /// Why no work is taken.
    halt: Option<Halt>,
    /// Runs that were handed back by a halt: what their tasks still said has no effect.
    handed_back: HashMap<RunId, Lease>,
    /// Whether the present instruction has a line of its own in the audit log. One that has none is judged all the same, and counted if it
    /// is refused.
    has_place: bool,
}

struct Held {
    lease: Lease,
    inbox: mpsc::Sender<ToRun>,
    task: AbortHandle,
}

/// A task ended.
pub(crate) enum Ended {
    /// In good order.
    Quietly,
    /// By a defect; the relay is to be told.
    Broken(Box<AgentMessage>),
}

impl Runs {
    /// No runs yet; what they say comes out of the channel.
    pub(crate) fn new(premises: Arc<Premises>) -> (Self, mpsc::Receiver<FromRun>) {
        let (outgoing, said) = mpsc::channel(OUTGOING);
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let budget = Budget::new(size(premises.limits.unacked_mib).saturating_mul(1 << 20));
        let shared = Shared {
            outgoing,
            budget,
            board: premises.board.clone(),
            audit: premises.audit.clone(),
            signer: premises.signer.now(),
            volume: premises.volume.clone(),
        };
        let turns = Arc::new(Semaphore::new(size(premises.limits.max_runs)));
        let runs = Self {
            premises,
            shared,
            turns,
            tests: Arc::new(Semaphore::new(MAX_TESTS)),
            tasks: JoinSet::new(),
            held: HashMap::new(),
            resume: ResumeStore::default(),
            halt: None,
            handed_back: HashMap::new(),
            has_place: true,
        };
        (runs, said)
    }

    /// How many runs are held.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }

    /// The orders of the premises, as they change.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.premises.standing.clone()
    }

    /// The fingerprint of the key for pseudonyms, if there is one.
    pub(crate) fn mask_key(&self) -> Option<String> {
        self.premises.policy.rules().mask_key().map(str::to_owned)
    }

    /// Why no work is taken, if so.
    pub(crate) fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// Takes or lifts a halt. A halt ends every run at once; the answers hand them back to the relay, which keeps their checkpoints.
    pub(crate) fn obey(&mut self, halt: Option<Halt>) -> Vec<AgentMessage> {
        self.halt = halt;
        let Some(halt) = self.halt.clone() else { return Vec::new() };
        let mut held: Vec<(RunId, Held)> = self.held.drain().collect();
        held.sort_by(|(one, _), (other, _)| one.cmp(other));
        let answers = held.into_iter().map(|(run, held)| {
            held.task.abort();
            self.premises.board.run_ends(&run);
            tracing::info!(event = "run_handed_back", %run, code = halt.code, reason = halt.reason, "the run is stopped and goes on from its checkpoint later");
            self.handed_back.insert(run.clone(), held.lease);
            hand_back(run, held.lease, &halt)
        });
        answers.collect()
    }

    /// Whether it was said by a run that a halt has ended.
    pub(crate) fn was_handed_back(&self, said: &FromRun) -> bool {
        let (run, lease) = match said {
            FromRun::Part(header, _) => (&header.run, header.lease),
            FromRun::Message(message) => match run_of(message) {
                Some(of) => of,
                None => return false,
            },
        };
        self.handed_back.get(run).is_some_and(|ended| lease <= *ended)
    }

    /// Whether a run of this name works under an older lease.
    pub(crate) fn is_superseded(&self, run: &RunId, by: Lease) -> bool {
        self.held.get(run).is_some_and(|held| held.lease < by)
    }

    /// Stops a run without a word.
    pub(crate) fn give_up(&mut self, run: &RunId) {
        if let Some(held) = self.held.remove(run) {
            held.task.abort();
            self.premises.board.run_ends(run);
        }
    }

    /// Takes notice of a message before it is followed: whether it is written down on a line of its own.
    pub(crate) fn hear(&mut self, message: &RelayMessage) -> bool {
        self.has_place = !Instruction::is_one(message) || self.premises.audit.has_place();
        self.has_place
    }

    /// Notes a message of a type that this agent does not know.
    pub(crate) fn note_unknown(&mut self, got: &str) {
        self.has_place = self.premises.audit.has_place();
        if self.has_place {
            tracing::warn!(
                event = "unknown_instruction",
                got,
                "the relay sent a message that this agent does not know"
            );
        }
        self.note(Instruction::unknown(got));
    }

    /// Follows an instruction, or gives the answer that refuses it.
    pub(crate) fn handle(&mut self, message: RelayMessage) -> Option<AgentMessage> {
        let asked = Instruction::of(&message);
        match message {
            RelayMessage::StartRun { run, lease, connection, extraction, resume_entries } => {
                let resume = self.resume.take(&run, lease, resume_entries);
                let start = Start { run, lease, connection, extraction };
                self.start(start, resume, asked)
            }
            RelayMessage::ResumeEntries { run, lease, entries } => {
                self.resume.add(run, lease, entries);
                None
            }
            RelayMessage::TestConnection { request, connection } => self.test(request, connection, asked),
            RelayMessage::Discover { request, connection, extraction, rows } => {
                let question = discovery::Question { request, connection, extraction, rows };
                self.discover(question, asked)
            }
            other => {
                // Stopping is always followed, whether or not it finds its place in the log.
                asked.into_iter().for_each(|asked| self.note(asked));
                self.follow(other)
            }
        }
    }

    /// Follows what starts nothing.
    fn follow(&mut self, message: RelayMessage) -> Option<AgentMessage> {
        match message {
            RelayMessage::CancelRun { run, lease } => self.cancel(run, lease),
            RelayMessage::PartLanded { run, part, .. } => self.word(&run, None, ToRun::Landed(part)),
            RelayMessage::PartFailed { run, part, failure, .. } => {
                if self.has_place {
                    tracing::warn!(event = "part_refused", %run, %part, code = policy::shortened(&failure.code), "the relay could not land a part");
                }
                let shown = Failure {
                    code: policy::shortened(&failure.code),
                    message: policy::shortened_line(&failure.message),
                    hint: policy::shortened_line(&failure.hint),
                };
                self.word(&run, None, ToRun::PartFailed(shown))
            }
            RelayMessage::CheckpointStored { run, lease, sequence } => {
                self.word(&run, Some(lease), ToRun::Stored(sequence))
            }
            RelayMessage::LandedAnswer { run, lease, ask, piece, last } => {
                self.word(&run, Some(lease), ToRun::LandedAnswer { ask, piece, last })
            }
            RelayMessage::RunClosed { run, lease } => self.word(&run, Some(lease), ToRun::Closed),
            RelayMessage::StartRun { .. }
            | RelayMessage::ResumeEntries { .. }
            | RelayMessage::TestConnection { .. }
            | RelayMessage::Discover { .. }
            | RelayMessage::Window { .. }
            | RelayMessage::GoAway { .. }
            | RelayMessage::NextTicket { .. }
            | RelayMessage::KeysKept { .. }
            | RelayMessage::Peers { .. }
            | RelayMessage::Reseal { .. }
            | RelayMessage::UnknownMessage { .. }
            | RelayMessage::Beat { .. }
            | RelayMessage::BeatAck { .. } => None,
        }
    }

    /// Waits until a task has ended.
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        match self.tasks.poll_join_next_with_id(context) {
            Poll::Ready(Some(Ok((task, ())))) => {
                self.forget(task);
                Poll::Ready(Ended::Quietly)
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(self.broken(&error)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn broken(&mut self, error: &tokio::task::JoinError) -> Ended {
        let Some((run, held)) = self.forget(error.id()).filter(|_| error.is_panic()) else {
            return Ended::Quietly;
        };
        tracing::error!(event = "run_broken", %run, "the run ended by a defect of the agent; report it with this log");
        self.premises.board.run_ends(&run);
        let failure = Failure {
            code: "internal".to_owned(),
            message: "the run ended by a defect of the agent".to_owned(),
            hint: "report it with the agent's log; the agent itself goes on".to_owned(),
        };
        Ended::Broken(Box::new(AgentMessage::RunFailed { run, lease: held.lease, failure }))
    }

    fn forget(&mut self, task: Id) -> Option<(RunId, Held)> {
        let run = self.held.iter().find(|(_, held)| held.task.id() == task)?.0.clone();
        self.held.remove_entry(&run)
    }

    fn start(
        &mut self,
        start: Start,
        resume: Result<Vec<CheckpointEntry>, Failure>,
        asked: Option<Instruction>,
    ) -> Option<AgentMessage> {
        if self.held.get(&start.run).is_some_and(|held| held.lease >= start.lease) {
            tracing::debug!(event = "stale_lease", run = %start.run, lease = start.lease.0, "an older lease has no effect");
            self.record_refusal(asked, "stale_lease");
            return None;
        }
        self.give_up(&start.run);
        let (run, lease) = (start.run.clone(), start.lease);
        if let Some(halt) = self.halt.clone() {
            self.record_refusal(asked, halt.code);
            return Some(hand_back(run, lease, &halt));
        }
        match resume.and_then(|resume| self.admit(start, resume)).and_then(|order| self.within_rate(order)) {
            Ok(order) => match self.record(asked) {
                Ok(()) => {
                    self.spawn(order);
                    None
                }
                Err(failure) => Some(AgentMessage::RunFailed { run, lease, failure }),
            },
            Err(failure) => {
                self.record_refusal(asked, &failure.code);
                Some(AgentMessage::RunFailed { run, lease, failure })
            }
        }
    }

    /// Nothing is done that is not in the audit log.
    fn record(&self, asked: Option<Instruction>) -> Result<(), Failure> {
        let Some(asked) = asked else { return Ok(()) };
        self.premises.audit.note(Entry::Instruction(asked)).map_err(|full| {
            tracing::error!(
                event = "audit_full",
                "an instruction was refused, because the audit log takes no more lines"
            );
            full.failure()
        })
    }

    fn record_refusal(&self, asked: Option<Instruction>, code: &str) {
        asked.into_iter().for_each(|asked| self.note(asked.refused(code)));
    }

    /// Notes an instruction whose fate is known.
    fn note(&self, asked: Instruction) {
        if self.has_place {
            self.premises.audit.note_done(Entry::Instruction(asked));
        } else {
            self.premises.audit.count(&asked);
        }
    }

    /// Nothing is begun that has no line of its own.
    fn within_rate<T>(&self, admitted: T) -> Result<T, Failure> {
        if self.has_place || self.premises.audit.may_begin() { Ok(admitted) } else { Err(too_busy()) }
    }

    fn spawn(&mut self, order: Order) {
        let span = tracing::info_span!("run", run = %order.run, connection = order.connection);
        let (inbox, words) = mpsc::channel(INBOX);
        let (run, lease) = (order.run.clone(), order.lease);
        // The keys may have changed since the link came up.
        let shared = Shared { signer: self.premises.signer.now(), ..self.shared.clone() };
        let turns = Arc::clone(&self.turns);
        let work = async move {
            // The semaphore is never closed, so there is always a turn.
            let _turn = turns.acquire_owned().await;
            run::execute(order, words, shared).await;
        };
        let task = self.tasks.spawn(work.instrument(span));
        self.held.insert(run, Held { lease, inbox, task });
    }

    fn cancel(&mut self, run: RunId, lease: Lease) -> Option<AgentMessage> {
        match self.held.get(&run) {
            Some(held) if held.lease != lease => None,
            Some(_) => self.word(&run, Some(lease), ToRun::Cancel),
            None => Some(AgentMessage::RunFailed { run, lease, failure: run::cancelled() }),
        }
    }

    /// Passes a word on; words for runs that are gone or for older leases have no effect.
    fn word(&mut self, run: &RunId, lease: Option<Lease>, word: ToRun) -> Option<AgentMessage> {
        let held = self.held.get(run).filter(|held| lease.is_none_or(|lease| lease == held.lease))?;
        match held.inbox.try_send(word) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
            Err(mpsc::error::TrySendError::Full(_)) => {
                let lease = held.lease;
                self.give_up(run);
                tracing::warn!(event = "run_flooded", %run, "the relay sent more words for this run than it had parts in flight; the run is dropped");
                Some(AgentMessage::RunFailed {
                    run: run.clone(),
                    lease,
                    failure: run::broken("the relay sent more acknowledgements than there were parts"),
                })
            }
        }
    }

    fn test(
        &mut self,
        request: RequestId,
        connection: ConnectionSpec,
        asked: Option<Instruction>,
    ) -> Option<AgentMessage> {
        let failed = |failure| {
            Some(AgentMessage::TestResult {
                request: request.clone(),
                report: TestReport::Failed { failure },
            })
        };
        let turn = match &self.halt {
            Some(halt) => Err(halt.failure()),
            None => Arc::clone(&self.tests).try_acquire_owned().map_err(|_| too_busy()),
        };
        let admitted =
            turn.and_then(|turn| self.admit_test(&request, &connection).map(|login| (turn, login)));
        let admitted = admitted.and_then(|admitted| self.within_rate(admitted));
        let (turn, login) = match admitted {
            Ok(admitted) => admitted,
            Err(failure) => {
                self.record_refusal(asked, &failure.code);
                return failed(failure);
            }
        };
        if let Err(failure) = self.record(asked) {
            return failed(failure);
        }
        let outgoing = self.shared.outgoing.clone();
        let span = tracing::info_span!("test", request = %policy::shortened(request.as_str()), connection = policy::shortened(&connection.name));
        let work = async move {
            let report = test_connection::run(login).await;
            drop(turn);
            let answer = FromRun::Message(AgentMessage::TestResult { request, report });
            if outgoing.send(answer).await.is_err() {
                tracing::info!(event = "test_dropped", "the link went away before the result could be told");
            }
        };
        self.tasks.spawn(work.instrument(span));
        None
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.premises.board.no_runs();
    }
}

struct Start {
    run: RunId,
    lease: Lease,
    connection: ConnectionSpec,
    extraction: ExtractionSpec,
}

fn hand_back(run: RunId, lease: Lease, halt: &Halt) -> AgentMessage {
    AgentMessage::RunHandedBack { run, lease, code: halt.code.to_owned(), reason: halt.reason.clone() }
}

fn too_busy() -> Failure {
    Failure {
        code: "agent_busy".to_owned(),
        message: "the agent has as much work as it takes".to_owned(),
        hint: "wait for other runs to end, or add an agent to the uplink".to_owned(),
    }
}

#[cfg(test)]
mod tests;
