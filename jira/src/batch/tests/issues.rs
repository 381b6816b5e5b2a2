use super::*;

fn full_fields() -> Value {
    json!({
        "summary": "A \"quoted\" näme\r\nof two lines", "description": "", "environment": null,
        "project": {"id": "10000", "key": "AB", "name": "Alpha"},
        "issuetype": {"id": "3", "name": "Task", "subtask": true},
        "status": {"name": "Open", "id": 1, "statusCategory": {"id": 2, "key": "new", "name": "To Do"}},
        "priority": {"id": "2", "name": "High"}, "resolution": {"id": "1", "name": "Fixed"},
        "creator": {"self": "x", "name": "ann", "key": "JIRAUSER1", "displayName": "Ann"},
        "reporter": {"name": "bob"}, "assignee": {"accountId": "5f:1", "key": null},
        "resolutiondate": "2024-01-02T03:04:05+0000", "duedate": "1970-01-11",
        "parent": {"id": "6", "key": "AB-6", "fields": {"summary": "p"}},
        "timeoriginalestimate": 3600, "timeestimate": 0, "timespent": null, "aggregatetimeoriginalestimate": 7200,
        "aggregatetimeestimate": 1, "aggregatetimespent": 2, "workratio": -1,
        "votes": {"self": "x", "votes": 4, "hasVoted": false}, "watches": {"watchCount": 5},
        "security": {"id": "900", "name": "Internal"}, "labels": ["b", "a \"x\""],
        "components": [{"self": "x", "name": "Core, \"new\"", "id": "12", "description": "d"}, {"id": 13, "name": "UI"}],
        "fixVersions": [], "versions": [{"id": "77", "name": "1.0", "released": true}],
        "comment": {"comments": [], "maxResults": 0, "total": 0, "startAt": 0},
        "worklog": {"startAt": 0, "maxResults": 20, "total": 0, "worklogs": []},
        "attachment": [{"id": "1", "author": {"name": "x"}}], "progress": {"progress": 0, "total": 0}
    })
}

#[test]
fn every_fixed_column_gets_its_value() {
    let finished = read_fields(full_fields());
    let expected = r#"{
        "issue_id": 7, "issue_key": "AB-7", "project_id": 10000, "project_key": "AB", "type_id": 3, "type_name": "Task",
        "is_subtask": true, "status_id": 1, "status_name": "Open", "status_category": "new", "priority_id": 2,
        "priority_name": "High", "resolution_id": 1, "resolution_name": "Fixed",
        "summary": "A \"quoted\" näme\r\nof two lines", "description": "", "description_adf": null, "environment": null, "environment_adf": null,
        "creator_id": "JIRAUSER1", "reporter_id": "bob", "assignee_id": "5f:1",
        "created": 1704164645678000, "updated": 1704236400000000, "resolved_at": 1704164645000000,
        "due_date": 10, "parent_id": 6, "parent_key": "AB-6", "original_estimate_seconds": 3600,
        "remaining_estimate_seconds": 0, "time_spent_seconds": null, "aggregate_original_estimate_seconds": 7200,
        "aggregate_remaining_estimate_seconds": 1, "aggregate_time_spent_seconds": 2, "work_ratio": -1, "votes": 4,
        "watches": 5, "security_level_id": 900, "security_level_name": "Internal", "labels": "[\"b\",\"a \\\"x\\\"\"]",
        "components": "[{\"id\":\"12\",\"name\":\"Core, \\\"new\\\"\"},{\"id\":\"13\",\"name\":\"UI\"}]",
        "fix_versions": "[]", "affects_versions": "[{\"id\":\"77\",\"name\":\"1.0\"}]",
        "comment_count": 0, "worklog_count": 0, "changelog_count": null,
        "attachment_count": 1, "epic_key": null, "status_category_changed_at": null
    }"#;
    let expected: Value = serde_json::from_str(expected).unwrap();
    assert_eq!(only_row(&finished, "issues"), expected);
    assert_eq!(warned(&finished), [("changelog_unsent", 1)]);
}

#[test]
fn absent_and_null_members_are_null_cells() {
    let row = only_row(
        &read_fields(json!({"status": null, "labels": null, "components": null, "creator": null})),
        "issues",
    );
    let set: Vec<_> =
        row.as_object().unwrap().iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| k.as_str()).collect();
    assert_eq!(set, ["created", "issue_id", "issue_key", "updated"]);
}

#[test]
fn members_may_come_in_any_order() {
    let text = r#"{"issues":[{"changelog":{"histories":[{"items":[{"toString":"b","field":"f"}],"created":"2024-01-01T00:00:00Z",
        "id":"5"}],"total":1},"fields":{"comment":{"total":1,"comments":[{"body":"hello","id":"9"}]},
        "updated":"2024-01-01T00:00:00Z","issuelinks":[{"outwardIssue":{"key":"AB-2","id":"2"},"type":{"outward":"blocks"},"id":"3"}],
        "created":"2024-01-01T00:00:00Z"},"key":"AB-1","id":"1"}],"total":1,"startAt":0,"maxResults":1}"#;
    let mut sink = sink();
    let head = read(&mut sink, text);
    assert_eq!((head.total, head.issues.len(), head.issues[0].id), (1, 1, 1));
    let finished = sink.finish().unwrap();
    assert_eq!(only_row(&finished, "issue_comments")["issue_id"], 1);
    assert_eq!(only_row(&finished, "issue_links")["issue_id"], 1);
    let item = only_row(&finished, "issue_changelog");
    assert_eq!(
        (&item["issue_id"], &item["history_id"], &item["to_text"]),
        (&json!(1), &json!(5), &json!("b"))
    );
}

#[test]
fn the_last_of_two_members_of_one_name_wins() {
    let text = r#"{"total":9,"total":1,"issues":[{"id":"8","id":"1","key":"AB-1","fields":{"created":"2024-01-01T00:00:00Z",
        "summary":"first","workratio":"no number","summary":"second","workratio":3,
        "comment":{"total":2,"comments":[{"id":"1"},{"id":"2"}]},"comment":{"total":1,"comments":[{"id":"3","id":"4"}]},
        "worklog":{"total":0,"worklogs":[]}},
        "changelog":{"total":1,"histories":[{"id":"1","items":[{"field":"a","to":"x"},{"field":"b"}],"items":[{"field":"c"}]}]}}]}"#;
    let mut sink = sink();
    read(&mut sink, text);
    let finished = sink.finish().unwrap();
    let row = only_row(&finished, "issues");
    assert_eq!(
        (&row["issue_id"], &row["summary"], &row["work_ratio"]),
        (&json!(1), &json!("second"), &json!(3))
    );
    assert_eq!(only_row(&finished, "issue_comments")["comment_id"], 4);
    let item = only_row(&finished, "issue_changelog");
    assert_eq!((&item["field"], &item["to_id"]), (&json!("c"), &Value::Null));
    assert_eq!(warned(&finished), []);
}

#[test]
fn a_value_of_the_wrong_kind_is_null_and_counted() {
    let finished = read_fields(json!({
        "workratio": 18_446_744_073_709_551_615_u64, "timespent": 1e300, "timeestimate": 60.0, "duedate": "soon",
        "summary": ["x"], "status": "Open", "creator": "ann", "components": "none", "votes": {"votes": {"n": 1}}
    }));
    let row = only_row(&finished, "issues");
    assert_eq!(row["remaining_estimate_seconds"], 60);
    for column in [
        "work_ratio",
        "time_spent_seconds",
        "due_date",
        "summary",
        "status_id",
        "creator_id",
        "components",
        "votes",
    ] {
        assert_eq!(row[column], Value::Null, "{column}");
    }
    let misfits: Vec<_> = finished.warnings.iter().filter(|w| w.code == "value_does_not_fit").collect();
    assert_eq!(misfits.len(), 8, "{misfits:?}");
    assert!(misfits.iter().any(|w| w.message.contains("issues.due_date that are no days")), "{misfits:?}");
}

#[test]
fn ids_are_read_from_numbers_too() {
    let mut sink = sink();
    let created = "2024-01-01T00:00:00Z";
    read(
        &mut sink,
        &page(&[json!({"id": 5, "key": "AB-5", "fields": {"created": created, "project": {"id": 10000}}})]),
    );
    let row = only_row(&sink.finish().unwrap(), "issues");
    assert_eq!((&row["issue_id"], &row["project_id"]), (&json!(5), &json!(10000)));
}

#[test]
fn a_refused_issue_leaves_no_row_and_no_warning() {
    let mut sink = sink();
    let odd = json!({"workratio": "x", "comment": {"total": 1, "comments": [{"id": "1"}]}});
    let mut asked = Vec::new();
    let accept = &mut |head: &IssueHead| {
        asked.push((head.id, head.created_ms, head.updated_ms));
        head.id == 2
    };
    let plain = json!({"project": {"key": "AB"}, "comment": {"total": 0, "comments": []}, "worklog": {"total": 0, "worklogs": []}});
    let mut second = issue(2, plain);
    second["changelog"] = json!({"total": 0, "histories": []});
    let seen =
        sink.issue_page(&page(&[issue(1, odd.clone()), second, issue(3, odd)]), accept).unwrap().issues;
    assert_eq!(asked[0], (1, 1_704_164_645_678, 1_704_236_400_000));
    assert_eq!(
        seen.iter().map(|s| (s.id, s.accepted)).collect::<Vec<_>>(),
        [(1, false), (2, true), (3, false)]
    );
    assert_eq!(seen[1].project_key.as_deref(), Some("AB"));
    let finished = sink.finish().unwrap();
    assert_eq!(only_row(&finished, "issues")["issue_id"], 2);
    assert_eq!(table_rows(&finished, "issue_comments"), [] as [Value; 0]);
    assert_eq!(warned(&finished), []);
}

#[test]
fn a_page_that_cannot_be_read_leaves_the_sink_as_it_was() {
    let good = page(&[issue(1, full_fields())]);
    let two = page(&[issue(2, full_fields()), issue(3, json!({"workratio": "x"}))]);
    let no_id =
        page(&[issue(2, json!({})), json!({"key": "AB-4", "fields": {"created": "2024-01-01T00:00:00Z"}})]);
    let surrogate = two.replace("two lines", "\\ud800");
    for (bad, is_expected) in [
        (
            two.get(..two.len() - 9).unwrap(),
            (|e| matches!(e, DecodeError::Truncated { .. })) as fn(&DecodeError) -> bool,
        ),
        (two.get(..two.len() / 2).unwrap(), |e| matches!(e, DecodeError::Truncated { .. })),
        ("<html><body>log in</body></html>", |e| matches!(e, DecodeError::NotJson { .. })),
        ("", |e| matches!(e, DecodeError::Truncated { .. })),
        (surrogate.as_str(), |e| matches!(e, DecodeError::NotJson { .. } | DecodeError::Shape { .. })),
        (&format!("{two} {{}}"), |e| matches!(e, DecodeError::NotJson { .. })),
        (no_id.as_str(), |e| matches!(e, DecodeError::Shape { .. })),
        (&page(&[issue(2, json!({"created": null}))]), |e| matches!(e, DecodeError::Shape { .. })),
        (r#"{"errorMessages":["no"]}"#, |e| matches!(e, DecodeError::Shape { .. })),
        (r#"{"total":1,"issues":{}}"#, |e| matches!(e, DecodeError::Shape { .. })),
        (r#"{"issues":[]}"#, |e| matches!(e, DecodeError::Shape { .. })),
        ("[]", |e| matches!(e, DecodeError::Shape { .. })),
    ] {
        let mut sink = sink();
        read(&mut sink, &good);
        let error = sink.issue_page(bad, &mut |_| true).unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        let finished = sink.finish().unwrap();
        assert_eq!(only_row(&finished, "issues")["issue_id"], 1);
        assert_eq!(warned(&finished), [("changelog_unsent", 1)], "{error}");
    }
}

#[test]
fn deep_nesting_in_members_that_nobody_reads_is_read_over() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = page(&[issue(1, json!({"unknown": "DEEP", "workratio": "DEEP", "issuelinks": "DEEP"}))]);
    let mut sink = sink();
    read(&mut sink, &text.replace("\"DEEP\"", &deep));
    assert_eq!(only_row(&sink.finish().unwrap(), "issues")["work_ratio"], Value::Null);
}

#[test]
fn only_selected_tables_get_rows() {
    let mut sink = sink_with(&json!([]), &[Table::IssueLinks]);
    let links = json!([{"id": "3", "type": {}, "outwardIssue": {"id": "2"}}]);
    let fields = json!({"issuelinks": links, "comment": {"total": 1, "comments": [{"id": "1"}]}});
    let head = read(&mut sink, &page(&[issue(1, fields.clone()), issue(2, fields)]));
    assert!(head.issues.iter().all(|seen| seen.accepted && seen.incomplete.is_empty()));
    let finished = sink.finish().unwrap();
    assert_eq!(finished.rows, BTreeMap::from([("issue_links".to_owned(), 2)]));
    assert_eq!(table_rows(&finished, "issue_links")[1]["issue_id"], 2);
}

#[test]
fn heads_are_read_without_rows() {
    let text = page(&[
        issue(4, json!({})),
        json!({"id": "5", "key": "AB-5", "fields": {"created": "2024-01-01T00:00:00Z"}}),
    ]);
    let head = decode_heads(&text, false).unwrap();
    assert_eq!(head.issues.iter().map(|seen| seen.id).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(head.issues[1].updated_ms, head.issues[1].created_ms);
    assert_eq!((head.start_at, head.max_results, head.total), (0, 50, 2));
}

#[test]
fn custom_values_land_by_the_type_of_their_field() {
    let fits = [
        ("number", json!(5), json!(5.0)),
        ("number", json!(2.25), json!(2.25)),
        ("number", json!("1e3"), json!(1000.0)),
        ("date", json!("1970-01-02"), json!(1)),
        ("datetime", json!("1970-01-01T00:00:01.5+0000"), json!(1_500_000)),
        ("string", json!("a\r\n\u{1f600}"), json!("a\r\n\u{1f600}")),
        ("string", json!(["a", 1]), json!("[\"a\",1]")),
        ("string", json!(1.5), json!("1.5")),
        ("option", json!({"self": "x", "value": "Red", "id": "1"}), json!("Red")),
        ("option", json!({"id": "1"}), json!("{\"id\":\"1\"}")),
        ("option", json!("Red"), json!("Red")),
        ("user", json!({"name": "ann", "key": "JIRAUSER1"}), json!("JIRAUSER1")),
        ("user", json!({"x": 1}), json!("{\"x\":1}")),
        ("group", json!({"name": "staff", "self": "x"}), json!("staff")),
        ("array", json!([{"value": "a", "id": 1}]), json!("[{\"id\":1,\"value\":\"a\"}]")),
        ("any", json!("plain"), json!("\"plain\"")),
        ("option-with-child", json!({"value": "a"}), json!("{\"value\":\"a\"}")),
        ("number", Value::Null, Value::Null),
        ("array", Value::Null, Value::Null),
    ];
    for (schema_type, sent, column) in fits {
        assert_eq!(custom_value(schema_type, sent.clone()), (column, 0), "{schema_type} {sent}");
    }
    let misfits = [
        ("number", json!("many")),
        ("number", json!([1])),
        ("number", json!("NaN")),
        ("number", json!(true)),
        ("date", json!("2024-13-01")),
        ("date", json!(3)),
        ("datetime", json!({"iso": "x"})),
        ("datetime", json!("2024-01-01")),
    ];
    for (schema_type, sent) in misfits {
        assert_eq!(custom_value(schema_type, sent.clone()), (Value::Null, 1), "{schema_type} {sent}");
    }
}

#[test]
fn numbers_beyond_a_double_and_half_surrogates_in_custom_fields_do_not_cost_the_page() {
    let fields = json!([
        {"id": "customfield_1", "name": "N", "custom": true, "schema": {"type": "number"}},
        {"id": "customfield_2", "name": "T", "custom": true, "schema": {"type": "string"}},
        {"id": "customfield_3", "name": "J", "custom": true, "schema": {"type": "any"}}
    ]);
    let mut sink = sink_with(&fields, &[Table::Issues]);
    let text = page(&[issue(1, json!({"customfield_1": 111, "customfield_2": "SUR", "customfield_3": 111}))]);
    read(&mut sink, &text.replace("111", "1e999").replace("SUR", "\\udc00"));
    let finished = sink.finish().unwrap();
    let row = only_row(&finished, "issues");
    assert_eq!((&row["n"], &row["t"], &row["j"]), (&Value::Null, &Value::Null, &json!("1e999")));
    let texts: Vec<_> = finished.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(texts[0], "values of issues.n (customfield_1) that are no numbers were left null");
    assert_eq!(texts.len(), 2);
}
