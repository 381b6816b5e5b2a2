//! Parts that are coming in, piece by piece: pure accounting of what is held and when its bytes may be given back to the
//! agent's windows. What is held is bounded by a constant and one part more: beyond the bound only the oldest stream goes on,
//! so that at least one part can always be completed and landed.

use bytes::Bytes;
use protocol::control::PartHeader;
use protocol::ids::StreamId;
use std::collections::BTreeMap;

/// Bytes of parts that one session holds before it slows its agent down. Eight streams of the usual 4 MiB go through without
/// waiting for each other; with the one part of at most 32 MiB on top, four busy agents stay below the relay's 256 MiB.
const HELD_BYTES_MAX: usize = 24 << 20;

/// The parts of one session.
#[derive(Debug, Default)]
pub(super) struct Intake {
    held: usize,
    streams: BTreeMap<StreamId, Incoming>,
}

#[derive(Debug)]
struct Incoming {
    /// Gone to the landing when the part is complete.
    header: Option<PartHeader>,
    chunks: Vec<Bytes>,
    bytes: usize,
    /// Bytes that were not given back to the stream's window yet.
    owed: usize,
}

/// Bytes to give back to a stream's window.
pub(super) type Release = (StreamId, usize);

impl Intake {
    /// A part begins.
    pub(super) fn begin(&mut self, stream: StreamId, header: PartHeader) {
        let incoming = Incoming { header: Some(header), chunks: Vec::new(), bytes: 0, owed: 0 };
        self.streams.insert(stream, incoming);
    }

    /// A piece came; gives what may be released at once.
    pub(super) fn chunk(&mut self, stream: StreamId, bytes: Bytes) -> Vec<Release> {
        let Some(incoming) = self.streams.get_mut(&stream) else { return vec![(stream, bytes.len())] };
        self.held += bytes.len();
        incoming.bytes += bytes.len();
        incoming.owed += bytes.len();
        incoming.chunks.push(bytes);
        self.due()
    }

    /// The part is complete: its header and pieces go to the landing. They count as held until [`Intake::done`].
    pub(super) fn complete(&mut self, stream: StreamId) -> Option<(PartHeader, Vec<Bytes>)> {
        let incoming = self.streams.get_mut(&stream)?;
        let header = incoming.header.take()?;
        incoming.owed = 0;
        Some((header, std::mem::take(&mut incoming.chunks)))
    }

    /// The part is landed, refused or given up; gives what others may go on with.
    pub(super) fn done(&mut self, stream: StreamId) -> Vec<Release> {
        if let Some(incoming) = self.streams.remove(&stream) {
            self.held -= incoming.bytes;
        }
        self.due()
    }

    /// Pays what is owed: to everybody while there is room, else to the oldest part that is not complete.
    fn due(&mut self) -> Vec<Release> {
        let has_room = self.held < HELD_BYTES_MAX;
        let mut open = self.streams.iter_mut().filter(|(_, incoming)| incoming.header.is_some());
        let mut due = Vec::new();
        if has_room {
            for (stream, incoming) in open {
                due.extend(pay(*stream, incoming));
            }
        } else if let Some((stream, incoming)) = open.next() {
            due.extend(pay(*stream, incoming));
        }
        due
    }
}

fn pay(stream: StreamId, incoming: &mut Incoming) -> Option<Release> {
    let owed = std::mem::take(&mut incoming.owed);
    (owed > 0).then_some((stream, owed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ids::{Lease, PartId};

    const MIB: usize = 1 << 20;

    fn header() -> PartHeader {
        PartHeader {
            run: "run_1".into(),
            lease: Lease(1),
            part: PartId::new(Lease(1), 0),
            table: "issues".to_owned(),
            generation: 0,
            rows: 1,
            bytes: 1,
            digest: String::new(),
        }
    }

    fn piece(bytes: usize) -> Bytes {
        Bytes::from(vec![0; bytes])
    }

    #[test]
    fn bytes_are_given_back_at_once_while_there_is_room() {
        let mut intake = Intake::default();
        intake.begin(StreamId(1), header());
        assert_eq!(intake.chunk(StreamId(1), piece(MIB)), [(StreamId(1), MIB)]);
    }

    #[test]
    fn beyond_the_bound_only_the_oldest_part_goes_on_and_its_landing_frees_the_others() {
        let mut intake = Intake::default();
        for id in [1, 2] {
            intake.begin(StreamId(id), header());
        }
        assert_eq!(intake.chunk(StreamId(2), piece(HELD_BYTES_MAX)), []);
        assert_eq!(intake.chunk(StreamId(1), piece(MIB)), [(StreamId(1), MIB)]);
        assert!(intake.complete(StreamId(1)).is_some());
        // The second is the oldest that is not complete, so it can go on to its end.
        assert_eq!(intake.done(StreamId(1)), [(StreamId(2), HELD_BYTES_MAX)]);
        intake.complete(StreamId(2));
        assert_eq!(intake.done(StreamId(2)), []);
        assert_eq!(intake.held, 0);
    }

    #[test]
    fn a_complete_part_counts_until_it_is_landed() {
        let mut intake = Intake::default();
        intake.begin(StreamId(1), header());
        intake.chunk(StreamId(1), piece(MIB));
        intake.complete(StreamId(1));
        assert_eq!(intake.held, MIB);
        intake.done(StreamId(1));
        assert_eq!(intake.held, 0);
    }
}
