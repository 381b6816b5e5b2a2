//! Bad input gets a named error that tells the next step; nothing hangs, nothing is half-committed.

use crate::site::generated;
use serde_json::Value;
use tests::cluster::{Cluster, PASSWORD, Printed};
use tests::jira_sim::{FaultKind, JiraSim};

fn assert_refused(printed: &Printed, words: &[&str]) {
    assert_eq!(printed.code, 1, "{printed:?}");
    for word in words {
        assert!(
            printed.stderr.to_lowercase().contains(&word.to_lowercase()),
            "`{word}` is not in: {}",
            printed.stderr
        );
    }
}

async fn failed(cluster: &Cluster) -> Value {
    let run = cluster.extract(&["--full"]).await;
    let document = cluster.ended(&run).await;
    assert_eq!(document["state"], "failed", "{document:#}");
    assert!(!cluster.table_dir("issues").join("_delta_log").exists(), "a failed run committed something");
    document["error"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refused_token_says_why() {
    let cluster = Cluster::relay_only().await;
    let jira = "https://jira.corp.example/jira";
    let token = cluster.new_token("hq").await;
    let typo: String = token.chars().rev().collect();
    assert_refused(&cluster.enrol(&typo, jira).await, &["token"]);
    let foreign = "upl1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.";
    assert_refused(&cluster.enrol(foreign, jira).await, &["token"]);
    assert_eq!(cluster.enrol(&token, jira).await.code, 0);
    std::fs::remove_dir_all(cluster.agent_state()).unwrap();
    assert_refused(&cluster.enrol(&token, jira).await, &["used", "uplinkctl uplink token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_certificate_is_not_trusted_is_named() {
    let cluster = Cluster::relay_only().await;
    let other = Cluster::relay_only().await;
    let token = cluster.new_token("hq").await;
    let args = ["--relay", cluster.relay_url.as_str(), "--allow-jira", "https://jira.corp.example"];
    let printed = cluster.enrol_with(&token, &args, &other.relay_data().join("ca.pem")).await;
    assert_refused(&printed, &["certificate", "--relay-ca"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_the_key_is_refused() {
    let cluster = Cluster::relay_only().await;
    let wrong = cluster.dir.path().join("wrong.key");
    std::fs::write(&wrong, "not-the-key").unwrap();
    let mut command = tokio::process::Command::new(tests::cluster::Binaries::built().path("uplinkctl"));
    command.args(["pool", "list", "--relay", &cluster.relay_url, "--key-file"]).arg(&wrong);
    command.arg("--ca").arg(cluster.relay_data().join("ca.pem"));
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("admin.key"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_jira_is_named() {
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/jira");
    let cluster = Cluster::start(&url).await;
    cluster.connect(&url, PASSWORD, 2).await;
    let error = failed(&cluster).await;
    assert_eq!(error["code"], "unreachable", "{error:#}");
    assert!(error["message"].as_str().unwrap().contains(&port.to_string()), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_without_its_context_path_is_named() {
    let sim = JiraSim::start(generated(50, 71)).unwrap();
    let bare = sim.url().trim_end_matches("/jira").to_owned();
    let cluster = Cluster::start(&bare).await;
    cluster.connect(&bare, PASSWORD, 2).await;
    let error = failed(&cluster).await;
    assert_eq!(error["code"], "wrong_context_path", "{error:#}");
    let said = format!("{} {}", error["message"], error["hint"]);
    assert!(said.contains("/jira"), "the right address is not suggested: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn html_in_place_of_json_and_cut_bodies_fail_without_a_commit() {
    let faults = [
        (
            FaultKind::Answer {
                status: 200,
                content_type: "text/html".into(),
                body: "<html>maintenance</html>".into(),
            },
            "not",
        ),
        (
            FaultKind::Answer {
                status: 200,
                content_type: "application/json".into(),
                body: "{not json}".into(),
            },
            "json",
        ),
        (FaultKind::Truncated, "body_truncated"),
        (FaultKind::InvalidJson, "body_truncated"),
    ];
    for (fault, code) in faults {
        let sim = JiraSim::start(generated(200, 72)).unwrap();
        let cluster = Cluster::start(&sim.url()).await;
        cluster.connect(&sim.url(), PASSWORD, 2).await;
        sim.fail_next("/api/2/search", 10_000, fault.clone());
        let error = failed(&cluster).await;
        let met = error["code"].as_str().unwrap();
        assert!(met.contains(code) || met.starts_with("login_sso"), "{fault:?} gave {error:#}");
        assert!(!error["hint"].as_str().unwrap_or_default().is_empty(), "no next step in {error:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_faults_cost_no_row() {
    let sim = JiraSim::start(generated(500, 73)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 3).await;
    for fault in [
        FaultKind::TooManyRequests { retry_after_seconds: Some(1) },
        FaultKind::Gateway { status: 503 },
        FaultKind::Truncated,
        FaultKind::CutChunked,
        FaultKind::Disconnect,
    ] {
        sim.fail_next("/search", 1, fault);
    }
    let run = cluster.extracted(&["--full"]).await;
    assert!(
        run["result"]["progress"]["retries"].as_u64().or(run["progress"]["retries"].as_u64()) >= Some(4),
        "{run:#}"
    );
    crate::site::assert_landed_equals_truth(&cluster, &sim);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_load_before_any_full_load_says_what_to_do() {
    let sim = JiraSim::start(generated(50, 74)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 2).await;
    let printed = cluster.ctl(&["extract", "jira", "--delta"], "").await;
    assert_refused(&printed, &["--full"]);
}
