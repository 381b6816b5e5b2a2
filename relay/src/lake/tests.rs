//! The lake as a whole: parts in, tables out, read back by the Delta library and by reading the log as text.

mod commits;
mod delta_loads;
mod failures;
mod parts;
mod sweeping;

use super::error::PartFault;
use super::*;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use aws_lc_rs::digest::{SHA256, digest};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use protocol::ids::{Lease, PartId};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// A lake in a directory of its own.
struct Fixture {
    dir: TempDir,
    lake: Lake,
    sequence: AtomicU64,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::open(&dir.path().join("lake")).unwrap();
        Self { dir, lake, sequence: AtomicU64::new(0) }
    }

    /// Lands bytes as the next part of a run.
    async fn land(&self, table: &str, run: i64, generation: u32, bytes: Bytes) -> CommitPart {
        let header = self.header(table, run, &bytes);
        let landed = self.lake.land(&place(table), &header.run, &header, split(&bytes)).await.unwrap();
        assert_eq!((landed.bytes, landed.rows), (header.bytes, header.rows));
        CommitPart { path: landed.path, generation, rows: landed.rows }
    }

    fn header(&self, table: &str, run: i64, bytes: &Bytes) -> PartHeader {
        let part = PartId::new(Lease(1), self.sequence.fetch_add(1, Ordering::Relaxed));
        PartHeader {
            run: RunId(format!("run_{run}")),
            lease: Lease(1),
            part,
            table: table.to_owned(),
            generation: 0,
            rows: footer::Footer::parse(bytes).map_or(0, |footer| footer.rows),
            bytes: u64::try_from(bytes.len()).unwrap(),
            digest: digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// Rows of a table as `id:text`, sorted.
    async fn texts(&self, table: &str) -> Vec<String> {
        let preview = self.lake.preview(&place(table), 1000).await.unwrap().unwrap();
        let text = |row: &serde_json::Map<String, Value>| {
            format!("{}:{}", row.get("issue_id").unwrap(), row.get("text").unwrap().as_str().unwrap_or("-"))
        };
        let mut rows: Vec<_> = preview.rows.iter().map(text).collect();
        rows.sort();
        rows
    }

    /// All actions of a table's log, version by version.
    fn log(&self, table: &str) -> Vec<Vec<Value>> {
        let dir = PathBuf::from(self.lake.path(&place(table))).join("_delta_log");
        let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|name| name.extension().is_some_and(|extension| extension == "json"));
        names.sort();
        let actions = |name: &PathBuf| {
            let text = std::fs::read_to_string(name).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        names.iter().map(actions).collect()
    }

    /// Files of a table's directory.
    fn files(&self, table: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.lake.path(&place(table))).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "_delta_log");
        names.sort();
        names
    }

    fn blocking_files(&self) -> Files {
        Files::new(self.lake.store.clone(), tokio::runtime::Handle::current()).unwrap()
    }
}

fn place(table: &str) -> TablePlace {
    TablePlace { pool: "sales".to_owned(), connection: "jira".to_owned(), table: table.to_owned() }
}

fn full(run_number: i64, table: &str, parts: Vec<CommitPart>) -> Commit {
    Commit { place: place(table), run_number, full: true, parts, replaced: Vec::new() }
}

fn delta(run_number: i64, table: &str, parts: Vec<CommitPart>, replaced: Vec<CommitPart>) -> Commit {
    Commit { place: place(table), run_number, full: false, parts, replaced }
}

/// Chunks as they come over the link.
fn split(bytes: &Bytes) -> Vec<Bytes> {
    bytes.chunks(1000).map(Bytes::copy_from_slice).collect()
}

/// A part with the columns `issue_id`, `text` and `updated`, in row groups of four rows.
fn rows(rows: &[(i64, &str)]) -> Bytes {
    let ids: Vec<_> = rows.iter().map(|row| row.0).collect();
    let texts: Vec<_> = rows.iter().map(|row| row.1).collect();
    let times: Vec<_> = ids.iter().map(|id| 1_700_000_000_000_000 + id * 1_000_000).collect();
    parquet(vec![
        ("issue_id", Arc::new(Int64Array::from(ids))),
        ("text", Arc::new(StringArray::from(texts))),
        ("updated", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))),
    ])
}

/// A `_replaced` part.
fn ids(ids: &[i64]) -> Bytes {
    parquet(vec![("issue_id", Arc::new(Int64Array::from(ids.to_vec())))])
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Bytes {
    annotated(columns, None)
}

fn annotated(columns: Vec<(&str, ArrayRef)>, notes: Option<&str>) -> Bytes {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let notes = notes.map(|notes| vec![KeyValue::new("uplink.columns".to_owned(), notes.to_owned())]);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(4))
        .set_compression(Compression::ZSTD(Default::default()))
        .set_key_value_metadata(notes)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    Bytes::from(bytes)
}
