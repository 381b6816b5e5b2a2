//! A Debian system with systemd as its first process, in a container that the test builds and takes down: one virtual cable leads to
//! the host, and nothing else. Driven from outside by `nsenter`, since no manager of the host knows it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tests::cluster::Printed;
use tokio::process::{Child, Command};

/// A start or stop of the system that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a system is asked again that tells nothing by itself.
const ASK_EVERY: Duration = Duration::from_millis(100);
const CGROUP_TREES: [&str; 3] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"];
const PACKAGES: &str = "systemd,systemd-sysv,dbus,libpam-systemd,iproute2,ca-certificates,procps";

pub(crate) struct Machine {
    root: TempDir,
    name: String,
    /// The first three bytes of the cable's addresses, and the host's last byte.
    subnet: String,
    host: u8,
    running: Option<Running>,
}

struct Running {
    nspawn: Child,
    leader: u32,
    control_groups: Vec<PathBuf>,
}

impl Machine {
    /// A freshly built and booted system with further Debian packages; `None`, said aloud, where this machine cannot have one. With
    /// `UPLINK_REQUIRE_SYSTEMD=1` the lack of it fails the test.
    pub(crate) async fn boot_new(further: &[&str]) -> Option<Self> {
        match missing() {
            None => {}
            Some(what) => {
                let required = std::env::var("UPLINK_REQUIRE_SYSTEMD").is_ok_and(|value| value == "1");
                assert!(!required, "UPLINK_REQUIRE_SYSTEMD=1, but {what}");
                eprintln!("SKIPPED: {what}; the packages were not tried on a running system");
                return None;
            }
        }
        let root = tempfile::Builder::new().prefix("uplink-machine-").tempdir().unwrap();
        succeed(Command::new("tar").arg("-C").arg(root.path()).arg("-xf").arg(base(further).await)).await;
        let machine = Self::named(root);
        machine.write("etc/systemd/network/80-container-host0.network", &machine.network_settings());
        machine.write("etc/hostname", "premises\n");
        succeed(Command::new("systemctl").arg("--root").arg(machine.root()).args([
            "-q",
            "enable",
            "systemd-networkd",
        ]))
        .await;
        let mut machine = machine;
        machine.boot().await;
        Some(machine)
    }

    /// A name and a cable that no other machine has, of this test process or of one beside it.
    fn named(root: TempDir) -> Self {
        static MADE: AtomicU8 = AtomicU8::new(0);
        let (process, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        assert!(number < 60, "more machines than a process has cables for");
        let subnet = format!("10.231.{}", process % 250);
        Self { root, name: format!("ul{process:x}{number:x}"), subnet, host: number * 4 + 1, running: None }
    }

    /// The address of the host, as the system sees it.
    pub(crate) fn host_address(&self) -> String {
        format!("{}.{}", self.subnet, self.host)
    }

    fn network_settings(&self) -> String {
        let own = format!("{}.{}", self.subnet, self.host + 1);
        format!("[Match]\nName=host0\n[Network]\nAddress={own}/30\nLinkLocalAddressing=no\n")
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file into the system; only root may read it, unless it is a setting of the system.
    pub(crate) fn write(&self, path: &str, text: &str) {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let public = ["etc/systemd", "etc/hosts"].map(|place| self.root().join(place));
        let mode = if public.iter().any(|place| path.starts_with(place)) { 0o644 } else { 0o600 };
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Boots the system and waits until everything that it starts is started.
    pub(crate) async fn boot(&mut self) {
        let control_groups = self.control_groups();
        let mut command = Command::new("systemd-nspawn");
        command.args([
            "-q",
            "-M",
            &self.name,
            "--boot",
            "--register=no",
            "--keep-unit",
            "--console=pipe",
            "--network-veth",
        ]);
        command.arg("--kill-signal=SIGRTMIN+3").arg("-D").arg(self.root());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut nspawn = in_groups(command, &control_groups).spawn().unwrap();
        let leader = leader(&mut nspawn).await;
        self.running = Some(Running { nspawn, leader, control_groups });
        self.plug_in().await;
        let booted = async {
            loop {
                let state = self.run(&["systemctl", "is-system-running"]).await.stdout;
                if matches!(state.trim(), "running" | "degraded") {
                    return;
                }
                // systemd is asked; it gives no event to the outside.
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, booted).await.expect("the system boots");
    }

    /// An own control group in every tree that this machine has, for the system to manage.
    fn control_groups(&self) -> Vec<PathBuf> {
        let trees = CGROUP_TREES.iter().map(Path::new).filter(|tree| tree.join("cgroup.procs").exists());
        let groups: Vec<PathBuf> = trees.map(|tree| tree.join(&self.name)).collect();
        groups.iter().for_each(|group| std::fs::create_dir_all(group).unwrap());
        groups
    }

    /// Connects the host's end of the cable; a boot makes a new cable.
    async fn plug_in(&self) {
        let address = format!("{}/30", self.host_address());
        succeed(Command::new("ip").args(["address", "replace", &address, "dev", &self.cable()])).await;
        self.cable_up(true).await;
    }

    fn cable(&self) -> String {
        format!("ve-{}", self.name)
    }

    /// Pulls the cable or plugs it in again.
    pub(crate) async fn cable_up(&self, up: bool) {
        let word = if up { "up" } else { "down" };
        succeed(Command::new("ip").args(["link", "set", &self.cable(), word])).await;
    }

    /// Runs a command in the system, as root.
    pub(crate) async fn run(&self, words: &[&str]) -> Printed {
        let leader = self.running.as_ref().expect("the system runs").leader.to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &leader, "-m", "-u", "-i", "-n", "-p", "-C", "--"]).args(words);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", "/root");
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
        Printed {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a command that must succeed and gives what it printed, trimmed.
    pub(crate) async fn ok(&self, words: &[&str]) -> String {
        let printed = self.run(words).await;
        assert_eq!(printed.code, 0, "{words:?}: {printed:?}\n{}", self.journal().await);
        printed.stdout.trim().to_owned()
    }

    /// Runs a line of shell that must succeed.
    pub(crate) async fn sh(&self, line: &str) -> String {
        self.ok(&["sh", "-c", line]).await
    }

    /// One property of the agent's unit.
    pub(crate) async fn property(&self, name: &str) -> String {
        self.ok(&["systemctl", "show", "uplink-agent", "--value", "--property", name]).await
    }

    /// Asks again until a property of the agent's unit is as wanted.
    pub(crate) async fn property_becomes(&self, name: &str, wanted: impl Fn(&str) -> bool) -> String {
        let asked = async {
            loop {
                let value = self.property(name).await;
                if wanted(&value) {
                    return value;
                }
                // As above: a property of systemd is asked, it is not told.
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(value) => value,
            Err(_) => {
                panic!("{name} is {} for too long\n{}", self.property(name).await, self.journal().await)
            }
        }
    }

    /// What the agent wrote to the journal, for the message of a test that fails.
    pub(crate) async fn journal(&self) -> String {
        let printed =
            self.run(&["journalctl", "-u", "uplink-agent", "--no-pager", "-o", "cat", "-n", "60"]).await;
        printed.stdout + &printed.stderr
    }

    /// Restarts the system as its administrator would.
    pub(crate) async fn reboot(&mut self) {
        self.run(&["systemctl", "reboot"]).await;
        let mut running = self.running.take().expect("the system runs");
        tokio::time::timeout(PATIENCE, running.nspawn.wait()).await.expect("it goes down").unwrap();
        running.leave();
        self.boot().await;
    }

    /// Every path of the system, as seen from outside.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        collect(self.root(), self.root(), &mut found);
        found
    }
}

impl Running {
    fn leave(&self) {
        for group in &self.control_groups {
            remove_group(group);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        // The death of its first process is the end of every other, and nspawn ends with it.
        drop(std::process::Command::new("kill").args(["-9", &running.leader.to_string()]).status());
        let gone = |pid: u32| !Path::new(&format!("/proc/{pid}")).exists();
        let nspawn = running.nspawn.id().unwrap_or(running.leader);
        for _ in 0..100 {
            if gone(running.leader) && gone(nspawn) {
                break;
            }
            // A drop cannot await, and the leader is no child of ours that could be waited for.
            std::thread::sleep(ASK_EVERY / 2);
        }
        running.leave();
    }
}

/// Inner groups first: a group that holds others cannot be removed.
fn remove_group(group: &Path) {
    for entry in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    drop(std::fs::remove_dir(group));
}

/// Below these live the kernel, what runs, and what the test itself lays down.
const NOT_OF_THE_SYSTEM: [&str; 6] = ["proc", "sys", "dev", "run", "tmp", "var/tmp"];

fn collect(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if NOT_OF_THE_SYSTEM.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, found);
        }
        found.insert(name);
    }
}

/// What a machine lacks for a system of its own.
fn missing() -> Option<String> {
    if !std::process::Command::new("id").arg("-u").output().is_ok_and(|done| done.stdout == b"0\n") {
        return Some("only root can boot a system".to_owned());
    }
    for tool in ["systemd-nspawn", "mmdebstrap", "nsenter", "ip", "tar"] {
        let found = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(tool).exists()));
        if !found {
            return Some(format!("there is no {tool} on this machine"));
        }
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    // A program built here must run in the system, so both are of one release.
    (!release.lines().any(|line| line == "ID=debian")).then(|| "this machine is no Debian".to_owned())
}

/// The system as it comes with further packages, built once for a target folder.
async fn base(further: &[&str]) -> PathBuf {
    // One at a time: two tests would build the same.
    static BUILDING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = BUILDING.lock().await;
    let release = std::fs::read_to_string("/etc/os-release").unwrap();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap().to_owned();
    let folder = tests::cluster::Binaries::built().target().join("machine");
    std::fs::create_dir_all(&folder).unwrap();
    let name = [&[suite.as_str()], further].concat().join("-");
    let archive = folder.join(format!("{name}.tar"));
    if !archive.exists() {
        let draft = folder.join(format!("{name}-{}.draft.tar", std::process::id()));
        let include = format!("--include={}", [&[PACKAGES], further].concat().join(","));
        succeed(
            Command::new("mmdebstrap").args(["--quiet", "--variant=minbase", &include, &suite]).arg(&draft),
        )
        .await;
        std::fs::rename(draft, &archive).unwrap();
    }
    std::fs::create_dir_all("/run/systemd/nspawn").unwrap();
    // systemd-nspawn refuses when this folder lies on a disk.
    let mounted =
        Command::new("mountpoint").args(["-q", "/run/systemd/nspawn"]).status().await.unwrap().success();
    let on_tmpfs =
        Command::new("stat").args(["-f", "-c", "%T", "/run/systemd/nspawn"]).output().await.unwrap().stdout
            == b"tmpfs\n";
    if !mounted && !on_tmpfs {
        succeed(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run/systemd/nspawn"])).await;
    }
    archive
}

/// The command, moved into the groups before it starts.
fn in_groups(command: Command, groups: &[PathBuf]) -> Command {
    let inner = command.as_std();
    let mut shell = Command::new("sh");
    let moves: String =
        groups.iter().map(|group| format!("echo $$ >{}/cgroup.procs\n", group.display())).collect();
    shell.arg("-c").arg(format!("{moves}exec \"$0\" \"$@\"")).arg(inner.get_program()).args(inner.get_args());
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    shell
}

/// The first process of the system: the child of nspawn that calls itself systemd.
async fn leader(nspawn: &mut Child) -> u32 {
    let pid = nspawn.id().expect("it runs");
    let search = async {
        loop {
            for child in children(pid) {
                if std::fs::read_to_string(format!("/proc/{child}/comm"))
                    .is_ok_and(|name| name.trim() == "systemd")
                {
                    return child;
                }
            }
            if let Some(status) = nspawn.try_wait().unwrap() {
                let mut said = String::new();
                if let Some(mut stderr) = nspawn.stderr.take() {
                    drop(tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut said).await);
                }
                panic!("systemd-nspawn ended ({status}): {said}");
            }
            // systemd-nspawn tells nobody when its leader runs.
            tokio::time::sleep(ASK_EVERY / 4).await;
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("systemd starts in the container")
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Runs a command of the host that must succeed.
pub(crate) async fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
