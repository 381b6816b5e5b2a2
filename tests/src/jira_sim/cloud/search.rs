//! `search/jql` by GET and POST, and `search/approximate-count`.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::query::Asker;
use super::super::query::seek::{Position, Unindexed, Walked};
use super::super::render::Selection;
use super::super::search::{PageInfo, names, names_and_schema};
use super::super::site::Site;
use super::issue::{CloudView, Histories, write};
use super::{Visit, bodies, problems, tokens};
use crate::jira_sim::jql;
use crate::jira_sim::reply::Reply;

/// Issues on a page when the client asks for no number.
const DEFAULT_PAGE: i64 = 50;
/// Most issues on a page.
const MOST: usize = 5000;
/// Most ids in `reconcileIssues`.
const MOST_RECONCILED: usize = 50;
/// Most fields of an order.
const MOST_ORDERS: usize = 7;
/// How long a token is good for.
const TOKEN_LIFE_MS: i64 = 7 * 86_400_000;

/// A search as asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Search {
    jql: String,
    max_results: Option<i64>,
    fields: Vec<String>,
    expand: String,
    fields_by_keys: bool,
    properties: Vec<String>,
    next_page_token: Option<String>,
    reconcile_issues: Vec<u64>,
}

/// What a token holds.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    jql: String,
    made_ms: i64,
    after: Position,
}

/// Answers `search/jql`.
pub(super) fn answer(visit: &Visit<'_>) -> (Reply, Option<PageInfo>) {
    let search = match visit.request.method {
        Method::GET => from_query(visit),
        Method::POST => bodies::read(visit.request),
        _ => Err(problems::method_not_allowed(visit.request, "GET, POST")),
    };
    match search.and_then(|search| page(visit, &search)) {
        Ok((reply, page)) => (reply, Some(page)),
        Err(reply) => (reply, None),
    }
}

fn from_query(visit: &Visit<'_>) -> Result<Search, Reply> {
    let mut search = Search::default();
    for (name, value) in &visit.request.query {
        match name.as_str() {
            "jql" => search.jql.clone_from(value),
            "maxResults" => {
                let number = value.parse().map_err(|_| problems::bad_number(visit.request, name, value))?;
                search.max_results = Some(number);
            }
            "fields" => search.fields.extend(names(value)),
            "expand" => search.expand = format!("{},{value}", search.expand),
            "nextPageToken" => search.next_page_token = Some(value.clone()),
            "reconcileIssues" => {
                for id in names(value) {
                    let id = id.parse().map_err(|_| problems::bad_number(visit.request, name, &id))?;
                    search.reconcile_issues.push(id);
                }
            }
            _ => {}
        }
    }
    Ok(search)
}

fn page(visit: &Visit<'_>, search: &Search) -> Result<(Reply, PageInfo), Reply> {
    visit.inner.counters.update(|stats| stats.fields_asked.extend(search.fields.iter().cloned()));
    let now_ms = visit.inner.clock.now_ms();
    let place = match search.next_page_token.as_deref().map(tokens::open::<Place>) {
        None => None,
        Some(Some(place)) if place.jql == search.jql && now_ms - place.made_ms < TOKEN_LIFE_MS => Some(place),
        Some(_) => return Err(problems::bad_token()),
    };
    let wanted = usize::try_from(search.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(0);
    if !(1..=MOST).contains(&wanted) {
        return Err(problems::bad_size(MOST));
    }
    if search.reconcile_issues.len() > MOST_RECONCILED {
        return Err(Reply::error(400, "The number of issues to reconcile must not be above 50."));
    }
    let query = bounded(&search.jql)?;
    let page = |ids| PageInfo { number: 0, jql: search.jql.clone(), start_at: 0, total: 0, ids };
    let Some(account) = visit.account else {
        return Ok((Reply::json(200, &json!({ "issues": [], "isLast": true })), page(Vec::new())));
    };
    let asker = Asker { zone: visit.inner.zone(account), now_ms, validate: true, node: 0 };
    let site = visit.inner.site();
    let plan = site.plan(&query, &asker).map_err(|errors| Reply::errors(400, &errors))?;
    let view = view(visit, &site, search);
    let most = size(visit, &view, wanted, place.as_ref());
    let unindexed = unindexed(&site, visit, &search.reconcile_issues);
    let walked = site.walk(&plan, place.as_ref().map(|place| &place.after), most, &unindexed);
    let ids: Vec<u64> = walked.slots.iter().map(|slot| site.slim(*slot).id).collect();
    let total = walked.total as u64;
    let body = body(visit, &site, (search, &view), &walked);
    Ok((Reply::json_bytes(200, body.into_bytes()), PageInfo { total, ..page(ids) }))
}

/// Parses a query that must restrict what it finds.
fn bounded(text: &str) -> Result<jql::Query, Reply> {
    let query = jql::parse(text).map_err(|error| Reply::error(400, &error))?;
    if query.condition.is_none() {
        return Err(problems::unbounded());
    }
    if query.order.len() > MOST_ORDERS {
        return Err(Reply::error(400, "The query must not be ordered by more than 7 fields."));
    }
    Ok(query)
}

fn view(visit: &Visit<'_>, site: &Site, search: &Search) -> CloudView {
    let config = &visit.inner.config;
    let changelog = names(&search.expand).any(|name| name == "changelog");
    let histories =
        if changelog { Histories::Newest(config.cloud.embedded_histories) } else { Histories::Hidden };
    let id_only = !changelog && search.fields.iter().all(|field| field == "id");
    let none = ["id".to_owned()];
    let fields = if search.fields.is_empty() { &none[..] } else { &search.fields };
    CloudView {
        selection: Selection::parse(site, fields, "*all"),
        histories,
        worklog_cap: config.embedded_worklog_cap,
        comment_cap: config.cloud.embedded_comments,
        id_only,
        transitions: names(&search.expand).any(|name| name == "transitions"),
    }
}

/// Issues on this page: pages that show more than ids and keys are short.
fn size(visit: &Visit<'_>, view: &CloudView, wanted: usize, place: Option<&Place>) -> usize {
    let cloud = &visit.inner.config.cloud;
    let bare = view.histories == Histories::Hidden && view.selection.is_empty();
    let most = if bare { wanted } else { wanted.min(cloud.detailed_page) };
    match place {
        Some(place) if cloud.ragged_pages => {
            let shorter = place.after.digest() % 4;
            most.saturating_sub(usize::try_from(shorter).unwrap_or(0)).max(1)
        }
        _ => most,
    }
}

/// What the index does not know yet.
fn unindexed(site: &Site, visit: &Visit<'_>, reconciled: &[u64]) -> Unindexed {
    let lag_ms = visit.inner.config.cloud.index_lag_ms;
    if lag_ms <= 0 {
        return Unindexed::new();
    }
    let known_ms = visit.inner.clock.now_ms() - lag_ms;
    let fresh = site.changed.iter().filter(|(slot, (changed_ms, _))| {
        *changed_ms > known_ms && !reconciled.contains(&site.slim(**slot).id)
    });
    fresh.map(|(slot, (_, updated_ms))| (*slot, *updated_ms)).collect()
}

fn body(visit: &Visit<'_>, site: &Site, asked: (&Search, &CloudView), walked: &Walked) -> String {
    let (search, view) = asked;
    let mut out = String::from("{\"issues\":[");
    for (number, slot) in walked.slots.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        out += &write(site, *slot, view);
    }
    out.push(']');
    let (names_of, schema) = names_and_schema(site, &view.selection);
    for (name, map) in [("names", names_of), ("schema", schema)] {
        if names(&search.expand).any(|wanted| wanted == name) {
            out += &format!(",\"{name}\":{map}");
        }
    }
    let cloud = &visit.inner.config.cloud;
    if let Some(token) = next_token(visit, search, walked).filter(|_| walked.more || cloud.endless_tokens) {
        out += &format!(",\"nextPageToken\":{}", Value::from(token));
    }
    let last = !walked.more && !cloud.is_last_never && !cloud.endless_tokens;
    out + &format!(",\"isLast\":{last}}}")
}

/// The token of the place that the walk has come to; of an empty page the one that led to it.
fn next_token(visit: &Visit<'_>, search: &Search, walked: &Walked) -> Option<String> {
    let Some(after) = walked.place.clone() else { return search.next_page_token.clone() };
    let place = Place { jql: search.jql.clone(), made_ms: visit.inner.clock.now_ms(), after };
    Some(tokens::seal(&place))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    #[serde(default)]
    jql: String,
}

/// Answers `search/approximate-count`.
pub(super) fn count(visit: &Visit<'_>) -> Reply {
    if visit.request.method != Method::POST {
        return problems::method_not_allowed(visit.request, "POST");
    }
    match bodies::read::<Count>(visit.request).and_then(|count| counted(visit, &count.jql)) {
        Ok(count) => Reply::json(200, &json!({ "count": count })),
        Err(reply) => reply,
    }
}

fn counted(visit: &Visit<'_>, jql: &str) -> Result<i64, Reply> {
    let query = bounded(jql)?;
    let Some(account) = visit.account else { return Ok(0) };
    let now_ms = visit.inner.clock.now_ms();
    let asker = Asker { zone: visit.inner.zone(account), now_ms, validate: true, node: 0 };
    let site = visit.inner.site();
    let plan = site.plan(&query, &asker).map_err(|errors| Reply::errors(400, &errors))?;
    let found = site.count(&plan, &unindexed(&site, visit, &[]));
    let found = i64::try_from(found).unwrap_or(i64::MAX);
    Ok(if found > 100 { (found + visit.inner.config.cloud.count_error).max(0) } else { found })
}
