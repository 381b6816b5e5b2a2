//! What an administrator does while the agent runs: read its log, turn it up for a while, scrape its figures.

use crate::site::generated;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tests::cluster::{Cluster, PASSWORD};
use tests::jira_sim::JiraSim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(120);

/// Looks again until `found` gives something; each look asks the disk or a command, so it cannot spin.
async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(thing) = found().await {
                return thing;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_to_its_file_and_is_turned_up_and_down_while_the_agent_runs() {
    let sim = JiraSim::start(generated(30, 101)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.kill_agent().await;
    let log = cluster.dir.path().join("agent.log");
    let config = cluster.dir.path().join("agent.toml");
    std::fs::write(&config, format!("[log]\nfile = {log:?}\nlevel = \"info\"\n[health]\nevery_s = 0\n"))
        .unwrap();
    cluster.start_agent_at_level_of(&config);
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    until("the agent is linked", async || text().contains("link_up").then_some(())).await;
    assert!(!cluster.agent().printed().contains("link_up"), "the log is in two places");
    cluster.connect(&sim.url(), PASSWORD, 2).await;
    cluster.extracted(&["--full"]).await;
    assert!(!text().contains("jira_request"), "debug lines at info");
    let ordered = cluster.on_premises(&["log-level", "debug", "--for", "10m"], "").await;
    assert_eq!(ordered.code, 0, "{ordered:?}");
    until("the level changed", async || text().contains("log_level_changed").then_some(())).await;
    cluster.extracted(&["--full"]).await;
    assert!(text().contains("jira_request"), "no debug lines");
    let shown = cluster.on_premises(&["logs", "-n", "5"], "").await;
    assert_eq!((shown.code, shown.stdout.lines().count()), (0, 5), "{shown:?}");
    let back = cluster.on_premises(&["log-level", "info", "--for", "1s"], "").await;
    assert_eq!(back.code, 0);
    until("the level is back", async || (text().matches("log_level_changed").count() >= 2).then_some(()))
        .await;
    let tail = cluster.on_premises(&["audit", "tail", "-n", "1000"], "").await;
    assert_eq!(tail.stdout.matches("\"order\":\"log_level\"").count(), 2, "{tail:?}");
}

/// Sockets on which a process listens (Linux).
fn listening(pid: u32) -> Vec<String> {
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            // State 0A is LISTEN.
            if columns.get(3) == Some(&"0A") && columns.get(9).is_some_and(|inode| sockets.contains(*inode)) {
                found.push(line.trim().to_owned());
            }
        }
    }
    let unix = std::fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    for line in unix.lines().skip(1) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        // Flag 00010000 is a listener.
        if columns.get(3) == Some(&"00010000") && columns.get(6).is_some_and(|inode| sockets.contains(*inode))
        {
            found.push(line.trim().to_owned());
        }
    }
    found
}

async fn scrape(address: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_listens_unless_figures_are_asked_for_and_then_they_are_right() {
    let sim = JiraSim::start(generated(100, 102)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    assert_eq!(listening(cluster.agent().pid()), Vec::<String>::new());
    cluster.kill_agent().await;
    sim.reset_stats();
    cluster.start_agent_with(&[
        ("UPLINK_AGENT_METRICS__LISTEN", "127.0.0.1:0"),
        ("UPLINK_AGENT_HEALTH__EVERY_S", "0"),
    ]);
    let line = cluster.agent().wait_for("metrics_listening").await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = line["address"].as_str().unwrap().to_owned();
    assert_eq!(listening(cluster.agent().pid()).len(), 1);
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full"]).await;
    let searches = sim.stats().requests["POST /rest/api/2/search"];
    let wanted = format!(
        "uplink_jira_requests_total{{method=\"POST\",path=\"/rest/api/2/search\",status=\"2xx\"}} {searches}\n"
    );
    let answer = until("the figures", async || {
        let answer = scrape(&address, "/metrics").await;
        answer.contains(&wanted).then_some(answer)
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("version=0.0.4"), "{answer}");
    for figure in [
        "uplink_link_up 1\n",
        "uplink_runs 0\n",
        "uplink_work_halted 0\n",
        "# TYPE uplink_audit_lines counter\n",
    ] {
        assert!(answer.contains(figure), "{figure} in {answer}");
    }
    assert!(
        answer.contains(&format!("uplink_jira_healthy{{site=\"{}\"}} 1\n", sim.url().trim_end_matches('/'))),
        "{answer}"
    );
    assert!(scrape(&address, "/").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_that_could_be_read_from_elsewhere_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("agent.toml");
    std::fs::write(&config, "[metrics]\nlisten = \"0.0.0.0:9464\"\n").unwrap();
    let mut command = tokio::process::Command::new(tests::cluster::Binaries::built().path("uplink-agent"));
    command.args(["config", "check", "--config"]).arg(&config).arg("--state").arg(Path::new(dir.path()));
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2) && said.contains("metrics.listen") && said.contains("line 2"),
        "{said}"
    );
}
