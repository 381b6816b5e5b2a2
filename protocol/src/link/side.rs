//! The two ends of a link: which messages each sends and gets, and what streams mean to it.

use super::receive::Inbox;
use super::schedule::{Outbox, Outgoing};
use crate::control::{AgentMessage, PartHeader, RelayMessage};
use crate::error::LinkError;
use crate::frame::Frame;
use crate::ids::StreamId;
use crate::limits::LinkLimits;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::fmt::Debug;

mod sealed {
    pub trait Sealed {}
}

/// What beats look like to the link.
#[derive(Clone, Copy, Debug)]
pub enum BeatKind {
    /// Answer it.
    Beat(u64),
    /// The answer to ours.
    Answer(u64),
}

/// What the link must know of a control message of either direction.
pub trait ControlMessage: Serialize + DeserializeOwned + Debug + sealed::Sealed {
    /// Every `type` of this direction.
    fn tags() -> &'static [&'static str];
    /// The `type` of this message.
    fn tag(&self) -> &'static str;
    /// Whether it is a beat or a beat's answer.
    fn beat_kind(&self) -> Option<BeatKind>;
    /// Whether only the link makes it.
    fn is_reserved(&self) -> bool;
    /// A beat.
    fn beat(sequence: u64) -> Self;
    /// The answer to a beat.
    fn beat_ack(sequence: u64) -> Self;
    /// The answer to a message of unknown `type`.
    fn unknown_message(got: String) -> Self;
}

macro_rules! control_message {
    ($message:ident, $made_by_link:ident) => {
        impl sealed::Sealed for $message {}

        impl ControlMessage for $message {
            fn tags() -> &'static [&'static str] {
                Self::TAGS
            }

            fn tag(&self) -> &'static str {
                self.tag()
            }

            fn beat_kind(&self) -> Option<BeatKind> {
                match self {
                    Self::Beat { sequence } => Some(BeatKind::Beat(*sequence)),
                    Self::BeatAck { sequence } => Some(BeatKind::Answer(*sequence)),
                    _ => None,
                }
            }

            fn is_reserved(&self) -> bool {
                let made_by_link = matches!(self, Self::$made_by_link { .. } | Self::UnknownMessage { .. });
                made_by_link || self.beat_kind().is_some()
            }

            fn beat(sequence: u64) -> Self {
                Self::Beat { sequence }
            }

            fn beat_ack(sequence: u64) -> Self {
                Self::BeatAck { sequence }
            }

            fn unknown_message(got: String) -> Self {
                Self::UnknownMessage { got }
            }
        }
    };
}

control_message!(AgentMessage, PartBegin);
control_message!(RelayMessage, Window);

/// What the streams of a side want to send.
#[derive(Debug)]
pub enum FromStreams<M> {
    /// As text.
    Message(M),
    /// As binary.
    Frame(Frame),
}

/// One end of a link; implemented by [`AgentSide`] and [`RelaySide`] only.
pub trait Side: sealed::Sealed {
    /// Control messages that come.
    type Incoming: ControlMessage;
    /// Control messages that go.
    type Outgoing: ControlMessage;
    /// What the application gets.
    type Event;
    /// The streams as this side sees them.
    type Streams;

    /// No stream open.
    fn streams(limits: LinkLimits) -> Self::Streams;
    /// Bytes of parts that wait to be sent.
    fn buffered(streams: &Self::Streams) -> u64;
    /// A control message other than a beat came.
    fn handle_message(
        streams: &mut Self::Streams,
        message: Self::Incoming,
    ) -> Result<Option<Self::Event>, LinkError>;
    /// A frame came.
    fn handle_frame(
        streams: &mut Self::Streams,
        frame: Frame,
        events: &mut VecDeque<Self::Event>,
    ) -> Result<(), LinkError>;
    /// The application is about to send a message that may end a stream.
    fn before_send(streams: &mut Self::Streams, message: &Self::Outgoing) -> Result<(), LinkError>;
    /// What the streams want to send next.
    fn poll_streams(streams: &mut Self::Streams) -> Option<FromStreams<Self::Outgoing>>;
}

/// The agent's end.
#[derive(Debug)]
pub enum AgentSide {}

/// The relay's end.
#[derive(Debug)]
pub enum RelaySide {}

impl sealed::Sealed for AgentSide {}
impl sealed::Sealed for RelaySide {}

impl Side for AgentSide {
    type Incoming = RelayMessage;
    type Outgoing = AgentMessage;
    type Event = RelayMessage;
    type Streams = Outbox;

    fn streams(limits: LinkLimits) -> Outbox {
        Outbox::new(limits)
    }

    fn buffered(streams: &Outbox) -> u64 {
        streams.buffered()
    }

    fn handle_message(
        streams: &mut Outbox,
        message: RelayMessage,
    ) -> Result<Option<RelayMessage>, LinkError> {
        match &message {
            RelayMessage::Window { stream, bytes } => {
                streams.handle_window(*stream, *bytes)?;
                return Ok(None);
            }
            RelayMessage::PartLanded { stream, .. } => streams.handle_landed(*stream)?,
            RelayMessage::PartFailed { stream, .. } => streams.handle_failed(*stream)?,
            _ => {}
        }
        Ok(Some(message))
    }

    fn handle_frame(_: &mut Outbox, _: Frame, _: &mut VecDeque<RelayMessage>) -> Result<(), LinkError> {
        Err(LinkError::WrongDirection)
    }

    fn before_send(_: &mut Outbox, _: &AgentMessage) -> Result<(), LinkError> {
        Ok(())
    }

    fn poll_streams(streams: &mut Outbox) -> Option<FromStreams<AgentMessage>> {
        Some(match streams.poll()? {
            Outgoing::Begin { stream, part } => {
                FromStreams::Message(AgentMessage::PartBegin { stream, part })
            }
            Outgoing::Frame(frame) => FromStreams::Frame(frame),
        })
    }
}

/// What happened on the relay's end of a link.
#[derive(Clone, Debug, PartialEq)]
pub enum RelayEvent {
    /// A control message.
    Control(AgentMessage),
    /// A part begins.
    PartBegin {
        /// The stream that carries it.
        stream: StreamId,
        /// What it is.
        part: PartHeader,
    },
    /// A piece of a part. Give its bytes back with [`super::Link::release`] when they are no longer held.
    Chunk {
        /// The stream.
        stream: StreamId,
        /// The piece.
        bytes: Bytes,
    },
    /// The last piece has come; exactly as many bytes as announced. Answer with `part_landed` or `part_failed`.
    PartEnd {
        /// The stream.
        stream: StreamId,
    },
    /// The agent gave the part up; forget it. No answer is due.
    PartAborted {
        /// The stream.
        stream: StreamId,
    },
}

impl Side for RelaySide {
    type Incoming = AgentMessage;
    type Outgoing = RelayMessage;
    type Event = RelayEvent;
    type Streams = Inbox;

    fn streams(limits: LinkLimits) -> Inbox {
        Inbox::new(limits)
    }

    fn buffered(_: &Inbox) -> u64 {
        0
    }

    fn handle_message(streams: &mut Inbox, message: AgentMessage) -> Result<Option<RelayEvent>, LinkError> {
        if let AgentMessage::PartBegin { stream, part } = message {
            streams.handle_begin(stream, part.bytes)?;
            return Ok(Some(RelayEvent::PartBegin { stream, part }));
        }
        Ok(Some(RelayEvent::Control(message)))
    }

    fn handle_frame(
        streams: &mut Inbox,
        frame: Frame,
        events: &mut VecDeque<RelayEvent>,
    ) -> Result<(), LinkError> {
        match frame {
            Frame::Chunk { stream, fin, bytes } => {
                if streams.handle_chunk(stream, bytes.len(), fin)? {
                    events.push_back(RelayEvent::Chunk { stream, bytes });
                    events.extend(fin.then_some(RelayEvent::PartEnd { stream }));
                }
            }
            Frame::Abort { stream } => {
                let event = streams.handle_abort(stream)?.then_some(RelayEvent::PartAborted { stream });
                events.extend(event);
            }
        }
        Ok(())
    }

    fn before_send(streams: &mut Inbox, message: &RelayMessage) -> Result<(), LinkError> {
        match message {
            RelayMessage::PartLanded { stream, .. } => streams.landed(*stream),
            RelayMessage::PartFailed { stream, .. } => {
                streams.failed(*stream);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn poll_streams(streams: &mut Inbox) -> Option<FromStreams<RelayMessage>> {
        let (stream, bytes) = streams.poll_window()?;
        Some(FromStreams::Message(RelayMessage::Window { stream, bytes }))
    }
}
