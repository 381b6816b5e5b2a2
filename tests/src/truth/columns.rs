//! Names, types and keys of the tables, and where the rows of each come from.

use super::children;
use super::issue::Wanted;
use super::issue::{self, Parts};
use super::{IssueRows, Row, events, history, lists, metadata, of_issue, service_desk, setup};
use crate::jira_sim::SimHandle;

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// 64-bit whole number.
    I64,
    /// Double.
    F64,
    /// Text as it came.
    Text,
    /// Text that holds compact JSON.
    Json,
    /// Yes or no.
    Bool,
    /// A day.
    Date,
    /// An instant, UTC, microseconds.
    Ts,
}

const ISSUES: &str = "issue_id:i issue_key:t project_id:i project_key:t type_id:i type_name:t is_subtask:b status_id:i \
    status_name:t status_category:t priority_id:i priority_name:t resolution_id:i resolution_name:t summary:t description:t \
    description_adf:j environment:t environment_adf:j creator_id:t reporter_id:t assignee_id:t created:s updated:s resolved_at:s due_date:d parent_id:i parent_key:t \
    original_estimate_seconds:i remaining_estimate_seconds:i time_spent_seconds:i aggregate_original_estimate_seconds:i \
    aggregate_remaining_estimate_seconds:i aggregate_time_spent_seconds:i work_ratio:i votes:i watches:i security_level_id:i \
    security_level_name:t labels:j components:j fix_versions:j affects_versions:j comment_count:i worklog_count:i changelog_count:i \
    attachment_count:i epic_key:t status_category_changed_at:s";

/// A table that an extraction lands.
pub(super) struct Described {
    name: &'static str,
    /// `i` whole number, `f` number, `t` text, `j` JSON, `b` bool, `d` day, `s` instant.
    columns: &'static str,
    key: &'static str,
    rows: Rows,
    /// Whether an extraction that names no table reads it.
    is_default: bool,
}

impl Described {
    const fn optional(mut self) -> Self {
        self.is_default = false;
        self
    }
}

/// Where the rows of a table come from.
#[derive(Clone, Copy)]
enum Rows {
    Issue(fn(&Parts<'_>) -> Vec<Row>),
    Site(fn(&SimHandle) -> Vec<Row>),
}

const fn of_issue(
    name: &'static str,
    columns: &'static str,
    key: &'static str,
    rows: fn(&Parts<'_>) -> Vec<Row>,
) -> Described {
    Described { name, columns, key, rows: Rows::Issue(rows), is_default: true }
}

const fn of_site(
    name: &'static str,
    columns: &'static str,
    key: &'static str,
    rows: fn(&SimHandle) -> Vec<Row>,
) -> Described {
    Described { name, columns, key, rows: Rows::Site(rows), is_default: true }
}

/// A table of the site that is read only when it is named.
pub(super) const fn optional_site(
    name: &'static str,
    columns: &'static str,
    key: &'static str,
    rows: fn(&SimHandle) -> Vec<Row>,
) -> Described {
    Described { name, columns, key, rows: Rows::Site(rows), is_default: false }
}

static TABLES: &[Described] = &[
    of_issue("issues", ISSUES, "issue_id", issue::issues),
    of_issue(
        "issue_comments",
        "comment_id:i issue_id:i author_id:t update_author_id:t body:t body_adf:j created:s updated:s visibility_type:t visibility_value:t",
        "comment_id",
        issue::comments,
    ),
    of_issue(
        "issue_worklogs",
        "worklog_id:i issue_id:i author_id:t update_author_id:t comment:t comment_adf:j started:s created:s updated:s time_spent_seconds:i \
        visibility_type:t visibility_value:t",
        "worklog_id",
        issue::worklogs,
    ),
    of_issue(
        "issue_changelog",
        "issue_id:i history_id:i item_index:i author_id:t created:s field:t field_id:t field_type:t from_id:t from_text:t to_id:t to_text:t",
        "issue_id history_id item_index",
        issue::changelog,
    ),
    of_issue(
        "issue_links",
        "issue_id:i link_id:i direction:t type_id:i type_name:t phrase:t other_issue_id:i other_issue_key:t",
        "issue_id link_id direction",
        issue::links,
    ),
    of_issue(
        "event_log",
        "issue_id:i event_id:t case_id:t activity:t timestamp:s resource:t source:t field:t field_type:t old_id:t old_value:t new_id:t \
        new_value:t history_id:i item_index:i project_key:t issue_type_name:t",
        "issue_id event_id",
        events::event_log,
    ),
    of_issue(
        "field_history",
        "issue_id:i field_type:t field:t ordinal:i valid_from:s valid_to:s value_id:t value_text:t author_id:t is_initial:b history_id:i",
        "issue_id field_type field ordinal",
        history::field_history,
    ),
    of_issue(
        "issue_sprints",
        "issue_id:i sprint_id:i ordinal:i name:t state:t board_id:i start_date:s end_date:s complete_date:s goal:t is_current:b",
        "issue_id sprint_id",
        children::sprints,
    ),
    of_issue("issue_labels", "issue_id:i label:t", "issue_id label", children::labels),
    of_issue(
        "issue_components",
        "issue_id:i component_id:i name:t",
        "issue_id component_id",
        children::components,
    ),
    of_issue(
        "issue_versions",
        "issue_id:i version_id:i role:t name:t",
        "issue_id version_id role",
        children::versions,
    ),
    of_issue(
        "issue_attachments",
        "attachment_id:i issue_id:i filename:t size:i mime_type:t author_id:t created:s",
        "attachment_id",
        children::attachments,
    ),
    of_issue(
        "issue_subtasks",
        "issue_id:i issue_key:t parent_id:i parent_key:t",
        "issue_id",
        children::subtasks,
    ),
    of_issue(
        "issue_custom_values",
        "issue_id:i field_id:t ordinal:i value_text:t value_num:f value_ts:s value_id:t value_json:j",
        "issue_id field_id ordinal",
        children::custom_values,
    ),
    of_issue(
        "issue_remote_links",
        "issue_id:i remote_link_id:i global_id:t relationship:t application_type:t application_name:t url:t title:t summary:t resolved:b kind_title:t status_title:t status_url:t",
        "issue_id remote_link_id",
        of_issue::remote_links,
    )
    .optional(),
    of_issue("issue_watchers", "issue_id:i user_id:t", "issue_id user_id", of_issue::watchers).optional(),
    of_issue("issue_votes", "issue_id:i user_id:t", "issue_id user_id", of_issue::votes).optional(),
    of_issue(
        "issue_properties",
        "issue_id:i property_key:t value:j",
        "issue_id property_key",
        of_issue::properties,
    )
    .optional(),
    of_issue(
        "issue_transitions",
        "issue_id:i transition_id:i name:t to_status_id:i to_status_name:t has_screen:b is_available:b",
        "issue_id transition_id",
        of_issue::transitions,
    )
    .optional(),
    of_issue(
        "jsm_requests",
        "issue_id:i service_desk_id:i request_type_id:i created:s reporter_id:t portal_status:t status_at:s",
        "issue_id",
        service_desk::requests,
    )
    .optional(),
    of_issue(
        "jsm_sla_cycles",
        "issue_id:i sla_id:i sla_name:t cycle_no:i is_ongoing:b started:s stopped:s breach_at:s breached:b paused:b \
        within_calendar_hours:b goal_ms:i elapsed_ms:i remaining_ms:i",
        "issue_id sla_id cycle_no",
        service_desk::sla_cycles,
    )
    .optional(),
    of_site(
        "projects",
        "project_id:i project_key:t name:t description:t lead_id:t category_id:i category_name:t project_type:t archived:b",
        "project_id",
        metadata::projects,
    ),
    of_site(
        "users",
        "user_id:t user_name:t display_name:t email:t active:b deleted:b time_zone:t",
        "user_id",
        metadata::users,
    ),
    of_site(
        "statuses",
        "status_id:i name:t description:t category_id:i category_key:t category_name:t",
        "status_id",
        metadata::statuses,
    ),
    of_site(
        "priorities",
        "priority_id:i name:t description:t status_color:t",
        "priority_id",
        metadata::priorities,
    ),
    of_site("resolutions", "resolution_id:i name:t description:t", "resolution_id", metadata::resolutions),
    of_site(
        "issue_types",
        "issue_type_id:i name:t description:t is_subtask:b",
        "issue_type_id",
        metadata::issue_types,
    ),
    of_site(
        "fields",
        "field_id:t name:t is_custom:b schema_type:t schema_items:t schema_custom:t column_name:t",
        "field_id",
        metadata::fields,
    ),
    of_site(
        "components",
        "component_id:i project_id:i name:t description:t lead_id:t assignee_type:t archived:b deleted:b",
        "component_id",
        lists::components,
    ),
    of_site(
        "versions",
        "version_id:i project_id:i name:t description:t released:b archived:b overdue:b start_date:d release_date:d",
        "version_id",
        lists::versions,
    ),
    of_site(
        "security_levels",
        "level_id:i project_id:i name:t description:t",
        "level_id project_id",
        lists::security_levels,
    ),
    of_site("link_types", "link_type_id:i name:t inward:t outward:t", "link_type_id", lists::link_types),
    of_site(
        "status_categories",
        "category_id:i category_key:t name:t color_name:t",
        "category_id",
        lists::status_categories,
    ),
    of_site(
        "project_categories",
        "category_id:i name:t description:t",
        "category_id",
        lists::project_categories,
    ),
    of_site("project_roles", "role_id:i name:t description:t", "role_id", lists::project_roles),
    of_site("boards", "board_id:i name:t type:t project_id:i project_key:t", "board_id", lists::boards),
    of_site(
        "board_columns",
        "board_id:i ordinal:i name:t min:i max:i statuses:j",
        "board_id ordinal",
        lists::board_columns,
    ),
    of_site(
        "sprints",
        "sprint_id:i board_id:i name:t state:t start_date:s end_date:s complete_date:s activated_date:s goal:t",
        "sprint_id",
        lists::sprints,
    ),
    of_site(
        "board_issues",
        "board_id:i issue_id:i rank:i flagged:b",
        "board_id issue_id",
        lists::board_issues,
    )
    .optional(),
    of_site(
        "backlog_issues",
        "board_id:i issue_id:i rank:i flagged:b",
        "board_id issue_id",
        lists::backlog_issues,
    )
    .optional(),
    of_site(
        "sprint_issues",
        "sprint_id:i issue_id:i rank:i flagged:b",
        "sprint_id issue_id",
        lists::sprint_issues,
    )
    .optional(),
    of_site(
        "service_desks",
        "service_desk_id:i project_id:i project_key:t name:t",
        "service_desk_id",
        service_desk::desks,
    )
    .optional(),
    of_site(
        "request_types",
        "request_type_id:i service_desk_id:i name:t description:t help_text:t issue_type_id:i group_ids:j",
        "request_type_id service_desk_id",
        service_desk::request_types,
    )
    .optional(),
    of_site(
        "jsm_organizations",
        "organization_id:i service_desk_id:i name:t",
        "organization_id service_desk_id",
        service_desk::organizations,
    )
    .optional(),
    of_site(
        "queues",
        "queue_id:i service_desk_id:i name:t jql:t fields:j",
        "queue_id service_desk_id",
        service_desk::queues,
    )
    .optional(),
    of_site(
        "filters",
        "filter_id:i name:t description:t jql:t owner_id:t favourite:b",
        "filter_id",
        lists::filters,
    ),
    of_site(
        "dashboards",
        "dashboard_id:i name:t view:t description:t owner_id:t",
        "dashboard_id",
        lists::dashboards,
    ),
];

fn all() -> impl Iterator<Item = &'static Described> {
    TABLES.iter().chain(setup::TABLES)
}

fn described(name: &str) -> Option<&'static Described> {
    all().find(|table| table.name == name)
}

/// The names of all tables that an extraction can land.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|table| table.name)
}

/// Whether an extraction that names no table reads it.
#[must_use]
pub fn is_default(name: &str) -> bool {
    described(name).is_some_and(|table| table.is_default)
}

/// Whether it tells how the site is set up; an extraction reads it only when it names it.
#[must_use]
pub fn is_set_up(name: &str) -> bool {
    setup::TABLES.iter().any(|table| table.name == name)
}

/// Whether the rows of the table come from issues.
pub(super) fn is_issue_table(name: &str) -> bool {
    described(name).is_some_and(|table| matches!(table.rows, Rows::Issue(_)))
}

/// The rows of one issue by table.
pub(super) fn issue_rows(parts: &Parts<'_>, wanted: Wanted<'_>) -> IssueRows {
    let is_wanted = |table: &&Described| match wanted {
        Wanted::Defaults => table.is_default,
        Wanted::One(name) => table.name == name,
    };
    let rows = |table: &Described| match table.rows {
        Rows::Issue(rows) => Some((table.name, rows(parts))),
        Rows::Site(_) => None,
    };
    IssueRows(all().filter(is_wanted).filter_map(rows).collect())
}

/// The rows of a table that does not come from issues; none for another name.
pub(super) fn metadata_rows(sim: &SimHandle, name: &str) -> Vec<Row> {
    match described(name).map(|table| table.rows) {
        Some(Rows::Site(rows)) => rows(sim),
        Some(Rows::Issue(_)) | None => Vec::new(),
    }
}

/// Names and types in order.
type Columns = Vec<(String, ColumnType)>;

/// The fixed columns and the key of a table.
pub(super) fn of(name: &str) -> Option<(Columns, Vec<String>)> {
    let Described { columns, key, .. } = described(name)?;
    let columns = columns.split_whitespace().filter_map(|column| column.split_once(':'));
    let columns = columns.map(|(name, kind)| (name.to_owned(), kind_of(kind))).collect();
    Some((columns, key.split(' ').map(str::to_owned).collect()))
}

fn kind_of(letter: &str) -> ColumnType {
    match letter {
        "i" => ColumnType::I64,
        "f" => ColumnType::F64,
        "b" => ColumnType::Bool,
        "d" => ColumnType::Date,
        "s" => ColumnType::Ts,
        "j" => ColumnType::Json,
        _ => ColumnType::Text,
    }
}
