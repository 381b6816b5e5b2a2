//! The tables of what belongs to projects and boards, and the site's short lists.

use serde_json::Value;

use super::Row;
use super::metadata::{flag, id, number, text, texts, user_id};
use super::value::{Cell, days, micros};
use crate::jira_sim::SimHandle;

fn day(value: &Value) -> Cell {
    value.as_str().and_then(days).map_or(Cell::Null, Cell::Date)
}

pub(super) fn instant(value: &Value) -> Cell {
    value.as_str().and_then(micros).map_or(Cell::Null, Cell::Ts)
}

/// A row for each object of a list of each project.
pub(super) fn of_projects(sim: &SimHandle, list: &str, row: fn(&Value, Cell) -> Row) -> Vec<Row> {
    let of = |project: &Value| {
        let project = number(&project["id"]);
        let objects = sim.site_list(list, &project_text(&project));
        objects.iter().map(|object| row(object, project.clone())).collect::<Vec<_>>()
    };
    // An archived project, which only the Cloud flavour has, answers nothing of its own.
    sim.project_list().iter().filter(|project| project["archived"] != true).flat_map(of).collect()
}

fn project_text(id: &Cell) -> String {
    id.json().to_string()
}

pub(super) fn site(sim: &SimHandle, list: &str, row: fn(&Value) -> Row) -> Vec<Row> {
    sim.site_list(list, "").iter().map(row).collect()
}

pub(super) fn components(sim: &SimHandle) -> Vec<Row> {
    of_projects(sim, "components", |component, project| {
        let mut row = [id(component), vec![project], texts(component, &["name", "description"])].concat();
        row.extend([user_id(&component["lead"]), text(&component["assigneeType"])]);
        row.extend([flag(&component["archived"]), flag(&component["deleted"])]);
        row
    })
}

pub(super) fn versions(sim: &SimHandle) -> Vec<Row> {
    of_projects(sim, "versions", |version, project| {
        let mut row = [id(version), vec![project], texts(version, &["name", "description"])].concat();
        row.extend(["released", "archived", "overdue"].map(|name| flag(&version[name])));
        row.extend(["startDate", "releaseDate"].map(|name| day(&version[name])));
        row
    })
}

pub(super) fn security_levels(sim: &SimHandle) -> Vec<Row> {
    of_projects(sim, "levels", |level, project| {
        [id(level), vec![project], texts(level, &["name", "description"])].concat()
    })
}

pub(super) fn link_types(sim: &SimHandle) -> Vec<Row> {
    site(sim, "link_types", |link| [id(link), texts(link, &["name", "inward", "outward"])].concat())
}

pub(super) fn status_categories(sim: &SimHandle) -> Vec<Row> {
    site(sim, "status_categories", |category| {
        [id(category), texts(category, &["key", "name", "colorName"])].concat()
    })
}

pub(super) fn project_categories(sim: &SimHandle) -> Vec<Row> {
    site(sim, "project_categories", named)
}

pub(super) fn project_roles(sim: &SimHandle) -> Vec<Row> {
    site(sim, "roles", named)
}

pub(super) fn named(object: &Value) -> Row {
    [id(object), texts(object, &["name", "description"])].concat()
}

pub(super) fn filters(sim: &SimHandle) -> Vec<Row> {
    site(sim, "filters", |filter| {
        let mut row = [id(filter), texts(filter, &["name", "description", "jql"])].concat();
        row.extend([user_id(&filter["owner"]), flag(&filter["favourite"])]);
        row
    })
}

pub(super) fn dashboards(sim: &SimHandle) -> Vec<Row> {
    site(sim, "dashboards", |dashboard| {
        let mut row = [id(dashboard), texts(dashboard, &["name", "view", "description"])].concat();
        row.push(user_id(&dashboard["owner"]));
        row
    })
}

pub(super) fn boards(sim: &SimHandle) -> Vec<Row> {
    site(sim, "boards", |board| {
        let location = &board["location"];
        let mut row = [id(board), texts(board, &["name", "type"])].concat();
        row.extend([number(&location["projectId"]), text(&location["projectKey"])]);
        row
    })
}

pub(super) fn board_columns(sim: &SimHandle) -> Vec<Row> {
    let of = |board: &Value| {
        let columns = sim.site_list("board_columns", &board["id"].to_string());
        let row = |(at, column): (i64, &Value)| {
            let statuses = Cell::Text(column["statuses"].to_string());
            let limits = [number(&column["min"]), number(&column["max"])];
            let mut row = vec![number(&board["id"]), Cell::I64(at), text(&column["name"])];
            row.extend(limits);
            row.push(statuses);
            row
        };
        (0..).zip(&columns).map(row).collect::<Vec<_>>()
    };
    sim.site_list("boards", "").iter().flat_map(of).collect()
}

/// A row for each issue of a list of each of these.
fn issues_of(sim: &SimHandle, list: &str, of: &[Value]) -> Vec<Row> {
    let rows = |of: &Value| {
        let issues = sim.site_list(list, &of.to_string());
        let row = |(rank, issue): (i64, &Value)| {
            vec![number(of), number(&issue["id"]), Cell::I64(rank), flag(&issue["fields"]["flagged"])]
        };
        (0..).zip(&issues).map(row).collect::<Vec<_>>()
    };
    of.iter().flat_map(rows).collect()
}

fn board_ids(sim: &SimHandle) -> Vec<Value> {
    sim.site_list("boards", "").iter().map(|board| board["id"].clone()).collect()
}

pub(super) fn board_issues(sim: &SimHandle) -> Vec<Row> {
    issues_of(sim, "board_issues", &board_ids(sim))
}

pub(super) fn backlog_issues(sim: &SimHandle) -> Vec<Row> {
    issues_of(sim, "backlog_issues", &board_ids(sim))
}

pub(super) fn sprint_issues(sim: &SimHandle) -> Vec<Row> {
    let sprints = board_ids(sim).into_iter().flat_map(|board| sim.site_list("sprints", &board.to_string()));
    let ids: Vec<Value> = sprints.map(|sprint| sprint["id"].clone()).collect();
    issues_of(sim, "sprint_issues", &ids)
}

pub(super) fn sprints(sim: &SimHandle) -> Vec<Row> {
    let row = |sprint: &Value| {
        let mut row = id(sprint);
        row.push(number(&sprint["originBoardId"]));
        row.extend(texts(sprint, &["name", "state"]));
        let times = ["startDate", "endDate", "completeDate", "activatedDate"];
        row.extend(times.map(|name| instant(&sprint[name])));
        row.push(text(&sprint["goal"]));
        row
    };
    let of = |board: &Value| {
        let sprints = sim.site_list("sprints", &board["id"].to_string());
        sprints.iter().map(row).collect::<Vec<_>>()
    };
    sim.site_list("boards", "").iter().flat_map(of).collect()
}
