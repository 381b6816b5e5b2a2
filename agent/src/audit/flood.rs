//! Instructions without end. Each is recorded on a line of its own as long as they come as an honest relay sends them, which is a few for
//! each run; of what comes faster, only work that is begun has a line, and the rest is counted by its kind, the counts being recorded once a
//! minute. So a relay cannot push old lines out of the log, or fill the disk, by asking for what is refused.

use super::entry::Counted;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Instructions that are recorded one by one before any is counted.
const AT_ONCE: u32 = 2000;
/// After that there is a place for one more each time that so long has passed: 14,400 lines a day.
const PLACE_EVERY: Duration = Duration::from_secs(6);
/// Kinds that are counted apart. There are a dozen types of instructions, and a few reasons to refuse each.
const KINDS_MAX: usize = 64;

/// Decides which instructions are recorded one by one, and counts the others.
pub(super) struct Flood(Mutex<State>);

struct State {
    asked: Places,
    begun: Places,
    counted: Vec<Counted>,
    since_ms: i64,
}

/// Lines that may be written now.
struct Places {
    left: u32,
    /// Up to when places were given.
    filled: Instant,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counts {
    /// When the first of them came, UTC milliseconds.
    pub(super) since_ms: i64,
    pub(super) kinds: Vec<Counted>,
}

impl Places {
    fn take(&mut self, now: Instant) -> bool {
        let due = now.saturating_duration_since(self.filled).as_secs() / PLACE_EVERY.as_secs();
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        if due > 0 {
            self.filled = if due >= AT_ONCE { now } else { self.filled + PLACE_EVERY * due };
            self.left = self.left.saturating_add(due).min(AT_ONCE);
        }
        let is_one_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_one_left
    }
}

impl Flood {
    pub(super) fn new(now: Instant) -> Self {
        let places = || Places { left: AT_ONCE, filled: now };
        Self(Mutex::new(State { asked: places(), begun: places(), counted: Vec::new(), since_ms: 0 }))
    }

    /// Whether an instruction that comes now has a line of its own whatever becomes of it; if so, the place is taken.
    pub(super) fn has_place(&self, now: Instant) -> bool {
        self.lock().asked.take(now)
    }

    /// Whether work that is begun now may have a line of its own, although the instruction had none; if so, the place is taken.
    pub(super) fn may_begin(&self, now: Instant) -> bool {
        self.lock().begun.take(now)
    }

    /// Counts one that has no line of its own.
    pub(super) fn count(&self, kind: Counted, now_ms: i64) {
        let mut state = self.lock();
        if state.counted.is_empty() {
            state.since_ms = now_ms;
        }
        let is_full = state.counted.len() >= KINDS_MAX;
        match state.counted.iter_mut().find(|known| known.is_like(&kind)) {
            Some(known) => known.times += 1,
            None if is_full => {
                if let Some(last) = state.counted.last_mut() {
                    last.times += 1;
                }
            }
            None => state.counted.push(kind),
        }
    }

    /// What was counted since this was last asked, if anything was.
    pub(super) fn take(&self) -> Option<Counts> {
        let mut state = self.lock();
        let kinds = std::mem::take(&mut state.counted);
        (!kinds.is_empty()).then_some(Counts { since_ms: state.since_ms, kinds })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str) -> Counted {
        Counted {
            instruction: "start_run".to_owned(),
            accepted: false,
            code: Some(code.to_owned()),
            times: 1,
        }
    }

    fn places(flood: &Flood, now: Instant) -> usize {
        std::iter::from_fn(|| flood.has_place(now).then_some(())).count()
    }

    #[test]
    fn a_burst_has_its_places_and_then_one_comes_every_few_seconds() {
        let start = Instant::now();
        let flood = Flood::new(start);
        assert_eq!(places(&flood, start), 2000);
        assert_eq!(places(&flood, start + Duration::from_secs(5)), 0);
        assert_eq!(places(&flood, start + Duration::from_secs(7)), 1);
        assert_eq!(places(&flood, start + Duration::from_secs(12)), 1, "the rest of a second was lost");
        assert_eq!(places(&flood, start + Duration::from_secs(72)), 10);
        assert_eq!(
            places(&flood, start + Duration::from_secs(1_000_000)),
            2000,
            "more were saved than a burst"
        );
    }

    #[test]
    fn a_day_of_flood_makes_a_bounded_number_of_lines() {
        let start = Instant::now();
        let flood = Flood::new(start);
        let lines: usize =
            (0..86_400).map(|second| places(&flood, start + Duration::from_secs(second))).sum();
        assert!((16_000..=16_400).contains(&lines), "{lines}");
    }

    #[test]
    fn what_is_refused_takes_no_place_from_what_is_begun() {
        let start = Instant::now();
        let flood = Flood::new(start);
        assert_eq!(places(&flood, start), 2000);
        let begun = std::iter::from_fn(|| flood.may_begin(start).then_some(())).count();
        assert_eq!(begun, 2000);
    }

    #[test]
    fn every_one_without_a_place_is_counted_by_its_kind() {
        let flood = Flood::new(Instant::now());
        assert_eq!(flood.take(), None);
        (0..5).for_each(|n| flood.count(kind("site_not_permitted"), 7 + n));
        flood.count(kind("agent_busy"), 20);
        let counts = flood.take().unwrap();
        let times: Vec<_> = counts.kinds.iter().map(|kind| kind.times).collect();
        assert_eq!((counts.since_ms, times), (7, vec![5, 1]));
        assert_eq!(flood.take(), None, "a count was told twice");
    }

    #[test]
    fn kinds_without_end_take_no_memory_without_end() {
        let flood = Flood::new(Instant::now());
        (0..10_000).for_each(|n| flood.count(kind(&n.to_string()), 0));
        let kinds = flood.take().unwrap().kinds;
        assert_eq!(kinds.len(), KINDS_MAX);
        assert_eq!(kinds.iter().map(|kind| kind.times).sum::<u64>(), 10_000);
    }
}
