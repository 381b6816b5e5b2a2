//! `/__sim/`: the control interface for a simulator that runs as a process of its own. No login.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::{Edit, IssueRef, NewIssue};
use super::faults::Fault;
use super::reply::Reply;
use super::rest::Request;
use super::{Inner, SimError, SimHandle};

/// A change as `POST /__sim/change` takes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Change {
    /// Creates one issue.
    Create(NewIssue),
    /// Creates so many varied issues.
    CreateMany {
        /// How many.
        count: u32,
    },
    /// Edits fields of an issue.
    Edit {
        /// Key or id.
        issue: String,
        /// What changes.
        #[serde(flatten)]
        edit: Edit,
    },
    /// Adds a comment.
    AddComment {
        /// Key or id.
        issue: String,
        /// The text.
        body: String,
        /// Login name of the author.
        author: Option<String>,
    },
    /// Gives a comment another text.
    EditComment {
        /// Key or id.
        issue: String,
        /// The comment's id.
        id: u64,
        /// The text.
        body: String,
    },
    /// Deletes a comment.
    DeleteComment {
        /// Key or id.
        issue: String,
        /// The comment's id.
        id: u64,
    },
    /// Logs work.
    AddWorklog {
        /// Key or id.
        issue: String,
        /// Seconds of work.
        seconds: u64,
        /// The text.
        #[serde(default)]
        comment: String,
    },
    /// Deletes a worklog.
    DeleteWorklog {
        /// Key or id.
        issue: String,
        /// The worklog's id.
        id: u64,
    },
    /// Links two issues.
    AddLink {
        /// Key or id of the source.
        from: String,
        /// Key or id of the target.
        to: String,
        /// Name of the link type.
        link_type: String,
    },
    /// Removes a link.
    DeleteLink {
        /// The link's id.
        id: u64,
    },
    /// Moves an issue to another project.
    Move {
        /// Key or id.
        issue: String,
        /// Key of the project.
        project: String,
    },
    /// Deletes an issue.
    Delete {
        /// Key or id.
        issue: String,
    },
    /// Renames a user.
    RenameUser {
        /// The present login name.
        name: String,
        /// The new one.
        new_name: String,
        /// The new display name.
        display: String,
    },
}

#[derive(Deserialize)]
struct GateOrder {
    path: String,
    #[serde(default)]
    skip: u64,
}

fn ids(issues: &[IssueRef]) -> Value {
    json!({ "issues": issues })
}

/// Makes a change.
///
/// # Errors
/// What is unknown or refused.
pub(crate) fn apply(sim: &SimHandle, change: Change) -> Result<Value, SimError> {
    let done = json!({});
    Ok(match change {
        Change::Create(new) => ids(&[sim.create_issue(&new)?]),
        Change::CreateMany { count } => ids(&sim.create_issues(count)?),
        Change::Edit { issue, edit } => sim.edit_issue(&issue, &edit).map(|()| done)?,
        Change::AddComment { issue, body, author } => {
            json!({ "id": sim.add_comment(&issue, author.as_deref(), &body)? })
        }
        Change::EditComment { issue, id, body } => sim.edit_comment(&issue, id, &body).map(|()| done)?,
        Change::DeleteComment { issue, id } => sim.delete_comment(&issue, id).map(|()| done)?,
        Change::AddWorklog { issue, seconds, comment } => {
            json!({ "id": sim.add_worklog(&issue, seconds, &comment)? })
        }
        Change::DeleteWorklog { issue, id } => sim.delete_worklog(&issue, id).map(|()| done)?,
        Change::AddLink { from, to, link_type } => json!({ "id": sim.add_link(&from, &to, &link_type)? }),
        Change::DeleteLink { id } => sim.delete_link(id).map(|()| done)?,
        Change::Move { issue, project } => ids(&[sim.move_issue(&issue, &project)?]),
        Change::Delete { issue } => sim.delete_issue(&issue).map(|()| done)?,
        Change::RenameUser { name, new_name, display } => {
            sim.rename_user(&name, &new_name, &display).map(|()| done)?
        }
    })
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Reply> {
    let body: &[u8] = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(body).map_err(|error| Reply::json(400, &json!({ "error": error.to_string() })))
}

/// Answers a control request.
pub(crate) async fn answer(inner: &Arc<Inner>, request: &Request) -> Response<Body> {
    let sim = SimHandle::from_inner(Arc::clone(inner));
    let path = request.path.strip_prefix("/__sim/").unwrap_or("");
    let reply = match path.strip_prefix("truth/") {
        Some(table) if crate::truth::names().any(|name| name == table) => {
            return stream_truth(sim, table.to_owned());
        }
        _ if request.method == Method::GET => {
            let path = path.to_owned();
            let looked = tokio::task::spawn_blocking(move || look(&sim, &path)).await;
            looked.unwrap_or_else(|error| Reply::json(500, &json!({ "error": error.to_string() })))
        }
        _ => match act(&sim, path, &request.body).await {
            Ok(value) => Reply::json(200, &value),
            Err(reply) => reply,
        },
    };
    super::server::wire(reply, false)
}

/// Bytes of truth that are put together before they are sent.
const TRUTH_PIECE: usize = 256 * 1024;
/// Pieces of truth that may wait for the client.
const TRUTH_AHEAD: usize = 4;

/// Sends a table while it is made: it may be larger than the memory.
fn stream_truth(sim: SimHandle, table: String) -> Response<Body> {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(TRUTH_AHEAD);
    let maker = tokio::task::spawn_blocking(move || {
        let mut piece = String::new();
        for line in crate::truth::lines(&sim, &table).into_iter().flatten() {
            piece += &line;
            if piece.len() >= TRUTH_PIECE && sender.blocking_send(std::mem::take(&mut piece).into()).is_err()
            {
                // The client went away.
                return;
            }
        }
        drop(sender.blocking_send(piece.into()));
    });
    let pieces = futures_util::stream::unfold((receiver, maker), |(mut receiver, maker)| async move {
        let piece = receiver.recv().await?;
        Some((Ok::<Bytes, std::convert::Infallible>(piece), (receiver, maker)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/x-ndjson"));
    response
}

fn look(sim: &SimHandle, path: &str) -> Reply {
    let as_json = |value: Result<Value, serde_json::Error>| Reply::json(200, &value.unwrap_or_default());
    match path.split_once('/').unwrap_or((path, "")) {
        ("stats", _) => as_json(serde_json::to_value(sim.stats())),
        ("script", _) => as_json(serde_json::to_value(sim.script_log())),
        ("truth", _) => Reply::json(200, &json!(crate::truth::counts(sim))),
        ("issue", id) => match sim.issue_json(id) {
            Ok(text) => Reply::json_bytes(200, text.into_bytes()),
            Err(error) => Reply::json(404, &json!({ "error": error.to_string() })),
        },
        ("keys", _) => Reply::json(200, &json!(sim.keys())),
        _ => Reply::json(404, &json!({ "error": "GET stats, script, truth[/TABLE], issue/ID or keys" })),
    }
}

async fn act(sim: &SimHandle, path: &str, body: &[u8]) -> Result<Value, Reply> {
    let failed = |error: SimError| Reply::json(400, &json!({ "error": error.to_string() }));
    match path {
        "change" => return apply(sim, read(body)?).map_err(failed),
        "fault" => sim.fault(read::<Fault>(body)?),
        "clear-faults" => sim.clear_faults(),
        "hold" => {
            let order: GateOrder = read(body)?;
            sim.close_gate(&order.path, order.skip);
        }
        "release" => sim.release(&read::<GateOrder>(body)?.path),
        "reset-captcha" => sim.reset_captcha(),
        "reset-stats" => sim.reset_stats(),
        "expire-sessions" => sim.expire_sessions(),
        "latency" => sim.set_latency(Duration::from_millis(read(body)?)),
        "script" => match read::<Option<u64>>(body)? {
            Some(seed) => sim.start_script(seed),
            None => sim.stop_script(),
        },
        "wait-pages" => {
            let pages: u64 = read(body)?;
            let reached = sim.wait_for(Duration::from_secs(60), |stats| stats.issue_pages >= pages).await;
            reached.map_err(failed)?;
        }
        _ => {
            let known = "POST change, fault, clear-faults, hold, release, reset-captcha, reset-stats, expire-sessions, latency, script or wait-pages";
            return Err(Reply::json(404, &json!({ "error": known })));
        }
    }
    Ok(json!({}))
}
