//! One run: the engine's parts are sent and kept account of until they are acknowledged, a unit's checkpoint follows when all of its
//! parts are durable at the relay, and the result ends it. Nothing touches the disk: a run that is dropped is read again from the
//! last checkpoint by whoever gets it next.
//!
//! Back-pressure: a part needs room in the budget of unacknowledged bytes that all runs share. Without room the engine is not asked
//! for its next event, and so Jira is not read.

mod budget;
mod landed;
mod ledger;
mod report;
mod statement;
mod tally;

use crate::audit::{self, Audit, Entry, Landed};
use crate::breaker::Try;
use crate::clock;
use crate::policy::Decision;
use crate::policy::volume::Volume;
use crate::signer::Signer;
use crate::status::Board;
use bytes::Bytes;
use jira::{
    CheckpointEntry, Credential, Event as EngineEvent, Extraction, JiraClient, Part, Site, Spec, Summary,
    Warning,
};
use landed::Asked;
use ledger::Ledger;
use protocol::control::{AgentMessage, Failure, LogLine, PartHeader, Progress};
use protocol::ids::{Lease, PartId, RunId};
use protocol::landed::LandedPiece;
use statement::About;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, mpsc};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use budget::Budget;
pub(crate) use report::{broken, cancelled, failure_of};

/// Progress is sent at most four times a second.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// Most log lines that one lease of a run may send; a broken Jira could otherwise fill the relay's log.
const MAX_LOG_LINES: u32 = 500;

/// What a run is to do; everything in it has passed the policy.
pub(crate) struct Order {
    pub(crate) run: RunId,
    pub(crate) lease: Lease,
    pub(crate) connection: String,
    pub(crate) site: Site,
    pub(crate) credential: Credential,
    pub(crate) limits: jira::Limits,
    pub(crate) spec: Spec,
    pub(crate) resume: Vec<CheckpointEntry>,
    /// The right to log in.
    pub(crate) login: Try,
    /// What the policy took away.
    pub(crate) decisions: Vec<Decision>,
}

/// What the relay says to a run.
#[derive(Debug)]
pub(crate) enum ToRun {
    /// A part is durable.
    Landed(PartId),
    /// A part cannot be landed.
    PartFailed(Failure),
    /// A checkpoint is stored.
    Stored(u64),
    /// A piece of an answer about what landed.
    LandedAnswer { ask: u64, piece: LandedPiece, last: bool },
    /// Stop.
    Cancel,
    /// The result has been taken over.
    Closed,
}

/// What a run says to the relay.
#[derive(Debug)]
pub(crate) enum FromRun {
    /// A control message.
    Message(AgentMessage),
    /// A part to stream.
    Part(PartHeader, Bytes),
}

/// What all runs share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) outgoing: mpsc::Sender<FromRun>,
    pub(crate) budget: Budget,
    pub(crate) board: Board,
    pub(crate) audit: Audit,
    pub(crate) signer: Arc<Signer>,
    pub(crate) volume: Volume,
}

/// Why a run is over on this side.
enum End {
    /// The relay has the result.
    Closed,
    /// It failed, and the relay is to know.
    Failed(Failure),
    /// The link is gone; there is nobody to tell.
    Unheard,
    /// The bytes of the day are spent: it goes on later.
    Spent,
}

/// Does one run from the first request to the relay's last word.
pub(crate) async fn execute(order: Order, inbox: mpsc::Receiver<ToRun>, shared: Shared) {
    let (run, lease) = (order.run.clone(), order.lease);
    let mut ended = statement::Ended::new(&shared.audit, &run, lease);
    shared.board.run_begins(&run, lease, &order.connection);
    tracing::info!(
        event = "run_started",
        lease = lease.0,
        resumed_units = order.resume.len(),
        "the run starts"
    );
    let end = match Running::start(order, inbox, shared.clone()).await {
        Ok(mut running) => running.drive().await,
        Err(failure) => End::Failed(failure),
    };
    match end {
        End::Closed => {
            ended.finished();
            tracing::info!(event = "run_finished", "the relay has taken over the result");
        }
        End::Unheard => tracing::info!(
            event = "run_dropped",
            "the link is gone; the run goes on from its checkpoint later"
        ),
        End::Spent => {
            let (code, reason) =
                ("daily_bytes_spent".to_owned(), "the bytes of the day are spent".to_owned());
            tracing::info!(
                event = "run_handed_back",
                code,
                reason,
                "the run goes on from its checkpoint later"
            );
            let message = AgentMessage::RunHandedBack { run: run.clone(), lease, code, reason };
            if shared.outgoing.send(FromRun::Message(message)).await.is_err() {
                tracing::info!(
                    event = "run_dropped",
                    "the link went away before the run could be handed back"
                );
            }
        }
        End::Failed(failure) => {
            ended.failed(&failure.code);
            tracing::warn!(
                event = "run_failed",
                code = failure.code,
                reason = failure.message,
                "the run failed"
            );
            shared.board.error(run.as_str(), &failure.code, &failure.message);
            let message = AgentMessage::RunFailed { run: run.clone(), lease, failure };
            if shared.outgoing.send(FromRun::Message(message)).await.is_err() {
                tracing::info!(event = "run_dropped", "the link went away before the failure could be told");
            }
        }
    }
    shared.board.run_ends(&run);
}

/// A part that waits for room.
struct WaitingPart {
    part: Part,
    room: std::pin::Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>,
}

struct Running {
    run: RunId,
    lease: Lease,
    inbox: mpsc::Receiver<ToRun>,
    shared: Shared,
    extraction: Extraction,
    /// Stops the engine's requests when the run is dropped.
    _stop: DropGuard,
    ledger: Ledger,
    tally: Tally,
    about: About,
    waiting: Option<WaitingPart>,
    /// Each part on its way, and its room.
    held: HashMap<PartId, (PartHeader, OwnedSemaphorePermit)>,
    bytes_sent: BTreeMap<String, u64>,
    progress: Progress,
    progress_changed: bool,
    ticks: Interval,
    log_lines: u32,
    warned: BTreeSet<(String, String)>,
    summary: Option<Summary>,
    result_sent: bool,
    login: Try,
    decisions: Vec<Decision>,
    asked: Asked,
}

enum Event {
    Told(Option<ToRun>),
    Room(Result<OwnedSemaphorePermit, AcquireError>),
    Tick,
    Engine(Option<Result<EngineEvent, jira::Error>>),
}

impl Running {
    async fn start(mut order: Order, inbox: mpsc::Receiver<ToRun>, shared: Shared) -> Result<Self, Failure> {
        let tally = Tally::resume(&mut order.resume);
        for part in tally.resumed() {
            let told = Entry::PartResumed(Landed::told(&order.run, order.lease, part));
            shared.audit.note_when_room(told).await.map_err(audit::Full::failure)?;
        }
        let about = About::of(&order);
        let client = JiraClient::try_new(order.site, order.credential, order.limits)
            .map_err(|error| failure_of(&error))?
            .observed_by(shared.audit.observer(order.run.as_str()));
        let cancel = CancellationToken::new();
        let extraction = jira::extract(client, order.spec, order.resume, cancel.clone());
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            run: order.run,
            lease: order.lease,
            inbox,
            shared,
            extraction,
            _stop: cancel.drop_guard(),
            ledger: Ledger::new(order.lease),
            tally,
            about,
            waiting: None,
            held: HashMap::new(),
            bytes_sent: BTreeMap::new(),
            progress: Progress { phase: "login".to_owned(), ..Progress::default() },
            progress_changed: true,
            ticks,
            log_lines: 0,
            warned: BTreeSet::new(),
            summary: None,
            result_sent: false,
            login: order.login,
            decisions: order.decisions,
            asked: Asked::default(),
        })
    }

    async fn drive(&mut self) -> End {
        loop {
            let event = self.next_event().await;
            if let Err(end) = self.handle(event).await {
                return end;
            }
            if let Err(end) = self.send_what_is_due().await {
                return end;
            }
        }
    }

    /// The relay's word first, so that acknowledgements make room and a cancel is heard; the engine last.
    async fn next_event(&mut self) -> Event {
        let may_pull = self.waiting.is_none() && self.ledger.may_pull();
        tokio::select! {
            biased;
            told = self.inbox.recv() => Event::Told(told),
            room = async { match &mut self.waiting { Some(waiting) => waiting.room.as_mut().await, None => std::future::pending().await } } => Event::Room(room),
            _ = self.ticks.tick(), if self.progress_changed => Event::Tick,
            got = self.extraction.next(), if may_pull => Event::Engine(got),
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Told(Some(word)) => self.handle_word(word),
            Event::Told(None) => Err(End::Unheard),
            Event::Room(Ok(room)) => self.send_part(room).await,
            Event::Room(Err(_)) => Err(End::Unheard),
            Event::Tick => self.send_progress().await,
            Event::Engine(Some(Ok(event))) => self.handle_engine(event).await,
            Event::Engine(Some(Err(error))) => {
                self.login.ended(Some(error.code()));
                Err(End::Failed(failure_of(&error)))
            }
            Event::Engine(None) => Err(End::Failed(broken("the extraction ended without a result"))),
        }
    }

    fn handle_word(&mut self, word: ToRun) -> Result<(), End> {
        match word {
            ToRun::Landed(part) => self.handle_landed(&part),
            ToRun::Stored(sequence) => {
                if !self.ledger.handle_stored(sequence) {
                    tracing::debug!(
                        event = "stray_acknowledgement",
                        sequence,
                        "no such checkpoint is on its way"
                    );
                }
                Ok(())
            }
            ToRun::LandedAnswer { ask, piece, last } => {
                self.asked.handle_piece(ask, piece, last);
                Ok(())
            }
            ToRun::PartFailed(failure) => Err(End::Failed(failure)),
            ToRun::Cancel => Err(End::Failed(cancelled())),
            ToRun::Closed if self.result_sent => Err(End::Closed),
            ToRun::Closed => Err(End::Failed(broken("the relay closed the run before it had the result"))),
        }
    }

    fn handle_landed(&mut self, part: &PartId) -> Result<(), End> {
        if !self.ledger.handle_landed(part) {
            tracing::debug!(event = "stray_acknowledgement", part = %part, "no such part is on its way");
            return Ok(());
        }
        let Some((header, _room)) = self.held.remove(part) else { return Ok(()) };
        self.tally.landed(&header);
        self.shared.audit.note(Entry::from(&header)).map_err(|full| End::Failed(full.failure()))
    }

    async fn handle_engine(&mut self, event: EngineEvent) -> Result<(), End> {
        match event {
            EngineEvent::Part(part) => {
                let room = Box::pin(self.shared.budget.clone().acquire(part.bytes.len()));
                self.waiting = Some(WaitingPart { part, room });
                Ok(())
            }
            EngineEvent::UnitDone { unit, entry, parts } => self
                .ledger
                .handle_unit_done(&unit, entry, parts)
                .map_err(|error| End::Failed(broken(&error.to_string()))),
            EngineEvent::Progress(progress) => self.handle_progress(&progress).await,
            EngineEvent::Warning(warning) => self.handle_warning(warning).await,
            EngineEvent::Landed(ask) => {
                let (ask, question) = self.asked.handle_ask(ask);
                let (run, lease) = (self.run.clone(), self.lease);
                self.tell(AgentMessage::AskLanded { run, lease, ask, question }).await
            }
            EngineEvent::Finished(summary) => {
                self.login.ended(None);
                self.summary = Some(summary);
                self.ledger.handle_engine_end().map_err(|error| End::Failed(broken(&error.to_string())))
            }
        }
    }

    /// Each kind is told when it is first met; the result has the counts.
    async fn handle_warning(&mut self, warning: Warning) -> Result<(), End> {
        let Warning { code, message, .. } = warning;
        if self.warned.contains(&(code.clone(), message.clone())) {
            return Ok(());
        }
        if code.starts_with("policy_") {
            tracing::info!(event = "withheld_by_policy", code, "{message}");
        } else {
            tracing::warn!(event = "withheld", code, "{message}");
        }
        self.log("warn", &code, &message).await?;
        self.warned.insert((code, message));
        Ok(())
    }

    async fn handle_progress(&mut self, progress: &jira::Progress) -> Result<(), End> {
        let bytes_sent = self.progress.bytes_sent;
        let before = std::mem::replace(&mut self.progress, report::progress(progress, bytes_sent));
        self.progress_changed = true;
        if before.phase == self.progress.phase {
            return Ok(());
        }
        if progress.phase != jira::Phase::LoggingIn {
            self.login.accepted();
        }
        let phase = self.progress.phase.clone();
        tracing::info!(
            event = "run_phase",
            phase,
            issues_read = self.progress.issues_read,
            "the run enters a phase"
        );
        self.log("info", "run_phase", &format!("phase {phase}, {} issues read", self.progress.issues_read))
            .await
    }

    async fn send_part(&mut self, room: OwnedSemaphorePermit) -> Result<(), End> {
        let Some(WaitingPart { part, .. }) = self.waiting.take() else { return Ok(()) };
        let name = self.ledger.handle_part(&part.unit);
        self.tally.columns(&part.table, &part.column_names);
        let length = u64::try_from(part.bytes.len()).unwrap_or(u64::MAX);
        if !self.shared.volume.take(length, chrono::Local::now().date_naive()) {
            return Err(End::Spent);
        }
        self.progress.bytes_sent += length;
        self.progress_changed = true;
        *self.bytes_sent.entry(part.table.clone()).or_default() += length;
        let header = PartHeader {
            run: self.run.clone(),
            lease: self.lease,
            part: name,
            table: part.table,
            generation: part.generation,
            rows: part.rows,
            bytes: length,
            digest: report::hex(&part.digest),
        };
        self.held.insert(header.part.clone(), (header.clone(), room));
        tracing::debug!(event = "part_sent", part = %header.part, table = header.table, rows = header.rows, bytes = length);
        self.say(FromRun::Part(header, part.bytes)).await
    }

    /// Checkpoints whose parts are durable, and the result after the last of them.
    async fn send_what_is_due(&mut self) -> Result<(), End> {
        while let Some(due) = self.ledger.poll_checkpoint() {
            let (run, lease) = (self.run.clone(), self.lease);
            let entry = self.tally.with_facts(due.entry.0, &due.parts);
            self.tell(AgentMessage::Checkpoint {
                run,
                lease,
                sequence: due.sequence,
                entry,
                parts: due.parts,
            })
            .await?;
        }
        if !self.ledger.is_complete() || self.result_sent {
            return Ok(());
        }
        let Some(summary) = self.summary.take() else { return Ok(()) };
        self.result_sent = true;
        report::complete(&mut self.progress, &summary);
        self.send_progress().await?;
        for warning in &summary.warnings {
            tracing::info!(
                event = "withheld_total",
                code = warning.code,
                count = warning.count,
                "{}",
                warning.message
            );
        }
        let result = report::result(&summary, &self.bytes_sent, &self.progress, &self.decisions);
        tracing::info!(
            event = "run_read",
            issues_read = self.progress.issues_read,
            requests = summary.requests,
            retries = summary.retries,
            bytes_read = summary.bytes_read,
            bytes_sent = self.progress.bytes_sent,
            "everything is read and acknowledged"
        );
        let manifest = self.manifest(summary.requests)?;
        let (run, lease) = (self.run.clone(), self.lease);
        self.tell(AgentMessage::RunFinished { run, lease, result, manifest: Some(Box::new(manifest)) }).await
    }

    async fn send_progress(&mut self) -> Result<(), End> {
        self.progress_changed = false;
        self.shared.board.run_goes_on(&self.run, &self.progress, self.shared.budget.used_bytes());
        let (run, lease, progress) = (self.run.clone(), self.lease, self.progress.clone());
        self.tell(AgentMessage::Progress { run, lease, progress }).await
    }

    async fn log(&mut self, level: &str, event: &str, message: &str) -> Result<(), End> {
        if self.log_lines >= MAX_LOG_LINES {
            return Ok(());
        }
        self.log_lines += 1;
        let line = LogLine {
            at_ms: clock::now_ms(),
            level: level.to_owned(),
            event: event.to_owned(),
            message: message.to_owned(),
        };
        self.tell(AgentMessage::RunLog { run: self.run.clone(), lease: self.lease, line }).await
    }

    async fn tell(&mut self, message: AgentMessage) -> Result<(), End> {
        self.say(FromRun::Message(message)).await
    }

    async fn say(&mut self, said: FromRun) -> Result<(), End> {
        self.shared.outgoing.send(said).await.map_err(|_| End::Unheard)
    }
}
