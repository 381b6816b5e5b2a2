//! The premises stop work and let it go on: no request while paused, and nothing is lost.

use crate::site::{assert_landed_equals_truth, generated};
use std::time::{Duration, Instant};
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::JiraSim;

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_a_run_within_a_second_and_it_goes_on_from_its_checkpoint() {
    let sim = JiraSim::start(generated(3_000, 31)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let gate = sim.hold_after("/search", 25);
    let run = cluster.extract(&["--full"]).await;
    sim.wait_for(PATIENCE, |stats| stats.held >= 1).await.unwrap();
    cluster.relay().wait_for("checkpoint_stored").await;

    let asked = Instant::now();
    let paused = cluster.on_premises(&["pause", "--reason", "patch window until 06:00"], "").await;
    assert_eq!(paused.code, 0, "{paused:?}");
    cluster.relay().wait_for("run lost its agent").await;
    assert!(asked.elapsed() < Duration::from_secs(5), "the pause took {:?}", asked.elapsed());
    gate.release();
    let asked_before = sim.stats().requests_total;
    let document = cluster.ok(&["run", "show", &run]).await;
    assert_eq!(document["state"], "queued", "{document:#}");
    let reason = document["reason"].as_str().unwrap();
    assert!(reason.contains("patch window until 06:00"), "{reason}");
    let uplink = cluster.ctl(&["uplink", "show", "hq"], "").await;
    assert!(uplink.stdout.contains("takes no work: paused since"), "{uplink:?}");
    let test = cluster.ctl(&["connection", "test", "jira"], "").await;
    assert!(test.code == 1 && test.stderr.contains("patch window"), "{test:?}");
    let status = cluster.on_premises(&["status"], "").await;
    assert!(status.stdout.contains("patch window until 06:00"), "{status:?}");
    assert_eq!(sim.stats().requests_total, asked_before, "Jira was asked while paused");

    assert_eq!(cluster.on_premises(&["resume"], "").await.code, 0);
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}\n{}", cluster.agent_log());
    assert_eq!(document["lease"], 2, "{document:#}");
    assert_landed_equals_truth(&cluster, &sim);
}
