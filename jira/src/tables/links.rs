//! `issue_links`: one row per link of an issue; the issue at the other end has a row of its own.

use super::{ChildLists, ColumnSpec, ColumnType, Element, TableSpec, int, made, text};

pub(crate) const ISSUE_ID: usize = 0;
pub(crate) const LINK_ID: usize = 1;
pub(crate) const DIRECTION: usize = 2;
pub(crate) const PHRASE: usize = 5;
pub(crate) const OTHER_ID: usize = 6;
pub(crate) const OTHER_KEY: usize = 7;
pub(crate) const INWARD_PHRASE: usize = 8;
pub(crate) const OUTWARD_PHRASE: usize = 9;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_links",
    key: &["issue_id", "link_id", "direction"],
    source: "issues[].fields.issuelinks[]",
    columns: COLUMNS,
    helpers: HELPERS,
    varied: &["link_id", "other_issue_id", "other_issue_key"],
    issue_column: ISSUE_ID,
    children: Some(ChildLists {
        members: &["fields.issuelinks"],
        element: Element::Link,
        key_column: LINK_ID,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the issue"),
    int("link_id", "id"),
    made("direction", ColumnType::Text, "'inward' if inwardIssue is present, else 'outward'"),
    int("type_id", "type.id"),
    text("type_name", "type.name"),
    made("phrase", ColumnType::Text, "type.inward or type.outward, by the direction"),
    made("other_issue_id", ColumnType::I64, "inwardIssue.id or outwardIssue.id"),
    made("other_issue_key", ColumnType::Text, "inwardIssue.key or outwardIssue.key"),
];

static HELPERS: &[ColumnSpec] = &[text("inward", "type.inward"), text("outward", "type.outward")];
