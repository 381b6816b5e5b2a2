//! Jira Cloud, read by the relay itself with an e-mail address and an API token: the same tables, equal to the truth.

use crate::site::assert_landed_equals_truth;
use tests::cluster::{Cluster, Printed};
use tests::jira_sim::{CloudConfig, CreatedUnit, Edit, JiraSim, RunningSim, SimConfig};

const ACCOUNT: &str = "reader@example.com";
const TOKEN: &str = "reader-api-token";

pub(crate) async fn connected(sim: &RunningSim, token: &str) -> (Cluster, Printed) {
    connected_at(&sim.url(), token).await
}

async fn connected_at(url: &str, token: &str) -> (Cluster, Printed) {
    let cluster = Cluster::direct(url, &["--username", ACCOUNT, "--api-token-stdin"], token).await;
    let tested = cluster.ctl(&["connection", "test", "jira"], "").await;
    (cluster, tested)
}

/// A relay that is connected to a site of Jira Cloud.
pub(crate) async fn connected_cloud(sim: &RunningSim) -> Cluster {
    connected(sim, TOKEN).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_site_lands_cell_by_cell_in_full_and_delta_loads() {
    let sim = JiraSim::start(SimConfig::cloud(1_200, 95)).unwrap();
    let (cluster, tested) = connected(&sim, TOKEN).await;
    assert!(tested.code == 0 && tested.stdout.contains("cloud"), "{tested:?}");
    cluster.extracted(&["--full"]).await;
    assert_landed_equals_truth(&cluster, &sim);

    let issue = sim.ids()[11].to_string();
    sim.edit_issue(&issue, &Edit { summary: Some("edited".to_owned()), ..Edit::default() }).unwrap();
    sim.add_comment(&issue, None, "two lines\nof it").unwrap();
    cluster.extracted(&["--delta"]).await;
    assert_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_pages_wrong_estimates_and_split_histories_cost_no_row() {
    let cloud = CloudConfig {
        bulk_created: CreatedUnit::Text,
        bulk_histories: 7,
        ragged_pages: true,
        is_last_never: true,
        count_error: 40,
        embedded_comments: 2,
        ..CloudConfig::default()
    };
    let sim = JiraSim::start(SimConfig { cloud, ..SimConfig::cloud(400, 96) }).unwrap();
    let (cluster, _) = connected(&sim, TOKEN).await;
    cluster.extracted(&["--full"]).await;
    assert_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scoped_token_reads_through_the_gateway_and_a_wrong_one_is_tried_once() {
    let sim = JiraSim::start(SimConfig::cloud(150, 98)).unwrap();
    let gateway = format!("{}/ex/jira/{}", sim.url(), CloudConfig::default().cloud_id);
    let (cluster, tested) = connected_at(&gateway, "reader-scoped-token").await;
    assert!(tested.code == 0 && tested.stdout.contains("cloud"), "{tested:?}");
    let run = cluster.extracted(&["--full", "--tables", "issues,issue_changelog"]).await;
    assert_eq!(run["result"]["tables"]["issues"]["rows"], 150, "{run:#}");
    let (_, tested) = connected_at(&gateway, "wrong").await;
    assert!(tested.code == 1 && tested.stderr.contains("login"), "{tested:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_that_cloud_answers_anonymously_is_a_failed_login_tried_once() {
    let sim = JiraSim::start(SimConfig::cloud(50, 97)).unwrap();
    let (cluster, tested) = connected(&sim, "wrong").await;
    assert!(tested.code == 1 && tested.stderr.contains("API token"), "{tested:?}");
    let run = cluster.extract(&["--full"]).await;
    let failed = cluster.ended(&run).await;
    assert_eq!(failed["error"]["code"], "login_refused", "{failed:#}");
    let searched = sim.stats().requests.keys().any(|asked| asked.contains("search"));
    assert!(!searched, "something was read without a login: {:?}", sim.stats().requests);
}
