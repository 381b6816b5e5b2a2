//! The rows of a part, to be looked at before anything is sent.

use crate::part::Part;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use chrono::{DateTime, SecondsFormat};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

/// A part cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of {table} cannot be read back ({detail}); this is a defect, please report it")]
pub struct UnreadablePart {
    /// Its table.
    pub table: String,
    /// What was wrong.
    pub detail: String,
}

impl Part {
    /// Its first rows as they would leave: column by column in order.
    ///
    /// # Errors
    /// When the part is no Parquet file of this engine.
    pub fn first_rows(&self, most: usize) -> Result<Vec<Map<String, Value>>, UnreadablePart> {
        let unreadable = |error: &dyn std::error::Error| UnreadablePart {
            table: self.table.clone(),
            detail: error.to_string(),
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(self.bytes.clone())
            .and_then(|builder| builder.with_limit(most).build())
            .map_err(|error| unreadable(&error))?;
        let mut rows = Vec::new();
        for batch in reader {
            let batch = batch.map_err(|error| unreadable(&error))?;
            rows.extend((0..batch.num_rows()).map(|row| row_of(&batch, row)));
        }
        Ok(rows)
    }
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
