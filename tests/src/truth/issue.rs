//! One issue's JSON to its rows.

use serde_json::Value;
use serde_json::value::RawValue;

use super::adf;
use super::custom::{self, CustomColumn};
use super::value::{
    Cell, Members, boolean, date, elements, get, json, members, number, string, text, time, user,
};
use super::{IssueRows, Row, columns};

/// What the rows of an issue are made from.
pub(super) struct Parts<'a> {
    pub(super) whole: Members<'a>,
    pub(super) fields: Members<'a>,
    pub(super) id: Cell,
    pub(super) custom: &'a [CustomColumn],
    /// The objects of a resource of the issue, by its name.
    pub(super) of_issue: &'a dyn Fn(&str) -> Vec<Value>,
}

/// Which of an issue's tables are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// Those that an extraction reads which names none.
    Defaults,
    /// This one.
    One(&'a str),
}

/// Reads an issue; `None` when it is no JSON object.
pub(super) fn rows(
    issue: &str,
    custom: &[CustomColumn],
    of_issue: &dyn Fn(&str) -> Vec<Value>,
    wanted: Wanted<'_>,
) -> Option<IssueRows> {
    let whole: Members = serde_json::from_str(issue).ok()?;
    let (id, fields) = (number(get(&whole, "id")), members(get(&whole, "fields")));
    Some(columns::issue_rows(&Parts { whole, fields, id, custom, of_issue }, wanted))
}

pub(super) fn issues(parts: &Parts<'_>) -> Vec<Row> {
    vec![issue_row(&parts.whole, &parts.fields, parts.custom)]
}

pub(super) fn comments(parts: &Parts<'_>) -> Vec<Row> {
    rows_of(parts, framed(&parts.fields, "comment", "comments"), comment)
}

pub(super) fn worklogs(parts: &Parts<'_>) -> Vec<Row> {
    rows_of(parts, framed(&parts.fields, "worklog", "worklogs"), worklog)
}

pub(super) fn changelog(parts: &Parts<'_>) -> Vec<Row> {
    let histories = framed(&parts.whole, "changelog", "histories");
    histories.iter().flat_map(|raw| history(&parts.id, &members(Some(raw)))).collect()
}

pub(super) fn links(parts: &Parts<'_>) -> Vec<Row> {
    rows_of(parts, elements(get(&parts.fields, "issuelinks")), link)
}

/// The elements of a list within a frame.
pub(super) fn framed<'a>(of: &Members<'a>, frame: &str, list: &str) -> Vec<&'a RawValue> {
    elements(get(&members(get(of, frame)), list))
}

/// A row for each element.
fn rows_of(parts: &Parts<'_>, elements: Vec<&RawValue>, row: fn(&Cell, &Members<'_>) -> Row) -> Vec<Row> {
    elements.into_iter().map(|raw| row(&parts.id, &members(Some(raw)))).collect()
}

/// The value of a member of a member.
fn inner(fields: &Members<'_>, outer: &str, name: &str, read: fn(Option<&RawValue>) -> Cell) -> Cell {
    read(get(&members(get(fields, outer)), name))
}

fn issue_row(whole: &Members<'_>, fields: &Members<'_>, custom: &[CustomColumn]) -> Row {
    let category = members(get(&members(get(fields, "status")), "statusCategory"));
    let mut row = vec![number(get(whole, "id")), text(get(whole, "key"))];
    for (object, names) in [("project", ["id", "key"]), ("issuetype", ["id", "name"])] {
        row.push(inner(fields, object, names[0], number));
        row.push(inner(fields, object, names[1], text));
    }
    row.push(inner(fields, "issuetype", "subtask", boolean));
    row.push(inner(fields, "status", "id", number));
    row.push(inner(fields, "status", "name", text));
    row.push(text(get(&category, "key")));
    for object in ["priority", "resolution"] {
        row.push(inner(fields, object, "id", number));
        row.push(inner(fields, object, "name", text));
    }
    row.push(text(get(fields, "summary")));
    for name in ["description", "environment"] {
        row.extend([adf::plain(get(fields, name)), adf::document(get(fields, name))]);
    }
    row.extend(["creator", "reporter", "assignee"].map(|name| user(get(fields, name))));
    row.extend(["created", "updated", "resolutiondate"].map(|name| time(get(fields, name))));
    row.push(date(get(fields, "duedate")));
    row.push(inner(fields, "parent", "id", number));
    row.push(inner(fields, "parent", "key", text));
    let numbers = [
        "timeoriginalestimate",
        "timeestimate",
        "timespent",
        "aggregatetimeoriginalestimate",
        "aggregatetimeestimate",
        "aggregatetimespent",
        "workratio",
    ];
    row.extend(numbers.map(|name| number(get(fields, name))));
    row.push(inner(fields, "votes", "votes", number));
    row.push(inner(fields, "watches", "watchCount", number));
    row.push(inner(fields, "security", "id", number));
    row.push(inner(fields, "security", "name", text));
    row.push(json(get(fields, "labels")));
    row.extend(["components", "fixVersions", "versions"].map(|name| id_names(get(fields, name))));
    row.push(inner(fields, "comment", "total", number));
    row.push(inner(fields, "worklog", "total", number));
    row.push(inner(whole, "changelog", "total", number));
    let attachments = get(fields, "attachment").map(|list| elements(Some(list)).len());
    row.push(attachments.map_or(Cell::Null, |count| Cell::I64(i64::try_from(count).unwrap_or(i64::MAX))));
    let epic = custom.iter().find(|column| column.plugin_type.ends_with(":gh-epic-link"));
    row.push(epic.map_or(Cell::Null, |column| text(get(fields, &column.field_id))));
    row.push(time(get(fields, "statuscategorychangedate")));
    row.extend(custom.iter().map(|column| custom::cell(column, get(fields, &column.field_id))));
    row
}

/// `[{"id":"..","name":".."}]` with these two members only.
fn id_names(list: Option<&RawValue>) -> Cell {
    if list.is_none() {
        return Cell::Null;
    }
    let objects: Vec<String> = elements(list)
        .iter()
        .map(|raw| {
            let object = members(Some(raw));
            let quoted = |name| Value::from(string(get(&object, name)).unwrap_or_default()).to_string();
            format!("{{\"id\":{},\"name\":{}}}", quoted("id"), quoted("name"))
        })
        .collect();
    Cell::Text(format!("[{}]", objects.join(",")))
}

fn visibility(child: &Members<'_>) -> [Cell; 2] {
    ["type", "value"].map(|name| inner(child, "visibility", name, text))
}

fn comment(issue: &Cell, child: &Members<'_>) -> Row {
    let mut row = vec![number(get(child, "id")), issue.clone()];
    row.extend(["author", "updateAuthor"].map(|name| user(get(child, name))));
    row.extend([adf::plain(get(child, "body")), adf::document(get(child, "body"))]);
    row.extend(["created", "updated"].map(|name| time(get(child, name))));
    row.extend(visibility(child));
    row
}

fn worklog(issue: &Cell, child: &Members<'_>) -> Row {
    let mut row = vec![number(get(child, "id")), issue.clone()];
    row.extend(["author", "updateAuthor"].map(|name| user(get(child, name))));
    row.extend([adf::plain(get(child, "comment")), adf::document(get(child, "comment"))]);
    row.extend(["started", "created", "updated"].map(|name| time(get(child, name))));
    row.push(number(get(child, "timeSpentSeconds")));
    row.extend(visibility(child));
    row
}

/// A row per item; an entry without items gives one row with the item's columns null.
fn history(issue: &Cell, entry: &Members<'_>) -> Vec<Row> {
    let items = elements(get(entry, "items"));
    let mut parts: Vec<Members<'_>> = items.iter().map(|raw| members(Some(raw))).collect();
    if parts.is_empty() {
        parts.push(Members::new());
    }
    let head = [number(get(entry, "id")), user(get(entry, "author")), time(get(entry, "created"))];
    let row = |(index, item): (i64, &Members<'_>)| {
        let [id, author, created] = head.clone();
        let mut row = vec![issue.clone(), id, Cell::I64(index), author, created];
        row.extend(
            ["field", "fieldId", "fieldtype", "from", "fromString", "to", "toString"]
                .map(|name| text(get(item, name))),
        );
        row
    };
    (0..).zip(&parts).map(row).collect()
}

fn link(issue: &Cell, link: &Members<'_>) -> Row {
    let (direction, member, phrase) = match get(link, "inwardIssue") {
        Some(_) => ("inward", "inwardIssue", "inward"),
        None => ("outward", "outwardIssue", "outward"),
    };
    vec![
        issue.clone(),
        number(get(link, "id")),
        Cell::Text(direction.to_owned()),
        inner(link, "type", "id", number),
        inner(link, "type", "name", text),
        inner(link, "type", phrase, text),
        inner(link, member, "id", number),
        inner(link, member, "key", text),
    ]
}
