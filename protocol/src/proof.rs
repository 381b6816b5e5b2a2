//! What an agent signs besides the handshake: that new keys are its own, and that it leaves. Each behind a text of its own, each
//! part with its length before it.

use crate::ids::AgentId;
use crate::keys::{KeyError, SealingPublicKey, Signature, SigningKey, SigningPublicKey};

/// Separates an offer of new keys from every other use of a key.
const KEYS_DOMAIN: &str = "uplink-keys-v1";
/// Separates a farewell from every other use of a key.
const LEAVE_DOMAIN: &str = "uplink-leave-v1";

/// Made with the new signing key: nobody can offer a key that is not his own.
pub fn prove_keys(agent_id: &AgentId, signing: &SigningKey, sealing: &SealingPublicKey) -> Signature {
    signing.sign(&joined(&[KEYS_DOMAIN.as_bytes(), agent_id.as_str().as_bytes(), &sealing.0]))
}

/// Checks what [`prove_keys`] made.
pub fn check_keys(
    agent_id: &AgentId,
    signing: &SigningPublicKey,
    sealing: &SealingPublicKey,
    proof: &Signature,
) -> Result<(), KeyError> {
    signing.verify(&joined(&[KEYS_DOMAIN.as_bytes(), agent_id.as_str().as_bytes(), &sealing.0]), proof)
}

/// Made with the agent's signing key: it gives its identity up at the relay that it dialled under this name. Said twice it means
/// the same, so it needs no nonce.
pub fn prove_leave(agent_id: &AgentId, signing: &SigningKey, relay_host: &str) -> Signature {
    signing.sign(&joined(&[LEAVE_DOMAIN.as_bytes(), agent_id.as_str().as_bytes(), relay_host.as_bytes()]))
}

/// Checks what [`prove_leave`] made.
pub fn check_leave(
    agent_id: &AgentId,
    signing: &SigningPublicKey,
    relay_host: &str,
    proof: &Signature,
) -> Result<(), KeyError> {
    let signed = joined(&[LEAVE_DOMAIN.as_bytes(), agent_id.as_str().as_bytes(), relay_host.as_bytes()]);
    signing.verify(&signed, proof)
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_its_key_agent_and_purpose_only() {
        let (own, other) =
            (SigningKey::from_seed(&[1; 32]).unwrap(), SigningKey::from_seed(&[2; 32]).unwrap());
        let (agent, sealing) = (AgentId::from("agent_1"), SealingPublicKey([3; 32]));
        let proof = prove_keys(&agent, &own, &sealing);
        assert!(check_keys(&agent, &own.public(), &sealing, &proof).is_ok());
        assert!(check_keys(&agent, &other.public(), &sealing, &proof).is_err());
        assert!(check_keys(&AgentId::from("agent_2"), &own.public(), &sealing, &proof).is_err());
        assert!(check_keys(&agent, &own.public(), &SealingPublicKey([4; 32]), &proof).is_err());

        let farewell = prove_leave(&agent, &own, "relay");
        assert!(check_leave(&agent, &own.public(), "relay", &farewell).is_ok());
        assert!(check_leave(&agent, &own.public(), "other", &farewell).is_err());
        assert!(check_leave(&agent, &own.public(), "relay", &proof).is_err());
    }
}
