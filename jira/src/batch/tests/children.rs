use super::*;

fn user(key: &str) -> Value {
    json!({"self": "x", "key": key, "name": format!("login of {key}"), "active": true})
}

#[test]
fn comments_come_from_the_page_when_all_are_there() {
    let comments = json!([
        {"id": "11", "author": user("A"), "updateAuthor": user("B"), "body": "one\r\n\"two\"",
         "created": "1970-01-01T00:00:01.000+0000", "updated": "1970-01-01T00:00:02.000+0000",
         "visibility": {"type": "role", "value": "Developers"}},
        {"id": 12, "author": null}
    ]);
    let finished =
        read_fields(json!({"comment": {"comments": comments, "maxResults": 2, "total": 2, "startAt": 0}}));
    let rows = table_rows(&finished, "issue_comments");
    let first = json!({
        "comment_id": 11, "issue_id": 7, "author_id": "A", "update_author_id": "B", "body": "one\r\n\"two\"",
        "body_adf": null, "created": 1_000_000, "updated": 2_000_000, "visibility_type": "role", "visibility_value": "Developers"
    });
    let second = json!({
        "comment_id": 12, "issue_id": 7, "author_id": null, "update_author_id": null, "body": null, "body_adf": null, "created": null,
        "updated": null, "visibility_type": null, "visibility_value": null
    });
    assert_eq!(rows, [first, second]);
    assert_eq!(only_row(&finished, "issues")["comment_count"], 2);
}

#[test]
fn a_cut_list_is_not_kept_and_is_said_to_be_incomplete() {
    let cut = |name: &str| json!({name: [{"id": "1"}], "maxResults": 1, "total": 21, "startAt": 0});
    let mut sink = sink();
    let page = page(&[issue(7, json!({"comment": cut("comments"), "worklog": cut("worklogs")}))]);
    let seen = read(&mut sink, &page).issues;
    assert_eq!(seen[0].incomplete, [Table::IssueComments, Table::IssueWorklogs]);

    let comments = json!({"startAt": 0, "maxResults": 2, "total": 3, "comments": [{"id": "1"}, {"id": "2"}]});
    let envelope = sink.children_page(Table::IssueComments, 7, &comments.to_string()).unwrap();
    assert_eq!(envelope, Envelope { start_at: 0, max_results: 2, total: 3, count: 2 });
    let rest = json!({"startAt": 2, "maxResults": 2, "total": 3, "comments": [{"id": "3"}]});
    sink.children_page(Table::IssueComments, 7, &rest.to_string()).unwrap();
    let worklogs = json!({"worklogs": [{"id": "8", "timeSpentSeconds": 60}, {"id": "9"}]});
    let envelope = sink.children_page(Table::IssueWorklogs, 7, &worklogs.to_string()).unwrap();
    assert_eq!(envelope, Envelope { start_at: 0, max_results: 2, total: 2, count: 2 });

    let finished = sink.finish().unwrap();
    let ids = |table, column: &str| {
        table_rows(&finished, table).iter().map(|row| row[column].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids("issue_comments", "comment_id"), [1, 2, 3]);
    assert_eq!(ids("issue_comments", "issue_id"), [7, 7, 7]);
    assert_eq!(ids("issue_worklogs", "worklog_id"), [8, 9]);
    assert_eq!(only_row(&finished, "issues")["worklog_count"], 21);
    assert_eq!(warned(&finished), [("changelog_unsent", 1)]);
}

#[test]
fn a_list_without_a_total_is_not_taken_for_complete() {
    let mut sink = sink();
    let head =
        read(&mut sink, &page(&[issue(7, json!({"comment": {"comments": [{"id": "1"}]}, "worklog": {}}))]));
    assert_eq!(head.issues[0].incomplete, [Table::IssueComments, Table::IssueWorklogs]);
}

#[test]
fn a_children_page_that_cannot_be_read_leaves_the_sink_as_it_was() {
    let mut sink = sink();
    sink.children_page(Table::IssueComments, 1, r#"{"comments":[{"id":"1"}]}"#).unwrap();
    for bad in
        [r#"{"comments":[{"id":"2"},{"id""#, r#"{"errorMessages":[]}"#, "[]", r#"{"comments":7}"#, "<p>"]
    {
        sink.children_page(Table::IssueComments, 1, bad).unwrap_err();
    }
    assert_eq!(only_row(&sink.finish().unwrap(), "issue_comments")["comment_id"], 1);
}

#[test]
fn worklogs_have_their_times_in_seconds() {
    let worklog = json!({"id": "5", "author": user("A"), "updateAuthor": user("A"), "comment": "did it",
        "started": "1970-01-01T01:00:00.000+0100", "created": "1970-01-01T00:00:01.000+0000",
        "updated": "1970-01-01T00:00:02.000+0000", "timeSpent": "1h", "timeSpentSeconds": 3600, "issueId": "99"});
    let finished = read_fields(json!({"worklog": {"total": 1, "worklogs": [worklog]}}));
    let expected = json!({
        "worklog_id": 5, "issue_id": 7, "author_id": "A", "update_author_id": "A", "comment": "did it", "comment_adf": null, "started": 0,
        "created": 1_000_000, "updated": 2_000_000, "time_spent_seconds": 3600, "visibility_type": null,
        "visibility_value": null
    });
    assert_eq!(only_row(&finished, "issue_worklogs"), expected);
}

#[test]
fn a_history_is_a_row_per_item_and_one_row_when_it_has_none() {
    let histories = json!([
        {"id": "100", "author": user("A"), "created": "1970-01-01T00:00:01.000+0000", "items": [
            {"field": "status", "fieldtype": "jira", "from": "1", "fromString": "Open", "to": "3", "toString": "Done"},
            {"field": "Rank", "fieldtype": "custom", "from": null, "to": "", "toString": "Ranked higher"}
        ]},
        {"id": "101", "created": "1970-01-01T00:00:02.000+0000", "items": []},
        {"id": "102"},
        {"id": "103", "author": user("B"), "items": [{"field": "labels"}]}
    ]);
    let mut sink = sink();
    let mut changed = issue(7, json!({}));
    changed["changelog"] = json!({"startAt": 0, "maxResults": 4, "total": 4, "histories": histories});
    let mut untouched = issue(8, json!({}));
    untouched["changelog"] = json!({"startAt": 0, "maxResults": 0, "total": 0, "histories": []});
    read(&mut sink, &page(&[changed, untouched]));
    let finished = sink.finish().unwrap();
    let row = |history: i64, item: i64, author: Value, created: Value, item_cells: [Value; 6]| {
        let [field, field_type, from_id, from_text, to_id, to_text] = item_cells;
        json!({"issue_id": 7, "history_id": history, "item_index": item, "author_id": author, "created": created,
            "field": field, "field_id": null, "field_type": field_type, "from_id": from_id, "from_text": from_text, "to_id": to_id,
            "to_text": to_text})
    };
    let none = || [const { Value::Null }; 6];
    let mut labels = none();
    labels[0] = json!("labels");
    let status = [json!("status"), json!("jira"), json!("1"), json!("Open"), json!("3"), json!("Done")];
    let rank = [json!("Rank"), json!("custom"), Value::Null, Value::Null, json!(""), json!("Ranked higher")];
    let expected = [
        row(100, 0, json!("A"), json!(1_000_000), status),
        row(100, 1, json!("A"), json!(1_000_000), rank),
        row(101, 0, Value::Null, json!(2_000_000), none()),
        row(102, 0, Value::Null, Value::Null, none()),
        row(103, 0, json!("B"), Value::Null, labels),
    ];
    assert_eq!(table_rows(&finished, "issue_changelog"), expected);
    let counts: Vec<_> =
        table_rows(&finished, "issues").iter().map(|row| row["changelog_count"].clone()).collect();
    assert_eq!(counts, [4, 0]);
}

#[test]
fn histories_that_jira_counted_and_did_not_send_are_warned_of() {
    let mut sink = sink();
    let mut cut =
        issue(7, json!({"comment": {"total": 0, "comments": []}, "worklog": {"total": 0, "worklogs": []}}));
    cut["changelog"] = json!({"total": 100, "histories": [{"id": "1"}]});
    read(&mut sink, &page(&[cut]));
    assert_eq!(warned(&sink.finish().unwrap()), [("changelog_cut", 99)]);
}

#[test]
fn links_say_their_direction_and_its_phrase() {
    let kind = json!({"id": "10000", "name": "Blocks", "inward": "is blocked by", "outward": "blocks"});
    let links = json!([
        {"id": "1", "type": kind, "outwardIssue": {"id": "21", "key": "AB-21", "fields": {"summary": "x"}}},
        {"id": "2", "inwardIssue": {"id": 22, "key": "AB-22"}, "type": kind},
        {"id": "3", "type": null, "inwardIssue": null},
        {"id": "4", "outwardIssue": {"id": "23", "key": "AB-23"}, "inwardIssue": {"id": "24"}, "type": kind}
    ]);
    let rows = table_rows(&read_fields(json!({"issuelinks": links})), "issue_links");
    let row = |id: i64, direction: &str, type_id: Value, phrase: Value, other: [Value; 2]| {
        let type_name = if type_id.is_null() { Value::Null } else { json!("Blocks") };
        let [other_id, other_key] = other;
        json!({"issue_id": 7, "link_id": id, "direction": direction, "type_id": type_id, "type_name": type_name,
            "phrase": phrase, "other_issue_id": other_id, "other_issue_key": other_key})
    };
    let expected = [
        row(1, "outward", json!(10000), json!("blocks"), [json!(21), json!("AB-21")]),
        row(2, "inward", json!(10000), json!("is blocked by"), [json!(22), json!("AB-22")]),
        row(3, "outward", Value::Null, Value::Null, [Value::Null, Value::Null]),
        row(4, "inward", json!(10000), json!("is blocked by"), [json!(24), Value::Null]),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn entries_without_an_id_are_left_out_and_counted() {
    let fields = json!({
        "comment": {"total": 4, "comments": [{"body": "x"}, null, 7, {"id": "1"}]},
        "worklog": {"total": 1, "worklogs": [{"id": "no number"}]},
        "issuelinks": [{"type": {}}, {"id": "9"}]
    });
    let mut sink = sink();
    let mut odd = issue(7, fields);
    odd["changelog"] = json!({"total": 2, "histories": [{"items": [{"field": "a"}, {"field": "b"}]}, {"id": "5", "items": [{"field": "c"}]}]});
    read(&mut sink, &page(&[odd]));
    let finished = sink.finish().unwrap();
    assert_eq!(only_row(&finished, "issue_comments")["comment_id"], 1);
    assert_eq!(only_row(&finished, "issue_links")["link_id"], 9);
    assert_eq!(only_row(&finished, "issue_changelog")["field"], "c");
    assert!(warned(&finished).contains(&("entry_without_id", 6)), "{:?}", finished.warnings);
}
