//! `issue_versions`: one row a version of an issue and what it is to it.

use super::{ChildLists, ColumnSpec, ColumnType, Roles, TableSpec, int, made, text};

pub(crate) const VERSION_ID: usize = 1;
pub(crate) const ROLE: usize = 2;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_versions",
    key: &["issue_id", "version_id", "role"],
    source: "issues[].fields.fixVersions[] and issues[].fields.versions[]",
    columns: COLUMNS,
    children: Some(ChildLists {
        members: &["fields.fixVersions", "fields.versions"],
        roles: Some(Roles { column: ROLE, names: &["fix", "affects"] }),
        key_column: VERSION_ID,
        is_distinct: true,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the issue"),
    int("version_id", "id"),
    made("role", ColumnType::Text, "'fix' for fixVersions, 'affects' for versions"),
    text("name", "name"),
];
