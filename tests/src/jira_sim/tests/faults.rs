//! Faults, gates, limits and counters.

use std::io::Read;
use std::time::Duration;

use super::super::{Fault, FaultKind, RateLimit, SimConfig};
use super::{small, start};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn each_fault_hits_the_requests_it_is_meant_for() {
    let (sim, client) = small();
    sim.fault(Fault { path: "/search".into(), times: 1, skip: 1, kind: FaultKind::Gateway { status: 503 } });
    assert_eq!(client.api("serverInfo").status, 200);
    assert_eq!(client.search("", "").status, 200);
    let failed = client.search("", "");
    assert_eq!((failed.status, failed.header("content-type")), (503, Some("text/html;charset=UTF-8")));
    assert_eq!(client.search("", "").status, 200);
    assert_eq!(sim.stats().faults, 1);
}

#[test]
fn refusals_have_their_shapes() {
    let (sim, client) = small();
    sim.fail_next("/search", 1, FaultKind::TooManyRequests { retry_after_seconds: Some(1) });
    let limited = client.search("", "");
    assert_eq!(
        (limited.status, limited.header("retry-after"), limited.header("x-ratelimit-remaining")),
        (429, Some("1"), Some("0"))
    );
    assert!(limited.text().contains("Rate limit exceeded."));
    sim.fail_next("/search", 1, FaultKind::EmptyForbidden);
    let forbidden = client.search("", "");
    assert_eq!((forbidden.status, forbidden.body.len()), (403, 0));
    sim.fail_next("/search", 1, FaultKind::Redirect { location: "https://idp.example.com/".into() });
    assert_eq!(client.search("", "").header("location"), Some("https://idp.example.com/"));
    sim.fail_next("/search", 1, FaultKind::SsoPage);
    let page = client.search("", "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html;charset=UTF-8")));
    let body = "{\"errorMessages\":[\"busy\"]}".to_owned();
    sim.fail_next(
        "/search",
        1,
        FaultKind::Answer { status: 418, content_type: "application/json".into(), body },
    );
    let custom = client.search("", "");
    assert_eq!((custom.status, custom.error().as_str()), (418, "busy"));
}

#[test]
fn a_200_may_be_that_of_somebody_else() {
    let (sim, client) = small();
    sim.fail_next("/search", 1, FaultKind::SeraphFailed);
    let failed = client.search("", "");
    assert_eq!(failed.status, 200);
    assert_eq!(
        (failed.header("x-seraph-loginreason"), failed.header("x-ausername")),
        (Some("AUTHENTICATED_FAILED"), Some("anonymous"))
    );
    sim.fail_next("/search", 1, FaultKind::Anonymous);
    let anonymous = client.search("", "");
    assert_eq!(
        (anonymous.json()["total"].as_u64(), anonymous.header("x-ausername")),
        (Some(0), Some("anonymous"))
    );
}

#[test]
fn bodies_can_be_cut_spoiled_slowed_and_compressed() {
    let (sim, client) = small();
    let whole = client.search("ORDER BY key", "").body;
    let search = || client.search("ORDER BY key", "");
    sim.fail_next("/search", 1, FaultKind::Truncated);
    let cut = search();
    assert!(!cut.complete && cut.body.len() == whole.len() / 2);
    assert_eq!(cut.header("content-length"), Some(whole.len().to_string().as_str()));
    sim.fail_next("/search", 1, FaultKind::CutChunked);
    let cut = search();
    assert!(!cut.complete && cut.header("transfer-encoding") == Some("chunked"));
    sim.fail_next("/search", 1, FaultKind::InvalidJson);
    let spoiled = search();
    assert!(spoiled.complete && serde_json::from_slice::<serde_json::Value>(&spoiled.body).is_err());
    sim.fail_next("/search", 1, FaultKind::SlowBody { chunk_bytes: 100_000, pause_ms: 1 });
    let slow = search();
    assert!(slow.complete && slow.body == whole);
    sim.fail_next("/search", 1, FaultKind::Gzip);
    let packed = search();
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut plain).unwrap();
    assert!(packed.header("content-encoding") == Some("gzip") && plain == whole);
    sim.fail_next("/search", 1, FaultKind::Disconnect);
    assert_eq!(search().status, 0);
}

#[tokio::test]
async fn a_gate_holds_requests_until_it_is_released() {
    let (sim, client) = small();
    let gate = sim.hold_after("/search", 1);
    let free = client.clone();
    assert_eq!(tokio::task::spawn_blocking(move || free.search("", "").status).await.unwrap(), 200);
    let held: Vec<_> = (0..3)
        .map(|_| {
            let client = client.clone();
            tokio::task::spawn_blocking(move || client.search("", "").status)
        })
        .collect();
    let stats = sim.wait_for(LIMIT, |stats| stats.held == 3).await.unwrap();
    assert_eq!((stats.in_flight, stats.issue_pages), (3, 1));
    gate.release();
    for request in held {
        assert_eq!(request.await.unwrap(), 200);
    }
    assert!(sim.stats().max_in_flight >= 3);
    let never = sim.wait_for(Duration::from_millis(1), |stats| stats.held == 9).await;
    assert!(never.unwrap_err().to_string().contains("was not reached"));
}

#[test]
fn the_rate_limit_says_how_many_are_left_and_when_to_come_back() {
    let rate_limit = Some(RateLimit { tokens: 2, fill: 2, interval_seconds: 3600 });
    let (sim, client) = start(SimConfig { rate_limit, ..SimConfig::generated(5, 1) });
    let first = client.api("myself");
    assert_eq!((first.header("x-ratelimit-remaining"), first.header("retry-after")), (Some("1"), Some("0")));
    client.api("myself");
    let limited = client.api("myself");
    assert_eq!(
        (limited.status, limited.header("x-ratelimit-limit"), limited.header("x-ratelimit-fillrate")),
        (429, Some("2"), Some("2"))
    );
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!(wait > 3500);
    assert_eq!(sim.stats().rate_limited, 1);
}

#[test]
fn requests_are_counted_by_template_and_bytes_of_json() {
    let (sim, client) = small();
    let body = client.search("", "").body.len() as u64;
    client.api("issue/WEB-1/comment");
    client.api("issue/WEB-2/comment");
    let stats = sim.stats();
    assert_eq!(stats.requests["GET /rest/api/2/issue/{id}/comment"], 2);
    assert_eq!(stats.requests_matching("/search"), 1);
    assert!(stats.json_bytes > body && stats.issue_pages == 1 && stats.issues_sent == 50);
    sim.reset_stats();
    assert_eq!(sim.stats().requests_total, 0);
}

#[test]
fn the_control_interface_does_the_same_over_http() {
    let (sim, client) = small();
    let post = |path: &str, body: serde_json::Value| {
        client.send("POST", &format!("/__sim/{path}"), Some(&body.to_string()))
    };
    let created =
        post("change", serde_json::json!({ "do": "create", "project": "OPS", "summary": "by hand" })).json();
    let key = created["issues"][0]["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("OPS-"));
    let edit = serde_json::json!({ "do": "edit", "issue": key, "status": "Closed", "fields": { "customfield_10005": 7.5 } });
    assert_eq!(post("change", edit).status, 200);
    let issue = client.send("GET", &format!("/__sim/issue/{key}"), None).json();
    assert_eq!(
        (&issue["fields"]["status"]["name"], &issue["fields"]["customfield_10005"]),
        (&"Closed".into(), &7.5.into())
    );
    assert_eq!(post("change", serde_json::json!({ "do": "delete", "issue": "WEB-99999" })).status, 400);
    post("fault", serde_json::json!({ "path": "/myself", "times": 1, "kind": "gateway", "status": 502 }));
    assert_eq!(client.api("myself").status, 502);
    let truth = client.send("GET", "/__sim/truth/issues", None).text();
    assert_eq!(truth.lines().count(), 301);
    assert_eq!(client.send("GET", "/__sim/stats", None).json()["faults"], 1);
    assert_eq!(sim.issue_count(), 301);
}
