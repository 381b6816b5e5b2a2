//! The tables of a site's metadata: one short answer of Jira each, replaced whole by every run.

use super::origin::{Origin, Refused};
use super::{ColumnSpec, ColumnType, TableSpec, flag, int, made, text, user};

pub(crate) const PROJECT_KEY: usize = 1;

/// Users asked for in one page: Jira's own cap.
const USERS_PER_PAGE: u64 = 1000;

pub(crate) const USER_ID: usize = 0;
pub(crate) const USER_NAME: usize = 1;
pub(crate) const USER_KEY: usize = 7;
pub(crate) const USER_ACCOUNT_ID: usize = 8;

pub(crate) const FIELD_ID: usize = 0;
pub(crate) const FIELD_COLUMN_NAME: usize = 6;

pub(crate) static PROJECTS: TableSpec = TableSpec {
    name: "projects",
    key: &["project_id"],
    columns: &[
        int("project_id", "id"),
        text("project_key", "key"),
        text("name", "name"),
        text("description", "description"),
        user("lead_id", "lead"),
        int("category_id", "projectCategory.id"),
        text("category_name", "projectCategory.name"),
        text("project_type", "projectTypeKey"),
        flag("archived", "archived"),
    ],
    varied: &["description"],
    origin: Some(Origin {
        path: "/rest/api/2/project",
        query: &[("expand", "description,lead"), ("includeArchived", "true")],
        refused: Refused::Fails,
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static USERS: TableSpec = TableSpec {
    name: "users",
    key: &["user_id"],
    columns: &[
        made("user_id", ColumnType::Text, "key, else name, else accountId"),
        text("user_name", "name"),
        text("display_name", "displayName"),
        text("email", "emailAddress"),
        flag("active", "active"),
        flag("deleted", "deleted"),
        text("time_zone", "timeZone"),
    ],
    helpers: USER_HELPERS,
    first_of: &[(USER_ID, &[USER_KEY, USER_NAME, USER_ACCOUNT_ID])],
    people: &["user_id", "user_name", "display_name", "email"],
    varied: &["user_id", "user_name", "display_name", "email"],
    origin: Some(Origin {
        path: "/rest/api/2/user/search",
        query: &[("username", "."), ("includeInactive", "true")],
        page: Some(USERS_PER_PAGE),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

static USER_HELPERS: &[ColumnSpec] = &[text("key", "key"), text("account_id", "accountId")];

pub(crate) static STATUSES: TableSpec = TableSpec {
    name: "statuses",
    key: &["status_id"],
    columns: &[
        int("status_id", "id"),
        text("name", "name"),
        text("description", "description"),
        int("category_id", "statusCategory.id"),
        text("category_key", "statusCategory.key"),
        text("category_name", "statusCategory.name"),
    ],
    origin: Some(Origin { path: "/rest/api/2/status", refused: Refused::Fails, ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static PRIORITIES: TableSpec = TableSpec {
    name: "priorities",
    key: &["priority_id"],
    columns: &[
        int("priority_id", "id"),
        text("name", "name"),
        text("description", "description"),
        text("status_color", "statusColor"),
    ],
    origin: Some(Origin { path: "/rest/api/2/priority", refused: Refused::Fails, ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static RESOLUTIONS: TableSpec = TableSpec {
    name: "resolutions",
    key: &["resolution_id"],
    columns: &[int("resolution_id", "id"), text("name", "name"), text("description", "description")],
    origin: Some(Origin { path: "/rest/api/2/resolution", refused: Refused::Fails, ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static ISSUE_TYPES: TableSpec = TableSpec {
    name: "issue_types",
    key: &["issue_type_id"],
    columns: &[
        int("issue_type_id", "id"),
        text("name", "name"),
        text("description", "description"),
        flag("is_subtask", "subtask"),
    ],
    origin: Some(Origin { path: "/rest/api/2/issuetype", refused: Refused::Fails, ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static FIELDS: TableSpec = TableSpec {
    name: "fields",
    key: &["field_id"],
    source: "GET /rest/api/2/field",
    columns: &[
        text("field_id", "id"),
        text("name", "name"),
        flag("is_custom", "custom"),
        text("schema_type", "schema.type"),
        text("schema_items", "schema.items"),
        text("schema_custom", "schema.custom"),
        made("column_name", ColumnType::Text, "the column of issues that the custom field fills"),
    ],
    ..TableSpec::PLAIN
};
