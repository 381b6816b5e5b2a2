//! A Jira that never was: REST v2 of Server 8.20, 9.12 and 10.3, and v3 of Cloud, over generated or recorded issues.
//!
//! [`JiraSim::start`] serves on the loopback interface from a thread and runtime of its own, so it works under
//! any test runtime. [`SimHandle`] changes issues while they are read, injects faults, holds requests and
//! counts; [`crate::truth`] says what an extraction must yield.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use chrono_tz::Tz;

mod agile_issues;
mod auth;
mod catalog;
mod catalog_generated;
mod change;
mod clock;
mod cloud;
mod config;
mod control;
mod doc;
mod faults;
mod fields;
mod generate;
mod handle;
mod index;
mod jql;
mod limiter;
mod of_issue;
mod pages;
mod people;
mod query;
mod recorded;
mod render;
mod reply;
mod rest;
pub mod rng;
mod script;
mod search;
mod server;
mod service_desk;
mod site;
mod site_lists;
mod stats;
mod words;
mod worklogs;

pub use change::{Edit, IssueRef, NewIssue};
pub use clock::ClockSource;
pub use cloud::{CloudConfig, CreatedUnit};
pub use config::{Account, Flavour, GeneratedSite, RateLimit, SimConfig, SiteSource};
pub use control::Change;
pub use faults::{Fault, FaultKind};
pub use handle::{Hold, SimHandle};
pub use script::ScriptLog;
pub use search::PageInfo;
pub use stats::Stats;

use site::Site;

/// What can go wrong with the simulator itself.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The server's threads cannot be started.
    #[error("cannot start the simulator's threads: {0}")]
    Threads(std::io::Error),
    /// Recorded issues cannot be read.
    #[error("cannot read recorded issues from {path}: {reason}")]
    Recording {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A time zone that nobody knows.
    #[error("unknown time zone {0:?}: use an IANA name such as Europe/Berlin")]
    TimeZone(String),
    /// Something that the site does not have.
    #[error("the simulated site has no {what} {name:?}")]
    Unknown {
        /// Kind of thing.
        what: String,
        /// The name that was given.
        name: String,
    },
    /// A change that Jira would refuse as well.
    #[error("the simulated Jira refuses: {0}")]
    Refused(String),
    /// A condition was not reached in time.
    #[error("the awaited state was not reached within {0:?}; the counters are {1}")]
    TimedOut(Duration, String),
}

type PageHook = Arc<dyn Fn(&SimHandle, &PageInfo) + Send + Sync>;
type RequestHook = Arc<dyn Fn(&SimHandle, u64) + Send + Sync>;

/// A request as it came, to be sent again by a bench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path with the context, and the query.
    pub path_and_query: String,
    /// The body.
    pub body: bytes::Bytes,
}

/// The state that requests and tests share.
pub(crate) struct Inner {
    config: SimConfig,
    zones: Vec<Tz>,
    /// `http://127.0.0.1:PORT`.
    origin: String,
    /// Base of the `self` URLs, with the context path.
    base: String,
    site: RwLock<Site>,
    clock: clock::Clock,
    auth: auth::Auth,
    counters: stats::Counters,
    faults: faults::Faults,
    gates: faults::Gates,
    limiter: Option<limiter::Limiter>,
    script: script::Script,
    hook: Mutex<Option<PageHook>>,
    request_hook: Mutex<Option<RequestHook>>,
    record: Mutex<Option<Vec<RecordedRequest>>>,
    latency_ms: AtomicU64,
    requests: AtomicU64,
    me: std::sync::Weak<Inner>,
}

impl Inner {
    fn site(&self) -> RwLockReadGuard<'_, Site> {
        self.site.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn site_mut(&self) -> RwLockWriteGuard<'_, Site> {
        self.site.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn zone(&self, account: usize) -> Tz {
        self.zones.get(account).copied().unwrap_or(Tz::UTC)
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms.load(Ordering::Relaxed))
    }

    fn captcha_reason(&self) -> String {
        format!("CAPTCHA_CHALLENGE; login-url={}/login.jsp", self.base)
    }

    fn session_cookie(&self, id: &str) -> String {
        let path = if self.config.context_path.is_empty() { "/" } else { &self.config.context_path };
        format!("JSESSIONID={id}; Path={path}; HttpOnly")
    }

    /// Counts a request that begins; gives its number.
    fn begin(&self) -> u64 {
        self.counters.update(|stats| {
            stats.requests_total += 1;
            stats.in_flight += 1;
            stats.max_in_flight = stats.max_in_flight.max(stats.in_flight);
        });
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A request is about to be answered: lets the hook change issues.
    fn request_arrived(&self, number: u64) {
        let hook = self.request_hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(hook), Some(me)) = (hook, self.me.upgrade()) {
            hook(&SimHandle::from_inner(me), number);
        }
    }

    /// A search was answered: counts it and lets the script and the hook change issues.
    fn page_answered(&self, mut page: PageInfo) {
        if page.ids.is_empty() {
            return;
        }
        self.counters.update(|stats| {
            stats.issue_pages += 1;
            stats.issues_sent += page.ids.len() as u64;
            page.number = stats.issue_pages;
        });
        if self.script.is_running() {
            let changes = self.script.after_page(&mut self.site_mut(), &page, || self.clock.tick_ms());
            self.counters.update(|stats| stats.changes += changes);
        }
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(hook), Some(me)) = (hook, self.me.upgrade()) {
            hook(&SimHandle::from_inner(me), &page);
        }
    }
}

/// The Atlassian document that a Cloud site makes of a text, as compact JSON, and what it must render to
/// (`None` for nothing).
#[must_use]
pub fn document_of(text: &str) -> (String, Option<String>) {
    let written = cloud::adf::document(text);
    (written.json, written.plain)
}

/// Starts simulators.
#[derive(Debug)]
pub struct JiraSim;

/// A simulator that serves; it stops when dropped.
pub struct RunningSim {
    handle: SimHandle,
    address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl JiraSim {
    /// Listens, makes or reads the site, and serves it.
    ///
    /// # Errors
    /// When the port is taken, a time zone is unknown, or recorded issues cannot be read.
    pub fn start(mut config: SimConfig) -> Result<RunningSim, SimError> {
        if config.flavour == Flavour::Cloud {
            // Cloud is always at the root of its host.
            config.context_path.clear();
        }
        let zones =
            config.accounts.iter().map(|account| zone(&account.time_zone)).collect::<Result<Vec<_>, _>>()?;
        let wanted = SocketAddr::from((config.listen, config.port));
        let listen = |source| SimError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let origin = format!("http://{address}");
        let base = match &config.base_url {
            Some(base) => base.trim_end_matches('/').to_owned(),
            None => format!("{origin}{}", config.context_path),
        };
        let mut site = match &config.source {
            SiteSource::Generated(site) => Site::generated(&base, site),
            SiteSource::Recorded(path) => recorded::load(&base, path)?,
        };
        if config.flavour == Flavour::Cloud {
            cloud::prepare(&mut site, &config.cloud);
        }
        let inner = Arc::new_cyclic(|me| build(config, (zones, origin, base), site, me.clone()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(inner.config.threads.max(1))
            .thread_name("jira-sim")
            .enable_all()
            .build()
            .map_err(SimError::Threads)?;
        drop(runtime.spawn(server::serve(Arc::clone(&inner), listener)));
        Ok(RunningSim { handle: SimHandle::from_inner(inner), address, runtime: Some(runtime) })
    }
}

fn zone(name: &str) -> Result<Tz, SimError> {
    name.parse().map_err(|_| SimError::TimeZone(name.to_owned()))
}

fn build(
    config: SimConfig,
    names: (Vec<Tz>, String, String),
    site: Site,
    me: std::sync::Weak<Inner>,
) -> Inner {
    let (zones, origin, base) = names;
    let script = script::Script::default();
    if let Some(seed) = config.edit_after_each_page {
        script.start(seed);
    }
    Inner {
        zones,
        origin,
        base,
        site: RwLock::new(site),
        clock: clock::Clock::new(config.clock),
        auth: auth::Auth::new(config.accounts.clone(), config.captcha_threshold),
        counters: stats::Counters::default(),
        faults: faults::Faults::default(),
        gates: faults::Gates::default(),
        limiter: config.rate_limit.map(limiter::Limiter::new),
        script,
        hook: Mutex::new(None),
        request_hook: Mutex::new(None),
        record: Mutex::new(None),
        latency_ms: AtomicU64::new(u64::try_from(config.latency.as_millis()).unwrap_or(u64::MAX)),
        requests: AtomicU64::new(0),
        me,
        config,
    }
}

impl RunningSim {
    /// Base URL with the context path, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.handle.url()
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A handle that may be cloned and sent to other threads.
    #[must_use]
    pub fn handle(&self) -> SimHandle {
        self.handle.clone()
    }

    /// Credentials of the first account: user name and password.
    #[must_use]
    pub fn login(&self) -> (String, String) {
        let account = self.handle.inner().config.accounts.first();
        account.map(|account| (account.username.clone(), account.password.clone())).unwrap_or_default()
    }
}

impl std::ops::Deref for RunningSim {
    type Target = SimHandle;

    fn deref(&self) -> &SimHandle {
        &self.handle
    }
}

impl std::fmt::Debug for RunningSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunningSim {{ url: {:?} }}", self.url())
    }
}

impl Drop for RunningSim {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
