//! The rows of a part, to be looked at before anything is sent.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value};

/// The first rows of a batch, cell by cell in the order of the columns.
pub(super) fn first_rows(batch: &RecordBatch, most: usize) -> impl Iterator<Item = Map<String, Value>> {
    (0..batch.num_rows().min(most)).map(|row| row_of(batch, row))
}

fn row_of(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let schema = batch.schema();
    let cells = schema.fields().iter().zip(batch.columns());
    cells.map(|(field, array)| (field.name().clone(), cell(array, row))).collect()
}

fn cell(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int64 => Value::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::from(array.as_boolean().value(row)),
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::Date32 => {
            let days = i64::from(array.as_primitive::<Date32Type>().value(row));
            let day = DateTime::from_timestamp(days * 86_400, 0).map(|day| day.date_naive().to_string());
            day.map_or(Value::Null, Value::from)
        }
        DataType::Timestamp(..) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = DateTime::from_timestamp_micros(micros);
            time.map_or(Value::Null, |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
        }
        // This engine writes no other types.
        _ => Value::Null,
    }
}
