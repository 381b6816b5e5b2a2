//! Configuration, state folder, identity.

use super::{Machine, are_skipped, doctor_of, fails, finding, passes, printed};
use crate::site::generated;
use std::os::unix::fs::PermissionsExt;
use tests::cluster::{Binaries, Cluster};
use tests::jira_sim::{JiraSim, RunningSim};

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

/// A cluster whose agent is enrolled and not running.
async fn enrolled(sim: &RunningSim) -> Cluster {
    let cluster = Cluster::relay_only().await;
    let token = cluster.new_token("hq").await;
    let printed = cluster.enrol(&token, &sim.url()).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    cluster
}

/// Only root can give files away and mount; `false`, said aloud, for anybody else.
fn as_root(what: &str) -> bool {
    let user = std::process::Command::new("id").arg("-u").output().unwrap();
    let is_root = user.stdout.starts_with(b"0");
    let required = std::env::var("UPLINK_REQUIRE_NETNS").is_ok_and(|value| value == "1");
    assert!(is_root || !required, "UPLINK_REQUIRE_NETNS=1, but this is not root");
    if !is_root {
        eprintln!("SKIPPED: no root on this machine; {what}");
    }
    is_root
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_entered_is_not_taken_for_one_that_is_not_there() {
    let machine = Machine::new();
    std::fs::write(machine.state(), "a file in the folder's place").unwrap();
    let document = fails(&machine.doctor(&[], "").await, "state", "state_unreachable", &["cannot"]);
    assert!(finding(&document, "state")["remedy"].as_str().unwrap().contains("own user"), "{document:#}");
    let below = Machine::new();
    std::fs::write(below.state(), "a file above the folder").unwrap();
    let command = tokio::process::Command::new(Binaries::built().path("uplink-agent"));
    let printed = below.run_on(&below.state().join("state"), command, &["doctor", "--json"], "").await;
    fails(&printed, "state", "state_unreachable", &[]);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_is_found_although_everything_can_be_read() {
    if !as_root("a disk that became read-only was not tried") {
        return;
    }
    let sim = JiraSim::start(generated(10, 1)).unwrap();
    let cluster = enrolled(&sim).await;
    passes(&doctor_of(&cluster).await.json(), &["state", "identity", "jira_api"]);
    sim.reset_stats();
    let state = cluster.agent_state().display().to_string();
    let script = format!(
        "mount --bind '{state}' '{state}' && mount -o remount,bind,ro '{state}' && exec \"$0\" doctor --json --state '{state}'"
    );
    let mut command = tokio::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]).arg(Binaries::built().path("uplink-agent"));
    let printed = printed(command.output().await.unwrap());
    let document = fails(&printed, "state", "state_unreachable", &["ead-only"]);
    passes(&document, &["identity", "relay_challenge"]);
    // What cannot be recorded is not asked.
    are_skipped(&document, &["jira_api"]);
    assert_eq!(sim.stats().requests_total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_user_are_named_although_root_can_read_them() {
    if !as_root("a file of another user was not tried") {
        return;
    }
    let sim = JiraSim::start(generated(10, 1)).unwrap();
    let cluster = enrolled(&sim).await;
    let identity = cluster.agent_state().join("identity.json");
    std::os::unix::fs::chown(&identity, Some(65_534), None).unwrap();
    fails(&doctor_of(&cluster).await, "state", "state_owner", &["identity.json", "another user"]);
    std::os::unix::fs::chown(&identity, Some(0), None).unwrap();
    passes(&doctor_of(&cluster).await.json(), &["state"]);
}
