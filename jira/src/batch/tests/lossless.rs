//! Recorded answers of real sites lose nothing: each value is in a cell of the row that it belongs to, or on the list of what is left out.

use super::recorded::{lines_of, samples};
use super::*;
use crate::client::allow::Of;
use crate::tables::left_out::LEFT_OUT;
use crate::timestamp::{parse_date, parse_timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// What became of the values of all answers.
#[derive(Default)]
struct Tally {
    found: usize,
    lost: BTreeMap<String, String>,
    used: BTreeSet<(&'static str, &'static str)>,
}

/// A scalar in the forms that a cell may have.
struct Scalar {
    text: String,
    integer: Option<i64>,
    number: Option<f64>,
    micros: Option<i64>,
    days: Option<i64>,
}

impl Scalar {
    fn of(value: &Value) -> Self {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self {
            integer: text.parse().ok(),
            number: text.parse().ok(),
            micros: parse_timestamp(&text),
            days: parse_date(&text).map(i64::from),
            text,
        }
    }

    fn is(&self, cell: &Value) -> bool {
        match cell {
            Value::String(text) => *text == self.text,
            Value::Number(number) => {
                let integer = number.as_i64();
                let is_integer =
                    integer.is_some() && [self.integer, self.micros, self.days].contains(&integer);
                let double = number.as_f64().zip(self.number);
                is_integer || double.is_some_and(|(cell, number)| cell.total_cmp(&number).is_eq())
            }
            Value::Bool(flag) => self.text == if *flag { "true" } else { "false" },
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// Whether a cell holds it as it is, or inside of its JSON.
    fn is_in(&self, cell: &Value) -> bool {
        let json = cell.as_str().filter(|cell| cell.starts_with(['[', '{']));
        self.is(cell)
            || json.and_then(|cell| serde_json::from_str::<Value>(cell).ok()).is_some_and(|inner| {
                let mut found = Vec::new();
                leaves(&inner, "", &[], &mut found);
                found.iter().any(|leaf| leaf.scalar.text == self.text)
            })
    }
}

/// A value of an answer: its place, the ids of the list elements that it is in, and itself.
struct Leaf {
    path: String,
    elements: Vec<i64>,
    is_flag: bool,
    scalar: Scalar,
}

fn leaves(value: &Value, path: &str, elements: &[i64], found: &mut Vec<Leaf>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(member, &path, elements, found);
            }
        }
        Value::Array(list) => {
            for element in list {
                let id = element.get("id").and_then(|id| Scalar::of(id).integer);
                let inner: Vec<i64> = elements.iter().copied().chain(id).collect();
                leaves(element, &format!("{path}[]"), &inner, found);
            }
        }
        Value::Null => {}
        value => {
            let (path, elements) = (path.to_owned(), elements.to_vec());
            found.push(Leaf { path, elements, is_flag: value.is_boolean(), scalar: Scalar::of(value) });
        }
    }
}

impl Tally {
    /// Looks for each value of one row's object in its rows: in those of the innermost list element that has rows of its own.
    fn judge(&mut self, table: &'static str, sent: &Value, rows: &[&Value]) {
        let mut found = Vec::new();
        leaves(sent, "", &[], &mut found);
        for leaf in found {
            let named = |id: &i64| {
                let of_element = |row: &&&Value| cells(row).any(|cell| cell.as_i64() == Some(*id));
                let rows: Vec<_> = rows.iter().filter(of_element).copied().collect();
                (!rows.is_empty()).then_some(rows)
            };
            let own = leaf.elements.iter().rev().find_map(named);
            let own = own.as_deref().unwrap_or(rows);
            let is_found = own.iter().any(|row| row_holds(row, &leaf));
            self.found += usize::from(is_found);
            let left = LEFT_OUT.iter().find(|left| left.covers(table, &leaf.path));
            self.used.extend(left.map(|left| (left.table, left.path)));
            if !is_found && left.is_none() {
                self.lost.insert(format!("{table}: {}", leaf.path), leaf.scalar.text);
            }
        }
    }

    /// A list that is read into a table, row by row in its order; `of` is the project or board that it is of.
    fn list(&mut self, table: Table, of: i64, answer: &Value) {
        let origin = table.spec().origin.as_ref();
        let at = origin.map_or("values", |origin| origin.list);
        let pointer = format!("/{}", at.replace('.', "/"));
        let sent = answer.as_array().or_else(|| answer.pointer(&pointer)?.as_array()).unwrap().clone();
        let mut sink = sink_with(&json!([]), &[]);
        sink.metadata(table, &Of::Id(of), &answer.to_string()).unwrap();
        let finished = sink.finish().unwrap();
        let rows = table_rows(&finished, table.name());
        assert_eq!(rows.len(), sent.len(), "{table}");
        for (sent, row) in sent.iter().zip(&rows) {
            self.judge(table.name(), sent, &[row]);
        }
        // What stands beside a list that lies deeper.
        if answer.is_object() && at.contains('.') {
            let mut beside = answer.clone();
            *beside.pointer_mut(&pointer).unwrap() = Value::Null;
            self.judge(table.name(), &beside, &rows.iter().collect::<Vec<_>>());
        }
    }

    /// What an issue keeps in a resource of its own.
    fn of_issue(&mut self, table: Table, sent: &Value) {
        let mut sink = sink_with(&json!([]), &[table]);
        sink.of_issue(table, 7, &sent.to_string()).unwrap();
        let rows = table_rows(&sink.finish().unwrap(), table.name());
        let sent = sent.as_array().unwrap();
        assert_eq!(rows.len(), sent.len(), "{table}");
        for (sent, row) in sent.iter().zip(&rows) {
            self.judge(table.name(), sent, &[row]);
        }
    }

    /// Issues of a search, into all tables that come with them.
    fn issues(&mut self, (fields, is_cloud): (&Value, bool), sent: &[Value]) {
        let comes_along = |table: &Table| {
            table.is_issue_table() && (table.is_default() || *table == Table::IssueTransitions)
        };
        let tables: BTreeSet<_> = Table::all().iter().copied().filter(comes_along).collect();
        let schema = IssueSchema::from_field_answer(&fields.to_string()).unwrap().on_cloud(is_cloud);
        let mut sink = Sink::new(Arc::new(schema), &tables, place(), usize::MAX);
        for some in sent.chunks(50) {
            read(&mut sink, &page(some));
        }
        let finished = sink.finish().unwrap();
        let mut rows: HashMap<i64, Vec<Value>> = HashMap::new();
        // What is derived holds everything once more, and proves nothing.
        for table in tables.iter().filter(|table| !table.is_derived()) {
            for row in table_rows(&finished, table.name()) {
                rows.entry(row["issue_id"].as_i64().unwrap()).or_default().push(row);
            }
        }
        for issue in sent {
            let rows: Vec<_> = rows[&number(&issue["id"])].iter().collect();
            self.judge("issues", issue, &rows);
        }
    }
}

/// Whether a cell of a row holds a value; for one of two possible values the column must be of its name too.
fn row_holds(row: &Value, leaf: &Leaf) -> bool {
    let member = leaf.path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let mut columns = row.as_object().into_iter().flatten().filter(|(_, cell)| !cell.is_null());
    columns.any(|(name, cell)| {
        (!leaf.is_flag || name.replace('_', "").contains(&member)) && leaf.scalar.is_in(cell)
    })
}

/// An id, as number or text.
fn number(id: &Value) -> i64 {
    Scalar::of(id).integer.unwrap()
}

fn cells(row: &Value) -> impl Iterator<Item = &Value> {
    row.as_object().into_iter().flatten().map(|(_, cell)| cell).filter(|cell| !cell.is_null())
}

fn json_of(samples: &Path, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(samples.join(file)).unwrap()).unwrap()
}

/// The recordings of one project lost ids of theirs; every real answer has them.
fn with_ids(mut list: Vec<Value>) -> Vec<Value> {
    for (entry, id) in list.iter_mut().zip(9_000_001..) {
        let members = entry.as_object_mut().unwrap();
        members.entry("id").or_insert_with(|| id.to_string().into());
    }
    list
}

/// The fields of a site whose issues have these members: numbers and texts.
fn fields_of(issue: &Value) -> Value {
    let members = issue["fields"].as_object().unwrap().iter();
    let custom = members.filter(|(name, value)| name.starts_with("customfield_") && !value.is_null());
    let field = |(name, value): (&String, &Value)| {
        let kind = if value.is_number() { "number" } else { "string" };
        json!({"id": name, "name": name, "custom": true, "schema": {"type": kind}})
    };
    custom.map(field).collect()
}

const APACHE: &str = "server/go-jira-apache";
const CLOUD: &str = "cloud/jira-cli";

/// Recorded lists: folder, file, and the table that they are read into.
const LISTS: &[(&str, &str, Table)] = &[
    (APACHE, "all_projects", Table::Projects),
    (APACHE, "all_statuses", Table::Statuses),
    (APACHE, "all_statuscategories", Table::StatusCategories),
    (APACHE, "all_priorities", Table::Priorities),
    (APACHE, "all_resolutions", Table::Resolutions),
    (APACHE, "all_fields", Table::Fields),
    (APACHE, "all_issuelinktypes", Table::LinkTypes),
    (APACHE, "all_roles", Table::ProjectRoles),
    (APACHE, "all_boards", Table::Boards),
    (APACHE, "all_boards_filtered", Table::Boards),
    (APACHE, "sprints", Table::Sprints),
    (APACHE, "sprints_filtered", Table::Sprints),
    (APACHE, "board_configuration", Table::BoardColumns),
    (APACHE, "all_filters", Table::Filters),
    (APACHE, "favourite_filters", Table::Filters),
    (APACHE, "my_filters", Table::Filters),
    (APACHE, "search_filters", Table::Filters),
    (APACHE, "all_permissionschemes", Table::PermissionSchemes),
    (APACHE, "permissionscheme", Table::PermissionGrants),
    (CLOUD, "boards", Table::Boards),
    (CLOUD, "fields", Table::Fields),
    (CLOUD, "issue-link-types", Table::LinkTypes),
    (CLOUD, "projects", Table::Projects),
    (CLOUD, "sprints", Table::Sprints),
    (CLOUD, "users", Table::Users),
];

/// Recorded single objects, as lists of one.
const OBJECTS: &[(&str, &str, Table)] = &[
    (APACHE, "component_get", Table::Components),
    (APACHE, "filter", Table::Filters),
    (APACHE, "role", Table::ProjectRoles),
    (APACHE, "status_category", Table::StatusCategories),
    (CLOUD, "sprint-get", Table::Sprints),
];

/// Recorded projects with what belongs to them.
const PROJECTS: &[&str] = &[
    "server/go-jira-apache/project",
    "server/tidev-appcelerator/project-AC",
    "server/tidev-appcelerator/project-ALOY",
    "server/tidev-appcelerator/project-DAEMON",
    "server/tidev-appcelerator/project-MOD",
    "server/tidev-appcelerator/project-TIMOB",
];

fn judge_lists(tally: &mut Tally, samples: &Path) {
    for (folder, file, table) in LISTS {
        let answer = json_of(samples, &format!("{folder}/{file}.json"));
        let answer = match answer {
            Value::Array(list) if *table != Table::Users => with_ids(list).into(),
            other => other,
        };
        tally.list(*table, 35, &answer);
    }
    for (folder, file, table) in OBJECTS {
        tally.list(*table, 12_345, &json!([json_of(samples, &format!("{folder}/{file}.json"))]));
    }
    for file in PROJECTS {
        let mut project = json_of(samples, &format!("{file}.json"));
        let id = number(&project["id"]);
        let members = project.as_object_mut().unwrap();
        for (member, table) in [
            ("components", Table::Components),
            ("versions", Table::Versions),
            ("issueTypes", Table::IssueTypes),
        ] {
            if let Some(list) = members.remove(member) {
                tally.list(table, id, &list);
            }
        }
        tally.list(Table::Projects, id, &json!([project]));
    }
}

/// An issue of the archive, which left comments out and their count as it was; a run would read such a list from its resource.
fn whole_lists(line: &str) -> Value {
    let mut issue: Value = serde_json::from_str(line).unwrap();
    let comments = &mut issue["fields"]["comment"];
    comments["total"] = comments["comments"].as_array().unwrap().len().into();
    issue
}

fn judge_issues(tally: &mut Tally, samples: &Path) {
    let archived: Vec<Value> = lines_of(samples).iter().map(|line| whole_lists(line)).collect();
    tally.issues((&json!([]), false), &archived);

    let mut changed = issue(1, json!({}));
    let recorded = json_of(samples, "server/dc8-changelog/changelog-anonymised.json");
    changed["changelog"] = recorded["changelog"].clone();
    tally.issues((&json!([]), false), &[changed]);

    let of_sprint = json_of(samples, "server/go-jira-apache/issues_in_sprint.json");
    let of_sprint = of_sprint["issues"].as_array().unwrap();
    tally.issues((&fields_of(&of_sprint[0]), false), of_sprint);

    let searched = json_of(samples, "cloud/jira-cli/search.json");
    tally.issues((&json!([]), true), &with_ids(searched["issues"].as_array().unwrap().clone()));
    tally.issues((&json!([]), true), &with_ids(vec![json_of(samples, "cloud/jira-cli/issue.json")]));

    for (folder, is_cloud) in [(APACHE, false), (CLOUD, true)] {
        let mut movable = issue(1, json!({}));
        movable["transitions"] =
            json_of(samples, &format!("{folder}/transitions.json"))["transitions"].take();
        tally.issues((&json!([]), is_cloud), &[movable]);
    }
    tally.of_issue(Table::IssueRemoteLinks, &json_of(samples, &format!("{APACHE}/remote_links.json")));
}

#[test]
fn every_recorded_value_is_in_a_table_or_on_the_list_of_what_is_left_out() {
    let Some(samples) = samples() else { return };
    let mut tally = Tally::default();
    judge_issues(&mut tally, &samples);
    judge_lists(&mut tally, &samples);
    assert!(tally.lost.is_empty(), "{} values found, but not:\n{:#?}", tally.found, tally.lost);
    println!("{} values found in tables", tally.found);
    let needless: Vec<_> =
        LEFT_OUT.iter().filter(|left| !tally.used.contains(&(left.table, left.path))).collect();
    assert!(needless.is_empty(), "nothing recorded needs these: {needless:#?}");
}
