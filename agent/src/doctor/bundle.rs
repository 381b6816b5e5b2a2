//! The support bundle: what somebody else needs to understand an agent that does not work, and nothing that they must not have. It is
//! made of what is chosen, never of whole files: keys, passwords and Jira's data are not left out of it, they never get in. A second
//! wall ([`super::redact`]) takes out what looks like a secret anyway.

use super::redact::Redactor;
use super::report::Report;
use crate::config::{self, Config};
use crate::error::Error;
use crate::link::dial::{Endpoint, Proxies};
use crate::logs::{self, Source};
use crate::paths::Paths;
use crate::private_file::{self, Durability};
use crate::relay_address::RelayAddress;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::path::Path;

/// The folder inside the archive.
const FOLDER: &str = "uplink-agent-support";
const README: &str = "What an agent of Uplink knows of its own state, made by `uplink-agent doctor --bundle`.\n\n\
    checks.txt, checks.json  what doctor found\n\
    config.json              the configuration in force; values of secret keys are left out\n\
    status.json              the last status of the running agent; error messages of runs are left out\n\
    log.txt                  the last lines of the log file, if there is one; lines of runs are left out\n\
    system.json              versions, the state folder's files (names and modes), the proxy\n\n\
    Not in it: keys, passwords, tokens, anything that was read from Jira.\n";

/// Lines of the log that are looked at.
const LOG_LINES: usize = 500;
/// How a line of a run is known, in either form of the log.
const OF_RUNS: [&str; 2] = ["\"run\":", "run="];

/// One file of the archive.
struct Entry {
    name: &'static str,
    text: String,
}

/// Writes the bundle, readable by this user alone.
///
/// # Errors
/// When it cannot be written.
pub(crate) async fn write(file: &Path, report: &Report, paths: &Paths) -> Result<(), Error> {
    let config = config::load(&paths.config).ok();
    let log = last_log_lines(config.as_ref()).await;
    let redactor = Redactor::new(config.as_ref());
    let entries = [
        Entry { name: "README.txt", text: README.to_owned() },
        Entry { name: "checks.txt", text: redactor.text(&report.text()) },
        Entry { name: "checks.json", text: redactor.text(&report.json()?) },
        Entry { name: "config.json", text: pretty(&redactor.tree(config_in_force(paths))) },
        Entry { name: "log.txt", text: redactor.text(&log) },
        Entry { name: "status.json", text: pretty(&redactor.tree(last_status(paths))) },
        Entry { name: "system.json", text: pretty(&redactor.tree(system(paths, config.as_ref()))) },
    ];
    let unable = |error: std::io::Error| Error::System {
        action: "pack the support bundle",
        reason: error.to_string(),
    };
    let bytes = pack(&entries).map_err(unable)?;
    private_file::write(file, &bytes, Durability::Volatile)
}

fn pack(entries: &[Entry]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for Entry { name, text } in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(text.len()).unwrap_or(u64::MAX));
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(crate::clock::now_ms() / 1000).unwrap_or_default());
        archive.append_data(&mut header, format!("{FOLDER}/{name}"), text.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A file that cannot be read is said by the checks; its text stays out.
fn config_in_force(paths: &Paths) -> Value {
    config::in_force(&paths.config).unwrap_or_else(|_| json!({ "unusable": "see checks.txt" }))
}

/// The messages of runs may repeat words of Jira.
fn last_status(paths: &Paths) -> Value {
    let read = private_file::read(&paths.status()).ok().flatten();
    let mut status: Value = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    if let Some(last) = status.get_mut("last_error") {
        without_words_of_runs(last);
    }
    if let Some(earlier) = status.get_mut("earlier_errors").and_then(Value::as_array_mut) {
        earlier.iter_mut().for_each(without_words_of_runs);
    }
    status
}

fn without_words_of_runs(error: &mut Value) {
    if let Some(error) = error.as_object_mut()
        && error.get("about").and_then(Value::as_str) != Some("link")
    {
        error.remove("message");
    }
}

/// Lines of runs may repeat words of Jira. Without a file the journal has the log, which is not the agent's to copy.
async fn last_log_lines(config: Option<&Config>) -> String {
    let Some(file) = config.and_then(|config| config.log.file.get()) else {
        return "the configuration names no log file\n".to_owned();
    };
    let mut lines = Vec::new();
    match logs::follow(&Source::File(file.to_owned()), LOG_LINES, false, &mut lines).await {
        Ok(()) => String::from_utf8_lossy(&lines)
            .lines()
            .filter(|line| !OF_RUNS.iter().any(|mark| line.contains(mark)))
            .map(|line| format!("{line}\n"))
            .collect(),
        Err(error) => format!("{error}\n"),
    }
}

fn system(paths: &Paths, config: Option<&Config>) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "os": operating_system(),
        "arch": std::env::consts::ARCH,
        "state_folder": paths.state,
        "state_files": files_of(&paths.state),
        "proxy": config.map(|config| proxy(paths, config)),
    })
}

/// The proxy that the agent would use, and who names it.
fn proxy(paths: &Paths, config: &Config) -> Value {
    let relay = crate::identity::Identity::load(paths).ok().flatten();
    let relay = relay.and_then(|identity| RelayAddress::parse(&identity.enrolment.relay).ok());
    let (Some(relay), Ok(proxies)) = (relay, Proxies::load(&config.proxy)) else { return Value::Null };
    match proxies.towards(&Endpoint::relay(&relay)) {
        Some(proxy) => json!({
            "at": proxy.at.to_string(), "named_by": proxy.named_by, "with_login": proxy.login.is_some()
        }),
        None => json!("none"),
    }
}

fn files_of(folder: &Path) -> Vec<Value> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let met = entry.metadata().ok()?;
            Some((entry.file_name().to_string_lossy().into_owned(), met))
        })
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
        .iter()
        .map(|(name, met)| json!({ "name": name, "bytes": met.len(), "mode": mode_of(met) }))
        .collect()
}

#[cfg(unix)]
fn mode_of(met: &std::fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("{:04o} {}:{}", met.mode() & 0o7777, met.uid(), met.gid())
}

#[cfg(not(unix))]
fn mode_of(_: &std::fs::Metadata) -> String {
    String::new()
}

#[cfg(unix)]
fn operating_system() -> String {
    let kernel = rustix::system::uname();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let named = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let (system, version) = (kernel.sysname().to_string_lossy(), kernel.release().to_string_lossy());
    format!("{} ({system} {version})", named.unwrap_or("unknown").trim_matches('"'))
}

#[cfg(not(unix))]
fn operating_system() -> String {
    std::env::consts::OS.to_owned()
}
