//! Flow control: bytes in flight against a limit. One for each stream, one for the whole link, the same count on both ends.

/// A limit and what is used of it. Never more in flight than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    limit: u32,
    in_flight: u32,
}

impl Window {
    /// Nothing in flight.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, in_flight: 0 }
    }

    /// The limit.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Bytes in flight.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How many more bytes may go.
    pub(super) fn room(&self) -> u32 {
        self.limit - self.in_flight
    }

    /// From how many free bytes on a refill is worth a message.
    pub(super) fn half(&self) -> u32 {
        (self.limit / 2).max(1)
    }

    /// Takes `bytes` into flight; false, and no change, when there is no room for all of them.
    #[must_use]
    pub(super) fn take(&mut self, bytes: u32) -> bool {
        let fits = bytes <= self.room();
        if fits {
            self.in_flight += bytes;
        }
        fits
    }

    /// Gives `bytes` back; false, and no change, when fewer are in flight.
    #[must_use]
    pub(super) fn give(&mut self, bytes: u32) -> bool {
        let fits = bytes <= self.in_flight;
        if fits {
            self.in_flight -= bytes;
        }
        fits
    }

    /// Gives back what a stream that ended had in flight, or all if that is less.
    pub(super) fn give_all_of(&mut self, stream: &Window) {
        self.in_flight = self.in_flight.saturating_sub(stream.in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn in_flight_stays_between_zero_and_the_limit(limit in 1_u32..1000, steps in proptest::collection::vec(-500_i64..500, 0..50)) {
            let (mut window, mut model) = (Window::new(limit), 0_i64);
            for step in steps {
                let bytes = u32::try_from(step.abs()).unwrap();
                let taken = if step >= 0 { window.take(bytes) } else { window.give(bytes) };
                let next = model + step;
                prop_assert_eq!(taken, (0..=i64::from(limit)).contains(&next));
                model = if taken { next } else { model };
                prop_assert_eq!(i64::from(window.in_flight()), model);
                prop_assert_eq!(window.room() + window.in_flight(), limit);
            }
        }
    }
}
