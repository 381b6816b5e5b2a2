//! Whether each permitted Jira answers, end to end. A request of a run that succeeds counts; while nothing is asked, a probe of `serverInfo`
//! goes the same way as a run does: through the policy's list, its proxy, trust and limits, and into the audit log. Nothing is called
//! healthy for being configured.
//!
//! [`Sites`] is the pure part: what is known of each Jira, when it is due, and what is worth telling.

mod sites;

use crate::audit::Audit;
use crate::config;
use crate::policy::Policy;
use crate::run::failure_of;
use jira::RequestRecord;
use protocol::control::JiraHealth;
use sites::Sites;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Jiras in one message to the relay; each takes a few hundred bytes.
const SITES_TOLD_MAX: usize = 100;
/// A probe's answer is a few hundred bytes.
const PROBE_BYTES_MAX: usize = 1 << 20;
/// A Jira that does not answer for so long is not healthy, whatever a run would have patience for.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is known of the Jiras of the premises. A clone is the same.
#[derive(Clone)]
pub(crate) struct Health {
    sites: Arc<Mutex<Sites>>,
    told: watch::Sender<Vec<JiraHealth>>,
}

impl Health {
    /// Nothing is known yet of the sites that the policy permits.
    pub(crate) fn new(policy: &Policy, settings: &config::Health) -> Self {
        let names = policy.sites().iter().map(|site| site.address.as_str().to_owned());
        let sites = Sites::new(names, Duration::from_secs(settings.every_s.into()));
        let told = watch::Sender::new(sites.report(crate::clock::now_ms()));
        Self { sites: Arc::new(Mutex::new(sites)), told }
    }

    /// A request to Jira ended.
    pub(crate) fn handle_request(&self, record: &RequestRecord) {
        if record.error.is_none() {
            self.change(|sites, now| sites.answered(&record.site, now));
        }
    }

    /// What is worth telling the relay; no more of it than fits a message.
    pub(crate) fn report(&self) -> Vec<JiraHealth> {
        self.told.borrow().iter().take(SITES_TOLD_MAX).cloned().collect()
    }

    /// What is known now, and when it changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Vec<JiraHealth>> {
        self.told.subscribe()
    }

    /// Probes what was not asked lately, until dropped. `may_ask` says whether the premises let anything be asked now.
    pub(crate) async fn keep_probing(
        &self,
        policy: &Policy,
        requests: &config::Requests,
        audit: &Audit,
        may_ask: &(dyn Fn() -> bool + Send + Sync),
    ) {
        loop {
            let (due, wait) = self.lock().due(crate::clock::now_ms());
            if due.is_empty() {
                tokio::time::sleep(wait).await;
                continue;
            }
            for site in due {
                if may_ask() {
                    self.probe(&site, policy, requests, audit).await;
                } else {
                    self.change(|sites, now| sites.put_off(&site, now));
                }
            }
        }
    }

    async fn probe(&self, site: &str, policy: &Policy, requests: &config::Requests, audit: &Audit) {
        let permitted = policy.sites().iter().find(|permitted| permitted.address.as_str() == site);
        let Some(Ok(target)) = permitted.map(|permitted| permitted.engine_site()) else {
            self.change(|sites, now| sites.put_off(site, now));
            return;
        };
        let limits = jira::Limits {
            max_parallel: 1,
            connect_timeout: Duration::from_millis(requests.connect_timeout_ms).min(PROBE_TIMEOUT),
            read_timeout: Duration::from_millis(requests.read_timeout_ms).min(PROBE_TIMEOUT),
            max_page_bytes: PROBE_BYTES_MAX,
            ..jira::Limits::default()
        };
        let asked =
            tokio::time::timeout(PROBE_TIMEOUT, jira::probe(target, limits, audit.observer("health")));
        let outcome = match asked.await {
            Ok(Ok(probe)) => Ok(probe.version),
            Ok(Err(error)) => Err(failure_of(&error)),
            Err(_) => Err(sites::too_slow(site, PROBE_TIMEOUT)),
        };
        let was = self.lock().state_of(site);
        self.change(|sites, now| sites.probed(site, outcome, now));
        let sites = self.lock();
        let (is, failure) = (sites.state_of(site), sites.failure_of(site));
        drop(sites);
        match (failure, was == is) {
            (_, true) => {}
            (None, false) => tracing::info!(event = "jira_healthy", site, "this Jira answers"),
            (Some(failure), false) => tracing::warn!(
                event = "jira_unhealthy",
                site,
                code = failure.code,
                reason = failure.message,
                "this Jira does not answer"
            ),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Sites, i64)) {
        let now = crate::clock::now_ms();
        let mut sites = self.lock();
        change(&mut sites, now);
        let report = sites.report(now);
        drop(sites);
        self.told.send_if_modified(|told| {
            let is_news = sites::is_news(told, &report);
            if is_news {
                *told = report;
            }
            is_news
        });
    }

    fn lock(&self) -> MutexGuard<'_, Sites> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
