//! Tables of Jira Service Management. A Jira without it has none of them, which is said.

use super::of_issue::{Answer, OfIssue, Only};
use super::origin::{Each, Origin, Paging};
use super::{
    ChildLists, ColumnSpec, ColumnType, Element, TableSpec, flag, int, json, made, text, time, user,
};

/// Rows asked for in one page: Jira gives fewer and says so.
const PAGE: u64 = 100;

/// The place of the key of its project in a service desk.
pub(crate) const DESK_PROJECT_KEY: usize = 2;

/// What the lists of each service desk have in common.
const OF_DESK: Origin = Origin {
    each: Each::ServiceDesk,
    page: Some(PAGE),
    paging: Paging::Start,
    of_column: Some(1),
    ..Origin::LIST
};

pub(crate) static DESKS: TableSpec = TableSpec {
    name: "service_desks",
    key: &["service_desk_id"],
    source: "GET /rest/servicedeskapi/servicedesk: values[]",
    columns: &[
        int("service_desk_id", "id"),
        int("project_id", "projectId"),
        text("project_key", "projectKey"),
        text("name", "projectName"),
    ],
    is_default: false,
    origin: Some(Origin {
        path: "/rest/servicedeskapi/servicedesk",
        page: Some(PAGE),
        paging: Paging::Start,
        ..Origin::LIST
    }),
    ..TableSpec::PLAIN
};

pub(crate) static REQUEST_TYPES: TableSpec = TableSpec {
    name: "request_types",
    key: &["request_type_id", "service_desk_id"],
    source: "GET /rest/servicedeskapi/servicedesk/{id}/requesttype: values[]",
    columns: &[
        int("request_type_id", "id"),
        made("service_desk_id", ColumnType::I64, "id of the service desk"),
        text("name", "name"),
        text("description", "description"),
        text("help_text", "helpText"),
        int("issue_type_id", "issueTypeId"),
        json("group_ids", "groupIds"),
    ],
    is_default: false,
    origin: Some(Origin { path: "/rest/servicedeskapi/servicedesk/{id}/requesttype", ..OF_DESK }),
    ..TableSpec::PLAIN
};

pub(crate) static ORGANIZATIONS: TableSpec = TableSpec {
    name: "jsm_organizations",
    key: &["organization_id", "service_desk_id"],
    source: "GET /rest/servicedeskapi/servicedesk/{id}/organization: values[]",
    columns: &[
        int("organization_id", "id"),
        made("service_desk_id", ColumnType::I64, "id of the service desk whose customers it has"),
        text("name", "name"),
    ],
    is_default: false,
    origin: Some(Origin { path: "/rest/servicedeskapi/servicedesk/{id}/organization", ..OF_DESK }),
    ..TableSpec::PLAIN
};

pub(crate) static QUEUES: TableSpec = TableSpec {
    name: "queues",
    key: &["queue_id", "service_desk_id"],
    source: "GET /rest/servicedeskapi/servicedesk/{id}/queue: values[]",
    columns: &[
        int("queue_id", "id"),
        made("service_desk_id", ColumnType::I64, "id of the service desk"),
        text("name", "name"),
        text("jql", "jql"),
        json("fields", "fields"),
    ],
    is_default: false,
    origin: Some(Origin { path: "/rest/servicedeskapi/servicedesk/{id}/queue", ..OF_DESK }),
    ..TableSpec::PLAIN
};

const ISSUE_ID: ColumnSpec = made("issue_id", ColumnType::I64, "id of the issue");

pub(crate) static REQUESTS: TableSpec = TableSpec {
    name: "jsm_requests",
    key: &["issue_id"],
    source: "GET /rest/servicedeskapi/request/{id}, for each issue of a project with a service desk",
    columns: &[
        ISSUE_ID,
        int("service_desk_id", "serviceDeskId"),
        int("request_type_id", "requestTypeId"),
        time("created", "createdDate.jira"),
        user("reporter_id", "reporter"),
        text("portal_status", "currentStatus.status"),
        time("status_at", "currentStatus.statusDate.jira"),
    ],
    is_default: false,
    children: Some(ChildLists { key_column: 2, ..ChildLists::PLAIN }),
    of_issue: Some(OfIssue {
        path: "/rest/servicedeskapi/request/{id}",
        query: &[],
        page: None,
        answer: Answer::Row,
        only: Only::OfServiceDesk,
    }),
    ..TableSpec::PLAIN
};

pub(crate) const CYCLE_NO: usize = 3;
pub(crate) const IS_ONGOING: usize = 4;
/// The columns that all cycles of an SLA share.
pub(crate) const SHARED: &[usize] = &[1, 2];

pub(crate) static SLA_CYCLES: TableSpec = TableSpec {
    name: "jsm_sla_cycles",
    key: &["issue_id", "sla_id", "cycle_no"],
    source: "GET /rest/servicedeskapi/request/{id}/sla: values[].completedCycles[] and values[].ongoingCycle, for each issue of a project with a service desk",
    columns: &[
        ISSUE_ID,
        int("sla_id", "id"),
        text("sla_name", "name"),
        made("cycle_no", ColumnType::I64, "place among the cycles of the SLA, the ongoing one last, from 0"),
        made("is_ongoing", ColumnType::Bool, "whether it is ongoingCycle"),
        time("started", "cycle.startTime.jira"),
        time("stopped", "cycle.stopTime.jira"),
        time("breach_at", "cycle.breachTime.jira"),
        flag("breached", "cycle.breached"),
        flag("paused", "cycle.paused"),
        flag("within_calendar_hours", "cycle.withinCalendarHours"),
        int("goal_ms", "cycle.goalDuration.millis"),
        int("elapsed_ms", "cycle.elapsedTime.millis"),
        int("remaining_ms", "cycle.remainingTime.millis"),
    ],
    is_default: false,
    children: Some(ChildLists { element: Element::Sla, key_column: 1, ..ChildLists::PLAIN }),
    of_issue: Some(OfIssue {
        path: "/rest/servicedeskapi/request/{id}/sla",
        query: &[],
        page: Some(PAGE),
        answer: Answer::Member("values", None),
        only: Only::OfServiceDesk,
    }),
    ..TableSpec::PLAIN
};

/// What the paths of a cycle's columns begin with.
pub(crate) const CYCLE_PATH: &str = "cycle.";
