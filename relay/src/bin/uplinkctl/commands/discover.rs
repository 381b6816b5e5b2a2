//! `uplinkctl discover ...`: what an extraction would read, before it is started.

use super::{extract, table_show};
use crate::cli::Discover;
use crate::client::Client;
use crate::documents::{self, Column};
use crate::error::Error;
use crate::figures::count;
use crate::output::{Head, Output, clean, table};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What was found.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    issues: u64,
    requests: u64,
    tables: Vec<FoundTable>,
    policy: Vec<documents::Warning>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FoundTable {
    table: String,
    key: Vec<String>,
    columns: Vec<Column>,
    rows: Option<u64>,
    is_estimate: bool,
    sample: Vec<Map<String, Value>>,
}

/// Runs the command.
pub(super) async fn run(client: &Client, discover: &Discover, output: Output) -> Result<(), Error> {
    let mut body = extract::choice(&discover.choice)?;
    body.insert("connection".to_owned(), json!(discover.connection));
    body.insert("rows".to_owned(), json!(discover.sample));
    let document = client.post(&["discoveries"], &Value::Object(body)).await?;
    let found: Found = documents::read(&document, &client.relay())?;
    // All columns of all tables would fill many screens; of tables that were named they are wanted.
    let in_detail = !discover.choice.tables.is_empty();
    output.answer(&document, || text(&found, in_detail))
}

fn text(found: &Found, in_detail: bool) -> String {
    let mut lines = vec![format!(
        "{} issues; a full load takes about {} requests",
        count(found.issues),
        count(found.requests)
    )];
    lines.extend(found.policy.iter().map(|note| format!("policy of the premises: {}", clean(&note.message))));
    lines.push(String::new());
    lines.push(listing(&found.tables));
    if !in_detail {
        lines
            .push("\nColumns and sample rows of a table: --tables NAME (--json has those of all)".to_owned());
        return lines.join("\n");
    }
    for found in &found.tables {
        lines.push(format!("\n{}\n", found.table));
        lines.push(table_show::columns(&found.columns, &found.key));
        lines.extend(
            found.sample.iter().map(|row| format!("  {}", clean(&Value::Object(row.clone()).to_string()))),
        );
    }
    lines.join("\n")
}

fn listing(tables: &[FoundTable]) -> String {
    let rows: Vec<Vec<String>> = tables
        .iter()
        .map(|found| {
            let about = if found.is_estimate { "~" } else { "" };
            let rows = found.rows.map_or_else(|| "?".to_owned(), |rows| format!("{about}{}", count(rows)));
            vec![found.table.clone(), found.key.join(", "), found.columns.len().to_string(), rows]
        })
        .collect();
    let heads = [Head::Text("TABLE"), Head::Text("KEY"), Head::Number("COLUMNS"), Head::Number("ROWS")];
    table(&heads, &rows, "The extraction would read no table.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_read_is_told_with_keys_and_about_how_much() {
        let document = json!({
            "issues": 1500, "requests": 41, "policy": [{"code": "c", "message": "only some projects", "count": 1}],
            "tables": [
                {"table": "issues", "key": ["issue_id"], "rows": 1500, "columns": [{"name": "issue_id", "type": "i64"}], "sample": [{"issue_id": 1}]},
                {"table": "issue_comments", "key": ["comment_id"], "rows": 4200, "is_estimate": true},
                {"table": "users", "key": ["user_id"]},
            ],
        });
        let found: Found = serde_json::from_value(document).unwrap();
        let brief = text(&found, false);
        assert!(brief.starts_with("1,500 issues; a full load takes about 41 requests"), "{brief}");
        assert!(
            brief.contains("only some projects") && brief.contains("~4,200") && brief.contains('?'),
            "{brief}"
        );
        assert!(!brief.contains("{\"issue_id\":1}"), "{brief}");
        assert!(text(&found, true).contains("{\"issue_id\":1}"));
    }
}
