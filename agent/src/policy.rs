//! What the premises permit. Everything that comes over the link is hostile until it passed here: this is the only place where the
//! wire's spec becomes a spec of the engine, and the address that is called comes from the permitted list, never from the wire.

pub(crate) mod hours;
mod mask_key;
mod premises;
mod rules;
pub(crate) mod volume;
mod way;

pub(crate) use mask_key::MaskKey;
#[cfg(test)]
pub(crate) use premises::LocalAccount;
pub(crate) use premises::{LocalSecret, PermittedSite, gather, parse_given, remember};
pub(crate) use rules::{Decision, Rules};

use crate::config::{Limits, Requests};
use chrono::{DateTime, Utc};
use jira::{Columns, Masks, Mode, ProjectKey, Site, Spec, SpecError, SweepDepth, Table, Watermark};
use protocol::control::Failure;
use protocol::site::SiteAddress;
use protocol::spec::{ConnectionSpec, ExtractionSpec, Load};
use std::collections::BTreeSet;
use std::time::Duration;
use url::Url;

/// Most projects that one extraction may name.
const MAX_PROJECTS: usize = 10_000;
/// Longest JQL condition in bytes; Jira itself answers far shorter ones with 414.
const MAX_JQL_BYTES: usize = 8 * 1024;
/// Longest account name in bytes.
const MAX_USERNAME_BYTES: usize = 255;

/// What this agent may read, and how hard.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    sites: Vec<PermittedSite>,
    limits: Limits,
    requests: Requests,
    rules: Rules,
}

/// Why an instruction of the relay is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the agent may not read {site}; it may read {permitted}")]
    Site { site: SiteAddress, permitted: String },
    #[error(
        "the connection's account name is longer than {MAX_USERNAME_BYTES} bytes or holds a control character or a colon"
    )]
    Username,
    #[error("the agent knows no table `{0}`")]
    Table(String),
    #[error("{0}")]
    Project(String),
    #[error("the extraction names {0} projects; at most {MAX_PROJECTS} are allowed")]
    TooManyProjects(usize),
    #[error("{what} = {ms} ms since 1970 is no time that Jira could know")]
    Time { what: &'static str, ms: i64 },
    #[error("the JQL condition is {0} bytes long; at most {MAX_JQL_BYTES} are allowed")]
    JqlLength(usize),
    #[error("{0}")]
    Spec(String),
    #[error("the premises do not permit these tables: {0}")]
    TableNotPermitted(String),
    #[error("the premises do not permit these projects: {0}")]
    ProjectNotPermitted(String),
    #[error("the premises carry out no search condition of the extraction")]
    JqlNotPermitted,
    #[error("the premises do not permit the account `{0}`")]
    Account(String),
}

impl Refusal {
    /// The stable code of the refusal.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Refusal::Site { .. } => "site_not_permitted",
            Refusal::Username => "username_refused",
            Refusal::Table(_) => "table_unknown",
            Refusal::Project(_) | Refusal::TooManyProjects(_) => "project_refused",
            Refusal::Time { .. } => "time_refused",
            Refusal::JqlLength(_) => "jql_refused",
            Refusal::Spec(_) => "extraction_refused",
            Refusal::TableNotPermitted(_) => "table_not_permitted",
            Refusal::ProjectNotPermitted(_) => "project_not_permitted",
            Refusal::JqlNotPermitted => "jql_not_permitted",
            Refusal::Account(_) => "account_not_permitted",
        }
    }

    /// The key of the configuration whose rule it is.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Refusal::Site { .. } => "allow_jira",
            Refusal::TableNotPermitted(_) => "policy.tables",
            Refusal::ProjectNotPermitted(_) => "policy.projects",
            Refusal::JqlNotPermitted => "policy.jql",
            Refusal::Account(_) => "policy.accounts",
            Refusal::Username
            | Refusal::Table(_)
            | Refusal::Project(_)
            | Refusal::TooManyProjects(_)
            | Refusal::Time { .. }
            | Refusal::JqlLength(_)
            | Refusal::Spec(_) => "built into the agent",
        }
    }

    /// The refusal as the relay's user reads it.
    pub(crate) fn failure(&self) -> Failure {
        let hint = match self {
            Refusal::Site { site, .. } => format!(
                "if this agent should read it, permit it on the premises: `uplink-agent run --allow-jira {site}`, or allow_jira in agent.toml; \
                 otherwise correct the connection's address"
            ),
            Refusal::TableNotPermitted(_) | Refusal::ProjectNotPermitted(_) | Refusal::Account(_) => {
                "leave them out, or ask the administrator of the premises; `uplink-agent policy explain` there names the rule".to_owned()
            }
            Refusal::JqlNotPermitted => {
                "extract without --jql, or ask the administrator of the premises: policy.jql in agent.toml".to_owned()
            }
            Refusal::Table(_) => format!("choose from {}, or update the agent", table_names()),
            Refusal::Username => "correct the connection's username".to_owned(),
            Refusal::Project(_) | Refusal::TooManyProjects(_) => {
                "correct the project keys of the extraction".to_owned()
            }
            Refusal::Time { .. } | Refusal::JqlLength(_) | Refusal::Spec(_) => {
                "correct the extraction".to_owned()
            }
        };
        Failure { code: self.code().to_owned(), message: self.to_string(), hint }
    }
}

impl Policy {
    /// A policy that permits exactly `sites`.
    pub(crate) fn new(sites: Vec<PermittedSite>, limits: Limits, requests: Requests) -> Self {
        Self { sites, limits, requests, rules: Rules::default() }
    }

    /// The same under further rules.
    #[must_use]
    pub(crate) fn under(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// A refusal as the journal keeps it.
    pub(crate) fn refused(&self, refusal: &Refusal) -> Decision {
        self.rules.decision(refusal.code(), shortened_line(&refusal.to_string()), 1, refusal.key())
    }

    /// The rules beyond the addresses.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What a run reads: what the relay asks for, narrowed by the rules.
    ///
    /// # Errors
    /// Whatever is unknown, malformed, out of bounds or not permitted.
    pub(crate) fn spec(&self, wire: &ExtractionSpec) -> Result<(Spec, Vec<Decision>), Refusal> {
        self.rules.narrow(engine_spec(wire)?, wire.tables.is_empty())
    }

    /// The addresses that may be read.
    pub(crate) fn sites(&self) -> &[PermittedSite] {
        &self.sites
    }

    /// The permitted entry that a connection names.
    ///
    /// # Errors
    /// When the premises do not permit it, or the account name could not be one.
    pub(crate) fn admit(&self, connection: &ConnectionSpec) -> Result<&PermittedSite, Refusal> {
        let site = self
            .sites
            .iter()
            .find(|permitted| permitted.address == connection.site)
            .ok_or_else(|| Refusal::Site { site: connection.site.clone(), permitted: self.names() })?;
        let name = &connection.username;
        if name.len() > MAX_USERNAME_BYTES || name.contains(|c: char| c.is_control() || c == ':') {
            return Err(Refusal::Username);
        }
        // Without a name the account is the one whose token the premises keep, or nobody knows whose.
        self.rules.admit_account(name)?;
        Ok(site)
    }

    /// The engine's bounds for a connection: the narrower of what the relay asks and what the premises allow.
    pub(crate) fn limits(&self, connection: &ConnectionSpec) -> jira::Limits {
        let most = connection.max_parallel.clamp(1, self.limits.max_parallel);
        let mib = |n: u32| usize::try_from(n).unwrap_or(usize::MAX).saturating_mul(1 << 20);
        jira::Limits {
            max_parallel: usize::try_from(most).unwrap_or(1),
            connect_timeout: Duration::from_millis(self.requests.connect_timeout_ms),
            read_timeout: Duration::from_millis(self.requests.read_timeout_ms),
            max_page_bytes: mib(self.limits.max_page_mib),
            part_bytes: mib(self.limits.part_mib),
            pace: self.rules.pace(),
        }
    }

    fn names(&self) -> String {
        if self.sites.is_empty() {
            return "no Jira yet".to_owned();
        }
        self.sites.iter().map(|site| site.address.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl PermittedSite {
    /// The site as the engine calls it: built from the permitted entry alone.
    ///
    /// # Errors
    /// When the address, which passed the grammar of addresses, is still no URL.
    pub(crate) fn engine_site(&self) -> Result<Site, Refusal> {
        let base_url = Url::parse(self.address.as_str()).map_err(|error| {
            Refusal::Spec(format!("the permitted address {} is no URL: {error}", self.address))
        })?;
        Ok(Site { base_url, extra_root_pem: self.ca_pem.clone(), way: self.way.clone() })
    }
}

/// Turns the wire's extraction into the engine's.
///
/// # Errors
/// Whatever in it is unknown, malformed or out of bounds.
pub(crate) fn engine_spec(wire: &ExtractionSpec) -> Result<Spec, Refusal> {
    if wire.projects.len() > MAX_PROJECTS {
        return Err(Refusal::TooManyProjects(wire.projects.len()));
    }
    if let Some(jql) = wire.jql.as_ref().filter(|jql| jql.len() > MAX_JQL_BYTES) {
        return Err(Refusal::JqlLength(jql.len()));
    }
    let projects = wire.projects.iter().map(|key| ProjectKey::parse(key)).collect::<Result<Vec<_>, _>>();
    let mode = match wire.load {
        Load::Full => Mode::Full,
        Load::Delta { since_ms } => Mode::Delta { watermark: watermark(since_ms)? },
        Load::Sweep { since_ms, every_id, delta } => {
            let depth = if every_id { SweepDepth::EveryId } else { SweepDepth::Counts };
            Mode::Sweep { watermark: watermark(since_ms)?, depth, delta }
        }
    };
    let refused = |error: SpecError| Refusal::Spec(error.to_string());
    let pseudonyms = wire.pseudonyms.as_ref().map_or_else(
        || Ok(Masks::default()),
        |asked| Masks::pseudonyms(asked.columns.iter().map(String::as_str), asked.salt.as_bytes()),
    );
    let spec = Spec {
        projects: projects.map_err(|error| Refusal::Project(error.to_string()))?,
        created_from: wire.created_from_ms.map(|ms| time("created_from", ms)).transpose()?,
        created_to: wire.created_to_ms.map(|ms| time("created_to", ms)).transpose()?,
        updated_from: wire.updated_from_ms.map(|ms| time("updated_from", ms)).transpose()?,
        updated_to: wire.updated_to_ms.map(|ms| time("updated_to", ms)).transpose()?,
        columns: Columns::parse(wire.columns.iter().map(String::as_str)).map_err(refused)?,
        pseudonyms: pseudonyms.map_err(|error| refused(error.into()))?,
        jql: wire.jql.clone(),
        ..Spec::all(tables(&wire.tables)?, mode)
    };
    spec.check().map_err(refused)?;
    Ok(spec)
}

fn watermark(since_ms: i64) -> Result<Watermark, Refusal> {
    Ok(Watermark { until: time("since", since_ms)? })
}

fn tables(names: &[String]) -> Result<BTreeSet<Table>, Refusal> {
    if names.is_empty() {
        return Ok(Table::defaults().collect());
    }
    names.iter().map(|name| Table::parse(name).ok_or_else(|| Refusal::Table(shortened(name)))).collect()
}

fn table_names() -> String {
    Table::all().iter().map(|table| table.name()).collect::<Vec<_>>().join(", ")
}

/// Times from 1970 to 9999, which is what Jira's own date type and JQL can hold.
fn time(what: &'static str, ms: i64) -> Result<DateTime<Utc>, Refusal> {
    const YEAR_10000_MS: i64 = 253_402_300_800_000;
    DateTime::from_timestamp_millis(ms)
        .filter(|_| (0..YEAR_10000_MS).contains(&ms))
        .ok_or(Refusal::Time { what, ms })
}

/// A foreign name, safe to show: short and without control characters.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// A foreign sentence, safe to show: one line of bounded length.
pub(crate) fn shortened_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

#[cfg(test)]
mod tests;
