//! Changes while somebody reads: what Jira bumps, what it does not, and who loses issues by it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{ClockSource, Edit, NewIssue, SimConfig};
use super::{Client, small, start};

fn issue(client: &Client, key: &str) -> Value {
    client.api(&format!("issue/{key}?expand=changelog")).json()
}

#[test]
fn an_edit_bumps_updated_and_writes_history() {
    let (sim, client) = small();
    let before = issue(&client, "WEB-4");
    sim.edit_issue(
        "WEB-4",
        &Edit { summary: Some("n\u{e9}w".into()), status: Some("Closed".into()), ..Edit::default() },
    )
    .unwrap();
    let after = issue(&client, "WEB-4");
    assert_eq!(
        (&after["fields"]["summary"], &after["fields"]["status"]["name"]),
        (&"n\u{e9}w".into(), &"Closed".into())
    );
    assert!(after["fields"]["updated"].as_str() > before["fields"]["updated"].as_str());
    let histories = |issue: &Value| issue["changelog"]["histories"].as_array().unwrap().len();
    assert_eq!(histories(&after), histories(&before) + 1);
    let last = after["changelog"]["histories"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["items"][0]["fromString"], &last["items"][1]["toString"]),
        (&before["fields"]["summary"], &"Closed".into())
    );
    assert_eq!(client.keys("updated >= -5m"), ["WEB-4"]);
}

#[test]
fn comments_bump_updated_and_a_deleted_worklog_does_not() {
    let (sim, client) = small();
    let updated = || issue(&client, "WEB-4")["fields"]["updated"].as_str().unwrap().to_owned();
    let mut last = updated();
    let mut later = |what: &str| {
        let now = updated();
        assert!(now > last, "{what}");
        last = now;
    };
    let comment = sim.add_comment("WEB-4", None, "hello \"you\" \\").unwrap();
    later("comment added");
    sim.edit_comment("WEB-4", comment, "good \\\"bye\"").unwrap();
    later("comment edited");
    let comments = client.api("issue/WEB-4/comment").json()["comments"].as_array().unwrap().clone();
    assert_eq!(comments.last().unwrap()["body"], "good \\\"bye\"");
    assert!(comments.last().unwrap()["updated"].as_str() > comments.last().unwrap()["created"].as_str());
    sim.delete_comment("WEB-4", comment).unwrap();
    later("comment deleted");
    let worklog = sim.add_worklog("WEB-4", 7260, "worked").unwrap();
    later("worklog added");
    sim.delete_worklog("WEB-4", worklog).unwrap();
    assert_eq!(updated(), last);
}

#[test]
fn a_moved_issue_keeps_its_id_and_answers_under_both_keys() {
    let (sim, client) = small();
    let before = issue(&client, "WEB-4");
    let moved = sim.move_issue("WEB-4", "OPS").unwrap();
    for key in ["WEB-4", moved.key.as_str()] {
        let after = issue(&client, key);
        assert_eq!((&after["id"], &after["key"]), (&before["id"], &Value::from(moved.key.as_str())));
        assert_eq!(after["fields"]["project"]["key"], "OPS");
    }
    let fields: Vec<Value> =
        (issue(&client, "WEB-4")["changelog"]["histories"].as_array().unwrap().last().unwrap()["items"])
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["field"].clone())
            .collect();
    assert_eq!(fields, ["project", "Key"]);
    assert!(!client.keys("project = WEB").contains(&"WEB-4".to_owned()));
    assert!(client.keys("project = OPS").contains(&moved.key));
}

#[test]
fn a_parent_takes_its_sub_tasks_along() {
    let (sim, client) = small();
    let parent = sim
        .create_issue(&NewIssue { project: "WEB".into(), summary: "p".into(), ..NewIssue::default() })
        .unwrap();
    let child = sim
        .create_issue(&NewIssue {
            parent: Some(parent.key.clone()),
            summary: "c".into(),
            ..NewIssue::default()
        })
        .unwrap();
    assert!(sim.move_issue(&child.key, "OPS").is_err());
    let moved = sim.move_issue(&parent.key, "OPS").unwrap();
    let child = issue(&client, &child.key);
    assert!(child["key"].as_str().unwrap().starts_with("OPS-"));
    assert_eq!(child["fields"]["parent"]["key"], moved.key.as_str());
    sim.delete_issue(&moved.key).unwrap();
    assert_eq!(client.api(&format!("issue/{}", child["id"].as_str().unwrap())).status, 404);
}

#[test]
fn a_deleted_issue_takes_its_links_from_the_others_silently() {
    let (sim, client) = small();
    sim.add_link("WEB-4", "WEB-5", "Blocks").unwrap();
    let before = issue(&client, "WEB-5");
    let linked = |issue: &Value| {
        issue["fields"]["issuelinks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|link| link["inwardIssue"]["key"] == "WEB-4")
    };
    assert!(linked(&before));
    sim.delete_issue("WEB-4").unwrap();
    let after = issue(&client, "WEB-5");
    assert!(!linked(&after));
    assert_eq!(after["fields"]["updated"], before["fields"]["updated"]);
    assert_eq!(client.api("issue/WEB-4").status, 404);
    assert_eq!(client.total(""), 299);
}

#[test]
fn a_link_that_is_removed_is_gone_from_both() {
    let (sim, client) = small();
    let id = sim.add_link("WEB-4", "OPS-1", "Relates").unwrap();
    let has =
        |key: &str| issue(&client, key)["fields"]["issuelinks"].to_string().contains(&format!("\"{id}\""));
    assert!(has("WEB-4") && has("OPS-1"));
    sim.delete_link(id).unwrap();
    assert!(!has("WEB-4") && !has("OPS-1"));
    assert!(sim.delete_link(id).is_err());
}

#[test]
fn a_renamed_user_is_renamed_in_every_issue_at_once() {
    let (sim, client) = small();
    let user = sim.user_list()[1].clone();
    let (name, key) = (user["name"].as_str().unwrap(), user["key"].as_str().unwrap());
    sim.edit_issue("WEB-4", &Edit { assignee: Some(name.to_owned()), ..Edit::default() }).unwrap();
    sim.rename_user(name, "new.name", "New Name").unwrap();
    let assignee = issue(&client, "WEB-4")["fields"]["assignee"].clone();
    assert_eq!((assignee["name"].as_str(), assignee["key"].as_str()), (Some("new.name"), Some(key)));
    assert!(
        !client.search("", "&maxResults=300&fields=*all").text().contains(&format!("\"name\":\"{name}\""))
    );
}

#[test]
fn scripted_changes_are_the_same_for_a_seed() {
    let run = |seed: u64| {
        let clock = ClockSource::Stepped { start_ms: 1_740_000_000_000, step_ms: 10 };
        let base_url = Some("https://jira.example.com".to_owned());
        let (sim, client) = start(SimConfig {
            clock,
            base_url,
            edit_after_each_page: Some(seed),
            ..SimConfig::generated(300, 7)
        });
        for start in (0..300).step_by(50) {
            client.search("ORDER BY created ASC, key ASC", &format!("&startAt={start}&fields=summary"));
        }
        sim.stop_script();
        client.search("", "");
        let documents: Vec<String> = sim.keys().iter().map(|key| sim.issue_json(key).unwrap()).collect();
        (sim.script_log(), documents)
    };
    let (log, documents) = run(11);
    assert_eq!((log.pages, log.edited.len() >= 6), (6, true));
    assert!(run(11) == (log, documents.clone()) && run(12).1 != documents);
}

/// Reads every issue by offset in the order of `updated`, as the peers do; gives the ids it saw.
fn read_by_offset(client: &Client) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    let mut start = 0;
    loop {
        let page = client
            .search("ORDER BY updated ASC", &format!("&startAt={start}&maxResults=50&fields=summary"))
            .json();
        let issues = page["issues"].as_array().unwrap();
        if issues.is_empty() {
            return seen;
        }
        start += issues.len();
        seen.extend(issues.iter().map(|issue| issue["id"].as_str().unwrap().parse::<u64>().unwrap()));
    }
}

/// Reads every issue by key-set on the creation time, dropping what it has seen.
fn read_by_key_set(client: &Client) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    let mut from = 0;
    loop {
        let jql = format!("created >= {from}000 ORDER BY created ASC, key ASC");
        let page = client.search(&jql, "&maxResults=200&fields=created").json();
        let before = seen.len();
        for issue in page["issues"].as_array().unwrap() {
            seen.insert(issue["id"].as_str().unwrap().parse().unwrap());
            let created = issue["fields"]["created"].as_str().unwrap();
            from = chrono::DateTime::parse_from_str(created, "%Y-%m-%dT%H:%M:%S%.f%z").unwrap().timestamp();
        }
        if seen.len() == before {
            return seen;
        }
    }
}

#[test]
fn a_reader_by_offset_loses_issues_under_edits_and_one_by_key_set_does_not() {
    let (sim, client) = small();
    let all: BTreeSet<u64> = sim.ids().into_iter().collect();
    // After every page an issue that was already read is edited: it jumps to the end, the rest moves up.
    sim.on_page(|sim, page| {
        let edit = Edit { summary: Some(format!("page {}", page.number)), ..Edit::default() };
        sim.edit_issue(&page.ids[0].to_string(), &edit).unwrap();
    });
    let by_key_set = read_by_key_set(&client);
    assert_eq!(by_key_set, all);
    let pages = sim.stats().issue_pages;
    sim.on_page(move |sim, page| {
        if page.number <= pages + 5 {
            sim.edit_issue(
                &page.ids[0].to_string(),
                &Edit { summary: Some("again".into()), ..Edit::default() },
            )
            .unwrap();
        }
    });
    let lost = all.difference(&read_by_offset(&client)).count();
    assert_eq!(lost, 5, "one issue is lost for every edit");
}
