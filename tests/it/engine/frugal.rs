//! How many requests a load takes, all children of the issues included: docs/requests.md has the figures.

use crate::engine::landing::{Landing, client, cloud_client, full};
use jira::{Spec, Table};
use tests::jira_sim::{CloudConfig, GeneratedSite, JiraSim, SimConfig, SimHandle, SiteSource};

const ISSUES: u32 = 10_000;

/// Issues and all that follows from them, for the lists of the site cost the same however many issues it has.
fn issues_and_children() -> Spec {
    Spec {
        tables: Table::all()
            .iter()
            .copied()
            .filter(|table| table.is_issue_table() && table.is_default())
            .collect(),
        ..full()
    }
}

/// Nothing is truncated: no issue has more work logs than a search shows.
fn whole(base: SimConfig) -> SimConfig {
    let site =
        GeneratedSite { issues: ISSUES, seed: 8, large_description_every: 0, ..GeneratedSite::default() };
    SimConfig { source: SiteSource::Generated(site), embedded_worklog_cap: usize::MAX, ..base }
}

async fn load(sim: &SimHandle, client: jira::JiraClient) {
    sim.reset_stats();
    let summary = Landing::default().finish(client, issues_and_children()).await;
    assert_eq!(summary.rows["issues"], u64::from(ISSUES));
    assert_eq!(summary.requests, sim.stats().requests_total, "the load does not count what it asks");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_takes_at_most_one_request_for_each_hundred_issues() {
    let sim = JiraSim::start(whole(SimConfig::default())).unwrap();
    load(&sim, client(&sim)).await;
    let stats = sim.stats();
    eprintln!("Server: {} requests for {ISSUES} issues: {:?}", stats.requests_total, stats.requests);
    assert!(stats.requests_total <= u64::from(ISSUES) / 100, "{:?}", stats.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_takes_at_most_one_search_and_one_bulk_of_histories_for_each_hundred_issues() {
    let cloud = CloudConfig { detailed_page: 5000, embedded_comments: usize::MAX, ..CloudConfig::default() };
    let sim = JiraSim::start(whole(SimConfig { cloud, ..SimConfig::cloud(0, 1) })).unwrap();
    load(&sim, cloud_client(&sim)).await;
    assert_frugal(&sim, (100, 100), 1);
}

/// Where Cloud shows a hundred issues in a page at most: each page begins with the last second again, and slices end with a page that is not
/// full. The load is cut into slices by estimated counts.
#[tokio::test(flavor = "multi_thread")]
async fn cloud_with_pages_of_a_hundred_takes_little_more_than_one_search_for_each() {
    let cloud = CloudConfig { embedded_comments: usize::MAX, ..CloudConfig::default() };
    let sim = JiraSim::start(whole(SimConfig { cloud, ..SimConfig::cloud(0, 1) })).unwrap();
    load(&sim, cloud_client(&sim)).await;
    assert_frugal(&sim, (124, 118), 16);
}

/// At most so many searches, requests for histories, and estimates for ten thousand issues.
fn assert_frugal(sim: &SimHandle, most: (u64, u64), estimates: u64) {
    let stats = sim.stats();
    eprintln!("Cloud: {} requests for {ISSUES} issues: {:?}", stats.requests_total, stats.requests);

    let (searches, histories) =
        (stats.requests_matching("/search/jql"), stats.requests_matching("/changelog/bulkfetch"));
    assert!(searches <= most.0 && histories <= most.1, "{:?}", stats.requests);
    // Login, clock and fields besides.
    assert!(stats.requests_total - searches - histories <= estimates + 9, "{:?}", stats.requests);
}
