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

/// A search, or a request for issues by id, and one for histories.
#[tokio::test(flavor = "multi_thread")]
async fn cloud_takes_at_most_one_request_for_issues_and_one_for_histories_for_each_hundred_issues() {
    let cloud = CloudConfig { detailed_page: 5000, embedded_comments: usize::MAX, ..CloudConfig::default() };
    assert_frugal(cloud, 1).await;
}

/// Where Cloud shows a hundred issues with their fields in a page at most, the load is cut into slices by estimated counts, and a slice
/// ends with a hundred that is not full.
#[tokio::test(flavor = "multi_thread")]
async fn cloud_takes_as_few_where_its_pages_end_at_a_hundred() {
    let cloud = CloudConfig { embedded_comments: usize::MAX, ..CloudConfig::default() };
    assert_frugal(cloud, 16).await;
}

/// With at most so many estimates.
async fn assert_frugal(cloud: CloudConfig, estimates: u64) {
    let sim = JiraSim::start(whole(SimConfig { cloud, ..SimConfig::cloud(0, 1) })).unwrap();
    load(&sim, cloud_client(&sim)).await;
    let stats = sim.stats();
    eprintln!("Cloud: {} requests for {ISSUES} issues: {:?}", stats.requests_total, stats.requests);
    let of = |resource: &str| stats.requests_matching(resource);
    let (searches, issues, histories) =
        (of("/search/jql"), of("/issue/bulkfetch"), of("/changelog/bulkfetch"));
    let hundreds = u64::from(ISSUES) / 100;
    assert!(searches <= hundreds / 4 && histories <= hundreds * 2 / 3, "{:?}", stats.requests);
    assert!(searches + issues + histories <= 2 * hundreds, "{:?}", stats.requests);
    // Login, clock and fields besides.
    assert!(stats.requests_total - searches - issues - histories <= estimates + 9, "{:?}", stats.requests);
}
