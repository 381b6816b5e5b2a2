//! What a Cloud site says about itself: server, account, fields, projects, workflow, users.

use serde_json::{Value, json};

use super::super::catalog::Named;
use super::super::doc::push_bare_time;
use super::super::fields::FieldDef;
use super::super::service_desk;
use super::super::site::Site;
use super::super::{site_lists, site_setup};
use super::bean::{Bean, Window};
use super::issue::{shape, third_version};
use super::{Inner, Visit, problems, users};
use crate::jira_sim::reply::Reply;

/// `GET serverInfo`.
pub(super) fn server_info(visit: &Visit<'_>) -> Reply {
    Reply::json(200, &server_info_object(visit.inner))
}

/// The object of `serverInfo`, its time in UTC.
pub(crate) fn server_info_object(inner: &Inner) -> Value {
    let mut time = String::new();
    push_bare_time(&mut time, inner.clock.now_ms());
    let flavour = inner.config.flavour;
    json!({
        "baseUrl": inner.base, "version": flavour.version(), "versionNumbers": [1001, 0, 0], "deploymentType": "Cloud",
            "buildNumber": flavour.build_number(), "buildDate": "2026-01-12T12:59:12.000+0000", "serverTime": format!("{time}+0000"),
            "scmInfo": "948b370c557f4bbf768b92203f3aca5d86ee9758", "serverTitle": "Simulated Jira Cloud", "defaultLocale": { "locale": "en_US" },
            "serverTimeZone": "Etc/UTC",
    })
}

/// The account id of somebody who may log in.
pub(super) fn own_account_id(email: &str) -> String {
    users::account_id(&format!("login:{}", email.to_lowercase()))
}

/// `GET myself`.
pub(super) fn myself(visit: &Visit<'_>) -> Reply {
    let Some(account) = visit.account else { return problems::login_required(&visit.inner.base) };
    let known = visit.inner.auth.account(account);
    let id = own_account_id(&known.username);
    let encoded: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    Reply::json(
        200,
        &json!({
            "self": format!("{}/rest/api/3/user?accountId={encoded}", visit.inner.base), "accountId": id, "accountType": "atlassian",
            "emailAddress": known.username, "avatarUrls": users::avatars(&id), "displayName": "The Reader", "active": true,
            "timeZone": known.time_zone, "locale": "en_US", "groups": { "size": 1, "items": [] },
            "applicationRoles": { "size": 1, "items": [] }, "expand": "groups,applicationRoles",
        }),
    )
}

/// A value of the Server's JSON in Cloud's shape.
pub(crate) fn shaped(site: &Site, json: &str) -> Value {
    let text = third_version(json, &site.catalog.base);
    let mut value = serde_json::from_str(&text).unwrap_or_default();
    shape(&mut value, &site.catalog.base);
    value
}

/// The objects of `/status`, `/priority`, `/resolution` or `/issuetype`; none for another name.
pub(crate) fn named(site: &Site, resource: &str) -> Vec<Value> {
    let catalog = &site.catalog;
    let list: &[Named] = match resource {
        "status" => &catalog.statuses,
        "priority" => &catalog.priorities,
        "resolution" => &catalog.resolutions,
        "issuetype" => &catalog.types,
        _ => &[],
    };
    list.iter().map(|named| shaped(site, catalog.json_of(named.json))).collect()
}

/// The objects of `/field`, with the fields that only Cloud lists.
pub(crate) fn fields(site: &Site) -> Vec<Value> {
    let listed = site.catalog.fields.iter().filter(|field| field.listed || field.id == "parent");
    listed.map(field).collect()
}

fn field(field: &FieldDef) -> Value {
    let mut object = field.json();
    object["key"] = field.id.clone().into();
    if field.schema.as_ref().is_some_and(|schema| schema["items"] == "string" && is_sprint(schema)) {
        object["schema"]["items"] = "json".into();
    }
    // A field of a team-managed project belongs to that project alone.
    if field.custom && field.id.ends_with("56") {
        object["scope"] = json!({ "type": "PROJECT", "project": { "id": "10000" } });
    }
    object
}

fn is_sprint(schema: &Value) -> bool {
    schema["custom"].as_str().is_some_and(|custom| custom.ends_with(":gh-sprint"))
}

/// The objects of `/project/search` of one status: `live`, `archived` or `deleted`.
pub(crate) fn projects(site: &Site, status: &str) -> Vec<Value> {
    let base = &site.catalog.base;
    let unused = |id: u64, key: &str, member: &str| {
        let mut project = json!({
            "self": format!("{base}/rest/api/3/project/{id}"), "id": id.to_string(), "key": key, "name": format!("{member} project"),
            "projectTypeKey": "software", "description": "", "avatarUrls": {},
        });
        project[member] = true.into();
        project
    };
    let mut list = match status {
        "live" => {
            let all = site.catalog.projects.iter();
            all.map(|project| shaped(site, &site.catalog.project_bean(project).to_string())).collect()
        }
        "archived" => vec![unused(19_001, "OLD", "archived")],
        "deleted" => vec![unused(19_002, "BIN", "deleted")],
        _ => Vec::new(),
    };
    for project in &mut list {
        project["simplified"] = false.into();
        project["style"] = "classic".into();
        project["isPrivate"] = false.into();
        project["properties"] = json!({});
        project["uuid"] = users::uuid(project["key"].as_str().unwrap_or_default()).into();
    }
    list
}

/// `GET project/search`.
pub(super) fn project_search(visit: &Visit<'_>) -> Reply {
    let window = match Window::of(visit, 50, 100) {
        Ok(window) => window,
        Err(reply) => return reply,
    };
    let site = visit.inner.site();
    let wanted = visit.request.list("status");
    let expand = visit.request.list("expand");
    let mut found = Vec::new();
    for status in ["live", "archived", "deleted"] {
        let asked = if wanted.is_empty() { status == "live" } else { wanted.iter().any(|one| one == status) };
        if asked && visit.account.is_some() {
            found.extend(projects(&site, status));
        }
    }
    for project in &mut found {
        for member in ["description", "lead"] {
            if !expand.iter().any(|wanted| wanted == member)
                && let Some(members) = project.as_object_mut()
            {
                members.remove(member);
            }
        }
    }
    if visit.account.is_none() {
        let empty =
            json!({ "values": [], "maxResults": window.most, "startAt": 0, "total": 0, "isLast": true });
        return Reply::json(200, &empty);
    }
    Reply::json(200, &Bean { path: "project/search", window }.of_all(visit, found))
}

/// `GET project/{id}`.
pub(super) fn project(visit: &Visit<'_>, wanted: &str) -> Reply {
    let site = visit.inner.site();
    match visit.account.and_then(|_| site.catalog.find_project(wanted)) {
        Some(at) => {
            let bean = site.catalog.project_bean(&site.catalog.projects[usize::from(at)]);
            Reply::json(200, &shaped(&site, &bean.to_string()))
        }
        None => Reply::error(404, &format!("No project could be found with key '{wanted}'.")),
    }
}

/// The users of the directory, active and inactive.
pub(crate) fn directory(site: &Site) -> Vec<Value> {
    let listed = site.catalog.users.iter().filter(|user| user.listed);
    listed.map(|user| shaped(site, &site.catalog.user_json(user).to_string())).collect()
}

/// `GET users/search` (all) and `GET user/search` (active ones whose name or address begins so).
pub(super) fn user_search(visit: &Visit<'_>, all: bool) -> Reply {
    if visit.account.is_none() {
        return Reply::error(403, "You do not have permission to browse users.");
    }
    let query = visit.request.parameter("query").map(str::to_lowercase);
    if !all && query.is_none() {
        return Reply::error(400, "A query parameter must be given.");
    }
    let window = match Window::of(visit, 50, 1000) {
        Ok(window) => window,
        Err(reply) => return reply,
    };
    let hit = |user: &Value, query: &str| {
        ["displayName", "emailAddress"]
            .iter()
            .any(|name| user[*name].as_str().is_some_and(|text| text.to_lowercase().starts_with(query)))
    };
    let mut found = directory(&visit.inner.site());
    if let Some(query) = query.filter(|_| !all) {
        found.retain(|user| user["active"] == true && hit(user, &query));
        found.truncate(1000);
    }
    Reply::json(200, &window.cut(found).into())
}

/// The page beans of metadata.
pub(super) fn bean(visit: &Visit<'_>, path: &str) -> Reply {
    let (cap, site) = (if path == "statuses/search" { 200 } else { 50 }, visit.inner.site());
    let window = match Window::of(visit, cap, cap.max(100)) {
        Ok(window) => window,
        Err(reply) => return reply,
    };
    if visit.account.is_none() {
        return problems::login_required(&visit.inner.base);
    }
    let list = match path {
        "field/search" => fields(&site).into_iter().filter(|field| field["scope"].is_null()).collect(),
        "statuses/search" => named(&site, "status").iter().map(status_detail).collect(),
        "priority/search" => named(&site, "priority"),
        _ => named(&site, "resolution"),
    };
    let list =
        list.into_iter().map(|object| if path == "field/search" { bare_field(&object) } else { object });
    Reply::json(200, &Bean { path, window }.of_all(visit, list.collect()))
}

/// The object of `field/search`.
fn bare_field(field: &Value) -> Value {
    let mut bare = json!({ "id": field["id"], "name": field["name"], "description": "" });
    if !field["schema"].is_null() {
        bare["schema"] = field["schema"].clone();
    }
    bare
}

/// The object of `statuses/search`.
fn status_detail(status: &Value) -> Value {
    let category = match status["statusCategory"]["key"].as_str() {
        Some("new") => "TODO",
        Some("done") => "DONE",
        _ => "IN_PROGRESS",
    };
    json!({
        "id": status["id"], "name": status["name"], "description": status["description"], "statusCategory": category,
        "scope": { "type": "GLOBAL" },
    })
}

/// Bare lists and single objects of metadata.
pub(super) fn plain(visit: &Visit<'_>, segments: &[&str]) -> Reply {
    let site = visit.inner.site();
    match segments {
        ["field"] => Reply::json(200, &fields(&site).into()),
        ["issueLinkType"] => {
            let types = &site.catalog.link_types;
            let list: Vec<Value> =
                types.iter().map(|kind| shaped(&site, site.catalog.json_of(kind.json))).collect();
            Reply::json(200, &json!({ "issueLinkTypes": list }))
        }
        [resource @ ("status" | "priority" | "resolution" | "issuetype")] => {
            let seen = if visit.account.is_some() { named(&site, resource) } else { Vec::new() };
            Reply::json(200, &seen.into())
        }
        _ => match site_lists::platform(visit.inner, visit.request, segments)
            .or_else(|| site_setup::platform(visit.inner, visit.request, segments))
        {
            Some(reply) => on_cloud(&site, reply),
            None => problems::problem(visit.request, 404, "Not Found", "No message available"),
        },
    }
}

/// The resources of Jira Software, which are those of Server but for the people in them.
pub(super) fn agile(visit: &Visit<'_>, path: &str) -> Reply {
    let reply = site_lists::agile(visit.inner, visit.request, visit.account, path);
    on_cloud(&visit.inner.site(), reply)
}

/// The resources of Jira Service Management, likewise.
pub(super) fn service_desk(visit: &Visit<'_>, path: &str) -> Reply {
    let reply = service_desk::answer(visit.inner, visit.request, visit.account, path);
    on_cloud(&visit.inner.site(), reply)
}

/// An answer of Server in the shapes of Cloud.
pub(super) fn on_cloud(site: &Site, mut reply: Reply) -> Reply {
    if reply.is_json() {
        reply.body = shaped(site, &String::from_utf8_lossy(&reply.body)).to_string().into_bytes();
    }
    reply
}
