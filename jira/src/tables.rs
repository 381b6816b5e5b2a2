//! The catalogue: every table, its key, its columns with their types, and where Jira's answer holds each value.
//!
//! The decoder and the documentation are both built from it, so that they cannot disagree.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

pub(crate) mod changelog;
pub(crate) mod comments;
pub(crate) mod event_log;
pub(crate) mod field_history;
pub(crate) mod issues;
pub(crate) mod links;
pub(crate) mod metadata;
pub(crate) mod worklogs;

/// The pseudo table of the issue ids that a pass has read again or found deleted.
pub(crate) const REPLACED: &str = "_replaced";
/// The only column of [`REPLACED`].
pub(crate) const REPLACED_COLUMN: &str = "issue_id";

/// A table that an extraction can fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// One row an issue, with one column per custom field of the site.
    Issues,
    /// One row a comment.
    IssueComments,
    /// One row a work log entry.
    IssueWorklogs,
    /// One row per changed field of a history entry.
    IssueChangelog,
    /// One row per link and end of it.
    IssueLinks,
    /// One row an event of an issue's life, for process mining.
    EventLog,
    /// One row per value of a field and the time in which it held.
    FieldHistory,
    /// One row a project.
    Projects,
    /// One row a user.
    Users,
    /// One row a status.
    Statuses,
    /// One row a priority.
    Priorities,
    /// One row a resolution.
    Resolutions,
    /// One row an issue type.
    IssueTypes,
    /// One row a field, system or custom.
    Fields,
}

impl Table {
    /// Every table, issue tables first.
    pub fn all() -> &'static [Self] {
        &[
            Self::Issues,
            Self::IssueComments,
            Self::IssueWorklogs,
            Self::IssueChangelog,
            Self::IssueLinks,
            Self::EventLog,
            Self::FieldHistory,
            Self::Projects,
            Self::Users,
            Self::Statuses,
            Self::Priorities,
            Self::Resolutions,
            Self::IssueTypes,
            Self::Fields,
        ]
    }

    /// The table's name in the lake.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The table of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().iter().copied().find(|table| table.name() == name)
    }

    /// Whether its rows belong to an issue: a delta load replaces them issue by issue. The others are replaced whole.
    pub fn is_issue_table(self) -> bool {
        matches!(
            self,
            Self::Issues
                | Self::IssueComments
                | Self::IssueWorklogs
                | Self::IssueChangelog
                | Self::IssueLinks
                | Self::EventLog
                | Self::FieldHistory
        )
    }

    /// The tables whose rows it is derived from; none for a table that an answer of Jira fills.
    pub(crate) fn derived_from(self) -> &'static [Self] {
        const OF_EVENTS: &[Table] =
            &[Table::Issues, Table::IssueChangelog, Table::IssueComments, Table::IssueWorklogs];
        const OF_FIELDS: &[Table] = &[Table::Issues, Table::IssueChangelog];
        if self == Self::EventLog {
            OF_EVENTS
        } else if self == Self::FieldHistory {
            OF_FIELDS
        } else {
            &[]
        }
    }

    /// Whether it is derived from the rows of other tables.
    pub(crate) fn is_derived(self) -> bool {
        !self.derived_from().is_empty()
    }

    /// The columns whose values together occur once in the table; they are never null.
    pub fn key_columns(self) -> &'static [&'static str] {
        self.spec().key
    }

    pub(crate) fn spec(self) -> &'static TableSpec {
        match self {
            Self::Issues => &issues::SPEC,
            Self::IssueComments => &comments::SPEC,
            Self::IssueWorklogs => &worklogs::SPEC,
            Self::IssueChangelog => &changelog::SPEC,
            Self::IssueLinks => &links::SPEC,
            Self::EventLog => &event_log::SPEC,
            Self::FieldHistory => &field_history::SPEC,
            Self::Projects => &metadata::PROJECTS,
            Self::Users => &metadata::USERS,
            Self::Statuses => &metadata::STATUSES,
            Self::Priorities => &metadata::PRIORITIES,
            Self::Resolutions => &metadata::RESOLUTIONS,
            Self::IssueTypes => &metadata::ISSUE_TYPES,
            Self::Fields => &metadata::FIELDS,
        }
    }
}

/// What must be read for a selection: itself, and what its derived tables are made of.
pub(crate) fn read_for(selection: &BTreeSet<Table>) -> BTreeSet<Table> {
    let sources = selection.iter().flat_map(|table| table.derived_from());
    selection.iter().chain(sources).copied().collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// A 64-bit integer.
    I64,
    /// A 64-bit floating-point number.
    F64,
    /// Text as Jira sent it.
    Text,
    /// Text that is compact JSON.
    Json,
    /// True or false.
    Bool,
    /// A day of the calendar.
    Date,
    /// An instant in UTC, in microseconds.
    Timestamp,
}

impl ColumnType {
    /// The type's name in documentation and in a part's metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::I64 => "i64",
            Self::F64 => "f64",
            Self::Text => "text",
            Self::Json => "json",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }
}

/// A table as the catalogue describes it.
#[derive(Clone, Debug)]
pub struct TableInfo {
    /// Which table.
    pub table: Table,
    /// Its key columns.
    pub key: &'static [&'static str],
    /// The answer of Jira that the rows come from, and the place in it.
    pub source: &'static str,
    /// Its fixed columns in order; `issues` has one more per custom field.
    pub columns: Vec<ColumnInfo>,
}

/// A column as the catalogue describes it.
#[derive(Clone, Debug)]
pub struct ColumnInfo {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub column_type: ColumnType,
    /// The member of Jira's JSON that fills it, from the row's object on, or how it is made.
    pub source: String,
}

/// The whole catalogue, for the documentation.
pub fn catalogue() -> Vec<TableInfo> {
    Table::all()
        .iter()
        .map(|&table| {
            let spec = table.spec();
            let columns = spec.columns.iter().map(ColumnSpec::describe).collect();
            TableInfo { table, key: spec.key, source: spec.source, columns }
        })
        .collect()
}

/// One table of the catalogue.
#[derive(Debug)]
pub(crate) struct TableSpec {
    pub(crate) name: &'static str,
    pub(crate) key: &'static [&'static str],
    pub(crate) source: &'static str,
    pub(crate) columns: &'static [ColumnSpec],
    /// Cells that a row needs while it is read and that no part holds.
    pub(crate) helpers: &'static [ColumnSpec],
}

/// How a value becomes a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// The value at the path, by the column's type.
    Value,
    /// The user id of the user object at the path.
    User,
    /// The list at the path, reduced to id and name of each entry.
    Refs,
    /// Made by the decoder; the path is only a description.
    Made,
}

/// One column of the catalogue.
#[derive(Debug)]
pub(crate) struct ColumnSpec {
    pub(crate) name: &'static str,
    pub(crate) column_type: ColumnType,
    /// Members from the row's object on, joined by dots.
    pub(crate) path: &'static str,
    pub(crate) take: Take,
}

impl ColumnSpec {
    fn describe(&self) -> ColumnInfo {
        let source = match self.take {
            Take::Value | Take::Made => self.path.to_owned(),
            Take::User => format!("{} (user id)", self.path),
            Take::Refs => format!("{} (id and name of each)", self.path),
        };
        ColumnInfo { name: self.name, column_type: self.column_type, source }
    }
}

pub(crate) const fn int(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::I64, path, take: Take::Value }
}

pub(crate) const fn text(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Text, path, take: Take::Value }
}

pub(crate) const fn json(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Json, path, take: Take::Value }
}

pub(crate) const fn flag(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Bool, path, take: Take::Value }
}

pub(crate) const fn date(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Date, path, take: Take::Value }
}

pub(crate) const fn time(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Timestamp, path, take: Take::Value }
}

pub(crate) const fn user(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Text, path, take: Take::User }
}

pub(crate) const fn refs(name: &'static str, path: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type: ColumnType::Json, path, take: Take::Refs }
}

pub(crate) const fn made(name: &'static str, column_type: ColumnType, how: &'static str) -> ColumnSpec {
    ColumnSpec { name, column_type, path: how, take: Take::Made }
}

#[cfg(test)]
mod tests;
