//! What the parts of one running relay share.

use crate::auth::AdminKey;
use crate::direct::Direct;
use crate::lake::Lake;
use crate::run::board::Board;
use crate::run::landed::LandedIndexes;
use crate::store::Store;
use crate::uplinks::Uplinks;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// One running relay. Everybody holds the same one.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) lake: Lake,
    /// Who is here.
    pub(crate) uplinks: Uplinks,
    /// What landed before the runs that sweep.
    pub(crate) landed: LandedIndexes,
    /// How far runs are, second by second.
    pub(crate) board: Board,
    /// What this relay reads itself.
    pub(crate) direct: Direct,
    pub(crate) admin: AdminKey,
    /// Random, made at first start.
    pub(crate) relay_id: String,
    /// The names under which an agent may reach this relay.
    pub(crate) names: Vec<String>,
    /// Most runs of one agent.
    pub(crate) runs_per_agent: usize,
    /// How often each side of a link says that it is there.
    pub(crate) heartbeat: Duration,
    /// Wakes the schedule: a run was queued or ended, an agent came, a connection is free again.
    pub(crate) wake: Notify,
    /// Connections whose tables are being swept; they start no run meanwhile.
    pub(crate) sweeping: Busy,
    /// Handshakes under way: strangers take no more of the relay than this.
    pub(crate) greetings: Arc<Semaphore>,
    /// Every task of the relay, so that the end waits for them.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the relay is to stop.
    pub(crate) stop: CancellationToken,
}

/// Every task holds the node by this.
pub(crate) type Shared = Arc<Node>;

/// A set of connections that are busy with something; leaving is tied to a guard. A clone is the same set.
#[derive(Clone, Default)]
pub(crate) struct Busy {
    names: Arc<Mutex<BTreeSet<String>>>,
}

/// A connection is busy until this is dropped.
pub(crate) struct BusyGuard {
    set: Busy,
    name: String,
}

impl Busy {
    /// Marks a connection; `None` if it is marked already.
    pub(crate) fn enter(&self, name: &str) -> Option<BusyGuard> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned()).then(|| BusyGuard { set: self.clone(), name: name.to_owned() })
    }

    /// The marked connections.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.set.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}
