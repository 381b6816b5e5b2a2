//! How the simulated site is set up, and who may do what in it: schemes, workflows, screens, groups, roles, options, the audit log.

use serde_json::{Value, json};

use super::Inner;
use super::catalog::{Catalog, Project};
use super::config::Flavour;
use super::fields::Shape;
use super::reply::Reply;
use super::rest::{self, Request};
use super::search::usize_of;
use super::site::Site;
use super::site_lists::{page, parsed};
use super::{agile_issues, service_desk, site_lists};

/// Rows that Jira gives in one page of these resources.
const PAGE: u64 = 50;
/// Events of the audit log in one page.
const EVENTS_PAGE: u64 = 200;
/// Screens: more than a page.
const SCREENS: u64 = 120;
/// Schemes of permissions and notifications: more than a page.
const SCHEMES: std::ops::Range<u64> = 10_000..10_060;
/// Roles that people have in every project.
pub(crate) const ROLES: [(u64, &str); 2] = [(10002, "Administrators"), (10100, "Developers")];

/// The answer of a resource of the platform; `None` for another path.
pub(crate) fn platform(inner: &Inner, request: &Request, segments: &[&str]) -> Option<Reply> {
    if let Some(refusal) = refusal(inner, segments) {
        return Some(refusal);
    }
    let site = inner.site();
    let list = |list: &str, of: &str| named(inner, &site, list, of);
    let answer = match segments {
        ["permissionscheme"] => json!({ "permissionSchemes": list("permission_schemes", "") }),
        ["permissionscheme", id, "permission"] => {
            if !SCHEMES.contains(&id.parse().unwrap_or_default()) {
                return Some(Reply::error(
                    404,
                    &format!("The permission scheme with id {id} does not exist."),
                ));
            }
            json!({ "expand": "user,group,projectRole,field,all", "permissions": list("permission_grants", id) })
        }
        ["notificationscheme"] => capped(list("notification_schemes", ""), request),
        ["issuetypescheme"] => json!({ "schemes": list("issue_type_schemes", "") }),
        ["workflow"] => list("workflows", "").into(),
        ["screens"] => windowed(list("screens", ""), request).into(),
        ["groups", "picker"] => groups_picker(inner, list("groups", ""), request),
        ["group", "member"] => {
            let group = request.parameter("groupname").unwrap_or_default();
            if !GROUPS.contains(&group) {
                return Some(Reply::error(404, &format!("The group named '{group}' does not exist.")));
            }
            capped(list("group_members", group), request)
        }
        ["applicationrole"] => list("application_roles", "").into(),
        ["configuration"] => configuration(),
        ["filter", id] => match list("board_filters", id).pop() {
            Some(filter) => filter,
            None => {
                let gone = "The selected filter is not available to you, perhaps it has been deleted or had its permissions changed.";
                return Some(Reply::error(400, gone));
            }
        },
        ["customFields", id, "options"] if inner.config.flavour == Flavour::V10_3 => {
            let all = list("field_options", id);
            if all.is_empty() {
                return Some(Reply::error(404, &format!("The custom field was not found: {id}")));
            }
            numbered(all, request)
        }
        ["project", wanted, "role"] => match site.catalog.find_project(wanted) {
            Some(at) => role_addresses(&site.catalog, &site.catalog.projects[usize::from(at)]),
            None => return Some(no_project(wanted)),
        },
        ["project", wanted, "role", id] => {
            let at = site.catalog.find_project(wanted);
            let role = ROLES.iter().find(|(known, _)| known.to_string() == **id);
            let (Some(at), Some((id, name))) = (at, role) else { return Some(no_project(wanted)) };
            let project = &site.catalog.projects[usize::from(at)];
            json!({
                "self": format!("{}/rest/api/2/project/{}/role/{id}", site.catalog.base, project.id), "name": name, "id": id,
                "description": "", "actors": list("role_actors", &format!("{}/{id}", project.id)),
            })
        }
        ["project", wanted, "workflowscheme"] => match list("workflow_schemes", wanted).pop() {
            Some(scheme) => scheme,
            None => return Some(no_project(wanted)),
        },
        _ => return None,
    };
    Some(Reply::json(200, &answer))
}

/// What an account that is no administrator gets: 401 from the oldest resources, although it is logged in, else 403.
pub(crate) fn refusal(inner: &Inner, segments: &[&str]) -> Option<Reply> {
    if inner.config.administrators {
        return None;
    }
    match segments {
        ["workflow" | "screens"] => {
            Some(Reply::error(401, "You must have global administrator rights in order to do this."))
        }
        ["issuetypescheme" | "applicationrole"]
        | ["group", "member" | "bulk"]
        | ["workflows" | "auditing" | "workflowscheme" | "field", _, ..]
        | ["project", _, "workflowscheme"] => Some(Reply::error(403, "You are not an administrator.")),
        ["project", _, "role", ..] => Some(Reply::error(404, "You cannot view this project role.")),
        _ => None,
    }
}

fn no_project(wanted: &str) -> Reply {
    Reply::error(404, &format!("No project could be found with key '{wanted}'."))
}

/// The events of the audit log, newest first.
pub(crate) fn audit_events(inner: &Inner, request: &Request, account: Option<usize>) -> Reply {
    if account.is_none() || !inner.config.administrators {
        return Reply::error(403, "You do not have permission to view the audit log.");
    }
    let site = inner.site();
    let all = named(inner, &site, "audit_records", "");
    let (start, most) = (request.number("offset", 0), request.number("limit", EVENTS_PAGE).min(EVENTS_PAGE));
    let total = all.len();
    let entities: Vec<Value> = all.into_iter().skip(usize_of(start)).take(usize_of(most)).collect();
    let last = usize_of(start) + entities.len() >= total;
    let mut paging = json!({ "lastPage": last, "size": entities.len() });
    if !last {
        paging["nextPageOffset"] = (usize_of(start) + entities.len()).into();
    }
    Reply::json(200, &json!({ "entities": entities, "pagingInfo": paging }))
}

/// The objects of any list of the site by its name; `of` is what it is asked for. Empty for another name.
pub(crate) fn list_of(inner: &Inner, site: &Site, list: &str, of: &str) -> Vec<Value> {
    let known = match list {
        "board_issues" | "backlog_issues" | "sprint_issues" => {
            agile_issues::list_of(site, list, of.parse().unwrap_or_default())
        }
        "service_desks" | "request_types" | "jsm_organizations" | "queues" => {
            service_desk::list_of(&site.catalog, list, of)
        }
        _ => site_lists::named(&site.catalog, list, of),
    };
    if known.is_empty() { named(inner, site, list, of) } else { known }
}

/// The objects of a list of the set-up by its name; `of` is what it is asked for. Empty for another name.
pub(crate) fn named(inner: &Inner, site: &Site, list: &str, of: &str) -> Vec<Value> {
    let catalog = &site.catalog;
    let base = &catalog.base;
    let project = || catalog.find_project(of).map(|at| &catalog.projects[usize::from(at)]);
    match list {
        "permission_schemes" => schemes(base, "permissionscheme"),
        "permission_grants" => grants(base, of),
        "notification_schemes" => schemes(base, "notificationscheme"),
        "issue_type_schemes" => issue_type_schemes(catalog),
        "workflows" => workflows(),
        "workflow_schemes" => project().map(|project| workflow_scheme(catalog, project)).into_iter().collect(),
        "screens" => (1..=SCREENS)
            .map(|id| json!({ "id": id, "name": format!("Screen {id} \u{2013} \u{fc}"), "description": if id.is_multiple_of(2) { "" } else { "A screen." } }))
            .collect(),
        "groups" => GROUPS.map(|name| json!({ "name": name, "html": name, "labels": [] })).to_vec(),
        "group_members" => members(catalog, of),
        "role_actors" => role_actors(catalog, of),
        "application_roles" => vec![application_role()],
        "server_info" => vec![rest::server_info_object(inner)],
        "configuration" => vec![configuration()],
        "board_filters" => board_filter(catalog, of).into_iter().collect(),
        "field_options" => options(catalog, of),
        "epics" => epics(site, of),
        "audit_records" => (0..450).rev().map(audit_event).collect(),
        _ => Vec::new(),
    }
}

/// The groups of the site.
pub(crate) const GROUPS: [&str; 4] =
    ["jira-administrators", "jira-software-users", "R&D = \u{e4}lle", "empty"];

/// A page bean of at most [`PAGE`] rows.
fn capped(all: Vec<Value>, request: &Request) -> Value {
    page(all, request, true)
}

/// A part of a bare list: at most a hundred elements.
fn windowed(all: Vec<Value>, request: &Request) -> Vec<Value> {
    let (start, most) = (request.number("startAt", 0), request.number("maxResults", 100).min(100));
    all.into_iter().skip(usize_of(start)).take(usize_of(most)).collect()
}

/// A page by its number, counted from 1.
fn numbered(all: Vec<Value>, request: &Request) -> Value {
    let (number, most) = (request.number("page", 1).max(1), request.number("maxResults", PAGE).min(PAGE));
    let total = all.len();
    let skip = usize_of((number - 1) * most);
    let options: Vec<Value> = all.into_iter().skip(skip).take(usize_of(most)).collect();
    json!({ "options": options, "total": total })
}

/// `GET groups/picker`: no more groups than the site's property allows, and how many there are.
fn groups_picker(inner: &Inner, all: Vec<Value>, request: &Request) -> Value {
    let total = all.len();
    let most = request.number("maxResults", 20).min(inner.config.group_picker_limit);
    let groups: Vec<Value> = all.into_iter().take(usize_of(most)).collect();
    json!({ "header": format!("Showing {} of {total} matching groups", groups.len()), "total": total, "groups": groups })
}

fn schemes(base: &str, resource: &str) -> Vec<Value> {
    let scheme = |id: u64| json!({ "id": id, "self": format!("{base}/rest/api/2/{resource}/{id}"), "name": format!("Scheme {id}, \u{fc}"), "description": if id.is_multiple_of(3) { "" } else { "For all." } });
    SCHEMES.map(scheme).collect()
}

/// Who a permission is granted to: type and parameter. Ids of grants are unique in the whole site.
const HOLDERS: [(&str, Option<&str>); 5] = [
    ("projectRole", Some("10002")),
    ("group", Some("jira-administrators")),
    ("user", Some("JIRAUSER10100")),
    ("reporter", None),
    ("anyone", None),
];

fn grants(base: &str, scheme: &str) -> Vec<Value> {
    let Some(scheme) = scheme.parse().ok().filter(|scheme| SCHEMES.contains(scheme)) else {
        return Vec::new();
    };
    let grant = |(at, (kind, parameter)): (u64, &(&str, Option<&str>))| {
        let id = scheme * 10 + at;
        let mut holder = json!({ "type": kind });
        if let Some(parameter) = parameter {
            holder["parameter"] = (*parameter).into();
            holder["expand"] = (*kind).into();
        }
        let permission = if at % 2 == 0 { "BROWSE_PROJECTS" } else { "ADMINISTER_PROJECTS" };
        json!({
            "id": id, "self": format!("{base}/rest/api/2/permissionscheme/{scheme}/permission/{id}"), "holder": holder, "permission": permission,
        })
    };
    (0..).zip(&HOLDERS).map(grant).collect()
}

fn issue_type_schemes(catalog: &Catalog) -> Vec<Value> {
    let types: Vec<_> = catalog.types.iter().map(|kind| kind.json).collect();
    let types = parsed(catalog, &types);
    let scheme = |at: usize| {
        let id = 10_100 + at;
        let mut scheme = json!({
            "id": id.to_string(), "self": format!("{}/rest/api/2/issuetypescheme/{id}", catalog.base), "name": format!("Types {at}"), "description": "",
            "issueTypes": types,
        });
        if let Some(default) = types.first().filter(|_| at > 0) {
            scheme["defaultIssueType"] = default.clone();
        }
        scheme
    };
    (0..3).map(scheme).collect()
}

fn workflows() -> Vec<Value> {
    let workflow = |name: &str, steps: u64, default: bool| json!({ "name": name, "description": format!("{name}, described."), "steps": steps, "default": default });
    let mut all = vec![workflow("jira", 5, true), workflow("Abl\u{e4}ufe, alle", 9, false)];
    all[1]["lastModifiedDate"] = "03/Mar/24 2:14 PM".into();
    all[1]["lastModifiedUser"] = "admin".into();
    all
}

fn workflow_scheme(catalog: &Catalog, project: &Project) -> Value {
    let id = 10_200 + project.id % 7;
    let mappings: serde_json::Map<String, Value> =
        catalog.types.iter().take(2).map(|kind| (kind.id.to_string(), "Abl\u{e4}ufe, alle".into())).collect();
    json!({
        "id": id, "self": format!("{}/rest/api/2/workflowscheme/{id}", catalog.base), "name": format!("Workflows {id}"), "description": "Who may go where.",
        "defaultWorkflow": "jira", "draft": false, "issueTypeMappings": mappings,
    })
}

fn members(catalog: &Catalog, group: &str) -> Vec<Value> {
    let most = match group {
        "jira-administrators" => 2,
        "jira-software-users" => usize::MAX,
        "R&D = \u{e4}lle" => 7,
        _ => 0,
    };
    let listed = catalog.users.iter().filter(|user| user.listed && user.key.is_some());
    listed.take(most).map(|user| catalog.user_json(user)).collect()
}

fn role_addresses(catalog: &Catalog, project: &Project) -> Value {
    let roles = ROLES.iter();
    let address = |id: u64| format!("{}/rest/api/2/project/{}/role/{id}", catalog.base, project.id);
    roles
        .map(|(id, name)| ((*name).to_owned(), Value::from(address(*id))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The actors of a role in a project: a group in each, and users among the developers.
fn role_actors(catalog: &Catalog, of: &str) -> Vec<Value> {
    let numbers = of.split_once('/').map(|(project, role)| (project.parse::<u64>(), role.parse::<u64>()));
    let Some((Ok(project), Ok(role))) = numbers else { return Vec::new() };
    let actor = |at: u64, kind: &str, name: &str, display: &str| {
        json!({
            "id": project * 100 + role % 90 + at, "type": format!("atlassian-{kind}-role-actor"), "name": name, "displayName": display,
            "avatarUrl": format!("{}/secure/useravatar?size=xsmall&avatarId=10122", catalog.base),
        })
    };
    let mut actors = vec![actor(0, "group", GROUPS[0], GROUPS[0])];
    if role == ROLES[1].0 {
        let users = catalog.users.iter().filter(|user| user.listed && user.key.is_some()).take(3);
        actors.extend((1..).zip(users).map(|(at, user)| actor(at, "user", &user.name, &user.display)));
    }
    actors
}

fn application_role() -> Value {
    json!({
        "key": "jira-software", "name": "Jira Software", "groups": GROUPS[..2], "defaultGroups": GROUPS[1..2], "selectedByDefault": false, "defined": true,
        "numberOfSeats": 100, "remainingSeats": 58, "userCount": 42, "userCountDescription": "users", "hasUnlimitedSeats": false, "platform": false,
    })
}

/// The object of `/configuration`.
pub(crate) fn configuration() -> Value {
    json!({
        "votingEnabled": true, "watchingEnabled": true, "unassignedIssuesAllowed": true, "subTasksEnabled": true, "issueLinkingEnabled": true,
        "timeTrackingEnabled": true, "attachmentsEnabled": false,
        "timeTrackingConfiguration": { "workingHoursPerDay": 7.5, "workingDaysPerWeek": 5.0, "timeFormat": "pretty", "defaultUnit": "minute" },
    })
}

/// Number of the filter of the first board; each board has the next one.
pub(crate) const BOARD_FILTER: u64 = 20_000;

fn board_filter(catalog: &Catalog, id: &str) -> Option<Value> {
    let base = &catalog.base;
    let id: u64 = id.parse().ok()?;
    let board = id.checked_sub(BOARD_FILTER).filter(|board| *board >= 1)?;
    let project = catalog.projects.get(usize_of((board - 1) / 2))?;
    Some(json!({
        "self": format!("{base}/rest/api/2/filter/{id}"), "id": id.to_string(), "name": format!("Filter for {}", project.name), "description": "",
        "owner": catalog.users.get(1).map(|user| catalog.user_json(user)), "jql": format!("project = {} ORDER BY Rank ASC", project.key),
        "viewUrl": format!("{base}/issues/?filter={id}"), "searchUrl": format!("{base}/rest/api/2/search?jql=x"), "favourite": false, "editable": true,
        "sharePermissions": [],
    }))
}

/// The shape of a custom field that offers options, by its number.
fn choice(catalog: &Catalog, number: &str) -> Option<Shape> {
    let field = catalog.field_number(&format!("customfield_{number}"))?;
    let shape = catalog.shapes.iter().find(|(known, _)| *known == field).map(|(_, shape)| *shape)?;
    matches!(shape, Shape::Choice | Shape::Choices | Shape::Cascade).then_some(shape)
}

/// The options of a field: more than a page of them.
fn options(catalog: &Catalog, number: &str) -> Vec<Value> {
    let (Some(shape), Ok(first)) = (choice(catalog, number), number.parse::<u64>()) else {
        return Vec::new();
    };
    let option = |at: u64| {
        let id = first * 1000 + at;
        let child = first * 1000 + 500 + at * 2;
        let children = if shape == Shape::Cascade && at < 2 { vec![child, child + 1] } else { Vec::new() };
        json!({
            "id": id, "self": format!("{}/rest/api/2/customFieldOption/{id}", catalog.base), "value": format!("Option {at}, \u{f6}"), "disabled": at == 3,
            "childrenIds": children,
        })
    };
    (0..60).map(option).collect()
}

/// The epics of the project that a board shows.
fn epics(site: &Site, board: &str) -> Vec<Value> {
    let Some(project) = board.parse().ok().and_then(|board: u64| board.checked_sub(1)).map(|at| at / 2)
    else {
        return Vec::new();
    };
    let catalog = &site.catalog;
    let is_epic = |kind: u8| catalog.types.get(usize::from(kind)).is_some_and(|kind| kind.name == "Epic");
    let epic = |slot: u32| {
        let slim = site.slim(slot);
        let summary: Value = serde_json::from_str(&site.summary_json(slot)).unwrap_or_default();
        json!({
            "id": slim.id, "key": site.key(slot), "self": format!("{}/rest/agile/1.0/epic/{}", catalog.base, slim.id), "name": format!("Epic {}", slim.number),
            "summary": summary, "color": { "key": format!("color_{}", slim.id % 9 + 1) }, "done": slim.id.is_multiple_of(3),
        })
    };
    let of_project = |slot: &u32| {
        let slim = site.slim(*slot);
        u64::from(slim.project) == project && is_epic(slim.kind)
    };
    site.living().filter(of_project).map(epic).collect()
}

/// An event of the audit log, which has no id of its own.
fn audit_event(at: u64) -> Value {
    let mut event = json!({
        "timestamp": format!("2024-03-{:02}T{:02}:{:02}:07.{:03}Z", at / 200 + 1, at / 60 % 24, at % 60, at),
        "author": { "name": "Administrator", "type": "user", "id": "10000", "uri": "http://jira.example.com/secure/ViewProfile.jspa?name=admin", "avatarUri": "" },
        "type": { "categoryI18nKey": "jira.auditing.category.usermanagement", "category": "user management", "actionI18nKey": "jira.auditing.user.updated", "action": "User's details changed" },
        "affectedObjects": [{ "name": format!("user{at}"), "type": "USER", "uri": "", "id": format!("JIRAUSER{at}") }],
        "changedValues": [{ "key": "Email", "i18nKey": "common.words.email", "from": "a@example.com", "to": "b@example.com" }],
        "source": "192.0.2.7", "system": "http://jira.example.com", "node": "", "method": "Browser", "extraAttributes": [],
    });
    if at.is_multiple_of(5) {
        event["author"] =
            json!({ "name": "System", "type": "system", "id": "-1", "uri": "", "avatarUri": "" });
        event["changedValues"] = json!([]);
    }
    event
}
