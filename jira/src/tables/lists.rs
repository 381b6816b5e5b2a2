//! Tables of the site that are one list.

use super::origin::{Origin, Refused};
use super::{TableSpec, flag, int, text, user};

pub(crate) static LINK_TYPES: TableSpec = TableSpec {
    name: "link_types",
    key: &["link_type_id"],
    columns: &[
        int("link_type_id", "id"),
        text("name", "name"),
        text("inward", "inward"),
        text("outward", "outward"),
    ],
    origin: Some(Origin { path: "/rest/api/2/issueLinkType", list: "issueLinkTypes", ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static STATUS_CATEGORIES: TableSpec = TableSpec {
    name: "status_categories",
    key: &["category_id"],
    columns: &[
        int("category_id", "id"),
        text("category_key", "key"),
        text("name", "name"),
        text("color_name", "colorName"),
    ],
    origin: Some(Origin { path: "/rest/api/2/statuscategory", refused: Refused::Fails, ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static PROJECT_CATEGORIES: TableSpec = TableSpec {
    name: "project_categories",
    key: &["category_id"],
    columns: &[int("category_id", "id"), text("name", "name"), text("description", "description")],
    origin: Some(Origin { path: "/rest/api/2/projectCategory", ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static PROJECT_ROLES: TableSpec = TableSpec {
    name: "project_roles",
    key: &["role_id"],
    columns: &[int("role_id", "id"), text("name", "name"), text("description", "description")],
    origin: Some(Origin { path: "/rest/api/2/role", ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static FILTERS: TableSpec = TableSpec {
    name: "filters",
    key: &["filter_id"],
    columns: &[
        int("filter_id", "id"),
        text("name", "name"),
        text("description", "description"),
        text("jql", "jql"),
        user("owner_id", "owner"),
        flag("favourite", "favourite"),
    ],
    note: "On Server the favourites of the account that reads: Jira lists no others there. The filters of boards are in board_filters.",
    origin: Some(Origin { path: "/rest/api/2/filter/favourite", ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static DASHBOARDS: TableSpec = TableSpec {
    name: "dashboards",
    key: &["dashboard_id"],
    columns: &[
        int("dashboard_id", "id"),
        text("name", "name"),
        text("view", "view"),
        text("description", "description"),
        user("owner_id", "owner"),
    ],
    origin: Some(Origin {
        path: "/rest/api/2/dashboard",
        page: Some(PAGE),
        list: "dashboards",
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

/// Dashboards asked for in one page.
const PAGE: u64 = 1000;
