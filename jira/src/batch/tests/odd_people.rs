//! People as Jira shows them: deleted, anonymous, masked, erased.

use super::*;

fn history(id: &str, created: &str, author: Option<Value>) -> Value {
    let item = json!({"field": "status", "fieldtype": "jira", "from": "1", "fromString": "A", "to": "2", "toString": "B"});
    let mut history = json!({"id": id, "created": created, "items": [item]});
    if let Some(author) = author {
        history["author"] = author;
    }
    history
}

#[test]
fn an_entry_without_an_author_is_kept() {
    let mut changed = issue(
        7,
        json!({"comment": {"comments": [
        {"id": "1", "body": "nobody wrote this", "created": "2024-01-02T03:04:05.000+0000"}
    ], "maxResults": 1, "total": 1, "startAt": 0}}),
    );
    let histories = [
        history("9", "2024-01-02T03:05:00.000+0000", None),
        history("8", "2024-01-02T03:05:00.000+0000", Some(Value::Null)),
    ];
    changed["changelog"] = json!({"startAt": 0, "maxResults": 2, "total": 2, "histories": histories});
    let mut sink = sink();
    read(&mut sink, &page(&[changed]));
    let finished = sink.finish().unwrap();
    assert_eq!(only_row(&finished, "issue_comments")["author_id"], Value::Null);
    // Two entries of one second, their ids not in order.
    let entries = table_rows(&finished, "issue_changelog");
    assert_eq!(entries.iter().map(|row| row["history_id"].clone()).collect::<Vec<_>>(), [9, 8]);
    assert!(entries.iter().all(|row| row["author_id"].is_null() && row["to_text"] == "B"));
    assert_eq!(warned(&finished), [("worklogs_unsent", 1)]);
}

#[test]
fn a_deleted_user_is_named_by_its_login_and_an_anonymous_one_by_nothing() {
    let people = json!({"reporter": {"name": "gone", "active": false}, "creator": {"name": "Anonymous"}, "assignee": null});
    let row = only_row(&read_fields(people), "issues");
    assert_eq!((&row["reporter_id"], &row["creator_id"]), (&json!("gone"), &json!("Anonymous")));
    assert_eq!(row["assignee_id"], Value::Null);
}

#[test]
fn a_renamed_user_is_known_by_the_key_that_stays() {
    let renamed = json!({"key": "JIRAUSER10100", "name": "new.name", "displayName": "New Name"});
    assert_eq!(
        only_row(&read_fields(json!({"reporter": renamed})), "issues")["reporter_id"],
        "JIRAUSER10100"
    );
}

#[test]
fn a_masked_or_missing_e_mail_address_is_no_error() {
    let users = json!([
        {"key": "a", "name": "a", "emailAddress": "john at acme dot com", "displayName": "A", "active": true},
        {"key": "b", "name": "b", "displayName": "B", "active": true},
        {"accountId": "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077", "accountType": "atlassian", "active": false, "timeZone": ""}
    ]);
    let mut sink = sink_with(&json!([]), &[]);
    sink.metadata(Table::Users, None, &users.to_string()).unwrap();
    let finished = sink.finish().unwrap();
    let emails: Vec<_> = table_rows(&finished, "users").iter().map(|row| row["email"].clone()).collect();
    assert_eq!(emails, [json!("john at acme dot com"), Value::Null, Value::Null]);
    assert_eq!(table_rows(&finished, "users")[2]["user_id"], "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077");
    assert_eq!(warned(&finished), []);
}

#[test]
fn a_hidden_field_of_work_logs_is_said_and_not_taken_for_none() {
    let finished = read_fields(json!({"summary": "no comment and no worklog came"}));
    let mut codes: Vec<_> = warned(&finished).iter().map(|(code, _)| (*code).to_owned()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["changelog_unsent", "comments_unsent", "worklogs_unsent"]);
}

#[test]
fn the_category_of_a_status_is_known_by_its_key() {
    let odd = json!({"status": {"id": "3", "name": "\u{5df2}\u{5b8c}\u{6210}", "statusCategory": {"id": 3, "key": "new", "name": "x"}}});
    let row = only_row(&read_fields(odd), "issues");
    assert_eq!((&row["status_id"], &row["status_category"]), (&json!(3), &json!("new")));
}
