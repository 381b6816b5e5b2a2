//! `issue_components`: one row a component of an issue.

use super::{ChildLists, ColumnSpec, ColumnType, TableSpec, int, made, text};

pub(crate) const COMPONENT_ID: usize = 1;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_components",
    key: &["issue_id", "component_id"],
    source: "issues[].fields.components[]",
    columns: COLUMNS,
    children: Some(ChildLists {
        members: &["fields.components"],
        key_column: COMPONENT_ID,
        is_distinct: true,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] =
    &[made("issue_id", ColumnType::I64, "id of the issue"), int("component_id", "id"), text("name", "name")];
