//! `issue_comments`: one row a comment.

use super::{
    ChildLists, ColumnSpec, ColumnType, Element, ListFrame, TableSpec, document, int, made, rich, text, time,
    user,
};
use crate::tables::issues;

pub(crate) const ISSUE_ID: usize = 1;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_comments",
    key: &["comment_id"],
    source: "issues[].fields.comment.comments[], or GET /rest/api/2/issue/{id}/comment where that list is cut",
    cloud_source: "issues[].fields.comment.comments[], or GET /rest/api/3/issue/{id}/comment where that list is cut",
    columns: COLUMNS,
    varied: &["comment_id", "body", "body_adf"],
    issue_column: ISSUE_ID,
    children: Some(ChildLists {
        members: &["fields.comment"],
        element: Element::Object,
        frame: Some(ListFrame {
            list: "comments",
            what: "comments",
            unsent: "comments_unsent",
            has_resource: true,
        }),
        count_column: Some(issues::COMMENT_COUNT),
        key_column: 0,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    int("comment_id", "id"),
    made("issue_id", ColumnType::I64, "id of the issue"),
    user("author_id", "author"),
    user("update_author_id", "updateAuthor"),
    rich("body", "body"),
    document("body_adf", "body, the document of Jira Cloud"),
    time("created", "created"),
    time("updated", "updated"),
    text("visibility_type", "visibility.type"),
    text("visibility_value", "visibility.value"),
];
