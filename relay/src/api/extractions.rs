//! Asking for an extraction makes a run.

use super::input::{Body, time_ms};
use super::problem::Problem;
use super::runs;
use crate::clock;
use crate::direct;
use crate::node::Shared;
use crate::run::{catalogue, schedule, scope, sweep};
use crate::store::{Connection, TableRow};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use protocol::spec::{ExtractionSpec, Load, Pseudonyms};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Longest condition of a user's own: a URL's worth.
const JQL_BYTES_MAX: usize = 8 << 10;
/// Most projects named one by one.
const PROJECTS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewExtraction {
    pub(super) connection: String,
    mode: Option<Mode>,
    /// Of a sweep: whether every id is compared.
    #[serde(default)]
    every_id: bool,
    #[serde(default)]
    tables: Option<Vec<String>>,
    /// With mode `delta`: these are loaded in full.
    #[serde(default)]
    full_tables: Vec<String>,
    /// With mode `delta`: those that were never loaded in full are.
    #[serde(default)]
    full_new: bool,
    #[serde(default)]
    projects: Option<Vec<String>>,
    created_from: Option<String>,
    created_to: Option<String>,
    updated_from: Option<String>,
    updated_to: Option<String>,
    jql: Option<String>,
    /// `TABLE.COLUMN`, or a column of `issues`.
    #[serde(default)]
    columns: Vec<String>,
    /// Columns to hash: `TABLE.COLUMN`, `*.COLUMN` or `people`.
    #[serde(default)]
    pseudonymise: Vec<String>,
    #[serde(default)]
    pseudonym_salt: String,
    /// Sample rows of each table; only a discovery has them.
    pub(super) rows: Option<u32>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Full,
    Delta,
    Sweep,
    DeltaAndSweep,
}

/// `POST /v1/extractions`: answers with the queued run.
pub(super) async fn create(
    State(node): State<Shared>,
    Body(new): Body<NewExtraction>,
) -> Result<(StatusCode, Json<crate::run::document::RunDocument>), Problem> {
    if new.rows.is_some() {
        let hint = "leave `rows` out, or ask /v1/discoveries";
        return Err(Problem::input("bad_member", "an extraction has no sample rows", hint));
    }
    let connection = node.store.connection(&new.connection).await?;
    let mode = new.mode.ok_or_else(|| {
        Problem::input(
            "bad_member",
            "the body is wrong: `mode` is missing",
            "say `full`, `delta`, `sweep` or `delta_and_sweep`",
        )
    })?;
    let (full, delta) = loads(&node, &connection, (mode, &new)).await?;
    let mut queued = Vec::new();
    for spec in full.into_iter().chain(delta) {
        let run = node.store.create_run(&connection.name, &spec, clock::now_ms()).await?;
        tracing::info!(run = %crate::run::drive::run_id(run.number), connection = connection.name,
            mode = crate::run::document::mode(spec.load), "run queued");
        queued.push(run);
    }
    node.wake.notify_one();
    let Some(last) = queued.pop() else {
        return Err(Problem::input("no_table", "the extraction names no table", "name at least one"));
    };
    let document = runs::document(&node, &last).await?;
    let first = queued.first().map(|run| crate::run::drive::run_id(run.number).0);
    Ok((
        StatusCode::ACCEPTED,
        Json(match first {
            Some(full_run) => document.behind(full_run),
            None => document,
        }),
    ))
}

/// What is loaded in full, and what as a delta after it. A delta load is refused now if it could not start later; the run fixes its
/// start when it starts.
async fn loads(
    node: &Shared,
    connection: &Connection,
    (mode, new): (Mode, &NewExtraction),
) -> Result<(Option<ExtractionSpec>, Option<ExtractionSpec>), Problem> {
    let spec = spec(new)?;
    if let Mode::Sweep | Mode::DeltaAndSweep = mode {
        return Ok((None, Some(sweep_of(node, connection, (mode, new), spec).await?)));
    }
    if new.every_id {
        return Err(Problem::input("no_sweep", "`every_id` is for sweeps", "leave it out, or sweep"));
    }
    if mode == Mode::Full {
        if new.full_new || !new.full_tables.is_empty() {
            let hint = "leave `full_tables` and `full_new` out, or make it a delta load";
            return Err(Problem::input("bad_member", "a full load reads every table in full", hint));
        }
        return Ok((Some(spec), None));
    }
    let known = node.store.tables_of(&connection.pool, &connection.name).await?;
    let in_full = full_tables(new, &spec, &known)?;
    let (full, rest): (Vec<String>, Vec<String>) =
        catalogue::selected(&spec.tables).into_iter().partition(|name| in_full.contains(name));
    let full = (!full.is_empty()).then(|| scope::of_tables(&spec, full.clone()));
    if rest.is_empty() {
        return Ok((full, None));
    }
    let mut delta = if full.is_some() { scope::of_tables(&spec, rest) } else { spec };
    scope::check_delta(&delta, &known).map_err(Problem::conflict)?;
    let since_ms =
        schedule::delta_start(&delta.tables, &known, &connection.name).map_err(Problem::conflict)?;
    delta.load = Load::Delta { since_ms };
    Ok((full, Some(delta)))
}

/// A sweep. It is refused now if it could not start later; the run settles it again when it starts.
async fn sweep_of(
    node: &Shared,
    connection: &Connection,
    (mode, new): (Mode, &NewExtraction),
    mut spec: ExtractionSpec,
) -> Result<ExtractionSpec, Problem> {
    let delta = mode == Mode::DeltaAndSweep;
    if !delta && !spec.tables.is_empty() {
        let detail = "a sweep goes over every table made from issues";
        return Err(Problem::input("tables_named", detail, "leave `tables` out"));
    }
    if new.full_new || !new.full_tables.is_empty() {
        let hint = "leave `full_tables` and `full_new` out, or make it a delta load";
        return Err(Problem::input("bad_member", "a sweep loads no table in full", hint));
    }
    spec.load = Load::Sweep { since_ms: 0, every_id: new.every_id, delta };
    let known = node.store.tables_of(&connection.pool, &connection.name).await?;
    let runs = node.store.runs(Some(&connection.name), u32::MAX).await?;
    sweep::settle(&spec, &known, &runs, &connection.name).map_err(Problem::conflict)
}

/// The tables of a delta load that are loaded in full all the same.
fn full_tables(
    new: &NewExtraction,
    spec: &ExtractionSpec,
    known: &[TableRow],
) -> Result<BTreeSet<String>, Problem> {
    let selected = catalogue::selected(&spec.tables);
    new.full_tables.iter().try_for_each(|table| check_table(table))?;
    if let Some(other) = new.full_tables.iter().find(|table| !selected.contains(table)) {
        let detail = format!("`{other}` is to be loaded in full, but the extraction does not read it");
        return Err(Problem::input("unknown_table", detail, "name it among `tables` too"));
    }
    let was_loaded = |name: &String| known.iter().any(|row| row.table == *name && row.watermark_ms.is_some());
    let is_new = |name: &&String| catalogue::is_issue_table(name) && !was_loaded(name);
    let mut full: BTreeSet<String> = new.full_tables.iter().cloned().collect();
    if new.full_new {
        full.extend(selected.iter().filter(is_new).cloned());
    }
    Ok(full)
}

/// The choice, as a full load.
pub(super) fn spec(new: &NewExtraction) -> Result<ExtractionSpec, Problem> {
    let tables = new.tables.clone().unwrap_or_default();
    tables.iter().try_for_each(|table| check_table(table))?;
    let projects = new.projects.clone().unwrap_or_default();
    check_projects(&projects)?;
    let jql = new.jql.clone().filter(|jql| !jql.trim().is_empty());
    if jql.as_ref().is_some_and(|jql| jql.len() > JQL_BYTES_MAX) {
        return Err(Problem::input(
            "bad_jql",
            "`jql` is too long",
            format!("give at most {JQL_BYTES_MAX} bytes"),
        ));
    }
    let (created_from_ms, created_to_ms) =
        range(("created_from", &new.created_from), ("created_to", &new.created_to))?;
    let (updated_from_ms, updated_to_ms) =
        range(("updated_from", &new.updated_from), ("updated_to", &new.updated_to))?;
    let spec = ExtractionSpec {
        tables,
        projects,
        created_from_ms,
        created_to_ms,
        updated_from_ms,
        updated_to_ms,
        jql,
        columns: new.columns.clone(),
        pseudonyms: pseudonyms(new)?,
        ..ExtractionSpec::all(Load::Full)
    };
    // Whatever no Jira needs to be asked about is told now: columns that no site has, a JQL that orders or leaves its parentheses.
    direct::check(&spec).map_err(Problem::refused)?;
    Ok(spec)
}

/// A half-open range of times; both ends are whole seconds to Jira.
fn range(
    from: (&'static str, &Option<String>),
    to: (&'static str, &Option<String>),
) -> Result<(Option<i64>, Option<i64>), Problem> {
    let time = |(name, text): (&'static str, &Option<String>)| {
        text.as_deref().map(|text| time_ms(name, text)).transpose()
    };
    let ends = (time(from)?, time(to)?);
    if ends.0.zip(ends.1).is_some_and(|(from, to)| from.div_euclid(1000) >= to.div_euclid(1000)) {
        let detail = format!("`{}` is not before `{}`", from.0, to.0);
        return Err(Problem::input("bad_range", detail, "exchange the two times; Jira knows whole seconds"));
    }
    Ok(ends)
}

fn pseudonyms(new: &NewExtraction) -> Result<Option<Pseudonyms>, Problem> {
    if new.pseudonymise.is_empty() {
        if new.pseudonym_salt.is_empty() {
            return Ok(None);
        }
        let detail = "`pseudonym_salt` is given, but no column to pseudonymise";
        return Err(Problem::input("bad_pseudonyms", detail, "name the columns in `pseudonymise`"));
    }
    Ok(Some(Pseudonyms { columns: new.pseudonymise.clone(), salt: new.pseudonym_salt.clone() }))
}

fn check_table(table: &str) -> Result<(), Problem> {
    if catalogue::is_table(table) {
        return Ok(());
    }
    let hint = match catalogue::nearest(table) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the tables are {}", catalogue::all().collect::<Vec<_>>().join(", ")),
    };
    Err(Problem::input("unknown_table", format!("there is no table `{}`", table.escape_debug()), hint))
}

fn check_projects(projects: &[String]) -> Result<(), Problem> {
    let plain = |key: &String| {
        let letters = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        letters && !key.is_empty() && key.len() <= 255
    };
    let wrong = projects.iter().find(|key| !plain(key));
    if let Some(key) = wrong {
        let detail = format!("`{}` is no project key", key.escape_debug());
        return Err(Problem::input(
            "bad_project",
            detail,
            "give keys as they stand before the dash of an issue key",
        ));
    }
    if projects.len() > PROJECTS_MAX {
        let detail = format!("{} projects are named", projects.len());
        return Err(Problem::input(
            "too_many_projects",
            detail,
            format!("name at most {PROJECTS_MAX}, or none for all"),
        ));
    }
    Ok(())
}
