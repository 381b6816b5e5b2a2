//! `issue_changelog`: one row per changed field of a history entry.

use super::{ChildLists, ColumnSpec, ColumnType, Element, ListFrame, TableSpec, int, made, text, time, user};
use crate::tables::issues;

pub(crate) const ISSUE_ID: usize = 0;
pub(crate) const HISTORY_ID: usize = 1;
pub(crate) const ITEM_INDEX: usize = 2;
/// Columns whose value all items of a history share.
pub(crate) const SHARED: &[usize] = &[HISTORY_ID, 3, 4];
/// First of the columns that belong to one item.
pub(crate) const FIRST_OF_ITEM: usize = 5;
/// The changed field, and whether it is one of Jira's own.
pub(crate) const FIELD: usize = FIRST_OF_ITEM;
pub(crate) const FIELD_TYPE: usize = FIRST_OF_ITEM + 2;
/// What stands before the path of a column that belongs to one item.
pub(crate) const ITEM_PATH: &str = "items[].";

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_changelog",
    key: &["issue_id", "history_id", "item_index"],
    source: "issues[].changelog.histories[] (expand=changelog)",
    cloud_source: "POST /rest/api/3/changelog/bulkfetch: issueChangeLogs[].changeHistories[]",
    columns: COLUMNS,
    varied: &["history_id", "from_text", "to_text"],
    issue_column: ISSUE_ID,
    children: Some(ChildLists {
        members: &["changelog"],
        element: Element::History,
        frame: Some(ListFrame {
            list: "histories",
            what: "history",
            unsent: "changelog_unsent",
            has_resource: false,
        }),
        count_column: Some(issues::CHANGELOG_COUNT),
        key_column: HISTORY_ID,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the issue"),
    int("history_id", "id"),
    made("item_index", ColumnType::I64, "place in items, from 0"),
    user("author_id", "author"),
    time("created", "created"),
    text("field", "items[].field"),
    text("field_id", "items[].fieldId"),
    text("field_type", "items[].fieldtype"),
    text("from_id", "items[].from"),
    text("from_text", "items[].fromString"),
    text("to_id", "items[].to"),
    text("to_text", "items[].toString"),
];
