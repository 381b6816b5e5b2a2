//! The set-up of the site where Cloud tells it otherwise than Server: page beans, groups by id, contexts and options, labels, the audit log.

use serde_json::{Value, json};

use super::super::Inner;
use super::super::fields as f;
use super::super::site::Site;
use super::super::site_setup;
use super::bean::{Bean, Window};
use super::metadata::{self, shaped};
use super::{Visit, problems, users};
use crate::jira_sim::reply::Reply;

/// Records of the audit log: more than a page.
const RECORDS: u64 = 1_030;

/// The answer of a resource; `None` for another path.
pub(super) fn answer(visit: &Visit<'_>, segments: &[&str]) -> Option<Reply> {
    if let Some(refusal) = site_setup::refusal(visit.inner, segments) {
        return Some(if refusal.status == 401 {
            Reply::error(403, "Only administrators may do this.")
        } else {
            refusal
        });
    }
    let (path, list, of, cap) = match segments {
        ["filter", "search"] => ("filter/search", "filters", String::new(), 100),
        ["dashboard", "search"] => ("dashboard/search", "dashboards", String::new(), 100),
        ["label"] => ("label", "labels", String::new(), 1000),
        ["group", "bulk"] => ("group/bulk", "groups", String::new(), 50),
        ["group", "member"] => {
            let group = visit.request.parameter("groupId").unwrap_or_default().to_owned();
            ("group/member", "group_members", group, 50)
        }
        ["field", field, "context"] => ("field/context", "field_contexts", number(field)?, 50),
        ["field", field, "context", context, "option"] => {
            ("field/context/option", "field_options", format!("{}/{context}", number(field)?), 100)
        }
        ["workflows", "search"] => ("workflows/search", "workflows", String::new(), 200),
        ["issuetypescheme"] => ("issuetypescheme", "issue_type_schemes", String::new(), 50),
        ["screens"] => ("screens", "screens", String::new(), 100),
        ["notificationscheme"] => ("notificationscheme", "notification_schemes", String::new(), 50),
        _ => return single(visit, segments),
    };
    if visit.account.is_none() {
        return Some(problems::login_required(&visit.inner.base));
    }
    let window = match Window::of(visit, cap, cap) {
        Ok(window) => window,
        Err(reply) => return Some(reply),
    };
    let site = visit.inner.site();
    if list == "group_members" && group_of(&of).is_none() {
        return Some(Reply::error(404, "The group was not found."));
    }
    let mut all =
        named(visit.inner, &site, list, &of).unwrap_or_else(|| on_server(visit.inner, &site, list, &of));
    if list.starts_with("field_") && all.is_empty() {
        return Some(Reply::error(404, "The custom field was not found."));
    }
    let expand = visit.request.list("expand");
    for object in &mut all {
        without_unexpanded(list, object, &expand);
    }
    Some(Reply::json(200, &Bean { path, window }.of_all(visit, all)))
}

/// Resources that are no page beans.
fn single(visit: &Visit<'_>, segments: &[&str]) -> Option<Reply> {
    let site = visit.inner.site();
    let list = |list: &str, of: &str| named(visit.inner, &site, list, of).unwrap_or_default();
    let answer = match segments {
        ["permissionscheme", id, "permission"] => {
            json!({ "expand": "user,group,projectRole,field,all", "permissions": list("permission_grants", id) })
        }
        ["workflowscheme", "project"] => {
            let project = visit.request.parameter("projectId").unwrap_or_default();
            json!({ "values": list("workflow_schemes", project) })
        }
        ["project", project, "role", id] => {
            let actors = list("role_actors", &format!("{project}/{id}"));
            if actors.is_empty() {
                return Some(Reply::error(404, "The project role was not found."));
            }
            let id: u64 = id.parse().ok()?;
            json!({ "self": format!("{}/rest/api/3/project/{project}/role/{id}", site.catalog.base), "name": "Role", "id": id, "actors": actors })
        }
        ["auditing", "record"] => audit_page(visit, list("audit_records", "")),
        _ => return None,
    };
    if visit.account.is_none() {
        return Some(problems::login_required(&visit.inner.base));
    }
    Some(Reply::json(200, &answer))
}

fn audit_page(visit: &Visit<'_>, all: Vec<Value>) -> Value {
    let request = visit.request;
    let (offset, limit) = (request.number("offset", 0), request.number("limit", 1000).clamp(1, 1000));
    let total = all.len();
    let most = Window {
        start: usize::try_from(offset).unwrap_or(usize::MAX),
        most: usize::try_from(limit).unwrap_or(1000),
    };
    json!({ "offset": offset, "limit": limit, "total": total, "records": most.cut(all) })
}

/// The objects of a list that Cloud shows in a form of its own; `None` for a list that it shows as Server does.
pub(crate) fn named(inner: &Inner, site: &Site, list: &str, of: &str) -> Option<Vec<Value>> {
    let server = |list: &str, of: &str| on_server(inner, site, list, of);
    Some(match list {
        "permission_grants" => server(list, of).into_iter().map(grant).collect(),
        "issue_type_schemes" => (0..60).map(issue_type_scheme).collect(),
        "workflows" => (0..3).map(workflow).collect(),
        "workflow_schemes" => workflow_scheme(site, &server(list, of), of),
        "groups" => {
            site_setup::GROUPS.map(|name| json!({ "name": name, "groupId": users::uuid(name) })).to_vec()
        }
        "group_members" => group_of(of).map(|name| server(list, name)).unwrap_or_default(),
        "role_actors" => server(list, of).into_iter().map(|actor| role_actor(site, &actor)).collect(),
        "server_info" => vec![metadata::server_info_object(inner)],
        "filters" => filters(inner, site),
        "dashboards" => server(list, of).into_iter().map(|dashboard| dashboard_of(site, dashboard)).collect(),
        "labels" => labels(site),
        "field_contexts" => contexts(site, of),
        "field_options" => options(inner, site, of),
        "audit_records" => (0..RECORDS).rev().map(audit_record).collect(),
        _ => return None,
    })
}

/// The objects of any list of the site as Cloud shows it.
pub(crate) fn list_of(inner: &Inner, site: &Site, list: &str, of: &str) -> Vec<Value> {
    named(inner, site, list, of).unwrap_or_else(|| on_server(inner, site, list, of))
}

/// The objects of a list as Server shows it, people and addresses in Cloud's form.
fn on_server(inner: &Inner, site: &Site, list: &str, of: &str) -> Vec<Value> {
    let all = site_setup::list_of(inner, site, list, of);
    all.iter().map(|object| shaped(site, &object.to_string())).collect()
}

/// The number of a custom field.
fn number(field: &str) -> Option<String> {
    field.strip_prefix("customfield_").map(str::to_owned)
}

/// The group of an id.
fn group_of(id: &str) -> Option<&'static str> {
    site_setup::GROUPS.into_iter().find(|name| users::uuid(name) == id)
}

/// Takes out what is shown only on request.
fn without_unexpanded(list: &str, object: &mut Value, expand: &[String]) {
    let on_request: &[(&str, &str)] = match list {
        "filters" => &[
            ("description", "description"),
            ("owner", "owner"),
            ("jql", "jql"),
            ("favourite", "favourite"),
            ("viewUrl", "viewUrl"),
            ("searchUrl", "searchUrl"),
            ("sharePermissions", "sharePermissions"),
        ],
        "dashboards" => &[("description", "description"), ("owner", "owner"), ("viewUrl", "view")],
        _ => &[],
    };
    let hidden = on_request.iter().filter(|(name, _)| !expand.iter().any(|wanted| wanted == name));
    for (_, member) in hidden {
        if let Some(members) = object.as_object_mut() {
            members.remove(*member);
        }
    }
}

fn grant(mut grant: Value) -> Value {
    let holder = &mut grant["holder"];
    let parameter = holder["parameter"].as_str().unwrap_or_default().to_owned();
    match holder["type"].as_str() {
        Some("group") => holder["value"] = users::uuid(&parameter).into(),
        Some("user") => {
            holder["parameter"] = users::account_id(&parameter).into();
            holder["value"] = holder["parameter"].clone();
        }
        Some("projectRole") => holder["value"] = parameter.into(),
        _ => {}
    }
    grant
}

fn issue_type_scheme(at: u64) -> Value {
    let mut scheme = json!({ "id": (10_100 + at).to_string(), "name": format!("Types {at}"), "description": "Of a kind." });
    if at == 0 {
        scheme["isDefault"] = true.into();
    } else {
        scheme["defaultIssueTypeId"] = "10001".into();
    }
    scheme
}

fn workflow(at: u64) -> Value {
    let scope = if at == 2 {
        json!({ "type": "PROJECT", "project": { "id": "10000" } })
    } else {
        json!({ "type": "GLOBAL" })
    };
    let mut workflow = json!({
        "id": users::uuid(&format!("workflow {at}")), "name": if at == 2 { "Abl\u{e4}ufe 0".to_owned() } else { format!("Abl\u{e4}ufe {at}") },
        "description": "", "scope": scope, "isEditable": at > 0, "version": { "id": users::uuid("version"), "versionNumber": at },
        "statuses": [
            { "statusReference": "1", "deprecated": false, "layout": { "x": 0.5, "y": -7.25 }, "properties": {} },
            { "statusReference": "3", "deprecated": false, "properties": { "jira.issue.editable": "false" } },
        ],
        "transitions": [],
    });
    if at > 0 {
        workflow["created"] = "2023-11-02T09:01:02.345+0000".into();
        workflow["updated"] = "2024-01-07T23:59:59.999+0000".into();
    }
    workflow
}

/// The scheme of a project with the projects that use it; the default one has no id, and a team-managed project has none.
fn workflow_scheme(site: &Site, schemes: &[Value], project: &str) -> Vec<Value> {
    let place = site.catalog.find_project(project).unwrap_or_default();
    let mut schemes = schemes.to_vec();
    for scheme in &mut schemes {
        if let Some(members) = scheme.as_object_mut().filter(|_| place == 1) {
            members.remove("id");
        }
    }
    schemes.retain(|_| place != 2);
    schemes.into_iter().map(|scheme| json!({ "projectIds": [project], "workflowScheme": scheme })).collect()
}

fn role_actor(site: &Site, actor: &Value) -> Value {
    let name = actor["name"].as_str().unwrap_or_default();
    let mut shown = json!({ "id": actor["id"], "type": actor["type"], "displayName": actor["displayName"] });
    if actor["type"] == "atlassian-group-role-actor" {
        shown["name"] = name.into();
        shown["actorGroup"] = json!({ "name": name, "displayName": name, "groupId": users::uuid(name) });
    } else {
        let user = site.catalog.users.iter().find(|user| user.name == name);
        let identity = user.map_or(name, |user| user.identity());
        shown["actorUser"] = json!({ "accountId": users::account_id(identity) });
    }
    shown
}

/// Favourites and those of boards: all that the account sees.
fn filters(inner: &Inner, site: &Site) -> Vec<Value> {
    let of_boards =
        (1..=site.catalog.projects.len() * 2).map(|board| site_setup::BOARD_FILTER + board as u64);
    let of_boards = of_boards.flat_map(|id| on_server(inner, site, "board_filters", &id.to_string()));
    let mut all: Vec<Value> = on_server(inner, site, "filters", "").into_iter().chain(of_boards).collect();
    for filter in &mut all {
        if let Some(members) = filter.as_object_mut() {
            members.remove("editable");
        }
        filter["expand"] = "description,owner,jql,viewUrl,searchUrl,favourite,sharePermissions".into();
    }
    all
}

fn dashboard_of(site: &Site, mut dashboard: Value) -> Value {
    dashboard["description"] = "All at a glance".into();
    dashboard["isFavourite"] = false.into();
    dashboard["sharePermissions"] = json!([]);
    if let Some(user) = site.catalog.users.first() {
        let owner = shaped(site, &site.catalog.user_json(user).to_string());
        // Only what the bean of a dashboard's owner has.
        dashboard["owner"] = json!({ "accountId": owner["accountId"], "displayName": owner["displayName"], "active": owner["active"], "self": owner["self"] });
    }
    dashboard
}

/// Every label of an issue that lives.
fn labels(site: &Site) -> Vec<Value> {
    let of = |slot: u32| {
        let doc = site.doc(slot);
        serde_json::from_str::<Vec<String>>(doc.get(f::LABELS).unwrap_or("[]")).unwrap_or_default()
    };
    let all: std::collections::BTreeSet<String> = site.living().flat_map(of).collect();
    all.into_iter().map(Value::from).collect()
}

/// The contexts of a field: two where it offers options; none for a field of one project.
fn contexts(site: &Site, field: &str) -> Vec<Value> {
    let id = format!("customfield_{field}");
    let all = metadata::fields(site);
    let Some(found) = all.iter().find(|known| known["id"] == id.as_str() && known["scope"].is_null()) else {
        return Vec::new();
    };
    let kind = found["schema"]["custom"].as_str().unwrap_or_default();
    let count = if kind.ends_with("select") { 2 } else { 1 };
    let first: u64 = field.parse().unwrap_or_default();
    let context = |at: u64| json!({ "id": (first * 10 + at).to_string(), "name": format!("Context {at}"), "description": "", "isGlobalContext": at == 0, "isAnyIssueType": at == 0 });
    (0..count).map(context).collect()
}

/// The options of a context, `of` as `FIELD/CONTEXT`: more than a page in the first, two in the second.
fn options(inner: &Inner, site: &Site, of: &str) -> Vec<Value> {
    let Some((field, context)) = of.split_once('/') else { return Vec::new() };
    let second = context.ends_with('1');
    let mut all = Vec::new();
    for option in site_setup::named(inner, site, "field_options", field).iter().take(if second {
        2
    } else {
        usize::MAX
    }) {
        let id = option["id"].as_u64().unwrap_or_default() + u64::from(second) * 300;
        all.push(json!({ "id": id.to_string(), "value": option["value"], "disabled": option["disabled"] }));
        for child in option["childrenIds"].as_array().into_iter().flatten().filter(|_| !second) {
            all.push(json!({ "id": child.to_string(), "value": "a city", "optionId": id.to_string(), "disabled": false }));
        }
    }
    if all.is_empty() {
        return all;
    }
    // As many again as one page holds.
    let first: u64 = all.len() as u64;
    let more = if second { 0 } else { 60 };
    let base = field.parse::<u64>().unwrap_or_default() * 1000 + 700;
    all.extend(
        (0..more).map(|at| json!({ "id": (base + at).to_string(), "value": format!("More {}", first + at) })),
    );
    all
}

fn audit_record(at: u64) -> Value {
    let mut record = json!({
        "id": 50_000 + at, "summary": "User created", "remoteAddress": "192.0.2.9", "authorKey": "administrator", "authorAccountId": users::account_id("JIRAUSER10100"),
        "created": format!("2025-{:02}-{:02}T07:{:02}:{:02}.967+0000", at % 12 + 1, at % 28 + 1, at / 60 % 60, at % 60), "category": "user management",
        "eventSource": "", "description": "", "objectItem": { "id": format!("u{at}"), "name": "a user", "typeName": "USER", "parentId": "1", "parentName": "Jira Internal Directory" },
        "changedValues": [{ "fieldName": "email", "changedFrom": "", "changedTo": "new@example.com" }],
        "associatedItems": [{ "id": "x", "name": "x", "typeName": "GROUP", "parentId": "1", "parentName": "Jira Internal Directory" }],
    });
    if let Some(members) = record.as_object_mut().filter(|_| at.is_multiple_of(4)) {
        for absent in [
            "authorKey",
            "authorAccountId",
            "remoteAddress",
            "changedValues",
            "associatedItems",
            "description",
        ] {
            members.remove(absent);
        }
    }
    record
}
