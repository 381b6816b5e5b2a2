//! `uplinkctl table export-ocel`

use crate::cli::ExportOcel;
use crate::client::{Client, Lines};
use crate::error::Error;
use crate::figures::count;
use crate::ocel::{Counts, Ocel, SOURCES, Source};
use crate::output::Output;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Rows that are handed to the file at once.
const BATCH_ROWS: usize = 2000;
/// The relay's word for a table that no run has made.
const NO_TABLE: &str = "table_not_found";

/// Writes the file under another name and gives it its own when it is whole.
pub(super) async fn run(client: &Client, wanted: &ExportOcel, output: Output) -> Result<(), Error> {
    let out = &wanted.out;
    if out.exists() {
        let reason = "it is there already; name another or remove it".to_owned();
        return Err(failed(out, reason));
    }
    let partial = partial(out);
    // What an export that was killed has left.
    if partial.exists() {
        std::fs::remove_file(&partial).map_err(|error| failed(&partial, error.to_string()))?;
    }
    let written = write(client, wanted, &partial).await;
    let named = written.and_then(|counts| {
        std::fs::rename(&partial, out).map_err(|error| failed(out, error.to_string())).map(|()| counts)
    });
    if named.is_err() {
        // The reason why the export failed counts more than a file that stays.
        std::fs::remove_file(&partial).ok();
    }
    say(named?, out, output)
}

async fn write(client: &Client, wanted: &ExportOcel, partial: &Path) -> Result<Counts, Error> {
    let fault = |error: sqlx::Error| failed(partial, error.to_string());
    let mut ocel = Ocel::create(partial).await.map_err(fault)?;
    for source in SOURCES {
        let path = ["tables", &wanted.pool, &wanted.connection, source.table, "rows"];
        let columns = [("columns", source.columns.join(","))];
        match client.lines_of(&path, &columns).await {
            Ok(lines) => copy(lines, source, &mut ocel, partial).await?,
            Err(Error::Problem { code, .. }) if code == NO_TABLE && !source.is_required => {}
            Err(error) => return Err(error),
        }
    }
    ocel.finish().await.map_err(fault)
}

/// Copies rows, which may lack some of the columns, until the line that ends them.
async fn copy(mut lines: Lines, source: &Source, ocel: &mut Ocel, partial: &Path) -> Result<(), Error> {
    let broken_off = || Error::BrokenOff { table: source.table.to_owned() };
    let head = lines.next().await?.ok_or_else(broken_off)?;
    let held: Vec<&str> =
        head["columns"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let places: Vec<Option<usize>> =
        source.columns.iter().map(|name| held.iter().position(|held| held == name)).collect();
    let mut batch = Vec::new();
    loop {
        let line = lines.next().await?.ok_or_else(broken_off)?;
        let row = line.as_array();
        if let Some(row) = row {
            let cell = |place: &Option<usize>| place.and_then(|place| row.get(place).cloned());
            batch.push(places.iter().map(|place| cell(place).unwrap_or_default()).collect());
        }
        if batch.len() >= BATCH_ROWS || row.is_none() {
            let rows = std::mem::take(&mut batch);
            ocel.add(source, rows).await.map_err(|error| failed(partial, error.to_string()))?;
        }
        if row.is_none() {
            return Ok(());
        }
    }
}

fn say(counts: Counts, out: &Path, output: Output) -> Result<(), Error> {
    let number = |number: i64| count(u64::try_from(number).unwrap_or_default());
    let document = json!({
        "file": out.display().to_string(), "events": counts.events, "events_without_time": counts.without_time,
        "objects": counts.objects, "event_objects": counts.event_objects, "object_objects": counts.object_objects,
    });
    output.answer(&document, || {
        let left_out = if counts.without_time > 0 {
            format!(
                "; {} events have no time, because their column is masked, and are left out",
                number(counts.without_time)
            )
        } else {
            String::new()
        };
        format!(
            "{} holds {} events, {} objects, {} relations of events and {} of objects{left_out}",
            out.display(),
            number(counts.events),
            number(counts.objects),
            number(counts.event_objects),
            number(counts.object_objects)
        )
    })
}

fn partial(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    out.with_file_name(name)
}

fn failed(path: &Path, reason: String) -> Error {
    Error::Write { what: "the OCEL file", path: path.to_owned(), reason }
}
