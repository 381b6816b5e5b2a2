//! Whether the agent truly works, for a service manager that would restart one that hangs. A link says at each step until when it
//! will act again: the longest that a dial, a wait or a heartbeat may take. An agent lives while every link keeps its word; a
//! supervisor that is stuck breaks it, however busily the rest of the process runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A busy machine runs a task this much late without anything being wrong.
const SLACK: Duration = Duration::from_secs(15);

/// What the links have promised. Pure: the time is an argument.
#[derive(Debug)]
struct Promises {
    slack: Duration,
    joined: u64,
    links: BTreeMap<u64, Promise>,
}

/// A link acts again within `limit` from when it promised, which is at `due` at the latest.
#[derive(Clone, Copy, Debug)]
struct Promise {
    limit: Duration,
    due: Duration,
}

impl Promises {
    fn new(slack: Duration) -> Self {
        Self { slack, joined: 0, links: BTreeMap::new() }
    }

    fn promise(&mut self, link: u64, limit: Duration, now: Duration) {
        let due = now.saturating_add(limit).saturating_add(self.slack);
        self.links.insert(link, Promise { limit, due });
    }

    fn renew(&mut self, link: u64, now: Duration) {
        if let Some(Promise { limit, .. }) = self.links.get(&link).copied() {
            self.promise(link, limit, now);
        }
    }

    /// Nobody who promised is nobody who lives.
    fn are_kept(&self, now: Duration) -> bool {
        !self.links.is_empty() && self.links.values().all(|promise| now <= promise.due)
    }
}

/// Watches over the links of one agent.
#[derive(Debug)]
pub(crate) struct Vigil {
    promises: watch::Sender<Promises>,
    started: Instant,
}

/// One link's way to say that it lives, for all who work at it.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    vigil: Arc<Vigil>,
    link: u64,
}

impl Vigil {
    pub(crate) fn new() -> Arc<Self> {
        Self::with_slack(SLACK)
    }

    pub(crate) fn with_slack(slack: Duration) -> Arc<Self> {
        Arc::new(Self { promises: watch::Sender::new(Promises::new(slack)), started: Instant::now() })
    }

    /// The pulse of a further link. It counts from its first promise on.
    pub(crate) fn pulse(self: &Arc<Self>) -> Pulse {
        let mut link = 0;
        self.promises.send_modify(|promises| {
            promises.joined += 1;
            link = promises.joined;
        });
        Pulse { vigil: Arc::clone(self), link }
    }

    /// Waits until a link has begun its work.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only a service manager of Unix asks"))]
    pub(crate) async fn begun(&self) {
        // The sender lives as long as `self`.
        drop(self.promises.subscribe().wait_for(|promises| !promises.links.is_empty()).await);
    }

    /// Whether every link keeps what it promised.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only a service manager of Unix asks"))]
    pub(crate) fn is_kept(&self) -> bool {
        self.promises.borrow().are_kept(self.started.elapsed())
    }
}

impl Pulse {
    /// Says that the link acts again within `limit`.
    pub(crate) fn promise(&self, limit: Duration) {
        let now = self.vigil.started.elapsed();
        self.vigil.promises.send_modify(|promises| promises.promise(self.link, limit, now));
    }

    /// Says that the link has acted, and will again within as long as it promised last.
    pub(crate) fn renew(&self) {
        let now = self.vigil.started.elapsed();
        self.vigil.promises.send_modify(|promises| promises.renew(self.link, now));
    }

    /// Ends the watch over a link that is no longer wanted. A pulse that is merely dropped, by a panic for one, stays watched.
    #[cfg_attr(not(test), expect(dead_code, reason = "one link is kept for ever; several links come and go"))]
    pub(crate) fn retire(self) {
        self.vigil.promises.send_modify(|promises| {
            promises.links.remove(&self.link);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn nothing_lives_before_the_first_promise() {
        assert!(!Promises::new(SLACK).are_kept(secs(0)));
    }

    #[test]
    fn a_link_lives_as_long_as_it_promised_and_no_longer() {
        let mut promises = Promises::new(SLACK);
        promises.promise(1, secs(60), secs(100));
        assert!(promises.are_kept(secs(160) + SLACK));
        assert!(!promises.are_kept(secs(161) + SLACK));
        promises.renew(1, secs(150));
        assert!(promises.are_kept(secs(210) + SLACK));
        assert!(!promises.are_kept(secs(211) + SLACK));
    }

    #[test]
    fn one_stuck_link_is_not_hidden_by_the_others() {
        let mut promises = Promises::new(SLACK);
        promises.promise(1, secs(10), secs(0));
        promises.promise(2, secs(10), secs(0));
        for second in 1..100 {
            promises.renew(1, secs(second));
        }
        assert!(!promises.are_kept(secs(99)));
    }

    #[test]
    fn a_retired_link_is_forgotten_and_a_dropped_one_is_not() {
        let vigil = Vigil::new();
        let (first, second) = (vigil.pulse(), vigil.pulse());
        first.promise(Duration::ZERO);
        second.promise(Duration::ZERO);
        second.retire();
        assert_eq!(vigil.promises.borrow().links.len(), 1);
        drop(first);
        assert_eq!(vigil.promises.borrow().links.len(), 1);
    }

    #[test]
    fn a_promise_without_end_does_not_overflow() {
        let mut promises = Promises::new(SLACK);
        promises.promise(1, Duration::MAX, secs(5));
        assert!(promises.are_kept(secs(u64::MAX)));
    }
}
