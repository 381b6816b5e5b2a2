//! Direct connections: the relay reads a Jira itself, with the same exactness as an agent.

use crate::site::{assert_landed_equals_truth, generated};
use std::time::Duration;
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::{Edit, JiraSim};

/// A secret that may be nowhere but in the memory of relay and `uplinkctl`.
const TOKEN: &str = "canary-personal-token-77";

/// A relay without any agent.
async fn relay() -> Cluster {
    let cluster = Cluster::relay_only().await;
    cluster.ok(&["pool", "create", "sales"]).await;
    cluster
}

async fn connect_with_password(cluster: &Cluster, url: &str) {
    let made = cluster.connect_direct(url, &["--username", USERNAME, "--password-stdin"], PASSWORD).await;
    assert_eq!(made.code, 0, "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jira_that_the_relay_reaches_is_read_without_an_agent_in_full_and_delta_loads() {
    let sim = JiraSim::start(generated(1_500, 91)).unwrap();
    let cluster = relay().await;
    let made = cluster.connect_direct(&sim.url(), &["--api-token-stdin"], TOKEN).await;
    assert!(made.code == 0 && made.stdout.contains("sealed to the relay's own key"), "{made:?}");
    let tested = cluster.ctl(&["connection", "test", "jira"], "").await;
    assert!(tested.code == 0 && tested.stdout.contains("1,500"), "{tested:?}");

    cluster.extracted(&["--full"]).await;
    assert_landed_equals_truth(&cluster, &sim);
    let issue = sim.ids()[7].to_string();
    sim.edit_issue(&issue, &Edit { summary: Some("edited".to_owned()), ..Edit::default() }).unwrap();
    sim.add_comment(&issue, None, "read by the relay").unwrap();
    cluster.extracted(&["--delta"]).await;
    assert_landed_equals_truth(&cluster, &sim);

    for file in ["relay.db", "relay.db-wal", "direct.key"] {
        let bytes = std::fs::read(cluster.relay_data().join(file)).unwrap_or_default();
        let found = bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
        assert!(!found, "the token is in {file} in clear text");
    }
    assert!(!cluster.relay_log().contains(TOKEN), "the token is in the relay's log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_in_a_direct_run_goes_on_from_its_checkpoint() {
    let sim = JiraSim::start(generated(3_000, 92)).unwrap();
    let mut cluster = relay().await;
    connect_with_password(&cluster, &sim.url()).await;
    let gate = sim.hold_after("/search", 20);
    let run = cluster.extract(&["--full"]).await;
    sim.wait_for(Duration::from_secs(60), |stats| stats.held >= 1).await.unwrap();
    cluster.kill_relay().await;
    let before = sim.stats().requests_total;
    gate.release();
    cluster.start_relay().await;
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}\n{}", cluster.relay_log());
    assert_landed_equals_truth(&cluster, &sim);
    let again = sim.stats().requests_total - before;
    let log = cluster.relay_log();
    assert!(log.contains("\"lease\":2") && again > 0, "the run was not handed out again: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_run_is_cancelled_and_a_wrong_password_tried_once() {
    let sim = JiraSim::start(generated(3_000, 93)).unwrap();
    let cluster = relay().await;
    connect_with_password(&cluster, &sim.url()).await;
    let gate = sim.hold_after("/search", 5);
    let run = cluster.extract(&["--full"]).await;
    sim.wait_for(Duration::from_secs(60), |stats| stats.held >= 1).await.unwrap();
    let cancelled = cluster.ctl(&["run", "cancel", &run], "").await;
    assert_eq!(cancelled.code, 0, "{cancelled:?}");
    gate.release();
    assert_eq!(cluster.ended(&run).await["state"], "cancelled");

    let tried = sim.stats().login_attempts;
    let update = ["connection", "update", "jira", "--password-stdin"];
    let updated = cluster.ctl(&update, "wrong").await;
    assert_eq!(updated.code, 0, "{updated:?}");
    let run = cluster.extract(&["--full"]).await;
    let failed = cluster.ended(&run).await;
    assert_eq!(failed["error"]["code"], "login_refused", "{failed:#}");
    assert_eq!(sim.stats().login_attempts, tried + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_nothing_answers_is_explained_and_points_to_an_uplink() {
    let cluster = relay().await;
    connect_with_password(&cluster, "http://127.0.0.1:9").await;
    let run = cluster.extract(&["--full"]).await;
    let failed = cluster.ended(&run).await;
    assert_eq!(failed["error"]["code"], "unreachable", "{failed:#}");
    assert!(failed["error"]["hint"].as_str().unwrap().contains("uplink"), "{failed:#}");
}
