//! Runs: look at them, follow them, cancel them.

use super::input::{Params, Place};
use super::problem::Problem;
use crate::clock;
use crate::node::{Node, Shared};
use crate::run::RunState;
use crate::run::board::Live;
use crate::run::document::RunDocument;
use crate::run::drive::{self, run_number};
use crate::store::{CancelAnswer, Run, StoreError};
use crate::uplinks::{Order, Wanted};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use protocol::manifest::SignedManifest;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// Runs in a list if nothing is said.
const LIST: u32 = 50;
/// Runs in a list at most.
const LIST_MAX: u32 = 500;
/// At most five documents a second.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);
/// A document comes at least this often, so that time left and waiting reasons stay true.
const FOLLOW_AT_LEAST: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    connection: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(node): State<Shared>,
    Params(filter): Params<Filter>,
) -> Result<Json<Vec<RunDocument>>, Problem> {
    let limit = filter.limit.unwrap_or(LIST).min(LIST_MAX);
    let mut documents = Vec::new();
    for run in node.store.runs(filter.connection.as_deref(), limit).await? {
        documents.push(document(&node, &run).await?);
    }
    Ok(Json(documents))
}

pub(super) async fn show(
    State(node): State<Shared>,
    Place(id): Place<String>,
) -> Result<Json<RunDocument>, Problem> {
    let run = node.store.run(number(&id)?).await?;
    Ok(Json(document(&node, &run).await?))
}

/// Cancels a run; a running one ends when its agent has stopped it.
pub(super) async fn cancel(
    State(node): State<Shared>,
    Place(id): Place<String>,
) -> Result<Json<RunDocument>, Problem> {
    let number = number(&id)?;
    let answer = node.store.cancel(number, clock::now_ms()).await?;
    let run = node.store.run(number).await?;
    match answer {
        CancelAnswer::Done => node.board.over(number),
        CancelAnswer::Asked if node.direct.cancel(number) => node.board.changed(number),
        CancelAnswer::Asked => {
            let orders = run.agent_id.as_deref().and_then(|agent_id| node.uplinks.orders(agent_id));
            // Without a session the run is on its way back to the queue, where it ends as cancelled.
            if let Some(orders) = orders
                && orders.try_send(Order::Cancel { number }).is_err()
            {
                return Err(Problem::new(
                    StatusCode::CONFLICT,
                    "agent_busy",
                    "the agent takes no order at the moment",
                )
                .hint("cancel again in a few seconds"));
            }
            node.board.changed(number);
        }
    }
    tracing::info!(run = %drive::run_id(number), "run cancelled");
    node.wake.notify_one();
    Ok(Json(document(&node, &run).await?))
}

/// One document at once and one at every change, a line each, until the run is over.
pub(super) async fn follow(
    State(node): State<Shared>,
    Place(id): Place<String>,
) -> Result<Response, Problem> {
    let number = number(&id)?;
    node.store.run(number).await?;
    let changes = node.board.watch(number);
    let follower = Some(Follower { node, number, changes, first: true });
    let lines = stream::unfold(follower, |follower| async move {
        let mut follower = follower?;
        let (line, is_over) = follower.next().await?;
        Some((Ok::<_, Infallible>(line), (!is_over).then_some(follower)))
    });
    Ok(ndjson(Body::from_stream(lines)))
}

/// The run's log so far, a line each.
pub(super) async fn logs(State(node): State<Shared>, Place(id): Place<String>) -> Result<Response, Problem> {
    let number = number(&id)?;
    node.store.run(number).await?;
    let lines: String = node.store.logs(number).await?.iter().map(line).collect();
    Ok(ndjson(Body::from(lines)))
}

/// What the agent signed at the end of the run.
pub(super) async fn manifest(
    State(node): State<Shared>,
    Place(id): Place<String>,
) -> Result<Json<SignedManifest>, Problem> {
    let run = node.store.run(number(&id)?).await?;
    run.outcome.and_then(|outcome| outcome.manifest).map(Json).ok_or_else(|| {
        let detail = format!("{id} has no manifest");
        Problem::new(StatusCode::NOT_FOUND, "manifest_missing", detail).hint(
            "an agent signs the manifest when it has read everything; runs that failed before, and runs of older agents, have none",
        )
    })
}

struct Follower {
    node: Shared,
    number: i64,
    changes: watch::Receiver<Live>,
    first: bool,
}

impl Follower {
    /// The next line, and whether it is the last one. `None`: the relay stops or cannot read the run any more.
    async fn next(&mut self) -> Option<(String, bool)> {
        if self.node.stop.is_cancelled() {
            return None;
        }
        if !std::mem::take(&mut self.first) {
            self.wait().await?;
        }
        self.changes.mark_unchanged();
        let run = self.node.store.run(self.number).await.ok()?;
        let is_over = run.state.is_over();
        if is_over {
            self.node.board.over(self.number);
        }
        let document = document(&self.node, &run).await.ok()?;
        Some((line(&document), is_over))
    }

    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            () = self.node.stop.cancelled() => return None,
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
        }
        tokio::select! {
            () = self.node.stop.cancelled() => return None,
            changed = self.changes.changed() => {
                // The sender is gone at the end of a run, or was replaced: subscribe again, the store tells which.
                if changed.is_err() {
                    self.changes = self.node.board.watch(self.number);
                }
            }
            () = tokio::time::sleep(FOLLOW_AT_LEAST) => {}
        }
        Some(())
    }
}

/// The document of a run, with what a waiting one waits for.
pub(super) async fn document(node: &Node, run: &Run) -> Result<RunDocument, StoreError> {
    let document = RunDocument::of(run, node.board.live(run.number).as_ref());
    if run.state != RunState::Queued {
        return Ok(document);
    }
    let Ok(connection) = node.store.connection(&run.connection).await else { return Ok(document) };
    let Some(uplink) = connection.uplink else {
        return Ok(document.waiting_for("waiting for its turn".to_owned()));
    };
    let wanted = Wanted {
        uplink: &uplink,
        sealed: &connection.sealed,
        mask_key: run.begun_with(),
        needs: run.spec.needs(),
    };
    Ok(document.waiting_for(node.uplinks.wanting(wanted)))
}

fn number(id: &str) -> Result<i64, Problem> {
    run_number(id).ok_or_else(|| {
        let detail = format!("`{}` is no run", id.escape_debug());
        Problem::new(StatusCode::NOT_FOUND, "run_not_found", detail)
            .hint("`uplinkctl run list` shows the runs")
    })
}

fn line(document: &impl Serialize) -> String {
    let mut line = serde_json::to_string(document).unwrap_or_else(|error| {
        tracing::error!(%error, "a document cannot be written as JSON");
        "null".to_owned()
    });
    line.push('\n');
    line
}

/// Documents, one a line.
pub(super) fn ndjson(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
