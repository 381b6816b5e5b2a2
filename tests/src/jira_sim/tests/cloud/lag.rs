//! Searches that lag behind the edits.

use serde_json::json;

use super::super::{SimConfig, start};
use super::ids;
use crate::jira_sim::{Edit, NewIssue};

fn lagging() -> SimConfig {
    let mut config = SimConfig::cloud(100, 7);
    config.cloud.index_lag_ms = 30_000;
    config
}

#[test]
fn fresh_issues_are_missing_until_the_index_knows_them_or_is_told() {
    let (sim, client) = start(lagging());
    let now_ms = sim.now_ms();
    let created = sim.create_issue(&NewIssue { summary: "fresh".into(), ..NewIssue::default() }).unwrap();
    let body = json!({ "jql": format!("created >= {now_ms}") });
    assert!(client.walk(&body).0.is_empty());
    let told = json!({ "jql": format!("created >= {now_ms}"), "reconcileIssues": [created.id] });
    assert_eq!(ids(&client.walk(&told).0), [created.id]);
    let count = client.post3("search/approximate-count", &body).json();
    assert_eq!(count, json!({ "count": 0 }));
    sim.advance_clock(31_000);
    assert_eq!(ids(&client.walk(&body).0), [created.id]);
}

#[test]
fn a_fresh_edit_is_found_where_the_issue_was_before() {
    let (sim, client) = start(lagging());
    let id = sim.ids()[30];
    let now_ms = sim.now_ms();
    sim.edit_issue(&id.to_string(), &Edit { summary: Some("edited".into()), ..Edit::default() }).unwrap();
    let find = |jql: String| ids(&client.walk(&json!({ "jql": jql, "maxResults": 5000 })).0);
    assert!(find(format!("updated >= {now_ms}")).is_empty());
    assert!(find(format!("updated < {now_ms}")).contains(&id));
    assert_eq!(find("created > 0".to_owned()).len(), 100);
    sim.advance_clock(31_000);
    assert_eq!(find(format!("updated >= {now_ms}")), [id]);
}
