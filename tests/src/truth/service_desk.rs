//! The rows of Jira Service Management, from the objects that the site holds.

use serde_json::Value;

use super::Row;
use super::issue::Parts;
use super::lists::instant;
use super::metadata::{flag, number, text, texts, user_id};
use super::value::Cell;
use crate::jira_sim::SimHandle;

pub(super) fn desks(sim: &SimHandle) -> Vec<Row> {
    let row = |desk: &Value| {
        let ids = ["id", "projectId"].map(|name| number(&desk[name]));
        [ids.to_vec(), texts(desk, &["projectKey", "projectName"])].concat()
    };
    sim.site_list("service_desks", "").iter().map(row).collect()
}

/// A row for each object of a list of each service desk: its id and the desk's, and what `rest` makes of it.
fn of_desks(sim: &SimHandle, list: &str, rest: fn(&Value) -> Row) -> Vec<Row> {
    let rows = |desk: &Value| {
        let objects = sim.site_list(list, desk["id"].as_str().unwrap_or_default());
        let row = |object: &Value| [vec![number(&object["id"]), number(&desk["id"])], rest(object)].concat();
        objects.iter().map(row).collect::<Vec<_>>()
    };
    sim.site_list("service_desks", "").iter().flat_map(rows).collect()
}

pub(super) fn request_types(sim: &SimHandle) -> Vec<Row> {
    of_desks(sim, "request_types", |kind| {
        let mut row = texts(kind, &["name", "description", "helpText"]);
        row.extend([number(&kind["issueTypeId"]), Cell::Text(kind["groupIds"].to_string())]);
        row
    })
}

pub(super) fn organizations(sim: &SimHandle) -> Vec<Row> {
    of_desks(sim, "jsm_organizations", |organization| texts(organization, &["name"]))
}

pub(super) fn queues(sim: &SimHandle) -> Vec<Row> {
    of_desks(sim, "queues", |queue| {
        [texts(queue, &["name", "jql"]), vec![Cell::Text(queue["fields"].to_string())]].concat()
    })
}

pub(super) fn requests(parts: &Parts<'_>) -> Vec<Row> {
    let row = |request: &Value| {
        let ids = ["serviceDeskId", "requestTypeId"].map(|name| number(&request[name]));
        let status = &request["currentStatus"];
        let mut row = vec![parts.id.clone()];
        row.extend(ids);
        row.extend([instant(&request["createdDate"]["jira"]), user_id(&request["reporter"])]);
        row.extend([text(&status["status"]), instant(&status["statusDate"]["jira"])]);
        row
    };
    (parts.of_issue)("request").iter().map(row).collect()
}

pub(super) fn sla_cycles(parts: &Parts<'_>) -> Vec<Row> {
    (parts.of_issue)("sla").iter().flat_map(|sla| cycles(&parts.id, sla)).collect()
}

fn cycles(issue: &Cell, sla: &Value) -> Vec<Row> {
    let completed = sla["completedCycles"].as_array().into_iter().flatten().map(|cycle| (cycle, false));
    let ongoing = sla.get("ongoingCycle").map(|cycle| (cycle, true));
    let row = |(at, (cycle, is_ongoing)): (i64, (&Value, bool))| {
        let mut row = vec![issue.clone(), number(&sla["id"]), text(&sla["name"]), Cell::I64(at)];
        row.push(Cell::Bool(is_ongoing));
        row.extend(["startTime", "stopTime", "breachTime"].map(|name| instant(&cycle[name]["jira"])));
        row.extend(["breached", "paused", "withinCalendarHours"].map(|name| flag(&cycle[name])));
        row.extend(
            ["goalDuration", "elapsedTime", "remainingTime"].map(|name| number(&cycle[name]["millis"])),
        );
        row
    };
    (0..).zip(completed.chain(ongoing)).map(row).collect()
}
