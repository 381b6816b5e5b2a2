use super::*;
use crate::client::allow::Of;
use crate::decode::MetadataPage;

fn read_metadata(table: Table, answers: &[Value]) -> Finished {
    let mut sink = sink_with(&json!([]), &[]);
    for answer in answers {
        sink.metadata(table, &Of::Site, &answer.to_string()).unwrap();
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
    assert_eq!(sink.metadata(Table::Users, &Of::Site, r#"[{"key":"a"},{"key":"b"}]"#).unwrap().count, 2);
    sink.metadata(Table::Users, &Of::Site, r#"[{"key":"c"},{"key":"#).unwrap_err();
    assert_eq!(
        sink.metadata(
            Table::Users,
            &Of::Site,
            r#" {"values":[{"key":"b"},{"key":"c"},{"key":"c"}],"isLast":true}"#
        )
        .unwrap(),
        MetadataPage { count: 3, fresh: 1, is_last: Some(true), total: None }
    );
    assert_eq!(sink.metadata(Table::Users, &Of::Site, "[]").unwrap().count, 0);
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
    sink.metadata(Table::Fields, &Of::Site, &answer.to_string()).unwrap();
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
        assert!(
            matches!(sink.metadata(Table::Statuses, &Of::Site, bad), Err(DecodeError::Shape { .. })),
            "{bad}"
        );
    }
    assert!(matches!(sink.metadata(Table::Issues, &Of::Site, "[]"), Err(DecodeError::Shape { .. })));
    assert!(sink.finish().unwrap().parts.is_empty());
}

#[test]
fn a_table_without_rows_still_has_a_part_that_names_its_columns() {
    let mut sink = sink_with(&json!([]), &[Table::Issues, Table::IssueWorklogs]);
    sink.require(Table::IssueWorklogs);
    sink.metadata(Table::Projects, &Of::Site, "[]").unwrap();
    let finished = sink.finish().unwrap();
    let parts: Vec<_> =
        finished.parts.iter().map(|part| (part.table.as_str(), part.rows, part.columns)).collect();
    assert_eq!(parts, [("issue_worklogs", 0, 12), ("projects", 0, 9)]);
    assert!(part_rows(&finished.parts[0]).is_empty());
}

#[test]
fn a_list_of_one_of_many_names_it_and_its_places() {
    let mut sink = sink_with(&json!([]), &[]);
    let board = json!({"id": 3, "columnConfig": {"constraintType": "none", "columns": [
        {"name": "To Do", "statuses": [{"id": "1"}], "min": 1}, {"name": "Done", "statuses": []}]}});
    sink.metadata(Table::BoardColumns, &Of::Id(3), &board.to_string()).unwrap();
    sink.metadata(Table::BoardColumns, &Of::Id(4), &board.to_string()).unwrap();
    let levels = json!({"levels": [{"id": "9", "name": "Secret"}]});
    sink.metadata(Table::SecurityLevels, &Of::Id(1), &levels.to_string()).unwrap();
    sink.metadata(Table::SecurityLevels, &Of::Id(2), &levels.to_string()).unwrap();
    let finished = sink.finish().unwrap();
    let rows = table_rows(&finished, "board_columns");
    let told: Vec<_> =
        rows.iter().map(|row| json!([row["board_id"], row["ordinal"], row["name"], row["min"]])).collect();
    let wanted = [
        json!([3, 0, "To Do", 1]),
        json!([3, 1, "Done", null]),
        json!([4, 0, "To Do", 1]),
        json!([4, 1, "Done", null]),
    ];
    assert_eq!(told, wanted);
    let projects: Vec<_> =
        table_rows(&finished, "security_levels").iter().map(|row| row["project_id"].clone()).collect();
    assert_eq!(projects, [1, 2]);
}

#[test]
fn an_answer_without_the_members_that_lead_to_its_list_is_refused() {
    let mut sink = sink_with(&json!([]), &[]);
    for bad in ["{}", r#"{"columnConfig":{}}"#, r#"{"columnConfig":{"columns":7}}"#] {
        let read = sink.metadata(Table::BoardColumns, &Of::Id(3), bad);
        assert!(matches!(read, Err(DecodeError::Shape { .. })), "{bad}");
    }
}

#[test]
fn a_column_takes_its_value_from_where_either_kind_of_jira_has_it() {
    let server = json!({"schemes": [{"id": "1", "name": "Default", "defaultIssueType": {"id": "10001", "name": "Bug"},
        "issueTypes": [{"id": "10001", "name": "Bug", "subtask": false}]}]});
    let rows = table_rows(&read_metadata(Table::IssueTypeSchemes, &[server]), "issue_type_schemes");
    assert_eq!(rows[0]["default_issue_type_id"], 10001);
    assert_eq!(rows[0]["issue_types"], r#"[{"id":"10001","name":"Bug"}]"#);

    let mut sink = on_cloud();
    let cloud = json!({"values": [{"id": "2", "name": "x", "defaultIssueTypeId": "10002", "isDefault": true}], "isLast": true});
    sink.metadata(Table::IssueTypeSchemes, &Of::Site, &cloud.to_string()).unwrap();
    let scheme = json!({"values": [{"projectIds": ["7"], "workflowScheme": {"id": 3, "name": "w", "defaultWorkflow": "jira"}}]});
    sink.metadata(Table::WorkflowSchemes, &Of::Id(7), &scheme.to_string()).unwrap();
    sink.metadata(Table::Labels, &Of::Site, r#"{"values":["a","b","a"],"isLast":true}"#).unwrap();
    let finished = sink.finish().unwrap();
    let rows = table_rows(&finished, "issue_type_schemes");
    assert_eq!((&rows[0]["default_issue_type_id"], &rows[0]["is_default"]), (&json!(10002), &json!(true)));
    let rows = table_rows(&finished, "workflow_schemes");
    assert_eq!(
        [&rows[0]["project_id"], &rows[0]["scheme_id"], &rows[0]["default_workflow"]],
        [&json!(7), &json!(3), &json!("jira")]
    );
    assert_eq!(table_rows(&finished, "labels"), [json!({"label": "a"}), json!({"label": "b"})]);
}

fn on_cloud() -> Sink {
    let schema = Arc::new(IssueSchema::default().on_cloud(true));
    Sink::new(schema, &BTreeSet::new(), Place { unit: UnitId::new("u"), generation: 0 }, usize::MAX)
}

#[test]
fn an_event_without_an_id_is_told_from_others_by_all_that_it_says() {
    let event = |who: &str| json!({"timestamp": "2024-03-01T00:00:07.000Z", "author": {"id": who}, "type": {"action": "Group created"}});
    let page = |events: &[Value]| json!({"entities": events, "pagingInfo": {"lastPage": true}});
    let ids = |events: &[Value]| -> Vec<Value> {
        let rows = table_rows(&read_metadata(Table::AuditRecords, &[page(events)]), "audit_records");
        rows.iter().map(|row| row["record_id"].clone()).collect()
    };
    let two = ids(&[event("a"), event("b"), event("a")]);
    assert!(two.len() == 2 && two[0] != two[1], "{two:?}");
    assert_eq!(ids(&[event("b"), event("a")]), [two[1].clone(), two[0].clone()]);
}

#[test]
fn an_answer_that_is_one_object_is_one_row() {
    let rows =
        table_rows(&read_metadata(Table::Configuration, &[json!({"votingEnabled": true})]), "configuration");
    assert_eq!(
        (&rows[0]["ordinal"], &rows[0]["voting_enabled"], &rows[0]["time_format"]),
        (&json!(0), &json!(true), &json!(null))
    );
    assert_eq!(rows.len(), 1);
}
