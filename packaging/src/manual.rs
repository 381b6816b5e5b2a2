//! Manual pages: one for the program, one for each of its commands.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;
use std::path::Path;

/// What the program's page says beyond its flags: name and meaning.
const FILES: [(&str, &str); 5] = [
    (
        "/etc/uplink-agent/agent.toml",
        "The configuration; `uplink-agent config defaults` prints every key with its meaning.",
    ),
    (
        "/etc/uplink-agent/credentials/",
        "Secrets that stay on the premises, readable by root alone; the service receives each FILE as the credential uplink_FILE.",
    ),
    (
        "/var/lib/uplink-agent/",
        "The agent's identity, what it may read, and its status; never data of Jira. Mode 0700.",
    ),
    (
        "/usr/lib/systemd/system/uplink-agent.service",
        "The service; change it with `systemctl edit uplink-agent`.",
    ),
    ("journalctl -u uplink-agent", "The log of the service."),
];
const EXIT: [(&str, &str); 3] = [
    ("0", "Done."),
    ("1", "Failed; the reason is on standard error."),
    ("2", "Wrong use or configuration; nothing was done."),
];

/// Writes `uplink-agent.1` and a page for each command.
pub(crate) fn write(command: &Command, folder: &Path) -> io::Result<()> {
    let name = command.get_name().to_owned();
    page(command.clone().display_name(&name), &name, folder, true)
}

fn page(command: Command, name: &str, folder: &Path, whole: bool) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone())
        .manual("Uplink")
        .source(format!("uplink-agent {}", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text)?;
    if whole {
        further_sections().to_writer(&mut text)?;
    } else {
        see_also().to_writer(&mut text)?;
    }
    std::fs::write(folder.join(format!("{name}.1")), text)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let sub_name = format!("{name}-{}", sub.get_name());
        page(sub.clone().display_name(&sub_name), &sub_name, folder, false)?;
    }
    Ok(())
}

fn further_sections() -> Roff {
    let mut roff = Roff::new();
    list(&mut roff, "FILES", &FILES);
    list(&mut roff, "EXIT STATUS", &EXIT);
    roff.control("SH", ["ENVIRONMENT"]);
    roff.text([roman(
        "Every key of the configuration can be given as a variable: UPLINK_AGENT_ and the key in capitals, with two underscores between section and key.",
    )]);
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("systemctl"), roman("(1), "), bold("journalctl"), roman("(1)")]);
    roff
}

fn see_also() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("uplink-agent"), roman("(1)")]);
    roff
}

fn list(roff: &mut Roff, title: &str, items: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (name, meaning) in items {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*meaning)]);
    }
}
