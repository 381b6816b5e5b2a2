//! A part: an immutable Parquet file of rows of one table, the unit of transfer and commit.

mod rows;

use crate::tables::ColumnType;
use crate::undecodable::DecodeError;
use crate::unit::Place;
use crate::unit::UnitId;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Key of a column's metadata that holds Jira's id of the custom field.
const FIELD_ID_KEY: &str = "jira.field_id";
/// Key of a column's metadata that says how its values are hashed.
const MASK_KEY: &str = "uplink.mask";
/// Where levels above cost much more time than they save bytes.
const ZSTD_LEVEL: i32 = 3;
/// A dictionary beyond this is given up: the column repeats itself too little.
const DICTIONARY_BYTES: usize = 64 << 10;
/// Small enough that a reader can skip, large enough to compress well.
const PAGE_BYTES: usize = 1 << 20;

/// A finished part.
#[derive(Clone, Debug)]
pub struct Part {
    /// The table's name, or `_replaced`.
    pub table: String,
    /// The pass over the site that read it.
    pub generation: u32,
    /// The unit that it belongs to.
    pub unit: UnitId,
    /// Rows in it.
    pub rows: u64,
    /// The Parquet file.
    pub bytes: Bytes,
    /// SHA-256 of the bytes.
    pub digest: [u8; 32],
    /// Columns of its schema.
    pub columns: usize,
    /// Their names.
    pub column_names: Arc<[String]>,
    /// Its first rows as they would leave, where [`Spec::first_rows`](crate::Spec::first_rows) asks for them.
    pub first_rows: Vec<Map<String, Value>>,
}

/// A column of a part.
#[derive(Clone, Debug)]
pub(crate) struct PartColumn {
    pub(crate) name: String,
    pub(crate) column_type: ColumnType,
    pub(crate) field_id: Option<String>,
    /// How its values are hashed, if they are.
    pub(crate) mask: Option<String>,
    /// Part of the table's key: never null, and worth skipping by.
    pub(crate) is_key: bool,
    /// Mostly different from row to row, and long or unique: neither a dictionary nor bounds are worth their bytes.
    pub(crate) is_varied: bool,
}

/// Writes the rows of one table of one unit into parts.
///
/// Rows come as whole row groups, so that between two of them nothing is held but the encoded bytes: an open row group holds a
/// compressor per column.
pub(crate) struct PartWriter {
    table: String,
    place: Place,
    schema: Arc<Schema>,
    names: Arc<[String]>,
    properties: WriterProperties,
    first_rows: usize,
    open: Option<Open>,
}

struct Open {
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
    first_rows: Vec<Map<String, Value>>,
}

impl PartWriter {
    pub(crate) fn new(table: &str, columns: &[PartColumn], place: Place) -> Result<Self, DecodeError> {
        let fields: Vec<_> = columns.iter().map(arrow_field).collect();
        let properties = properties(table, columns, place.generation)
            .map_err(|error| DecodeError::encode(table, &error))?;
        Ok(Self {
            table: table.to_owned(),
            place,
            schema: Arc::new(Schema::new(fields)),
            names: columns.iter().map(|column| column.name.clone()).collect(),
            properties,
            first_rows: 0,
            open: None,
        })
    }

    /// The same, with the first rows of each part beside it.
    pub(crate) fn showing(self, first_rows: usize) -> Self {
        Self { first_rows, ..self }
    }

    /// Encodes one row group.
    pub(crate) fn write_group(&mut self, arrays: Vec<ArrayRef>) -> Result<(), DecodeError> {
        let encode = |error: &dyn std::error::Error| DecodeError::encode(&self.table, error);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(|error| encode(&error))?;
        let rows = u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.start()?,
        };
        open.writer.write(&batch).and_then(|()| open.writer.flush()).map_err(|error| encode(&error))?;
        open.rows += rows;
        open.first_rows
            .extend(rows::first_rows(&batch, self.first_rows.saturating_sub(open.first_rows.len())));
        self.open = Some(open);
        Ok(())
    }

    /// Encoded bytes of the part that is being written.
    pub(crate) fn bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.writer.bytes_written())
    }

    /// Finishes the part that is being written, if there is one.
    pub(crate) fn finish(&mut self) -> Result<Option<Part>, DecodeError> {
        let Some(open) = self.open.take() else { return Ok(None) };
        self.close(open).map(Some)
    }

    /// Finishes the part that is being written, or makes one without rows, which still says what the table's columns are.
    pub(crate) fn finish_even_empty(&mut self) -> Result<Part, DecodeError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.start()?,
        };
        self.close(open)
    }

    fn start(&self) -> Result<Open, DecodeError> {
        let writer =
            ArrowWriter::try_new(Vec::new(), Arc::clone(&self.schema), Some(self.properties.clone()))
                .map_err(|error| DecodeError::encode(&self.table, &error))?;
        Ok(Open { writer, rows: 0, first_rows: Vec::new() })
    }

    fn close(&self, mut open: Open) -> Result<Part, DecodeError> {
        open.writer.finish().map_err(|error| DecodeError::encode(&self.table, &error))?;
        let mut bytes = std::mem::take(open.writer.inner_mut());
        bytes.shrink_to_fit();
        let mut sum = [0; 32];
        sum.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        Ok(Part {
            table: self.table.clone(),
            generation: self.place.generation,
            unit: self.place.unit.clone(),
            rows: open.rows,
            bytes: Bytes::from(bytes),
            digest: sum,
            columns: self.schema.fields().len(),
            column_names: Arc::clone(&self.names),
            first_rows: open.first_rows,
        })
    }
}

fn arrow_field(column: &PartColumn) -> Field {
    let data_type = match column.column_type {
        ColumnType::I64 => DataType::Int64,
        ColumnType::F64 => DataType::Float64,
        ColumnType::Text | ColumnType::Json => DataType::Utf8,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    };
    let field = Field::new(&column.name, data_type, !column.is_key);
    let notes = [(FIELD_ID_KEY, &column.field_id), (MASK_KEY, &column.mask)];
    let notes = notes.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
    field.with_metadata(notes.collect::<HashMap<_, _>>())
}

fn properties(
    table: &str,
    columns: &[PartColumn],
    generation: u32,
) -> Result<WriterProperties, parquet::errors::ParquetError> {
    let listed: Vec<_> = columns.iter().map(describe).collect();
    let metadata = [
        ("uplink.table", table.to_owned()),
        ("uplink.generation", generation.to_string()),
        ("uplink.columns", Value::from(listed).to_string()),
    ];
    let metadata = metadata.map(|(key, value)| KeyValue::new(key.to_owned(), value));
    let builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(metadata.into()));
    Ok(columns.iter().fold(builder, column_properties).build())
}

fn describe(column: &PartColumn) -> Value {
    let mut described = serde_json::json!({"name": column.name, "type": column.column_type.name()});
    if let Some(id) = &column.field_id {
        described["field_id"] = id.as_str().into();
    }
    if let Some(mask) = &column.mask {
        described["mask"] = mask.as_str().into();
    }
    described
}

fn column_properties(builder: WriterPropertiesBuilder, column: &PartColumn) -> WriterPropertiesBuilder {
    let path = ColumnPath::new(vec![column.name.clone()]);
    let statistics = match column.column_type {
        ColumnType::Timestamp => EnabledStatistics::Page,
        ColumnType::I64 if column.is_key => EnabledStatistics::Page,
        ColumnType::Json => EnabledStatistics::None,
        ColumnType::Text if column.is_varied => EnabledStatistics::None,
        ColumnType::I64 | ColumnType::F64 | ColumnType::Text | ColumnType::Bool | ColumnType::Date => {
            EnabledStatistics::Chunk
        }
    };
    builder
        .set_column_dictionary_enabled(path.clone(), !column.is_varied)
        .set_column_statistics_enabled(path, statistics)
}
