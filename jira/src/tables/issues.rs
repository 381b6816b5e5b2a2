//! `issues`: one row an issue; the columns of custom fields follow the fixed ones.

use super::{
    ColumnSpec, ColumnType, TableSpec, date, document, flag, int, json, made, refs, rich, text, time, user,
};

pub(crate) const ISSUE_ID: usize = 0;
pub(crate) const ISSUE_KEY: usize = 1;
pub(crate) const PROJECT_KEY: usize = 3;
pub(crate) const IS_SUBTASK: usize = 6;
pub(crate) const CREATED: usize = 22;
pub(crate) const UPDATED: usize = 23;
pub(crate) const PARENT_ID: usize = 26;
pub(crate) const PARENT_KEY: usize = 27;
pub(crate) const VOTES: usize = 35;
pub(crate) const WATCHES: usize = 36;
pub(crate) const COMMENT_COUNT: usize = 43;
pub(crate) const WORKLOG_COUNT: usize = 44;
pub(crate) const CHANGELOG_COUNT: usize = 45;
pub(crate) const ATTACHMENT_COUNT: usize = 46;
pub(crate) const EPIC_KEY: usize = 47;
/// `schema.custom` of the field that holds the key of the epic.
pub(crate) const EPIC_FIELD: &str = "com.pyxis.greenhopper.jira:gh-epic-link";

pub(crate) static SPEC: TableSpec = TableSpec {
    name: "issues",
    key: &["issue_id"],
    source: "POST /rest/api/2/search: issues[]",
    cloud_source: "POST /rest/api/3/search/jql and /rest/api/3/issue/bulkfetch: issues[]",
    columns: COLUMNS,
    varied: &[
        "issue_id",
        "issue_key",
        "summary",
        "description",
        "description_adf",
        "environment",
        "environment_adf",
    ],
    ..TableSpec::PLAIN
};

static COLUMNS: &[ColumnSpec] = &[
    int("issue_id", "id"),
    text("issue_key", "key"),
    int("project_id", "fields.project.id"),
    text("project_key", "fields.project.key"),
    int("type_id", "fields.issuetype.id"),
    text("type_name", "fields.issuetype.name"),
    flag("is_subtask", "fields.issuetype.subtask"),
    int("status_id", "fields.status.id"),
    text("status_name", "fields.status.name"),
    text("status_category", "fields.status.statusCategory.key"),
    int("priority_id", "fields.priority.id"),
    text("priority_name", "fields.priority.name"),
    int("resolution_id", "fields.resolution.id"),
    text("resolution_name", "fields.resolution.name"),
    text("summary", "fields.summary"),
    rich("description", "fields.description"),
    document("description_adf", "fields.description, the document of Jira Cloud"),
    rich("environment", "fields.environment"),
    document("environment_adf", "fields.environment, the document of Jira Cloud"),
    user("creator_id", "fields.creator"),
    user("reporter_id", "fields.reporter"),
    user("assignee_id", "fields.assignee"),
    time("created", "fields.created"),
    time("updated", "fields.updated"),
    time("resolved_at", "fields.resolutiondate"),
    date("due_date", "fields.duedate"),
    int("parent_id", "fields.parent.id"),
    text("parent_key", "fields.parent.key"),
    int("original_estimate_seconds", "fields.timeoriginalestimate"),
    int("remaining_estimate_seconds", "fields.timeestimate"),
    int("time_spent_seconds", "fields.timespent"),
    int("aggregate_original_estimate_seconds", "fields.aggregatetimeoriginalestimate"),
    int("aggregate_remaining_estimate_seconds", "fields.aggregatetimeestimate"),
    int("aggregate_time_spent_seconds", "fields.aggregatetimespent"),
    int("work_ratio", "fields.workratio"),
    int("votes", "fields.votes.votes"),
    int("watches", "fields.watches.watchCount"),
    int("security_level_id", "fields.security.id"),
    text("security_level_name", "fields.security.name"),
    json("labels", "fields.labels"),
    refs("components", "fields.components"),
    refs("fix_versions", "fields.fixVersions"),
    refs("affects_versions", "fields.versions"),
    made("comment_count", ColumnType::I64, "fields.comment.total"),
    made("worklog_count", ColumnType::I64, "fields.worklog.total"),
    made("changelog_count", ColumnType::I64, "changelog.total"),
    made("attachment_count", ColumnType::I64, "number of fields.attachment"),
    made("epic_key", ColumnType::Text, "the custom field of type com.pyxis.greenhopper.jira:gh-epic-link"),
    time("status_category_changed_at", "fields.statuscategorychangedate"),
];
