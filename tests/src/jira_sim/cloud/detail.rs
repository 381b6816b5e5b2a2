//! Single issues and their comments and worklogs, and `issue/bulkfetch`.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::doc::{Child, Doc, expand};
use super::super::of_issue;
use super::super::render::Selection;
use super::super::search::{names, names_and_schema};
use super::super::site::Site;
use super::bean::Window;
use super::issue::{
    CloudView, Histories, comment_document, shape, third_version, transitions, worklog_document, write,
};
use super::metadata::on_cloud;
use super::{Visit, bodies, problems};
use crate::jira_sim::reply::Reply;

/// Comments on a page, whatever is asked for.
const COMMENT_PAGE: usize = 100;
/// Worklogs on a page, whatever is asked for.
const WORKLOG_PAGE: usize = 5000;
/// Most issues of one bulk request.
const MOST_ISSUES: usize = 100;

fn view(visit: &Visit<'_>, selection: Selection, expands: &dyn Fn(&str) -> bool) -> CloudView {
    let cloud = &visit.inner.config.cloud;
    CloudView {
        selection,
        histories: if expands("changelog") {
            Histories::Newest(cloud.issue_histories)
        } else {
            Histories::Hidden
        },
        worklog_cap: visit.inner.config.embedded_worklog_cap,
        comment_cap: cloud.embedded_comments,
        id_only: false,
        transitions: expands("transitions"),
    }
}

/// `GET issue/{id}`.
pub(super) fn issue(visit: &Visit<'_>, id: &str) -> Reply {
    let site = visit.inner.site();
    let Some(slot) = visit.account.and_then(|_| site.find(id)) else { return problems::no_issue() };
    let expands = visit.request.list("expand");
    let expanded = |name: &str| expands.iter().any(|wanted| wanted == name);
    let selection = Selection::parse(&site, &visit.request.list("fields"), "*all");
    let (names_of, schema) = names_and_schema(&site, &selection);
    let mut out = write(&site, slot, &view(visit, selection, &expanded));
    let properties = visit.request.list("properties").iter().any(|wanted| wanted == "*all");
    let properties = properties.then(|| Value::from(of_issue::properties(&site, slot)));
    let expansions = [("names", names_of), ("schema", schema)].into_iter().filter(|(name, _)| expanded(name));
    for (name, map) in properties.map(|map| ("properties", map)).into_iter().chain(expansions) {
        out.pop();
        out += &format!(",\"{name}\":{map}}}");
    }
    Reply::json_bytes(200, out.into_bytes())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Bulk {
    issue_ids_or_keys: Vec<String>,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    expand: Vec<String>,
    #[serde(default, rename = "fieldsByKeys")]
    _fields_by_keys: bool,
    #[serde(default, rename = "properties")]
    _properties: Vec<String>,
}

/// `POST issue/bulkfetch`: ascending ids, invisible issues silently missing, moved keys followed.
pub(super) fn bulk(visit: &Visit<'_>) -> Reply {
    if visit.request.method != Method::POST {
        return problems::method_not_allowed(visit.request, "POST");
    }
    let bulk: Bulk = match bodies::read(visit.request) {
        Ok(bulk) => bulk,
        Err(reply) => return reply,
    };
    if bulk.issue_ids_or_keys.is_empty() || bulk.issue_ids_or_keys.len() > MOST_ISSUES {
        return Reply::error(400, "The number of issues must be between 1 and 100.");
    }
    let site = visit.inner.site();
    let visible = visit.account.map_or(&[][..], |_| bulk.issue_ids_or_keys.as_slice());
    let mut slots: Vec<u32> = visible.iter().filter_map(|wanted| site.find(wanted)).collect();
    slots.sort_by_key(|slot| site.slim(*slot).id);
    slots.dedup();
    let expands = |name: &str| bulk.expand.iter().flat_map(|expand| names(expand)).any(|one| one == name);
    let fields: Vec<String> = bulk.fields.iter().flat_map(|field| names(field)).collect();
    let view = view(visit, Selection::parse(&site, &fields, "*navigable"), &expands);
    let issues: Vec<String> = slots.iter().map(|slot| write(&site, *slot, &view)).collect();
    let body = format!(r#"{{"issueErrors":[],"issues":[{}]}}"#, issues.join(","));
    Reply::json_bytes(200, body.into_bytes())
}

/// A child of an issue as JSON in Cloud's shape.
pub(super) fn child(site: &Site, doc: &Doc, child: &Child, document: fn(&mut Value)) -> Value {
    let mut text = String::new();
    expand(&mut text, doc.slice(child.at), &site.catalog.fragments);
    let text = third_version(&text, &site.catalog.base);
    let mut value: Value = serde_json::from_str(&text).unwrap_or_default();
    shape(&mut value, &site.catalog.base);
    document(&mut value);
    value
}

/// `GET issue/{id}/...`: what an issue keeps in resources of its own.
pub(super) fn of_issue(visit: &Visit<'_>, id: &str, resource: &str) -> Reply {
    let site = visit.inner.site();
    let Some(slot) = visit.account.and_then(|_| site.find(id)) else { return problems::no_issue() };
    if resource == "transitions" {
        return Reply::json(
            200,
            &json!({ "expand": "transitions", "transitions": transitions(&site, slot) }),
        );
    }
    match of_issue::answer(&site, slot, resource) {
        Some(reply) => on_cloud(&site, reply),
        None => problems::problem(visit.request, 404, "Not Found", "No message available"),
    }
}

/// `GET issue/{id}/comment`.
pub(super) fn comments(visit: &Visit<'_>, id: &str) -> Reply {
    if let Some(order) = visit.request.parameter("orderBy")
        && !matches!(order, "created" | "+created" | "-created" | " created")
    {
        return Reply::error(400, &format!("The orderBy value '{order}' is not supported."));
    }
    let window = match Window::of(visit, COMMENT_PAGE, COMMENT_PAGE) {
        Ok(window) => window,
        Err(reply) => return reply,
    };
    let site = visit.inner.site();
    let Some(slot) = visit.account.and_then(|_| site.find(id)) else { return problems::no_issue() };
    let doc = site.doc(slot);
    let mut all: Vec<&Child> = doc.comments.iter().collect();
    if visit.request.parameter("orderBy") == Some("-created") {
        all.reverse();
    }
    let shown: Vec<Value> = (all.iter().skip(window.start).take(window.most))
        .map(|one| child(&site, &doc, one, comment_document))
        .collect();
    super::json::reply(
        200,
        &json!({ "startAt": window.start, "maxResults": window.most, "total": all.len(), "comments": shown }),
    )
}

/// `GET issue/{id}/worklog`.
pub(super) fn worklogs(visit: &Visit<'_>, id: &str) -> Reply {
    let window = match Window::of(visit, WORKLOG_PAGE, WORKLOG_PAGE) {
        Ok(window) => window,
        Err(reply) => return reply,
    };
    let site = visit.inner.site();
    let Some(slot) = visit.account.and_then(|_| site.find(id)) else { return problems::no_issue() };
    let doc = site.doc(slot);
    let bound = |name: &str| visit.request.parameter(name).and_then(|text| text.parse::<i64>().ok());
    let (after, before) = (bound("startedAfter"), bound("startedBefore"));
    let within = |worklog: &Value| {
        let started = millis(&worklog["started"]);
        after.is_none_or(|after| started > after) && before.is_none_or(|before| started < before)
    };
    let all = doc.worklogs.iter().map(|one| child(&site, &doc, one, worklog_document));
    let all: Vec<Value> = all.filter(within).collect();
    let total = all.len();
    super::json::reply(
        200,
        &json!({ "startAt": window.start, "maxResults": window.most, "total": total, "worklogs": window.cut(all) }),
    )
}

/// Unix milliseconds of a platform time.
pub(super) fn millis(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_default();
    let parsed = chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z");
    parsed.map(|time| time.timestamp_millis()).unwrap_or_default()
}
