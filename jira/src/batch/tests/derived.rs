use super::*;
use proptest::prelude::*;

const DERIVED: [Table; 2] = [Table::EventLog, Table::FieldHistory];
/// 2024-01-02T03:04:05.678Z, when every issue of these tests was created.
const CREATED: i64 = 1_704_164_645_678_000;
const SECOND: i64 = 1_000_000;

fn at(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(CREATED + seconds * SECOND).unwrap();
    time.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

fn entry(id: i64, seconds: i64, items: Value) -> Value {
    json!({"id": id.to_string(), "author": {"key": format!("author-{id}")}, "created": at(seconds), "items": items})
}

fn change(field: &str, from: [&str; 2], to: [&str; 2]) -> Value {
    let kind = if field.starts_with(char::is_uppercase) && field.contains(' ') { "custom" } else { "jira" };
    json!({"field": field, "fieldtype": kind, "from": from[0], "fromString": from[1], "to": to[0], "toString": to[1]})
}

fn with_history(fields: Value, histories: &[Value]) -> Value {
    let mut issue = issue(7, fields);
    issue["fields"]["creator"] = json!({"key": "creator"});
    issue["fields"]["project"] = json!({"id": "1", "key": "AB", "name": "Alphabet"});
    issue["changelog"] = json!({"total": histories.len(), "histories": histories});
    issue
}

fn derived(fields: &Value, tables: &[Table], issue: Value) -> Finished {
    let mut sink = sink_with(fields, tables);
    read(&mut sink, &page(&[issue]));
    sink.finish().unwrap()
}

fn status(id: &str, name: &str) -> Value {
    json!({"status": {"id": id, "name": name}})
}

/// The rows of one field, in order: what holds, from when, until when, in seconds after the creation.
fn told(rows: &[Value], field: &str) -> Vec<(String, i64, Option<i64>)> {
    let mut rows: Vec<&Value> = rows.iter().filter(|row| row["field"] == field).collect();
    rows.sort_by_key(|row| row["ordinal"].as_i64());
    let seconds = |value: &Value| value.as_i64().map(|micros| (micros - CREATED) / SECOND);
    let row = |row: &&Value| {
        let value = row["value_text"].as_str().unwrap_or("-").to_owned();
        (value, seconds(&row["valid_from"]).unwrap(), seconds(&row["valid_to"]))
    };
    rows.iter().map(row).collect()
}

fn texts(expected: &[(&str, i64, Option<i64>)]) -> Vec<(String, i64, Option<i64>)> {
    expected.iter().map(|(value, from, to)| ((*value).to_owned(), *from, *to)).collect()
}

#[test]
fn an_issue_tells_its_creation_changes_comments_and_work() {
    let mut fields = status("3", "Done");
    fields["issuetype"] = json!({"id": "5", "name": "Bug"});
    fields["comment"] = json!({"total": 1, "comments": [{"id": "11", "author": {"key": "c"}, "body": "text", "created": at(3)}]});
    fields["worklog"] = json!({"total": 1, "worklogs": [{"id": "12", "author": {"key": "w"}, "created": at(4), "started": at(1)}]});
    let items =
        json!([change("status", ["1", "Open"], ["3", "Done"]), change("assignee", ["", ""], ["u", "User"])]);
    let finished = derived(&json!([]), &DERIVED, with_history(fields, &[entry(9, 2, items)]));
    let rows = table_rows(&finished, "event_log");
    let short = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        (
            text("event_id"),
            text("activity"),
            text("resource"),
            (row["timestamp"].as_i64().unwrap() - CREATED) / SECOND,
        )
    };
    let event = |id: &str, activity: &str, resource: &str, seconds| {
        (id.to_owned(), activity.to_owned(), resource.to_owned(), seconds)
    };
    assert_eq!(
        rows.iter().map(short).collect::<Vec<_>>(),
        [
            event("created", "Created", "creator", 0),
            event("change/9/0", "Done", "author-9", 2),
            event("change/9/1", "assignee changed", "author-9", 2),
            event("comment/11", "Comment added", "c", 3),
            event("worklog/12", "Work logged", "w", 4),
        ]
    );
    assert_eq!(
        rows[1],
        json!({
            "issue_id": 7, "event_id": "change/9/0", "case_id": "AB-7", "activity": "Done", "timestamp": CREATED + 2 * SECOND,
            "resource": "author-9", "source": "change", "field": "status", "field_type": "jira", "old_id": "1", "old_value": "Open",
            "new_id": "3", "new_value": "Done", "history_id": 9, "item_index": 0, "project_key": "AB", "issue_type_name": "Bug"
        })
    );
    assert_eq!(
        finished.rows.keys().collect::<Vec<_>>(),
        ["event_log", "field_history"],
        "nothing else was selected"
    );
}

#[test]
fn children_that_come_later_have_their_events_with_the_issues_key() {
    let cut = |name: &str| json!({name: [], "maxResults": 0, "total": 21, "startAt": 0});
    for with_others in [false, true] {
        let tables =
            if with_others { [ISSUE_TABLES.to_vec(), DERIVED.to_vec()].concat() } else { DERIVED.to_vec() };
        let mut sink = sink_with(&json!([]), &tables);
        let issues =
            [issue(7, json!({"comment": cut("comments"), "worklog": cut("worklogs")})), issue(8, json!({}))];
        read(&mut sink, &page(&issues));
        sink.children_page(
            Table::IssueComments,
            7,
            &json!({"total": 3, "comments": [{"id": "1"}, {"id": "2"}]}).to_string(),
        )
        .unwrap();
        sink.children_page(
            Table::IssueComments,
            7,
            &json!({"total": 3, "startAt": 2, "comments": [{"id": "3"}]}).to_string(),
        )
        .unwrap();
        sink.children_page(Table::IssueWorklogs, 7, &json!({"worklogs": [{"id": "8"}]}).to_string()).unwrap();
        let finished = sink.finish().unwrap();
        let rows = table_rows(&finished, "event_log");
        let ids: Vec<_> = rows
            .iter()
            .map(|row| (row["case_id"].as_str().unwrap(), row["event_id"].as_str().unwrap()))
            .collect();
        assert_eq!(
            ids,
            [
                ("AB-7", "created"),
                ("AB-8", "created"),
                ("AB-7", "comment/1"),
                ("AB-7", "comment/2"),
                ("AB-7", "comment/3"),
                ("AB-7", "worklog/8")
            ]
        );
        assert_eq!(table_rows(&finished, "issue_comments").len(), if with_others { 3 } else { 0 });
    }
}

#[test]
fn an_issue_that_is_not_accepted_derives_nothing_and_shifts_nothing() {
    let mut sink = sink_with(&json!([]), &DERIVED);
    let one = |id| {
        with_history(
            status("1", "Open"),
            &[entry(id, 1, json!([change("status", ["1", "Open"], ["2", "B"])]))],
        )
    };
    let (mut first, mut second) = (one(1), one(2));
    first["id"] = json!("1");
    second["id"] = json!("2");
    sink.issue_page(&page(&[first, second]), &mut |head| head.id == 2).unwrap();
    let rows = table_rows(&sink.finish().unwrap(), "event_log");
    let ids: Vec<_> = rows
        .iter()
        .map(|row| (row["issue_id"].as_i64().unwrap(), row["event_id"].as_str().unwrap()))
        .collect();
    assert_eq!(ids, [(2, "created"), (2, "change/2/0")]);
}

#[test]
fn the_initial_value_is_won_back_and_unchanged_fields_hold_from_the_creation() {
    let mut fields = status("3", "Done");
    fields["priority"] = json!({"id": "2", "name": "High"});
    let histories = [
        entry(8, 10, json!([change("status", ["1", "Open"], ["2", "In Progress"])])),
        entry(9, 20, json!([change("status", ["2", "In Progress"], ["3", "Done"])])),
    ];
    let finished = derived(&json!([]), &DERIVED, with_history(fields, &histories));
    let rows = table_rows(&finished, "field_history");
    assert_eq!(
        told(&rows, "status"),
        texts(&[("Open", 0, Some(10)), ("In Progress", 10, Some(20)), ("Done", 20, None)])
    );
    assert_eq!(told(&rows, "priority"), texts(&[("High", 0, None)]));
    assert_eq!(told(&rows, "project"), texts(&[("-", 0, None)]));
    let first = rows.iter().find(|row| row["field"] == "status").unwrap();
    assert_eq!(
        (&first["author_id"], &first["is_initial"], &first["value_id"]),
        (&json!("creator"), &json!(true), &json!("1"))
    );
    assert!(
        !rows.iter().any(|row| row["field"] == "resolution"),
        "a field that never had a value has no row"
    );
}

#[test]
fn two_items_of_one_field_in_one_entry_leave_no_overlap() {
    let items = json!([change("status", ["1", "A"], ["2", "B"]), change("status", ["2", "B"], ["3", "C"])]);
    let finished = derived(&json!([]), &DERIVED, with_history(status("3", "C"), &[entry(9, 5, items)]));
    let rows = table_rows(&finished, "field_history");
    assert_eq!(told(&rows, "status"), texts(&[("A", 0, Some(5)), ("B", 5, Some(5)), ("C", 5, None)]));
}

#[test]
fn entries_out_of_order_and_before_the_creation_are_put_in_order() {
    let step = |from: &str, to: &str| json!([change("status", [from, from], [to, to])]);
    let histories =
        [entry(3, 30, step("C", "D")), entry(9, -5, step("A", "B")), entry(1, 20, step("B", "C"))];
    let finished = derived(&json!([]), &DERIVED, with_history(status("D", "D"), &histories));
    let rows = table_rows(&finished, "field_history");
    assert_eq!(
        told(&rows, "status"),
        texts(&[("A", 0, Some(0)), ("B", 0, Some(20)), ("C", 20, Some(30)), ("D", 30, None)])
    );
}

#[test]
fn fields_with_several_values_are_told_as_sets() {
    let version = |id: &str, name: &str| json!({"id": id, "name": name});
    let fields = json!({"fixVersions": [version("10", "1.0"), version("9", "0.9")], "labels": ["x", "y"]});
    let histories = [
        entry(
            1,
            1,
            json!([
                change("Fix Version", ["", ""], ["10", "1.0"]),
                change("Fix Version", ["8", "0.8"], ["", ""])
            ]),
        ),
        entry(2, 2, json!([change("labels", ["", "x"], ["", "x y"])])),
    ];
    let mut issue = with_history(fields, &histories);
    for item in issue["changelog"]["histories"][0]["items"].as_array_mut().unwrap() {
        item["fieldtype"] = json!("jira");
    }
    let rows = table_rows(&derived(&json!([]), &DERIVED, issue), "field_history");
    assert_eq!(
        told(&rows, "fix_versions"),
        texts(&[("0.8, 0.9", 0, Some(1)), ("0.8, 0.9, 1.0", 1, Some(1)), ("0.9, 1.0", 1, None)])
    );
    assert_eq!(told(&rows, "labels"), texts(&[("x", 0, Some(2)), ("x y", 2, None)]));
}

#[test]
fn custom_fields_are_named_by_their_columns() {
    let field = |number: u64, name: &str, kind: &str| json!({"id": format!("customfield_{number}"), "name": name, "custom": true, "schema": {"type": kind}});
    let fields = json!([
        field(1, "Story Points", "number"),
        field(2, "Story Points", "number"),
        field(3, "Severity", "option"),
        json!({"id": "customfield_4", "name": "Epic Link", "custom": true, "schema": {"type": "any", "custom": "com.pyxis.greenhopper.jira:gh-epic-link"}}),
        field(5, "Remarks", "string"),
        field(6, "Summary", "option")
    ]);
    let values = json!({"customfield_1": 3.0, "customfield_2": 8, "customfield_3": {"value": "high"}, "customfield_4": "AB-1",
        "customfield_5": "long text", "customfield_6": {"value": "custom summary"}, "summary": "own summary"});
    let unchanged =
        table_rows(&derived(&fields, &DERIVED, with_history(values.clone(), &[])), "field_history");
    for (field, value) in [
        ("story_points", "3"),
        ("story_points_2", "8"),
        ("severity", "high"),
        ("epic_link", "AB-1"),
        ("summary", "own summary"),
        ("summary_6", "custom summary"),
    ] {
        assert_eq!(told(&unchanged, field), texts(&[(value, 0, None)]), "{field}");
    }
    assert!(told(&unchanged, "remarks").is_empty(), "a free text is told once it changes");

    let histories = [entry(1, 9, json!([change("Story Points", ["", "1"], ["", "3"])]))];
    let changed = table_rows(&derived(&fields, &DERIVED, with_history(values, &histories)), "field_history");
    assert_eq!(told(&changed, "story_points"), texts(&[("1", 0, Some(9)), ("3", 9, None)]));
    assert!(told(&changed, "story_points_2").is_empty(), "nobody can tell which of the two was changed");
}

#[test]
fn a_due_date_has_one_form_and_a_long_text_is_cut() {
    let long = "x".repeat(300);
    let histories = [entry(
        1,
        1,
        json!([
            {"field": "duedate", "fieldtype": "jira", "from": null, "fromString": null, "to": "2024-05-06", "toString": "2024-05-06 00:00:00.0"},
            {"field": "description", "fieldtype": "jira", "from": null, "fromString": null, "to": null, "toString": long},
        ]),
    )];
    let finished = derived(&json!([]), &DERIVED, with_history(json!({"duedate": "2024-05-06"}), &histories));
    assert_eq!(
        told(&table_rows(&finished, "field_history"), "due_date"),
        texts(&[("-", 0, Some(1)), ("2024-05-06", 1, None)])
    );
    let cut = table_rows(&finished, "event_log")[2]["new_value"].as_str().unwrap().to_owned();
    assert_eq!(cut, format!("{}\u{2026}", "x".repeat(255)));
}

/// A history of one field that is consistent with its present value: (entry id, seconds, place in the entry is implied).
fn any_history() -> impl Strategy<Value = Vec<(i64, i64, u8)>> {
    prop::collection::vec((0..5_i64, -2..6_i64, 0..4_u8), 0..8)
}

/// Entries of one second keep their order by it.
fn entry_id(id: i64, seconds: i64) -> i64 {
    id * 100 + seconds + 2
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Same seconds, entries of one id, ids out of order, times before the creation.
    #[test]
    fn the_intervals_of_a_field_tile_the_time_from_the_creation(mut steps in any_history()) {
        // Jira's history is consistent when the chain follows the order of time, entry and item.
        for (id, seconds, _) in &mut steps {
            *seconds = (*seconds).max(*id - 3);
        }
        steps.sort_by_key(|(id, seconds, _)| ((*seconds).max(0), entry_id(*id, *seconds)));
        let mut entries: BTreeMap<(i64, i64), Vec<Value>> = BTreeMap::new();
        let mut value = "start".to_owned();
        for (id, seconds, next) in &steps {
            let next = next.to_string();
            entries.entry((*id, *seconds)).or_default().push(change("status", [&value, &value], [&next, &next]));
            value = next;
        }
        let histories: Vec<Value> = entries.into_iter().map(|((id, seconds), items)| entry(entry_id(id, seconds), seconds, items.into())).collect();
        let rows = table_rows(&derived(&json!([]), &DERIVED, with_history(status(&value, &value), &histories)), "field_history");
        let told = told(&rows, "status");
        prop_assert_eq!(told.len(), steps.len() + 1);
        prop_assert_eq!(told[0].1, 0);
        prop_assert_eq!(&told.last().unwrap().0, &value);
        prop_assert_eq!(told.last().unwrap().2, None);
        for pair in told.windows(2) {
            prop_assert_eq!(pair[0].2, Some(pair[1].1), "a gap or an overlap in {:?}", &told);
            prop_assert!(pair[0].1 <= pair[1].1);
        }
    }
}
