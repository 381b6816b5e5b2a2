//! How many bytes of parts leave in a day of local time. The count is kept in the state folder: a day and a number, nothing of Jira's.

use crate::error::Error;
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The count that all runs share.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// `None`: nobody counts.
    most: Option<u64>,
    count: Mutex<Count>,
    spent: Notify,
}

#[derive(Debug)]
struct Count {
    kept: Kept,
    /// A part found no room: no further work makes sense today.
    is_spent: bool,
    is_dirty: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    day: NaiveDate,
    bytes: u64,
}

impl Volume {
    /// Goes on from the kept count; one that cannot be read counts as spent for today.
    pub(crate) fn load(most: Option<u64>, paths: &Paths, today: NaiveDate) -> Self {
        let kept = match (most, read(paths)) {
            (None, _) | (_, Ok(None)) => Kept { day: today, bytes: 0 },
            (Some(_), Ok(Some(kept))) => kept,
            (Some(_), Err(error)) => {
                tracing::warn!(event = "volume_unreadable", %error, "today's bytes count as spent");
                Kept { day: today, bytes: u64::MAX }
            }
        };
        let count = Count { kept, is_spent: most.is_some_and(|most| kept.bytes >= most), is_dirty: false };
        Self { shared: Arc::new(Shared { most, count: Mutex::new(count), spent: Notify::new() }) }
    }

    /// Whether so many bytes may leave now; if so, they count.
    pub(crate) fn take(&self, bytes: u64, today: NaiveDate) -> bool {
        let Some(most) = self.shared.most else { return true };
        let mut count = self.lock();
        count.turn_to(today);
        let sum = count.kept.bytes.saturating_add(bytes);
        if sum > most {
            count.is_spent = true;
            drop(count);
            self.shared.spent.notify_one();
            return false;
        }
        count.kept.bytes = sum;
        count.is_dirty = true;
        true
    }

    /// Whether no further work makes sense today.
    pub(crate) fn is_spent(&self, today: NaiveDate) -> bool {
        if self.shared.most.is_none() {
            return false;
        }
        let mut count = self.lock();
        count.turn_to(today);
        count.is_spent
    }

    /// Waits until a part found no room.
    pub(crate) async fn spent(&self) {
        self.shared.spent.notified().await;
    }

    /// Writes the count if it has changed.
    pub(crate) fn keep(&self, paths: &Paths) -> Result<(), Error> {
        let kept = {
            let mut count = self.lock();
            if !std::mem::take(&mut count.is_dirty) {
                return Ok(());
            }
            count.kept
        };
        let text = serde_json::to_vec(&kept)
            .map_err(|error| Error::System { action: "write the day's bytes", reason: error.to_string() })?;
        private_file::write(&paths.volume(), &text, Durability::Volatile)
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.shared.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn turn_to(&mut self, today: NaiveDate) {
        if today > self.kept.day {
            *self = Self { kept: Kept { day: today, bytes: 0 }, is_spent: false, is_dirty: true };
        }
    }
}

fn read(paths: &Paths) -> Result<Option<Kept>, Error> {
    let Some(bytes) = private_file::read(&paths.volume())? else { return Ok(None) };
    let damaged = |error: serde_json::Error| Error::System {
        action: "read the day's bytes",
        reason: error.to_string(),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::paths_in;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    #[test]
    fn what_does_not_fit_the_day_does_not_leave_and_the_next_day_begins_anew() {
        let place = tempfile::tempdir().unwrap();
        let volume = Volume::load(Some(100), &paths_in(place.path()), day(1));
        assert!(volume.take(60, day(1)) && !volume.is_spent(day(1)));
        assert!(!volume.take(41, day(1)) && volume.is_spent(day(1)));
        assert!(!volume.is_spent(day(2)) && volume.take(100, day(2)));
    }

    #[test]
    fn a_restart_does_not_forget_the_day() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        let volume = Volume::load(Some(100), &paths, day(1));
        assert!(volume.take(100, day(1)));
        volume.keep(&paths).unwrap();
        assert!(Volume::load(Some(100), &paths, day(1)).is_spent(day(1)));
        assert!(!Volume::load(Some(100), &paths, day(2)).is_spent(day(2)));
        assert!(!Volume::load(None, &paths, day(1)).is_spent(day(1)));
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_second_day() {
        let place = tempfile::tempdir().unwrap();
        let volume = Volume::load(Some(100), &paths_in(place.path()), day(2));
        assert!(volume.take(100, day(2)) && !volume.take(1, day(1)));
    }

    #[test]
    fn a_damaged_count_is_no_way_around_it() {
        let place = tempfile::tempdir().unwrap();
        let paths = paths_in(place.path());
        private_file::write(&paths.volume(), b"{", Durability::Volatile).unwrap();
        assert!(Volume::load(Some(100), &paths, day(1)).is_spent(day(1)));
    }
}
