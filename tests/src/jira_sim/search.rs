//! `/search` by GET and POST.

use serde::Deserialize;
use serde_json::Value;

use super::Inner;
use super::doc::rezone;
use super::jql;
use super::pages;
use super::query::Asker;
use super::render::{Selection, View};
use super::reply::Reply;
use super::site::Site;

/// Issues on a page when the client asks for no number.
const DEFAULT_PAGE: u64 = 50;

/// A search as asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Search {
    pub(crate) jql: String,
    pub(crate) start_at: i64,
    pub(crate) max_results: i64,
    pub(crate) fields: Vec<String>,
    pub(crate) expand: Vec<String>,
    pub(crate) validate_query: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            jql: String::new(),
            start_at: 0,
            max_results: i64::try_from(DEFAULT_PAGE).unwrap_or(50),
            fields: Vec::new(),
            expand: Vec::new(),
            validate_query: true,
        }
    }
}

/// A page of issues that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageInfo {
    /// Number of the page since the simulator started, from 1; pages without issues are not counted.
    pub number: u64,
    /// The query.
    pub jql: String,
    /// `startAt` of the request.
    pub start_at: u64,
    /// `total` of the answer.
    pub total: u64,
    /// Ids of the issues on the page, in its order.
    pub ids: Vec<u64>,
}

/// Cuts a comma separated list.
pub(crate) fn names(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

impl Search {
    /// Reads the parameters of a GET.
    ///
    /// # Errors
    /// The answer to a parameter that cannot be read.
    pub(crate) fn from_query(query: &[(String, String)]) -> Result<Self, Reply> {
        let mut search = Self::default();
        for (name, value) in query {
            match name.as_str() {
                "jql" => search.jql.clone_from(value),
                // JAX-RS finds no resource for a number that is none.
                "startAt" => search.start_at = value.parse().map_err(|_| Reply::unknown_path())?,
                "maxResults" => search.max_results = value.parse().map_err(|_| Reply::unknown_path())?,
                "fields" => search.fields.extend(names(value)),
                "expand" => search.expand.extend(names(value)),
                "validateQuery" => search.validate_query = value != "false",
                _ => {}
            }
        }
        Ok(search)
    }

    /// Reads the body of a POST.
    ///
    /// # Errors
    /// Jackson's complaint in a 400.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self, Reply> {
        let mut search: Self = serde_json::from_slice(body).map_err(|error| {
            let text = error.to_string();
            Reply::error(400, &format!("Can not read the request body: {text}"))
        })?;
        search.fields = search.fields.iter().flat_map(|field| names(field)).collect();
        search.expand = search.expand.iter().flat_map(|expand| names(expand)).collect();
        Ok(search)
    }

    fn expands(&self, name: &str) -> bool {
        self.expand.iter().any(|wanted| wanted == name)
    }
}

/// Answers a search of an account (`None`: anonymous).
pub(crate) fn answer(
    inner: &Inner,
    account: Option<usize>,
    search: &Search,
    node: u32,
) -> (Reply, Option<PageInfo>) {
    inner.counters.update(|stats| {
        stats.fields_asked.extend(search.fields.iter().cloned());
        stats.histories_asked += u64::from(search.expands("changelog"));
    });
    let query = match jql::parse(&search.jql) {
        Ok(query) => query,
        Err(error) => return (Reply::error(400, &error), None),
    };
    let Some(account) = account else {
        return (Reply::errors(400, &anonymous_errors(&query)), None);
    };
    let wanted = u64::try_from(search.max_results).unwrap_or(u64::MAX);
    let most = wanted.min(inner.config.search_cap);
    let start = u64::try_from(search.start_at).unwrap_or(0);
    let window = inner.config.max_result_window;
    if inner.config.flavour.enforces_window() && start + most > window {
        let body = pages::search_limit(start + most, window);
        return (Reply::typed(500, "application/xml", body), None);
    }
    let asker = Asker {
        zone: inner.zone(account),
        now_ms: inner.clock.now_ms(),
        validate: search.validate_query,
        node,
    };
    let site = inner.site();
    let plan = match site.plan(&query, &asker) {
        Ok(plan) => plan,
        Err(errors) => return (Reply::errors(400, &errors), None),
    };
    let found = site.run(&plan, usize_of(start), usize_of(most));
    let mut body =
        write_page(&site, search, &found, (start, most), inner.config.embedded_worklog_cap).into_bytes();
    rezone(&mut body, asker.zone);
    let ids = found.slots.iter().map(|slot| site.slim(*slot).id).collect();
    let page =
        PageInfo { number: 0, jql: search.jql.clone(), start_at: start, total: found.total as u64, ids };
    (Reply::json_bytes(200, body), Some(page))
}

pub(crate) fn usize_of(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn write_page(
    site: &Site,
    search: &Search,
    found: &super::query::Found,
    window: (u64, u64),
    worklog_cap: usize,
) -> String {
    let selection = Selection::parse(site, &search.fields, "*navigable");
    let view = View {
        selection,
        changelog: search.expands("changelog"),
        worklog_cap,
        transitions: search.expands("transitions"),
    };
    let mut out = String::with_capacity(found.slots.len() * 16_384 + 256);
    out += &format!(
        r#"{{"expand":"schema,names","startAt":{},"maxResults":{},"total":{},"issues":["#,
        window.0, window.1, found.total
    );
    for (number, slot) in found.slots.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        site.write_issue(&mut out, *slot, &view);
    }
    out.push(']');
    write_expansions(&mut out, site, search, &view.selection);
    out.push('}');
    out
}

fn write_expansions(out: &mut String, site: &Site, search: &Search, selection: &Selection) {
    let (names, schema) = names_and_schema(site, selection);
    for (name, map) in [("names", names), ("schema", schema)] {
        if search.expands(name) {
            *out += &format!(",\"{name}\":{map}");
        }
    }
}

/// The `names` and `schema` objects of the chosen fields.
pub(crate) fn names_and_schema(site: &Site, selection: &Selection) -> (Value, Value) {
    let mut names = serde_json::Map::new();
    let mut schema = serde_json::Map::new();
    for (number, field) in (0_u16..).zip(&site.catalog.fields) {
        if !selection.has(number) {
            continue;
        }
        names.insert(field.id.clone(), field.name.clone().into());
        if let Some(known) = &field.schema {
            schema.insert(field.id.clone(), known.clone());
        }
    }
    (names.into(), schema.into())
}

/// What an anonymous visitor without any visible project is told.
fn anonymous_errors(query: &jql::Query) -> Vec<String> {
    let mut errors = Vec::new();
    if let Some(tree) = &query.condition {
        collect_anonymous(tree, &mut errors);
    }
    for order in &query.order {
        errors.push(format!("Not able to sort using field '{}'.", order.field));
    }
    if errors.is_empty() {
        errors.push(
            "Field 'issuekey' does not exist or this field cannot be viewed by anonymous users.".to_owned(),
        );
    }
    errors
}

fn collect_anonymous(tree: &jql::Tree, errors: &mut Vec<String>) {
    match tree {
        jql::Tree::And(parts) | jql::Tree::Or(parts) => {
            for part in parts {
                collect_anonymous(part, errors);
            }
        }
        jql::Tree::Not(part) => collect_anonymous(part, errors),
        jql::Tree::Is(clause) if clause.field.eq_ignore_ascii_case("project") => {
            for value in &clause.values {
                errors.push(format!("The value '{}' does not exist for the field 'project'.", value.text()));
            }
        }
        jql::Tree::Is(clause) => errors.push(format!(
            "Field '{}' does not exist or this field cannot be viewed by anonymous users.",
            clause.field
        )),
    }
}
