//! The REST resources, `/status` and the login page: which path is answered how.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::Inner;
use super::auth::Login;
use super::doc::{push_bare_time, rezone};
use super::of_issue;
use super::render::{Selection, View};
use super::reply::Reply;
use super::search::{self, PageInfo, Search, names, usize_of};
use super::service_desk;
use super::site_lists;

/// Where the resources of Jira Software are.
pub(crate) const AGILE: &str = "/rest/agile/1.0/";

/// A request without its context path.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path below the context.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Number of the cluster node that answers.
    pub(crate) node: u32,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        self.parameter(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.query.iter().filter(|(known, _)| known == name).flat_map(|(_, value)| names(value)).collect()
    }
}

/// The part of a path below `/rest/api/2`, cut at the slashes; `None` for other paths.
pub(crate) fn api_segments(path: &str) -> Option<Vec<&str>> {
    let rest = path.strip_prefix("/rest/api/2/").or_else(|| path.strip_prefix("/rest/api/latest/"))?;
    Some(rest.trim_end_matches('/').split('/').collect())
}

/// `GET /rest/api/2/issue/{id}/comment`: the path with ids left out, for the statistics.
pub(crate) fn template(method: &Method, path: &str) -> String {
    let path = match api_segments(path).as_deref() {
        Some([kind @ ("issue" | "project"), _]) => format!("/rest/api/2/{kind}/{{id}}"),
        Some([kind @ ("issue" | "project"), _, rest @ ..]) => {
            format!("/rest/api/2/{kind}/{{id}}/{}", rest.join("/"))
        }
        Some(segments) => format!("/rest/api/2/{}", segments.join("/")),
        None => match path.strip_prefix(AGILE).map(|below| below.split('/').collect::<Vec<_>>()).as_deref() {
            Some([kind, _, rest @ ..]) => format!("{AGILE}{kind}/{{id}}/{}", rest.join("/")),
            Some(_) | None => service_desk::template(path),
        },
    };
    format!("{method} {path}")
}

/// Answers a request whose login has been looked at. A page of issues comes with what was on it.
pub(crate) fn route(inner: &Inner, request: &Request, account: Option<usize>) -> (Reply, Option<PageInfo>) {
    let reply = match request.path.as_str() {
        path if path.contains("//") => Reply::unknown_path(),
        "/status" => Reply::json(200, &json!({ "state": "RUNNING" })),
        "/login.jsp" => Reply::html(200, super::pages::login(&inner.config.context_path)),
        "/rest/auth/1/session" => session(inner, request, account),
        path if path.starts_with(service_desk::DESK) => {
            service_desk::answer(inner, request, account, path.trim_start_matches(service_desk::DESK))
        }
        path if path.starts_with(AGILE) => {
            site_lists::agile(inner, request, account, path.trim_start_matches(AGILE))
        }
        path => match api_segments(path).as_deref() {
            Some(["search"]) => return search_reply(inner, request, account),
            Some(segments) => api(inner, request, account, segments),
            None => Reply::unknown_path(),
        },
    };
    (reply, None)
}

fn search_reply(inner: &Inner, request: &Request, account: Option<usize>) -> (Reply, Option<PageInfo>) {
    let search = match request.method {
        Method::GET => Search::from_query(&request.query),
        Method::POST => post_problem(request).map_or_else(|| Search::from_body(&request.body), Err),
        _ => Err(method_not_allowed("GET, POST")),
    };
    match search {
        Ok(search) => search::answer(inner, account, &search, request.node),
        Err(reply) => (reply, None),
    }
}

/// A POST must say that it is JSON, and must not look like a browser's without the XSRF header.
pub(super) fn post_problem(request: &Request) -> Option<Reply> {
    let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let browser = request.header("user-agent").is_some_and(|agent| agent.starts_with("Mozilla/"));
    if browser && request.header("x-atlassian-token") != Some("no-check") {
        return Some(Reply::typed(403, "text/plain", "XSRF check failed".to_owned()));
    }
    (!is_json).then(|| {
        Reply::json(415, &json!({ "message": "HTTP 415 Unsupported Media Type", "status-code": 415 }))
    })
}

fn method_not_allowed(allowed: &str) -> Reply {
    let body = json!({ "message": "HTTP 405 Method Not Allowed", "status-code": 405, "sub-code": -1 });
    Reply::json(405, &body).header("allow", allowed)
}

pub(super) fn login_required() -> Reply {
    Reply::error(401, "You are not authenticated. Authentication required to perform this operation.")
}

fn api(inner: &Inner, request: &Request, account: Option<usize>, segments: &[&str]) -> Reply {
    if request.method != Method::GET {
        return match segments {
            ["worklog", "list"] => super::worklogs::list(inner, request, account),
            [_] | [_, _] | [_, _, _] => method_not_allowed("GET"),
            _ => Reply::unknown_path(),
        };
    }
    match segments {
        ["serverInfo"] => server_info(inner, account),
        ["project"] if account.is_none() => Reply::json(200, &json!([])),
        ["issue", ..] if account.is_none() => Reply::errors(
            401,
            &[
                "You do not have the permission to see the specified issue.".to_owned(),
                "Login Required".to_owned(),
            ],
        ),
        ["myself" | "field" | "priority" | "issuetype" | "user" | "role" | "filter" | "dashboard", ..]
            if account.is_none() =>
        {
            login_required()
        }
        ["myself"] => account.map_or_else(login_required, |account| myself(inner, account)),
        ["user", "search"] => user_search(inner, request),
        ["issue", id] => issue(inner, request, account, id),
        ["issue", id, "comment"] => comments(inner, request, account, id),
        ["issue", id, "worklog"] => worklogs(inner, account, id),
        ["worklog", feed @ ("updated" | "deleted")] => {
            super::worklogs::feed(inner, request, account, *feed == "deleted")
        }
        ["issue", id, resource] => {
            let site = inner.site();
            let Some(slot) = site.find(id) else { return no_issue() };
            of_issue::answer(&site, slot, resource).unwrap_or_else(Reply::unknown_path)
        }
        _ => site_lists::platform(inner, request, segments).unwrap_or_else(|| metadata(inner, segments)),
    }
}

fn metadata(inner: &Inner, segments: &[&str]) -> Reply {
    let site = inner.site();
    let catalog = &site.catalog;
    let list = |all: &[super::catalog::Named]| {
        let objects: Vec<&str> = all.iter().map(|named| catalog.json_of(named.json)).collect();
        Reply::json_bytes(200, format!("[{}]", objects.join(",")).into_bytes())
    };
    match segments {
        ["field"] => {
            let fields: Vec<Value> =
                catalog.fields.iter().filter(|field| field.listed).map(|field| field.json()).collect();
            Reply::json(200, &fields.into())
        }
        ["status"] => list(&catalog.statuses),
        ["priority"] => list(&catalog.priorities),
        ["resolution"] => list(&catalog.resolutions),
        ["issuetype"] => list(&catalog.types),
        ["project"] => {
            let projects: Vec<Value> =
                catalog.projects.iter().map(|project| catalog.project_bean(project)).collect();
            Reply::json(200, &projects.into())
        }
        ["project", wanted] => match catalog.find_project(wanted) {
            Some(at) => Reply::json(200, &catalog.project_bean(&catalog.projects[usize::from(at)])),
            None => Reply::error(404, &format!("No project could be found with key '{wanted}'.")),
        },
        ["issueLinkType"] => {
            let types: Vec<&str> = catalog.link_types.iter().map(|link| catalog.json_of(link.json)).collect();
            Reply::json_bytes(200, format!("{{\"issueLinkTypes\":[{}]}}", types.join(",")).into_bytes())
        }
        ["configuration"] => Reply::json(
            200,
            &json!({ "votingEnabled": true, "watchingEnabled": true, "unassignedIssuesAllowed": true, "subTasksEnabled": true,
                "issueLinkingEnabled": true, "timeTrackingEnabled": true, "attachmentsEnabled": true }),
        ),
        _ => Reply::unknown_path(),
    }
}

fn server_info(inner: &Inner, account: Option<usize>) -> Reply {
    let flavour = inner.config.flavour;
    let numbers: Vec<u32> = flavour.version().split('.').filter_map(|part| part.parse().ok()).collect();
    let mut time = String::new();
    push_bare_time(&mut time, inner.clock.now_ms());
    let info = json!({
        "baseUrl": inner.base, "version": flavour.version(), "versionNumbers": numbers, "deploymentType": "Server",
        "buildNumber": flavour.build_number(), "buildDate": "2024-05-13T00:00:00.000+0000",
        "databaseBuildNumber": flavour.build_number(), "serverTime": format!("{time}+0000"),
        "scmInfo": "b4933e02eaff29a49114274fe59e1f99d9d963d7", "serverTitle": "Simulated Jira",
    });
    zoned(inner, account, info.to_string())
}

/// The answer in the time zone of the account (UTC for anonymous visitors).
pub(super) fn zoned(inner: &Inner, account: Option<usize>, json: String) -> Reply {
    let mut body = json.into_bytes();
    if let Some(account) = account {
        rezone(&mut body, inner.zone(account));
    }
    Reply::json_bytes(200, body)
}

fn myself(inner: &Inner, account: usize) -> Reply {
    let known = inner.auth.account(account);
    let name = &known.username;
    let base = &inner.base;
    Reply::json(
        200,
        &json!({
            "self": format!("{base}/rest/api/2/user?username={name}"), "key": format!("JIRAUSER{}", 20_000 + account), "name": name,
            "emailAddress": format!("{name}@example.com"), "avatarUrls": super::catalog::avatars(base, name), "displayName": name,
            "active": true, "deleted": false, "timeZone": known.time_zone, "locale": "en_US", "lastLoginTime": "2024-08-30T16:37:01+0000",
            "groups": { "size": 1, "items": [] }, "applicationRoles": { "size": 1, "items": [] }, "expand": "groups,applicationRoles",
        }),
    )
}

fn session(inner: &Inner, request: &Request, account: Option<usize>) -> Reply {
    match request.method {
        Method::GET => match account {
            Some(account) => {
                let name = &inner.auth.account(account).username;
                Reply::json(
                    200,
                    &json!({ "self": format!("{}/rest/api/latest/user?username={name}", inner.base), "name": name, "loginInfo": login_info(inner, account) }),
                )
            }
            None => login_required(),
        },
        Method::DELETE => {
            if inner.auth.close(request.header("cookie")) {
                Reply::empty(204)
            } else {
                login_required()
            }
        }
        Method::POST => post_problem(request).unwrap_or_else(|| log_in(inner, request)),
        _ => method_not_allowed("GET, POST, DELETE"),
    }
}

fn login_info(inner: &Inner, account: usize) -> Value {
    json!({ "failedLoginCount": inner.auth.failures(account), "loginCount": 1, "previousLoginTime": "2024-08-30T16:37:01.000+0000" })
}

fn log_in(inner: &Inner, request: &Request) -> Reply {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    match inner.auth.password(text("username"), text("password"), &inner.counters) {
        Ok(account) => {
            let id = inner.auth.open(Some(account), &inner.counters);
            let answer = json!({ "session": { "name": "JSESSIONID", "value": id }, "loginInfo": login_info(inner, account) });
            Reply::json(200, &answer).header("set-cookie", inner.session_cookie(&id))
        }
        Err(Login::Locked) => {
            let denied = inner.captcha_reason();
            Reply::error(403, "Login denied")
                .header("x-seraph-loginreason", "AUTHENTICATION_DENIED")
                .header("x-authentication-denied-reason", denied)
        }
        Err(_) => Reply::error(401, "Login failed").header("x-seraph-loginreason", "AUTHENTICATED_FAILED"),
    }
}

fn user_search(inner: &Inner, request: &Request) -> Reply {
    let Some(wanted) = request.parameter("username") else {
        return Reply::error(400, "The username query parameter was not provided");
    };
    let lower = wanted.to_lowercase();
    let inactive = request.parameter("includeInactive") == Some("true");
    let most = usize_of(request.number("maxResults", 50).min(1000));
    let start = usize_of(request.number("startAt", 0));
    let site = inner.site();
    let found: Vec<Value> = (site.catalog.users.iter())
        .filter(|user| user.listed && (user.active || inactive))
        .filter(|user| {
            let all = lower == "." || lower == "%" || lower.is_empty();
            let hit = |text: &str| text.to_lowercase().starts_with(&lower);
            all || hit(&user.name) || hit(&user.display) || user.email.as_deref().is_some_and(hit)
        })
        .skip(start)
        .take(most)
        .map(|user| site.catalog.user_bean(user))
        .collect();
    Reply::json(200, &found.into())
}

fn no_issue() -> Reply {
    Reply::error(404, "Issue Does Not Exist")
}

fn issue(inner: &Inner, request: &Request, account: Option<usize>, id: &str) -> Reply {
    let site = inner.site();
    let Some(slot) = site.find(id) else { return no_issue() };
    let expand = request.list("expand");
    let expands = |name: &str| expand.iter().any(|wanted| wanted == name);
    let selection = Selection::parse(&site, &request.list("fields"), "*all");
    let (names, schema) = search::names_and_schema(&site, &selection);
    let worklog_cap = inner.config.embedded_worklog_cap;
    let view =
        View { selection, changelog: expands("changelog"), worklog_cap, transitions: expands("transitions") };
    let mut out = String::new();
    site.write_issue(&mut out, slot, &view);
    let properties = request.list("properties").iter().any(|wanted| wanted == "*all");
    let properties = properties.then(|| Value::from(of_issue::properties(&site, slot)));
    let expansions = [("names", names), ("schema", schema)].into_iter().filter(|(name, _)| expands(name));
    for (name, map) in properties.map(|map| ("properties", map)).into_iter().chain(expansions) {
        out.pop();
        out += &format!(",\"{name}\":{map}}}");
    }
    zoned(inner, account, out)
}

fn comments(inner: &Inner, request: &Request, account: Option<usize>, id: &str) -> Reply {
    let site = inner.site();
    let Some(slot) = site.find(id) else { return no_issue() };
    let doc = site.doc(slot);
    let start = usize_of(request.number("startAt", 0));
    let most =
        usize_of(request.number("maxResults", inner.config.flavour.comment_page_default()).min(1_048_576));
    let mut out = String::new();
    site.write_envelope(&mut out, &doc, ("comments", &doc.comments), (start, most));
    zoned(inner, account, out)
}

fn worklogs(inner: &Inner, account: Option<usize>, id: &str) -> Reply {
    let site = inner.site();
    let Some(slot) = site.find(id) else { return no_issue() };
    let doc = site.doc(slot);
    let mut out = String::new();
    site.write_envelope(&mut out, &doc, ("worklogs", &doc.worklogs), (0, doc.worklogs.len()));
    zoned(inner, account, out)
}
