//! What the simulator counted, and waiting for a count to be reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

/// Counters since the start (or the last reset).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests by method and path template, such as `GET /rest/api/2/issue/{id}/comment`.
    pub requests: BTreeMap<String, u64>,
    /// All requests except those to the control interface.
    pub requests_total: u64,
    /// Answers by status code.
    pub statuses: BTreeMap<u16, u64>,
    /// Every field that a search named.
    pub fields_asked: BTreeSet<String>,
    /// Searches that asked for histories too.
    pub histories_asked: u64,
    /// Bytes of JSON bodies, before any compression.
    pub json_bytes: u64,
    /// Bytes of bodies as sent.
    pub body_bytes: u64,
    /// Times that a password or token was checked.
    pub login_attempts: u64,
    /// Checks that did not let the caller in.
    pub failed_logins: u64,
    /// Sessions (JSESSIONID) that were created.
    pub sessions: u64,
    /// Search answers that held at least one issue.
    pub issue_pages: u64,
    /// Issues sent in search answers.
    pub issues_sent: u64,
    /// Requests that wait at a gate now.
    pub held: u64,
    /// Requests being answered now.
    pub in_flight: u64,
    /// The most requests that were being answered at once.
    pub max_in_flight: u64,
    /// Requests refused by the rate limit.
    pub rate_limited: u64,
    /// Answers that a fault made.
    pub faults: u64,
    /// Changes made by the script or the tests.
    pub changes: u64,
}

impl Stats {
    /// Requests whose template contains `fragment`.
    #[must_use]
    pub fn requests_matching(&self, fragment: &str) -> u64 {
        self.requests.iter().filter(|(template, _)| template.contains(fragment)).map(|(_, count)| count).sum()
    }
}

/// The counters and everybody who waits for them.
#[derive(Debug)]
pub(crate) struct Counters {
    stats: Mutex<Stats>,
    changed: watch::Sender<u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self { stats: Mutex::default(), changed: watch::channel(0).0 }
    }
}

impl Counters {
    /// Changes the counters and wakes whoever waits.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.stats.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        self.stats.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Starts from zero; what is in flight or held now stays counted.
    pub(crate) fn reset(&self) {
        self.update(|stats| {
            let (in_flight, held) = (stats.in_flight, stats.held);
            *stats = Stats { in_flight, held, max_in_flight: in_flight, ..Stats::default() };
        });
    }

    /// Waits until the counters satisfy `reached`; `None` when `limit` passes first.
    pub(crate) async fn wait_for(&self, limit: Duration, reached: impl Fn(&Stats) -> bool) -> Option<Stats> {
        let mut changes = self.changed.subscribe();
        let wait = async {
            loop {
                changes.borrow_and_update();
                let now = self.snapshot();
                if reached(&now) {
                    return Some(now);
                }
                if changes.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(limit, wait).await.ok().flatten()
    }
}
