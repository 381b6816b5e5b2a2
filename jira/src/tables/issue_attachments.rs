//! `issue_attachments`: one row an attachment of an issue, without its content.

use super::{ChildLists, ColumnSpec, ColumnType, TableSpec, int, made, text, time, user};
use crate::tables::issues;

pub(crate) const ISSUE_ID: usize = 1;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_attachments",
    key: &["attachment_id"],
    source: "issues[].fields.attachment[]",
    columns: COLUMNS,
    varied: &["attachment_id", "filename", "size"],
    issue_column: ISSUE_ID,
    children: Some(ChildLists {
        members: &["fields.attachment"],
        count_column: Some(issues::ATTACHMENT_COUNT),
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    int("attachment_id", "id"),
    made("issue_id", ColumnType::I64, "id of the issue"),
    text("filename", "filename"),
    int("size", "size"),
    text("mime_type", "mimeType"),
    user("author_id", "author"),
    time("created", "created"),
];
