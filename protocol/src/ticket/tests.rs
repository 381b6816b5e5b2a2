//! Rules by example, then histories by the thousand: what crashes and lost messages can do to one holder, and what two
//! holders cannot hide.

use super::*;

fn ticket(epoch: u64) -> Ticket {
    Ticket { epoch, random: [u8::try_from(epoch % 256).unwrap(); TICKET_BYTES] }
}

#[test]
fn a_ticket_is_read_back_and_nonsense_is_refused() {
    let text = ticket(7).to_text();
    assert_eq!(text, "7.BwcHBwcHBwcHBwcHBwcHBw");
    assert_eq!(Ticket::parse(&text), Ok(ticket(7)));
    assert_eq!(format!("{:?}", ticket(7)), "Ticket(7, ..)");
    for bad in [
        "",
        "7",
        "7.",
        "0.BwcHBwcHBwcHBwcHBwcHBw",
        "-1.BwcHBwcHBwcHBwcHBwcHBw",
        "7.BwcH",
        "99999999999999999999.x",
        "9007199254740993.BwcHBwcHBwcHBwcHBwcHBw",
    ] {
        assert_eq!(Ticket::parse(bad), Err(NoTicket), "{bad}");
    }
    assert_eq!(Ticket::parse(&"7".repeat(10_000)), Err(NoTicket));
}

#[test]
fn current_and_next_are_accepted_and_anything_else_is_a_second_holder() {
    let mut relay = IssuedTickets::default();
    assert_eq!(relay.handle_presented(None), Ok(()));
    let first = relay.issue([1; TICKET_BYTES]);
    assert_eq!(relay.handle_presented(None), Ok(()), "the first ticket may never have arrived");
    assert!(relay.handle_stored(&first) && !relay.handle_stored(&first));
    assert_eq!(relay.handle_presented(None), Err(SecondHolder::Missing { newest: 1 }));
    let second = relay.issue([2; TICKET_BYTES]);
    assert_eq!(relay.handle_presented(Some(&first)), Ok(()), "the answer may have been lost");
    assert_eq!(relay.handle_presented(Some(&second)), Ok(()), "or our knowledge of its being stored");
    let outdated = SecondHolder::Outdated { presented: 1, newest: 2 };
    assert_eq!(relay.handle_presented(Some(&first)), Err(outdated));
}

#[test]
fn a_ticket_with_the_right_number_and_other_random_bytes_is_not_accepted() {
    let mut relay = IssuedTickets::restore(3, Some(ticket(3)), None);
    let forged = Ticket { epoch: 3, random: [0; TICKET_BYTES] };
    assert!(relay.handle_presented(Some(&forged)).is_err());
    assert_eq!(relay.handle_presented(Some(&ticket(3))), Ok(()));
}

#[test]
fn an_issued_ticket_that_was_never_stored_counts_as_old_once_another_is_issued() {
    let mut relay = IssuedTickets::restore(3, Some(ticket(3)), None);
    let never_stored = relay.issue([4; TICKET_BYTES]);
    relay.issue([5; TICKET_BYTES]);
    assert!(!relay.handle_stored(&never_stored));
    assert!(relay.handle_presented(Some(&never_stored)).is_err());
}

#[test]
fn after_a_persons_word_the_first_to_connect_is_the_holder() {
    let mut relay = IssuedTickets::restore(9, Some(ticket(9)), None);
    relay.forget();
    assert_eq!(relay.handle_presented(Some(&ticket(4))), Ok(()));
    let next = relay.issue([1; TICKET_BYTES]);
    assert_eq!(next.epoch(), 10, "numbers go on, so that the holder takes the new ticket");
    assert!(relay.handle_stored(&next));
    assert!(relay.handle_presented(Some(&ticket(9))).is_err());
}

#[test]
fn an_overtaken_ticket_is_not_stored() {
    let mut agent = HeldTicket::restore(Some(ticket(5)));
    assert!(!agent.wants(&ticket(4)) && !agent.wants(&ticket(5)) && agent.wants(&ticket(6)));
    agent.handle_durable(ticket(4));
    assert_eq!(agent.present(), Some(&ticket(5)));
}

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

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn bytes(&mut self) -> [u8; TICKET_BYTES] {
        let mut bytes = [0; TICKET_BYTES];
        bytes.iter_mut().for_each(|byte| *byte = self.next().to_le_bytes()[0]);
        bytes
    }
}

/// A machine with a state folder. What is on its disk survives a crash; what is in memory does not.
#[derive(Clone, Default)]
struct Machine {
    disk: HeldTicket,
    memory: HeldTicket,
}

/// A relay; its database survives a crash, a transaction is whole or has not happened.
#[derive(Default)]
struct Relay {
    database: IssuedTickets,
}

/// How far an attempt came.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    /// Cut or crashed somewhere; nobody was told anything.
    Broken,
    /// The ticket was stored and the relay knows.
    Complete,
    Alarm(SecondHolder),
}

struct World {
    random: Random,
    relay: Relay,
    /// How often something goes wrong at each point where it can, percent.
    trouble: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let trouble = random.next() % 60;
        Self { random, relay: Relay::default(), trouble }
    }

    fn trouble(&mut self) -> bool {
        self.random.chance(self.trouble)
    }

    /// One connect, with a crash or a cut possible at every step where something is durable or on its way.
    fn connect(&mut self, machine: &mut Machine) -> Attempt {
        if self.trouble() {
            return Attempt::Broken; // the hello is lost
        }
        let presented = machine.memory.present().cloned();
        let mut tickets = self.relay.database.clone();
        if let Err(second) = tickets.handle_presented(presented.as_ref()) {
            return Attempt::Alarm(second);
        }
        let random = self.random.bytes();
        let issued = tickets.issue(random);
        if self.trouble() {
            return Attempt::Broken; // the relay dies before its transaction ends
        }
        self.relay.database = tickets;
        let end = self.issued(machine, issued);
        if matches!(end, Attempt::Broken) && self.random.chance(50) {
            machine.memory = machine.disk.clone(); // it was the agent that died
        }
        end
    }

    /// The relay has issued a ticket durably.
    fn issued(&mut self, machine: &mut Machine, issued: Ticket) -> Attempt {
        if self.trouble() {
            return Attempt::Broken; // the ticket is lost on its way, or the agent dies before it writes
        }
        if machine.memory.wants(&issued) {
            machine.disk.handle_durable(issued.clone());
            if self.trouble() {
                // The agent dies between its disk and its memory, or is told of a failure and looks at what is there.
                machine.memory = machine.disk.clone();
                return Attempt::Broken;
            }
            machine.memory.handle_durable(issued.clone());
        }
        if self.trouble() {
            return Attempt::Broken; // ticket_stored is lost
        }
        let mut tickets = self.relay.database.clone();
        let stored = tickets.handle_stored(&issued);
        if self.trouble() {
            return Attempt::Broken; // the relay dies before it has kept that
        }
        self.relay.database = tickets;
        if stored { Attempt::Complete } else { Attempt::Broken }
    }

    /// A turn on a live link, as after a day.
    fn turn(&mut self, machine: &mut Machine) -> Attempt {
        let random = self.random.bytes();
        match self.relay.database.turn(random) {
            Some(issued) => self.issued(machine, issued),
            None => Attempt::Broken,
        }
    }
}

#[test]
fn ten_thousand_crash_restart_histories_raise_no_alarm() {
    let (mut connects, mut broken) = (0_u64, 0_u64);
    for seed in 0..10_000 {
        let mut world = World::new(seed);
        let mut machine = Machine::default();
        for step in 0..60 {
            let end = if world.random.chance(15) && machine.memory.present().is_some() {
                world.turn(&mut machine)
            } else {
                world.connect(&mut machine)
            };
            if world.random.chance(3) {
                world.relay.database.forget(); // an administrator's word, needed or not
            }
            connects += 1;
            broken += u64::from(end == Attempt::Broken);
            assert!(!matches!(end, Attempt::Alarm(_)), "seed {seed}, step {step}: {end:?}");
        }
        // Liveness: without trouble the next connect succeeds, whatever happened before.
        world.trouble = 0;
        assert_eq!(world.connect(&mut machine), Attempt::Complete, "seed {seed}");
    }
    assert!(broken * 5 > connects, "the histories were too kind: {broken} of {connects} broke");
}

#[test]
fn every_clone_is_noticed_at_the_losers_next_connect() {
    let (mut noticed, mut by_the_original) = (0, 0);
    for seed in 0..10_000 {
        let mut world = World::new(seed);
        let mut machines = [Machine::default(), Machine::default()];
        for _ in 0..world.random.next() % 20 {
            world.connect(&mut machines[0]);
        }
        // Somebody copies the disk; the copy starts from it, the original may run on from its memory.
        machines[1] = Machine { disk: machines[0].disk.clone(), memory: machines[0].disk.clone() };
        let mut winner: Option<usize> = None;
        let mut steps = 0;
        loop {
            steps += 1;
            assert!(steps < 100_000, "seed {seed}: nobody ever connected");
            let who = usize::from(world.random.chance(50));
            let loses = winner.is_some_and(|winner| winner != who);
            let reaches = !(world.random.chance(20) && loses);
            if !reaches {
                continue; // the loser does not reach the relay yet
            }
            let trouble = world.trouble;
            if loses {
                world.trouble = 0;
            }
            let end = world.connect(&mut machines[who]);
            world.trouble = trouble;
            match end {
                Attempt::Alarm(_) => {
                    noticed += 1;
                    by_the_original += usize::from(who == 0);
                    break;
                }
                // From here on the other one is the loser, and may not get in once.
                Attempt::Complete if !loses => winner = Some(who),
                Attempt::Complete => panic!("seed {seed}: two holders live side by side"),
                Attempt::Broken => {
                    assert!(!loses, "seed {seed}: the loser's connect reached the relay without an alarm");
                }
            }
        }
    }
    assert_eq!(noticed, 10_000);
    assert!((2_000..8_000).contains(&by_the_original), "one side always lost: {by_the_original}");
}

#[test]
fn a_copy_made_before_the_first_ticket_is_noticed_too() {
    let mut world = World::new(1);
    world.trouble = 0;
    let mut machines = [Machine::default(), Machine::default()];
    assert_eq!(world.connect(&mut machines[1]), Attempt::Complete);
    let end = world.connect(&mut machines[0]);
    assert_eq!(end, Attempt::Alarm(SecondHolder::Missing { newest: 1 }));
}

#[test]
fn a_copy_that_rides_on_a_live_link_is_noticed_when_the_link_turns_its_ticket() {
    let mut world = World::new(1);
    world.trouble = 0;
    let mut original = Machine::default();
    assert_eq!(world.connect(&mut original), Attempt::Complete);
    let mut copy = original.clone();
    assert_eq!(world.turn(&mut original), Attempt::Complete);
    assert!(matches!(world.connect(&mut copy), Attempt::Alarm(_)));
}

#[test]
fn tickets_of_several_links_of_one_agent_never_bring_an_old_one_back() {
    for seed in 0..2_000 {
        let mut world = World::new(seed);
        world.trouble = 0;
        let mut machine = Machine::default();
        world.connect(&mut machine);
        // One link is given a ticket that waits in its socket while another link shakes hands.
        let random = world.random.bytes();
        let waiting = world.relay.database.turn(random).unwrap();
        assert_eq!(world.connect(&mut machine), Attempt::Complete);
        if machine.memory.wants(&waiting) {
            machine.disk.handle_durable(waiting.clone());
            machine.memory.handle_durable(waiting);
        }
        machine.memory = machine.disk.clone();
        assert_eq!(world.connect(&mut machine), Attempt::Complete, "seed {seed}");
    }
}
