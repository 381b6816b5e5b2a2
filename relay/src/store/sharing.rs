//! Who can open which secret, and secrets that an agent sealed again for another. The relay only stores: it can open none.

use super::sqlite::{Store, text};
use super::{Agent, Connection, During, StoreError, from_json, to_json};
use protocol::control::{ConnectionSecret, PEERS_PER_MESSAGE_MAX, Peer, SECRETS_PER_MESSAGE_MAX};
use protocol::ids::AgentId;
use protocol::keys::{Fingerprint, SealingPublicKey, SigningPublicKey};
use protocol::seal::SealedSecret;

impl Agent {
    /// Whether a secret is sealed to keys that this agent has or had before.
    pub(crate) fn opens(&self, secret: &SealedSecret) -> bool {
        self.fingerprints().any(|own| own == secret.agent.as_str())
    }

    /// Of its keys, and of those before.
    pub(crate) fn fingerprints(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.fingerprint.as_str()).chain(self.former_fingerprint.as_deref())
    }
}

impl Store {
    /// The other agents of an agent's uplink, with the number of secrets that this one can open and they cannot.
    pub(crate) async fn peers(&self, agent: &Agent) -> Result<Vec<Peer>, StoreError> {
        let connections = self.uplink_connections(&agent.uplink).await?;
        let mut peers = Vec::new();
        for other in self.agents(&agent.uplink).await? {
            if other.agent_id == agent.agent_id
                || other.stopped.is_some()
                || peers.len() >= PEERS_PER_MESSAGE_MAX
            {
                continue;
            }
            let lacks =
                connections.iter().filter(|it| shareable(it, agent, &other.fingerprint).is_some()).count();
            let corrupt = |error: protocol::keys::KeyError| StoreError::corrupt("key of an agent", error);
            peers.push(Peer {
                agent_id: AgentId::from(other.agent_id.as_str()),
                name: other.name,
                signing_key: SigningPublicKey::parse(&other.signing_key).map_err(corrupt)?,
                sealing_key: SealingPublicKey::parse(&other.sealing_key).map_err(corrupt)?,
                lacks: u32::try_from(lacks).unwrap_or(u32::MAX),
            });
        }
        Ok(peers)
    }

    /// Secrets that `agent` can open and the recipient cannot, as many as fit one message; with the recipient, if there is such an
    /// agent in the uplink.
    pub(crate) async fn to_reseal(
        &self,
        agent: &Agent,
        recipient: &Fingerprint,
    ) -> Result<Option<(Agent, Vec<ConnectionSecret>)>, StoreError> {
        let agents = self.agents(&agent.uplink).await?;
        let Some(recipient) = agents.into_iter().find(|it| it.fingerprint == recipient.as_str()) else {
            return Ok(None);
        };
        let mut secrets = Vec::new();
        for connection in self.uplink_connections(&agent.uplink).await? {
            let Some(sealed) = shareable(&connection, agent, &recipient.fingerprint) else { continue };
            let (sealed, spec) = (sealed.clone(), connection.spec()?);
            secrets.push(ConnectionSecret {
                connection: connection.name,
                site: spec.site,
                username: spec.username,
                sealed,
            });
            if secrets.len() == SECRETS_PER_MESSAGE_MAX {
                break;
            }
        }
        Ok(Some((recipient, secrets)))
    }

    /// Keeps secrets that `agent` sealed again for `recipient`. Those of connections that it cannot open, that are not of its uplink
    /// or that were changed meanwhile are passed over. How many were kept.
    pub(crate) async fn keep_resealed(
        &self,
        agent: &Agent,
        recipient: &Agent,
        secrets: Vec<ConnectionSecret>,
    ) -> Result<usize, StoreError> {
        let mut tx = self.write.begin().await.during("keep a secret")?;
        let mut kept = 0;
        for secret in secrets {
            let sql = "select sealed from connections where name = $1 and uplink = $2 and url = $3 and username = $4";
            let row = sqlx::query(sql)
                .bind(&secret.connection)
                .bind(&agent.uplink)
                .bind(secret.site.as_str())
                .bind(&secret.username)
                .fetch_optional(&mut *tx)
                .await
                .during("keep a secret")?;
            let Some(row) = row else { continue };
            let mut sealed: Vec<SealedSecret> = from_json("sealed secret", &text(&row, "sealed")?)?;
            let entitled = sealed.iter().any(|held| agent.opens(held));
            // What the recipient can open already is not replaced by another's word.
            let has_it = sealed.iter().any(|held| held.agent.as_str() == recipient.fingerprint);
            if !entitled || has_it || secret.sealed.agent.as_str() != recipient.fingerprint {
                continue;
            }
            // What was sealed to the recipient's former keys is of no more use.
            sealed.retain(|held| !recipient.opens(held));
            sealed.push(secret.sealed);
            sqlx::query("update connections set sealed = $2 where name = $1")
                .bind(&secret.connection)
                .bind(to_json("sealed secret", &sealed)?)
                .execute(&mut *tx)
                .await
                .during("keep a secret")?;
            kept += 1;
        }
        tx.commit().await.during("keep a secret")?;
        Ok(kept)
    }

    async fn uplink_connections(&self, uplink: &str) -> Result<Vec<Connection>, StoreError> {
        let mut connections = self.connections().await?;
        connections.retain(|connection| connection.uplink.as_deref() == Some(uplink));
        Ok(connections)
    }
}

/// The secret of a connection that `agent` can open, if the recipient cannot.
fn shareable<'a>(connection: &'a Connection, agent: &Agent, recipient: &str) -> Option<&'a SealedSecret> {
    let sealed = &connection.sealed;
    if sealed.iter().any(|secret| secret.agent.as_str() == recipient) {
        return None;
    }
    sealed.iter().find(|secret| agent.opens(secret))
}
