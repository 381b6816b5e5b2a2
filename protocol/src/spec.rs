//! What to read, as it travels: typed intent. Nothing here is a URL that the agent would call, a method, a header or a
//! body; the agent builds every request itself from a closed list and checks the site against its own list first.

use crate::seal::SealedSecret;
use crate::site::SiteAddress;
use serde::{Deserialize, Serialize};
use std::fmt;

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
    /// Only issues last updated at or after this time, UTC milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_from_ms: Option<i64>,
    /// Only issues last updated before this time, UTC milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_to_ms: Option<i64>,
    /// `TABLE.COLUMN`, or a column of `issues`: of the tables named here only these columns and the keys are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Columns whose values leave hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonyms: Option<Pseudonyms>,
}

/// Columns that the user wants pseudonymised before they leave; the rules of the premises hold besides.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pseudonyms {
    /// `TABLE.COLUMN`, `*.COLUMN` or `people`.
    pub columns: Vec<String>,
    /// Hashed before each value, with SHA-256. Whoever holds it can try values, the relay too; against the relay only a rule of the
    /// premises with their own key helps.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub salt: String,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// The name, among an agent's capabilities, of the members of [`ExtractionSpec`] that its first version did not have: an agent without
/// it would skip them and read more than was asked for.
pub const CHOICE: &str = "choice";

impl ExtractionSpec {
    /// Everything that the account sees.
    pub fn all(load: Load) -> Self {
        Self {
            tables: Vec::new(),
            load,
            projects: Vec::new(),
            created_from_ms: None,
            created_to_ms: None,
            jql: None,
            updated_from_ms: None,
            updated_to_ms: None,
            columns: Vec::new(),
            pseudonyms: None,
        }
    }

    /// What an agent must be able to do to read no more than this.
    pub fn needs(&self) -> Option<&'static str> {
        let Self { updated_from_ms, updated_to_ms, columns, pseudonyms, .. } = self;
        let chooses = updated_from_ms.is_some()
            || updated_to_ms.is_some()
            || !columns.is_empty()
            || pseudonyms.is_some();
        chooses.then_some(CHOICE)
    }
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
    /// What Jira no longer shows leaves the tables, what it shows again comes back.
    Sweep {
        /// Jira's clock at which the table was last complete, UTC milliseconds since 1970.
        since_ms: i64,
        /// Whether every id is compared, and not only those of slices whose counts differ.
        every_id: bool,
        /// Whether what changed since is read too, as by a delta load.
        delta: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_an_old_agent_would_read_past_needs_an_agent_that_knows_it() {
        let all = || ExtractionSpec::all(Load::Full);
        let known = ExtractionSpec { jql: Some("a = b".to_owned()), created_from_ms: Some(1), ..all() };
        assert_eq!((all().needs(), known.needs()), (None, None));
        let pseudonyms = Pseudonyms { columns: vec!["people".to_owned()], salt: "hunter2".to_owned() };
        for spec in [
            ExtractionSpec { updated_from_ms: Some(1), ..all() },
            ExtractionSpec { updated_to_ms: Some(1), ..all() },
            ExtractionSpec { columns: vec!["summary".to_owned()], ..all() },
            ExtractionSpec { pseudonyms: Some(pseudonyms), ..all() },
        ] {
            assert_eq!(spec.needs(), Some(CHOICE), "{spec:?}");
            assert!(!format!("{spec:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_is_not_chosen_does_not_travel() {
        let text = serde_json::to_string(&ExtractionSpec::all(Load::Full)).unwrap();
        assert_eq!(text, r#"{"tables":[],"load":{"mode":"full"},"projects":[]}"#);
        assert_eq!(serde_json::from_str::<ExtractionSpec>(&text).unwrap(), ExtractionSpec::all(Load::Full));
    }
}
