//! What a sweep goes over: every table of issues that landed, exactly as narrow as the full load that filled it. What the sweep does not
//! ask Jira for would count as gone, and a table that it left out would never hear of what is gone.

use super::{RunState, catalogue, schedule};
use crate::store::{Run, TableRow};
use protocol::control::Failure;
use protocol::spec::{ExtractionSpec, Load};
use std::collections::BTreeSet;

/// The extraction of a sweep, or why it cannot be. `runs` are all of the connection, newest first.
pub(crate) fn settle(
    spec: &ExtractionSpec,
    known: &[TableRow],
    runs: &[Run],
    connection: &str,
) -> Result<ExtractionSpec, Failure> {
    let Load::Sweep { every_id, delta, .. } = spec.load else { return Ok(spec.clone()) };
    let landed: BTreeSet<String> = known
        .iter()
        .filter(|row| catalogue::is_issue_table(&row.table) && row.watermark_ms.is_some())
        .map(|row| row.table.clone())
        .collect();
    if !landed.contains("issues") {
        return Err(Failure {
            code: "never_loaded".to_owned(),
            message: format!(
                "the table issues of {connection} was never loaded in full: there is nothing to compare with Jira"
            ),
            hint: format!("run `uplinkctl extract {connection} --full` first"),
        });
    }
    let tables = tables(spec, delta, &landed, known)?;
    let scope = scope_of(&landed, runs, connection)?;
    if is_narrowed(spec) && !is_as_narrow(spec, scope) {
        return Err(Failure {
            code: "scope_differs".to_owned(),
            message: format!(
                "the tables of {connection} were filled with other projects, dates or JQL than the sweep names"
            ),
            hint: "leave them out: a sweep takes them from the last full load".to_owned(),
        });
    }
    let since_ms = schedule::delta_start(&tables, known, connection)?;
    Ok(ExtractionSpec { tables, load: Load::Sweep { since_ms, every_id, delta }, ..scope.clone() })
}

fn tables(
    spec: &ExtractionSpec,
    delta: bool,
    landed: &BTreeSet<String>,
    known: &[TableRow],
) -> Result<Vec<String>, Failure> {
    if !delta {
        return Ok(landed.iter().cloned().collect());
    }
    if spec.tables.is_empty() {
        return Ok(known
            .iter()
            .map(|row| row.table.clone())
            .filter(|name| catalogue::is_table(name))
            .collect());
    }
    let left_out: Vec<&str> =
        landed.iter().filter(|name| !spec.tables.contains(*name)).map(String::as_str).collect();
    if left_out.is_empty() {
        return Ok(spec.tables.clone());
    }
    Err(Failure {
        code: "tables_left_out".to_owned(),
        message: format!(
            "a sweep goes over all tables made from issues, but {} are not named",
            left_out.join(", ")
        ),
        hint: "name them as well, or leave --tables out".to_owned(),
    })
}

/// What the last full load of each of the tables asked for; all of them must have asked for the same.
fn scope_of<'r>(
    landed: &BTreeSet<String>,
    runs: &'r [Run],
    connection: &str,
) -> Result<&'r ExtractionSpec, Failure> {
    let filled = |table: &String| {
        let of_table = |run: &&Run| {
            run.state == RunState::Succeeded
                && run.spec.load == Load::Full
                && catalogue::selected(&run.spec.tables).contains(table)
        };
        runs.iter().find(of_table)
    };
    let loads: Vec<(&String, Option<&Run>)> = landed.iter().map(|table| (table, filled(table))).collect();
    let again = || format!("load these tables in full together: `uplinkctl extract {connection} --full`");
    if let Some((table, _)) = loads.iter().find(|(_, run)| run.is_none()) {
        return Err(Failure {
            code: "scope_unknown".to_owned(),
            message: format!("it is not known what the last full load of the table {table} asked for"),
            hint: again(),
        });
    }
    let mut specs = loads.iter().filter_map(|(table, run)| Some((*table, &run.as_ref()?.spec)));
    let Some((first, scope)) = specs.next() else {
        return Err(Failure {
            code: "scope_unknown".to_owned(),
            message: "no table landed".to_owned(),
            hint: again(),
        });
    };
    if let Some((other, _)) = specs.find(|(_, spec)| !is_as_narrow(spec, scope)) {
        return Err(Failure {
            code: "scope_differs".to_owned(),
            message: format!(
                "the tables {first} and {other} were filled with other projects, dates or JQL: no one sweep fits both"
            ),
            hint: again(),
        });
    }
    Ok(scope)
}

fn is_narrowed(spec: &ExtractionSpec) -> bool {
    !spec.projects.is_empty()
        || spec.created_from_ms.is_some()
        || spec.created_to_ms.is_some()
        || spec.updated_from_ms.is_some()
        || spec.updated_to_ms.is_some()
        || spec.jql.is_some()
}

fn is_as_narrow(a: &ExtractionSpec, b: &ExtractionSpec) -> bool {
    let keys =
        |spec: &ExtractionSpec| spec.projects.iter().map(|key| key.to_uppercase()).collect::<BTreeSet<_>>();
    keys(a) == keys(b)
        && (a.created_from_ms, a.created_to_ms) == (b.created_from_ms, b.created_to_ms)
        && (a.updated_from_ms, a.updated_to_ms) == (b.updated_from_ms, b.updated_to_ms)
        && a.jql.as_deref().map(str::trim) == b.jql.as_deref().map(str::trim)
}

#[cfg(test)]
mod tests;
