//! The configuration is read again while the agent runs: by an order or by SIGHUP, in the middle of a run, and not at all when it is wrong.

use crate::site::{assert_landed_equals_truth, generated};
use std::process::Command;
use std::time::Duration;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::JiraSim;

const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster whose agent has this configuration.
async fn cluster(jira_url: &str, config: &str) -> Cluster {
    let mut cluster = Cluster::relay_only().await;
    cluster.ok(&["pool", "create", "sales"]).await;
    let token = cluster.new_token("hq").await;
    assert_eq!(cluster.enrol(&token, jira_url).await.code, 0);
    std::fs::write(cluster.agent_config(), config).unwrap();
    cluster.start_agent();
    cluster.agent_online().await;
    cluster.connect(jira_url, PASSWORD, 4).await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_is_in_force_after_a_reload_and_the_run_under_way_loses_nothing() {
    let sim = JiraSim::start(generated(1_500, 71)).unwrap();
    let cluster = cluster(&sim.url(), "[policy]\ndeny_tables = [\"users\"]\n").await;
    let denied = cluster.extract(&["--full", "--tables", "users"]).await;
    assert_eq!(cluster.ended(&denied).await["state"], "failed");

    let gate = sim.hold_after("/search", 8);
    let run = cluster.extract(&["--full"]).await;
    sim.wait_for(PATIENCE, |stats| stats.held >= 1).await.unwrap();
    let process = cluster.agent().pid();
    std::fs::write(cluster.agent_config(), "[policy]\ndeny_tables = []\n").unwrap();
    let reload = cluster.on_premises(&["reload"], "").await;
    assert_eq!(reload.code, 0, "{reload:?}");
    cluster.agent().wait_for("config_reloaded").await;
    gate.release();
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}\n{}", cluster.agent_log());
    assert_eq!(document["lease"], 2, "{document:#}");
    assert_eq!(cluster.agent().pid(), process);
    let permitted = cluster.extracted(&["--full"]).await;
    assert!(permitted["result"]["tables"].get("users").is_some(), "{permitted:#}");
    assert_landed_equals_truth(&cluster, &sim);
    let verified = cluster.on_premises(&["audit", "verify"], "").await;
    assert_eq!(verified.code, 0, "the log of both lives is no chain: {verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_refused_by_the_command_and_by_a_hang_up_and_work_goes_on() {
    let sim = JiraSim::start(generated(60, 72)).unwrap();
    let cluster = cluster(&sim.url(), "[limits]\nmax_parallel = 2\n").await;
    std::fs::write(cluster.agent_config(), "[limits]\nmax_paralel = 2\n").unwrap();
    let refused = cluster.on_premises(&["reload"], "").await;
    assert!(refused.code == 2 && refused.stderr.contains("max_parallel"), "{refused:?}");

    let hang_up = |cluster: &Cluster| {
        let sent = Command::new("kill").args(["-HUP", &cluster.agent().pid().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    hang_up(&cluster);
    let said = cluster.agent().wait_for("reload_refused").await;
    assert!(said.contains("max_paralel"), "{said}");
    cluster.extracted(&["--full", "--tables", "projects"]).await;
    assert_eq!(cluster.agent().times("config_reloaded"), 0);

    std::fs::write(cluster.agent_config(), "[limits]\nmax_parallel = 3\n").unwrap();
    hang_up(&cluster);
    cluster.agent().wait_for("config_reloaded").await;
    cluster.extracted(&["--full", "--tables", "projects"]).await;
}
