//! What an agent says of its keys and of secrets that it seals again: kept in order, answered when kept.

use super::recorder::Recorded;
use crate::node::Shared;
use crate::store::{Agent, PublicKeys, StoreError};
use protocol::control::{AgentMessage, ConnectionSecret, RelayMessage};
use protocol::keys::{Fingerprint, SealingPublicKey, SigningPublicKey};
use protocol::proof;

/// Keeps what the agent said. An error is a failure of the database.
pub(super) async fn keep(node: &Shared, agent_id: &str, message: AgentMessage) -> Option<Recorded> {
    let answer = match message {
        AgentMessage::OfferKeys { signing_key, sealing_key, proof } => {
            let keys = PublicKeys { signing: signing_key, sealing: sealing_key };
            if proof::check_keys(&agent_id.into(), &signing_key, &sealing_key, &proof).is_err() {
                tracing::warn!(
                    event = "keys_refused",
                    agent = agent_id,
                    "an agent offered keys that it did not prove"
                );
                return None;
            }
            offer(node, agent_id, keys).await
        }
        AgentMessage::TakeKeys { fingerprint } => take(node, agent_id, &fingerprint).await,
        AgentMessage::AskReseal { recipient } => ask(node, agent_id, &recipient).await,
        AgentMessage::Resealed { recipient, secrets } => resealed(node, agent_id, &recipient, secrets).await,
        _ => Ok(None),
    };
    match answer {
        Ok(answer) => answer.map(Recorded::Answer),
        Err(error) => Some(Recorded::Broken(error.to_string())),
    }
}

/// The other agents of the uplink.
pub(super) async fn peers(node: &Shared, agent_id: &str) -> Option<Recorded> {
    let peers = async {
        let Some(agent) = node.store.agent(agent_id).await? else { return Ok(None) };
        Ok(Some(RelayMessage::Peers { peers: node.store.peers(&agent).await? }))
    };
    let peers: Result<_, StoreError> = peers.await;
    match peers {
        Ok(answer) => answer.map(Recorded::Answer),
        Err(error) => Some(Recorded::Broken(error.to_string())),
    }
}

async fn offer(node: &Shared, agent_id: &str, keys: PublicKeys) -> Result<Option<RelayMessage>, StoreError> {
    if !node.store.offer_keys(agent_id, keys).await? {
        tracing::warn!(event = "keys_refused", agent = agent_id, "an agent offered the keys of another one");
        return Ok(None);
    }
    Ok(Some(RelayMessage::KeysKept { fingerprint: keys.fingerprint() }))
}

async fn take(
    node: &Shared,
    agent_id: &str,
    fingerprint: &Fingerprint,
) -> Result<Option<RelayMessage>, StoreError> {
    if !node.store.take_keys(agent_id, fingerprint).await? {
        tracing::warn!(event = "keys_unknown", agent = agent_id, %fingerprint, "an agent took keys that it had not offered");
        return Ok(None);
    }
    if let Some(agent) = node.store.agent(agent_id).await? {
        tracing::info!(event = "keys_changed", agent = agent_id, %fingerprint, "an agent changed its keys");
        node.uplinks.set_fingerprints(agent_id, agent.fingerprints().map(str::to_owned).collect());
        node.uplinks.announce_peers(&agent.uplink);
    }
    Ok(None)
}

async fn ask(
    node: &Shared,
    agent_id: &str,
    recipient: &Fingerprint,
) -> Result<Option<RelayMessage>, StoreError> {
    let Some(agent) = node.store.agent(agent_id).await? else { return Ok(None) };
    let Some((recipient, secrets)) = node.store.to_reseal(&agent, recipient).await? else { return Ok(None) };
    if secrets.is_empty() {
        return Ok(None);
    }
    reseal(&recipient, secrets).map(Some)
}

fn reseal(recipient: &Agent, secrets: Vec<ConnectionSecret>) -> Result<RelayMessage, StoreError> {
    let corrupt = |error: protocol::keys::KeyError| StoreError::Corrupt {
        what: "key of an agent",
        why: error.to_string(),
    };
    Ok(RelayMessage::Reseal {
        signing_key: SigningPublicKey::parse(&recipient.signing_key).map_err(corrupt)?,
        sealing_key: SealingPublicKey::parse(&recipient.sealing_key).map_err(corrupt)?,
        secrets,
    })
}

/// Keeps a message full of secrets and asks for the next one; ends when an agent seals none of what it is sent.
async fn resealed(
    node: &Shared,
    agent_id: &str,
    recipient: &Fingerprint,
    secrets: Vec<ConnectionSecret>,
) -> Result<Option<RelayMessage>, StoreError> {
    let Some(agent) = node.store.agent(agent_id).await? else { return Ok(None) };
    let Some((to, _)) = node.store.to_reseal(&agent, recipient).await? else { return Ok(None) };
    let kept = node.store.keep_resealed(&agent, &to, secrets).await?;
    tracing::info!(event = "secrets_resealed", agent = agent_id, %recipient, kept, "secrets were sealed again");
    node.wake.notify_one();
    if kept == 0 {
        return Ok(None);
    }
    let more = ask(node, agent_id, recipient).await?;
    if more.is_none() {
        node.uplinks.announce_peers(&agent.uplink);
    }
    Ok(more)
}
