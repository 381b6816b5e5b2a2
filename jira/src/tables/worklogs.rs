//! `issue_worklogs`: one row a work log entry.

use super::{
    ChildLists, ColumnSpec, ColumnType, Element, ListFrame, TableSpec, document, int, made, rich, text, time,
    user,
};
use crate::tables::issues;

pub(crate) const ISSUE_ID: usize = 1;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_worklogs",
    key: &["worklog_id"],
    source: "issues[].fields.worklog.worklogs[], or GET /rest/api/2/issue/{id}/worklog where that list is cut",
    cloud_source: "issues[].fields.worklog.worklogs[], or GET /rest/api/3/issue/{id}/worklog where that list is cut",
    columns: COLUMNS,
    varied: &["worklog_id", "comment", "comment_adf"],
    issue_column: ISSUE_ID,
    children: Some(ChildLists {
        members: &["fields.worklog"],
        element: Element::Object,
        frame: Some(ListFrame {
            list: "worklogs",
            what: "work logs",
            unsent: "worklogs_unsent",
            has_resource: true,
        }),
        count_column: Some(issues::WORKLOG_COUNT),
        key_column: 0,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    int("worklog_id", "id"),
    made("issue_id", ColumnType::I64, "id of the issue"),
    user("author_id", "author"),
    user("update_author_id", "updateAuthor"),
    rich("comment", "comment"),
    document("comment_adf", "comment, the document of Jira Cloud"),
    time("started", "started"),
    time("created", "created"),
    time("updated", "updated"),
    int("time_spent_seconds", "timeSpentSeconds"),
    text("visibility_type", "visibility.type"),
    text("visibility_value", "visibility.value"),
];
