//! Pumps [`AgentLink`] over one socket. It decides nothing: what leaves next and when to wake is the link's business. The socket has
//! this one owner, and a message leaves the link only when the socket takes it, so that a heartbeat never waits behind queued data.

use crate::vigil::Pulse;
use bytes::Bytes;
use futures_util::{Sink, Stream};
use protocol::control::{AgentMessage, PartHeader, RelayMessage};
use protocol::error::{CloseCode, LinkError};
use protocol::ids::StreamId;
use protocol::link::{AgentLink, Transmit};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

/// How long a farewell may take; the peer may be long gone.
const FAREWELL: Duration = Duration::from_secs(2);
/// What a killed relay or a cut line looks like.
const CLOSED_SILENTLY: &str = "it was closed without a word";

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkEnd {
    #[error(transparent)]
    Protocol(#[from] LinkError),
    #[error("the relay closed the link ({code}{}){}", if reason.is_empty() { String::new() } else { format!(", {reason}") }, advice(*code))]
    Closed { code: u16, reason: String },
    #[error("the connection to the relay broke: {0}")]
    Broken(String),
    #[error("the state folder cannot be used: {0}")]
    State(String),
    #[error("this agent was enrolled anew or has left")]
    IdentityChanged,
    #[error("this agent's new ticket could not be stored, so it takes no work: {0}")]
    TicketNotStored(String),
}

impl LinkEnd {
    /// The stable code of the end.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            LinkEnd::Protocol(LinkError::PeerDead { .. }) => "link_silent",
            LinkEnd::Protocol(_) => "link_protocol",
            LinkEnd::Closed { code, .. } if *code == CloseCode::Revoked.number() => "link_revoked",
            LinkEnd::Closed { code, .. } if *code == CloseCode::Cloned.number() => "link_cloned",
            LinkEnd::Closed { .. } => "link_closed",
            LinkEnd::Broken(_) => "link_broken",
            LinkEnd::TicketNotStored(_) => "ticket_not_stored",
            LinkEnd::State(_) => "state_unusable",
            LinkEnd::IdentityChanged => "identity_changed",
        }
    }

    /// Whether the network lost it, and not the other side.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            LinkEnd::Protocol(LinkError::PeerDead { .. }) => true,
            LinkEnd::Protocol(_)
            | LinkEnd::Closed { .. }
            | LinkEnd::Broken(_)
            | LinkEnd::TicketNotStored(_)
            | LinkEnd::State(_)
            | LinkEnd::IdentityChanged => false,
        }
    }

    /// The code that the relay closed with.
    pub(crate) fn close_code(&self) -> Option<u16> {
        match self {
            LinkEnd::Closed { code, .. } => Some(*code),
            LinkEnd::Protocol(_)
            | LinkEnd::Broken(_)
            | LinkEnd::TicketNotStored(_)
            | LinkEnd::State(_)
            | LinkEnd::IdentityChanged => None,
        }
    }
}

/// One socket and its link.
pub(crate) struct Driver<S> {
    socket: WebSocketStream<S>,
    link: AgentLink,
    /// The link's time counts from here.
    started: Instant,
    timer: Pin<Box<Sleep>>,
    pulse: Pulse,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Takes over a socket after the handshake; the link must have been made at time zero. The pulse has been promised a heartbeat.
    pub(crate) fn new(socket: WebSocketStream<S>, link: AgentLink, pulse: Pulse) -> Self {
        let started = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(started + link.poll_timeout()));
        Self { socket, link, started, timer, pulse, unflushed: false }
    }

    /// Whether the link takes further messages of the application.
    pub(crate) fn has_room(&self) -> bool {
        self.link.has_room()
    }

    /// How long the last beat took to the relay and back.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.link.round_trip()
    }

    /// The `type` of a message that this agent does not know and has answered so.
    pub(crate) fn poll_unknown(&mut self) -> Option<String> {
        self.link.poll_unknown()
    }

    /// Queues a control message.
    pub(crate) fn send(&mut self, message: &AgentMessage) -> Result<(), LinkError> {
        self.link.send(message)
    }

    /// Queues a part.
    pub(crate) fn open_stream(&mut self, header: PartHeader, bytes: Bytes) -> Result<StreamId, LinkError> {
        self.link.open_stream(header, bytes)
    }

    /// Gives up a part.
    pub(crate) fn abandon_stream(&mut self, stream: StreamId) {
        self.link.abandon_stream(stream);
    }

    /// The next message of the relay. While it waits, it writes what the link wants to send and keeps the link's time. Nothing is
    /// lost when the caller stops polling.
    pub(crate) fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<RelayMessage, LinkEnd>> {
        loop {
            if let Some(message) = self.link.poll_event() {
                return Poll::Ready(Ok(message));
            }
            if let Poll::Ready(Err(end)) = self.poll_write(context) {
                return Poll::Ready(Err(end));
            }
            // The socket is read before the time is looked at: what already came is a sign of life.
            match Pin::new(&mut self.socket).poll_next(context) {
                Poll::Ready(Some(Ok(message))) => self.handle(message)?,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(&error))),
                Poll::Ready(None) => return Poll::Ready(Err(LinkEnd::Broken(CLOSED_SILENTLY.to_owned()))),
                Poll::Pending => ready!(self.poll_time(context)?),
            }
            self.pulse.renew();
        }
    }

    /// Says a last word and closes; best effort within [`FAREWELL`].
    pub(crate) async fn close(&mut self, code: CloseCode, reason: &str) {
        let last_words = async {
            std::future::poll_fn(|context| self.poll_write(context)).await?;
            let frame = CloseFrame { code: code.number().into(), reason: reason.into() };
            self.socket.close(Some(frame)).await.map_err(|error| broken(&error))
        };
        match tokio::time::timeout(FAREWELL, last_words).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(event = "farewell_unheard", %error, "the link was gone already")
            }
            Err(_) => {
                tracing::debug!(event = "farewell_unheard", "the relay did not take the farewell in time")
            }
        }
    }

    fn handle(&mut self, message: Message) -> Result<(), LinkEnd> {
        let now = self.started.elapsed();
        match message {
            Message::Text(text) => self.link.handle_text(text.as_str(), now)?,
            Message::Binary(bytes) => self.link.handle_binary(bytes, now)?,
            Message::Close(frame) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                    (u16::from(frame.code), crate::policy::shortened_line(frame.reason.as_str()))
                });
                return Err(LinkEnd::Closed { code, reason });
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    /// Ready when the link's time has come and was handled.
    fn poll_time(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkEnd>> {
        let due = self.started + self.link.poll_timeout();
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(self.link.handle_timeout(self.started.elapsed()).map_err(LinkEnd::from))
    }

    /// Ready when everything that the link wanted to send is in the system's hands.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkEnd>> {
        loop {
            ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(|error| broken(&error))?;
            let Some(transmit) = self.link.poll_transmit() else { break };
            let message = match transmit {
                Transmit::Text(text) => Message::text(text),
                Transmit::Binary(bytes) => Message::binary(bytes),
            };
            Pin::new(&mut self.socket).start_send(message).map_err(|error| broken(&error))?;
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.socket).poll_flush(context)).map_err(|error| broken(&error))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

fn broken(error: &WsError) -> LinkEnd {
    let text = match error {
        WsError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => CLOSED_SILENTLY.to_owned(),
        other => other.to_string(),
    };
    LinkEnd::Broken(text)
}

fn advice(code: u16) -> &'static str {
    if code == CloseCode::Replaced.number() {
        "; another process uses this identity: find the copy and stop it"
    } else if code == CloseCode::Cloned.number() {
        "; find the copy of this agent's state folder and remove it, then enrol the machine that stays anew or have the relay's administrator trust it again"
    } else {
        ""
    }
}
