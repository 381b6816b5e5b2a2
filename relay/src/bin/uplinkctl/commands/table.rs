//! `uplinkctl table ...`

use super::{export_ocel, items, table_show};
use crate::cli::{Preview, TableCommand, TableName};
use crate::client::Client;
use crate::documents::{self, Table};
use crate::error::Error;
use crate::figures::{bytes, count, moment_or_dash};
use crate::output::{Head, Output, clean, shorten, table, terminal_width};
use serde_json::{Value, json};

/// Characters of a cell in a preview; longer texts are shortened.
const CELL_WIDTH_MAX: usize = 40;
/// Width of a preview when standard output is no terminal.
const PREVIEW_WIDTH: usize = 160;

/// Runs the command.
pub(super) async fn run(client: &Client, command: &TableCommand, output: Output) -> Result<(), Error> {
    match command {
        TableCommand::List { pool } => {
            let document = documents_of(client, pool.as_deref()).await?;
            let tables = read_all(&document, client)?;
            output.answer(&document, || listing(&tables))
        }
        TableCommand::Show(wanted) => table_show::run(client, wanted, output).await,
        TableCommand::Preview(wanted) => preview(client, wanted, output).await,
        TableCommand::ExportOcel(wanted) => export_ocel::run(client, wanted, output).await,
        TableCommand::Path(wanted) => {
            let table = find(client, wanted).await?;
            let document = json!({
                "pool": table.pool, "connection": table.connection, "table": table.table, "path": table.path,
            });
            output.answer(&document, || table.path)
        }
    }
}

/// The tables of a pool, or all.
pub(super) async fn of_pool(client: &Client, pool: Option<&str>) -> Result<Vec<Table>, Error> {
    read_all(&documents_of(client, pool).await?, client)
}

async fn documents_of(client: &Client, pool: Option<&str>) -> Result<Value, Error> {
    let query: Vec<_> = pool.map(|pool| ("pool", pool.to_owned())).into_iter().collect();
    client.get(&["tables"], &query).await
}

fn read_all(document: &Value, client: &Client) -> Result<Vec<Table>, Error> {
    items(document).iter().map(|table| documents::read(table, &client.relay())).collect()
}

/// Tables as a list.
pub(super) fn listing(tables: &[Table]) -> String {
    let rows: Vec<_> = tables
        .iter()
        .map(|t| {
            let numbers = [count(t.rows), count(t.columns), count(t.files), bytes(t.bytes)];
            let mut row = vec![t.pool.clone(), t.connection.clone(), t.table.clone(), t.key.join(", ")];
            row.extend(numbers);
            row.extend([moment_or_dash(t.updated_at), moment_or_dash(t.watermark)]);
            row
        })
        .collect();
    let (text, number) = (Head::Text, Head::Number);
    let heads = [
        text("POOL"),
        text("CONNECTION"),
        text("TABLE"),
        text("KEY"),
        number("ROWS"),
        number("COLUMNS"),
        number("FILES"),
        number("SIZE"),
        text("UPDATED"),
        text("COMPLETE UP TO"),
    ];
    table(
        &heads,
        &rows,
        "There is no table yet; a run makes them: uplinkctl extract CONNECTION --full --follow",
    )
}

pub(super) async fn find(client: &Client, wanted: &TableName) -> Result<Table, Error> {
    if wanted.table.starts_with('_') {
        return control(client, wanted).await;
    }
    pick(of_pool(client, wanted.pool.as_deref()).await?, wanted)
}

/// A control table, which no list names.
async fn control(client: &Client, wanted: &TableName) -> Result<Table, Error> {
    let (Some(pool), Some(connection)) = (&wanted.pool, &wanted.connection) else {
        let message = format!("`{}` is a control table, and every data connection has one", wanted.table);
        return Err(Error::Pick {
            message,
            hint: "say which: --pool POOL --connection CONNECTION".to_owned(),
        });
    };
    let document =
        client.get(&["tables", pool, connection, &wanted.table], &[("rows", "1000".to_owned())]).await?;
    let preview: documents::Preview = documents::read(&document, &client.relay())?;
    let length = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Ok(Table {
        pool: pool.clone(),
        connection: connection.clone(),
        table: wanted.table.clone(),
        rows: length(preview.rows.len()),
        columns: length(preview.schema.len()),
        path: document["path"].as_str().unwrap_or_default().to_owned(),
        ..Table::default()
    })
}

fn pick(tables: Vec<Table>, wanted: &TableName) -> Result<Table, Error> {
    let fits = |table: &Table| {
        table.table == wanted.table
            && wanted.pool.as_ref().is_none_or(|pool| *pool == table.pool)
            && wanted.connection.as_ref().is_none_or(|connection| *connection == table.connection)
    };
    let mut found: Vec<Table> = tables.into_iter().filter(fits).collect();
    if found.len() > 1 {
        let places: Vec<String> =
            found.iter().map(|t| format!("--pool {} --connection {}", t.pool, t.connection)).collect();
        let message = format!("{} tables are named `{}`", found.len(), wanted.table);
        return Err(Error::Pick { message, hint: format!("say which: {}", places.join(", or ")) });
    }
    found.pop().ok_or_else(|| Error::Pick {
        message: format!("there is no table `{}`{}", wanted.table, place(wanted)),
        hint: "`uplinkctl table list` shows what there is; `uplinkctl extract CONNECTION --full` fills the tables".to_owned(),
    })
}

fn place(wanted: &TableName) -> String {
    let pool = wanted.pool.as_ref().map(|pool| format!(" in pool `{pool}`")).unwrap_or_default();
    let connection =
        wanted.connection.as_ref().map(|name| format!(" of connection `{name}`")).unwrap_or_default();
    format!("{pool}{connection}")
}

async fn preview(client: &Client, wanted: &Preview, output: Output) -> Result<(), Error> {
    let found = find(client, &wanted.table).await?;
    let path = ["tables", &found.pool, &found.connection, &found.table];
    let document = client.get(&path, &[("rows", wanted.rows.to_string())]).await?;
    let preview: documents::Preview = documents::read(&document, &client.relay())?;
    let known = |name: &String| preview.schema.iter().any(|column| column.name == *name);
    if let Some(unknown) = wanted.columns.iter().find(|name| !known(name)) {
        let names: Vec<&str> = preview.schema.iter().map(|column| column.name.as_str()).collect();
        return Err(Error::Pick {
            message: format!("table `{}` has no column `{unknown}`", found.table),
            hint: format!("its columns are {}", names.join(", ")),
        });
    }
    output.answer(&document, || rows(&preview, &wanted.columns, &found, terminal_width(PREVIEW_WIDTH)))
}

/// The rows as a table, with as many columns as fit into `width` characters; columns without any value come last.
fn rows(preview: &documents::Preview, wanted: &[String], from: &Table, width: usize) -> String {
    let columns = chosen(preview, wanted, width);
    let cells: Vec<Vec<String>> =
        preview.rows.iter().map(|row| columns.iter().map(|name| cell(row, name)).collect()).collect();
    let heads: Vec<Head<'_>> = columns.iter().map(|name| Head::Text(name)).collect();
    let mut text = table(&heads, &cells, "The table has no row.");
    let all = preview.schema.len();
    text.push_str(&format!("\n\n{} of {} rows", preview.rows.len(), count(from.rows)));
    if columns.len() < all {
        text.push_str(&format!(
            ", {} of {all} columns (--columns A,B picks others, --json shows all)",
            columns.len()
        ));
    }
    text
}

fn chosen<'a>(preview: &'a documents::Preview, wanted: &'a [String], width: usize) -> Vec<&'a str> {
    if !wanted.is_empty() {
        return wanted.iter().map(String::as_str).collect();
    }
    let mut used = 0;
    let mut fitting = Vec::new();
    for column in &preview.schema {
        let widths = preview.rows.iter().map(|row| cell(row, &column.name).chars().count());
        let widest = widths.max().unwrap_or(0);
        if widest == 0 && !preview.rows.is_empty() {
            continue;
        }
        used += widest.max(column.name.chars().count()) + 2;
        if used > width && !fitting.is_empty() {
            break;
        }
        fitting.push(column.name.as_str());
    }
    fitting
}

fn cell(row: &serde_json::Map<String, Value>, name: &str) -> String {
    match row.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => shorten(&clean(text), CELL_WIDTH_MAX),
        Some(other) => shorten(&other.to_string(), CELL_WIDTH_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(pool: &str, connection: &str, table: &str) -> Table {
        Table {
            pool: pool.into(),
            connection: connection.into(),
            table: table.into(),
            rows: 1200,
            ..Table::default()
        }
    }

    fn wanted(pool: Option<&str>, connection: Option<&str>) -> TableName {
        TableName {
            table: "issues".into(),
            pool: pool.map(Into::into),
            connection: connection.map(Into::into),
        }
    }

    #[test]
    fn a_name_that_is_unique_needs_no_pool_and_no_connection() {
        let tables = || vec![named("a", "x", "issues"), named("a", "x", "users")];
        assert_eq!(pick(tables(), &wanted(None, None)).unwrap().connection, "x");
        let error = pick(tables(), &wanted(Some("b"), None)).unwrap_err();
        assert_eq!(error.to_string(), "there is no table `issues` in pool `b`");
    }

    #[test]
    fn a_name_that_is_not_unique_asks_which() {
        let tables = || vec![named("a", "x", "issues"), named("a", "y", "issues")];
        let error = pick(tables(), &wanted(None, None)).unwrap_err();
        assert!(error.hint().unwrap().contains("--pool a --connection y"));
        assert_eq!(pick(tables(), &wanted(None, Some("y"))).unwrap().connection, "y");
    }

    fn preview_of(document: Value) -> documents::Preview {
        documents::read(&document, "r").unwrap()
    }

    #[test]
    fn a_preview_shows_the_columns_that_fit_and_says_what_it_left_out() {
        let preview = preview_of(json!({
            "schema": [{"name": "issue_id", "type": "long"}, {"name": "empty", "type": "string"}, {"name": "summary", "type": "string"}],
            "rows": [{"issue_id": 10000, "empty": null, "summary": "a\u{1b}[31m b"}, {"issue_id": 9, "summary": null}],
        }));
        let text = rows(&preview, &[], &named("a", "x", "issues"), 80);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines[..3], [" issue_id  summary", " 10000     a [31m b", " 9"]);
        assert_eq!(
            lines[4],
            "2 of 1,200 rows, 2 of 3 columns (--columns A,B picks others, --json shows all)"
        );
        let narrow = rows(&preview, &[], &named("a", "x", "issues"), 12);
        assert!(narrow.trim_start().starts_with("issue_id") && !narrow.contains("summary"), "{narrow}");
        let picked = rows(&preview, &["summary".to_owned()], &named("a", "x", "issues"), 80);
        assert!(picked.trim_start().starts_with("summary") && !picked.contains("issue_id"), "{picked}");
    }
}
