use super::*;

/// What one answer to a table's resource becomes, for issue 7.
fn answered(table: Table, answers: &[Value]) -> Finished {
    let mut sink = sink_with(&json!([]), &[table]);
    for answer in answers {
        sink.of_issue(table, 7, &answer.to_string()).unwrap();
    }
    sink.finish().unwrap()
}

#[test]
fn links_to_other_systems_are_rows_whatever_they_lack() {
    let full = json!({"id": 10000, "globalId": "system=x&id=1", "application": {"type": "com.acme", "name": "Acme"}, "relationship": "causes",
        "object": {"url": "http://x", "title": "T", "summary": "S",
        "icon": {"title": "I"}, "status": {"resolved": true, "icon": {"title": "C", "link": "http://y"}}}});
    let finished =
        answered(Table::IssueRemoteLinks, &[json!([full, {"id": "10001"}, {"globalId": "no id"}])]);
    let rows = table_rows(&finished, "issue_remote_links");
    let first = json!({"issue_id": 7, "remote_link_id": 10000, "global_id": "system=x&id=1", "relationship": "causes",
        "application_type": "com.acme", "application_name": "Acme", "url": "http://x", "title": "T", "summary": "S", "resolved": true, "kind_title": "I",
        "status_title": "C", "status_url": "http://y"});
    assert_eq!(rows[0], first);
    assert_eq!((rows.len(), &rows[1]["remote_link_id"], &rows[1]["url"]), (2, &json!(10001), &Value::Null));
    assert_eq!(warned(&finished), [("entry_without_id", 1)]);
}

#[test]
fn people_are_named_by_their_ids_and_those_not_shown_are_counted() {
    let watchers = json!([{"key": "A", "name": "a"}, {"name": "b"}, {"accountId": "5f:1"}, {"key": "A"}, {"active": false}]);
    let finished = answered(
        Table::IssueWatchers,
        &[json!({"watchCount": 8, "isWatching": false, "watchers": watchers})],
    );
    let ids: Vec<_> =
        table_rows(&finished, "issue_watchers").iter().map(|row| row["user_id"].clone()).collect();
    assert_eq!(ids, ["A", "b", "5f:1"]);
    assert_eq!(warned(&finished), [("entry_without_id", 1), ("issue_watchers_hidden", 3)]);
}

#[test]
fn properties_keep_their_names_and_any_value() {
    let properties = json!({"b": {"x": [1, null]}, "a/%": "text", "none": null});
    let finished =
        answered(Table::IssueProperties, &[json!({"id": "7", "fields": {}, "properties": properties})]);
    let of = |key: &str, value: Value| json!({"issue_id": 7, "property_key": key, "value": value});
    let expected =
        [of("a/%", "\"text\"".into()), of("b", r#"{"x":[1,null]}"#.into()), of("none", Value::Null)];
    assert_eq!(table_rows(&finished, "issue_properties"), expected);
}

#[test]
fn cycles_of_an_sla_are_in_order_the_ongoing_one_last_wherever_it_stands() {
    let cycle = |goal: i64| json!({"goalDuration": {"millis": goal}, "breached": false, "startTime": {"jira": "1970-01-01T00:00:01.000+0000"}});
    let answer = json!({"isLastPage": true, "values": [
        {"ongoingCycle": cycle(3), "completedCycles": [cycle(1), cycle(2)], "name": "A", "id": "1"},
        {"id": "2", "name": "B", "ongoingCycle": null},
        {"id": "3", "name": "C", "completedCycles": "odd", "ongoingCycle": cycle(4)},
        {"id": "4", "name": "D", "completedCycles": []},
    ]});
    let finished = answered(Table::JsmSlaCycles, &[answer]);
    let told: Vec<_> = table_rows(&finished, "jsm_sla_cycles")
        .iter()
        .map(|row| ["sla_id", "cycle_no", "is_ongoing", "goal_ms"].map(|name| row[name].clone()))
        .collect();
    let of = |sla: i64, number: i64, is_ongoing: bool, goal: i64| {
        [json!(sla), json!(number), json!(is_ongoing), json!(goal)]
    };
    assert_eq!(told, [of(1, 0, false, 1), of(1, 1, false, 2), of(1, 2, true, 3), of(3, 0, true, 4)]);
    let first = &table_rows(&finished, "jsm_sla_cycles")[0];
    assert_eq!((&first["sla_name"], &first["started"]), (&json!("A"), &json!(1_000_000)));
}

#[test]
fn a_page_of_slas_says_whether_there_are_more() {
    let mut sink = sink_with(&json!([]), &[Table::JsmSlaCycles]);
    let page = json!({"values": [{"id": 1, "name": "A"}], "start": 0, "limit": 1, "isLastPage": false});
    let read = sink.of_issue(Table::JsmSlaCycles, 7, &page.to_string()).unwrap();
    assert_eq!((read.count, read.is_last), (1, Some(false)));
}

#[test]
fn an_answer_without_its_list_changes_nothing() {
    for (table, answer) in [
        (Table::IssueWatchers, r#"{"watchCount":3}"#),
        (Table::IssueWatchers, r#"{"watchers":{}}"#),
        (Table::IssueRemoteLinks, r#"{"id":1}"#),
        (Table::IssueRemoteLinks, r#"[{"id":1},{"id""#),
        (Table::IssueProperties, r#"{"id":"7"}"#),
        (Table::JsmSlaCycles, r#"{"values":[{"id":1,"completedCycles":[{"breached":true}]},"#),
    ] {
        let mut sink = sink_with(&json!([]), &[table]);
        sink.of_issue(table, 7, answer).unwrap_err();
        assert_eq!(sink.finish().unwrap().rows, BTreeMap::new(), "{table}: {answer}");
    }
    let mut sink = sink_with(&json!([]), &[Table::Issues]);
    assert!(sink.of_issue(Table::IssueComments, 7, "[]").is_err(), "comments have another way");
}

#[test]
fn an_issue_owes_what_its_row_counts() {
    let tables = [Table::IssueVotes, Table::IssueWatchers, Table::IssueRemoteLinks];
    let mut sink = sink_with(&json!([]), &tables);
    let counted =
        |votes: u64, watches: u64| json!({"votes": {"votes": votes}, "watches": {"watchCount": watches}});
    let issues =
        [issue(7, counted(2, 0)), issue(8, counted(0, 0)), issue(9, counted(1, 1)), issue(10, json!({}))];
    let seen = read(&mut sink, &page(&issues)).issues;
    let owed: Vec<_> = seen.into_iter().map(|issue| issue.owed).collect();
    let all = vec![Table::IssueRemoteLinks, Table::IssueWatchers, Table::IssueVotes];
    let (links, votes) = (vec![Table::IssueRemoteLinks], vec![Table::IssueRemoteLinks, Table::IssueVotes]);
    assert_eq!(owed, [votes, links.clone(), all, links]);
    assert_eq!(warned(&sink.finish().unwrap()), [("issue_votes_unsent", 1), ("issue_watchers_unsent", 1)]);
}

#[test]
fn transitions_come_with_the_page_and_their_absence_is_said() {
    let mut sink = sink_with(&json!([]), &[Table::IssueTransitions]);
    let mut shown = issue(7, json!({}));
    shown["transitions"] =
        json!([{"id": "11", "name": "Go", "to": {"id": "3", "name": "There"}, "hasScreen": false}]);
    read(&mut sink, &page(&[shown, issue(8, json!({}))]));
    let finished = sink.finish().unwrap();
    let row = json!({"issue_id": 7, "transition_id": 11, "name": "Go", "to_status_id": 3, "to_status_name": "There",
        "has_screen": false, "is_available": null});
    assert_eq!(only_row(&finished, "issue_transitions"), row);
    assert_eq!(warned(&finished), [("issue_transitions_unsent", 1)]);
}
