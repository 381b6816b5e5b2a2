//! The Debian package, from the installation to the purge, and after it the service on the same system without a package.

use super::{
    Machine, Premises, VERSIONS, installed_and_waiting, leaves_nothing, package, page, starts_confined,
};
use std::collections::BTreeSet;
use std::path::Path;
use tests::cluster::{Binaries, PASSWORD};

async fn install(machine: &Machine, package: &Path) -> String {
    std::fs::copy(package, machine.root().join("root/uplink-agent.deb")).unwrap();
    let said = machine.ok(&["dpkg", "-i", "/root/uplink-agent.deb"]).await;
    machine.ok(&["rm", "/root/uplink-agent.deb"]).await;
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_debian_package_lives_through_everything_and_leaves_without_trace() {
    let (Some(old), Some(new)) = (package("deb", VERSIONS[0]).await, package("deb", VERSIONS[1]).await)
    else {
        return;
    };
    let Some(mut premises) = Premises::new(&[], 1_500).await else { return };
    let before = premises.machine.paths();
    install(&premises.machine, &old).await;
    installed_and_waiting(&premises.machine).await;
    premises.enrol().await;
    starts_confined(&mut premises).await;
    page::takes_the_addresses_of_the_page(&premises.machine).await;
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
    assert_eq!(
        premises.machine.ok(&["dpkg-query", "-W", "-f", "${Version}", "uplink-agent"]).await,
        VERSIONS[1]
    );
    premises.ends_exact(&run).await;
}

async fn leaves_no_trace(machine: &Machine, before: &BTreeSet<String>) {
    machine
        .ok(&["rm", "-r", "/etc/systemd/system/uplink-agent.service.d", "/root/token", "/root/ca.pem"])
        .await;
    machine.ok(&["dpkg", "-P", "uplink-agent"]).await;
    leaves_nothing(machine, before).await;
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
    leaves_nothing(machine, &before).await;
}
