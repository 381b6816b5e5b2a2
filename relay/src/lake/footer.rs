//! Footers of Parquet files: what a part must be, read without decoding a page.

use super::columns::{Column, ISSUE_ID, NOTES_KEY, annotate};
use super::error::{LakeError, PartFault};
use super::files::Files;
use super::nesting;
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Length of the footer's length and the magic bytes at a file's end.
const TAIL_BYTES: usize = 8;
const MAGIC: &[u8; 4] = b"PAR1";
/// Read at first from a file's end: most footers fit.
const FIRST_READ_BYTES: u64 = 64 << 10;

/// What the footer of a part says.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    pub(crate) meta: Arc<ParquetMetaData>,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: u64,
}

impl Footer {
    /// Reads the footer of a part from its bytes and checks everything that later steps rely on.
    pub(crate) fn parse(part: &Bytes) -> Result<Self, PartFault> {
        if !part.starts_with(MAGIC) {
            return Err(PartFault::Footer("it does not begin with PAR1".to_owned()));
        }
        let length = part
            .len()
            .checked_sub(TAIL_BYTES)
            .and_then(|end| footer_length(part.get(end..)?).map(|len| (end, len)));
        let encoded = length.and_then(|(end, length)| part.get(end.checked_sub(length)?..end));
        let encoded = encoded.ok_or_else(|| PartFault::Footer("it does not end in a footer".to_owned()))?;
        let size = u64::try_from(part.len()).unwrap_or(u64::MAX);
        Self::decode(encoded, size)
    }

    /// Reads the footer of a landed part.
    pub(crate) fn read_part(files: &Files, path: &str, size: u64) -> Result<Self, LakeError> {
        let encoded = read_encoded(files, path, size)?;
        Self::decode(&encoded, size)
            .map_err(|fault| LakeError::Committing { path: files.display(path), fault })
    }

    fn decode(encoded: &[u8], file_size: u64) -> Result<Self, PartFault> {
        match nesting::is_flat(encoded) {
            Some(true) => {}
            Some(false) => return Err(PartFault::Footer("its columns are nested".to_owned())),
            None => return Err(PartFault::Footer("its footer is malformed".to_owned())),
        }
        let meta = ParquetMetaDataReader::decode_metadata(encoded)
            .map_err(|error| PartFault::Footer(error.to_string()))?;
        let rows = check_row_groups(&meta, file_size)?;
        let columns = columns_of(&meta)?;
        Ok(Self { meta: Arc::new(meta), columns, rows })
    }
}

/// Reads the metadata of any Parquet file of the lake, also of one that another engine wrote.
pub(crate) fn read_metadata(files: &Files, path: &str, size: u64) -> Result<Arc<ParquetMetaData>, LakeError> {
    let encoded = read_encoded(files, path, size)?;
    let failed = |source| LakeError::parquet("read the footer of", &files.display(path), source);
    let meta = ParquetMetaDataReader::decode_metadata(&encoded).map_err(failed)?;
    let outside = |_| failed(ParquetError::General("it places column data outside the file".to_owned()));
    check_row_groups(&meta, size).map_err(outside)?;
    Ok(Arc::new(meta))
}

/// Where a column chunk lies in its file; `None` when the footer says nonsense. (The library's own function panics then.)
pub(crate) fn chunk_range(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let start = u64::try_from(start).ok()?;
    let end = start.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?;
    Some(start..end)
}

/// The leaf of the column by which delta loads replace rows.
pub(crate) fn issue_id_leaf(meta: &ParquetMetaData) -> Option<usize> {
    meta.file_metadata()
        .schema_descr()
        .columns()
        .iter()
        .position(|column| column.path().parts() == [ISSUE_ID])
}

fn read_encoded(files: &Files, path: &str, size: u64) -> Result<Bytes, LakeError> {
    let malformed = || {
        let source = ParquetError::General("it does not end in a Parquet footer".to_owned());
        LakeError::parquet("read the footer of", &files.display(path), source)
    };
    let tail_start = size.saturating_sub(FIRST_READ_BYTES);
    let tail = files.read_range(path, tail_start..size)?;
    let end = tail.len().checked_sub(TAIL_BYTES).ok_or_else(malformed)?;
    let length = tail.get(end..).and_then(footer_length).ok_or_else(malformed)?;
    if let Some(start) = end.checked_sub(length) {
        return Ok(tail.slice(start..end));
    }
    let footer_end = size.saturating_sub(u64::try_from(TAIL_BYTES).unwrap_or(0));
    let start =
        u64::try_from(length).ok().and_then(|length| footer_end.checked_sub(length)).ok_or_else(malformed)?;
    files.read_range(path, start..footer_end)
}

fn footer_length(tail: &[u8]) -> Option<usize> {
    let (length, magic) = tail.split_first_chunk::<4>()?;
    (magic == MAGIC).then(|| usize::try_from(u32::from_le_bytes(*length)).ok()).flatten()
}

/// Checks that rows add up and that all data lies inside the file; returns the rows.
fn check_row_groups(meta: &ParquetMetaData, file_size: u64) -> Result<u64, PartFault> {
    let mut rows = 0_u64;
    for group in meta.row_groups() {
        let in_group = u64::try_from(group.num_rows()).map_err(|_| PartFault::Bounds)?;
        rows = rows.checked_add(in_group).ok_or(PartFault::Bounds)?;
        for chunk in group.columns() {
            let inside = chunk_range(chunk).is_some_and(|range| range.end <= file_size);
            let starts_before_data =
                chunk.dictionary_page_offset().is_none_or(|at| at <= chunk.data_page_offset());
            if !inside || !starts_before_data || chunk.file_path().is_some() {
                return Err(PartFault::Bounds);
            }
        }
    }
    match u64::try_from(meta.file_metadata().num_rows()) {
        Ok(announced) if announced == rows => Ok(rows),
        Ok(announced) => Err(PartFault::Rows { announced, got: rows }),
        Err(_) => Err(PartFault::Bounds),
    }
}

fn columns_of(meta: &ParquetMetaData) -> Result<Vec<Column>, PartFault> {
    let file = meta.file_metadata();
    let described = file.schema_descr().columns();
    let mut columns =
        described.iter().map(|column| Column::try_new(column)).collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::new();
    if let Some(taken) = columns.iter().find(|column| !names.insert(column.name.to_lowercase())) {
        return Err(PartFault::ColumnName(taken.name.clone()));
    }
    if columns.is_empty() {
        return Err(PartFault::Footer("it has no columns".to_owned()));
    }
    let entries = file.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let notes = entries.iter().find(|entry| entry.key == NOTES_KEY).and_then(|entry| entry.value.as_deref());
    if let Some(notes) = notes {
        annotate(&mut columns, notes)?;
    }
    Ok(columns)
}
