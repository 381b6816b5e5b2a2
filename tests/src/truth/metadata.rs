//! The tables that do not come from issues.

use serde_json::Value;

use super::value::Cell;
use super::{Row, custom};
use crate::jira_sim::SimHandle;

pub(super) fn projects(sim: &SimHandle) -> Vec<Row> {
    sim.project_list().iter().map(project).collect()
}

pub(super) fn users(sim: &SimHandle) -> Vec<Row> {
    sim.user_list().iter().map(user).collect()
}

pub(super) fn statuses(sim: &SimHandle) -> Vec<Row> {
    sim.named_list("status").iter().map(status).collect()
}

pub(super) fn priorities(sim: &SimHandle) -> Vec<Row> {
    let row = |object: &Value| [id(object), texts(object, &["name", "description", "statusColor"])].concat();
    sim.named_list("priority").iter().map(row).collect()
}

pub(super) fn resolutions(sim: &SimHandle) -> Vec<Row> {
    let row = |object: &Value| [id(object), texts(object, &["name", "description"])].concat();
    sim.named_list("resolution").iter().map(row).collect()
}

pub(super) fn issue_types(sim: &SimHandle) -> Vec<Row> {
    let row = |object: &Value| {
        [id(object), texts(object, &["name", "description"]), vec![flag(&object["subtask"])]].concat()
    };
    sim.named_list("issuetype").iter().map(row).collect()
}

pub(super) fn text(value: &Value) -> Cell {
    value.as_str().map_or(Cell::Null, |text| Cell::Text(text.to_owned()))
}

pub(super) fn texts(object: &Value, names: &[&str]) -> Row {
    names.iter().map(|name| text(&object[*name])).collect()
}

pub(super) fn flag(value: &Value) -> Cell {
    value.as_bool().map_or(Cell::Null, Cell::Bool)
}

pub(super) fn number(value: &Value) -> Cell {
    let parsed = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    parsed.map_or(Cell::Null, Cell::I64)
}

pub(super) fn id(object: &Value) -> Row {
    vec![number(&object["id"])]
}

pub(super) fn user_id(user: &Value) -> Cell {
    let found = ["key", "name", "accountId"].into_iter().find(|name| user[*name].is_string());
    found.map_or(Cell::Null, |name| text(&user[name]))
}

fn project(object: &Value) -> Row {
    let category = &object["projectCategory"];
    let mut row = id(object);
    row.extend(texts(object, &["key", "name", "description"]));
    row.extend([user_id(&object["lead"]), number(&category["id"]), text(&category["name"])]);
    row.extend([text(&object["projectTypeKey"]), flag(&object["archived"])]);
    row
}

fn user(object: &Value) -> Row {
    let mut row = vec![user_id(object)];
    row.extend(texts(object, &["name", "displayName", "emailAddress"]));
    row.extend([flag(&object["active"]), flag(&object["deleted"]), text(&object["timeZone"])]);
    row
}

fn status(object: &Value) -> Row {
    let category = &object["statusCategory"];
    let mut row = id(object);
    row.extend(texts(object, &["name", "description"]));
    row.push(number(&category["id"]));
    row.extend(texts(category, &["key", "name"]));
    row
}

pub(super) fn fields(sim: &SimHandle) -> Vec<Row> {
    let list = sim.field_list();
    let columns = custom::columns(&list);
    let row = |field: &Value| {
        let schema = &field["schema"];
        let column = columns.iter().find(|column| field["id"] == column.field_id.as_str());
        let mut row = texts(field, &["id", "name"]);
        row.push(flag(&field["custom"]));
        row.extend(texts(schema, &["type", "items", "custom"]));
        row.push(column.map_or(Cell::Null, |column| Cell::Text(column.name.clone())));
        row
    };
    list.iter().map(row).collect()
}
