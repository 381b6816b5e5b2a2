//! Leaving: the relay is told, by a signature of the key that is given up, and then every key is removed. Settings stay.

use crate::config::Config;
use crate::enrol::post;
use crate::error::Error;
use crate::identity::{Enrolment, Identity};
use crate::paths::Paths;
use crate::reach;
use crate::relay_address::RelayAddress;
use protocol::handshake::normalise_host;
use protocol::proof;
use serde_json::json;

/// What became of a farewell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The relay lets this identity in no more.
    Told,
    /// It could not be told, and why; its administrator has to remove the agent.
    NotTold(String),
}

/// Gives the identity up. Without `anyway`, nothing is removed when the relay cannot be told.
///
/// # Errors
/// When the relay cannot be told, or a file cannot be removed.
pub(crate) async fn leave(
    config: &Config,
    paths: &Paths,
    anyway: bool,
) -> Result<(Enrolment, Farewell), Error> {
    let identity = Identity::require(paths)?;
    let told = match tell(&identity, config, paths).await {
        Ok(()) => Farewell::Told,
        Err(error) if anyway => Farewell::NotTold(error.to_string()),
        Err(error) => return Err(error),
    };
    Identity::remove(paths)?;
    Ok((identity.enrolment, told))
}

async fn tell(identity: &Identity, config: &Config, paths: &Paths) -> Result<(), Error> {
    let relay = RelayAddress::parse(&identity.enrolment.relay)?;
    let authority = reach::authority(identity, config, paths)?;
    let relay_host = normalise_host(relay.host());
    let agent_id = &identity.enrolment.agent_id;
    let proof = proof::prove_leave(agent_id, &identity.seeds.signing_key()?, &relay_host);
    let body = json!({ "agent_id": agent_id, "relay_host": relay_host, "proof": proof }).to_string();
    let answer = post(&relay, &authority, config, ("/v1/leave", body.into_bytes())).await;
    let answer = answer.map_err(|error| not_told(&relay, error.to_string()))?;
    if answer.status.is_success() {
        return Ok(());
    }
    Err(not_told(&relay, format!("it answered with HTTP status {}", answer.status.as_u16())))
}

fn not_told(relay: &RelayAddress, reason: String) -> Error {
    Error::NotTold { relay: relay.to_string(), reason }
}
