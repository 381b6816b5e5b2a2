//! `worklog/updated`, `worklog/deleted`, `worklog/list` and `comment/list`: children found without their issue.

use std::collections::HashSet;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Inner;
use super::super::doc::Child;
use super::super::site::Site;
use super::bean::{Bean, Window};
use super::detail::{child, millis};
use super::issue::{comment_document, worklog_document};
use super::{Visit, bodies, problems};
use crate::jira_sim::reply::Reply;

/// Entries on a page of a feed, and ids in a list.
const MOST: usize = 1000;
/// What is younger is not told yet.
const BLIND_MS: i64 = 60_000;

/// `GET worklog/updated` and `GET worklog/deleted`: oldest change first.
pub(super) fn worklog_changes(visit: &Visit<'_>, deleted: bool) -> Reply {
    if visit.account.is_none() {
        return problems::login_required(&visit.inner.base);
    }
    let since = match visit.request.parameter("since").map(str::parse::<i64>) {
        None => 0,
        Some(Ok(since)) => since,
        Some(Err(_)) => {
            let text = visit.request.parameter("since").unwrap_or_default();
            return problems::bad_number(visit.request, "since", text);
        }
    };
    Reply::json(200, &changes(visit.inner, since, deleted, "/rest/api/3"))
}

/// A page of the feed below this prefix of the interface.
pub(crate) fn changes(inner: &Inner, since: i64, deleted: bool, interface: &str) -> Value {
    let known_ms = inner.clock.now_ms() - BLIND_MS;
    let site = inner.site();
    let mut changes = if deleted { site.deleted_worklogs.clone() } else { updated(&site, since) };
    changes.retain(|(_, at_ms)| *at_ms > since && *at_ms <= known_ms);
    changes.sort_unstable_by_key(|(id, at_ms)| (*at_ms, *id));
    // All changes of the last millisecond belong to the page, or the next one would skip them.
    let mut shown = MOST.min(changes.len());
    while shown > 0 && shown < changes.len() && changes[shown].1 == changes[shown - 1].1 {
        shown += 1;
    }
    let last = shown == changes.len();
    changes.truncate(shown);
    let until = changes.last().map_or(since, |(_, at_ms)| *at_ms);
    let name = if deleted { "deleted" } else { "updated" };
    let address = |since: i64| format!("{}{interface}/worklog/{name}?since={since}", inner.base);
    let values: Vec<Value> = (changes.iter())
        .map(|(id, at_ms)| json!({ "worklogId": id, "updatedTime": at_ms, "properties": [] }))
        .collect();
    let mut page = json!({
        "values": values, "since": since, "until": until, "self": address(since), "lastPage": last,
    });
    if !last {
        page["nextPage"] = address(until).into();
    }
    page
}

/// When each worklog was last changed, at least those changed after `since`.
fn updated(site: &Site, since: i64) -> Vec<(u64, i64)> {
    let mut found = Vec::new();
    // Worklogs of an issue as it was generated are no younger than it.
    let may_be_younger = |slot: &u32| site.docs.contains_key(slot) || site.slim(*slot).updated_ms > since;
    for slot in site.living().filter(may_be_younger) {
        let doc = site.doc(slot);
        found.extend(doc.worklogs.iter().map(|worklog| {
            let json = doc.slice(worklog.at);
            let time = json.rsplit_once("\"updated\":\"").and_then(|(_, rest)| rest.split_once('"'));
            (worklog.id, millis(&time.map_or("", |(time, _)| time).into()))
        }));
    }
    found
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<u64>,
}

/// The children with these ids, by ascending id; those that do not exist are silently missing.
fn wanted(visit: &Visit<'_>, kind: &str) -> Result<Vec<Value>, Reply> {
    if visit.request.method != Method::POST {
        return Err(problems::method_not_allowed(visit.request, "POST"));
    }
    let Ids { ids } = bodies::read(visit.request)?;
    if ids.len() > MOST || ids.is_empty() {
        return Err(Reply::error(400, "The number of ids must be between 1 and 1,000."));
    }
    let site = visit.inner.site();
    let ids: HashSet<u64> = ids.into_iter().filter(|_| visit.account.is_some()).collect();
    let is_worklog = kind == "worklog";
    let document = if is_worklog { worklog_document } else { comment_document };
    let mut found = Vec::new();
    for slot in site.living() {
        if found.len() == ids.len() {
            break;
        }
        let doc = site.doc(slot);
        let children: &[Child] = if is_worklog { &doc.worklogs } else { &doc.comments };
        let here = children.iter().filter(|one| ids.contains(&one.id));
        found.extend(here.map(|one| (one.id, child(&site, &doc, one, document))));
    }
    found.sort_by_key(|(id, _)| *id);
    Ok(found.into_iter().map(|(_, value)| value).collect())
}

/// `POST worklog/list`: a bare array.
pub(super) fn worklog_list(visit: &Visit<'_>) -> Reply {
    wanted(visit, "worklog").map_or_else(|reply| reply, |found| super::json::reply(200, &found.into()))
}

/// `POST comment/list`: a page bean.
pub(super) fn comment_list(visit: &Visit<'_>) -> Reply {
    let found = match wanted(visit, "comment") {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let window = Window { start: 0, most: MOST };
    super::json::reply(200, &Bean { path: "comment/list", window }.of_all(visit, found))
}
