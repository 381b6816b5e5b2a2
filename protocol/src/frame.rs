//! Binary frames: the bytes of parts. A header of eight bytes, then the chunk:
//!
//! ```text
//!  byte 0     kind       0x01 chunk, 0x02 abort; 0x00 is never used, so that zeroed memory is no frame
//!  byte 1     flags      0x01 FIN: the last chunk of its stream (chunks only)
//!  byte 2, 3  reserved   zero
//!  byte 4-7   stream id  big endian
//!  byte 8-    bytes      1 to 65,536 in a chunk, none in an abort
//! ```
//!
//! Everything else is an error: a new meaning needs a new protocol version.

use crate::error::FrameError;
use crate::ids::StreamId;
use crate::limits::CHUNK_BYTES_MAX;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes of the header.
pub const HEADER_BYTES: usize = 8;

const KIND_CHUNK: u8 = 0x01;
const KIND_ABORT: u8 = 0x02;
const FLAG_FIN: u8 = 0x01;

/// A binary frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A piece of the part on `stream`.
    Chunk {
        /// The stream.
        stream: StreamId,
        /// Whether it is the last piece.
        fin: bool,
        /// The piece.
        bytes: Bytes,
    },
    /// The sender gives the stream up; no further frame of it comes.
    Abort {
        /// The stream.
        stream: StreamId,
    },
}

impl Frame {
    /// The bytes on the wire.
    pub fn encode(&self) -> Bytes {
        let (kind, flags, stream, payload) = match self {
            Self::Chunk { stream, fin, bytes } => {
                (KIND_CHUNK, if *fin { FLAG_FIN } else { 0 }, stream, bytes.as_ref())
            }
            Self::Abort { stream } => (KIND_ABORT, 0, stream, &[][..]),
        };
        let mut wire = BytesMut::with_capacity(HEADER_BYTES + payload.len());
        wire.put_u8(kind);
        wire.put_u8(flags);
        wire.put_u16(0);
        wire.put_u32(stream.0);
        wire.put_slice(payload);
        wire.freeze()
    }

    /// Reads a frame; the chunk is a slice of `wire`, not a copy.
    pub fn decode(mut wire: Bytes) -> Result<Self, FrameError> {
        if wire.len() < HEADER_BYTES {
            return Err(FrameError::TooShort(wire.len()));
        }
        let (kind, flags, reserved, stream) =
            (wire.get_u8(), wire.get_u8(), wire.get_u16(), StreamId(wire.get_u32()));
        if reserved != 0 {
            return Err(FrameError::Reserved(reserved));
        }
        match kind {
            KIND_CHUNK => decode_chunk(stream, flags, wire),
            KIND_ABORT if flags != 0 => Err(FrameError::UnknownFlags(flags)),
            KIND_ABORT if !wire.is_empty() => Err(FrameError::UnexpectedBytes(wire.len())),
            KIND_ABORT => Ok(Self::Abort { stream }),
            unknown => Err(FrameError::UnknownKind(unknown)),
        }
    }
}

fn decode_chunk(stream: StreamId, flags: u8, bytes: Bytes) -> Result<Frame, FrameError> {
    if flags & !FLAG_FIN != 0 {
        return Err(FrameError::UnknownFlags(flags));
    }
    match bytes.len() {
        0 => Err(FrameError::Empty),
        got if got > CHUNK_BYTES_MAX => Err(FrameError::TooLong { got, max: CHUNK_BYTES_MAX }),
        _ => Ok(Frame::Chunk { stream, fin: flags & FLAG_FIN != 0, bytes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
    }

    fn unhex(text: &str) -> Bytes {
        text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    fn chunk(stream: u32, fin: bool, bytes: &'static [u8]) -> Frame {
        Frame::Chunk { stream: StreamId(stream), fin, bytes: Bytes::from_static(bytes) }
    }

    #[test]
    fn frames_have_their_golden_bytes() {
        let golden = [
            (chunk(1, false, b"PAR1"), "01 00 00 00 00 00 00 01 50 41 52 31"),
            (chunk(0x0102_0304, true, &[0xff]), "01 01 00 00 01 02 03 04 ff"),
            (Frame::Abort { stream: StreamId(7) }, "02 00 00 00 00 00 00 07"),
        ];
        for (frame, wire) in golden {
            assert_eq!(hex(&frame.encode()), wire);
            assert_eq!(Frame::decode(unhex(wire)), Ok(frame));
        }
    }

    #[test]
    fn everything_else_is_a_named_error() {
        let refused = [
            ("01 00 00", FrameError::TooShort(3)),
            ("00 00 00 00 00 00 00 01 aa", FrameError::UnknownKind(0)),
            ("03 00 00 00 00 00 00 01 aa", FrameError::UnknownKind(3)),
            ("01 02 00 00 00 00 00 01 aa", FrameError::UnknownFlags(2)),
            ("02 01 00 00 00 00 00 01", FrameError::UnknownFlags(1)),
            ("01 00 00 01 00 00 00 01 aa", FrameError::Reserved(1)),
            ("01 00 00 00 00 00 00 01", FrameError::Empty),
            ("02 00 00 00 00 00 00 01 aa", FrameError::UnexpectedBytes(1)),
        ];
        for (wire, error) in refused {
            assert_eq!(Frame::decode(unhex(wire)), Err(error), "{wire}");
        }
    }

    #[test]
    fn a_chunk_above_the_bound_is_refused_and_one_at_the_bound_is_not() {
        let of = |len: usize| Frame::Chunk { stream: StreamId(1), fin: true, bytes: vec![0; len].into() };
        assert_eq!(Frame::decode(of(CHUNK_BYTES_MAX).encode()), Ok(of(CHUNK_BYTES_MAX)));
        let too_long = FrameError::TooLong { got: CHUNK_BYTES_MAX + 1, max: CHUNK_BYTES_MAX };
        assert_eq!(Frame::decode(of(CHUNK_BYTES_MAX + 1).encode()), Err(too_long));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_that_encodes_back_or_an_error(wire in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(frame) = Frame::decode(wire.clone().into()) {
                prop_assert_eq!(frame.encode(), Bytes::from(wire));
            }
        }
    }
}
