//! Which agents are here now. One agent has one session: a new one replaces the old one at once, because the old socket may
//! be a dead path that only the agent knows to be dead.

use crate::run::drive::Assignment;
use protocol::control::{AgentTrouble, JiraHealth, TestReport};
use protocol::seal::SealedSecret;
use protocol::spec::ConnectionSpec;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// What a session is asked to do. A session that has this many orders waiting takes no more.
pub(crate) const ORDERS_MAX: usize = 16;

/// What the rest of the relay asks a session to do.
pub(crate) enum Order {
    /// Hand this run to the agent.
    Start(Box<Assignment>),
    /// Tell the agent to stop this run.
    Cancel { number: i64 },
    /// Ask the agent to try a login.
    Test { connection: Box<ConnectionSpec>, answer: oneshot::Sender<TestReport> },
}

/// Why a session is cut from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The agent opened another one.
    Replaced,
    /// The agent lost its right.
    Revoked,
}

/// The live agents.
#[derive(Default)]
pub(crate) struct Uplinks {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sessions: u64,
    live: BTreeMap<String, Live>,
}

struct Live {
    session: u64,
    uplink: String,
    fingerprint: String,
    orders: mpsc::Sender<Order>,
    cut: CancellationToken,
    why: std::sync::Arc<Mutex<Option<Cut>>>,
    runs: usize,
    paused: Option<String>,
    jiras: Vec<JiraHealth>,
    last_error: Option<AgentTrouble>,
}

/// A session's place among the live ones.
pub(crate) struct Seat {
    /// Grows with each session of this relay process.
    pub(crate) session: u64,
    /// Orders for the session.
    pub(crate) orders: mpsc::Receiver<Order>,
    /// Cancelled when the session has to end.
    pub(crate) cut: CancellationToken,
    why: std::sync::Arc<Mutex<Option<Cut>>>,
}

impl Seat {
    /// Why the session was cut.
    pub(crate) fn why(&self) -> Option<Cut> {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a live agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Presence {
    /// Runs handed to it.
    pub(crate) runs: usize,
    /// Why it takes no work.
    pub(crate) paused: Option<String>,
    /// Each Jira that its premises permit, as it last told.
    pub(crate) jiras: Vec<JiraHealth>,
    /// The last thing that went wrong there.
    pub(crate) last_error: Option<AgentTrouble>,
}

impl Uplinks {
    /// A new session of an agent; an older one is cut.
    pub(crate) fn enter(&self, agent_id: &str, uplink: &str, fingerprint: &str) -> Seat {
        let (orders, receiver) = mpsc::channel(ORDERS_MAX);
        let (cut, why) = (CancellationToken::new(), std::sync::Arc::new(Mutex::new(None)));
        let mut inner = self.lock();
        inner.sessions += 1;
        let session = inner.sessions;
        let live = Live {
            session,
            uplink: uplink.to_owned(),
            fingerprint: fingerprint.to_owned(),
            orders,
            cut: cut.clone(),
            why: why.clone(),
            runs: 0,
            paused: None,
            jiras: Vec::new(),
            last_error: None,
        };
        if let Some(old) = inner.live.insert(agent_id.to_owned(), live) {
            old.end(Cut::Replaced);
        }
        Seat { session, orders: receiver, cut, why }
    }

    /// The session is over; a newer one of the same agent stays.
    pub(crate) fn leave(&self, agent_id: &str, session: u64) {
        let mut inner = self.lock();
        if inner.live.get(agent_id).is_some_and(|live| live.session == session) {
            inner.live.remove(agent_id);
        }
    }

    /// Cuts an agent's session, if it has one.
    pub(crate) fn revoke(&self, agent_id: &str) {
        if let Some(live) = self.lock().live.remove(agent_id) {
            live.end(Cut::Revoked);
        }
    }

    /// The agent with the fewest runs among those that serve the uplink, can open one of the secrets and take another run.
    pub(crate) fn pick(
        &self,
        uplink: &str,
        sealed: &[SealedSecret],
        runs_max: usize,
    ) -> Option<(String, mpsc::Sender<Order>)> {
        let inner = self.lock();
        let fits =
            |live: &Live| live.serves(uplink, sealed) && live.paused.is_none() && live.load() < runs_max;
        inner
            .live
            .iter()
            .filter(|(_, live)| fits(live))
            .min_by_key(|(_, live)| live.load())
            .map(|(agent_id, live)| (agent_id.clone(), live.orders.clone()))
    }

    /// Any live agent of the uplink that can open one of the secrets, for a connection test.
    pub(crate) fn any(&self, uplink: &str, sealed: &[SealedSecret]) -> Option<mpsc::Sender<Order>> {
        let inner = self.lock();
        inner.live.values().find(|live| live.serves(uplink, sealed)).map(|live| live.orders.clone())
    }

    /// What a run of the uplink waits for, in words.
    pub(crate) fn wanting(&self, uplink: &str, sealed: &[SealedSecret]) -> String {
        let inner = self.lock();
        let mut here = inner.live.values().filter(|live| live.uplink == uplink).peekable();
        if here.peek().is_none() {
            return format!("waiting for an agent of uplink {uplink}");
        }
        let mut able = here.filter(|live| live.serves(uplink, sealed)).peekable();
        if able.peek().is_none() {
            return format!("waiting for an agent of uplink {uplink} to which the secret is sealed");
        }
        let reasons: Option<Vec<&str>> = able.map(|live| live.paused.as_deref()).collect();
        match reasons.as_deref() {
            Some([reason, ..]) => format!("the agent takes no work: {reason}"),
            Some([]) | None => "waiting for its turn".to_owned(),
        }
    }

    /// The orders of one agent.
    pub(crate) fn orders(&self, agent_id: &str) -> Option<mpsc::Sender<Order>> {
        self.lock().live.get(agent_id).map(|live| live.orders.clone())
    }

    /// The number of runs that an agent's session holds.
    pub(crate) fn set_runs(&self, agent_id: &str, session: u64, runs: usize) {
        self.change(agent_id, session, |live| live.runs = runs);
    }

    /// Whether an agent takes work.
    pub(crate) fn set_paused(&self, agent_id: &str, session: u64, paused: Option<String>) {
        self.change(agent_id, session, |live| live.paused = paused);
    }

    /// What an agent says of the Jiras that it may read.
    pub(crate) fn set_health(
        &self,
        agent_id: &str,
        session: u64,
        jiras: Vec<JiraHealth>,
        last_error: Option<AgentTrouble>,
    ) {
        self.change(agent_id, session, |live| {
            live.jiras = jiras;
            live.last_error = last_error;
        });
    }

    fn change(&self, agent_id: &str, session: u64, change: impl FnOnce(&mut Live)) {
        let mut inner = self.lock();
        if let Some(live) = inner.live.get_mut(agent_id).filter(|live| live.session == session) {
            change(live);
        }
    }

    /// What is known of an agent, if it is here.
    pub(crate) fn presence(&self, agent_id: &str) -> Option<Presence> {
        self.lock().live.get(agent_id).map(|live| Presence {
            runs: live.runs,
            paused: live.paused.clone(),
            jiras: live.jiras.clone(),
            last_error: live.last_error.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn serves(&self, uplink: &str, sealed: &[SealedSecret]) -> bool {
        self.uplink == uplink && sealed.iter().any(|secret| secret.agent.as_str() == self.fingerprint)
    }

    /// Runs that it has, and orders that it has not taken yet.
    fn load(&self) -> usize {
        self.runs + (self.orders.max_capacity() - self.orders.capacity())
    }

    fn end(&self, why: Cut) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.cut.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::keys::Fingerprint;

    const KEYS: [&str; 2] =
        ["0000-0000-0000-0000-0000-0000-0000-0001", "0000-0000-0000-0000-0000-0000-0000-0002"];

    fn sealed(keys: &[&str]) -> Vec<SealedSecret> {
        let secret =
            |key: &&str| SealedSecret { agent: Fingerprint::parse(key).unwrap(), sealed: String::new() };
        keys.iter().map(secret).collect()
    }

    fn picked(uplinks: &Uplinks, uplink: &str, runs_max: usize) -> Option<String> {
        uplinks.pick(uplink, &sealed(&KEYS), runs_max).map(|(agent_id, _)| agent_id)
    }

    #[test]
    fn a_new_session_replaces_the_old_one_at_once() {
        let uplinks = Uplinks::default();
        let old = uplinks.enter("a1", "hq", KEYS[0]);
        let new = uplinks.enter("a1", "hq", KEYS[0]);
        assert!(old.cut.is_cancelled() && old.why() == Some(Cut::Replaced));
        uplinks.leave("a1", old.session);
        assert!(uplinks.presence("a1").is_some() && !new.cut.is_cancelled());
        uplinks.leave("a1", new.session);
        assert!(uplinks.presence("a1").is_none());
    }

    #[test]
    fn a_revoked_agent_is_cut_and_gets_no_work() {
        let uplinks = Uplinks::default();
        let seat = uplinks.enter("a1", "hq", KEYS[0]);
        uplinks.revoke("a1");
        assert_eq!(seat.why(), Some(Cut::Revoked));
        assert!(uplinks.any("hq", &sealed(&KEYS)).is_none());
    }

    #[test]
    fn work_goes_to_the_agent_with_the_fewest_runs_below_its_bound() {
        let uplinks = Uplinks::default();
        let first = uplinks.enter("a1", "hq", KEYS[0]);
        let _second = uplinks.enter("a2", "hq", KEYS[1]);
        uplinks.set_runs("a1", first.session, 2);
        assert_eq!(picked(&uplinks, "hq", 4).as_deref(), Some("a2"));
        uplinks.set_paused("a2", 2, Some("disk".to_owned()));
        assert_eq!(picked(&uplinks, "hq", 4).as_deref(), Some("a1"));
        assert!(picked(&uplinks, "hq", 2).is_none() && picked(&uplinks, "other", 4).is_none());
    }

    #[test]
    fn orders_that_are_not_taken_yet_count_as_runs() {
        let uplinks = Uplinks::default();
        let _seat = uplinks.enter("a1", "hq", KEYS[0]);
        uplinks.orders("a1").unwrap().try_send(Order::Cancel { number: 1 }).unwrap();
        assert!(picked(&uplinks, "hq", 1).is_none());
    }

    #[test]
    fn a_run_waits_for_an_agent_that_can_open_the_secret() {
        let uplinks = Uplinks::default();
        let secret = sealed(&KEYS[1..]);
        assert_eq!(uplinks.wanting("hq", &secret), "waiting for an agent of uplink hq");
        let _first = uplinks.enter("a1", "hq", KEYS[0]);
        assert!(uplinks.pick("hq", &secret, 4).is_none());
        assert!(uplinks.wanting("hq", &secret).contains("to which the secret is sealed"));
        let second = uplinks.enter("a2", "hq", KEYS[1]);
        assert_eq!(uplinks.wanting("hq", &secret), "waiting for its turn");
        uplinks.set_paused("a2", second.session, Some("it updates".to_owned()));
        assert!(uplinks.wanting("hq", &secret).ends_with("it updates"));
    }
}
