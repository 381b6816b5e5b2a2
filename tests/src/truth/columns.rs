//! Names, types and keys of the tables.

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

/// Every table that an extraction lands.
pub const TABLES: [&str; 12] = [
    "issues",
    "issue_comments",
    "issue_worklogs",
    "issue_changelog",
    "issue_links",
    "projects",
    "users",
    "statuses",
    "priorities",
    "resolutions",
    "issue_types",
    "fields",
];

const ISSUES: &str = "issue_id:i issue_key:t project_id:i project_key:t type_id:i type_name:t is_subtask:b status_id:i \
    status_name:t status_category:t priority_id:i priority_name:t resolution_id:i resolution_name:t summary:t description:t \
    description_adf:j environment:t environment_adf:j creator_id:t reporter_id:t assignee_id:t created:s updated:s resolved_at:s due_date:d parent_id:i parent_key:t \
    original_estimate_seconds:i remaining_estimate_seconds:i time_spent_seconds:i aggregate_original_estimate_seconds:i \
    aggregate_remaining_estimate_seconds:i aggregate_time_spent_seconds:i work_ratio:i votes:i watches:i security_level_id:i \
    security_level_name:t labels:j components:j fix_versions:j affects_versions:j comment_count:i worklog_count:i changelog_count:i";

/// Columns (`i` whole number, `t` text, `j` JSON, `b` bool, `d` day, `s` instant) and key of a table.
fn described(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "issues" => (ISSUES, "issue_id"),
        "issue_comments" => (
            "comment_id:i issue_id:i author_id:t update_author_id:t body:t body_adf:j created:s updated:s visibility_type:t visibility_value:t",
            "comment_id",
        ),
        "issue_worklogs" => (
            "worklog_id:i issue_id:i author_id:t update_author_id:t comment:t comment_adf:j started:s created:s updated:s time_spent_seconds:i visibility_type:t visibility_value:t",
            "worklog_id",
        ),
        "issue_changelog" => (
            "issue_id:i history_id:i item_index:i author_id:t created:s field:t field_id:t field_type:t from_id:t from_text:t to_id:t to_text:t",
            "issue_id history_id item_index",
        ),
        "issue_links" => (
            "issue_id:i link_id:i direction:t type_id:i type_name:t phrase:t other_issue_id:i other_issue_key:t",
            "issue_id link_id direction",
        ),
        "projects" => (
            "project_id:i project_key:t name:t description:t lead_id:t category_id:i category_name:t project_type:t archived:b",
            "project_id",
        ),
        "users" => ("user_id:t user_name:t display_name:t email:t active:b deleted:b time_zone:t", "user_id"),
        "statuses" => {
            ("status_id:i name:t description:t category_id:i category_key:t category_name:t", "status_id")
        }
        "priorities" => ("priority_id:i name:t description:t status_color:t", "priority_id"),
        "resolutions" => ("resolution_id:i name:t description:t", "resolution_id"),
        "issue_types" => ("issue_type_id:i name:t description:t is_subtask:b", "issue_type_id"),
        "fields" => (
            "field_id:t name:t is_custom:b schema_type:t schema_items:t schema_custom:t column_name:t",
            "field_id",
        ),
        _ => return None,
    })
}

/// Names and types in order.
type Columns = Vec<(String, ColumnType)>;

/// The fixed columns and the key of a table.
pub(super) fn of(name: &str) -> Option<(Columns, Vec<String>)> {
    let (columns, key) = described(name)?;
    let columns = columns.split_whitespace().filter_map(|column| column.split_once(':'));
    let columns = columns.map(|(name, kind)| (name.to_owned(), kind_of(kind))).collect();
    Some((columns, key.split(' ').map(str::to_owned).collect()))
}

fn kind_of(letter: &str) -> ColumnType {
    match letter {
        "i" => ColumnType::I64,
        "b" => ColumnType::Bool,
        "d" => ColumnType::Date,
        "s" => ColumnType::Ts,
        "j" => ColumnType::Json,
        _ => ColumnType::Text,
    }
}
