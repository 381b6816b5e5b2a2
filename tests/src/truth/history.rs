//! What `field_history` must hold: every value of every followed field with its time, from the issue's whole JSON.

use std::collections::BTreeMap;

use super::custom::{self, CustomColumn};
use super::events::short;
use super::issue::{Parts, framed};
use super::value::{Cell, elements, get, members, number, string, text, time, user};
use super::{Row, children};

/// Id and text.
type Value = (Option<String>, Option<String>);
/// Field type and field.
type Field = (&'static str, String);

/// A change of a followed field, ordered by time, entry and place in the entry.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    at: i64,
    entry: i64,
    place: i64,
    who: Option<String>,
    from: Value,
    to: Value,
}

/// The history's word, our name, and how `fields` holds the value: `o` object with id and that member, `i` its id alone, `u` user,
/// `t` text, `n` number, `d` day, `w` words, `l` list of objects, `k` the key.
const SYSTEM: &str = "status=status:o.name priority=priority:o.name resolution=resolution:o.name issuetype=type:o.name \
    security=security_level:o.name parent=parent:o.key project=project:i assignee=assignee:u reporter=reporter:u key=issue_key:k \
    summary=summary:t duedate=due_date:d timeoriginalestimate=original_estimate_seconds:n timeestimate=remaining_estimate_seconds:n \
    timespent=time_spent_seconds:n labels=labels:w components=components:l fixVersions=fix_versions:l versions=affects_versions:l";

/// Members of `fields` that the history calls otherwise.
const WORDS: [(&str, &str); 5] = [
    ("component", "components"),
    ("fix version", "fixVersions"),
    ("version", "versions"),
    ("parent issue", "parent"),
    ("issueparentassociation", "parent"),
];

fn system() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    SYSTEM.split_whitespace().filter_map(|entry| {
        let (member, rest) = entry.split_once('=')?;
        let (name, form) = rest.split_once(':')?;
        Some((member, name, form))
    })
}

pub(super) fn field_history(parts: &Parts<'_>) -> Vec<Row> {
    let created = match time(get(&parts.fields, "created")) {
        Cell::Ts(at) => at,
        _ => 0,
    };
    let mut changes = changes(parts, created);
    let mut rows = Vec::new();
    for (member, name, form) in system() {
        let values = match changes.remove(&("jira", name.to_owned())) {
            Some(changes) if form == "l" => sets(list(parts, member), changes),
            Some(changes) => singles(changes),
            None => vec![(None, current(parts, member, form))],
        };
        rows.extend(tell(parts, &("jira", name.to_owned()), values));
    }
    for column in parts.custom {
        let asked = asked(column);
        if !changes.contains_key(&("custom", asked.to_owned()))
            && let Some(value) = custom_value(parts, column)
        {
            rows.extend(tell(parts, &("custom", column.name.clone()), vec![(None, value)]));
        }
    }
    for (field, changes) in changes {
        rows.extend(tell(parts, &field, singles(changes)));
    }
    rows
}

/// Rows of values, each with the change that brought it; a field that never had a value has none.
fn tell(parts: &Parts<'_>, field: &Field, values: Vec<(Option<Change>, Value)>) -> Vec<Row> {
    if values.len() == 1 && values.iter().all(|(_, value)| *value == (None, None)) {
        return Vec::new();
    }
    let ends: Vec<Cell> =
        values.iter().skip(1).map(|(change, _)| at(change.as_ref())).chain([Cell::Null]).collect();
    let optional = |text: Option<String>| text.map_or(Cell::Null, Cell::Text);
    let row = |(ordinal, ((change, (id, text)), end)): (i64, ((Option<Change>, Value), Cell))| {
        let mut row = vec![
            parts.id.clone(),
            Cell::Text(field.0.to_owned()),
            Cell::Text(field.1.clone()),
            Cell::I64(ordinal),
        ];
        row.push(if change.is_some() { at(change.as_ref()) } else { time(get(&parts.fields, "created")) });
        row.extend([end, optional(id.map(|id| short(&id))), optional(text.map(|text| short(&text)))]);
        row.extend(match change {
            Some(change) => [optional(change.who), Cell::Bool(false), Cell::I64(change.entry)],
            None => [user(get(&parts.fields, "creator")), Cell::Bool(true), Cell::Null],
        });
        row
    };
    (0..).zip(values.into_iter().zip(ends)).map(row).collect()
}

fn at(change: Option<&Change>) -> Cell {
    change.map_or(Cell::Null, |change| Cell::Ts(change.at))
}

fn full(cell: Cell) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text).filter(|text| !text.is_empty()),
        Cell::I64(number) => Some(number.to_string()),
        Cell::F64(number) => Some(number.to_string()),
        Cell::Date(_) => cell.json().as_str().map(str::to_owned),
        Cell::Ts(micros) => {
            let instant = chrono::DateTime::from_timestamp_micros(micros);
            instant.map(|instant| instant.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
        }
        Cell::Bool(_) | Cell::Null => None,
    }
}

/// The changes of each followed field, in order.
fn changes(parts: &Parts<'_>, created: i64) -> BTreeMap<Field, Vec<Change>> {
    let mut found: BTreeMap<Field, Vec<Change>> = BTreeMap::new();
    for raw in framed(&parts.whole, "changelog", "histories") {
        let entry = members(Some(raw));
        let when = match time(get(&entry, "created")) {
            Cell::Ts(at) => at.max(created),
            _ => created,
        };
        let Cell::I64(id) = number(get(&entry, "id")) else { continue };
        for (place, item) in (0..).zip(elements(get(&entry, "items"))) {
            let item = members(Some(item));
            let said = |name: &str| full(text(get(&item, name)));
            let is_custom = said("fieldtype").is_some_and(|kind| kind == "custom");
            let Some((field, form)) = said("field").and_then(|word| followed(&word, is_custom)) else {
                continue;
            };
            let value = |id: &str, text: &str| in_form(form, (said(id), said(text)));
            let change = Change {
                at: when,
                entry: id,
                place,
                who: full(user(get(&entry, "author"))),
                from: value("from", "fromString"),
                to: value("to", "toString"),
            };
            found.entry(field).or_default().push(change);
        }
    }
    found.values_mut().for_each(|changes| changes.sort());
    found
}

fn followed(word: &str, is_custom: bool) -> Option<(Field, &'static str)> {
    if is_custom {
        let name = custom::column_name(word);
        return (name != "rank" && name != "development").then_some((("custom", name), ""));
    }
    let word = word.to_lowercase();
    let known = WORDS.iter().find(|(said, _)| *said == word).map_or(word.as_str(), |(_, member)| member);
    let taken = ["components", "fixVersions", "versions"].contains(&word.as_str());
    system()
        .find(|(member, ..)| *member == known && !taken)
        .map(|(_, name, form)| (("jira", name.to_owned()), form))
}

fn in_form(form: &str, (id, text): Value) -> Value {
    match form {
        "d" => (None, id.or(text).map(|day| day.chars().take(10).collect())),
        "t" | "n" | "w" | "k" => (None, text),
        _ => (id, text),
    }
}

fn singles(changes: Vec<Change>) -> Vec<(Option<Change>, Value)> {
    let first = changes.first().map(|change| (None, change.from.clone()));
    first
        .into_iter()
        .chain(changes.into_iter().map(|change| {
            let to = change.to.clone();
            (Some(change), to)
        }))
        .collect()
}

/// Values of a field that holds several: the first is the present one with all changes taken back.
fn sets(mut held: Vec<Value>, changes: Vec<Change>) -> Vec<(Option<Change>, Value)> {
    for change in changes.iter().rev() {
        exchange(&mut held, &change.to, &change.from);
    }
    let mut values = vec![(None, joined(&held))];
    for change in changes {
        exchange(&mut held, &change.from, &change.to);
        values.push((Some(change), joined(&held)));
    }
    values
}

fn exchange(held: &mut Vec<Value>, out: &Value, into: &Value) {
    let same = |one: &Value, other: &Value| {
        if one.0.is_some() && other.0.is_some() { one.0 == other.0 } else { one.1 == other.1 }
    };
    if *out != (None, None) {
        held.retain(|member| !same(member, out));
    }
    if *into != (None, None) && held.iter().all(|member| !same(member, into)) {
        held.push(into.clone());
    }
}

fn joined(held: &[Value]) -> Value {
    let mut held = held.to_vec();
    held.sort_by_key(|(id, text)| {
        (id.as_ref().and_then(|id| id.parse::<i64>().ok()), id.clone(), text.clone())
    });
    let (ids, texts): (Vec<_>, Vec<_>) = held.into_iter().unzip();
    let join = |parts: Vec<Option<String>>| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    (join(ids), join(texts))
}

fn list(parts: &Parts<'_>, member: &str) -> Vec<Value> {
    let entries = elements(get(&parts.fields, member));
    let entry = |raw| {
        let object = members(Some(raw));
        (full(text(get(&object, "id"))), full(text(get(&object, "name"))))
    };
    entries.into_iter().map(entry).collect()
}

fn current(parts: &Parts<'_>, member: &str, form: &str) -> Value {
    let raw = get(&parts.fields, member);
    let inner = |name: &str| get(&members(raw), name).map(|raw| text(Some(raw))).and_then(full);
    match form {
        "i" => (inner("id"), None),
        "u" => (full(user(raw)), None),
        "t" => (None, full(text(raw))),
        "n" => (None, full(number(raw))),
        "d" => (None, full(super::value::date(raw))),
        "k" => (None, full(text(get(&parts.whole, "key")))),
        "l" => joined(&list(parts, member)),
        "w" => {
            let words: Vec<String> =
                elements(raw).into_iter().filter_map(|word| string(Some(word))).collect();
            (None, Some(words.join(" ")).filter(|text| !text.is_empty()))
        }
        named => (inner("id"), named.split_once('.').and_then(|(_, name)| inner(name))),
    }
}

/// The column's name before its field's number was added.
fn asked(column: &CustomColumn) -> &str {
    let number = column.field_id.trim_start_matches("customfield");
    column.name.strip_suffix(number).unwrap_or(&column.name)
}

/// The value of a custom field that never changed, if it is one short value.
fn custom_value(parts: &Parts<'_>, column: &CustomColumn) -> Option<Value> {
    let raw = get(&parts.fields, &column.field_id);
    let value = match column.schema_type.as_str() {
        "user" => (full(custom::cell(column, raw)), None),
        "number" | "option" | "group" | "date" | "datetime" => (None, full(custom::cell(column, raw))),
        _ if column.plugin_type.ends_with(":gh-epic-link") => {
            (None, string(raw).filter(|text| !text.is_empty()))
        }
        _ if column.plugin_type.ends_with(":gh-sprint") => sprints(parts),
        _ => return None,
    };
    Some(value)
}

/// The sprints in the order in which the issue has them.
fn sprints(parts: &Parts<'_>) -> Value {
    let rows = children::sprints(parts);
    let join = |place: usize| {
        let parts: Vec<String> = rows.iter().filter_map(|row| full(row[place].clone())).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    (join(1), join(3))
}
