//! A change of an agent's keys in two steps: the offered keys are kept beside the old ones, and replace them when the agent has
//! used them. Until then both let it in.

use super::sqlite::{Store, maybe_text, text};
use super::{During, StoreError};
use protocol::keys::{Fingerprint, SealingPublicKey, SigningPublicKey};
use sqlx::sqlite::SqliteRow;

/// A pair of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKeys {
    pub(crate) signing: SigningPublicKey,
    pub(crate) sealing: SealingPublicKey,
}

impl PublicKeys {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.signing, &self.sealing)
    }

    pub(super) fn parse(signing: &str, sealing: &str) -> Result<Self, StoreError> {
        let corrupt = |error: protocol::keys::KeyError| StoreError::corrupt("key of an agent", error);
        Ok(Self {
            signing: SigningPublicKey::parse(signing).map_err(corrupt)?,
            sealing: SealingPublicKey::parse(sealing).map_err(corrupt)?,
        })
    }
}

impl Store {
    /// Keeps the keys that an agent offers; keys offered before are forgotten. False when they are another agent's.
    pub(crate) async fn offer_keys(&self, agent_id: &str, keys: PublicKeys) -> Result<bool, StoreError> {
        let sql = "update agents set next_signing_key = $2, next_sealing_key = $3 where agent_id = $1 and not exists
            (select 1 from agents as other where other.agent_id <> $1 and $2 in (other.signing_key, other.next_signing_key))";
        let done = sqlx::query(sql)
            .bind(agent_id)
            .bind(keys.signing.to_string())
            .bind(keys.sealing.to_string())
            .execute(&self.write)
            .await;
        Ok(done.during("keep an agent's new keys")?.rows_affected() == 1)
    }

    /// The agent uses the keys of this fingerprint: the older ones are void. Whether the keys are known.
    pub(crate) async fn take_keys(
        &self,
        agent_id: &str,
        fingerprint: &Fingerprint,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write.begin().await.during("change an agent's keys")?;
        let sql = "select fingerprint, next_signing_key, next_sealing_key from agents where agent_id = $1";
        let row = sqlx::query(sql).bind(agent_id).fetch_optional(&mut *tx).await;
        let row = row
            .during("change an agent's keys")?
            .ok_or_else(|| super::inventory::missing("agent", agent_id))?;
        let old = text(&row, "fingerprint")?;
        let Some(next) = offered(&row)?.filter(|next| next.fingerprint() == *fingerprint) else {
            return Ok(old == fingerprint.as_str());
        };
        let sql =
            "update agents set signing_key = $2, sealing_key = $3, fingerprint = $4, former_fingerprint = $5,
            next_signing_key = null, next_sealing_key = null where agent_id = $1";
        sqlx::query(sql)
            .bind(agent_id)
            .bind(next.signing.to_string())
            .bind(next.sealing.to_string())
            .bind(fingerprint.as_str())
            .bind(old)
            .execute(&mut *tx)
            .await
            .during("change an agent's keys")?;
        tx.commit().await.during("change an agent's keys")?;
        Ok(true)
    }
}

/// The keys that an agent offered and has not used yet.
pub(super) fn offered(row: &SqliteRow) -> Result<Option<PublicKeys>, StoreError> {
    let (signing, sealing) = (maybe_text(row, "next_signing_key")?, maybe_text(row, "next_sealing_key")?);
    signing.zip(sealing).map(|(signing, sealing)| PublicKeys::parse(&signing, &sealing)).transpose()
}
