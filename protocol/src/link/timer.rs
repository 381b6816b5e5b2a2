//! Every reason to wake.

use std::time::Duration;

/// Why the link was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// A beat is due.
    Beat,
    /// Nothing was heard for too long.
    PeerDead {
        /// For how long.
        silent: Duration,
    },
}

/// When the next beat is due, and until when the peer must have been heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    every: Duration,
    dead_after: Duration,
    next_beat: Duration,
    last_heard: Duration,
    deadline: Duration,
}

impl Timer {
    /// Starts at `now` as if the peer had just been heard.
    pub(super) fn new(every: Duration, dead_after: Duration, now: Duration) -> Self {
        let every = every.max(Duration::from_millis(1));
        Self { every, dead_after, next_beat: now + every, last_heard: now, deadline: now + dead_after }
    }

    /// A message came.
    pub(super) fn heard(&mut self, now: Duration) {
        self.last_heard = now;
        self.deadline = now + self.dead_after;
    }

    /// When to wake.
    pub(super) fn next(&self) -> Duration {
        self.next_beat.min(self.deadline)
    }

    /// What is due at `now`. Woken more than a beat late (a machine that slept, a process that was stopped), the silence may be
    /// our own: the peer gets one further interval.
    pub(super) fn handle(&mut self, now: Duration) -> Option<Wake> {
        if now.saturating_sub(self.next()) > self.every {
            self.deadline = self.deadline.max(now + self.every);
        }
        if now >= self.deadline {
            return Some(Wake::PeerDead { silent: now.saturating_sub(self.last_heard) });
        }
        let is_due = now >= self.next_beat;
        if is_due {
            self.next_beat = now + self.every;
        }
        is_due.then_some(Wake::Beat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn timer() -> Timer {
        Timer::new(secs(5), secs(10), secs(100))
    }

    #[test]
    fn a_silent_peer_is_dead_after_two_beats() {
        let mut timer = timer();
        assert_eq!(timer.next(), secs(105));
        assert_eq!(timer.handle(secs(104)), None);
        assert_eq!(timer.handle(secs(105)), Some(Wake::Beat));
        assert_eq!(timer.next(), secs(110));
        assert_eq!(timer.handle(secs(110)), Some(Wake::PeerDead { silent: secs(10) }));
    }

    #[test]
    fn any_message_is_a_sign_of_life() {
        let mut timer = timer();
        for second in 101..200 {
            timer.heard(secs(second));
            assert!(!matches!(timer.handle(secs(second)), Some(Wake::PeerDead { .. })));
        }
    }

    #[test]
    fn a_driver_that_slept_gives_the_peer_one_more_interval() {
        let mut timer = timer();
        assert_eq!(timer.handle(secs(3600)), Some(Wake::Beat));
        assert_eq!(timer.handle(secs(3605)), Some(Wake::PeerDead { silent: secs(3505) }));
        let mut awake = Timer::new(secs(5), secs(10), secs(0));
        assert_eq!(awake.handle(secs(3600)), Some(Wake::Beat));
        awake.heard(secs(3601));
        assert_eq!(awake.handle(secs(3605)), Some(Wake::Beat));
    }
}
