//! The catalogue: every table, its key, its columns with their types, and where Jira's answer holds each value.
//!
//! The decoder and the documentation are both built from it, so that they cannot disagree.

pub(crate) use child_lists::{ChildLists, Element, ListFrame, Roles};
pub use column::ColumnType;
pub(crate) use column::{
    ColumnSpec, Take, date, document, flag, int, json, made, refs, rich, text, time, user,
};
use of_issue::OfIssue;
use origin::Origin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

pub(crate) mod agile;
pub(crate) mod agile_issues;
pub(crate) mod changelog;
pub(crate) mod child_lists;
pub(crate) mod column;
pub(crate) mod comments;
pub(crate) mod event_log;
pub(crate) mod field_history;
pub(crate) mod issue_attachments;
pub(crate) mod issue_components;
pub(crate) mod issue_custom_values;
pub(crate) mod issue_labels;
pub(crate) mod issue_sprints;
pub(crate) mod issue_subtasks;
pub(crate) mod issue_versions;
pub(crate) mod issues;
pub(crate) mod left_out;
pub(crate) mod links;
pub(crate) mod lists;
pub(crate) mod metadata;
pub(crate) mod of_issue;
pub(crate) mod origin;
pub(crate) mod projects;
pub(crate) mod service_desk;
pub(crate) mod worklogs;

/// The pseudo table of the issue ids that a pass has read again or found deleted.
pub(crate) const REPLACED: &str = "_replaced";
/// The only column of [`REPLACED`].
pub(crate) const REPLACED_COLUMN: &str = "issue_id";

macro_rules! tables {
    (
        issues { $($(#[doc = $issue_doc:literal])+ $issue:ident => $issue_spec:path,)+ }
        metadata { $($(#[doc = $site_doc:literal])+ $site:ident => $site_spec:path,)+ }
    ) => {
        /// A table that an extraction can fill.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Table {
            $($(#[doc = $issue_doc])+ $issue,)+
            $($(#[doc = $site_doc])+ $site,)+
        }

        /// Tables whose rows belong to an issue; they come first in the enum.
        const ISSUE_TABLES: &[Table] = &[$(Table::$issue),+];

        impl Table {
            /// Every table, issue tables first.
            pub fn all() -> &'static [Self] {
                &[$(Self::$issue,)+ $(Self::$site,)+]
            }

            pub(crate) fn spec(self) -> &'static TableSpec {
                match self {
                    $(Self::$issue => &$issue_spec,)+
                    $(Self::$site => &$site_spec,)+
                }
            }
        }
    };
}

tables! {
    issues {
        /// One row an issue, with one column per custom field of the site.
        Issues => issues::SPEC,
        /// One row a comment.
        IssueComments => comments::SPEC,
        /// One row a work log entry.
        IssueWorklogs => worklogs::SPEC,
        /// One row per changed field of a history entry.
        IssueChangelog => changelog::SPEC,
        /// One row per link and end of it.
        IssueLinks => links::SPEC,
        /// One row an event of an issue's life, for process mining.
        EventLog => event_log::SPEC,
        /// One row per value of a field and the time in which it held.
        FieldHistory => field_history::SPEC,
        /// One row a sprint that an issue is or was in.
        IssueSprints => issue_sprints::SPEC,
        /// One row a label of an issue.
        IssueLabels => issue_labels::SPEC,
        /// One row a component of an issue.
        IssueComponents => issue_components::SPEC,
        /// One row a version of an issue and what it is to it.
        IssueVersions => issue_versions::SPEC,
        /// One row an attachment, without its content.
        IssueAttachments => issue_attachments::SPEC,
        /// One row a sub-task.
        IssueSubtasks => issue_subtasks::SPEC,
        /// One row a value of a custom field that holds several.
        IssueCustomValues => issue_custom_values::SPEC,
        /// One row a link of an issue to something outside of Jira.
        IssueRemoteLinks => of_issue::REMOTE_LINKS,
        /// One row a person who watches an issue.
        IssueWatchers => of_issue::WATCHERS,
        /// One row a person who voted for an issue.
        IssueVotes => of_issue::VOTES,
        /// One row a property that a plugin keeps with an issue.
        IssueProperties => of_issue::PROPERTIES,
        /// One row a transition that the account which reads could make.
        IssueTransitions => of_issue::TRANSITIONS,
        /// One row a customer request of Jira Service Management.
        JsmRequests => service_desk::REQUESTS,
        /// One row a cycle of an SLA of a customer request.
        JsmSlaCycles => service_desk::SLA_CYCLES,
    }
    metadata {
        /// One row a project.
        Projects => metadata::PROJECTS,
        /// One row a user.
        Users => metadata::USERS,
        /// One row a status.
        Statuses => metadata::STATUSES,
        /// One row a priority.
        Priorities => metadata::PRIORITIES,
        /// One row a resolution.
        Resolutions => metadata::RESOLUTIONS,
        /// One row an issue type.
        IssueTypes => metadata::ISSUE_TYPES,
        /// One row a field, system or custom.
        Fields => metadata::FIELDS,
        /// One row a component of a project.
        Components => projects::COMPONENTS,
        /// One row a version of a project.
        Versions => projects::VERSIONS,
        /// One row a security level that a project offers.
        SecurityLevels => projects::SECURITY_LEVELS,
        /// One row a type of links.
        LinkTypes => lists::LINK_TYPES,
        /// One row a category of statuses.
        StatusCategories => lists::STATUS_CATEGORIES,
        /// One row a category of projects.
        ProjectCategories => lists::PROJECT_CATEGORIES,
        /// One row a role that people have in projects.
        ProjectRoles => lists::PROJECT_ROLES,
        /// One row a board of Jira Software.
        Boards => agile::BOARDS,
        /// One row a column of a board.
        BoardColumns => agile::BOARD_COLUMNS,
        /// One row a sprint.
        Sprints => agile::SPRINTS,
        /// One row an issue of a board, in the order of the board.
        BoardIssues => agile_issues::BOARD_ISSUES,
        /// One row an issue of a backlog, in its order.
        BacklogIssues => agile_issues::BACKLOG_ISSUES,
        /// One row an issue of a sprint.
        SprintIssues => agile_issues::SPRINT_ISSUES,
        /// One row a service desk.
        ServiceDesks => service_desk::DESKS,
        /// One row a type of customer requests that a service desk offers.
        RequestTypes => service_desk::REQUEST_TYPES,
        /// One row an organisation of customers and service desk that serves it.
        JsmOrganizations => service_desk::ORGANIZATIONS,
        /// One row a queue of a service desk.
        Queues => service_desk::QUEUES,
        /// One row a favourite filter of the account that reads.
        Filters => lists::FILTERS,
        /// One row a dashboard that the account sees.
        Dashboards => lists::DASHBOARDS,
    }
}

impl Table {
    /// The tables that an extraction reads which names none.
    pub fn defaults() -> impl Iterator<Item = Self> {
        Self::all().iter().copied().filter(|table| table.is_default())
    }

    /// Whether an extraction that names no table reads it. Others cost a request per issue, or ask for rights that few accounts have.
    pub fn is_default(self) -> bool {
        self.spec().is_default
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
        self.place() < ISSUE_TABLES.len()
    }

    /// The columns whose values together occur once in the table; they are never null.
    pub fn key_columns(self) -> &'static [&'static str] {
        self.spec().key
    }

    /// Its place among all tables; those of issues come first.
    fn place(self) -> usize {
        self as usize
    }

    /// The tables whose rows belong to an issue, without `issues` itself.
    pub(crate) fn of_issues() -> impl Iterator<Item = Self> {
        ISSUE_TABLES.iter().copied().filter(|table| *table != Self::Issues)
    }

    /// Whether its rows are derived from those of other tables: no answer of Jira holds them.
    pub(crate) fn is_derived(self) -> bool {
        !self.spec().derived_from.is_empty()
    }

    /// The tables whose rows come from a resource of each issue.
    pub(crate) fn of_each_issue() -> impl Iterator<Item = (Self, &'static OfIssue)> {
        ISSUE_TABLES.iter().filter_map(|&table| Some((table, table.spec().of_issue.as_ref()?)))
    }

    /// The tables whose rows are lists of each issue.
    pub(crate) fn children() -> impl Iterator<Item = (Self, &'static ChildLists)> {
        ISSUE_TABLES.iter().filter_map(|&table| Some((table, table.spec().children.as_ref()?)))
    }
}

/// A value for each table of issues, found by the table's place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByIssueTable<T>([T; ISSUE_TABLES.len()]);

impl<T> ByIssueTable<T> {
    pub(crate) fn from_fn(mut value: impl FnMut(Table) -> T) -> Self {
        Self(std::array::from_fn(|place| value(ISSUE_TABLES[place])))
    }

    /// The value of a table; `None` for a table of the site's metadata.
    pub(crate) fn of(&self, table: Table) -> Option<&T> {
        self.0.get(table.place())
    }

    pub(crate) fn of_mut(&mut self, table: Table) -> Option<&mut T> {
        self.0.get_mut(table.place())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Table, &T)> {
        ISSUE_TABLES.iter().copied().zip(&self.0)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Table, &mut T)> {
        ISSUE_TABLES.iter().copied().zip(&mut self.0)
    }
}

/// What must be read for a selection: itself, and what its derived tables are made of.
pub(crate) fn read_for(selection: &BTreeSet<Table>) -> BTreeSet<Table> {
    let sources = selection.iter().flat_map(|table| table.spec().derived_from);
    selection.iter().chain(sources).copied().collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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
    /// Whether it is read when an extraction names no table.
    pub is_default: bool,
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
            TableInfo { table, key: spec.key, source: spec.source, is_default: spec.is_default, columns }
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
    /// Columns whose values seldom repeat from row to row: a dictionary of them would be as large as they are.
    pub(crate) varied: &'static [&'static str],
    /// See [`Table::is_default`].
    pub(crate) is_default: bool,
    /// For a table of issues: the column of the issue's id.
    pub(crate) issue_column: usize,
    /// Fields that a search must ask for besides those that hold its lists.
    pub(crate) asks: &'static [&'static str],
    /// For a table of the site's metadata: where its rows come from. The fields are read by the run itself.
    pub(crate) origin: Option<Origin>,
    /// For a table whose rows are lists of each issue: where they are.
    pub(crate) children: Option<ChildLists>,
    /// For a table of issues whose rows come from a resource of each issue.
    pub(crate) of_issue: Option<OfIssue>,
    /// What a search must be asked to show besides fields and histories.
    pub(crate) expands: Option<&'static str>,
    /// For a derived table: those that must be read for it.
    pub(crate) derived_from: &'static [Table],
}

impl TableSpec {
    /// What most tables have in common.
    pub(crate) const PLAIN: Self = Self {
        name: "",
        key: &[],
        source: "",
        columns: &[],
        helpers: &[],
        varied: &[],
        is_default: true,
        issue_column: 0,
        asks: &[],
        origin: None,
        children: None,
        of_issue: None,
        expands: None,
        derived_from: &[],
    };
}

#[cfg(test)]
mod tests;
