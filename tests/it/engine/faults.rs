//! Trouble on the way: sat out where it passes, named where it does not, and never a wrong row.

use crate::engine::landing::{Landing, client, client_with, full, limits, password};
use jira::{Error, Limits, Spec};
use std::time::{Duration, Instant};
use tests::jira_sim::{Fault, FaultKind, JiraSim, RateLimit, SimConfig};

#[tokio::test(flavor = "multi_thread")]
async fn faults_that_pass_are_sat_out_and_leave_no_trace() {
    let sim = JiraSim::start(SimConfig::generated(900, 2)).unwrap();
    for (skip, kind) in [
        (1, FaultKind::TooManyRequests { retry_after_seconds: Some(0) }),
        (1, FaultKind::TooManyRequests { retry_after_seconds: None }),
        (1, FaultKind::Gateway { status: 502 }),
        (1, FaultKind::Gateway { status: 503 }),
        (1, FaultKind::Truncated),
        (1, FaultKind::CutChunked),
        (1, FaultKind::InvalidJson),
        (1, FaultKind::Disconnect),
        (1, FaultKind::Gzip),
    ] {
        sim.fault(Fault { path: "/search".into(), times: 1, skip, kind });
    }
    let mut landing = Landing::default();
    let summary = landing.finish(client(&sim), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    assert!(summary.retries >= 6, "{} retries", summary.retries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_obeyed() {
    let limit = RateLimit { tokens: 12, fill: 12, interval_seconds: 1 };
    let sim = JiraSim::start(SimConfig { rate_limit: Some(limit), ..SimConfig::generated(300, 2) }).unwrap();
    let mut landing = Landing::default();
    landing.finish(client(&sim), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    let stats = sim.stats();
    assert!(
        stats.rate_limited < 30,
        "{} requests of {} were refused",
        stats.rate_limited,
        stats.requests_total
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_day_to_come_back_at_is_waited_for() {
    let sim = JiraSim::start(SimConfig::generated(60, 2)).unwrap();
    // The times on the wire have whole seconds, so up to one of the three may be gone already.
    sim.fail_next("/search", 1, FaultKind::ComeBackAt { seconds: 3 });
    let (mut landing, began) = (Landing::default(), Instant::now());
    let summary = landing.finish(client(&sim), full()).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "tried again after {:?}", began.elapsed());
    assert_eq!(summary.retries, 1);
    landing.commit(true);
    landing.assert_is_truth(&sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_does_not_pass_ends_the_run_with_its_name() {
    let forbidden = FaultKind::Answer {
        status: 403,
        content_type: "application/json".into(),
        body: "{\"errorMessages\":[\"No browse permission\"]}".into(),
    };
    let sim = JiraSim::start(SimConfig::generated(60, 2)).unwrap();
    sim.fail_next("/project", 1, forbidden);
    let error = Landing::default().run(client(&sim), full(), None).await.unwrap_err();
    assert_eq!(error.code(), "forbidden");
    assert!(error.to_string().contains("No browse permission"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_jira_refuses_brings_jiras_own_words() {
    let sim = JiraSim::start(SimConfig::generated(60, 2)).unwrap();
    let spec = Spec { jql: Some("project = NOSUCHPROJECT".to_owned()), ..full() };
    let error = Landing::default().run(client(&sim), spec, None).await.unwrap_err();
    assert_eq!(error.code(), "jql_refused");
    assert!(error.to_string().contains("NOSUCHPROJECT"), "{error}");
    let spec = Spec { jql: Some("project = A) OR (key > 1".to_owned()), ..full() };
    assert!(matches!(Landing::default().run(client(&sim), spec, None).await, Err(Error::Spec(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_too_large_or_too_slow_are_asked_smaller() {
    let sim = JiraSim::start(SimConfig::generated(200, 2)).unwrap();
    let tight = Limits { max_page_bytes: 400_000, ..limits(2) };
    let mut landing = Landing::default();
    landing.finish(client_with(&sim.url(), password("reader-password"), tight), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    assert!(sim.stats().issue_pages > 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_no_timeout_while_it_moves() {
    let sim = JiraSim::start(SimConfig::generated(30, 2)).unwrap();
    sim.fail_next("/search", 2, FaultKind::SlowBody { chunk_bytes: 60_000, pause_ms: 40 });
    let patient = Limits { read_timeout: Duration::from_millis(1500), ..limits(2) };
    let mut landing = Landing::default();
    let summary = landing.finish(client_with(&sim.url(), password("reader-password"), patient), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    assert_eq!(summary.retries, 0);
}
