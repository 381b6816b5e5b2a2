//! Pages of a search: caps, window, fields, order of ties.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::{Flavour, SimConfig};
use super::{small, start};

#[test]
fn the_cap_is_silent_and_echoed() {
    let (_sim, client) = start(SimConfig { search_cap: 100, ..SimConfig::generated(300, 7) });
    let page = client.search("", "&maxResults=5000&fields=summary").json();
    assert_eq!((page["maxResults"].as_u64(), page["total"].as_u64()), (Some(100), Some(300)));
    assert_eq!(page["issues"].as_array().unwrap().len(), 100);
    assert_eq!(client.search("", "&fields=summary").json()["maxResults"], 50);
}

#[test]
fn zero_results_give_the_total_and_a_start_past_the_end_gives_nothing() {
    let (_sim, client) = small();
    for more in ["&maxResults=0", "&startAt=300"] {
        let page = client.search("", more).json();
        assert_eq!(page["total"], 300);
        assert_eq!(page["issues"], json!([]));
    }
}

#[test]
fn beyond_the_window_10_3_answers_500_and_older_ones_answer() {
    let narrow = |flavour| SimConfig { flavour, max_result_window: 250, ..SimConfig::generated(300, 7) };
    let (_sim, client) = start(narrow(Flavour::V10_3));
    assert_eq!(client.search("", "&startAt=200&maxResults=50&fields=summary").status, 200);
    let refused = client.search("", "&startAt=201&maxResults=50&fields=summary");
    assert_eq!((refused.status, refused.header("content-type")), (500, Some("application/xml")));
    assert!(refused.text().starts_with("<status><message>Search limit exceeded. We couldn't complete your search because it requests 251 results which exceeded the search platform limit of 250."));
    let (_sim, client) = start(narrow(Flavour::V9_12));
    assert_eq!(client.search("", "&startAt=290&maxResults=50&fields=summary").status, 200);
}

#[test]
fn only_the_fields_that_were_asked_for_are_sent() {
    let (_sim, client) = small();
    let fields = |more: &str| {
        let page = client.search("", more).json();
        let object = page["issues"][0]["fields"].as_object().unwrap().clone();
        object.keys().cloned().collect::<BTreeSet<_>>()
    };
    let expected = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(fields("&fields=summary,customfield_10005"), expected(&["summary", "customfield_10005"]));
    let navigable = fields("");
    assert!(
        navigable.contains("issuelinks") && !navigable.contains("comment") && !navigable.contains("worklog")
    );
    let all = fields("&fields=*all,-description");
    assert!(all.contains("comment") && all.contains("worklog") && !all.contains("description"));
    assert!(!fields("&fields=-summary").contains("summary"));
    let expanded = client.search("", "&fields=customfield_10000&expand=names,schema").json();
    assert_eq!(expanded["names"], json!({ "customfield_10000": "Sprint" }));
    assert_eq!(expanded["schema"]["customfield_10000"]["customId"], 10000);
}

#[test]
fn embedded_worklogs_are_capped_and_the_resource_has_them_all() {
    let (sim, client) = start(SimConfig { embedded_worklog_cap: 2, ..SimConfig::generated(10, 1) });
    let key = sim.keys()[0].clone();
    for number in 0..4 {
        sim.add_worklog(&key, 60 * (number + 1), "worked").unwrap();
    }
    let embedded =
        client.search(&format!("key = {key}"), "&fields=worklog").json()["issues"][0]["fields"]["worklog"]
            .clone();
    assert_eq!(
        (embedded["maxResults"].as_u64(), embedded["worklogs"].as_array().unwrap().len()),
        (Some(2), 2)
    );
    let whole = client.api(&format!("issue/{key}/worklog")).json();
    assert_eq!(whole["total"], embedded["total"]);
    assert_eq!(whole["worklogs"].as_array().unwrap().len() as u64, whole["total"].as_u64().unwrap());
}

#[test]
fn comments_are_paged_by_the_flavours_default() {
    for (flavour, default) in [(Flavour::V8_20, 1_048_576), (Flavour::V10_3, 50)] {
        let (sim, client) = start(SimConfig { flavour, ..SimConfig::generated(10, 1) });
        let key = sim.keys()[0].clone();
        for number in 0..55 {
            sim.add_comment(&key, None, &format!("{number}")).unwrap();
        }
        let page = client.api(&format!("issue/{key}/comment")).json();
        assert_eq!(page["maxResults"], default);
        let total = page["total"].as_u64().unwrap();
        assert_eq!(page["comments"].as_array().unwrap().len() as u64, total.min(default));
        let rest = client.api(&format!("issue/{key}/comment?startAt=50&maxResults=3")).json();
        assert_eq!((rest["startAt"].as_u64(), rest["comments"].as_array().unwrap().len()), (Some(50), 3));
    }
}

#[test]
fn post_takes_arrays_and_a_boolean_and_nothing_else() {
    let (_sim, client) = small();
    let asked = json!({ "jql": "project = WEB ORDER BY key", "startAt": 1, "maxResults": 2, "fields": ["summary"], "expand": ["changelog"], "validateQuery": true });
    let page = client.post("/rest/api/2/search", &asked).json();
    assert_eq!((page["startAt"].as_u64(), page["issues"].as_array().unwrap().len()), (Some(1), 2));
    assert!(page["issues"][0]["changelog"]["histories"].is_array());
    for wrong in
        [json!({ "validateQuery": "strict" }), json!({ "fields": "summary" }), json!({ "unknown": 1 })]
    {
        assert_eq!(client.post("/rest/api/2/search", &wrong).status, 400, "{wrong}");
    }
    let browser = client.clone().header("user-agent", "Mozilla/5.0");
    assert_eq!(browser.post("/rest/api/2/search", &asked).status, 403);
    assert_eq!(
        browser.header("x-atlassian-token", "no-check").post("/rest/api/2/search", &asked).status,
        200
    );
    assert_eq!(client.send("POST", "/rest/api/2/search", None).status, 415);
}

#[test]
fn equal_sort_values_have_another_order_on_another_node() {
    let (_sim, client) = start(SimConfig { nodes: 2, ..SimConfig::generated(300, 7) });
    let mut orders = BTreeSet::new();
    let mut with_key = BTreeSet::new();
    for _ in 0..4 {
        orders.insert(client.keys("ORDER BY created ASC"));
        // Two requests, so that the next turn meets the same node again.
        with_key.insert(client.keys("ORDER BY created ASC, key ASC"));
        client.keys("ORDER BY key");
    }
    assert_eq!((orders.len(), with_key.len()), (2, 1));
    let sets: BTreeSet<Vec<String>> = orders
        .iter()
        .map(|keys| {
            let mut keys = keys.clone();
            keys.sort();
            keys
        })
        .collect();
    assert_eq!(sets.len(), 1, "the nodes agree on what there is");
}

#[test]
fn pages_of_a_tie_neither_repeat_nor_miss_an_issue() {
    let (_sim, client) = start(SimConfig { search_cap: 40, ..SimConfig::generated(300, 7) });
    for order in [
        "created ASC",
        "created DESC",
        "created ASC, key DESC",
        "created DESC, key ASC",
        "updated ASC, key ASC",
        "key DESC",
    ] {
        let mut seen = Vec::new();
        while seen.len() < 300 {
            let page = client
                .search(
                    &format!("ORDER BY {order}"),
                    &format!("&startAt={}&maxResults=40&fields=summary", seen.len()),
                )
                .json();
            seen.extend(
                page["issues"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|issue| issue["key"].as_str().unwrap().to_owned()),
            );
        }
        let distinct: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (300, 300), "{order}");
    }
}

#[test]
fn other_paths_are_refused_as_jira_does() {
    let (_sim, client) = start(SimConfig { context_path: "/jira".to_owned(), ..SimConfig::generated(5, 1) });
    let unknown = json!({ "message": "HTTP 404 Not Found", "status-code": 404, "sub-code": -1 });
    for path in ["/rest/api/2/nothing", "/rest//api/2/serverInfo", "/rest/api/3/myself"] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.json()), (404, unknown.clone()), "{path}");
    }
    let moved = client.send("GET", "/rest/api/2/serverInfo", None);
    assert_eq!((moved.status, moved.header("content-type")), (301, Some("text/html;charset=UTF-8")));
    assert!(moved.header("location").unwrap().ends_with("/jira/"));
    assert_eq!(client.get("/rest/api/latest/serverInfo").json()["deploymentType"], "Server");
    assert_eq!(client.get("/status").json(), json!({ "state": "RUNNING" }));
    let missing = client.api("issue/WEB-99999");
    assert_eq!((missing.status, missing.error().as_str()), (404, "Issue Does Not Exist"));
    assert_eq!(client.api("user/search").status, 400);
    assert_eq!(client.send("PUT", "/jira/rest/api/2/search", Some("{}")).status, 405);
}
