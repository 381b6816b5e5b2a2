//! `JiraClient`: the only sender. It can express nothing but a read of the closed list, to one site, as one account.
//!
//! Clones share everything: cookies, throttle, counters, and the fact that a login was refused, after which no clone sends anything.
//! Redirects are never followed, so that a POST cannot become a GET of everything and the credential cannot travel to another host.

pub(crate) mod addresses;
pub(crate) mod allow;
pub(crate) mod login;
pub(crate) mod pace;
pub(crate) mod probe;
pub(crate) mod rate;
pub(crate) mod record;
pub(crate) mod response;
pub(crate) mod retry;
pub(crate) mod site;
pub(crate) mod throttle;
mod unreachable;

use crate::dialect::{Dialect, ServerInfo};
use crate::error::{Error, UnreachableCause};
use allow::Read;
use login::{Account, Login};
use rate::Told;
use record::{Announced, Observer};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use response::{Answer, Expectation, Verdict};
use retry::Patience;
use secrecy::ExposeSecret;
use site::{Credential, Limits, Site};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use throttle::Throttle;
use tokio::time::Instant;
use url::Url;

/// Not the name of a browser: Jira then asks for no cross-site token.
const USER_AGENT: &str = concat!("uplink/", env!("CARGO_PKG_VERSION"));

/// Where Atlassian's gateway has its sites: `https://api.atlassian.com/ex/jira/{cloudId}`.
const GATEWAY_PATH: &str = "/ex/jira/";

/// Reads one Jira as one account.
#[derive(Clone)]
pub struct JiraClient {
    shared: Arc<Shared>,
    meter: Arc<Meter>,
    observer: Option<Observer>,
}

struct Shared {
    http: reqwest::Client,
    site: Url,
    /// The same for people and records.
    site_text: Arc<str>,
    credential: Credential,
    limits: Limits,
    throttle: Throttle,
    total: Meter,
    /// The refused login after which nothing is sent any more.
    refused: Mutex<Option<Error>>,
    login: tokio::sync::Mutex<Option<Account>>,
    /// Known once the server information was read.
    dialect: OnceLock<Dialect>,
    /// Whether the site is reached through Atlassian's gateway for scoped tokens, which tells nothing without one.
    is_gateway: bool,
    /// The account as Jira's header names it, known once logged in.
    account: OnceLock<String>,
    /// Where the client was made: the lines of its requests belong to that span, whichever task sends them.
    span: tracing::Span,
}

/// Counts requests.
#[derive(Debug, Default)]
struct Meter {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes_read: AtomicU64,
}

/// What a client has asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Bytes of answers, unpacked.
    pub bytes_read: u64,
    /// Requests in flight now.
    pub in_flight: usize,
    /// Most requests that were in flight at once.
    pub max_in_flight: usize,
}

/// An answer with JSON.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) text: String,
    /// The account that Jira says it answered.
    pub(crate) account: Option<String>,
    /// Whether a node of a cluster answered.
    pub(crate) clustered: bool,
}

impl JiraClient {
    /// Makes a client. Nothing is sent yet.
    pub fn try_new(site: Site, credential: Credential, limits: Limits) -> Result<Self, Error> {
        let http = build_http(&site, &limits)?;
        let is_gateway = site.base_url.path().starts_with(GATEWAY_PATH);
        let shared = Shared {
            http,
            site_text: response::site_text(&site.base_url).into(),
            site: site.base_url,
            credential,
            throttle: Throttle::new(limits.max_parallel),
            limits,
            total: Meter::default(),
            refused: Mutex::new(None),
            login: tokio::sync::Mutex::new(None),
            dialect: if is_gateway { OnceLock::from(Dialect::Cloud) } else { OnceLock::new() },
            is_gateway,
            account: OnceLock::new(),
            span: tracing::Span::current(),
        };
        Ok(Self { shared: Arc::new(shared), meter: Arc::new(Meter::default()), observer: None })
    }

    /// The same client, which tells `observer` of each of its requests and sends none that it cannot tell of.
    #[must_use]
    pub fn observed_by(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Verifies credential and site with one try. Later calls only ask for Jira's clock again.
    pub async fn login(&self) -> Result<Login, Error> {
        let account = self.enter().await?;
        Ok(account.at(self.server_info().await?))
    }

    /// Verifies the credential, once for all clones.
    pub(crate) async fn enter(&self) -> Result<Account, Error> {
        let mut known = self.shared.login.lock().await;
        self.check_refused(&Read::Myself)?;
        if let Some(account) = known.as_ref() {
            return Ok(account.clone());
        }
        // What an API token is sent as depends on the site, which tells without a login.
        if matches!(self.shared.credential, Credential::ApiToken { .. }) && !self.is_cloud() {
            self.server_info().await?;
        }
        let account = login::run(self).await?;
        *known = Some(account.clone());
        Ok(account)
    }

    /// What all clones of this client have asked so far.
    pub fn stats(&self) -> Stats {
        self.stats_of(&self.shared.total)
    }

    /// The same client with counters of its own, for one run.
    pub(crate) fn metered(&self) -> Self {
        Self { meter: Arc::new(Meter::default()), ..self.clone() }
    }

    /// What this run has asked so far.
    pub(crate) fn run_stats(&self) -> Stats {
        self.stats_of(&self.meter)
    }

    fn stats_of(&self, meter: &Meter) -> Stats {
        Stats {
            requests: meter.requests.load(Ordering::Relaxed),
            retries: meter.retries.load(Ordering::Relaxed),
            bytes_read: meter.bytes_read.load(Ordering::Relaxed),
            in_flight: self.shared.throttle.in_flight(),
            max_in_flight: self.shared.throttle.max_in_flight(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(crate) fn site_text(&self) -> String {
        self.shared.site_text.as_ref().to_owned()
    }

    /// Kind, version and clock; needs no login.
    pub(crate) async fn server_info(&self) -> Result<ServerInfo, Error> {
        let patience = if self.shared.account.get().is_some() { Patience::Run } else { Patience::Login };
        let page = self.attempt(&Read::ServerInfo, patience).await?;
        let info = ServerInfo::parse(&page.text, &self.site_text(), page.clustered)?;
        // A site does not change its kind while it is read; one answer of a cluster may lack the node's name.
        let _known = self.shared.dialect.get_or_init(|| info.dialect);
        Ok(info)
    }

    /// Whether the site is known to be Jira Cloud.
    pub(crate) fn is_cloud(&self) -> bool {
        self.shared.dialect.get() == Some(&Dialect::Cloud)
    }

    fn logged_in(&self, account: String) {
        // Only one login runs at a time, and a second one meets the account of the first.
        let _known = self.shared.account.get_or_init(|| account);
    }

    /// Reads, trying again what may pass by itself. Only after a login.
    pub(crate) async fn read(&self, read: &Read) -> Result<String, Error> {
        Ok(self.attempt(read, Patience::Run).await?.text)
    }

    /// As [`Self::read`], but a page that is too slow comes back soon, to be asked smaller.
    pub(crate) async fn read_shrinkable(&self, read: &Read) -> Result<String, Error> {
        Ok(self.attempt(read, Patience::Shrinkable).await?.text)
    }

    async fn attempt(&self, read: &Read, patience: Patience) -> Result<Page, Error> {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let permit = self.shared.throttle.acquire().await;
            if let Some(pace) = &self.shared.limits.pace {
                pace.wait().await;
            }
            self.check_refused(read)?;
            let verdict = self.once(read, attempt).await;
            let (error, wait) = match verdict {
                Outcome::Page(page) => return Ok(page),
                Outcome::Fail(error) => return Err(self.fail(error)),
                Outcome::Again(error, wait) => (error, wait),
            };
            drop(permit);
            if !patience.allows(attempt, started.elapsed(), &error) {
                return Err(error);
            }
            tracing::debug!(event = "jira_asked_again", attempt, code = error.code(), "Jira is asked again");
            self.pause(attempt, wait, &error).await;
            attempt += 1;
        }
    }

    /// Waits before the next try. A rate limit holds everybody back, also where Jira does not say for how long.
    async fn pause(&self, attempt: u32, asked: Option<Duration>, error: &Error) {
        let wait = retry::back_off(attempt, asked, retry::dice());
        let is_limit = matches!(error, Error::Throttled { .. });
        if let Some(closed) = asked.or(is_limit.then_some(wait)) {
            self.shared.throttle.close_for(closed);
        }
        self.count(|meter| &meter.retries, 1);
        tokio::time::sleep(wait).await;
    }

    /// A Jira that does not answer in time has too much to do.
    fn unanswered(&self, outcome: Outcome) -> Outcome {
        if let Outcome::Again(Error::Unreachable { cause: UnreachableCause::Timeout, .. }, _) = &outcome {
            self.shared.throttle.handle_pushback();
        }
        outcome
    }

    /// After a refused login nothing is sent any more that would count as another try.
    fn check_refused(&self, read: &Read) -> Result<(), Error> {
        if !read.is_authenticated() {
            return Ok(());
        }
        let refused = self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.clone().map_or(Ok(()), Err)
    }

    fn fail(&self, error: Error) -> Error {
        if error.is_login() {
            let mut refused = self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.get_or_insert_with(|| error.clone());
        }
        error
    }

    async fn once(&self, read: &Read, attempt: u32) -> Outcome {
        let mut announced = match &self.observer {
            Some(observer) => match observer.announce(&self.shared.site_text, read, attempt).await {
                Ok(announced) => announced,
                Err(error) => return Outcome::Fail(error),
            },
            None => Announced::unobserved(),
        };
        let outcome = self.send(read, attempt, &mut announced).await;
        announced.end(outcome.error_code());
        outcome
    }

    async fn send(&self, read: &Read, attempt: u32, announced: &mut Announced) -> Outcome {
        self.count(|meter| &meter.requests, 1);
        let response = match self.request(read).send().await {
            Ok(response) => response,
            Err(error) => {
                self.say(read, None, announced.sent().elapsed());
                return self.unanswered(unreachable::judge_send(error, &self.shared.site).into());
            }
        };
        let latency = announced.sent().elapsed();
        let (status, headers) = (response.status(), response.headers().clone());
        announced.answered(status.as_u16());
        self.say(read, Some(status.as_u16()), latency);
        let throttle = &self.shared.throttle;
        match status.as_u16() {
            429 => throttle.handle_refused(response::retry_after(&headers), Told::of(&headers)),
            502..=504 => throttle.handle_pushback(),
            _ if read.is_authenticated() => throttle.handle_answer(latency, Told::of(&headers)),
            _ => throttle.handle_unlimited(latency),
        }
        let body = match self.body((read, attempt), response, announced).await {
            Ok(body) => body,
            Err(outcome) => return outcome,
        };
        let text_of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (account, clustered) = (text_of("x-ausername"), headers.contains_key("x-anodeid"));
        let expect = Expectation {
            read,
            site: &self.shared.site,
            attempt,
            account: self.shared.account.get().map(String::as_str),
            login_hint: "",
        };
        match response::judge(Answer { status, headers, body }, &expect) {
            Verdict::Page(text) => Outcome::Page(Page { text, account, clustered }),
            other => other.into(),
        }
    }

    /// One line for each request, so that the premises can see what was asked of their Jira and by which run.
    fn say(&self, read: &Read, status: Option<u16>, latency: Duration) {
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(parent: &self.shared.span, event = "jira_request", method = read.method(), path = read.template(), status, latency_ms);
    }

    fn request(&self, read: &Read) -> reqwest::RequestBuilder {
        let address = format!("{}{}", self.shared.site.as_str().trim_end_matches('/'), read.path());
        let query = read.query();
        let request = match read.body() {
            Some(body) => self
                .shared
                .http
                .post(address)
                .header(CONTENT_TYPE, "application/json")
                .header("X-Atlassian-Token", "no-check")
                .body(body),
            None => self.shared.http.get(address),
        };
        let request = if query.is_empty() { request } else { request.query(&query) };
        let request = request.header(ACCEPT, "application/json");
        let request =
            if read.is_experimental() { request.header("X-ExperimentalApi", "opt-in") } else { request };
        if !read.is_authenticated() && !self.shared.is_gateway {
            return request;
        }
        match &self.shared.credential {
            Credential::Password { username, password } => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Credential::ApiToken { username, token } if self.is_cloud() => {
                request.basic_auth(username, Some(token.expose_secret()))
            }
            Credential::Token(token) | Credential::ApiToken { token, .. } => {
                request.bearer_auth(token.expose_secret())
            }
        }
    }

    /// Counts while reading, so that neither a huge nor a packed answer fills the memory.
    async fn body(
        &self,
        (read, attempt): (&Read, u32),
        mut response: reqwest::Response,
        announced: &mut Announced,
    ) -> Result<Vec<u8>, Outcome> {
        let limit_bytes = self.shared.limits.max_page_bytes;
        let mut body = Vec::new();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => {
                    let judged = unreachable::judge_body(error, &self.shared.site, read.what(), attempt);
                    return Err(self.unanswered(judged.into()));
                }
            };
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.count(|meter| &meter.bytes_read, length);
            announced.came(length);
            if body.len() + chunk.len() > limit_bytes {
                return Err(Outcome::Fail(Error::BodyTooLarge { what: read.what(), limit_bytes }));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn count(&self, counter: impl Fn(&Meter) -> &AtomicU64, more: u64) {
        counter(&self.shared.total).fetch_add(more, Ordering::Relaxed);
        counter(&self.meter).fetch_add(more, Ordering::Relaxed);
    }
}

/// How one try ended.
enum Outcome {
    Page(Page),
    Again(Error, Option<Duration>),
    Fail(Error),
}

impl Outcome {
    /// The code of the error, if the answer is of no use.
    fn error_code(&self) -> Option<&'static str> {
        match self {
            Self::Page(_) => None,
            Self::Again(error, _) | Self::Fail(error) => Some(error.code()),
        }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Page(text) => Self::Page(Page { text, account: None, clustered: false }),
            Verdict::Again { error, wait } => Self::Again(error, wait),
            Verdict::Fail(error) => Self::Fail(error),
        }
    }
}

fn build_http(site: &Site, limits: &Limits) -> Result<reqwest::Client, Error> {
    let failed = |error: reqwest::Error| Error::Client { detail: error.to_string() };
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .cookie_store(true)
        .no_proxy()
        .connect_timeout(site.way.connect_timeout.unwrap_or(limits.connect_timeout))
        .read_timeout(site.way.read_timeout.unwrap_or(limits.read_timeout))
        .pool_max_idle_per_host(limits.max_parallel.max(1))
        .tcp_nodelay(true)
        .dns_resolver(site.way.addresses.clone());
    if let Some(pem) = &site.extra_root_pem {
        let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(failed)?;
        builder = builder.tls_certs_merge(roots);
    }
    if let Some(proxy) = &site.way.proxy {
        let found = reqwest::Proxy::all(proxy.url.clone()).map_err(failed)?;
        builder = builder.proxy(match &proxy.login {
            Some((username, password)) => found.basic_auth(username, password.expose_secret()),
            None => found,
        });
    }
    if let Some(pem) = &site.way.client_pem {
        let identity = reqwest::Identity::from_pem(pem.expose_secret().as_bytes()).map_err(failed)?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(failed)
}

impl std::fmt::Debug for JiraClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JiraClient").field("site", &self.site_text()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
