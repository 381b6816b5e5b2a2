//! `issue_subtasks`: one row a sub-task.
//!
//! The rows come from the sub-tasks, not from the list that their parent shows: Jira does not touch a parent whose list of sub-tasks grows, so a
//! delta load would miss it.

use super::{ColumnSpec, ColumnType, TableSpec, made};

pub(crate) const ISSUE_KEY: usize = 1;
pub(crate) const PARENT_ID: usize = 2;
pub(crate) const PARENT_KEY: usize = 3;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_subtasks",
    key: &["issue_id"],
    source: "issues[] whose fields.issuetype.subtask is true",
    columns: COLUMNS,
    asks: &["issuetype", "parent"],
    varied: &["issue_id", "issue_key"],
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the sub-task"),
    made("issue_key", ColumnType::Text, "key of the sub-task"),
    made("parent_id", ColumnType::I64, "fields.parent.id"),
    made("parent_key", ColumnType::Text, "fields.parent.key"),
];
