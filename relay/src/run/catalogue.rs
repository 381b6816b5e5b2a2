//! The tables that a run can name. A table name becomes a folder of the lake, so whatever is not in this list is refused at
//! the door, from a user and from an agent alike.

/// Tables made from issues: replaced by issue in a delta load, and with a watermark.
const ISSUE_TABLES: &[&str] = &[
    "issues",
    "issue_comments",
    "issue_worklogs",
    "issue_changelog",
    "issue_links",
    "event_log",
    "field_history",
    "issue_sprints",
    "issue_labels",
    "issue_components",
    "issue_versions",
    "issue_attachments",
    "issue_subtasks",
    "issue_custom_values",
    "issue_remote_links",
    "issue_watchers",
    "issue_votes",
    "issue_properties",
    "issue_transitions",
    "jsm_requests",
    "jsm_sla_cycles",
];

/// Tables of the site: replaced as a whole in every run.
const METADATA_TABLES: &[&str] = &[
    "projects",
    "users",
    "statuses",
    "priorities",
    "resolutions",
    "issue_types",
    "fields",
    "components",
    "versions",
    "security_levels",
    "link_types",
    "status_categories",
    "project_categories",
    "project_roles",
    "boards",
    "board_columns",
    "sprints",
    "board_issues",
    "backlog_issues",
    "sprint_issues",
    "service_desks",
    "request_types",
    "jsm_organizations",
    "queues",
    "filters",
    "dashboards",
    "permission_schemes",
    "permission_grants",
    "notification_schemes",
    "issue_type_schemes",
    "workflows",
    "workflow_schemes",
    "screens",
    "groups",
    "group_members",
    "role_actors",
    "application_roles",
    "server_info",
    "configuration",
    "labels",
    "field_contexts",
    "field_options",
    "epics",
    "board_configurations",
    "board_filters",
    "audit_records",
];

/// Those of both that are read only when they are named.
const OPTIONAL_TABLES: &[&str] = &[
    "issue_remote_links",
    "issue_watchers",
    "issue_votes",
    "issue_properties",
    "issue_transitions",
    "board_issues",
    "backlog_issues",
    "sprint_issues",
    "jsm_requests",
    "jsm_sla_cycles",
    "service_desks",
    "request_types",
    "jsm_organizations",
    "queues",
    "permission_schemes",
    "permission_grants",
    "notification_schemes",
    "issue_type_schemes",
    "workflows",
    "workflow_schemes",
    "screens",
    "groups",
    "group_members",
    "role_actors",
    "application_roles",
    "server_info",
    "configuration",
    "labels",
    "field_contexts",
    "field_options",
    "epics",
    "board_configurations",
    "board_filters",
    "audit_records",
];

/// The pseudo table of issue ids that a later generation has read again.
pub(crate) const REPLACED: &str = "_replaced";

/// Whether the table is made from issues.
pub(crate) fn is_issue_table(name: &str) -> bool {
    ISSUE_TABLES.contains(&name)
}

/// Whether a part of this table may land.
pub(crate) fn is_landable(name: &str) -> bool {
    name == REPLACED || is_table(name)
}

/// Whether a user can ask for this table.
pub(crate) fn is_table(name: &str) -> bool {
    is_issue_table(name) || METADATA_TABLES.contains(&name)
}

/// Every table that a user can ask for.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    ISSUE_TABLES.iter().chain(METADATA_TABLES).copied()
}

/// The tables of a selection in which nothing means every table that is not optional.
pub(crate) fn selected(tables: &[String]) -> Vec<String> {
    if tables.is_empty() {
        return all().filter(|name| !OPTIONAL_TABLES.contains(name)).map(str::to_owned).collect();
    }
    tables.to_vec()
}

/// The table that was probably meant.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    all()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_selection_means_every_table_that_is_not_optional() {
        assert_eq!(selected(&[]).len() + OPTIONAL_TABLES.len(), all().count());
        assert!(
            OPTIONAL_TABLES.iter().all(|name| is_table(name) && !selected(&[]).contains(&(*name).to_owned()))
        );
        assert_eq!(selected(&["issues".to_owned()]), ["issues"]);
    }

    #[test]
    fn a_path_is_no_table() {
        assert!(!is_landable("../issues"));
        assert!(is_landable("_replaced") && !is_table("_replaced"));
    }

    #[test]
    fn a_typing_mistake_finds_its_table() {
        assert_eq!(nearest("isues"), Some("issues"));
        assert_eq!(nearest("something_else"), None);
    }
}
