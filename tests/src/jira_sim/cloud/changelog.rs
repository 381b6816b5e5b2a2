//! History: inside of issues, as a page bean, and for many issues at once.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::catalog::Catalog;
use super::super::doc::expand;
use super::super::site::Site;
use super::bean::{Bean, Window};
use super::issue::{Histories, shape};
use super::{CreatedUnit, Visit, bodies, problems, tokens, users};
use crate::jira_sim::reply::Reply;

/// Most issues of one bulk request.
const MOST_ISSUES: usize = 1000;
/// Most fields of one bulk request.
const MOST_FIELDS: usize = 10;
/// History entries on a page when nothing is asked for.
const DEFAULT_HISTORIES: usize = 1000;

/// `changelog` of an issue from Server's envelope.
pub(super) fn embedded(site: &Site, envelope: &mut Value, wanted: Histories) -> String {
    let mut list = match envelope["histories"].take() {
        Value::Array(list) => list,
        _ => Vec::new(),
    };
    let total = list.len();
    if let Histories::Newest(most) = wanted {
        list.reverse();
        list.truncate(most);
    }
    list.iter_mut().for_each(|entry| shape_entry(site, entry));
    format!(
        r#"{{"startAt":0,"maxResults":{},"total":{total},"histories":{}}}"#,
        list.len(),
        Value::Array(list)
    )
}

/// All entries of an issue, oldest first.
pub(super) fn entries(site: &Site, slot: u32) -> Vec<Value> {
    let doc = site.doc(slot);
    let read = |child: &crate::jira_sim::doc::Child| {
        let mut text = String::new();
        expand(&mut text, doc.slice(child.at), &site.catalog.fragments);
        let mut entry: Value = serde_json::from_str(&text).unwrap_or_default();
        shape_entry(site, &mut entry);
        entry
    };
    doc.histories.iter().map(read).collect()
}

/// When the status last changed, as Server's history says.
pub(super) fn status_changed(site: &Site, slot: u32) -> Option<Value> {
    let doc = site.doc(slot);
    let last = doc.histories.iter().rev().map(|child| doc.slice(child.at));
    let last = last.into_iter().find(|json| json.contains("{\"field\":\"status\","))?;
    let time = last.split_once("\"created\":\"")?.1.split_once('"')?.0;
    Some(time.into())
}

fn shape_entry(site: &Site, entry: &mut Value) {
    shape(entry, &site.catalog.base);
    if let Some((second, rest)) =
        entry["created"].as_str().filter(|_| site.whole_seconds).and_then(split_second)
    {
        entry["created"] = format!("{second}.000{rest}").into();
    }
    let Some(items) = entry["items"].as_array_mut() else { return };
    for item in items {
        if item["field"] == "assignee" || item["field"] == "reporter" {
            for end in ["from", "to"] {
                if let Some(identity) = item[end].as_str().filter(|identity| !identity.is_empty()) {
                    item[end] = users::account_id(identity).into();
                }
            }
        }
        if let Some(id) = field_id(&site.catalog, item["field"].as_str().unwrap_or_default()) {
            item["fieldId"] = id.into();
        }
    }
}

/// A platform time before and after its fraction.
fn split_second(time: &str) -> Option<(&str, &str)> {
    let (second, rest) = time.split_once('.')?;
    Some((second, rest.get(3..)?))
}

/// The id of the field that a history item names; a few names are those of no field.
fn field_id(catalog: &Catalog, name: &str) -> Option<String> {
    match name {
        "Link" => return Some("issuelinks".to_owned()),
        "Key" => return Some("issuekey".to_owned()),
        "WorklogId" => return Some("worklogId".to_owned()),
        "IssueParentAssociation" => return None,
        _ => {}
    }
    let by_id = catalog.fields.iter().find(|field| field.id == name);
    let by_name = || catalog.fields.iter().find(|field| field.custom && field.name == name);
    by_id.or_else(by_name).map(|field| field.id.clone())
}

/// `GET issue/{id}/changelog`.
pub(super) fn page(visit: &Visit<'_>, id: &str) -> Reply {
    let site = visit.inner.site();
    let Some(slot) = visit.account.and_then(|_| site.find(id)) else { return problems::no_issue() };
    let window = match Window::of(visit, 100, 100) {
        Ok(window) => window,
        Err(reply) => return reply,
    };
    let path = format!("issue/{id}/changelog");
    Reply::json(200, &Bean { path: &path, window }.of_all(visit, entries(&site, slot)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Bulk {
    issue_ids_or_keys: Vec<String>,
    #[serde(default)]
    field_ids: Vec<String>,
    #[serde(default)]
    max_results: Option<i64>,
    #[serde(default)]
    next_page_token: Option<String>,
}

/// Where a bulk walk stands: the issue and how many of its entries were sent.
#[derive(Debug, serde::Serialize, Deserialize)]
struct Place {
    id: u64,
    sent: usize,
}

/// `POST changelog/bulkfetch`: oldest first, issues by ascending id, invisible ones silently missing.
pub(super) fn bulk(visit: &Visit<'_>) -> Reply {
    if visit.request.method != Method::POST {
        return problems::method_not_allowed(visit.request, "POST");
    }
    let bulk: Bulk = match bodies::read(visit.request) {
        Ok(bulk) => bulk,
        Err(reply) => return reply,
    };
    let place = match bulk.next_page_token.as_deref().map(tokens::open::<Place>) {
        Some(None) => return problems::bad_token(),
        Some(place) => place,
        None => None,
    };
    if bulk.issue_ids_or_keys.is_empty() || bulk.issue_ids_or_keys.len() > MOST_ISSUES {
        return Reply::error(400, "The number of issues must be between 1 and 1,000.");
    }
    if bulk.field_ids.len() > MOST_FIELDS {
        return Reply::error(400, "The number of field IDs must not be above 10.");
    }
    let wanted = match bulk.max_results {
        None => DEFAULT_HISTORIES,
        Some(number) => match usize::try_from(number) {
            Ok(number @ 1..=10_000) => number,
            _ => return problems::bad_size(10_000),
        },
    };
    Reply::json(200, &bulk_page(visit, &bulk, place, wanted.min(visit.inner.config.cloud.bulk_histories)))
}

fn bulk_page(visit: &Visit<'_>, bulk: &Bulk, place: Option<Place>, most: usize) -> Value {
    let site = visit.inner.site();
    let visible = visit.account.map_or(&[][..], |_| bulk.issue_ids_or_keys.as_slice());
    let mut slots: Vec<(u64, u32)> = (visible.iter())
        .filter_map(|wanted| site.find(wanted))
        .map(|slot| (site.slim(slot).id, slot))
        .collect();
    slots.sort_unstable();
    slots.dedup();
    let (mut logs, mut left, mut next) = (Vec::new(), most, None);
    for (id, slot) in slots {
        let sent = match &place {
            Some(place) if id < place.id => continue,
            Some(place) if id == place.id => place.sent,
            _ => 0,
        };
        let mut found = filtered(entries(&site, slot), &bulk.field_ids);
        let mut rest = found.split_off(sent.min(found.len()));
        if rest.is_empty() {
            continue;
        }
        if left == 0 {
            next = Some(Place { id, sent });
            break;
        }
        let cut = rest.len() > left;
        rest.truncate(left);
        left -= rest.len();
        let sent = sent + rest.len();
        rest.iter_mut().for_each(|entry| numeric(entry, visit.inner.config.cloud.bulk_created));
        logs.push(json!({ "issueId": id.to_string(), "changeHistories": rest }));
        if cut {
            next = Some(Place { id, sent });
            break;
        }
    }
    let mut page = json!({ "issueChangeLogs": logs });
    if let Some(place) = next {
        page["nextPageToken"] = tokens::seal(&place).into();
    }
    page
}

/// The entries with items of these fields, and of them only those items.
fn filtered(mut entries: Vec<Value>, fields: &[String]) -> Vec<Value> {
    if fields.is_empty() {
        return entries;
    }
    let wanted = |item: &Value| fields.iter().any(|field| item["fieldId"] == field.as_str());
    for entry in &mut entries {
        if let Some(items) = entry["items"].as_array_mut() {
            items.retain(wanted);
        }
    }
    entries.retain(|entry| entry["items"].as_array().is_some_and(|items| !items.is_empty()));
    entries
}

fn numeric(entry: &mut Value, unit: CreatedUnit) {
    let ms = super::detail::millis(&entry["created"]);
    match unit {
        CreatedUnit::Milliseconds => entry["created"] = ms.into(),
        CreatedUnit::Seconds => entry["created"] = ms.div_euclid(1000).into(),
        CreatedUnit::Text => {}
    }
}
