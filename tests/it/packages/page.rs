//! `docs/install-agent.md`, followed word for word by somebody who knows nothing else: each command of a section is typed on a fresh
//! system, in order, and prints what the page says. `UPLINK_UPDATE_DOCS=1` writes what was printed into the page.

mod transcript;

use super::{Machine, Premises, VERSIONS, leaves_nothing, package, rpm};
use std::collections::BTreeSet;
use std::time::Duration;
use tests::cluster::PASSWORD;
pub(super) use transcript::{Step, outlines_agree, record, shown, steps, updating};

/// What a command of the page shows may come a moment later: the link is dialled, a status is written.
const SETTLED: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(200);
/// What a newcomer types in the folder where the files lie, as root at a terminal.
const AS_TYPED: &str = "cd /root && exec 2>&1; ";

#[tokio::test(flavor = "multi_thread")]
async fn the_section_for_debian_is_true_word_for_word() {
    let (Some(old), Some(new)) = (package("deb", VERSIONS[0]).await, package("deb", VERSIONS[1]).await)
    else {
        return;
    };
    let Some(mut premises) = Premises::new(&[], 40).await else { return };
    let before = premises.machine.paths();
    rpm::bring(&premises.machine, &old);
    rpm::bring(&premises.machine, &new);
    follow(&mut premises, "On Debian and Ubuntu").await;
    leaves_the_downloads_alone(&premises.machine, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_section_for_rpm_is_true_word_for_word() {
    let (Some(old), Some(new)) = (package("rpm", VERSIONS[0]).await, package("rpm", VERSIONS[1]).await)
    else {
        return;
    };
    let Some(mut premises) = Premises::new(&["rpm"], 40).await else { return };
    rpm::prepare(&premises.machine, &old).await;
    let before = premises.machine.paths();
    rpm::bring(&premises.machine, &old);
    rpm::bring(&premises.machine, &new);
    follow(&mut premises, "On Fedora, RHEL and their kin").await;
    leaves_the_downloads_alone(&premises.machine, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_section_for_the_tarball_is_true_word_for_word() {
    let Some(tarball) = package("tarball", VERSIONS[0]).await else { return };
    let Some(mut premises) = Premises::new(&[], 40).await else { return };
    let before = premises.machine.paths();
    rpm::bring(&premises.machine, &tarball);
    follow(&mut premises, "Without a package").await;
    leaves_the_downloads_alone(&premises.machine, &before).await;
}

/// What a person brought to the machine stays in their folder; nothing else does.
async fn leaves_the_downloads_alone(machine: &Machine, before: &BTreeSet<String>) {
    machine.sh("rm -rf /root/*").await;
    leaves_nothing(machine, before).await;
}

/// Types each command of the section. As soon as the agent is linked, a run through it lands what Jira holds.
async fn follow(premises: &mut Premises, section: &str) {
    premises.hand_over().await;
    let (mut typed, mut extracted) = (Vec::new(), false);
    for step in steps(section) {
        if settled(premises).await && !extracted {
            extracted = true;
            let jira = premises.jira.clone();
            premises.cluster.connect(&jira, PASSWORD, 2).await;
            let run = premises.cluster.extract(&["--full", "--tables", "issues,projects"]).await;
            let ended = premises.cluster.ended(&run).await;
            assert_eq!(ended["state"], "succeeded", "{ended:#}");
        }
        let printed = prints_what_the_page_says(&premises.machine, &step).await;
        typed.push(Step { printed, ..step });
    }
    assert!(extracted, "`{section}` never came to a linked agent");
    record(section, typed);
}

/// A person looks after the machine has settled: where the service runs, its link is up. Whether it is.
async fn settled(premises: &Premises) -> bool {
    let active = premises.machine.run(&["systemctl", "is-active", "uplink-agent"]).await;
    if active.stdout.trim() != "active" {
        return false;
    }
    premises.machine.property_becomes("StatusText", |text| text.starts_with("Linked to https://")).await;
    true
}

async fn prints_what_the_page_says(machine: &Machine, step: &Step) -> Vec<String> {
    let asked = async {
        loop {
            let printed = machine.run(&["sh", "-c", &format!("{AS_TYPED}{}", step.command)]).await;
            let lines = shown(&printed.stdout);
            let as_said = printed.code == 0 && (updating() || outlines_agree(&step.printed, &lines));
            // Only a question can be asked again.
            if as_said || !step.command.contains(" status") {
                return (as_said, lines);
            }
            // `status` answers once; nothing tells when it will answer otherwise.
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    let (as_said, lines) = tokio::time::timeout(SETTLED, asked).await.unwrap_or_default();
    assert!(
        as_said,
        "`{}` printed\n{}\nbut the page says\n{}",
        step.command,
        lines.join("\n"),
        step.printed.join("\n")
    );
    lines
}

/// The page shows what to type into the editor that `systemctl edit` opens, so that the agent reaches named addresses alone: systemd takes
/// it as it stands.
pub(super) async fn takes_the_addresses_of_the_page(machine: &Machine) {
    let steps = steps("What the service may do");
    let [step] = steps.as_slice() else { panic!("more than one command: {steps:?}") };
    machine.write("root/typed", &(step.printed.join("\n") + "\n"));
    machine.write("root/editor", "#!/bin/sh\ncat /root/typed >\"$1\"\n");
    machine.ok(&["chmod", "0700", "/root/editor"]).await;
    machine.ok(&["env", "SYSTEMD_EDITOR=/root/editor", "script", "-qec", &step.command, "/dev/null"]).await;
    let allowed = machine.property("IPAddressAllow").await;
    let last = step.printed.last().and_then(|line| line.strip_prefix("IPAddressAllow=")).unwrap();
    let wanted: BTreeSet<String> = last.split(' ').map(|address| format!("{address}/32")).collect();
    assert_eq!(allowed.split(' ').map(str::to_owned).collect::<BTreeSet<String>>(), wanted);
    machine.sh("rm -r /root/editor /root/typed /etc/systemd/system/uplink-agent.service.d; systemctl daemon-reload").await;
}
