//! A file without the rows that a run replaced: copy-on-write, row group by row group.
//!
//! First the plan: of each row group whose bounds hold a replaced id, only the `issue_id` column is read. A file that turns out to
//! hold no replaced row is left alone. Then the copy: row groups without a replaced row are copied as they are, undecoded; the
//! others are decoded, filtered and encoded again. One encoded row group at a time is in memory. The copy keeps the file's own schema,
//! so an old file with fewer columns than the table stays one.

use super::error::LakeError;
use super::files::{Files, Upload};
use super::footer::{chunk_range, issue_id_leaf, read_metadata};
use super::place::rewritten_name;
use super::replaced::ReplacedIds;
use super::stats::{FileStats, group_range};
use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_select::filter::filter_record_batch;
use bytes::{Buf, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedFileWriter;
use std::ops::Range;
use std::sync::Arc;

/// Rows decoded at a time: texts of a megabyte are possible, so few.
const BATCH_ROWS: usize = 1024;
/// As the agents encode.
const ZSTD_LEVEL: i32 = 3;

/// A file to look through, as a commit names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The table's directory.
    pub(crate) dir: &'a str,
    /// The file's name in it.
    pub(crate) name: &'a str,
    pub(crate) size: u64,
    pub(crate) generation: u32,
}

/// A file that a commit adds.
#[derive(Clone, Debug)]
pub(crate) struct NewFile {
    /// Its name in the table's directory.
    pub(crate) name: String,
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    pub(crate) modified_ms: i64,
    pub(crate) stats: FileStats,
}

/// What is left of a file.
#[derive(Clone, Debug)]
pub(crate) enum Remains {
    /// It holds no replaced row.
    All,
    /// It holds nothing else.
    Nothing,
    /// What is left, in a new file.
    Copy(NewFile),
}

/// Writes a copy of the file without the replaced rows, if it holds any.
pub(crate) fn without_replaced(
    files: &Files,
    source: Source<'_>,
    replaced: &ReplacedIds,
    run_number: i64,
) -> Result<Remains, LakeError> {
    let path = format!("{}/{}", source.dir, source.name);
    let meta = read_metadata(files, &path, source.size)?;
    let Some(leaf) = issue_id_leaf(&meta) else { return Ok(Remains::All) };
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let arrow = ArrowReaderMetadata::try_new(Arc::clone(&meta), options)
        .map_err(|source| LakeError::parquet("read the schema of", &files.display(&path), source))?;
    let rewrite = Rewrite { files, path, size: source.size, meta, arrow };
    let plan = rewrite.plan(leaf, replaced, source.generation)?;
    if plan.iter().all(|keep| matches!(keep, Keep::All)) {
        return Ok(Remains::All);
    }
    if plan.iter().all(|keep| matches!(keep, Keep::Nothing)) {
        return Ok(Remains::Nothing);
    }
    let name = rewritten_name(run_number, source.name);
    let target = format!("{}/{name}", source.dir);
    let stats = rewrite.write(&plan, &target)?;
    let written = files.head(&target)?;
    Ok(Remains::Copy(NewFile { name, size: written.size, modified_ms: written.modified_ms, stats }))
}

/// What stays of a row group.
enum Keep {
    All,
    Nothing,
    Rows(BooleanArray),
}

struct Rewrite<'a> {
    files: &'a Files,
    path: String,
    size: u64,
    meta: Arc<ParquetMetaData>,
    arrow: ArrowReaderMetadata,
}

impl Rewrite<'_> {
    fn plan(&self, leaf: usize, replaced: &ReplacedIds, generation: u32) -> Result<Vec<Keep>, LakeError> {
        let mut plan = Vec::with_capacity(self.meta.num_row_groups());
        for (index, group) in self.meta.row_groups().iter().enumerate() {
            let touched = group.num_rows() > 0 && replaced.may_touch(group_range(group, leaf), generation);
            plan.push(match touched {
                true => self.rows_to_keep(index, leaf, |id| !replaced.drops(id, generation))?,
                false => Keep::All,
            });
        }
        Ok(plan)
    }

    fn rows_to_keep(&self, group: usize, leaf: usize, keep: impl Fn(i64) -> bool) -> Result<Keep, LakeError> {
        let chunk = self.meta.row_group(group).columns().get(leaf).and_then(chunk_range);
        let chunk = self.fetch(chunk.unwrap_or_default())?;
        let decide = || -> Result<Keep, ParquetError> {
            let only_ids = ProjectionMask::leaves(self.meta.file_metadata().schema_descr(), [leaf]);
            let mut kept = Vec::new();
            for batch in self.reader(chunk, group, only_ids)? {
                let batch = batch?;
                let ids = batch.column(0).as_primitive_opt::<Int64Type>();
                let ids =
                    ids.ok_or_else(|| ParquetError::General("issue_id is no 64-bit integer".to_owned()))?;
                kept.extend(ids.iter().map(|id| id.is_none_or(&keep)));
            }
            Ok(match kept.iter().filter(|keep| **keep).count() {
                0 => Keep::Nothing,
                all if all == kept.len() => Keep::All,
                _ => Keep::Rows(BooleanArray::from(kept)),
            })
        };
        decide().map_err(|source| self.failed("read", source))
    }

    fn write(&self, plan: &[Keep], target: &str) -> Result<FileStats, LakeError> {
        let failed = |source| LakeError::parquet("write", &self.files.display(target), source);
        let file = self.meta.file_metadata();
        let upload = self.files.upload(target)?;
        let properties = properties(file.key_value_metadata().cloned()).map_err(failed)?;
        let schema = file.schema_descr().root_schema_ptr();
        let mut writer = SerializedFileWriter::new(upload, schema, Arc::new(properties)).map_err(failed)?;
        let encoders = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(self.arrow.schema()));
        for (index, keep) in plan.iter().enumerate() {
            if matches!(keep, Keep::Nothing) {
                continue;
            }
            let bytes = self.fetch(group_range_of(self.meta.row_group(index)))?;
            let written = match keep {
                Keep::Rows(rows) => self.filter_group(index, rows, bytes, &mut writer, &encoders),
                Keep::All | Keep::Nothing => copy_group(self.meta.row_group(index), &bytes, &mut writer),
            };
            written.map_err(failed)?;
        }
        let meta = writer.finish().map_err(failed)?;
        writer.inner_mut().complete().map_err(|error| failed(error.into()))?;
        Ok(FileStats::of(&meta))
    }

    fn filter_group(
        &self,
        index: usize,
        keep: &BooleanArray,
        bytes: Piece,
        writer: &mut SerializedFileWriter<Upload>,
        encoders: &ArrowRowGroupWriterFactory,
    ) -> Result<(), ParquetError> {
        let mut columns = encoders.create_column_writers(writer.flushed_row_groups().len())?;
        let mut offset = 0;
        for batch in self.reader(bytes, index, ProjectionMask::all())? {
            let batch = batch?;
            let kept = filter_record_batch(&batch, &keep.slice(offset, batch.num_rows()))?;
            offset += batch.num_rows();
            encode(&kept, &mut columns)?;
        }
        let mut group = writer.next_row_group()?;
        for column in columns {
            column.close()?.append_to_row_group(&mut group)?;
        }
        group.close().map(drop)
    }

    fn reader(
        &self,
        bytes: Piece,
        group: usize,
        columns: ProjectionMask,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, self.arrow.clone())
            .with_row_groups(vec![group])
            .with_projection(columns)
            .with_batch_size(BATCH_ROWS)
            .build()
    }

    fn fetch(&self, range: Range<u64>) -> Result<Piece, LakeError> {
        let bytes = self.files.read_range(&self.path, range.clone())?;
        Ok(Piece { start: range.start, bytes, file_size: self.size })
    }

    fn failed(&self, action: &'static str, source: ParquetError) -> LakeError {
        LakeError::parquet(action, &self.files.display(&self.path), source)
    }
}

fn properties(
    entries: Option<Vec<parquet::file::metadata::KeyValue>>,
) -> Result<WriterProperties, ParquetError> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        // Copied row groups come without page indexes, so no row group has one.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(entries)
        .build())
}

fn encode(batch: &arrow_array::RecordBatch, columns: &mut [ArrowColumnWriter]) -> Result<(), ParquetError> {
    let schema = batch.schema();
    let mut columns = columns.iter_mut();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        for leaf in compute_leaves(field, array)? {
            let column =
                columns.next().ok_or_else(|| ParquetError::General("more leaves than columns".to_owned()))?;
            column.write(&leaf)?;
        }
    }
    Ok(())
}

fn copy_group(
    source: &RowGroupMetaData,
    bytes: &Piece,
    writer: &mut SerializedFileWriter<Upload>,
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for chunk in source.columns() {
        let number =
            |value: i64| u64::try_from(value).map_err(|error| ParquetError::General(error.to_string()));
        let close = ColumnCloseResult {
            bytes_written: number(chunk.compressed_size())?,
            rows_written: number(source.num_rows())?,
            metadata: chunk.clone(),
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        group.append_column(bytes, close)?;
    }
    group.close().map(drop)
}

/// From the first to the last byte of a row group's data.
fn group_range_of(group: &RowGroupMetaData) -> Range<u64> {
    let ranges = group.columns().iter().filter_map(chunk_range);
    ranges.reduce(|all, one| all.start.min(one.start)..all.end.max(one.end)).unwrap_or_default()
}

/// A piece of a file that answers for the whole file, as long as it is asked for that piece only.
#[derive(Clone)]
struct Piece {
    start: u64,
    bytes: Bytes,
    file_size: u64,
}

impl Piece {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let offset = start.checked_sub(self.start).and_then(|offset| usize::try_from(offset).ok());
        offset
            .filter(|offset| *offset <= self.bytes.len())
            .map(|offset| self.bytes.slice(offset..))
            .ok_or_else(|| ParquetError::EOF(format!("byte {start} is outside its row group")))
    }
}

impl Length for Piece {
    fn len(&self) -> u64 {
        self.file_size
    }
}

impl ChunkReader for Piece {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} are not all in their row group"
            )));
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}
