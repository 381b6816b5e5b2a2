//! Rate limits and slow sites: kept to, sat out, and without a row lost. `jira/src/client/rate/tests.rs` has the rates in virtual time.

use crate::engine::landing::{Landing, client, client_with, cloud_client, full, limits, password};
use jira::{Limits, Spec, Table};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tests::jira_sim::{Fault, FaultKind, JiraSim, RateLimit, SimConfig, SimHandle};

/// Refuses requests in bursts, one burst in each form, at different places of a load.
fn storm(sim: &SimHandle, path: &str, forms: Vec<FaultKind>) {
    for (form, skip) in forms.into_iter().zip((0..).step_by(2)) {
        sim.fault(Fault { path: path.into(), times: 5, skip, kind: form });
    }
}

fn cloud_form(retry_after_seconds: Option<u64>, reason: &str, html: bool) -> FaultKind {
    FaultKind::CloudTooManyRequests { retry_after_seconds, reason: reason.into(), html }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_refusals_costs_no_row_on_server() {
    let sim = JiraSim::start(SimConfig::generated(900, 41)).unwrap();
    let forms = [Some(0), None, Some(1)]
        .map(|retry_after_seconds| FaultKind::TooManyRequests { retry_after_seconds });
    storm(&sim, "/search", forms.to_vec());
    let mut landing = Landing::default();
    let summary = landing.finish(client(&sim), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    assert_eq!(sim.stats().faults, 15);
    assert!(summary.retries >= 15, "{} retries", summary.retries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_refusals_costs_no_row_on_cloud() {
    let sim = JiraSim::start(SimConfig::cloud(700, 42)).unwrap();
    let forms = vec![
        cloud_form(Some(1), "jira-burst-based", false),
        cloud_form(None, "jira-cost-based", false),
        cloud_form(Some(0), "jira-quota-tenant-based", true),
        cloud_form(None, "", true),
    ];
    storm(&sim, "/search/jql", forms.clone());
    storm(&sim, "/changelog/bulkfetch", forms);
    let mut landing = Landing::default();
    landing.finish(cloud_client(&sim), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    let faults = sim.stats().faults;
    assert!(faults >= 30, "only {faults} requests were refused");
}

/// Data Center tells its rate with each answer: after the first ones hardly any request is refused.
#[tokio::test(flavor = "multi_thread")]
async fn the_rate_that_data_center_tells_is_kept() {
    let rate_limit = Some(RateLimit { tokens: 25, fill: 25, interval_seconds: 1 });
    let sim = JiraSim::start(SimConfig { rate_limit, ..SimConfig::generated(600, 43) }).unwrap();
    let mut landing = Landing::default();
    landing.finish(client(&sim), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    let stats = sim.stats();
    assert!(stats.requests_total > 75, "the limit never mattered: {:?}", stats.requests);
    assert!(stats.rate_limited <= 5, "{} of {} were refused", stats.rate_limited, stats.requests_total);
}

/// Cloud tells no rate: it is measured from the refusals, which then become few.
#[tokio::test(flavor = "multi_thread")]
async fn the_rate_that_cloud_does_not_tell_is_measured() {
    let rate_limit = Some(RateLimit { tokens: 25, fill: 25, interval_seconds: 1 });
    let sim = JiraSim::start(SimConfig { rate_limit, ..SimConfig::cloud(600, 44) }).unwrap();
    let mut landing = Landing::default();
    landing.finish(cloud_client(&sim), full()).await;
    landing.commit(true);
    landing.assert_is_truth(&sim);
    let stats = sim.stats();
    assert!(stats.requests_total > 75, "the limit never mattered: {:?}", stats.requests);
    assert!(
        stats.rate_limited > 0 && stats.rate_limited * 4 <= stats.requests_total,
        "{} of {} were refused",
        stats.rate_limited,
        stats.requests_total
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_jira_halves_our_parallelism_instead_of_timing_out() {
    let latency = Duration::from_millis(60);
    let sim = JiraSim::start(SimConfig { latency, ..SimConfig::generated(3_500, 45) }).unwrap();
    let (before, calm) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    sim.on_page({
        let (before, calm) = (Arc::clone(&before), Arc::clone(&calm));
        move |sim, page| {
            let in_flight = sim.stats().in_flight;
            match page.number {
                0..5 => drop(before.fetch_max(in_flight, Ordering::Relaxed)),
                5 => sim.set_latency(Duration::from_millis(1_300)),
                // Three pages in a row with half as many in flight: it has become calm, and fast again.
                _ if calm.load(Ordering::Relaxed) >= 3 => sim.set_latency(Duration::ZERO),
                _ if in_flight <= 2 => drop(calm.fetch_add(1, Ordering::Relaxed)),
                _ => calm.store(0, Ordering::Relaxed),
            }
        }
    });
    let mut landing = Landing::default();
    let summary = landing.finish(client(&sim), full()).await;
    assert!(before.load(Ordering::Relaxed) > 2, "the site was never asked side by side");
    assert!(calm.load(Ordering::Relaxed) >= 3, "a slow site was asked as much as before");
    assert_eq!((summary.retries, summary.rows["issues"]), (0, 3_500));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_time_out_halve_our_parallelism_too() {
    let sim = JiraSim::start(SimConfig::generated(1_200, 46)).unwrap();
    let gate = sim.hold_after("/search", 1);
    let impatient = Limits { read_timeout: Duration::from_millis(700), ..limits(4) };
    let client = client_with(&sim.url(), password("reader-password"), impatient);
    let spec = Spec { tables: [Table::Issues, Table::IssueComments].into(), ..full() };
    let load = tokio::spawn(async move { Landing::default().finish(client, spec).await });
    let patience = Duration::from_secs(60);
    sim.wait_for(patience, |stats| stats.held == 4).await.unwrap();
    sim.wait_for(patience, |stats| stats.held == 0).await.unwrap();
    let (asked, most) = (sim.stats().requests_total, AtomicU64::new(0));
    sim.wait_for(patience, |stats| {
        most.fetch_max(stats.held, Ordering::Relaxed);
        stats.requests_total >= asked + 3
    })
    .await
    .unwrap();
    let most = most.load(Ordering::Relaxed);
    assert!(most <= 2, "{most} requests at once after four had timed out");
    gate.release();
    assert_eq!(load.await.unwrap().rows["issues"], 1_200);
}
