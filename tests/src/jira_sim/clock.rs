//! The simulator's clock: never goes back, and gives every change an instant of its own.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the simulator's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockSource {
    /// The machine's clock, kept monotone.
    Real,
    /// Starts at `start_ms` (Unix milliseconds) and advances by `step_ms` each time it is read for a change.
    Stepped {
        /// The first instant, in Unix milliseconds.
        start_ms: i64,
        /// Milliseconds between two changes.
        step_ms: i64,
    },
}

/// A monotone clock with millisecond precision.
#[derive(Debug)]
pub(crate) struct Clock {
    source: ClockSource,
    last_ms: Mutex<i64>,
}

impl Clock {
    pub(crate) fn new(source: ClockSource) -> Self {
        let first = match source {
            ClockSource::Real => 0,
            ClockSource::Stepped { start_ms, .. } => start_ms,
        };
        Self { source, last_ms: Mutex::new(first) }
    }

    /// The present instant, without advancing a stepped clock.
    pub(crate) fn now_ms(&self) -> i64 {
        let mut last = self.last_ms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.source == ClockSource::Real {
            *last = (*last).max(system_ms());
        }
        *last
    }

    /// The instant of a change: strictly later than that of every change before it.
    pub(crate) fn tick_ms(&self) -> i64 {
        let mut last = self.last_ms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *last = match self.source {
            ClockSource::Real => (*last + 1).max(system_ms()),
            ClockSource::Stepped { step_ms, .. } => *last + step_ms.max(1),
        };
        *last
    }

    /// Moves the clock forward by `ms` (a real clock stays ahead until the machine catches up).
    pub(crate) fn advance(&self, ms: i64) {
        let mut last = self.last_ms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let base = if self.source == ClockSource::Real { (*last).max(system_ms()) } else { *last };
        *last = base + ms.max(0);
    }
}

fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
