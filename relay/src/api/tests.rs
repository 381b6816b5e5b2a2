//! The API over real TLS, from the outside.

use crate::testing::Bench;
use reqwest::Method;
use serde_json::{Value, json};

const ROUTES: [(&str, &str); 22] = [
    ("GET", "/v1/pools"),
    ("POST", "/v1/pools"),
    ("GET", "/v1/pools/x"),
    ("DELETE", "/v1/pools/x"),
    ("GET", "/v1/uplinks"),
    ("POST", "/v1/uplinks"),
    ("DELETE", "/v1/uplinks/x"),
    ("POST", "/v1/uplinks/x/tokens"),
    ("DELETE", "/v1/uplinks/x/agents/y"),
    ("GET", "/v1/connections"),
    ("POST", "/v1/connections"),
    ("PUT", "/v1/connections/x"),
    ("DELETE", "/v1/connections/x"),
    ("POST", "/v1/connections/x/test"),
    ("POST", "/v1/extractions"),
    ("GET", "/v1/runs"),
    ("GET", "/v1/runs/run_1"),
    ("POST", "/v1/runs/run_1/cancel"),
    ("GET", "/v1/runs/run_1/follow"),
    ("GET", "/v1/runs/run_1/logs"),
    ("GET", "/v1/tables"),
    ("GET", "/v1/tables/a/b/issues"),
];

fn method(name: &str) -> Method {
    name.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_closed_route_asks_for_the_key() {
    let bench = Bench::start().await;
    for (name, path) in ROUTES {
        for key in [None, Some("wrong")] {
            let response = bench.raw(method(name), path, key, "{}").await;
            assert_eq!(response.status(), 401, "{name} {path}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
    }
    let health = bench.raw(Method::GET, "/v1/health", None, "").await;
    assert_eq!(health.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_answered_with_a_problem_that_helps() {
    let bench = Bench::start().await;
    let cases = [
        ("POST", "/v1/pools", json!("{"), 422, "bad_member"),
        ("POST", "/v1/pools", json!({ "nam": "x" }), 422, "bad_member"),
        ("POST", "/v1/pools", json!({ "name": "A b" }), 422, "bad_name"),
        ("GET", "/v1/runs?limit=many", Value::Null, 400, "bad_query"),
        ("GET", "/v1/runs/run_x", Value::Null, 404, "run_not_found"),
        ("GET", "/v1/pools/none", Value::Null, 404, "pool_not_found"),
        ("GET", "/v1/nothing", Value::Null, 404, "no_such_path"),
        ("PATCH", "/v1/pools", Value::Null, 405, "wrong_method"),
    ];
    for (name, path, body, status, code) in cases {
        let (got, problem) = bench.call(method(name), path, body).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{name} {path} {problem}");
        for member in ["type", "title", "status", "detail", "hint"] {
            assert!(!problem[member].is_null() && problem[member] != "", "{member} of {problem}");
        }
    }
    let (status, problem) = bench.call(Method::POST, "/v1/pools", Value::Null).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("bad_json")));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_taken_once_and_not_deleted_while_used() {
    let bench = Bench::start().await;
    bench.furnish().await;
    assert_eq!(bench.post("/v1/pools", json!({ "name": "sales" })).await.1["code"], "pool_exists");
    let (status, problem) = bench.call(Method::DELETE, "/v1/pools/sales", Value::Null).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("pool_in_use")));
    let (status, problem) = bench.call(Method::DELETE, "/v1/uplinks/hq", Value::Null).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("uplink_in_use")));
    for path in ["/v1/connections/jira", "/v1/pools/sales", "/v1/uplinks/hq"] {
        assert_eq!(bench.call(Method::DELETE, path, Value::Null).await.0, 204, "{path}");
    }
    assert_eq!(bench.get("/v1/uplinks").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_never_shows_its_secret_and_takes_none_in_the_clear() {
    let bench = Bench::start().await;
    bench.furnish().await;
    let shown = bench.get("/v1/connections/jira").await;
    assert_eq!(shown["secret_set"], true);
    assert_eq!(shown["url"], "https://jira.example");
    assert!(!shown.to_string().contains("c2VhbGVk"), "{shown}");
    let canary = json!({ "name": "x", "pool": "sales", "mode": "uplinked", "password": "canary-7" });
    let (status, problem) = bench.post("/v1/connections", canary).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("secret_in_clear")));
    assert!(!problem.to_string().contains("canary-7"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_replaced_with_its_secret_only_for_the_same_account() {
    let bench = Bench::start().await;
    bench.furnish().await;
    let mut body = json!({
        "pool": "sales", "mode": "uplinked", "uplink": "hq", "url": "https://jira.example", "username": "reader",
        "credential": "password", "max_parallel": 8,
    });
    let (status, answer) = bench.call(Method::PUT, "/v1/connections/jira", body.clone()).await;
    assert_eq!((status, &answer["max_parallel"], &answer["secret_set"]), (200, &json!(8), &json!(true)));
    body["username"] = json!("other");
    let (status, problem) = bench.call(Method::PUT, "/v1/connections/jira", body.clone()).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("secret_needed")));
    body["mode"] = json!("direct");
    let (status, problem) = bench.call(Method::PUT, "/v1/connections/jira", body.clone()).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("uplink_not_needed")));
    (body["uplink"], body["sealed"]) = (json!(null), json!([]));
    let (status, problem) = bench.call(Method::PUT, "/v1/connections/jira", body).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("sealed_to_nobody")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extraction_is_checked_before_it_is_queued() {
    let bench = Bench::start().await;
    bench.furnish().await;
    let cases = [
        (json!({ "connection": "none", "mode": "full" }), "connection_not_found"),
        (json!({ "connection": "jira", "mode": "delta" }), "never_loaded"),
        (json!({ "connection": "jira", "mode": "full", "tables": ["isues"] }), "unknown_table"),
        (json!({ "connection": "jira", "mode": "full", "created_from": "soon" }), "bad_time"),
        (json!({ "connection": "jira", "mode": "full", "projects": ["A B"] }), "bad_project"),
    ];
    for (body, code) in cases {
        let (_, problem) = bench.post("/v1/extractions", body).await;
        assert_eq!(problem["code"], code, "{problem}");
    }
    let (status, run) = bench.post("/v1/extractions", json!({ "connection": "jira", "mode": "full" })).await;
    assert_eq!((status, run["state"].as_str(), run["id"].as_str()), (202, Some("queued"), Some("run_1")));
    assert_eq!(run["reason"], "waiting for an agent of uplink hq");
    assert_eq!(bench.get("/v1/runs?connection=jira&limit=5").await[0]["id"], "run_1");
    let (status, problem) = bench.call(Method::DELETE, "/v1/connections/jira", Value::Null).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("connection_in_use")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_test_needs_an_agent() {
    let bench = Bench::start().await;
    bench.furnish().await;
    let (status, problem) = bench.post("/v1/connections/jira/test", Value::Null).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("no_agent_online")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_the_run_at_once_and_at_its_end() {
    let bench = Bench::start().await;
    bench.furnish().await;
    bench.post("/v1/extractions", json!({ "connection": "jira", "mode": "full" })).await;
    let mut stream = bench.open("/v1/runs/run_1/follow").await;
    let first = stream.chunk().await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&first).unwrap()["state"], "queued");
    let (status, run) = bench.post("/v1/runs/run_1/cancel", Value::Null).await;
    assert_eq!((status, run["state"].as_str()), (200, Some("cancelled")));
    let mut last = Vec::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        last.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(last).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["state"], "cancelled");
    let (status, problem) = bench.post("/v1/runs/run_1/cancel", Value::Null).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("run_state")));
}
