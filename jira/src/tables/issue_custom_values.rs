//! `issue_custom_values`: one row a value of a custom field that holds several.

use super::{ColumnSpec, ColumnType, TableSpec, made};

pub(crate) const FIELD_ID: usize = 1;
pub(crate) const ORDINAL: usize = 2;
pub(crate) const VALUE_TEXT: usize = 3;
pub(crate) const VALUE_NUM: usize = 4;
pub(crate) const VALUE_TS: usize = 5;
pub(crate) const VALUE_ID: usize = 6;
pub(crate) const VALUE_JSON: usize = 7;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_custom_values",
    key: &["issue_id", "field_id", "ordinal"],
    source: "issues[].fields: custom fields whose schema.type is array or option-with-child, but for sprints",
    columns: COLUMNS,
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the issue"),
    made("field_id", ColumnType::Text, "id of the custom field"),
    made(
        "ordinal",
        ColumnType::I64,
        "place in the list, from 0; of a cascading choice 0 is the parent, 1 the child",
    ),
    made(
        "value_text",
        ColumnType::Text,
        "value, else displayName, else name, of an object; a scalar as text",
    ),
    made("value_num", ColumnType::F64, "a value that is a number"),
    made("value_ts", ColumnType::Timestamp, "a value that is the text of an instant"),
    made("value_id", ColumnType::Text, "id of an object; the user id of a person"),
    made("value_json", ColumnType::Json, "a value that is an object"),
];
