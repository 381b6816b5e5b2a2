//! Values of issues: documents, sprints, parents, users, times.

use serde_json::{Value, json};

use super::{everything, small};
use crate::jira_sim::{Edit, NewIssue, document_of};

#[test]
fn texts_are_documents_and_empty_ones_are_null() {
    let (sim, client) = small();
    let mut new =
        NewIssue { summary: "one".into(), description: Some("a\r\nb".into()), ..NewIssue::default() };
    let key = sim.create_issue(&new).unwrap().key;
    let text = |path: &str| serde_json::from_str::<Value>(&document_of(path).0).unwrap();
    let fields = client.issue(&key)["fields"].clone();
    assert_eq!((&fields["description"], &fields["environment"]), (&text("a\r\nb"), &Value::Null));
    assert_eq!(fields["summary"], "one");
    new.description = Some(String::new());
    let empty = sim.create_issue(&new).unwrap().key;
    assert_eq!(client.issue(&empty)["fields"]["description"], Value::Null);
    sim.add_comment(&key, None, "").unwrap();
    sim.add_worklog(&key, 60, "").unwrap();
    sim.add_worklog(&key, 60, "done").unwrap();
    let fields = client.issue(&key)["fields"].clone();
    assert_eq!(fields["comment"]["comments"][0]["body"]["content"], json!([]));
    assert!(fields["worklog"]["worklogs"][0]["comment"].is_null());
    assert_eq!(fields["worklog"]["worklogs"][1]["comment"], text("done"));
}

#[test]
fn text_areas_are_documents_and_text_fields_are_not() {
    let (_sim, client) = small();
    let issues = client.walk(&everything(&["customfield_10030", "customfield_10021", "customfield_10026"])).0;
    let all = |id: &str| {
        issues
            .iter()
            .map(|issue| issue["fields"][id].clone())
            .filter(|value| !value.is_null())
            .collect::<Vec<_>>()
    };
    for id in ["customfield_10030", "customfield_10021"] {
        let values = all(id);
        assert!(!values.is_empty() && values.iter().all(|value| value["type"] == "doc"), "{id}");
    }
    assert!(all("customfield_10026").iter().all(Value::is_string));
}

#[test]
fn sprints_are_objects() {
    let (_sim, client) = small();
    let issues = client.walk(&everything(&["customfield_10000"])).0;
    let lists = issues.iter().filter_map(|issue| issue["fields"]["customfield_10000"].as_array());
    let sprints: Vec<&Value> = lists.flatten().collect();
    assert!(sprints.len() > 50);
    for sprint in &sprints {
        assert!(
            sprint["id"].is_u64() && sprint["boardId"].is_u64() && sprint["goal"].is_string(),
            "{sprint}"
        );
        assert!(["active", "closed", "future"].contains(&sprint["state"].as_str().unwrap()));
        let dated = sprint["startDate"].as_str().is_some_and(|date| date.ends_with('Z'));
        assert_eq!(dated, sprint["state"] != "future", "{sprint}");
    }
    assert!(sprints.iter().any(|sprint| sprint["name"].as_str().unwrap().starts_with("a, b [c] ")));
    assert!(sprints.iter().any(|sprint| sprint["goal"] == "Ship it, then\nrest [2]"));
}

#[test]
fn issues_have_parents_at_all_levels() {
    let (sim, client) = small();
    let issues = client.walk(&everything(&["parent", "issuetype"])).0;
    let with_parent = |level: i64| {
        let has = |issue: &&Value| issue["fields"]["issuetype"]["hierarchyLevel"] == level;
        let found: Vec<&Value> =
            issues.iter().filter(has).filter(|issue| issue["fields"]["parent"]["key"].is_string()).collect();
        found
            .iter()
            .map(|issue| issue["fields"]["parent"]["fields"]["issuetype"]["hierarchyLevel"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert!(with_parent(-1).len() > 10 && with_parent(-1).iter().all(|level| *level >= 0));
    assert!(with_parent(0).len() > 10 && with_parent(0).iter().all(|level| *level == 1));
    assert!(with_parent(1).is_empty());
    let epic = sim.create_issue(&NewIssue { issue_type: "Epic".into(), ..NewIssue::default() }).unwrap();
    let child =
        sim.create_issue(&NewIssue { parent: Some(epic.key.clone()), ..NewIssue::default() }).unwrap();
    assert_eq!(client.issue(&child.key)["fields"]["parent"]["key"], epic.key);
    sim.set_epic(&child.key, None).unwrap();
    assert!(client.issue(&child.key)["fields"]["parent"].is_null());
    sim.set_epic(&child.key, Some(&epic.key)).unwrap();
    let history = client.v3(&format!("issue/{}/changelog", child.key)).json();
    let item = &history["values"][1]["items"][0];
    assert_eq!(
        (item["field"].as_str(), item["toString"].as_str()),
        (Some("IssueParentAssociation"), Some(epic.key.as_str()))
    );
    let updated = client.issue(&child.key)["fields"]["updated"].clone();
    sim.delete_issue(&epic.key).unwrap();
    let fields = client.issue(&child.key)["fields"].clone();
    assert_eq!((&fields["parent"], &fields["updated"]), (&Value::Null, &updated));
}

#[test]
fn users_inside_issues_are_accounts_and_erased_ones_have_no_name() {
    let (sim, client) = small();
    let issues = client.walk(&everything(&["reporter", "assignee", "customfield_10044"])).0;
    let users: Vec<&Value> =
        issues.iter().map(|issue| &issue["fields"]["reporter"]).filter(|user| !user.is_null()).collect();
    assert!(users.iter().all(|user| user["accountId"].is_string() && user["name"].is_null()));
    assert!(users.iter().any(|user| user["displayName"] == "Former user" && user["active"] == false));
    let lists = issues.iter().filter_map(|issue| issue["fields"]["customfield_10044"].as_array());
    assert!(lists.flatten().all(|user| user["accountId"].is_string()));
    let key = sim.keys()[1].clone();
    sim.edit_issue(&key, &Edit { assignee: Some("user0001".into()), ..Edit::default() }).unwrap();
    let before = client.issue(&key)["fields"]["assignee"].clone();
    sim.rename_user("user0001", "other", "Other Name").unwrap();
    let after = client.issue(&key)["fields"]["assignee"].clone();
    assert_eq!(
        (&after["accountId"], after["displayName"].as_str()),
        (&before["accountId"], Some("Other Name"))
    );
}

#[test]
fn the_category_of_a_status_says_when_it_changed() {
    let (sim, client) = small();
    let key = sim.create_issue(&NewIssue::default()).unwrap().key;
    let fields = client.issue(&key)["fields"].clone();
    assert_eq!(fields["statuscategorychangedate"], fields["created"]);
    sim.edit_issue(&key, &Edit { status: Some("Closed".into()), ..Edit::default() }).unwrap();
    let fields = client.issue(&key)["fields"].clone();
    assert_eq!(fields["statuscategorychangedate"], fields["updated"]);
    assert_eq!(fields["status"]["untranslatedName"], "Closed");
}

#[test]
fn addresses_are_those_of_the_third_version() {
    let (_sim, client) = small();
    let text = client
        .found(&json!({ "jql": "created > 0", "fields": ["*all"], "expand": "changelog", "maxResults": 100 }))
        .text();
    assert!(text.contains("/rest/api/3/issue/") && !text.contains("/rest/api/2/"));
}
