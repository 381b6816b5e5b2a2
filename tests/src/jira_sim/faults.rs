//! Faults on request: what goes wrong with the next answers to some paths, and gates that hold requests.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// What is done to an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// This status and body instead of the answer.
    Answer {
        /// Status code.
        status: u16,
        /// `Content-Type` of the body.
        content_type: String,
        /// The body.
        body: String,
    },
    /// 429 with Tomcat's page and the rate limit headers.
    TooManyRequests {
        /// Value of `Retry-After`; `None` leaves the header out.
        retry_after_seconds: Option<u64>,
    },
    /// 503 with a `Retry-After` that is a time of day, so many seconds from now.
    ComeBackAt {
        /// From now.
        seconds: u32,
    },
    /// Cloud's 429 in one of its forms.
    CloudTooManyRequests {
        /// Value of `Retry-After`; `None` leaves the header out.
        retry_after_seconds: Option<u64>,
        /// Value of `RateLimit-Reason`, such as `jira-burst-based`; empty leaves the header out.
        reason: String,
        /// An HTML page instead of JSON.
        html: bool,
    },
    /// A proxy's HTML page with this status (502, 503, 504).
    Gateway {
        /// Status code.
        status: u16,
    },
    /// 403 without a body.
    EmptyForbidden,
    /// 302 to another place, as a single sign-on does.
    Redirect {
        /// Value of `Location`.
        location: String,
    },
    /// 200 with the HTML of a login page.
    SsoPage,
    /// The usual answer with `X-Seraph-LoginReason: AUTHENTICATED_FAILED` and `X-AUSERNAME: anonymous`.
    SeraphFailed,
    /// 200 as an anonymous visitor gets it: searches find nothing.
    Anonymous,
    /// `Content-Length` of the whole body, then only half of it.
    Truncated,
    /// Chunked, closed in the middle of the body.
    CutChunked,
    /// 200 and `application/json`, but the JSON ends early.
    InvalidJson,
    /// The right body in small pieces with pauses between them.
    SlowBody {
        /// Bytes of a piece.
        chunk_bytes: usize,
        /// Pause between two pieces, in milliseconds.
        pause_ms: u64,
    },
    /// The right body, gzip-compressed whatever the client accepts.
    Gzip,
    /// The connection is closed without an answer.
    Disconnect,
}

/// A fault that waits for its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Requests whose path and query contain this text.
    pub path: String,
    /// How many of them are hit.
    pub times: u64,
    /// How many pass unharmed before.
    #[serde(default)]
    pub skip: u64,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// The faults that are still due.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(fault);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }

    /// The fault that hits this request, if any; one use of it is spent.
    pub(crate) fn take(&self, path_and_query: &str) -> Option<FaultKind> {
        let mut faults = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        faults.retain(|fault| fault.times > 0);
        let fault = faults.iter_mut().find(|fault| path_and_query.contains(&fault.path))?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        Some(fault.kind.clone())
    }
}

/// A gate: requests that match wait until it is released.
#[derive(Debug)]
pub(crate) struct Gate {
    path: String,
    skip: Mutex<u64>,
    released: watch::Sender<bool>,
}

/// All gates that are closed.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<Vec<Arc<Gate>>>);

impl Gates {
    /// Closes a gate for requests that contain `path`, after `skip` of them have passed.
    pub(crate) fn close(&self, path: &str, skip: u64) -> Arc<Gate> {
        let gate = Arc::new(Gate {
            path: path.to_owned(),
            skip: Mutex::new(skip),
            released: watch::channel(false).0,
        });
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(Arc::clone(&gate));
        gate
    }

    /// The gate at which this request must wait.
    pub(crate) fn find(&self, path_and_query: &str) -> Option<Arc<Gate>> {
        let mut gates = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        gates.retain(|gate| !*gate.released.borrow());
        let gate = gates.iter().find(|gate| path_and_query.contains(&gate.path))?;
        let mut skip = gate.skip.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *skip > 0 {
            *skip -= 1;
            return None;
        }
        drop(skip);
        Some(Arc::clone(gate))
    }

    /// Opens every gate whose path contains `path`.
    pub(crate) fn release(&self, path: &str) {
        let gates = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for gate in gates.iter().filter(|gate| gate.path.contains(path)) {
            gate.release();
        }
    }
}

impl Gate {
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }

    /// Returns when the gate is open.
    pub(crate) async fn wait(&self) {
        let mut released = self.released.subscribe();
        // An error means that the gate is gone, which opens it too.
        drop(released.wait_for(|open| *open).await);
    }
}
