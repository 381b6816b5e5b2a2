//! Few requests, side by side.

use crate::engine::landing::{Landing, client, full};
use std::time::{Duration, Instant};
use tests::jira_sim::{GeneratedSite, JiraSim, SimConfig, SiteSource};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_issues_behind_a_slow_network_take_few_requests_and_two_seconds() {
    let site =
        GeneratedSite { issues: 1_000, seed: 1, large_description_every: 0, ..GeneratedSite::default() };
    let latency = Duration::from_millis(100);
    let sim =
        JiraSim::start(SimConfig { source: SiteSource::Generated(site), latency, ..SimConfig::default() })
            .unwrap();
    let mut landing = Landing::default();
    let started = Instant::now();
    let summary = landing.finish(client(&sim), full()).await;
    let took = started.elapsed();
    landing.commit(true);
    let stats = sim.stats();
    println!("{took:?}, {} requests: {:?}", summary.requests, stats.requests);
    landing.assert_is_truth(&sim);
    assert!(summary.requests <= 80, "{} requests", summary.requests);
    assert_eq!(stats.max_in_flight, 4, "the lanes were not used");
    // The bound of two seconds is the bench's, on a quiet machine; here it must merely not be serial.
    assert!(took < Duration::from_secs(6), "it took {took:?}");
}
