//! Who may do what: groups, their members, the roles of projects. Read only when they are named, since most of it is for administrators.

use super::origin::{Each, Origin};
use super::{ColumnType, TableSpec, flag, int, json, made, text};

/// The column of the group's id.
pub(super) const GROUP_ID: usize = 0;
/// Groups asked for at once; Jira gives fewer where its own limit is lower, and says so.
const GROUPS: &str = "10000";
/// Members asked for in one page: Jira's own cap.
const PAGE: u64 = 50;

pub(crate) static GROUPS_TABLE: TableSpec = TableSpec {
    name: "groups",
    key: &["group_id"],
    note: "Server gives no more groups than its property jira.ajax.autocomplete.limit; a warning counts those that are missing.",
    columns: &[made("group_id", ColumnType::Text, "groupId, else name"), text("name", "name")],
    helpers: &[text("id", "groupId")],
    first_of: &[(GROUP_ID, &[2, 1])],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/api/2/groups/picker",
        query: &[("query", ""), ("maxResults", GROUPS)],
        list: "groups",
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static GROUP_MEMBERS: TableSpec = TableSpec {
    name: "group_members",
    key: &["group_id", "user_id"],
    columns: &[
        made("group_id", ColumnType::Text, "id of the group; on Server its name"),
        made("user_id", ColumnType::Text, "key, else name, else accountId"),
        text("user_name", "name"),
        text("display_name", "displayName"),
        flag("active", "active"),
    ],
    helpers: &[text("key", "key"), text("account_id", "accountId")],
    first_of: &[(1, &[5, 2, 6])],
    people: &["user_id", "user_name", "display_name"],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/api/2/group/member",
        query: &[("includeInactiveUsers", "true")],
        each: Each::GroupIn("groupname"),
        page: Some(PAGE),
        of_column: Some(GROUP_ID),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static ROLE_ACTORS: TableSpec = TableSpec {
    name: "role_actors",
    key: &["project_id", "role_id", "actor_id"],
    note: "On Server a user is named by the login name, on Cloud by user_id.",
    columns: &[
        made("project_id", ColumnType::I64, "id of the project"),
        made("role_id", ColumnType::I64, "id of the role"),
        int("actor_id", "id"),
        text("type", "type"),
        text("name", "name"),
        text("display_name", "displayName"),
        text("user_id", "actorUser.accountId"),
        text("group_id", "actorGroup.groupId"),
    ],
    people: &["name", "display_name", "user_id"],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/api/2/project/{id}/role/{second}",
        each: Each::ProjectRole,
        list: "actors",
        of_column: Some(0),
        second_column: Some(1),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static APPLICATION_ROLES: TableSpec = TableSpec {
    name: "application_roles",
    key: &["application_key"],
    columns: &[
        text("application_key", "key"),
        text("name", "name"),
        json("groups", "groups"),
        json("default_groups", "defaultGroups"),
        flag("selected_by_default", "selectedByDefault"),
        int("number_of_seats", "numberOfSeats"),
        int("remaining_seats", "remainingSeats"),
        int("user_count", "userCount"),
        flag("has_unlimited_seats", "hasUnlimitedSeats"),
    ],
    is_default: false,
    origin: Some(Origin { path: "/rest/api/2/applicationrole", ..Origin::LIST }),
    ..TableSpec::PLAIN
};
