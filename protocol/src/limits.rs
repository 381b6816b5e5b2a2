//! Every bound of the wire, each with its reason. The receiver enforces them and the sender obeys them: a sender that is
//! cut for a message too long only sees a broken pipe.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest text of the handshake, bytes: nobody is known yet, so nothing larger is ever allocated.
pub const HANDSHAKE_BYTES_MAX: usize = 16 << 10;

/// Longest control message, bytes of JSON: a batch of checkpoint entries of 64 KiB fits, a page of Jira does not.
pub const CONTROL_BYTES_MAX: usize = 256 << 10;

/// Most bytes of one chunk, without the header: small enough that a heartbeat never waits long behind one on a slow line,
/// large enough that the header and the system call cost nothing.
pub const CHUNK_BYTES_MAX: usize = 64 << 10;

/// Longest WebSocket message of an established link: both sides give it to their WebSocket library.
pub const MESSAGE_BYTES_MAX: usize = CONTROL_BYTES_MAX;

/// Bytes in flight on one stream: 10 MiB/s over a line of 100 ms.
pub const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Bytes in flight on one link, all streams together: what a relay holds for one agent at most before it lands anything.
pub const LINK_WINDOW_BYTES: u32 = 8 << 20;

/// Longest part, bytes: the engine aims at 4 MiB; a single issue with megabytes of text must still fit.
pub const PART_BYTES_MAX: u64 = 32 << 20;

/// Streams announced and not yet landed at once: enough to keep a long line full while earlier parts are made durable.
pub const OPEN_STREAMS_MAX: u32 = 8;

/// From the opened WebSocket to `welcome`: longer than a slow line needs, short enough that idle strangers hold nothing.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// A beat is sent this often: proxies cut a silent connection after 30 to 60 s, and a person watching wants to know in seconds.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// The intervals that a relay may ask for, milliseconds: below, beats would be traffic; above, proxies cut the line between two.
pub const HEARTBEAT_MS_RANGE: std::ops::RangeInclusive<u64> = 50..=30_000;

/// So many intervals without any message mean a dead peer: one may be lost to a stall, two in a row are none.
pub const HEARTBEATS_MISSED_MAX: u32 = 2;

/// Control messages that wait for the socket before the link stops taking commands: a driver stops asking its application
/// then. Progress of a few runs fits many times over.
pub const CONTROL_QUEUE_MAX: usize = 256;

/// Answers to unknown messages that wait for the socket; more are dropped, so a flood costs the one who sends it.
pub const UNKNOWN_ANSWERS_MAX: usize = 8;

/// Characters of an unknown message's `type` that are repeated to its sender.
pub const UNKNOWN_TYPE_CHARS_MAX: usize = 64;

/// Longest secret that is sealed, bytes: any password or token, and too little to smuggle a file.
pub const SECRET_BYTES_MAX: usize = 4096;

/// The bounds of one link, told by the relay in `welcome` so that it can tighten them for all agents at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkLimits {
    /// Most bytes of one chunk.
    pub chunk_bytes: u32,
    /// Bytes in flight on one stream.
    pub stream_window_bytes: u32,
    /// Bytes in flight on the link.
    pub link_window_bytes: u32,
    /// Streams announced and not yet landed at once.
    pub open_streams: u32,
    /// Longest part in bytes.
    pub part_bytes: u64,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            chunk_bytes: 64 << 10,
            stream_window_bytes: STREAM_WINDOW_BYTES,
            link_window_bytes: LINK_WINDOW_BYTES,
            open_streams: OPEN_STREAMS_MAX,
            part_bytes: PART_BYTES_MAX,
        }
    }
}

impl LinkLimits {
    /// The bounds as this build can keep them: none above its own maximum, none zero. Both ends of a link must use the same
    /// bounds, so an agent that changes anything here would break the relay's count: it refuses the welcome instead.
    pub fn is_acceptable(&self) -> bool {
        let within = |value: u32, max: u32| (1..=max).contains(&value);
        let chunk_max = u32::try_from(CHUNK_BYTES_MAX).unwrap_or(u32::MAX);
        within(self.chunk_bytes, chunk_max)
            && within(self.stream_window_bytes, STREAM_WINDOW_BYTES)
            && within(self.link_window_bytes, LINK_WINDOW_BYTES)
            && within(self.open_streams, OPEN_STREAMS_MAX)
            && (1..=PART_BYTES_MAX).contains(&self.part_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_limits_are_acceptable_and_larger_or_zero_ones_are_not() {
        let own = LinkLimits::default();
        assert!(own.is_acceptable());
        assert_eq!(usize::try_from(own.chunk_bytes), Ok(CHUNK_BYTES_MAX));
        assert!(!LinkLimits { chunk_bytes: 0, ..own }.is_acceptable());
        assert!(!LinkLimits { link_window_bytes: u32::MAX, ..own }.is_acceptable());
        assert!(!LinkLimits { open_streams: 0, ..own }.is_acceptable());
        assert!(!LinkLimits { part_bytes: PART_BYTES_MAX + 1, ..own }.is_acceptable());
    }
}
