//! `audit verify`, `audit tail` and `manifest verify`: what the premises can prove, offline.

use crate::audit::{self, Findings};
use crate::cli::{AuditCommand, AuditTail, AuditVerify, Common, ManifestCommand, ManifestVerify};
use crate::error::{EXIT_DONE, EXIT_FAILED, Error};
use crate::identity::Identity;
use crate::manifest::{self, JournalVerdict, Verdict};
use crate::paths::Paths;
use protocol::keys::SigningPublicKey;
use protocol::manifest::SignedManifest;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(super) fn audit(command: &AuditCommand, common: &Common, paths: &Paths) -> Result<u8, Error> {
    match command {
        AuditCommand::Verify(given) => verify(given, common, paths),
        AuditCommand::Tail(given) => tail(given, paths),
    }
}

/// Exit code 0 means intact.
fn verify(given: &AuditVerify, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let findings = audit::verify(paths, given.file.as_deref(), &mut |_, _| {})?;
    if common.json {
        println!("{}", json_of(&findings)?);
    } else {
        print_findings(&findings);
    }
    Ok(if findings.broken.is_some() { EXIT_FAILED } else { EXIT_DONE })
}

fn print_findings(findings: &Findings) {
    let moment = |at: &Option<String>| at.clone().unwrap_or_else(|| "-".to_owned());
    let last = findings.head.as_ref().map_or(0, |head| head.seq);
    match &findings.broken {
        None if findings.files == 0 => println!("There is no audit log here yet."),
        None => println!(
            "The audit log is intact: {} lines ({} to {last}) in {} files, from {} to {}.",
            findings.lines,
            findings.first.unwrap_or_default(),
            findings.files,
            moment(&findings.from),
            moment(&findings.to)
        ),
        Some(broken) => {
            println!(
                "The audit log is BROKEN at {}, line {}: {}.",
                broken.file.display(),
                broken.line,
                broken.reason
            );
            println!("The {} lines before it are intact, up to {}.", findings.lines, moment(&findings.to));
        }
    }
    if findings.torn > 0 {
        println!("{} lines were cut short by a crash and are marked as such.", findings.torn);
    }
    for (event, count) in &findings.events {
        println!("  {event}: {count}");
    }
    if let Some(head) = &findings.head {
        println!("End of the chain: line {}, {}", head.seq, head.hash);
    }
}

/// The last lines, over files.
fn tail(given: &AuditTail, paths: &Paths) -> Result<u8, Error> {
    let mut lines: Vec<String> = Vec::new();
    for path in audit::files(paths)?.iter().rev() {
        if lines.len() >= given.lines {
            break;
        }
        let mut older = last_lines(path, given.lines - lines.len())?;
        older.append(&mut lines);
        lines = older;
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(EXIT_DONE)
}

fn last_lines(path: &Path, most: usize) -> Result<Vec<String>, Error> {
    let file = std::fs::File::open(path).map_err(Error::file("open", path))?;
    let mut kept = std::collections::VecDeque::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(Error::file("read", path))?;
        if kept.len() == most {
            kept.pop_front();
        }
        kept.push_back(String::from_utf8_lossy(&line).into_owned());
    }
    Ok(kept.into())
}

pub(super) fn manifest(command: &ManifestCommand, common: &Common, paths: &Paths) -> Result<u8, Error> {
    let ManifestCommand::Verify(given) = command;
    let text = std::fs::read(&given.file).map_err(Error::file("read", &given.file))?;
    let signed: SignedManifest = serde_json::from_slice(&text).map_err(|error| Error::Manifest {
        reason: format!("{} is no signed manifest: {error}", given.file.display()),
    })?;
    let verdict = manifest::check(paths, &signed, &key(given, paths, &signed)?)?;
    if common.json {
        println!("{}", json_of(&verdict)?);
    } else {
        print_verdict(&verdict);
    }
    Ok(match verdict.journal {
        JournalVerdict::Agrees { .. } | JournalVerdict::Silent { .. } => EXIT_DONE,
        JournalVerdict::Differs { .. } | JournalVerdict::Broken(_) => EXIT_FAILED,
    })
}

/// The key that must have signed: the one given, or this agent's own, which may be the one before its last change of keys.
fn key(given: &ManifestVerify, paths: &Paths, signed: &SignedManifest) -> Result<SigningPublicKey, Error> {
    match &given.key {
        Some(text) => SigningPublicKey::parse(text).map_err(|error| Error::Usage(format!("--key: {error}"))),
        None => {
            let identity = Identity::require(paths)?;
            let former = identity.former.as_ref().map(|former| former.signing_key()).transpose()?;
            let former = former.map(|key| key.public()).filter(|key| *key == signed.signing_key);
            former.map_or_else(|| Ok(identity.seeds.signing_key()?.public()), Ok)
        }
    }
}

fn print_verdict(verdict: &Verdict) {
    let Verdict { manifest, journal } = verdict;
    println!(
        "Manifest of {} (lease {}), connection {}, {}: signed by agent {}, {}",
        manifest.run,
        manifest.lease.0,
        manifest.connection,
        manifest.site,
        manifest.agent_id,
        manifest.fingerprint
    );
    for (name, table) in &manifest.tables {
        let columns = if table.columns.is_empty() {
            String::new()
        } else {
            format!(", {} columns", table.columns.len())
        };
        println!(
            "  {name}: {} rows, {} bytes in {} parts{columns}, {}",
            table.rows, table.bytes, table.parts, table.digest
        );
    }
    println!(
        "  all: {} rows, {} bytes in {} parts",
        manifest.total.rows, manifest.total.bytes, manifest.total.parts
    );
    manifest.notes.iter().for_each(|note| println!("  policy: {note}"));
    println!("The signature is good.");
    match journal {
        JournalVerdict::Agrees { own, told: 0 } => {
            println!("The audit log agrees: {own} parts, all sent by this agent.")
        }
        JournalVerdict::Agrees { own, told } => println!(
            "The audit log agrees: {own} parts were sent by this agent, {told} by another one before, as the relay told it."
        ),
        JournalVerdict::Silent { reason } => println!("The audit log cannot tell: {reason}."),
        JournalVerdict::Differs { reason } => println!("The audit log DIFFERS: {reason}."),
        JournalVerdict::Broken(broken) => println!(
            "The audit log is BROKEN at {}, line {}: {}.",
            broken.file.display(),
            broken.line,
            broken.reason
        ),
    }
}

fn json_of(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::System { action: "write the answer as JSON", reason: error.to_string() })
}
