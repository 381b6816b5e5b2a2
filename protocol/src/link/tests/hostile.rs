//! A peer that breaks the rules: each break is its own error, and no input makes a panic or holds more than the limits.

use super::*;
use crate::error::{Blame, CloseCode};

fn begin(stream: u32, bytes: usize) -> Transmit {
    Transmit::Text(encode(&AgentMessage::PartBegin { stream: StreamId(stream), part: header(bytes) }))
}

fn chunk(stream: u32, length: usize, fin: bool) -> Transmit {
    Transmit::Binary(Frame::Chunk { stream: StreamId(stream), fin, bytes: vec![0; length].into() }.encode())
}

fn abort(stream: u32) -> Transmit {
    Transmit::Binary(Frame::Abort { stream: StreamId(stream) }.encode())
}

/// What the relay says to these messages; all but the last must be allowed.
fn error_after(messages: Vec<Transmit>) -> LinkError {
    let mut relay = relay();
    let last = messages.len() - 1;
    for (at, message) in messages.into_iter().enumerate() {
        match give(&mut relay, message, START) {
            Err(error) if at == last => return error,
            Err(error) => panic!("message {at}: {error}"),
            Ok(()) => {}
        }
    }
    panic!("all messages were allowed")
}

#[test]
fn every_break_of_the_rules_of_streams_is_named_and_blamed_on_the_peer() {
    let max = crate::limits::PART_BYTES_MAX;
    let huge = usize::try_from(max).unwrap() + 1;
    let window =
        vec![begin(1, 4 << 20)].into_iter().chain((0..17).map(|_| chunk(1, 1 << 16, false))).collect();
    let nine = (1..=9).map(|stream| begin(stream, 10)).collect();
    let cases = [
        (vec![chunk(1, 5, false)], LinkError::UnknownStream { stream: 1 }),
        (vec![abort(1)], LinkError::UnknownStream { stream: 1 }),
        (vec![begin(1, 5), chunk(1, 5, true), chunk(1, 5, true)], LinkError::UnknownStream { stream: 1 }),
        (vec![begin(1, 5), chunk(1, 5, true), abort(1)], LinkError::UnknownStream { stream: 1 }),
        (vec![begin(1, 5), abort(1), chunk(1, 5, true)], LinkError::UnknownStream { stream: 1 }),
        (vec![begin(0, 5)], LinkError::StreamReused { stream: 0 }),
        (vec![begin(2, 5), begin(2, 5)], LinkError::StreamReused { stream: 2 }),
        (vec![begin(2, 5), abort(2), begin(1, 5)], LinkError::StreamReused { stream: 1 }),
        (nine, LinkError::TooManyStreams { stream: 9, open: 8 }),
        (vec![begin(1, 0)], LinkError::PartSize { stream: 1, bytes: 0, max }),
        (vec![begin(1, huge)], LinkError::PartSize { stream: 1, bytes: max + 1, max }),
        (vec![begin(1, 5), chunk(1, 6, true)], LinkError::TooManyBytes { stream: 1, announced: 5 }),
        (vec![begin(1, 5), chunk(1, 4, true)], LinkError::WrongEnd { stream: 1, received: 4, announced: 5 }),
        (vec![begin(1, 5), chunk(1, 5, false)], LinkError::WrongEnd { stream: 1, received: 5, announced: 5 }),
        (window, LinkError::WindowExceeded { stream: 1, in_flight: (1 << 20) + (1 << 16), limit: 1 << 20 }),
    ];
    for (messages, expected) in cases {
        let error = error_after(messages);
        assert_eq!(error, expected);
        assert_eq!((error.blame(), error.close_code()), (Blame::Peer, CloseCode::ProtocolError));
    }
}

#[test]
fn a_relay_that_breaks_the_rules_is_named_too() {
    let mut agent = agent();
    open(&mut agent, 10);
    drain(&mut agent);
    assert_eq!(give(&mut agent, chunk(1, 5, false), START), Err(LinkError::WrongDirection));
    let text = |message: &RelayMessage| Transmit::Text(encode(message));
    let overflow = RelayMessage::Window { stream: StreamId(1), bytes: 11 };
    let error = LinkError::WindowOverflow { stream: 1, given: 11, in_flight: 10 };
    assert_eq!(give(&mut agent, text(&overflow), START), Err(error));
    for message in
        [landed(StreamId(2)), failed(StreamId(0)), RelayMessage::Window { stream: StreamId(9), bytes: 1 }]
    {
        assert!(
            matches!(give(&mut agent, text(&message), START), Err(LinkError::UnknownStream { .. })),
            "{message:?}"
        );
    }
}

/// What a hostile agent may send next.
fn hostile_message() -> impl Strategy<Value = Transmit> {
    let stream = 0_u32..12;
    prop_oneof![
        (stream.clone(), 0_usize..400).prop_map(|(stream, bytes)| begin(stream, bytes)),
        (stream.clone(), 1_usize..200, any::<bool>())
            .prop_map(|(stream, length, fin)| chunk(stream, length, fin)),
        stream.prop_map(abort),
        ".{0,40}".prop_map(Transmit::Text),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Transmit::Binary(bytes.into())),
    ]
}

proptest! {
    #[test]
    fn any_text_and_any_bytes_are_refused(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (mut agent, mut relay) = (agent(), relay());
        for result in [agent.handle_text(&text, START), relay.handle_text(&text, START)] {
            prop_assert_eq!(result.map_err(|error| error.close_code()), Err(CloseCode::InvalidPayload));
        }
        prop_assert!(agent.handle_binary(bytes.clone().into(), START).is_err());
        prop_assert!(relay.handle_binary(bytes.into(), START).is_err());
    }

    #[test]
    fn every_cut_of_a_message_is_malformed(cut in 0_usize..1000) {
        let text = encode(&AgentMessage::PartBegin { stream: StreamId(1), part: header(5) });
        let cut = cut % text.len();
        let result = relay().handle_text(text.get(..cut).unwrap(), START);
        prop_assert!(matches!(result, Err(LinkError::Malformed { .. })), "{:?}", result);
    }

    #[test]
    fn no_sequence_of_messages_makes_a_panic_or_passes_the_limits(messages in proptest::collection::vec(hostile_message(), 0..60)) {
        let limits = LinkLimits { stream_window_bytes: 300, link_window_bytes: 500, chunk_bytes: 100, open_streams: 3, part_bytes: 350 };
        let mut relay = RelayLink::new(LinkConfig::new(HEARTBEAT_EVERY, limits), START);
        for message in messages {
            // A driver would stop at the first error; the state must hold even so.
            let refusal = give(&mut relay, message, START).err();
            prop_assert!(refusal.is_none_or(|error| error.blame() == Blame::Peer));
            prop_assert!(relay.bytes_in_flight() <= 500);
            for event in events(&mut relay) {
                if let RelayEvent::Chunk { stream, bytes } = event {
                    relay.release(stream, bytes.len() / 2);
                }
            }
            drain(&mut relay);
        }
    }
}
