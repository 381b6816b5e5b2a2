//! How projects are set up. Few accounts but those of administrators may read it: these tables are read only when they are named.

use super::origin::{Each, Origin};
use super::{ColumnType, TableSpec, flag, int, json, made, refs, text, time};

/// Schemes asked for in one page: Jira's own cap.
const PAGE: u64 = 50;

pub(crate) static PERMISSION_SCHEMES: TableSpec = TableSpec {
    name: "permission_schemes",
    key: &["scheme_id"],
    columns: &[int("scheme_id", "id"), text("name", "name"), text("description", "description")],
    is_default: false,
    origin: Some(Origin { path: "/rest/api/2/permissionscheme", list: "permissionSchemes", ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static PERMISSION_GRANTS: TableSpec = TableSpec {
    name: "permission_grants",
    key: &["scheme_id", "grant_id"],
    columns: &[
        made("scheme_id", ColumnType::I64, "id of the permission scheme"),
        int("grant_id", "id"),
        text("permission", "permission"),
        text("holder_type", "holder.type"),
        text("holder", "holder.parameter"),
        text("holder_value", "holder.value"),
    ],
    people: &["holder", "holder_value"],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/api/2/permissionscheme/{id}/permission",
        each: Each::PermissionScheme,
        list: "permissions",
        of_column: Some(0),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static NOTIFICATION_SCHEMES: TableSpec = TableSpec {
    name: "notification_schemes",
    key: &["scheme_id"],
    columns: &[int("scheme_id", "id"), text("name", "name"), text("description", "description")],
    is_default: false,
    origin: Some(Origin { path: "/rest/api/2/notificationscheme", page: Some(PAGE), ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static ISSUE_TYPE_SCHEMES: TableSpec = TableSpec {
    name: "issue_type_schemes",
    key: &["scheme_id"],
    note: "Jira Cloud does not list the issue types of a scheme here.",
    columns: &[
        int("scheme_id", "id"),
        text("name", "name"),
        text("description", "description"),
        int("default_issue_type_id", "defaultIssueType.id|defaultIssueTypeId"),
        flag("is_default", "isDefault"),
        refs("issue_types", "issueTypes"),
    ],
    is_default: false,
    origin: Some(Origin { path: "/rest/api/2/issuetypescheme", list: "schemes", ..Origin::LIST }),
    ..TableSpec::PLAIN
};

/// The columns of the id and of the name of a workflow.
const WORKFLOW_ID: usize = 0;
const WORKFLOW_NAME: usize = 1;
/// The place of the first cell that no part holds.
const WORKFLOW_ID_AS_SENT: usize = 10;

pub(crate) static WORKFLOWS: TableSpec = TableSpec {
    name: "workflows",
    key: &["workflow_id"],
    columns: &[
        made("workflow_id", ColumnType::Text, "id, else name"),
        text("name", "name"),
        text("description", "description"),
        flag("is_default", "default"),
        flag("is_editable", "isEditable"),
        int("steps", "steps"),
        int("scope_project_id", "scope.project.id"),
        time("created", "created"),
        time("updated", "updated"),
        json("statuses", "statuses"),
    ],
    helpers: &[text("id", "id")],
    first_of: &[(WORKFLOW_ID, &[WORKFLOW_ID_AS_SENT, WORKFLOW_NAME])],
    is_default: false,
    origin: Some(Origin { path: "/rest/api/2/workflow", ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static WORKFLOW_SCHEMES: TableSpec = TableSpec {
    name: "workflow_schemes",
    key: &["project_id"],
    columns: &[
        made("project_id", ColumnType::I64, "id of the project that uses the scheme"),
        int("scheme_id", "id|workflowScheme.id"),
        text("name", "name|workflowScheme.name"),
        text("description", "description|workflowScheme.description"),
        text("default_workflow", "defaultWorkflow|workflowScheme.defaultWorkflow"),
        json("issue_type_mappings", "issueTypeMappings|workflowScheme.issueTypeMappings"),
    ],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/api/2/project/{id}/workflowscheme",
        each: Each::Project,
        list: Origin::ITSELF,
        of_column: Some(0),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static SCREENS: TableSpec = TableSpec {
    name: "screens",
    key: &["screen_id"],
    columns: &[
        int("screen_id", "id"),
        text("name", "name"),
        text("description", "description"),
        int("scope_project_id", "scope.project.id"),
    ],
    is_default: false,
    origin: Some(Origin { path: "/rest/api/2/screens", page: Some(100), ..Origin::LIST }),
    ..TableSpec::PLAIN
};
