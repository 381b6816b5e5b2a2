//! Jira Cloud over the same site: REST v3 by e-mail and API token, search by tokens, account ids, documents.
//!
//! The state is that of the Server flavours. Answers are made from Server's JSON and turned into Cloud's shapes,
//! so an edit, a fault or a held request means the same in both.

use http::Method;

use super::Inner;
use super::doc::rezone;
use super::reply::Reply;
use super::rest::{self, Request};
use super::search::PageInfo;
use super::service_desk;
use super::site::Site;

pub(crate) mod adf;
mod bean;
mod bodies;
mod changelog;
mod detail;
pub(crate) mod epics;
pub(crate) mod feeds;
pub(crate) mod issue;
mod json;
mod limits;
mod login;
pub(crate) mod metadata;
mod problems;
mod search;
mod settings;
mod sprints;
mod tokens;
pub(crate) mod users;

pub(crate) use limits::refusal;
pub use settings::{CloudConfig, CreatedUnit};

use login::Visitor;

/// A request whose login has been looked at.
struct Visit<'a> {
    inner: &'a Inner,
    /// Its path is that of the site, also when it came by the gateway.
    request: &'a Request,
    /// `None` for a visitor who is not logged in.
    account: Option<usize>,
}

/// Makes a site one of Cloud: its own fields, and epics that hold issues.
pub(crate) fn prepare(site: &mut Site, config: &CloudConfig) {
    site.catalog.add_field(super::fields::category_changed());
    let seed = site.generator.as_ref().map(|generator| generator.site.seed);
    let epics = seed.map(|seed| epics::Epics::generated(site, seed)).unwrap_or_default();
    site.epics = Some(epics);
    site.whole_seconds = config.bulk_created == CreatedUnit::Seconds;
}

/// The path below the gateway's prefix, if there is one with this site's id.
fn below_gateway<'a>(inner: &Inner, path: &'a str) -> Option<&'a str> {
    path.strip_prefix("/ex/jira/")?.strip_prefix(&inner.config.cloud.cloud_id)
}

/// `GET /rest/api/3/issue/{id}/comment`: method and path with ids and the gateway left out, for the statistics.
pub(crate) fn template(inner: &Inner, method: &Method, path: &str) -> String {
    let path = below_gateway(inner, path).unwrap_or(path);
    let path = match segments(path).as_deref() {
        Some(["issue", "bulkfetch"] | ["project", "search"]) | None => path.to_owned(),
        Some([kind @ ("issue" | "project"), _]) => format!("/rest/api/3/{kind}/{{id}}"),
        Some([kind @ ("issue" | "project"), _, rest @ ..]) => {
            format!("/rest/api/3/{kind}/{{id}}/{}", rest.join("/"))
        }
        Some(segments) => format!("/rest/api/3/{}", segments.join("/")),
    };
    format!("{method} {path}")
}

fn segments(path: &str) -> Option<Vec<&str>> {
    let rest = path.strip_prefix("/rest/api/3/")?;
    Some(rest.trim_end_matches('/').split('/').collect())
}

/// Login, limit and resource: what Cloud answers. With `anonymous` the login is taken for a bad one.
pub(crate) fn answer(inner: &Inner, request: &Request, number: u64, anonymous: bool) -> Reply {
    if request.path == "/_edge/tenant_info" {
        return Reply::json(200, &serde_json::json!({ "cloudId": inner.config.cloud.cloud_id }));
    }
    let gateway = request.path.starts_with("/ex/jira/");
    let path = match below_gateway(inner, &request.path) {
        Some(path) => path.to_owned(),
        None if gateway => return decorated(inner, problems::gateway(404, "Not Found"), None, number),
        None => request.path.clone(),
    };
    let request = Request {
        method: request.method.clone(),
        path,
        query: request.query.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        node: request.node,
    };
    let (account, failed) = match login::visitor(inner, &request, gateway) {
        Visitor::Refused(reply) => return decorated(inner, reply, None, number),
        _ if anonymous => (None, true),
        Visitor::Account(account) => (Some(account), false),
        Visitor::Anonymous { failed } => (None, failed),
    };
    let verdict = account.and_then(|account| inner.limiter.as_ref().map(|limiter| limiter.take(account)));
    if let Some(verdict) = verdict.filter(|verdict| !verdict.allowed) {
        inner.counters.update(|stats| stats.rate_limited += 1);
        return decorated(inner, limits::exceeded(inner, verdict), account, number);
    }
    let (mut reply, page) = route(&Visit { inner, request: &request, account });
    if let Some(page) = page {
        inner.page_answered(page);
    }
    finish(inner, &mut reply, account, gateway);
    if let Some(verdict) = verdict {
        reply = limits::normal(reply, verdict);
    }
    if failed {
        reply = reply.header("x-seraph-loginreason", "AUTHENTICATED_FAILED");
    }
    decorated(inner, reply, account, number)
}

/// Times in the account's zone; behind the gateway its addresses.
fn finish(inner: &Inner, reply: &mut Reply, account: Option<usize>, gateway: bool) {
    if !reply.is_json() {
        return;
    }
    if let Some(account) = account {
        rezone(&mut reply.body, inner.zone(account));
    }
    if gateway {
        let text = String::from_utf8_lossy(&reply.body);
        let behind = format!("{}/ex/jira/{}/rest/", inner.base, inner.config.cloud.cloud_id);
        reply.body = text.replace(&format!("{}/rest/", inner.base), &behind).into_bytes();
    }
}

fn route(visit: &Visit<'_>) -> (Reply, Option<PageInfo>) {
    let path = visit.request.path.as_str();
    if path == "/status" {
        return (Reply::json(200, &serde_json::json!({ "state": "RUNNING" })), None);
    }
    match rest::api_segments(path).as_deref() {
        Some(["search"]) => return (problems::gone(), None),
        // Version 2 of the interface is there too, for what is not told with documents.
        Some(segments) => return (api(visit, segments), None),
        None => {}
    }
    if let Some(path) = path.strip_prefix(rest::AGILE) {
        return (metadata::agile(visit, path), None);
    }
    if let Some(path) = path.strip_prefix(service_desk::DESK) {
        return (metadata::service_desk(visit, path), None);
    }
    match segments(path).as_deref() {
        Some(["search", "jql"]) => search::answer(visit),
        Some(segments) => (api(visit, segments), None),
        None => (problems::problem(visit.request, 404, "Not Found", "No message available"), None),
    }
}

fn api(visit: &Visit<'_>, segments: &[&str]) -> Reply {
    match segments {
        ["search"] => return problems::gone(),
        ["search", "approximate-count"] => return search::count(visit),
        ["issue", "bulkfetch"] => return detail::bulk(visit),
        ["changelog", "bulkfetch"] => return changelog::bulk(visit),
        ["worklog", "list"] => return feeds::worklog_list(visit),
        ["comment", "list"] => return feeds::comment_list(visit),
        _ if visit.request.method != Method::GET => {
            return problems::method_not_allowed(visit.request, "GET");
        }
        _ => {}
    }
    match segments {
        ["serverInfo"] => metadata::server_info(visit),
        ["myself"] => metadata::myself(visit),
        ["project", "search"] => metadata::project_search(visit),
        ["project", id] => metadata::project(visit, id),
        ["users", "search"] | ["users"] => metadata::user_search(visit, true),
        ["user", "search"] => metadata::user_search(visit, false),
        ["issue", id] => detail::issue(visit, id),
        ["issue", id, "changelog"] => changelog::page(visit, id),
        ["issue", id, "comment"] => detail::comments(visit, id),
        ["issue", id, "worklog"] => detail::worklogs(visit, id),
        ["issue", id, resource] => detail::of_issue(visit, id, resource),
        ["worklog", "updated"] => feeds::worklog_changes(visit, false),
        ["worklog", "deleted"] => feeds::worklog_changes(visit, true),
        [kind @ ("field" | "statuses" | "priority" | "resolution"), "search"] => {
            metadata::bean(visit, &format!("{kind}/search"))
        }
        _ => metadata::plain(visit, segments),
    }
}

/// The headers that every answer of Cloud carries.
pub(crate) fn decorated(inner: &Inner, mut reply: Reply, account: Option<usize>, number: u64) -> Reply {
    if let Some(account) = account {
        let email = &inner.auth.account(account).username;
        reply = reply.header("x-aaccountid", metadata::own_account_id(email).replace(':', "%3A"));
    }
    let trace = format!("{:032x}", u128::from(super::rng::mix(number)));
    let state = if account.is_some() { "lin" } else { "lout" };
    reply
        .header("server", "AtlassianEdge")
        .header("x-arequestid", format!("{:032x}", u128::from(super::rng::mix(number ^ 0xa))))
        .header("atl-request-id", trace.clone())
        .header("atl-traceid", trace)
        .header(
            "set-cookie",
            format!("atlassian.xsrf.token={:016x}_{state}; Path=/; SameSite=None; Secure", number),
        )
        .header("cache-control", "no-cache, no-store, no-transform")
        .header("x-content-type-options", "nosniff")
}
