//! What to read, as it travels: typed intent. Nothing here is a URL that the agent would call, a method, a header or a
//! body; the agent builds every request itself from a closed list and checks the site against its own list first.

use crate::seal::SealedSecret;
use crate::site::SiteAddress;
use serde::{Deserialize, Serialize};

/// Which Jira to log in to, and as whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionSpec {
    /// The data connection's name, for logs on the premises.
    pub name: String,
    /// Names one of the addresses that the premises permit; the agent looks it up in its own list and uses that entry.
    pub site: SiteAddress,
    /// The Jira account; empty when the credential is a personal access token.
    pub username: String,
    /// How the account logs in.
    pub credential: CredentialKind,
    /// The secret, sealed once for each agent of the uplink.
    pub sealed: Vec<SealedSecret>,
    /// Most requests in flight to this Jira at once.
    pub max_parallel: u32,
}

/// How an account logs in to Jira.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// Username and password.
    Password,
    /// A personal access token (Server and Data Center) or an API token (Cloud).
    ApiToken,
}

/// What a run reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtractionSpec {
    /// Table names; empty means every table.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Everything, or what changed since a watermark.
    pub load: Load,
    /// Project keys; empty means every project that the account sees.
    #[serde(default)]
    pub projects: Vec<String>,
    /// Only issues created at or after this time, UTC milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_from_ms: Option<i64>,
    /// Only issues created before this time, UTC milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_to_ms: Option<i64>,
    /// A condition of the user's own, AND-ed to the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jql: Option<String>,
}

/// Full load or delta load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Load {
    /// All rows; the table is replaced.
    Full,
    /// Rows of issues changed since the watermark.
    Delta {
        /// Jira's clock at which the table was last complete, UTC milliseconds since 1970.
        since_ms: i64,
    },
}
