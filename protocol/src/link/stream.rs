//! One part in transit, as each end sees it.
//!
//! ```text
//!  agent    Queued --announce--> Sending --last chunk--> Sent --part_landed, part_failed--> over
//!             |                     '--part_failed, abandon--> over, after an abort frame
//!             '--abandon--> over
//!
//!  relay    Receiving --last chunk--> Received --part_landed, part_failed--> over
//!             |--abort frame--> over
//!             '--part_failed--> Refused --last chunk, abort frame--> over
//! ```
//!
//! Each announced stream brings exactly one last chunk or one abort frame to the relay, whatever crosses on the way.

use super::window::Window;
use crate::control::PartHeader;
use crate::error::LinkError;
use crate::frame::Frame;
use crate::ids::StreamId;
use bytes::Bytes;

/// A part that waits to be announced.
#[derive(Debug)]
pub(super) struct QueuedStream {
    pub(super) stream: StreamId,
    pub(super) part: PartHeader,
    pub(super) bytes: Bytes,
}

/// An announced part: `Sending` while bytes are left, then `Sent`.
#[derive(Debug)]
pub(super) struct OutStream {
    left: Bytes,
    pub(super) window: Window,
}

impl OutStream {
    /// Nothing sent yet.
    pub(super) fn new(bytes: Bytes, window_bytes: u32) -> Self {
        Self { left: bytes, window: Window::new(window_bytes) }
    }

    /// Whether every byte is sent.
    pub(super) fn is_sent(&self) -> bool {
        self.left.is_empty()
    }

    /// Bytes not yet sent.
    pub(super) fn left(&self) -> usize {
        self.left.len()
    }

    /// The next chunk of at most `most` bytes, if the window and `most` leave room.
    pub(super) fn next_chunk(&mut self, stream: StreamId, most: u32) -> Option<Frame> {
        let left = u32::try_from(self.left.len()).unwrap_or(u32::MAX);
        let length = most.min(left).min(self.window.room());
        if length == 0 || !self.window.take(length) {
            return None;
        }
        let bytes = self.left.split_to(usize::try_from(length).ok()?);
        Some(Frame::Chunk { stream, fin: self.left.is_empty(), bytes })
    }
}

/// Where a stream stands at the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InState {
    /// Chunks come and go to the application.
    Receiving,
    /// The last chunk has come, the application's answer is due.
    Received,
    /// The application has refused it; chunks still in flight are dropped.
    Refused,
}

/// A part that comes in.
#[derive(Debug)]
pub(super) struct InStream {
    pub(super) state: InState,
    announced: u64,
    received: u64,
    /// Bytes that the agent counts as in flight: held by the application, or freed and not yet told.
    pub(super) window: Window,
    /// Freed by the application and not yet told to the agent; part of the window's count.
    pub(super) freed: u32,
}

impl InStream {
    /// Announced, nothing received.
    pub(super) fn new(announced: u64, window_bytes: u32) -> Self {
        Self {
            state: InState::Receiving,
            announced,
            received: 0,
            window: Window::new(window_bytes),
            freed: 0,
        }
    }

    /// Bytes that the application holds.
    pub(super) fn held(&self) -> u32 {
        self.window.in_flight() - self.freed
    }

    /// Counts a chunk.
    pub(super) fn take_chunk(&mut self, stream: StreamId, length: u32, fin: bool) -> Result<(), LinkError> {
        let StreamId(stream) = stream;
        if self.state == InState::Received {
            return Err(LinkError::UnknownStream { stream });
        }
        self.received = self.received.saturating_add(u64::from(length));
        if self.received > self.announced {
            return Err(LinkError::TooManyBytes { stream, announced: self.announced });
        }
        if fin != (self.received == self.announced) {
            return Err(LinkError::WrongEnd { stream, received: self.received, announced: self.announced });
        }
        if !self.window.take(length) {
            let in_flight = u64::from(self.window.in_flight()) + u64::from(length);
            return Err(LinkError::WindowExceeded { stream, in_flight, limit: self.window.limit() });
        }
        Ok(())
    }
}
