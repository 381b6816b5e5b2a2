//! One Delta commit per table and run, exactly once.
//!
//! The commit carries the run's number as the version of the transaction `uplink/<connection>/<table>`. The log itself does not refuse
//! a repeated transaction, so the rule is: read the newest version; if it has seen this run, all is done; otherwise commit on exactly
//! this version; if somebody else was faster or the outcome is unknown, start over. What a crash leaves behind are files that no log
//! names; the repeated commit writes the same names again. A run that changes nothing is committed all the same: once the table has
//! seen the run, its parts may be swept, and a commit repeated after that needs none of them.

use super::additions::Additions;
use super::columns::Columns;
use super::error::{LakeError, PartFault};
use super::files::{Engine, Files};
use super::footer::Footer;
use super::merge::{NewFile, Remains, Source, without_replaced};
use super::place::TablePlace;
use super::replaced::{ReplacedIds, read_ids};
use super::stats::FileStats;
use super::table::{self, Live, LiveFile};
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::schema::{StructField, StructType};
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::{CommitResult, Transaction, UpdateTableOperation};
use delta_kernel::{FileMeta, KernelError, SnapshotRef};
use delta_kernel_default_engine::build_add_file_metadata;
use delta_kernel_default_engine::parquet::DataFileMetadata;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Other writers and short failures of the store are waited for this often.
const ATTEMPTS_MAX: u32 = 6;
/// Before the second attempt; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// A checkpoint of the log every so many versions, so that readers need not replay all of it.
const CHECKPOINT_EVERY: u64 = 10;
/// Recorded in the log as the writer.
const WRITER: &str = concat!("uplink/", env!("CARGO_PKG_VERSION"));

/// What a run has read of one table.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    /// The table.
    pub place: TablePlace,
    /// The run's number, which only grows.
    pub run_number: i64,
    /// Whether the parts replace the whole table (full load) or rows of some issues (delta load).
    pub full: bool,
    /// The parts of the table.
    pub parts: Vec<CommitPart>,
    /// The `_replaced` parts of the run; see ARCHITECTURE.md, generations.
    pub replaced: Vec<CommitPart>,
}

/// A landed part in a commit.
#[derive(Clone, Debug)]
pub(crate) struct CommitPart {
    /// As [`super::LandedPart`] has it.
    pub path: String,
    /// The pass that read it. Rows of issues that a later pass replaced are dropped from it.
    pub generation: u32,
    /// Its rows.
    pub rows: u64,
}

/// The table after a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The table's Delta version.
    pub version: u64,
    /// Rows in the table.
    pub rows: u64,
    /// Files in the table.
    pub files: u64,
    /// Columns of the table.
    pub columns: u64,
    /// The table had seen this run before, and nothing was done.
    pub already: bool,
}

pub(crate) fn commit(files: &Files, commit: &Commit) -> Result<Committed, LakeError> {
    commit.place.check()?;
    let engine = files.engine();
    let mut job = Job::new(files, &engine, commit);
    let mut last = String::new();
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            std::thread::sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1));
        }
        let snapshot = table::open(files, &engine, &commit.place)?;
        match job.attempt(snapshot)? {
            Attempt::Done(committed) => {
                job.checkpoint_if_due(&committed);
                return Ok(committed);
            }
            Attempt::Again(reason) => last = reason,
        }
    }
    Err(LakeError::Contended { table: commit.place.table.clone(), attempts: ATTEMPTS_MAX, last })
}

/// How one attempt ended.
#[derive(Debug)]
pub(super) enum Attempt {
    Done(Committed),
    /// Somebody else was faster, or the outcome is unknown.
    Again(String),
}

/// The commit and what was prepared for it; kept over the attempts.
pub(super) struct Job<'a> {
    files: &'a Files,
    engine: &'a Engine,
    commit: &'a Commit,
    incoming: Option<Incoming>,
    /// What is left of live files that were looked through.
    remains: HashMap<String, Remains>,
}

/// The run's own parts, made ready.
struct Incoming {
    replaced: ReplacedIds,
    columns: Columns,
    files: Vec<NewFile>,
}

/// What a commit changes in an existing table.
struct Change<'l> {
    added: Vec<NewFile>,
    removed: HashSet<&'l str>,
    kept_rows: u64,
    kept_files: u64,
}

impl<'a> Job<'a> {
    pub(super) fn new(files: &'a Files, engine: &'a Engine, commit: &'a Commit) -> Self {
        Self { files, engine, commit, incoming: None, remains: HashMap::new() }
    }

    /// Commits on top of the given version, if the run is not in it.
    pub(super) fn attempt(&mut self, snapshot: Option<SnapshotRef>) -> Result<Attempt, LakeError> {
        if let Some(snapshot) = &snapshot {
            let seen = table::last_run(snapshot, self.engine, &self.commit.place)?;
            if seen.is_some_and(|run| run >= self.commit.run_number) {
                return self.seen_before(snapshot).map(Attempt::Done);
            }
        }
        let incoming = match self.incoming.take() {
            Some(incoming) => incoming,
            None => self.prepare()?,
        };
        let result = match snapshot {
            Some(snapshot) => self.update(&snapshot, &incoming),
            None => self.create(&incoming),
        };
        self.incoming = Some(incoming);
        result
    }

    /// Reads the footers of the run's parts and drops from them what later passes of the run replaced.
    fn prepare(&self) -> Result<Incoming, LakeError> {
        let replaced = self.replaced_ids()?;
        let (mut columns, mut ready) = (Columns::default(), Vec::new());
        let place = &self.commit.place;
        let dir = place.dir();
        for part in &self.commit.parts {
            let name = place.part_name(&part.path)?;
            let listed = self.files.head(&part.path)?;
            let footer = Footer::read_part(self.files, &part.path, listed.size)?;
            self.check_rows(part, footer.rows)?;
            columns.extend(&place.table, &footer.columns)?;
            if footer.rows == 0 {
                continue;
            }
            let stats = FileStats::of(&footer.meta);
            let whole =
                NewFile { name: name.to_owned(), size: listed.size, modified_ms: listed.modified_ms, stats };
            if !replaced.may_touch(whole.stats.issue_ids(), part.generation) {
                ready.push(whole);
                continue;
            }
            let source = Source { dir: &dir, name, size: listed.size, generation: part.generation };
            match without_replaced(self.files, source, &replaced, self.commit.run_number)? {
                Remains::All => ready.push(whole),
                Remains::Copy(copy) => ready.push(copy),
                Remains::Nothing => {}
            }
        }
        Ok(Incoming { replaced, columns, files: ready })
    }

    fn replaced_ids(&self) -> Result<ReplacedIds, LakeError> {
        let place = TablePlace { table: "_replaced".to_owned(), ..self.commit.place.clone() };
        let mut ids = Vec::new();
        for part in &self.commit.replaced {
            place.part_name(&part.path)?;
            let rows = read_ids(self.files, &part.path, part.generation, &mut ids)?;
            self.check_rows(part, rows)?;
        }
        Ok(ReplacedIds::new(ids))
    }

    fn check_rows(&self, part: &CommitPart, got: u64) -> Result<(), LakeError> {
        if part.rows == got {
            return Ok(());
        }
        let fault = PartFault::Rows { announced: part.rows, got };
        Err(LakeError::Committing { path: self.files.display(&part.path), fault })
    }

    fn create(&self, incoming: &Incoming) -> Result<Attempt, LakeError> {
        let failed = |source| self.failed("create", source);
        let fields = incoming.columns.fields();
        if fields.is_empty() {
            let nothing = Committed { version: 0, rows: 0, files: 0, columns: 0, already: false };
            return Ok(Attempt::Done(nothing));
        }
        let columns = fields.len();
        let schema = Arc::new(StructType::try_new(fields).map_err(failed)?);
        let url = self.files.url(&format!("{}/", self.commit.place.dir()))?;
        let built = create_table(url.as_str(), schema, WRITER, true)
            .with_transaction_id(self.commit.place.app_id(), self.commit.run_number)
            .build(self.engine, Box::new(FileSystemCommitter::new()));
        let mut transaction = match built {
            Ok(transaction) => transaction,
            Err(KernelError::TableAlreadyExistsAtPath(_)) => {
                return Ok(Attempt::Again("another writer created the table".to_owned()));
            }
            Err(source) => return Err(failed(source)),
        };
        self.add(&mut transaction, &incoming.files)?;
        let change = Change::adding(incoming.files.clone());
        self.finish(transaction.commit(self.engine), &change, columns)
    }

    fn update(&mut self, snapshot: &SnapshotRef, incoming: &Incoming) -> Result<Attempt, LakeError> {
        let place = &self.commit.place;
        let live = Live::read(self.files, self.engine, snapshot, place)?;
        let change = self.change(&live, incoming)?;
        let schema = snapshot.schema();
        let growth = incoming.columns.growth(&place.table, &schema)?;
        let columns = schema.fields().count() + growth.len();
        let mut transaction = self.begin(snapshot, growth)?;
        let removal = live.removal(&change.removed).map_err(|source| self.failed("remove files", source))?;
        for files in removal {
            transaction.remove_files(files);
        }
        self.add(&mut transaction, &change.added)?;
        self.finish(transaction.commit(self.engine), &change, columns)
    }

    fn begin(&self, snapshot: &SnapshotRef, growth: Vec<StructField>) -> Result<Transaction, LakeError> {
        let operation =
            if self.commit.full { UpdateTableOperation::Write } else { UpdateTableOperation::Merge };
        let mode = self.commit.full.then_some(("mode", Some("Overwrite")));
        let mut builder = Arc::clone(snapshot)
            .update_table(operation, WRITER, true)
            .with_operation_parameters(mode)
            .with_transaction_id(self.commit.place.app_id(), self.commit.run_number);
        for field in growth {
            builder = builder.add_column(field);
        }
        builder
            .build(self.engine, Box::new(FileSystemCommitter::new()))
            .map_err(|source| self.failed("begin the commit", source))
    }

    /// Which live files go, and which copies come in their place.
    fn change<'l>(&mut self, live: &'l Live, incoming: &Incoming) -> Result<Change<'l>, LakeError> {
        let mut change = Change::adding(incoming.files.clone());
        for file in &live.files {
            if self.commit.full {
                change.removed.insert(&file.log_path);
                continue;
            }
            match self.remains_of(file, &incoming.replaced)? {
                Remains::All => {
                    change.kept_files += 1;
                    change.kept_rows += file.rows(self.files, &self.commit.place)?;
                }
                Remains::Nothing => {
                    change.removed.insert(&file.log_path);
                }
                Remains::Copy(copy) => {
                    change.removed.insert(&file.log_path);
                    change.added.push(copy);
                }
            }
        }
        Ok(change)
    }

    fn remains_of(&mut self, file: &LiveFile, replaced: &ReplacedIds) -> Result<Remains, LakeError> {
        if !replaced.may_touch(file.stats.issue_ids, 0) {
            return Ok(Remains::All);
        }
        if let Some(known) = self.remains.get(&file.log_path) {
            return Ok(known.clone());
        }
        let place = &self.commit.place;
        if file.has_deletion_vector {
            let (table, file) = (place.table.clone(), file.log_path.clone());
            return Err(LakeError::Foreign { table, file, what: "has rows marked as deleted" });
        }
        let source =
            Source { dir: &place.dir(), name: file.local_name(place)?, size: file.size, generation: 0 };
        let remains = without_replaced(self.files, source, replaced, self.commit.run_number)?;
        self.remains.insert(file.log_path.clone(), remains.clone());
        Ok(remains)
    }

    fn add<S>(&self, transaction: &mut Transaction<S>, added: &[NewFile]) -> Result<(), LakeError> {
        let failed = |source| self.failed("add files", source);
        let context = transaction.write_state().and_then(|state| state.write_context_builder().build());
        let context = context.map_err(failed)?;
        let dir = self.commit.place.dir();
        let mut additions = Additions::default();
        for file in added {
            let url = self.files.url(&format!("{dir}/{}", file.name))?;
            let stats =
                file.stats.to_array().map_err(|error| failed(KernelError::generic(error.to_string())))?;
            let described = DataFileMetadata::new(FileMeta::new(url, file.modified_ms, file.size), stats);
            additions.push(build_add_file_metadata(described, &context).map_err(failed)?).map_err(failed)?;
        }
        for files in additions.finish().map_err(failed)? {
            transaction.add_files(files);
        }
        Ok(())
    }

    fn finish<S>(
        &self,
        result: Result<CommitResult<S>, KernelError>,
        change: &Change<'_>,
        columns: usize,
    ) -> Result<Attempt, LakeError> {
        match result.map_err(|source| self.failed("write the commit", source))? {
            CommitResult::Committed(done) => Ok(Attempt::Done(Committed {
                version: done.commit_version(),
                rows: change.kept_rows + change.added.iter().map(|file| file.stats.rows).sum::<u64>(),
                files: change.kept_files + u64::try_from(change.added.len()).unwrap_or(u64::MAX),
                columns: u64::try_from(columns).unwrap_or(u64::MAX),
                already: false,
            })),
            CommitResult::Conflicted(lost) => {
                Ok(Attempt::Again(format!("another writer committed version {}", lost.conflict_version())))
            }
            CommitResult::Retryable(unknown) => Ok(Attempt::Again(unknown.error.to_string())),
        }
    }

    fn seen_before(&self, snapshot: &SnapshotRef) -> Result<Committed, LakeError> {
        let place = &self.commit.place;
        let live = Live::read(self.files, self.engine, snapshot, place)?;
        let rows = live.files.iter().map(|file| file.rows(self.files, place)).sum::<Result<u64, _>>()?;
        Ok(Committed {
            version: snapshot.version(),
            rows,
            files: u64::try_from(live.files.len()).unwrap_or(u64::MAX),
            columns: u64::try_from(snapshot.schema().fields().count()).unwrap_or(u64::MAX),
            already: true,
        })
    }

    /// A checkpoint is only a shortcut for readers: failing to write one does not undo the commit.
    fn checkpoint_if_due(&self, committed: &Committed) {
        if committed.already || committed.version == 0 || !committed.version.is_multiple_of(CHECKPOINT_EVERY)
        {
            return;
        }
        let place = &self.commit.place;
        let written = table::open(self.files, self.engine, place).and_then(|snapshot| match snapshot {
            Some(snapshot) => snapshot
                .checkpoint(self.engine, None)
                .map(drop)
                .map_err(|source| self.failed("write a checkpoint", source)),
            None => Ok(()),
        });
        if let Err(error) = written {
            tracing::warn!(table = %place.table, version = committed.version, %error, "no checkpoint was written");
        }
    }

    fn failed(&self, action: &'static str, source: KernelError) -> LakeError {
        LakeError::delta(action, &self.commit.place.table, source)
    }
}

impl Change<'_> {
    fn adding(added: Vec<NewFile>) -> Self {
        Self { added, removed: HashSet::new(), kept_rows: 0, kept_files: 0 }
    }
}
