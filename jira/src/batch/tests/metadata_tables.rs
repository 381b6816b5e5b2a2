use super::*;

fn read_metadata(table: Table, answers: &[Value]) -> Finished {
    let mut sink = sink_with(&json!([]), &[]);
    for answer in answers {
        sink.metadata(table, &answer.to_string()).unwrap();
    }
    sink.finish().unwrap()
}

#[test]
fn each_metadata_table_gets_its_columns() {
    let cases = [
        (
            Table::Projects,
            json!({"id": "10730", "key": "AB", "name": " Alpha", "description": "d", "lead": {"key": "k", "name": "n"},
                "projectCategory": {"id": "1", "name": "Retired"}, "projectTypeKey": "software", "archived": false}),
            json!({"project_id": 10730, "project_key": "AB", "name": " Alpha", "description": "d", "lead_id": "k",
                "category_id": 1, "category_name": "Retired", "project_type": "software", "archived": false}),
        ),
        (
            Table::Statuses,
            json!({"id": "1", "name": "Idea", "description": "", "statusCategory": {"id": 2, "key": "new", "name": "To Do"}}),
            json!({"status_id": 1, "name": "Idea", "description": "", "category_id": 2, "category_key": "new",
                "category_name": "To Do"}),
        ),
        (
            Table::Statuses,
            json!({"id": 1, "statusCategory": {"id": "2"}}),
            json!({"status_id": 1, "name": null, "description": null, "category_id": 2, "category_key": null,
                "category_name": null}),
        ),
        (
            Table::Priorities,
            json!({"id": "2", "name": "High", "description": "x", "statusColor": "#f00"}),
            json!({"priority_id": 2, "name": "High", "description": "x", "status_color": "#f00"}),
        ),
        (
            Table::Resolutions,
            json!({"id": "3", "name": "Fixed", "description": "y"}),
            json!({"resolution_id": 3, "name": "Fixed", "description": "y"}),
        ),
        (
            Table::IssueTypes,
            json!({"id": "4", "name": "Sub-task", "description": "z", "subtask": true}),
            json!({"issue_type_id": 4, "name": "Sub-task", "description": "z", "is_subtask": true}),
        ),
    ];
    for (table, sent, row) in cases {
        assert_eq!(only_row(&read_metadata(table, &[json!([sent])]), table.name()), row);
    }
}

#[test]
fn a_user_is_known_by_key_else_name_else_account_id() {
    let users = json!([
        {"key": "JIRAUSER1", "name": "ann", "displayName": "Ann", "emailAddress": "ann at x", "active": true,
         "deleted": false, "timeZone": "Europe/Berlin"},
        {"name": "gone", "active": false},
        {"accountId": "5f:1"},
        {"displayName": "nobody"}
    ]);
    let finished = read_metadata(Table::Users, &[users]);
    let rows = table_rows(&finished, "users");
    let first = json!({"user_id": "JIRAUSER1", "user_name": "ann", "display_name": "Ann", "email": "ann at x",
        "active": true, "deleted": false, "time_zone": "Europe/Berlin"});
    assert_eq!(rows[0], first);
    assert_eq!(
        rows.iter().map(|row| row["user_id"].clone()).collect::<Vec<_>>(),
        ["JIRAUSER1", "gone", "5f:1"]
    );
    assert_eq!(warned(&finished), [("entry_without_id", 1)]);
}

#[test]
fn a_user_on_two_pages_is_one_row_and_pages_tell_their_length() {
    let mut sink = sink_with(&json!([]), &[]);
    assert_eq!(sink.metadata(Table::Users, r#"[{"key":"a"},{"key":"b"}]"#).unwrap(), 2);
    sink.metadata(Table::Users, r#"[{"key":"c"},{"key":"#).unwrap_err();
    assert_eq!(
        sink.metadata(Table::Users, r#" {"values":[{"key":"b"},{"key":"c"},{"key":"c"}],"isLast":true}"#)
            .unwrap(),
        3
    );
    assert_eq!(sink.metadata(Table::Users, "[]").unwrap(), 0);
    let finished = sink.finish().unwrap();
    let ids: Vec<_> = table_rows(&finished, "users").iter().map(|row| row["user_id"].clone()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(finished.rows["users"], 3);
}

#[test]
fn a_custom_field_names_its_column() {
    let answer = json!([
        {"id": "summary", "name": "Summary", "custom": false, "schema": {"type": "string", "system": "summary"}},
        {"id": "customfield_9", "name": "Sprint", "custom": true,
         "schema": {"type": "array", "items": "string", "custom": "x:gh-sprint", "customId": 9}},
        {"id": "thumbnail", "name": "Images", "custom": false}
    ]);
    let mut sink = sink_with(&answer, &[]);
    sink.metadata(Table::Fields, &answer.to_string()).unwrap();
    let rows = table_rows(&sink.finish().unwrap(), "fields");
    let sprint = json!({"field_id": "customfield_9", "name": "Sprint", "is_custom": true, "schema_type": "array",
        "schema_items": "string", "schema_custom": "x:gh-sprint", "column_name": "sprint"});
    assert_eq!(rows[1], sprint);
    assert_eq!((&rows[0]["column_name"], &rows[2]["schema_type"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_is_no_list_is_refused() {
    let mut sink = sink_with(&json!([]), &[]);
    for bad in ["{}", "7", "null", r#"{"values":null}"#] {
        assert!(matches!(sink.metadata(Table::Statuses, bad), Err(DecodeError::Shape { .. })), "{bad}");
    }
    assert!(matches!(sink.metadata(Table::Issues, "[]"), Err(DecodeError::Shape { .. })));
    assert!(sink.finish().unwrap().parts.is_empty());
}

#[test]
fn a_table_without_rows_still_has_a_part_that_names_its_columns() {
    let mut sink = sink_with(&json!([]), &[Table::Issues, Table::IssueWorklogs]);
    sink.require(Table::IssueWorklogs);
    sink.metadata(Table::Projects, "[]").unwrap();
    let finished = sink.finish().unwrap();
    let parts: Vec<_> =
        finished.parts.iter().map(|part| (part.table.as_str(), part.rows, part.columns)).collect();
    assert_eq!(parts, [("issue_worklogs", 0, 11), ("projects", 0, 9)]);
    assert!(part_rows(&finished.parts[0]).is_empty());
}
