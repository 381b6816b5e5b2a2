//! Checks a manifest offline: whether this agent's key signed it, and whether it says what the audit log says.

use crate::audit::{self, Broken, Head};
use crate::error::Error;
use crate::paths::Paths;
use protocol::ids::RunId;
use protocol::keys::SigningPublicKey;
use protocol::manifest::{self, Manifest, PartFacts, SignedManifest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    /// The manifest, signed by the expected key.
    pub(crate) manifest: Manifest,
    /// What the audit log says of it.
    pub(crate) journal: JournalVerdict,
}

/// What the audit log says of a manifest.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum JournalVerdict {
    /// Every part, row and byte, and the end of the log at that time.
    Agrees {
        /// Parts that this agent sent itself.
        own: u64,
        /// Parts that another agent sent before; the log has them as the relay told them.
        told: u64,
    },
    /// It says something else.
    Differs {
        /// What.
        reason: String,
    },
    /// It does not reach back to the run, or belongs to another agent.
    Silent {
        /// What is missing.
        reason: String,
    },
    /// The log itself is broken.
    Broken(Broken),
}

/// What every line about a run has.
#[derive(Deserialize)]
struct Line {
    event: String,
    run: RunId,
}

/// A line about a manifest.
#[derive(Deserialize)]
struct SignedLine {
    sha256: String,
    parts: Vec<String>,
}

/// What the log says of one run.
#[derive(Default)]
struct Account {
    landed: BTreeMap<String, PartFacts>,
    told: BTreeMap<String, PartFacts>,
    /// The parts of the manifest, by the digest of its text.
    signed: BTreeMap<String, Vec<String>>,
    contradiction: Option<String>,
}

/// Checks a manifest against the key and the audit log of the state folder.
///
/// # Errors
/// When the signature is not good, or the audit log cannot be read.
pub(crate) fn check(
    paths: &Paths,
    signed: &SignedManifest,
    key: &SigningPublicKey,
) -> Result<Verdict, Error> {
    let manifest = signed.verify(key).map_err(|error| Error::Manifest { reason: error.to_string() })?;
    let mut account = Account::default();
    let mut head_met = None;
    let findings = audit::verify(paths, None, &mut |head: &Head, body: &str| {
        if head.seq == manifest.audit.seq {
            head_met = Some(head.hash.to_string() == manifest.audit.hash);
        }
        account.add(&manifest.run, body);
    })?;
    let journal = match (findings.broken, head_met) {
        (Some(broken), _) => JournalVerdict::Broken(broken),
        (None, Some(false)) => JournalVerdict::Differs {
            reason: format!(
                "line {} of the audit log is not the one that the manifest names",
                manifest.audit.seq
            ),
        },
        (None, Some(true)) => account.judge(&manifest, &signed.digest()),
        (None, None) => JournalVerdict::Silent {
            reason: format!(
                "the audit log has lines {} to {}, and the manifest names line {}",
                findings.first.unwrap_or_default(),
                findings.head.map_or(0, |head| head.seq),
                manifest.audit.seq
            ),
        },
    };
    Ok(Verdict { manifest, journal })
}

impl Account {
    fn add(&mut self, run: &RunId, body: &str) {
        if !body.contains(run.as_str()) {
            return;
        }
        let Ok(line) = serde_json::from_str::<Line>(body) else { return };
        if line.run != *run {
            return;
        }
        match line.event.as_str() {
            "part_landed" | "part_resumed" => {
                if let Ok(facts) = serde_json::from_str::<PartFacts>(body) {
                    self.keep(facts, line.event == "part_landed");
                }
            }
            "manifest_signed" => {
                if let Ok(line) = serde_json::from_str::<SignedLine>(body) {
                    self.signed.entry(line.sha256).or_default().extend(line.parts);
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, facts: PartFacts, own: bool) {
        let (kept, other) = if own { (&mut self.landed, &self.told) } else { (&mut self.told, &self.landed) };
        if other.get(facts.part.0.as_str()).is_some_and(|known| *known != facts) {
            let text = format!("part {} was landed otherwise than the relay told it later", facts.part);
            self.contradiction.get_or_insert(text);
        }
        kept.insert(facts.part.0.clone(), facts);
    }

    fn judge(&self, manifest: &Manifest, digest: &str) -> JournalVerdict {
        if let Some(reason) = &self.contradiction {
            return JournalVerdict::Differs { reason: reason.clone() };
        }
        let Some(names) = self.signed.get(digest) else {
            let reason = format!("the audit log knows no such manifest of {}", manifest.run);
            return JournalVerdict::Differs { reason };
        };
        let (mut facts, mut own) = (Vec::new(), 0);
        for name in names {
            own += u64::from(self.landed.contains_key(name));
            match self.landed.get(name).or_else(|| self.told.get(name)) {
                Some(part) => facts.push(part),
                None => {
                    let reason = format!("the audit log does not hold part {name} any more");
                    return JournalVerdict::Silent { reason };
                }
            }
        }
        let told = u64::try_from(facts.len()).unwrap_or(u64::MAX) - own;
        let (tables, total) = manifest::count(facts);
        if total != manifest.total {
            let reason = format!(
                "the audit log has {} rows in {} parts, the manifest {} rows in {} parts",
                total.rows, total.parts, manifest.total.rows, manifest.total.parts
            );
            return JournalVerdict::Differs { reason };
        }
        let differs = tables.iter().find(|(name, table)| {
            manifest
                .tables
                .get(*name)
                .is_none_or(|signed| signed.digest != table.digest || signed.rows != table.rows)
        });
        match differs {
            Some((name, _)) => {
                JournalVerdict::Differs { reason: format!("table {name} has other parts in the audit log") }
            }
            None => JournalVerdict::Agrees { own, told },
        }
    }
}
