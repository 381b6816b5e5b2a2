//! What the premises can prove afterwards: the audit log has all that Jira and the relay saw, and a manifest is what was sent.

use crate::site::generated;
use sha2_of::sha256_of_files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::{JiraSim, RunningSim};
use tokio::process::Command;

/// Digests of files by an independent hand.
mod sha2_of {
    use super::{BTreeSet, Path};

    pub(super) fn sha256_of_files(paths: impl Iterator<Item = std::path::PathBuf>) -> BTreeSet<String> {
        paths.map(|path| of(&path)).collect()
    }

    fn of(path: &Path) -> String {
        let output = std::process::Command::new("sha256sum").arg(path).output().expect("coreutils");
        String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
    }
}

async fn agent(cluster: &Cluster, args: &[&str]) -> (i32, String) {
    let printed = cluster.on_premises(args, "").await;
    (printed.code, printed.stdout + &printed.stderr)
}

/// Ends the agent in good order, so that its log is complete.
async fn stop_agent(cluster: &Cluster) {
    let pid = cluster.agent().pid().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    cluster.agent().wait_for("agent_stopped").await;
}

fn log_lines(cluster: &Cluster) -> Vec<serde_json::Value> {
    let files = std::fs::read_dir(cluster.agent_state().join("audit")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn requests_recorded(lines: &[serde_json::Value]) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for line in lines.iter().filter(|line| line["event"] == "jira_request") {
        let template = format!("{} {}", line["method"].as_str().unwrap(), line["path"].as_str().unwrap());
        *counted.entry(template).or_default() += 1;
    }
    counted
}

async fn extracted(issues: u32, seed: u64) -> (Cluster, RunningSim, String) {
    let sim = JiraSim::start(generated(issues, seed)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let document = cluster.extracted(&["--full"]).await;
    (cluster, sim, document["id"].as_str().unwrap().to_owned())
}

async fn manifest_of(cluster: &Cluster, run: &str) -> PathBuf {
    let printed = cluster.ctl(&["run", "manifest", run], "").await;
    assert_eq!(printed.code, 0, "{printed:?}");
    let path = cluster.dir.path().join(format!("{run}.json"));
    std::fs::write(&path, printed.stdout).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_has_exactly_the_requests_that_jira_saw() {
    let (cluster, sim, run) = extracted(500, 91).await;
    cluster.ok(&["connection", "test", "jira"]).await;
    stop_agent(&cluster).await;
    let lines = log_lines(&cluster);
    assert_eq!(requests_recorded(&lines), sim.stats().requests, "Jira and the audit log do not agree");
    let abouts: BTreeSet<&str> = lines
        .iter()
        .filter(|line| line["event"] == "jira_request")
        .map(|line| line["about"].as_str().unwrap())
        .collect();
    assert!(
        abouts.contains(run.as_str()) && abouts.iter().any(|about| about.starts_with("test_")),
        "{abouts:?}"
    );
    let asked: Vec<_> = lines.iter().filter(|line| line["event"] == "instruction").collect();
    assert!(
        asked.iter().any(|line| line["instruction"] == "start_run" && line["accepted"] == true),
        "{asked:?}"
    );
    assert!(lines.iter().any(|line| line["event"] == "order" && line["order"] == "enroll"));
    let (code, said) = agent(&cluster, &["audit", "verify"]).await;
    assert!(code == 0 && said.contains("intact"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_somebody_touched_is_called_broken_with_its_place() {
    let (cluster, _sim, run) = extracted(100, 92).await;
    stop_agent(&cluster).await;
    let manifest = manifest_of(&cluster, &run).await;
    let path = cluster.agent_state().join("audit/audit-000000000001.jsonl");
    let good = std::fs::read_to_string(&path).unwrap();
    let place = good.lines().position(|line| line.contains("\"jira_request\"")).unwrap();
    std::fs::write(&path, good.replacen("\"status\":200", "\"status\":403", 1)).unwrap();
    let (code, said) = agent(&cluster, &["audit", "verify"]).await;
    assert!(code == 1 && said.contains(&format!("line {}", place + 1)), "{said}");
    let (code, said) = agent(&cluster, &["manifest", "verify", manifest.to_str().unwrap()]).await;
    assert!(code == 1 && said.contains("BROKEN"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_is_what_was_landed_and_what_the_log_says() {
    let (cluster, _sim, run) = extracted(600, 93).await;
    let path = manifest_of(&cluster, &run).await;
    let (code, said) = agent(&cluster, &["manifest", "verify", path.to_str().unwrap(), "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let verdict: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&verdict["journal"]["outcome"], &verdict["journal"]["told"]),
        (&"agrees".into(), &0.into()),
        "{said}"
    );
    let document = cluster.ok(&["run", "show", &run]).await;
    for (table, shown) in document["result"]["tables"].as_object().unwrap() {
        let signed = &verdict["manifest"]["tables"][table];
        assert_eq!((&signed["rows"], &signed["bytes"]), (&shown["rows"], &shown["bytes_sent"]), "{table}");
        assert_eq!(
            signed["columns"].as_array().unwrap().len() as u64,
            shown["columns"].as_u64().unwrap(),
            "{table}"
        );
    }
    // The lake holds the very files that the log names, but for those without rows.
    let told: BTreeSet<String> = log_lines(&cluster)
        .iter()
        .filter(|line| line["event"] == "part_landed" && line["table"] == "issues" && line["rows"] != 0)
        .map(|line| line["sha256"].as_str().unwrap().to_owned())
        .collect();
    let files = std::fs::read_dir(cluster.table_dir("issues")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    assert_eq!(sha256_of_files(files), told);
    let signed = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, signed.replacen(r#"\"rows\":600"#, r#"\"rows\":601"#, 1)).unwrap();
    assert_ne!(std::fs::read_to_string(&path).unwrap(), signed, "nothing was changed");
    let (code, said) = agent(&cluster, &["manifest", "verify", path.to_str().unwrap()]).await;
    assert!(code == 1 && said.contains("not what its key signed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_of_a_run_that_went_on_counts_all_of_it() {
    let sim = JiraSim::start(generated(3_000, 94)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    let gate = sim.hold_after("/search", 25);
    let run = cluster.extract(&["--full"]).await;
    sim.wait_for(Duration::from_secs(120), |stats| stats.held >= 1).await.unwrap();
    cluster.relay().wait_for("checkpoint_stored").await;
    cluster.kill_agent().await;
    gate.release();
    cluster.start_agent();
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "succeeded", "{document:#}");
    let path = manifest_of(&cluster, &run).await;
    let (code, said) = agent(&cluster, &["manifest", "verify", path.to_str().unwrap(), "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let verdict: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(verdict["journal"]["outcome"], "agrees", "{said}");
    assert!(verdict["manifest"]["resumed_parts"].as_u64() > Some(0), "{said}");
    for (table, shown) in document["result"]["tables"].as_object().unwrap() {
        assert_eq!(verdict["manifest"]["tables"][table]["bytes"], shown["bytes_sent"], "{table}");
    }
    let (code, said) = agent(&cluster, &["audit", "verify"]).await;
    assert_eq!(code, 0, "a kill broke the log: {said}");
}

/// The program in docs/audit.md, which needs nothing of ours, comes to the same end of the chain.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_program_verifies_the_log_without_the_agent() {
    if !std::process::Command::new("python3").arg("--version").output().is_ok_and(|it| it.status.success()) {
        let required = std::env::var("UPLINK_REQUIRE_PYTHON").is_ok_and(|value| value == "1");
        assert!(!required, "UPLINK_REQUIRE_PYTHON=1, but there is no python3");
        eprintln!("SKIPPED: no python3 on this machine; the documented program did not run");
        return;
    }
    let (cluster, _sim, _run) = extracted(100, 95).await;
    stop_agent(&cluster).await;
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit.md")).unwrap();
    let program = docs.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = cluster.agent_state().join("audit");
    let judge = || {
        let output =
            std::process::Command::new("python3").args(["-c", program]).arg(&folder).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (good, said) = judge();
    let (_, ours) = agent(&cluster, &["audit", "verify", "--json"]).await;
    let ours: serde_json::Value = serde_json::from_str(&ours).unwrap();
    assert!(good && said.contains(ours["head"]["hash"].as_str().unwrap()), "{said} {ours}");
    let path = folder.join("audit-000000000001.jsonl");
    let text = std::fs::read_to_string(&path).unwrap().replacen("\"bytes\":", "\"bytes\": ", 1);
    std::fs::write(&path, text).unwrap();
    assert!(!judge().0, "a changed line was called intact");
}
