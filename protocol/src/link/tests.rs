//! The rules of the link, one by one; `simulation` has them all at once.

use super::*;
use crate::control::{AgentMessage, Failure, RelayMessage};
use crate::ids::{Lease, PartId, RunId};
use proptest::prelude::*;

mod hostile;
mod simulation;

const START: Duration = Duration::from_secs(1000);

fn secs(n: u64) -> Duration {
    START + Duration::from_secs(n)
}

fn agent() -> AgentLink {
    Link::new(LinkConfig::default(), START)
}

fn relay() -> RelayLink {
    Link::new(LinkConfig::default(), START)
}

fn header(bytes: usize) -> PartHeader {
    PartHeader {
        run: run(),
        lease: Lease(1),
        part: PartId::new(Lease(1), 1),
        table: "issues".into(),
        generation: 0,
        rows: 1,
        bytes: bytes as u64,
        digest: String::new(),
    }
}

fn run() -> RunId {
    "run_1".into()
}

fn open(agent: &mut AgentLink, bytes: usize) -> StreamId {
    agent.open_stream(header(bytes), vec![7; bytes].into()).unwrap()
}

fn landed(stream: StreamId) -> RelayMessage {
    RelayMessage::PartLanded { stream, run: run(), part: PartId::new(Lease(1), 1) }
}

fn failed(stream: StreamId) -> RelayMessage {
    let failure = Failure { code: "stale_lease".into(), message: "m".into(), hint: "h".into() };
    RelayMessage::PartFailed { stream, run: run(), part: PartId::new(Lease(1), 1), failure }
}

fn goodbye() -> AgentMessage {
    AgentMessage::Goodbye { reason: "stop".into() }
}

/// Everything that a link wants to send now.
fn drain<S: Side>(link: &mut Link<S>) -> Vec<Transmit> {
    std::iter::from_fn(|| link.poll_transmit()).collect()
}

/// Everything that one end wants to send now, handed to the other end.
fn pass<A: Side, B: Side>(from: &mut Link<A>, to: &mut Link<B>, now: Duration) -> Result<usize, LinkError> {
    let messages = drain(from);
    messages.iter().try_for_each(|message| give(to, message.clone(), now))?;
    Ok(messages.len())
}

fn give<S: Side>(link: &mut Link<S>, message: Transmit, now: Duration) -> Result<(), LinkError> {
    match message {
        Transmit::Text(text) => link.handle_text(&text, now),
        Transmit::Binary(bytes) => link.handle_binary(bytes, now),
    }
}

fn events<S: Side>(link: &mut Link<S>) -> Vec<S::Event> {
    std::iter::from_fn(|| link.poll_event()).collect()
}

/// What a message is, in a word: its type, or the frame's stream and length.
fn word(message: &Transmit) -> String {
    match message {
        Transmit::Text(text) => {
            serde_json::from_str::<serde_json::Value>(text).unwrap()["type"].as_str().unwrap().to_owned()
        }
        Transmit::Binary(bytes) => match Frame::decode(bytes.clone()).unwrap() {
            Frame::Chunk { stream, fin, bytes } => {
                format!("{}:{}{}", stream.0, bytes.len(), if fin { " fin" } else { "" })
            }
            Frame::Abort { stream } => format!("{} abort", stream.0),
        },
    }
}

fn words<S: Side>(link: &mut Link<S>) -> Vec<String> {
    drain(link).iter().map(word).collect()
}

#[test]
fn a_part_travels_is_landed_and_frees_its_stream() {
    let (mut agent, mut relay) = (agent(), relay());
    let bytes: Bytes = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let stream = agent.open_stream(header(bytes.len()), bytes.clone()).unwrap();
    assert_eq!(agent.buffered(), 100_000);
    pass(&mut agent, &mut relay, START).unwrap();
    let mut got = Vec::new();
    let mut ended = false;
    for event in events(&mut relay) {
        match event {
            RelayEvent::Chunk { bytes, .. } => got.extend_from_slice(&bytes),
            RelayEvent::PartEnd { .. } => ended = true,
            RelayEvent::PartBegin { part, .. } => assert_eq!(part, header(100_000)),
            other => panic!("{other:?}"),
        }
    }
    assert!(ended && got == bytes);
    assert_eq!((agent.buffered(), agent.streams(), relay.bytes_in_flight()), (0, 1, 100_000));
    relay.send(&landed(stream)).unwrap();
    assert_eq!(relay.bytes_in_flight(), 0);
    pass(&mut relay, &mut agent, START).unwrap();
    assert_eq!(events(&mut agent), [landed(stream)]);
    assert_eq!((agent.streams(), agent.bytes_sent()), (0, relay.bytes_received()));
}

#[test]
fn control_queued_after_eight_mebibytes_of_data_leaves_first() {
    let mut agent = agent();
    for _ in 0..8 {
        open(&mut agent, 1 << 20);
    }
    assert_eq!(word(&agent.poll_transmit().unwrap()), "part_begin");
    agent.send(&goodbye()).unwrap();
    assert_eq!(agent.buffered(), (8 << 20) + u64::try_from(encode(&goodbye()).len()).unwrap());
    assert_eq!(word(&agent.poll_transmit().unwrap()), "goodbye");
}

#[test]
fn two_streams_with_window_are_never_more_than_one_chunk_apart() {
    let mut agent = agent();
    open(&mut agent, 1 << 20);
    open(&mut agent, 1 << 20);
    let mut ahead = 0_i64;
    let chunks: Vec<_> = words(&mut agent).into_iter().filter(|word| word.contains(':')).collect();
    assert_eq!(chunks.len(), 32);
    for word in chunks {
        ahead += if word.starts_with("1:") { 1 } else { -1 };
        assert!(ahead.abs() <= 1, "{word}");
    }
}

#[test]
fn a_stream_that_joins_gets_every_second_turn() {
    let mut agent = agent();
    open(&mut agent, 1 << 20);
    (0..4).for_each(|_| drop(agent.poll_transmit().unwrap()));
    open(&mut agent, 1 << 20);
    let next: Vec<_> = (0..5).map(|_| word(&agent.poll_transmit().unwrap())).collect();
    assert_eq!(next, ["part_begin", "1:65536", "2:65536", "1:65536", "2:65536"]);
}

#[test]
fn a_closed_window_stops_its_stream_but_neither_control_nor_beats_nor_other_streams() {
    let mut agent = agent();
    let blocked = open(&mut agent, 2 << 20);
    assert_eq!(words(&mut agent).len(), 1 + 16);
    assert_eq!(agent.buffered(), 1 << 20);

    agent.handle_timeout(secs(5)).unwrap();
    agent.send(&goodbye()).unwrap();
    open(&mut agent, 10);
    assert_eq!(words(&mut agent), ["beat", "goodbye", "part_begin", "2:10 fin"]);

    let refill = RelayMessage::Window { stream: blocked, bytes: 65_537 };
    agent.handle_text(&encode(&refill), secs(6)).unwrap();
    assert_eq!(words(&mut agent), ["1:65536", "1:1"]);
}

#[test]
fn the_window_is_refilled_when_half_is_free_and_not_for_each_byte() {
    let (mut agent, mut relay) = (agent(), relay());
    let stream = open(&mut agent, 2 << 20);
    pass(&mut agent, &mut relay, START).unwrap();
    relay.release(stream, (512 << 10) - 1);
    assert_eq!(words(&mut relay), [""; 0]);
    relay.release(stream, 1);
    let told = drain(&mut relay);
    assert_eq!(told, [Transmit::Text(encode(&RelayMessage::Window { stream, bytes: 512 << 10 }))]);
    give(&mut agent, told[0].clone(), START).unwrap();
    assert_eq!(pass(&mut agent, &mut relay, START), Ok(8));
    assert_eq!(relay.bytes_in_flight(), 1 << 20);
    // More than is held counts as all of it.
    relay.release(stream, usize::MAX);
    assert_eq!(words(&mut relay), ["window"]);
    assert_eq!(relay.bytes_in_flight(), 0);
}

#[test]
fn a_full_link_window_is_refilled_though_no_stream_freed_half_of_its_own() {
    let limits = LinkLimits {
        stream_window_bytes: 800,
        link_window_bytes: 800,
        chunk_bytes: 100,
        ..LinkLimits::default()
    };
    let config = LinkConfig::new(HEARTBEAT_EVERY, limits);
    let (mut agent, mut relay) = (AgentLink::new(config, START), RelayLink::new(config, START));
    let streams: Vec<_> = (0..4).map(|_| open(&mut agent, 1000)).collect();
    pass(&mut agent, &mut relay, START).unwrap();
    assert_eq!((relay.bytes_in_flight(), agent.buffered()), (800, 3200));
    streams.iter().for_each(|stream| relay.release(*stream, 200));
    assert!(pass(&mut relay, &mut agent, START).unwrap() > 0);
    assert!(pass(&mut agent, &mut relay, START).unwrap() > 0);
}

#[test]
fn only_eight_streams_are_announced_and_further_ones_follow_in_order() {
    let (mut agent, mut relay) = (agent(), relay());
    let streams: Vec<_> = (0..10).map(|_| open(&mut agent, 10)).collect();
    let begins = |words: Vec<String>| words.iter().filter(|word| *word == "part_begin").count();
    let messages = drain(&mut agent);
    assert_eq!(begins(messages.iter().map(word).collect()), 8);
    messages.into_iter().for_each(|message| give(&mut relay, message, START).unwrap());
    relay.send(&landed(streams[3])).unwrap();
    pass(&mut relay, &mut agent, START).unwrap();
    assert_eq!(words(&mut agent), ["part_begin", "9:10 fin"]);
}

#[test]
fn beats_are_answered_inside_and_a_flood_of_them_by_one() {
    let (mut agent, mut relay) = (agent(), relay());
    agent.handle_timeout(secs(5)).unwrap();
    pass(&mut agent, &mut relay, secs(5)).unwrap();
    assert_eq!((words(&mut relay), events(&mut relay)), (vec!["beat_ack".to_owned()], vec![]));
    for sequence in 0..1000 {
        relay.handle_text(&encode(&AgentMessage::Beat { sequence }), secs(6)).unwrap();
    }
    assert_eq!(drain(&mut relay), [Transmit::Text(encode(&RelayMessage::BeatAck { sequence: 999 }))]);
}

#[test]
fn a_silent_peer_is_noticed_within_two_beats() {
    let mut relay = relay();
    let (error, at) = loop {
        let now = relay.poll_timeout();
        match relay.handle_timeout(now) {
            Ok(()) => drop(drain(&mut relay)),
            Err(error) => break (error, now),
        }
    };
    assert_eq!((error, at), (LinkError::PeerDead { silent: Duration::from_secs(10) }, secs(10)));
}

#[test]
fn two_idle_links_keep_each_other_alive() {
    let (mut agent, mut relay) = (agent(), relay());
    let mut now = START;
    while now < secs(3600) {
        now = agent.poll_timeout().min(relay.poll_timeout());
        agent.handle_timeout(now).unwrap();
        relay.handle_timeout(now).unwrap();
        while pass(&mut agent, &mut relay, now).unwrap() + pass(&mut relay, &mut agent, now).unwrap() > 0 {}
    }
    assert!(agent.bytes_sent() < 120_000, "{}", agent.bytes_sent());
}

#[test]
fn a_beat_and_its_answer_tell_the_round_trip() {
    let (mut agent, mut relay) = (agent(), relay());
    assert_eq!(agent.round_trip(), None);
    let beat = agent.poll_timeout();
    agent.handle_timeout(beat).unwrap();
    pass(&mut agent, &mut relay, beat + Duration::from_millis(30)).unwrap();
    pass(&mut relay, &mut agent, beat + Duration::from_millis(70)).unwrap();
    assert_eq!(agent.round_trip(), Some(Duration::from_millis(70)));
}

#[test]
fn an_unknown_message_is_answered_and_survived_and_a_flood_of_them_is_bounded() {
    let (mut agent, mut relay) = (agent(), relay());
    let text = format!(r#"{{"type":"{}","x":1}}"#, "n".repeat(1000));
    (0..1000).for_each(|_| agent.handle_text(&text, START).unwrap());
    assert_eq!(std::iter::from_fn(|| agent.poll_unknown()).count(), UNKNOWN_ANSWERS_MAX);
    assert_eq!(pass(&mut agent, &mut relay, START), Ok(UNKNOWN_ANSWERS_MAX));
    let answer = AgentMessage::UnknownMessage { got: "n".repeat(UNKNOWN_TYPE_CHARS_MAX) };
    assert_eq!(events(&mut relay)[0], RelayEvent::Control(answer));
    // The answer to a message is not answered again.
    assert_eq!(words(&mut relay), [""; 0]);
}

#[test]
fn malformed_text_ends_the_link_and_the_error_repeats_no_value() {
    for text in ["", "{", "[]", "null", r#"{"type":5}"#, r#"{"no_type":1}"#, r#"{"type":"beat"}"#] {
        let error = relay().handle_text(text, START).unwrap_err();
        assert!(matches!(error, LinkError::Malformed { .. }), "{text}: {error}");
    }
    let error = relay().handle_text(r#"{"type":"beat","sequence":"hunter2"}"#, START).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn an_oversize_message_is_refused_on_both_ends() {
    let reason = "x".repeat(CONTROL_BYTES_MAX);
    let error = relay().handle_text(&reason, START).unwrap_err();
    assert!(matches!(error, LinkError::Malformed { .. }), "a text at the bound is looked at: {error}");
    let error = relay().handle_text(&format!("{reason}x"), START).unwrap_err();
    assert_eq!(error, LinkError::MessageTooLarge { bytes: CONTROL_BYTES_MAX + 1, max: CONTROL_BYTES_MAX });
    let mut agent = agent();
    let error = agent.send(&AgentMessage::Goodbye { reason }).unwrap_err();
    assert!(matches!(error, LinkError::OwnMessageTooLarge { tag: "goodbye", .. }));
    assert_eq!((agent.buffered(), agent.poll_transmit()), (0, None));
}

#[test]
fn the_application_cannot_send_what_the_link_makes() {
    for message in
        [AgentMessage::Beat { sequence: 1 }, AgentMessage::PartBegin { stream: StreamId(1), part: header(1) }]
    {
        assert_eq!(agent().send(&message), Err(LinkError::OwnMessageReserved { tag: message.tag() }));
    }
    let window = RelayMessage::Window { stream: StreamId(1), bytes: 1 };
    assert_eq!(relay().send(&window), Err(LinkError::OwnMessageReserved { tag: "window" }));
}

#[test]
fn a_part_of_the_wrong_length_is_not_opened() {
    let max = crate::limits::PART_BYTES_MAX;
    let mut agent = agent();
    let error = agent.open_stream(header(5), vec![0; 4].into()).unwrap_err();
    assert_eq!(error, LinkError::OwnPartSize { bytes: 4, announced: 5, max });
    assert!(agent.open_stream(header(0), Bytes::new()).is_err());
    let huge = vec![0; usize::try_from(max).unwrap() + 1];
    assert!(agent.open_stream(header(huge.len()), huge.into()).is_err());
    assert_eq!((agent.streams(), agent.buffered()), (0, 0));
}

#[test]
fn the_driver_is_told_when_the_queue_is_full() {
    let mut agent = agent();
    (0..CONTROL_QUEUE_MAX).for_each(|_| agent.send(&goodbye()).unwrap());
    assert!(!agent.has_room());
    agent.send(&goodbye()).unwrap();
    drain(&mut agent);
    assert!(agent.has_room());
}

#[test]
fn a_part_refused_on_its_way_is_aborted_and_frees_its_stream_on_both_ends() {
    let (mut agent, mut relay) = (agent(), relay());
    let stream = open(&mut agent, 2 << 20);
    pass(&mut agent, &mut relay, START).unwrap();
    events(&mut relay);
    relay.send(&failed(stream)).unwrap();
    // Crosses on the way: dropped, not an error.
    relay.release(stream, 1 << 20);
    pass(&mut relay, &mut agent, START).unwrap();
    assert_eq!(events(&mut agent), [failed(stream)]);
    assert_eq!((agent.streams(), agent.buffered()), (0, 0));
    open(&mut agent, 5);
    let messages = drain(&mut agent);
    assert_eq!(messages.iter().map(word).collect::<Vec<_>>(), ["1 abort", "part_begin", "2:5 fin"]);
    messages.into_iter().for_each(|message| give(&mut relay, message, START).unwrap());
    assert_eq!((events(&mut relay).len(), relay.bytes_in_flight()), (3, 5));
}

#[test]
fn an_abandoned_stream_leaves_nothing_behind_in_any_state() {
    let (mut agent, mut relay) = (agent(), relay());
    // Sending.
    let sending = open(&mut agent, 2 << 20);
    pass(&mut agent, &mut relay, START).unwrap();
    agent.abandon_stream(sending);
    // Queued.
    let queued = open(&mut agent, 10);
    agent.abandon_stream(queued);
    assert_eq!((agent.streams(), agent.buffered()), (0, 0));
    pass(&mut agent, &mut relay, START).unwrap();
    assert_eq!(events(&mut relay).last(), Some(&RelayEvent::PartAborted { stream: sending }));
    assert_eq!(relay.bytes_in_flight(), 0);
    // An answer or a window that crossed the abort is survived.
    relay.send(&failed(sending)).unwrap();
    agent.handle_text(&encode(&RelayMessage::Window { stream: sending, bytes: 1 }), START).unwrap();
    pass(&mut relay, &mut agent, START).unwrap();
    // Sent: the relay still answers.
    let sent = open(&mut agent, 10);
    pass(&mut agent, &mut relay, START).unwrap();
    agent.abandon_stream(sent);
    assert_eq!(agent.streams(), 1);
    relay.send(&landed(sent)).unwrap();
    pass(&mut relay, &mut agent, START).unwrap();
    assert_eq!(agent.streams(), 0);
}

#[test]
fn an_acknowledgement_before_the_last_byte_is_refused_on_both_ends() {
    let (mut agent, mut relay) = (agent(), relay());
    let stream = open(&mut agent, 2 << 20);
    pass(&mut agent, &mut relay, START).unwrap();
    assert_eq!(relay.send(&landed(stream)), Err(LinkError::OwnLandedTooEarly { stream: 1 }));
    let error = agent.handle_text(&encode(&landed(stream)), START).unwrap_err();
    assert_eq!(error, LinkError::LandedTooEarly { stream: 1 });
}

#[test]
fn debug_forms_show_no_message() {
    let mut agent = agent();
    agent.send(&AgentMessage::Goodbye { reason: "hunter2".into() }).unwrap();
    let shown = format!("{agent:?}");
    let transmit = format!("{:?}", agent.poll_transmit().unwrap());
    assert!(!shown.contains("hunter2") && !transmit.contains("hunter2"), "{shown} {transmit}");
}
