//! The control tables of a data connection: `_runs`, `_tables`, `_skipped` and `_schema_changes`, written at the end of each run beside the
//! tables that the runs fill. They hold every ended run of the connection, oldest first.

use super::RunState;
use super::catalogue;
use super::document::mode;
use super::drive::run_id;
use crate::lake::{Cell, CellKind, ColumnInfo, ControlRow, ControlTable, TablePlace};
use crate::node::Node;
use crate::store::{Outcome, Run, StoreError};
use protocol::control::{Failure, RunWarning};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Runs of a connection in its control tables at most, the newest.
const RUNS_MAX: u32 = 10_000;

/// The control tables by name.
pub(crate) const NAMES: [&str; 4] = ["_runs", "_tables", "_skipped", "_schema_changes"];

const RUNS: &[(&str, CellKind)] = &[
    ("run_number", CellKind::Number),
    ("run_id", CellKind::Text),
    ("mode", CellKind::Text),
    ("verdict", CellKind::Text),
    ("tables", CellKind::Text),
    ("choice", CellKind::Text),
    ("requested_at", CellKind::Time),
    ("started_at", CellKind::Time),
    ("ended_at", CellKind::Time),
    ("leases", CellKind::Number),
    ("agent_id", CellKind::Text),
    ("issues_counted", CellKind::Number),
    ("issues_read", CellKind::Number),
    ("requests", CellKind::Number),
    ("retries", CellKind::Number),
    ("bytes_read", CellKind::Number),
    ("bytes_sent", CellKind::Number),
    ("watermark", CellKind::Time),
    ("warnings", CellKind::Number),
    ("error_code", CellKind::Text),
    ("error_message", CellKind::Text),
];

const TABLES: &[(&str, CellKind)] = &[
    ("run_number", CellKind::Number),
    ("table_name", CellKind::Text),
    ("mode", CellKind::Text),
    ("verdict", CellKind::Text),
    ("ended_at", CellKind::Time),
    ("rows_before", CellKind::Number),
    ("rows_read", CellKind::Number),
    ("rows_removed", CellKind::Number),
    ("rows_after", CellKind::Number),
    ("columns", CellKind::Number),
    ("bytes_read", CellKind::Number),
    ("bytes_sent", CellKind::Number),
    ("watermark", CellKind::Time),
    ("delta_version", CellKind::Number),
];

const SKIPPED: &[(&str, CellKind)] = &[
    ("run_number", CellKind::Number),
    ("source", CellKind::Text),
    ("code", CellKind::Text),
    ("message", CellKind::Text),
    ("count", CellKind::Number),
];

const SCHEMA_CHANGES: &[(&str, CellKind)] = &[
    ("run_number", CellKind::Number),
    ("changed_at", CellKind::Time),
    ("table_name", CellKind::Text),
    ("change", CellKind::Text),
    ("column_name", CellKind::Text),
    ("column_type", CellKind::Text),
    ("field_id", CellKind::Text),
    ("former_column", CellKind::Text),
];

/// Whether a control table has this name.
pub(crate) fn is_control(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Writes the control tables after a run that has ended: `ending` is how it ends where the store does not know yet.
pub(crate) async fn write(node: &Node, run: &Run, ending: Option<(&Outcome, i64)>) {
    if let Err(reason) = try_write(node, run, ending).await {
        tracing::error!(event = "control_tables_unwritten", run = %run_id(run.number), reason,
            "the control tables could not be written; the end of the next run writes them");
    }
}

async fn try_write(node: &Node, run: &Run, ending: Option<(&Outcome, i64)>) -> Result<(), String> {
    let runs = ended(node, run, ending).await.map_err(|error| error.to_string())?;
    let place = |table: &str| TablePlace {
        pool: run.pool.clone(),
        connection: run.connection.clone(),
        table: table.to_owned(),
    };
    let writes = NAMES.map(|name| {
        let content = content(name, &runs);
        let place = place(name);
        async move {
            node.lake.write_control(&place, run.number, content).await?;
            // What a run of last week replaced.
            node.lake.sweep(&place, &std::collections::BTreeSet::new()).await
        }
    });
    let written = futures_util::future::try_join_all(writes).await;
    written.map(drop).map_err(|error| error.to_string())
}

/// Every ended run of the connection, oldest first.
async fn ended(node: &Node, run: &Run, ending: Option<(&Outcome, i64)>) -> Result<Vec<Run>, StoreError> {
    let mut runs = node.store.runs(Some(&run.connection), RUNS_MAX).await?;
    if let Some((outcome, ended_ms)) = ending {
        for current in runs.iter_mut().filter(|one| one.number == run.number) {
            current.state = RunState::Succeeded;
            current.ended_ms = Some(ended_ms);
            current.outcome = Some(outcome.clone());
        }
    }
    runs.retain(|run| run.state.is_over());
    runs.reverse();
    Ok(runs)
}

fn content(name: &str, runs: &[Run]) -> ControlTable {
    let (columns, rows) = match name {
        "_runs" => (RUNS, runs.iter().map(run_row).collect()),
        "_tables" => (TABLES, runs.iter().flat_map(table_rows).collect()),
        "_skipped" => (SKIPPED, runs.iter().flat_map(skipped_rows).collect()),
        _ => (SCHEMA_CHANGES, runs.iter().flat_map(schema_rows).collect()),
    };
    ControlTable { columns, rows }
}

fn number(value: u64) -> Cell {
    Cell::Number(i64::try_from(value).ok())
}

fn maybe(value: Option<u64>) -> Cell {
    Cell::Number(value.and_then(|value| i64::try_from(value).ok()))
}

fn text(value: impl Into<String>) -> Cell {
    Cell::Text(Some(value.into()))
}

fn run_row(run: &Run) -> ControlRow {
    let result = run.outcome.as_ref().map(|outcome| &outcome.result);
    let error =
        |part: fn(&Failure) -> &String| Cell::Text(run.error.as_ref().map(|failure| part(failure).clone()));
    let warnings = result.map_or(0, |result| result.warnings.len() + result.policy.len());
    vec![
        Cell::Number(Some(run.number)),
        text(run_id(run.number).0),
        text(mode(run.spec.load)),
        text(run.state.shown()),
        text(catalogue::selected(&run.spec.tables).join(",")),
        Cell::Text(choice(run)),
        Cell::Time(Some(run.created_ms)),
        Cell::Time(run.started_ms),
        Cell::Time(run.ended_ms),
        Cell::Number(Some(i64::from(run.lease))),
        Cell::Text(run.agent_id.clone()),
        maybe(result.and_then(|result| result.issues_counted)),
        number(run.progress.issues_read),
        number(run.progress.requests),
        number(run.progress.retries),
        number(run.progress.bytes_read),
        number(run.progress.bytes_sent),
        Cell::Time(result.and_then(|result| result.watermark_ms)),
        number(u64::try_from(warnings).unwrap_or(u64::MAX)),
        error(|failure| &failure.code),
        error(|failure| &failure.message),
    ]
}

/// What narrowed the run, as JSON without any secret; nothing when nothing did.
fn choice(run: &Run) -> Option<String> {
    let spec = &run.spec;
    let mut choice = json!({});
    let mut say = |name: &str, value: serde_json::Value| {
        let is_said = match &value {
            serde_json::Value::Null => false,
            serde_json::Value::Array(items) => !items.is_empty(),
            _ => true,
        };
        if is_said && let Some(members) = choice.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    let time = |ms: Option<i64>| json!(ms.map(crate::clock::text));
    say("projects", json!(spec.projects));
    say("created_from", time(spec.created_from_ms));
    say("created_to", time(spec.created_to_ms));
    say("updated_from", time(spec.updated_from_ms));
    say("updated_to", time(spec.updated_to_ms));
    say("jql", json!(spec.jql));
    say("columns", json!(spec.columns));
    say("pseudonymise", json!(spec.pseudonyms.as_ref().map(|asked| &asked.columns)));
    (choice != json!({})).then(|| choice.to_string())
}

fn table_rows(run: &Run) -> Vec<ControlRow> {
    let Some(outcome) = run.outcome.as_ref().filter(|_| run.state == RunState::Succeeded) else {
        return Vec::new();
    };
    let tables = outcome.result.tables.iter().filter(|(name, _)| catalogue::is_table(name));
    tables
        .map(|(name, table)| {
            let end = outcome.ends.get(name);
            let after = outcome.rows_after.get(name).copied();
            let before = end.and_then(|end| end.rows_before);
            let is_whole = !catalogue::is_issue_table(name);
            // Rows of before that are gone or were read again, and rows that were read and replaced within the run.
            let removed =
                before.zip(after).map(|(before, after)| (before + table.rows).saturating_sub(after));
            vec![
                Cell::Number(Some(run.number)),
                text(name),
                text(if is_whole { "full" } else { mode(run.spec.load) }),
                text(run.state.shown()),
                Cell::Time(run.ended_ms),
                maybe(before),
                number(table.rows),
                maybe(removed),
                maybe(after),
                number(table.columns),
                number(table.bytes_read),
                number(table.bytes_sent),
                Cell::Time(end.and_then(|end| end.watermark_ms)),
                maybe(end.map(|end| end.version)),
            ]
        })
        .collect()
}

fn skipped_rows(run: &Run) -> Vec<ControlRow> {
    let Some(outcome) = &run.outcome else { return Vec::new() };
    let of = |source: &'static str, warnings: &[RunWarning]| -> Vec<ControlRow> {
        let row = |warning: &RunWarning| {
            vec![
                Cell::Number(Some(run.number)),
                text(source),
                text(&warning.code),
                text(&warning.message),
                number(warning.count),
            ]
        };
        warnings.iter().map(row).collect()
    };
    let mut rows = of("jira", &outcome.result.warnings);
    rows.extend(of("policy", &outcome.result.policy));
    rows
}

fn schema_rows(run: &Run) -> Vec<ControlRow> {
    let Some(outcome) = &run.outcome else { return Vec::new() };
    let row = |(table, change): (&String, &SchemaChange)| {
        vec![
            Cell::Number(Some(run.number)),
            Cell::Time(run.ended_ms),
            text(table),
            text(if change.former_column.is_some() { "column_replaced" } else { "column_added" }),
            text(&change.column),
            text(&change.column_type),
            Cell::Text(change.field_id.clone()),
            Cell::Text(change.former_column.clone()),
        ]
    };
    let changes = outcome
        .ends
        .iter()
        .flat_map(|(table, end)| end.schema_changes.iter().map(move |change| (table, change)));
    changes.map(row).collect()
}

/// A column that a run added to a table that was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SchemaChange {
    pub(crate) column: String,
    pub(crate) column_type: String,
    pub(crate) field_id: Option<String>,
    /// The column that the same field filled before: it was renamed, or its type changed.
    pub(crate) former_column: Option<String>,
}

/// How a table came out of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TableEnd {
    pub(crate) rows_before: Option<u64>,
    pub(crate) version: u64,
    pub(crate) watermark_ms: Option<i64>,
    pub(crate) schema_changes: Vec<SchemaChange>,
}

/// What a run added to the columns of a table; a table that it made has no changes.
pub(crate) fn schema_changes(before: Option<&[ColumnInfo]>, after: &[ColumnInfo]) -> Vec<SchemaChange> {
    let Some(before) = before else { return Vec::new() };
    let is_new = |column: &&ColumnInfo| !before.iter().any(|known| known.name == column.name);
    let change = |column: &ColumnInfo| {
        let same_field = |known: &&ColumnInfo| known.field_id.is_some() && known.field_id == column.field_id;
        SchemaChange {
            column: column.name.clone(),
            column_type: column.type_name.clone(),
            field_id: column.field_id.clone(),
            former_column: before.iter().rfind(same_field).map(|known| known.name.clone()),
        }
    };
    after.iter().filter(is_new).map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, field_id: Option<&str>) -> ColumnInfo {
        ColumnInfo {
            name: name.to_owned(),
            type_name: "text".to_owned(),
            field_id: field_id.map(str::to_owned),
            mask: None,
        }
    }

    #[test]
    fn a_renamed_field_names_its_former_column_and_a_new_table_has_no_changes() {
        let before = [column("issue_id", None), column("team", Some("customfield_1"))];
        let after =
            [&before[..], &[column("squad", Some("customfield_1")), column("size", Some("customfield_2"))]]
                .concat();
        let changes = schema_changes(Some(&before), &after);
        let told: Vec<_> =
            changes.iter().map(|change| (change.column.as_str(), change.former_column.as_deref())).collect();
        assert_eq!(told, [("squad", Some("team")), ("size", None)]);
        assert!(schema_changes(None, &after).is_empty());
    }

    #[test]
    fn every_control_table_has_as_many_cells_as_columns() {
        for name in NAMES {
            let table = content(name, &[]);
            assert!(table.rows.is_empty() && table.columns.len() >= 5, "{name}");
        }
    }
}
