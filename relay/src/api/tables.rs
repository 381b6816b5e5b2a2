//! Tables of the lake: what there is, a first look at the rows, and all of them.

use super::input::{Params, Place, check_name};
use super::problem::Problem;
use super::runs::ndjson;
use crate::clock;
use crate::direct;
use crate::lake::TablePlace;
use crate::node::Shared;
use crate::run::{catalogue, control};
use crate::store::TableRow;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;

/// Rows of a preview if nothing is said.
const ROWS: usize = 20;
/// Rows of a preview at most: it is read into memory.
const ROWS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    pool: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Look {
    rows: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    /// Names, separated by commas; nothing means all.
    columns: Option<String>,
}

pub(super) async fn list(
    State(node): State<Shared>,
    Params(filter): Params<Filter>,
) -> Result<Json<Value>, Problem> {
    if let Some(pool) = &filter.pool {
        node.store.pool(pool).await?;
    }
    let tables = node.store.tables(filter.pool.as_deref()).await?;
    // A table without columns has a watermark but no row yet, and so no files.
    Ok(Json(tables.iter().filter(|table| table.columns > 0).map(document).collect()))
}

pub(super) async fn show(
    State(node): State<Shared>,
    Place((pool, connection, table)): Place<(String, String, String)>,
    Params(look): Params<Look>,
) -> Result<Json<Value>, Problem> {
    let (place, known) = place_of(pool, connection, table)?;
    let rows = look.rows.unwrap_or(ROWS).min(ROWS_MAX);
    let preview = if known { node.lake.preview(&place, rows).await? } else { None };
    let Some(preview) = preview else { return Err(missing(&place)) };
    Ok(Json(json!({
        "schema": preview.columns,
        "key": direct::key_of(&place.table),
        "rows": preview.rows,
        "path": node.lake.path(&place),
    })))
}

/// Every row, a line each.
pub(super) async fn rows(
    State(node): State<Shared>,
    Place((pool, connection, table)): Place<(String, String, String)>,
    Params(chosen): Params<Chosen>,
) -> Result<Response, Problem> {
    let (place, known) = place_of(pool, connection, table)?;
    let columns = chosen.columns.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect();
    let lines = if known { node.lake.rows(&place, columns).await? } else { None };
    let Some(lines) = lines else { return Err(missing(&place)) };
    let lines = stream::unfold(lines, |mut lines| async move {
        let chunk = lines.recv().await?;
        Some((Ok::<_, Infallible>(chunk), lines))
    });
    Ok(ndjson(Body::from_stream(lines)))
}

/// Where a table lies, and whether there can be one of that name.
fn place_of(pool: String, connection: String, table: String) -> Result<(TablePlace, bool), Problem> {
    check_name("a pool", &pool)?;
    check_name("a connection", &connection)?;
    let known = catalogue::is_table(&table) || control::is_control(&table);
    Ok((TablePlace { pool, connection, table }, known))
}

fn missing(place: &TablePlace) -> Problem {
    let detail = format!("{}/{} has no table `{}`", place.pool, place.connection, place.table.escape_debug());
    Problem::new(StatusCode::NOT_FOUND, "table_not_found", detail)
        .hint("`uplinkctl table list` shows the tables; an extraction fills them")
}

fn document(table: &TableRow) -> Value {
    json!({
        "pool": table.pool,
        "connection": table.connection,
        "table": table.table,
        "key": direct::key_of(&table.table),
        "complete_for": table.scope,
        "rows": table.rows,
        "columns": table.columns,
        "files": table.files,
        "bytes": table.bytes,
        "version": table.version,
        "path": table.path,
        "updated_at": clock::text(table.updated_ms),
        "watermark": table.watermark_ms.map(clock::text),
    })
}
