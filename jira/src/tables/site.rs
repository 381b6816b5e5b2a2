//! What the site says of itself, and what belongs to fields and boards without being an issue. Read only when it is named.

use super::origin::{Each, Origin, Paging};
use super::{ColumnType, TableSpec, flag, float, int, json, made, text, time, user};

/// The columns of field and context.
pub(super) const FIELD_ID: usize = 0;
pub(super) const CONTEXT_ID: usize = 1;

pub(crate) static SERVER_INFO: TableSpec = TableSpec {
    name: "server_info",
    key: &["base_url"],
    columns: &[
        text("base_url", "baseUrl"),
        text("title", "serverTitle"),
        text("version", "version"),
        int("build_number", "buildNumber"),
        time("build_date", "buildDate"),
        text("deployment_type", "deploymentType"),
        text("revision", "scmInfo"),
        time("server_time", "serverTime"),
        text("time_zone", "serverTimeZone"),
    ],
    is_default: false,
    origin: Some(Origin { path: "/rest/api/2/serverInfo", list: Origin::ITSELF, ..Origin::LIST }),
    ..TableSpec::PLAIN
};

pub(crate) static CONFIGURATION: TableSpec = TableSpec {
    name: "configuration",
    key: &["ordinal"],
    columns: &[
        made("ordinal", ColumnType::I64, "0: there is one row"),
        flag("time_tracking_enabled", "timeTrackingEnabled"),
        float("working_hours_per_day", "timeTrackingConfiguration.workingHoursPerDay"),
        float("working_days_per_week", "timeTrackingConfiguration.workingDaysPerWeek"),
        text("time_format", "timeTrackingConfiguration.timeFormat"),
        text("default_unit", "timeTrackingConfiguration.defaultUnit"),
        flag("voting_enabled", "votingEnabled"),
        flag("watching_enabled", "watchingEnabled"),
        flag("unassigned_issues_allowed", "unassignedIssuesAllowed"),
        flag("sub_tasks_enabled", "subTasksEnabled"),
        flag("issue_linking_enabled", "issueLinkingEnabled"),
        flag("attachments_enabled", "attachmentsEnabled"),
    ],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/api/2/configuration",
        list: Origin::ITSELF,
        ordinal_column: Some(0),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static LABELS: TableSpec = TableSpec {
    name: "labels",
    key: &["label"],
    note: "Jira Server lists no labels: there the table is empty, which a warning says, and the labels are the distinct ones of issue_labels.",
    columns: &[text("label", "")],
    varied: &["label"],
    is_default: false,
    ..TableSpec::PLAIN
};

pub(crate) static FIELD_CONTEXTS: TableSpec = TableSpec {
    name: "field_contexts",
    key: &["field_id", "context_id"],
    note: "Jira Server tells nobody: there the table is empty, which a warning says. Fields of team-managed projects have no contexts.",
    columns: &[
        made("field_id", ColumnType::Text, "id of the custom field"),
        int("context_id", "id"),
        text("name", "name"),
        text("description", "description"),
        flag("is_global", "isGlobalContext"),
        flag("is_any_issue_type", "isAnyIssueType"),
    ],
    is_default: false,
    ..TableSpec::PLAIN
};

/// Options asked for in one page.
const OPTIONS: u64 = 1000;

pub(crate) static FIELD_OPTIONS: TableSpec = TableSpec {
    name: "field_options",
    key: &["field_id", "option_id"],
    note: "Data Center tells the options since version 10, of each field those of the context that holds for all projects; older versions answer with \
         \"not found\", which a warning counts. What issues hold is in issue_custom_values.",
    columns: &[
        made("field_id", ColumnType::Text, "id of the custom field"),
        made("context_id", ColumnType::I64, "id of the context"),
        int("option_id", "id"),
        text("value", "value"),
        int("parent_option_id", "optionId"),
        flag("disabled", "disabled"),
        json("children_ids", "childrenIds"),
    ],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/api/2/customFields/{id}/options",
        each: Each::ChoiceField,
        page: Some(OPTIONS),
        paging: Paging::Numbered,
        list: "options",
        of_column: Some(FIELD_ID),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

/// Rows asked for in one page of a resource of Jira Software: more than it gives, which it says.
const PAGE: u64 = 1000;

pub(crate) static EPICS: TableSpec = TableSpec {
    name: "epics",
    key: &["epic_id"],
    columns: &[
        int("epic_id", "id"),
        text("epic_key", "key"),
        text("name", "name"),
        text("summary", "summary"),
        flag("done", "done"),
        text("color", "color.key"),
    ],
    varied: &["epic_key", "name", "summary"],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/agile/1.0/board/{id}/epic",
        each: Each::Board,
        page: Some(PAGE),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

/// The column of an epic's key.
pub(crate) const EPIC_KEY: usize = 1;

pub(crate) static BOARD_CONFIGURATIONS: TableSpec = TableSpec {
    name: "board_configurations",
    key: &["board_id"],
    columns: &[
        int("board_id", "id"),
        text("name", "name"),
        text("type", "type"),
        int("filter_id", "filter.id"),
        text("sub_query", "subQuery.query"),
        text("constraint_type", "columnConfig.constraintType"),
        text("estimation_type", "estimation.type"),
        text("estimation_field_id", "estimation.field.fieldId"),
        int("rank_field_id", "ranking.rankCustomFieldId"),
    ],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/agile/1.0/board/{id}/configuration",
        each: Each::Board,
        list: Origin::ITSELF,
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static BOARD_FILTERS: TableSpec = TableSpec {
    name: "board_filters",
    key: &["board_id"],
    columns: &[
        made("board_id", ColumnType::I64, "id of the board"),
        int("filter_id", "id"),
        text("name", "name"),
        text("description", "description"),
        text("jql", "jql"),
        user("owner_id", "owner"),
    ],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/api/2/filter/{second}",
        each: Each::BoardFilter,
        list: Origin::ITSELF,
        of_column: Some(0),
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

/// Events of the audit log asked for in one page on Server.
const EVENTS: u64 = 1000;

pub(crate) static AUDIT_RECORDS: TableSpec = TableSpec {
    name: "audit_records",
    key: &["record_id"],
    note: "All that Jira still keeps is read in every load. Not read where projects are withheld, since the records name all of them.",
    columns: &[
        made("record_id", ColumnType::Text, "id; on Server, where an event has none, a hash of the event"),
        time("created", "created|timestamp"),
        text("author_id", "authorAccountId|author.id"),
        text("author_name", "author.name"),
        text("category", "category|type.category"),
        text("summary", "summary|type.action"),
        text("description", "description"),
        text("event_source", "eventSource|method"),
        text("remote_address", "remoteAddress|source"),
        json("object", "objectItem|affectedObjects"),
        json("changed_values", "changedValues"),
        json("associated_items", "associatedItems|extraAttributes"),
    ],
    helpers: &[text("id", "id")],
    // The hash that stands for an id is made of people's names too.
    people: &[
        "record_id",
        "author_id",
        "author_name",
        "description",
        "remote_address",
        "object",
        "changed_values",
        "associated_items",
    ],
    varied: &["record_id", "object", "changed_values"],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/auditing/1.0/events",
        page: Some(EVENTS),
        paging: Paging::Offset,
        list: "entities",
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

/// The columns that the id of an audit record is made for and of.
pub(crate) const AUDIT_RECORD_ID: usize = 0;
pub(crate) const AUDIT_RECORD_ID_AS_SENT: usize = 12;
