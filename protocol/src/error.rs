//! What ends a link, by blame: the peer broke the protocol, the peer is gone, or our own application misused the link. Each
//! with the WebSocket close code that tells the other side.

use std::time::Duration;

/// WebSocket close codes of Uplink: the registered ones where they fit, private ones (4000-4999) where the peer can act on the
/// difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// Closed on purpose after `goodbye`.
    Normal = 1000,
    /// The relay drains; see `go_away`.
    GoingAway = 1001,
    /// A message or frame that the protocol does not allow here.
    ProtocolError = 1002,
    /// A text that is no JSON of a known message.
    InvalidPayload = 1007,
    /// A message above its bound.
    MessageTooBig = 1009,
    /// A fault of our own.
    InternalError = 1011,
    /// The handshake was refused; `reject` said why.
    Rejected = 4401,
    /// Two heartbeats in a row went unanswered.
    PeerSilent = 4408,
    /// A newer session of the same agent took over.
    Replaced = 4409,
    /// The agent's key was revoked while it was connected.
    Revoked = 4410,
    /// A second holder of the agent's identity showed up; both are stopped.
    Cloned = 4411,
}

impl CloseCode {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self as u16
    }
}

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The other side sent what the protocol does not allow: update or repair it.
    Peer,
    /// The line or the other machine: connect again.
    Line,
    /// Our own application called the link wrongly: a defect of this build.
    Ourselves,
}

/// Why the bytes of a binary message are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Shorter than the header.
    #[error("a binary frame of {0} bytes is shorter than its header of 8")]
    TooShort(usize),
    /// Longer than header and largest chunk.
    #[error("a binary frame carries {got} bytes, above the bound of {max}")]
    TooLong {
        /// Bytes after the header.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// A kind that this version does not know.
    #[error(
        "binary frame kind {0:#04x} is unknown to protocol uplink.v1; one side is newer than the protocol it announced"
    )]
    UnknownKind(u8),
    /// A flag that this version does not know, or that the kind does not have.
    #[error("binary frame flags {0:#04x} are not allowed for this kind in protocol uplink.v1")]
    UnknownFlags(u8),
    /// The reserved bytes are not zero.
    #[error("the reserved bytes of a binary frame are {0:#06x}, they must be zero")]
    Reserved(u16),
    /// A chunk without bytes.
    #[error("a chunk without bytes")]
    Empty,
    /// An abort with bytes.
    #[error("an abort frame carries {0} bytes, it must carry none")]
    UnexpectedBytes(usize),
}

/// What ends a link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A text message above the bound.
    #[error("the peer sent a control message of {bytes} bytes, above the bound of {max}; update the peer")]
    MessageTooLarge {
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A text message that is no JSON, or lacks what its type needs.
    #[error(
        "the peer sent a control message that cannot be read ({reason}); update the peer or look for a proxy that changes the link"
    )]
    Malformed {
        /// The parser's words; never the text itself.
        reason: String,
    },
    /// A binary message that is no frame.
    #[error("the peer sent a broken frame: {0}")]
    Frame(#[from] FrameError),
    /// A frame in a direction that carries no parts.
    #[error("the peer sent a part frame, but parts travel only from agent to relay")]
    WrongDirection,
    /// A stream id announced twice, or not above the last one.
    #[error(
        "the peer announced stream {stream} again or out of order; stream ids only grow within a session"
    )]
    StreamReused {
        /// The stream.
        stream: u32,
    },
    /// More streams announced than allowed.
    #[error("the peer announced stream {stream} while {open} streams were open, the most allowed")]
    TooManyStreams {
        /// The stream.
        stream: u32,
        /// Streams open.
        open: u32,
    },
    /// A part without bytes or above the bound.
    #[error("the peer announced a part of {bytes} bytes on stream {stream}; a part has 1 to {max} bytes")]
    PartSize {
        /// The stream.
        stream: u32,
        /// The announced length.
        bytes: u64,
        /// The bound.
        max: u64,
    },
    /// A frame or an answer for a stream that was never announced or has ended.
    #[error("the peer named stream {stream}, which is not open")]
    UnknownStream {
        /// The stream.
        stream: u32,
    },
    /// More bytes than the part has.
    #[error("stream {stream} carried more than the {announced} bytes announced for its part")]
    TooManyBytes {
        /// The stream.
        stream: u32,
        /// The announced length.
        announced: u64,
    },
    /// The last chunk came before the last byte, or the last byte without the mark of the last chunk.
    #[error("stream {stream} ended at byte {received} of {announced}: the end mark and the length disagree")]
    WrongEnd {
        /// The stream.
        stream: u32,
        /// Bytes received.
        received: u64,
        /// The announced length.
        announced: u64,
    },
    /// More bytes in flight than the window.
    #[error("stream {stream} sent past its window: {in_flight} bytes in flight, {limit} allowed")]
    WindowExceeded {
        /// The stream.
        stream: u32,
        /// Bytes in flight with the chunk.
        in_flight: u64,
        /// The window.
        limit: u32,
    },
    /// A window message that gives back more than is in flight.
    #[error(
        "the peer gave back {given} bytes of window on stream {stream}, where {in_flight} were in flight"
    )]
    WindowOverflow {
        /// The stream.
        stream: u32,
        /// Bytes given back.
        given: u32,
        /// Bytes in flight.
        in_flight: u32,
    },
    /// Nothing was heard for two beats.
    #[error(
        "nothing was heard from the peer for {silent:?}, two heartbeats; the line is cut or the peer is down: connect again"
    )]
    PeerDead {
        /// How long.
        silent: Duration,
    },
    /// The peer acknowledged a part whose last byte was not sent.
    #[error("the peer acknowledged the part on stream {stream} before its last byte was sent")]
    LandedTooEarly {
        /// The stream.
        stream: u32,
    },
    /// Our application gave the link a message that is too long for the wire.
    #[error(
        "`{tag}` would be {bytes} bytes, above the bound of {max} of a control message; send it in smaller pieces"
    )]
    OwnMessageTooLarge {
        /// The message's type.
        tag: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// Our application sent a message that only the link itself makes.
    #[error("`{tag}` is made by the link itself and cannot be sent by the application")]
    OwnMessageReserved {
        /// The message's type.
        tag: &'static str,
    },
    /// Our application acknowledged a part whose last byte had not come.
    #[error("the part on stream {stream} was acknowledged before its last byte came")]
    OwnLandedTooEarly {
        /// The stream.
        stream: u32,
    },
    /// Our application opened a stream whose header and bytes disagree, or that is above the bound.
    #[error(
        "a part of {bytes} bytes was announced as {announced}; a part has 1 to {max} bytes and must be announced exactly"
    )]
    OwnPartSize {
        /// Its length.
        bytes: u64,
        /// The header's length.
        announced: u64,
        /// The bound.
        max: u64,
    },
    /// All stream ids of a session are used.
    #[error("the session has used all its stream ids; connect again")]
    StreamIdsExhausted,
}

impl LinkError {
    /// Who has to change something.
    pub fn blame(&self) -> Blame {
        match self {
            Self::MessageTooLarge { .. }
            | Self::Malformed { .. }
            | Self::Frame(_)
            | Self::WrongDirection
            | Self::StreamReused { .. }
            | Self::TooManyStreams { .. }
            | Self::PartSize { .. }
            | Self::UnknownStream { .. }
            | Self::TooManyBytes { .. }
            | Self::WrongEnd { .. }
            | Self::WindowExceeded { .. }
            | Self::WindowOverflow { .. }
            | Self::LandedTooEarly { .. } => Blame::Peer,
            Self::PeerDead { .. } => Blame::Line,
            Self::OwnMessageTooLarge { .. }
            | Self::OwnMessageReserved { .. }
            | Self::OwnLandedTooEarly { .. }
            | Self::OwnPartSize { .. }
            | Self::StreamIdsExhausted => Blame::Ourselves,
        }
    }

    /// The close code that tells the other side.
    pub fn close_code(&self) -> CloseCode {
        match (self, self.blame()) {
            (Self::MessageTooLarge { .. } | Self::Frame(FrameError::TooLong { .. }), _) => {
                CloseCode::MessageTooBig
            }
            (Self::Malformed { .. }, _) => CloseCode::InvalidPayload,
            (_, Blame::Peer) => CloseCode::ProtocolError,
            (_, Blame::Line) => CloseCode::PeerSilent,
            (_, Blame::Ourselves) => CloseCode::InternalError,
        }
    }
}

/// What is wrong with a JSON text, without any value of it: a message may hold what no log shall show.
pub(crate) fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.is_data() && !text.starts_with("missing field") {
        return format!("a member is of the wrong type at line {} column {}", error.line(), error.column());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_blame_has_its_close_code() {
        let silent = LinkError::PeerDead { silent: Duration::from_secs(10) };
        assert_eq!((silent.blame(), silent.close_code().number()), (Blame::Line, 4408));
        assert_eq!(LinkError::Malformed { reason: String::new() }.close_code().number(), 1007);
        assert_eq!(LinkError::MessageTooLarge { bytes: 9, max: 8 }.close_code().number(), 1009);
        assert_eq!(LinkError::WrongDirection.close_code().number(), 1002);
        assert_eq!(LinkError::OwnMessageReserved { tag: "beat" }.close_code().number(), 1011);
    }
}
