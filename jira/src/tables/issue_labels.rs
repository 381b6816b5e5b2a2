//! `issue_labels`: one row a label of an issue.

use super::{ChildLists, ColumnSpec, ColumnType, Element, TableSpec, made};

pub(crate) const LABEL: usize = 1;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_labels",
    key: &["issue_id", "label"],
    source: "issues[].fields.labels[]",
    columns: COLUMNS,
    children: Some(ChildLists {
        members: &["fields.labels"],
        element: Element::Text(LABEL),
        key_column: LABEL,
        is_distinct: true,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the issue"),
    made("label", ColumnType::Text, "the label; one that is listed twice is one row"),
];
