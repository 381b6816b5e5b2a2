//! Walks by token: short pages, positions, edits between two pages.

use serde_json::{Value, json};

use super::super::{SimConfig, start};
use super::{everything, ids, small};
use crate::jira_sim::Edit;

#[test]
fn only_the_missing_token_ends_a_walk() {
    let (sim, client) = small();
    let (issues, lengths) = client.walk(&everything(&["summary"]));
    assert_eq!(lengths, [100, 100, 100]);
    let mut found = ids(&issues);
    found.sort_unstable();
    let mut all = sim.ids();
    all.sort_unstable();
    assert_eq!(found, all);
    assert_eq!(client.walk(&everything(&["id"])).1, [300]);
    let last = client.found(&everything(&[])).json();
    assert_eq!((&last["isLast"], &last["nextPageToken"]), (&json!(true), &Value::Null));
    let first = client.found(&everything(&["*all"])).json();
    assert_eq!(first["isLast"], json!(false));
}

#[test]
fn pages_may_be_shorter_still_and_say_nothing_of_the_end() {
    let mut config = SimConfig::cloud(300, 7);
    config.cloud.ragged_pages = true;
    config.cloud.is_last_never = true;
    let (_sim, client) = start(config);
    let (issues, lengths) = client.walk(&everything(&["summary"]));
    assert!(issues.len() == 300 && lengths.len() > 3, "{lengths:?}");
    assert_eq!(client.found(&everything(&[])).json()["isLast"], json!(false));
}

#[test]
fn a_walk_that_does_not_end_repeats_its_token_on_empty_pages() {
    let mut config = SimConfig::cloud(120, 7);
    config.cloud.endless_tokens = true;
    let (_sim, client) = start(config);
    let (mut body, mut lengths, mut tokens) = (everything(&["summary"]), Vec::new(), Vec::new());
    for _ in 0..4 {
        let page = client.found(&body).json();
        assert_eq!(page["isLast"], json!(false));
        lengths.push(page["issues"].as_array().unwrap().len());
        tokens.push(page["nextPageToken"].as_str().unwrap().to_owned());
        body["nextPageToken"] = page["nextPageToken"].clone();
    }
    assert_eq!(lengths, [100, 20, 0, 0]);
    assert!(tokens[0] != tokens[1] && tokens[1] == tokens[2] && tokens[2] == tokens[3]);
}

#[test]
fn a_token_of_another_query_or_none_of_ours_is_refused_before_all_else() {
    let (sim, client) = small();
    let token =
        client.found(&json!({ "jql": "created > 0", "maxResults": 10 })).json()["nextPageToken"].clone();
    let refused = |jql: &str, token: &Value| {
        let answer = client.found(&json!({ "jql": jql, "maxResults": 9999, "nextPageToken": token }));
        assert_eq!(answer.status, 400);
        assert!(answer.error().contains("token"), "{}", answer.text());
    };
    refused("created > 0", &json!("nonsense"));
    refused("created > 1", &token);
    sim.advance_clock(8 * 86_400_000);
    refused("created > 0", &token);
}

#[test]
fn a_token_of_a_get_must_be_escaped() {
    let (_sim, client) = small();
    let first = client.v3("search/jql?jql=created%3E0&maxResults=200").json();
    let token = first["nextPageToken"].as_str().unwrap();
    assert!(token.contains(['+', '/', '=']), "{token}");
    let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let second =
        client.v3(&format!("search/jql?jql=created%3E0&maxResults=200&nextPageToken={token}")).json();
    assert_eq!(second["issues"].as_array().unwrap().len(), 100);
}

#[test]
fn edits_and_deletions_between_two_pages_lose_nothing_of_a_walk_by_creation() {
    let (sim, client) = small();
    let body = json!({ "jql": "created > 0 ORDER BY created, key", "maxResults": 100 });
    let first = client.found(&body).json();
    let seen = ids(first["issues"].as_array().unwrap());
    for id in &seen[10..40] {
        sim.delete_issue(&id.to_string()).ok();
    }
    let after: Vec<u64> = sim.ids().into_iter().filter(|id| !seen.contains(id)).collect();
    sim.edit_issue(&after[3].to_string(), &Edit { summary: Some("edited".into()), ..Edit::default() })
        .unwrap();
    let mut rest = body.clone();
    rest["nextPageToken"] = first["nextPageToken"].clone();
    let mut found = ids(&client.walk(&rest).0);
    found.sort_unstable();
    let mut expected: Vec<u64> = sim.ids().into_iter().filter(|id| !seen.contains(id)).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn an_issue_edited_during_a_walk_by_update_comes_again() {
    let (sim, client) = small();
    let body = json!({ "jql": "updated > 0 ORDER BY updated ASC, key ASC", "maxResults": 50 });
    let first = client.found(&body).json();
    let (again, moved) = (ids(first["issues"].as_array().unwrap())[5], sim.ids()[150]);
    for id in [again, moved] {
        sim.edit_issue(&id.to_string(), &Edit { summary: Some("x".into()), ..Edit::default() }).unwrap();
    }
    let mut rest = body.clone();
    rest["nextPageToken"] = first["nextPageToken"].clone();
    let found = ids(&client.walk(&rest).0);
    let (unmoved, last) = found.split_at(found.len() - 2);
    assert!(last.contains(&again) && last.contains(&moved) && !unmoved.contains(&moved));
    assert_eq!(unmoved.len(), 249);
}

#[test]
fn downwards_by_update_an_unread_issue_that_is_edited_is_never_seen() {
    let (sim, client) = small();
    let body = json!({ "jql": "updated > 0 ORDER BY updated DESC", "maxResults": 50 });
    let first = client.found(&body).json();
    let seen = ids(first["issues"].as_array().unwrap());
    let unread = sim.ids().into_iter().find(|id| !seen.contains(id)).unwrap();
    sim.edit_issue(&unread.to_string(), &Edit { summary: Some("x".into()), ..Edit::default() }).unwrap();
    let mut rest = body.clone();
    rest["nextPageToken"] = first["nextPageToken"].clone();
    assert!(!ids(&client.walk(&rest).0).contains(&unread));
}
