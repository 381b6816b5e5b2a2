//! The smaller lists of an issue: labels, components, versions, attachments, sprints, sub-tasks, values of custom fields.

use super::*;

fn all_tables() -> Vec<Table> {
    Table::all().iter().copied().filter(|table| table.is_issue_table()).collect()
}

fn custom(number: u64, schema: Value) -> Value {
    json!({"id": format!("customfield_{number}"), "name": format!("F{number}"), "custom": true, "schema": schema})
}

fn read_with(fields: &Value, issues: &[Value]) -> Finished {
    let mut sink = sink_with(fields, &all_tables());
    read(&mut sink, &page(issues));
    sink.finish().unwrap()
}

fn column(finished: &Finished, table: &str, name: &str) -> Vec<Value> {
    table_rows(finished, table).iter().map(|row| row[name].clone()).collect()
}

#[test]
fn a_list_fills_its_own_table_and_the_column_of_the_issue() {
    let fields = json!({
        "labels": ["one", "two", "one"],
        "components": [{"id": "5", "name": "API", "description": "x"}, {"name": "without id"}],
        "versions": [{"id": "8", "name": "2.0"}],
        "fixVersions": [{"id": "8", "name": "2.0"}, {"id": "9", "name": "2.1"}],
        "attachment": [{"id": "3", "filename": "a.txt", "size": 7, "mimeType": "text/plain", "author": {"key": "k"},
            "created": "1970-01-01T00:00:01.000+0000", "content": "https://x"}]
    });
    let finished = read_with(&json!([]), &[issue(7, fields), issue(8, json!({}))]);
    assert_eq!(column(&finished, "issue_labels", "label"), ["one", "two"]);
    assert_eq!(
        only_row(&finished, "issue_components"),
        json!({"issue_id": 7, "component_id": 5, "name": "API"})
    );
    let versions = [("affects", 8, "2.0"), ("fix", 8, "2.0"), ("fix", 9, "2.1")]
        .map(|(role, id, name)| json!({"issue_id": 7, "version_id": id, "role": role, "name": name}));
    let mut rows = table_rows(&finished, "issue_versions");
    rows.sort_by_key(|row| (row["role"].to_string(), row["version_id"].to_string()));
    assert_eq!(rows, versions);
    let attachment = json!({"attachment_id": 3, "issue_id": 7, "filename": "a.txt", "size": 7,
        "mime_type": "text/plain", "author_id": "k", "created": 1_000_000});
    assert_eq!(only_row(&finished, "issue_attachments"), attachment);
    let issues = table_rows(&finished, "issues");
    assert_eq!(issues[0]["labels"], r#"["one","two","one"]"#);
    assert_eq!(issues[0]["fix_versions"], r#"[{"id":"8","name":"2.0"},{"id":"9","name":"2.1"}]"#);
    assert_eq!((&issues[0]["attachment_count"], &issues[1]["attachment_count"]), (&json!(1), &Value::Null));
    assert!(warned(&finished).contains(&("entry_without_id", 1)));
}

#[test]
fn a_member_that_is_sent_twice_yields_its_rows_once() {
    let text = r#"{"total":1,"issues":[{"id":"7","key":"A-7","fields":{"created":"2024-01-02T03:04:05.678+0000",
        "labels":["a"],"labels":["b"],"versions":[{"id":"1"}],"fixVersions":[{"id":"2"}],"versions":[{"id":"3"}]}}]}"#;
    let mut sink = sink_with(&json!([]), &all_tables());
    read(&mut sink, text);
    let finished = sink.finish().unwrap();
    assert_eq!(column(&finished, "issue_labels", "label"), ["b"]);
    assert_eq!(column(&finished, "issue_versions", "version_id"), [1, 2]);
}

#[test]
fn a_sprint_is_read_from_text_and_from_an_object_alike() {
    let fields = json!([custom(
        1,
        json!({"type": "array", "items": "string", "custom": "com.pyxis.greenhopper.jira:gh-sprint"})
    )]);
    let text = "com.atlassian.greenhopper.service.sprint.Sprint@1f[id=7,rapidViewId=3,state=CLOSED,name=a, b [c],\
        startDate=1970-01-01T00:00:01.000Z,endDate=<null>,completeDate=1970-01-01T01:00:02.000+01:00,sequence=7,goal=x, y]";
    let object = json!({"id": 7, "boardId": 3, "state": "closed", "name": "a, b [c]", "goal": "x, y",
        "startDate": "1970-01-01T00:00:01.000Z", "completeDate": "1970-01-01T00:00:02.000Z"});
    let row = |issue: u64| {
        json!({"issue_id": issue, "sprint_id": 7, "ordinal": 0, "name": "a, b [c]", "state": "closed", "board_id": 3,
            "start_date": 1_000_000, "end_date": null, "complete_date": 2_000_000, "goal": "x, y", "is_current": false})
    };
    let issues = [
        issue(1, json!({"customfield_1": [text]})),
        issue(2, json!({"customfield_1": [object.clone(), object]})),
    ];
    let finished = read_with(&fields, &issues);
    assert_eq!(table_rows(&finished, "issue_sprints"), [row(1), row(2)]);
    assert!(table_rows(&finished, "issue_custom_values").is_empty());
}

#[test]
fn each_value_of_a_custom_field_is_a_row() {
    let fields = json!([
        custom(1, json!({"type": "array", "items": "option"})),
        custom(2, json!({"type": "option-with-child"})),
        custom(3, json!({"type": "array", "items": "user"})),
        custom(4, json!({"type": "array", "items": "string"})),
        custom(5, json!({"type": "option"})),
    ]);
    let values = json!({
        "customfield_1": [{"id": "10", "value": "Red"}, null, 4.5],
        "customfield_2": {"id": "20", "value": "Region", "child": {"id": "21", "value": "City"}},
        "customfield_3": [{"key": "k", "name": "n", "displayName": "Ann"}],
        "customfield_4": ["1970-01-01T00:00:01.000+0000", "plain"],
        "customfield_5": {"id": "50", "value": "one only"}
    });
    let finished = read_with(&fields, &[issue(7, values)]);
    let told: Vec<_> = table_rows(&finished, "issue_custom_values")
        .into_iter()
        .map(|row| {
            json!([
                row["field_id"],
                row["ordinal"],
                row["value_text"],
                row["value_num"],
                row["value_ts"],
                row["value_id"]
            ])
        })
        .collect();
    let wanted = [
        json!(["customfield_1", 0, "Red", null, null, "10"]),
        json!(["customfield_1", 2, "4.5", 4.5, null, null]),
        json!(["customfield_2", 0, "Region", null, null, "20"]),
        json!(["customfield_2", 1, "City", null, null, "21"]),
        json!(["customfield_3", 0, "Ann", null, null, "k"]),
        json!(["customfield_4", 0, "1970-01-01T00:00:01.000+0000", null, 1_000_000, null]),
        json!(["customfield_4", 1, "plain", null, null, null]),
    ];
    assert_eq!(told, wanted);
    assert_eq!(column(&finished, "issue_custom_values", "issue_id"), [7; 7]);
}

#[test]
fn a_sub_task_is_told_by_itself() {
    let kind = |subtask: bool| json!({"issuetype": {"id": "5", "subtask": subtask}, "parent": {"id": "1", "key": "AB-1"}});
    let finished = read_with(&json!([]), &[issue(7, kind(true)), issue(8, kind(false))]);
    let row = json!({"issue_id": 7, "issue_key": "AB-7", "parent_id": 1, "parent_key": "AB-1"});
    assert_eq!(only_row(&finished, "issue_subtasks"), row);
}

#[test]
fn the_epic_of_an_issue_is_a_column_of_its_own() {
    let fields =
        json!([custom(1, json!({"type": "any", "custom": "com.pyxis.greenhopper.jira:gh-epic-link"}))]);
    let finished = read_with(&fields, &[issue(7, json!({"customfield_1": "AB-3"}))]);
    let row = only_row(&finished, "issues");
    assert_eq!((&row["epic_key"], &row["f1"]), (&json!("AB-3"), &json!("\"AB-3\"")));
}
