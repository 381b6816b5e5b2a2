//! The agent as an administrator meets it: the Debian package on a system with systemd as its first process, from the installation to
//! the purge; the service on a machine without packages; the root of the container.

mod container;
mod kubernetes;
mod machine;
mod unit;

use crate::site::{assert_landed_equals_truth, generated};
use machine::Machine;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::cluster::{Binaries, Cluster, PASSWORD, Place};
use tests::jira_sim::{JiraSim, RunningSim};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(120);

/// A relay and a Jira on the host's end of the cable, a system at the other end.
struct Premises {
    machine: Machine,
    cluster: Cluster,
    sim: RunningSim,
    jira: String,
    online: usize,
}

impl Premises {
    async fn new() -> Option<Self> {
        let machine = Machine::boot_new().await?;
        let sim = JiraSim::start(generated(1_500, 91)).unwrap();
        let jira = reachable_from(&machine, &sim.url()).await;
        let listen = Some(format!("{}:0", machine.host_address()));
        let cluster = Cluster::relay_at(Place { listen, ..Place::default() }).await;
        cluster.ok(&["pool", "create", "sales"]).await;
        Some(Self { machine, cluster, sim, jira, online: 0 })
    }

    /// Enrols the agent by a file with the token, as its documentation says.
    async fn enrol(&self) {
        let token = self.cluster.new_token("hq").await;
        self.machine.write("root/token", &token);
        let ca = std::fs::read_to_string(self.cluster.relay_data().join("ca.pem")).unwrap();
        self.machine.write("root/ca.pem", &ca);
        let relay = &self.cluster.relay_url;
        let words = [
            "uplink-agent",
            "enroll",
            "--relay",
            relay,
            "--token-file",
            "/root/token",
            "--relay-ca",
            "/root/ca.pem",
            "--allow-jira",
            &self.jira,
        ];
        let said = self.machine.ok(&words).await;
        assert!(said.contains("Fingerprint: "), "{said}");
    }

    /// Waits until the relay has seen the agent come once more than before.
    async fn online_again(&mut self) {
        self.online += 1;
        self.cluster.relay().wait_for_times("\"agent_online\"", self.online).await;
    }

    /// Starts a full load that stands still in the middle, with something of it landed.
    async fn run_held(&self) -> (String, tests::jira_sim::Hold) {
        let stored = self.cluster.relay().times("checkpoint_stored");
        let gate = self.sim.hold_after("/search", 12);
        let held = self.sim.stats().held;
        let run = self.cluster.extract(&["--full"]).await;
        self.sim.wait_for(PATIENCE, |stats| stats.held > held).await.unwrap();
        self.cluster.relay().wait_for_times("checkpoint_stored", stored + 1).await;
        (run, gate)
    }

    async fn ends_exact(&self, run: &str) -> serde_json::Value {
        let document = self.cluster.ended(run).await;
        assert_eq!(document["state"], "succeeded", "{document:#}\n{}", self.machine.journal().await);
        assert_landed_equals_truth(&self.cluster, &self.sim);
        document
    }
}

/// The simulator listens on loopback; its neighbours reach it through the host's end of the cable.
async fn reachable_from(machine: &Machine, url: &str) -> String {
    let listener = TcpListener::bind((machine.host_address(), 0)).await.unwrap();
    let (behind, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (behind, address) = (behind.to_owned(), listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let behind = behind.clone();
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(behind).await else { return };
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
    format!("http://{address}/{path}")
}

/// Builds the package from the programs of this test; `None`, said aloud, without the tool for it.
async fn package(version: &str) -> Option<PathBuf> {
    let tool = std::process::Command::new("cargo").args(["deb", "--version"]).output();
    if !tool.is_ok_and(|done| done.status.success()) {
        let required = std::env::var("UPLINK_REQUIRE_SYSTEMD").is_ok_and(|value| value == "1");
        assert!(!required, "UPLINK_REQUIRE_SYSTEMD=1, but there is no cargo-deb on this machine");
        eprintln!("SKIPPED: there is no cargo-deb on this machine; the Debian package was not tried");
        return None;
    }
    let (bin, out) = (Binaries::built().folder(), Binaries::built().target().join("packages"));
    let mut command = tokio::process::Command::new(workspace().join("packaging/build.sh"));
    command.arg("deb").env("UPLINK_PROFILE", Binaries::built().profile()).env("UPLINK_BIN", bin);
    command
        .env("UPLINK_VERSION", version)
        .env("UPLINK_OUT", &out)
        .env("CARGO_TARGET_DIR", Binaries::built().target());
    machine::succeed(&mut command).await;
    let files = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let wanted = format!("uplink-agent_{version}");
    Some(
        files
            .into_iter()
            .find(|file| file.file_name().unwrap().to_str().unwrap().starts_with(&wanted))
            .unwrap(),
    )
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

async fn install(machine: &Machine, package: &Path) -> String {
    std::fs::copy(package, machine.root().join("root/uplink-agent.deb")).unwrap();
    let said = machine.ok(&["dpkg", "-i", "/root/uplink-agent.deb"]).await;
    machine.ok(&["rm", "/root/uplink-agent.deb"]).await;
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_debian_package_lives_through_everything_and_leaves_without_trace() {
    let (Some(old), Some(new)) = (package("0.0.1").await, package("0.0.2").await) else { return };
    let Some(mut premises) = Premises::new().await else { return };
    let before = premises.machine.paths();
    install(&premises.machine, &old).await;
    installed_and_waiting(&premises.machine).await;
    premises.enrol().await;
    starts_confined(&mut premises).await;
    let connection = premises.jira.clone();
    premises.cluster.connect(&connection, PASSWORD, 4).await;
    survives_a_kill_during_a_run(&mut premises).await;
    is_restarted_when_it_hangs(&mut premises).await;
    survives_a_reboot(&mut premises).await;
    survives_the_loss_of_the_network_during_a_run(&mut premises).await;
    upgrades_during_a_run(&mut premises, &new).await;
    leaves_no_trace(&premises.machine, &before).await;
    serves_without_a_package(&mut premises).await;
}

/// Enabled, but neither running nor failed before somebody enrols it.
async fn installed_and_waiting(machine: &Machine) {
    assert_eq!(machine.ok(&["systemctl", "is-enabled", "uplink-agent"]).await, "enabled");
    assert_eq!(machine.property("ActiveState").await, "inactive");
    assert_eq!(machine.property("ConditionResult").await, "no");
    let owned = |path: &'static str| async move { machine.ok(&["stat", "-c", "%U %a", path]).await };
    assert_eq!(owned("/var/lib/uplink-agent").await, "uplink-agent 700");
    assert_eq!(owned("/etc/uplink-agent/credentials").await, "root 700");
    let packaged = machine.ok(&["cat", "/etc/uplink-agent/agent.toml"]).await;
    assert_eq!(packaged, machine.ok(&["uplink-agent", "config", "defaults"]).await);
    machine.ok(&["uplink-agent", "config", "check"]).await;
}

/// Ready when systemd says so; hardened, without a listening socket, with the premises' secrets at hand.
async fn starts_confined(premises: &mut Premises) {
    premises.machine.write("etc/uplink-agent/credentials/jira", "a password that stays\n");
    premises.machine.ok(&["systemctl", "start", "uplink-agent"]).await;
    assert_eq!(premises.machine.property("ActiveState").await, "active");
    premises.online_again().await;
    let machine = &premises.machine;
    machine.property_becomes("StatusText", |text| text.starts_with("Linked to https://")).await;
    machine.ok(&["systemd-analyze", "security", "--threshold=10", "uplink-agent"]).await;
    let pid = machine.property("MainPID").await;
    let listening = machine.ok(&["ss", "-Hlntup"]).await;
    assert!(!listening.contains("uplink-agent"), "{listening}");
    assert_eq!(machine.ok(&["ps", "-o", "user:20=", "-p", &pid]).await, "uplink-agent");
    let caps = machine
        .sh(&format!(
            "grep -E 'Cap(Eff|Bnd|Prm)|NoNewPrivs|Seccomp:' /proc/{pid}/status | tr -s '\\t\\n' '  '"
        ))
        .await;
    assert_eq!(
        caps,
        "CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2"
    );
    let credential = machine.sh("stat -c '%U %a' /run/credentials/uplink-agent.service/uplink_jira").await;
    assert_eq!(credential, "uplink-agent 400");
    let journal = machine.journal().await;
    assert!(!journal.contains("core dumps") && !journal.contains("panicked"), "{journal}");
}

async fn survives_a_kill_during_a_run(premises: &mut Premises) {
    let (run, gate) = premises.run_held().await;
    let pid = premises.machine.property("MainPID").await;
    premises.machine.ok(&["kill", "-9", &pid]).await;
    premises.machine.property_becomes("NRestarts", |count| count == "1").await;
    premises.online_again().await;
    gate.release();
    assert!(premises.ends_exact(&run).await["lease"].as_u64() >= Some(2), "the run was not handed out again");
}

/// A process that stands still feeds no watchdog. (That one whose link alone is stuck does not either: `agent/src/notify.rs`.)
async fn is_restarted_when_it_hangs(premises: &mut Premises) {
    let machine = &premises.machine;
    machine.write(
        "etc/systemd/system/uplink-agent.service.d/impatient.conf",
        "[Service]\nWatchdogSec=3\nRestartSec=1\n",
    );
    machine.ok(&["systemctl", "daemon-reload"]).await;
    machine.ok(&["systemctl", "restart", "uplink-agent"]).await;
    premises.online_again().await;
    let pid = premises.machine.property("MainPID").await;
    premises.machine.ok(&["kill", "-STOP", &pid]).await;
    let other = premises.machine.property_becomes("MainPID", |now| now != "0" && now != pid).await;
    assert_ne!(other, pid);
    premises.online_again().await;
    let journal = premises.machine.journal().await;
    assert!(journal.contains("Watchdog timeout"), "{journal}");
}

async fn survives_a_reboot(premises: &mut Premises) {
    premises.machine.reboot().await;
    premises.online_again().await;
    assert_eq!(premises.machine.property("ActiveState").await, "active");
}

/// The agent stays up, says what it lacks, and goes on with the run when the network is back.
async fn survives_the_loss_of_the_network_during_a_run(premises: &mut Premises) {
    let (run, gate) = premises.run_held().await;
    let pid = premises.machine.property("MainPID").await;
    premises.machine.cable_up(false).await;
    // It waits, or it dials all the time because a run is under way.
    let unlinked =
        |text: &str| text.starts_with("No link to https://") || text.starts_with("Dialling https://");
    premises.machine.property_becomes("StatusText", unlinked).await;
    premises.machine.cable_up(true).await;
    gate.release();
    premises.online_again().await;
    premises.ends_exact(&run).await;
    assert_eq!(premises.machine.property("MainPID").await, pid, "it did not live through the loss");
}

async fn upgrades_during_a_run(premises: &mut Premises, new: &Path) {
    let (run, gate) = premises.run_held().await;
    let pid = premises.machine.property("MainPID").await;
    install(&premises.machine, new).await;
    premises.online_again().await;
    gate.release();
    assert_ne!(premises.machine.property("MainPID").await, pid, "the old program still runs");
    assert_eq!(premises.machine.ok(&["dpkg-query", "-W", "-f", "${Version}", "uplink-agent"]).await, "0.0.2");
    premises.ends_exact(&run).await;
}

/// What a system keeps of any package: the records of dpkg and of the journal, and older copies of the user database.
const RECORDS: [&str; 8] = [
    "var/lib/dpkg",
    "var/log",
    "var/cache",
    "var/lib/systemd",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
];

async fn leaves_no_trace(machine: &Machine, before: &std::collections::BTreeSet<String>) {
    machine
        .ok(&["rm", "-r", "/etc/systemd/system/uplink-agent.service.d", "/root/token", "/root/ca.pem"])
        .await;
    machine.ok(&["dpkg", "-P", "uplink-agent"]).await;
    let after = machine.paths();
    let of_records = |path: &str| {
        RECORDS.iter().any(|record| path.starts_with(record)) && !path.contains("deb-systemd-helper")
    };
    let left: Vec<&String> = after.difference(before).filter(|path| !of_records(path)).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    for database in ["passwd", "group", "shadow", "gshadow"] {
        let text = machine.ok(&["cat", &format!("/etc/{database}")]).await;
        assert!(!text.contains("uplink"), "/etc/{database}");
    }
    assert_eq!(machine.property("LoadState").await, "not-found");
    assert_eq!(machine.sh("ls -d /run/*uplink* /run/systemd/units/*uplink* /run/credentials/*uplink* 2>/dev/null; pgrep uplink-agent; true").await, "");
}

/// `service install` gives a machine without a package the same service.
async fn serves_without_a_package(premises: &mut Premises) {
    let machine = &premises.machine;
    let before = machine.paths();
    let elsewhere = machine.root().join("root/uplink-agent");
    std::fs::copy(Binaries::built().path("uplink-agent"), &elsewhere).unwrap();
    let refused = machine.run(&["/root/uplink-agent", "service", "install"]).await;
    assert!(refused.code == 1 && refused.stderr.contains("/usr/local/bin"), "{refused:?}");
    machine.ok(&["install", "-m", "0755", "/root/uplink-agent", "/usr/local/bin/uplink-agent"]).await;
    let absent = machine.run(&["uplink-agent", "service", "status"]).await;
    assert!(absent.code == 1 && absent.stdout.contains("not installed"), "{absent:?}");
    machine.ok(&["uplink-agent", "service", "install"]).await;
    machine.ok(&["uplink-agent", "service", "install"]).await;
    premises.enrol().await;
    assert!(premises.machine.ok(&["uplink-agent", "service", "start"]).await.contains("running"));
    premises.online_again().await;
    let machine = &premises.machine;
    machine.property_becomes("StatusText", |text| text.starts_with("Linked to https://")).await;
    assert!(machine.ok(&["uplink-agent", "service", "status"]).await.contains("Linked to https://"));
    machine.ok(&["uplink-agent", "service", "stop"]).await;
    assert_eq!(machine.run(&["uplink-agent", "service", "status"]).await.code, 1);
    machine.ok(&["uplink-agent", "service", "uninstall", "--purge"]).await;
    machine
        .ok(&["rm", "/usr/local/bin/uplink-agent", "/root/uplink-agent", "/root/token", "/root/ca.pem"])
        .await;
    let after = machine.paths();
    let left: Vec<&String> = after
        .difference(&before)
        .filter(|path| !RECORDS.iter().any(|record| path.starts_with(record)))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
