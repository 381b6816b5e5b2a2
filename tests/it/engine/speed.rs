//! Few requests, side by side.

use crate::engine::landing::{Landing, client, client_with, full, limits, password};
use jira::Event;
use std::time::Duration;
use tests::jira_sim::{
    FaultKind, GeneratedSite, JiraSim, RecordedRequest, RunningSim, SimConfig, SiteSource,
};
use tokio_util::sync::CancellationToken;

/// A site of so many issues that takes so long for each answer.
fn site(issues: u32, latency: Duration) -> RunningSim {
    let site = GeneratedSite { issues, seed: 1, large_description_every: 0, ..GeneratedSite::default() };
    JiraSim::start(SimConfig { source: SiteSource::Generated(site), latency, ..SimConfig::default() })
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_issues_behind_a_slow_network_take_few_requests_on_every_lane() {
    let sim = site(1_000, Duration::from_millis(100));
    let mut landing = Landing::default();
    let summary = landing.finish(client(&sim), full()).await;
    landing.commit(true);
    let stats = sim.stats();
    landing.assert_is_truth(&sim);
    let of_each =
        |template: &str| ["/project/{id}/", "/board/{id}/"].iter().any(|part| template.contains(part));
    let of_each: u64 =
        stats.requests.iter().filter(|(template, _)| of_each(template)).map(|(_, count)| count).sum();
    assert!(summary.requests - of_each <= 80, "{} requests: {:?}", summary.requests, stats.requests);
    // Three tables of six projects; of twelve boards the columns, and of six of them two pages of sprints.
    assert_eq!(of_each, 3 * 6 + 12 + 6 * 2);
    assert_eq!(stats.max_in_flight, 4, "the lanes were not used");
}

/// More slices than may wait, and few lanes: cutting must not keep the lanes that reading needs.
#[tokio::test(flavor = "multi_thread")]
async fn many_slices_and_few_lanes_never_wait_for_each_other() {
    let sim = site(60_000, Duration::ZERO);
    // A Jira that says now and then that it is too busy brings the lanes down to one.
    let pages = std::sync::atomic::AtomicU64::new(0);
    sim.on_page(move |sim, _| {
        if pages.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 25 == 24 {
            sim.fail_next("/search", 2, FaultKind::TooManyRequests { retry_after_seconds: Some(0) });
        }
    });
    let client = client_with(&sim.url(), password("reader-password"), limits(3));
    let mut extraction = jira::extract(client, full(), Vec::new(), CancellationToken::new());
    let read = async {
        loop {
            match extraction.next().await.expect("the extraction ends with a word").unwrap() {
                Event::Finished(summary) => return summary,
                Event::Landed(ask) => ask.answer(jira::LandedAnswer::Columns(Vec::new())),
                Event::Part(_) | Event::UnitDone { .. } | Event::Progress(_) | Event::Warning(_) => {}
            }
        }
    };
    let summary =
        tokio::time::timeout(Duration::from_secs(180), read).await.expect("the extraction stands still");
    assert_eq!(summary.rows["issues"], 60_000);
}

/// The lists of a full load keep to one lane while slices wait, or a site of many boards and few slices would read its issues last and its
/// last slices alone.
#[tokio::test(flavor = "multi_thread")]
async fn lists_do_not_come_before_slices() {
    let sim = site(2_000, Duration::from_millis(20));
    sim.record_requests();
    let mut landing = Landing::default();
    landing.finish(client(&sim), full()).await;
    let requests = sim.recorded_requests();
    let is_page = |request: &RecordedRequest| {
        request.path_and_query.ends_with("/search")
            && std::str::from_utf8(&request.body).unwrap().contains("changelog")
    };
    let is_list = |request: &RecordedRequest| !request.path_and_query.contains("/search");
    let seventh = requests.iter().enumerate().filter(|(_, request)| is_page(request)).nth(6).unwrap().0;
    let lists = |requests: &[RecordedRequest]| requests.iter().filter(|request| is_list(request)).count();
    let (before, all) = (lists(&requests[..seventh]), lists(&requests));
    assert!(before < all / 2, "{before} of {all} lists were asked for before half of the issues");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_without_a_slice_give_their_lanes_to_the_lists() {
    let sim = site(0, Duration::from_millis(20));
    let mut landing = Landing::default();
    landing.finish(client_with(&sim.url(), password("reader-password"), limits(8)), full()).await;
    assert_eq!(sim.stats().max_in_flight, 8, "the lists went on one after the other");
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_looks_at_lists_on_every_lane() {
    let sim = site(10, Duration::from_millis(20));
    let client = client_with(&sim.url(), password("reader-password"), limits(8));
    jira::discover(client, full(), 3).await.unwrap();
    // Some wait for the list of boards that they have in common.
    let most = sim.stats().max_in_flight;
    assert!(most >= 5, "{most} at once: the lists were looked at one after the other");
}
