//! Signs manifests with the key of the agent's identity.

use crate::error::Error;
use crate::identity::Identity;
use protocol::ids::AgentId;
use protocol::keys::{Fingerprint, SigningKey};
use protocol::manifest::{Manifest, ManifestError, SignedManifest};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Who signs.
pub(crate) struct Signer {
    key: SigningKey,
    /// The agent.
    pub(crate) agent_id: AgentId,
    /// Its keys in short.
    pub(crate) fingerprint: Fingerprint,
}

impl Signer {
    /// The signer of an identity.
    ///
    /// # Errors
    /// When its seeds make no keys.
    pub(crate) fn new(identity: &Identity) -> Result<Self, Error> {
        Ok(Self {
            key: identity.seeds.signing_key()?,
            agent_id: identity.enrolment.agent_id.clone(),
            fingerprint: identity.seeds.fingerprint()?,
        })
    }

    /// Signs a manifest.
    ///
    /// # Errors
    /// When it has no JSON.
    pub(crate) fn sign(&self, manifest: &Manifest) -> Result<SignedManifest, ManifestError> {
        SignedManifest::sign(manifest, &self.key)
    }
}

/// The signer of the keys that the agent has now. A run keeps the one that it began with.
pub(crate) struct CurrentSigner(Mutex<Arc<Signer>>);

impl CurrentSigner {
    /// Begins with the keys of an identity.
    ///
    /// # Errors
    /// When its seeds make no keys.
    pub(crate) fn new(identity: &Identity) -> Result<Self, Error> {
        Ok(Self(Mutex::new(Arc::new(Signer::new(identity)?))))
    }

    /// Who signs now.
    pub(crate) fn now(&self) -> Arc<Signer> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The agent has other keys.
    ///
    /// # Errors
    /// When its seeds make no keys.
    pub(crate) fn change(&self, identity: &Identity) -> Result<(), Error> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Signer::new(identity)?);
        Ok(())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.agent_id)
    }
}
