//! What a search accepts, and what an issue of it shows.

use serde_json::json;

use super::super::{SimConfig, start};
use super::{everything, small};
use crate::jira_sim::Account;

#[test]
fn issues_are_shown_by_id_alone_when_no_field_is_asked_for() {
    let (_sim, client) = small();
    let page = client.found(&json!({ "jql": "created > 0" })).json();
    let issue = page["issues"][0].as_object().unwrap();
    assert_eq!(issue.keys().collect::<Vec<_>>(), ["id"]);
    assert_eq!(page["issues"].as_array().unwrap().len(), 50);
    for absent in ["total", "startAt", "maxResults"] {
        assert!(page[absent].is_null(), "{absent}");
    }
    let page = client.v3("search/jql?jql=project%3DWEB&fields=summary,status&expand=names,schema").json();
    let fields = page["issues"][0]["fields"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["status", "summary"]);
    assert_eq!(page["names"], json!({ "status": "Status", "summary": "Summary" }));
    assert_eq!(page["schema"]["status"]["type"], "status");
}

#[test]
fn the_old_search_is_gone() {
    let (_sim, client) = small();
    for path in ["/rest/api/3/search?jql=project%3DWEB", "/rest/api/2/search?jql=project%3DWEB"] {
        let answer = client.get(path);
        assert_eq!(answer.status, 410);
        assert!(
            answer.error().contains("Please migrate to the /rest/api/3/search/jql API."),
            "{}",
            answer.text()
        );
    }
    assert_eq!(client.post3("search", &json!({ "jql": "" })).status, 410);
}

#[test]
fn unbounded_queries_are_refused() {
    let (_sim, client) = small();
    let text = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.";
    for jql in ["", "ORDER BY created"] {
        for path in ["search/jql", "search/approximate-count"] {
            let answer = client.post3(path, &json!({ "jql": jql }));
            assert_eq!((answer.status, answer.error().as_str()), (400, text), "{path} {jql}");
        }
    }
    assert_eq!(client.walk(&json!({ "jql": "project is not EMPTY", "maxResults": 5000 })).0.len(), 300);
    assert_eq!(client.walk(&json!({ "jql": "project is EMPTY" })).0.len(), 0);
}

#[test]
fn page_sizes_lie_between_1_and_5000() {
    let (_sim, client) = small();
    for size in [0, -1, 5001] {
        let answer = client.found(&json!({ "jql": "project = WEB", "maxResults": size }));
        assert_eq!(answer.error(), "The max results parameter has to be between 1 and 5,000.", "{size}");
    }
    let answer = client.v3("search/jql?jql=project%3DWEB&maxResults=abc");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (400, Some("application/problem+json;charset=UTF-8"))
    );
    assert_eq!(answer.json()["detail"], "Failed to convert 'maxResults' with value: 'abc'");
}

#[test]
fn a_post_reads_only_a_body_that_it_knows() {
    let (_sim, client) = small();
    let payload = "Invalid request payload. Refer to the REST API documentation and try again.";
    for body in [
        json!({ "jql": "project = WEB", "startAt": 0 }),
        json!({ "jql": "project = WEB", "expand": ["names"] }),
        json!({ "jql": 1 }),
    ] {
        let answer = client.found(&body);
        assert_eq!((answer.status, answer.error().as_str()), (400, payload), "{body}");
        assert!(answer.json()["errors"].is_null());
    }
    let ignored =
        client.post3("search/jql?maxResults=2&jql=project%3DZED", &json!({ "jql": "project = WEB" })).json();
    assert!(ignored["issues"].as_array().unwrap().len() > 2);
    let bare = client.send("POST", "/rest/api/3/search/jql", None);
    assert_eq!(
        (bare.status, bare.json()["detail"].as_str()),
        (415, Some("Content-Type 'null' is not supported."))
    );
    let browser = client.clone().header("user-agent", "Mozilla/5.0").found(&everything(&[]));
    assert_eq!(browser.status, 403);
}

#[test]
fn jql_speaks_the_zone_of_the_account_and_epoch_milliseconds() {
    let accounts = vec![Account::new("reader@example.com", "t").in_zone("Asia/Tokyo")];
    let (sim, client) = start(SimConfig { accounts, ..SimConfig::cloud(50, 7) });
    let key = sim.keys()[20].clone();
    let created = client.issue(&key)["fields"]["created"].as_str().unwrap().to_owned();
    assert!(created.ends_with("+0900"), "{created}");
    let minute = created.get(..16).unwrap().replace('T', " ");
    let found = client.walk(&json!({ "jql": format!("created = \"{minute}\""), "fields": ["key"] })).0;
    assert!(found.iter().any(|issue| issue["key"] == key.as_str()));
    let ms = chrono::DateTime::parse_from_str(&created, "%Y-%m-%dT%H:%M:%S%.f%z").unwrap().timestamp_millis();
    let around = format!("created >= {} AND created < {}", ms - 1000, ms + 1000);
    assert!(
        client
            .walk(&json!({ "jql": around, "fields": ["key"] }))
            .0
            .iter()
            .any(|issue| issue["key"] == key.as_str())
    );
    let wrong = client.found(&json!({ "jql": "project = NOPE" }));
    assert_eq!(
        (wrong.status, wrong.error().as_str()),
        (400, "The value 'NOPE' does not exist for the field 'project'.")
    );
}

#[test]
fn counts_are_estimates() {
    let (_sim, client) = small();
    let count = |client: &super::Client, jql: &str| {
        client.post3("search/approximate-count", &json!({ "jql": jql })).json()
    };
    assert_eq!(count(&client, "created > 0"), json!({ "count": 300 }));
    assert_eq!(client.v3("search/approximate-count").status, 405);
    let mut config = SimConfig::cloud(300, 7);
    config.cloud.count_error = -7;
    let (_sim, client) = start(config);
    assert_eq!(count(&client, "created > 0"), json!({ "count": 293 }));
    assert!(count(&client, "project = A1")["count"].as_u64().unwrap() < 100);
}
