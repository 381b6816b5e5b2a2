//! Server's `worklog/updated`, `worklog/deleted` and `worklog/list`: work logs found without their issue.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::Inner;
use super::cloud::feeds;
use super::doc::expand;
use super::reply::Reply;
use super::rest::{Request, login_required, post_problem, zoned};

/// Ids that one look-up may name.
const IDS_MAX: usize = 1000;

#[derive(Deserialize)]
struct Ids {
    ids: Vec<u64>,
}

/// `GET worklog/updated` and `GET worklog/deleted`.
pub(crate) fn feed(inner: &Inner, request: &Request, account: Option<usize>, deleted: bool) -> Reply {
    if account.is_none() {
        return login_required();
    }
    let since = request.parameter("since").unwrap_or("0").parse().unwrap_or(0);
    Reply::json(200, &feeds::changes(inner, since, deleted, "/rest/api/2"))
}

/// `POST worklog/list`: a bare array; what does not exist is left out.
pub(crate) fn list(inner: &Inner, request: &Request, account: Option<usize>) -> Reply {
    if account.is_none() {
        return login_required();
    }
    if let Some(problem) = post_problem(request) {
        return problem;
    }
    let ids: BTreeSet<u64> = match serde_json::from_slice::<Ids>(&request.body) {
        Ok(Ids { ids }) if ids.len() <= IDS_MAX => ids.into_iter().collect(),
        Ok(_) | Err(_) => return Reply::error(400, "The number of ids must be between 1 and 1,000."),
    };
    let site = inner.site();
    let mut found: Vec<(u64, String)> = Vec::new();
    for slot in site.living() {
        let doc = site.doc(slot);
        for worklog in doc.worklogs.iter().filter(|worklog| ids.contains(&worklog.id)) {
            let mut text = String::new();
            expand(&mut text, doc.slice(worklog.at), &site.catalog.fragments);
            found.push((worklog.id, text));
        }
    }
    found.sort_unstable();
    let values: Vec<Value> = found.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect();
    zoned(inner, account, Value::from(values).to_string())
}
