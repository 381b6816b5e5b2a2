//! Tables of the issues that boards, backlogs and sprints show, in their order. They are as large as the issues that the boards show, so they are
//! read only when they are named.

use super::origin::{Each, Origin};
use super::{ColumnSpec, ColumnType, TableSpec, flag, int, made, text};

/// Rows asked for in one page: more than Jira gives, which it says.
const PAGE: u64 = 1000;
/// Members asked for: an issue of a board shows all of its fields otherwise.
const QUERY: &[(&str, &str)] = &[("fields", "flagged")];

const OF: usize = 0;
const RANK: usize = 2;
/// The place of the issue's key in all of them.
pub(crate) const ISSUE_KEY: usize = 4;

const LIST: Origin = Origin {
    query: QUERY,
    page: Some(PAGE),
    list: "issues",
    of_column: Some(OF),
    ordinal_column: Some(RANK),
    ..Origin::LIST
};

static KEY: &[ColumnSpec] = &[text("issue_key", "key")];

pub(crate) static BOARD_ISSUES: TableSpec = TableSpec {
    name: "board_issues",
    key: &["board_id", "issue_id"],
    source: "GET /rest/agile/1.0/board/{id}/issue: issues[]",
    columns: &[
        made("board_id", ColumnType::I64, "id of the board"),
        int("issue_id", "id"),
        made("rank", ColumnType::I64, "place among the issues of the board, from 0"),
        flag("flagged", "fields.flagged"),
    ],
    helpers: KEY,
    varied: &["issue_id", "rank"],
    is_default: false,
    origin: Some(Origin { path: "/rest/agile/1.0/board/{id}/issue", each: Each::Board, ..LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static BACKLOG_ISSUES: TableSpec = TableSpec {
    name: "backlog_issues",
    key: &["board_id", "issue_id"],
    source: "GET /rest/agile/1.0/board/{id}/backlog: issues[]",
    columns: &[
        made("board_id", ColumnType::I64, "id of the board"),
        int("issue_id", "id"),
        made("rank", ColumnType::I64, "place in the backlog, from 0"),
        flag("flagged", "fields.flagged"),
    ],
    helpers: KEY,
    varied: &["issue_id", "rank"],
    is_default: false,
    origin: Some(Origin { path: "/rest/agile/1.0/board/{id}/backlog", each: Each::Board, ..LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static SPRINT_ISSUES: TableSpec = TableSpec {
    name: "sprint_issues",
    key: &["sprint_id", "issue_id"],
    source: "GET /rest/agile/1.0/sprint/{id}/issue: issues[]",
    columns: &[
        made("sprint_id", ColumnType::I64, "id of the sprint"),
        int("issue_id", "id"),
        made("rank", ColumnType::I64, "place among the issues of the sprint, from 0"),
        flag("flagged", "fields.flagged"),
    ],
    helpers: KEY,
    varied: &["issue_id", "rank"],
    is_default: false,
    origin: Some(Origin { path: "/rest/agile/1.0/sprint/{id}/issue", each: Each::Sprint, ..LIST }),
    ..TableSpec::PLAIN
};
