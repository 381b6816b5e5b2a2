//! What a run states at its end: the signed manifest for the relay and the customer, and its last line in the audit log.

use super::{End, Order, Running, broken};
use crate::audit::{Audit, Entry};
use crate::clock;
use protocol::ids::{Lease, RunId};
use protocol::manifest::{AuditHead, MANIFEST_VERSION, Manifest, SignedManifest};

/// Decisions of the policy that a manifest repeats; an extraction meets a handful.
const NOTES_MAX: usize = 100;
/// Names of parts in one line of the audit log.
const NAMES_A_LINE: usize = 1000;

/// What the manifest says of the run's beginning.
pub(super) struct About {
    connection: String,
    site: String,
    started_ms: i64,
}

impl About {
    pub(super) fn of(order: &Order) -> Self {
        Self {
            connection: order.connection.clone(),
            site: order.site.base_url.to_string(),
            started_ms: clock::now_ms(),
        }
    }
}

impl Running {
    /// The signed manifest; its parts are named in the audit log.
    pub(super) fn manifest(&self, requests: u64) -> Result<SignedManifest, End> {
        let (tables, total) = self.tally.count();
        let head = self.shared.audit.state().borrow().head.clone();
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            run: self.run.clone(),
            lease: self.lease,
            agent_id: self.shared.signer.agent_id.clone(),
            fingerprint: self.shared.signer.fingerprint.clone(),
            connection: self.about.connection.clone(),
            site: self.about.site.clone(),
            started_ms: self.about.started_ms,
            finished_ms: clock::now_ms(),
            tables,
            total,
            resumed_parts: u64::try_from(self.tally.resumed().len()).unwrap_or(u64::MAX),
            policy: None,
            notes: self.decisions.iter().take(NOTES_MAX).map(|decision| decision.message.clone()).collect(),
            requests,
            audit: AuditHead { seq: head.seq, hash: head.hash.to_string() },
        };
        let signed =
            self.shared.signer.sign(&manifest).map_err(|error| End::Failed(broken(&error.to_string())))?;
        let (names, sha256) = (self.tally.names(), signed.digest());
        let lines = names.len().div_ceil(NAMES_A_LINE).max(1);
        for line in 0..lines {
            let parts = names.iter().skip(line * NAMES_A_LINE).take(NAMES_A_LINE).cloned().collect();
            let (run, lease, sha256) = (self.run.to_string(), self.lease.0, sha256.clone());
            let signed = Entry::ManifestSigned { run, lease, sha256, parts };
            self.shared.audit.note(signed).map_err(|full| End::Failed(full.failure()))?;
        }
        Ok(signed)
    }
}

/// Writes the last line of a run, also when the run is dropped in the middle.
pub(super) struct Ended {
    audit: Audit,
    run: RunId,
    lease: Lease,
    outcome: &'static str,
    code: Option<String>,
}

impl Ended {
    pub(super) fn new(audit: &Audit, run: &RunId, lease: Lease) -> Self {
        Self { audit: audit.clone(), run: run.clone(), lease, outcome: "dropped", code: None }
    }

    pub(super) fn finished(&mut self) {
        self.outcome = "finished";
    }

    pub(super) fn failed(&mut self, code: &str) {
        self.outcome = "failed";
        self.code = Some(code.to_owned());
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.audit.note_done(Entry::RunEnded {
            run: self.run.to_string(),
            lease: self.lease.0,
            outcome: self.outcome,
            code: self.code.take(),
        });
    }
}
