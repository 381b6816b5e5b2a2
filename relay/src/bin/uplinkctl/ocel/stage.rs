//! The tables that a log is made from, and the staging tables that hold their rows meanwhile.

/// A table of the lake.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) table: &'static str,
    /// The columns that are needed of it; one that the lake does not have counts as empty.
    pub(crate) columns: &'static [&'static str],
    /// Whether there is no log without it.
    pub(crate) is_required: bool,
}

/// What a log is made from.
pub(crate) const SOURCES: &[Source] = &[
    Source {
        table: "event_log",
        columns: &[
            "issue_id",
            "event_id",
            "activity",
            "timestamp",
            "resource",
            "source",
            "field",
            "field_type",
            "old_id",
            "old_value",
            "new_id",
            "new_value",
        ],
        is_required: true,
    },
    Source {
        table: "field_history",
        columns: &[
            "issue_id",
            "field_type",
            "field",
            "ordinal",
            "valid_from",
            "value_id",
            "value_text",
            "valid_to",
        ],
        is_required: true,
    },
    Source {
        table: "issues",
        columns: &["issue_id", "issue_key", "type_name", "created", "creator_id", "parent_id"],
        is_required: true,
    },
    Source { table: "issue_links", columns: &["issue_id", "phrase", "other_issue_id"], is_required: false },
    Source { table: "users", columns: &["user_id", "display_name"], is_required: false },
    Source { table: "projects", columns: &["project_id", "project_key", "name"], is_required: false },
];

/// The staging tables, in a database that vanishes with the connection.
pub(super) const CREATE: &str = "
    attach '' as stage;
    create table stage.event_log (issue_id integer, event_id text, activity text, timestamp text, resource text, source text,
        field text, field_type text, old_id text, old_value text, new_id text, new_value text);
    create table stage.field_history (issue_id integer, field_type text, field text, ordinal integer, valid_from text, value_id text,
        value_text text, valid_to text);
    create table stage.issues (issue_id integer, issue_key text, type_name text, created text, creator_id text, parent_id integer);
    create table stage.issue_links (issue_id integer, phrase text, other_issue_id integer);
    create table stage.users (user_id text, display_name text);
    create table stage.projects (project_id integer, project_key text, name text);
";

impl Source {
    /// Takes one JSON list of rows.
    pub(super) fn insert(&self) -> String {
        let values: Vec<String> =
            (0..self.columns.len()).map(|place| format!("json_extract(value, '$[{place}]')")).collect();
        format!(
            "insert into stage.{} ({}) select {} from json_each(?)",
            self.table,
            self.columns.join(", "),
            values.join(", ")
        )
    }
}
