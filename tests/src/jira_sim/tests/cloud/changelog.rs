//! History in its three places.

use serde_json::{Value, json};

use super::super::{Client, RunningSim, SimConfig, start};
use super::small;
use crate::jira_sim::{CreatedUnit, Edit};

/// An issue with more than `count` history entries.
fn busy(sim: &RunningSim, count: usize) -> String {
    let key = sim.keys()[0].clone();
    for number in 0..=count {
        let edit = Edit { summary: Some(format!("edit {number}")), ..Edit::default() };
        sim.edit_issue(&key, &edit).unwrap();
    }
    key
}

fn histories(client: &Client, body: &Value) -> (Vec<(String, Value)>, usize) {
    let (mut body, mut found, mut pages) = (body.clone(), Vec::new(), 0);
    loop {
        let answer = client.post3("changelog/bulkfetch", &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        pages += 1;
        for log in page["issueChangeLogs"].as_array().unwrap() {
            let entries = log["changeHistories"].as_array().unwrap();
            assert!(!entries.is_empty());
            found.extend(
                entries.iter().map(|entry| (log["issueId"].as_str().unwrap().to_owned(), entry.clone())),
            );
        }
        if page["nextPageToken"].is_null() {
            return (found, pages);
        }
        body["nextPageToken"] = page["nextPageToken"].clone();
    }
}

#[test]
fn inside_a_search_only_the_newest_40_entries_are_shown_newest_first() {
    let (sim, client) = small();
    let key = busy(&sim, 120);
    let found =
        client.found(&json!({ "jql": format!("key = {key}"), "fields": ["summary"], "expand": "changelog" }));
    let changelog = found.json()["issues"][0]["changelog"].clone();
    let entries = changelog["histories"].as_array().unwrap();
    assert_eq!((entries.len(), changelog["maxResults"].as_u64()), (40, Some(40)));
    assert!(changelog["total"].as_u64().unwrap() > 120);
    assert_eq!(entries[0]["items"][0]["toString"], "edit 120");
    let single = client.v3(&format!("issue/{key}?expand=changelog")).json();
    assert_eq!(single["changelog"]["histories"].as_array().unwrap().len(), 100);
}

#[test]
fn the_resource_of_one_issue_pages_oldest_first_with_times_as_text() {
    let (sim, client) = small();
    let key = busy(&sim, 120);
    let first = client.v3(&format!("issue/{key}/changelog")).json();
    let total = first["total"].as_u64().unwrap();
    assert_eq!((first["maxResults"].as_u64(), first["isLast"].as_bool()), (Some(100), Some(false)));
    assert!(first["nextPage"].as_str().unwrap().ends_with("changelog?startAt=100&maxResults=100"));
    let last = client.v3(&format!("issue/{key}/changelog?startAt=100")).json();
    let entries = last["values"].as_array().unwrap();
    assert_eq!((entries.len() as u64, last["isLast"].as_bool()), (total - 100, Some(true)));
    let newest = entries.last().unwrap();
    assert_eq!(
        (newest["items"][0]["fieldId"].as_str(), newest["items"][0]["toString"].as_str()),
        (Some("summary"), Some("edit 120"))
    );
    assert!(newest["created"].as_str().unwrap().ends_with("+0000"));
    let past = client.v3(&format!("issue/{key}/changelog?startAt=9999")).json();
    assert_eq!(past["values"], json!([]));
}

#[test]
fn the_bulk_resource_splits_an_issue_over_pages_and_loses_no_entry() {
    let (sim, client) = small();
    let key = busy(&sim, 30);
    let keys = sim.keys()[..40].to_vec();
    let (found, pages) = histories(&client, &json!({ "issueIdsOrKeys": keys, "maxResults": 25 }));
    assert!(pages > 2);
    let mut expected = 0;
    for key in &keys {
        expected += client.v3(&format!("issue/{key}/changelog")).json()["total"].as_u64().unwrap();
    }
    assert_eq!(found.len() as u64, expected);
    let id = client.issue(&key)["id"].as_str().unwrap().to_owned();
    let own: Vec<i64> = found
        .iter()
        .filter(|(issue, _)| *issue == id)
        .map(|(_, entry)| entry["created"].as_i64().unwrap())
        .collect();
    assert!(own.is_sorted() && own.len() > 30);
    let mut numbers: Vec<u64> = found.iter().map(|(issue, _)| issue.parse().unwrap()).collect();
    assert!(numbers.is_sorted());
    numbers.dedup();
    assert!(numbers.len() > 20);
}

#[test]
fn bulk_times_are_numbers_in_milliseconds_or_seconds() {
    for (unit, digits) in [(CreatedUnit::Milliseconds, 13), (CreatedUnit::Seconds, 10)] {
        let mut config = SimConfig::cloud(20, 7);
        config.cloud.bulk_created = unit;
        let (sim, client) = start(config);
        let key = busy(&sim, 1);
        let (found, _) = histories(&client, &json!({ "issueIdsOrKeys": [key] }));
        let created = found.last().unwrap().1["created"].as_i64().unwrap();
        assert_eq!(created.to_string().len(), digits);
        let text = client.v3(&format!("issue/{key}/changelog")).json()["values"][0]["created"].clone();
        assert!(digits == 13 || text.as_str().unwrap().ends_with(".000+0000"), "{text}");
    }
}

#[test]
fn invisible_issues_are_silently_missing_from_the_bulk_resource() {
    let (sim, client) = small();
    let key = busy(&sim, 1);
    let (found, _) = histories(&client, &json!({ "issueIdsOrKeys": [key, "WEB-99999", "7"] }));
    assert!(found.iter().all(|(issue, _)| *issue == client.issue(&key)["id"]));
}

#[test]
fn the_bulk_resource_shows_only_the_fields_that_are_asked_for() {
    let (sim, client) = small();
    busy(&sim, 3);
    let body =
        json!({ "issueIdsOrKeys": sim.keys(), "fieldIds": ["status", "assignee"], "maxResults": 10_000 });
    let (found, _) = histories(&client, &body);
    let items = found.iter().flat_map(|(_, entry)| entry["items"].as_array().unwrap());
    let names: std::collections::BTreeSet<_> = items.map(|item| item["fieldId"].as_str().unwrap()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["assignee", "status"]);
}

#[test]
fn too_much_at_once_is_refused() {
    let (_sim, client) = small();
    let many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
    for body in [
        json!({ "issueIdsOrKeys": many }),
        json!({ "issueIdsOrKeys": [] }),
        json!({ "issueIdsOrKeys": ["1"], "fieldIds": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"] }),
        json!({ "issueIdsOrKeys": ["1"], "maxResults": 10_001 }),
        json!({ "issueIdsOrKeys": ["1"], "nextPageToken": "x" }),
        json!({ "issueIds": ["1"] }),
    ] {
        assert_eq!(client.post3("changelog/bulkfetch", &body).status, 400);
    }
}

#[test]
fn users_of_history_are_named_by_account_id() {
    let (sim, client) = small();
    let user = sim.user_list()[9].clone();
    let key = sim.keys()[3].clone();
    sim.edit_issue(&key, &Edit { assignee: Some("user0001".into()), ..Edit::default() }).unwrap();
    let page = client.v3(&format!("issue/{key}/changelog")).json();
    let item = &page["values"].as_array().unwrap().last().unwrap()["items"][0];
    let assignee = client.issue(&key)["fields"]["assignee"]["accountId"].clone();
    assert_eq!((&item["to"], item["fieldId"].as_str()), (&assignee, Some("assignee")));
    assert!(user["accountId"].is_string());
}
