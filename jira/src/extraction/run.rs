//! What all tasks of one run share: the client, the condition, the columns, the way out for events, and the tally.

use crate::asks::Asks;
use crate::batch::decode_heads;
use crate::checkpoint::{Entry, UnitStats};
use crate::client::JiraClient;
use crate::client::allow::{Read, SearchAsk};
use crate::decode::PageHead;
use crate::error::Error;
use crate::extraction::events::{Event, Phase, Progress};
use crate::extraction::scope::Scope;
use crate::extraction::subjects::Subjects;
use crate::fields::IssueSchema;
use crate::jql::{Axis, Jql, UserClause};
use crate::landed::{LandedAnswer, LandedAsk, LandedQuestion};
use crate::mask::Masking;
use crate::paging::range::{Range, floor_second};
use crate::refused::SpecError;
use crate::spec::Spec;
use crate::tables::Table;
use crate::unit::UnitId;
use crate::warning::{Warning, Warnings};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SetOnce, mpsc};
use tokio::time::Instant;

/// Where Jira's search window lies until an answer says otherwise.
const SEARCH_WINDOW: u64 = 10_000;
/// Ids and times asked for in one page; they are small.
pub(crate) const HEADS_PER_PAGE: u64 = 1000;
/// Progress is told no more often.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Shared by the tasks of a run.
pub(crate) struct Run {
    pub(crate) client: JiraClient,
    pub(crate) spec: Spec,
    user: Option<UserClause>,
    events: mpsc::Sender<Result<Event, Error>>,
    schema: SetOnce<Arc<IssueSchema>>,
    masking: SetOnce<Arc<Masking>>,
    /// Settled after the login where projects are narrowed.
    scope: OnceLock<Scope>,
    pub(crate) subjects: Subjects,
    tally: Mutex<Tally>,
    window: AtomicU64,
    /// How many lists of metadata may be asked for at once; see `lanes`.
    list_lanes: Semaphore,
    units: AtomicU64,
    /// Makes unit names differ from those of an earlier agent's share of the run.
    salt: usize,
    generations: AtomicU64,
}

#[derive(Default)]
struct Tally {
    progress: Progress,
    bytes: BTreeMap<String, u64>,
    warnings: Warnings,
    told: Option<Instant>,
}

impl Run {
    pub(crate) fn try_new(
        client: &JiraClient,
        spec: Spec,
        salt: usize,
        events: mpsc::Sender<Result<Event, Error>>,
    ) -> Result<Self, SpecError> {
        spec.check()?;
        let user = spec.jql.as_deref().map_or(Ok(None), UserClause::parse)?;
        let list_lanes = client.limits().max_parallel.max(1);
        Ok(Self {
            client: client.metered(),
            spec,
            user,
            events,
            schema: SetOnce::new(),
            masking: SetOnce::new(),
            scope: OnceLock::new(),
            subjects: Subjects::default(),
            tally: Mutex::new(Tally::default()),
            window: AtomicU64::new(SEARCH_WINDOW),
            list_lanes: Semaphore::new(list_lanes),
            units: AtomicU64::new(0),
            salt,
            generations: AtomicU64::new(1),
        })
    }

    // ---- conditions and small questions ----

    /// The user's own condition.
    pub(crate) fn user(&self) -> Option<&UserClause> {
        self.user.as_ref()
    }

    /// Creation times that the spec allows, whole seconds.
    pub(crate) fn created_bounds(&self) -> Range {
        let second = |time: chrono::DateTime<chrono::Utc>| floor_second(time.timestamp_millis());
        let from = self.spec.created_from.map_or(i64::MIN, second);
        Range::new(Axis::Created, from, self.spec.created_to.map_or(i64::MAX, second))
    }

    /// Times of the last update that the spec allows, whole seconds.
    fn updated_bounds(&self) -> Range {
        let second = |time: chrono::DateTime<chrono::Utc>| floor_second(time.timestamp_millis());
        let from = self.spec.updated_from.map_or(i64::MIN, second);
        Range::new(Axis::Updated, from, self.spec.updated_to.map_or(i64::MAX, second))
    }

    /// The issues of a range that the spec asks for.
    pub(crate) fn jql(&self, range: Range) -> Jql {
        let jql = Jql::all().from(range.axis, range.from).before(range.axis, range.to);
        let (bounds, updated) = (self.created_bounds(), self.updated_bounds());
        let jql = match range.axis {
            Axis::Created => jql,
            Axis::Updated => jql.from(Axis::Created, bounds.from).before(Axis::Created, bounds.to),
        };
        let jql = jql.from(Axis::Updated, updated.from).before(Axis::Updated, updated.to);
        let jql = match self.scope.get() {
            Some(scope) => jql.projects(&scope.only).not_projects(&scope.never),
            None => jql.projects(&self.spec.projects),
        };
        jql.user(self.user.as_ref())
    }

    /// Whether the extraction asks for less than what the account sees.
    pub(crate) fn is_narrowed(&self) -> bool {
        let spec = &self.spec;
        !spec.projects.is_empty()
            || spec.created_from.is_some()
            || spec.created_to.is_some()
            || self.user.is_some()
    }

    /// Fixes the projects of every search.
    pub(crate) fn set_scope(&self, scope: Scope) {
        if self.scope.set(scope).is_err() {
            tracing::error!(event = "projects_set_twice", "the projects of a run were set twice");
        }
    }

    /// How many issues Jira counts. Jira Cloud only estimates; there they are counted one by one.
    pub(crate) async fn count(&self, jql: Jql) -> Result<u64, Error> {
        if self.client.is_cloud() {
            self.count_ids(jql).await
        } else {
            Ok(self.heads(jql, 0, 0).await?.total)
        }
    }

    /// A page of ids and times, without rows.
    pub(crate) async fn heads(&self, jql: Jql, start_at: u64, max_results: u64) -> Result<PageHead, Error> {
        if self.client.is_cloud() {
            return self.cloud_heads(jql, max_results, None).await;
        }
        let ask = SearchAsk { jql, fields: head_fields(), expand: Vec::new(), max_results, start_at };
        let read = Read::Search(ask);
        let json = self.client.read(&read).await?;
        self.count_bytes(Table::Issues, json.len());
        decode_heads(&json, false).map_err(|error| Error::undecodable(read.what(), &error))
    }

    /// Leaves the lists of metadata one lane, beside slices that are read.
    pub(crate) fn put_slices_first(&self) {
        self.list_lanes.forget_permits(self.lanes() - 1);
    }

    /// Gives a lane that found no slice to the lists of metadata.
    pub(crate) fn give_lane_to_lists(&self) {
        self.list_lanes.add_permits(1);
    }

    /// Reads a list of metadata, when it is the turn of the lists.
    pub(crate) async fn read_list(&self, read: &Read) -> Result<String, Error> {
        // Nobody closes the semaphore.
        let _lane = self.list_lanes.acquire().await.map_err(|_| Error::Cancelled)?;
        self.client.read(read).await
    }

    /// The first ids and times of a range, as many as Jira gives at once.
    pub(crate) async fn listed(&self, range: Range) -> Result<PageHead, Error> {
        let mut max_results = HEADS_PER_PAGE;
        loop {
            match self.heads(self.jql(range).by_time(range.axis), 0, max_results).await {
                // A window smaller than the page.
                Err(Error::SearchWindow { .. }) if max_results > 1 => max_results /= 2,
                other => return other,
            }
        }
    }

    /// Largest offset that Jira answers.
    pub(crate) fn window(&self) -> u64 {
        self.window.load(Ordering::Relaxed)
    }

    /// Jira refused this offset.
    pub(crate) fn lower_window(&self, offset: u64) {
        self.window.fetch_min(offset.max(1), Ordering::Relaxed);
    }

    /// Lanes of reading: requests that may be in flight at once.
    pub(crate) fn lanes(&self) -> usize {
        self.client.limits().max_parallel.max(1)
    }

    // ---- columns ----

    pub(crate) fn set_schema(&self, schema: IssueSchema) -> Result<(), SpecError> {
        // Set once, by the task that prepares the run.
        let schema = schema.on_cloud(self.client.is_cloud());
        let masking = self.spec.masking(&schema)?;
        if self.masking.set(Arc::new(masking)).is_err() || self.schema.set(Arc::new(schema)).is_err() {
            tracing::error!(event = "columns_set_twice", "the columns of a run were set twice");
        }
        Ok(())
    }

    /// What its searches ask for, as soon as the columns are known.
    pub(crate) async fn asks(&self) -> Asks {
        let (schema, masking) = (self.schema().await, self.masking().await);
        Asks::settle(&schema, &masking, &self.spec.tables)
    }

    /// What is masked in the run, as soon as its columns are known.
    pub(crate) async fn masking(&self) -> Arc<Masking> {
        Arc::clone(self.masking.wait().await)
    }

    /// The columns of the run, as soon as they are known.
    pub(crate) async fn schema(&self) -> Arc<IssueSchema> {
        Arc::clone(self.schema.wait().await)
    }

    // ---- units ----

    pub(crate) fn next_unit(&self, kind: &str) -> UnitId {
        let number = self.units.fetch_add(1, Ordering::Relaxed);
        UnitId::new(format!("{kind}-{}-{number}", self.salt))
    }

    pub(crate) fn start_generations_at(&self, generation: u32) {
        self.generations.store(u64::from(generation), Ordering::Relaxed);
    }

    /// A generation that nothing was read in yet.
    pub(crate) fn next_generation(&self) -> u32 {
        u32::try_from(self.generations.fetch_add(1, Ordering::Relaxed)).unwrap_or(u32::MAX)
    }

    // ---- events ----

    /// Waits until the caller takes it: that is what slows reading down to the caller's speed.
    pub(crate) async fn emit(&self, event: Event) -> Result<(), Error> {
        self.events.send(Ok(event)).await.map_err(|_| Error::Cancelled)
    }

    /// Asks what landed before.
    pub(crate) async fn ask(&self, question: LandedQuestion) -> Result<LandedAnswer, Error> {
        let (ask, answer) = LandedAsk::new(question);
        self.emit(Event::Landed(ask)).await?;
        answer.await.map_err(|_| Error::Landed { detail: "nobody here knows what landed".to_owned() })
    }

    /// Tells that a unit is finished, with its entry; `parts` were emitted before. Waits until the plan is told: nothing else can be resumed.
    pub(crate) async fn emit_done(&self, unit: UnitId, entry: &Entry, parts: u32) -> Result<(), Error> {
        if !matches!(entry, Entry::Plan(_)) {
            self.schema.wait().await;
        }
        let mut entries = entry.to_checkpoint(&unit)?;
        let last = entries.pop();
        for (at, entry) in entries.into_iter().enumerate() {
            let unit = UnitId::new(format!("{unit}-piece-{at}"));
            self.emit(Event::UnitDone { unit, entry, parts: 0 }).await?;
        }
        if let Some(entry) = last {
            self.emit(Event::UnitDone { unit, entry, parts }).await?;
        }
        Ok(())
    }

    /// A warning, for the summary and at once.
    pub(crate) async fn warn(&self, code: &str, message: &str, count: u64) -> Result<(), Error> {
        self.lock().warnings.add(code, message, count);
        self.emit(Event::Warning(Warning { code: code.to_owned(), message: message.to_owned(), count })).await
    }

    // ---- tally ----

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.lock().progress.phase = phase;
        self.tell();
    }

    pub(crate) fn add_issues_total(&self, more: u64) {
        let mut tally = self.lock();
        tally.progress.issues_total = Some(tally.progress.issues_total.unwrap_or(0) + more);
    }

    pub(crate) fn add_issues_read(&self, more: usize) {
        self.lock().progress.issues_read += u64::try_from(more).unwrap_or_default();
        self.tell();
    }

    pub(crate) fn count_bytes(&self, table: Table, bytes: usize) {
        let mut tally = self.lock();
        *tally.bytes.entry(table.name().to_owned()).or_default() += u64::try_from(bytes).unwrap_or_default();
    }

    /// A unit is finished, now or before a resumption.
    pub(crate) fn add_unit(&self, stats: UnitStats) {
        let mut tally = self.lock();
        for (table, rows) in stats.rows {
            *tally.progress.rows.entry(table).or_default() += rows;
        }
        for (table, bytes) in stats.bytes {
            *tally.bytes.entry(table).or_default() += bytes;
        }
        tally.warnings.merge(stats.warnings);
    }

    pub(crate) fn bytes_by_table(&self) -> BTreeMap<String, u64> {
        self.lock().bytes.clone()
    }

    pub(crate) fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut self.lock().warnings).into_vec()
    }

    pub(crate) fn progress(&self) -> Progress {
        let stats = self.client.run_stats();
        let mut progress = self.lock().progress.clone();
        progress.requests = stats.requests;
        progress.retries = stats.retries;
        progress.bytes_read = stats.bytes_read;
        progress.in_flight = u32::try_from(stats.in_flight).unwrap_or(u32::MAX);
        progress
    }

    /// Tells the progress now and then; a caller that is busy misses some.
    fn tell(&self) {
        let now = Instant::now();
        let mut tally = self.lock();
        if tally.told.is_some_and(|told| now.duration_since(told) < PROGRESS_EVERY) {
            return;
        }
        tally.told = Some(now);
        drop(tally);
        if self.events.try_send(Ok(Event::Progress(self.progress()))).is_err() {
            tracing::trace!(event = "progress_left_out", "progress not told: the caller is busy");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a page without rows asks for.
pub(crate) fn head_fields() -> Vec<String> {
    ["created", "updated"].map(str::to_owned).to_vec()
}
