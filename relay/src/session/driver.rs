//! Pumps a [`RelayLink`] over one WebSocket: readiness becomes an [`Event`], an event becomes calls. One owner of the socket;
//! nothing here waits for a disk.

mod discoveries;
mod identity;
mod pump;

use super::intake::{Intake, Release};
use super::landing::{Landing, Landings};
use super::recorder::{self, RECORDS_MAX, Record, Recorded};
use super::{Ending, Socket};
use crate::lake::TablePlace;
use crate::node::Shared;
use crate::run::drive::{ActiveRun, Assignment, run_id};
use crate::store::{Agent, StoredPart};
use crate::uplinks::{Health, Order, Seat};
use bytes::Bytes;
use discoveries::Discoveries;
use futures_util::SinkExt;
use protocol::control::{AgentMessage, Failure, PartHeader, RelayMessage, TestReport};
use protocol::ids::{Lease, RequestId, RunId, StreamId};
use protocol::limits::LinkLimits;
use protocol::link::{LinkConfig, RelayEvent, RelayLink};
use protocol::ticket::Ticket;
use pump::{into_message, poll_socket, short};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// When an agent that was told to go away may come back.
const COME_BACK_MS: u64 = 1000;
/// How long the last messages of a session may take.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// A link that lives long turns its ticket this often, so that a copy of the identity cannot ride on it unnoticed.
const TURN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Connection tests that wait for their answer at one agent.
const TESTS_MAX: usize = 16;

/// The owner of a session's socket and link.
pub(super) struct Driver {
    pub(super) node: Shared,
    agent_id: String,
    session: u64,
    started: Instant,
    socket: Socket,
    link: RelayLink,
    intake: Intake,
    landings: Landings,
    records: Option<mpsc::Sender<Record>>,
    recorded: mpsc::Receiver<Recorded>,
    recorder: JoinHandle<()>,
    runs: BTreeMap<RunId, ActiveRun>,
    tests: BTreeMap<RequestId, oneshot::Sender<TestReport>>,
    tests_asked: u64,
    discoveries: Discoveries,
    /// Whether the agent seals secrets again for others.
    reseals: bool,
    /// When the agent is due for another ticket; `None` for one that keeps none.
    turn_at: Option<tokio::time::Instant>,
}

/// What the driver wakes for.
enum Event {
    Message(Message),
    Landed(Landing),
    Recorded(Recorded),
    Order(Order),
    TurnTicket,
    Timer,
}

impl Driver {
    pub(super) fn new(node: Shared, (agent, reseals): (&Agent, bool), session: u64, socket: Socket) -> Self {
        let (records, to_record) = mpsc::channel(RECORDS_MAX);
        let (answers, recorded) = mpsc::channel(RECORDS_MAX);
        let config = LinkConfig::new(node.heartbeat, LinkLimits::default());
        let recorder = node.tasks.spawn(recorder::run(node.clone(), to_record, answers));
        Self {
            node,
            agent_id: agent.agent_id.clone(),
            session,
            started: Instant::now(),
            socket,
            link: RelayLink::new(config, Duration::ZERO),
            intake: Intake::default(),
            landings: Landings::default(),
            records: Some(records),
            recorded,
            recorder,
            runs: BTreeMap::new(),
            tests: BTreeMap::new(),
            tests_asked: 0,
            discoveries: Discoveries::default(),
            reseals,
            turn_at: None,
        }
    }

    /// Gives the agent its ticket, then drives the link until something ends it.
    pub(super) async fn run(&mut self, seat: &mut Seat, ticket: Option<Ticket>) -> Ending {
        if let Err(ending) = self.hand_ticket(ticket) {
            return ending;
        }
        loop {
            let event = match self.next_event(seat).await {
                Ok(event) => event,
                Err(ending) => return ending,
            };
            if let Err(ending) = self.handle(event) {
                return ending;
            }
        }
    }

    /// Readiness in order of rank: ends first, then what frees memory, then the socket, then new work.
    async fn next_event(&mut self, seat: &mut Seat) -> Result<Event, Ending> {
        let timer = tokio::time::Instant::from_std(self.started + self.link.poll_timeout());
        let has_room = self.link.has_room();
        let Self { socket, link, landings, recorded, node, turn_at, .. } = self;
        let turn = turn_at.unwrap_or(timer);
        tokio::select! {
            biased;
            () = seat.cut.cancelled() => Err(seat.why().map_or(Ending::Closed, Ending::Cut)),
            () = node.stop.cancelled() => Err(Ending::Drain),
            landing = landings.next(), if has_room => Ok(Event::Landed(landing)),
            Some(answer) = recorded.recv(), if has_room => Ok(Event::Recorded(answer)),
            message = std::future::poll_fn(|cx| poll_socket(socket, link, cx)) => message.map(Event::Message),
            Some(order) = seat.orders.recv(), if has_room => Ok(Event::Order(order)),
            () = tokio::time::sleep_until(turn), if turn_at.is_some() => Ok(Event::TurnTicket),
            () = tokio::time::sleep_until(timer) => Ok(Event::Timer),
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Ending> {
        let now = self.started.elapsed();
        match event {
            Event::Message(Message::Text(text)) => self.link.handle_text(text.as_str(), now)?,
            Event::Message(Message::Binary(bytes)) => self.link.handle_binary(bytes, now)?,
            Event::Message(Message::Close(_)) => return Err(Ending::Closed),
            Event::Message(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Event::Landed(landing) => self.landed(landing)?,
            Event::Recorded(answer) => self.recorded(answer)?,
            Event::Order(order) => self.order(order)?,
            Event::TurnTicket => {
                self.turn_at = Some(tokio::time::Instant::now() + TURN_EVERY);
                self.record(Record::TurnTicket { agent_id: self.agent_id.clone() })?;
            }
            Event::Timer => self.link.handle_timeout(now)?,
        }
        while let Some(event) = self.link.poll_event() {
            self.link_event(event)?;
        }
        Ok(())
    }

    fn link_event(&mut self, event: RelayEvent) -> Result<(), Ending> {
        match event {
            RelayEvent::PartBegin { stream, part } => self.part_begins(stream, part)?,
            RelayEvent::Chunk { stream, bytes } => self.chunk(stream, bytes),
            RelayEvent::PartEnd { stream } => self.part_ends(stream)?,
            RelayEvent::PartAborted { stream } => {
                let releases = self.intake.done(stream);
                self.release(releases);
            }
            RelayEvent::Control(message) => self.control(message)?,
        }
        Ok(())
    }

    fn part_begins(&mut self, stream: StreamId, part: PartHeader) -> Result<(), Ending> {
        match self.accepts(&part) {
            Ok(()) => self.intake.begin(stream, part),
            Err(failure) => self.refuse(stream, &part, failure)?,
        }
        Ok(())
    }

    fn accepts(&self, part: &PartHeader) -> Result<(), Failure> {
        let run = self.runs.get(&part.run).ok_or_else(|| {
            let message = format!("{} is not under way in this session", part.run);
            crate::run::drive::refused("unknown_run", message)
        })?;
        run.accepts(part)
    }

    fn refuse(&mut self, stream: StreamId, part: &PartHeader, failure: Failure) -> Result<(), Ending> {
        tracing::warn!(run = %part.run, part = %part.part, code = failure.code, message = failure.message,
            "part refused");
        let (run, part) = (part.run.clone(), part.part.clone());
        self.link.send(&RelayMessage::PartFailed { stream, run, part, failure })?;
        Ok(())
    }

    fn chunk(&mut self, stream: StreamId, bytes: Bytes) {
        let releases = self.intake.chunk(stream, bytes);
        self.release(releases);
    }

    fn release(&mut self, releases: Vec<Release>) {
        for (stream, bytes) in releases {
            self.link.release(stream, bytes);
        }
    }

    fn part_ends(&mut self, stream: StreamId) -> Result<(), Ending> {
        let Some((header, chunks)) = self.intake.complete(stream) else { return Ok(()) };
        let Some(run) = self.runs.get(&header.run).filter(|run| run.lease == header.lease) else {
            // The run ended while its part was on the way.
            let releases = self.intake.done(stream);
            self.release(releases);
            let failure = crate::run::drive::refused("stale_lease", format!("{} is over", header.run));
            return self.refuse(stream, &header, failure);
        };
        let place = TablePlace {
            pool: run.pool.clone(),
            connection: run.connection.clone(),
            table: header.table.clone(),
        };
        self.landings.start(self.node.clone(), place, (stream, header), chunks);
        Ok(())
    }

    fn landed(&mut self, landing: Landing) -> Result<(), Ending> {
        let Landing { stream, header, outcome } = landing;
        let releases = self.intake.done(stream);
        match outcome {
            Ok(landed) => {
                let part = StoredPart {
                    part: header.part.0.clone(),
                    table: header.table.clone(),
                    generation: header.generation,
                    rows: landed.rows,
                    bytes: landed.bytes,
                    columns: landed.columns,
                    path: landed.path,
                };
                let run = self.runs.get_mut(&header.run).filter(|run| run.lease == header.lease);
                if let Some(run) = run {
                    run.landed.insert(header.part.clone(), part);
                }
                let (run, part) = (header.run, header.part);
                self.link.send(&RelayMessage::PartLanded { stream, run, part })?;
            }
            Err(failure) => self.refuse(stream, &header, failure)?,
        }
        self.release(releases);
        Ok(())
    }

    fn control(&mut self, message: AgentMessage) -> Result<(), Ending> {
        match message {
            AgentMessage::Checkpoint { run, lease, sequence, entry, parts } => {
                self.checkpoint((run, lease), sequence, entry, &parts)?;
            }
            AgentMessage::Progress { run, lease, progress } => {
                if let Some(active) = self.active(&run, lease) {
                    active.progress = Some(progress.clone());
                    let number = active.number;
                    self.node.board.progress(number, progress, Instant::now());
                }
            }
            AgentMessage::RunLog { run, lease, line } => {
                if let Some(number) = self.active(&run, lease).map(|active| active.number) {
                    tracing::info!(run = %run, agent = self.agent_id, level = line.level, event = line.event, "{}",
                        line.message);
                    self.record_if_room(Record::Log { number, line });
                }
            }
            AgentMessage::AskLanded { run, lease, ask, question } => {
                if let Some(active) = self.active(&run, lease) {
                    let of = (active.number, active.pool.clone(), active.connection.clone());
                    self.record(Record::AskLanded { of, lease, ask, question })?;
                }
            }
            AgentMessage::RunFinished { run, lease, result, manifest } => {
                if let Some(number) = self.active(&run, lease).map(|active| active.number) {
                    self.record(Record::Finished { number, lease, result: Box::new(result), manifest })?;
                }
            }
            AgentMessage::RunFailed { run, lease, failure } => self.run_failed(&run, lease, failure)?,
            AgentMessage::RunHandedBack { run, lease, code, reason } => {
                self.handed_back(&run, lease, &code, &reason)?;
            }
            AgentMessage::TestResult { request, report } => self.test_result(&request, report),
            AgentMessage::Discovered { request, tables, report } => {
                self.discoveries.handle(&request, tables, report);
            }
            AgentMessage::Health { runs, paused, jiras, last_error, mask_key } => {
                tracing::debug!(agent = self.agent_id, runs, paused, mask_key, "agent health");
                let health = Health { paused, mask_key, jiras, last_error };
                self.node.uplinks.set_health(&self.agent_id, self.session, health);
                self.node.wake.notify_one();
            }
            AgentMessage::TicketStored { .. }
            | AgentMessage::OfferKeys { .. }
            | AgentMessage::TakeKeys { .. }
            | AgentMessage::AskReseal { .. }
            | AgentMessage::Resealed { .. } => self.identity_word(message)?,
            AgentMessage::UnknownMessage { got } => {
                tracing::warn!(agent = self.agent_id, got, "the agent did not understand a message");
            }
            AgentMessage::Goodbye { reason } => return Err(Ending::Goodbye(reason)),
            // The link makes and consumes these.
            AgentMessage::PartBegin { .. } | AgentMessage::Beat { .. } | AgentMessage::BeatAck { .. } => {}
        }
        Ok(())
    }

    /// The run, if it is under way here under this lease. Messages of older leases have no effect.
    fn active(&mut self, run: &RunId, lease: Lease) -> Option<&mut ActiveRun> {
        self.runs.get_mut(run).filter(|active| active.lease == lease)
    }

    fn checkpoint(
        &mut self,
        (run, lease): (RunId, Lease),
        sequence: u64,
        entry: serde_json::Value,
        parts: &[protocol::ids::PartId],
    ) -> Result<(), Ending> {
        let Some(active) = self.active(&run, lease) else { return Ok(()) };
        let number = active.number;
        match active.take_parts(parts) {
            Ok(parts) => self.record(Record::Checkpoint { number, lease, sequence, entry, parts }),
            Err(failure) => {
                self.link.send(&RelayMessage::CancelRun { run: run.clone(), lease })?;
                self.run_failed(&run, lease, failure)
            }
        }
    }

    fn run_failed(&mut self, run: &RunId, lease: Lease, failure: Failure) -> Result<(), Ending> {
        let Some(active) = self.active(run, lease) else { return Ok(()) };
        let (number, progress) = (active.number, active.progress.take().map(Box::new));
        let connection = active.connection.clone();
        self.record(Record::Failed { number, lease, connection, failure, progress })
    }

    /// The premises stopped the run; it waits for them or for another agent.
    fn handed_back(&mut self, run: &RunId, lease: Lease, code: &str, reason: &str) -> Result<(), Ending> {
        let Some(active) = self.active(run, lease) else { return Ok(()) };
        let (number, progress) = (active.number, active.progress.take().map(Box::new));
        let reason = format!("agent {} handed the run back ({code}: {reason})", self.agent_id);
        self.record(Record::HandedBack { number, lease, reason, progress })
    }

    fn record(&mut self, record: Record) -> Result<(), Ending> {
        let sent = self.records.as_ref().is_some_and(|records| records.try_send(record).is_ok());
        if sent {
            Ok(())
        } else {
            Err(Ending::Store("more waits to be kept than the bound allows".to_owned()))
        }
    }

    /// A log line is not worth a session.
    fn record_if_room(&mut self, record: Record) {
        if let Some(records) = &self.records
            && records.try_send(record).is_err()
        {
            tracing::debug!(agent = self.agent_id, "log line dropped: too many at once");
        }
    }

    fn recorded(&mut self, answer: Recorded) -> Result<(), Ending> {
        match answer {
            Recorded::Answer(message) => self.link.send(&message)?,
            Recorded::Over { number, lease, answer } => {
                let id = run_id(number);
                if self.active(&id, lease).is_some() {
                    self.runs.remove(&id);
                    self.node.uplinks.set_runs(&self.agent_id, self.session, self.runs.len());
                    self.node.wake.notify_one();
                }
                if let Some(message) = answer {
                    self.link.send(&message)?;
                }
            }
            Recorded::TicketKept => self.ready()?,
            Recorded::Broken(why) => return Err(Ending::Store(why)),
        }
        Ok(())
    }

    fn order(&mut self, order: Order) -> Result<(), Ending> {
        match order {
            Order::Start(assignment) => self.start_run(&assignment)?,
            Order::Peers => {
                // While it waited it counted as work; what did not fit beside it may fit now.
                self.node.wake.notify_one();
                self.tell_peers()?;
            }
            Order::Cancel { number } => {
                let run = run_id(number);
                if let Some(active) = self.runs.get(&run) {
                    let lease = active.lease;
                    self.link.send(&RelayMessage::CancelRun { run, lease })?;
                }
            }
            Order::Discover(look) => {
                if let Some(question) = self.discoveries.ask(self.session, *look) {
                    self.link.send(&question)?;
                }
            }
            Order::Test { connection, answer } => {
                self.tests.retain(|_, waiting| !waiting.is_closed());
                if self.tests.len() < TESTS_MAX {
                    self.tests_asked += 1;
                    let request = RequestId(format!("test_{}_{}", self.session, self.tests_asked));
                    self.tests.insert(request.clone(), answer);
                    self.link.send(&RelayMessage::TestConnection { request, connection: *connection })?;
                }
            }
        }
        Ok(())
    }

    fn start_run(&mut self, assignment: &Assignment) -> Result<(), Ending> {
        self.runs.insert(run_id(assignment.number), ActiveRun::new(assignment));
        self.node.uplinks.set_runs(&self.agent_id, self.session, self.runs.len());
        for message in &assignment.messages {
            self.link.send(message)?;
        }
        Ok(())
    }

    fn test_result(&mut self, request: &RequestId, report: TestReport) {
        let Some(answer) = self.tests.remove(request) else { return };
        if answer.send(report).is_err() {
            tracing::debug!(request = %request, "nobody waits for this connection test any more");
        }
    }

    /// Bytes of WebSocket messages received and sent.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.link.bytes_received(), self.link.bytes_sent())
    }

    /// Says why, as far as the socket still takes it.
    pub(super) async fn close(&mut self, ending: &Ending) {
        let Some(code) = ending.close_code() else { return };
        if matches!(ending, Ending::Drain) {
            let away = RelayMessage::GoAway {
                retry_after_ms: COME_BACK_MS,
                reason: "the relay restarts".to_owned(),
            };
            if let Err(error) = self.link.send(&away) {
                tracing::debug!(%error, "no go_away");
            }
        }
        let frame = CloseFrame { code: code.number().into(), reason: short(&ending.to_string()).into() };
        let farewell = async {
            while let Some(message) = self.link.poll_transmit() {
                self.socket.feed(into_message(message)).await?;
            }
            self.socket.close(Some(frame)).await
        };
        match tokio::time::timeout(CLOSE_WAIT, farewell).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(agent = self.agent_id, %error, "the link could not be closed politely")
            }
            Err(_) => tracing::debug!(agent = self.agent_id, "the link could not be closed in time"),
        }
    }

    /// Waits for what is being written and kept, and gives the runs that are still under way.
    pub(super) async fn settle(mut self, at_most: Duration) -> BTreeMap<RunId, ActiveRun> {
        drop(self.socket);
        self.landings.settle(at_most).await;
        self.records = None;
        while let Some(answer) = self.recorded.recv().await {
            if let Recorded::Over { number, lease, .. } = answer {
                let id = run_id(number);
                if self.runs.get(&id).is_some_and(|run| run.lease == lease) {
                    self.runs.remove(&id);
                }
            }
        }
        if let Err(error) = self.recorder.await {
            tracing::error!(%error, "a recorder ended badly");
        }
        self.runs
    }
}
