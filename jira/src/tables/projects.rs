//! Tables of what belongs to a project.

use super::origin::{Each, Origin};
use super::{ColumnType, TableSpec, date, flag, int, made, text, user};

/// The column of the project's id in all of them.
const PROJECT_ID: usize = 1;

pub(crate) static COMPONENTS: TableSpec = TableSpec {
    name: "components",
    key: &["component_id"],
    columns: &[
        int("component_id", "id"),
        made("project_id", ColumnType::I64, "id of the project"),
        text("name", "name"),
        text("description", "description"),
        user("lead_id", "lead"),
        text("assignee_type", "assigneeType"),
        flag("archived", "archived"),
        flag("deleted", "deleted"),
    ],
    origin: Some(Origin {
        path: "/rest/api/2/project/{id}/components",
        each: Each::Project,
        of_column: Some(PROJECT_ID),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static VERSIONS: TableSpec = TableSpec {
    name: "versions",
    key: &["version_id"],
    columns: &[
        int("version_id", "id"),
        made("project_id", ColumnType::I64, "id of the project"),
        text("name", "name"),
        text("description", "description"),
        flag("released", "released"),
        flag("archived", "archived"),
        flag("overdue", "overdue"),
        date("start_date", "startDate"),
        date("release_date", "releaseDate"),
    ],
    origin: Some(Origin {
        path: "/rest/api/2/project/{id}/versions",
        each: Each::Project,
        of_column: Some(PROJECT_ID),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static SECURITY_LEVELS: TableSpec = TableSpec {
    name: "security_levels",
    key: &["level_id", "project_id"],
    columns: &[
        int("level_id", "id"),
        made("project_id", ColumnType::I64, "id of the project"),
        text("name", "name"),
        text("description", "description"),
    ],
    origin: Some(Origin {
        path: "/rest/api/2/project/{id}/securitylevel",
        each: Each::Project,
        list: "levels",
        of_column: Some(PROJECT_ID),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};
