//! The manifest of a run: what left the premises, signed by the agent that sent it, so that the customer can hold it against what the
//! cloud shows. It travels as text that nobody writes anew: the signature covers the text as it stands.
//!
//! The digest of a table is SHA-256 over one line for each of its parts, in the order of their names: name, table, generation, rows, bytes
//! and SHA-256 of the Parquet file, separated by blanks and ended by a line feed. The digest of the run is the same over all parts.

use crate::ids::{AgentId, Lease, PartId, RunId};
use crate::keys::{Fingerprint, KeyError, Signature, SigningKey, SigningPublicKey};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Separates these signatures from every other use of the key.
const DOMAIN: &str = "uplink-manifest-v1";
/// Version of the text.
pub const MANIFEST_VERSION: u32 = 1;

/// What a run took from the premises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this text.
    pub version: u32,
    /// The run.
    pub run: RunId,
    /// The lease under which it ended.
    pub lease: Lease,
    /// The agent that signs.
    pub agent_id: AgentId,
    /// Its keys in short.
    pub fingerprint: Fingerprint,
    /// The data connection, as the relay calls it.
    pub connection: String,
    /// The Jira that was read.
    pub site: String,
    /// When the agent began with this lease, UTC milliseconds by its own clock.
    pub started_ms: i64,
    /// When everything was acknowledged.
    pub finished_ms: i64,
    /// By table; `_replaced` holds the ids of rows that a later generation replaces.
    pub tables: BTreeMap<String, ManifestTable>,
    /// Over all tables.
    pub total: ManifestTotal,
    /// How many of the parts were acknowledged under an earlier lease; what they are is taken from the run's checkpoint.
    #[serde(default)]
    pub resumed_parts: u64,
    /// Fingerprint of the premises' policy that was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What the policy took out, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Requests to Jira under this lease.
    pub requests: u64,
    /// The end of the agent's audit log when the manifest was made.
    pub audit: AuditHead,
}

/// One table of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestTable {
    /// Rows in its parts.
    pub rows: u64,
    /// Bytes of its parts.
    pub bytes: u64,
    /// Its parts.
    pub parts: u64,
    /// Names of its columns; left out where they are too many for a message, and for parts of an earlier lease.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Digest over its parts, lower-case hex.
    pub digest: String,
}

/// All tables of a manifest together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestTotal {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Parts.
    pub parts: u64,
    /// Digest over all parts, lower-case hex.
    pub digest: String,
}

/// The end of an audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Number of the last line.
    pub seq: u64,
    /// Its hash, lower-case hex.
    pub hash: String,
}

/// A part as a manifest counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFacts {
    /// Its name.
    pub part: PartId,
    /// Its table.
    pub table: String,
    /// Its generation.
    pub generation: u32,
    /// Its rows.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, lower-case hex.
    pub sha256: String,
}

/// A manifest and who signed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignedManifest {
    /// The manifest as JSON text, exactly as it was signed.
    pub manifest: String,
    /// The key that signed it.
    pub signing_key: SigningPublicKey,
    /// Ed25519 over `uplink-manifest-v1`, a line feed and the text.
    pub signature: Signature,
}

/// Why a manifest proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not signed by that key, or changed since.
    #[error("the manifest is not what its key signed: {0}")]
    Signature(#[from] KeyError),
    /// Signed by another key than the one expected.
    #[error("the manifest was signed by the key {met}, not by {expected}")]
    OtherKey {
        /// The key that it names.
        met: SigningPublicKey,
        /// The key that should have signed.
        expected: SigningPublicKey,
    },
    /// The text is no manifest.
    #[error("the signed text is no manifest of this version: {0}")]
    Text(String),
}

impl SignedManifest {
    /// Signs a manifest.
    ///
    /// # Errors
    /// When it has no JSON.
    pub fn sign(manifest: &Manifest, key: &SigningKey) -> Result<Self, ManifestError> {
        let text = serde_json::to_string(manifest).map_err(|error| ManifestError::Text(error.to_string()))?;
        let signature = key.sign(signed_bytes(&text).as_bytes());
        Ok(Self { manifest: text, signing_key: key.public(), signature })
    }

    /// Checks the signature against the key that should have signed, and reads the manifest.
    ///
    /// # Errors
    /// When another key signed, the text was changed, or it is no manifest.
    pub fn verify(&self, expected: &SigningPublicKey) -> Result<Manifest, ManifestError> {
        if self.signing_key != *expected {
            return Err(ManifestError::OtherKey { met: self.signing_key, expected: *expected });
        }
        expected.verify(signed_bytes(&self.manifest).as_bytes(), &self.signature)?;
        let manifest: Manifest = serde_json::from_str(&self.manifest)
            .map_err(|error| ManifestError::Text(crate::error::json_reason(&error)))?;
        if manifest.version != MANIFEST_VERSION {
            return Err(ManifestError::Text(format!("its version is {}", manifest.version)));
        }
        Ok(manifest)
    }

    /// SHA-256 of the signed text, lower-case hex.
    pub fn digest(&self) -> String {
        let mut digest = Context::new(&SHA256);
        digest.update(self.manifest.as_bytes());
        hex(digest)
    }
}

/// Counts parts, in the order of their names, into the tables and the total of a manifest.
pub fn count<'a>(
    parts: impl IntoIterator<Item = &'a PartFacts>,
) -> (BTreeMap<String, ManifestTable>, ManifestTotal) {
    let mut sorted: Vec<&PartFacts> = parts.into_iter().collect();
    sorted.sort_by(|a, b| a.part.cmp(&b.part));
    let (mut tables, mut total) =
        (BTreeMap::<String, (ManifestTable, Context)>::new(), ManifestTotal::default());
    let mut whole = Context::new(&SHA256);
    for part in sorted {
        let line = format!(
            "{} {} {} {} {} {}\n",
            part.part, part.table, part.generation, part.rows, part.bytes, part.sha256
        );
        whole.update(line.as_bytes());
        let fresh = || (ManifestTable::default(), Context::new(&SHA256));
        let (table, digest) = tables.entry(part.table.clone()).or_insert_with(fresh);
        digest.update(line.as_bytes());
        table.rows += part.rows;
        table.bytes += part.bytes;
        table.parts += 1;
        total.rows += part.rows;
        total.bytes += part.bytes;
        total.parts += 1;
    }
    total.digest = hex(whole);
    let tables = tables
        .into_iter()
        .map(|(name, (table, digest))| (name, ManifestTable { digest: hex(digest), ..table }))
        .collect();
    (tables, total)
}

fn signed_bytes(text: &str) -> String {
    format!("{DOMAIN}\n{text}")
}

fn hex(digest: Context) -> String {
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SealingPublicKey;

    fn part(n: u64, table: &str) -> PartFacts {
        PartFacts {
            part: PartId::new(Lease(1), n),
            table: table.to_owned(),
            generation: 0,
            rows: n,
            bytes: 10 * n,
            sha256: format!("{n:064x}"),
        }
    }

    fn manifest(key: &SigningKey) -> Manifest {
        let parts = [part(1, "issues"), part(2, "issues"), part(3, "users")];
        let (tables, total) = count(&parts);
        Manifest {
            version: MANIFEST_VERSION,
            run: "run_1".into(),
            lease: Lease(1),
            agent_id: "agent_1".into(),
            fingerprint: Fingerprint::of(&key.public(), &SealingPublicKey([2; 32])),
            connection: "jira".to_owned(),
            site: "https://jira.corp.example".to_owned(),
            started_ms: 1,
            finished_ms: 2,
            tables,
            total,
            resumed_parts: 0,
            policy: None,
            notes: Vec::new(),
            requests: 9,
            audit: AuditHead { seq: 7, hash: "ab".to_owned() },
        }
    }

    #[test]
    fn a_signed_manifest_is_read_back_with_its_key_only() {
        let (ours, other) =
            (SigningKey::from_seed(&[1; 32]).unwrap(), SigningKey::from_seed(&[2; 32]).unwrap());
        let made = manifest(&ours);
        let signed = SignedManifest::sign(&made, &ours).unwrap();
        let text = serde_json::to_string(&signed).unwrap();
        let back: SignedManifest = serde_json::from_str(&text).unwrap();
        assert_eq!(back.verify(&ours.public()), Ok(made));
        assert!(matches!(back.verify(&other.public()), Err(ManifestError::OtherKey { .. })));
        let claimed = SignedManifest { signing_key: other.public(), ..back };
        assert!(matches!(claimed.verify(&other.public()), Err(ManifestError::Signature(_))));
    }

    #[test]
    fn a_changed_figure_breaks_the_signature() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let mut signed = SignedManifest::sign(&manifest(&key), &key).unwrap();
        signed.manifest = signed.manifest.replacen("\"rows\":3", "\"rows\":4", 1);
        assert!(matches!(signed.verify(&key.public()), Err(ManifestError::Signature(_))));
    }

    #[test]
    fn a_handshake_signature_is_none_of_a_manifest() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let mut signed = SignedManifest::sign(&manifest(&key), &key).unwrap();
        signed.signature = key.sign(signed.manifest.as_bytes());
        assert!(signed.verify(&key.public()).is_err(), "a signature without the domain was taken");
    }

    #[test]
    fn counting_does_not_depend_on_the_order_and_notices_every_difference() {
        let parts = [part(1, "issues"), part(2, "issues"), part(3, "users")];
        let reversed: Vec<_> = parts.iter().rev().cloned().collect();
        assert_eq!(count(&parts), count(&reversed));
        let (tables, total) = count(&parts);
        assert_eq!((total.rows, total.bytes, total.parts, tables["issues"].rows), (6, 60, 3, 3));
        for n in 0..parts.len() {
            let mut other = parts.clone();
            other[n].sha256 = "f".repeat(64);
            assert_ne!(count(&other).1.digest, total.digest);
        }
        assert_ne!(count(&parts[..2]).1.digest, total.digest);
    }
}
