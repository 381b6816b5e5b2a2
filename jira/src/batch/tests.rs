use super::*;
use crate::unit::UnitId;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

mod children;
mod derived;
mod issues;
mod lists;
mod lossless;
mod metadata_tables;
mod odd_people;
mod of_issue;
mod parts;
mod random;
mod recorded;

/// A cell as JSON: instants as microseconds, dates as days.
fn cell(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        other => panic!("no column is {other}"),
    }
}

fn batch_rows(batch: &RecordBatch) -> Vec<Value> {
    let schema = batch.schema();
    let row = |row| {
        let cells = schema.fields().iter().zip(batch.columns());
        cells
            .map(|(field, array)| (field.name().clone(), cell(array, row)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn part_rows(part: &Part) -> Vec<Value> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(part.bytes.clone()).unwrap().build().unwrap();
    let rows: Vec<_> = reader.flat_map(|batch| batch_rows(&batch.unwrap())).collect();
    assert_eq!(rows.len() as u64, part.rows);
    rows
}

fn table_rows(finished: &Finished, table: &str) -> Vec<Value> {
    finished.parts.iter().filter(|part| part.table == table).flat_map(part_rows).collect()
}

/// The one row of a table.
fn only_row(finished: &Finished, table: &str) -> Value {
    let mut rows = table_rows(finished, table);
    assert_eq!(rows.len(), 1, "{table}");
    rows.remove(0)
}

fn warned(finished: &Finished) -> Vec<(&str, u64)> {
    finished.warnings.iter().map(|warning| (warning.code.as_str(), warning.count)).collect()
}

fn place() -> Place {
    Place { unit: UnitId::new("slice-1"), generation: 3 }
}

const ISSUE_TABLES: [Table; 5] =
    [Table::Issues, Table::IssueComments, Table::IssueWorklogs, Table::IssueChangelog, Table::IssueLinks];

fn sink_with(fields: &Value, tables: &[Table]) -> Sink {
    let schema = IssueSchema::from_field_answer(&fields.to_string()).unwrap();
    Sink::new(Arc::new(schema), &tables.iter().copied().collect(), place(), usize::MAX)
}

fn sink() -> Sink {
    sink_with(&json!([]), &ISSUE_TABLES)
}

/// A search answer that holds these issues.
fn page(issues: &[Value]) -> String {
    json!({"startAt": 0, "maxResults": 50, "total": issues.len(), "issues": issues}).to_string()
}

/// An issue with the least that every issue has, and these members of `fields`.
fn issue(id: u64, fields: Value) -> Value {
    let mut all =
        json!({"created": "2024-01-02T03:04:05.678+0000", "updated": "2024-01-03T00:00:00.000+0100"});
    let members = all.as_object_mut().unwrap();
    members.extend(fields.as_object().unwrap().clone());
    json!({"id": id.to_string(), "key": format!("AB-{id}"), "fields": all})
}

fn read(sink: &mut Sink, json: &str) -> PageHead {
    sink.issue_page(json, &mut |_| true).unwrap()
}

/// Rows and warnings of one issue with these fields.
fn read_fields(fields: Value) -> Finished {
    let mut sink = sink();
    read(&mut sink, &page(&[issue(7, fields)]));
    sink.finish().unwrap()
}

/// One custom field of that type, and what its column holds for that value, with the count of warnings.
fn custom_value(schema_type: &str, value: Value) -> (Value, u64) {
    let fields =
        json!([{"id": "customfield_10010", "name": "F", "custom": true, "schema": {"type": schema_type}}]);
    let mut sink = sink_with(&fields, &[Table::Issues]);
    read(&mut sink, &page(&[issue(7, json!({"customfield_10010": value}))]));
    let finished = sink.finish().unwrap();
    let misfits = finished.warnings.iter().map(|warning| warning.count).sum();
    (only_row(&finished, "issues")["f"].clone(), misfits)
}
