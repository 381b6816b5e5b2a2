//! Whether an agent may come in: its key, its right, and whether it is the only holder of its identity.

use super::accept::Refusal;
use crate::clock;
use crate::node::Node;
use crate::store::{Admission, Agent, Holder, Presentation, Stopped};
use aws_lc_rs::rand;
use protocol::handshake::{ClaimedHello, HandshakeError, VerifiedAgent};
use protocol::keys::SigningPublicKey;
use protocol::ticket::{TICKET_BYTES, TICKETS, Ticket};
use std::net::SocketAddr;

/// An agent that may come in.
pub(super) struct Admitted {
    pub(super) agent: Agent,
    pub(super) verified: VerifiedAgent,
    /// The ticket to give it; it gets no work before it has stored it.
    pub(super) ticket: Option<Ticket>,
}

/// The address from which a request came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Checks a hello from the key to the ticket.
pub(super) async fn admit(
    node: &Node,
    claimed: ClaimedHello,
    peer: Option<Peer>,
) -> Result<Admitted, Refusal> {
    let (agent, verified) = prove(node, claimed).await?;
    if agent.revoked_ms.is_some() {
        return Err(HandshakeError::Revoked { agent_id: verified.hello.agent_id }.into());
    }
    let holder = Holder {
        boot_id: verified.hello.boot_id.clone(),
        address: peer.map(|peer| peer.0.ip().to_string()).unwrap_or_default(),
        version: verified.hello.version.clone(),
        at_ms: clock::now_ms(),
    };
    let shown = Presentation {
        agent_id: &agent.agent_id,
        ticket: verified.hello.ticket.as_ref(),
        keeps_tickets: verified.can(TICKETS),
        holder,
    };
    match node.store.present_ticket(shown, random()?).await.map_err(internal)? {
        Admission::Welcome(ticket) => Ok(Admitted { agent, verified, ticket }),
        Admission::Stopped { why, now } => {
            if now {
                raise_alarm(node, &agent, &why);
            }
            Err(HandshakeError::Cloned { agent_id: verified.hello.agent_id }.into())
        }
    }
}

/// The agent as it is enrolled, once it has proven its key. Only then is anything told of it: a stranger learns nothing.
async fn prove(node: &Node, claimed: ClaimedHello) -> Result<(Agent, VerifiedAgent), Refusal> {
    let agent_id = claimed.agent_id().clone();
    let agent = enrolled(node, agent_id.as_str()).await?;
    let agent = agent.ok_or(HandshakeError::UnknownAgent { agent_id })?;
    let mut keys = vec![SigningPublicKey::parse(&agent.signing_key).map_err(internal)?];
    keys.extend(agent.next_keys.map(|next| next.signing));
    let (verified, signer) = claimed.verify_any(&keys, &node.names)?;
    let taken = agent.next_keys.filter(|next| next.signing == signer);
    let Some(taken) = taken else { return Ok((agent, verified)) };
    // It uses the keys that it offered: from now on the older ones are void.
    node.store.take_keys(&agent.agent_id, &taken.fingerprint()).await.map_err(internal)?;
    let agent_id = verified.hello.agent_id.clone();
    let agent = enrolled(node, agent_id.as_str()).await?.ok_or(HandshakeError::UnknownAgent { agent_id })?;
    Ok((agent, verified))
}

/// The agent of this id.
pub(super) async fn enrolled(node: &Node, agent_id: &str) -> Result<Option<Agent>, Refusal> {
    node.store.agent(agent_id).await.map_err(internal)
}

/// Random bytes for a ticket.
pub(super) fn random() -> Result<[u8; TICKET_BYTES], Refusal> {
    let mut bytes = [0; TICKET_BYTES];
    rand::fill(&mut bytes).map_err(|_| Refusal::Internal("the system gave no random bytes".to_owned()))?;
    Ok(bytes)
}

/// Both are stopped: the one at the door is refused, the one inside is cut.
fn raise_alarm(node: &Node, agent: &Agent, why: &Stopped) {
    tracing::error!(
        event = "agent_cloned",
        agent = agent.agent_id,
        name = agent.name,
        uplink = agent.uplink,
        reason = why.reason,
        first_address = why.first.address,
        first_boot = why.first.boot_id,
        second_address = why.second.address,
        second_boot = why.second.boot_id,
        "two machines hold the identity of this agent; both are stopped until somebody acts"
    );
    node.uplinks.cut_clones(&agent.agent_id);
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    Refusal::Internal(error.to_string())
}
