//! Sweeps through the real programs: what Jira no longer shows leaves the lake's tables, by an agent and directly.

use crate::site::{assert_landed_equals_truth, generated};
use std::time::Duration;
use tests::cluster::{Cluster, PASSWORD, USERNAME};
use tests::jira_sim::{Edit, JiraSim, SimConfig, SimHandle};

/// Deletes, hides, moves and edits; gives the id of a hidden issue that others link to.
fn change(sim: &SimHandle) -> u64 {
    let keys = sim.keys();
    for key in keys.iter().skip(4).step_by(60) {
        sim.delete_issue(key).ok();
    }
    let linked = sim.create_issues(2).unwrap();
    sim.add_link(&linked[0].key, &linked[1].key, "Blocks").unwrap();
    sim.hide_project(keys[200].split('-').next().unwrap()).unwrap();
    let seen = sim.keys();
    sim.edit_issue(&seen[7], &Edit { summary: Some("edited".to_owned()), ..Edit::default() }).unwrap();
    linked[1].id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_sweeps_what_jira_no_longer_shows_out_of_every_table() {
    let sim = JiraSim::start(generated(1_200, 131)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let refused = cluster.ctl(&["extract", "jira", "--sweep"], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("--full"), "{refused:?}");
    cluster.extracted(&["--full"]).await;
    let hidden = change(&sim);
    let run = cluster.extracted(&["--delta", "--sweep"]).await;
    assert_landed_equals_truth(&cluster, &sim);
    assert_eq!(run["mode"], "delta and sweep");
    let watermark = run["result"]["watermark"].clone();

    // Neither end of the link is touched.
    sim.hide_issue(&hidden.to_string()).unwrap();
    cluster.extracted(&["--sweep"]).await;
    assert_landed_equals_truth(&cluster, &sim);
    sim.show_issue(hidden).unwrap();
    sim.hide_issue(&sim.ids()[3].to_string()).ok();
    cluster.extracted(&["--sweep", "--every-id"]).await;
    assert_landed_equals_truth(&cluster, &sim);

    // The watermark is where the delta load left it.
    sim.create_issues(3).unwrap();
    let run = cluster.extracted(&["--delta"]).await;
    assert_landed_equals_truth(&cluster, &sim);
    assert!(run["result"]["watermark"].as_str() >= watermark.as_str(), "{run:#}");

    // Edited, hidden while the next load ran, and shown again: no delta load will see it, its id is there, only its last update tells.
    let (key, id) = (sim.keys()[9].clone(), sim.ids()[9]);
    sim.edit_issue(&key, &Edit { summary: Some("edited in secret".to_owned()), ..Edit::default() }).unwrap();
    sim.hide_issue(&key).unwrap();
    cluster.extracted(&["--delta"]).await;
    sim.show_issue(id).unwrap();
    cluster.extracted(&["--sweep", "--every-id"]).await;
    assert_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_in_a_sweep_goes_on_and_ends_exact() {
    let sim = JiraSim::start(generated(1_500, 132)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 2).await;
    cluster.extracted(&["--full"]).await;
    change(&sim);
    let gate = sim.hold_after("/search", 4);
    let run = cluster.extract(&["--delta", "--sweep"]).await;
    sim.wait_for(Duration::from_secs(60), |stats| stats.held >= 1).await.unwrap();
    cluster.kill_agent().await;
    gate.release();
    cluster.start_agent();
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}");
    assert_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_connection_to_cloud_is_swept_by_the_relay_itself() {
    let sim = JiraSim::start(SimConfig::cloud(500, 133)).unwrap();
    let (account, token) = sim.login();
    let cluster = Cluster::direct(&sim.url(), &["--username", &account, "--api-token-stdin"], &token).await;
    cluster.extracted(&["--full"]).await;
    for key in sim.keys().iter().step_by(45) {
        sim.delete_issue(key).ok();
    }
    cluster.extracted(&["--sweep"]).await;
    assert_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_as_narrow_as_the_load_that_filled_the_tables() {
    let sim = JiraSim::start(generated(400, 134)).unwrap();
    let cluster = Cluster::direct(&sim.url(), &["--username", USERNAME, "--password-stdin"], PASSWORD).await;
    let keys = sim.keys();
    let project = keys[0].split('-').next().unwrap().to_owned();
    cluster.extracted(&["--full", "--projects", &project]).await;
    let of_project = |key: &&String| key.starts_with(&format!("{project}-"));
    let mine: Vec<String> = keys.iter().filter(of_project).cloned().collect();
    sim.delete_issue(&mine[1]).unwrap();
    let left = sim.keys().iter().filter(of_project).count();
    let run = cluster.extracted(&["--sweep"]).await;
    assert_eq!(run["result"]["tables"]["issues"]["rows_after"], left, "{run:#}");
    let other = keys.iter().find(|key| !of_project(key)).unwrap().split('-').next().unwrap();
    let refused = cluster.ctl(&["extract", "jira", "--sweep", "--projects", other], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("last full load"), "{refused:?}");
}
