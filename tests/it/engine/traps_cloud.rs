//! Traps of Jira Cloud that no other test is named after: docs/traps.md has them all.

use crate::engine::landing::{Landing, client_with, cloud_client, delta, full, limits};
use jira::{Credential, Limits};
use std::collections::HashMap;
use tests::jira_sim::{
    CloudConfig, CreatedUnit, Fault, FaultKind, JiraSim, RecordedRequest, RunningSim, SimConfig,
};

fn site(issues: u32, seed: u64, cloud: CloudConfig) -> RunningSim {
    JiraSim::start(SimConfig { cloud, ..SimConfig::cloud(issues, seed) }).unwrap()
}

async fn loaded(sim: &RunningSim) {
    let mut landing = Landing::default();
    landing.finish(cloud_client(sim), full()).await;
    landing.commit(true);
    landing.assert_is_truth(sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_that_cloud_cuts_in_a_search_are_read_whole() {
    let sim =
        site(150, 321, CloudConfig { embedded_histories: 1, issue_histories: 1, ..CloudConfig::default() });
    loaded(&sim).await;
    assert!(sim.stats().requests_matching("/changelog/bulkfetch") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_that_is_gone_is_never_asked() {
    let sim = site(150, 322, CloudConfig::default());
    loaded(&sim).await;
    let stats = sim.stats();
    assert_eq!(stats.statuses.get(&410), None, "{:?}", stats.requests);
    assert!(
        stats
            .requests
            .keys()
            .all(|asked| !asked.ends_with("/api/2/search") && !asked.ends_with("/api/3/search")),
        "{:?}",
        stats.requests
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_of_tokens_that_never_ends_by_itself_is_ended() {
    let sim = site(250, 323, CloudConfig { endless_tokens: true, ..CloudConfig::default() });
    loaded(&sim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_bulk_histories_are_read_in_seconds_milliseconds_and_as_text() {
    for bulk_created in [CreatedUnit::Seconds, CreatedUnit::Milliseconds, CreatedUnit::Text] {
        let sim = site(120, 324, CloudConfig { bulk_created, ..CloudConfig::default() });
        loaded(&sim).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_beyond_those_of_a_search_are_read_by_their_pages() {
    let sim = site(150, 325, CloudConfig { embedded_comments: 1, ..CloudConfig::default() });
    let talked = sim.ids()[3].to_string();
    for text in ["one", "two", "three"] {
        sim.add_comment(&talked, None, text).unwrap();
    }
    loaded(&sim).await;
    assert!(sim.stats().requests_matching("/comment") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_that_cloud_cannot_read_is_a_refusal_with_clouds_words() {
    let sim = site(30, 326, CloudConfig::default());
    let token = Credential::Token("reader-scoped-token".to_owned().into());
    let error = client_with(&sim.url(), token, limits(1)).login().await.unwrap_err();
    assert!(error.to_string().contains("Connect Session Auth Token"), "{error}");
    assert_eq!(sim.stats().requests_matching("search"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_that_a_search_lists_but_bulk_does_not_show_are_searched_for() {
    let sim = site(250, 327, CloudConfig::default());
    let none = FaultKind::Answer {
        status: 200,
        content_type: "application/json".into(),
        body: r#"{"issueErrors":[],"issues":[]}"#.into(),
    };
    sim.fail_next("/issue/bulkfetch", 1, none);
    loaded(&sim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_by_id_whose_json_ends_early_are_asked_for_again() {
    let sim = site(250, 328, CloudConfig::default());
    for kind in [FaultKind::Truncated, FaultKind::CutChunked, FaultKind::Disconnect] {
        sim.fault(Fault { path: "/issue/bulkfetch".into(), times: 1, skip: 1, kind });
    }
    loaded(&sim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_by_id_that_are_too_large_together_are_asked_for_in_smaller_lots() {
    let sim = site(250, 329, CloudConfig::default());
    let (username, secret) = sim.login();
    let credential = Credential::ApiToken { username, token: secret.into() };
    let tight = Limits { max_page_bytes: 200_000, ..limits(2) };
    let mut landing = Landing::default();
    landing.finish(client_with(&sim.url(), credential, tight), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    assert!(sim.stats().requests_matching("/issue/bulkfetch") > 6, "{:?}", sim.stats().requests);
}

/// Issues of thousands of histories each would otherwise fill the memory, since a row is made of an issue with all of its own.
#[tokio::test(flavor = "multi_thread")]
async fn histories_that_are_too_many_together_are_read_for_fewer_issues_at_once() {
    let sim = site(250, 330, CloudConfig { bulk_histories: 25, ..CloudConfig::default() });
    sim.record_requests();
    let (username, secret) = sim.login();
    let credential = Credential::ApiToken { username, token: secret.into() };
    let tight = Limits { max_page_bytes: 200_000, ..limits(2) };
    let mut landing = Landing::default();
    let client = client_with(&sim.url(), credential, tight);
    let summary = landing.finish(client.clone(), full()).await;
    landing.commit(true);
    // A delta load searches for its issues instead.
    for id in sim.ids() {
        sim.add_comment(&id.to_string(), None, "again").unwrap();
    }
    landing.finish(client, delta(summary.watermark.unwrap())).await;
    landing.commit(false);
    landing.assert_is_truth(&sim);
    let mut pages = HashMap::<String, usize>::new();
    let is_of_histories =
        |request: &&RecordedRequest| request.path_and_query.contains("/changelog/bulkfetch");
    for request in sim.recorded_requests().iter().filter(is_of_histories) {
        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        *pages.entry(asked["issueIdsOrKeys"].to_string()).or_default() += 1;
    }
    // A page holds a fifth of what may be held, and of all issues of a slice together there are a dozen.
    let most = pages.values().max().unwrap();
    assert!((3..8).contains(most), "{most} pages of histories of the same issues were held at once");
}
