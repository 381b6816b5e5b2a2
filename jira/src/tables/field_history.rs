//! `field_history`: one row per value of a field and the time in which it held, without gaps; derived from the issue's other rows.

use super::{ColumnSpec, ColumnType, Table, TableSpec, made, user};

pub(crate) const ISSUE_ID: usize = 0;
pub(crate) const FIELD_TYPE: usize = 1;
pub(crate) const FIELD: usize = 2;
pub(crate) const ORDINAL: usize = 3;
pub(crate) const VALID_FROM: usize = 4;
pub(crate) const VALID_TO: usize = 5;
pub(crate) const VALUE_ID: usize = 6;
pub(crate) const VALUE_TEXT: usize = 7;
pub(crate) const AUTHOR_ID: usize = 8;
pub(crate) const IS_INITIAL: usize = 9;
pub(crate) const HISTORY_ID: usize = 10;

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "field_history",
    key: &["issue_id", "field_type", "field", "ordinal"],
    source: "derived from issues, issue_changelog and issue_sprints",
    columns: COLUMNS,
    varied: &["history_id"],
    issue_column: ISSUE_ID,
    derived_from: &[Table::Issues, Table::IssueChangelog, Table::IssueSprints],
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the issue"),
    made("field_type", ColumnType::Text, "'jira' for Jira's own fields, 'custom' for the site's"),
    made("field", ColumnType::Text, "the field, named as its column in issues without '_id' or '_name'"),
    made("ordinal", ColumnType::I64, "place among the values of the field in this issue, from 0"),
    made("valid_from", ColumnType::Timestamp, "since when; never before the issue's creation"),
    made("valid_to", ColumnType::Timestamp, "until when, not included; null: it still holds"),
    made("value_id", ColumnType::Text, "id of the value, where it has one; several joined by ', '"),
    made("value_text", ColumnType::Text, "the value, its first 255 characters; several joined by ', '"),
    user("author_id", "who set it: author of the history entry; of an initial value, creator of the issue"),
    made("is_initial", ColumnType::Bool, "whether it held since the creation"),
    made("history_id", ColumnType::I64, "the history entry that set it; null for an initial value"),
];
