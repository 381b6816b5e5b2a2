//! The lake: Parquet parts land here and become visible as Delta tables, one directory a table.
//!
//! A part lands as an immutable file that no reader sees. [`Lake::commit`] makes all parts of a run's table visible by one Delta
//! commit that carries the run's number, so that a commit tried twice lands once. [`Lake::sweep`] removes the files that no commit
//! names. Everything that knows the object store, the Delta library or Parquet is inside this folder.
//!
//! The Delta library is synchronous: each operation runs as one blocking task of the current tokio runtime, which must be a
//! multi-threaded one. Paths of parts are relative to the lake's root: `<pool>/<connection>/<table>/part-<run>-<part>.parquet`.

mod additions;
mod columns;
mod commit;
mod control;
mod error;
mod files;
mod footer;
mod landed;
mod landing;
mod merge;
mod nesting;
mod place;
mod preview;
mod replaced;
mod rows;
mod stats;
mod sweep;
mod table;

pub(crate) use commit::{Commit, CommitPart, Committed};
pub(crate) use control::{Cell, CellKind, ControlRow, ControlTable};
pub(crate) use error::LakeError;
pub(crate) use landed::LandedIndex;
pub(crate) use landing::{LandedPart, hex};
pub(crate) use place::TablePlace;
pub(crate) use preview::{ColumnInfo, Preview, TableInfo};

use bytes::Bytes;
use files::{Files, Store};
use protocol::control::PartHeader;
use protocol::ids::RunId;
use protocol::landed::LandedColumn;
use std::collections::BTreeSet;
use std::path::Path;
use tokio::sync::mpsc;

/// Chunks of rows made before somebody takes them: one is written while one is made.
const ROW_CHUNKS_AHEAD: usize = 2;

/// Where the tables of all pools live. A clone is the same lake.
#[derive(Clone, Debug)]
pub(crate) struct Lake {
    store: Store,
}

impl Lake {
    /// Opens the lake in a local directory, which is created when it is missing. What it writes is on disk (fsync) when the
    /// operation returns.
    pub(crate) fn open(root: &Path) -> Result<Self, LakeError> {
        Ok(Self { store: Store::local(root)? })
    }

    /// Writes a part after checking that its bytes are the announced ones and a Parquet file of flat, known columns. Durable on
    /// return; visible only after [`Lake::commit`]. Landing the same bytes under the same name again succeeds, other bytes do not.
    pub(crate) async fn land(
        &self,
        place: &TablePlace,
        run: &RunId,
        header: &PartHeader,
        chunks: Vec<Bytes>,
    ) -> Result<LandedPart, LakeError> {
        let (place, run, header) = (place.clone(), run.clone(), header.clone());
        self.blocking("land a part", move |files| landing::land(files, &place, &run, &header, chunks)).await
    }

    /// Makes the parts of one table and run visible by one Delta commit, exactly once by the run's number: when the table has seen
    /// this or a later run, nothing happens. Creates the table when it is missing and there is a part to take columns from (a part
    /// without rows suffices); a run without any part of a missing table commits nothing and reports no rows.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<Committed, LakeError> {
        self.blocking("commit a table", move |files| commit::commit(files, &commit)).await
    }

    /// Replaces a control table at the end of a run, exactly once by the run's number.
    pub(crate) async fn write_control(
        &self,
        place: &TablePlace,
        run_number: i64,
        content: ControlTable,
    ) -> Result<(), LakeError> {
        let place = place.clone();
        let write = move |files: &Files| control::write(files, &place, run_number, &content);
        self.blocking("write a control table", write).await
    }

    /// Removes the part files of a table that neither its log nor `keep` (paths as [`Lake::land`] returned them) names, and what a
    /// crash left of half-written files. Files that a commit removed stay for the retention of a week, so that readers of an older
    /// version finish. Returns how many files went. No landing and no commit of the table may be under way.
    pub(crate) async fn sweep(&self, place: &TablePlace, keep: &BTreeSet<String>) -> Result<u64, LakeError> {
        let (place, keep) = (place.clone(), keep.clone());
        self.blocking("sweep a table", move |files| sweep::sweep(files, &place, &keep)).await
    }

    /// What the table holds now; `None` when no run has created it.
    pub(crate) async fn describe(&self, place: &TablePlace) -> Result<Option<TableInfo>, LakeError> {
        let place = place.clone();
        self.blocking("describe a table", move |files| preview::describe(files, &place)).await
    }

    /// The first rows of the table as JSON: numbers as numbers, times as RFC 3339 text in UTC, days as text, missing values as null.
    /// `None` when no run has created it.
    pub(crate) async fn preview(
        &self,
        place: &TablePlace,
        rows: usize,
    ) -> Result<Option<Preview>, LakeError> {
        let place = place.clone();
        self.blocking("preview a table", move |files| preview::preview(files, &place, rows)).await
    }

    /// All rows of the newest version as lines of JSON: first the columns (those of `columns` that the table has, or all), then a list a
    /// row with values as [`Lake::preview`] has them, at last how many. A channel that closes without that last line has failed, which is
    /// logged. `None` when no run has created the table.
    pub(crate) async fn rows(
        &self,
        place: &TablePlace,
        columns: Vec<String>,
    ) -> Result<Option<mpsc::Receiver<Bytes>>, LakeError> {
        let at = place.clone();
        let opened = self.blocking("open a table", move |files| rows::open(files, &at, &columns)).await?;
        let Some(wanted) = opened else { return Ok(None) };
        let (out, lines) = mpsc::channel(ROW_CHUNKS_AHEAD);
        let files = Files::new(self.store.clone(), tokio::runtime::Handle::current())?;
        let place = place.clone();
        // It ends when the rows do or when nobody takes them any more; the closed channel tells the reader.
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = rows::send(&files, &place, &wanted, &out) {
                tracing::warn!(event = "rows_unsent", table = place.table, %error, "the rows of a table could not be sent whole");
            }
        }));
        Ok(Some(lines))
    }

    /// The issues of a table `issues`, as a sweep compares them.
    pub(crate) async fn landed_index(&self, issues: &TablePlace) -> Result<LandedIndex, LakeError> {
        let issues = issues.clone();
        self.blocking("read what landed", move |files| LandedIndex::read(files, &issues)).await
    }

    /// The issues with rows that lead to one of `ids`, in the tables beside this table `issues`.
    pub(crate) async fn referring(&self, issues: &TablePlace, ids: Vec<i64>) -> Result<Vec<i64>, LakeError> {
        let issues = issues.clone();
        self.blocking("find who refers to issues", move |files| landed::referring(files, &issues, &ids)).await
    }

    /// The issues of these work logs, in the tables beside this table `issues`.
    pub(crate) async fn owners_of_worklogs(
        &self,
        issues: &TablePlace,
        ids: Vec<i64>,
    ) -> Result<Vec<i64>, LakeError> {
        let issues = issues.clone();
        self.blocking("find work logs", move |files| landed::owners_of_worklogs(files, &issues, &ids)).await
    }

    /// The columns of a table `issues` that hold custom fields; none when no run has created it.
    pub(crate) async fn custom_columns(&self, issues: &TablePlace) -> Result<Vec<LandedColumn>, LakeError> {
        let issues = issues.clone();
        self.blocking("read the columns of a table", move |files| landed::custom_columns(files, &issues))
            .await
    }

    /// The issues whose links or parents did not land, have another key, or are shown at one end only.
    pub(crate) async fn astray(&self, issues: &TablePlace) -> Result<Vec<i64>, LakeError> {
        let issues = issues.clone();
        self.blocking("find links that lead nowhere", move |files| landed::astray(files, &issues)).await
    }

    /// Where any Delta reader finds the table.
    pub(crate) fn path(&self, place: &TablePlace) -> String {
        self.store.display(&place.dir())
    }

    /// Runs `work` on a blocking thread. A panic in it (a library's, over bytes that nobody foresaw) becomes an error.
    async fn blocking<T, F>(&self, action: &'static str, work: F) -> Result<T, LakeError>
    where
        T: Send + 'static,
        F: FnOnce(&Files) -> Result<T, LakeError> + Send + 'static,
    {
        let files = Files::new(self.store.clone(), tokio::runtime::Handle::current())?;
        match tokio::task::spawn_blocking(move || work(&files)).await {
            Ok(result) => result,
            Err(failure) => Err(LakeError::Interrupted { action, reason: failure.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests;
