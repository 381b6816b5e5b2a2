//! Two links in virtual time: a seed decides who sends, when a message arrives, when the application releases, lands,
//! refuses or abandons. Every byte arrives in order and once, no count leaves its limits, and in the end nothing is left over.

use super::*;
use std::collections::BTreeMap;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }
}

/// A part as the relay's application has it.
#[derive(Default)]
struct Incoming {
    bytes: Vec<u8>,
    held: usize,
    has_ended: bool,
}

struct World {
    random: Random,
    now: Duration,
    limits: LinkLimits,
    agent: AgentLink,
    relay: RelayLink,
    to_relay: VecDeque<Transmit>,
    to_agent: VecDeque<Transmit>,
    /// What the agent sent and is not told the end of.
    sent: BTreeMap<StreamId, Bytes>,
    incoming: BTreeMap<StreamId, Incoming>,
    /// Streams that the relay refused, and whose answer the agent has not seen.
    refused: Vec<StreamId>,
    notes_sent: u64,
    notes_seen: u64,
    landed: usize,
    lost_on_purpose: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let stream_window_bytes = 1 + u32::try_from(random.below(400)).unwrap();
        let limits = LinkLimits {
            chunk_bytes: 1 + u32::try_from(random.below(100)).unwrap(),
            stream_window_bytes,
            link_window_bytes: 1 + u32::try_from(random.below(1000)).unwrap(),
            open_streams: 1 + u32::try_from(random.below(8)).unwrap(),
            part_bytes: 2000,
        };
        let config = LinkConfig::new(Duration::from_secs(5), limits);
        Self {
            random,
            now: START,
            limits,
            agent: Link::new(config, START),
            relay: Link::new(config, START),
            to_relay: VecDeque::new(),
            to_agent: VecDeque::new(),
            sent: BTreeMap::new(),
            incoming: BTreeMap::new(),
            refused: Vec::new(),
            notes_sent: 0,
            notes_seen: 0,
            landed: 0,
            lost_on_purpose: 0,
        }
    }

    fn step(&mut self) {
        match self.random.below(18) {
            0..=3 => self.to_relay.extend(self.agent.poll_transmit()),
            4..=5 => self.to_agent.extend(self.relay.poll_transmit()),
            6..=9 => self.deliver_to_relay(),
            10..=11 => self.deliver_to_agent(),
            12..=13 => self.release(),
            14 => self.answer(),
            15 => self.open(),
            16 => self.disturb(),
            _ => self.pass_time(),
        }
        self.check();
    }

    fn open(&mut self) {
        let length = 1 + self.random.below(2000);
        let bytes: Bytes = (0..length).map(|_| self.random.next().to_le_bytes()[0]).collect();
        let stream = self.agent.open_stream(header(length), bytes.clone()).unwrap();
        self.sent.insert(stream, bytes);
    }

    fn deliver_to_relay(&mut self) {
        let Some(message) = self.to_relay.pop_front() else { return };
        give(&mut self.relay, message, self.now).unwrap();
        for event in events(&mut self.relay) {
            match event {
                RelayEvent::PartBegin { stream, .. } => {
                    assert!(self.incoming.insert(stream, Incoming::default()).is_none())
                }
                RelayEvent::Chunk { stream, bytes } => {
                    let part = self.incoming.get_mut(&stream).unwrap();
                    part.bytes.extend_from_slice(&bytes);
                    part.held += bytes.len();
                }
                RelayEvent::PartEnd { stream } => self.incoming.get_mut(&stream).unwrap().has_ended = true,
                RelayEvent::PartAborted { stream } => assert!(self.incoming.remove(&stream).is_some()),
                RelayEvent::Control(AgentMessage::Health { runs, .. }) => {
                    self.notes_seen += 1;
                    assert_eq!(u64::from(runs), self.notes_seen, "control messages keep their order");
                }
                RelayEvent::Control(other) => panic!("{other:?}"),
            }
        }
    }

    fn deliver_to_agent(&mut self) {
        let Some(message) = self.to_agent.pop_front() else { return };
        give(&mut self.agent, message, self.now).unwrap();
        for event in events(&mut self.agent) {
            match event {
                RelayMessage::PartLanded { stream, .. } => {
                    self.sent.remove(&stream);
                }
                RelayMessage::PartFailed { stream, .. } => {
                    self.sent.remove(&stream);
                    self.refused.retain(|refused| *refused != stream);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn any_incoming(&mut self) -> Option<StreamId> {
        let at = self.random.below(self.incoming.len().max(1));
        self.incoming.keys().nth(at).copied()
    }

    fn release(&mut self) {
        let Some(stream) = self.any_incoming() else { return };
        let part = self.incoming.get_mut(&stream).unwrap();
        let bytes = self.random.below(part.held + 1);
        part.held -= bytes;
        self.relay.release(stream, bytes);
    }

    /// Lands a part that has ended, and compares it.
    fn answer(&mut self) {
        let ended = self.incoming.iter().find(|(_, part)| part.has_ended).map(|(stream, _)| *stream);
        let Some(stream) = ended else { return };
        let part = self.incoming.remove(&stream).unwrap();
        self.relay.send(&landed(stream)).unwrap();
        self.landed += 1;
        if let Some(sent) = self.sent.get(&stream) {
            assert_eq!(sent, &part.bytes, "stream {stream:?}");
        }
    }

    /// A note, a refusal by the relay, or a stream given up by the agent.
    fn disturb(&mut self) {
        match self.random.below(12) {
            0 => {
                let Some(stream) = self.any_incoming() else { return };
                self.incoming.remove(&stream);
                self.relay.send(&failed(stream)).unwrap();
                self.refused.push(stream);
                self.lost_on_purpose += 1;
            }
            1 => {
                let at = self.random.below(self.sent.len().max(1));
                let Some(stream) = self.sent.keys().nth(at).copied() else { return };
                self.agent.abandon_stream(stream);
                self.sent.remove(&stream);
                self.lost_on_purpose += 1;
            }
            _ => {
                self.notes_sent += 1;
                let runs = u32::try_from(self.notes_sent).unwrap();
                let (paused, jiras, last_error, mask_key) = (None, vec![], None, None);
                self.agent.send(&AgentMessage::Health { runs, paused, jiras, last_error, mask_key }).unwrap();
            }
        }
    }

    /// Time passes only as far as messages cannot be late: a line slower than two beats is a dead one.
    fn pass_time(&mut self) {
        if self.to_relay.is_empty() && self.to_agent.is_empty() {
            self.now += Duration::from_millis(u64::try_from(self.random.below(2000)).unwrap());
            self.agent.handle_timeout(self.now).unwrap();
            self.relay.handle_timeout(self.now).unwrap();
            self.exchange();
        }
    }

    /// Both ends send and receive until there is nothing to say.
    fn exchange(&mut self) {
        loop {
            self.to_relay.extend(drain(&mut self.agent));
            self.to_agent.extend(drain(&mut self.relay));
            if self.to_relay.is_empty() && self.to_agent.is_empty() {
                return;
            }
            while !self.to_relay.is_empty() {
                self.deliver_to_relay();
            }
            while !self.to_agent.is_empty() {
                self.deliver_to_agent();
            }
        }
    }

    fn check(&self) {
        let held: usize = self.incoming.values().map(|part| part.held).sum();
        let link_window = u64::from(self.limits.link_window_bytes);
        assert!(u64::try_from(held).unwrap() <= self.relay.bytes_in_flight());
        assert!(self.relay.bytes_in_flight() <= link_window);
        assert!(self.incoming.len() <= usize::try_from(self.limits.open_streams).unwrap());
        for part in self.incoming.values() {
            assert!(part.held <= usize::try_from(self.limits.stream_window_bytes).unwrap());
        }
    }

    /// The application releases and lands all that comes until all is over. Each round must bring something: a round that moves
    /// nothing would be the last of a stalled link.
    fn settle(&mut self) {
        loop {
            let before = (self.relay.bytes_received(), self.landed);
            self.exchange();
            if self.agent.streams() == 0 && self.incoming.is_empty() {
                break;
            }
            let held: Vec<_> = self.incoming.iter().map(|(stream, part)| (*stream, part.held)).collect();
            let releases = held.iter().any(|(_, held)| *held > 0);
            for (stream, held) in held {
                self.relay.release(stream, held);
                self.incoming.get_mut(&stream).unwrap().held = 0;
            }
            self.answer();
            let moved = (self.relay.bytes_received(), self.landed) != before;
            assert!(moved || releases, "the link stalls: {:?}", self.limits);
        }
        self.exchange();
    }
}

fn simulate(seed: u64, steps: usize) -> World {
    let mut world = World::new(seed);
    (0..steps).for_each(|_| world.step());
    world.settle();
    assert!(
        world.sent.is_empty() && world.incoming.is_empty() && world.refused.is_empty(),
        "seed {seed}: parts are left over"
    );
    assert_eq!(
        (world.agent.buffered(), world.agent.streams(), world.relay.bytes_in_flight()),
        (0, 0, 0),
        "seed {seed}"
    );
    assert_eq!(world.notes_seen, world.notes_sent, "seed {seed}");
    assert_eq!(world.agent.bytes_sent(), world.relay.bytes_received(), "seed {seed}");
    assert_eq!(world.relay.bytes_sent(), world.agent.bytes_received(), "seed {seed}");
    world
}

#[test]
fn a_long_session_loses_and_doubles_nothing() {
    let world = simulate(1, 200_000);
    assert!(
        world.landed > 1000 && world.lost_on_purpose > 100,
        "{} landed, {} lost",
        world.landed,
        world.lost_on_purpose
    );
}

#[test]
fn windows_of_one_byte_slow_a_link_and_never_stall_it() {
    simulate(2_138_535_327_475_836_552, 2098);
}

proptest! {
    #[test]
    fn every_schedule_delivers_every_part_in_order_and_ends_with_nothing_left(seed in any::<u64>(), steps in 0_usize..3000) {
        simulate(seed, steps);
    }
}
