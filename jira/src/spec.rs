//! What to read.

use crate::columns::Columns;
use crate::fields::IssueSchema;
use crate::jql::UserClause;
use crate::mask::{Masking, Masks, Narrowing};
use crate::project::ProjectKey;
use crate::refused::SpecError;
use crate::tables::Table;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

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
        self.narrowing.masks_with(&self.pseudonyms)
    }

    /// All that is masked and left out, settled for the columns that a site has.
    ///
    /// # Errors
    /// When a column is chosen that the site does not have.
    pub(crate) fn masking(&self, schema: &IssueSchema) -> Result<Masking, SpecError> {
        let unchosen = self.columns.unchosen(schema)?;
        Ok(Masking::settle(self.narrowing.clone(), &self.pseudonyms, unchosen, schema))
    }

    /// Whether any table is filled from issues.
    pub(crate) fn reads_issues(&self) -> bool {
        self.tables.iter().any(|table| table.is_issue_table())
    }
}
