//! `issue_sprints`: one row a sprint that an issue is or was in.
//!
//! Server and Data Center write a sprint as the text of a Java object, Cloud as an object. What changes in a sprint does not touch its
//! issues: name, state and dates are those of the time when the issue was read, `sprints` has the present ones.

use super::{ChildLists, ColumnSpec, ColumnType, Element, TableSpec, int, made, text, time};

pub(crate) const SPRINT_ID: usize = 1;
pub(crate) const ORDINAL: usize = 2;
pub(crate) const STATE: usize = 4;
pub(crate) const BOARD_ID: usize = 5;
pub(crate) const IS_CURRENT: usize = 10;
pub(crate) const STATE_AS_SENT: usize = 11;

/// `schema.custom` of the field that holds the sprints.
pub(crate) const FIELD: &str = "com.pyxis.greenhopper.jira:gh-sprint";

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issue_sprints",
    key: &["issue_id", "sprint_id"],
    source: "issues[].fields: the custom field of type com.pyxis.greenhopper.jira:gh-sprint",
    columns: COLUMNS,
    helpers: HELPERS,
    children: Some(ChildLists {
        element: Element::Sprint,
        key_column: SPRINT_ID,
        ordinal_column: Some(ORDINAL),
        is_distinct: true,
        ..ChildLists::PLAIN
    }),
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    made("issue_id", ColumnType::I64, "id of the issue"),
    int("sprint_id", "id"),
    made("ordinal", ColumnType::I64, "place among the sprints of the issue, from 0"),
    text("name", "name"),
    made("state", ColumnType::Text, "state, in lower case: 'future', 'active' or 'closed'"),
    int("board_id", "rapidViewId"),
    time("start_date", "startDate"),
    time("end_date", "endDate"),
    time("complete_date", "completeDate"),
    text("goal", "goal"),
    made("is_current", ColumnType::Bool, "whether the sprint was not closed"),
];

static HELPERS: &[ColumnSpec] = &[text("state_as_sent", "state")];
