//! Lists of the site besides issues, projects and users: what belongs to projects, and the boards and sprints of Jira Software.

use http::Method;
use serde_json::{Value, json};

use super::Inner;
use super::agile_issues;
use super::catalog::{Catalog, Project};
use super::catalog_generated::category;
use super::doc::Frag;
use super::reply::Reply;
use super::rest::Request;
use super::search::usize_of;
use super::site_setup;

/// Boards and sprints that Jira gives in one page.
pub(crate) const AGILE_PAGE: u64 = 50;
/// Sprints of every board that shows them: more than a page.
pub(crate) const SPRINTS: u64 = 60;

/// The answer to a list of the platform; `None` for another path.
pub(crate) fn platform(inner: &Inner, request: &Request, segments: &[&str]) -> Option<Reply> {
    let site = inner.site();
    let catalog = &site.catalog;
    let list = match segments {
        ["project", wanted, rest] => {
            let Some(at) = catalog.find_project(wanted) else {
                return Some(Reply::error(404, &format!("No project could be found with key '{wanted}'.")));
            };
            let project = &catalog.projects[usize::from(at)];
            match *rest {
                "components" => components(catalog, project),
                "versions" => versions(catalog, project),
                "securitylevel" => return Some(Reply::json(200, &json!({ "levels": levels(catalog) }))),
                _ => return None,
            }
        }
        ["statuscategory"] => status_categories(catalog),
        ["projectCategory"] => project_categories(catalog),
        ["role"] => roles(catalog),
        ["filter", "favourite"] => filters(catalog),
        ["dashboard"] => return Some(Reply::json(200, &dashboards(catalog, request))),
        _ => return None,
    };
    Some(Reply::json(200, &list.into()))
}

/// The answer of a resource of Jira Software, by its path below `/rest/agile/1.0`.
pub(crate) fn agile(inner: &Inner, request: &Request, account: Option<usize>, path: &str) -> Reply {
    if account.is_none() {
        return Reply::error(
            401,
            "You are not authenticated. Authentication required to perform this operation.",
        );
    }
    if request.method != Method::GET {
        return Reply::unknown_path();
    }
    let site = inner.site();
    let catalog = &site.catalog;
    let window = inner.config.flavour.enforces_window().then_some(inner.config.max_result_window);
    let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    match segments.as_slice() {
        ["board"] => {
            let narrowed = request.parameter("projectKeyOrId").map(|wanted| catalog.find_project(wanted));
            let boards = boards(catalog).into_iter().filter(|board| match narrowed {
                None => true,
                Some(project) => project.map(u64::from) == board["id"].as_u64().and_then(board_project),
            });
            Reply::json(200, &page(boards.collect(), request, true))
        }
        ["board", id, rest] => {
            let all = boards(catalog);
            let Some(board) = all.iter().find(|board| board["id"].as_u64() == id.parse().ok()) else {
                return Reply::error(
                    404,
                    "The requested board cannot be viewed because it either does not exist or you do not have permission to view it.",
                );
            };
            match *rest {
                "issue" | "backlog" => {
                    let list = if *rest == "issue" { "board_issues" } else { "backlog_issues" };
                    agile_issues::page(&site, (list, id.parse().unwrap_or_default()), request, window)
                }
                "configuration" => Reply::json(200, &configuration(catalog, board)),
                "epic" => {
                    Reply::json(200, &page(site_setup::named(inner, &site, "epics", id), request, false))
                }
                "sprint" if board["type"] == "kanban" => {
                    Reply::error(400, "The board does not support sprints")
                }
                "sprint" => Reply::json(200, &page(sprints(catalog, board), request, false)),
                _ => Reply::unknown_path(),
            }
        }
        ["sprint", id, "issue"] => {
            let sprint = id.parse::<u64>().unwrap_or_default();
            let board = boards(catalog).into_iter().find(|board| board["id"].as_u64() == Some(sprint / 1000));
            match board.filter(|board| board["type"] == "scrum" && sprint % 1000 < SPRINTS) {
                Some(_) => agile_issues::page(&site, ("sprint_issues", sprint), request, window),
                None => Reply::error(404, "Sprint does not exist."),
            }
        }
        _ => Reply::unknown_path(),
    }
}

/// The objects of a list by its name; `of` is the project or board for those that each has. Empty for another name.
pub(crate) fn named(catalog: &Catalog, list: &str, of: &str) -> Vec<Value> {
    let project = catalog.find_project(of).map(|at| &catalog.projects[usize::from(at)]);
    let board = || boards(catalog).into_iter().find(|board| board["id"].as_u64() == of.parse().ok());
    match list {
        "components" => project.map(|project| components(catalog, project)).unwrap_or_default(),
        "versions" => project.map(|project| versions(catalog, project)).unwrap_or_default(),
        "levels" => levels(catalog),
        "link_types" => link_types(catalog),
        "status_categories" => status_categories(catalog),
        "project_categories" => project_categories(catalog),
        "roles" => roles(catalog),
        "filters" => filters(catalog),
        "dashboards" => dashboard_list(catalog),
        "boards" => boards(catalog),
        "sprints" => board().map(|board| sprints(catalog, &board)).unwrap_or_default(),
        "board_configurations" => board().map(|board| configuration(catalog, &board)).into_iter().collect(),
        "board_columns" => {
            let configuration = board().map(|board| configuration(catalog, &board));
            let columns = configuration.map(|mut found| found["columnConfig"]["columns"].take());
            columns.and_then(|columns| columns.as_array().cloned()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn page(all: Vec<Value>, request: &Request, with_total: bool) -> Value {
    let number = |name: &str, default: u64| {
        request.parameter(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (start, most) = (number("startAt", 0), number("maxResults", AGILE_PAGE).min(AGILE_PAGE));
    let total = all.len();
    let values: Vec<Value> = all.into_iter().skip(usize_of(start)).take(usize_of(most)).collect();
    let is_last = usize_of(start) + values.len() >= total;
    let mut page = json!({ "maxResults": most, "startAt": start, "isLast": is_last, "values": values });
    if with_total {
        page["total"] = total.into();
    }
    page
}

pub(crate) fn parsed(catalog: &Catalog, frags: &[Frag]) -> Vec<Value> {
    frags.iter().filter_map(|frag| serde_json::from_str(catalog.json_of(*frag)).ok()).collect()
}

/// The objects of `/project/{id}/components`.
fn components(catalog: &Catalog, project: &Project) -> Vec<Value> {
    let mut components = parsed(catalog, &project.components);
    for (at, component) in components.iter_mut().enumerate() {
        component["project"] = project.key.clone().into();
        component["assigneeType"] = "PROJECT_DEFAULT".into();
        component["archived"] = (at == 3).into();
        component["deleted"] = false.into();
        if let Some(lead) = catalog.users.get(at) {
            component["lead"] = catalog.user_json(lead);
        }
    }
    components
}

/// The objects of `/project/{id}/versions`.
fn versions(catalog: &Catalog, project: &Project) -> Vec<Value> {
    let mut versions = parsed(catalog, &project.versions);
    for (at, version) in versions.iter_mut().enumerate() {
        version["projectId"] = project.id.into();
        if version["released"] == false {
            version["overdue"] = (at == 2).into();
            version["startDate"] = format!("2023-0{}-28", at + 1).into();
        }
    }
    versions
}

/// The security levels that every project shows.
fn levels(catalog: &Catalog) -> Vec<Value> {
    parsed(catalog, &catalog.levels)
}

/// The objects of `/issueLinkType`.
fn link_types(catalog: &Catalog) -> Vec<Value> {
    let frags: Vec<Frag> = catalog.link_types.iter().map(|link| link.json).collect();
    parsed(catalog, &frags)
}

/// The objects of `/statuscategory`.
fn status_categories(catalog: &Catalog) -> Vec<Value> {
    [1, 2, 4, 3].map(|id| category(&catalog.base, id)).to_vec()
}

/// The objects of `/projectCategory`.
fn project_categories(catalog: &Catalog) -> Vec<Value> {
    let base = &catalog.base;
    [(10100, "Products", ""), (10101, "Internes \u{fc}ber alles", "Nobody uses it.")]
        .map(|(id, name, description)| {
            json!({ "self": format!("{base}/rest/api/2/projectCategory/{id}"), "id": id.to_string(), "name": name, "description": description })
        })
        .to_vec()
}

/// The objects of `/role`.
fn roles(catalog: &Catalog) -> Vec<Value> {
    let base = &catalog.base;
    [(10002, "Administrators", "A project role that represents administrators"), (10100, "Developers", "")]
        .map(|(id, name, description)| {
            json!({ "self": format!("{base}/rest/api/2/role/{id}"), "name": name, "id": id, "description": description, "actors": [] })
        })
        .to_vec()
}

/// The objects of `/filter/favourite`.
fn filters(catalog: &Catalog) -> Vec<Value> {
    let base = &catalog.base;
    let owner = catalog.users.first().map(|user| catalog.user_json(user));
    (0..2)
        .map(|at| {
            let id = 10_000 + at;
            json!({
                "self": format!("{base}/rest/api/2/filter/{id}"), "id": id.to_string(), "name": format!("Filter {at}, \u{201e}mine\u{201c}"), "description": "",
                "owner": owner, "jql": format!("project = \"P{at}\" ORDER BY Rank"), "viewUrl": format!("{base}/issues/?filter={id}"),
                "searchUrl": format!("{base}/rest/api/2/search?jql=x"), "favourite": true, "editable": false, "sharePermissions": [],
            })
        })
        .collect()
}

/// All dashboards.
fn dashboard_list(catalog: &Catalog) -> Vec<Value> {
    let base = &catalog.base;
    (0..3)
        .map(|at| {
            let id = 10_000 + at;
            json!({
                "id": id.to_string(), "name": format!("Dashboard {at}"), "self": format!("{base}/rest/api/2/dashboard/{id}"),
                "view": format!("{base}/secure/Dashboard.jspa?selectPageId={id}"),
            })
        })
        .collect()
}

fn dashboards(catalog: &Catalog, request: &Request) -> Value {
    let mut page = page(dashboard_list(catalog), request, true);
    page["dashboards"] = page["values"].take();
    if let Some(members) = page.as_object_mut() {
        members.remove("values");
        members.remove("isLast");
    }
    page
}

/// The boards: of each project one with sprints and one without.
fn boards(catalog: &Catalog) -> Vec<Value> {
    let base = &catalog.base;
    let of = |at: usize, name: &str| {
        ["scrum", "kanban"].map(|kind| {
            let id = at * 2 + usize::from(kind == "kanban") + 1;
            json!({ "id": id, "self": format!("{base}/rest/agile/1.0/board/{id}"), "name": format!("{name} {kind}"), "type": kind })
        })
    };
    catalog.projects.iter().enumerate().flat_map(|(at, project)| of(at, &project.name)).collect()
}

/// The number of the project of a board.
pub(crate) fn board_project(board: u64) -> Option<u64> {
    Some(board.checked_sub(1)? / 2)
}

/// The object of `/board/{id}/configuration`.
fn configuration(catalog: &Catalog, board: &Value) -> Value {
    let base = &catalog.base;
    let status = |at: usize| {
        catalog.statuses.get(at).map(|status| {
            json!({ "id": status.id.to_string(), "self": format!("{base}/rest/api/2/status/{}", status.id) })
        })
    };
    let columns = json!([
        { "name": "Backlog", "statuses": [] },
        { "name": "To Do", "statuses": [status(0), status(2)], "min": 1 },
        { "name": "L\u{e4}uft", "statuses": [status(1)], "max": 5 },
        { "name": "Done", "statuses": [status(3), status(4)] },
    ]);
    let filter = site_setup::BOARD_FILTER + board["id"].as_u64().unwrap_or_default();
    let mut configuration = json!({
        "id": board["id"], "name": board["name"], "type": board["type"], "self": format!("{}/configuration", board["self"].as_str().unwrap_or_default()),
        "filter": { "id": filter.to_string(), "self": format!("{base}/rest/api/2/filter/{filter}") },
        "columnConfig": { "columns": columns, "constraintType": "issueCount" },
        "ranking": { "rankCustomFieldId": 10004 },
    });
    if board["type"] == "kanban" {
        configuration["subQuery"] =
            json!({ "query": "fixVersion in unreleasedVersions() OR fixVersion is EMPTY" });
    } else {
        configuration["estimation"] = json!({ "type": "field", "field": { "fieldId": "customfield_10005", "displayName": "Story Points" } });
    }
    configuration
}

/// The sprints of a board, closed ones first.
fn sprints(catalog: &Catalog, board: &Value) -> Vec<Value> {
    let base = &catalog.base;
    let board_id = board["id"].as_u64().unwrap_or_default();
    if board["type"] != "scrum" {
        return Vec::new();
    }
    (0..SPRINTS)
        .map(|at| {
            let id = board_id * 1000 + at;
            let state = if at + 2 < SPRINTS { "closed" } else if at + 1 < SPRINTS { "active" } else { "future" };
            let mut sprint = json!({
                "id": id, "self": format!("{base}/rest/agile/1.0/sprint/{id}"), "state": state, "name": format!("Sprint {at}, [x]"),
                "originBoardId": board_id, "goal": if at % 3 == 0 { "Ship it\nall" } else { "" },
            });
            if state != "future" {
                sprint["startDate"] = format!("2016-04-{:02}T05:08:48.543-07:00", at % 28 + 1).into();
                sprint["endDate"] = format!("2016-05-{:02}T00:38:51.882Z", at % 28 + 1).into();
                sprint["activatedDate"] = sprint["startDate"].clone();
            }
            if state == "closed" {
                sprint["completeDate"] = format!("2016-06-{:02}T05:08:48.543+05:30", at % 28 + 1).into();
            }
            sprint
        })
        .collect()
}
