//! What to read, from where, as whom, and within which bounds.

use crate::client::addresses::Addresses;
use crate::client::pace::Pace;
use crate::columns::Columns;
use crate::jql::UserClause;
use crate::mask::{MaskError, Masks};
use crate::tables::Table;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use url::Url;

/// The Jira to read.
#[derive(Clone, Debug)]
pub struct Site {
    /// Base address with the context path, without trailing slash, query or user info.
    pub base_url: Url,
    /// Certificates (PEM) trusted besides the system's.
    pub extra_root_pem: Option<Vec<u8>>,
    /// What lies on the way.
    pub way: Way,
}

/// What lies on the way to a Jira. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// A proxy; none by default, whatever the environment says.
    pub proxy: Option<Proxy>,
    /// Certificate and private key of this client (PEM, both in one text), for a Jira that wants one.
    pub client_pem: Option<SecretString>,
    /// Where the site's name may lead.
    pub addresses: Addresses,
    /// Replaces the limit of the same name.
    pub connect_timeout: Option<Duration>,
    /// Replaces the limit of the same name.
    pub read_timeout: Option<Duration>,
}

/// A proxy on the way to a Jira.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// `http`, `https` or `socks5h`, host and port.
    pub url: Url,
    /// Account and password.
    pub login: Option<(String, SecretString)>,
}

/// How to log in. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Username and password, sent as Basic without being asked.
    Password {
        /// Login name.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// A personal access token, sent as Bearer.
    Token(SecretString),
    /// A token of an account whose site is not known yet: on Jira Cloud an API token, sent as Basic with the account's e-mail address;
    /// elsewhere a personal access token, sent as Bearer.
    ApiToken {
        /// E-mail address of the account; may be empty where the token alone tells whose it is.
        username: String,
        /// Token.
        token: SecretString,
    },
}

/// Bounds of one client.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most requests in flight at once, over all users of the client. At least 1.
    pub max_parallel: usize,
    /// Longest wait for a TCP and TLS connection.
    pub connect_timeout: Duration,
    /// Longest silence while waiting for an answer or its next bytes.
    pub read_timeout: Duration,
    /// Largest answer, unpacked.
    pub max_page_bytes: usize,
    /// Encoded size at which a part is closed.
    pub part_bytes: usize,
    /// At most so many requests a second, shared with whoever holds the same pace.
    pub pace: Option<Pace>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_parallel: 4,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(120),
            max_page_bytes: 64 << 20,
            part_bytes: 4 << 20,
            pace: None,
        }
    }
}

/// Everything, or what changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// All rows; proven complete before the end.
    Full,
    /// Issues updated since the watermark, with all their child rows. Issues deleted since then are *not* found; `Summary::issues_total` lets
    /// the caller notice that there are some.
    Delta {
        /// Where the last load ended.
        watermark: Watermark,
    },
    /// What Jira no longer shows leaves the tables, what it shows again comes back, whatever `updated` says. The spec must be as narrow as
    /// that of the load that filled the tables: what it does not ask for counts as gone.
    Sweep {
        /// Where the last load ended.
        watermark: Watermark,
        /// How closely it looks.
        depth: SweepDepth,
        /// Whether what changed since the watermark is read first, as by a delta load.
        delta: bool,
    },
}

/// How closely a sweep looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepDepth {
    /// One counting query a slice; ids only where the counts differ.
    Counts,
    /// Every id, and links whose two ends differ.
    EveryId,
}

/// Up to which time, on Jira's own clock, tables are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark {
    /// A whole second; everything updated before it is in the tables.
    pub until: DateTime<Utc>,
}

/// What an extraction reads.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Which tables to fill.
    pub tables: BTreeSet<Table>,
    /// Full or delta load.
    pub mode: Mode,
    /// Only issues of these projects; empty means all.
    pub projects: Vec<ProjectKey>,
    /// Only issues created at or after this time (its whole second).
    pub created_from: Option<DateTime<Utc>>,
    /// Only issues created before this time (its whole second).
    pub created_to: Option<DateTime<Utc>>,
    /// Only issues last updated at or after this time (its whole second).
    pub updated_from: Option<DateTime<Utc>>,
    /// Only issues last updated before this time (its whole second).
    pub updated_to: Option<DateTime<Utc>>,
    /// Which columns come of the tables that it names.
    pub columns: Columns,
    /// Columns that the user wants hashed; what the owner of the Jira masks is in `narrowing`.
    pub pseudonyms: Masks,
    /// A condition of the user's own; checked by [`Spec::check`], put in parentheses, AND-ed to the rest.
    pub jql: Option<String>,
    /// What whoever owns the Jira leaves of all that.
    pub narrowing: Narrowing,
    /// So many rows of each part are shown beside it, for who looks before anything is sent; 0 for a load.
    pub first_rows: usize,
}

/// What the owner of the Jira permits of a spec. Nothing by default is narrowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Narrowing {
    /// Only rows of these projects; empty means all.
    pub permitted_projects: Vec<ProjectKey>,
    /// No rows of these projects.
    pub denied_projects: Vec<ProjectKey>,
    /// Columns that do not leave as they are.
    pub masks: Masks,
}

/// A project key: letters, digits and underscores, starting with a letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectKey(String);

/// Why a spec is refused before anything is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not the form of a project key.
    #[error(
        "`{0}` is no project key: it must start with a letter and hold only letters, digits and underscores"
    )]
    ProjectKey(String),
    /// No table chosen.
    #[error("the extraction names no table; name at least one")]
    NoTable,
    /// The user's JQL could change the meaning of the rest.
    #[error("the JQL of the extraction is refused: {0}")]
    Jql(String),
    /// None of the projects that may be read is there.
    #[error("no project that this account sees is permitted; nothing can be read")]
    NoProjectPermitted,
    /// A table of which the masks leave nothing.
    #[error("the masks leave nothing of the table {0}; leave it out")]
    Masked(Table),
    /// Bounds that no issue can meet.
    #[error("{0}-from is not before {0}-to: no issue can match")]
    EmptyRange(&'static str),
    /// Not the form of a column's name.
    #[error("`{0}` names no column; write TABLE.COLUMN, or the name of a column of issues")]
    ColumnForm(String),
    /// A column of a table that does not exist.
    #[error("`{0}` names a column of a table that does not exist")]
    ColumnOfNoTable(String),
    /// A column of a table that is not read.
    #[error("columns of {0} are chosen, but the extraction does not read that table")]
    ColumnOfOtherTable(Table),
    /// A column that does not exist.
    #[error("table {table} has no column `{name}`{}", nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Column {
        /// The table.
        table: Table,
        /// The column.
        name: String,
        /// The column that was probably meant.
        nearest: Option<String>,
    },
    /// More columns than any Jira has.
    #[error("more than {0} columns are chosen; leave the choice out to get all of them")]
    TooManyColumns(usize),
    /// Not a rule that can be carried out.
    #[error("the pseudonyms of the extraction are refused: {0}")]
    Pseudonyms(#[from] MaskError),
}

/// Longest project key Jira allows.
const PROJECT_KEY_MAX: usize = 255;

impl ProjectKey {
    /// Takes a key as typed by a person.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let text = text.trim();
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if starts_well && plain && text.len() <= PROJECT_KEY_MAX {
            return Ok(Self(text.to_owned()));
        }
        Err(SpecError::ProjectKey(text.chars().take(64).collect()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Watermark {
    /// From epoch milliseconds, cut to the whole second; `None` outside the calendar.
    pub fn from_epoch_ms(ms: i64) -> Option<Self> {
        DateTime::from_timestamp(ms.div_euclid(1000), 0).map(|until| Self { until })
    }

    /// As epoch milliseconds.
    pub fn epoch_ms(self) -> i64 {
        self.until.timestamp().saturating_mul(1000)
    }
}

impl Narrowing {
    /// Whether projects are narrowed.
    pub(crate) fn has_projects(&self) -> bool {
        !self.permitted_projects.is_empty() || !self.denied_projects.is_empty()
    }

    /// Whether rows of a project may leave.
    pub fn permits_project(&self, key: &str) -> bool {
        let listed =
            |keys: &[ProjectKey]| keys.iter().any(|listed| listed.as_str().eq_ignore_ascii_case(key));
        (self.permitted_projects.is_empty() || listed(&self.permitted_projects))
            && !listed(&self.denied_projects)
    }

    /// As [`Self::permits_project`], for a row that may not say its project.
    pub(crate) fn permits_row_of(&self, key: Option<&str>) -> bool {
        !self.has_projects() || key.is_some_and(|key| self.permits_project(key))
    }
}

/// Refuses a condition that could escape its parentheses or that orders its issues, before any Jira is asked.
///
/// # Errors
/// With what is wrong in it.
pub fn check_jql(text: &str) -> Result<(), SpecError> {
    UserClause::parse(text).map(drop)
}

impl Spec {
    /// All that these tables hold.
    pub fn all(tables: impl IntoIterator<Item = Table>, mode: Mode) -> Self {
        Self {
            tables: tables.into_iter().collect(),
            mode,
            projects: Vec::new(),
            created_from: None,
            created_to: None,
            updated_from: None,
            updated_to: None,
            columns: Columns::default(),
            pseudonyms: Masks::default(),
            jql: None,
            narrowing: Narrowing::default(),
            first_rows: 0,
        }
    }

    /// Refuses what no Jira needs to be asked about: no table, an empty time range, JQL that could escape its parentheses.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.tables.is_empty() {
            return Err(SpecError::NoTable);
        }
        let masks = self.masks();
        if let Some(table) = self.tables.iter().find(|table| masks.excludes(**table)) {
            return Err(SpecError::Masked(*table));
        }
        if let Some(table) = self.columns.tables().find(|table| !self.tables.contains(table)) {
            return Err(SpecError::ColumnOfOtherTable(table));
        }
        for (name, from, to) in
            [("created", self.created_from, self.created_to), ("updated", self.updated_from, self.updated_to)]
        {
            if from.zip(to).is_some_and(|(from, to)| from.timestamp() >= to.timestamp()) {
                return Err(SpecError::EmptyRange(name));
            }
        }
        self.jql.as_deref().map_or(Ok(()), check_jql)
    }

    /// All masks of a run: those of the owner of the Jira come first.
    pub(crate) fn masks(&self) -> Masks {
        self.narrowing.masks.clone().and(self.pseudonyms.clone())
    }

    /// Whether any table is filled from issues.
    pub(crate) fn reads_issues(&self) -> bool {
        self.tables.iter().any(|table| table.is_issue_table())
    }
}
