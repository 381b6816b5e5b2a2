//! What the relay says of the agent: every refusal that only a person can lift, and no word of an agent that does not run any more.

use super::{are_skipped, doctor_of, fails, finding, linked, passes};
use crate::site::generated;
use serde_json::Value;
use std::time::Duration;
use tests::cluster::{Cluster, Place, Printed};
use tests::jira_sim::JiraSim;
use tests::middlebox::Authority;

/// What `doctor` says once the agent's status holds that the relay refuses it; it is written a moment after the agent was told.
async fn refused(cluster: &Cluster) -> Printed {
    cluster.agent().wait_for("identity_refused").await;
    let told = async {
        loop {
            let printed = doctor_of(cluster).await;
            if finding(&printed.json(), "enrolment")["outcome"] == "fail" {
                return printed;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("the status tells of the refusal")
}

/// A cluster whose agent is enrolled and was never started.
async fn enrolled() -> Cluster {
    let cluster = Cluster::relay_only().await;
    let token = cluster.new_token("hq").await;
    let printed = cluster.enrol(&token, "https://jira.invalid").await;
    assert_eq!(printed.code, 0, "{printed:?}");
    cluster
}

/// The failures of Jira are another matter, and this one is not there.
fn without_jira(mut printed: Printed) -> Printed {
    let mut document = printed.json();
    let checks = document["checks"].as_array_mut().unwrap();
    checks.retain(|check| !check["check"].as_str().unwrap_or_default().starts_with("jira_"));
    printed.stdout = document.to_string();
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_removed_at_the_relay_is_told_so() {
    let mut cluster = enrolled().await;
    cluster.start_agent();
    linked(&cluster).await;
    let document = doctor_of(&cluster).await.json();
    passes(&document, &["enrolment"]);
    let agent = finding(&document, "enrolment")["subject"].as_str().unwrap().to_owned();
    let removed = cluster.ctl(&["uplink", "revoke", "hq", &agent], "").await;
    assert_eq!(removed.code, 0, "{removed:?}");
    let document = fails(&without_jira(refused(&cluster).await), "enrolment", "agent_revoked", &[]);
    passes(&document, &["identity", "relay_challenge"]);
    cluster.kill_agent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_lost_its_memory_does_not_know_the_agent() {
    let mut cluster = enrolled().await;
    cluster.kill_relay().await;
    for name in super::names_in(&cluster.relay_data()) {
        if name.starts_with("relay.db") {
            std::fs::remove_file(cluster.relay_data().join(name)).unwrap();
        }
    }
    cluster.start_relay().await;
    cluster.start_agent();
    let document = fails(&without_jira(refused(&cluster).await), "enrolment", "agent_unknown", &["enrolled"]);
    passes(&document, &["identity", "relay_tls", "relay_challenge"]);
    cluster.kill_agent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_keys_than_the_enrolled_ones_are_a_refused_key_and_no_unknown_agent() {
    let mut cluster = enrolled().await;
    let file = cluster.agent_state().join("identity.json");
    let mut identity: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let seeds = &mut identity["seeds"];
    seeds["signing"] = seeds["sealing"].clone();
    std::fs::write(&file, identity.to_string()).unwrap();
    cluster.start_agent();
    let document = fails(&without_jira(refused(&cluster).await), "enrolment", "agent_key_refused", &[]);
    passes(&document, &["state", "identity", "relay_challenge"]);
    cluster.kill_agent().await;
}

/// The relay has a certificate for an address that it was not told to be reached by.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_does_not_know_the_name_it_is_dialled_by_refuses_the_agent() {
    let files = tempfile::tempdir().unwrap();
    let (authority, pem) = (Authority::new("Corp Authority"), files.path().join("server.pem"));
    std::fs::write(&pem, authority.server_pem(&["127.0.0.1", "127.0.0.2"])).unwrap();
    let own = |name: &str| (format!("UPLINK_RELAY_TLS__{name}"), pem.display().to_string());
    let place = Place {
        listen: Some("0.0.0.0:0".to_owned()),
        relay_environment: vec![own("CERT"), own("KEY")],
        ..Place::default()
    };
    let mut cluster = Cluster::relay_at(place).await;
    let port = cluster.relay_url.rsplit(':').next().unwrap().to_owned();
    cluster.relay_url = format!("https://127.0.0.1:{port}");
    let ca = cluster.relay_data().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let token = cluster.new_token("hq").await;
    let relay = format!("https://127.0.0.2:{port}");
    let printed = cluster.enrol_with(&token, &["--relay", &relay], &ca).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    cluster.start_agent();
    let document = fails(&refused(&cluster).await, "enrolment", "agent_refused", &["127.0.0.2"]);
    passes(&document, &["relay_tls", "relay_challenge"]);
    cluster.kill_agent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_state_folder_is_named_at_the_machine_that_is_stopped() {
    let mut cluster = enrolled().await;
    cluster.start_agent();
    cluster.relay().wait_for_times("agent_ready", 1).await;
    cluster.kill_agent().await;
    let before = cluster.agent_state();
    let kept = cluster.dir.path().join("kept");
    let copied = std::process::Command::new("cp").arg("-a").args([&before, &kept]).status().unwrap();
    assert!(copied.success());
    // The copy lives on; the original comes back with a ticket that was used.
    cluster.start_agent();
    cluster.relay().wait_for_times("agent_ready", 2).await;
    cluster.kill_agent().await;
    std::fs::remove_dir_all(&before).unwrap();
    std::fs::rename(&kept, &before).unwrap();
    cluster.start_agent();
    let document =
        fails(&without_jira(refused(&cluster).await), "enrolment", "agent_cloned", &["find the copy"]);
    passes(&document, &["identity", "relay_challenge"]);
    cluster.kill_agent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agents_last_word_is_no_proof_of_a_link() {
    let sim = JiraSim::start(generated(10, 1)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    linked(&cluster).await;
    passes(&doctor_of(&cluster).await.json(), &["enrolment"]);
    cluster.kill_agent().await;
    let status = std::fs::read_to_string(cluster.agent_state().join("status.json")).unwrap();
    assert!(status.contains("\"up\""), "the test shows nothing: {status}");
    let printed = doctor_of(&cluster).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    are_skipped(&printed.json(), &["enrolment"]);
}
