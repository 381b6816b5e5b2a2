//! The rows of an issue's smaller children.

use serde_json::value::RawValue;

use super::Row;
use super::issue::Parts;
use super::value::{
    Cell, Members, compact, elements, get, members, micros, number, string, text, time, user,
};

/// Rows without those whose cell at `key` was there before.
fn distinct(rows: impl Iterator<Item = Row>, key: usize) -> Vec<Row> {
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        if row[key] != Cell::Null && !kept.iter().any(|other| other[key] == row[key]) {
            kept.push(row);
        }
    }
    kept
}

fn list<'a>(parts: &Parts<'a>, field: &str) -> Vec<&'a RawValue> {
    elements(get(&parts.fields, field))
}

fn place(at: usize) -> Cell {
    Cell::I64(i64::try_from(at).unwrap_or(i64::MAX))
}

pub(super) fn labels(parts: &Parts<'_>) -> Vec<Row> {
    let labels = list(parts, "labels");
    distinct(labels.into_iter().map(|label| vec![parts.id.clone(), text(Some(label))]), 1)
}

pub(super) fn components(parts: &Parts<'_>) -> Vec<Row> {
    let row = |raw: &RawValue| {
        let component = members(Some(raw));
        vec![parts.id.clone(), number(get(&component, "id")), text(get(&component, "name"))]
    };
    distinct(list(parts, "components").into_iter().map(row), 1)
}

pub(super) fn versions(parts: &Parts<'_>) -> Vec<Row> {
    let of = |field: &str, role: &str| {
        let row = |raw: &RawValue| {
            let version = members(Some(raw));
            let id = number(get(&version, "id"));
            vec![parts.id.clone(), id, Cell::Text(role.to_owned()), text(get(&version, "name"))]
        };
        distinct(list(parts, field).into_iter().map(row), 1)
    };
    [of("fixVersions", "fix"), of("versions", "affects")].concat()
}

pub(super) fn attachments(parts: &Parts<'_>) -> Vec<Row> {
    let row = |raw: &RawValue| {
        let attachment = members(Some(raw));
        let of = |name: &str| get(&attachment, name);
        vec![
            number(of("id")),
            parts.id.clone(),
            text(of("filename")),
            number(of("size")),
            text(of("mimeType")),
            user(of("author")),
            time(of("created")),
        ]
    };
    list(parts, "attachment").into_iter().map(row).collect()
}

pub(super) fn subtasks(parts: &Parts<'_>) -> Vec<Row> {
    let kind = members(get(&parts.fields, "issuetype"));
    let parent = members(get(&parts.fields, "parent"));
    if get(&kind, "subtask").map(RawValue::get) != Some("true") || get(&parent, "id").is_none() {
        return Vec::new();
    }
    let row = [text(get(&parts.whole, "key")), number(get(&parent, "id")), text(get(&parent, "key"))];
    vec![std::iter::once(parts.id.clone()).chain(row).collect()]
}

pub(super) fn sprints(parts: &Parts<'_>) -> Vec<Row> {
    let field = parts.custom.iter().find(|column| column.plugin_type.ends_with(":gh-sprint"));
    let values = field.map(|column| list(parts, &column.field_id)).unwrap_or_default();
    let rows = values.into_iter().filter_map(|raw| match raw.get().starts_with('{') {
        true => serde_json::from_str(raw.get()).ok().map(|object| sprint_object(&parts.id, &object)),
        false => Some(sprint(&parts.id, &string(Some(raw))?)),
    });
    let mut rows = distinct(rows, 1);
    for (at, row) in rows.iter_mut().enumerate() {
        row[2] = place(at);
    }
    rows
}

/// A sprint of Jira Cloud.
fn sprint_object(issue: &Cell, sprint: &serde_json::Value) -> Row {
    let words = |name: &str| sprint[name].as_str().map_or(Cell::Null, |text| Cell::Text(text.to_owned()));
    let instant = |name: &str| sprint[name].as_str().and_then(micros).map_or(Cell::Null, Cell::Ts);
    let whole = |name: &str| sprint[name].as_i64().map_or(Cell::Null, Cell::I64);
    vec![
        issue.clone(),
        whole("id"),
        Cell::Null,
        words("name"),
        words("state"),
        whole("boardId"),
        instant("startDate"),
        instant("endDate"),
        instant("completeDate"),
        words("goal"),
        Cell::Bool(sprint["state"] != "closed"),
    ]
}

/// A sprint as `...Sprint@1f[id=7,rapidViewId=1,state=CLOSED,name=..,startDate=..,..,sequence=7,goal=..]`, the id also at the end.
fn sprint(issue: &Cell, java: &str) -> Row {
    let body = java.split_once('[').map_or("", |(_, body)| body);
    let body = body.strip_suffix(']').unwrap_or(body);
    let between = |start: &str, end: &str| {
        let (_, after) = body.split_once(start)?;
        let value = after.split_once(end).map_or(after, |(value, _)| value);
        Some(value).filter(|value| *value != "<null>")
    };
    let whole =
        |value: Option<&str>| value.and_then(|value| value.parse().ok()).map_or(Cell::Null, Cell::I64);
    let instant = |value: Option<&str>| value.and_then(micros).map_or(Cell::Null, Cell::Ts);
    let words = |value: Option<&str>| value.map_or(Cell::Null, |value| Cell::Text(value.to_owned()));
    let id = match body.strip_prefix("id=") {
        Some(rest) => rest.split_once(',').map(|(id, _)| id),
        None => body.rsplit_once(",id=").map(|(_, id)| id),
    };
    let goal = between(",goal=", ",id=");
    let state = between("state=", ",").map(str::to_lowercase);
    vec![
        issue.clone(),
        whole(id),
        Cell::Null,
        words(between(",name=", ",startDate=")),
        words(state.as_deref()),
        whole(between("rapidViewId=", ",")),
        instant(between(",startDate=", ",")),
        instant(between(",endDate=", ",")),
        instant(between(",completeDate=", ",")),
        words(goal),
        state.as_deref().map_or(Cell::Null, |state| Cell::Bool(state != "closed")),
    ]
}

pub(super) fn custom_values(parts: &Parts<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for field in parts.custom {
        let raw = get(&parts.fields, &field.field_id);
        let values = match field.schema_type.as_str() {
            "array" if !field.plugin_type.ends_with(":gh-sprint") => elements(raw),
            "option-with-child" => raw.into_iter().chain(get(&members(raw), "child")).collect(),
            _ => Vec::new(),
        };
        for (at, value) in values.into_iter().enumerate().filter(|(_, value)| value.get() != "null") {
            let mut row = vec![parts.id.clone(), Cell::Text(field.field_id.clone()), place(at)];
            row.extend(custom_value(value));
            rows.push(row);
        }
    }
    rows
}

/// Text, number, instant, id and JSON of a value.
fn custom_value(raw: &RawValue) -> [Cell; 5] {
    if let Some(plain) = string(Some(raw)) {
        let instant = micros(&plain).map_or(Cell::Null, Cell::Ts);
        return [Cell::Text(plain), Cell::Null, instant, Cell::Null, Cell::Null];
    }
    if raw.get().starts_with('{') {
        let object = members(Some(raw));
        let id = if get(&object, "displayName").is_some() && get(&object, "id").is_none() {
            user(Some(raw))
        } else {
            text(get(&object, "id"))
        };
        return [named(&object), Cell::Null, Cell::Null, id, Cell::Text(compact(raw.get()))];
    }
    let plain = raw.get().to_owned();
    let number = plain.parse().map_or(Cell::Null, Cell::F64);
    [Cell::Text(plain), number, Cell::Null, Cell::Null, Cell::Null]
}

fn named(object: &Members<'_>) -> Cell {
    text(["value", "displayName", "name", "key"].into_iter().find_map(|name| get(object, name)))
}
