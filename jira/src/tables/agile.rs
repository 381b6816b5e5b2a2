//! Tables of Jira Software: boards and what they show. A site without it, or an account without a licence, has none of them, which is said.

use super::origin::{Each, Origin};
use super::{ColumnType, TableSpec, int, json, made, text, time};

/// Rows asked for in one page: more than Jira gives, which it says.
const PAGE: u64 = 1000;

/// The members of a board that reading the tables of all boards needs.
pub(crate) const BOARD_PROJECT_KEY: usize = 4;

pub(crate) static BOARDS: TableSpec = TableSpec {
    name: "boards",
    key: &["board_id"],
    columns: &[
        int("board_id", "id"),
        text("name", "name"),
        text("type", "type"),
        int("project_id", "location.projectId"),
        text("project_key", "location.projectKey"),
    ],
    origin: Some(Origin {
        path: "/rest/agile/1.0/board",
        each: Each::SiteOrProject("projectKeyOrId"),
        page: Some(PAGE),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static BOARD_COLUMNS: TableSpec = TableSpec {
    name: "board_columns",
    key: &["board_id", "ordinal"],
    columns: &[
        made("board_id", ColumnType::I64, "id of the board"),
        made("ordinal", ColumnType::I64, "place among the columns of the board, from 0"),
        text("name", "name"),
        int("min", "min"),
        int("max", "max"),
        json("statuses", "statuses"),
    ],
    origin: Some(Origin {
        path: "/rest/agile/1.0/board/{id}/configuration",
        each: Each::Board,
        list: "columnConfig.columns",
        of_column: Some(0),
        ordinal_column: Some(1),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static SPRINTS: TableSpec = TableSpec {
    name: "sprints",
    key: &["sprint_id"],
    columns: &[
        int("sprint_id", "id"),
        int("board_id", "originBoardId"),
        text("name", "name"),
        text("state", "state"),
        time("start_date", "startDate"),
        time("end_date", "endDate"),
        time("complete_date", "completeDate"),
        time("activated_date", "activatedDate"),
        text("goal", "goal"),
    ],
    origin: Some(Origin {
        path: "/rest/agile/1.0/board/{id}/sprint",
        each: Each::ScrumBoard,
        page: Some(PAGE),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};
