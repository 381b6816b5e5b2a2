//! The RPM package, by the `rpm` program on a Debian system with systemd as its first process: what is in it, what its scripts do, an
//! upgrade in the middle of a run, and that erasing it leaves what the page says and nothing else.

use super::{Machine, Premises, VERSIONS, installed_and_waiting, leaves_nothing, package, starts_confined};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tests::cluster::PASSWORD;

/// What the package asks for beside libraries and the shell of its scripts; both are names of Fedora's packages.
const NEEDS: [&str; 2] = ["shadow-utils", "systemd"];
/// What the package asks of the program `rpm` and of itself.
const INNER: [&str; 2] = ["rpmlib(", "config("];

/// Runs a program of rpm on the host; its output.
async fn said(words: &[&str], package: &Path) -> String {
    let mut command = tokio::process::Command::new(words[0]);
    let output = command.args(&words[1..]).arg(package).output().await.unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A package that says what a Debian system holds and the database of rpm there does not know, so that the real package is installed with
/// its dependencies checked: the two of [`NEEDS`], the shell, each library that the program links, and a folder of Fedora's own.
pub(super) async fn what_debian_holds(package: &Path, place: &Path) -> PathBuf {
    let asked = said(&["rpm", "-qp", "--requires"], package).await;
    let asked: BTreeSet<&str> =
        asked.lines().filter(|line| !INNER.iter().any(|inner| line.starts_with(inner))).collect();
    let named: Vec<&&str> = asked
        .iter()
        .filter(|line| !line.contains(".so."))
        .filter(|line| !line.starts_with("rtld("))
        .collect();
    assert_eq!(named, [&"/bin/sh", &NEEDS[0], &NEEDS[1]], "its dependencies have changed");
    let provides: String = asked.iter().map(|line| format!("Provides: {line}\n")).collect();
    let spec = format!(
        "Name: what-debian-holds\nVersion: 1\nRelease: 1\nSummary: What dpkg holds\nLicense: MIT\nBuildArch: noarch\n{provides}%description\nFor rpm on a Debian system.\n%install\nmkdir -p %{{buildroot}}/usr/share/licenses\n%files\n%dir /usr/share/licenses\n"
    );
    let file = place.join("what-debian-holds.spec");
    std::fs::write(&file, spec).unwrap();
    let top = format!("_topdir {}", place.join("rpmbuild").display());
    said(&["rpmbuild", "--quiet", "--define", &top, "-bb"], &file).await;
    place.join("rpmbuild/RPMS/noarch/what-debian-holds-1-1.noarch.rpm")
}

/// Copies a package into the system and gives its path there.
pub(super) fn bring(machine: &Machine, package: &Path) -> String {
    let name = package.file_name().unwrap().to_str().unwrap();
    std::fs::copy(package, machine.root().join("root").join(name)).unwrap();
    format!("/root/{name}")
}

/// Lets the database of rpm know what the system holds.
pub(super) async fn prepare(machine: &Machine, package: &Path) {
    let place = tempfile::tempdir().unwrap();
    let holds = what_debian_holds(package, place.path()).await;
    machine.ok(&["rpm", "-i", &bring(machine, &holds)]).await;
    machine.sh("rm /root/*.rpm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rpm_package_holds_what_it_should_owned_by_root() {
    let Some(package) = package("rpm", VERSIONS[0]).await else { return };
    let listed = said(
        &[
            "rpm",
            "-qp",
            "--queryformat",
            "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags} %{FILENAMES}\n]",
        ],
        &package,
    )
    .await;
    let plain = |flags: &str, path: &str| format!("-rw-r--r-- root:root {flags} {path}");
    let expected = [
        "-rwxr-xr-x root:root  /usr/bin/uplink-agent".to_owned(),
        plain("cn", "/etc/uplink-agent/agent.toml"),
        plain("", "/usr/lib/systemd/system/uplink-agent.service"),
        plain("", "/usr/lib/sysusers.d/uplink-agent.conf"),
        plain("", "/usr/lib/tmpfiles.d/uplink-agent.conf"),
        plain("d", "/usr/share/man/man1/uplink-agent.1"),
        plain("d", "/usr/share/man/man1/uplink-agent-enroll.1"),
        plain("", "/usr/share/bash-completion/completions/uplink-agent"),
        plain("", "/usr/share/zsh/site-functions/_uplink-agent"),
        plain("", "/usr/share/fish/vendor_completions.d/uplink-agent.fish"),
        plain("d", "/usr/share/doc/uplink-agent/install-agent.md"),
        plain("l", "/usr/share/licenses/uplink-agent/LICENSE-MIT"),
        plain("l", "/usr/share/licenses/uplink-agent/LICENSE-APACHE"),
    ];
    for line in &expected {
        assert!(listed.lines().any(|found| found == line), "no `{line}` in\n{listed}");
    }
    let folders = |line: &&str| line.starts_with("drwxr-xr-x root:root  /usr/share/");
    let files = listed.lines().filter(|line| !folders(line));
    let others = files.filter(|line| !expected.iter().any(|known| known == line));
    let stray: Vec<&str> =
        others.filter(|line| !line.contains(" d /usr/share/man/man1/uplink-agent-")).collect();
    assert!(stray.is_empty(), "not of this package: {stray:?}");
    let scripts = said(&["rpm", "-qp", "--scripts"], &package).await;
    for script in [
        "postinstall scriptlet (using /bin/sh)",
        "preuninstall scriptlet (using /bin/sh)",
        "postuninstall scriptlet (using /bin/sh)",
    ] {
        assert!(scripts.contains(script), "no {script} in\n{scripts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rpm_package_is_installed_upgraded_during_a_run_and_erased_without_trace() {
    let (Some(old), Some(new)) = (package("rpm", VERSIONS[0]).await, package("rpm", VERSIONS[1]).await)
    else {
        return;
    };
    let Some(mut premises) = Premises::new(&["rpm"], 1_500).await else { return };
    prepare(&premises.machine, &old).await;
    let before = premises.machine.paths();
    install(&premises.machine, "-i", &old).await;
    installed_and_waiting(&premises.machine).await;
    premises.enrol().await;
    starts_confined(&mut premises).await;
    let connection = premises.jira.clone();
    premises.cluster.connect(&connection, PASSWORD, 4).await;
    upgrades_during_a_run(&mut premises, &new).await;
    is_erased(&premises.machine, &before).await;
}

async fn install(machine: &Machine, how: &str, package: &Path) {
    let path = bring(machine, package);
    machine.ok(&["rpm", how, &path]).await;
    machine.ok(&["rm", &path]).await;
}

async fn upgrades_during_a_run(premises: &mut Premises, new: &Path) {
    let changed = "# changed by its administrator\n[log]\nlevel = \"debug\"\n";
    premises.machine.sh(&format!("printf '{changed}' >/etc/uplink-agent/agent.toml")).await;
    let (run, gate) = premises.run_held().await;
    let pid = premises.machine.property("MainPID").await;
    install(&premises.machine, "-U", new).await;
    premises.online_again().await;
    gate.release();
    let machine = &premises.machine;
    assert_ne!(machine.property("MainPID").await, pid, "the old program still runs");
    assert_eq!(machine.ok(&["rpm", "-q", "--queryformat", "%{VERSION}", "uplink-agent"]).await, VERSIONS[1]);
    assert_eq!(machine.ok(&["systemctl", "is-enabled", "uplink-agent"]).await, "enabled");
    assert_eq!(machine.ok(&["cat", "/etc/uplink-agent/agent.toml"]).await, changed.trim_end());
    premises.ends_exact(&run).await;
}

/// Erasing stops the service and keeps keys and settings; what the page says removes those as well.
async fn is_erased(machine: &Machine, before: &BTreeSet<String>) {
    machine.ok(&["rpm", "-e", "uplink-agent"]).await;
    assert_eq!(machine.property("LoadState").await, "not-found");
    assert_eq!(machine.sh("pgrep uplink-agent; true").await, "");
    machine
        .ok(&["stat", "/var/lib/uplink-agent/identity.json", "/etc/uplink-agent/agent.toml.rpmsave"])
        .await;
    machine.ok(&["rm", "-r", "/var/lib/uplink-agent", "/var/log/uplink-agent", "/etc/uplink-agent"]).await;
    machine.ok(&["userdel", "uplink-agent"]).await;
    machine.ok(&["rm", "/root/token", "/root/ca.pem"]).await;
    leaves_nothing(machine, before).await;
}
