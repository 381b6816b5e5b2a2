//! Bodies of POST requests: JSON that says so, without members that nobody knows.

use serde::de::DeserializeOwned;

use super::problems;
use crate::jira_sim::reply::Reply;
use crate::jira_sim::rest::Request;

/// Reads the body of a POST.
///
/// # Errors
/// The answer: 403 for what looks like a browser's, 415 without a content type, 400 for a body that is wrong.
pub(super) fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Reply> {
    let browser = request.header("user-agent").is_some_and(|agent| agent.starts_with("Mozilla/"));
    if browser && request.header("x-atlassian-token") != Some("no-check") {
        return Err(Reply::typed(403, "text/html;charset=UTF-8", "XSRF check failed".to_owned()));
    }
    let kind = request.header("content-type");
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        let shown = kind.unwrap_or("null");
        let detail = format!("Content-Type '{shown}' is not supported.");
        return Err(problems::problem(request, 415, "Unsupported Media Type", &detail));
    }
    serde_json::from_slice(&request.body).map_err(|_| problems::bad_body())
}
