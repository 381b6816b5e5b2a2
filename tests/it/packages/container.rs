//! The container's root, without an engine for containers: the same bytes, read-only, as nobody.

use super::{machine, workspace};
use std::process::Command as Blocking;
use tests::cluster::{Binaries, Cluster, Process};
use tokio::process::Command;

/// Runs a program of the root read-only and as nobody, with one folder that it may write.
const CONFINED: &str = r#"set -e
mount --bind "$0" "$0"
mount --bind "$1" "$0/var/lib/uplink-agent"
mount -o remount,bind,ro "$0"
shift
exec chroot --userspec=65534:65534 "$@"
"#;

fn can_confine() -> bool {
    let root = Blocking::new("unshare").args(["--mount", "true"]).status();
    root.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_containers_root_serves_as_nobody_on_a_read_only_system() {
    if !can_confine() {
        eprintln!("SKIPPED: this user cannot mount; the container's root was not tried");
        return;
    }
    let mut cluster = Cluster::relay_only().await;
    let out = cluster.dir.path().join("packaged");
    let mut build = Command::new(workspace().join("packaging/build.sh"));
    build
        .arg("container")
        .env("UPLINK_PROGRAM", Binaries::built().path("uplink-agent"))
        .env("UPLINK_OUT", &out);
    machine::succeed(&mut build).await;
    let root = out.join("container/root");
    let state = cluster.dir.path().join("volume");
    std::fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(65534), Some(65534)).unwrap();
    let token = cluster.new_token("hq").await;
    std::fs::write(state.join("token"), &token).unwrap();
    std::fs::copy(cluster.relay_data().join("ca.pem"), state.join("ca.pem")).unwrap();
    let confined = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", CONFINED])
            .arg(&root)
            .arg(&state)
            .arg(&root)
            .arg("/usr/bin/uplink-agent")
            .args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
            .env("STATE_DIRECTORY", "/var/lib/uplink-agent")
            .env("CONFIGURATION_DIRECTORY", "/etc/uplink-agent");
        command
    };
    let place = "/var/lib/uplink-agent";
    let (token_file, ca_file) = (format!("{place}/token"), format!("{place}/ca.pem"));
    let enrol =
        ["enroll", "--relay", &cluster.relay_url, "--token-file", &token_file, "--relay-ca", &ca_file];
    machine::succeed(&mut confined(&enrol)).await;
    let agent = Process::spawn("agent", confined(&["run"]));
    cluster.agent_online().await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    assert!(status.contains("Uid:\t65534\t65534"), "{status}");
    agent.kill().await;
    cluster.kill_relay().await;
}
