//! One link from welcome to its end: what the relay says goes to the runs, what the runs say goes to the relay. When the link is
//! lost the runs are dropped with it.

use super::driver::{Driver, LinkEnd};
use super::identity_words::IdentityWords;
use crate::orders::{Halt, Standing};
use crate::policy;
use crate::run::FromRun;
use crate::runs::{Ended, Premises, Runs, run_of};
use crate::tickets::Turn;
use protocol::control::{AgentMessage, Failure, RelayMessage};
use protocol::error::{CloseCode, LinkError};
use protocol::ids::{Lease, RunId, StreamId};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How a session ended.
pub(super) enum SessionEnd {
    /// On request of the premises.
    Stopped,
    /// The link is gone.
    Lost {
        /// Why.
        end: LinkEnd,
        /// When the relay wants to see the agent again, if it said so before.
        go_away: Option<Duration>,
        /// Runs that were in progress.
        runs: u32,
    },
}

/// A live link and its runs.
pub(super) struct Session<S> {
    driver: Driver<S>,
    runs: Runs,
    identity: IdentityWords,
    said: mpsc::Receiver<FromRun>,
    /// Whose part each stream carries.
    streams: HashMap<StreamId, RunId>,
    go_away: Option<Duration>,
    premises: Arc<Premises>,
    told: Option<AgentMessage>,
    round_trip: Option<Duration>,
}

enum Happening {
    Relay(RelayMessage),
    Run(FromRun),
    Ended(Ended),
    /// The premises may have other orders now.
    Ordered(Option<Halt>),
    /// A Jira is otherwise than it was.
    Health,
    Identity(AgentMessage),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// `turn` is the right to store the ticket that the relay is about to issue.
    pub(super) fn new(driver: Driver<S>, premises: Arc<Premises>, turn: Option<Turn>) -> Self {
        let identity = IdentityWords::new(Arc::clone(&premises), turn);
        let (runs, said) = Runs::new(Arc::clone(&premises));
        Self {
            driver,
            runs,
            identity,
            said,
            streams: HashMap::new(),
            go_away: None,
            premises,
            told: None,
            round_trip: None,
        }
    }

    /// Drives the link until it is lost or `stop`.
    pub(super) async fn drive(mut self, stop: &CancellationToken) -> SessionEnd {
        let mut standing = self.runs.standing();
        let mut health = self.premises.health.subscribe();
        let halt = standing.borrow_and_update().halt.clone();
        let mut next = Ok(Happening::Ordered(halt));
        loop {
            if let Err(end) =
                next.and_then(|happening| self.handle(happening)).and_then(|()| self.tell_health())
            {
                return self.lost(end).await;
            }
            next = tokio::select! {
                biased;
                () = stop.cancelled() => return self.say_goodbye().await,
                halt = changed(&mut standing) => Ok(Happening::Ordered(halt)),
                next = std::future::poll_fn(|context| self.poll_happening(context)) => next,
                Ok(()) = health.changed() => Ok(Happening::Health),
            };
        }
    }

    /// The relay first, so that acknowledgements make room; the runs only while the link takes more.
    fn poll_happening(&mut self, context: &mut Context<'_>) -> Poll<Result<Happening, LinkEnd>> {
        let message = self.driver.poll_message(context);
        self.note_what_the_link_met();
        if let Poll::Ready(message) = message {
            return Poll::Ready(message.map(Happening::Relay));
        }
        if let Poll::Ready(answer) = self.identity.poll_answer(context) {
            return Poll::Ready(answer.map(Happening::Identity));
        }
        if self.driver.has_room()
            && let Poll::Ready(Some(said)) = self.said.poll_recv(context)
        {
            return Poll::Ready(Ok(Happening::Run(said)));
        }
        self.runs.poll_ended(context).map(|ended| Ok(Happening::Ended(ended)))
    }

    fn handle(&mut self, happening: Happening) -> Result<(), LinkEnd> {
        match happening {
            Happening::Relay(message) => self.handle_relay(message),
            Happening::Ordered(halt) => self.obey(halt),
            Happening::Run(said) if self.runs.was_handed_back(&said) => Ok(()),
            Happening::Run(FromRun::Message(message)) => self.send(message),
            Happening::Run(FromRun::Part(header, bytes)) => {
                let (run, lease) = (header.run.clone(), header.lease);
                match self.driver.open_stream(header, bytes) {
                    Ok(stream) => {
                        self.streams.insert(stream, run);
                        Ok(())
                    }
                    Err(error @ LinkError::OwnPartSize { .. }) => self.give_up(run, lease, &error),
                    Err(error) => Err(error.into()),
                }
            }
            Happening::Identity(answer) => self.send(answer),
            Happening::Ended(Ended::Quietly) | Happening::Health => Ok(()),
            Happening::Ended(Ended::Broken(message)) => self.send(*message),
        }
    }

    fn handle_relay(&mut self, message: RelayMessage) -> Result<(), LinkEnd> {
        let is_written_down = self.runs.hear(&message);
        if is_written_down {
            self.identity.handle(&message);
        }
        match &message {
            RelayMessage::PartLanded { stream, .. } | RelayMessage::PartFailed { stream, .. } => {
                self.streams.remove(stream);
            }
            RelayMessage::GoAway { retry_after_ms, reason } => {
                self.go_away = Some(Duration::from_millis(*retry_after_ms));
                if is_written_down {
                    say_go_away(*retry_after_ms, reason);
                }
            }
            RelayMessage::UnknownMessage { got } if is_written_down => {
                tracing::info!(
                    event = "unknown_message",
                    got = policy::shortened(got),
                    "the relay does not know a message of this agent; it is older"
                );
            }
            RelayMessage::StartRun { run, lease, .. } if self.runs.is_superseded(run, *lease) => {
                self.abandon_streams(&run.clone())
            }
            _ => {}
        }
        match self.runs.handle(message) {
            Some(answer) => self.send(answer),
            None => Ok(()),
        }
    }

    /// The premises order work to stop or to go on. The relay hears first that nothing more is taken, then what comes back.
    fn obey(&mut self, halt: Option<Halt>) -> Result<(), LinkEnd> {
        let handed_back = self.runs.obey(halt);
        self.tell_health()?;
        handed_back.into_iter().try_for_each(|message| self.send(message))
    }

    /// A run that is over on this side sends no more of its parts.
    fn send(&mut self, message: AgentMessage) -> Result<(), LinkEnd> {
        if let AgentMessage::RunFailed { run, .. } | AgentMessage::RunHandedBack { run, .. } = &message {
            self.abandon_streams(run);
        }
        match (self.driver.send(&message), run_of(&message)) {
            (Ok(()), _) => Ok(()),
            (Err(error @ LinkError::OwnMessageTooLarge { .. }), Some((run, lease))) => {
                self.give_up(run.clone(), lease, &error)
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// A run whose words do not fit the wire can only be given up; the others go on.
    fn give_up(&mut self, run: RunId, lease: Lease, error: &LinkError) -> Result<(), LinkEnd> {
        tracing::error!(event = "too_large_for_the_wire", %run, %error, "the run is given up");
        self.runs.give_up(&run);
        self.abandon_streams(&run);
        let failure = Failure {
            code: "too_large_for_the_wire".to_owned(),
            message: error.to_string(),
            hint: "extract fewer tables or projects at once; if that does not help, report it with the agent's log".to_owned(),
        };
        self.driver.send(&AgentMessage::RunFailed { run, lease, failure }).map_err(LinkEnd::from)
    }

    fn abandon_streams(&mut self, run: &RunId) {
        let given_up: Vec<StreamId> =
            self.streams.iter().filter(|(_, owner)| *owner == run).map(|(stream, _)| *stream).collect();
        for stream in given_up {
            self.streams.remove(&stream);
            self.driver.abandon_stream(stream);
        }
    }

    /// What the link handles by itself.
    fn note_what_the_link_met(&mut self) {
        let round_trip = self.driver.round_trip();
        if round_trip != self.round_trip {
            self.round_trip = round_trip;
            self.premises.board.round_trip(round_trip);
        }
        while let Some(got) = self.driver.poll_unknown() {
            self.runs.note_unknown(&got);
        }
    }

    fn tell_health(&mut self) -> Result<(), LinkEnd> {
        let message = AgentMessage::Health {
            runs: self.runs.count(),
            paused: self
                .runs
                .halt()
                .map(|halt| halt.reason.clone())
                .or_else(|| self.premises.audit_trouble()),
            jiras: self.premises.health.report(),
            last_error: self.premises.board.last_trouble(),
            mask_key: self.runs.mask_key(),
        };
        if self.told.as_ref() == Some(&message) {
            return Ok(());
        }
        self.told = Some(message.clone());
        self.send(message)
    }

    async fn say_goodbye(mut self) -> SessionEnd {
        drop(self.runs);
        let goodbye = AgentMessage::Goodbye { reason: "the agent is stopped".to_owned() };
        if self.driver.send(&goodbye).is_ok() {
            self.driver.close(CloseCode::Normal, "goodbye").await;
        }
        SessionEnd::Stopped
    }

    async fn lost(mut self, end: LinkEnd) -> SessionEnd {
        let runs = self.runs.count();
        drop(self.runs);
        // Whom two beats did not reach, a farewell does not reach either; it would only hold the next attempt back.
        if let LinkEnd::Protocol(error) = &end
            && !matches!(error, LinkError::PeerDead { .. })
        {
            self.driver.close(error.close_code(), "the link cannot go on").await;
        }
        SessionEnd::Lost { end, go_away: self.go_away, runs }
    }
}

fn say_go_away(retry_after_ms: u64, reason: &str) {
    tracing::info!(
        event = "go_away",
        retry_after_ms,
        reason = policy::shortened_line(reason),
        "the relay is about to close the link for a while"
    );
}

/// The orders of the premises as soon as they change; never, when nobody gives any.
async fn changed(standing: &mut watch::Receiver<Standing>) -> Option<Halt> {
    match standing.changed().await {
        Ok(()) => standing.borrow_and_update().halt.clone(),
        Err(_) => std::future::pending().await,
    }
}
