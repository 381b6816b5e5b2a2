//! Which agents are here now. One agent has one session: a new one replaces the old one at once, because the old socket may
//! be a dead path that only the agent knows to be dead.

use crate::run::drive::Assignment;
use protocol::control::{AgentTrouble, DiscoveredTable, DiscoveryReport, JiraHealth, TestReport};
use protocol::seal::SealedSecret;
use protocol::spec::{ConnectionSpec, ExtractionSpec};
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
    /// Tell the agent which other agents its uplink has.
    Peers,
    /// Ask the agent to look at what a run would read.
    Discover(Box<Look>),
    /// Ask the agent to try a login.
    Test { connection: Box<ConnectionSpec>, answer: oneshot::Sender<TestReport> },
}

/// A look at what a run would read.
pub(crate) struct Look {
    pub(crate) connection: ConnectionSpec,
    pub(crate) extraction: ExtractionSpec,
    /// Sample rows of each table.
    pub(crate) rows: u32,
    pub(crate) answer: oneshot::Sender<Found>,
}

/// What it found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) tables: Vec<DiscoveredTable>,
    pub(crate) report: DiscoveryReport,
}

/// Why a session is cut from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The agent opened another one.
    Replaced,
    /// The agent lost its right.
    Revoked,
    /// A second holder of its identity showed up.
    Cloned,
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
    /// Of its keys, and of those before.
    fingerprints: Vec<String>,
    orders: mpsc::Sender<Order>,
    cut: CancellationToken,
    why: std::sync::Arc<Mutex<Option<Cut>>>,
    runs: usize,
    /// What it can do beyond the first version of the protocol.
    can: Vec<String>,
    /// What the agent said of itself; without it no run is handed out, since it may be paused or hold another key.
    health: Option<Health>,
    /// Whether it may get work: not before it has stored its ticket.
    ready: bool,
}

/// What an agent says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Health {
    /// Why it takes no work.
    pub(crate) paused: Option<String>,
    /// Fingerprint of the key by which it pseudonymises columns.
    pub(crate) mask_key: Option<String>,
    /// Each Jira that its premises permit, as it last told.
    pub(crate) jiras: Vec<JiraHealth>,
    /// The last thing that went wrong there.
    pub(crate) last_error: Option<AgentTrouble>,
}

/// What a run asks of an agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) uplink: &'a str,
    /// Who can open the secret; empty: the premises keep it themselves.
    pub(crate) sealed: &'a [SealedSecret],
    /// The key that the run was begun with; `None`: it was not begun.
    pub(crate) mask_key: Option<Option<&'a str>>,
    /// What the agent must be able to do to read no more than was asked for.
    pub(crate) needs: Option<&'a str>,
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
    /// What it says of itself.
    pub(crate) health: Health,
}

/// The agent that gets a run.
pub(crate) struct Picked {
    pub(crate) agent_id: String,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) mask_key: Option<String>,
}

impl Health {
    /// Whether a run may go on with this agent's key.
    fn suits(&self, wanted: Wanted<'_>) -> bool {
        wanted.mask_key.is_none_or(|key| key == self.mask_key.as_deref())
    }
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
            fingerprints: vec![fingerprint.to_owned()],
            orders,
            cut: cut.clone(),
            why: why.clone(),
            runs: 0,
            can: Vec::new(),
            health: None,
            ready: false,
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

    /// Cuts the session of a revoked agent, if it has one.
    pub(crate) fn revoke(&self, agent_id: &str) {
        self.cut(agent_id, Cut::Revoked);
    }

    /// Cuts the session of an agent whose identity a second machine holds, if it has one.
    pub(crate) fn cut_clones(&self, agent_id: &str) {
        self.cut(agent_id, Cut::Cloned);
    }

    fn cut(&self, agent_id: &str, why: Cut) {
        if let Some(live) = self.lock().live.remove(agent_id) {
            live.end(why);
        }
    }

    /// The agent with the fewest runs among those that serve the uplink, can open one of the secrets, hold the run's key and take
    /// another run.
    pub(crate) fn pick(&self, wanted: Wanted<'_>, runs_max: usize) -> Option<Picked> {
        let inner = self.lock();
        let fits = |live: &Live| {
            live.serves(wanted.uplink, wanted.sealed)
                && live.can_do(wanted.needs)
                && live.health.as_ref().is_some_and(|health| health.paused.is_none() && health.suits(wanted))
                && live.load() < runs_max
        };
        let (agent_id, live) =
            inner.live.iter().filter(|(_, live)| fits(live)).min_by_key(|(_, live)| live.load())?;
        Some(Picked {
            agent_id: agent_id.clone(),
            orders: live.orders.clone(),
            mask_key: live.health.as_ref().and_then(|health| health.mask_key.clone()),
        })
    }

    /// Any live agent of the uplink that can open one of the secrets, for a connection test.
    pub(crate) fn any(&self, uplink: &str, sealed: &[SealedSecret]) -> Option<mpsc::Sender<Order>> {
        let inner = self.lock();
        inner.live.values().find(|live| live.serves(uplink, sealed)).map(|live| live.orders.clone())
    }

    /// As [`Uplinks::any`], but one that can do all of this beyond the first version of the protocol. `Err` where only others are here.
    pub(crate) fn any_that_can(
        &self,
        uplink: &str,
        sealed: &[SealedSecret],
        needs: &[&str],
    ) -> Result<Option<mpsc::Sender<Order>>, ()> {
        let inner = self.lock();
        let mut serving = inner.live.values().filter(|live| live.serves(uplink, sealed)).peekable();
        if serving.peek().is_none() {
            return Ok(None);
        }
        let able = serving.find(|live| needs.iter().all(|need| live.can_do(Some(need))));
        able.map(|live| Some(live.orders.clone())).ok_or(())
    }

    /// Whether an agent is here that will serve as soon as it has stored its ticket.
    pub(crate) fn is_coming(&self, uplink: &str, sealed: &[SealedSecret]) -> bool {
        self.lock().live.values().any(|live| !live.ready && live.will_serve(uplink, sealed))
    }

    /// What a run of the uplink waits for, in words.
    pub(crate) fn wanting(&self, wanted: Wanted<'_>) -> String {
        let (uplink, sealed) = (wanted.uplink, wanted.sealed);
        let inner = self.lock();
        let mut here = inner.live.values().filter(|live| live.uplink == uplink).peekable();
        if here.peek().is_none() {
            return format!("waiting for an agent of uplink {uplink}");
        }
        let mut able = here.filter(|live| live.will_serve(uplink, sealed)).peekable();
        if able.peek().is_none() {
            return format!("waiting for an agent of uplink {uplink} to which the secret is sealed");
        }
        let able: Vec<&Live> = able.collect();
        if !able.iter().any(|live| live.can_do(wanted.needs)) {
            return format!(
                "waiting for a newer agent of uplink {uplink}: those that are here would read more than was chosen (columns, times of change, \
                 pseudonyms); update them, or extract without these"
            );
        }
        let able = able.into_iter().filter(|live| live.can_do(wanted.needs));
        let known = able.filter_map(|live| live.health.as_ref()).collect::<Vec<_>>();
        if !known.is_empty() && !known.iter().any(|health| health.suits(wanted)) {
            return "waiting for an agent that pseudonymises with the key that the run was begun with"
                .to_owned();
        }
        let reasons: Option<Vec<&str>> = known.iter().map(|health| health.paused.as_deref()).collect();
        match reasons.as_deref() {
            Some([reason, ..]) => format!("the agent takes no work: {reason}"),
            Some([]) | None => "waiting for its turn".to_owned(),
        }
    }

    /// The orders of one agent.
    pub(crate) fn orders(&self, agent_id: &str) -> Option<mpsc::Sender<Order>> {
        self.lock().live.get(agent_id).map(|live| live.orders.clone())
    }

    /// The agent can open what is sealed to any of these.
    pub(crate) fn set_fingerprints(&self, agent_id: &str, fingerprints: Vec<String>) {
        if let Some(live) = self.lock().live.get_mut(agent_id) {
            live.fingerprints = fingerprints;
        }
    }

    /// Has every agent of the uplink that is here told which other agents there are. One that has no room for orders hears of them
    /// with its next session.
    pub(crate) fn announce_peers(&self, uplink: &str) {
        for live in self.lock().live.values().filter(|live| live.uplink == uplink) {
            if live.orders.try_send(Order::Peers).is_err() {
                tracing::debug!(uplink, "an agent has no room to hear of its peers");
            }
        }
    }

    /// The agent can do this beyond the first version of the protocol.
    pub(crate) fn set_capabilities(&self, agent_id: &str, session: u64, can: &[String]) {
        self.change(agent_id, session, |live| live.can = can.to_vec());
    }

    /// The session may get work from now on.
    pub(crate) fn set_ready(&self, agent_id: &str, session: u64) {
        self.change(agent_id, session, |live| live.ready = true);
    }

    /// The number of runs that an agent's session holds.
    pub(crate) fn set_runs(&self, agent_id: &str, session: u64, runs: usize) {
        self.change(agent_id, session, |live| live.runs = runs);
    }

    /// What an agent says of itself.
    pub(crate) fn set_health(&self, agent_id: &str, session: u64, health: Health) {
        self.change(agent_id, session, |live| live.health = Some(health));
    }

    fn change(&self, agent_id: &str, session: u64, change: impl FnOnce(&mut Live)) {
        let mut inner = self.lock();
        if let Some(live) = inner.live.get_mut(agent_id).filter(|live| live.session == session) {
            change(live);
        }
    }

    /// What is known of an agent, if it is here.
    pub(crate) fn presence(&self, agent_id: &str) -> Option<Presence> {
        let inner = self.lock();
        let live = inner.live.get(agent_id)?;
        Some(Presence { runs: live.runs, health: live.health.clone().unwrap_or_default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn serves(&self, uplink: &str, sealed: &[SealedSecret]) -> bool {
        self.ready && self.will_serve(uplink, sealed)
    }

    fn will_serve(&self, uplink: &str, sealed: &[SealedSecret]) -> bool {
        self.uplink == uplink && self.opens_any(sealed)
    }

    fn opens_any(&self, sealed: &[SealedSecret]) -> bool {
        let own = |secret: &SealedSecret| self.fingerprints.iter().any(|own| own == secret.agent.as_str());
        // Empty: the premises keep the secret themselves.
        sealed.is_empty() || sealed.iter().any(own)
    }

    fn can_do(&self, needs: Option<&str>) -> bool {
        needs.is_none_or(|needed| self.can.iter().any(|can| can == needed))
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
mod tests;
