//! What a simulated Jira is like: version, accounts, limits, and where its issues come from.

use std::path::PathBuf;
use std::time::Duration;

use super::clock::ClockSource;
use super::cloud::CloudConfig;

/// The product version that is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavour {
    /// Jira 8.20: comments unpaged (1,048,576 a page), no result window.
    V8_20,
    /// Jira 9.12: as 8.20 for what is simulated.
    #[default]
    V9_12,
    /// Jira 10.3: comments by 50, `startAt + maxResults` limited by the result window.
    V10_3,
    /// Jira 11.0: as 10.3, and no password is taken over REST; a personal access token is the way in.
    V11_0,
    /// Jira Cloud: REST v3 at the root of the host, by e-mail and API token.
    Cloud,
}

impl Flavour {
    /// The version text of `serverInfo`.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::V8_20 => "8.20.30",
            Self::V9_12 => "9.12.15",
            Self::V10_3 => "10.3.2",
            Self::V11_0 => "11.0.1",
            Self::Cloud => "1001.0.0-SNAPSHOT",
        }
    }

    /// The build number of `serverInfo`.
    #[must_use]
    pub fn build_number(self) -> u32 {
        match self {
            Self::V8_20 => 820_030,
            Self::V9_12 => 9_120_015,
            Self::V10_3 => 10_030_002,
            Self::V11_0 => 11_000_001,
            Self::Cloud => 100_286,
        }
    }

    /// Comments on a page of `/issue/{id}/comment` when the client asks for no number.
    #[must_use]
    pub fn comment_page_default(self) -> u64 {
        match self {
            Self::V8_20 | Self::V9_12 => 1_048_576,
            Self::V10_3 | Self::V11_0 => 50,
            Self::Cloud => 100,
        }
    }

    /// Whether searches beyond the result window are refused.
    #[must_use]
    pub fn enforces_window(self) -> bool {
        matches!(self, Self::V10_3 | Self::V11_0)
    }

    /// Whether Basic logins and `/rest/auth/1/session` are switched off, as new installations have it.
    #[must_use]
    pub fn refuses_passwords(self) -> bool {
        self == Self::V11_0
    }

    /// Reads `8.20`, `9.12`, `10.3`, `11.0` or `cloud`.
    ///
    /// # Errors
    /// A text that names the known versions.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "8.20" => Ok(Self::V8_20),
            "9.12" => Ok(Self::V9_12),
            "10.3" => Ok(Self::V10_3),
            "11.0" => Ok(Self::V11_0),
            "cloud" => Ok(Self::Cloud),
            other => Err(format!("unknown Jira version {other:?}: use 8.20, 9.12, 10.3, 11.0 or cloud")),
        }
    }
}

/// Somebody who may log in and sees every project.
#[derive(Clone)]
pub struct Account {
    /// Login name; the e-mail address on Cloud.
    pub username: String,
    /// Password of the login; the API token on Cloud.
    pub password: String,
    /// IANA time zone that JQL dates and printed times use, such as `Europe/Berlin`.
    pub time_zone: String,
    /// Personal access tokens that are accepted as `Authorization: Bearer`; on Cloud the scoped API tokens,
    /// which are good behind the gateway only.
    pub tokens: Vec<String>,
}

impl Account {
    /// An account in UTC without tokens.
    #[must_use]
    pub fn new(username: &str, password: &str) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            time_zone: "UTC".into(),
            tokens: Vec::new(),
        }
    }

    /// The same account in another time zone.
    #[must_use]
    pub fn in_zone(mut self, time_zone: &str) -> Self {
        self.time_zone = time_zone.into();
        self
    }

    /// The same account with one more personal access token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.tokens.push(token.into());
        self
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { username, time_zone, tokens, .. } = self;
        write!(f, "Account {{ username: {username:?}, time_zone: {time_zone:?}, tokens: {} }}", tokens.len())
    }
}

/// A token bucket per user, as Data Center's rate limiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests that may be made at once.
    pub tokens: u32,
    /// Requests that are given back each interval.
    pub fill: u32,
    /// Length of the interval in seconds.
    pub interval_seconds: u32,
}

/// What a generated site looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedSite {
    /// Number of issues.
    pub issues: u32,
    /// The same seed gives the same site.
    pub seed: u64,
    /// Number of projects, 1 to 26.
    pub projects: u16,
    /// Number of users of the directory.
    pub users: u16,
    /// One issue in so many has a description of 1 MB; 0 for none.
    pub large_description_every: u32,
    /// Number of issues created in one and the same second (a bulk import); 0 for none.
    pub tie_size: u32,
    /// Every issue is created before this instant (Unix milliseconds).
    pub base_time_ms: i64,
}

impl Default for GeneratedSite {
    fn default() -> Self {
        Self {
            issues: 1000,
            seed: 1,
            projects: 6,
            users: 120,
            large_description_every: 5000,
            tie_size: 150,
            base_time_ms: 1_735_689_600_000,
        }
    }
}

/// Where the issues come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteSource {
    /// Made up from a seed.
    Generated(GeneratedSite),
    /// One Jira issue JSON a line; plain, `.gz` or `.xz`.
    Recorded(PathBuf),
}

/// Everything a simulator is started with; see [`Default`] for what a test gets without asking.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// The version that is imitated.
    pub flavour: Flavour,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Address to listen on; the loopback unless a test's network has another.
    pub listen: std::net::Ipv4Addr,
    /// Context path such as `/jira`; empty for none.
    pub context_path: String,
    /// Base of the `self` URLs when it differs from the real address (a proxy in front); `None` for the address.
    pub base_url: Option<String>,
    /// Who may log in.
    pub accounts: Vec<Account>,
    /// Most issues on a search page; a larger wish is lowered and echoed.
    pub search_cap: u64,
    /// `startAt + maxResults` above this is a 500, on versions that enforce it.
    pub max_result_window: u64,
    /// Most worklogs inside `fields.worklog`.
    pub embedded_worklog_cap: usize,
    /// Added to every REST request before it is answered.
    pub latency: Duration,
    /// Rate limiting, off by default.
    pub rate_limit: Option<RateLimit>,
    /// Failed password logins of a user after which the CAPTCHA locks passwords.
    pub captcha_threshold: u32,
    /// Where the issues come from.
    pub source: SiteSource,
    /// Where the time comes from.
    pub clock: ClockSource,
    /// Compresses JSON for clients that accept gzip.
    pub gzip: bool,
    /// Nodes of the cluster: each orders equal sort values in its own way, requests go around.
    pub nodes: u32,
    /// Seed of scripted edits, creations, moves and deletions after every search page with issues.
    pub edit_after_each_page: Option<u64>,
    /// Threads that answer requests.
    pub threads: usize,
    /// Whether Jira Service Management is there.
    pub service_management: bool,
    /// The switches of the Cloud flavour.
    pub cloud: CloudConfig,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            flavour: Flavour::default(),
            port: 0,
            listen: std::net::Ipv4Addr::LOCALHOST,
            context_path: String::new(),
            base_url: None,
            accounts: vec![Account::new("reader", "reader-password").with_token("reader-token")],
            search_cap: 1000,
            max_result_window: 10_000,
            embedded_worklog_cap: 20,
            latency: Duration::ZERO,
            rate_limit: None,
            captcha_threshold: 3,
            source: SiteSource::Generated(GeneratedSite::default()),
            clock: ClockSource::Real,
            gzip: false,
            nodes: 1,
            edit_after_each_page: None,
            threads: 2,
            service_management: true,
            cloud: CloudConfig::default(),
        }
    }
}

impl SimConfig {
    /// The default simulator over a generated site.
    #[must_use]
    pub fn generated(issues: u32, seed: u64) -> Self {
        let site = GeneratedSite { issues, seed, ..GeneratedSite::default() };
        Self { source: SiteSource::Generated(site), ..Self::default() }
    }

    /// A Cloud site over generated issues; `reader@example.com` has an API token and a scoped one.
    #[must_use]
    pub fn cloud(issues: u32, seed: u64) -> Self {
        let reader = Account::new("reader@example.com", "reader-api-token").with_token("reader-scoped-token");
        Self { flavour: Flavour::Cloud, accounts: vec![reader], ..Self::generated(issues, seed) }
    }

    /// The default simulator over recorded issues.
    #[must_use]
    pub fn recorded(path: impl Into<PathBuf>) -> Self {
        Self { source: SiteSource::Recorded(path.into()), ..Self::default() }
    }
}
