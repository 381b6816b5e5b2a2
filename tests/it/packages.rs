//! The agent as an administrator meets it: the packages on a system with systemd as its first process, from the installation to
//! the purge; the service on a machine without packages; the container; the page that says how.

mod container;
mod debian;
mod kubernetes;
mod machine;
mod page;
mod podman;
mod rpm;
mod unit;

use crate::site::{assert_landed_equals_truth, generated};
use machine::Machine;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::cluster::{Binaries, Cluster, Place};
use tests::jira_sim::{JiraSim, RunningSim};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(120);

/// The relay's name and port, and Jira's, as the premises know them: those of the page.
const RELAY: &str = "relay.example.com:8443";
const JIRA: &str = "jira.corp.example:8080";

/// The two versions of the page: installed, then upgraded to.
const VERSIONS: [&str; 2] = ["0.1.0", "0.1.1"];

/// A relay and a Jira on the host's end of the cable, a system at the other end.
struct Premises {
    machine: Machine,
    cluster: Cluster,
    sim: RunningSim,
    jira: String,
    online: usize,
}

impl Premises {
    /// A fresh system with further Debian packages, beside a Jira of so many issues.
    async fn new(further: &[&str], issues: u32) -> Option<Self> {
        let machine = Machine::boot_new(further).await?;
        let sim = JiraSim::start(generated(issues, 91)).unwrap();
        let (relay_name, relay_port) = RELAY.split_once(':').unwrap();
        let (jira_name, jira_port) = JIRA.split_once(':').unwrap();
        let host = machine.host_address();
        machine
            .write("etc/hosts", &format!("127.0.0.1 localhost premises\n{host} {relay_name} {jira_name}\n"));
        forward(&format!("{host}:{jira_port}"), &sim.address().to_string()).await;
        let relay_environment = vec![("UPLINK_RELAY_NAMES".to_owned(), relay_name.to_owned())];
        let listen = Some(format!("{host}:{relay_port}"));
        let cluster = Cluster::relay_at(Place { listen, relay_environment, ..Place::default() }).await;
        cluster.ok(&["pool", "create", "sales"]).await;
        let jira = format!("http://{JIRA}/jira");
        Some(Self { machine, cluster, sim, jira, online: 0 })
    }

    /// What the person at the relay hands over, where the page has it: the token and the relay's authority.
    async fn hand_over(&self) {
        self.machine.write("root/token", &self.cluster.new_token("hq").await);
        let ca = std::fs::read_to_string(self.cluster.relay_data().join("ca.pem")).unwrap();
        self.machine.write("root/ca.pem", &ca);
    }

    /// Enrols the agent by a file with the token, as its documentation says.
    async fn enrol(&self) {
        self.hand_over().await;
        let relay = format!("https://{RELAY}");
        let words = [
            "uplink-agent",
            "enroll",
            "--relay",
            &relay,
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
async fn forward(listen: &str, to: &str) {
    let listener = TcpListener::bind(listen).await.unwrap();
    let to = to.to_owned();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let to = to.clone();
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(to).await else { return };
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
}

/// Builds a package from the programs of this test; `None`, said aloud, without the tool for it.
async fn package(kind: &str, version: &str) -> Option<PathBuf> {
    // One at a time, for the manual pages and completions of all packages are made in one folder; and each once.
    static BUILT: tokio::sync::Mutex<BTreeMap<String, PathBuf>> =
        tokio::sync::Mutex::const_new(BTreeMap::new());
    let tool: &[&str] = match kind {
        "deb" => &["cargo", "deb", "--version"],
        "rpm" => &["rpmbuild", "--version"],
        _ => &["true"],
    };
    let answer = std::process::Command::new(tool[0]).args(&tool[1..]).output();
    if !answer.is_ok_and(|done| done.status.success()) {
        let required = std::env::var("UPLINK_REQUIRE_SYSTEMD").is_ok_and(|value| value == "1");
        assert!(!required, "UPLINK_REQUIRE_SYSTEMD=1, but `{}` fails on this machine", tool.join(" "));
        eprintln!("SKIPPED: `{}` fails on this machine; the .{kind} was not tried", tool.join(" "));
        return None;
    }
    let mut done = BUILT.lock().await;
    let name = format!("{kind} {version}");
    if let Some(package) = done.get(&name) {
        return Some(package.clone());
    }
    let (built, out) =
        (Binaries::built(), Binaries::built().target().join("packages").join(kind).join(version));
    let mut command = tokio::process::Command::new(workspace().join("packaging/build.sh"));
    command.arg(kind).env("UPLINK_PROFILE", built.profile()).env("UPLINK_BIN", built.folder());
    command.env("UPLINK_PROGRAM", built.path("uplink-agent")).env("UPLINK_VERSION", version);
    command.env("UPLINK_OUT", &out).env("CARGO_TARGET_DIR", built.target());
    machine::succeed(&mut command).await;
    let mut files = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    // A container is a folder.
    let package = files.find(|file| file.is_file() || kind == "container").unwrap();
    done.insert(name, package.clone());
    Some(package)
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
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

/// What a system keeps of any package: the records of dpkg, rpm and the journal, and older copies of the user database.
const RECORDS: [&str; 9] = [
    "var/lib/dpkg",
    "var/lib/rpm",
    "var/log",
    "var/cache",
    "var/lib/systemd",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
];

/// Nothing is left of the agent but those records: no file, no user, no unit, no process.
async fn leaves_nothing(machine: &Machine, before: &BTreeSet<String>) {
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
