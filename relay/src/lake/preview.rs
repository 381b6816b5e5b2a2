//! What a person sees of a table without another tool: its figures, its columns, its first rows.

use super::columns::{Described, describe as describe_column};
use super::error::LakeError;
use super::files::Files;
use super::place::TablePlace;
use super::table::{self, Live};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, SecondsFormat, TimeDelta};
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::{Engine, Snapshot};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Rows of a preview at most.
const ROWS_MAX: usize = 1000;

/// A table's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TableInfo {
    /// Its Delta version.
    pub version: u64,
    /// Its rows.
    pub rows: u64,
    /// Its live files.
    pub files: u64,
    /// Bytes of its live files.
    pub bytes: u64,
    /// Its columns in order.
    pub columns: Vec<ColumnInfo>,
    /// Where any Delta reader finds it.
    pub path: String,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// `i64`, `f64`, `text`, `json`, `bool`, `date`, `timestamp`, or Delta's own word for a type that another engine brought.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Jira's id of the field that fills it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_id: Option<String>,
    /// How the premises hashed its values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
}

/// The first rows of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Preview {
    /// The table's columns in order.
    pub columns: Vec<ColumnInfo>,
    /// Rows by column name; every column is present.
    pub rows: Vec<Map<String, Value>>,
}

pub(crate) fn describe(files: &Files, place: &TablePlace) -> Result<Option<TableInfo>, LakeError> {
    place.check()?;
    let engine = files.engine();
    let Some(snapshot) = table::open(files, &engine, place)? else { return Ok(None) };
    let live = Live::read(files, &engine, &snapshot, place)?;
    let rows = live.files.iter().map(|file| file.rows(files, place)).sum::<Result<u64, _>>()?;
    Ok(Some(TableInfo {
        version: snapshot.version(),
        rows,
        files: u64::try_from(live.files.len()).unwrap_or(u64::MAX),
        bytes: live.files.iter().map(|file| file.size).sum(),
        columns: columns_of(&snapshot),
        path: files.display(&place.dir()),
    }))
}

pub(crate) fn preview(files: &Files, place: &TablePlace, rows: usize) -> Result<Option<Preview>, LakeError> {
    place.check()?;
    let engine = files.engine();
    let Some(snapshot) = table::open(files, &engine, place)? else { return Ok(None) };
    let failed = |source| LakeError::delta("read rows", &place.table, source);
    let wanted = rows.min(ROWS_MAX);
    let mut preview = Preview { columns: columns_of(&snapshot), rows: Vec::new() };
    let scan = Arc::clone(&snapshot).scan_builder().build().map_err(failed)?;
    let engine: Arc<dyn Engine> = engine;
    for data in scan.execute(engine).map_err(failed)? {
        if preview.rows.len() >= wanted {
            break;
        }
        let data = ArrowEngineData::try_from_engine_data(data.map_err(failed)?).map_err(failed)?;
        let batch = data.record_batch();
        let missing = wanted.saturating_sub(preview.rows.len());
        preview.rows.extend((0..batch.num_rows().min(missing)).map(|row| json_row(batch, row)));
    }
    Ok(Some(preview))
}

fn columns_of(snapshot: &Snapshot) -> Vec<ColumnInfo> {
    let column = |field: &delta_kernel::schema::StructField| {
        let Described { type_name, field_id, mask } = describe_column(field);
        ColumnInfo { name: field.name.clone(), type_name, field_id, mask }
    };
    snapshot.schema().fields().map(column).collect()
}

fn json_row(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let schema = batch.schema();
    let cells = schema.fields().iter().zip(batch.columns());
    cells.map(|(field, array)| (field.name().clone(), json_cell(array, row))).collect()
}

pub(crate) fn json_cell(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int64 => Value::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::from(array.as_boolean().value(row)),
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::Date32 => {
            day(array.as_primitive::<Date32Type>().value(row)).map_or(Value::Null, Value::from)
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = DateTime::from_timestamp_micros(micros);
            time.map_or(Value::Null, |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
        }
        // Only another engine brings other types.
        _ => delta_kernel::arrow::util::display::array_value_to_string(array, row)
            .map_or(Value::Null, Value::from),
    }
}

fn day(days: i32) -> Option<String> {
    let epoch = DateTime::UNIX_EPOCH.date_naive();
    epoch.checked_add_signed(TimeDelta::try_days(i64::from(days))?).map(|day| day.to_string())
}
