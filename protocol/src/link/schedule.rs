//! The agent's streams: whose chunk is next, and when the next part is announced.

use super::stream::{OutStream, QueuedStream};
use super::window::Window;
use crate::control::PartHeader;
use crate::error::LinkError;
use crate::frame::Frame;
use crate::ids::StreamId;
use crate::limits::LinkLimits;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// What the streams want to send.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// Announce a part.
    Begin {
        /// Its stream.
        stream: StreamId,
        /// What it is.
        part: PartHeader,
    },
    /// A frame.
    Frame(Frame),
}

/// All streams of an agent's link.
#[derive(Debug)]
pub struct Outbox {
    limits: LinkLimits,
    last_id: u32,
    last_announced: u32,
    queue: VecDeque<QueuedStream>,
    open: BTreeMap<StreamId, OutStream>,
    /// Streams with bytes left, the next one to send first.
    turn: VecDeque<StreamId>,
    /// Streams given up after their announcement. Their abort leaves before anything else, so the relay's count of open
    /// streams is never above ours.
    aborts: VecDeque<StreamId>,
    link: Window,
    buffered: u64,
}

impl Outbox {
    /// No stream.
    pub(super) fn new(limits: LinkLimits) -> Self {
        Self {
            limits,
            last_id: 0,
            last_announced: 0,
            queue: VecDeque::new(),
            open: BTreeMap::new(),
            turn: VecDeque::new(),
            aborts: VecDeque::new(),
            link: Window::new(limits.link_window_bytes),
            buffered: 0,
        }
    }

    /// Bytes not yet sent.
    pub(super) fn buffered(&self) -> u64 {
        self.buffered
    }

    /// Streams open or waiting.
    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.open.len()
    }

    /// Takes a part over.
    pub(super) fn open(&mut self, part: PartHeader, bytes: Bytes) -> Result<StreamId, LinkError> {
        let length = length_of(bytes.len());
        if length == 0 || length != part.bytes || length > self.limits.part_bytes {
            return Err(LinkError::OwnPartSize {
                bytes: length,
                announced: part.bytes,
                max: self.limits.part_bytes,
            });
        }
        self.last_id = self.last_id.checked_add(1).ok_or(LinkError::StreamIdsExhausted)?;
        let stream = StreamId(self.last_id);
        self.buffered += length;
        self.queue.push_back(QueuedStream { stream, part, bytes });
        Ok(stream)
    }

    /// The application gives a stream up.
    pub(super) fn abandon(&mut self, stream: StreamId) {
        if let Some(at) = self.queue.iter().position(|queued| queued.stream == stream) {
            let length = self.queue.remove(at).map_or(0, |queued| queued.bytes.len());
            self.buffered -= length_of(length);
            return;
        }
        if self.open.get(&stream).is_some_and(|open| !open.is_sent()) {
            self.close(stream);
        }
    }

    /// The relay refills a window. One for a stream that has ended was on its way: no harm.
    pub(super) fn handle_window(&mut self, stream: StreamId, bytes: u32) -> Result<(), LinkError> {
        self.check_announced(stream)?;
        let Some(open) = self.open.get_mut(&stream) else { return Ok(()) };
        let in_flight = open.window.in_flight();
        if open.window.give(bytes) && self.link.give(bytes) {
            return Ok(());
        }
        Err(LinkError::WindowOverflow { stream: stream.0, given: bytes, in_flight })
    }

    /// The relay acknowledges a part.
    pub(super) fn handle_landed(&mut self, stream: StreamId) -> Result<(), LinkError> {
        self.check_announced(stream)?;
        if self.open.get(&stream).is_some_and(|open| !open.is_sent()) {
            return Err(LinkError::LandedTooEarly { stream: stream.0 });
        }
        self.close(stream);
        Ok(())
    }

    /// The relay refuses a part.
    pub(super) fn handle_failed(&mut self, stream: StreamId) -> Result<(), LinkError> {
        self.check_announced(stream)?;
        self.close(stream);
        Ok(())
    }

    /// What leaves next: aborts, then an announcement if one more stream may be open, then a chunk.
    pub(super) fn poll(&mut self) -> Option<Outgoing> {
        if let Some(stream) = self.aborts.pop_front() {
            return Some(Outgoing::Frame(Frame::Abort { stream }));
        }
        self.announce().or_else(|| self.next_chunk().map(Outgoing::Frame))
    }

    fn announce(&mut self) -> Option<Outgoing> {
        if self.open.len() >= usize::try_from(self.limits.open_streams).unwrap_or(usize::MAX) {
            return None;
        }
        let QueuedStream { stream, part, bytes } = self.queue.pop_front()?;
        self.last_announced = stream.0;
        self.open.insert(stream, OutStream::new(bytes, self.limits.stream_window_bytes));
        self.turn.push_back(stream);
        Some(Outgoing::Begin { stream, part })
    }

    /// The first stream in turn that may send does, and goes to the end; those without window are passed over and keep their
    /// place among each other.
    fn next_chunk(&mut self) -> Option<Frame> {
        let most = self.limits.chunk_bytes.min(self.link.room());
        for at in 0..self.turn.len() {
            let stream = *self.turn.get(at)?;
            let Some(open) = self.open.get_mut(&stream) else { continue };
            let before = open.left();
            let Some(frame) = open.next_chunk(stream, most) else { continue };
            let sent = before - open.left();
            let is_sent = open.is_sent();
            // `most` was within the link's room and a chunk is no longer than `most`, so this always fits.
            let fits = u32::try_from(sent).is_ok_and(|sent| self.link.take(sent));
            debug_assert!(fits, "a chunk is never longer than the link's window has room");
            self.buffered -= length_of(sent);
            self.turn.remove(at);
            if !is_sent {
                self.turn.push_back(stream);
            }
            return Some(frame);
        }
        None
    }

    /// Forgets an open stream. One with bytes left owes the relay an abort frame.
    fn close(&mut self, stream: StreamId) {
        let Some(open) = self.open.remove(&stream) else { return };
        self.turn.retain(|other| *other != stream);
        self.link.give_all_of(&open.window);
        self.buffered -= length_of(open.left());
        if !open.is_sent() {
            self.aborts.push_back(stream);
        }
    }

    fn check_announced(&self, stream: StreamId) -> Result<(), LinkError> {
        if stream.0 == 0 || stream.0 > self.last_announced {
            return Err(LinkError::UnknownStream { stream: stream.0 });
        }
        Ok(())
    }
}

fn length_of(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
