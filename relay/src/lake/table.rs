//! A Delta table as its log tells it: whether it is there, its live files, the last run that it has seen.

use super::error::LakeError;
use super::files::{Engine, Files};
use super::footer::read_metadata;
use super::place::TablePlace;
use super::stats::LoggedStats;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::engine_data::FilteredEngineData;
use delta_kernel::{KernelError, Snapshot, SnapshotRef};
use std::collections::HashSet;
use std::sync::Arc;

/// The directory of a table's log.
pub(crate) const LOG_DIR: &str = "_delta_log";

/// The table's newest version; `None` when nobody has committed to it.
pub(crate) fn open(
    files: &Files,
    engine: &Engine,
    place: &TablePlace,
) -> Result<Option<SnapshotRef>, LakeError> {
    let dir = place.dir();
    let log = files.list(&format!("{dir}/{LOG_DIR}"))?;
    let is_version = |name: &str| name.ends_with(".json") || name.contains(".checkpoint.");
    if !log.iter().any(|file| is_version(&file.name)) {
        return Ok(None);
    }
    let url = files.url(&format!("{dir}/"))?;
    let snapshot = Snapshot::builder_for(url.as_str()).build(engine);
    snapshot.map(Some).map_err(|source| LakeError::delta("read the log", &place.table, source))
}

/// The number of the last run whose commit the table has seen.
pub(crate) fn last_run(
    snapshot: &Snapshot,
    engine: &Engine,
    place: &TablePlace,
) -> Result<Option<i64>, LakeError> {
    snapshot
        .get_app_id_version(&place.app_id(), engine)
        .map_err(|source| LakeError::delta("read the last run", &place.table, source))
}

/// A file that the newest version holds.
#[derive(Clone, Debug)]
pub(crate) struct LiveFile {
    /// As the log has it.
    pub(crate) log_path: String,
    /// Its name in the table's directory; `None` when it lies elsewhere.
    pub(crate) name: Option<String>,
    pub(crate) size: u64,
    pub(crate) stats: LoggedStats,
    /// Another engine marked rows in it as deleted.
    pub(crate) has_deletion_vector: bool,
}

/// The live files of one version, and what is needed to remove some of them.
pub(crate) struct Live {
    pub(crate) files: Vec<LiveFile>,
    batches: Vec<(RecordBatch, Vec<bool>)>,
}

impl Live {
    pub(crate) fn read(
        files: &Files,
        engine: &Engine,
        snapshot: &SnapshotRef,
        place: &TablePlace,
    ) -> Result<Self, LakeError> {
        let failed = |source| LakeError::delta("read the live files", &place.table, source);
        let scan = Arc::clone(snapshot).scan_builder().build().map_err(failed)?;
        let mut live = Self { files: Vec::new(), batches: Vec::new() };
        for metadata in scan.scan_metadata(engine).map_err(failed)? {
            let (data, mut selected) = metadata.map_err(failed)?.scan_files.into_parts();
            let data = ArrowEngineData::try_from_engine_data(data).map_err(failed)?;
            let batch = data.record_batch().clone();
            selected.resize(batch.num_rows(), true);
            for row in (0..batch.num_rows()).filter(|row| selected.get(*row) == Some(&true)) {
                let file = live_file(files, place, &batch, row)?;
                live.files.push(
                    file.ok_or_else(|| failed(KernelError::generic("a live file has no path or size")))?,
                );
            }
            live.batches.push((batch, selected));
        }
        Ok(live)
    }

    /// The files with these log paths, in the form in which a transaction removes them.
    pub(crate) fn removal(&self, log_paths: &HashSet<&str>) -> Result<Vec<FilteredEngineData>, KernelError> {
        let mut removal = Vec::new();
        for (batch, selected) in &self.batches {
            let paths = batch.column_by_name("path").and_then(|column| column.as_string_opt::<i32>());
            let Some(paths) = paths else { continue };
            let goes = |(row, live): (usize, &bool)| {
                *live && paths.is_valid(row) && log_paths.contains(paths.value(row))
            };
            let going: Vec<bool> = selected.iter().enumerate().map(goes).collect();
            if going.contains(&true) {
                removal
                    .push(FilteredEngineData::try_new(Box::new(ArrowEngineData::new(batch.clone())), going)?);
            }
        }
        Ok(removal)
    }
}

impl LiveFile {
    /// Rows in the file: from the log, or from its footer when the log does not tell.
    pub(crate) fn rows(&self, files: &Files, place: &TablePlace) -> Result<u64, LakeError> {
        if let Some(rows) = self.stats.rows {
            return Ok(rows);
        }
        let path = format!("{}/{}", place.dir(), self.local_name(place)?);
        let meta = read_metadata(files, &path, self.size)?;
        Ok(u64::try_from(meta.file_metadata().num_rows()).unwrap_or(0))
    }

    /// Its name in the table's directory, which every file has that we wrote.
    pub(crate) fn local_name(&self, place: &TablePlace) -> Result<&str, LakeError> {
        self.name.as_deref().ok_or_else(|| LakeError::Foreign {
            table: place.table.clone(),
            file: self.log_path.clone(),
            what: "lies outside the table's directory",
        })
    }
}

fn live_file(
    files: &Files,
    place: &TablePlace,
    batch: &RecordBatch,
    row: usize,
) -> Result<Option<LiveFile>, LakeError> {
    let text = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let size = batch.column_by_name("size").and_then(|column| column.as_primitive_opt::<Int64Type>());
    let size =
        size.filter(|sizes| sizes.is_valid(row)).and_then(|sizes| u64::try_from(sizes.value(row)).ok());
    let Some((log_path, size)) = text("path").zip(size) else { return Ok(None) };
    let vectors = batch.column_by_name("deletionVector");
    Ok(Some(LiveFile {
        name: name_in_table(files, place, &log_path)?,
        size,
        stats: LoggedStats::parse(text("stats").as_deref()),
        has_deletion_vector: vectors.is_some_and(|column| column.is_valid(row)),
        log_path,
    }))
}

/// The file's path below the table's directory; the log has it percent-encoded.
pub(crate) fn name_in_table(
    files: &Files,
    place: &TablePlace,
    log_path: &str,
) -> Result<Option<String>, LakeError> {
    let dir = files.url(&format!("{}/", place.dir()))?;
    let dir_path = dir.to_file_path();
    let file_path = dir.join(log_path).ok().map(|url| url.to_file_path());
    let (Ok(dir_path), Some(Ok(file_path))) = (dir_path, file_path) else { return Ok(None) };
    Ok(file_path.strip_prefix(dir_path).ok().and_then(|name| name.to_str()).map(str::to_owned))
}
