//! The keeper of landed tables in the small: answers what a sweep asks, from rows in memory.

use jira::{LandedAnswer, LandedColumn, LandedIssues, LandedQuestion, LandedSlice};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use tests::truth::Cell;

type Row = BTreeMap<String, Cell>;

/// Landed issues of one slice; small, so that little sites have several.
const ISSUES_PER_SLICE: usize = 7;

/// An issue as the table `issues` has it.
struct Known {
    created_ms: i64,
    id: i64,
    updated_ms: i64,
    project: Option<String>,
}

/// Answers from the landed tables.
pub(crate) fn answer(
    live: &BTreeMap<String, Vec<Row>>,
    columns: &BTreeMap<String, LandedColumn>,
    question: &LandedQuestion,
) -> LandedAnswer {
    match question {
        LandedQuestion::Slices { by_project } => LandedAnswer::Slices(slices(&known(live), *by_project)),
        LandedQuestion::Issues { from_ms, to_ms, by_project, with_updated } => {
            let mut known = known(live);
            known.retain(|issue| (*from_ms..*to_ms).contains(&issue.created_ms));
            let mut issues = issues(&known, *by_project);
            if !with_updated {
                issues.iter_mut().for_each(|of| of.updated_ms.clear());
            }
            LandedAnswer::Issues(issues)
        }
        LandedQuestion::Referring { issues } => {
            let mut found = issues_with(live, ("issue_links", "other_issue_id"), issues);
            found.extend(issues_with(live, ("issues", "parent_id"), issues));
            LandedAnswer::Ids(found)
        }
        LandedQuestion::OwnersOfWorklogs { worklogs } => {
            LandedAnswer::Ids(issues_with(live, ("issue_worklogs", "worklog_id"), worklogs))
        }
        LandedQuestion::Columns => LandedAnswer::Columns(columns.values().cloned().collect()),
        LandedQuestion::Astray => LandedAnswer::Ids(astray(live)),
    }
}

fn issues_with(live: &BTreeMap<String, Vec<Row>>, (table, column): (&str, &str), ids: &[i64]) -> Vec<i64> {
    let wanted: HashSet<i64> = ids.iter().copied().collect();
    let found = rows(live, table).filter(|row| number(row, column).is_some_and(|id| wanted.contains(&id)));
    found.filter_map(|row| number(row, "issue_id")).collect()
}

fn rows<'a>(live: &'a BTreeMap<String, Vec<Row>>, table: &str) -> impl Iterator<Item = &'a Row> {
    live.get(table).into_iter().flatten()
}

fn number(row: &Row, column: &str) -> Option<i64> {
    match row.get(column) {
        Some(Cell::I64(number)) => Some(*number),
        _ => None,
    }
}

fn known(live: &BTreeMap<String, Vec<Row>>) -> Vec<Known> {
    let known = rows(live, "issues").map(|row| {
        let time = |column: &str| match row.get(column) {
            Some(Cell::Ts(micros)) => micros.div_euclid(1000),
            other => panic!("an issue whose {column} is {other:?}"),
        };
        let project = match row.get("project_key") {
            Some(Cell::Text(key)) => Some(key.clone()),
            _ => None,
        };
        Known {
            created_ms: time("created"),
            id: number(row, "issue_id").unwrap(),
            updated_ms: time("updated"),
            project,
        }
    });
    let mut known: Vec<Known> = known.collect();
    known.sort_by_key(|issue| (issue.created_ms, issue.id));
    known
}

fn slices(known: &[Known], by_project: bool) -> Vec<LandedSlice> {
    let second = |issue: &Known| issue.created_ms.div_euclid(1000) * 1000;
    let mut cuts: Vec<i64> =
        known.iter().skip(ISSUES_PER_SLICE).step_by(ISSUES_PER_SLICE).map(second).collect();
    cuts.dedup();
    cuts.push(i64::MAX);
    let mut from = i64::MIN;
    let mut slices = Vec::new();
    for to_ms in cuts {
        let mut counts: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for issue in known.iter().filter(|issue| (from..to_ms).contains(&issue.created_ms)) {
            *counts.entry(issue.project.clone().filter(|_| by_project)).or_default() += 1;
        }
        slices.push(LandedSlice { to_ms, counts: counts.into_iter().collect() });
        from = to_ms;
    }
    slices
}

fn issues(known: &[Known], by_project: bool) -> Vec<LandedIssues> {
    let mut found: BTreeMap<Option<String>, LandedIssues> = BTreeMap::new();
    for issue in known {
        let project = issue.project.clone().filter(|_| by_project);
        let none = LandedIssues { project: project.clone(), ids: Vec::new(), updated_ms: Vec::new() };
        let of = found.entry(project).or_insert(none);
        of.ids.push(issue.id);
        of.updated_ms.push(issue.updated_ms);
    }
    found.into_values().collect()
}

fn astray(live: &BTreeMap<String, Vec<Row>>) -> Vec<i64> {
    let known: HashSet<i64> = rows(live, "issues").filter_map(|row| number(row, "issue_id")).collect();
    let mut ends: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
    for row in rows(live, "issue_links") {
        let end = (number(row, "issue_id").unwrap(), number(row, "other_issue_id").unwrap_or_default());
        ends.entry(number(row, "link_id").unwrap()).or_default().push(end);
    }
    let mut astray = BTreeSet::new();
    let keys: HashMap<i64, &Cell> = rows(live, "issues")
        .filter_map(|row| Some((number(row, "issue_id")?, row.get("issue_key")?)))
        .collect();
    for (table, other, key) in
        [("issues", "parent_id", "parent_key"), ("issue_links", "other_issue_id", "other_issue_key")]
    {
        let strays = rows(live, table)
            .filter(|row| number(row, other).is_some_and(|id| keys.get(&id).copied() != row.get(key)));
        astray.extend(strays.filter_map(|row| number(row, "issue_id")));
    }
    for ends in ends.values() {
        for (issue, other) in ends {
            if known.contains(other) && !ends.contains(&(*other, *issue)) {
                astray.extend([*issue, *other]);
            }
        }
    }
    astray.into_iter().collect()
}
