//! The link after the handshake: the state machine that both ends drive, [`AgentLink`] on the premises and [`RelayLink`] in
//! the cloud. The head of the crate says which methods there are and in which order a driver calls them.
//!
//! - **Control overtakes data.** What leaves first: a beat's answer, a beat, control messages in the order of `send`, then
//!   chunks. A message sent after `open_stream` may arrive before the part is announced.
//! - **Chunks take turns** over the open streams, one each.
//! - **Windows.** A stream has at most a window of bytes in flight, and all streams of a link together another. The relay's
//!   application gives bytes back with `release` when it no longer holds them; the link tells the agent when half is free.
//! - **A stream is open** from its announcement until the relay's application answers `part_landed` or `part_failed`. Few are open
//!   at once; further ones wait in order. So a relay that lands slowly slows the agent, and nobody holds more than the limits.
//! - **Liveness.** Each side sends beats; any message counts as a sign of life; two intervals without one end the link.
//!
//! Beats, windows, announcements and answers to unknown messages are made and consumed here: the application never sees them.

mod receive;
mod schedule;
mod side;
mod stream;
mod timer;
mod window;

pub use side::{AgentSide, ControlMessage, RelayEvent, RelaySide, Side};

use crate::control::PartHeader;
use crate::error::{LinkError, json_reason};
use crate::frame::Frame;
use crate::ids::StreamId;
use crate::limits::{
    CONTROL_BYTES_MAX, CONTROL_QUEUE_MAX, HEARTBEAT_EVERY, HEARTBEATS_MISSED_MAX, LinkLimits,
    UNKNOWN_ANSWERS_MAX, UNKNOWN_TYPE_CHARS_MAX,
};
use bytes::Bytes;
use serde::Deserialize;
use side::{BeatKind, FromStreams};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use timer::{Timer, Wake};

/// The agent's end: opens streams, gets [`RelayMessage`](crate::control::RelayMessage)s.
pub type AgentLink = Link<AgentSide>;
/// The relay's end: gets [`RelayEvent`]s, releases bytes.
pub type RelayLink = Link<RelaySide>;

/// What both ends of a link agree on; the relay tells its own in `welcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// A beat is sent this often.
    pub heartbeat_every: Duration,
    /// Nothing heard for so long means a dead peer.
    pub dead_after: Duration,
    /// Windows and other bounds.
    pub limits: LinkLimits,
}

impl LinkConfig {
    /// A configuration whose peer is dead after the usual number of missed beats.
    pub fn new(heartbeat_every: Duration, limits: LinkLimits) -> Self {
        Self { heartbeat_every, dead_after: heartbeat_every.saturating_mul(HEARTBEATS_MISSED_MAX), limits }
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self::new(HEARTBEAT_EVERY, LinkLimits::default())
    }
}

/// One WebSocket message to send.
#[derive(Clone, PartialEq, Eq)]
pub enum Transmit {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
}

impl Transmit {
    /// Bytes of the message.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Never true: every message has bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Text(_)) { "Text" } else { "Binary" };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

/// One end of an established link. `now` counts from an arbitrary start and must not go back.
pub struct Link<S: Side> {
    timer: Timer,
    beat: Option<u64>,
    beats: u64,
    /// The last beat and when it was made, until it is answered.
    beat_made: Option<(u64, Duration)>,
    round_trip: Option<Duration>,
    answer: Option<u64>,
    control: VecDeque<String>,
    control_bytes: usize,
    unknown: VecDeque<String>,
    /// Those that the application has not seen yet.
    unknown_met: VecDeque<String>,
    streams: S::Streams,
    events: VecDeque<S::Event>,
    bytes_sent: u64,
    bytes_received: u64,
}

impl<S: Side> Link<S> {
    /// The handshake is over.
    pub fn new(config: LinkConfig, now: Duration) -> Self {
        Self {
            timer: Timer::new(config.heartbeat_every, config.dead_after, now),
            beat: None,
            beats: 0,
            beat_made: None,
            round_trip: None,
            answer: None,
            control: VecDeque::new(),
            control_bytes: 0,
            unknown: VecDeque::new(),
            unknown_met: VecDeque::new(),
            streams: S::streams(config.limits),
            events: VecDeque::new(),
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    /// Bytes of all WebSocket messages sent, without WebSocket's and TLS's own.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// Bytes of all WebSocket messages received.
    pub fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    /// How long the last beat took to the peer and back.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Bytes that wait to be sent: control messages, and on the agent's side what is left of the parts.
    pub fn buffered(&self) -> u64 {
        u64::try_from(self.control_bytes).unwrap_or(u64::MAX).saturating_add(S::buffered(&self.streams))
    }

    /// Whether the driver may take further commands from its application. The link itself refuses none, so that a farewell
    /// always gets in.
    pub fn has_room(&self) -> bool {
        self.control.len() < CONTROL_QUEUE_MAX
    }

    /// A text message came.
    pub fn handle_text(&mut self, text: &str, now: Duration) -> Result<(), LinkError> {
        self.heard(text.len(), now);
        if text.len() > CONTROL_BYTES_MAX {
            return Err(LinkError::MessageTooLarge { bytes: text.len(), max: CONTROL_BYTES_MAX });
        }
        let message = match serde_json::from_str::<S::Incoming>(text) {
            Ok(message) => message,
            Err(error) => return self.handle_unreadable(text, &error),
        };
        match message.beat_kind() {
            // Only the last beat is answered: a flood of them costs nothing.
            Some(BeatKind::Beat(sequence)) => self.answer = Some(sequence),
            Some(BeatKind::Answer(sequence)) => {
                let asked = self.beat_made.take_if(|(made, _)| *made == sequence);
                self.round_trip = asked.map(|(_, made)| now.saturating_sub(made)).or(self.round_trip);
            }
            None => self.events.extend(S::handle_message(&mut self.streams, message)?),
        }
        Ok(())
    }

    /// A binary message came.
    pub fn handle_binary(&mut self, bytes: Bytes, now: Duration) -> Result<(), LinkError> {
        self.heard(bytes.len(), now);
        S::handle_frame(&mut self.streams, Frame::decode(bytes)?, &mut self.events)
    }

    /// The time of [`Link::poll_timeout`] has come; called early, it does nothing. Read what the socket holds before calling it.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), LinkError> {
        match self.timer.handle(now) {
            Some(Wake::PeerDead { silent }) => return Err(LinkError::PeerDead { silent }),
            Some(Wake::Beat) => {
                self.beats += 1;
                self.beat = Some(self.beats);
                self.beat_made = Some((self.beats, now));
            }
            None => {}
        }
        Ok(())
    }

    /// Queues a control message. An error leaves the link as it was.
    pub fn send(&mut self, message: &S::Outgoing) -> Result<(), LinkError> {
        if message.is_reserved() {
            return Err(LinkError::OwnMessageReserved { tag: message.tag() });
        }
        let text = encode(message);
        if text.len() > CONTROL_BYTES_MAX {
            return Err(LinkError::OwnMessageTooLarge {
                tag: message.tag(),
                bytes: text.len(),
                max: CONTROL_BYTES_MAX,
            });
        }
        S::before_send(&mut self.streams, message)?;
        self.control_bytes += text.len();
        self.control.push_back(text);
        Ok(())
    }

    /// The next WebSocket message to write, if any. Ask only when the socket takes one.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.next_beat().or_else(|| self.next_control()).or_else(|| self.next_of_streams())?;
        self.bytes_sent += u64::try_from(transmit.len()).unwrap_or(u64::MAX);
        Some(transmit)
    }

    /// What the application should know, in the order in which it came.
    pub fn poll_event(&mut self) -> Option<S::Event> {
        self.events.pop_front()
    }

    /// The `type` of a message that was answered as unknown, for the application's records.
    pub fn poll_unknown(&mut self) -> Option<String> {
        self.unknown_met.pop_front()
    }

    /// When to call [`Link::handle_timeout`]. Changes with every message that comes.
    pub fn poll_timeout(&self) -> Duration {
        self.timer.next()
    }

    fn heard(&mut self, bytes: usize, now: Duration) {
        self.timer.heard(now);
        self.bytes_received += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    fn handle_unreadable(&mut self, text: &str, error: &serde_json::Error) -> Result<(), LinkError> {
        #[derive(Deserialize)]
        struct Typed {
            r#type: String,
        }
        let tag = serde_json::from_str::<Typed>(text).ok().map(|typed| typed.r#type);
        match tag.filter(|tag| !S::Incoming::tags().contains(&tag.as_str())) {
            Some(tag) if self.unknown.len() < UNKNOWN_ANSWERS_MAX => {
                let tag: String = tag.chars().take(UNKNOWN_TYPE_CHARS_MAX).collect();
                if self.unknown_met.len() < UNKNOWN_ANSWERS_MAX {
                    self.unknown_met.push_back(tag.clone());
                }
                self.unknown.push_back(tag);
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(LinkError::Malformed { reason: json_reason(error) }),
        }
    }

    fn next_beat(&mut self) -> Option<Transmit> {
        let answer = self.answer.take().map(S::Outgoing::beat_ack);
        let message = answer.or_else(|| self.beat.take().map(S::Outgoing::beat))?;
        Some(Transmit::Text(encode(&message)))
    }

    fn next_control(&mut self) -> Option<Transmit> {
        if let Some(text) = self.control.pop_front() {
            self.control_bytes -= text.len();
            return Some(Transmit::Text(text));
        }
        let got = self.unknown.pop_front()?;
        Some(Transmit::Text(encode(&S::Outgoing::unknown_message(got))))
    }

    fn next_of_streams(&mut self) -> Option<Transmit> {
        Some(match S::poll_streams(&mut self.streams)? {
            FromStreams::Message(message) => Transmit::Text(encode(&message)),
            FromStreams::Frame(frame) => Transmit::Binary(frame.encode()),
        })
    }
}

impl Link<AgentSide> {
    /// Hands over a part; it is announced and sent in turn. `header.bytes` must be its length. The stream ends with
    /// `part_landed` or `part_failed` among the events.
    pub fn open_stream(&mut self, header: PartHeader, bytes: Bytes) -> Result<StreamId, LinkError> {
        self.streams.open(header, bytes)
    }

    /// Gives a stream up, because its run is over. What is not sent yet never will be. If every byte is sent already, the relay
    /// still answers; a stream that has ended is left alone.
    pub fn abandon_stream(&mut self, stream: StreamId) {
        self.streams.abandon(stream);
    }

    /// Streams that are open or wait to be announced.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }
}

impl Link<RelaySide> {
    /// The application no longer holds `bytes` bytes of the stream's chunks; its window grows by as much. More than it held
    /// counts as all of it.
    pub fn release(&mut self, stream: StreamId, bytes: usize) {
        self.streams.release(stream, bytes);
    }

    /// Bytes in flight or held by the application, over all streams; never above the link's window.
    pub fn bytes_in_flight(&self) -> u64 {
        self.streams.in_flight()
    }
}

impl<S: Side> fmt::Debug for Link<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Link");
        shown.field("buffered", &self.buffered()).field("bytes_sent", &self.bytes_sent);
        shown.field("bytes_received", &self.bytes_received).finish_non_exhaustive()
    }
}

fn encode<M: ControlMessage>(message: &M) -> String {
    #[expect(
        clippy::expect_used,
        reason = "control messages hold texts, integers, lists, maps with text keys and JSON values: JSON can express all of these"
    )]
    serde_json::to_string(message).expect("a control message is JSON")
}

#[cfg(test)]
mod tests;
