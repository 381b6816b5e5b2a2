//! What landed, as a sweep compares it: ids of issues in the order of their creation, and who refers to whom.
//!
//! Only the columns of ids and times are read. The index holds 24 bytes an issue while a run sweeps.

use super::columns::{self, ISSUE_ID};
use super::error::LakeError;
use super::files::Files;
use super::place::TablePlace;
use super::table;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use delta_kernel::Engine;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::snapshot::SnapshotRef;
use protocol::landed::{LandedColumn, LandedIssues, LandedPiece, LandedQuestion, LandedSlice};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

const CREATED: &str = "created";
const UPDATED: &str = "updated";
const PROJECT: &str = "project_key";
/// Issues of a slice, unless more were created in one second.
const ISSUES_PER_SLICE: usize = 960;
/// Rows of other issues hold the id of an issue in these columns.
const REFERENCES: [(&str, &str); 2] = [("issue_links", "other_issue_id"), ("issues", "parent_id")];

/// An issue of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Landed {
    /// Seconds since 1970; what was created earlier counts as created then.
    second: u32,
    /// Which of the projects' keys.
    project: u32,
    id: i64,
    /// Its last update, milliseconds since 1970.
    updated_ms: i64,
}

/// The issues of a table in the order of their creation.
#[derive(Debug, Default)]
pub(crate) struct LandedIndex {
    issues: Vec<Landed>,
    projects: Vec<Option<String>>,
    /// Whether the rows tell their projects in clear.
    tells_projects: bool,
    /// Whether the rows tell their last update in clear.
    tells_updates: bool,
    /// Why nothing can be compared, if so.
    fault: Option<String>,
}

impl LandedIndex {
    /// Reads the index of a table of issues.
    pub(super) fn read(files: &Files, issues: &TablePlace) -> Result<Self, LakeError> {
        issues.check()?;
        let Some(snapshot) = table::open(files, &files.engine(), issues)? else {
            return Ok(Self::impossible("the table `issues` was never loaded; run a full load first"));
        };
        if !is_in_clear(&snapshot, CREATED) {
            let why = "the table `issues` has no column `created` in clear, by which it is compared with Jira; permit and extract it";
            return Ok(Self::impossible(why));
        }
        let tells_projects = is_in_clear(&snapshot, PROJECT);
        let tells_updates = is_in_clear(&snapshot, UPDATED);
        let mut wanted = vec![ISSUE_ID, CREATED];
        wanted.extend(tells_projects.then_some(PROJECT));
        wanted.extend(tells_updates.then_some(UPDATED));
        let mut index = Self { tells_projects, tells_updates, ..Self::default() };
        let mut known: HashMap<Option<String>, u32> = HashMap::new();
        each_batch(files, issues, &snapshot, &wanted, |batch| {
            index.add(batch, &mut known);
            true
        })?;
        index.issues.sort_unstable();
        Ok(index)
    }

    fn impossible(why: &str) -> Self {
        Self { fault: Some(why.to_owned()), ..Self::default() }
    }

    fn add(&mut self, batch: &RecordBatch, known: &mut HashMap<Option<String>, u32>) {
        let (Some(ids), Some(created)) = (numbers(batch, ISSUE_ID), times(batch, CREATED)) else {
            self.fault = Some(
                "the columns `issue_id` and `created` of the table `issues` have other types".to_owned(),
            );
            return;
        };
        let updates = times(batch, UPDATED);
        let keys = batch.column_by_name(PROJECT).and_then(|column| column.as_string_opt::<i32>());
        for row in 0..batch.num_rows() {
            let key = keys.filter(|keys| keys.is_valid(row)).map(|keys| keys.value(row));
            // The keys are few and repeat: looked up before one is copied.
            let project = match known.get(&key.map(str::to_owned)) {
                Some(project) => *project,
                None => {
                    let project = u32::try_from(self.projects.len()).unwrap_or(u32::MAX);
                    self.projects.push(key.map(str::to_owned));
                    known.insert(key.map(str::to_owned), project);
                    project
                }
            };
            let second = u32::try_from(created.value(row).div_euclid(1_000_000).max(0)).unwrap_or(u32::MAX);
            let updated_ms = updates.map_or(0, |updates| updates.value(row).div_euclid(1_000));
            self.issues.push(Landed { second, project, id: ids.value(row), updated_ms });
        }
    }

    /// Answers what the index alone can.
    pub(crate) fn answer(&self, question: &LandedQuestion) -> LandedPiece {
        if let Some(reason) = &self.fault {
            return LandedPiece::Impossible { reason: reason.clone() };
        }
        match question {
            LandedQuestion::Slices { by_project: true } | LandedQuestion::Issues { by_project: true, .. }
                if !self.tells_projects =>
            {
                let reason = "the table `issues` has no column `project_key` in clear, by which rows that the premises do not permit are \
                              told apart; permit and extract it"
                    .to_owned();
                LandedPiece::Impossible { reason }
            }
            LandedQuestion::Slices { by_project } => LandedPiece::Slices { slices: self.slices(*by_project) },
            LandedQuestion::Issues { from_ms, to_ms, by_project, with_updated } => {
                let mut issues = self.issues(*from_ms, *to_ms, *by_project);
                if !with_updated || !self.tells_updates {
                    issues.iter_mut().for_each(|of| of.updated_ms.clear());
                }
                LandedPiece::Issues { issues }
            }
            LandedQuestion::Referring { .. }
            | LandedQuestion::OwnersOfWorklogs { .. }
            | LandedQuestion::Columns
            | LandedQuestion::Astray => LandedPiece::Ids { ids: Vec::new() },
        }
    }

    fn project(&self, project: u32, by_project: bool) -> Option<String> {
        let place = usize::try_from(project).ok().filter(|_| by_project)?;
        self.projects.get(place).cloned().flatten()
    }

    fn slices(&self, by_project: bool) -> Vec<LandedSlice> {
        let mut slices = Vec::new();
        let mut rest = self.issues.as_slice();
        loop {
            // A second is never cut.
            let at = rest.get(ISSUES_PER_SLICE).map(|next| next.second);
            let first = rest.first().map(|first| first.second);
            let cut = match (at, first) {
                (Some(at), Some(first)) if at == first => rest.partition_point(|landed| landed.second <= at),
                (Some(at), _) => rest.partition_point(|landed| landed.second < at),
                (None, _) => rest.len(),
            };
            let (some, left) = rest.split_at(cut);
            let to_ms = left.first().map_or(i64::MAX, |next| i64::from(next.second) * 1000);
            slices.push(LandedSlice { to_ms, counts: self.counts(some, by_project) });
            rest = left;
            if rest.is_empty() {
                return slices;
            }
        }
    }

    fn counts(&self, some: &[Landed], by_project: bool) -> Vec<(Option<String>, u64)> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for landed in some {
            *counts.entry(if by_project { landed.project } else { 0 }).or_default() += 1;
        }
        let named = |(project, count): (u32, u64)| (self.project(project, by_project), count);
        counts.into_iter().map(named).collect()
    }

    fn issues(&self, from_ms: i64, to_ms: i64, by_project: bool) -> Vec<LandedIssues> {
        let from = self.issues.partition_point(|landed| i64::from(landed.second) * 1000 < from_ms);
        let to = self.issues.partition_point(|landed| i64::from(landed.second) * 1000 < to_ms);
        let mut found: BTreeMap<Option<String>, LandedIssues> = BTreeMap::new();
        for landed in self.issues.get(from..to).unwrap_or_default() {
            let project = self.project(landed.project, by_project);
            let of = found.entry(project.clone()).or_insert_with(|| LandedIssues {
                project,
                ids: Vec::new(),
                updated_ms: Vec::new(),
            });
            of.ids.push(landed.id);
            of.updated_ms.push(landed.updated_ms);
        }
        found.into_values().collect()
    }
}

/// Issues with rows that lead to one of these. A table or column that is not there leads nowhere.
pub(super) fn referring(files: &Files, issues: &TablePlace, ids: &[i64]) -> Result<Vec<i64>, LakeError> {
    issues_with(files, issues, &REFERENCES, ids)
}

/// The issues of these work logs.
pub(super) fn owners_of_worklogs(
    files: &Files,
    issues: &TablePlace,
    ids: &[i64],
) -> Result<Vec<i64>, LakeError> {
    issues_with(files, issues, &[("issue_worklogs", "worklog_id")], ids)
}

/// The columns of the table `issues` that hold custom fields.
pub(super) fn custom_columns(files: &Files, issues: &TablePlace) -> Result<Vec<LandedColumn>, LakeError> {
    issues.check()?;
    let Some(snapshot) = table::open(files, &files.engine(), issues)? else { return Ok(Vec::new()) };
    let custom = |field: &delta_kernel::schema::StructField| {
        let told = columns::describe(field);
        let column_type = if told.mask.is_some() { String::new() } else { told.type_name };
        Some(LandedColumn { name: field.name.clone(), column_type, field_id: told.field_id? })
    };
    Ok(snapshot.schema().fields().filter_map(custom).collect())
}

fn issues_with(
    files: &Files,
    issues: &TablePlace,
    places: &[(&str, &str)],
    ids: &[i64],
) -> Result<Vec<i64>, LakeError> {
    let wanted: HashSet<i64> = ids.iter().copied().collect();
    let mut found = BTreeSet::new();
    for &(table, column) in places {
        let place = TablePlace { table: table.to_owned(), ..issues.clone() };
        let Some(snapshot) = open_with(files, &place, &[column])? else { continue };
        each_batch(files, &place, &snapshot, &[ISSUE_ID, column], |batch| {
            if let (Some(from), Some(to)) = (numbers(batch, ISSUE_ID), numbers(batch, column)) {
                let rows = from.iter().zip(to).filter_map(|(from, to)| from.zip(to));
                found.extend(rows.filter(|(_, to)| wanted.contains(to)).map(|(from, _)| from));
            }
            true
        })?;
    }
    Ok(found.into_iter().collect())
}

/// Issues with links or parents that did not land or have another key, and both ends of links that only one of them shows. Holds 16 bytes an issue
/// and 24 a link.
pub(super) fn astray(files: &Files, issues: &TablePlace) -> Result<Vec<i64>, LakeError> {
    let keys = keys_of(files, issues)?;
    let mut astray = BTreeSet::new();
    for (table, id, key) in
        [("issues", "parent_id", "parent_key"), ("issue_links", "other_issue_id", "other_issue_key")]
    {
        let place = TablePlace { table: table.to_owned(), ..issues.clone() };
        let Some(snapshot) = open_with(files, &place, &[id, key])? else { continue };
        let in_clear = keys.in_clear && is_in_clear(&snapshot, key);
        each_batch(files, &place, &snapshot, &[ISSUE_ID, id, key], |batch| {
            if let (Some(from), Some(to), Some(shown)) =
                (numbers(batch, ISSUE_ID), numbers(batch, id), texts(batch, key))
            {
                let rows = from
                    .iter()
                    .zip(to)
                    .zip(shown)
                    .filter_map(|((from, to), shown)| Some((from?, to?, shown)));
                astray.extend(
                    rows.filter(|(_, to, shown)| !keys.fit(*to, *shown, in_clear)).map(|(from, ..)| from),
                );
            }
            true
        })?;
    }
    one_sided(files, issues, &keys, &mut astray)?;
    Ok(astray.into_iter().collect())
}

/// The key of each landed issue, as a hash.
struct Keys {
    /// Sorted.
    of: Vec<(i64, u64)>,
    /// Whether the keys can be compared with those in other tables.
    in_clear: bool,
}

impl Keys {
    fn find(&self, id: i64) -> Option<u64> {
        let at = self.of.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        self.of.get(at).map(|(_, key)| *key)
    }

    /// Whether the issue landed, under the key that is shown.
    fn fit(&self, id: i64, shown: Option<&str>, in_clear: bool) -> bool {
        self.find(id).is_some_and(|key| !in_clear || key == hash(shown))
    }
}

fn hash(key: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

fn keys_of(files: &Files, issues: &TablePlace) -> Result<Keys, LakeError> {
    const KEY: &str = "issue_key";
    issues.check()?;
    let mut keys = Keys { of: Vec::new(), in_clear: false };
    let Some(snapshot) = table::open(files, &files.engine(), issues)? else { return Ok(keys) };
    keys.in_clear = is_in_clear(&snapshot, KEY);
    let mut wanted = vec![ISSUE_ID];
    wanted.extend(keys.in_clear.then_some(KEY));
    each_batch(files, issues, &snapshot, &wanted, |batch| {
        if let Some(ids) = numbers(batch, ISSUE_ID) {
            let texts = texts(batch, KEY);
            let key = |row: usize| texts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
            keys.of.extend((0..batch.num_rows()).map(|row| (ids.value(row), hash(key(row)))));
        }
        true
    })?;
    keys.of.sort_unstable();
    Ok(keys)
}

/// Both ends of links between landed issues that only one of them shows.
fn one_sided(
    files: &Files,
    issues: &TablePlace,
    keys: &Keys,
    astray: &mut BTreeSet<i64>,
) -> Result<(), LakeError> {
    const LINK: &str = "link_id";
    const OTHER: &str = "other_issue_id";
    let place = TablePlace { table: "issue_links".to_owned(), ..issues.clone() };
    let Some(snapshot) = open_with(files, &place, &[LINK, OTHER])? else { return Ok(()) };
    let mut ends: Vec<(i64, i64, i64)> = Vec::new();
    each_batch(files, &place, &snapshot, &[ISSUE_ID, LINK, OTHER], |batch| {
        let columns = (numbers(batch, LINK), numbers(batch, ISSUE_ID), numbers(batch, OTHER));
        if let (Some(links), Some(from), Some(to)) = columns {
            let rows = links.iter().zip(from).zip(to);
            ends.extend(rows.filter_map(|((link, from), to)| Some((link?, from?, to?))));
        }
        true
    })?;
    ends.sort_unstable();
    for &(link, from, to) in &ends {
        if keys.find(to).is_some() && ends.binary_search(&(link, to, from)).is_err() {
            astray.extend([from, to]);
        }
    }
    Ok(())
}

/// Whether the table has the column with values that are not hashed.
fn is_in_clear(snapshot: &SnapshotRef, name: &str) -> bool {
    snapshot.schema().field(name).is_some_and(|field| columns::describe(field).mask.is_none())
}

/// The newest version of a table, if it is there with these columns.
fn open_with(files: &Files, place: &TablePlace, columns: &[&str]) -> Result<Option<SnapshotRef>, LakeError> {
    place.check()?;
    let snapshot = table::open(files, &files.engine(), place)?;
    let has = |snapshot: &SnapshotRef| {
        let schema = snapshot.schema();
        columns.iter().all(|column| schema.field(*column).is_some())
    };
    Ok(snapshot.filter(has))
}

/// Hands on the wanted columns batch by batch, until `take` has enough.
fn each_batch(
    files: &Files,
    place: &TablePlace,
    snapshot: &SnapshotRef,
    wanted: &[&str],
    mut take: impl FnMut(&RecordBatch) -> bool,
) -> Result<(), LakeError> {
    let failed = |source| LakeError::delta("read ids", &place.table, source);
    let schema = snapshot.schema().project(wanted).map_err(failed)?;
    let scan = Arc::clone(snapshot).scan_builder().with_schema(schema).build().map_err(failed)?;
    let engine: Arc<dyn Engine> = files.engine();
    for data in scan.execute(engine).map_err(failed)? {
        let data = ArrowEngineData::try_from_engine_data(data.map_err(failed)?).map_err(failed)?;
        if !take(data.record_batch()) {
            break;
        }
    }
    Ok(())
}

fn numbers<'b>(batch: &'b RecordBatch, column: &str) -> Option<&'b arrow_array::Int64Array> {
    batch.column_by_name(column)?.as_primitive_opt::<Int64Type>()
}

fn texts<'b>(batch: &'b RecordBatch, column: &str) -> Option<&'b arrow_array::StringArray> {
    batch.column_by_name(column)?.as_string_opt::<i32>()
}

fn times<'b>(batch: &'b RecordBatch, column: &str) -> Option<&'b arrow_array::TimestampMicrosecondArray> {
    batch.column_by_name(column)?.as_primitive_opt::<TimestampMicrosecondType>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(issues: &[(u32, i64)]) -> LandedIndex {
        let mut issues: Vec<Landed> = issues
            .iter()
            .map(|(second, id)| Landed {
                second: *second,
                project: u32::from(*id % 2 == 0),
                id: *id,
                updated_ms: 1_000 + id,
            })
            .collect();
        issues.sort_unstable();
        let projects = vec![Some("A".to_owned()), None];
        LandedIndex { issues, projects, tells_projects: true, tells_updates: true, fault: None }
    }

    fn slices(index: &LandedIndex) -> Vec<(i64, u64)> {
        let LandedPiece::Slices { slices } = index.answer(&LandedQuestion::Slices { by_project: false })
        else {
            panic!("no slices");
        };
        slices.iter().map(|slice| (slice.to_ms, slice.counts.iter().map(|(_, count)| count).sum())).collect()
    }

    #[test]
    fn slices_cover_all_times_and_cut_no_second() {
        assert_eq!(slices(&LandedIndex::default()), [(i64::MAX, 0)]);
        let issues: Vec<(u32, i64)> = (0..2_500).map(|at: u32| (at / 400, i64::from(at))).collect();
        assert_eq!(slices(&index(&issues)), [(2_000, 800), (4_000, 800), (i64::MAX, 900)]);
    }

    #[test]
    fn a_second_of_very_many_issues_is_a_slice_of_its_own() {
        let issues: Vec<(u32, i64)> =
            (0..5_000).map(|at: u32| (if at < 10 { 1 } else { 2 }, i64::from(at))).collect();
        assert_eq!(slices(&index(&issues)), [(2_000, 10), (i64::MAX, 4_990)]);
    }

    #[test]
    fn issues_of_a_range_come_by_project_when_that_is_asked() {
        let index = index(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
        let asked = |by_project| LandedQuestion::Issues {
            from_ms: 2_000,
            to_ms: 4_000,
            by_project,
            with_updated: by_project,
        };
        let of = |project: Option<&str>, ids: &[i64]| LandedIssues {
            project: project.map(str::to_owned),
            ids: ids.to_vec(),
            updated_ms: Vec::new(),
        };
        assert_eq!(index.answer(&asked(false)), LandedPiece::Issues { issues: vec![of(None, &[2, 3])] });
        let with = |of: LandedIssues, updated_ms: i64| LandedIssues { updated_ms: vec![updated_ms], ..of };
        let by_project = LandedPiece::Issues {
            issues: vec![with(of(None, &[2]), 1_002), with(of(Some("A"), &[3]), 1_003)],
        };
        assert_eq!(index.answer(&asked(true)), by_project);
    }

    #[test]
    fn projects_that_are_not_told_are_no_answer() {
        let index = LandedIndex { tells_projects: false, ..index(&[(1, 1)]) };
        let told = index.answer(&LandedQuestion::Slices { by_project: true });
        assert!(matches!(told, LandedPiece::Impossible { reason } if reason.contains("project_key")));
    }
}
