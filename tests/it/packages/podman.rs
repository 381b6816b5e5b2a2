//! The container, by podman: the page's commands, with settings beside them that keep what podman stores and does to one folder.

use super::page::{outlines_agree, record, shown, steps, updating};
use super::{JIRA, RELAY, VERSIONS, forward, machine, package};
use crate::site::generated;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tests::cluster::{Cluster, PASSWORD, Place, Printed, Process};
use tests::jira_sim::JiraSim;
use tokio::process::Command;

const SECTION: &str = "In a container";
const PATIENCE: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(200);

/// A file system of its own for podman and its containers. Where control groups of both versions are mounted, the second is hidden:
/// crun refuses such a mixture.
const NAMESPACE: &str = "umount /sys/fs/cgroup/unified 2>/dev/null || true; echo ready; exec sleep infinity";

/// Podman with a store of its own, on the host's network, with limits that may be set without further privileges.
struct Podman {
    place: TempDir,
    namespace: Process,
}

impl Podman {
    /// `None`, said aloud, where there is no podman or it cannot run a container; with `UPLINK_REQUIRE_PODMAN=1` that fails the test.
    async fn new(hosts: &str) -> Option<Self> {
        match Self::try_new(hosts).await {
            Ok(podman) => Some(podman),
            Err(reason) => {
                let required = std::env::var("UPLINK_REQUIRE_PODMAN").is_ok_and(|value| value == "1");
                assert!(!required, "UPLINK_REQUIRE_PODMAN=1, but {reason}");
                eprintln!("SKIPPED: {reason}; the container was not tried");
                None
            }
        }
    }

    async fn try_new(hosts: &str) -> Result<Self, String> {
        let answers = |words: &[&str]| {
            let answer = std::process::Command::new(words[0]).args(&words[1..]).output();
            answer.is_ok_and(|done| done.status.success())
        };
        if !answers(&["podman", "--version"]) {
            return Err("there is no podman on this machine".to_owned());
        }
        if !answers(&["unshare", "--mount", "true"]) {
            return Err("this user cannot have a file system of its own".to_owned());
        }
        let place = tempfile::Builder::new().prefix("uplink-podman-").tempdir().unwrap();
        write_settings(place.path(), hosts);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", NAMESPACE]);
        let namespace = Process::spawn("namespace", command);
        namespace.wait_for("ready").await;
        let podman = Self { place, namespace };
        podman.can_run().await.map(|()| podman)
    }

    /// The kernel or a sandbox may refuse what a container needs: one whose program is not there must come as far as looking for it.
    async fn can_run(&self) -> Result<(), String> {
        let probe = "mkdir empty && printf 'FROM scratch\\nCOPY empty/ /\\n' >Containerfile && podman build -q --tag probe . && podman run --rm probe /none";
        let printed = self.sh(probe).await;
        let looked = printed.code == 127;
        if looked {
            Ok(())
        } else {
            Err(format!("podman cannot run a container here: {}", printed.stderr.trim()))
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.namespace.pid().to_string()]);
        command.arg(format!("--wdns={}", self.place.path().display()));
        command.args(["sh", "-c", line]).stdin(Stdio::null()).kill_on_drop(true);
        command.env("CONTAINERS_CONF", self.place.path().join("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", self.place.path().join("storage.conf"));
        command
    }

    /// Runs a line of shell in the folder of the page.
    async fn sh(&self, line: &str) -> Printed {
        let output = self.command(line).output().await.unwrap();
        Printed {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let mut removal = self.command("podman rm --all --force --time 0");
        drop(removal.as_std_mut().stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

fn write_settings(place: &Path, hosts: &str) {
    let at = |name: &str| place.join(name).display().to_string();
    std::fs::write(place.join("hosts"), hosts).unwrap();
    let containers = format!(
        "[containers]\nnetns = \"host\"\nbase_hosts_file = {:?}\ndefault_ulimits = [\"nofile=1024:4096\", \"nproc=1024:1024\"]\n\
         [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\ntmp_dir = {:?}\nvolume_path = {:?}\n",
        at("hosts"),
        at("tmp"),
        at("volumes")
    );
    std::fs::write(place.join("containers.conf"), containers).unwrap();
    let storage =
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = {:?}\nrunroot = {:?}\n", at("store"), at("run"));
    std::fs::write(place.join("storage.conf"), storage).unwrap();
}

/// An address of the loopback that this test process alone uses, so that the ports are those of the page.
fn own_address() -> String {
    let id = std::process::id();
    format!("127.{}.{}.{}", 64 + id / 65536 % 128, id / 256 % 256, id % 254 + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_section_for_the_container_is_true_word_for_word() {
    let address = own_address();
    let (relay_name, relay_port) = RELAY.split_once(':').unwrap();
    let (jira_name, jira_port) = JIRA.split_once(':').unwrap();
    let Some(podman) =
        Podman::new(&format!("127.0.0.1 localhost\n{address} {relay_name} {jira_name}\n")).await
    else {
        return;
    };
    let Some(built) = package("container", VERSIONS[0]).await else { return };
    std::fs::create_dir_all(podman.place.path().join("packaging/out")).unwrap();
    machine::succeed(Command::new("cp").arg("-a").arg(built).arg(podman.place.path().join("packaging/out/")))
        .await;
    let sim = JiraSim::start(generated(40, 91)).unwrap();
    forward(&format!("{address}:{jira_port}"), &sim.address().to_string()).await;
    let relay_environment = vec![("UPLINK_RELAY_NAMES".to_owned(), relay_name.to_owned())];
    let listen = Some(format!("{address}:{relay_port}"));
    let cluster = Cluster::relay_at(Place { listen, relay_environment, ..Place::default() }).await;
    cluster.ok(&["pool", "create", "sales"]).await;
    std::fs::write(podman.place.path().join("token"), cluster.new_token("hq").await).unwrap();
    std::fs::copy(cluster.relay_data().join("ca.pem"), podman.place.path().join("ca.pem")).unwrap();
    follow(&podman, &cluster).await;
}

/// Types the section's commands; in the middle of them a run goes through the container.
async fn follow(podman: &Podman, cluster: &Cluster) {
    let mut typed = Vec::new();
    for mut step in steps(SECTION) {
        // Compiles a static program for ten minutes; its result, with the program of this test, lies here.
        if step.command.starts_with("packaging/build.sh") {
            typed.push(step);
            continue;
        }
        let asked = async {
            loop {
                let printed = podman.sh(&format!("exec 2>&1; {}", step.command)).await;
                let lines = shown(&printed.stdout);
                let as_said = printed.code == 0 && (updating() || outlines_agree(&step.printed, &lines));
                if as_said || !step.command.contains(" status") {
                    return (as_said, lines);
                }
                // `status` answers once; nothing tells when it will answer otherwise.
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        let (as_said, lines) = tokio::time::timeout(PATIENCE, asked).await.unwrap_or_default();
        assert!(
            as_said,
            "`{}` printed\n{}\nbut the page says\n{}",
            step.command,
            lines.join("\n"),
            step.printed.join("\n")
        );
        if step.command.contains("--detach") {
            cluster.agent_online().await;
            serves(podman, cluster).await;
        }
        step.printed = lines;
        typed.push(step);
    }
    record(SECTION, typed);
}

/// It runs as nobody, cannot write its own root, and carries a run.
async fn serves(podman: &Podman, cluster: &Cluster) {
    let pid = podman
        .sh("podman inspect --format '{{.State.Pid}} {{.HostConfig.ReadonlyRootfs}}' uplink-agent")
        .await
        .stdout;
    let (pid, read_only) = pid.trim().split_once(' ').unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Uid:\t65534\t65534"), "{status}");
    assert_eq!(read_only, "true");
    cluster.connect(&format!("http://{JIRA}/jira"), PASSWORD, 2).await;
    let run = cluster.extract(&["--full", "--tables", "issues,projects"]).await;
    let ended = cluster.ended(&run).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
}
