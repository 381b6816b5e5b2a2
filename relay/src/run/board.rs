//! How far runs are, second by second. It is kept in memory only: after a restart the agent says it again. People who follow
//! a run wait here for a change.

use protocol::control::Progress;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A rate needs this much time before it says anything.
const RATE_AFTER: Duration = Duration::from_secs(2);

/// The last word about a run that is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// The agent's last figures.
    pub(crate) progress: Option<Progress>,
    /// When issues began to come under this lease, and how many had been read then.
    since: Option<(Instant, u64)>,
}

impl Live {
    /// Seconds until all issues are read, if the pace holds.
    pub(crate) fn eta_seconds(&self, now: Instant) -> Option<u64> {
        let (since, at_start) = self.since?;
        let progress = self.progress.as_ref()?;
        let elapsed = now.saturating_duration_since(since);
        let read = progress.issues_read.checked_sub(at_start).filter(|read| *read > 0)?;
        let left = progress.issues_total?.saturating_sub(progress.issues_read);
        if elapsed < RATE_AFTER {
            return None;
        }
        let seconds = u128::from(left) * elapsed.as_millis() / u128::from(read) / 1000;
        u64::try_from(seconds).ok()
    }
}

/// All runs that somebody drives or follows.
#[derive(Default)]
pub(crate) struct Board {
    runs: Mutex<BTreeMap<i64, watch::Sender<Live>>>,
}

impl Board {
    /// A run was handed to an agent: the pace is measured anew.
    pub(crate) fn started(&self, number: i64) {
        self.lock().entry(number).or_default().send_modify(|live| live.since = None);
    }

    /// New figures; of a run that is over they are late and dropped.
    pub(crate) fn progress(&self, number: i64, progress: Progress, now: Instant) {
        self.change(number, |live| {
            if live.since.is_none() && progress.issues_total.is_some() {
                live.since = Some((now, progress.issues_read));
            }
            live.progress = Some(progress);
        });
    }

    /// The stored run changed.
    pub(crate) fn changed(&self, number: i64) {
        self.change(number, |_| {});
    }

    /// The run is over: followers read it a last time.
    pub(crate) fn over(&self, number: i64) {
        self.lock().remove(&number);
    }

    /// The last word about a run.
    pub(crate) fn live(&self, number: i64) -> Option<Live> {
        self.lock().get(&number).map(|sender| sender.borrow().clone())
    }

    /// Wakes at every change; closed when the run is over.
    pub(crate) fn watch(&self, number: i64) -> watch::Receiver<Live> {
        self.lock().entry(number).or_default().subscribe()
    }

    fn change(&self, number: i64, change: impl FnOnce(&mut Live)) {
        if let Some(sender) = self.lock().get(&number) {
            sender.send_modify(change);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, watch::Sender<Live>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(issues_read: u64) -> Progress {
        Progress { issues_read, issues_total: Some(1000), ..Progress::default() }
    }

    #[test]
    fn the_time_left_counts_only_what_this_lease_has_read() {
        let (board, start) = (Board::default(), Instant::now());
        board.started(1);
        board.progress(1, read(500), start);
        let later = start + Duration::from_secs(10);
        board.progress(1, read(600), later);
        assert_eq!(board.live(1).unwrap().eta_seconds(later), Some(40));
    }

    #[test]
    fn a_follower_wakes_at_a_change_and_at_the_end() {
        let board = Board::default();
        let mut follower = board.watch(7);
        assert!(!follower.has_changed().unwrap());
        board.changed(7);
        assert!(follower.has_changed().unwrap());
        follower.mark_unchanged();
        board.over(7);
        assert!(follower.has_changed().is_err());
        board.progress(7, read(1), Instant::now());
        assert!(board.live(7).is_none(), "late figures leave nothing behind");
    }
}
