//! A Delta reader of the tests' own: replays the JSON log and reads the live Parquet files row by row. It shares no code with
//! the relay, so that it can tell when the relay's tables are wrong.

use crate::truth::{Cell, TruthTable};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

/// A landed table as an outsider sees it.
pub struct LandedTable {
    /// The newest version in the log.
    pub version: u64,
    /// Column names of the table's schema.
    pub columns: Vec<String>,
    /// The `jira.field_id` of the columns that have one.
    pub field_ids: BTreeMap<String, String>,
    /// One map of column to cell for each row.
    pub rows: Vec<BTreeMap<String, Cell>>,
    /// Live files.
    pub files: Vec<String>,
}

/// Reads the table in `dir`; `None` if there is no log.
pub fn read(dir: &Path) -> Option<LandedTable> {
    let log = replay(dir)?;
    let mut rows = Vec::new();
    for file in &log.files {
        read_file(&dir.join(file), &mut rows);
    }
    Some(LandedTable {
        version: log.version,
        columns: log.columns,
        field_ids: log.field_ids,
        rows,
        files: log.files.into_iter().collect(),
    })
}

struct Log {
    version: u64,
    columns: Vec<String>,
    field_ids: BTreeMap<String, String>,
    files: BTreeSet<String>,
}

fn replay(dir: &Path) -> Option<Log> {
    let mut log = Log { version: 0, columns: Vec::new(), field_ids: BTreeMap::new(), files: BTreeSet::new() };
    let mut found = false;
    for version in 0.. {
        let Ok(text) = std::fs::read_to_string(dir.join("_delta_log").join(format!("{version:020}.json")))
        else {
            break;
        };
        found = true;
        log.version = version;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            apply(&mut log, &serde_json::from_str(line).expect("a log line is JSON"));
        }
    }
    found.then_some(log)
}

fn apply(log: &mut Log, action: &Value) {
    if let Some(path) = action["remove"]["path"].as_str() {
        assert!(log.files.remove(path), "the log removes {path}, which is not live");
    }
    if let Some(path) = action["add"]["path"].as_str() {
        assert!(log.files.insert(path.to_owned()), "the log adds {path} twice");
    }
    if let Some(schema) = action["metaData"]["schemaString"].as_str() {
        let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
        log.columns.clear();
        for field in schema["fields"].as_array().expect("a schema has fields") {
            let name = field["name"].as_str().expect("a field has a name").to_owned();
            if let Some(id) = field["metadata"]["jira.field_id"].as_str() {
                log.field_ids.insert(name.clone(), id.to_owned());
            }
            log.columns.push(name);
        }
    }
}

fn read_file(path: &Path, rows: &mut Vec<BTreeMap<String, Cell>>) {
    let file = File::open(path)
        .unwrap_or_else(|error| panic!("a live file is missing: {}: {error}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer").build().expect("a reader");
    for batch in reader {
        read_batch(&batch.expect("a batch"), rows);
    }
}

/// Appends the rows of a batch as maps of column to cell.
pub fn read_batch(batch: &RecordBatch, rows: &mut Vec<BTreeMap<String, Cell>>) {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        let cells = schema.fields().iter().zip(batch.columns());
        rows.push(cells.map(|(field, column)| (field.name().clone(), cell(column, row))).collect());
    }
}

fn cell(column: &dyn Array, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    match column.data_type() {
        DataType::Int64 => Cell::I64(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::F64(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Cell::Bool(column.as_boolean().value(row)),
        DataType::Utf8 => Cell::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Date32 => Cell::Date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            Cell::Ts(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        other => panic!("a column of type {other}"),
    }
}

/// Compares a landed table with the truth, cell by cell; the differences as text, at most a dozen.
pub fn differences(name: &str, truth: &TruthTable, landed: &LandedTable) -> Vec<String> {
    let mut found = Vec::new();
    let names: Vec<&str> = truth.columns.iter().map(|(column, _)| column.as_str()).collect();
    let landed_names: BTreeSet<&str> = landed.columns.iter().map(String::as_str).collect();
    let expected_names: BTreeSet<&str> = names.iter().copied().collect();
    if landed_names != expected_names {
        found.push(format!(
            "{name}: columns differ: {:?}",
            landed_names.symmetric_difference(&expected_names).collect::<Vec<_>>()
        ));
    }
    let mut by_key: BTreeMap<String, &BTreeMap<String, Cell>> = BTreeMap::new();
    for row in &landed.rows {
        let key = key_text(truth.key.iter().map(|column| row.get(column).unwrap_or(&Cell::Null)));
        if by_key.insert(key.clone(), row).is_some() {
            found.push(format!("{name}: row {key} is there twice"));
        }
    }
    let positions: Vec<usize> =
        truth.key.iter().filter_map(|column| names.iter().position(|name| name == column)).collect();
    for row in &truth.rows {
        let key = key_text(positions.iter().map(|at| &row[*at]));
        match by_key.remove(&key) {
            None => found.push(format!("{name}: row {key} is lost")),
            Some(landed) => found.extend(cell_differences(name, &key, &names, row, landed)),
        }
    }
    found.extend(by_key.keys().map(|key| format!("{name}: row {key} is invented")));
    let more = found.len().saturating_sub(12);
    found.truncate(12);
    if more > 0 {
        found.push(format!("... and {more} more"));
    }
    found
}

fn cell_differences(
    table: &str,
    key: &str,
    names: &[&str],
    expected: &[Cell],
    landed: &BTreeMap<String, Cell>,
) -> Vec<String> {
    let differing =
        names.iter().zip(expected).filter(|(name, cell)| landed.get(**name).unwrap_or(&Cell::Null) != *cell);
    differing
        .map(|(name, cell)| {
            format!(
                "{table} {key} {name}: expected {}, landed {}",
                short(cell),
                short(landed.get(*name).unwrap_or(&Cell::Null))
            )
        })
        .collect()
}

fn key_text<'a>(cells: impl Iterator<Item = &'a Cell>) -> String {
    cells.map(|cell| format!("{cell:?}")).collect::<Vec<_>>().join("/")
}

fn short(cell: &Cell) -> String {
    let text = format!("{cell:?}");
    if text.chars().count() > 160 { text.chars().take(160).collect::<String>() + "..." } else { text }
}
