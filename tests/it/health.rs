//! "Healthy" means that Jira answered lately, end to end, and both sides say the same.

use crate::site::generated;
use serde_json::Value;
use std::time::Duration;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{FaultKind, JiraSim};

const PATIENCE: Duration = Duration::from_secs(120);

/// Follows the agent's own words until the relay and the agent both show `wanted`.
async fn both_show(cluster: &Cluster, wanted: &str) -> (Value, Value) {
    let look = async {
        loop {
            let uplink = cluster.ok(&["uplink", "show", "hq"]).await;
            let status = cluster.on_premises(&["status", "--json"], "").await;
            if status.code == 0 {
                let there = uplink["agents"][0]["health"]["jiras"][0].clone();
                let here = status.json()["status"]["health"][0].clone();
                if there["state"] == wanted && here["state"] == wanted {
                    return (there, here);
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| {
        panic!("the sides never both said {wanted}\nagent: {}", cluster.agent_log());
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_say_alike_whether_jira_answers() {
    let sim = JiraSim::start(generated(30, 97)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.kill_agent().await;
    cluster.start_agent_with(&[("UPLINK_AGENT_HEALTH__EVERY_S", "1")]);
    let (there, here) = both_show(&cluster, "healthy").await;
    assert_eq!((&there["site"], &there["version"]), (&here["site"], &here["version"]));
    assert!(there["answered_at"].is_string() && there["version"].is_string(), "{there}");
    let shown = cluster.ctl(&["uplink", "show", "hq"], "").await.stdout;
    assert!(shown.contains("is healthy"), "{shown}");
    assert_eq!(sim.stats().login_attempts, 0, "a probe touched the account");
    assert!(
        sim.stats().requests.keys().all(|asked| asked == "GET /rest/api/2/serverInfo"),
        "{:?}",
        sim.stats()
    );
    // A login page in Jira's place: connected, and yet nothing would be read.
    sim.fail_next("/rest/api/2/serverInfo", 1_000_000, FaultKind::SsoPage);
    let (there, here) = both_show(&cluster, "unhealthy").await;
    assert_eq!(there["failure"]["code"], here["failure"]["code"]);
    assert!(there["failure"]["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{there}");
    let list = cluster.ctl(&["uplink", "list"], "").await.stdout;
    assert!(list.contains("unhealthy"), "{list}");
    sim.clear_faults();
    both_show(&cluster, "healthy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_a_run_count_and_a_paused_agent_asks_nothing() {
    let sim = JiraSim::start(generated(100, 98)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.kill_agent().await;
    assert_eq!(cluster.on_premises(&["pause", "--reason", "audit"], "").await.code, 0);
    sim.reset_stats();
    cluster.start_agent_with(&[("UPLINK_AGENT_HEALTH__EVERY_S", "1")]);
    let (there, _) = both_show(&cluster, "unknown").await;
    assert_eq!(there["answered_at"], Value::Null);
    let further = sim.wait_for(Duration::from_millis(1500), |stats| stats.requests_total > 0).await;
    assert!(further.is_err(), "a paused agent asked Jira");
    cluster.kill_agent().await;
    assert_eq!(cluster.on_premises(&["resume"], "").await.code, 0);
    cluster.start_agent_with(&[("UPLINK_AGENT_HEALTH__EVERY_S", "0")]);
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full"]).await;
    both_show(&cluster, "healthy").await;
}
