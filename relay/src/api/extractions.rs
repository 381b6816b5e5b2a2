//! Asking for an extraction makes a run.

use super::input::{Body, time_ms};
use super::problem::Problem;
use super::runs;
use crate::clock;
use crate::node::Shared;
use crate::run::{catalogue, schedule};
use crate::store::Connection;
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use protocol::spec::{ExtractionSpec, Load};
use serde::Deserialize;

/// Longest condition of a user's own: a URL's worth.
const JQL_BYTES_MAX: usize = 8 << 10;
/// Most projects named one by one.
const PROJECTS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewExtraction {
    connection: String,
    mode: Mode,
    #[serde(default)]
    tables: Option<Vec<String>>,
    /// A delta load must name the same projects as the full load that it continues.
    #[serde(default)]
    projects: Option<Vec<String>>,
    created_from: Option<String>,
    created_to: Option<String>,
    jql: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Full,
    Delta,
}

/// `POST /v1/extractions`: answers with the queued run.
pub(super) async fn create(
    State(node): State<Shared>,
    Body(new): Body<NewExtraction>,
) -> Result<(StatusCode, Json<crate::run::document::RunDocument>), Problem> {
    let connection = node.store.connection(&new.connection).await?;
    let mut spec = spec(&new)?;
    if matches!(new.mode, Mode::Delta) {
        spec.load = Load::Delta { since_ms: delta_start(&node, &connection, &spec.tables).await? };
    }
    let run = node.store.create_run(&connection.name, &spec, clock::now_ms()).await?;
    tracing::info!(run = %crate::run::drive::run_id(run.number), connection = connection.name,
        mode = crate::run::document::mode(spec.load), "run queued");
    node.wake.notify_one();
    Ok((StatusCode::ACCEPTED, Json(runs::document(&node, &run).await?)))
}

/// Refuses now what could not start later; the run fixes its start when it starts.
async fn delta_start(node: &Shared, connection: &Connection, tables: &[String]) -> Result<i64, Problem> {
    let known = node.store.tables_of(&connection.pool, &connection.name).await?;
    schedule::delta_start(tables, &known, &connection.name).map_err(Problem::conflict)
}

fn spec(new: &NewExtraction) -> Result<ExtractionSpec, Problem> {
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
    let created_from_ms =
        new.created_from.as_deref().map(|text| time_ms("created_from", text)).transpose()?;
    let created_to_ms = new.created_to.as_deref().map(|text| time_ms("created_to", text)).transpose()?;
    if created_from_ms.zip(created_to_ms).is_some_and(|(from, to)| from >= to) {
        let detail = "`created_from` is not before `created_to`";
        return Err(Problem::input("bad_range", detail, "exchange the two times"));
    }
    Ok(ExtractionSpec { tables, load: Load::Full, projects, created_from_ms, created_to_ms, jql })
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
