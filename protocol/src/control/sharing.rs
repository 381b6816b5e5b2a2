//! What is said when secrets are sealed again: for an agent that joined, or for new keys of the same agent.

use crate::ids::AgentId;
use crate::keys::{SealingPublicKey, SigningPublicKey};
use crate::seal::SealedSecret;
use crate::site::SiteAddress;
use serde::{Deserialize, Serialize};

/// Another agent of the same uplink, as the relay names it. What it is sealed to is decided by its fingerprint, which the premises
/// compute from the keys and have confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its id.
    pub agent_id: AgentId,
    /// Its name for people.
    pub name: String,
    /// The key that signs its handshakes.
    pub signing_key: SigningPublicKey,
    /// The key that secrets are sealed to.
    pub sealing_key: SealingPublicKey,
    /// Secrets that the asked agent can open and this one cannot.
    pub lacks: u32,
}

/// A secret of a data connection, sealed to one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSecret {
    /// The data connection.
    pub connection: String,
    /// The Jira that it is for.
    pub site: SiteAddress,
    /// The account that it is for; empty for a personal access token.
    #[serde(default)]
    pub username: String,
    /// The sealed secret.
    pub sealed: SealedSecret,
}

/// Most secrets in one message: of the longest that may be sealed, so many fit.
pub const SECRETS_PER_MESSAGE_MAX: usize = 24;
/// Most peers in one message.
pub const PEERS_PER_MESSAGE_MAX: usize = 256;
/// The name of this feature among an agent's capabilities.
pub const RESEALING: &str = "resealing";
