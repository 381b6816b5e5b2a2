//! The addresses of the relay, and which of them is dialled when: each has a back-off of its own, and the one that is due first comes
//! next. Pure: time and randomness are arguments.

use crate::relay_address::RelayAddress;
use protocol::backoff::Backoff;
use std::time::Duration;

/// The addresses in the order in which they were given.
pub(super) struct Relays {
    entries: Vec<Entry>,
}

struct Entry {
    address: RelayAddress,
    backoff: Backoff,
    /// Not dialled before; `now` counts from an arbitrary start.
    due: Duration,
}

/// The next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// Which address.
    pub(super) index: usize,
    /// How long to wait before.
    pub(super) wait: Duration,
    /// Attempts at it that failed in a row.
    pub(super) failures: u32,
}

impl Relays {
    /// Nothing was dialled yet. An address given twice counts once.
    pub(super) fn new(addresses: impl IntoIterator<Item = RelayAddress>) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        for address in addresses {
            if entries.iter().all(|entry| entry.address != address) {
                entries.push(Entry { address, backoff: Backoff::new(), due: Duration::ZERO });
            }
        }
        Self { entries }
    }

    /// The address that is due first; the first of several.
    pub(super) fn next(&self, now: Duration) -> Option<Next> {
        let (index, entry) = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.due.max(now))?;
        let wait = entry.due.saturating_sub(now);
        Some(Next { index, wait, failures: entry.backoff.failures() })
    }

    /// One address.
    pub(super) fn address(&self, index: usize) -> Option<&RelayAddress> {
        self.entries.get(index).map(|entry| &entry.address)
    }

    /// All addresses.
    pub(super) fn addresses(&self) -> Vec<RelayAddress> {
        self.entries.iter().map(|entry| entry.address.clone()).collect()
    }

    /// The relay at this address said welcome.
    pub(super) fn link_up(&mut self, index: usize, now: Duration, spread: Duration) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.backoff.link_up(now, spread);
        }
    }

    /// An attempt failed or a link ended; `hint` is the relay's own wish.
    pub(super) fn link_down(&mut self, index: usize, now: Duration, hint: Option<Duration>, random: u64) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.backoff.link_down(now);
            if let Some(hint) = hint {
                entry.backoff.server_hint(hint);
            }
            entry.due = now + entry.backoff.next_delay(random);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn relays(names: &[&str]) -> Relays {
        Relays::new(names.iter().map(|name| RelayAddress::parse(&format!("https://{name}")).unwrap()))
    }

    fn next(relays: &Relays, now: Duration) -> (String, Duration) {
        let next = relays.next(now).unwrap();
        (relays.address(next.index).unwrap().host().to_owned(), next.wait)
    }

    #[test]
    fn every_address_is_tried_once_before_any_is_waited_for() {
        let mut relays = relays(&["a", "b", "a", "c"]);
        let mut tried = Vec::new();
        for _ in 0..3 {
            let pick = relays.next(secs(0)).unwrap();
            assert_eq!(pick.wait, Duration::ZERO);
            tried.push(next(&relays, secs(0)).0);
            relays.link_down(pick.index, secs(0), None, u64::MAX);
        }
        assert_eq!(tried, ["a", "b", "c"]);
        assert!(next(&relays, secs(0)).1 > Duration::ZERO);
    }

    #[test]
    fn an_address_that_asks_for_patience_is_left_alone_and_the_other_is_not() {
        let mut relays = relays(&["a", "b"]);
        relays.link_down(0, secs(0), Some(secs(60)), 0);
        relays.link_down(1, secs(0), None, u64::MAX);
        assert_eq!(next(&relays, secs(2)), ("b".to_owned(), Duration::ZERO));
        relays.link_down(1, secs(2), Some(secs(600)), 0);
        assert_eq!(next(&relays, secs(2)), ("a".to_owned(), secs(58)));
    }

    #[test]
    fn attempts_never_spin_whatever_fails_and_however_the_dice_fall() {
        for names in [&["a"][..], &["a", "b", "c"]] {
            let mut relays = relays(names);
            let (mut now, mut attempts, mut dice) = (secs(0), 0_u32, 7_u64);
            while now < secs(3600) {
                let pick = relays.next(now).unwrap();
                now += pick.wait;
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // A relay that welcomes and drops at once is no better than one that refuses.
                if dice.is_multiple_of(2) {
                    relays.link_up(pick.index, now, secs(1));
                }
                relays.link_down(pick.index, now, None, dice);
                attempts += 1;
            }
            // The ranges double to five minutes, so an hour holds about eight and then one in two and a half minutes.
            let most = 60 * u32::try_from(names.len()).unwrap();
            assert!(attempts < most, "{attempts} attempts in an hour");
        }
    }

    #[test]
    fn a_link_that_held_a_minute_is_the_only_one_that_starts_afresh() {
        let mut relays = relays(&["a"]);
        for _ in 0..9 {
            relays.link_down(0, secs(0), None, u64::MAX);
        }
        relays.link_up(0, secs(1000), secs(1));
        relays.link_down(0, secs(1030), None, u64::MAX);
        assert!(relays.next(secs(1030)).unwrap().wait > secs(200));
        relays.link_up(0, secs(2000), secs(1));
        relays.link_down(0, secs(2060), None, u64::MAX);
        assert!(relays.next(secs(2060)).unwrap().wait <= secs(1));
    }
}
