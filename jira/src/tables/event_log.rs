//! `event_log`: one row an event of an issue's life, ready for process mining; derived from the issue's other rows.

use super::{ColumnSpec, ColumnType, Table, TableSpec, made, user};

pub(crate) const ISSUE_ID: usize = 0;
pub(crate) const EVENT_ID: usize = 1;
pub(crate) const CASE_ID: usize = 2;
pub(crate) const ACTIVITY: usize = 3;
pub(crate) const TIMESTAMP: usize = 4;
pub(crate) const RESOURCE: usize = 5;
pub(crate) const SOURCE: usize = 6;
pub(crate) const FIELD: usize = 7;
pub(crate) const FIELD_TYPE: usize = 8;
pub(crate) const OLD_ID: usize = 9;
pub(crate) const OLD_VALUE: usize = 10;
pub(crate) const NEW_ID: usize = 11;
pub(crate) const NEW_VALUE: usize = 12;
pub(crate) const HISTORY_ID: usize = 13;
pub(crate) const ITEM_INDEX: usize = 14;
pub(crate) const PROJECT_KEY: usize = 15;
pub(crate) const ISSUE_TYPE_NAME: usize = 16;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "event_log",
    key: &["issue_id", "event_id"],
    source: "derived from issues, issue_changelog, issue_comments and issue_worklogs",
    columns: COLUMNS,
    varied: &["event_id", "case_id", "history_id"],
    issue_column: ISSUE_ID,
    derived_from: &[Table::Issues, Table::IssueChangelog, Table::IssueComments, Table::IssueWorklogs],
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the issue"),
    made(
        "event_id",
        ColumnType::Text,
        "'created', 'change/HISTORY/ITEM', 'comment/COMMENT' or 'worklog/WORKLOG', by the ids of the other tables",
    ),
    made("case_id", ColumnType::Text, "key of the issue"),
    made(
        "activity",
        ColumnType::Text,
        "'Created', the new status, 'FIELD changed', 'Comment added' or 'Work logged'",
    ),
    made(
        "timestamp",
        ColumnType::Timestamp,
        "when the issue, history entry, comment or work log entry was created",
    ),
    user("resource", "creator of the issue, or author of the history entry, comment or work log entry"),
    made("source", ColumnType::Text, "'create', 'change', 'comment' or 'worklog'"),
    made("field", ColumnType::Text, "the changed field, in the history's own word"),
    made("field_type", ColumnType::Text, "'jira' or 'custom', as the history says"),
    made("old_id", ColumnType::Text, "issue_changelog.from_id"),
    made("old_value", ColumnType::Text, "issue_changelog.from_text, its first 255 characters"),
    made("new_id", ColumnType::Text, "issue_changelog.to_id"),
    made("new_value", ColumnType::Text, "issue_changelog.to_text, its first 255 characters"),
    made("history_id", ColumnType::I64, "issue_changelog.history_id"),
    made("item_index", ColumnType::I64, "issue_changelog.item_index"),
    made("project_key", ColumnType::Text, "issues.project_key, as it is now"),
    made("issue_type_name", ColumnType::Text, "issues.type_name, as it is now"),
];
