//! What `event_log` must hold: the life of an issue as events, from its whole JSON.

use super::Row;
use super::issue::{Parts, framed};
use super::value::{Cell, Members, elements, get, members, number, string, text, time, user};

/// What tells the events of an issue apart from those of others.
struct Case {
    issue: Cell,
    key: Cell,
    project: Cell,
    kind: Cell,
}

/// What is said of one event.
struct Told {
    id: String,
    activity: String,
    at: Cell,
    who: Cell,
    source: &'static str,
    /// Field, field type, old id, old value, new id, new value, history id, item index; empty for what is no change.
    change: Row,
}

pub(super) fn event_log(parts: &Parts<'_>) -> Vec<Row> {
    let named = |object: &str, name: &str| text(get(&members(get(&parts.fields, object)), name));
    let case = Case {
        issue: parts.id.clone(),
        key: text(get(&parts.whole, "key")),
        project: named("project", "key"),
        kind: named("issuetype", "name"),
    };
    let mut told = vec![Told {
        id: "created".to_owned(),
        activity: "Created".to_owned(),
        at: time(get(&parts.fields, "created")),
        who: user(get(&parts.fields, "creator")),
        source: "create",
        change: Vec::new(),
    }];
    for raw in framed(&parts.whole, "changelog", "histories") {
        let entry = members(Some(raw));
        let items = elements(get(&entry, "items"));
        told.extend((0..).zip(items).filter_map(|(at, item)| change(&entry, at, &members(Some(item)))));
    }
    for (frame, list, source, activity) in [
        ("comment", "comments", "comment", "Comment added"),
        ("worklog", "worklogs", "worklog", "Work logged"),
    ] {
        let children = framed(&parts.fields, frame, list);
        told.extend(children.into_iter().map(|raw| child(&members(Some(raw)), source, activity)));
    }
    told.into_iter().map(|event| row(&case, event)).collect()
}

fn row(case: &Case, event: Told) -> Row {
    let mut row = vec![
        case.issue.clone(),
        Cell::Text(event.id),
        case.key.clone(),
        Cell::Text(event.activity),
        event.at,
        event.who,
        Cell::Text(event.source.to_owned()),
    ];
    row.extend(event.change);
    row.resize(15, Cell::Null);
    row.extend([case.project.clone(), case.kind.clone()]);
    row
}

fn change(entry: &Members<'_>, place: i64, item: &Members<'_>) -> Option<Told> {
    let field = string(get(item, "field"))?;
    let new = string(get(item, "toString")).filter(|name| !name.is_empty());
    let activity = match new {
        Some(status) if field == "status" => short(&status),
        _ => format!("{field} changed"),
    };
    let mut change = vec![text(get(item, "field")), text(get(item, "fieldtype"))];
    change.extend(["from", "fromString", "to", "toString"].map(|name| match text(get(item, name)) {
        Cell::Text(value) => Cell::Text(short(&value)),
        other => other,
    }));
    let history = number(get(entry, "id"));
    let Cell::I64(id) = history else { return None };
    change.extend([history, Cell::I64(place)]);
    Some(Told {
        id: format!("change/{id}/{place}"),
        activity,
        at: time(get(entry, "created")),
        who: user(get(entry, "author")),
        source: "change",
        change,
    })
}

fn child(child: &Members<'_>, source: &'static str, activity: &str) -> Told {
    let id = string(get(child, "id")).unwrap_or_default();
    Told {
        id: format!("{source}/{id}"),
        activity: activity.to_owned(),
        at: time(get(child, "created")),
        who: user(get(child, "author")),
        source,
        change: Vec::new(),
    }
}

/// A value, of which the derived tables keep 255 characters.
pub(super) fn short(value: &str) -> String {
    let kept: String = value.chars().take(255).collect();
    if kept == value { kept } else { kept + "\u{2026}" }
}
