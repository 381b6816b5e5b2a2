//! A relay in the small: keeps a unit's parts when the unit is done, and applies generations as a commit does.

use crate::engine::keeper;
use jira::{
    CheckpointEntry, Credential, Error, Event, JiraClient, LandedColumn, Limits, Mode, Part, Site, Spec,
    Summary, SweepDepth, Table, UnitId, Watermark,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, HashMap, HashSet};
use tests::jira_sim::SimHandle;
use tests::lake_oracle::{self, LandedTable};
use tests::truth::{self, Cell, TruthTable};
use tokio_util::sync::CancellationToken;

type Row = BTreeMap<String, Cell>;

/// What has landed.
#[derive(Default)]
pub(crate) struct Landing {
    parts: Vec<Part>,
    pub entries: Vec<CheckpointEntry>,
    open: HashMap<UnitId, Vec<Part>>,
    /// Rows that earlier runs committed.
    live: BTreeMap<String, Vec<Row>>,
    /// Columns of custom fields that earlier runs committed, by name.
    columns: BTreeMap<String, LandedColumn>,
}

/// Limits for tests: nothing waits long.
pub(crate) fn limits(max_parallel: usize) -> Limits {
    Limits { max_parallel, ..Limits::default() }
}

pub(crate) fn client_with(url: &str, credential: Credential, limits: Limits) -> JiraClient {
    let site = Site { base_url: url.parse().unwrap(), extra_root_pem: None, way: jira::Way::default() };
    JiraClient::try_new(site, credential, limits).unwrap()
}

pub(crate) fn password(password: &str) -> Credential {
    Credential::Password { username: "reader".to_owned(), password: password.to_owned().into() }
}

/// A client of a simulated Cloud site.
pub(crate) fn cloud_client(sim: &SimHandle) -> JiraClient {
    let (username, token) = ("reader@example.com".to_owned(), "reader-api-token".to_owned().into());
    client_with(&sim.url(), Credential::ApiToken { username, token }, limits(4))
}

pub(crate) fn client(sim: &SimHandle) -> JiraClient {
    client_with(&sim.url(), password("reader-password"), limits(4))
}

pub(crate) fn full() -> Spec {
    Spec::all(Table::defaults(), Mode::Full)
}

pub(crate) fn delta(watermark: Watermark) -> Spec {
    Spec { mode: Mode::Delta { watermark }, ..full() }
}

/// A sweep, with what changed since the watermark if `delta`.
pub(crate) fn sweep(watermark: Watermark, depth: SweepDepth, delta: bool) -> Spec {
    let tables = Table::defaults().filter(|table| table.is_issue_table()).collect();
    Spec { mode: Mode::Sweep { watermark, depth, delta }, tables, ..full() }
}

impl Landing {
    /// Runs until the end, or until `units` more units are done: then the extraction is dropped as by a crash, and `None` comes back.
    pub(crate) async fn run(
        &mut self,
        client: JiraClient,
        spec: Spec,
        units: Option<usize>,
    ) -> Result<Option<Summary>, Error> {
        let mut left = units;
        self.open.clear();
        let mut extraction = jira::extract(client, spec, self.entries.clone(), CancellationToken::new());
        while let Some(event) = extraction.next().await {
            match event? {
                Event::Part(part) => self.open.entry(part.unit.clone()).or_default().push(part),
                Event::UnitDone { unit, entry, parts } => {
                    if left == Some(0) {
                        return Ok(None);
                    }
                    left = left.map(|left| left - 1);
                    assert!(entry.0.to_string().len() <= jira::ENTRY_BYTES_MAX, "an entry is too large");
                    let own = self.open.remove(&unit).unwrap_or_default();
                    assert_eq!(
                        own.len(),
                        usize::try_from(parts).unwrap(),
                        "parts of {unit} came after its end"
                    );
                    self.parts.extend(own);
                    self.entries.push(entry);
                }
                Event::Landed(ask) => {
                    let answer = keeper::answer(&self.live, &self.columns, &ask.question);
                    ask.answer(answer);
                }
                Event::Finished(summary) => return Ok(Some(summary)),
                Event::Progress(_) | Event::Warning(_) => {}
            }
        }
        panic!("the extraction ended without a word");
    }

    /// To the end.
    pub(crate) async fn finish(&mut self, client: JiraClient, spec: Spec) -> Summary {
        self.run(client, spec, None).await.unwrap().unwrap()
    }

    /// Commits as the relay does; `full` replaces the tables.
    pub(crate) fn commit(&mut self, full: bool) {
        let replaced = self.replaced();
        for part in self.parts.iter().filter(|part| part.table == "issues") {
            self.columns.extend(custom_columns(part).map(|column| (column.name.clone(), column)));
        }
        let mut tables: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        if !full {
            for (table, rows) in std::mem::take(&mut self.live) {
                let stay = |row: &Row| {
                    !row.get("issue_id")
                        .is_some_and(|id| is_issue_table(&table) && is_replaced(&replaced, id, 0))
                };
                tables.insert(table.clone(), rows.into_iter().filter(stay).collect());
            }
            for part in self.parts.iter().filter(|part| !is_issue_table(&part.table)) {
                tables.insert(part.table.clone(), Vec::new());
            }
        }
        for part in self.parts.iter().filter(|part| part.table != "_replaced") {
            let stay = |row: &Row| {
                !row.get("issue_id").is_some_and(|id| {
                    is_issue_table(&part.table) && is_replaced(&replaced, id, part.generation)
                })
            };
            tables.entry(part.table.clone()).or_default().extend(rows_of(part).into_iter().filter(stay));
        }
        self.live = tables;
        self.parts.clear();
        self.entries.clear();
    }

    /// Forgets a run that ended without success.
    pub(crate) fn give_up(&mut self) {
        self.parts.clear();
        self.entries.clear();
    }

    /// The latest generation that replaced each issue.
    fn replaced(&self) -> HashMap<i64, u32> {
        let mut replaced = HashMap::new();
        for part in self.parts.iter().filter(|part| part.table == "_replaced") {
            for row in rows_of(part) {
                let Some(Cell::I64(id)) = row.get("issue_id") else { panic!("`_replaced` without an id") };
                let latest = replaced.entry(*id).or_insert(0);
                *latest = part.generation.max(*latest);
            }
        }
        replaced
    }

    /// Ids in `issues`, each once.
    pub(crate) fn issue_ids(&self) -> HashSet<i64> {
        let rows = self.live.get("issues").map(Vec::as_slice).unwrap_or_default();
        let ids: HashSet<i64> = rows
            .iter()
            .filter_map(|row| if let Some(Cell::I64(id)) = row.get("issue_id") { Some(*id) } else { None })
            .collect();
        assert_eq!(ids.len(), rows.len(), "an issue is there twice");
        ids
    }

    /// Rows of a table.
    pub(crate) fn rows(&self, table: &str) -> usize {
        self.live.get(table).map_or(0, Vec::len)
    }

    /// Drops links to issues that were deleted: Jira updates nothing at the other end, so a load that read it before keeps the link until
    /// the next full load.
    pub(crate) fn forget_links_to_deleted(&mut self, sim: &SimHandle) {
        let ids: HashSet<i64> = sim.ids().into_iter().map(|id| i64::try_from(id).unwrap()).collect();
        if let Some(links) = self.live.get_mut("issue_links") {
            links.retain(
                |row| matches!(row.get("other_issue_id"), Some(Cell::I64(other)) if ids.contains(other)),
            );
        }
    }

    /// Every table equals the simulator's truth, cell by cell.
    pub(crate) fn assert_is_truth(&self, sim: &SimHandle) {
        self.assert_are_truth(truth::tables(sim));
    }

    /// The same of the tables made from issues.
    pub(crate) fn assert_issue_tables_are_truth(&self, sim: &SimHandle) {
        let mut tables = truth::tables(sim);
        tables.retain(|name, _| is_issue_table(name) && self.live.contains_key(name));
        self.assert_are_truth(tables);
    }

    /// The same of those of one project, where nothing else was asked for.
    pub(crate) fn assert_issue_tables_are_truth_of_project(&self, sim: &SimHandle, project: &str) {
        let of_project = |key: &String| key.rsplit_once('-').is_some_and(|(of, _)| of == project);
        let ids: HashSet<i64> = sim
            .keys()
            .iter()
            .zip(sim.ids())
            .filter(|(key, _)| of_project(key))
            .map(|(_, id)| i64::try_from(id).unwrap())
            .collect();
        let mut tables = truth::tables(sim);
        tables.retain(|name, _| is_issue_table(name) && self.live.contains_key(name));
        for table in tables.values_mut() {
            let place = table.columns.iter().position(|(name, _)| name == "issue_id").unwrap();
            table.rows.retain(|row| matches!(&row[place], Cell::I64(id) if ids.contains(id)));
        }
        assert!(!ids.is_empty());
        self.assert_are_truth(tables);
    }

    /// Each of these tables equals the simulator's truth, cell by cell.
    pub(crate) fn assert_tables_are_truth(&self, sim: &SimHandle, names: &[&str]) {
        self.assert_are_truth(
            names.iter().map(|name| ((*name).to_owned(), truth::table(sim, name).unwrap())),
        );
    }

    fn assert_are_truth(&self, tables: impl IntoIterator<Item = (String, TruthTable)>) {
        let mut differences = Vec::new();
        for (name, truth) in tables {
            let rows = self.live.get(&name).cloned();
            let columns = truth.columns.iter().map(|(column, _)| column.clone()).collect();
            match rows {
                None => differences.push(format!("{name}: no part landed")),
                Some(rows) => {
                    let landed = LandedTable {
                        version: 0,
                        columns,
                        field_ids: BTreeMap::new(),
                        rows,
                        files: Vec::new(),
                    };
                    differences.extend(lake_oracle::differences(&name, &truth, &landed));
                }
            }
        }
        assert!(differences.is_empty(), "what landed differs from Jira:\n{}", differences.join("\n"));
    }
}

/// The columns of a part that its notes give the id of a custom field.
fn custom_columns(part: &Part) -> impl Iterator<Item = LandedColumn> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(part.bytes.clone()).unwrap();
    let entries = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let notes = entries.into_iter().find(|entry| entry.key == "uplink.columns").and_then(|entry| entry.value);
    let notes: Vec<serde_json::Value> = serde_json::from_str(&notes.unwrap_or("[]".to_owned())).unwrap();
    notes.into_iter().filter_map(|note| {
        let text = |member: &str| note[member].as_str().map(str::to_owned);
        Some(LandedColumn { name: text("name")?, column_type: text("type")?, field_id: text("field_id")? })
    })
}

fn is_issue_table(name: &str) -> bool {
    Table::parse(name).is_some_and(Table::is_issue_table)
}

fn is_replaced(replaced: &HashMap<i64, u32>, id: &Cell, generation: u32) -> bool {
    let Cell::I64(id) = id else { return false };
    replaced.get(id).is_some_and(|latest| *latest > generation)
}

fn rows_of(part: &Part) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(part.bytes.clone()).unwrap().build().unwrap() {
        lake_oracle::read_batch(&batch.unwrap(), &mut rows);
    }
    assert_eq!(u64::try_from(rows.len()).unwrap(), part.rows, "the part does not hold the rows it names");
    rows
}
