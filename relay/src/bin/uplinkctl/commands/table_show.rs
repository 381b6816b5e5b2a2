//! `uplinkctl table show ...`: key, columns with their types, and what the table is complete for.

use super::table::find;
use crate::cli::TableName;
use crate::client::Client;
use crate::documents::{self, Column, Table};
use crate::error::Error;
use crate::figures::{bytes, count, moment_or_dash};
use crate::output::{Head, Output, table};
use serde_json::{Map, Value, json};

/// Runs the command.
pub(super) async fn run(client: &Client, wanted: &TableName, output: Output) -> Result<(), Error> {
    let found = find(client, wanted).await?;
    let path = ["tables", &found.pool, &found.connection, &found.table];
    let answer = client.get(&path, &[("rows", "0".to_owned())]).await?;
    let shown: documents::Preview = documents::read(&answer, &client.relay())?;
    let document = json!({
        "pool": found.pool, "connection": found.connection, "table": found.table, "key": found.key,
        "rows": found.rows, "files": found.files, "bytes": found.bytes, "path": found.path,
        "watermark": found.watermark, "complete_for": found.complete_for, "schema": answer["schema"],
    });
    output.answer(&document, || text(&found, &shown.schema))
}

fn text(of: &Table, schema: &[Column]) -> String {
    let mut lines = vec![
        format!("{} of {}/{}", of.table, of.pool, of.connection),
        format!("key             {}", if of.key.is_empty() { "-".to_owned() } else { of.key.join(", ") }),
        format!("rows            {} in {} files, {}", count(of.rows), count(of.files), bytes(of.bytes)),
        format!("complete up to  {}", moment_or_dash(of.watermark)),
    ];
    lines.extend(of.complete_for.as_ref().and_then(choice).map(|choice| format!("complete for    {choice}")));
    lines.push(format!("path            {}", of.path));
    lines.push(String::new());
    lines.push(columns(schema, &of.key));
    lines.join("\n")
}

/// What the full load chose; nothing when it read everything.
fn choice(scope: &Map<String, Value>) -> Option<String> {
    let is_said = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    let said: Vec<String> = scope
        .iter()
        .filter(|(_, value)| is_said(value))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Columns as a list.
pub(super) fn columns(schema: &[Column], key: &[String]) -> String {
    let rows: Vec<Vec<String>> = schema
        .iter()
        .map(|column| {
            let is_key = if key.contains(&column.name) { "key" } else { "" };
            vec![
                column.name.clone(),
                column.type_name.clone(),
                is_key.to_owned(),
                column.field_id.clone().unwrap_or_default(),
                column.mask.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let heads = ["COLUMN", "TYPE", "KEY", "FIELD OF JIRA", "HASHED"].map(Head::Text);
    table(&heads, &rows, "The table has no column.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_shown_with_its_key_and_with_what_it_is_complete_for() {
        let document = json!({
            "pool": "a", "connection": "x", "table": "issues", "key": ["issue_id"], "rows": 12, "path": "/lake/a/x/issues",
            "complete_for": {"projects": ["AB"], "jql": null, "columns": []},
        });
        let found: Table = documents::read(&document, "r").unwrap();
        let schema = json!({"schema": [{"name": "issue_id", "type": "i64"}, {"name": "team", "type": "text", "field_id": "customfield_1"}], "rows": []});
        let shown: documents::Preview = documents::read(&schema, "r").unwrap();
        let text = text(&found, &shown.schema);
        assert!(text.contains("key             issue_id") && text.contains("projects [\"AB\"]"), "{text}");
        assert!(!text.contains("jql") && text.contains("customfield_1"), "{text}");
    }
}
