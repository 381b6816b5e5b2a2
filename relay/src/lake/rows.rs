//! All rows of a table as lines of JSON, for whoever cannot read Delta: made batch by batch as they are asked for.

use super::error::LakeError;
use super::files::Files;
use super::place::TablePlace;
use super::preview::json_cell;
use super::table;
use arrow_array::RecordBatch;
use bytes::Bytes;
use delta_kernel::Engine;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::snapshot::SnapshotRef;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Bytes of lines that are sent at once.
const CHUNK_BYTES: usize = 64 << 10;

/// The newest version of a table, and which of its columns are wanted.
#[derive(Debug)]
pub(crate) struct RowsWanted {
    snapshot: SnapshotRef,
    columns: Vec<String>,
}

/// Opens the table for the wanted columns that it has; all of them if none is named. `None` when no run has created it.
pub(crate) fn open(
    files: &Files,
    place: &TablePlace,
    wanted: &[String],
) -> Result<Option<RowsWanted>, LakeError> {
    place.check()?;
    let engine = files.engine();
    let Some(snapshot) = table::open(files, &engine, place)? else { return Ok(None) };
    let held: Vec<String> = snapshot.schema().fields().map(|field| field.name.clone()).collect();
    let columns = if wanted.is_empty() {
        held
    } else {
        wanted.iter().filter(|name| held.contains(name)).cloned().collect()
    };
    Ok(Some(RowsWanted { snapshot, columns }))
}

/// Sends `{"columns":[..],"version":N}`, one list a row, and at last `{"rows":N}`, by which a reader knows that it has them all. Ends early
/// when nobody listens any more.
pub(crate) fn send(
    files: &Files,
    place: &TablePlace,
    wanted: &RowsWanted,
    out: &mpsc::Sender<Bytes>,
) -> Result<(), LakeError> {
    let RowsWanted { snapshot, columns } = wanted;
    let failed = |source| LakeError::delta("read rows", &place.table, source);
    let mut lines = Lines { pending: Vec::new(), out };
    let mut rows = 0;
    lines.add(&json!({ "columns": columns, "version": snapshot.version() }));
    if !columns.is_empty() {
        let schema = snapshot.schema().project(columns).map_err(failed)?;
        let scan = Arc::clone(snapshot).scan_builder().with_schema(schema).build().map_err(failed)?;
        let engine: Arc<dyn Engine> = files.engine();
        for data in scan.execute(engine).map_err(failed)? {
            let data = ArrowEngineData::try_from_engine_data(data.map_err(failed)?).map_err(failed)?;
            let batch = data.record_batch();
            if !lines.add_rows(batch) {
                return Ok(());
            }
            rows += batch.num_rows();
        }
    }
    lines.add(&json!({ "rows": rows }));
    lines.flush();
    Ok(())
}

struct Lines<'a> {
    pending: Vec<u8>,
    out: &'a mpsc::Sender<Bytes>,
}

impl Lines<'_> {
    fn add(&mut self, value: &Value) {
        self.pending.extend_from_slice(value.to_string().as_bytes());
        self.pending.push(b'\n');
    }

    /// False when nobody listens any more.
    fn add_rows(&mut self, batch: &RecordBatch) -> bool {
        for row in 0..batch.num_rows() {
            self.add(&batch.columns().iter().map(|array| json_cell(array, row)).collect());
            if self.pending.len() >= CHUNK_BYTES && !self.flush() {
                return false;
            }
        }
        true
    }

    fn flush(&mut self) -> bool {
        self.out.blocking_send(std::mem::take(&mut self.pending).into()).is_ok()
    }
}
