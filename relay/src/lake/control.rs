//! Control tables: what the relay itself has to say of its runs, as Delta tables beside those that the runs fill.
//!
//! Each is written whole, as one small file, at the end of a run, under the run's number like any other commit: written twice it lands
//! once, and a run whose end was not written is in the table after the next one.

use super::commit::{Commit, CommitPart, Committed, commit};
use super::error::LakeError;
use super::files::Files;
use super::place::TablePlace;
use super::table;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// One row of a control table, cell by cell in the order of its columns.
pub(crate) type ControlRow = Vec<Cell>;

/// A cell of a control table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Number(Option<i64>),
    Text(Option<String>),
    /// UTC milliseconds since 1970.
    Time(Option<i64>),
}

/// What a column of a control table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CellKind {
    Number,
    Text,
    Time,
}

/// A control table as it is to be.
#[derive(Clone, Debug)]
pub(crate) struct ControlTable {
    pub(crate) columns: &'static [(&'static str, CellKind)],
    pub(crate) rows: Vec<ControlRow>,
}

/// Replaces a control table, if it has not seen the run.
pub(crate) fn write(
    files: &Files,
    place: &TablePlace,
    run_number: i64,
    content: &ControlTable,
) -> Result<(), LakeError> {
    place.check()?;
    let engine = files.engine();
    // Before the file is written: under the name of this run a live one may lie there already.
    if let Some(snapshot) = table::open(files, &engine, place)?
        && table::last_run(&snapshot, &engine, place)?.is_some_and(|seen| seen >= run_number)
    {
        return Ok(());
    }
    let path = format!("{}/part-run_{run_number}-control.parquet", place.dir());
    let failed = |source| LakeError::parquet("write", &files.display(&path), source);
    files.overwrite(&path, encode(content).map_err(failed)?)?;
    let rows = u64::try_from(content.rows.len()).unwrap_or(u64::MAX);
    let part = CommitPart { path, generation: 0, rows };
    let whole =
        Commit { place: place.clone(), run_number, full: true, parts: vec![part], replaced: Vec::new() };
    commit(files, &whole).map(|Committed { .. }| ())
}

fn encode(content: &ControlTable) -> Result<Bytes, ParquetError> {
    let batch = batch(content).map_err(|error| ParquetError::ArrowError(error.to_string()))?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes.into())
}

fn batch(content: &ControlTable) -> Result<RecordBatch, ArrowError> {
    let utc = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (place, (name, kind)) in content.columns.iter().enumerate() {
        let cells = content.rows.iter().map(|row| row.get(place));
        let (data_type, array): (_, ArrayRef) = match kind {
            CellKind::Number => (DataType::Int64, Arc::new(cells.map(number).collect::<Int64Array>())),
            CellKind::Text => (DataType::Utf8, Arc::new(cells.map(text).collect::<StringArray>())),
            CellKind::Time => {
                let micros = cells.map(micros).collect::<TimestampMicrosecondArray>();
                (utc(), Arc::new(micros.with_timezone("UTC")))
            }
        };
        fields.push(Field::new(*name, data_type, true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn number(cell: Option<&Cell>) -> Option<i64> {
    if let Some(Cell::Number(number)) = cell { *number } else { None }
}

fn text(cell: Option<&Cell>) -> Option<&str> {
    if let Some(Cell::Text(text)) = cell { text.as_deref() } else { None }
}

fn micros(cell: Option<&Cell>) -> Option<i64> {
    if let Some(Cell::Time(ms)) = cell { ms.map(|ms| ms.saturating_mul(1000)) } else { None }
}
