//! Configuration, state folder, identity, and what the relay says of the agent.

use super::{Machine, are_skipped, fails, finding, passes};
use crate::site::generated;
use std::os::unix::fs::PermissionsExt;
use tests::cluster::{Binaries, Cluster, Printed};
use tests::jira_sim::JiraSim;

async fn doctor_of(cluster: &Cluster) -> Printed {
    let mut command = tokio::process::Command::new(Binaries::built().path("uplink-agent"));
    command.args(["doctor", "--json", "--state"]).arg(cluster.agent_state());
    let output = command.output().await.unwrap();
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_used_is_exit_code_2_and_names_key_and_line() {
    let machine = Machine::new();
    for (text, words) in [
        ("[link]\nconnect_timeuot_ms = 1\n", ["link.connect_timeuot_ms", "line 2"]),
        ("allow_jira = [\"ftp://x\"]\n", ["allow_jira", "agent.toml"]),
        ("jira_ca_file = \"missing.pem\"\n", ["missing.pem", "cannot"]),
    ] {
        let config = machine.file("agent.toml", text).display().to_string();
        let printed = machine.doctor(&["--config", &config], "").await;
        assert_eq!(printed.code, 2, "{printed:?}");
        let document = printed.json();
        let found = finding(&document, "config");
        assert_eq!((&found["outcome"], &found["code"]), (&"fail".into(), &"config_invalid".into()));
        for word in words {
            assert!(found["found"].as_str().unwrap().contains(word), "{word} is not in {found:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_not_enrolled_is_told_so_and_nothing_is_made() {
    let machine = Machine::new();
    let document = fails(&machine.doctor(&[], "").await, "identity", "not_enrolled", &[]);
    are_skipped(&document, &["relay_name", "relay_tls", "relay_challenge"]);
    assert_eq!(finding(&document, "jira_name")["code"], "jira_none_permitted");
    assert!(!machine.state().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_others_can_read_and_damaged_ones_have_their_own_codes() {
    let sim = JiraSim::start(generated(10, 1)).unwrap();
    let cluster = Cluster::start(&sim.url()).await;
    let identity = cluster.agent_state().join("identity.json");
    let mode = |mode| std::fs::set_permissions(&identity, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    fails(&doctor_of(&cluster).await, "state", "state_mode", &["identity.json", "chmod 0600"]);
    mode(0o600);
    let whole = std::fs::read(&identity).unwrap();
    std::fs::write(&identity, &whole[..whole.len() / 2]).unwrap();
    fails(&doctor_of(&cluster).await, "identity", "identity_damaged", &["identity.json"]);
    std::fs::write(&identity, whole).unwrap();
    passes(&doctor_of(&cluster).await.json(), &["state", "identity"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_removed_at_the_relay_is_told_so() {
    let sim = JiraSim::start(generated(10, 1)).unwrap();
    let mut cluster = Cluster::start(&sim.url()).await;
    let document = doctor_of(&cluster).await.json();
    let agent = finding(&document, "enrolment")["subject"].as_str().unwrap().to_owned();
    let removed = cluster.ctl(&["uplink", "revoke", "hq", &agent], "").await;
    assert_eq!(removed.code, 0, "{removed:?}");
    let told = async {
        loop {
            // The agent writes its status a moment after it was told.
            let printed = doctor_of(&cluster).await;
            if printed.code != 0 {
                return printed;
            }
        }
    };
    let printed = tokio::time::timeout(std::time::Duration::from_secs(60), told).await.unwrap();
    fails(&printed, "enrolment", "agent_revoked", &[]);
    cluster.kill_agent().await;
}
