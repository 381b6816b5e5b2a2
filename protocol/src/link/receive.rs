//! The relay's streams: what may still come on each, and when the agent is told that a window has room again.

use super::stream::{InState, InStream};
use super::window::Window;
use crate::error::LinkError;
use crate::ids::StreamId;
use crate::limits::LinkLimits;
use std::collections::BTreeMap;

/// All streams of a relay's link.
#[derive(Debug)]
pub struct Inbox {
    limits: LinkLimits,
    last_id: u32,
    streams: BTreeMap<StreamId, InStream>,
    link: Window,
}

impl Inbox {
    /// No stream.
    pub(super) fn new(limits: LinkLimits) -> Self {
        Self { limits, last_id: 0, streams: BTreeMap::new(), link: Window::new(limits.link_window_bytes) }
    }

    /// Bytes in flight over all streams.
    pub(super) fn in_flight(&self) -> u64 {
        u64::from(self.link.in_flight())
    }

    /// The agent announces a part of `bytes` bytes.
    pub(super) fn handle_begin(&mut self, stream: StreamId, bytes: u64) -> Result<(), LinkError> {
        if stream.0 <= self.last_id {
            return Err(LinkError::StreamReused { stream: stream.0 });
        }
        let open = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        if open >= self.limits.open_streams {
            return Err(LinkError::TooManyStreams { stream: stream.0, open });
        }
        if bytes == 0 || bytes > self.limits.part_bytes {
            return Err(LinkError::PartSize { stream: stream.0, bytes, max: self.limits.part_bytes });
        }
        self.last_id = stream.0;
        self.streams.insert(stream, InStream::new(bytes, self.limits.stream_window_bytes));
        Ok(())
    }

    /// A chunk came. Says whether the application wants it: not one of a part that it has refused.
    pub(super) fn handle_chunk(
        &mut self,
        stream: StreamId,
        length: usize,
        fin: bool,
    ) -> Result<bool, LinkError> {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let open = self.streams.get_mut(&stream).ok_or(LinkError::UnknownStream { stream: stream.0 })?;
        open.take_chunk(stream, length, fin)?;
        if !self.link.take(length) {
            let in_flight = u64::from(self.link.in_flight()) + u64::from(length);
            return Err(LinkError::WindowExceeded { stream: stream.0, in_flight, limit: self.link.limit() });
        }
        let is_wanted = open.state == InState::Receiving;
        match (fin, is_wanted) {
            (true, true) => open.state = InState::Received,
            (true, false) => self.close(stream),
            (false, _) => {}
        }
        Ok(is_wanted)
    }

    /// The agent gave a stream up. Says whether the application still waits for it.
    pub(super) fn handle_abort(&mut self, stream: StreamId) -> Result<bool, LinkError> {
        let state = self.streams.get(&stream).map(|open| open.state);
        match state {
            None | Some(InState::Received) => Err(LinkError::UnknownStream { stream: stream.0 }),
            Some(state) => {
                self.close(stream);
                Ok(state == InState::Receiving)
            }
        }
    }

    /// The application acknowledges a part.
    pub(super) fn landed(&mut self, stream: StreamId) -> Result<(), LinkError> {
        if self.streams.get(&stream).is_some_and(|open| open.state != InState::Received) {
            return Err(LinkError::OwnLandedTooEarly { stream: stream.0 });
        }
        self.close(stream);
        Ok(())
    }

    /// The application refuses a part. Chunks that are on their way are dropped as they come.
    pub(super) fn failed(&mut self, stream: StreamId) {
        match self.streams.get_mut(&stream) {
            Some(open) if open.state == InState::Receiving => open.state = InState::Refused,
            Some(open) if open.state == InState::Received => self.close(stream),
            Some(_) | None => {}
        }
    }

    /// The application no longer holds `bytes` bytes.
    pub(super) fn release(&mut self, stream: StreamId, bytes: usize) {
        let Some(open) = self.streams.get_mut(&stream) else { return };
        open.freed += u32::try_from(bytes).unwrap_or(u32::MAX).min(open.held());
    }

    /// Which window to refill, and by how much: when half of a stream's window is free, or half of the link's. The latter is not
    /// implied: many streams may each have freed too little to be told, and together fill the link.
    pub(super) fn poll_window(&mut self) -> Option<(StreamId, u32)> {
        let freed: u64 = self.streams.values().map(|open| u64::from(open.freed)).sum();
        let link_is_due = freed >= u64::from(self.link.half());
        let is_due = |open: &InStream| {
            let stream_is_due = open.state == InState::Receiving && open.freed >= open.window.half();
            open.freed > 0 && (stream_is_due || link_is_due)
        };
        let (stream, open) = self.streams.iter_mut().find(|(_, open)| is_due(open))?;
        let bytes = std::mem::take(&mut open.freed);
        // What was freed is part of both counts, so both always have as much to give.
        let given = open.window.give(bytes) && self.link.give(bytes);
        debug_assert!(given, "freed bytes are in flight");
        Some((*stream, bytes))
    }

    fn close(&mut self, stream: StreamId) {
        if let Some(open) = self.streams.remove(&stream) {
            self.link.give_all_of(&open.window);
        }
    }
}
