//! `POST /v1/discoveries`: what an extraction would read, told before it is started. The body is that of an extraction without its mode,
//! and how many sample rows.

use super::connections::{no_agent, ready_agent};
use super::extractions::{NewExtraction, spec};
use super::input::Body;
use super::problem::Problem;
use crate::direct;
use crate::node::Shared;
use crate::uplinks::{Found, Look, Order};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use protocol::control::{DISCOVERY, DiscoveryReport, Failure};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long looking at a Jira may take before the caller hears so; `uplinkctl` waits a little longer.
const LOOK_WAIT: Duration = Duration::from_secs(110);
/// Sample rows of each table if nothing is said.
const ROWS: u32 = 3;
/// Sample rows of each table at most.
const ROWS_MAX: u32 = 20;

pub(super) async fn create(
    State(node): State<Shared>,
    Body(new): Body<NewExtraction>,
) -> Result<Json<Value>, Problem> {
    let connection = node.store.connection(&new.connection).await?;
    let extraction = spec(&new)?;
    let rows = new.rows.unwrap_or(ROWS).min(ROWS_MAX);
    let Some(uplink) = connection.uplink.clone() else {
        let look = tokio::time::timeout(LOOK_WAIT, direct::discover(&node, &connection, &extraction, rows));
        return document(look.await.map_err(|_| timed_out("Jira"))?);
    };
    // One that has just come is waited for; what it can do is looked at then.
    ready_agent(&node, &uplink, &connection.sealed).await.ok_or_else(|| no_agent(&uplink))?;
    let needs: Vec<&str> = extraction.needs().into_iter().chain([DISCOVERY]).collect();
    let orders = node.uplinks.any_that_can(&uplink, &connection.sealed, &needs);
    let orders = orders.map_err(|()| too_old(&uplink))?.ok_or_else(|| no_agent(&uplink))?;
    let (answer, found) = oneshot::channel();
    let look = Look { connection: connection.spec()?, extraction, rows, answer };
    if orders.try_send(Order::Discover(Box::new(look))).is_err() {
        return Err(busy());
    }
    match tokio::time::timeout(LOOK_WAIT, found).await {
        Ok(Ok(found)) => document(found),
        Ok(Err(_)) => Err(busy()),
        Err(_) => Err(timed_out("the agent")),
    }
}

fn document(found: Found) -> Result<Json<Value>, Problem> {
    match found.report {
        DiscoveryReport::Ok { issues, requests, asked, policy } => Ok(Json(json!({
            "issues": issues, "requests": requests, "asked": asked, "policy": policy, "tables": found.tables,
        }))),
        DiscoveryReport::Failed { failure } => Err(Problem::conflict(failure)),
    }
}

fn too_old(uplink: &str) -> Problem {
    let detail = format!("the agents of uplink `{uplink}` that are online cannot look at what would be read");
    Problem::new(StatusCode::CONFLICT, "agent_too_old", detail).hint("update the agent on the premises")
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "agent_busy",
        "the agent takes no more orders at the moment, or it has left",
    )
    .hint("try again in a few seconds")
}

fn timed_out(who: &str) -> Problem {
    Problem::conflict(Failure {
        code: "discovery_timeout".to_owned(),
        message: format!("{who} did not answer within {} seconds", LOOK_WAIT.as_secs()),
        hint: "name fewer tables; Jira may be slow or out of reach, read the log of whoever reads it"
            .to_owned(),
    })
}
