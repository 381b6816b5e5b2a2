//! Cloud's 429 in its forms, and the headers before it.

use super::super::{RunningSim, SimConfig, start};
use super::{Client, small};
use crate::jira_sim::{FaultKind, RateLimit};

#[test]
fn normal_answers_say_how_much_is_left() {
    let rate_limit = Some(RateLimit { tokens: 5, fill: 5, interval_seconds: 3600 });
    let (sim, client) = start(SimConfig { rate_limit, ..SimConfig::cloud(10, 7) });
    let near: Vec<String> = (0..5)
        .map(|_| {
            let answer = client.v3("myself");
            assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, Some("5")));
            answer.header("x-ratelimit-nearlimit").unwrap().to_owned()
        })
        .collect();
    assert_eq!(near, ["false", "false", "false", "false", "true"]);
    let refused = client.v3("myself");
    assert_eq!((refused.status, refused.header("ratelimit-reason")), (429, Some("jira-burst-based")));
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert!(refused.header("x-ratelimit-reset").unwrap().ends_with('Z'));
    assert_eq!(refused.json()["status"], 429);
    assert_eq!(sim.stats().rate_limited, 1);
}

#[test]
fn a_refusal_may_lack_its_header_and_be_a_page() {
    let (sim, client) = small();
    let refuse = |sim: &RunningSim, retry_after_seconds, reason: &str, html| {
        let kind = FaultKind::CloudTooManyRequests { retry_after_seconds, reason: reason.to_owned(), html };
        sim.fail_next("/field", 1, kind);
        client.v3("field")
    };
    let bare = refuse(&sim, None, "", false);
    assert_eq!((bare.status, bare.header("retry-after"), bare.header("ratelimit-reason")), (429, None, None));
    assert_eq!(bare.error(), "The request has been rate-limited. Please try again later.");
    let page = refuse(&sim, Some(10), "jira-quota-tenant-based", true);
    assert_eq!(
        (page.header("retry-after"), page.header("ratelimit-reason")),
        (Some("10"), Some("jira-quota-tenant-based"))
    );
    assert!(
        page.header("content-type").unwrap().starts_with("text/html") && page.text().contains("error429")
    );
    sim.fail_next("/field", 1, FaultKind::TooManyRequests { retry_after_seconds: Some(3) });
    let usual = client.v3("field");
    assert_eq!((usual.header("retry-after"), usual.json()["status"].as_u64()), (Some("3"), Some(429)));
    assert_eq!(client.v3("field").status, 200);
}

#[test]
fn a_login_may_fail_in_the_middle_of_a_run() {
    let (sim, client) = small();
    let search = |client: &Client| client.v3("search/jql?jql=created%3E0&fields=summary");
    for kind in [FaultKind::SeraphFailed, FaultKind::Anonymous] {
        sim.fail_next("/search/jql", 1, kind);
        let answer = search(&client);
        assert_eq!(
            (answer.status, answer.header("x-seraph-loginreason")),
            (200, Some("AUTHENTICATED_FAILED"))
        );
        assert_eq!(answer.json(), serde_json::json!({ "issues": [], "isLast": true }));
        assert_eq!(search(&client).header("x-seraph-loginreason"), None);
    }
}
