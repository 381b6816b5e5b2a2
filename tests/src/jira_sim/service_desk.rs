//! Jira Service Management: service desks, what each offers, and the customer requests behind issues.
//!
//! The project OPS of a generated site has a service desk. Pages are short, so that every list takes more than one. Organisations and queues are
//! experimental on Server: without the header that opts in they are refused.

use http::Method;
use serde_json::{Value, json};

use super::catalog::Catalog;
use super::doc::{push_bare_time, rezone};
use super::reply::Reply;
use super::rest::Request;
use super::search::usize_of;
use super::site::Site;
use super::{Flavour, Inner};

/// Where the resources of Jira Service Management are.
pub(crate) const DESK: &str = "/rest/servicedeskapi/";

/// Key of the project that has a service desk.
const PROJECT: &str = "OPS";
/// The id of its service desk.
const DESK_ID: u64 = 3;
/// Elements of a page, whatever is asked for.
const PAGE: u64 = 2;
const HOUR_MS: i64 = 3_600_000;

/// The answer of a resource, by its path below [`DESK`].
pub(crate) fn answer(inner: &Inner, request: &Request, account: Option<usize>, path: &str) -> Reply {
    if !inner.config.service_management || request.method != Method::GET {
        return Reply::unknown_path();
    }
    let Some(account) = account else {
        return Reply::error(
            401,
            "You are not authenticated. Authentication required to perform this operation.",
        );
    };
    let site = inner.site();
    let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    if matches!(segments.as_slice(), ["servicedesk", _, "organization" | "queue"])
        && inner.config.flavour != Flavour::Cloud
        && request.header("x-experimentalapi") != Some("opt-in")
    {
        return refusal(
            412,
            "This API is experimental: set the header 'X-ExperimentalApi: opt-in' to use it.",
        );
    }
    let mut reply = match segments.as_slice() {
        ["servicedesk"] => page(desks(&site.catalog), request),
        ["servicedesk", id, list] => match named(&site.catalog, list, id) {
            Some(list) => page(list, request),
            None => refusal(404, "The service desk does not exist."),
        },
        ["request", id, rest @ ..] => {
            let slot = site.find(id);
            let found = slot.and_then(|slot| customer_request(&site, slot).map(|found| (slot, found)));
            match (found, rest) {
                (Some((_, found)), []) => Reply::json(200, &found),
                (Some((slot, _)), ["sla"]) => page(slas(&site, slot), request),
                _ => refusal(404, "The request does not exist."),
            }
        }
        _ => Reply::unknown_path(),
    };
    rezone(&mut reply.body, inner.zone(account));
    reply
}

/// The path with ids left out.
pub(crate) fn template(path: &str) -> String {
    match path.strip_prefix(DESK).map(|below| below.split('/').collect::<Vec<_>>()).as_deref() {
        Some([kind, _]) => format!("{DESK}{kind}/{{id}}"),
        Some([kind, _, rest @ ..]) => format!("{DESK}{kind}/{{id}}/{}", rest.join("/")),
        Some(_) | None => path.to_owned(),
    }
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({ "errorMessage": message, "i18nErrorMessage": { "i18nKey": "sd.error", "parameters": [] } }),
    )
}

fn page(all: Vec<Value>, request: &Request) -> Reply {
    let (start, limit) = (request.number("start", 0), request.number("limit", PAGE).min(PAGE));
    let total = all.len();
    let values: Vec<Value> = all.into_iter().skip(usize_of(start)).take(usize_of(limit)).collect();
    let is_last = usize_of(start) + values.len() >= total;
    Reply::json(
        200,
        &json!({ "_expands": [], "size": values.len(), "start": start, "limit": limit, "isLastPage": is_last, "_links": {}, "values": values }),
    )
}

/// The objects of a list by its name; `of` is the service desk for those that each has. Empty for another name.
pub(crate) fn list_of(catalog: &Catalog, list: &str, of: &str) -> Vec<Value> {
    match list {
        "service_desks" => desks(catalog),
        "request_types" => named(catalog, "requesttype", of).unwrap_or_default(),
        "jsm_organizations" => named(catalog, "organization", of).unwrap_or_default(),
        "queues" => named(catalog, "queue", of).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn desks(catalog: &Catalog) -> Vec<Value> {
    let found = catalog.projects.iter().find(|project| project.key == PROJECT);
    let desk = |project: &super::catalog::Project| json!({ "id": DESK_ID.to_string(), "projectId": project.id.to_string(), "projectName": project.name, "projectKey": project.key, "_links": {} });
    found.map(desk).into_iter().collect()
}

/// A list of a service desk; `None` where there is no such service desk or list.
fn named(catalog: &Catalog, list: &str, of: &str) -> Option<Vec<Value>> {
    let desk = desks(catalog).into_iter().find(|desk| desk["id"] == of)?;
    let three = |make: &dyn Fn(u64) -> Value| Some((0..3).map(make).collect());
    match list {
        "requesttype" => three(&|at| {
            json!({
                "id": (20 + at).to_string(), "name": format!("Request {at} \u{fc}"), "description": if at == 1 { "" } else { "What it is for" },
                "helpText": "Say what you need.\r\nThen wait.", "issueTypeId": catalog.types.first().map(|kind| kind.id.to_string()),
                "serviceDeskId": desk["id"], "portalId": "3", "groupIds": [(at + 4).to_string()], "icon": { "id": "10491", "_links": {} }, "_links": {},
            })
        }),
        "organization" => three(
            &|at| json!({ "id": (at + 1).to_string(), "name": format!("Kunde {at} & Co. \u{6587}"), "_links": {} }),
        ),
        "queue" => three(&|at| {
            json!({
                "id": (at + 10).to_string(), "name": format!("Queue {at}"), "jql": format!("project = {PROJECT} AND \"x\" = {at}"),
                "fields": ["issuetype", "issuekey", "customfield_10300"], "issueCount": at, "_links": {},
            })
        }),
        _ => None,
    }
}

/// An instant as Service Management shows it.
fn date(ms: i64) -> Value {
    let mut time = String::new();
    push_bare_time(&mut time, ms);
    let (seconds, _) = time.split_at(19);
    json!({ "iso8601": format!("{seconds}+0000"), "jira": format!("{time}+0000"), "friendly": "Some time ago", "epochMillis": ms })
}

fn is_done(site: &Site, slot: u32) -> bool {
    let status = site.catalog.statuses.get(usize::from(site.slim(slot).status));
    status.is_some_and(|status| site.catalog.json_of(status.json).contains("\"key\":\"done\""))
}

/// The customer request behind an issue; an issue that agents made has none.
pub(crate) fn customer_request(site: &Site, slot: u32) -> Option<Value> {
    let slim = site.slim(slot);
    let project = site.catalog.projects.get(usize::from(slim.project))?;
    if project.key != PROJECT || slim.id.is_multiple_of(7) {
        return None;
    }
    let status = site.catalog.statuses.get(usize::from(slim.status))?;
    let reporter = usize::try_from(slim.id).unwrap_or(0) % site.catalog.users.len().max(1);
    let mut request = json!({
        "_expands": ["participant", "status", "sla", "requestType", "serviceDesk", "attachment", "action", "comment"],
        "issueId": slim.id.to_string(), "issueKey": site.key(slot), "requestTypeId": (20 + slim.id % 3).to_string(),
        "serviceDeskId": DESK_ID.to_string(), "createdDate": date(slim.created_ms),
        "requestFieldValues": [{ "fieldId": "summary", "label": "What?", "value": "x" }],
        "currentStatus": { "status": format!("Portal: {}", status.name), "statusDate": date(slim.updated_ms) }, "_links": {},
    });
    if let Some(reporter) = site.catalog.users.get(reporter) {
        request["reporter"] = site.catalog.user_json(reporter);
    }
    Some(request)
}

/// The SLAs of a customer request: one with as many completed cycles as its history makes, one that never began, one completed once.
pub(crate) fn slas(site: &Site, slot: u32) -> Vec<Value> {
    if customer_request(site, slot).is_none() {
        return Vec::new();
    }
    let (created_ms, edits) = (site.slim(slot).created_ms, site.doc(slot).histories.len());
    let cycle = |at: usize, is_ongoing: bool| {
        let start_ms = created_ms + i64::try_from(at).unwrap_or(0) * 24 * HOUR_MS;
        let (goal_ms, elapsed_ms) = (8 * HOUR_MS, i64::try_from(at + edits).unwrap_or(0) * HOUR_MS + 7);
        let span = |ms: i64| json!({ "millis": ms, "friendly": format!("{}h", ms / HOUR_MS) });
        let mut cycle = json!({
            "startTime": date(start_ms), "breachTime": date(start_ms + goal_ms), "breached": elapsed_ms > goal_ms,
            "goalDuration": span(goal_ms), "elapsedTime": span(elapsed_ms), "remainingTime": span(goal_ms - elapsed_ms),
        });
        if is_ongoing {
            cycle["paused"] = at.is_multiple_of(2).into();
            cycle["withinCalendarHours"] = true.into();
        } else {
            cycle["stopTime"] = date(start_ms + elapsed_ms);
        }
        cycle
    };
    let completed: Vec<Value> = (0..edits % 3).map(|at| cycle(at, false)).collect();
    let mut first =
        json!({ "id": "1", "name": "Time to resolution", "_links": {}, "completedCycles": completed });
    if !is_done(site, slot) {
        first["ongoingCycle"] = cycle(edits % 3, true);
    }
    let second = json!({ "id": "2", "name": "Time to approve", "_links": {}, "completedCycles": [] });
    let third = json!({ "id": "3", "name": "Erste Antwort \u{fc}", "_links": {}, "completedCycles": [cycle(5, false)] });
    vec![first, second, third]
}
