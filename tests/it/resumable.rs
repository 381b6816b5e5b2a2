//! A run goes on from its checkpoint after either side was killed, and the premises' disk holds no Jira data.

use crate::site::{assert_landed_equals_truth, generated};
use std::path::Path;
use std::time::Duration;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{JiraSim, SimHandle};

const PATIENCE: Duration = Duration::from_secs(120);

/// Starts a full load and lets it read until a gate in the middle holds it.
async fn run_held_in_the_middle(cluster: &Cluster, sim: &SimHandle) -> (String, tests::jira_sim::Hold) {
    let gate = sim.hold_after("/search", 25);
    let run = cluster.extract(&["--full"]).await;
    sim.wait_for(PATIENCE, |stats| stats.held >= 1).await.unwrap();
    checkpointed(cluster, &run).await;
    (run, gate)
}

/// Waits until the relay has stored at least one unit of issues; the follow stream tells.
async fn checkpointed(cluster: &Cluster, run: &str) {
    cluster.relay().wait_for("checkpoint_stored").await;
    let document = cluster.ok(&["run", "show", run]).await;
    assert_eq!(document["state"], "running", "{document:#}");
}

fn pages_read(sim: &SimHandle) -> u64 {
    sim.stats().issue_pages
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_agent_resumes_from_its_checkpoint_and_ends_exact() {
    let sim = JiraSim::start(generated(3_000, 21)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let (run, gate) = run_held_in_the_middle(&cluster, &sim).await;
    cluster.kill_agent().await;
    gate.release();
    cluster.start_agent();
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}\n{}", cluster.agent_log());
    assert!(document["lease"].as_u64() >= Some(2), "the run was not handed out again: {document:#}");
    assert_landed_equals_truth(&cluster, &sim);
    assert_no_part_is_left_over(&cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_relay_resumes_from_its_checkpoint_and_ends_exact() {
    let sim = JiraSim::start(generated(3_000, 22)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let (run, gate) = run_held_in_the_middle(&cluster, &sim).await;
    cluster.kill_relay().await;
    gate.release();
    cluster.start_relay().await;
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}\n{}", cluster.agent_log());
    assert_landed_equals_truth(&cluster, &sim);
    assert_no_part_is_left_over(&cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_does_not_read_again_what_has_landed() {
    let sim = JiraSim::start(generated(4_000, 23)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let gate = sim.hold_after("/search", 45);
    let run = cluster.extract(&["--full"]).await;
    sim.wait_for(PATIENCE, |stats| stats.held >= 1).await.unwrap();
    checkpointed(&cluster, &run).await;
    let before = pages_read(&sim);
    cluster.kill_agent().await;
    gate.release();
    cluster.start_agent();
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}");
    let whole = 4_000 / 100 + 20;
    let again = pages_read(&sim) - before;
    assert!(again < whole, "after the kill {again} pages were read, as many as a load from the start");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_premises_disk_holds_no_jira_data() {
    let sim = JiraSim::start(generated(3_000, 24)).unwrap();
    let canary = "premises-canary-0815";
    let key = sim.keys()[3].clone();
    let edit = tests::jira_sim::Edit { summary: Some(canary.into()), ..tests::jira_sim::Edit::default() };
    sim.edit_issue(&key, &edit).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let (run, gate) = run_held_in_the_middle(&cluster, &sim).await;
    let in_the_middle = files_holding(&cluster.agent_state(), canary);
    let open = files_open_for_writing(cluster.agent().pid());
    gate.release();
    assert_eq!(cluster.ended(&run).await["state"], "succeeded");
    assert_eq!(in_the_middle, Vec::<String>::new());
    assert_eq!(files_holding(&cluster.agent_state(), canary), Vec::<String>::new());
    assert_eq!(open, Vec::<String>::new(), "the agent holds files open for writing");
    assert!(!cluster.agent_log().contains(canary), "Jira data in the agent's log");
}

/// Files below `dir` whose bytes hold `text`, also inside zstd-compressed Parquet a name would show.
fn files_holding(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_holding(&entry.path(), text));
            continue;
        }
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        if holds(text.as_bytes()) || holds(b"PAR1") {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

/// Regular files that a process holds open for writing (Linux).
fn files_open_for_writing(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        let number = entry.file_name().into_string().unwrap();
        let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap_or_default();
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .map(str::trim)
            .unwrap_or("0")
            .to_owned();
        let writable = u32::from_str_radix(&flags, 8).unwrap_or(0) & 0o3 != 0;
        // The lock of the state folder holds a process id and nothing else; the audit log is searched for Jira's data like every file.
        let known =
            target.ends_with("agent.lock") || target.parent().is_some_and(|folder| folder.ends_with("audit"));
        if writable && target.is_file() && !known {
            found.push(target.display().to_string());
        }
    }
    found
}

/// Every part file of the issue tables is live: what the killed lease left is swept.
fn assert_no_part_is_left_over(cluster: &Cluster) {
    for table in crate::site::ISSUE_TABLES {
        let dir = cluster.table_dir(table);
        let live = tests::lake_oracle::read(&dir).unwrap().files;
        let on_disk =
            std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> =
            on_disk.filter(|name| name.ends_with(".parquet") && !live.contains(name)).collect();
        assert!(left.is_empty(), "{table}: {left:?} are named by no commit");
    }
}
