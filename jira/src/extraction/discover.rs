//! What an extraction would read, found out with few requests: columns as they would leave, sample rows, and about how many rows and
//! requests. A hundred issues and the first page of each table of the site stand for the rest.

use crate::batch::{Finished, columns_of_part};
use crate::client::JiraClient;
use crate::client::allow::Read;
use crate::error::Error;
use crate::extraction::check;
use crate::extraction::events::Event;
use crate::extraction::glance::{Glance, glance};
use crate::extraction::rows::{Gate, Rows};
use crate::extraction::run::Run;
use crate::extraction::scope;
use crate::extraction::walk::Walk;
use crate::extraction::writer::UnitWriter;
use crate::fields::{IssueSchema, Landed};
use crate::jql::Axis;
use crate::paging::cuts::{ISSUES_PER_CLOUD_PAGE, ISSUES_PER_PAGE, fresh_in_page, slice_target};
use crate::paging::range::Range;
use crate::part::Part;
use crate::spec::Spec;
use crate::tables::{ColumnType, Table};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// Issues that stand for all: a page.
const SAMPLE_ISSUES: usize = 100;
/// Ids and times that Jira gives at once.
const HEADS_PER_PAGE: u64 = 1000;
/// Ids and times that Jira Cloud gives at once.
const CLOUD_HEADS_PER_PAGE: u64 = 5000;
/// Slices that are counted together at the end of a load.
const SLICES_PER_COUNT: u64 = 8;
/// What a load asks whatever it reads: login, server information, fields, the pass over what changed meanwhile.
const REQUESTS_OF_EVERY_LOAD: u64 = 6;
/// Characters of a text in a sample row, tried in turn until the row is small enough.
const TEXT_CHARS: [usize; 3] = [200, 60, 16];
/// JSON of a sample row.
const ROW_BYTES: usize = 24 << 10;

/// What an extraction would read.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// The selected tables.
    pub tables: Vec<FoundTable>,
    /// Issues that match, as Jira counts them; Jira Cloud estimates.
    pub issues: u64,
    /// About how many requests a full load would send.
    pub requests: u64,
    /// Requests that this took.
    pub asked: u64,
}

/// A table that it would fill.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundTable {
    /// Which.
    pub table: Table,
    /// Its columns as they would leave.
    pub columns: Vec<FoundColumn>,
    /// About how many rows; `None` where nothing tells.
    pub rows: Option<u64>,
    /// Whether `rows` was reckoned from a sample.
    pub is_estimate: bool,
    /// The first rows, texts cut, without empty cells.
    pub sample: Vec<Map<String, Value>>,
}

/// A column of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub column_type: ColumnType,
    /// Jira's id of the custom field that fills it.
    pub field_id: Option<String>,
    /// How its values are hashed.
    pub mask: Option<String>,
}

/// Looks at what the spec would read; at most so many sample rows of each table. Nothing is kept.
///
/// # Errors
/// As an extraction.
pub async fn discover(client: JiraClient, spec: Spec, rows: usize) -> Result<Discovery, Error> {
    let (out, mut events) = mpsc::channel(1);
    let run = Run::try_new(&client, Spec { first_rows: rows, ..spec }, 0, out)?;
    // Parts that reach their size while the sample is read come this way.
    let early = async {
        let mut parts = Vec::new();
        while let Some(event) = events.recv().await {
            if let Ok(Event::Part(part)) = event {
                parts.push(part);
            }
        }
        parts
    };
    let (looked, early) = tokio::join!(look(run), early);
    let mut looked = looked?;
    looked.parts.extend(early);
    let tables = looked.tables(rows);
    Ok(Discovery { tables, issues: looked.issues, requests: looked.requests, asked: looked.asked })
}

/// What was seen.
struct Looked {
    selected: Vec<(Table, Vec<FoundColumn>)>,
    issues: u64,
    requests: u64,
    asked: u64,
    /// Rows that all issues would give, reckoned from the sample.
    issue_rows: BTreeMap<String, u64>,
    glances: BTreeMap<Table, (Option<u64>, bool)>,
    parts: Vec<Part>,
}

async fn look(run: Run) -> Result<Looked, Error> {
    run.client.enter().await?;
    if let Some(scope) = scope::settle(&run).await? {
        run.set_scope(scope);
    }
    check::condition(&run).await?;
    let fields = run.client.read(&Read::Field).await?;
    let schema = IssueSchema::beside(&fields, &Landed::default())
        .map_err(|error| Error::undecodable(Read::Field.what(), &error))?;
    run.set_schema(schema)?;
    let mut looked = Looked {
        selected: selected(&run).await,
        issues: 0,
        requests: REQUESTS_OF_EVERY_LOAD,
        asked: 0,
        issue_rows: BTreeMap::new(),
        glances: BTreeMap::new(),
        parts: Vec::new(),
    };
    if run.spec.reads_issues() {
        look_at_issues(&run, &mut looked).await?;
    }
    look_at_lists(&run, &fields, &mut looked).await?;
    looked.asked = run.client.run_stats().requests;
    Ok(looked)
}

async fn selected(run: &Run) -> Vec<(Table, Vec<FoundColumn>)> {
    let (schema, masking) = (run.schema().await, run.masking().await);
    let columns = |table: Table| {
        let columns = columns_of_part(table, &schema, &masking).into_iter();
        columns
            .map(|column| FoundColumn {
                name: column.name,
                column_type: column.column_type,
                field_id: column.field_id,
                mask: column.mask,
            })
            .collect()
    };
    run.spec.tables.iter().map(|&table| (table, columns(table))).collect()
}

async fn look_at_issues(run: &Run, looked: &mut Looked) -> Result<(), Error> {
    let bounds = run.created_bounds();
    let whole = Range::new(Axis::Created, bounds.from, bounds.to);
    let heads = run.heads(run.jql(whole).by_time(Axis::Created), 0, HEADS_PER_PAGE).await?;
    let total = if run.client.is_cloud() { run.estimate(run.jql(whole)).await? } else { heads.total };
    // Jira Cloud's estimate may lie below what it has just shown.
    looked.issues = total.max(u64::try_from(heads.issues.len()).unwrap_or_default());
    let ids: Vec<i64> = spread(&heads.issues).map(|issue| issue.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let before = run.client.run_stats().requests;
    let writer = UnitWriter::open(run, "sample", 0).await;
    let mut rows = Rows::new(run, writer, Gate::Wanted(ids.iter().copied().collect()));
    Walk::over_rows(run, run.asks().await, ISSUES_PER_PAGE, i64::MAX).issues(&ids, &mut rows).await?;
    let read = u64::try_from(rows.accepted.len()).unwrap_or_default();
    let asked = run.client.run_stats().requests.saturating_sub(before);
    let Finished { parts, rows: counted, .. } =
        rows.writer.sink.finish().map_err(|error| Error::undecodable("the sample of issues", &error))?;
    looked.parts.extend(parts);
    looked.issue_rows =
        counted.into_iter().map(|(table, rows)| (table, scaled(rows, looked.issues, read))).collect();
    looked.requests += scaled(asked, looked.issues, u64::try_from(ids.len()).unwrap_or(u64::MAX));
    looked.requests += overhead(looked.issues, run);
    Ok(())
}

/// Issues from all over a list.
fn spread<T>(all: &[T]) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(SAMPLE_ISSUES).max(1))
}

/// What holds for `of` issues, said of all; rounded up.
fn scaled(count: u64, all: u64, of: u64) -> u64 {
    let product = u128::from(count) * u128::from(all);
    u64::try_from(product.div_ceil(u128::from(of.max(1)))).unwrap_or(u64::MAX)
}

/// Requests that cut a load into slices and prove it.
fn overhead(issues: u64, run: &Run) -> u64 {
    if run.client.is_cloud() {
        // Each slice takes an estimate and a list of its ids; twice more ids are listed to prove all.
        let slices = issues.div_ceil(slice_target(issues, run.lanes(), ISSUES_PER_CLOUD_PAGE));
        return 2 * slices + 2 * issues.div_ceil(CLOUD_HEADS_PER_PAGE).max(1);
    }
    let slices = issues.div_ceil(slice_target(issues, run.lanes(), fresh_in_page(ISSUES_PER_PAGE)));
    let probes = if issues > HEADS_PER_PAGE { slices } else { 1 };
    probes + slices.div_ceil(SLICES_PER_COUNT) + 1
}

async fn look_at_lists(run: &Run, fields: &str, looked: &mut Looked) -> Result<(), Error> {
    let look = |table: Table| async move {
        let fields = (table == Table::Fields).then_some(fields);
        glance(run, table, fields).await.map(|glance| (table, glance))
    };
    let lists: Vec<Table> = run.spec.tables.iter().copied().filter(|table| !table.is_issue_table()).collect();
    let mut glances = futures_util::stream::iter(lists).map(look).buffered(run.lanes());
    while let Some(glanced) = glances.next().await {
        let (table, Glance { rows, is_estimate, requests, parts }) = glanced?;
        looked.requests = looked.requests.saturating_add(requests);
        looked.glances.insert(table, (rows, is_estimate));
        looked.parts.extend(parts);
    }
    Ok(())
}

impl Looked {
    fn tables(&mut self, most: usize) -> Vec<FoundTable> {
        let mut samples: BTreeMap<String, Vec<Map<String, Value>>> = BTreeMap::new();
        for part in std::mem::take(&mut self.parts) {
            let rows = samples.entry(part.table).or_default();
            let missing = most.saturating_sub(rows.len());
            rows.extend(part.first_rows.into_iter().take(missing).map(shortened));
        }
        let found = |(table, columns): (Table, Vec<FoundColumn>)| {
            let (rows, is_estimate) = match (table, self.glances.get(&table)) {
                (_, Some(glance)) => *glance,
                (Table::Issues, None) => (Some(self.issues), false),
                (table, None) => {
                    let rows = self.issue_rows.get(table.name()).copied().unwrap_or_default();
                    (Some(rows), self.issues > 0)
                }
            };
            let sample = samples.remove(table.name()).unwrap_or_default();
            FoundTable { table, columns, rows, is_estimate, sample }
        };
        let selected = std::mem::take(&mut self.selected);
        selected.into_iter().map(found).collect()
    }
}

/// A row that is small enough to be shown: without empty cells, and with long texts cut.
fn shortened(row: Map<String, Value>) -> Map<String, Value> {
    let mut row: Map<String, Value> = row.into_iter().filter(|(_, value)| !value.is_null()).collect();
    for most in TEXT_CHARS {
        for value in row.values_mut() {
            if let Value::String(text) = value
                && let Some((end, _)) = text.char_indices().nth(most)
            {
                text.truncate(end);
                text.push('\u{2026}');
            }
        }
        if serde_json::to_string(&row).is_ok_and(|text| text.len() <= ROW_BYTES) {
            return row;
        }
    }
    let mut left = ROW_BYTES;
    row.into_iter()
        .take_while(|(name, value)| {
            let bytes = name.len() + value.to_string().len() + 4;
            let fits = bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sample_comes_from_all_over_the_list() {
        let all: Vec<u32> = (0..1000).collect();
        let some: Vec<u32> = spread(&all).copied().collect();
        assert_eq!((some.len(), some[0], some[99]), (100, 0, 990));
        assert_eq!(spread(&all[..7]).count(), 7);
        assert_eq!(spread::<u32>(&[]).count(), 0);
    }

    #[test]
    fn what_holds_for_a_sample_is_said_of_all_rounded_up() {
        assert_eq!(scaled(3, 1000, 100), 30);
        assert_eq!(scaled(1, 101, 100), 2);
        assert_eq!(scaled(u64::MAX, u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn a_sample_row_is_small_whatever_it_holds() {
        let row = |columns: usize, text: &str| -> Map<String, Value> {
            let cells = (0..columns).map(|at| (format!("column_{at}"), json!(text)));
            cells.chain([("empty".to_owned(), Value::Null)]).collect()
        };
        let long = shortened(row(3, &"\u{e4}".repeat(5000)));
        assert_eq!(long["column_0"].as_str().map(|text| text.chars().count()), Some(201));
        assert!(!long.contains_key("empty"));
        let wide = shortened(row(3000, &"x".repeat(300)));
        assert!(serde_json::to_string(&wide).unwrap().len() <= ROW_BYTES + 2 && wide.len() > 100);
        assert_eq!(wide["column_0"].as_str().map(|text| text.chars().count()), Some(17));
    }
}
