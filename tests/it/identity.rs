//! Who an agent is: copies of a state folder, crashes, and what both sides are told.

use crate::site::generated;
use protocol::control::{AgentMessage, ConnectionSecret, Peer, RelayMessage};
use protocol::keys::{Fingerprint, SigningKey};
use protocol::seal::SealingKey;
use protocol::site::SiteAddress;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tests::cluster::{Binaries, Cluster, PASSWORD, Printed, Process, USERNAME};
use tests::hostile_relay::HostileRelay;
use tests::jira_sim::JiraSim;
use tokio::process::Command;

/// Starts an agent on a state folder of its own.
fn agent_on(state: &Path) -> Process {
    let mut command = Command::new(Binaries::built().path("uplink-agent"));
    command.args(["run", "--log-format", "json", "--log-level", "debug", "--state"]).arg(state);
    Process::spawn("agent", command)
}

/// A copy of a state folder with the modes of the original, as `cp -a` makes it.
fn copied(state: &Path, to: PathBuf) -> PathBuf {
    std::fs::create_dir(&to).unwrap();
    std::fs::set_permissions(&to, std::fs::metadata(state).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(state).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    to
}

/// Waits until the relay has let so many sessions of agents work.
async fn ready(cluster: &Cluster, times: usize) {
    cluster.relay().wait_for_times("agent_ready", times).await;
}

async fn agent_of(cluster: &Cluster) -> Value {
    cluster.ok(&["uplink", "show", "hq"]).await["agents"][0].clone()
}

/// Runs a command of the agent on a state folder.
async fn agent_command(state: &Path, args: &[&str]) -> Printed {
    let mut command = Command::new(Binaries::built().path("uplink-agent"));
    let output = command.args(args).arg("--state").arg(state).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

async fn agent_json(state: &Path, args: &[&str]) -> Value {
    let printed = agent_command(state, &[args, &["--json"]].concat()).await;
    assert_eq!(printed.code, 0, "uplink-agent {args:?} failed: {printed:?}");
    printed.json()
}

/// Enrols another agent of the uplink `hq` with a token file.
async fn enrolled(cluster: &Cluster, name: &str, jira_url: &str) -> (PathBuf, Value) {
    let (state, token) = (cluster.dir.path().join(name), cluster.dir.path().join(format!("{name}.token")));
    std::fs::write(&token, cluster.new_token("hq").await).unwrap();
    let (ca, token) = (cluster.relay_data().join("ca.pem"), token.display().to_string());
    let args = [
        "enroll",
        "--relay",
        &cluster.relay_url,
        "--relay-ca",
        ca.to_str().unwrap(),
        "--token-file",
        &token,
        "--allow-jira",
        jira_url,
    ];
    let document = agent_json(&state, &args).await;
    (state, document)
}

/// The fingerprints that the secret of the connection is sealed to.
async fn sealed_to(cluster: &Cluster) -> Vec<String> {
    let connection = cluster.ok(&["connection", "show", "jira"]).await;
    serde_json::from_value(connection["sealed_to"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_state_folder_is_noticed_both_are_stopped_and_told_and_one_is_let_in_again() {
    let sim = JiraSim::start(generated(60, 71)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    ready(&cluster, 1).await;
    cluster.kill_agent().await;
    let copy_state = copied(&cluster.agent_state(), cluster.dir.path().join("copy"));

    let copy = agent_on(&copy_state);
    ready(&cluster, 2).await;
    let original = agent_on(&cluster.agent_state());
    original.wait_for("identity_refused").await;
    copy.wait_for("identity_refused").await;
    assert!(original.printed().contains("handshake_cloned"), "{}", original.printed());
    for state in [&cluster.agent_state(), &copy_state] {
        let text = told(state).await;
        assert!(text.contains("uplink agent trust") || text.contains("find the copy"), "{text}");
    }
    let agent = agent_of(&cluster).await;
    assert_eq!(agent["stopped"]["code"], "cloned", "{agent:#}");
    let printed = cluster.ctl(&["uplink", "show", "hq"], "").await.stdout;
    assert!(printed.contains("two machines hold its identity"), "{printed}");

    copy.kill().await;
    original.kill().await;
    let id = agent["agent_id"].as_str().unwrap();
    cluster.ok(&["uplink", "agent", "trust", "hq", id]).await;
    cluster.start_agent();
    ready(&cluster, 3).await;
    cluster.extracted(&["--full"]).await;
    let copy = agent_on(&copy_state);
    copy.wait_for("identity_refused").await;
    cluster.agent().wait_for("identity_refused").await;
}

/// What `status` says, once the refusal stands in it.
async fn told(state: &Path) -> String {
    loop {
        let text = agent_command(state, &["status"]).await.stdout;
        if text.contains("Last error") {
            return text;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_and_relays_that_are_killed_at_any_moment_raise_no_alarm() {
    let sim = JiraSim::start(generated(60, 72)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    for round in 0..12 {
        match round % 4 {
            0 => drop(cluster.relay().wait_for("\"agent online\"").await),
            1 => drop(cluster.agent().wait_for("link_up").await),
            2 => cluster.kill_relay().await,
            _ => drop(cluster.agent().wait_for("agent_started").await),
        }
        cluster.kill_agent().await;
        if round % 4 == 2 {
            cluster.start_relay().await;
        }
        cluster.start_agent();
    }
    cluster.extracted(&["--full"]).await;
    let agent = agent_of(&cluster).await;
    assert_eq!(agent["stopped"], Value::Null, "{agent:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_extracts_with_a_password_that_nobody_typed_for_it() {
    let sim = JiraSim::start(generated(60, 73)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    ready(&cluster, 1).await;
    let (state, newcomer) = enrolled(&cluster, "second", &sim.url()).await;
    let fingerprint = newcomer["fingerprint"].as_str().unwrap();
    let second = agent_on(&state);
    ready(&cluster, 2).await;

    cluster.agent().wait_for("peer_waits").await;
    let peers = agent_json(&cluster.agent_state(), &["peers"]).await;
    assert_eq!(peers["peers"][0]["fingerprint"], fingerprint, "{peers:#}");
    assert_eq!((&peers["peers"][0]["confirmed"], &peers["peers"][0]["lacks"]), (&json!(false), &json!(1)));
    assert_eq!(sealed_to(&cluster).await.len(), 1, "sealed before anybody confirmed");

    agent_json(&cluster.agent_state(), &["confirm", fingerprint]).await;
    cluster.relay().wait_for("secrets_resealed").await;
    assert!(sealed_to(&cluster).await.iter().any(|to| to == fingerprint));
    cluster.kill_agent().await;
    cluster.extracted(&["--full"]).await;
    assert!(!second.printed().contains(PASSWORD) && !cluster.relay_log().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_in_the_middle_of_work_and_after_a_crash_and_nobody_types_a_password() {
    let sim = JiraSim::start(generated(60, 74)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    ready(&cluster, 1).await;
    let changed = agent_json(&cluster.agent_state(), &["rotate-key"]).await;
    assert_eq!(changed["in_use"], true, "{changed:#}");
    cluster.relay().wait_for("secrets_resealed").await;
    assert_eq!(json!(sealed_to(&cluster).await), json!([changed["new_fingerprint"]]));
    assert_eq!(agent_of(&cluster).await["fingerprint"], changed["new_fingerprint"]);
    cluster.extracted(&["--full"]).await;

    // Made while the agent is down: it takes them when it is linked again.
    cluster.kill_agent().await;
    let changed = agent_json(&cluster.agent_state(), &["rotate-key"]).await;
    assert_eq!(changed["in_use"], false, "{changed:#}");
    cluster.start_agent();
    cluster.relay().wait_for_times("secrets_resealed", 2).await;
    assert_eq!(json!(sealed_to(&cluster).await), json!([changed["new_fingerprint"]]));
    cluster.kill_agent().await;
    cluster.start_agent();
    cluster.extracted(&["--full"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_stops_dialling_and_goes_on_once_it_is_enrolled_anew() {
    let sim = JiraSim::start(generated(60, 75)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    ready(&cluster, 1).await;
    let id = agent_of(&cluster).await["agent_id"].as_str().unwrap().to_owned();
    cluster.ok(&["uplink", "agent", "remove", "hq", &id]).await;
    cluster.agent().wait_for("identity_refused").await;
    let status = told(&cluster.agent_state()).await;
    assert!(status.contains("refused by the relay for good"), "{status}");

    let token = cluster.new_token("hq").await;
    let ca = cluster.relay_data().join("ca.pem");
    let args = ["--relay", &cluster.relay_url, "--allow-jira", &sim.url(), "--force"];
    let printed = cluster.enrol_with(&token, &args, &ca).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    ready(&cluster, 2).await;
    cluster.connect(&sim.url(), PASSWORD, 4).await;
    cluster.extracted(&["--full"]).await;
    let attempts = cluster.agent_log().matches("\"no link to the relay\"").count();
    assert!(attempts <= 2, "a revoked agent dialled again: {}", cluster.agent_log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_leaves_is_gone_at_the_relay_and_ends_without_keys() {
    let sim = JiraSim::start(generated(60, 76)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    ready(&cluster, 1).await;
    let left = agent_json(&cluster.agent_state(), &["leave"]).await;
    assert_eq!(left["relay_told"], true, "{left:#}");
    cluster.agent().wait_for("agent_left").await;
    let uplink = cluster.ok(&["uplink", "show", "hq"]).await;
    assert_eq!(uplink["agents"], json!([]), "{uplink:#}");
    let files = |name: &str| cluster.agent_state().join(name).exists();
    assert!(!files("identity.json") && !files("ticket.json") && files("permitted.json"));

    // And without a relay: only when told so.
    let (state, _) = enrolled(&cluster, "second", &sim.url()).await;
    cluster.kill_relay().await;
    let printed = agent_command(&state, &["leave"]).await;
    assert!(printed.code == 1 && state.join("identity.json").exists(), "{printed:?}");
    let left = agent_json(&state, &["leave", "--force"]).await;
    assert!(left["relay_told"] == false && !state.join("identity.json").exists(), "{left:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_a_foreign_and_a_repeated_token_are_told_apart() {
    let sim = JiraSim::start(generated(60, 77)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    let elsewhere = Cluster::relay_only().await;
    let foreign = elsewhere.new_token("hq").await;
    let ca = cluster.relay_data().join("ca.pem");
    let force = ["--relay", &cluster.relay_url, "--force"];
    let printed = cluster.enrol_with(&foreign, &force, &ca).await;
    assert!(printed.code == 1 && printed.stderr.contains("token_foreign"), "{printed:?}");
    assert!(printed.stderr.contains("made by another relay"), "{printed:?}");

    let token = cluster.new_token("hq").await;
    let first = cluster.enrol_with(&token, &force, &ca).await;
    assert_eq!(first.code, 0, "{first:?}");
    let again = cluster.enrol_with(&token, &force, &ca).await;
    assert!(again.code == 0 && again.stdout.contains("Already enrolled"), "{again:?}");
    std::fs::remove_file(cluster.agent_state().join("identity.json")).unwrap();
    let stolen = cluster.enrol_with(&token, &force, &ca).await;
    assert!(stolen.code == 1 && stolen.stderr.contains("token_used"), "{stolen:?}");
    assert!(!stolen.stderr.contains(&token), "the token is repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_relay_that_swaps_a_confirmed_agents_key_gets_no_secret() {
    let place = tempfile::tempdir().unwrap();
    let mut relay = HostileRelay::start().await;
    let (state, ca, token) =
        (place.path().join("state"), place.path().join("ca.pem"), place.path().join("token"));
    std::fs::write(&ca, &relay.ca_pem).unwrap();
    std::fs::write(&token, relay.token()).unwrap();
    let url = relay.url.clone();
    let args = [
        "enroll",
        "--relay",
        &url,
        "--relay-ca",
        ca.to_str().unwrap(),
        "--token-file",
        token.to_str().unwrap(),
    ];
    let (printed, ()) = tokio::join!(agent_command(&state, &args), relay.enrol_one());
    assert_eq!(printed.code, 0, "{printed:?}");

    let (signing, honest, own) = ([5; 32], SealingKey::from_seed(&[6; 32]), SealingKey::from_seed(&[7; 32]));
    let signing_key = SigningKey::from_seed(&signing).unwrap().public();
    let confirmed = Fingerprint::of(&signing_key, &honest.public());
    agent_json(&state, &["confirm", confirmed.as_str()]).await;
    let agent = agent_on(&state);
    let mut link = relay.next_link().await;
    let site = SiteAddress::parse("https://jira.corp.example").unwrap();
    let secret = ConnectionSecret {
        connection: "jira".into(),
        site: site.clone(),
        username: USERNAME.into(),
        sealed: link.sealed(PASSWORD, &site, USERNAME),
    };
    for sealing_key in [own.public(), honest.public()] {
        let peer =
            Peer { agent_id: "agent_2".into(), name: "host".into(), signing_key, sealing_key, lacks: 1 };
        link.send(&RelayMessage::Peers { peers: vec![peer] }).await;
        link.send(&RelayMessage::Reseal { signing_key, sealing_key, secrets: vec![secret.clone()] }).await;
    }
    // The honest key was asked for last: whatever was sealed for the swapped one would come before.
    let first = link
        .expect(|message| match message {
            AgentMessage::Resealed { recipient, secrets } => Some((recipient, secrets)),
            _ => None,
        })
        .await;
    assert_eq!(first.0, confirmed);
    assert_eq!(first.1[0].sealed.agent, confirmed);
    agent.wait_for("reseal_refused").await;
}
